"""Monitoring: what a service's utilization and a cluster's reservation are measured against.

Keys from `rules.scaling.utilization`.
"""
from __future__ import annotations

from random import Random

from ecslab.rules.scaling import utilization
from ecslab.rules.task_size import reserved

from .kit import About, Draft, Slip, count, generator, listed, numeric, service

LAB = "11-monitoring-and-logging"
METRICS = About(
    "Amazon ECS Developer Guide: Monitor Amazon ECS using CloudWatch",
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html",
    "§6.2, §8.1",
    "Monitoring & Logging > Key Metrics",
    ("SOA-C03 1.1", "DVA-C02 3.4", "DOP-C02 4.1"),
    LAB,
)


def _sum(values: list[int]) -> str:
    return f"{' + '.join(map(str, values))} = {sum(values)}"


@generator("monitoring.service-cpu", METRICS)
def service_cpu(rng: Random) -> Draft:
    """Used over reserved, both summed."""
    size, tasks = rng.choice((256, 512, 1024)), rng.randint(2, 5)
    used = [rng.randint(size // 10, size) for _ in range(tasks)]
    host = rng.choice((2048, 4096, 8192))
    right = round(utilization(used, [size] * tasks), 1)
    return numeric(
        f"`{service(rng)}` on EC2 runs {tasks} tasks with task-level `cpu` {size}, on instances with {host} CPU units "
        f"each. They use {listed([str(n) for n in used])} units. What is the service's `CPUUtilization`, in percent? "
        "Round to one decimal.",
        right,
        [
            f"Used: {_sum(used)}.",
            f"Reserved: {tasks} × {size} = {tasks * size}.",
            f"{sum(used)} / {tasks * size} × 100 = {right:g} percent.",
        ],
        [
            Slip(
                "measures against the instance",
                round(utilization(used, [host]), 1),
                f"{sum(used)} / {host} × 100; the service's own reservation counts.",
            ),
            Slip("takes the busiest task", round(utilization([max(used)], [size]), 1), f"{max(used)} / {size} × 100."),
            Slip("adds up the percentages of the tasks", round(utilization(used, [size]), 1), f"{sum(used)} / {size} × 100."),
        ],
        "%",
        0.05,
    )


@generator("monitoring.service-memory", METRICS, "hard", "analyze")
def service_memory(rng: Random) -> Draft:
    """A soft limit is what is reserved, so more than 100 percent is possible."""
    soft = rng.choice((128, 256, 512))
    hard, tasks = soft * rng.choice((2, 3, 4)), rng.randint(2, 4)
    used = [rng.randint(soft // 2, hard) for _ in range(tasks)]
    reservation = reserved({"containerDefinitions": [{"memory": hard, "memoryReservation": soft}]})[1]
    right = round(utilization(used, [reservation] * tasks), 1)
    return numeric(
        f"Each of the {tasks} tasks of `{service(rng)}` on EC2 has one container with `memoryReservation` {soft} and "
        f"`memory` {hard}, and no task-level size. They use {listed([str(n) for n in used])} MiB. What is the service's "
        "`MemoryUtilization`, in percent? Round to one decimal.",
        right,
        [
            f"Used: {_sum(used)} MiB.",
            f"Reserved is `memoryReservation`: {tasks} × {soft} = {tasks * soft} MiB.",
            f"{sum(used)} / {tasks * soft} × 100 = {right:g} percent."
            + (" A soft limit can be exceeded." if right > 100 else ""),
        ],
        [
            Slip(
                "measures against the hard limit",
                round(utilization(used, [hard] * tasks), 1),
                f"{sum(used)} / {tasks * hard} × 100.",
            ),
            Slip(
                "thinks utilization ends at 100", min(right, 100), "above `memoryReservation` it goes on, up to the hard limit."
            ),
            Slip(
                "adds hard and soft limits",
                round(utilization(used, [hard + soft] * tasks), 1),
                f"{sum(used)} / {tasks * (hard + soft)} × 100.",
            ),
        ],
        "%",
        0.05,
    )


@generator("monitoring.cpu-reservation", METRICS)
def cluster_reservation(rng: Random) -> Draft:
    """Reserved over registered, whatever is used."""
    hosts, units = rng.randint(2, 6), rng.choice((2048, 4096, 8192))
    size, tasks = rng.choice((256, 512, 1024)), rng.randint(2, 14)
    used = rng.randint(size // 10, size - 1)
    if tasks * size > hosts * units * 0.9:
        return None
    right = round(utilization([size] * tasks, [units] * hosts), 1)
    return numeric(
        f"A cluster has {hosts} container instances with {units} CPU units each. Only {count(tasks, 'task')} of "
        f"`{service(rng)}` run on it, each with task-level `cpu` {size}; each uses {used} units. What is the cluster's "
        "`CPUReservation`, in percent? Round to one decimal.",
        right,
        [
            f"Reserved: {tasks} × {size} = {tasks * size} units. Registered: {hosts} × {units} = {hosts * units}.",
            f"{tasks * size} / {hosts * units} × 100 = {right:g} percent.",
        ],
        [
            Slip(
                "takes use for reservation",
                round(utilization([used] * tasks, [units] * hosts), 1),
                f"{tasks} × {used} / {hosts * units} × 100 is `CPUUtilization` of the cluster.",
            ),
            Slip(
                "measures use against the reservation",
                round(utilization([used], [size]), 1),
                f"{used} / {size} × 100 is `CPUUtilization` of the service.",
            ),
            Slip(
                "measures against one instance",
                round(utilization([size] * tasks, [units]), 1),
                f"{tasks * size} / {units} × 100.",
            ),
        ],
        "%",
        0.05,
    )
