"""Placing many tasks on many container instances: the rules alone, and a service of the region."""
from __future__ import annotations

from ecslab.region import start
from ecslab.rules.placement import InstanceView, TaskRequest, place

from .measure import row, seconds

TASK = TaskRequest(cpu=100, memory=64, group="service:web")
BALANCED = [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}]


def _instances(count: int) -> list[InstanceView]:
    size = {"registered_cpu": 2048, "remaining_cpu": 2048, "registered_memory": 7764, "remaining_memory": 7764}
    return [InstanceView(id=f"{n:032x}", zone=f"us-east-1{'abc'[n % 3]}", **size) for n in range(count)]


def _placed(tasks: int, instances: int) -> float:
    views = _instances(instances)

    def work():
        if len(place(TASK, views, strategy=BALANCED, count=tasks).chosen) != tasks:
            raise RuntimeError(f"{tasks} tasks did not fit on {instances} instances")

    return seconds(work)


def rules():
    _placed(100, 10)
    small, large = _placed(1000, 100), _placed(10000, 1000)
    yield row("10,000 on 1,000 hosts", large, 10 * small, "linear: about 1; ours at most 2 s")


def _running(tasks: int, instances: int) -> float:
    """From CreateService to every task RUNNING, on EC2."""
    with start(engine="simulated") as region:
        ecs = region.client("ecs")
        ecs.create_cluster(clusterName="demo")
        ecs.register_task_definition(
            family="web", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="64",
            containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
        )  # fmt: skip
        for _ in range(instances):
            ecs.register_container_instance(cluster="demo")

        def work():
            ecs.create_service(
                cluster="demo", serviceName="web", taskDefinition="web", desiredCount=tasks, launchType="EC2", placementStrategy=BALANCED
            )
            region.run_for("2m")

        took = seconds(work)
        if ecs.describe_services(cluster="demo", services=["web"])["services"][0]["runningCount"] != tasks:
            raise RuntimeError(f"{tasks} tasks did not run on {instances} instances")
        return took


def region():
    _running(100, 10)
    _running(100, 10)
    small, large = _running(1000, 100), _running(10000, 1000)
    yield row("10,000 running on 1,000", large, 10 * small, "linear: about 1")


BENCHMARKS = {"placement-rules": rules, "placement-region": region}
