"""Services that scale: policies, schedules, cooldowns, and what the API says of them."""
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.region import start
from ecslab.region.demand import weekday
from tests.region.conftest import Lab
from tests.region.test_load_balancing import Balanced

WEB = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
CORE = 10  # requests a second that one vCPU serves when each costs 0.1 s of it; a task of 256 units serves 2.5


class Scaled:
    """A service `web` of two tasks with a scalable target."""

    def __init__(self, lab, low=1, high=10, count=2):
        self.lab, self.region = lab, lab.region
        lab.serve(count=count, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
        lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
        self.aas, self.cloudwatch = lab.region.client("application-autoscaling"), lab.region.client("cloudwatch")
        self.aas.register_scalable_target(**WEB, MinCapacity=low, MaxCapacity=high)

    def track(self, target=50.0, name="cpu", metric=CPU, **configuration):
        configuration = {"TargetValue": target, **metric, **configuration}
        return self.aas.put_scaling_policy(
            **WEB, PolicyName=name, PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration
        )

    def step(self, steps, name="steps", kind="ChangeInCapacity", **configuration):
        steps = [
            {k: v for k, v in zip(("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment"), s) if v is not None}
            for s in steps
        ]
        configuration = {"AdjustmentType": kind, "StepAdjustments": steps, **configuration}
        return self.aas.put_scaling_policy(**WEB, PolicyName=name, PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration)["PolicyARN"]

    def alarm(self, arn, threshold, name="queue", comparison="GreaterThanOrEqualToThreshold", metric="Depth"):
        self.cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="Jobs", MetricName=metric, Statistic="Average", Period=60, EvaluationPeriods=1,
            Threshold=threshold, ComparisonOperator=comparison, AlarmActions=[arn],
        )  # fmt: skip

    def put(self, value, metric="Depth"):
        self.cloudwatch.put_metric_data(Namespace="Jobs", MetricData=[{"MetricName": metric, "Value": value}])
        self.region.run_for("1m")
        return self.desired

    @property
    def desired(self):
        return self.lab.service()["desiredCount"]

    def minutes(self, count):
        """The desired count after each minute."""
        found = []
        for _ in range(count):
            self.region.run_for("1m")
            found.append(self.desired)
        return found

    def activities(self, **options):
        return self.aas.describe_scaling_activities(ServiceNamespace="ecs", **options)["ScalingActivities"]


@pytest.fixture
def web(lab):
    return Scaled(lab)


# Target tracking ------------------------------------------------------------


def test_target_tracking_scales_out_after_three_minutes_above_and_in_after_fifteen_below(web):
    web.track()
    demand = web.region.start_demand("web", 0.9 * 2 * 2.5)  # 90 % of two tasks
    assert web.minutes(3) == [2, 2, 4]
    demand.stop()
    web.region.start_demand("web", 0.5)
    counts = web.minutes(20)
    assert counts[:13] == [4] * 13 and counts[-1] == 1


def test_the_alarm_pair_is_what_ecs_makes(web):
    made = web.track(70.0)["Alarms"]
    high, low = (web.cloudwatch.describe_alarms(AlarmNames=[a["AlarmName"]])["MetricAlarms"][0] for a in made)
    assert high["AlarmName"].startswith("TargetTracking-service/demo/web-AlarmHigh-")
    assert (high["Threshold"], high["ComparisonOperator"], high["EvaluationPeriods"], high["Period"]) == (70, "GreaterThanThreshold", 3, 60)
    assert (low["Threshold"], low["ComparisonOperator"], low["EvaluationPeriods"], low["Period"]) == (63, "LessThanThreshold", 15, 60)


def test_without_data_nothing_scales(lab):
    web = Scaled(lab, low=0, count=0)
    web.track()
    assert set(web.minutes(20)) == {0}


def test_scale_in_may_be_disabled(web):
    web.track(DisableScaleIn=True)
    assert set(web.minutes(20)) == {2}


def test_a_cooldown_holds_scale_in_back_but_never_scale_out(web):
    web.track(ScaleInCooldown=600, ScaleOutCooldown=600)
    demand = web.region.start_demand("web", 0.9 * 2 * 2.5)
    assert web.minutes(3)[-1] == 4
    demand.stop()
    demand = web.region.start_demand("web", 0.9 * 4 * 2.5)  # more comes while the cooldown runs
    assert web.minutes(4)[-1] == 8
    demand.stop()
    web.region.start_demand("web", 7.5)
    before = web.minutes(15)
    assert before[-1] == 6 and web.minutes(9)[:8] == [6] * 8


def test_requests_per_target_of_a_load_balancer_can_be_the_metric(lab):
    balanced = Balanced(lab)
    balanced.serve(count=2)
    lab.region.run_for("2m")
    aas = lab.region.client("application-autoscaling")
    aas.register_scalable_target(**WEB, MinCapacity=1, MaxCapacity=10)
    group = lab.service()["loadBalancers"][0]["targetGroupArn"].rpartition(":")[2]
    balancer = lab.region.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"].partition("loadbalancer/")[2]
    metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": f"{balancer}/{group}"}
    configuration = {"TargetValue": 60.0, "PredefinedMetricSpecification": metric}
    aas.put_scaling_policy(**WEB, PolicyName="requests", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration)
    lab.region.start_demand("web", 4)  # 240 a minute: 120 for each of two targets, 60 for each of four
    lab.region.run_for("4m")
    assert lab.service()["desiredCount"] == 4


def test_a_metric_of_ones_own_can_be_tracked(web):
    metric = {"CustomizedMetricSpecification": {"Namespace": "Jobs", "MetricName": "BacklogPerTask", "Statistic": "Average"}}
    web.track(10.0, metric=metric)
    assert [web.put(30, "BacklogPerTask") for _ in range(3)] == [2, 2, 6]


# Step scaling ---------------------------------------------------------------


def test_the_step_that_the_breach_falls_in_is_added(web):
    web.alarm(web.step([(0, 10, 1), (10, None, 3)], Cooldown=0), 50)
    assert web.put(55) == 3
    assert web.put(60) == 6
    assert web.put(40) == 6


def test_a_bigger_step_during_the_cooldown_adds_only_the_difference(web):
    web.alarm(web.step([(0, 10, 2), (10, None, 3)]), 50)
    assert web.put(55) == 4
    assert web.put(55) == 4  # the same step again: its two tasks are already there
    assert web.put(70) == 5


def test_percent_and_exact_adjustments(lab):
    web = Scaled(lab, count=4, high=20)
    web.alarm(web.step([(0, None, 25)], "percent", "PercentChangeInCapacity", MinAdjustmentMagnitude=2, Cooldown=0), 50)
    assert web.put(55) == 6
    web.aas.delete_scaling_policy(**WEB, PolicyName="percent")
    web.alarm(web.step([(0, None, 12)], "exact", "ExactCapacity"), 50)
    assert web.put(55) == 12


# Several policies, bounds, suspension ----------------------------------------


def test_any_policy_scales_out_and_only_all_together_scale_in(web):
    web.track(name="cpu")
    web.track(50.0, "memory", {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}})
    demand = web.region.start_demand("web", 0.9 * 2 * 2.5)
    assert web.minutes(3)[-1] == 4  # memory is low, CPU asks
    demand.stop()
    web.region.start_demand("web", 4 * 2.5 * 0.48)  # CPU at 48 % of 50: inside its band, so it wants to stay
    assert set(web.minutes(20)) == {4}


def test_the_desired_count_never_leaves_its_bounds_and_says_why(lab):
    web = Scaled(lab, high=3)
    web.track()
    web.region.start_demand("web", 40)
    assert max(web.minutes(8)) == 3
    unscaled = [a for a in web.activities(IncludeNotScaledActivities=True) if a.get("NotScaledReasons")]
    assert unscaled[0]["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 3, "CurrentCapacity": 3}]
    assert not any(a.get("NotScaledReasons") for a in web.activities())


def test_what_is_suspended_does_not_scale(web):
    web.track()
    web.aas.register_scalable_target(**WEB, SuspendedState={"DynamicScalingOutSuspended": True})
    web.region.start_demand("web", 40)
    assert set(web.minutes(5)) == {2}
    web.aas.register_scalable_target(**WEB, SuspendedState={"DynamicScalingOutSuspended": False})
    assert web.minutes(1)[0] > 2


def test_a_protected_task_stays_when_the_service_scales_in(web):
    web.track()
    kept = web.lab.tasks()[0]["taskArn"]
    other = web.lab.tasks()[1]["taskArn"]
    web.lab.ecs.update_task_protection(cluster="demo", tasks=[kept], protectionEnabled=True)
    web.region.run_for("17m")
    assert web.desired == 1
    assert [t["taskArn"] for t in web.lab.tasks()] == [kept] and web.lab.task(other)["lastStatus"] == "STOPPED"


def test_a_deployment_turns_scale_in_off_but_not_scale_out(web):
    web.track()
    web.region.run_for("14m")
    web.lab.define("stuck", image="ecslab/none:1.0")
    web.lab.ecs.update_service(cluster="demo", service="web", taskDefinition="stuck")
    assert set(web.minutes(10)) == {2}  # two idle tasks, but a deployment is going on
    web.region.start_demand("web", 0.9 * 2 * 2.5)
    assert web.minutes(4)[-1] > 2


# Activities -----------------------------------------------------------------


def test_activities_tell_what_was_done_and_why(web):
    alarm = web.track()["Alarms"][0]["AlarmName"]
    web.region.start_demand("web", 0.9 * 2 * 2.5)
    web.region.run_for("3m")
    first = web.activities()[0]
    assert first["StatusCode"] == "InProgress"
    web.region.run_for("1m")
    done = web.activities()[0]
    assert done["Description"] == "Setting desired count to 4."
    assert done["StatusMessage"] == "Successfully set desired count to 4. Change successfully fulfilled by ecs."
    assert done["Cause"] == f"monitor alarm {alarm} in state ALARM triggered policy cpu"
    assert (done["StatusCode"], done["EndTime"] - done["StartTime"]) == ("Successful", timedelta(minutes=1))


# Schedules ------------------------------------------------------------------


def action(web, name, schedule, low=None, high=None, **options):
    bounds = {k: v for k, v in (("MinCapacity", low), ("MaxCapacity", high)) if v is not None}
    web.aas.put_scheduled_action(**WEB, ScheduledActionName=name, Schedule=schedule, ScalableTargetAction=bounds, **options)


def test_a_scheduled_action_moves_the_bounds_and_the_count_only_if_left_outside(web):
    action(web, "morning", "cron(30 9 ? * MON-FRI *)", low=5, high=8)
    action(web, "later", "at(2026-01-05T10:00:00)", low=1, high=8)
    assert web.minutes(31)[-1] == 5
    web.region.run_for("1h")
    target = web.aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"], web.desired) == (1, 8, 5)


def test_a_rate_runs_again_and_again_and_a_time_zone_moves_a_cron(web):
    action(web, "berlin", "cron(15 10 * * ? *)", low=4, Timezone="Europe/Berlin")  # 09:15 UTC in winter
    assert web.minutes(16)[-1] == 4
    action(web, "hourly", "rate(1 hour)", high=3)
    web.aas.delete_scheduled_action(**WEB, ScheduledActionName="berlin")
    web.aas.register_scalable_target(**WEB, MinCapacity=1, MaxCapacity=10)
    web.region.run_for("61m")
    web.aas.register_scalable_target(**WEB, MinCapacity=1, MaxCapacity=10)
    web.region.run_for("60m")
    said = [a["Cause"] for a in web.activities() if "hourly" in a["Cause"]]
    assert len(said) == 2 and web.desired == 3


def test_a_suspended_or_deleted_schedule_does_nothing(web):
    action(web, "soon", "at(2026-01-05T09:10:00)", low=5)
    web.aas.register_scalable_target(**WEB, SuspendedState={"ScheduledScalingSuspended": True})
    assert web.minutes(15)[-1] == 2


# The API --------------------------------------------------------------------


def test_what_is_put_is_described_and_goes_with_its_target(web):
    web.track()
    action(web, "soon", "rate(5 minutes)", low=2)
    policy = web.aas.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=WEB["ResourceId"])["ScalingPolicies"][0]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 50 and len(policy["Alarms"]) == 2
    assert web.aas.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"][0]["Schedule"] == "rate(5 minutes)"
    web.aas.deregister_scalable_target(**WEB)
    assert web.cloudwatch.describe_alarms()["MetricAlarms"] == []
    assert web.aas.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_tags_of_a_target(web):
    arn = web.aas.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]["ScalableTargetARN"]
    web.aas.tag_resource(ResourceARN=arn, Tags={"team": "shop", "tier": "1"})
    web.aas.untag_resource(ResourceARN=arn, TagKeys=["tier"])
    assert web.aas.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "shop"}


OTHER = {**WEB, "ResourceId": "service/demo/none"}


@pytest.mark.parametrize(
    "operation, parameters, code, said",
    [
        ("register_scalable_target", {**OTHER, "MinCapacity": 1, "MaxCapacity": 2}, "ValidationException", "ECS service doesn't exist: service/demo/none"),
        ("register_scalable_target", {**WEB, "MinCapacity": 5, "MaxCapacity": 2}, "ValidationException", "Maximum capacity cannot be less than"),
        ("register_scalable_target", {**WEB, "ServiceNamespace": "dynamodb"}, "ValidationException", "ecslab scales ECS services only"),
        ("register_scalable_target", {**WEB, "ResourceId": "demo/web"}, "ValidationException", "Unsupported service namespace, resource type"),
        (
            "put_scaling_policy",
            {**OTHER, "PolicyName": "p", "PolicyType": "StepScaling"},
            "ObjectNotFoundException",
            "No scalable target registered for service namespace: ecs, resource ID: service/demo/none, scalable dimension: ecs:service:DesiredCount",
        ),
        ("put_scaling_policy", {**WEB, "PolicyName": "p", "PolicyType": "PredictiveScaling"}, "ValidationException", "does not forecast"),
        ("put_scaling_policy", {**WEB, "PolicyName": "p", "PolicyType": "TargetTrackingScaling"}, "ValidationException", "must be specified"),
        ("delete_scaling_policy", {**WEB, "PolicyName": "p"}, "ObjectNotFoundException", "No scaling policy found"),
        ("deregister_scalable_target", OTHER, "ObjectNotFoundException", "No scalable target found"),
        ("put_scheduled_action", {**WEB, "ScheduledActionName": "a", "Schedule": "every day"}, "ValidationException", "Invalid schedule expression"),
        ("describe_scaling_activities", {"ServiceNamespace": "ecs", "NextToken": "?"}, "InvalidNextTokenException", "Invalid NextToken"),
        ("get_predictive_scaling_forecast", {**WEB, "PolicyName": "p", "StartTime": 0, "EndTime": 1}, "ValidationException", "not built"),
    ],
)
def test_a_mistake_is_answered_in_the_words_of_auto_scaling(web, operation, parameters, code, said):
    with pytest.raises(ClientError) as refused:
        getattr(web.aas, operation)(**parameters)
    error = refused.value.response["Error"]
    assert error["Code"] == code and said in error["Message"]


def test_one_metric_has_one_tracking_policy(web):
    web.track(name="one")
    with pytest.raises(ClientError, match="Only one TargetTrackingScaling policy"):
        web.track(name="two")


# A day, and whatever comes ----------------------------------------------------


def test_a_day_of_traffic_passes_and_prints_the_same_again():
    def day():
        with start(engine="simulated") as region:
            lab = Lab(region)
            lab.ecs.create_cluster(clusterName="demo")
            lab.define()
            web = Scaled(lab, low=2, high=40)
            web.track(ScaleOutCooldown=60, ScaleInCooldown=120)
            demand = region.start_demand("web", weekday(2, 40))
            region.run_for("24h")
            return demand.stop()

    first = day()
    assert first.minutes == day().minutes
    assert len(first.minutes) == 24 * 60 and first.most_tasks > 20 and first.minutes[-1].running < 20
    assert first.failed < 0.02 * first.requests


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(0, 60), min_size=4, max_size=10), st.integers(0, 3), st.integers(4, 12), st.integers(0, 600))
def test_whatever_comes_the_count_stays_within_bounds_and_does_not_flap_in_a_cooldown(rates, low, high, cooldown):
    with start(engine="simulated") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        web = Scaled(lab, low, high, count=max(1, low))
        web.track(ScaleInCooldown=cooldown, ScaleOutCooldown=cooldown)
        demand = region.start_demand("web", lambda at: rates[int(at.timestamp() // 600) % len(rates)])
        region.run_for("100m")
        seen = [m.desired for m in demand.stop().minutes]
        assert all(low <= count <= max(high, 1) for count in seen)
        turns = sorted((a["StartTime"], int(a["Description"].split()[-1].strip("."))) for a in web.activities())
        counts = [max(1, low)] + [count for _, count in turns]
        for (before, _), (at, _), was, now in zip(turns, turns[1:], counts[1:], counts[2:]):
            assert now > was or (at - before).total_seconds() >= cooldown


def test_a_demand_is_for_the_simulated_engine_and_needs_sense(web):
    with pytest.raises(ValueError, match="cpu_seconds"):
        web.region.start_demand("web", 5, cpu_seconds=0)
    with pytest.raises(ValueError, match="no service nobody"):
        web.region.start_demand("nobody", 5)


def test_a_rate_that_fails_is_told_once_and_the_region_goes_on_measuring(web):
    web.region.start_demand("web", lambda at: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        web.region.run_for("2m")
    web.track()
    web.region.start_demand("web", 0.9 * 2 * 2.5)
    assert web.minutes(5)[-1] > 2
