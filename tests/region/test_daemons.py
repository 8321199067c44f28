"""DAEMON services: one task per instance, replaced in place, last to leave."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.region.test_event_bridge import Bus


@pytest.fixture
def fleet(lab):
    """Two instances and a definition for a daemon and one for ordinary tasks."""
    lab.instances = [lab.region.add_instance("demo", zone=f"us-east-1{z}") for z in "ab"]
    for image in ("1.0", "2.0"):
        lab.define("agent", image=f"ecslab/app:{image}", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    lab.define("work", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="512", memory="256")
    return lab


def daemon(lab, **options):
    return lab.ecs.create_service(
        cluster="demo", serviceName="agent", **{"taskDefinition": "agent:1", "schedulingStrategy": "DAEMON", "launchType": "EC2", **options}
    )["service"]


def hosts(lab, service="agent"):
    return sorted(t["containerInstanceArn"] for t in lab.tasks(service) if t["desiredStatus"] == "RUNNING")


def state(lab, instance, status):
    lab.ecs.update_container_instances_state(cluster="demo", containerInstances=[instance], status=status)


def test_every_instance_gets_one_task_and_a_new_instance_gets_its_own(fleet):
    created = daemon(fleet)
    assert (created["desiredCount"], created["schedulingStrategy"]) == (2, "DAEMON")
    assert created["deploymentConfiguration"] == {"maximumPercent": 100, "minimumHealthyPercent": 0}
    fleet.region.run_for("2m")
    assert hosts(fleet) == sorted(fleet.instances)
    third = fleet.region.add_instance("demo", zone="us-east-1c")
    fleet.region.run_for("2m")
    assert hosts(fleet) == sorted([*fleet.instances, third])
    shown = fleet.service("agent")
    assert (shown["desiredCount"], shown["runningCount"]) == (3, 3)
    assert fleet.messages("agent")[-1] == "(service agent) has reached a steady state."


def test_only_instances_that_meet_the_constraint_are_counted(fleet):
    here = "attribute:ecs.availability-zone == us-east-1b"
    created = daemon(fleet, placementConstraints=[{"type": "memberOf", "expression": here}])
    fleet.region.run_for("1m")
    assert created["desiredCount"] == 1 and hosts(fleet) == [fleet.instances[1]]


def test_a_daemon_leaves_an_instance_whose_attributes_no_longer_match(fleet):
    fleet.ecs.put_attributes(cluster="demo", attributes=[{"name": "watched", "value": "yes", "targetId": a} for a in fleet.instances])
    daemon(fleet, placementConstraints=[{"type": "memberOf", "expression": "attribute:watched == yes"}])
    fleet.region.run_for("1m")
    assert len(hosts(fleet)) == 2
    bus = Bus(fleet)
    bus.rule({"detail": {"eventName": ["SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"]}})
    fleet.ecs.delete_attributes(cluster="demo", attributes=[{"name": "watched", "targetId": fleet.instances[0]}])
    fleet.region.run_for("1m")
    assert hosts(fleet) == [fleet.instances[1]]
    assert [e["detail"]["eventType"] for e in bus.heard()] == ["ERROR"]


def test_a_drained_instance_loses_its_daemon_after_everything_else_and_gets_it_back(fleet):
    daemon(fleet)
    task = fleet.ecs.start_task(cluster="demo", taskDefinition="work", containerInstances=fleet.instances[:1])["tasks"][0]["taskArn"]
    fleet.region.run_for("2m")
    state(fleet, fleet.instances[0], "DRAINING")
    fleet.region.run_for("5m")
    assert fleet.task(task)["lastStatus"] == "RUNNING", "tasks that no service runs are left alone"
    assert hosts(fleet) == sorted(fleet.instances), "and the daemon stays as long as they do"
    assert fleet.service("agent")["desiredCount"] == 1
    fleet.ecs.stop_task(cluster="demo", task=task)
    fleet.region.run_for("2m")
    assert hosts(fleet) == fleet.instances[1:]
    state(fleet, fleet.instances[0], "ACTIVE")
    fleet.region.run_for("2m")
    assert hosts(fleet) == sorted(fleet.instances)


@pytest.mark.parametrize("minimum, at_least", [(0, 0), (50, 1)])
def test_an_update_stops_the_old_task_of_an_instance_before_it_starts_the_new_one(fleet, minimum, at_least):
    daemon(fleet, deploymentConfiguration={"minimumHealthyPercent": minimum})
    fleet.region.run_for("2m")
    fleet.ecs.update_service(cluster="demo", service="agent", taskDefinition="agent:2")
    running = []
    for _ in range(30):
        fleet.region.run_for("2s")
        running.append(fleet.service("agent")["runningCount"])
        placed = [t["containerInstanceArn"] for t in fleet.tasks("agent") + fleet.tasks("agent", "STOPPED") if t["lastStatus"] != "STOPPED"]
        assert len(placed) == len(set(placed)), "never two on one instance"
    assert min(running) == at_least
    fleet.region.run_for("3m")
    assert {t["taskDefinitionArn"].rpartition("/")[2] for t in fleet.tasks("agent")} == {"agent:2"}
    assert fleet.service("agent")["deployments"][0]["rolloutState"] == "COMPLETED"


def test_an_instance_without_room_is_told_about_and_filled_later(fleet):
    fleet.define("big", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="2048", memory="256")
    task = fleet.ecs.start_task(cluster="demo", taskDefinition="big", containerInstances=fleet.instances[:1])["tasks"][0]["taskArn"]
    daemon(fleet)
    fleet.region.run_for("1m")
    closest = fleet.instances[0].rpartition("/")[2]
    assert fleet.messages("agent")[0] == (
        "(service agent) was unable to place a task because no container instance met all of its requirements. "
        f"The closest matching (container-instance {closest}) has insufficient CPU units available."
    )
    fleet.ecs.stop_task(cluster="demo", task=task)
    fleet.region.run_for("1m")
    assert hosts(fleet) == sorted(fleet.instances)


def test_a_daemon_that_cannot_start_is_rolled_back_by_the_circuit_breaker(fleet):
    daemon(fleet, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    fleet.region.run_for("2m")
    fleet.define("agent", image="ecslab/app:missing", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    fleet.ecs.update_service(cluster="demo", service="agent", taskDefinition="agent:3")
    fleet.region.run_for("10m")
    assert {t["taskDefinitionArn"].rpartition("/")[2] for t in fleet.tasks("agent")} == {"agent:1"}
    assert fleet.service("agent")["runningCount"] == 2


def test_a_daemon_is_deleted_without_being_scaled_down(fleet):
    daemon(fleet)
    fleet.region.run_for("1m")
    fleet.ecs.delete_service(cluster="demo", service="agent")
    fleet.region.run_for("2m")
    assert fleet.service("agent")["status"] == "INACTIVE" and fleet.tasks("agent") == []


REFUSED = [
    ({"desiredCount": 2}, "does not support a desired count for services"),
    ({"deploymentConfiguration": {"maximumPercent": 150}}, "does not support values above 100 for maximumPercent"),
    ({"placementStrategy": [{"type": "random"}]}, "does not support placement strategies"),
    ({"availabilityZoneRebalancing": "ENABLED"}, "Availability Zone Rebalancing does not support DAEMON services"),
    ({"launchType": "FARGATE"}, "does not support the FARGATE launch type"),
    ({"placementConstraints": [{"type": "distinctInstance"}]}, "only memberOf placement constraints"),
    ({"deploymentController": {"type": "EXTERNAL"}}, "DAEMON scheduling strategy is not supported"),
]


def test_what_a_daemon_cannot_have_is_refused(fleet):
    for options, words in REFUSED:
        with pytest.raises(ClientError, match=words):
            daemon(fleet, **options)
    assert fleet.ecs.list_services(cluster="demo")["serviceArns"] == []


def test_a_daemon_s_desired_count_cannot_be_updated(fleet):
    daemon(fleet)
    with pytest.raises(ClientError, match="does not support a desired count"):
        fleet.ecs.update_service(cluster="demo", service="agent", desiredCount=1)


def test_creating_the_same_daemon_again_answers_with_the_one_there_is(fleet):
    assert daemon(fleet)["serviceArn"] == daemon(fleet)["serviceArn"]
