"""DRAINING container instances: whose tasks leave, how many at a time, and when nothing can."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def fleet(lab):
    lab.instances = [lab.region.add_instance("demo", zone=f"us-east-1{z}") for z in "ab"]
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    return lab


def serve(lab, count=4, **configuration):
    lab.serve("small", "small", count=count, launchType="EC2", networkConfiguration={}, deploymentConfiguration=configuration)
    lab.region.run_for("2m")


def drain(lab, arn, status="DRAINING"):
    return lab.ecs.update_container_instances_state(cluster="demo", containerInstances=[arn], status=status)["containerInstances"][0]


def instance(lab, arn):
    return lab.ecs.describe_container_instances(cluster="demo", containerInstances=[arn])["containerInstances"][0]


def counts(lab):
    return [instance(lab, arn)["runningTasksCount"] for arn in lab.instances]


def lowest_while(lab, span=180, step=3):
    """The fewest and the most RUNNING tasks of the service in that time."""
    seen = []
    for _ in range(span // step):
        lab.region.run_for(step)
        seen.append(lab.service("small")["runningCount"])
    return min(seen), max(seen)


def test_replacements_run_elsewhere_before_the_drained_tasks_stop(fleet):
    serve(fleet)
    drain(fleet, fleet.instances[0])
    assert lowest_while(fleet) == (4, 6), "two more start first: 100 to 200 percent"
    assert counts(fleet) == [0, 4]
    assert instance(fleet, fleet.instances[0])["status"] == "DRAINING", "it stays so until it is told otherwise"
    drain(fleet, fleet.instances[0], "ACTIVE")
    fleet.ecs.update_service(cluster="demo", service="small", desiredCount=6)
    fleet.region.run_for("2m")
    assert sum(counts(fleet)) == 6 and counts(fleet)[0] > 0


def test_where_no_more_tasks_may_run_the_drained_ones_stop_first_within_the_band(fleet):
    serve(fleet, minimumHealthyPercent=50, maximumPercent=100)
    drain(fleet, fleet.instances[0])
    assert lowest_while(fleet) == (2, 4)
    assert counts(fleet) == [0, 4]


def test_a_drain_waits_where_there_is_no_place_to_go(fleet):
    serve(fleet, count=16)
    assert counts(fleet) == [8, 8]
    drain(fleet, fleet.instances[0])
    assert lowest_while(fleet) == (16, 16), "no task goes before its replacement runs"
    assert fleet.messages("small")[-1].endswith("has insufficient CPU units available.")


def test_tasks_that_do_not_run_yet_stop_at_once_and_tasks_without_a_service_stay(fleet):
    own = fleet.ecs.start_task(cluster="demo", taskDefinition="small", containerInstances=fleet.instances[:1])["tasks"][0]["taskArn"]
    fleet.region.run_for("1m")
    fleet.serve("small", "small", count=4, launchType="EC2", networkConfiguration={})
    pending = instance(fleet, fleet.instances[0])["pendingTasksCount"]
    drain(fleet, fleet.instances[0])
    assert pending > 0 and instance(fleet, fleet.instances[0])["pendingTasksCount"] == 0
    fleet.region.run_for("2m")
    assert counts(fleet) == [1, 4] and fleet.task(own)["lastStatus"] == "RUNNING"


def test_reserved_resources_and_ports_return_when_the_tasks_have_stopped(fleet):
    fleet.define("port", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128", container={"portMappings": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 5353, "protocol": "udp"}]})
    task = fleet.ecs.start_task(cluster="demo", taskDefinition="port", containerInstances=fleet.instances[:1])["tasks"][0]["taskArn"]

    def left():
        return {r["name"]: r.get("stringSetValue") or r["integerValue"] for r in instance(fleet, fleet.instances[0])["remainingResources"]}

    reserved = ["22", "2375", "2376", "51678", "51679"]
    assert left() == {"CPU": 2048 - 256, "MEMORY": 7764 - 128, "PORTS": sorted([*reserved, "8080"], key=int), "PORTS_UDP": ["5353"]}
    fleet.region.run_for("1m")
    fleet.ecs.stop_task(cluster="demo", task=task)
    assert left()["CPU"] == 2048 - 256, "a task that stops still holds what it reserved"
    fleet.region.run_for("1m")
    assert left() == {"CPU": 2048, "MEMORY": 7764, "PORTS": reserved, "PORTS_UDP": 0}


def test_a_forced_deregistration_stops_the_tasks_and_the_service_replaces_them(fleet):
    serve(fleet)
    stopped = {t["taskArn"] for t in fleet.tasks("small") if t["containerInstanceArn"] == fleet.instances[0]}
    gone = fleet.ecs.deregister_container_instance(cluster="demo", containerInstance=fleet.instances[0], force=True)["containerInstance"]
    assert gone["status"] == "INACTIVE" and len(stopped) == 2
    fleet.region.run_for("2m")
    assert {fleet.task(t)["stoppedReason"] for t in stopped} == {"Container instance deregistration forced by user"}
    assert counts_of(fleet) == {fleet.instances[1]: 4}
    assert fleet.ecs.describe_container_instances(cluster="demo", containerInstances=fleet.instances[:1])["failures"][0]["reason"] == "MISSING"


def counts_of(lab):
    found: dict = {}
    for task in lab.tasks("small"):
        found[task["containerInstanceArn"]] = found.get(task["containerInstanceArn"], 0) + 1
    return found


def test_only_active_and_draining_can_be_asked_for(fleet):
    with pytest.raises(ClientError, match=r"Container instance status should be one of \[ACTIVE, DRAINING\]"):
        drain(fleet, fleet.instances[0], "REGISTERING")
