"""Services: Availability Zones, what counts as healthy, how patient a waiter is; and target health behind a load balancer.

Keys from `rules.placement`, `rules.rollout`, `rules.health` and `rules.target_health`.
Where a zone rebalancing puts the remainder is not documented, and never asked.
"""
from __future__ import annotations

from random import Random

from ecslab.rules.health import UNCHECKED_HEALTHY_AFTER
from ecslab.rules.placement import rebalancing_moves, zone_targets
from ecslab.rules.rollout import DeploymentView, ServiceView, Stop, TaskView, plan
from ecslab.rules.target_health import HealthCheck, TargetHealth

from .kit import About, Draft, Slip, generator, listed, numeric, service, single

LAB, DOCS = "03-services", "https://docs.aws.amazon.com/AmazonECS/latest/"
CARD = "Services > Service Configuration"
ZONES = About(
    "Amazon ECS Developer Guide: Balancing an Amazon ECS service across Availability Zones",
    DOCS + "developerguide/service-rebalancing.html",
    "§3.10",
    CARD,
    ("SAA-C03 2.1", "SOA-C03 2.2"),
    LAB,
)
SCALE_IN = About(
    "Amazon ECS Developer Guide: Use strategies to define Amazon ECS task placement",
    DOCS + "developerguide/task-placement-strategies.html",
    "§4.6",
    CARD,
    ("SAA-C03 2.1", "SOA-C03 2.2"),
    LAB,
)
HEALTHY = About(
    "Amazon ECS API Reference: DeploymentConfiguration",
    DOCS + "APIReference/API_DeploymentConfiguration.html",
    "§3.4",
    CARD,
    ("DVA-C02 3.4", "SAA-C03 2.1"),
    LAB,
)
WAITER = About(
    "Amazon ECS API Reference: DescribeServices",
    DOCS + "APIReference/API_DescribeServices.html",
    "§3.15",
    CARD,
    ("DVA-C02 3.4", "DOP-C02 1.4"),
    LAB,
)
TARGETS = About(
    "Elastic Load Balancing: Health checks for Application Load Balancer target groups",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html",
    "§5.4",
    CARD,
    ("SAA-C03 2.1", "SOA-C03 2.2"),
    "07-load-balancing",
)

ZONE_NAMES = ("us-east-1a", "us-east-1b", "us-east-1c")
WAITERS = {"services_stable": (15, 40), "services_inactive": (15, 40), "tasks_running": (6, 100), "tasks_stopped": (6, 100)}


# Availability Zones ---------------------------------------------------------


def _zones(rng: Random, most: int) -> dict[str, int]:
    return {zone: rng.randint(0, most) for zone in ZONE_NAMES}


def _written(zones: dict[str, int]) -> str:
    return listed([f"{tasks} in {zone}" for zone, tasks in zones.items()])


@generator("services.zone-share", ZONES, "easy")
def zone_share(rng: Random) -> Draft:
    """An even share; the remainder goes one each."""
    desired, zones = rng.randint(4, 40), rng.choice((2, 3))
    if desired % zones == 0:
        return None
    least = min(zone_targets(desired, dict.fromkeys(ZONE_NAMES[:zones], 0)).values())
    return numeric(
        f"`{service(rng)}` has `desiredCount` {desired}, subnets in {zones} Availability Zones, and Availability Zone "
        "rebalancing on. How many tasks has the zone with the fewest, once it is balanced?",
        least,
        [
            f"{desired} / {zones} = {least}, remainder {desired % zones}.",
            f"The remainder is spread one each, so the fewest is {least}.",
        ],
        [
            Slip(
                "rounds every zone's share up",
                least + 1,
                f"{zones} × {least + 1} = {zones * (least + 1)}, more than {desired}.",
            ),
            Slip(
                "gives a whole remainder to one zone",
                desired - (zones - 1) * (least + 1),
                f"{desired} - {zones - 1} × {least + 1}.",
            ),
            Slip("asks for one task per zone only", 1, "every zone gets at least one, but the share is even."),
        ],
        "tasks",
    )


@generator("services.zone-moves", ZONES, "medium", "analyze")
def zone_moves(rng: Random) -> Draft:
    """A rebalancing starts a task for each one it stops."""
    zones = _zones(rng, 12)
    desired, most, least = sum(zones.values()), max(zones.values()), min(zones.values())
    if desired % 3 or desired < 6 or most - least < 2:
        return None
    moves, share = rebalancing_moves(desired, zones), desired // 3
    return numeric(
        f"`{service(rng)}` runs {_written(zones)}. Its `desiredCount` is {desired}, and Availability Zone rebalancing is "
        "on. How many tasks does a full rebalancing start?",
        len(moves),
        [
            f"Each zone's share is {desired} / 3 = {share}.",
            f"Missing: {listed([f'{share - tasks} in {zone}' for zone, tasks in zones.items() if tasks < share])}; together {len(moves)}.",
            "For each task that started and is healthy, one in a zone with too many is stopped.",
        ],
        [
            Slip("moves the whole gap between fullest and emptiest zone", most - least, f"{most} - {least} = {most - least}."),
            Slip("counts the stopped tasks as well", 2 * len(moves), f"{len(moves)} started and {len(moves)} stopped."),
            Slip("starts the whole service anew", desired, f"only {len(moves)} of {desired} are in the wrong zone."),
        ],
        "tasks",
    )


@generator("services.scale-in-zone", SCALE_IN)
def scale_in_zone(rng: Random) -> Draft:
    """Scale-in keeps the zones even."""
    zones = _zones(rng, 7)
    most, least = max(zones.values()), min(zones.values())
    if not least or sorted(zones.values()).count(most) > 1 or len(set(zones.values())) < 3:
        return None
    tasks = [TaskView(f"{zone}/{n}", "d", n, True, True, zone=zone) for zone, many in zones.items() for n in range(many)]
    desired = len(tasks) - 1
    actions = plan(ServiceView(desired, 100, 200, (DeploymentView("d", "PRIMARY", "COMPLETED"),), tasks), 0.0)
    (stopped,) = [action.task_id.split("/")[0] for action in actions if isinstance(action, Stop)]
    small = next(zone for zone, tasks in zones.items() if tasks == least)
    middle = next(zone for zone, tasks in zones.items() if least < tasks < most)
    return single(
        rng,
        f"`{service(rng)}` spreads its tasks over Availability Zones and runs {_written(zones)}, all of one revision and "
        f"healthy. `UpdateService` sets `desiredCount` from {desired + 1} to {desired}. Where is a task stopped?",
        f"In {stopped}",
        f"It has most tasks, {most}; stopping one there brings the zones nearer to each other.",
        [
            f"The zones hold {_written(zones)}.",
            "A spread service keeps its zones even when it scales in, too.",
            f"So the task goes where most are: {stopped}.",
        ],
        [
            Slip(
                "empties the smallest zone first",
                f"In {small}",
                f"that would leave {least - 1} there against {most} in {stopped}.",
            ),
            Slip(
                "takes from the zone in the middle",
                f"In {middle}",
                f"it has {zones[middle]}, fewer than {stopped} with {most}.",
            ),
            Slip("takes scale-in for random", "In a random zone", "only within one zone is the choice random."),
        ],
    )


# Healthy, and how long to wait ----------------------------------------------


@generator("services.counts-as-healthy", HEALTHY)
def counts_as_healthy(rng: Random) -> Draft:
    """Nothing checks the task: 40 seconds RUNNING."""
    pull, grace = rng.randint(5, 90), rng.choice((20, 30, 60, 90, 120))
    right = pull + UNCHECKED_HEALTHY_AFTER
    return numeric(
        f"A rolling update of `{service(rng)}` starts a task. The service has no load balancer and its containers have "
        f"no health check. The task is RUNNING {pull} seconds after it was created. After how many seconds from its "
        "creation does it count as healthy?",
        right,
        [
            f"With nothing that checks it, a task counts as healthy after {UNCHECKED_HEALTHY_AFTER:g} seconds in RUNNING.",
            f"{pull} + {UNCHECKED_HEALTHY_AFTER:g} = {right:g} seconds.",
        ],
        [
            Slip("takes RUNNING for healthy", pull, f"{pull} seconds; it is RUNNING then, and only begins to count."),
            Slip(
                "counts from the task's creation",
                UNCHECKED_HEALTHY_AFTER,
                f"{UNCHECKED_HEALTHY_AFTER:g} seconds are counted from RUNNING.",
            ),
            Slip("waits for one health check interval", pull + 30, f"{pull} + 30; there is no health check."),
            Slip(
                "adds a grace period nobody set",
                right + grace,
                f"{right:g} + {grace}; it has none without a load balancer or check.",
            ),
        ],
        "seconds",
    )


@generator("services.waiter-patience", WAITER, "medium", "apply")
def waiter_patience(rng: Random) -> Draft:
    """Delay times attempts; the waiter's end is not the deployment's."""
    name, own = rng.choice(tuple(WAITERS)), rng.choice(("Delay", "MaxAttempts"))
    delay, attempts = WAITERS[name]
    changed = rng.randint(2, 30) if own == "Delay" else rng.randint(10, 120)
    real = (changed, attempts) if own == "Delay" else (delay, changed)
    return numeric(
        f'`ecs.get_waiter("{name}").wait(..., WaiterConfig={{"{own}": {changed}}})` watches `{service(rng)}` in boto3. '
        f"Its defaults are a `Delay` of {delay} seconds and {attempts} `MaxAttempts`. After about how many seconds does "
        "it give up? Leave out the time of the calls.",
        real[0] * real[1],
        [
            f"`{own}` is {changed}; the other value keeps its default.",
            f"{real[0]} seconds × {real[1]} attempts = {real[0] * real[1]} seconds.",
        ],
        [
            Slip("leaves both defaults as they are", delay * attempts, f"{delay} × {attempts} = {delay * attempts}."),
            Slip("reads the setting as the whole patience", changed, f"{changed} is a factor, not the time."),
            Slip("adds the two instead of multiplying", real[0] + real[1], f"{real[0]} + {real[1]}."),
        ],
        "seconds",
    )


# Target health --------------------------------------------------------------


def _checks_until(state: str, start: TargetHealth, outcome: int | str, check: HealthCheck) -> int:
    """How many checks with that outcome in a row bring the target to `state`."""
    health, checks = start, 0
    while health.state != state and checks < 20:
        health, checks = health.after(outcome, check), checks + 1
    return checks


def _threshold(rng: Random, state: str, outcome: int, other: str) -> Draft:
    """A healthy or unhealthy target answers otherwise from now on: seconds from the first such check to the last needed."""
    interval, up, down = rng.choice((5, 10, 15, 20, 30, 60)), rng.randint(2, 10), rng.randint(2, 10)
    check = HealthCheck(interval=interval, healthy_threshold=up, unhealthy_threshold=down)
    before = TargetHealth("unhealthy" if state == "healthy" else "healthy", None, None)
    needed = _checks_until(state, before, outcome, check)
    spare = up if state == "unhealthy" else down
    verb = "passes" if state == "healthy" else "fails"
    return numeric(
        f"The target group of `{service(rng)}` checks every {interval} seconds, `HealthyThresholdCount` {up}, "
        f"`UnhealthyThresholdCount` {down}. From second 0 on, each check of "
        f"{'an' if before.state == 'unhealthy' else 'a'} {before.state} target {verb}; the first one at second 0. At "
        f"which second does it turn {state}?",
        (needed - 1) * interval,
        [
            f"It takes {needed} checks in a row; the first is at second 0.",
            f"{needed} - 1 = {needed - 1} intervals later: {needed - 1} × {interval} = {(needed - 1) * interval} seconds.",
        ],
        [
            Slip(
                "counts an interval before the first check",
                needed * interval,
                f"{needed} × {interval}; the first check is at second 0.",
            ),
            Slip(
                f"takes the threshold of {other} targets",
                (spare - 1) * interval,
                f"{spare} - 1 intervals of {interval} seconds.",
            ),
            Slip("believes a single check", 0, f"one check is not enough; {needed} in a row are."),
        ],
        "seconds",
    )


@generator("load-balancing.turns-unhealthy", TARGETS)
def turns_unhealthy(rng: Random) -> Draft:
    """UnhealthyThresholdCount failures in a row."""
    return _threshold(rng, "unhealthy", 503, "recovering")


@generator("load-balancing.returns", TARGETS)
def returns(rng: Random) -> Draft:
    """HealthyThresholdCount passes in a row."""
    return _threshold(rng, "healthy", 200, "failing")
