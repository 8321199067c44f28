"""Metrics into CloudWatch, which moto plays.

Source: CloudWatch API Reference, PutMetricData; the names, dimensions and units
are in the pages of the services that publish them.
"""
from __future__ import annotations

from datetime import datetime, timezone
from typing import Iterable, Mapping, Sequence

from .identifiers import ACCOUNT

Row = tuple[str, Mapping[str, str], Sequence[float], str]  # name, dimensions, values, unit


def publish(region_name: str, namespace: str, rows: Iterable[Row], at: float) -> None:
    """Put one minute's values, stamped with the minute's start. `at` is its end, in region seconds."""
    from moto.cloudwatch.models import cloudwatch_backends

    stamp = datetime.fromtimestamp(at - 60, timezone.utc)
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
        cloudwatch_backends[ACCOUNT][region_name].put_metric_data(namespace, data)
