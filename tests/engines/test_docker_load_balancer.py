"""Load balancers with real connections: what only Docker can show."""
from __future__ import annotations

import json
import socket
import threading
import urllib.request

import pytest

from ecslab.region import start
from tests.region.conftest import Lab
from tests.region.test_load_balancing import Balanced

SPEED = 20.0


@pytest.fixture(scope="module")
def web():
    with start(engine="docker", speed=SPEED) as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        lab.define(image="ecslab/app:2.0")
        web = Balanced(lab, delay=30)
        web.serve(count=2, definition="web:1")
        for _ in range(60):
            if web.health() == {"healthy": 2}:
                break
            region.run_for("2s")
        yield web


def test_the_listener_is_a_port_of_this_machine_only(web):
    url = web.region.url(web.url)
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert json.load(answer)["version"] == "1.0"


def test_real_requests_reach_every_target(web):
    assert len({web.region.get(web.url).json()["task"] for _ in range(8)}) == 2


def test_a_host_header_rule_sees_the_name_that_was_asked_for(web):
    web.rule(10, [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example.com"]}}],
             {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "the shop"}})  # fmt: skip
    assert web.region.get(web.url, headers={"Host": "shop.example.com"}).body == "the shop"
    assert web.region.get(web.url).json()["version"] == "1.0"


def test_a_target_that_refuses_is_a_502_and_one_that_is_too_slow_a_504(web):
    deaf = web.new_group("deaf")
    web.rule(20, [{"Field": "path-pattern", "Values": ["/deaf"]}], {"Type": "forward", "TargetGroupArn": deaf})
    address = web.lab.tasks()[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    web.elb.register_targets(TargetGroupArn=deaf, Targets=[{"Id": address, "Port": 81}])
    refused = web.region.get(f"{web.url}/deaf")
    assert (refused.status, refused.headers["Server"]) == (502, "awselb/2.0")
    assert refused.cause == "The target refused the connection or broke it off."
    web.elb.modify_load_balancer_attributes(
        LoadBalancerArn=web.balancer["LoadBalancerArn"], Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "40"}]
    )
    assert web.region.get(f"{web.url}/slow?seconds=80").status == 504
    assert web.region.get(f"{web.url}/slow?seconds=10").status == 200


def test_the_applications_cookie_binds_a_client_to_a_real_target(web):
    web.set(web.group, **{"stickiness.enabled": "true", "stickiness.type": "app_cookie", "stickiness.app_cookie.cookie_name": "session"})
    answer = web.region.get(f"{web.url}/cookie?session=abc")
    assert set(answer.cookies) == {"session", "AWSALBAPP-0"}, str(answer)
    both = {"Cookie": "; ".join(f"{name}={value}" for name, value in answer.cookies.items())}
    assert len({web.region.get(web.url, headers=both).json()["task"] for _ in range(6)}) == 1
    assert len({web.region.get(web.url, headers={"Cookie": "session=abc"}).json()["task"] for _ in range(6)}) == 2
    web.set(web.group, **{"stickiness.enabled": "false"})


def test_a_new_target_in_slow_start_gets_few_requests_at_first(web):
    web.set(web.group, **{"slow_start.duration_seconds": "900"})
    old = {task["taskArn"].rpartition("/")[2] for task in web.lab.tasks()}
    web.lab.ecs.update_service(cluster="demo", service="web", desiredCount=3)
    for _ in range(60):
        if web.health() == {"healthy": 3}:
            break
        web.region.run_for("2s")
    young = [web.region.get(web.url).json()["task"] not in old for _ in range(40)]
    assert sum(young) < 8
    web.set(web.group, **{"slow_start.duration_seconds": "0"})
    assert 0 < sum(web.region.get(web.url).json()["task"] not in old for _ in range(6)) <= 3
    web.lab.ecs.update_service(cluster="demo", service="web", desiredCount=2)


def test_a_request_on_its_way_is_answered_although_its_target_is_leaving(web):
    answers = []
    asking = threading.Thread(target=lambda: answers.append(web.region.get(f"{web.url}/slow?seconds=20").status))
    asking.start()
    web.region.run_for("4s")
    web.lab.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    asking.join(timeout=30)
    assert answers == [200]
    web.lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])


def test_a_network_load_balancer_passes_bytes_both_ways(web):
    balancer = web.elb.create_load_balancer(Name="net", Type="network", Subnets=web.lab.subnets[:2])["LoadBalancers"][0]
    group = web.elb.create_target_group(Name="tcp", Protocol="TCP", Port=80, VpcId=web.vpc, TargetType="ip", HealthCheckIntervalSeconds=10)["TargetGroups"][0]["TargetGroupArn"]
    web.elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    address = web.lab.tasks()[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    web.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 80}])
    for _ in range(60):
        if web.health(group) == {"healthy": 1}:
            break
        web.region.run_for("2s")
    host, port = web.region.url(f"http://{balancer['DNSName']}").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.settimeout(10)
        received = b""
        while piece := connection.recv(4096):
            received += piece
    assert received.startswith(b"HTTP/1.1 200")


def test_a_rolling_update_under_load_loses_no_request(web):
    web.lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    report = web.region.load(web.url, rps=2, for_="120s")
    assert report.failed == 0, str(report)
    assert report.by_status[200] == report.sent >= 230
    assert set(report.by_version) == {"1.0", "2.0"}


def test_a_service_that_keeps_crashing_leaves_no_pile_of_containers(web):
    import docker

    web.lab.define("crash", command=["--exit-after", "1", "--exit-code", "1"])
    web.lab.serve("crash", "crash", count=1)
    for _ in range(90):
        ended = [t for t in web.lab.tasks("crash", "STOPPED") if t["lastStatus"] == "STOPPED"]
        if len(ended) >= 4:
            break
        web.region.run_for("4s")
    assert len(ended) >= 4 and {t["containers"][0]["exitCode"] for t in ended} == {1}
    for task in ended:
        label = f"com.amazonaws.ecs.task-arn={task['taskArn']}"
        assert docker.from_env().containers.list(all=True, filters={"label": label}) == []
    web.lab.ecs.delete_service(cluster="demo", service="crash", force=True)


def test_a_target_that_hangs_is_noticed_and_its_task_replaced(web):
    import docker

    victim = web.lab.tasks()[0]["taskArn"]
    client = docker.from_env()
    labels = {"com.amazonaws.ecs.task-arn": victim, "com.amazonaws.ecs.container-name": "app"}
    (container,) = client.containers.list(filters={"label": [f"{k}={v}" for k, v in labels.items()]})
    container.pause()
    for _ in range(90):
        if web.lab.task(victim)["desiredStatus"] == "STOPPED":
            break
        web.region.run_for("4s")
    container.unpause()
    assert web.lab.task(victim)["stoppedReason"] == f"Task failed ELB health checks in (target-group {web.group})"
    assert "(reason Request timed out)" in " ".join(web.lab.messages())
