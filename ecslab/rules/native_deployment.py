"""Blue/green, linear and canary deployments: which stage comes next, and whose is the traffic.

Theory. The new revision (green) is brought up beside the old one (blue), each at
full size. Then traffic is shifted: at once, in equal steps, or a little first
and the rest later. The deployment walks through its stages in order; hooks may
hold or fail it at each. A linear or canary deployment passes the two stages of
the production shift, and their hooks, once for every step. Until everything is cleaned up blue can still serve, so
a rollback is one change of weights.

`plan` looks at one deployment and returns what may be done now; the caller does
it and asks again.

Sources: Developer Guide, "Amazon ECS blue/green deployments", "Amazon ECS linear
deployments", "Amazon ECS canary deployments", "Lifecycle hooks for Amazon ECS
service deployments"; API Reference, DeploymentConfiguration, DeploymentLifecycleHook
(`lifecycleStages`: before and at every traffic shift step).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .errors import invalid

STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")
STAGES = (
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP",
)  # fmt: skip
NO_HOOKS = ("SCALE_UP", "BAKE_TIME", "CLEAN_UP")
NO_PAUSE = (*NO_HOOKS, "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
NETWORK_LOAD_BALANCER_DELAY = 10 * 60.0
CALL_BACK_DELAY = 30.0
PAUSE_MINUTES, MOST_PAUSE_MINUTES = 1440, 20160
STAGE_LIMIT = 24 * 3600.0
DEFAULT_BAKE = 15
BEFORE_STEP, STEP = "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"
HOOK_TYPES, TIMEOUT_ACTIONS = ("AWS_LAMBDA", "PAUSE"), ("ROLLBACK", "CONTINUE")
WAITING = ("IN_PROGRESS", "AWAITING_ACTION")
ROLLS_BACK = {"FAILED": "failed", "TIMED_OUT": "timed out"}

# How each strategy is set: (structure, field, default, least, most)
SETTINGS = {
    "BLUE_GREEN": (),
    "LINEAR": (("linearConfiguration", "stepPercent", 10.0, 3.0, 100.0), ("linearConfiguration", "stepBakeTimeInMinutes", 6, 0, 1440)),
    "CANARY": (("canaryConfiguration", "canaryPercent", 5.0, 0.1, 100.0), ("canaryConfiguration", "canaryBakeTimeInMinutes", 10, 0, 1440)),
}


# The configuration ------------------------------------------------------------


def configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """A deploymentConfiguration with a native strategy, checked and filled in. EcsError otherwise."""
    filled = dict(given)
    strategy = filled["strategy"]
    for name in ("linearConfiguration", "canaryConfiguration"):
        if filled.get(name) and name != f"{strategy.lower()}Configuration":
            raise invalid(f"{name} is only valid for the {name.removesuffix('Configuration').upper()} deployment strategy.")
    for structure, field, default, least, most in SETTINGS[strategy]:
        values = dict(filled.get(structure) or {})
        values.setdefault(field, default)
        _within(field, values[field], least, most)
        if field.endswith("Percent") and abs(values[field] * 10 - round(values[field] * 10)) > 1e-9:
            raise invalid(f"{field} must be a multiple of 0.1.")
        filled[structure] = values
    filled.setdefault("bakeTimeInMinutes", DEFAULT_BAKE)
    _within("bakeTimeInMinutes", filled["bakeTimeInMinutes"], 0, 1440)
    for hook in filled.get("lifecycleHooks") or ():
        check_hook(hook)
    return filled


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise invalid(f"{name} must be between {least:g} and {most:g}.")


def check_hook(hook: Mapping[str, Any]) -> None:
    """InvalidParameterException when ECS could not run this lifecycle hook."""
    kind = hook.get("targetType") or "AWS_LAMBDA"
    stages = hook.get("lifecycleStages") or ()
    if kind not in HOOK_TYPES:
        raise invalid(f"targetType must be one of {', '.join(HOOK_TYPES)}.")
    if not stages:
        raise invalid("lifecycleStages can not be empty.")
    forbidden = NO_PAUSE if kind == "PAUSE" else NO_HOOKS
    for stage in stages:
        if stage in forbidden or stage not in STAGES:
            raise invalid(f"A lifecycle hook of type {kind} is not supported in the lifecycle stage {stage}.")
    if kind == "AWS_LAMBDA" and not hook.get("hookTargetArn"):
        raise invalid("hookTargetArn can not be blank.")
    if kind == "AWS_LAMBDA" and not hook.get("roleArn"):
        raise invalid("roleArn can not be blank.")
    if kind == "PAUSE" and hook.get("hookTargetArn"):
        raise invalid("hookTargetArn is not valid for a lifecycle hook of type PAUSE.")
    if (hook.get("timeoutConfiguration") or {}).get("action", "ROLLBACK") not in TIMEOUT_ACTIONS:
        raise invalid(f"The timeout action must be one of {', '.join(TIMEOUT_ACTIONS)}.")
    timeout = (hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes")
    if timeout is not None:
        _within("timeoutInMinutes", timeout, 1, MOST_PAUSE_MINUTES)


def schedule(given: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """When green gets how much of production traffic: (minutes since the shift began, percent)."""
    if given["strategy"] == "CANARY":
        canary = given["canaryConfiguration"]
        percent = canary["canaryPercent"]
        return ((0.0, percent),) + (((float(canary["canaryBakeTimeInMinutes"]), 100.0),) if percent < 100 else ())
    if given["strategy"] == "LINEAR":
        linear = given["linearConfiguration"]
        step, bake = linear["stepPercent"], float(linear["stepBakeTimeInMinutes"])
        whole = int(round(100 / step, 9))
        shares = [round(step * n, 6) for n in range(1, whole + 1) if step * n < 100 - 1e-9] + [100.0]
        return tuple((bake * n, share) for n, share in enumerate(shares))
    return ((0.0, 100.0),)


def duration(given: Mapping[str, Any]) -> float:
    """Minutes that traffic shift and bake take, when all goes well and no hook waits."""
    return schedule(given)[-1][0] + given["bakeTimeInMinutes"]


# What a deployment looks like ---------------------------------------------------


@dataclass(frozen=True)
class HookView:
    """A lifecycle hook at the current stage. `status` is None until it is invoked."""

    id: str
    kind: str  # AWS_LAMBDA | PAUSE
    status: str | None = None  # IN_PROGRESS | AWAITING_ACTION | SUCCEEDED | FAILED | TIMED_OUT
    call_again_at: float | None = None
    expires_at: float | None = None
    timeout_action: str = "ROLLBACK"


@dataclass(frozen=True)
class View:
    """One deployment under way. Weights are green's share in percent; `since` is when the stage began,
    `shifted_at` when production traffic was shifted in it."""

    configuration: Mapping[str, Any]
    stage: str | None
    since: float
    production: float
    test: float
    shifted_at: float | None = None
    hooks: Sequence[HookView] = ()  # of this stage
    green_ready: bool = False  # all of green's tasks are up and healthy
    blue_gone: bool = False  # none of blue's tasks is left
    tests_traffic: bool = False  # a test listener rule is configured
    network: bool = False  # behind a Network Load Balancer
    several_revisions: bool = False  # more than one was active when it began
    trouble: str | None = None  # why it must be rolled back: breaker, alarm, request


# What to do -----------------------------------------------------------------------


@dataclass(frozen=True)
class Enter:
    stage: str


@dataclass(frozen=True)
class SetWeights:
    """Green's share of traffic in percent; blue has the rest."""

    production: float
    test: float


@dataclass(frozen=True)
class Invoke:
    hook_id: str


@dataclass(frozen=True)
class TimeOut:
    """A hook waited too long and its timeout action decides."""

    hook_id: str


@dataclass(frozen=True)
class RollBack:
    reason: str


@dataclass(frozen=True)
class Finish:
    pass


@dataclass(frozen=True)
class WakeAt:
    at: float


Action = Enter | SetWeights | Invoke | TimeOut | RollBack | Finish | WakeAt


def plan(view: View, now: float) -> list[Action]:
    """What may be done now; the empty list when something else must happen first."""
    if view.trouble and view.stage != "CLEAN_UP":
        return [RollBack(view.trouble)]
    if view.stage is None:
        return [Enter(STAGES[0] if view.several_revisions else STAGES[1])]
    held = _hooks(view, now)
    if held is not None:
        return held
    waits = WORK[view.stage](view, now)
    if waits == [] and view.stage != STAGES[-1] and now - view.since > STAGE_LIMIT:
        return [RollBack(f"the lifecycle stage {view.stage} took longer than 24 hours.")]
    if waits is not None:
        return waits
    if view.stage == STAGES[-1]:
        return [Finish()]
    return [Enter(_following(view))]


def _following(view: View) -> str:
    """The next stage; a shift that has steps left goes back to the stage before it."""
    if view.stage == STEP and view.production < 100:
        return BEFORE_STEP
    return STAGES[STAGES.index(view.stage) + 1]


def _hooks(view: View, now: float) -> list[Action] | None:
    """What the stage's hooks ask for; None when they are done."""
    failed = next((ROLLS_BACK[h.status] for h in view.hooks if _failed(h)), None)
    if failed:
        return [RollBack(f"a lifecycle hook {failed} in the lifecycle stage {view.stage}.")]
    actions = [action for hook in view.hooks for action in _hook(hook, now)]
    waiting = any(hook.status in WAITING for hook in view.hooks)
    return actions if actions or waiting else None


def _failed(hook: HookView) -> bool:
    return hook.status == "FAILED" or (hook.status == "TIMED_OUT" and hook.timeout_action == "ROLLBACK")


def _hook(hook: HookView, now: float) -> list[Action]:
    """Call it, call it again, let it time out, or wait for the first of these."""
    if hook.status is None:
        return [Invoke(hook.id)]
    if hook.status not in WAITING:
        return []
    if hook.expires_at is not None and now >= hook.expires_at:
        return [TimeOut(hook.id)]
    if hook.call_again_at is not None and now >= hook.call_again_at:
        return [Invoke(hook.id)]
    times = [t for t in (hook.expires_at, hook.call_again_at) if t is not None]
    return [WakeAt(min(times))] if times else []


def _at_once(view: View, now: float) -> None:
    return None


def _scale_up(view: View, now: float):
    return None if view.green_ready else []


def _shift_tests(view: View, now: float):
    if not view.tests_traffic:
        return None
    if view.test < 100:
        return [SetWeights(view.production, 100.0)]
    return _network_delay(view, now)


def _shift_production(view: View, now: float):
    """One step: shift, then wait for as long as the schedule has until the next."""
    steps = schedule(view.configuration)
    done = sum(share <= view.production for _, share in steps)
    if view.shifted_at is None and done < len(steps):
        return [SetWeights(steps[done][1], view.test)]
    if done == len(steps):
        return _network_delay(view, now)
    ends = view.shifted_at + 60 * (steps[done][0] - steps[done - 1][0])
    return [WakeAt(ends)] if now < ends else None


def _network_delay(view: View, now: float):
    ends = max(view.since, view.shifted_at or 0.0) + NETWORK_LOAD_BALANCER_DELAY
    return [WakeAt(ends)] if view.network and now < ends else None


def _bake(view: View, now: float):
    ends = view.since + 60 * view.configuration["bakeTimeInMinutes"]
    return [WakeAt(ends)] if now < ends else None


def _clean_up(view: View, now: float):
    return None if view.blue_gone else []


WORK = {
    **{stage: _at_once for stage in STAGES},
    "SCALE_UP": _scale_up,
    "TEST_TRAFFIC_SHIFT": _shift_tests,
    STEP: _shift_production,
    "BAKE_TIME": _bake,
    "CLEAN_UP": _clean_up,
}
