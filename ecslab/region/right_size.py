"""`Region.right_size`: the cheapest size for what CloudWatch saw a service use.

The peaks are the highest Maximum of CPUUtilization and MemoryUtilization: of the busiest task in its busiest minute.

Source: Developer Guide, "Amazon ECS service utilization metrics"; CloudWatch API Reference, GetMetricStatistics.
"""
from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from ..rules.right_size import RightSize, right_size
from . import launch
from .clock import seconds
from .monitoring import MINUTE

if TYPE_CHECKING:
    from . import Region

MOST_DATAPOINTS = 1440  # of one GetMetricStatistics


def observed(region: "Region", name: str, cluster: str | None, headroom: float, last: str | float) -> RightSize:
    """ValueError where there is no such service on Fargate, or nothing has been measured yet."""
    with region.lock:
        service = region._service(name, cluster)
        lead = service.lead
        if launch.launch_type_of(lead.config) != "FARGATE":
            raise ValueError(f"Service {service.name} does not run on Fargate: its instances are paid, whatever its tasks reserve.")
        definition = lead.task_definition.definition
        dimensions = {"ClusterName": service.cluster.name, "ServiceName": service.name}
        tasks = max(1, service.desired_count)
    cpu, memory = int(definition["cpu"]), int(definition["memory"])
    used = [_peak(region, metric, dimensions, seconds(last)) for metric in ("CPUUtilization", "MemoryUtilization")]
    if None in used:
        raise ValueError(f"CloudWatch has no datapoints of service {service.name} yet. Let a few minutes pass while it works.")
    arch = (definition.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64"
    return right_size(cpu, memory, round(cpu * used[0] / 100, 1), round(memory * used[1] / 100, 1), headroom, arch, tasks)


def _peak(region: "Region", metric: str, dimensions: dict[str, str], span: float) -> float | None:
    """The highest percentage in that time; None where nothing was measured."""
    now = region.now()
    found = region.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(seconds=span),
        EndTime=now,
        Period=MINUTE * max(1, ceil(span / MINUTE / MOST_DATAPOINTS)),
        Statistics=["Maximum"],
    )["Datapoints"]
    return max((point["Maximum"] for point in found), default=None)
