"""The picture of a cluster's instances: the same in words as in bars."""
from __future__ import annotations

import pytest

from ecslab.region import start
from ecslab.widgets.instances import instances


@pytest.fixture
def region():
    with start(engine="simulated") as region:
        ecs = region.client("ecs")
        ecs.create_cluster(clusterName="demo")
        ecs.register_task_definition(
            family="job", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="512", memory="900",
            containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
        )
        yield region


def test_it_says_what_each_instance_holds_and_how_it_stands(region):
    ecs = region.client("ecs")
    first, second = (region.add_instance("demo", "t3.medium", zone=f"us-east-1{z}") for z in "ab")
    ecs.start_task(cluster="demo", taskDefinition="job", containerInstances=[first])
    ecs.update_container_instances_state(cluster="demo", containerInstances=[second], status="DRAINING")
    plot = instances(region, "demo")
    assert plot.label.splitlines() == [
        "us-east-1a t3.medium: 1 job; CPU 25 % of 2048, memory 23 % of 3843 MiB reserved",
        "us-east-1b t3.medium (DRAINING): no tasks; CPU 0 % of 2048, memory 0 % of 3843 MiB reserved",
    ]
    assert "% reserved: CPU above, memory below" in plot.svg and 'aria-label="us-east-1a t3.medium: 1 job' in plot.svg


def test_it_is_drawn_the_same_twice_and_an_empty_cluster_says_so(region):
    assert repr(instances(region, "demo")) == "There are no container instances in the cluster demo."
    region.add_instance("demo")
    region.add_external_instance("demo")
    assert instances(region).svg == instances(region).svg
    assert "external mi-" in instances(region).label
