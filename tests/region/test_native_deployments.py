"""Blue/green, linear and canary deployments of a real service, in virtual time."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.region.test_load_balancing import Balanced

ROLE = "arn:aws:iam::123456789012:role/ecs-infrastructure"


class Shifting(Balanced):
    """A service on web:1 whose next revision takes over by a native strategy."""

    def __init__(self, lab, strategy="BLUE_GREEN", test=False, **configuration):
        super().__init__(lab)
        self.set(self.group, **{"deregistration_delay.timeout_seconds": "10"})
        self.green = self.new_group("green", delay=10)
        self.production = self.elb.describe_rules(ListenerArn=self.listener)["Rules"][0]["RuleArn"]
        advanced = {"alternateTargetGroupArn": self.green, "productionListenerRule": self.production, "roleArn": ROLE}
        if test:
            listener = self.elb.create_listener(
                LoadBalancerArn=self.balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
            )["Listeners"][0]["ListenerArn"]  # fmt: skip
            advanced["testListenerRule"] = self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
        self.configuration = {"strategy": strategy, "bakeTimeInMinutes": 1, **configuration}
        lab.define(image="ecslab/app:2.0", command=["--unhealthy-after", "0"])  # web:3
        self.serve(
            count=2, definition="web:1", deploymentConfiguration=self.configuration,
            loadBalancers=[self.entry(advancedConfiguration=advanced)],
        )  # fmt: skip
        lab.region.run_for("1m")

    def release(self, revision="web:2"):
        self.lab.ecs.update_service(cluster="demo", service="web", taskDefinition=revision)

    def newest(self):
        brief = self.lab.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"][0]
        return self.lab.ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])["serviceDeployments"][0]

    def versions(self, requests=10, port=80):
        return {self.region.get(f"{self.url}:{port}").json()["version"] for _ in range(requests)}


def ends_well(web, lab):
    lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
    (deployment,) = lab.service()["deployments"]
    return deployment["rolloutState"], deployment["taskDefinition"].rpartition("/")[2], web.newest()["status"]


@pytest.mark.parametrize(
    "strategy, configuration, shares",
    [
        ("BLUE_GREEN", {}, [0, 100]),
        ("CANARY", {"canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1}}, [0, 20, 100]),
        ("LINEAR", {"linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}}, [0, 40, 80, 100]),
    ],
)
def test_traffic_moves_as_the_strategy_says_and_no_request_fails(lab, strategy, configuration, shares):
    web = Shifting(lab, strategy, **configuration)
    web.release()
    report = lab.region.load(web.url, rps=10, for_="6m")
    assert (report.failed, set(report.by_version)) == (0, {"1.0", "2.0"})
    green = lab.service()["deployments"][0]["id"]
    seen = [sample.traffic[green] for sample in lab.region.timeline("web").samples if green in sample.traffic]
    assert list(dict.fromkeys(seen)) == shares
    for share in shares[1:-1]:
        assert any(second.get("2.0", 0) == pytest.approx(share / 10, abs=1) for second in report.versions_by_second)
    assert ends_well(web, lab) == ("COMPLETED", "web:2", "SUCCESSFUL")
    assert (web.health(), web.health(web.green)) == ({}, {"healthy": 2})


def test_the_next_release_returns_to_the_first_group(lab):
    web = Shifting(lab)
    web.release()
    lab.region.run_for("5m")
    web.release("web:1")
    lab.region.run_for("5m")
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "SUCCESSFUL")
    assert (web.health(), web.health(web.green)) == ({"healthy": 2}, {})


def test_both_revisions_run_at_full_size_until_the_bake_is_over(lab):
    web = Shifting(lab, bakeTimeInMinutes=3)
    web.release()
    lab.region.run_for("2m")
    assert web.newest()["lifecycleStage"] == "BAKE_TIME"
    assert lab.service()["runningCount"] == 4
    assert web.versions() == {"2.0"}
    lab.region.run_for("3m")
    assert lab.service()["runningCount"] == 2


def test_test_traffic_sees_green_before_production_does(lab):
    web = Shifting(lab, test=True, lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}])
    web.release()
    lab.region.run_for("1m")
    assert (web.versions(), web.versions(port=8080)) == ({"1.0"}, {"2.0"})
    (hook,) = web.newest()["lifecycleHookDetails"]
    assert (hook["status"], hook["targetType"], hook["timeoutAction"]) == ("AWAITING_ACTION", "PAUSE", "ROLLBACK")
    lab.ecs.continue_service_deployment(serviceDeploymentArn=web.newest()["serviceDeploymentArn"], hookId=hook["hookId"])
    lab.region.run_for("3m")
    assert ends_well(web, lab)[2] == "SUCCESSFUL"


def test_a_pause_nobody_ends_rolls_back_when_its_time_is_over(lab):
    pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_PRODUCTION_TRAFFIC_SHIFT"], "timeoutConfiguration": {"timeoutInMinutes": 2}}
    web = Shifting(lab, lifecycleHooks=[pause])
    web.release()
    lab.region.run_for("1m")
    assert web.versions() == {"2.0"}
    lab.region.run_for("3m")
    assert web.versions() == {"1.0"}
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")


def test_a_hook_function_may_ask_the_api_wait_and_then_decide(lab):
    calls = []

    def gate(event, _context):
        running = lab.service()["runningCount"]
        calls.append((event["lifecycleStage"], running))
        return {"hookStatus": "IN_PROGRESS", "callBackDelay": 20} if len(calls) == 1 else {"hookStatus": "SUCCEEDED"}

    hook = {"hookTargetArn": lab.region.add_function("gate", gate), "roleArn": ROLE, "lifecycleStages": ["POST_SCALE_UP"]}
    web = Shifting(lab, lifecycleHooks=[hook])
    web.release()
    lab.region.run_for("4m")
    assert calls == [("POST_SCALE_UP", 4), ("POST_SCALE_UP", 4)]
    assert ends_well(web, lab)[2] == "SUCCESSFUL"


CANARY = {"canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1}}


@pytest.mark.parametrize("stage", ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"])
def test_a_hook_of_the_production_shift_is_called_for_every_step(lab, stage):
    shares = []

    def gate(event, _context):
        weights = event["executionDetails"]["productionTrafficWeights"]
        shares.append((event["lifecycleStage"], weights[lab.service()["deployments"][0]["id"]]))
        return {"hookStatus": "SUCCEEDED"}

    hook = {"hookTargetArn": lab.region.add_function("gate", gate), "roleArn": ROLE, "lifecycleStages": [stage]}
    web = Shifting(lab, "CANARY", **CANARY, lifecycleHooks=[hook])
    web.release()
    lab.region.run_for("5m")
    assert shares == [(stage, 0.0), (stage, 20.0)]
    assert ends_well(web, lab)[2] == "SUCCESSFUL"


def test_a_hook_that_fails_at_the_second_step_takes_the_canary_back(lab):
    answers = [{"hookStatus": "SUCCEEDED"}, {"hookStatus": "FAILED"}]
    arn = lab.region.add_function("gate", lambda _event, _context: answers.pop(0))
    web = Shifting(lab, "CANARY", **CANARY, lifecycleHooks=[{"hookTargetArn": arn, "roleArn": ROLE, "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}])
    web.release()
    report = lab.region.load(web.url, rps=5, for_="4m")
    assert answers == [] and report.failed == 0
    assert 0 < report.by_version["2.0"] <= 0.2 * 5 * 75
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")


def test_a_pause_before_the_shift_asks_again_before_the_next_step(lab):
    web = Shifting(lab, "CANARY", **CANARY, lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}])
    web.release()
    seen = []
    for _ in range(2):
        lab.region.run_for("2m")
        (hook,) = web.newest()["lifecycleHookDetails"]
        seen.append((hook["hookId"], hook["status"], web.versions()))
        lab.ecs.continue_service_deployment(serviceDeploymentArn=web.newest()["serviceDeploymentArn"], hookId=hook["hookId"])
    assert [one[1:] for one in seen] == [("AWAITING_ACTION", {"1.0"}), ("AWAITING_ACTION", {"1.0", "2.0"})]
    assert seen[0][0] != seen[1][0]
    lab.region.run_for("3m")
    assert ends_well(web, lab)[2] == "SUCCESSFUL"


def test_thirty_four_steps_without_a_wait_are_one_shift(lab):
    web = Shifting(lab, "LINEAR", linearConfiguration={"stepPercent": 3.0, "stepBakeTimeInMinutes": 0}, bakeTimeInMinutes=0)
    web.release()
    lab.region.run_for("1m")
    assert web.versions() == {"2.0"}
    assert ends_well(web, lab)[2] == "SUCCESSFUL"


@pytest.mark.parametrize("answer", [{"hookStatus": "FAILED"}, {"wrong": 1}, None, "raises", "missing"])
def test_a_hook_that_fails_or_answers_nonsense_rolls_back(lab, answer):
    def gate(_event, _context):
        if answer == "raises":
            raise RuntimeError("no")
        return answer

    arn = lab.region.add_function("gate", gate)
    if answer == "missing":
        arn += "-not"
    web = Shifting(lab, lifecycleHooks=[{"hookTargetArn": arn, "roleArn": ROLE, "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}])
    web.release()
    report = lab.region.load(web.url, rps=2, for_="3m")
    assert (report.failed, report.by_version) == (0, {"1.0": 360})
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")


def test_the_circuit_breaker_keeps_a_broken_green_from_all_traffic(lab):
    web = Shifting(lab, deploymentCircuitBreaker={"enable": True, "rollback": True})
    web.release("web:3")
    report = lab.region.load(web.url, rps=5, for_="4m")
    assert (report.failed, report.by_version) == (0, {"1.0": 1200})
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")
    assert web.newest()["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


def test_an_alarm_during_the_bake_flips_traffic_back_at_once(lab):
    cloudwatch = lab.region.client("cloudwatch")
    for name in ("errors", "old-trouble"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="shop", MetricName="errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="old-trouble", StateValue="ALARM", StateReason="before the deployment")
    web = Shifting(lab, bakeTimeInMinutes=10, alarms={"alarmNames": ["errors", "old-trouble"], "enable": True, "rollback": True})
    web.release()
    lab.region.run_for("3m")
    assert web.versions() == {"2.0"}
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="customers complain")
    lab.region.run_for("20s")
    assert web.versions() == {"1.0"}
    lab.region.run_for("1m")
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")
    assert web.newest()["alarms"]["triggeredAlarmNames"] == ["errors"]


def test_stopping_a_deployment_rolls_it_back_once(lab):
    web = Shifting(lab, bakeTimeInMinutes=10)
    web.release()
    lab.region.run_for("2m")
    arn = web.newest()["serviceDeploymentArn"]
    lab.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(ClientError, match="ConflictException"):
        lab.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    lab.region.run_for("1m")
    assert web.versions() == {"1.0"}
    assert ends_well(web, lab) == ("COMPLETED", "web:1", "ROLLBACK_SUCCESSFUL")


def test_a_revision_says_which_group_its_tasks_are_in(lab):
    web = Shifting(lab)
    web.release()
    lab.region.run_for("4m")
    arns = [d["targetServiceRevisionArn"] for d in lab.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"]]
    found = lab.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    assert [r["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] for r in found] == [web.green, web.group]
    assert found[0]["containerImages"][0]["imageDigest"].startswith("sha256:")


def test_a_service_without_a_load_balancer_can_be_blue_green_too(lab):
    lab.serve(count=2, definition="web:1", deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    lab.region.run_for("2m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("4m")
    assert {t["taskDefinitionArn"].rpartition("/")[2] for t in lab.tasks()} == {"web:2"}
    assert len(lab.service()["deployments"]) == 1


@pytest.mark.parametrize("missing", ["alternateTargetGroupArn", "productionListenerRule", "roleArn"])
def test_what_a_shift_needs_must_be_there(lab, missing):
    web = Shifting(lab)
    advanced = {"alternateTargetGroupArn": web.green, "productionListenerRule": web.production, "roleArn": ROLE}
    del advanced[missing]
    with pytest.raises(ClientError, match=f"advancedConfiguration.{missing} is required"):
        web.serve(name="second", deploymentConfiguration=web.configuration, loadBalancers=[web.entry(advancedConfiguration=advanced)])


def test_behind_a_network_load_balancer_the_listener_itself_is_named_and_shifts_take_ten_minutes(lab):
    web = Balanced(lab)
    balancer = web.elb.create_load_balancer(Name="net", Type="network", Subnets=lab.subnets[:2])["LoadBalancers"][0]
    blue, green = (
        web.elb.create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=web.vpc, TargetType="ip", HealthCheckIntervalSeconds=10)["TargetGroups"][0]["TargetGroupArn"]
        for name in ("net-blue", "net-green")
    )
    listener = web.elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": blue}],
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    advanced = {"alternateTargetGroupArn": green, "productionListenerRule": listener, "roleArn": ROLE}
    entry = web.entry(targetGroupArn=blue, advancedConfiguration=advanced)
    with pytest.raises(ClientError, match="needs an Application Load Balancer"):
        web.serve(name="canary", loadBalancers=[entry], deploymentConfiguration={"strategy": "CANARY"})
    web.serve(count=1, definition="web:1", loadBalancers=[entry], deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("9m")
    arn = lab.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"][0]["serviceDeploymentArn"]
    stage = lab.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]["lifecycleStage"]
    assert stage == "PRODUCTION_TRAFFIC_SHIFT"
    assert lab.region.get(f"http://{balancer['DNSName']}").json()["version"] == "2.0"
    lab.region.run_for("10m")
    assert len(lab.service()["deployments"]) == 1


def test_service_connect_shifts_traffic_too_and_its_metrics_reach_cloudwatch(lab):
    lab.region.client("servicediscovery").create_http_namespace(Name="shop")
    lab.define("v1", container={"portMappings": [{"containerPort": 80, "name": "http"}]})
    lab.define("v2", image="ecslab/app:2.0", container={"portMappings": [{"containerPort": 80, "name": "http"}]})
    connect = {"enabled": True, "namespace": "shop"}
    endpoint = {"portName": "http", "clientAliases": [{"port": 8080, "dnsName": "api"}]}
    canary = {"strategy": "CANARY", "bakeTimeInMinutes": 0, "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 2}}
    lab.serve("api", "v1", 2, deploymentConfiguration=canary, serviceConnectConfiguration={**connect, "services": [endpoint]})
    lab.region.run_for("2m")
    lab.serve("client", "v1", 1, serviceConnectConfiguration=connect)
    lab.region.run_for("1m")
    address = lab.tasks("client")[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]

    def versions():
        return [lab.region.get(f"http://{address}/call?to=api:8080/").json()["version"] for _ in range(10)]

    lab.ecs.update_service(cluster="demo", service="api", taskDefinition="v2")
    lab.region.run_for("20s")
    assert set(versions()) == {"1.0"}
    lab.region.run_for("60s")
    assert sorted(versions()) == ["1.0"] * 8 + ["2.0"] * 2
    lab.region.run_for("5m")
    assert set(versions()) == {"2.0"}
    names = {(m["MetricName"], m["Dimensions"][0]["Value"]) for m in lab.region.client("cloudwatch").list_metrics(Namespace="AWS/ECS")["Metrics"]}
    assert {("RequestCount", "http"), ("HTTPCode_Target_2XX_Count", "http")} <= names
