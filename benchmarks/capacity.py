"""Managed scaling from nothing: a service's tasks wait, the Auto Scaling group grows, all of them run."""
from __future__ import annotations

from ecslab.region import start

from .measure import row, seconds

JOIN = "#!/bin/bash\necho ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n"


def _grown(tasks: int) -> float:
    """From CreateService with an empty group to every task RUNNING, simulated."""
    with start(engine="simulated") as region:
        ecs, groups = region.client("ecs"), region.client("autoscaling")
        ecs.create_cluster(clusterName="demo")
        ecs.register_task_definition(
            family="web", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="64",
            containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
        )  # fmt: skip
        groups.create_launch_configuration(LaunchConfigurationName="hosts", ImageId="ami-12c6146b", InstanceType="m5.4xlarge", UserData=JOIN)
        groups.create_auto_scaling_group(
            AutoScalingGroupName="hosts", LaunchConfigurationName="hosts", MinSize=0, MaxSize=1000, AvailabilityZones=["us-east-1a", "us-east-1b"]
        )
        ecs.create_capacity_provider(name="hosts", autoScalingGroupProvider={"autoScalingGroupArn": "hosts", "managedScaling": {}})
        ecs.put_cluster_capacity_providers(cluster="demo", capacityProviders=["hosts"], defaultCapacityProviderStrategy=[{"capacityProvider": "hosts", "weight": 1}])

        def work():
            ecs.create_service(
                cluster="demo", serviceName="web", taskDefinition="web", desiredCount=tasks, placementStrategy=[{"type": "binpack", "field": "cpu"}]
            )
            region.run_for("45m")

        took = seconds(work)
        if ecs.describe_services(cluster="demo", services=["web"])["services"][0]["runningCount"] != tasks:
            raise RuntimeError(f"{tasks} tasks do not run")
        return took


def growth():
    _grown(100)
    small, large = _grown(100), _grown(10_000)
    yield row("100 to 10,000 tasks", large, 100 * small, "linear: about 1 or less")


BENCHMARKS = {"managed-scaling": growth}
