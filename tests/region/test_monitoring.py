"""What services use reaches CloudWatch, and alarms on it really evaluate."""
import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from ecslab.region import alarms
from tests.region.test_load_balancing import Balanced


@pytest.fixture
def watch(lab):
    return Watch(lab)


class Watch:
    def __init__(self, lab):
        self.lab, self.region = lab, lab.region
        self.cloudwatch = lab.region.client("cloudwatch")

    def points(self, name, statistic="Average", namespace="AWS/ECS", **dimensions):
        dimensions = dimensions or {"ClusterName": "demo", "ServiceName": "web"}
        found = self.cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=self.region.now() - timedelta(days=2),
            EndTime=self.region.now() + timedelta(minutes=1),
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return [round(point[statistic], 6) for point in sorted(found, key=lambda p: p["Timestamp"])]

    def burn(self, task, seconds):
        address = task["attachments"][0]["details"][-1]["value"]
        assert self.region.get(f"{address}/burn?seconds={seconds}").status == 200

    def put(self, *values, name="Depth", namespace="Jobs"):
        """One value a minute; None lets the minute pass without one."""
        for value in values:
            if value is not None:
                self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": name, "Value": value}])
            self.region.run_for("1m")

    def alarm(self, name="deep", **settings):
        settings = {
            "Namespace": "Jobs",
            "MetricName": "Depth",
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 10,
            "ComparisonOperator": "GreaterThanThreshold",
            **settings,
        }
        self.cloudwatch.put_metric_alarm(AlarmName=name, **settings)

    def state(self, name="deep"):
        found = self.cloudwatch.describe_alarms(AlarmNames=[name])
        return (found["MetricAlarms"] + found["CompositeAlarms"])[0]["StateValue"]


# Utilization ----------------------------------------------------------------


def test_a_service_uses_what_its_tasks_use_of_what_they_reserve(lab, watch):
    lab.serve(count=2)
    lab.region.run_for("1m")
    watch.burn(lab.tasks()[0], 600)
    lab.region.run_for("3m")
    assert watch.points("CPUUtilization")[-2:] == [50, 50]  # one of two tasks has its whole vCPU share busy
    assert watch.points("CPUUtilization", "Maximum")[-1] == 100
    assert watch.points("CPUUtilization", "SampleCount")[-1] == 2
    assert 0 < watch.points("MemoryUtilization")[-1] < 2  # 4 of 512 MiB


def test_the_utilization_of_tasks_of_unequal_size_is_weighed_by_what_they_reserve(lab, watch):
    lab.define("big", cpu="1024", memory="2048")
    lab.serve(count=1)
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="big", deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
    while len(lab.tasks()) < 2:
        lab.region.run_for("1s")
    small = next(t for t in lab.tasks() if t["cpu"] == "256")
    watch.burn(small, 600)
    # The small task is on its way out: what counts is what is used over what is reserved, 256 of 1280 units.
    lab.ecs.update_task_protection(cluster="demo", tasks=[small["taskArn"]], protectionEnabled=True)
    lab.region.run_for("3m")
    assert watch.points("CPUUtilization")[-1] == 20


def test_without_running_tasks_there_are_no_datapoints(lab, watch):
    lab.serve(count=1)
    lab.region.run_for("3m")
    before = len(watch.points("CPUUtilization"))
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    lab.region.run_for("5m")
    assert before <= len(watch.points("CPUUtilization")) <= before + 1


def test_a_cluster_has_its_own_metrics_only_with_container_instances(lab, watch):
    lab.serve(count=1)
    lab.region.run_for("2m")
    assert watch.points("CPUReservation", ClusterName="demo") == []
    lab.region.add_instance("demo", "m5.large")
    lab.define("batch", requiresCompatibilities=["EC2"], networkMode="bridge", cpu="512", memory="1024")
    lab.ecs.run_task(cluster="demo", taskDefinition="batch", launchType="EC2")
    lab.region.run_for("2m")
    assert watch.points("CPUReservation", ClusterName="demo")[-1] == 25  # 512 of 2048 units
    assert watch.points("CPUUtilization", ClusterName="demo")[-1] == 0


def test_container_insights_count_tasks_once_the_cluster_asks_for_it(lab, watch):
    lab.serve(count=2)
    lab.region.run_for("2m")
    assert watch.points("RunningTaskCount", namespace="ECS/ContainerInsights") == []
    lab.ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
    lab.region.run_for("2m")
    assert watch.points("RunningTaskCount", namespace="ECS/ContainerInsights")[-1] == 2
    assert watch.points("CpuReserved", namespace="ECS/ContainerInsights", ClusterName="demo")[-1] == 512
    assert watch.points("TaskCount", namespace="ECS/ContainerInsights", ClusterName="demo")[-1] == 2


def test_a_service_may_be_measured_every_twenty_seconds(lab, watch):
    lab.serve(count=1, monitoring={"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]})
    lab.region.run_for("1m")
    before = watch.points("CPUUtilization", "SampleCount")
    lab.region.run_for("5m")
    assert sum(watch.points("CPUUtilization", "SampleCount")) - sum(before) == 15


# Alarms ---------------------------------------------------------------------


def test_an_alarm_begins_without_data_and_follows_its_metric(watch):
    watch.alarm()
    assert watch.state() == "INSUFFICIENT_DATA"
    watch.put(5)
    assert watch.state() == "OK"
    watch.put(11)
    assert watch.state() == "ALARM"
    watch.put(3)
    assert watch.state() == "OK"


def test_three_of_five_datapoints_are_enough_where_three_are_asked_for(watch):
    watch.alarm(EvaluationPeriods=5, DatapointsToAlarm=3)
    watch.put(1, 20, 1, 20)
    assert watch.state() != "ALARM"
    watch.put(20)
    assert watch.state() == "ALARM"


@pytest.mark.parametrize("treatment, state", [("missing", "INSUFFICIENT_DATA"), ("breaching", "ALARM"), ("notBreaching", "OK"), ("ignore", "OK")])
def test_missing_data_counts_as_it_was_said_to(watch, treatment, state):
    watch.alarm(TreatMissingData=treatment)
    watch.put(1, None, None, None, None)
    assert watch.state() == state


def test_a_longer_period_takes_all_values_of_it_together(watch):
    watch.alarm(Statistic="Sum", Period=300, Threshold=20)
    watch.put(5, 5, 5, 5)
    assert watch.state() == "OK"
    watch.put(5)
    assert watch.state() == "ALARM"


def test_an_alarm_remembers_why_it_changed(watch):
    watch.alarm()
    watch.put(5, 12)
    alarm = watch.cloudwatch.describe_alarms(AlarmNames=["deep"])["MetricAlarms"][0]
    assert alarm["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [12.0 (05/01/26 09:01:00)] was greater than the threshold (10.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    history = watch.cloudwatch.describe_alarm_history(AlarmName="deep")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history] == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
        'Alarm "deep" created',
    ]
    assert [f"{item['Timestamp']:%H:%M}" for item in history] == ["09:02", "09:01", "09:00"]


def test_a_composite_alarm_follows_the_alarms_it_names(watch):
    watch.alarm("deep")
    watch.alarm("late", MetricName="Age")
    watch.cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM(deep) AND NOT OK("late")')
    watch.put(20)
    assert watch.state("both") == "ALARM"
    watch.put(1, name="Age")
    assert watch.state("both") == "OK"


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("ALARM(a) OR ALARM(b) AND ALARM(c)", True),
        ("(ALARM(a) OR ALARM(b)) AND ALARM(c)", False),
        ("NOT ALARM(b) AND OK(b)", True),
        ("TRUE AND NOT FALSE", True),
        ('INSUFFICIENT_DATA("c")', True),
    ],
)
def test_not_binds_before_and_and_and_before_or(rule, expected):
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}
    assert alarms.holds(rule, states.get) is expected


@pytest.mark.parametrize("rule", ["ALARM(a", "AND", "ALARM(a) ALARM(b)", "a > 3", "(ALARM(a)", ""])
def test_what_is_no_rule_is_refused(watch, rule):
    with pytest.raises((ClientError, ValueError)):
        alarms.holds(rule, lambda name: "OK")
        watch.cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule=rule)


def test_a_composite_alarm_of_alarms_that_are_not_there_is_refused(watch):
    with pytest.raises(ClientError, match="do not exist"):
        watch.cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(nobody)")


@pytest.mark.parametrize("settings, said", [({"Period": 45}, "multiple of 60"), ({"DatapointsToAlarm": 2}, "DatapointsToAlarm")])
def test_an_alarm_that_can_not_be_is_refused(watch, settings, said):
    with pytest.raises(ClientError, match=said):
        watch.alarm(**settings)


def test_an_alarm_tells_a_topic_and_a_function(lab, watch):
    sns, sqs = lab.region.client("sns"), lab.region.client("sqs")
    topic = sns.create_topic(Name="pager")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    heard = []
    function = lab.region.add_function("page", lambda event, context: heard.append(event))
    watch.alarm(AlarmActions=[topic, function])
    watch.put(5, 11)
    body = json.loads(json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])["Message"])
    assert (body["AlarmName"], body["OldStateValue"], body["NewStateValue"]) == ("deep", "OK", "ALARM")
    assert heard[0]["alarmData"]["AlarmName"] == "deep"


def test_with_its_actions_disabled_an_alarm_rings_for_nobody(lab, watch):
    heard = []
    function = lab.region.add_function("page", lambda event, context: heard.append(event))
    watch.alarm(AlarmActions=[function], ActionsEnabled=False)
    watch.put(5, 11)
    assert watch.state() == "ALARM" and heard == []


def test_an_alarm_on_failures_rolls_a_deployment_back_by_itself(lab, watch):
    web = Balanced(lab)
    web.serve(
        count=2,
        deploymentConfiguration={
            "bakeTimeInMinutes": 10,
            "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
        },
    )
    balancer = web.url.partition("//")[2].partition(".")[0]
    lab.region.run_for("2m")
    found = watch.cloudwatch.list_metrics(Namespace="AWS/ApplicationELB", MetricName="HealthyHostCount")["Metrics"][0]["Dimensions"]
    dimensions = [d for d in found if d["Name"] == "LoadBalancer"]
    watch.alarm("errors", Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count", Statistic="Sum", Dimensions=dimensions, Threshold=5)
    lab.define(image="ecslab/app:2.0", command=["--status", "500"])
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web")
    with lab.region.start_load(web.url, rps=2):
        lab.region.run_for("8m")
    assert balancer
    assert any("alarm detected: errors" in message or "deployment failed" in message for message in lab.messages())
    assert lab.service()["taskDefinition"].endswith("web:2")



@pytest.mark.parametrize(
    "settings, said",
    [({"ComparisonOperator": "GreaterThanUpperThreshold"}, "does not evaluate the comparison"), ({"Statistic": None}, "needs Statistic"), ({"Threshold": None}, "needs Threshold")],
)
def test_an_alarm_that_could_never_be_evaluated_is_refused_and_the_region_goes_on(lab, watch, settings, said):
    whole = {
        "AlarmName": "odd", "Namespace": "Jobs", "MetricName": "Depth", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    with pytest.raises(ClientError, match=said):
        watch.cloudwatch.put_metric_alarm(**{name: value for name, value in {**whole, **settings}.items() if value is not None})
    watch.alarm()
    watch.put(20)
    assert watch.state() == "ALARM"
