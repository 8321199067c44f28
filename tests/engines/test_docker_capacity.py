"""Managed scaling with real containers: a task waits, its Auto Scaling group grows from zero, the task runs, the group shrinks."""
from __future__ import annotations

import time

import pytest

from ecslab.region import start

JOIN = "#!/bin/bash\necho ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n"
SPEED = 300  # five minutes of the region's are a second


@pytest.fixture(scope="module")
def region():
    with start(engine="docker", speed=SPEED) as region:
        yield region


def until(done, what: str, seconds: float = 60):
    """The answer of `done` once it is true; a failure that names what did not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = done()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def test_a_group_grows_from_zero_for_a_waiting_task_and_shrinks_when_it_is_gone(region):
    ecs, groups = region.client("ecs"), region.client("autoscaling")
    ecs.create_cluster(clusterName="demo")
    ecs.register_task_definition(
        family="app", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="1024", memory="64",
        containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
    )  # fmt: skip
    groups.create_launch_configuration(LaunchConfigurationName="hosts", ImageId="ami-12c6146b", InstanceType="m5.large", UserData=JOIN)
    groups.create_auto_scaling_group(
        AutoScalingGroupName="hosts", LaunchConfigurationName="hosts", MinSize=0, MaxSize=3, AvailabilityZones=["us-east-1a", "us-east-1b"]
    )
    scaling = {"status": "ENABLED", "instanceWarmupPeriod": 0}
    ecs.create_capacity_provider(name="hosts", autoScalingGroupProvider={"autoScalingGroupArn": "hosts", "managedScaling": scaling})
    ecs.put_cluster_capacity_providers(cluster="demo", capacityProviders=["hosts"], defaultCapacityProviderStrategy=[{"capacityProvider": "hosts", "weight": 1}])

    answer = ecs.run_task(cluster="demo", taskDefinition="app")["tasks"][0]
    task = answer["taskArn"]

    def described():
        return ecs.describe_tasks(cluster="demo", tasks=[task])["tasks"][0]

    def size():
        return groups.describe_auto_scaling_groups(AutoScalingGroupNames=["hosts"])["AutoScalingGroups"][0]["DesiredCapacity"]

    assert answer["lastStatus"] == "PROVISIONING" and "containerInstanceArn" not in answer  # a moment later the group may have grown
    until(lambda: described()["lastStatus"] == "RUNNING", "the running task")
    assert size() == 2 and described()["containers"][0]["runtimeId"]
    ecs.stop_task(cluster="demo", task=task)
    until(lambda: size() == 0, "the empty group")
    assert ecs.list_container_instances(cluster="demo")["containerInstanceArns"] == []
