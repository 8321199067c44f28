"""Scenarios: one situation, several questions about it, each with fresh numbers.

Keys from `rules.rollout`, `rules.capacity_providers`, `rules.placement`, `rules.scaling` and `rules.pricing`.
"""
from __future__ import annotations

from math import ceil, floor
from random import Random

from ecslab.rules.capacity_providers import ProviderShare, split
from ecslab.rules.placement import InstanceView, Strategy, TaskRequest, place, unfit
from ecslab.rules.pricing import HOURS_PER_MONTH, UP_TO, dollars, fargate_hourly, monthly
from ecslab.rules.rollout import band, failure_threshold
from ecslab.rules.scaling import percent_change

from .kit import About, Draft, Slip, generator, numeric, scenario, service, single

DOCS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"
RELEASE = About(
    "Amazon ECS Developer Guide: Deploy Amazon ECS services by replacing tasks",
    DOCS + "deployment-type-ecs.html",
    "§3.4, §3.7",
    "Services > Service Configuration",
    ("DVA-C02 3.4", "DOP-C02 1.4"),
    "08-deployments",
)
SPOT = About(
    "Amazon ECS Developer Guide: Amazon ECS clusters for Fargate",
    DOCS + "fargate-capacity-providers.html",
    "§4.2, §9.2",
    "Pricing > Fargate Launch Type",
    ("SAA-C03 4.2", "CLF-C02 4.1"),
    "12-pricing",
)
FULL = About(
    "Amazon ECS Developer Guide: How Amazon ECS places tasks on container instances",
    DOCS + "task-placement.html",
    "§4.6",
    "Clusters > Cluster Configuration",
    ("SAA-C03 3.2", "SOA-C03 1.1"),
    "05-clusters-and-capacity",
)
PEAK = About(
    "Amazon ECS Developer Guide: Automatically scale your Amazon ECS service",
    DOCS + "service-auto-scaling.html",
    "§3.4, §6.4",
    "Auto Scaling > Auto Scaling Configuration",
    ("SAA-C03 2.1", "SAA-C03 3.2"),
    "09-auto-scaling",
)


def _tasks(stem: str, answer: int, steps: list[str], *slips: Slip) -> Draft:
    return numeric(stem, answer, steps, slips, "tasks")


@generator("scenarios.release", RELEASE, "medium", "analyze")
def release(rng: Random) -> Draft:
    """Both limits of a rolling update, and when its circuit breaker trips."""
    desired, minimum, maximum = rng.randint(5, 39), rng.choice((50, 60, 66, 75, 80)), rng.choice((120, 125, 133, 150))
    limits, failed, half = band(desired, minimum, maximum), failure_threshold(desired), desired / 2
    low, high = desired * minimum / 100, desired * maximum / 100
    return scenario(
        f"A team releases a new revision of `{service(rng)}` in a rolling update. `desiredCount` is {desired}, "
        f"`minimumHealthyPercent` {minimum}, `maximumPercent` {maximum}; the deployment circuit breaker has its defaults.",
        _tasks(
            "How many tasks, old and new, may run at once at most?",
            limits.upper,
            [f"{desired} × {maximum} / 100 = {high:g}; the upper limit rounds down: {limits.upper}."],
            Slip("rounds the upper limit up", ceil(high), f"{high:g} becomes {ceil(high)}."),
            Slip("takes the default of 200 percent", 2 * desired, f"2 × {desired}; here it is {maximum} percent."),
            Slip("counts the new tasks only", limits.surge, f"{limits.upper} - {desired} = {limits.surge}."),
        ),
        _tasks(
            "How many healthy tasks are left running at every moment at least?",
            limits.lower,
            [f"{desired} × {minimum} / 100 = {low:g}; the lower limit rounds up: {limits.lower}."],
            Slip("rounds the lower limit down", floor(low), f"{low:g} becomes {floor(low)}."),
            Slip("keeps every task", desired, "that takes `minimumHealthyPercent` 100."),
            Slip("takes how many may stop", limits.droppable, f"{desired} - {limits.lower} = {limits.droppable}."),
        ),
        _tasks(
            "The new revision crashes at its start. After how many failed tasks does the deployment fail?",
            failed,
            [f"Half of {desired} is {half:g}, rounded up {ceil(half)}; at least 3 and at most 200: {failed}."],
            Slip("applies the old breaker minimum of 10", max(10, ceil(half)), f"max(10, {ceil(half)}); today it is 3."),
            Slip("waits until as many tasks failed as are desired", desired, "half of them is enough."),
            Slip("rounds the half down", floor(half), f"{half:g} becomes {floor(half)}."),
            Slip("trips at the first failure", 1, "one failed task never trips it."),
        ),
    )


@generator("scenarios.spot-bill", SPOT, "hard", "analyze")
def spot_bill(rng: Random) -> Draft:
    """How a strategy shares tasks out, and what the month costs."""
    base, weights, rounds = rng.randint(2, 6), (1, rng.randint(1, 4)), rng.randint(2, 5)
    total, off = base + sum(weights) * rounds, int(UP_TO["Fargate Spot"] * 100)
    cpu, memory = rng.choice(((256, 512), (512, 1024), (1024, 2048), (2048, 4096)))
    strategy = (ProviderShare("FARGATE", base, weights[0]), ProviderShare("FARGATE_SPOT", 0, weights[1]))
    shares = split(strategy, total)
    plain, spot, hourly = shares["FARGATE"], shares["FARGATE_SPOT"], fargate_hourly(cpu, memory)

    def month(full: float, cheap: float) -> float:
        return float(dollars(monthly(hourly * int(full) + fargate_hourly(cpu, memory, spot=True) * int(cheap))))

    return scenario(
        f"`{service(rng)}` runs {total} equal tasks all month ({HOURS_PER_MONTH} hours). Its capacity provider strategy is FARGATE "
        f"(`base` {base}, `weight` {weights[0]}) and FARGATE_SPOT (`weight` {weights[1]}). A task costs ${hourly:f} an hour on demand; "
        f"on Spot it is {off} percent off.",
        _tasks(
            "How many of the tasks run on FARGATE_SPOT?",
            spot,
            [
                f"The first {base} go to FARGATE, {total - base} are left.",
                f"{weights[1]} of each {sum(weights)} go to FARGATE_SPOT: {spot}.",
            ],
            Slip("sends everything but the base to Spot", total - base, "FARGATE has a weight, too."),
            Slip("counts the base after the weights", round(total * weights[1] / sum(weights)), f"{total} × {weights[1]} / {sum(weights)}, about."),
            Slip("takes the base out of Spot's share", max(0, spot - base), f"{spot} - {base}."),
        ),
        numeric(
            "What does the month cost, in dollars?",
            month(plain, spot),
            [
                f"{plain} × {HOURS_PER_MONTH} × {hourly:f} = {month(plain, 0):.2f} on demand.",
                f"{spot} × {HOURS_PER_MONTH} × {hourly:f} × {(100 - off) / 100:g} = {month(0, spot):.2f} on Spot; together {month(plain, spot):.2f}.",
            ],
            [
                Slip("pays for everything in full", month(total, 0), f"{spot} of {total} tasks are on Spot."),
                Slip("gives the discount to every task", month(0, total), f"{plain} of {total} tasks pay in full."),
                Slip("gives the discount to all but the base", month(base, total - base), f"FARGATE has {plain} tasks, not {base}."),
            ],
            "dollars",
            0.02,
        ),
        numeric(
            "How many percent does Spot save of the price of all tasks on demand? Round to one decimal.",
            round(float(100 * spot * off / 100 / total), 1),
            [f"{spot} of {total} tasks save {off} percent: {spot} × {off} / {total} = {spot * off / total:.1f} percent."],
            [
                Slip("gives the discount to every task", off, f"{plain} of {total} tasks pay in full."),
                Slip("takes the share of Spot tasks for the saving", round(100 * spot / total, 1), f"they still cost {100 - off} percent."),
                Slip("takes what is paid for what is saved", round(100 - spot * off / total, 1), "that is the rest."),
            ],
            "%",
            0.05,
        ),
    )


@generator("scenarios.full-cluster", FULL, "medium", "analyze")
def full_cluster(rng: Random) -> Draft:
    """What fits on one instance, how many instances a service takes, and what is short then."""
    cpu, memory = rng.choice(((2048, rng.randint(3600, 7700)), (4096, rng.randint(7000, 15600))))
    need_cpu, need_memory = rng.choice((256, 384, 512, 640)), rng.choice((512, 768, 1024, 1536))
    by_cpu, by_memory, request = cpu // need_cpu, memory // need_memory, TaskRequest(cpu=need_cpu, memory=need_memory)
    empty = InstanceView("i", remaining_cpu=cpu, remaining_memory=memory)
    fit = len(place(request, [empty], [Strategy("random")], count=200).chosen)
    desired = rng.randint(2 * fit + 1, 6 * fit - 1)
    hosts, left_cpu, left_memory = ceil(desired / fit), cpu - fit * need_cpu, memory - fit * need_memory
    if by_cpu == by_memory or desired % fit == 0 or (left_cpu < need_cpu and left_memory < need_memory):
        return None
    key = unfit(request, InstanceView("i", remaining_cpu=left_cpu, remaining_memory=left_memory))
    facts = {
        "RESOURCE:CPU": f"{left_cpu} CPU units are left, {need_cpu} are needed.",
        "RESOURCE:MEMORY": f"{left_memory} MiB are left, {need_memory} are needed.",
        "RESOURCE:PORTS": "Docker chooses the host ports, and one is always free.",
        "RESOURCE:ENI": "a task in bridge mode has no interface of its own.",
    }
    return scenario(
        f"A cluster of equal container instances runs `{service(rng)}` alone, in `bridge` mode with dynamic host ports. An empty instance "
        f"offers {cpu} CPU units and {memory} MiB; a task needs {need_cpu} CPU units and {need_memory} MiB.",
        _tasks(
            "How many tasks fit on one instance?",
            fit,
            [f"By CPU {by_cpu}, by memory {by_memory}. Both must suffice: {fit}."],
            Slip("looks at the larger of the two", max(by_cpu, by_memory), "the scarcer resource decides."),
            Slip("rounds up to one more task", fit + 1, "reservations are never overcommitted."),
            Slip("adds what each of the two allows", by_cpu + by_memory, "a task takes both."),
        ),
        numeric(
            f"How many instances does a `desiredCount` of {desired} need at least?",
            hosts,
            [f"{desired} / {fit} = {desired / fit:.2f}, so {hosts} instances."],
            [
                Slip("rounds the instances down", desired // fit, f"{desired - desired // fit * fit} tasks would have no place."),
                Slip("divides by what the larger resource allows", ceil(desired / max(by_cpu, by_memory)), f"only {fit} fit on each."),
                Slip("gives every task an instance", desired, "nothing asks for distinct instances."),
            ],
            "instances",
        ),
        single(
            rng,
            f"One instance runs {fit} of the tasks and is the only one left. `RunTask` asks for one more. Which `reason` is in `failures`?",
            key,
            facts[key],
            [f"Left are {left_cpu} CPU units and {left_memory} MiB."],
            [Slip(f"thinks of {name.rpartition(':')[2].lower()}", name, fact) for name, fact in facts.items() if name != key],
        ),
    )


@generator("scenarios.peak", PEAK, "medium", "analyze")
def peak(rng: Random) -> Draft:
    """A step of a policy, the maximum, and a deployment at the size that was reached."""
    current, change, maximum = rng.randint(6, 30), rng.choice((15, 20, 25, 35, 45)), rng.choice((120, 125, 150))
    grown = current + percent_change(current, change)
    limit = rng.randint(grown + 1, grown + 4)
    again = grown + percent_change(grown, change)
    if current * change % 100 == 0 or again <= limit:
        return None
    limits, exact, high = band(limit, 100, maximum), current * change / 100, limit * maximum / 100
    return scenario(
        f"`{service(rng)}` runs {current} tasks at the beginning of the peak. A step scaling policy adds {change} percent "
        f"(PercentChangeInCapacity, no `MinAdjustmentMagnitude`) as long as the alarm lasts; `MaxCapacity` is {limit}.",
        _tasks(
            "What is the desired count after the first step?",
            grown,
            [f"{change} percent of {current} is {exact:g}, rounded toward zero and at least 1: {grown - current}.", f"{current} + {grown - current} = {grown}."],
            Slip("rounds the change up", current + ceil(exact), f"{exact:g} becomes {ceil(exact)}."),
            Slip("reads the percentage as a number of tasks", current + change, "that is ChangeInCapacity."),
            Slip("goes to the maximum at once", limit, "`MaxCapacity` is a limit, not a goal."),
        ),
        _tasks(
            "The alarm lasts, and the cooldown has passed. What is the desired count after the second step?",
            limit,
            [f"{change} percent more than {grown} is {again}; `MaxCapacity` makes it {limit}."],
            Slip("forgets MaxCapacity", again, f"the most is {limit}."),
            Slip("adds as many tasks as the first time, without a limit", 2 * grown - current, f"{grown} + {grown - current}."),
            Slip("refuses a step that does not fit whole", grown, "a step that leads too far is cut, not refused."),
        ),
        _tasks(
            f"At {limit} tasks somebody starts a rolling update with `maximumPercent` {maximum}. How many tasks may run at once at most?",
            limits.upper,
            [f"{limit} × {maximum} / 100 = {high:g}, rounded down: {limits.upper}. `MaxCapacity` limits the desired count, not the deployment."],
            Slip("lets MaxCapacity limit the deployment", limit, "it limits the desired count only."),
            Slip("takes the percentage of the tasks before the peak", floor(current * maximum / 100), f"of {current}; the desired count is {limit} now."),
            Slip("takes the default of 200 percent", 2 * limit, f"here it is {maximum} percent."),
        ),
    )
