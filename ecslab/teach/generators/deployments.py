"""Deployments: the band of a rolling update, the circuit breaker, linear and canary shifts.

Keys from `rules.rollout` and `rules.native_deployment`. Whether ECS starts or stops
first where it may do both is not documented, and never asked.
"""
from __future__ import annotations

from math import ceil, floor
from random import Random

from ecslab.rules import native_deployment as native
from ecslab.rules.rollout import (
    BLOCKED,
    DeploymentView,
    Say,
    ServiceView,
    Start,
    Stop,
    TaskView,
    band,
    failure_threshold,
    plan,
)

from .kit import About, Draft, Slip, count, generator, numeric, service, single, upper

LAB, DOCS = "08-deployments", "https://docs.aws.amazon.com/AmazonECS/latest/"
ROLLING = About(
    "Amazon ECS API Reference: DeploymentConfiguration",
    DOCS + "APIReference/API_DeploymentConfiguration.html",
    "§3.4",
    "Deployment Strategies > Rolling Update",
    ("DOP-C02 1.4", "DVA-C02 3.4"),
    LAB,
)
BREAKER = About(
    "Amazon ECS Developer Guide: How the Amazon ECS deployment circuit breaker detects failures",
    DOCS + "developerguide/deployment-circuit-breaker.html",
    "§3.7",
    "Deployment Strategies > Rolling Update",
    ("DOP-C02 1.4", "SAA-C03 2.1"),
    LAB,
)
LINEAR = About(
    "Amazon ECS Developer Guide: Amazon ECS linear deployments",
    DOCS + "developerguide/deployment-type-linear.html",
    "§3.11",
    "Deployment Strategies > Blue/Green Deployment",
    ("DOP-C02 1.4", "DVA-C02 3.4"),
    LAB,
)
CANARY = About(
    "Amazon ECS Developer Guide: Amazon ECS canary deployments",
    DOCS + "developerguide/deployment-type-canary.html",
    "§3.11",
    LINEAR.card,
    LINEAR.objectives,
    LAB,
)

MINIMUMS = (25, 33, 40, 50, 60, 66, 75, 80, 90)
MAXIMUMS = (110, 120, 125, 133, 150, 166, 175, 180)


# The band -------------------------------------------------------------------


@generator("deployments.lower-limit", ROLLING, "easy")
def lower_limit(rng: Random) -> Draft:
    """The lower limit rounds up."""
    desired, minimum = rng.randint(3, 40), rng.choice(MINIMUMS)
    limits, exact = band(desired, minimum, 200), desired * minimum / 100
    return numeric(
        f"The service `{service(rng)}` has `desiredCount` {desired}, `minimumHealthyPercent` {minimum} and "
        "`maximumPercent` 200. How many healthy tasks does a rolling update leave at least?",
        limits.lower,
        [f"{desired} × {minimum} / 100 = {exact:g}", f"The lower limit rounds up: {limits.lower}."],
        [
            Slip("rounds the lower limit down", floor(exact), f"{exact:g} becomes {floor(exact)}."),
            Slip(
                "takes how many may stop for how many must stay",
                limits.droppable,
                f"{desired} - {limits.lower} = {limits.droppable}.",
            ),
            Slip("keeps every task", desired, f"{desired} must stay only with `minimumHealthyPercent` 100."),
        ],
        "tasks",
    )


@generator("deployments.upper-limit", ROLLING, "easy")
def upper_limit(rng: Random) -> Draft:
    """The upper limit rounds down."""
    desired, maximum = rng.randint(2, 40), rng.choice(MAXIMUMS)
    limits, exact = band(desired, 100, maximum), desired * maximum / 100
    return numeric(
        f"The service `{service(rng)}` has `desiredCount` {desired}, `minimumHealthyPercent` 100 and `maximumPercent` "
        f"{maximum}. How many of its tasks, old and new, may a rolling update run at once at most?",
        limits.upper,
        [f"{desired} × {maximum} / 100 = {exact:g}", f"The upper limit rounds down: {limits.upper}."],
        [
            Slip("rounds the upper limit up", ceil(exact), f"{exact:g} becomes {ceil(exact)}."),
            Slip(
                "adds the percentage to the desired count",
                2 * desired + limits.surge,
                f"{desired} + {limits.upper} = {desired + limits.upper}.",
            ),
            Slip("doubles the desired count whatever the maximum", 2 * desired, f"{desired} × 2; that is the default of 200."),
            Slip("counts the new tasks only", limits.surge, f"{limits.upper} - {desired} = {limits.surge}."),
        ],
        "tasks",
    )


SETTINGS = tuple((low, high) for low in (0, 25, 50, 66, 75, 90, 100) for high in (100, 110, 125, 133, 150, 200))


@generator("deployments.blocked", ROLLING, "hard", "analyze")
def blocked(rng: Random) -> Draft:
    """A band is blocked where rounding leaves neither surge nor room to drop."""
    desired = rng.randint(1, 9)
    bands = {pair: band(desired, *pair) for pair in SETTINGS if pair != (100, 100)}
    stuck = [pair for pair, limits in bands.items() if limits.blocked]
    drops = [pair for pair, limits in bands.items() if limits.droppable and not limits.surge]
    surges = [pair for pair, limits in bands.items() if limits.surge and not limits.droppable]
    both = [pair for pair, limits in bands.items() if limits.surge and limits.droppable]
    if not (stuck and drops and surges and both):
        return None
    key, drop, surge, free = map(rng.choice, (stuck, drops, surges, both))
    return single(
        rng,
        f"The service `{service(rng)}` has `desiredCount` {desired}. With which `minimumHealthyPercent` / "
        "`maximumPercent` can a rolling update neither start nor stop a task?",
        _pair(key),
        upper(_limits(desired, key)),
        [
            "A rolling update is blocked where upper limit, lower limit and desired count are all the same.",
            f"Lower: {desired} × {key[0]} / 100 = {desired * key[0] / 100:g}, rounded up to {bands[key].lower}.",
            f"Upper: {desired} × {key[1]} / 100 = {desired * key[1] / 100:g}, rounded down to {bands[key].upper}.",
        ],
        [
            Slip("looks at the maximum only", _pair(drop), _limits(desired, drop)),
            Slip("looks at the minimum only", _pair(surge), _limits(desired, surge)),
            Slip("overlooks that both limits leave room", _pair(free), _limits(desired, free)),
        ],
    )


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]} / {pair[1]}"


def _limits(desired: int, pair: tuple[int, int]) -> str:
    limits = band(desired, *pair)
    return f"at least {limits.lower} and at most {limits.upper} tasks: it may start {limits.surge} and stop {limits.droppable}."


def _rollout(desired: int, pair: tuple[int, int], old: int, new: int) -> list:
    """What a rolling update does with that many old and new tasks, all healthy."""
    tasks = [TaskView(f"{kind}-{n}", kind, 0.0, True, True) for kind, many in (("old", old), ("new", new)) for n in range(many)]
    views = (DeploymentView("new", "PRIMARY", "IN_PROGRESS"), DeploymentView("old", "ACTIVE", "COMPLETED"))
    return plan(ServiceView(desired, *pair, views, tasks), 0.0)


NOTHING = "Nothing: it can neither start nor stop a task"


@generator("deployments.first-step", ROLLING, "medium", "analyze")
def first_step(rng: Random) -> Draft:
    """Start, stop or blocked; only settings where at most one of them is possible."""
    desired, pair = rng.randint(2, 12), rng.choice(SETTINGS)
    limits = band(desired, *pair)
    if pair == (100, 100) or (limits.surge and limits.droppable):
        return None
    actions = _rollout(desired, pair, old=desired, new=0)
    starts = sum(action.count for action in actions if isinstance(action, Start))
    stops = sum(isinstance(action, Stop) for action in actions)
    key = f"It starts {count(starts, 'new task')}" if starts else f"It stops {count(stops, 'old task')}" if stops else NOTHING
    assert key != NOTHING or Say(BLOCKED) in actions
    many = starts or stops or 1
    return single(
        rng,
        f"`{service(rng)}` runs {count(desired, 'task')}, all healthy. `minimumHealthyPercent` is {pair[0]}, "
        f"`maximumPercent` {pair[1]}. What is the first thing a rolling update does?",
        key,
        upper(_limits(desired, pair)),
        [
            f"Lower limit: {desired} × {pair[0]} / 100, rounded up: {limits.lower}.",
            f"Upper limit: {desired} × {pair[1]} / 100, rounded down: {limits.upper}.",
            f"So it may start {limits.surge} and stop {limits.droppable} of {desired}.",
        ],
        [
            Slip(
                "starts new tasks where the maximum leaves no room",
                f"It starts {count(many, 'new task')}",
                f"only {limits.upper} may exist, and {desired} do.",
            ),
            Slip(
                "stops old tasks the minimum protects",
                f"It stops {count(many, 'old task')}",
                f"{limits.lower} healthy tasks must stay of {desired}.",
            ),
            Slip(
                "starts the whole new revision at once",
                f"It starts {count(desired, 'new task')}",
                f"that makes {2 * desired} tasks; the upper limit is {limits.upper}.",
            ),
            Slip("takes the band for blocked", NOTHING, f"it may start {limits.surge} and stop {limits.droppable}."),
            Slip(
                "stops the whole old revision first",
                f"It stops {count(desired, 'old task')}",
                f"the lower limit is {limits.lower}, not 0.",
            ),
        ],
    )


@generator("deployments.may-stop", ROLLING)
def may_stop(rng: Random) -> Draft:
    """Halfway through: healthy tasks above the lower limit may go."""
    desired, pair = rng.randint(4, 20), (rng.choice((50, 60, 75, 80, 90, 100)), rng.choice((125, 150, 175, 200)))
    limits = band(desired, *pair)
    if not limits.surge:
        return None
    new = min(limits.surge, desired - 1)
    stops = sum(isinstance(action, Stop) for action in _rollout(desired, pair, old=desired, new=new))
    return numeric(
        f"During a rolling update of `{service(rng)}` there are {count(desired, 'old task')} and "
        f"{count(new, 'new task')}, all healthy. `desiredCount` is {desired}, `minimumHealthyPercent` {pair[0]}, "
        f"`maximumPercent` {pair[1]}. How many old tasks may be stopped at this moment?",
        stops,
        [
            f"Lower limit: {desired} × {pair[0]} / 100, rounded up: {limits.lower}.",
            f"Healthy tasks: {desired} + {new} = {desired + new}. Above the limit: {desired + new} - {limits.lower} = {desired + new - limits.lower}.",
            f"So {stops} of the {desired} old tasks may go.",
        ],
        [
            Slip(
                "leaves the new tasks out of the healthy ones",
                limits.droppable,
                f"{desired} - {limits.lower} = {limits.droppable}.",
            ),
            Slip(
                "stops one old task for each new one",
                new,
                f"{new} new ones for {new} old ones; the limit counts, not the exchange.",
            ),
            Slip(
                "stops every old task as soon as a new one is healthy",
                desired,
                f"{new} healthy tasks would be left; {limits.lower} must stay.",
            ),
        ],
        "tasks",
    )


# The circuit breaker --------------------------------------------------------


@generator("deployments.breaker-default", BREAKER)
def breaker_threshold(rng: Random) -> Draft:
    """Half of the desired count, between 3 and 200."""
    desired = rng.choice((rng.randint(1, 25), rng.randint(26, 120), rng.randint(300, 700)))
    half, right = desired / 2, failure_threshold(desired)
    return numeric(
        f"The service `{service(rng)}` has `desiredCount` {desired} and the deployment circuit breaker with its "
        "defaults. After how many failed tasks does the deployment fail?",
        right,
        [
            f"Half of the desired count, rounded up: {desired} × 50 / 100 = {half:g}, so {ceil(half)}.",
            f"At least 3 and at most 200: {right}.",
        ],
        [
            Slip(
                "applies the old breaker minimum of 10",
                min(200, max(10, ceil(half))),
                f"max(10, {ceil(half)}); today the minimum is 3.",
            ),
            Slip(
                "forgets that the threshold is bounded",
                ceil(half),
                f"{ceil(half)} is {'below 3' if half < 3 else 'above 200'}.",
            ),
            Slip("rounds the half down", floor(half), f"{half:g} becomes {floor(half)}."),
            Slip("waits until as many tasks failed as are desired", desired, f"{desired}; the threshold is half of that."),
            Slip("trips at the first failure", 1, "one failed task never trips a bounded threshold."),
        ],
        "failed tasks",
    )


@generator("deployments.breaker-unbounded", BREAKER)
def breaker_unbounded(rng: Random) -> Draft:
    """UNBOUNDED_PERCENT has neither the 3 nor the 200."""
    desired, value = rng.choice((rng.randint(2, 10), rng.randint(500, 900))), rng.choice((10, 20, 25, 30, 40, 60, 75))
    exact, right = desired * value / 100, failure_threshold(desired, "UNBOUNDED_PERCENT", value)
    bounded = failure_threshold(desired, "BOUNDED_PERCENT", value)
    return numeric(
        f"The circuit breaker of `{service(rng)}` has the `thresholdConfiguration` `UNBOUNDED_PERCENT` with value "
        f"{value}. `desiredCount` is {desired}. After how many failed tasks does the deployment fail?",
        right,
        [f"{desired} × {value} / 100 = {exact:g}, rounded up: {right}.", "UNBOUNDED_PERCENT is not held between 3 and 200."],
        [
            Slip("bounds the threshold anyway", bounded, f"{bounded} is what BOUNDED_PERCENT gives."),
            Slip("takes the default of 50 percent", ceil(desired / 2), f"half of {desired} is {ceil(desired / 2)}."),
            Slip("rounds the threshold down", floor(exact), f"{exact:g} becomes {floor(exact)}."),
            Slip("reads the percentage as a number of tasks", value, f"{value} would be the type COUNT."),
        ],
        "failed tasks",
    )


@generator("deployments.breaker-count", BREAKER, "easy")
def breaker_count(rng: Random) -> Draft:
    """COUNT is a fixed number whatever the desired count."""
    desired, value = rng.randint(8, 300), rng.randint(4, 60)
    percent = failure_threshold(desired, "BOUNDED_PERCENT", value)
    return numeric(
        f"The circuit breaker of `{service(rng)}` has the `thresholdConfiguration` `COUNT` with value {value}. "
        f"`desiredCount` is {desired}. After how many failed tasks does the deployment fail?",
        failure_threshold(desired, "COUNT", value),
        [f"COUNT names the number itself: {value}.", "The desired count plays no part."],
        [
            Slip(
                "reads the count as a percentage",
                percent,
                f"{value} percent of {desired}, held between 3 and 200, is {percent}.",
            ),
            Slip(
                "takes the default of 50 percent",
                failure_threshold(desired),
                f"half of {desired}, held between 3 and 200, is {failure_threshold(desired)}.",
            ),
            Slip("waits until as many tasks failed as are desired", desired, f"{desired} plays no part with COUNT."),
        ],
        "failed tasks",
    )


# Linear and canary ----------------------------------------------------------


def _linear(step: float, bake: int, last: int) -> dict:
    shift = {"stepPercent": float(step), "stepBakeTimeInMinutes": bake}
    return native.configuration({"strategy": "LINEAR", "linearConfiguration": shift, "bakeTimeInMinutes": last})


@generator("deployments.linear-minutes", LINEAR)
def linear_duration(rng: Random) -> Draft:
    """No step bake after 100 percent."""
    step, bake, last = rng.choice((5, 10, 20, 25, 50)), rng.randint(2, 20), rng.randint(5, 45)
    steps = 100 // step
    return numeric(
        f"`{service(rng)}` is deployed with LINEAR: `stepPercent` {step}, `stepBakeTimeInMinutes` {bake}, "
        f"`bakeTimeInMinutes` {last}. No hook waits. How many minutes pass from the first shift of production traffic to "
        "the end of the bake time?",
        native.duration(_linear(step, bake, last)),
        [
            f"{steps} steps of {step} percent; the first comes at once, and none bakes after 100 percent.",
            f"{steps - 1} step bakes × {bake} minutes = {(steps - 1) * bake} minutes.",
            f"Then the bake time: {(steps - 1) * bake} + {last} = {(steps - 1) * bake + last} minutes.",
        ],
        [
            Slip("bakes the last step as well", steps * bake + last, f"{steps} × {bake} + {last} = {steps * bake + last}."),
            Slip("forgets the final bake time", (steps - 1) * bake, f"{steps - 1} × {bake} = {(steps - 1) * bake}."),
            Slip("bakes only once", bake + last, f"{bake} + {last} = {bake + last}; that is how a canary goes."),
        ],
        "minutes",
    )


@generator("deployments.linear-share", LINEAR)
def linear_share(rng: Random) -> Draft:
    """The first step comes at once, not after a bake."""
    step, bake = rng.choice((5, 10, 20, 25)), rng.randint(3, 15)
    shifts = native.schedule(_linear(step, bake, 15))
    minute = bake * rng.randint(1, len(shifts) - 3) + rng.randint(1, bake - 1)
    share = [percent for at, percent in shifts if at <= minute][-1]
    return numeric(
        f"`{service(rng)}` is deployed with LINEAR: `stepPercent` {step}, `stepBakeTimeInMinutes` {bake}. How much of "
        f"the production traffic has the new revision {minute} minutes after the first shift?",
        share,
        [
            f"The first {step} percent move at minute 0, the next after each {bake} minutes.",
            f"By minute {minute} there were 1 + {minute // bake} shifts: {minute // bake + 1} × {step} = {share:g} percent.",
        ],
        [
            Slip("lets the first step wait for a bake", share - step, f"{minute // bake} × {step} = {share - step:g}."),
            Slip("counts the bake under way as done", share + step, f"{minute // bake + 2} × {step} = {share + step:g}."),
            Slip(
                "takes the shift for a smooth ramp",
                round(step * minute / bake, 1),
                f"{step} × {minute} / {bake}; traffic moves in steps.",
            ),
        ],
        "%",
    )


@generator("deployments.canary-minutes", CANARY, "easy")
def canary_duration(rng: Random) -> Draft:
    """Two bakes: after the canary, and after everything has moved."""
    percent, bake, last = rng.choice((1, 5, 10, 15, 20, 25)), rng.randint(3, 40), rng.randint(5, 60)
    shift = {"canaryPercent": float(percent), "canaryBakeTimeInMinutes": bake}
    given = native.configuration({"strategy": "CANARY", "canaryConfiguration": shift, "bakeTimeInMinutes": last})
    steps = ceil(100 / percent)
    return numeric(
        f"`{service(rng)}` is deployed with CANARY: `canaryPercent` {percent}, `canaryBakeTimeInMinutes` {bake}, "
        f"`bakeTimeInMinutes` {last}. No hook waits. How many minutes pass from the first shift of production traffic to "
        "the end of the bake time?",
        native.duration(given),
        [
            f"{percent} percent move at once and bake for {bake} minutes; then all the rest moves.",
            f"With everything moved the deployment bakes again: {bake} + {last} = {bake + last} minutes.",
        ],
        [
            Slip("forgets the final bake time", bake, f"{bake} minutes of the canary only."),
            Slip("forgets the canary's own bake", last, f"{last} minutes at the end only."),
            Slip(
                "repeats the canary step up to 100 percent",
                (steps - 1) * bake + last,
                f"{steps - 1} × {bake} + {last}; that is how LINEAR goes.",
            ),
        ],
        "minutes",
    )
