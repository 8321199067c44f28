"""How many tasks a service should run: alarms, target tracking, step and scheduled scaling.

Theory. A metric becomes an alarm state, an alarm state becomes a policy's wish for a
capacity, the wishes become one decision, and the decision moves the desired count
within the scalable target's bounds.

- An alarm looks at the last N datapoints and is in ALARM when M of them breach.
- Target tracking makes its own pair of alarms and scales in proportion to how far
  the metric is from the target. Step scaling adds the step its alarm's breach fell in.
- Out if any policy asks, in only if all ask; the largest capacity wins.
- Cooldown: scale-in waits for it. Scale-out does not, but what the cooling-down
  activity already added counts, so only a bigger wish adds more.
- A scheduled action moves the bounds; the desired count follows only if left outside.
  When it runs is told in `schedule.py`.

Choices of ours, where AWS documents none: target tracking's formula
ceil(running x metric / target), also for scale-in, where AWS is more gradual;
the low alarm at nine tenths of the target for every metric; two datapoints beyond N
as the range an alarm looks back over.

Sources: Application Auto Scaling User Guide, "Target tracking scaling policies",
"Step scaling policies", "Scheduled scaling", "Scaling activities"; Developer Guide,
"Automatically scale your Amazon ECS service"; CloudWatch User Guide, "Evaluating an
alarm", "Configuring how CloudWatch alarms treat missing data".
"""
from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Iterable, Mapping, Sequence

from .schedule import check_schedule, next_occurrence, refused  # noqa: F401  (a scheduled action's other half)

DEFAULT_COOLDOWN = 300
MAX_STEPS = 20
LOOK_BACK = 2  # datapoints an alarm reads beyond its evaluation periods

# A predefined metric: its namespace and name.
PREDEFINED_METRICS = {
    "ECSServiceAverageCPUUtilization": ("AWS/ECS", "CPUUtilization"),
    "ECSServiceAverageMemoryUtilization": ("AWS/ECS", "MemoryUtilization"),
    "ECSServiceAverageCPUUtilizationHighResolution": ("AWS/ECS", "CPUUtilization"),
    "ECSServiceAverageMemoryUtilizationHighResolution": ("AWS/ECS", "MemoryUtilization"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}
ADJUSTMENT_TYPES = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")


# Metrics and alarms ---------------------------------------------------------


def utilization(used: Iterable[float], reserved: Iterable[float]) -> float | None:
    """CPUUtilization or MemoryUtilization in percent; None when no task reserves anything."""
    total = sum(reserved)
    return 100 * sum(used) / total if total else None


_COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A CloudWatch alarm: M = `datapoints_to_alarm` of N = `evaluation_periods`."""

    name: str
    comparison_operator: str
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    period: int = 60
    treat_missing_data: str = "missing"  # | breaching | notBreaching | ignore

    def breaches(self, value: float) -> bool:
        return _COMPARISONS[self.comparison_operator](value, self.threshold)


def evaluate(alarm: Alarm, datapoints: Sequence[float | None], state: str = "INSUFFICIENT_DATA") -> str:
    """OK, ALARM or INSUFFICIENT_DATA. One datapoint per period, oldest first, None where it is missing.

    CloudWatch prefers the last N datapoints it has; only where there are fewer
    does the treatment of missing data count.
    """
    wanted, to_alarm, treatment = alarm.evaluation_periods, alarm.datapoints_to_alarm, alarm.treat_missing_data
    recent = list(datapoints)[-(wanted + LOOK_BACK) :]
    ages = [(age, value) for age, value in enumerate(reversed(recent), start=1) if value is not None][:wanted]
    missing = wanted - len(ages)
    breaching = sum(alarm.breaches(value) for _, value in ages)
    if breaching + (missing if treatment == "breaching" else 0) >= to_alarm:
        return "ALARM"
    if not missing or treatment in ("breaching", "notBreaching"):
        return "OK"
    if not ages:
        return state if treatment == "ignore" else "INSUFFICIENT_DATA"
    if breaching < len(ages):
        return "OK"
    # Nothing but breaches, too few of them: enough only if the first is old enough.
    return "ALARM" if treatment == "missing" and ages[-1][0] >= to_alarm else state


# The scalable target --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A scalable target's bounds and its SuspendedState."""

    min_capacity: int
    max_capacity: int
    scaling_in_suspended: bool = False
    scaling_out_suspended: bool = False
    scheduled_scaling_suspended: bool = False

    def __post_init__(self):
        if self.min_capacity < 0:
            raise refused("Minimum capacity cannot be negative")
        if self.max_capacity < self.min_capacity:
            raise refused("Maximum capacity cannot be less than minimum capacity")

    def within(self, capacity: int) -> int:
        return min(max(capacity, self.min_capacity), self.max_capacity)


# Target tracking ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TargetTracking:
    name: str
    target_value: float
    scale_out_cooldown: float = DEFAULT_COOLDOWN
    scale_in_cooldown: float = DEFAULT_COOLDOWN
    disable_scale_in: bool = False
    metric: str = "ECSServiceAverageCPUUtilization"  # predefined type, or "" for a customized metric


def target_tracking(name: str, configuration: Mapping) -> TargetTracking:
    """TargetTrackingScalingPolicyConfiguration, checked."""
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise refused("Specify either PredefinedMetricSpecification or CustomizedMetricSpecification")
    metric = (predefined or {}).get("PredefinedMetricType", "")
    if predefined is not None:
        if metric not in PREDEFINED_METRICS:
            raise refused(f"PredefinedMetricType should be one of [{', '.join(PREDEFINED_METRICS)}]")
        if (metric == "ALBRequestCountPerTarget") != bool(predefined.get("ResourceLabel")):
            raise refused("ResourceLabel must be specified for ALBRequestCountPerTarget, and only for it")
    if configuration.get("TargetValue", 0) <= 0:
        raise refused("TargetValue must be greater than 0")
    return TargetTracking(
        name=name,
        target_value=float(configuration["TargetValue"]),
        scale_out_cooldown=_cooldown(configuration.get("ScaleOutCooldown")),
        scale_in_cooldown=_cooldown(configuration.get("ScaleInCooldown")),
        disable_scale_in=bool(configuration.get("DisableScaleIn")),
        metric=metric,
    )


def _cooldown(seconds: int | None) -> int:
    if seconds is not None and seconds < 0:
        raise refused("Cooldown cannot be negative")
    return DEFAULT_COOLDOWN if seconds is None else seconds


def alarm_pair(policy: TargetTracking, resource_id: str, high_id: str, low_id: str) -> tuple[Alarm, Alarm]:
    """The alarms target tracking makes: above the target for 3 minutes, below nine tenths of it for 15."""
    start = f"TargetTracking-{resource_id}-Alarm"
    low = round(policy.target_value * 0.9, 9)
    return (
        Alarm(f"{start}High-{high_id}", "GreaterThanThreshold", policy.target_value, 3, 3),
        Alarm(f"{start}Low-{low_id}", "LessThanThreshold", low, 15, 15),
    )


def tracked_capacity(running: int, metric: float, target_value: float) -> int:
    """The capacity at which the metric would be back at its target."""
    return ceil(round(running * metric / target_value, 9))


# Step scaling ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """Bounds are relative to the alarm's threshold; None is unbounded."""

    lower: float | None
    upper: float | None
    adjustment: int

    def holds(self, breach: float) -> bool:
        """Above the threshold the lower bound belongs to the step, below it the upper one does."""
        low, high = self.span
        return (breach >= 0 and low <= breach < high) or (breach <= 0 and low < breach <= high)

    @property
    def span(self) -> tuple[float, float]:
        return (-inf if self.lower is None else self.lower, inf if self.upper is None else self.upper)


@dataclass(frozen=True, slots=True)
class StepScaling:
    name: str
    adjustment_type: str
    steps: tuple[Step, ...]
    cooldown: float = DEFAULT_COOLDOWN
    min_adjustment_magnitude: int = 0  # percent only
    metric_aggregation_type: str = "Average"


def step_scaling(name: str, configuration: Mapping) -> StepScaling:
    """StepScalingPolicyConfiguration, checked."""
    type = configuration.get("AdjustmentType")
    if type not in ADJUSTMENT_TYPES:
        raise refused(f"AdjustmentType should be one of [{', '.join(ADJUSTMENT_TYPES)}]")
    magnitude = configuration.get("MinAdjustmentMagnitude") or 0
    if magnitude and type != "PercentChangeInCapacity":
        raise refused("MinAdjustmentMagnitude is only supported with PercentChangeInCapacity")
    aggregation = configuration.get("MetricAggregationType", "Average")
    if aggregation not in ("Average", "Minimum", "Maximum"):
        raise refused("MetricAggregationType should be one of [Average, Minimum, Maximum]")
    steps = tuple(
        Step(s.get("MetricIntervalLowerBound"), s.get("MetricIntervalUpperBound"), s["ScalingAdjustment"])
        for s in configuration.get("StepAdjustments", ())
    )
    _check_steps(steps, type)
    return StepScaling(name, type, steps, _cooldown(configuration.get("Cooldown")), magnitude, aggregation)


def _check_steps(steps: tuple[Step, ...], adjustment_type: str) -> None:
    spans = sorted(s.span for s in steps)
    lows, highs = [low for low, _ in spans], [high for _, high in spans]
    seams = list(zip(highs, lows[1:]))
    wrong = (
        (not steps, "At least one StepAdjustment must be specified"),
        (len(steps) > MAX_STEPS, f"There can be at most {MAX_STEPS} step adjustments per scaling policy"),
        ((-inf, inf) in spans, "Both lower and upper bounds of a step adjustment cannot be left unspecified"),
        (lows.count(-inf) > 1, "At most one StepAdjustment may have an unspecified lower bound"),
        (highs.count(inf) > 1, "At most one StepAdjustment may have an unspecified upper bound"),
        (any(low >= high for low, high in spans), "A StepAdjustment's lower bound must be less than its upper bound"),
        (
            -inf < min(lows, default=0) < 0,
            "There must be a StepAdjustment with an unspecified lower bound when one StepAdjustment has a negative "
            "lower bound",
        ),
        (
            0 < max(highs, default=0) < inf,
            "There must be a StepAdjustment with an unspecified upper bound when one StepAdjustment has a positive "
            "upper bound",
        ),
        (any(high > low for high, low in seams), "StepAdjustment intervals can't overlap"),
        (any(high < low for high, low in seams), "StepAdjustment intervals can't have gaps between them"),
        (
            adjustment_type == "ExactCapacity" and any(s.adjustment < 0 for s in steps),
            "ScalingAdjustment cannot be negative with ExactCapacity",
        ),
    )
    for is_wrong, message in wrong:
        if is_wrong:
            raise refused(message)


def percent_change(capacity: int, percent: int, minimum_magnitude: int = 0) -> int:
    """Tasks to add (or remove): toward zero, but at least one, and at least the minimum magnitude."""
    if not percent or not capacity:
        return 0
    size = max(abs(capacity * percent) // 100, 1, minimum_magnitude)
    return size if percent > 0 else -size


def stepped_capacity(policy: StepScaling, capacity: int, breach: float) -> int | None:
    """The capacity the policy asks for when the metric is `breach` away from the threshold; None: no such step."""
    step = next((s for s in policy.steps if s.holds(breach)), None)
    if step is None:
        return None
    return {
        "ExactCapacity": step.adjustment,
        "ChangeInCapacity": capacity + step.adjustment,
        "PercentChangeInCapacity": capacity
        + percent_change(capacity, step.adjustment, policy.min_adjustment_magnitude),
    }[policy.adjustment_type]


# From wishes to one decision ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cooldown:
    """What the last scaling activity left behind."""

    direction: str = ""  # "out" | "in" | "" for none yet
    until: float = 0.0
    base: int = 0  # the capacity before it added anything

    def active(self, now: float, direction: str | None = None) -> bool:
        return now < self.until and direction in (None, self.direction)


@dataclass(frozen=True, slots=True)
class Wish:
    """One policy's say. Equal to the current capacity: it wants to stay there."""

    policy: str
    capacity: int
    cooldown: float = DEFAULT_COOLDOWN
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The desired count from now on. `reason` says why nothing changed, in NotScaledReasons' codes or ours."""

    desired: int
    cooldown: Cooldown
    wish: Wish | None = None
    reason: str = ""


def tracking_wish(
    policy: TargetTracking,
    alarms: tuple[Alarm, Alarm],
    states: tuple[str, str],
    metric: float | None,
    running: int,
    current: int,
) -> Wish | None:
    """What target tracking asks for, given the states of its high and low alarm; None: it has no say."""
    high, low = alarms
    if metric is not None and states[0] == "ALARM":
        capacity = max(current, tracked_capacity(running, metric, policy.target_value))
        return Wish(policy.name, capacity, policy.scale_out_cooldown, high.name)
    if policy.disable_scale_in:
        return None
    if metric is not None and states[1] == "ALARM":
        capacity = min(current, tracked_capacity(running, metric, policy.target_value))
        return Wish(policy.name, capacity, policy.scale_in_cooldown, low.name)
    return Wish(policy.name, current)


def step_wish(
    policy: StepScaling, alarm: Alarm, state: str, metric: float | None, current: int, cooldown: Cooldown, now: float
) -> Wish | None:
    """What step scaling asks for while its alarm is in ALARM; None otherwise."""
    if state != "ALARM" or metric is None:
        return None
    cooling_out = cooldown.active(now, "out")
    capacity = stepped_capacity(policy, cooldown.base if cooling_out else current, metric - alarm.threshold)
    if capacity is None:
        return None
    if cooling_out and capacity > cooldown.base:
        capacity = max(capacity, current)  # a smaller step takes nothing back
    return Wish(policy.name, capacity, policy.cooldown, alarm.name)


def decide(
    target: Target,
    current: int,
    wishes: Iterable[Wish | None],
    cooldown: Cooldown,
    now: float,
    deploying: bool = False,
) -> Decision:
    """The desired count. `deploying`: a rolling update is going on, which turns scale-in off."""
    asked = [w for w in wishes if w is not None]
    if not asked:
        return Decision(current, cooldown)
    wish = max(asked, key=lambda w: w.capacity)
    if wish.capacity == current:
        return Decision(current, cooldown)
    direction = "out" if wish.capacity > current else "in"
    held = _held_back(target, direction, cooldown, now, deploying)
    if held:
        return Decision(current, cooldown, wish, held)
    desired = target.within(wish.capacity)
    if desired == current:
        return Decision(current, cooldown, wish, f"AlreadyAt{'Max' if direction == 'out' else 'Min'}Capacity")
    base = cooldown.base if direction == "out" and cooldown.active(now, "out") else current
    return Decision(desired, Cooldown(direction, now + wish.cooldown, base), wish)


def _held_back(target: Target, direction: str, cooldown: Cooldown, now: float, deploying: bool) -> str:
    if direction == "out":
        return "suspended" if target.scaling_out_suspended else ""
    reasons = (
        (target.scaling_in_suspended, "suspended"),
        (deploying, "deployment in progress"),
        (cooldown.active(now), "cooldown"),
    )
    return next((reason for holds, reason in reasons if holds), "")


# Scaling activities' words --------------------------------------------------


def activity_description(desired: int) -> str:
    return f"Setting desired count to {desired}."


def activity_message(desired: int) -> str:
    return f"Successfully set desired count to {desired}. Change successfully fulfilled by ecs."


def activity_cause(wish: Wish) -> str:
    return f"monitor alarm {wish.alarm} in state ALARM triggered policy {wish.policy}"


# Scheduled scaling ----------------------------------------------------------


def scheduled(target: Target, desired: int, minimum: int | None, maximum: int | None) -> tuple[Target, int]:
    """The target with a scheduled action's bounds, and the desired count, moved only if it is outside them."""
    if minimum is None and maximum is None:
        raise refused("At least one of minimum capacity and maximum capacity should be provided")
    if target.scheduled_scaling_suspended:
        return target, desired
    moved = replace(
        target,
        min_capacity=target.min_capacity if minimum is None else minimum,
        max_capacity=target.max_capacity if maximum is None else maximum,
    )
    return moved, moved.within(desired)
