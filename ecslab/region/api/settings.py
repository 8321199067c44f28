"""Account settings and attributes.

Source: API Reference, PutAccountSetting, ListAccountSettings, PutAttributes,
ListAttributes, DeleteAttributes.
"""
from __future__ import annotations

from ...rules.errors import EcsError, invalid
from .. import identifiers
from . import operation
from .common import cluster_of, page

# Setting -> (value of a new account, the values it may take).
SETTINGS = {
    "serviceLongArnFormat": ("enabled", ("enabled",)),
    "taskLongArnFormat": ("enabled", ("enabled",)),
    "containerInstanceLongArnFormat": ("enabled", ("enabled",)),
    "awsvpcTrunking": ("disabled", ("enabled", "disabled")),
    "containerInsights": ("disabled", ("enhanced", "enabled", "disabled")),
    "fargateFIPSMode": ("disabled", ("enabled", "disabled")),
    "tagResourceAuthorization": ("off", ("on", "off")),
    "fargateTaskRetirementWaitPeriod": ("7", ("0", "7", "14")),
    "guardDutyActivate": ("off", ()),
    "defaultLogDriverMode": ("non-blocking", ("blocking", "non-blocking")),
    "fargateEventWindows": ("disabled", ("enabled", "disabled")),
}
ROOT = f"arn:aws:iam::{identifiers.ACCOUNT}:root"


@operation
def put_account_setting(region, request):
    return {"setting": _put(region, request, request.get("principalArn") or ROOT)}


@operation
def put_account_setting_default(region, request):
    return {"setting": _put(region, request, ROOT)}


@operation
def delete_account_setting(region, request):
    name = _known(request["name"])
    region.settings.pop(name, None)
    return {"setting": {"name": name, "principalArn": request.get("principalArn") or ROOT, "type": "user"}}


@operation
def list_account_settings(region, request):
    name, value = request.get("name"), request.get("value")
    if name:
        _known(name)
    effective = {n: SETTINGS[n][0] for n in SETTINGS} if request.get("effectiveSettings") else {}
    effective.update(region.settings)
    found = [
        {"name": n, "value": v, "principalArn": request.get("principalArn") or ROOT, "type": "user"}
        for n, v in effective.items()
        if name in (None, n) and value in (None, v)
    ]
    return page(request, "settings", found, default=10)


def _known(name: str) -> str:
    if name not in SETTINGS:
        raise invalid(f"unknown should be one of [{','.join(SETTINGS)}]")
    return name


def _put(region, request, principal: str) -> dict:
    name = _known(request["name"])
    allowed = SETTINGS[name][1]
    if request["value"] not in allowed:
        raise invalid(f"value should be one of [{','.join(allowed)}]" if allowed else f"The setting {name} is read-only.")
    region.settings[name] = request["value"]
    return {"name": name, "value": request["value"], "principalArn": principal, "type": "user"}


@operation
def put_attributes(region, request):
    cluster = cluster_of(region, request)
    attributes = request.get("attributes") or []
    if not 1 <= len(attributes) <= 10:
        raise invalid("attributes should have between 1 and 10 items.")
    targets = [_target(cluster, attribute) for attribute in attributes]
    for instance, attribute in zip(targets, attributes):
        instance.attributes[attribute["name"]] = attribute.get("value")
    region.touch_services(cluster)
    return {"attributes": [_shape(i, a["name"], a.get("value")) for i, a in zip(targets, attributes)]}


@operation
def delete_attributes(region, request):
    cluster = cluster_of(region, request)
    deleted = []
    for attribute in request.get("attributes") or []:
        instance = _target(cluster, attribute)
        if attribute["name"] in instance.attributes:
            deleted.append(_shape(instance, attribute["name"], instance.attributes.pop(attribute["name"])))
    region.touch_services(cluster)
    return {"attributes": deleted}


@operation
def list_attributes(region, request):
    cluster = cluster_of(region, request)
    name, value = request.get("attributeName"), request.get("attributeValue")
    if value and not name:
        raise invalid("attributeName must be specified when attributeValue is specified.")
    found = [
        _shape(instance, n, v)
        for instance in cluster.instances.values()
        for n, v in sorted(instance.attributes.items())
        if name in (None, n) and value in (None, v)
    ]
    return page(request, "attributes", found)


def _target(cluster, attribute):
    target = attribute.get("targetId") or ""
    if not attribute.get("name"):
        raise invalid("Attribute name can not be blank.")
    instance = cluster.instances.get(identifiers.within_cluster("container-instance", target, cluster.name))
    if instance is None:
        raise EcsError("TargetNotFoundException", f"Could not find {target}")
    return instance


def _shape(instance, name: str, value: str | None) -> dict:
    return {"name": name, **({} if value is None else {"value": value}), "targetType": "container-instance", "targetId": instance.arn}
