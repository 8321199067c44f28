"""`lab.scaling`: a service that follows its load, as a picture. `lab.compare`: one day under several policies."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Mapping

from . import _plot

if TYPE_CHECKING:
    from ..region import Region
    from ..region.demand import DemandReport

WINDOWS = {"CPUUtilization": "CPU, % of what is reserved", "MemoryUtilization": "memory, % of what is reserved"}
AT_MOST = 240  # points of a line


def scaling(region: "Region", service: str, cluster: str | None = None, metric: str = "CPUUtilization", last: str | float = "1h") -> _plot.Plot:
    """The metric with its targets above, desired and running tasks below, for the time `last` until now."""
    from ..region.clock import seconds

    found = region.timeline(service, cluster)
    end = region.now()
    start = end - timedelta(seconds=seconds(last))
    where = _where(region, service, cluster)
    points = _datapoints(region, where, metric, start, end)
    targets = _targets(region, where, metric)
    samples = [s for s in found.samples if s.at >= start.timestamp()]
    earlier = found.at(start.timestamp())
    if earlier is not None and (not samples or earlier is not samples[0]):
        samples.insert(0, earlier)

    def minutes(at: float) -> float:
        return max(0.0, (at - start.timestamp()) / 60)

    def draw(axes) -> None:
        top, bottom = axes
        top.plot([minutes(at) for at, _ in points], [value for _, value in points], color=_plot.COLOURS[0], marker="o", markersize=3, label=metric)
        for name, low, high in targets:
            top.axhline(high, color=_plot.RED, linestyle="--", linewidth=1, label=f"{name}: out above {high:g}")
            top.axhline(low, color=_plot.COLOURS[2], linestyle=":", linewidth=1, label=f"{name}: in below {low:g}")
        top.set(ylabel=WINDOWS.get(metric, metric), title=f"service {service}", ylim=(0, None))
        top.legend(loc="upper left", bbox_to_anchor=(1, 1))
        times = [minutes(s.at) for s in samples] + [minutes(end.timestamp())]
        running = [sum(c.running for c in s.tasks.values()) for s in samples]
        desired = [s.desired for s in samples]
        if samples:
            bottom.fill_between(times, [*running, running[-1]], step="post", color=_plot.COLOURS[0], alpha=0.3, linewidth=0, label="running")
            bottom.step(times, [*desired, desired[-1]], where="post", color=_plot.COLOURS[1], linewidth=2, label="desired")
        bottom.set(ylabel="tasks", xlabel="minutes", ylim=(0, None))
        bottom.yaxis.get_major_locator().set_params(integer=True)
        bottom.legend(loc="upper left", bbox_to_anchor=(1, 1))

    counts = [s.desired for s in samples]
    told = ", ".join(str(a) for a, b in zip(counts, [None, *counts]) if a != b) or "none"
    peak = f"{metric} at most {max(value for _, value in points):.0f} %" if points else f"no datapoints of {metric}"
    return _plot.drawn(draw, f"service {service}: {peak}; desired count {told}", rows=2, size=(8, 4))


def _where(region: "Region", service: str, cluster: str | None) -> dict[str, str]:
    """The dimensions of the service's metrics."""
    name = service.rpartition("/")[2]
    clusters = [arn.rpartition("/")[2] for arn in region.client("ecs").list_clusters()["clusterArns"]]
    for one in [cluster] if cluster else clusters:
        found = region.client("ecs").describe_services(cluster=one, services=[name])["services"]
        if found:
            return {"ClusterName": one, "ServiceName": name}
    return {"ClusterName": cluster or "", "ServiceName": name}


def _datapoints(region: "Region", where: Mapping[str, str], metric: str, start: datetime, end: datetime) -> list[tuple[float, float]]:
    found = region.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName=metric,
        Dimensions=[{"Name": key, "Value": value} for key, value in where.items()],
        StartTime=start,
        EndTime=end,
        Period=60,
        Statistics=["Average"],
    )["Datapoints"]
    return sorted((p["Timestamp"].timestamp() + 60, p["Average"]) for p in found)


def _targets(region: "Region", where: Mapping[str, str], metric: str) -> list[tuple[str, float, float]]:
    """(policy, low threshold, high threshold) of what tracks this metric."""
    resource = f"service/{where['ClusterName']}/{where['ServiceName']}"
    policies = region.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]
    cloudwatch = region.client("cloudwatch")
    found = []
    for policy in policies:
        names = [a["AlarmName"] for a in policy.get("Alarms", ())]
        alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] if names else []
        limits = sorted(a["Threshold"] for a in alarms if a["MetricName"] == metric)
        if len(limits) == 2:
            found.append((policy["PolicyName"], *limits))
    return found


# One day, several policies ------------------------------------------------------------


def compare(_region: "Region", reports: Mapping[str, "DemandReport"]) -> _plot.Plot:
    """Demand and capacity of each, what failed, and what it cost: {name: report of a demand}."""
    rows = len(reports)
    first = next(iter(reports.values())).minutes[0].at

    def draw(axes) -> None:
        for axis, (name, report), colour in zip(axes if rows > 1 else [axes], reports.items(), _plot.COLOURS):
            minutes = _thinned(report.minutes)
            hours = [(m.at - first) / 3600 for m in minutes]
            capacity, demand, failed = ([getattr(m, what) / 60 for m in minutes] for what in ("capacity", "requests", "failed"))
            axis.fill_between(hours, capacity, color=colour, alpha=0.25, linewidth=0, label="capacity")
            axis.plot(hours, demand, color=_plot.INK, linewidth=1, label="demand")
            axis.fill_between(hours, [d - f for d, f in zip(demand, failed)], demand, color=_plot.RED, linewidth=0, label="failed")
            axis.set(ylabel="requests/s", ylim=(0, None), title=_summary(name, report))
            axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
            axis.set_xlim(0, hours[-1])
        (axes[-1] if rows > 1 else axes).set_xlabel(f"hours after {datetime.fromtimestamp(first, timezone.utc):%H:%M} UTC")

    return _plot.drawn(draw, table(reports), rows=rows, size=(8, 1.9 * rows))


def _thinned(minutes) -> list:
    """At most `AT_MOST` of them, none of the failures lost."""
    step = max(1, len(minutes) // AT_MOST)
    return [max(minutes[n : n + step], key=lambda m: m.failed) for n in range(0, len(minutes), step)]


def _summary(name: str, report: "DemandReport") -> str:
    cost = f", ${report.cost:.2f}" if report.cost is not None else ""
    return f"{name}: {report.failed:,} of {report.requests:,} failed, {report.task_hours:,.0f} task-hours{cost}"


def table(reports: Mapping[str, "DemandReport"]) -> str:
    """The same in rows of text."""
    width = max(len(name) for name in reports)
    rows = [f"{'policy':{width}}  {'failed':>8}  {'share':>7}  {'most':>4}  {'task-hours':>10}  {'changes':>7}  {'dollars':>8}"]
    for name, r in reports.items():
        share = 100 * r.failed / r.requests if r.requests else 0.0
        cost = f"{r.cost:8.2f}" if r.cost is not None else f"{'':8}"
        rows.append(f"{name:{width}}  {r.failed:>8,}  {share:>6.2f}%  {r.most_tasks:>4}  {r.task_hours:>10,.1f}  {r.changes:>7}  {cost}")
    return "\n".join(rows)
