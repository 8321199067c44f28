"""Service deployments and revisions: list, describe, stop, continue.

Source: API Reference, ListServiceDeployments, DescribeServiceDeployments,
DescribeServiceRevisions, StopServiceDeployment, ContinueServiceDeployment.
"""
from __future__ import annotations

from datetime import datetime

from ...rules.errors import EcsError, invalid
from .. import deployments
from . import operation
from .common import check_size, cluster_of, missing, page
from .service_operations import named

MOST = 20


@operation
def list_service_deployments(region, request):
    service = named(cluster_of(region, request), request["service"])
    wanted = request.get("status")
    created = request.get("createdAt") or {}
    after, before = _moment(created.get("after"), float("-inf")), _moment(created.get("before"), float("inf"))
    found = [
        deployments.brief(record)
        for record in service.history
        if (not wanted or record.status in wanted) and after <= record.created_at <= before
    ]
    return page(request, "serviceDeployments", found)


@operation
def describe_service_deployments(region, request):
    found, failures = [], []
    for arn in check_size("serviceDeploymentArns", request.get("serviceDeploymentArns"), MOST):
        record = _record(region, arn)
        if record is None:
            failures.append(missing(arn))
        else:
            found.append(deployments.describe(record))
    return {"serviceDeployments": found, "failures": failures}


@operation
def describe_service_revisions(region, request):
    found, failures = [], []
    for arn in check_size("serviceRevisionArns", request.get("serviceRevisionArns"), MOST):
        pair = next(
            ((s, d) for c in region.clusters.values() for s in c.services.values() for d in s.revisions if d.revision_arn == arn),
            None,
        )
        if pair is None:
            failures.append(missing(arn))
        else:
            found.append(deployments.describe_revision(*pair))
    return {"serviceRevisions": found, "failures": failures}


@operation
def stop_service_deployment(region, request):
    record = _existing(region, request["serviceDeploymentArn"])
    if record.ended or record.stop_requested or record.status.startswith("ROLLBACK"):
        raise EcsError("ConflictException", f"The service deployment is {record.status} and can not be stopped.")
    record.stop_requested = request.get("stopType") or "ROLLBACK"
    record.status = "STOP_REQUESTED" if record.stop_requested == "ABORT" else "ROLLBACK_REQUESTED"
    record.updated_at = region.clock.now()
    region.touch(record.service)
    return {"serviceDeploymentArn": record.arn}


@operation
def continue_service_deployment(region, request):
    record = _existing(region, request["serviceDeploymentArn"])
    hook = next((h for h in record.hooks if h["hookId"] == request["hookId"]), None)
    if hook is None:
        raise invalid("The specified lifecycle hook was not found in this service deployment.")
    if hook["status"] != "AWAITING_ACTION":
        raise invalid(f"The lifecycle hook is {hook['status']} and is not waiting for an action.")
    hook["status"] = "SUCCEEDED" if (request.get("action") or "CONTINUE") == "CONTINUE" else "FAILED"
    region.touch(record.service)
    return {"serviceDeploymentArn": record.arn}


def _record(region, arn: str):
    return next(
        (r for c in region.clusters.values() for s in c.services.values() for r in s.history if r.arn == arn), None
    )


def _existing(region, arn: str):
    record = _record(region, arn)
    if record is None:
        raise EcsError("ServiceDeploymentNotFoundException", "The specified service deployment was not found.")
    return record


def _moment(value, otherwise: float) -> float:
    if value is None:
        return otherwise
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return float(value)
