"""Simulated services of growing size, from CreateService to a steady state."""
from __future__ import annotations

from ecslab.region import start

from .endpoint import DEFINITION
from .measure import row, seconds


def _stable(count: int) -> float:
    with start(engine="simulated") as region:
        ecs, ec2 = region.client("ecs"), region.client("ec2")
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]
        ecs.create_cluster(clusterName="demo")
        ecs.register_task_definition(**DEFINITION)

        def work():
            ecs.create_service(
                cluster="demo", serviceName="web", taskDefinition="web", desiredCount=count, launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
            )  # fmt: skip
            region.run_for("2m")

        took = seconds(work)
        service = ecs.describe_services(cluster="demo", services=["web"])["services"][0]
        if service["runningCount"] != count or service["deployments"][0]["rolloutState"] != "COMPLETED":
            raise RuntimeError(f"{count} tasks did not become stable")
        return took


def sizes():
    _stable(100)
    per_task = {count: _stable(count) / count for count in (100, 1000, 10000)}
    for count, each in per_task.items():
        yield row(f"{count} tasks to stable", each * count, per_task[100] * count, "linear: about 1; 10,000 within 5 s")


BENCHMARKS = {"simulated-services": sizes}
