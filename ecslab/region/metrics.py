"""Metrics into CloudWatch, which moto plays.

Source: CloudWatch API Reference, PutMetricData; the names, dimensions and units
are in the pages of the services that publish them.
"""
from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from typing import Iterable, Mapping, Sequence

from .identifiers import ACCOUNT

Row = tuple[str, Mapping[str, str], Sequence[float], str]  # name, dimensions, values, unit


@lru_cache
def mended():
    """moto's CloudWatch with a metric known by all its dimensions, not by some of them. Once for the process."""
    from moto.cloudwatch import models

    def key(dimensions) -> set:
        return {(d["Name"], d.get("Value")) if isinstance(d, dict) else (d.name, d.value) for d in dimensions or ()}

    listed = models.MetricDatumBase.filter

    def matches(datum, namespace, name, dimensions, already_present_metrics=None) -> bool:
        statistics = namespace is None and name is None  # a list asks by name and may leave dimensions out
        if statistics and dimensions:
            return key(datum.dimensions) == key(dimensions)
        return listed(datum, namespace, name, dimensions, already_present_metrics)

    models.are_dimensions_same = lambda one, other: key(one) == key(other)
    models.MetricDatumBase.filter = matches
    return models


def publish(region_name: str, namespace: str, rows: Iterable[Row], at: float) -> None:
    """Put one minute's values, stamped with the minute's start. `at` is its end, in region seconds."""
    stamp = datetime.fromtimestamp(at - 60, timezone.utc).replace(tzinfo=None)  # moto compares without zones
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Values": list(values),
            "Unit": unit,
            "Timestamp": stamp,
        }
        for name, dimensions, values, unit in rows
        if values
    ]
    if data:
        mended().cloudwatch_backends[ACCOUNT][region_name].put_metric_data(namespace, data)
