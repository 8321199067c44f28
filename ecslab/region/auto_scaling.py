"""Application Auto Scaling for services: targets, policies, scheduled actions, activities.

Right after the alarms have been evaluated every scalable target is asked what
its policies want; `rules.scaling` decides, and the decision moves the service's
desired count. Scheduled actions come at their own time.

Choice of ours, where AWS documents none: an activity is InProgress until as many
tasks run as it asked for, or Overridden when the desired count was changed before.

Source: Application Auto Scaling User Guide, "Target tracking scaling policies",
"Step scaling policies", "Scheduled scaling", "Scaling activities"; Developer
Guide, "Automatically scale your Amazon ECS service".
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping

from ..rules import scaling
from ..rules.errors import EcsError
from ..rules.schedule import next_occurrence
from . import alarms
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region
    from .model import Service

MOST_ACTIVITIES = 1000
DIMENSION = "ecs:service:DesiredCount"
SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@dataclass
class Activity:
    """One scaling activity, or one that did not happen (`reason`)."""

    id: str
    description: str
    cause: str
    started_at: float
    desired: int
    status: str = "InProgress"
    message: str = ""
    ended_at: float | None = None
    reason: dict | None = None  # a NotScaledReason


@dataclass
class Policy:
    name: str
    arn: str
    type: str  # TargetTrackingScaling | StepScaling
    configuration: dict  # as given
    rule: scaling.TargetTracking | scaling.StepScaling
    created_at: float
    pair: tuple[scaling.Alarm, scaling.Alarm] | None = None  # target tracking's own alarms


@dataclass
class Action:
    """A scheduled action. `request` is PutScheduledAction's."""

    name: str
    arn: str
    request: dict
    created_at: float


@dataclass
class ScalableTarget:
    resource_id: str
    arn: str
    created_at: float
    bounds: scaling.Target
    role: str
    policies: dict[str, Policy] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    cooldown: scaling.Cooldown = scaling.Cooldown()
    activities: deque[Activity] = field(default_factory=lambda: deque(maxlen=MOST_ACTIVITIES))  # newest first


class AutoScaling:
    def __init__(self, region: "Region"):
        self._region = region
        self.targets: dict[str, ScalableTarget] = {}  # by resource id

    def service(self, resource_id: str) -> "Service | None":
        """The service of `service/<cluster>/<service>`, unless it is gone."""
        _, cluster, name = (resource_id.split("/") + ["", ""])[:3]
        found = self._region.clusters.get(cluster)
        service = found.services.get(name) if found else None
        return service if service is not None and service.status == "ACTIVE" else None

    # Once a minute ------------------------------------------------------------------

    def evaluate(self, now: float) -> None:
        """Ask every scalable target's policies, and do what they agree on."""
        for target in self.targets.values():
            service = self.service(target.resource_id)
            if service is None:
                continue
            self._follow(target, service, now)
            wishes = [wish for policy in target.policies.values() for wish in self._wishes(policy, target, service, now)]
            decision = scaling.decide(target.bounds, service.desired_count, wishes, target.cooldown, now, _deploys(service))
            if decision.desired != service.desired_count:
                target.cooldown = decision.cooldown
                self._set(target, service, decision.desired, scaling.activity_cause(decision.wish), now)
            elif decision.reason.startswith("Already"):
                self._not_scaled(target, service, decision, now)

    def _wishes(self, policy: Policy, target: ScalableTarget, service: "Service", now: float) -> list[scaling.Wish | None]:
        if policy.pair is not None:
            return [self._tracking_wish(policy, service, now)]
        wishes = []
        for alarm in self._region.monitoring.alarms.with_action(policy.arn):
            value = self._latest(alarm, now)
            rule = alarms.rule_of(alarm)
            wishes.append(scaling.step_wish(policy.rule, rule, alarm.state_value, value, service.desired_count, target.cooldown, now))
        return wishes

    def _tracking_wish(self, policy: Policy, service: "Service", now: float) -> scaling.Wish | None:
        held = alarms.backend(self._region.name).alarms
        pair = [held.get(alarm.name) for alarm in policy.pair]
        if None in pair:
            return None  # someone deleted an alarm that must not be deleted
        states = tuple(alarm.state_value for alarm in pair)
        running, _ = service.counts()
        return scaling.tracking_wish(policy.rule, policy.pair, states, self._latest(pair[0], now), running, service.desired_count)

    def _latest(self, alarm, now: float) -> float | None:
        """The newest datapoint that the alarm has looked at."""
        points = alarms.datapoints(self._region.name, alarm, now) or ()
        return next((value for _, value in reversed(points) if value is not None), None)

    # Changing the desired count -----------------------------------------------------

    def _set(self, target: ScalableTarget, service: "Service", desired: int, cause: str, now: float) -> None:
        service.desired_count = desired
        service.steady = False
        service.changed_at = now
        message = f"Successfully set desired count to {desired}. Waiting for change to be fulfilled by ecs."
        target.activities.appendleft(
            Activity(self._region.ids.uuid(), scaling.activity_description(desired), cause, now, desired, message=message)
        )
        self._region.event_bridge.action(service, "INFO", "SERVICE_DESIRED_COUNT_UPDATED")
        self._region.touch(service)

    def _follow(self, target: ScalableTarget, service: "Service", now: float) -> None:
        """See how activities on their way have come out."""
        latest = next((a for a in target.activities if a.reason is None), None)
        for activity in target.activities:
            if activity.status != "InProgress":
                continue
            if service.desired_count != activity.desired or activity is not latest:
                activity.status, activity.ended_at = "Overridden", now
                activity.message = f"Successfully set desired count to {activity.desired}. Found it was later changed to {service.desired_count}."
            elif service.counts() == (activity.desired, 0):
                activity.status, activity.ended_at = "Successful", now
                activity.message = scaling.activity_message(activity.desired)

    def _not_scaled(self, target: ScalableTarget, service: "Service", decision: scaling.Decision, now: float) -> None:
        """Remember once why a policy's wish came to nothing."""
        bound = "MaxCapacity" if decision.reason == "AlreadyAtMaxCapacity" else "MinCapacity"
        limit = target.bounds.max_capacity if bound == "MaxCapacity" else target.bounds.min_capacity
        reason = {"Code": decision.reason, bound: limit, "CurrentCapacity": service.desired_count}
        if target.activities and target.activities[0].reason == reason:
            return
        said = f"Attempting to scale due to {scaling.activity_cause(decision.wish)}"
        unscaled = Activity(self._region.ids.uuid(), said, scaling.activity_cause(decision.wish), now, service.desired_count, "Unfulfilled")
        unscaled.ended_at, unscaled.reason = now, reason
        target.activities.appendleft(unscaled)

    # Scheduled actions ----------------------------------------------------------------

    def schedule(self, target: ScalableTarget, action: Action) -> None:
        """Have the action run at its next time, and again, for as long as it stands."""
        request = action.request
        due = next_occurrence(
            request["Schedule"],
            self._region.clock.now(),
            request.get("Timezone") or "UTC",
            request.get("StartTime"),
            request.get("EndTime"),
            action.created_at,
        )
        if due is not None:
            self._region.wake_at(due, lambda: self._run(target, action))

    def _run(self, target: ScalableTarget, action: Action) -> None:
        if self.targets.get(target.resource_id) is not target or target.actions.get(action.name) is not action:
            return
        if not target.bounds.scheduled_scaling_suspended:
            self._move(target, action)
        self.schedule(target, action)

    def _move(self, target: ScalableTarget, action: Action) -> None:
        """Give the target the action's bounds, and bring the desired count within them."""
        now, service = self._region.clock.now(), self.service(target.resource_id)
        wanted = action.request["ScalableTargetAction"]
        low, high = wanted.get("MinCapacity"), wanted.get("MaxCapacity")
        said = " and ".join(f"{name} capacity to {value}" for name, value in (("min", low), ("max", high)) if value is not None)
        cause = f"scheduled action name {action.name} was triggered"
        activity = Activity(self._region.ids.uuid(), f"Setting {said}", cause, now, 0, "Successful", f"Successfully set {said}", now)
        target.activities.appendleft(activity)
        try:
            target.bounds, desired = scaling.scheduled(target.bounds, service.desired_count if service else 0, low, high)
        except EcsError as error:  # the bound it does not name is beyond the one it does
            activity.status, activity.message = "Failed", error.message
            return
        if service is not None and desired != service.desired_count:
            bound = "minimum" if desired > service.desired_count else "maximum"
            self._set(target, service, desired, f"{bound} capacity was set to {desired}", now)

    # Policies and their alarms ----------------------------------------------------------

    def track(self, target: ScalableTarget, policy: Policy) -> None:
        """Make the pair of alarms that a target tracking policy lives by."""
        ids = self._region.ids
        policy.pair = scaling.alarm_pair(policy.rule, target.resource_id, ids.uuid(), ids.uuid())
        metric = _metric(target, policy.configuration)
        for alarm in policy.pair:
            alarms.backend(self._region.name).put_metric_alarm(
                name=alarm.name,
                comparison_operator=alarm.comparison_operator,
                evaluation_periods=alarm.evaluation_periods,
                datapoints_to_alarm=alarm.datapoints_to_alarm,
                threshold=alarm.threshold,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
                alarm_actions=[policy.arn],
                **{"period": alarm.period, **metric},
            )
        self._region.monitoring.alarms.look()

    def forget(self, policy: Policy) -> None:
        """Its alarms go with a policy."""
        for alarm in policy.pair or ():
            alarms.backend(self._region.name).alarms.pop(alarm.name, None)

    def arn(self, kind: str, *path: str) -> str:
        return f"arn:aws:autoscaling:{self._region.name}:{ACCOUNT}:{kind}:{self._region.ids.uuid()}:{':'.join(path)}"


def _metric(target: ScalableTarget, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What target tracking's alarms look at."""
    custom = configuration.get("CustomizedMetricSpecification")
    if custom:
        return {
            "namespace": custom["Namespace"],
            "metric_name": custom["MetricName"],
            "statistic": custom["Statistic"],
            "dimensions": custom.get("Dimensions") or [],
            "unit": custom.get("Unit"),
        }
    predefined = configuration["PredefinedMetricSpecification"]
    namespace, name = scaling.PREDEFINED_METRICS[predefined["PredefinedMetricType"]]
    if namespace == "AWS/ECS":
        _, cluster, service = target.resource_id.split("/")
        dimensions, statistic = {"ClusterName": cluster, "ServiceName": service}, "Average"
    else:
        group = predefined["ResourceLabel"].partition("/targetgroup/")[2]
        dimensions, statistic = {"TargetGroup": f"targetgroup/{group}"}, "Sum"
    fast = predefined["PredefinedMetricType"].endswith("HighResolution")
    return {
        "namespace": namespace,
        "metric_name": name,
        "statistic": statistic,
        "dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        **({"period": 20} if fast else {}),
    }


def _deploys(service: "Service") -> bool:
    """A rolling or native deployment turns scale-in off; other controllers' deployments do not."""
    return service.deployment_controller == "ECS" and bool(service.deployments) and service.primary.rollout_state == "IN_PROGRESS"
