"""Failures on demand: a dead host, a lost Availability Zone, Spot capacity taken back."""
from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from ecslab.region import start
from tests.region.test_event_bridge import Bus

ON_SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]


def zones(lab, service="web"):
    return Counter(t["availabilityZone"] for t in lab.tasks(service) if t["lastStatus"] == "RUNNING")


@pytest.fixture
def spot(lab):
    lab.ecs.delete_cluster(cluster="demo")
    lab.ecs.create_cluster(clusterName="demo", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    return lab


def serve_spot(lab, count=2, definition="web"):
    lab.ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition=definition, desiredCount=count, networkConfiguration=lab.network,
        capacityProviderStrategy=ON_SPOT,
    )
    lab.region.run_for("2m")
    return [t["taskArn"] for t in lab.tasks()]


def instance(lab, arn):
    return lab.ecs.describe_container_instances(cluster="demo", containerInstances=[arn])["containerInstances"][0]


# A host


def test_a_dead_host_takes_its_tasks_with_it_and_the_service_starts_others_elsewhere(lab):
    hosts = [lab.region.add_instance("demo", zone=f"us-east-1{z}") for z in "ab"]
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    lab.serve("small", "small", count=4, launchType="EC2", networkConfiguration={})
    lab.region.run_for("2m")
    lost = [t["taskArn"] for t in lab.tasks("small") if t["containerInstanceArn"] == hosts[0]]
    machine = instance(lab, hosts[0])["ec2InstanceId"]
    lab.region.fail_instance(hosts[0])
    assert not instance(lab, hosts[0])["agentConnected"]
    lab.region.run_for("5s")
    assert {lab.task(t)["stoppedReason"] for t in lost} == {f"Host EC2 (instance {machine}) stopped/terminated."}
    assert {lab.task(t)["lastStatus"] for t in lost} == {"STOPPED"}, "nothing waits for a signal to be heard"
    lab.region.run_for("1m")
    assert Counter(t["containerInstanceArn"] for t in lab.tasks("small")) == {hosts[1]: 4}


def test_a_host_is_found_by_its_ec2_id_too_and_an_unknown_one_is_refused(lab):
    arn = lab.region.add_instance("demo")
    lab.region.fail_instance(instance(lab, arn)["ec2InstanceId"])
    assert not instance(lab, arn)["agentConnected"]
    with pytest.raises(ValueError, match="There is no container instance i-nothing."):
        lab.region.fail_instance("i-nothing")


# A zone


def test_a_service_loses_the_tasks_of_a_failed_zone_and_replaces_them_in_the_others(lab):
    lab.serve(count=4)
    lab.region.run_for("2m")
    failed, other = zones(lab)
    assert zones(lab) == {failed: 2, other: 2}
    lost = [t["taskArn"] for t in lab.tasks() if t["availabilityZone"] == failed]
    lab.region.fail_zone(failed)
    lab.region.run_for("2m")
    assert zones(lab) == {other: 4}
    assert {lab.task(t)["stopCode"] for t in lost} == {"TerminationNotice"}


def test_with_no_other_zone_to_go_to_there_is_no_capacity_until_the_zone_is_back(lab):
    only = {"awsvpcConfiguration": {"subnets": [lab.task(lab.run())["attachments"][0]["details"][0]["value"]]}}
    lab.serve(count=1, networkConfiguration=only)
    lab.region.run_for("2m")
    here = next(iter(zones(lab)))
    lab.region.fail_zone(here)
    lab.region.run_for("2m")
    no = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    assert lab.messages()[-1] == f"(service web) was unable to place a task. Reason: {no}."
    with pytest.raises(ClientError, match=no):
        lab.run(networkConfiguration=only)
    lab.region.restore_zone(here)
    lab.region.run_for("2m")
    assert lab.service()["runningCount"] == 1


def test_the_instances_of_a_failed_zone_are_not_connected_until_it_is_restored(lab):
    hosts = {z: lab.region.add_instance("demo", zone=f"us-east-1{z}") for z in "ab"}
    lab.region.fail_zone("us-east-1a")
    assert [instance(lab, hosts[z])["agentConnected"] for z in "ab"] == [False, True]
    lab.region.restore_zone("us-east-1a")
    assert instance(lab, hosts["a"])["agentConnected"]


def test_an_instance_cannot_be_added_in_a_failed_zone(lab):
    lab.region.fail_zone("us-east-1a")
    with pytest.raises(ValueError, match="us-east-1a has failed"):
        lab.region.add_instance("demo", zone="us-east-1a")
    assert "us-east-1b" in str(instance(lab, lab.region.add_instance("demo"))["attributes"])


def test_a_zone_that_is_not_there_cannot_fail(lab):
    with pytest.raises(ValueError, match="There is no Availability Zone 'eu-west-1a' in us-east-1. There are us-east-1a, us-east-1b"):
        lab.region.fail_zone("eu-west-1a")


# Spot


def test_a_spot_task_is_told_stopped_and_replaced(spot):
    first, other = serve_spot(spot)
    assert spot.region.interrupt_spot(first) == [first]
    told = spot.task(first)
    assert (told["desiredStatus"], told["stopCode"], told["stoppedReason"]) == ("STOPPED", "SpotInterruption", "Your Spot Task was interrupted.")
    spot.region.run_for("2m")
    assert spot.task(first)["containers"][0]["exitCode"] == 0
    running = [t["taskArn"] for t in spot.tasks()]
    assert len(running) == 2 and first not in running and other in running


@pytest.mark.parametrize("stop_timeout, exit_code, seconds", [(20, 137, 25), (120, None, 125)])
def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout_or_when_the_two_minutes_are_over(spot, stop_timeout, exit_code, seconds):
    spot.define("deaf", command=["--ignore-sigterm"], container={"stopTimeout": stop_timeout})
    task = serve_spot(spot, 1, "deaf")[0]
    spot.region.interrupt_spot(task)
    spot.region.run_for(seconds - 10)
    assert spot.task(task)["lastStatus"] == "STOPPING"
    spot.region.run_for(15)
    stopped = spot.task(task)
    assert stopped["lastStatus"] == "STOPPED" and stopped["containers"][0].get("exitCode") in (exit_code, 137)
    assert stopped["stopCode"] == "SpotInterruption"


def test_only_what_runs_on_spot_can_be_interrupted(spot):
    task = spot.run()
    with pytest.raises(ValueError, match="does not run on Spot capacity"):
        spot.region.interrupt_spot(task)
    assert spot.region.interrupt_spot() == []


@pytest.mark.parametrize("draining, status", [("true", "DRAINING"), ("false", "ACTIVE")])
def test_a_spot_instance_drains_at_the_notice_if_its_agent_was_told_to_and_ends_two_minutes_later(lab, draining, status):
    data = f"ECS_CLUSTER=demo\nECS_ENABLE_SPOT_INSTANCE_DRAINING={draining}\n"
    lab.ec2.run_instances(ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1, UserData=data, InstanceMarketOptions={"MarketType": "spot"})
    lab.region.run_for("1m")
    arn = lab.ecs.list_container_instances(cluster="demo")["containerInstanceArns"][0]
    bus = Bus(lab)
    bus.rule(EventPattern='{"detail-type": ["EC2 Spot Instance Interruption Warning"]}')
    assert lab.region.interrupt_spot() == [arn] and instance(lab, arn)["status"] == status
    lab.region.run_for("1s")
    assert [e["detail"]["instance-action"] for e in bus.heard()] == ["terminate"]
    assert lab.region.interrupt_spot() == [], "it has its notice"
    lab.region.run_for("110s")
    assert instance(lab, arn)["agentConnected"]
    lab.region.run_for("20s")
    assert lab.ecs.list_container_instances(cluster="demo")["containerInstanceArns"] == []


def history(seed):
    """What a day of interruptions does to a service of ten Spot tasks."""
    with start(engine="simulated", seed=seed) as region:
        ecs = region.client("ecs")
        ecs.create_cluster(clusterName="demo", capacityProviders=["FARGATE_SPOT"])
        ecs.register_task_definition(
            family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
            containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
        )
        subnets = [s["SubnetId"] for s in region.client("ec2").describe_subnets()["Subnets"]][:2]
        ecs.create_service(
            cluster="demo", serviceName="web", taskDefinition="web", desiredCount=10, networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
            capacityProviderStrategy=ON_SPOT,
        )
        region.interrupt_spot(rate=0.5)
        region.run_for("6h")
        region.interrupt_spot(rate=0)
        events = ecs.describe_services(cluster="demo", services=["web"])["services"][0]["events"]
        region.run_for("2h")
        later = ecs.describe_services(cluster="demo", services=["web"])["services"][0]
        assert later["runningCount"] == 10 and sum("started" in e["message"] for e in later["events"]) == sum("started" in e["message"] for e in events)
        return [(e["createdAt"], e["message"]) for e in events]


def test_interruptions_by_chance_come_as_often_as_asked_and_the_same_with_the_same_seed():
    one = history(5)
    started = sum("has started" in message for _, message in one) - 1
    assert 15 <= started <= 45, "about 0.5 an hour of each of ten tasks, for six hours"
    assert history(5) == one and history(6) != one
