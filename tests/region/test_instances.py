"""Container instances: joining, placing, resources and ports, draining, attributes, settings."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def fleet(lab):
    """Three instances in three Availability Zones, and a small definition for them."""
    lab.instances = [lab.region.add_instance("demo", zone=f"us-east-1{z}") for z in "abc"]
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="512", memory="256")
    lab.define("port", networkMode="bridge", requiresCompatibilities=["EC2"], container={"portMappings": [{"containerPort": 80, "hostPort": 8080}]})
    return lab


def run(lab, definition, **options):
    return lab.ecs.run_task(cluster="demo", taskDefinition=definition, launchType="EC2", **options)


def describe(lab, arn):
    return lab.ecs.describe_container_instances(cluster="demo", containerInstances=[arn])["containerInstances"][0]


def resources(shape):
    return {r["name"]: r.get("stringSetValue") or r["integerValue"] for r in shape}


def test_an_instance_joins_with_its_resources_and_attributes(fleet):
    shown = describe(fleet, fleet.instances[0])
    assert (shown["status"], shown["agentConnected"]) == ("ACTIVE", True)
    assert resources(shown["registeredResources"])["CPU"] == 2048
    assert resources(shown["registeredResources"])["PORTS"] == ["22", "2375", "2376", "51678", "51679"]
    attributes = {a["name"]: a.get("value") for a in shown["attributes"]}
    assert attributes["ecs.availability-zone"] == "us-east-1a" and attributes["ecs.instance-type"] == "m5.large"
    assert fleet.ec2.describe_instances(InstanceIds=[shown["ec2InstanceId"]])["Reservations"]
    assert fleet.ecs.describe_clusters(clusters=["demo"])["clusters"][0]["registeredContainerInstancesCount"] == 3


def test_reservations_never_exceed_an_instance_and_the_shortfall_is_told(fleet):
    answers = [run(fleet, "small", count=5) for _ in range(3)]
    assert sum(len(a["tasks"]) for a in answers) == 12, "four tasks of 512 units fit on each of three instances"
    assert {f["reason"] for a in answers for f in a["failures"]} == {"RESOURCE:CPU"}
    assert all(resources(describe(fleet, i)["remainingResources"])["CPU"] == 0 for i in fleet.instances)


def test_a_fixed_host_port_allows_one_task_per_instance(fleet):
    assert len(run(fleet, "port", count=4)["tasks"]) == 3
    assert "8080" in resources(describe(fleet, fleet.instances[0])["remainingResources"])["PORTS"]
    assert {f["reason"] for f in run(fleet, "port")["failures"]} == {"RESOURCE:PORTS"}


def test_interfaces_run_out_and_trunking_gives_more_to_instances_that_join_afterwards(lab):
    lab.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="128")
    network = {"awsvpcConfiguration": {"subnets": lab.subnets}}
    lab.region.add_instance("demo")
    before = run(lab, "own", count=4, networkConfiguration=network)
    assert len(before["tasks"]) == 2 and {f["reason"] for f in before["failures"]} == {"RESOURCE:ENI"}
    lab.ecs.put_account_setting(name="awsvpcTrunking", value="enabled")
    assert not run(lab, "own", networkConfiguration=network)["tasks"]
    lab.region.add_instance("demo")
    assert len(run(lab, "own", count=10, networkConfiguration=network)["tasks"]) == 10


@pytest.mark.parametrize(
    "strategy, per_instance", [([{"type": "spread", "field": "instanceId"}], [1, 1, 1]), ([{"type": "binpack", "field": "memory"}], [3, 0, 0])]
)
def test_strategies_spread_or_pack(fleet, strategy, per_instance):
    run(fleet, "small", count=3, placementStrategy=strategy)
    fleet.region.run_for("30s")
    counts = [describe(fleet, arn)["runningTasksCount"] for arn in fleet.instances]
    assert sorted(counts, reverse=True) == per_instance


def test_constraints_bind(fleet):
    wanted = [{"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1b"}]
    task = run(fleet, "small", placementConstraints=wanted)["tasks"][0]
    assert task["containerInstanceArn"] == fleet.instances[1] and task["availabilityZone"] == "us-east-1b"
    nowhere = [{"type": "memberOf", "expression": "attribute:color == green"}]
    assert run(fleet, "small", placementConstraints=nowhere)["tasks"] == []
    fleet.ecs.put_attributes(cluster="demo", attributes=[{"name": "color", "value": "green", "targetId": fleet.instances[2]}])
    assert run(fleet, "small", placementConstraints=nowhere)["tasks"][0]["containerInstanceArn"] == fleet.instances[2]
    assert [a["targetId"] for a in fleet.ecs.list_attributes(cluster="demo", targetType="container-instance", attributeName="color")["attributes"]] == [fleet.instances[2]]
    filtered = fleet.ecs.list_container_instances(cluster="demo", filter="attribute:color == green")["containerInstanceArns"]
    assert filtered == [fleet.instances[2]]


def test_start_task_goes_where_it_is_told(fleet):
    started = fleet.ecs.start_task(cluster="demo", taskDefinition="small", containerInstances=[fleet.instances[1], "0" * 32])
    assert [t["containerInstanceArn"] for t in started["tasks"]] == [fleet.instances[1]]
    assert started["failures"][0]["reason"] == "MISSING"
    fleet.region.run_for("30s")
    assert fleet.task(started["tasks"][0]["taskArn"])["lastStatus"] == "RUNNING"


def test_a_service_that_finds_no_place_says_why_and_goes_on_when_there_is_one(lab):
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="512", memory="256")
    lab.serve("small", "small", count=1, launchType="EC2", networkConfiguration={})
    lab.region.run_for("1m")
    assert lab.messages("small")[-1].endswith("Reason: No Container Instances were found in your cluster.")
    lab.region.add_instance("demo")
    lab.region.run_for("1m")
    assert lab.service("small")["runningCount"] == 1


def test_a_draining_instance_takes_no_new_tasks_and_one_with_tasks_needs_force_to_leave(fleet):
    run(fleet, "small", count=3, placementStrategy=[{"type": "spread", "field": "instanceId"}])
    drained = fleet.ecs.update_container_instances_state(cluster="demo", containerInstances=[fleet.instances[0]], status="DRAINING")
    assert drained["containerInstances"][0]["status"] == "DRAINING"
    placed = run(fleet, "small", count=6)["tasks"]
    assert fleet.instances[0] not in {t["containerInstanceArn"] for t in placed}
    with pytest.raises(ClientError, match="Found running tasks on the instance."):
        fleet.ecs.deregister_container_instance(cluster="demo", containerInstance=fleet.instances[0])
    fleet.ecs.deregister_container_instance(cluster="demo", containerInstance=fleet.instances[0], force=True)
    assert len(fleet.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 2


def test_account_settings_have_defaults_and_can_be_set(lab):
    assert lab.ecs.list_account_settings(effectiveSettings=True, name="containerInsights")["settings"][0]["value"] == "disabled"
    lab.ecs.put_account_setting_default(name="containerInsights", value="enhanced")
    lab.ecs.create_cluster(clusterName="new")
    shown = lab.ecs.describe_clusters(clusters=["new"], include=["SETTINGS"])["clusters"][0]["settings"]
    assert shown == [{"name": "containerInsights", "value": "enhanced"}]
    with pytest.raises(ClientError, match="read-only"):
        lab.ecs.put_account_setting(name="guardDutyActivate", value="on")
