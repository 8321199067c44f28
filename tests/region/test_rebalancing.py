"""Availability Zone rebalancing: launch before stop, within the band, and what ends it."""
from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError


def zones(lab, service="web"):
    return dict(sorted(Counter(t["availabilityZone"] for t in lab.tasks(service) if t["lastStatus"] == "RUNNING").items()))


def words(lab, service="web"):
    return [m.split(") ", 1)[1] for m in lab.messages(service) if "AZ" in m]


@pytest.fixture
def lost(lab):
    """A service of four whose second zone failed and came back: all four are in the first."""
    lab.serve(count=4)
    lab.region.run_for("2m")
    lab.first, lab.second = sorted(zones(lab))
    lab.region.fail_zone(lab.second)
    lab.region.run_for("3m")
    assert zones(lab) == {lab.first: 4}
    return lab


def test_a_steady_service_goes_back_to_even_zones_without_ever_running_too_few(lost):
    lost.region.restore_zone(lost.second)
    counts = set()
    for _ in range(40):
        lost.region.run_for("3s")
        counts.add(lost.service()["runningCount"])
    assert zones(lost) == {lost.first: 2, lost.second: 2}
    assert min(counts) == 4 and max(counts) <= 8
    start, *moved, end = words(lost)
    assert start == f"is not AZ balanced with 4 tasks in {lost.first}, 0 tasks in {lost.second}. AZ Rebalancing in progress."
    assert end == f"is AZ balanced with 2 tasks in {lost.first}, 2 tasks in {lost.second}."
    assert len(moved) == 4 and lost.messages()[-2].endswith("has reached a steady state.")


def test_a_service_that_has_it_off_stays_as_it_is(lost):
    lost.ecs.update_service(cluster="demo", service="web", availabilityZoneRebalancing="DISABLED")
    lost.region.restore_zone(lost.second)
    lost.region.run_for("5m")
    assert zones(lost) == {lost.first: 4} and words(lost) == []
    lost.ecs.update_service(cluster="demo", service="web", availabilityZoneRebalancing="ENABLED")
    lost.region.run_for("5m")
    assert zones(lost) == {lost.first: 2, lost.second: 2}


def test_protected_tasks_are_not_moved_away(lost):
    arns = [t["taskArn"] for t in lost.tasks()]
    lost.ecs.update_task_protection(cluster="demo", tasks=arns, protectionEnabled=True, expiresInMinutes=60)
    lost.region.restore_zone(lost.second)
    lost.region.run_for("1m")
    assert set(arns) <= {t["taskArn"] for t in lost.tasks()}
    assert "is unable to AZ Rebalance. Reason: the tasks that would stop are protected." in words(lost)


def test_a_deployment_ends_it(lost):
    lost.region.restore_zone(lost.second)
    lost.region.run_for("5s")
    lost.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lost.region.run_for("10m")
    assert {t["taskDefinitionArn"].rpartition(":")[2] for t in lost.tasks()} == {"2"}
    assert sum(zones(lost).values()) == 4


def test_on_ec2_an_instance_in_a_new_zone_takes_over_its_share(lab):
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    lab.region.add_instance("demo", zone="us-east-1a")
    lab.serve("small", "small", count=4, launchType="EC2", networkConfiguration={})
    lab.region.run_for("2m")
    assert zones(lab, "small") == {"us-east-1a": 4}
    lab.region.add_instance("demo", zone="us-east-1b")
    lab.region.run_for("3m")
    assert zones(lab, "small") == {"us-east-1a": 2, "us-east-1b": 2}


def test_zones_without_a_subnet_of_the_service_do_not_count(lab):
    lab.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    for zone in "ab":
        lab.region.add_instance("demo", "m5.large", zone=f"us-east-1{zone}")
    here = next(s["SubnetId"] for s in lab.ec2.describe_subnets()["Subnets"] if s["AvailabilityZone"] == "us-east-1a")
    lab.serve("own", "own", count=2, launchType="EC2", networkConfiguration={"awsvpcConfiguration": {"subnets": [here]}})
    lab.region.run_for("5m")
    assert zones(lab, "own") == {"us-east-1a": 2} and words(lab, "own") == []


@pytest.mark.parametrize(
    "options",
    [
        {"placementStrategy": [{"type": "binpack", "field": "cpu"}]},
        {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]"}]},
        {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 50}},
    ],
)
def test_services_that_are_not_eligible_are_left_alone(lab, options):
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    lab.region.add_instance("demo", zone="us-east-1a")
    lab.serve("small", "small", count=4, launchType="EC2", networkConfiguration={}, **options)
    lab.region.run_for("2m")
    lab.region.add_instance("demo", zone="us-east-1b")
    lab.region.run_for("5m")
    assert zones(lab, "small") == {"us-east-1a": 4} and lab.service("small")["availabilityZoneRebalancing"] == "DISABLED"
    with pytest.raises(ClientError, match="Availability Zone Rebalancing needs a REPLICA service"):
        lab.ecs.update_service(cluster="demo", service="small", availabilityZoneRebalancing="ENABLED")
