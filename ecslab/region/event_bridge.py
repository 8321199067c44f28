"""EventBridge: what happens in ECS becomes events, rules choose among them, targets get them; and rules that run by the clock.

moto keeps buses, rules and targets and matches patterns. What it does not
deliver is delivered here: to queues, topics, functions, log groups, other buses,
and to ECS itself, where a target is a task to run. Tasks and services are only
described when there is a rule that could want it.

Source: Developer Guide, "Amazon ECS events"; EventBridge User Guide, "Events",
"Creating a rule that runs on a schedule", "Amazon ECS task targets".
"""
from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ..rules import placement, rollout
from ..rules.errors import EcsError
from ..rules.schedule import check_schedule, next_occurrence
from . import awslogs
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region
    from .model import ContainerInstance, Deployment, Service, Task

log = logging.getLogger("ecslab")
TASK, INSTANCE = "ECS Task State Change", "ECS Container Instance State Change"
SERVICE, DEPLOYMENT = "ECS Service Action", "ECS Deployment State Change"
SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
SCHEDULED = "Scheduled Event"
TIMES = ("At", "at")

# How a service event begins -> (eventType, eventName) of the service action.
ACTIONS = (
    (rollout.STEADY, "INFO", "SERVICE_STEADY_STATE"),
    (rollout.IMPAIRED, "WARN", "SERVICE_TASK_START_IMPAIRED"),
    ("was unable to place a task", "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
)


@lru_cache
def mended():
    """moto's rules, with every target ours. Once for the process."""
    from moto.events import models

    def send_to_targets(rule, event, transform_input=True) -> None:
        from . import current

        region = current()
        if region is not None:
            region.event_bridge.offer(rule, event)

    models.Rule.send_to_targets = send_to_targets
    put = models.EventsBackend.put_rule

    def put_rule(backend, *given, **wanted):
        schedule = wanted.get("scheduled_expression")
        if schedule:
            try:
                check_schedule(schedule)
            except EcsError:
                schedule = "at()"
            if schedule.startswith("at("):
                raise models.ValidationException("Parameter ScheduleExpression is not valid.")
        return put(backend, *given, **wanted)

    models.EventsBackend.put_rule = put_rule
    return models


class EventBridge:
    def __init__(self, region: "Region"):
        self._region = region
        self._clocks: dict[str, tuple] = {}  # rule's ARN -> what it was scheduled with
        region.watch("events", self._schedule)

    # What happens in ECS --------------------------------------------------------------

    def task(self, task: "Task") -> None:
        """A task has changed."""
        if self._wanted():
            self._put(TASK, [task.arn], {**task.describe(), "updatedAt": self._region.clock.now(), "clusterArn": task.cluster.arn})

    def instance(self, instance: "ContainerInstance") -> None:
        """A container instance has come, gone or changed its state."""
        if self._wanted():
            from .api.instances import describe

            self._put(INSTANCE, [instance.arn], {**describe(self._region, instance), "clusterArn": instance.cluster.arn, "updatedAt": self._region.clock.now()})

    def said(self, service: "Service", message: str) -> None:
        """A service has said something: some of it is a service action too."""
        if not self._wanted():
            return
        found = next((a for a in ACTIONS if message.startswith(a[0])), None)
        if found is not None:
            reason = {"reason": _placement_reason(message)} if found[2] == "SERVICE_TASK_PLACEMENT_FAILURE" else {}
            self.action(service, found[1], found[2], **reason)

    def action(self, service: "Service", kind: str, name: str, **more: Any) -> None:
        """A service action: `kind` is INFO, WARN or ERROR."""
        if self._wanted():
            now = self._region.clock.now()
            self._put(SERVICE, [service.arn], {"eventType": kind, "eventName": name, "clusterArn": service.cluster.arn, "createdAt": now, **more})

    def deployment(self, service: "Service", deployment: "Deployment") -> None:
        """A deployment has begun, is done, or has failed."""
        if self._wanted():
            failed = deployment.rollout_state == "FAILED"
            detail = {
                "eventType": "ERROR" if failed else "INFO",
                "eventName": f"SERVICE_DEPLOYMENT_{deployment.rollout_state}",
                "deploymentId": deployment.id,
                "updatedAt": deployment.updated_at,
                "reason": deployment.rollout_state_reason,
            }
            self._put(DEPLOYMENT, [service.arn], detail)

    def _rules(self) -> list[Any]:
        return [rule for bus in _backend(self._region.name).event_buses.values() for rule in bus.rules.values()]

    def _wanted(self) -> bool:
        return any(rule.targets for rule in _backend(self._region.name).event_buses["default"].rules.values())

    def spot_warning(self, instance: "ContainerInstance") -> None:
        """EC2 takes a Spot Instance back in two minutes."""
        if self._wanted():
            machine = instance.ec2_instance_id
            detail = {"instance-id": machine, "instance-action": "terminate"}
            self._put(SPOT_WARNING, [f"arn:aws:ec2:{instance.zone}:instance/{machine}"], detail, source="aws.ec2")

    def _put(self, detail_type: str, resources: list[str], detail: dict, source: str = "aws.ecs") -> None:
        event = self._event(detail_type, source, resources, _iso(detail))
        for rule in _backend(self._region.name).event_buses["default"].rules.values():
            self.offer(rule, event)

    def _event(self, detail_type: str, source: str, resources: list[str], detail: dict) -> dict:
        return {
            "version": "0",
            "id": self._region.ids.uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": f"{self._region.now():%Y-%m-%dT%H:%M:%SZ}",
            "region": self._region.name,
            "resources": resources,
            "detail": detail,
        }

    # Rules and their targets ------------------------------------------------------------

    def offer(self, rule, event: Mapping[str, Any]) -> None:
        """Give the rule's targets the event, if it matches."""
        pattern = rule.event_pattern.get_pattern()
        if rule.state == "ENABLED" and pattern and rule.event_pattern.matches_event(dict(event)):
            self._send(rule, event)

    def _send(self, rule, event: Mapping[str, Any]) -> None:
        event = {**event, "time": _as_iso(event["time"])}
        for target in list(rule.targets):
            deliver = TARGETS.get(_service(target["Arn"]))
            if deliver is None:
                log.warning("ecslab does not deliver events to %s", target["Arn"])
                continue
            body = _input(target, event)
            self._region.later(lambda d=deliver, t=target, b=body: self._deliver(d, rule, t, b), lambda _done: None)

    def _deliver(self, deliver: Callable, rule, target: dict, body: Any) -> None:
        try:
            deliver(self._region, rule, target, body)
        except Exception as error:  # a target's trouble is not the rule's
            log.warning("rule %s could not deliver to %s: %s", rule.name, target["Arn"], error)

    # The clock ----------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Rules may have been made or changed: have the ones with a schedule run at their next time."""
        rules = [rule for rule in self._rules() if rule.scheduled_expression]
        for rule in rules:
            setting = rule.scheduled_expression, rule.state
            if self._clocks.get(rule.arn) != setting:
                self._clocks[rule.arn] = setting
                if rule.state == "ENABLED":
                    self._wait(rule.arn, setting, self._region.clock.now())
        here = {rule.arn for rule in rules}
        self._clocks = {arn: setting for arn, setting in self._clocks.items() if arn in here}

    def _wait(self, arn: str, setting: tuple, created: float) -> None:
        try:
            due = next_occurrence(setting[0], self._region.clock.now(), created=created)
        except EcsError as error:
            log.warning("rule %s: %s", arn, error.message)
            return
        if due is not None:
            self._region.wake_at(due, lambda: self._run(arn, setting, created))

    def _run(self, arn: str, setting: tuple, created: float) -> None:
        rule = next((rule for rule in self._rules() if rule.arn == arn), None)
        if rule is None or self._clocks.get(arn) != setting:
            return
        self._send(rule, self._event(SCHEDULED, "aws.events", [arn], {}))
        self._wait(arn, setting, created)


def _backend(region_name: str):
    return mended().events_backends[ACCOUNT][region_name]


def _service(arn: str) -> str:
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def _as_iso(time: Any) -> Any:
    return f"{datetime.fromtimestamp(time, timezone.utc):%Y-%m-%dT%H:%M:%SZ}" if isinstance(time, (int, float)) else time


def _iso(value: Any, name: str = "") -> Any:
    """A description with its times as events have them: text, not numbers."""
    if isinstance(value, dict):
        return {key: _iso(item, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_iso(item) for item in value]
    if name.endswith(TIMES) and isinstance(value, float):
        moment = datetime.fromtimestamp(value, timezone.utc)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return value


def _placement_reason(message: str) -> str:
    """What was missing, in one word of ECS: RESOURCE:CPU, ..."""
    for word, tail in placement.EVENT_TAILS.items():
        if tail in message:
            return word
    return "EMPTY CAPACITY" if "No Container Instances" in message else "ATTRIBUTE"


def _input(target: Mapping[str, Any], event: dict) -> Any:
    """What the target gets: the event, a part of it, a constant, or a text made of it."""
    if target.get("Input"):
        return json.loads(target["Input"])
    if target.get("InputPath"):
        return _at(event, target["InputPath"])
    transformer = target.get("InputTransformer")
    if not transformer:
        return event
    values = {name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    text = re.sub(r"<([^<>]+)>", lambda m: _text(values.get(m[1])), transformer["InputTemplate"])
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(event: Any, path: str) -> Any:
    """`$.detail.taskArn`, `$.detail.containers[0].name` of the event."""
    for name, number in re.findall(r"\.?([\w-]+)|\[(\d+)\]", path.removeprefix("$")):
        try:
            event = event[name] if name else event[int(number)]
        except (KeyError, IndexError, TypeError):
            return None
    return event


# Targets ----------------------------------------------------------------------------------


def _to_queue(region: "Region", rule, target: dict, body: Any) -> None:
    sqs = region.client("sqs")
    url = sqs.get_queue_url(QueueName=target["Arn"].rpartition(":")[2])["QueueUrl"]
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    sqs.send_message(QueueUrl=url, MessageBody=_text(body), **({"MessageGroupId": group} if group else {}))


def _to_topic(region: "Region", rule, target: dict, body: Any) -> None:
    region.client("sns").publish(TopicArn=target["Arn"], Message=_text(body))


def _to_function(region: "Region", rule, target: dict, body: Any) -> None:
    name = target["Arn"].rpartition(":")[2]
    if name not in region.functions:
        raise ValueError(f"there is no function {name}: region.add_function({name!r}, ...) makes one")
    region.functions[name](body, None)


def _to_log_group(region: "Region", rule, target: dict, body: Any) -> None:
    name = target["Arn"].partition(":log-group:")[2].removesuffix(":*")
    with region.lock:
        group = awslogs.backend(region.name).groups[name]
        stream = f"{rule.name}/{region.ids.uuid()}"
        group.create_log_stream(stream)
        group.put_log_events(stream, [{"timestamp": int(region.clock.now() * 1000), "message": _text(body)}])


def _to_bus(region: "Region", rule, target: dict, body: Any) -> None:
    entry = {"Source": body["source"], "DetailType": body["detail-type"], "Detail": json.dumps(body["detail"])}
    region.client("events").put_events(Entries=[{**entry, "EventBusName": target["Arn"].rpartition("/")[2]}])


def _to_ecs(region: "Region", rule, target: dict, body: Any) -> None:
    """Run the task. What was given as constant input are its overrides."""
    wanted = target.get("EcsParameters") or {}
    request = {_lower(name): value for name, value in wanted.items() if name not in RENAMED and name != "NetworkConfiguration"}
    request |= {RENAMED[name]: wanted[name] for name in RENAMED if name in wanted}
    network = (wanted.get("NetworkConfiguration") or {}).get("awsvpcConfiguration")
    if network:
        request["networkConfiguration"] = {"awsvpcConfiguration": {_lower(name): value for name, value in network.items()}}
    overrides = body if target.get("Input") or target.get("InputTransformer") else None
    if isinstance(overrides, dict):
        request["overrides"] = overrides
    answer = region.client("ecs").run_task(cluster=target["Arn"], startedBy=f"events-rule/{rule.name}"[:36], **request)
    if answer["failures"]:
        log.warning("rule %s: %s", rule.name, answer["failures"])


RENAMED = {"TaskDefinitionArn": "taskDefinition", "TaskCount": "count", "EnableECSManagedTags": "enableECSManagedTags"}


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


TARGETS = {"sqs": _to_queue, "sns": _to_topic, "lambda": _to_function, "logs": _to_log_group, "events": _to_bus, "ecs": _to_ecs}
