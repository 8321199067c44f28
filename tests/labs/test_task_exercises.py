"""Answers to lab 04's exercises that miss the point, and ones that meet it in another way."""
from __future__ import annotations

import json

import pytest

from ecslab.region import start
from ecslab.teach.aws import Aws
from ecslab.teach.exercise import judge, load_exercises

REPORT = ("--leak", "5", "--exit-after", "60")
WORKER = ("--ignore-sigterm", "--exit-after", "90")
BEACON = ("--exit-after", "70", "--exit-code", "1")
CHECK = {"command": ["CMD", "/app", "health"], "interval": 5, "retries": 2}
ENABLED = {"enabled": True, "restartAttemptPeriod": 60}
IMPORT = ("--exit-after", "5")


class Learner:
    """One region, and what a learner does in it."""

    def __init__(self, region):
        self.region = region
        self.ecs, self.events, self.sqs = (region.client(name) for name in ("ecs", "events", "sqs"))
        subnets = [subnet["SubnetId"] for subnet in region.client("ec2").describe_subnets()["Subnets"]][:2]
        self.network = {"awsvpcConfiguration": {"subnets": subnets}}
        self.cluster = self.ecs.create_cluster(clusterName="demo")["cluster"]["clusterArn"]

    def register(self, family, *containers, memory="512"):
        self.ecs.register_task_definition(
            family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory=memory,
            containerDefinitions=list(containers),
        )  # fmt: skip

    def run(self, family, lasting="2m", **more):
        """A task, and a while after it was started."""
        answer = self.ecs.run_task(cluster="demo", taskDefinition=family, launchType="FARGATE", networkConfiguration=self.network, **more)
        self.region.run_for(lasting)
        return answer["tasks"][0]["taskArn"]

    def run_and_stop(self, family, running_for):
        self.ecs.stop_task(cluster="demo", task=self.run(family, running_for))
        self.region.run_for("2m")

    def rule(self, name, target, **rule):
        self.events.put_rule(Name=name, **rule)
        self.events.put_targets(Rule=name, Targets=[target])

    def passes(self, exercise):
        return judge(load_exercises()[exercise], Aws(self.region.client)).passed


def container(name, *command, **more):
    return {"name": name, "image": "ecslab/app:1.0", "command": list(command), **more}


@pytest.fixture(scope="module")
def learner():
    with start(engine="simulated") as region:
        yield Learner(region)


@pytest.mark.parametrize(
    ("app", "task_memory", "enough"),
    [
        (container("app", *REPORT, memory=400), "512", True),
        (container("app", *REPORT), "512", True),
        (container("app", *REPORT, memory=128), "512", False),
        (container("app", *REPORT, memory=128), "1024", False),
        (container("app", *REPORT, memory=800), "1024", False),
        (container("app", "--leak", "5", "--exit-after", "10", memory=128), "512", False),
    ],
)
def test_the_report_ends_well_with_its_own_command_in_a_task_that_did_not_grow(learner, app, task_memory, enough):
    learner.register("report", app, memory=task_memory)
    learner.run("report")
    assert learner.passes("tasks.enough-memory") is enough


@pytest.mark.parametrize(
    ("app", "stop", "enough"),
    [
        (container("app", *WORKER, stopTimeout=100), True, True),
        (container("app", *WORKER), True, False),
        (container("app", *WORKER, stopTimeout=60), True, False),
        (container("app", *WORKER, stopTimeout=120), False, False),
        (container("app", "--exit-after", "90", stopTimeout=120), True, False),
    ],
)
def test_the_worker_is_stopped_and_still_finishes_its_own_work(learner, app, stop, enough):
    learner.register("worker", app)
    learner.run_and_stop("worker", "15s" if stop else "2m")
    assert learner.passes("tasks.stop-timeout") is enough


@pytest.mark.parametrize(
    ("migrate", "proxy", "enough"),
    [("SUCCESS", "HEALTHY", True), ("COMPLETE", "HEALTHY", False), ("SUCCESS", "START", False)],
)
def test_the_shop_opens_after_a_migration_that_succeeded_and_behind_a_healthy_proxy(learner, migrate, proxy, enough):
    waits = [{"containerName": "migrate", "condition": migrate}, {"containerName": "proxy", "condition": proxy}]
    first = container("migrate", "--exit-after", "5", "--port", "82", essential=False)
    learner.register("shop", first, container("proxy", "--port", "81", healthCheck=CHECK), container("app", dependsOn=waits))
    shop = learner.run("shop")
    assert learner.passes("tasks.init-container") is enough
    learner.ecs.stop_task(cluster="demo", task=shop)


@pytest.mark.parametrize(
    ("policy", "running_for", "enough"),
    [(ENABLED, "170s", True), (ENABLED, "60s", False), ({"enabled": True}, "170s", False), ({"enabled": False}, "60s", False)],
)
def test_the_beacon_outlives_its_container(learner, policy, running_for, enough):
    learner.register("beacon", container("app", *BEACON, restartPolicy=policy))
    learner.run_and_stop("beacon", running_for)
    assert learner.passes("tasks.restart-policy") is enough


def test_a_batch_is_one_definition_with_a_day_for_each_task(learner):
    learner.register("import", container("app", *IMPORT))
    learner.run("import", count=3, startedBy="backfill")
    assert not learner.passes("tasks.batch"), "no task knew its day"
    for day in ("mon", "tue", "wed"):
        changed = {"name": "app", "environment": [{"name": "DAY", "value": day}]}
        learner.run("import", startedBy="backfill", overrides={"containerOverrides": [changed]})
    assert learner.passes("tasks.batch")
    learner.register("import", container("app", *IMPORT))
    learner.run("import", startedBy="backfill")
    assert not learner.passes("tasks.batch"), "one was of another revision"


@pytest.mark.parametrize(
    ("expression", "role", "enough"),
    [("rate(5 minutes)", "runs-tasks", False), ("rate(1 minute)", "other", False), ("cron(* * * * ? *)", "runs-tasks", True)],
)
def test_a_schedule_runs_the_import_every_minute_with_the_role_it_was_given(learner, expression, role, enough):
    learner.register("import", container("app", *IMPORT))
    how = {"TaskDefinitionArn": "import", "LaunchType": "FARGATE"}
    how["NetworkConfiguration"] = {"awsvpcConfiguration": {"Subnets": learner.network["awsvpcConfiguration"]["subnets"]}}
    target = {"Id": "import", "Arn": learner.cluster, "RoleArn": f"arn:aws:iam::123456789012:role/{role}", "EcsParameters": how}
    learner.rule("every-minute", target, ScheduleExpression=expression)
    learner.region.run_for("6m")
    assert learner.passes("tasks.schedule") is enough
    learner.events.disable_rule(Name="every-minute")


@pytest.mark.parametrize(
    ("detail", "enough"),
    [
        ({"lastStatus": ["STOPPED"]}, False),
        ({"stopCode": ["TaskFailedToStart"]}, False),
        ({"lastStatus": ["STOPPED"], "stopCode": ["TaskFailedToStart"]}, True),
    ],
)
def test_the_queue_gets_tasks_that_failed_to_start_and_no_others(learner, detail, enough):
    url = learner.sqs.create_queue(QueueName="failures")["QueueUrl"]
    arn = learner.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail}
    learner.rule("never-started", {"Id": "queue", "Arn": arn}, EventPattern=json.dumps(pattern))
    learner.register("typo", {**container("app"), "image": "ecslab/app:9.9"})
    learner.run("typo", "30s")
    assert learner.passes("tasks.failure-queue") is enough


def test_without_a_task_or_a_rule_every_check_says_what_is_missing():
    with start(engine="simulated") as region:
        region.client("ecs").create_cluster(clusterName="demo")
        for exercise in load_exercises().values():
            if exercise.lab == "04-tasks-and-lifecycle":
                verdict = judge(exercise, Aws(region.client))
                assert not verdict.passed and not any("stumbled" in saw.saw or "refused" in saw.saw for saw in verdict.saw)
                assert all(saw.where for saw in verdict.saw)
