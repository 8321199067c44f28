"""Services behind load balancers, in virtual time: targets, health, replacement, draining, rules, metrics."""
from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Balanced:
    """A load balancer with one listener and one target group, and the calls the tests make."""

    def __init__(self, lab, **group):
        self.lab, self.region = lab, lab.region
        self.elb = lab.region.client("elbv2")
        self.vpc = lab.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.balancer = self.elb.create_load_balancer(Name="web", Subnets=lab.subnets[:2])["LoadBalancers"][0]
        self.url = f"http://{self.balancer['DNSName']}"
        self.group = self.new_group("web", **group)
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )["Listeners"][0]["ListenerArn"]  # fmt: skip

    def new_group(self, name, delay=20, **options):
        options = {"Protocol": "HTTP", "Port": 80, "TargetType": "ip", "HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10, **options}
        arn = self.elb.create_target_group(Name=name, VpcId=self.vpc, **options)["TargetGroups"][0]["TargetGroupArn"]
        self.set(arn, **{"deregistration_delay.timeout_seconds": str(delay)})
        return arn

    def set(self, group, **attributes):
        listed = [{"Key": key, "Value": value} for key, value in attributes.items()]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=listed)

    def entry(self, **fields):
        return {"targetGroupArn": self.group, "containerName": "app", "containerPort": 80, **fields}

    def serve(self, **options):
        return self.lab.serve(**{"loadBalancers": [self.entry()], **options})

    def health(self, group=None):
        listed = self.elb.describe_target_health(TargetGroupArn=group or self.group)["TargetHealthDescriptions"]
        return Counter(one["TargetHealth"]["State"] for one in listed)

    def rule(self, priority, conditions, *actions):
        return self.elb.create_rule(ListenerArn=self.listener, Priority=priority, Conditions=conditions, Actions=list(actions))["Rules"][0]["RuleArn"]


@pytest.fixture
def web(lab):
    return Balanced(lab)


def test_a_service_registers_its_tasks_and_the_balancer_takes_turns(lab, web):
    web.serve(count=3)
    assert web.region.get(web.url).status == 503
    lab.region.run_for("30s")
    assert web.health() == {"healthy": 3}
    assert sorted(Counter(web.region.get(web.url).json()["task"] for _ in range(9)).values()) == [3, 3, 3]
    addresses = {t["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for t in lab.tasks()}
    assert {d["Target"]["Id"] for d in web.elb.describe_target_health(TargetGroupArn=web.group)["TargetHealthDescriptions"]} == addresses
    assert f"(service web) registered 3 targets in (target-group {web.group})" in lab.messages()


def test_a_new_target_waits_for_its_first_check_before_it_takes_traffic(lab, web):
    lab.define(command=["--start-delay", "5"])
    web.serve(count=1, definition="web")
    lab.region.run_for("10s")
    assert web.health() == {"initial": 1}
    lab.region.run_for("20s")
    assert web.health() == {"healthy": 1}


def test_an_unhealthy_target_gets_its_task_replaced_with_the_balancers_reason(lab, web):
    lab.define(command=["--unhealthy-after", "60"])
    web.serve(count=2, definition="web")
    lab.region.run_for("100s")
    stopped = lab.tasks(status="STOPPED")
    assert {t["stoppedReason"] for t in stopped} == {f"Task failed ELB health checks in (target-group {web.group})"}
    assert {t["stopCode"] for t in stopped} == {"ServiceSchedulerInitiated"}
    first = stopped[0]["taskArn"].rpartition("/")[2]
    said = f"(port 80) is unhealthy in (target-group {web.group}) due to (reason Health checks failed with these codes: [503])"
    assert any(said in message for message in lab.messages()) and first
    lab.region.run_for("20s")
    assert len(lab.tasks()) >= 2


def test_the_grace_period_keeps_a_slow_starter_alive(lab, web):
    lab.define(command=["--start-delay", "60"])
    web.serve(name="without", count=1, definition="web")
    web.serve(name="with", count=1, definition="web", healthCheckGracePeriodSeconds=120)
    lab.region.run_for("5m")
    assert len(lab.tasks("without", "STOPPED")) > 2
    assert (len(lab.tasks("with", "STOPPED")), lab.service("with")["runningCount"]) == (0, 1)


def test_a_stopping_task_drains_before_its_containers_get_their_signal(lab, web):
    web.serve(count=1)
    lab.region.run_for("30s")
    arn = lab.tasks()[0]["taskArn"]
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    lab.region.run_for("10s")
    assert (lab.task(arn)["lastStatus"], web.health()) == ("DEACTIVATING", {"draining": 1})
    assert lab.task(arn)["containers"][0]["lastStatus"] == "RUNNING"
    assert web.region.get(web.url).status == 503
    lab.region.run_for("15s")
    assert (lab.task(arn)["lastStatus"], web.health()) == ("STOPPED", {})
    deployment = lab.service()["deployments"][0]["id"]
    assert f"(service web, taskSet {deployment}) has begun draining connections on 1 tasks." in lab.messages()


def test_a_dead_container_is_not_waited_for(lab, web):
    web.serve(count=1)
    lab.region.run_for("30s")
    arn = lab.tasks()[0]["taskArn"]
    lab.region.kill(arn)
    lab.region.run_for("4s")
    assert lab.task(arn)["lastStatus"] == "STOPPED"


def test_a_rolling_update_loses_no_request(lab, web):
    web.serve(count=3, definition="web:1")
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    report = lab.region.load(web.url, rps=10, for_="2m")
    assert (report.sent, report.failed) == (1200, 0)
    assert set(report.by_version) == {"1.0", "2.0"}
    assert report.by_status == {200: 1200}
    assert lab.service()["deployments"][0]["rolloutState"] == "COMPLETED"


def test_the_breaker_rolls_a_broken_release_back_and_no_request_fails(lab, web):
    lab.define(image="ecslab/app:2.0", command=["--unhealthy-after", "0"])
    web.serve(count=4, definition="web:1", deploymentConfiguration=BREAKER)
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    report = lab.region.load(web.url, rps=10, for_="4m")
    assert (report.failed, report.by_version) == (0, {"1.0": 2400})
    lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
    (deployment,) = lab.service()["deployments"]
    assert (deployment["rolloutState"], deployment["taskDefinition"].rpartition("/")[2]) == ("COMPLETED", "web:1")
    newest = lab.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"][0]
    assert newest["status"] == "ROLLBACK_SUCCESSFUL"


def test_without_a_breaker_a_broken_release_is_tried_for_ever_while_the_old_one_serves(lab, web):
    lab.define(image="ecslab/app:2.0", command=["--unhealthy-after", "0"])
    web.serve(count=2, definition="web:1")
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    report = lab.region.load(web.url, rps=2, for_="10m")
    assert report.failed == 0
    assert len(lab.service()["deployments"]) == 2
    assert lab.service()["deployments"][0]["failedTasks"] > 10


def test_a_load_reports_the_first_failure_and_its_cause(lab, web):
    web.serve(count=1)
    lab.region.run_for("30s")
    with lab.region.start_load(web.url, rps=1) as load:
        lab.region.run_for("10s")
        lab.region.kill(lab.tasks()[0]["taskArn"])
        lab.region.run_for("60s")
    report = load.stop()
    assert report.failed > 3
    first = report.failures[0]
    assert (first.status, 10 <= first.second <= 12) == (502, True) or first.status == 503
    assert first.cause and str(report.failed) in str(report)
    assert report.by_second[-1] == (1, 0)


def test_rules_fixed_responses_and_redirects(lab, web):
    web.rule(10, [{"Field": "path-pattern", "Values": ["/teapot"]}],
             {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "short"}})  # fmt: skip
    web.rule(20, [{"Field": "path-pattern", "Values": ["/old/*"]}],
             {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/new"}})  # fmt: skip
    assert str(web.region.get(f"{web.url}/teapot")) == "418 short"
    moved = web.region.get(f"{web.url}/old/a")
    assert (moved.status, moved.headers["Location"]) == (301, f"{web.url}/new")


def test_shares_of_two_groups_follow_the_weights(lab, web):
    green = web.new_group("green")
    forward = {"TargetGroups": [{"TargetGroupArn": web.group, "Weight": 90}, {"TargetGroupArn": green, "Weight": 10}]}
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "ForwardConfig": forward}])
    web.serve(count=2, definition="web:1")
    web.serve(name="green", count=2, definition="web:2", loadBalancers=[web.entry(targetGroupArn=green)])
    lab.region.run_for("30s")
    report = lab.region.load(web.url, rps=10, for_="10s")
    assert report.by_version == {"1.0": 90, "2.0": 10}


def test_stickiness_keeps_a_client_on_its_target(lab, web):
    web.set(web.group, **{"stickiness.enabled": "true", "stickiness.lb_cookie.duration_seconds": "60"})
    web.serve(count=3)
    lab.region.run_for("30s")
    first = web.region.get(web.url)
    cookie = first.headers["Set-Cookie"].split(";")[0]
    assert cookie.startswith("AWSALB=")
    assert {web.region.get(web.url, headers={"Cookie": cookie}).json()["task"] for _ in range(6)} == {first.json()["task"]}


def test_a_slow_target_is_a_504_and_a_deaf_one_a_502(lab, web):
    web.serve(count=1)
    lab.region.run_for("30s")
    assert web.region.get(f"{web.url}/slow?seconds=59").status == 200
    assert web.region.get(f"{web.url}/slow?seconds=61").status == 504
    deaf = web.new_group("deaf")
    web.rule(10, [{"Field": "path-pattern", "Values": ["/deaf"]}], {"Type": "forward", "TargetGroupArn": deaf})
    address = lab.tasks()[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    web.elb.register_targets(TargetGroupArn=deaf, Targets=[{"Id": address, "Port": 81}])
    answer = web.region.get(f"{web.url}/deaf")
    assert (answer.status, answer.cause) == (502, "The target refused the connection or broke it off.")


def test_all_unhealthy_targets_are_used_rather_than_none(lab, web):
    address = lab.region.run_for("0s") or lab.run("web")
    lab.region.run_for("20s")
    target = lab.task(address)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    other = web.new_group("strict", Matcher={"HttpCode": "204"})
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": other}])
    web.elb.register_targets(TargetGroupArn=other, Targets=[{"Id": target, "Port": 80}])
    lab.region.run_for("30s")
    assert web.health(other) == {"unhealthy": 1}
    assert web.region.get(web.url).status == 200


def test_a_group_no_listener_uses_checks_nobody(lab, web):
    idle = web.new_group("idle")
    web.elb.register_targets(TargetGroupArn=idle, Targets=[{"Id": "172.31.0.9", "Port": 80}])
    lab.region.run_for("1m")
    (one,) = web.elb.describe_target_health(TargetGroupArn=idle)["TargetHealthDescriptions"]
    assert (one["TargetHealth"]["State"], one["TargetHealth"]["Reason"]) == ("unused", "Target.NotInUse")


def test_dynamic_host_ports_of_one_instance_are_targets_of_their_own(lab, web):
    group = web.new_group("ports", TargetType="instance")
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    lab.region.add_instance("demo")
    lab.define("ports", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="128")
    lab.ecs.create_service(
        cluster="demo", serviceName="ports", taskDefinition="ports", desiredCount=3, launchType="EC2",
        loadBalancers=[web.entry(targetGroupArn=group)],
    )  # fmt: skip
    lab.region.run_for("1m")
    targets = [d["Target"] for d in web.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]
    assert len({t["Id"] for t in targets}) == 1 and len({t["Port"] for t in targets}) == 3
    assert web.health(group) == {"healthy": 3}
    assert len({web.region.get(web.url).json()["task"] for _ in range(6)}) == 3


def test_the_minutes_traffic_reaches_cloudwatch(lab, web):
    web.serve(count=2)
    lab.region.run_for("1m")
    start = lab.region.now()
    lab.region.load(web.url, rps=2, for_="3m")
    cloudwatch = lab.region.client("cloudwatch")
    name = web.balancer["LoadBalancerArn"].partition("loadbalancer/")[2]

    def total(metric, statistic="Sum", **more):
        dimensions = [{"Name": "LoadBalancer", "Value": name}, *({"Name": k, "Value": v} for k, v in more.items())]
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB", MetricName=metric, Dimensions=dimensions, Period=60, Statistics=[statistic],
            StartTime=start - timedelta(minutes=2), EndTime=lab.region.now() + timedelta(minutes=2),
        )["Datapoints"]  # fmt: skip
        return [point[statistic] for point in sorted(points, key=lambda p: p["Timestamp"])]

    group = web.group.rpartition(":")[2]
    assert 120.0 in total("RequestCount")
    assert 120.0 in total("HTTPCode_Target_2XX_Count")
    assert total("HealthyHostCount", "Maximum", TargetGroup=group)[-1] == 2
    assert total("TargetResponseTime", "Average")[-1] == pytest.approx(0.02)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"containerName": "db"}, "The container db does not exist in the task definition."),
        ({"containerPort": 81}, "The container app did not have a container port 81 defined."),
        ({"containerName": ""}, "Container Name can not be blank."),
        ({"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/x/1"}, "The specified target group does not exist"),
        ({"loadBalancerName": "classic"}, "loadBalancerName and targetGroupArn cannot both be specified."),
    ],
)
def test_a_load_balancer_ecs_can_not_use_is_refused(lab, web, change, message):
    with pytest.raises(ClientError, match=message.replace("(", r"\(")):
        web.serve(loadBalancers=[web.entry(**change)])
    assert lab.ecs.list_services(cluster="demo")["serviceArns"] == []


def test_a_group_without_a_listener_or_of_the_wrong_type_is_refused(lab, web):
    lonely = web.new_group("lonely")
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        web.serve(loadBalancers=[web.entry(targetGroupArn=lonely)])
    wrong = web.new_group("wrong", TargetType="instance")
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": wrong}])
    with pytest.raises(ClientError, match="has target type instance, which is incompatible with the awsvpc network mode"):
        web.serve(loadBalancers=[web.entry(targetGroupArn=wrong)])


def test_changing_the_target_group_is_a_deployment(lab, web):
    web.serve(count=1)
    lab.region.run_for("1m")
    other = web.new_group("other")
    web.rule(10, [{"Field": "path-pattern", "Values": ["/*"]}], {"Type": "forward", "TargetGroupArn": other})
    lab.ecs.update_service(cluster="demo", service="web", loadBalancers=[web.entry(targetGroupArn=other)])
    assert len(lab.service()["deployments"]) == 2
    lab.region.run_for("2m")
    assert (web.health(), web.health(other)) == ({}, {"healthy": 1})


def test_two_runs_with_one_seed_have_the_same_rule_arns_and_answers():
    from ecslab.region import start
    from tests.region.conftest import Lab

    told = []
    for _ in range(2):
        with start(engine="simulated", seed=7) as region:
            lab = Lab(region)
            lab.ecs.create_cluster(clusterName="demo")
            lab.define()
            web = Balanced(lab)
            web.serve(count=2)
            region.run_for("30s")
            rules = [rule["RuleArn"] for rule in web.elb.describe_rules(ListenerArn=web.listener)["Rules"]]
            told.append((rules, str(region.load(web.url, rps=3, for_="20s")), lab.messages()))
    assert told[0] == told[1]


def test_least_outstanding_requests_prefers_the_idle_target(lab, web):
    web.set(web.group, **{"load_balancing.algorithm.type": "least_outstanding_requests"})
    web.serve(count=2)
    lab.region.run_for("30s")
    busy, idle = lab.region.balancing.targets[web.group].values()
    busy.in_flight = 3
    assert {web.region.get(web.url).json()["task"] for _ in range(4)} == {idle.task.id}
