"""Application Auto Scaling: scalable targets, policies, scheduled actions, activities. For ECS services only.

Source: Application Auto Scaling API Reference.
"""
from __future__ import annotations

import base64
from typing import Any, Sequence

from ...rules import scaling
from ...rules.errors import EcsError
from ...rules.schedule import check_schedule, refused
from ..auto_scaling import DIMENSION, SUSPENDED, Action, Policy, ScalableTarget
from ..identifiers import ACCOUNT
from . import scaling_operation

MOST_POLICIES, MOST_ACTIONS = 50, 200
MOST_CAPACITY = 2**31 - 1
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"


@scaling_operation
def register_scalable_target(region, request):
    resource = _resource(request)
    service = region.auto_scaling.service(resource)
    if service is None:
        raise refused(f"ECS service doesn't exist: {resource}")
    if service.scheduling_strategy == "DAEMON":
        raise refused("A service that uses the DAEMON scheduling strategy cannot be registered as a scalable target.")
    before = region.auto_scaling.targets.get(resource)
    low, high = request.get("MinCapacity"), request.get("MaxCapacity")
    if before is None and (low is None or high is None):
        raise refused("MinCapacity and MaxCapacity must be specified when a scalable target is registered for the first time")
    was = before.bounds if before else None
    state = {name: getattr(was, field) if was else False for name, field in zip(SUSPENDED, _FIELDS)}
    state.update(request.get("SuspendedState") or {})
    bounds = scaling.Target(
        was.min_capacity if low is None else low,
        was.max_capacity if high is None else high,
        **{field: bool(state[name]) for name, field in zip(SUSPENDED, _FIELDS)},
    )
    if before is None:
        arn = f"arn:aws:application-autoscaling:{region.name}:{ACCOUNT}:scalable-target/{region.ids.hex(40)}"
        before = region.auto_scaling.targets[resource] = ScalableTarget(
            resource, arn, region.clock.now(), bounds, request.get("RoleARN") or SERVICE_ROLE
        )
        region.tags[arn] = [{"key": k, "value": v} for k, v in (request.get("Tags") or {}).items()]
    before.bounds = bounds
    return {"ScalableTargetARN": before.arn}


_FIELDS = ("scaling_in_suspended", "scaling_out_suspended", "scheduled_scaling_suspended")


@scaling_operation
def deregister_scalable_target(region, request):
    target = _target(region, request, "No scalable target found")
    for policy in target.policies.values():
        region.auto_scaling.forget(policy)
    del region.auto_scaling.targets[target.resource_id]
    region.tags.pop(target.arn, None)
    return {}


@scaling_operation
def describe_scalable_targets(region, request):
    found = [t for t in _targets(region, request) if t.resource_id in (request.get("ResourceIds") or [t.resource_id])]
    return _page(request, "ScalableTargets", [_describe_target(t) for t in found])


def _describe_target(target: ScalableTarget) -> dict:
    return {
        **_where(target),
        "MinCapacity": target.bounds.min_capacity,
        "MaxCapacity": target.bounds.max_capacity,
        "RoleARN": target.role,
        "CreationTime": target.created_at,
        "SuspendedState": {name: getattr(target.bounds, field) for name, field in zip(SUSPENDED, _FIELDS)},
        "ScalableTargetARN": target.arn,
    }


# Policies -----------------------------------------------------------------------------


@scaling_operation
def put_scaling_policy(region, request):
    target = _target(region, request)
    name = request["PolicyName"]
    before = target.policies.get(name)
    kind = request.get("PolicyType") or (before.type if before else "StepScaling")
    if before and kind != before.type:
        raise refused("You cannot change the type of a scaling policy. Delete it and create it again.")
    if before is None and len(target.policies) >= MOST_POLICIES:
        raise EcsError("LimitExceededException", f"You can have at most {MOST_POLICIES} scaling policies per scalable target.")
    configuration, rule = _rule(kind, name, request)
    if kind == "TargetTrackingScaling":
        _check_metric_is_free(target, name, configuration)
    arn = before.arn if before else region.auto_scaling.arn("scalingPolicy", f"resource/ecs/{target.resource_id}", f"policyName/{name}")
    policy = Policy(name, arn, kind, configuration, rule, before.created_at if before else region.clock.now())
    if before:
        region.auto_scaling.forget(before)
    if kind == "TargetTrackingScaling":
        region.auto_scaling.track(target, policy)
    target.policies[name] = policy
    return {"PolicyARN": arn, "Alarms": _alarms(region, policy)}


def _rule(kind: str, name: str, request: dict) -> tuple[dict, Any]:
    if kind == "PredictiveScaling":
        raise refused("ecslab does not forecast: PredictiveScaling policies are not built.")
    field, read = {
        "TargetTrackingScaling": ("TargetTrackingScalingPolicyConfiguration", scaling.target_tracking),
        "StepScaling": ("StepScalingPolicyConfiguration", scaling.step_scaling),
    }.get(kind, ("", None))
    if read is None:
        raise refused("PolicyType should be one of [StepScaling, TargetTrackingScaling, PredictiveScaling]")
    if not request.get(field):
        raise refused(f"{field} must be specified for a policy of type {kind}")
    custom = request[field].get("CustomizedMetricSpecification") or {}
    if custom.get("Metrics"):
        raise refused("ecslab does not compute metric math. Name one metric with Namespace, MetricName and Statistic.")
    if custom and not all(custom.get(wanted) for wanted in ("Namespace", "MetricName", "Statistic")):
        raise refused("A customized metric needs MetricName, Namespace and Statistic")
    return request[field], read(name, request[field])


def _check_metric_is_free(target: ScalableTarget, name: str, configuration: dict) -> None:
    metric = [configuration.get(part) for part in ("PredefinedMetricSpecification", "CustomizedMetricSpecification")]
    for other in target.policies.values():
        same = [other.configuration.get(part) for part in ("PredefinedMetricSpecification", "CustomizedMetricSpecification")]
        if other.name != name and other.type == "TargetTrackingScaling" and metric == same:
            raise refused("Only one TargetTrackingScaling policy for a given metric specification is allowed.")


@scaling_operation
def delete_scaling_policy(region, request):
    target = _target(region, request)
    policy = target.policies.pop(request["PolicyName"], None)
    if policy is None:
        raise EcsError("ObjectNotFoundException", f"No scaling policy found for {_said(request)}, policy name: {request['PolicyName']}")
    region.auto_scaling.forget(policy)
    return {}


@scaling_operation
def describe_scaling_policies(region, request):
    found = [
        {
            **_where(target),
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            "PolicyType": policy.type,
            f"{policy.type}PolicyConfiguration": policy.configuration,
            "Alarms": _alarms(region, policy),
            "CreationTime": policy.created_at,
        }
        for target in _targets(region, request)
        for policy in target.policies.values()
        if policy.name in (request.get("PolicyNames") or [policy.name])
    ]
    return _page(request, "ScalingPolicies", found)


def _alarms(region, policy: Policy) -> list[dict]:
    from .. import alarms

    held = alarms.backend(region.name).alarms.values()
    return [{"AlarmName": a.name, "AlarmARN": a.alarm_arn} for a in held if policy.arn in a.alarm_actions]


# Scheduled actions --------------------------------------------------------------------


@scaling_operation
def put_scheduled_action(region, request):
    target = _target(region, request)
    name = request["ScheduledActionName"]
    before = target.actions.get(name)
    if before is None and len(target.actions) >= MOST_ACTIONS:
        raise EcsError("LimitExceededException", f"You can have at most {MOST_ACTIONS} scheduled actions per scalable target.")
    wanted = {**(before.request if before else {}), **{k: v for k, v in request.items() if v is not None}}
    if not wanted.get("Schedule"):
        raise refused("Schedule must be specified")
    check_schedule(wanted["Schedule"], wanted.get("Timezone") or "UTC")
    bounds = wanted.get("ScalableTargetAction") or {}
    low, high = bounds.get("MinCapacity"), bounds.get("MaxCapacity")
    scaling.scheduled(scaling.Target(0, MOST_CAPACITY), 0, low, high)  # says what is wrong with them
    if wanted.get("StartTime") and wanted.get("EndTime") and wanted["EndTime"] <= wanted["StartTime"]:
        raise refused("EndTime must be later than StartTime")
    arn = before.arn if before else region.auto_scaling.arn("scheduledAction", f"resource/ecs/{target.resource_id}", f"scheduledActionName/{name}")
    action = target.actions[name] = Action(name, arn, wanted, before.created_at if before else region.clock.now())
    region.auto_scaling.schedule(target, action)
    return {}


@scaling_operation
def delete_scheduled_action(region, request):
    target = _target(region, request)
    if target.actions.pop(request["ScheduledActionName"], None) is None:
        raise EcsError("ObjectNotFoundException", f"No scheduled action found for {_said(request)}, scheduled action name: {request['ScheduledActionName']}")
    return {}


@scaling_operation
def describe_scheduled_actions(region, request):
    fields = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
    found = [
        {
            **_where(target),
            "ScheduledActionName": action.name,
            "ScheduledActionARN": action.arn,
            **{field: action.request.get(field) for field in fields},
            "CreationTime": action.created_at,
        }
        for target in _targets(region, request)
        for action in target.actions.values()
        if action.name in (request.get("ScheduledActionNames") or [action.name])
    ]
    return _page(request, "ScheduledActions", found)


# Activities and tags ------------------------------------------------------------------


@scaling_operation
def describe_scaling_activities(region, request):
    unscaled = request.get("IncludeNotScaledActivities")
    found = [
        {
            **_where(target),
            "ActivityId": activity.id,
            "Description": activity.description,
            "Cause": activity.cause,
            "StartTime": activity.started_at,
            "EndTime": activity.ended_at,
            "StatusCode": activity.status,
            "StatusMessage": activity.message or None,
            "NotScaledReasons": [activity.reason] if activity.reason else None,
        }
        for target in _targets(region, request)
        for activity in target.activities
        if unscaled or activity.reason is None
    ]
    return _page(request, "ScalingActivities", sorted(found, key=lambda a: -a["StartTime"]))


@scaling_operation
def list_tags_for_resource(region, request):
    return {"Tags": {tag["key"]: tag["value"] for tag in _tags(region, request)}}


@scaling_operation
def tag_resource(region, request):
    held = {tag["key"]: tag["value"] for tag in _tags(region, request)} | request["Tags"]
    region.tags[request["ResourceARN"]] = [{"key": k, "value": v} for k, v in held.items()]
    return {}


@scaling_operation
def untag_resource(region, request):
    region.tags[request["ResourceARN"]] = [tag for tag in _tags(region, request) if tag["key"] not in request["TagKeys"]]
    return {}


def _tags(region, request) -> list[dict]:
    arn = request["ResourceARN"]
    if all(target.arn != arn for target in region.auto_scaling.targets.values()):
        raise EcsError("ResourceNotFoundException", f"No scalable target found for resource ARN: {arn}")
    return region.tags.get(arn, [])


# What they share ----------------------------------------------------------------------


def _resource(request) -> str:
    """The resource id of an ECS service. ValidationException for anything else."""
    if request["ServiceNamespace"] != "ecs" or request["ScalableDimension"] != DIMENSION:
        _only_ecs(request)
        raise refused("Unsupported service namespace, resource type or scalable dimension")
    parts = request["ResourceId"].split("/")
    if len(parts) != 3 or parts[0] != "service" or not all(parts):
        raise refused("Unsupported service namespace, resource type or scalable dimension")
    return request["ResourceId"]


def _only_ecs(request) -> None:
    if request["ServiceNamespace"] != "ecs":
        raise refused(f"ecslab scales ECS services only, not the service namespace {request['ServiceNamespace']}")


def _target(region, request, otherwise: str = "No scalable target registered") -> ScalableTarget:
    target = region.auto_scaling.targets.get(_resource(request))
    if target is None:
        raise EcsError("ObjectNotFoundException", f"{otherwise} for {_said(request)}")
    return target


def _said(request) -> str:
    return f"service namespace: ecs, resource ID: {request['ResourceId']}, scalable dimension: {DIMENSION}"


def _targets(region, request) -> list[ScalableTarget]:
    _only_ecs(request)
    if request.get("ScalableDimension") not in (None, DIMENSION):
        return []
    return [t for t in region.auto_scaling.targets.values() if request.get("ResourceId") in (None, t.resource_id)]


def _where(target: ScalableTarget) -> dict:
    return {"ServiceNamespace": "ecs", "ResourceId": target.resource_id, "ScalableDimension": DIMENSION}


def _page(request, name: str, items: Sequence[dict]) -> dict:
    size = request.get("MaxResults") or 50
    try:
        start = int(base64.urlsafe_b64decode(request.get("NextToken") or b"MA==").decode())
    except ValueError:
        raise EcsError("InvalidNextTokenException", "Invalid NextToken") from None
    response: dict = {name: list(items[start : start + size])}
    if start + size < len(items):
        response["NextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return response
