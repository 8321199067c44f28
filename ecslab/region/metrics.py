"""Metrics into CloudWatch, which moto plays, and out again by the period.

moto keeps every value in one list. Beside it stands an index of ours: what a
metric's values of one moment come to, so that an alarm finds its datapoints
without looking through the day.

Source: CloudWatch API Reference, PutMetricData, GetMetricStatistics; CloudWatch
User Guide, "CloudWatch statistics definitions". The names, dimensions and units
are in the pages of the services that publish them.
"""
from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Iterable, Mapping, Sequence

from .identifiers import ACCOUNT

MOST_VALUES = 150  # of one datum; CloudWatch takes no more


@dataclass(frozen=True, slots=True)
class Stat:
    """What several values of a metric come to."""

    count: float
    sum: float
    minimum: float
    maximum: float

    @classmethod
    def same(cls, value: float, count: int = 1) -> "Stat":
        return cls(count, value * count, value, value)

    @classmethod
    def of(cls, values: Sequence[float]) -> "Stat":
        return cls(len(values), sum(values), min(values), max(values))

    def __add__(self, other: "Stat") -> "Stat":
        low, high = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        return Stat(self.count + other.count, self.sum + other.sum, low, high)

    def get(self, statistic: str) -> float:
        """`statistic` is Average, Sum, Minimum, Maximum or SampleCount."""
        return {
            "Average": self.sum / self.count if self.count else 0.0,
            "Sum": self.sum,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
            "SampleCount": self.count,
        }[statistic]


Row = tuple[str, Mapping[str, str], "Sequence[float] | Stat", str]  # name, dimensions, values, unit


class Index:
    """Every metric's values, by the second they are stamped with."""

    def __init__(self) -> None:
        self._stats: dict[tuple, dict[float, Stat]] = {}
        self._moments: dict[tuple, list[float]] = {}

    def add(self, key: tuple, at: float, stat: Stat) -> None:
        stats, moments = self._stats.setdefault(key, {}), self._moments.setdefault(key, [])
        if at in stats:
            stats[at] += stat
            return
        stats[at] = stat
        moments.insert(bisect_left(moments, at), at)

    def between(self, key: tuple, start: float, end: float) -> Stat | None:
        """What the values from `start` on and before `end` come to; None when there are none."""
        moments = self._moments.get(key)
        if not moments:
            return None
        whole = None
        for at in moments[bisect_left(moments, start) : bisect_left(moments, end)]:
            stat = self._stats[key][at]
            whole = stat if whole is None else whole + stat
        return whole


def key(namespace: str, name: str, dimensions: Mapping[str, str]) -> tuple:
    """A metric is known by its namespace, its name and all its dimensions."""
    return namespace, name, frozenset(dimensions.items())


def index(region_name: str) -> Index:
    return _index_of(_backend(region_name))


def _backend(region_name: str):
    return mended().cloudwatch_backends[ACCOUNT][region_name]


def _index_of(backend) -> Index:
    if not hasattr(backend, "ecslab_index"):
        backend.ecslab_index = Index()
    return backend.ecslab_index


@lru_cache
def mended():
    """moto's CloudWatch, mended once for the process.

    A metric is known by all its dimensions, not by some of them; a value without
    a time is stamped with the region's; what is put is indexed; a new alarm has
    no data yet; an alarm's history can be asked for.
    """
    from moto.cloudwatch import models, responses

    def names(dimensions) -> set:
        return {(d["Name"], d.get("Value")) if isinstance(d, dict) else (d.name, d.value) for d in dimensions or ()}

    listed = models.MetricDatumBase.filter

    def matches(datum, namespace, name, dimensions, already_present_metrics=None) -> bool:
        statistics = namespace is None and name is None  # a list asks by name and may leave dimensions out
        if statistics and dimensions:
            return names(datum.dimensions) == names(dimensions)
        return listed(datum, namespace, name, dimensions, already_present_metrics)

    models.are_dimensions_same = lambda one, other: names(one) == names(other)
    models.MetricDatumBase.filter = matches

    put = models.CloudWatchBackend.put_metric_data

    def put_metric_data(backend, namespace, metric_data):
        for datum in metric_data:
            datum["Timestamp"] = datum.get("Timestamp") or now()
        put(backend, namespace, metric_data)
        for datum in metric_data:
            dimensions = {d["Name"]: d["Value"] for d in datum.get("Dimensions") or ()}
            stamp = datum["Timestamp"]
            at = (stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)).timestamp()
            _index_of(backend).add(key(namespace, datum["MetricName"], dimensions), at, _stat(datum))

    models.CloudWatchBackend.put_metric_data = put_metric_data
    from . import alarms

    alarms.mend(models, responses)
    return models


def now() -> datetime:
    """The region's time as moto keeps times: UTC, without saying so."""
    from . import current

    region = current()
    return (region.now() if region else datetime.now(timezone.utc)).replace(tzinfo=None)


def _stat(datum: Mapping) -> Stat:
    whole = datum.get("StatisticValues")
    if whole:
        return Stat(*(float(whole[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")))
    values = [float(v) for v in datum.get("Values") or [datum.get("Value", 0)]]
    counts = [int(float(c)) for c in datum.get("Counts") or [1] * len(values)]
    stats = [Stat.same(value, count) for value, count in zip(values, counts)]
    return sum(stats[1:], stats[0])


def publish(region_name: str, namespace: str, rows: Iterable[Row], at: float, seconds: float = 60) -> None:
    """Put one period's values, stamped with its start. `at` is its end, in region seconds."""
    stamp = datetime.fromtimestamp(at - seconds, timezone.utc).replace(tzinfo=None)  # moto compares without zones
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            **_values(values),
            "Unit": unit,
            "Timestamp": stamp,
        }
        for name, dimensions, values, unit in rows
        if values
    ]
    if data:
        _backend(region_name).put_metric_data(namespace, data)


def _values(values: "Sequence[float] | Stat") -> dict:
    if not isinstance(values, Stat):
        if len(values) <= MOST_VALUES:
            return {"Values": list(values)}
        values = Stat.of(values)
    whole = {"SampleCount": values.count, "Sum": values.sum, "Minimum": values.minimum, "Maximum": values.maximum}
    return {"StatisticValues": whole}
