"""What happens in ECS becomes events, and rules run things."""
import json

import pytest
from botocore.exceptions import ClientError

from tests.region.test_auto_scaling import Scaled


class Bus:
    def __init__(self, lab):
        self.lab, self.region = lab, lab.region
        self.events, self.sqs = lab.region.client("events"), lab.region.client("sqs")
        self.url = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.queue = "arn:aws:sqs:us-east-1:123456789012:inbox"

    def rule(self, pattern=None, target=None, name="rule", **settings):
        given = {"EventPattern": json.dumps({"source": ["aws.ecs"], **(pattern or {})})} if not settings else settings
        self.events.put_rule(Name=name, **given)
        self.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": self.queue, **(target or {})}])

    def heard(self):
        """What the queue got since it was last asked, in order of time."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(m["Body"]) for m in messages]
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def bus(lab):
    return Bus(lab)


def test_every_state_of_a_task_is_an_event(lab, bus):
    bus.rule({"detail-type": ["ECS Task State Change"]})
    arn = lab.run("web:1")
    lab.region.run_for("20s")
    events = bus.heard()
    assert [e["detail"]["lastStatus"] for e in events] == ["PENDING", "ACTIVATING", "RUNNING"]
    last = events[-1]
    assert (last["source"], last["detail-type"], last["resources"]) == ("aws.ecs", "ECS Task State Change", [arn])
    assert last["time"].startswith("2026-01-05T09:00:0") and last["detail"]["startedAt"].startswith(last["time"][:-1])
    assert {"clusterArn", "taskDefinitionArn", "containers", "version", "updatedAt", "group"} <= set(last["detail"])


def test_a_pattern_chooses(lab, bus):
    lab.define("batch", command=["--exit-after", "2", "--exit-code", "3"])
    bus.rule({"detail": {"lastStatus": ["STOPPED"], "stopCode": ["EssentialContainerExited"]}})
    lab.run("web:1")
    failed = lab.run("batch")
    lab.region.run_for("30s")
    assert [e["resources"] for e in bus.heard()] == [[failed]]


def test_deployments_and_steady_states_are_events(lab, bus):
    bus.rule({"detail-type": ["ECS Deployment State Change", "ECS Service Action"]})
    lab.serve(count=2)
    lab.region.run_for("1m")
    assert [e["detail"]["eventName"] for e in bus.heard()] == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
    ]


def test_a_failed_deployment_tells_why(lab, bus):
    bus.rule({"detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]}})
    lab.define("broken", image="ecslab/none:1.0")
    lab.serve(definition="broken", deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    lab.region.run_for("15m")
    event = bus.heard()[0]
    assert event["detail"]["reason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert event["detail"]["eventType"] == "ERROR"


def test_a_task_that_finds_no_place_is_an_event_with_its_reason(lab, bus):
    bus.rule({"detail-type": ["ECS Service Action"]})
    lab.define("big", requiresCompatibilities=["EC2"], networkMode="bridge", cpu="4096", memory="1024")
    lab.region.add_instance("demo", "m5.large")
    lab.ecs.create_service(cluster="demo", serviceName="big", taskDefinition="big", desiredCount=1, launchType="EC2")
    lab.region.run_for("1m")
    detail = bus.heard()[0]["detail"]
    assert (detail["eventType"], detail["eventName"], detail["reason"]) == ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", "RESOURCE:CPU")


def test_container_instances_come_drain_and_go_with_events(lab, bus):
    bus.rule({"detail-type": ["ECS Container Instance State Change"]})
    arn = lab.region.add_instance("demo")
    lab.ecs.update_container_instances_state(cluster="demo", containerInstances=[arn], status="DRAINING")
    lab.ecs.deregister_container_instance(cluster="demo", containerInstance=arn)
    lab.region.run_for("1s")
    assert [e["detail"]["status"] for e in bus.heard()] == ["ACTIVE", "DRAINING", "INACTIVE"]


def test_scaling_is_an_event_and_a_manual_update_is_none(lab, bus):
    bus.rule({"detail": {"eventName": ["SERVICE_DESIRED_COUNT_UPDATED"]}})
    web = Scaled(lab)
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=3)
    lab.region.run_for("1m")
    assert bus.heard() == []
    web.track()
    lab.region.start_demand("web", 7)
    lab.region.run_for("4m")
    assert len(bus.heard()) == 1


def test_functions_topics_and_log_groups_are_targets(lab, bus):
    told = []
    function = lab.region.add_function("page", lambda event, context: told.append(event["detail"]["lastStatus"]))
    topic = lab.region.client("sns").create_topic(Name="pager")["TopicArn"]
    lab.region.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.queue)
    logs = lab.region.client("logs")
    logs.create_log_group(logGroupName="/events")
    for number, arn in enumerate((function, topic, "arn:aws:logs:us-east-1:123456789012:log-group:/events")):
        bus.rule({"detail": {"lastStatus": ["RUNNING"]}}, {"Arn": arn}, f"rule{number}")
    lab.run("web:1")
    lab.region.run_for("20s")
    assert told == ["RUNNING"]
    assert json.loads(bus.heard()[0]["Message"])["detail"]["lastStatus"] == "RUNNING"
    assert "RUNNING" in logs.filter_log_events(logGroupName="/events")["events"][0]["message"]


def test_a_target_may_get_a_part_a_constant_or_a_text_made_of_the_event(lab, bus):
    made = {"InputPathsMap": {"task": "$.detail.taskArn", "status": "$.detail.lastStatus"}, "InputTemplate": '"<task> is <status>"'}
    for number, target in enumerate(({"InputPath": "$.detail.lastStatus"}, {"Input": '{"a": 1}'}, {"InputTransformer": made})):
        bus.rule({"detail": {"lastStatus": ["RUNNING"]}}, {"Id": str(number), **target}, f"rule{number}")
    arn = lab.run("web:1")
    lab.region.run_for("20s")
    messages = [m["Body"] for m in bus.sqs.receive_message(QueueUrl=bus.url, MaxNumberOfMessages=10)["Messages"]]
    assert sorted(messages) == sorted(["RUNNING", '{"a": 1}', f"{arn} is RUNNING"])


def ecs_target(lab, **parameters):
    network = {"awsvpcConfiguration": {"Subnets": lab.subnets[:1], "AssignPublicIp": "DISABLED"}}
    return {
        "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/demo",
        "RoleArn": "arn:aws:iam::123456789012:role/ecsEventsRole",
        "EcsParameters": {"TaskDefinitionArn": "nightly", "TaskCount": 1, "LaunchType": "FARGATE", "NetworkConfiguration": network, **parameters},
    }


def test_a_schedule_runs_a_task_again_and_again(lab, bus):
    lab.define("nightly", command=["--exit-after", "5"])
    bus.rule(target=ecs_target(lab, TaskCount=2), ScheduleExpression="rate(5 minutes)")
    lab.region.run_for("11m")
    tasks = lab.ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]
    assert len(tasks) == 4
    assert {lab.task(arn)["startedBy"] for arn in tasks} == {"events-rule/rule"}


def test_a_cron_runs_at_its_time_and_a_disabled_rule_never(lab, bus):
    lab.define("nightly", command=["--exit-after", "5"])
    bus.rule(target=ecs_target(lab), name="nightly", ScheduleExpression="cron(30 9 * * ? *)")
    bus.rule(target=ecs_target(lab), name="off", ScheduleExpression="rate(1 minute)", State="DISABLED")
    lab.region.run_for("29m")
    assert lab.ecs.list_tasks(cluster="demo")["taskArns"] == []
    lab.region.run_for("90s")
    stopped = lab.ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]
    assert len(stopped + lab.ecs.list_tasks(cluster="demo")["taskArns"]) == 1


@pytest.mark.parametrize("schedule", ["every night", "rate(0 minutes)", "cron(0 8 * * * *)", "at(2026-01-05T10:00:00)"])
def test_what_is_no_schedule_of_a_rule_is_refused(bus, schedule):
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid"):
        bus.events.put_rule(Name="odd", ScheduleExpression=schedule)


def test_constant_input_overrides_the_task(lab, bus):
    lab.define("nightly", command=["--exit-after", "500"])
    overrides = {"containerOverrides": [{"name": "app", "command": ["--exit-after", "1", "--exit-code", "7"]}]}
    bus.rule(target={**ecs_target(lab), "Input": json.dumps(overrides)}, ScheduleExpression="rate(1 minute)")
    lab.region.run_for("90s")
    arn = lab.ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"][0]
    assert lab.task(arn)["containers"][0]["exitCode"] == 7


def test_a_rule_that_was_deleted_runs_nothing(lab, bus):
    lab.define("nightly")
    bus.rule(target=ecs_target(lab), ScheduleExpression="rate(1 minute)")
    bus.events.remove_targets(Rule="rule", Ids=["1"])
    bus.events.delete_rule(Name="rule")
    lab.region.run_for("5m")
    assert lab.ecs.list_tasks(cluster="demo")["taskArns"] == []


def test_a_failed_task_can_start_a_function_that_repairs(lab, bus):
    lab.define("nightly", command=["--exit-after", "2", "--exit-code", "1"])

    def again(event, context):
        lab.ecs.run_task(cluster="demo", taskDefinition="web:1", launchType="FARGATE", networkConfiguration=lab.network, startedBy="repair")

    bus.rule({"detail": {"lastStatus": ["STOPPED"], "group": ["family:nightly"]}}, {"Arn": lab.region.add_function("again", again)})
    lab.run("nightly")
    lab.region.run_for("1m")
    assert len(lab.ecs.list_tasks(cluster="demo", startedBy="repair")["taskArns"]) == 1
