"""Clusters: which provider, which instance, how many instances.

Keys from `rules.capacity_providers` and `rules.placement`. How the remainder of a split
by weights is rounded is not documented: only splits that come out even are asked.
"""
from __future__ import annotations

from math import ceil
from random import Random

from ecslab.rules.capacity_providers import ProviderShare, capacity_provider_reservation, scaled_group, split
from ecslab.rules.placement import Constraint, InstanceView, Strategy, TaskRequest, place, unfit

from .kit import About, Draft, Slip, count, generator, listed, numeric, service, single, upper

LAB, DOCS = "05-clusters-and-capacity", "https://docs.aws.amazon.com/AmazonECS/latest/"
CARD = "Clusters > Cluster Configuration"
PROVIDERS = About(
    "Amazon ECS API Reference: CapacityProviderStrategyItem",
    DOCS + "APIReference/API_CapacityProviderStrategyItem.html",
    "§4.2",
    CARD,
    ("SAA-C03 4.2", "SAA-C03 2.1"),
    LAB,
)
SCALING = About(
    "Amazon ECS Developer Guide: Amazon ECS cluster auto scaling",
    DOCS + "developerguide/cluster-auto-scaling.html",
    "§4.3",
    CARD,
    ("SAA-C03 2.1", "SOA-C03 2.1"),
    LAB,
)
PLACEMENT = About(
    "Amazon ECS Developer Guide: Use strategies to define Amazon ECS task placement",
    DOCS + "developerguide/task-placement-strategies.html",
    "§4.6",
    CARD,
    ("SAA-C03 3.2", "SAA-C03 4.2"),
    LAB,
)
FIT = About(
    "Amazon ECS Developer Guide: How Amazon ECS places tasks on container instances",
    DOCS + "developerguide/task-placement.html",
    "§4.6",
    CARD,
    ("SAA-C03 3.2", "SOA-C03 1.1"),
    LAB,
)


# Capacity providers ---------------------------------------------------------


@generator("clusters.base-and-weight", PROVIDERS)
def base_and_weight(rng: Random) -> Draft:
    """The base first, then the weights over what is left."""
    base, weights, rounds = rng.randint(1, 6), (rng.randint(1, 3), rng.randint(1, 4)), rng.randint(1, 5)
    total = base + sum(weights) * rounds
    strategy = (ProviderShare("FARGATE", base, weights[0]), ProviderShare("FARGATE_SPOT", 0, weights[1]))
    right, rest = split(strategy, total)["FARGATE_SPOT"], total - base
    return numeric(
        f"`{service(rng)}` has the capacity provider strategy FARGATE (`base` {base}, `weight` {weights[0]}) and "
        f"FARGATE_SPOT (`weight` {weights[1]}). It starts {total} tasks. How many of them go to FARGATE_SPOT?",
        right,
        [
            f"The first {base} go to FARGATE: {total} - {base} = {rest} are left.",
            f"Of these, {weights[1]} of each {sum(weights)} go to FARGATE_SPOT: {rest} × {weights[1]} / {sum(weights)} = {right}.",
        ],
        [
            Slip(
                "counts the base after the weights",
                round(total * weights[1] / sum(weights)),
                f"{total} × {weights[1]} / {sum(weights)}, about.",
            ),
            Slip("sends everything but the base to the other provider", rest, f"{total} - {base}; FARGATE has a weight, too."),
            Slip("mixes up the two weights", rest * weights[0] // sum(weights), f"{rest} × {weights[0]} / {sum(weights)}."),
            Slip("takes the base out of the other provider's share", right - base, f"{right} - {base}."),
        ],
        "tasks",
    )


@generator("clusters.weights", PROVIDERS, "easy")
def by_weight(rng: Random) -> Draft:
    """Without a base the weights split everything; weight 0 gets nothing."""
    weights, rounds = [rng.randint(0, 4) for _ in range(3)], rng.randint(1, 6)
    total = sum(weights) * rounds
    if weights.count(0) > 1 or not weights[0]:
        return None
    names = ("on-demand", "spot-a", "spot-b")
    right = split([ProviderShare(name, 0, weight) for name, weight in zip(names, weights)], total)["on-demand"]
    told = listed([f"`{name}` (`weight` {weight})" for name, weight in zip(names, weights)])
    return numeric(
        f"`{service(rng)}` has a strategy of three capacity providers without a `base`: {told}. It starts {total} tasks. "
        "How many of them go to `on-demand`?",
        right,
        [f"The weights add up to {sum(weights)}.", f"{total} × {weights[0]} / {sum(weights)} = {right} tasks."],
        [
            Slip("splits evenly among the providers", round(total / 3), f"{total} / 3, about; weights decide."),
            Slip("takes the weight for a number of tasks", weights[0], f"{weights[0]} is a share."),
            Slip("takes the weight for a percentage", round(total * weights[0] / 100, 2), f"{weights[0]} percent of {total}."),
            Slip(
                "divides by the other weights only",
                round(total * weights[0] / (sum(weights) - weights[0]), 2),
                f"{total} × {weights[0]} / {sum(weights) - weights[0]}.",
            ),
        ],
        "tasks",
    )


@generator("clusters.reservation", SCALING)
def reservation(rng: Random) -> Draft:
    """CapacityProviderReservation = needed / running × 100."""
    running, more, idle = rng.randint(2, 12), rng.randint(0, 6), rng.randint(0, 3)
    needed = running + more - idle
    if (more and idle) or not (more or idle) or needed < 1:
        return None
    right = round(capacity_provider_reservation(needed, running), 1)
    state = (
        f"all are in use, and the tasks in PROVISIONING need {more} more"
        if more
        else f"{idle} of them run{'s' if idle == 1 else ''} no task, and nothing waits"
    )
    return numeric(
        f"The Auto Scaling group behind the capacity provider of `{service(rng)}` has {running} instances; {state}. What "
        "is `CapacityProviderReservation`, in percent? Round to one decimal.",
        right,
        [
            f"Needed: {running} {f'+ {more}' if more else f'- {idle}'} = {needed} instances. Running: {running}.",
            f"{needed} / {running} × 100 = {right:g} percent.",
        ],
        [
            Slip("divides running by needed", round(100 * running / needed, 1), f"{running} / {needed} × 100."),
            Slip("takes only the difference", round(100 * (more or idle) / running, 1), f"{more or idle} / {running} × 100."),
            Slip(
                "caps the metric at 100",
                100,
                "the metric goes above 100 when instances are missing, and below when they are idle.",
            ),
        ],
        "%",
        0.05,
    )


@generator("clusters.group-size", SCALING, "medium", "analyze")
def group_size(rng: Random) -> Draft:
    """The group has its size when needed / running is at the target; only sizes that come out even."""
    target, running = rng.choice((50, 60, 75, 80, 90)), rng.randint(2, 12)
    needed = running + rng.randint(1, 12)
    if needed * 100 % target:
        return None
    right = scaled_group(running, needed, target)
    return numeric(
        f"A capacity provider has managed scaling with `targetCapacity` {target} and its other values as they are by "
        f"default. {running} instances run, and all tasks of `{service(rng)}`, the waiting ones too, need {needed}. With "
        "how many instances is `CapacityProviderReservation` at its target?",
        right,
        [
            f"Needed / running × 100 is to be {target}.",
            f"{needed} × 100 / {target} = {right} instances; {right - needed} of them are spare.",
        ],
        [
            Slip("scales to what is needed", needed, f"{needed} / {needed} is 100 percent, not {target}."),
            Slip(
                "takes the target's share of what is needed",
                round(needed * target / 100),
                f"{needed} × {target} / 100; that is too few.",
            ),
            Slip("adds what is spare to the running ones", running + right - needed, f"{running} + {right - needed}."),
            Slip(
                "adds the missing percent", ceil(needed * (200 - target) / 100), f"{needed} plus {100 - target} percent of it."
            ),
        ],
        "instances",
    )


# Placement ------------------------------------------------------------------


def _instances(free: dict[str, int], field: str) -> list[InstanceView]:
    return [
        InstanceView(name, **{"remaining_cpu": 9999, "remaining_memory": 9999} | {f"remaining_{field}": amount})
        for name, amount in free.items()
    ]


@generator("clusters.binpack", PLACEMENT)
def binpack(rng: Random) -> Draft:
    """The instance with least left that still fits."""
    field = rng.choice(("cpu", "memory"))
    amounts = rng.sample(range(100, 2000, 50), 4)
    free = dict(zip(("i-a", "i-b", "i-c", "i-d"), amounts))
    need = rng.randrange(150, 1500, 50)
    fitting = sorted(amount for amount in amounts if amount >= need)
    if len(fitting) != 3:
        return None
    request = TaskRequest(**{field: need})
    key = place(request, _instances(free, field), [Strategy("binpack", field)]).chosen[0]
    least, most, middle = min(free, key=free.get), max(free, key=free.get), next(n for n, a in free.items() if a == fitting[1])
    unit = "CPU units" if field == "cpu" else "MiB"
    return single(
        rng,
        f"The strategy of `{service(rng)}` is binpack by `{field}`. A task needs {need} {unit}. Free on the instances: "
        f"{listed([f'{amount} on {name}' for name, amount in free.items()])}. Of all else each has enough. Where is the "
        "task placed?",
        key,
        f"{free[key]} is the least that is not below {need}.",
        [
            f"Fits: {listed([f'{name} ({amount})' for name, amount in free.items() if amount >= need])}.",
            f"Binpack takes the one with least left: {key}.",
        ],
        [
            Slip("takes the instance with most room", most, f"{free[most]} is the most; that is what binpack avoids."),
            Slip("forgets that the task must fit", least, f"{free[least]} is below {need}."),
            Slip("balances the load", middle, f"{free[middle]} fits, but {free[key]} is less."),
        ],
    )


@generator("clusters.spread", PLACEMENT)
def spread(rng: Random) -> Draft:
    """Zones first by fewest tasks of the service, then binpack among the zone's instances."""
    memory, need = rng.sample(range(400, 4000, 100), 4), rng.choice((128, 256, 384))
    tasks = [rng.randint(0, 4) for _ in range(4)]
    zones = {"us-east-1a": tasks[0] + tasks[1], "us-east-1b": tasks[2] + tasks[3]}
    if len(set(zones.values())) == 1:
        return None
    instances = [
        InstanceView(name, zone=zone, remaining_cpu=9999, remaining_memory=left, tasks_by_group={"service:s": many})
        for name, zone, left, many in zip(
            ("i-a", "i-b", "i-c", "i-d"), ("us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"), memory, tasks
        )
    ]
    strategy = [Strategy("spread", "attribute:ecs.availability-zone"), Strategy("binpack", "memory")]
    key = place(TaskRequest(memory=need, group="service:s"), instances, strategy).chosen[0]
    by_name = {i.id: i for i in instances}
    zone = by_name[key].zone
    other = next(i for i in instances if i.zone == zone and i.id != key)
    away = sorted((i for i in instances if i.zone != zone), key=lambda i: i.remaining_memory)
    told = listed(
        [
            f"{i.id} ({i.zone}, {count(i.tasks_by_group['service:s'], 'task')} of it, {i.remaining_memory} MiB free)"
            for i in instances
        ]
    )
    return single(
        rng,
        f"The strategies of `{service(rng)}` are spread by `attribute:ecs.availability-zone`, then binpack by `memory`. "
        f"Its next task needs {need} MiB. The instances: {told}. Where is the task placed?",
        key,
        f"{zone} has fewer tasks of the service, and {key} is its fuller instance.",
        [
            f"First spread: {listed([f'{z} has {n}' for z, n in zones.items()])}, so {zone}.",
            f"Then binpack among its instances: {by_name[key].remaining_memory} MiB on {key} against {other.remaining_memory} on {other.id}.",
        ],
        [
            Slip(
                "spreads within the zone, too",
                other.id,
                f"it has {other.remaining_memory} MiB free; binpack takes the one with less.",
            ),
            Slip("lets the second strategy decide first", away[0].id, f"it is in {away[0].zone}, which has more tasks."),
            Slip(
                "takes the instance without looking at the zone", away[1].id, f"it is in {away[1].zone}, which has more tasks."
            ),
        ],
    )


@generator("clusters.tasks-that-fit", FIT)
def tasks_that_fit(rng: Random) -> Draft:
    """The scarcer resource decides."""
    cpu, memory = rng.choice((1024, 2048, 4096)), rng.randint(1900, 15800)
    need_cpu, need_memory = rng.choice((128, 192, 256, 320, 512)), rng.choice((256, 384, 512, 768, 1024))
    empty = InstanceView("i", remaining_cpu=cpu, remaining_memory=memory)
    right = len(place(TaskRequest(cpu=need_cpu, memory=need_memory), [empty], [Strategy("random")], count=200).chosen)
    by_cpu, by_memory = cpu // need_cpu, memory // need_memory
    if by_cpu == by_memory or (by_cpu < by_memory and rng.random() < 0.7):
        return None
    return numeric(
        f"An instance has {cpu} CPU units and {memory} MiB left. How many tasks of `{service(rng)}`, each {need_cpu} CPU "
        f"units and {need_memory} MiB in `bridge` mode with dynamic host ports, fit on it?",
        right,
        [
            f"By CPU: {cpu} / {need_cpu} = {cpu / need_cpu:.2f}, so {by_cpu}. By memory: {memory} / {need_memory} = {memory / need_memory:.2f}, so {by_memory}.",
            f"Both must suffice: {right}.",
        ],
        [
            Slip("looks at the memory only", by_memory, f"CPU is enough for {by_cpu} only."),
            Slip("looks at the CPU only", by_cpu, f"memory is enough for {by_memory} only."),
            Slip("rounds up to one more task", right + 1, "reservations are never overcommitted."),
            Slip("adds what each of the two allows", by_cpu + by_memory, f"{by_cpu} + {by_memory}; a task takes both."),
        ],
        "tasks",
    )


REASONS = {
    "RESOURCE:CPU": "thinks CPU is short",
    "RESOURCE:MEMORY": "thinks memory is short",
    "RESOURCE:PORTS": "thinks a port is taken",
    "RESOURCE:ENI": "thinks network interfaces are short",
}


@generator("clusters.failure-reason", FIT, "medium", "analyze")
def failure_reason(rng: Random) -> Draft:
    """One thing is short; RunTask names it."""
    cpu, memory, port = rng.choice((256, 512, 1024)), rng.choice((512, 1024, 2048)), rng.choice((80, 443, 8080, 9000))
    short = rng.choice(("cpu", "memory", "ports"))
    left_cpu = cpu - rng.randint(1, 128) if short == "cpu" else cpu + rng.randint(0, 900)
    left_memory = memory - rng.randint(1, 300) if short == "memory" else memory + rng.randint(0, 3000)
    taken = port if short == "ports" else port + 1
    instance = InstanceView("i", remaining_cpu=left_cpu, remaining_memory=left_memory, used_tcp_ports=frozenset({22, taken}))
    key = unfit(TaskRequest(cpu=cpu, memory=memory, host_ports=((port, "tcp"),)), instance)
    facts = {
        "RESOURCE:CPU": f"{left_cpu} CPU units are left, {cpu} are needed.",
        "RESOURCE:MEMORY": f"{left_memory} MiB are left, {memory} are needed.",
        "RESOURCE:PORTS": f"port {port} is needed, {taken} is taken.",
        "RESOURCE:ENI": "a task in bridge mode needs no interface of its own.",
    }
    return single(
        rng,
        f"`RunTask` for a task of `{service(rng)}` in `bridge` mode: {cpu} CPU units, {memory} MiB, fixed host port "
        f"{port}. The only instance has {left_cpu} CPU units and {left_memory} MiB left, and host port {taken} in use. "
        "Which `reason` is in `failures`?",
        key,
        upper(facts[key]),
        [f"{upper(facts[name])}{' That does not fit.' if name == key else ''}" for name in list(REASONS)[:3]],
        [Slip(slip, name, facts[name]) for name, slip in REASONS.items() if name != key],
    )


@generator("clusters.distinct-instances", FIT, "easy")
def distinct_instances(rng: Random) -> Draft:
    """One task of the service per instance; the rest wait."""
    desired, hosts, room = rng.randint(4, 14), rng.randint(2, 12), rng.randint(2, 5)
    if desired <= hosts:
        return None
    instances = [InstanceView(f"i-{n}", remaining_cpu=room * 256, remaining_memory=room * 512) for n in range(hosts)]
    request = TaskRequest(cpu=256, memory=512, group="service:s")
    right = len(place(request, instances, constraints=[Constraint("distinctInstance")], count=desired).chosen)
    return numeric(
        f"`{service(rng)}` has `desiredCount` {desired} and the placement constraint `distinctInstance`. The cluster has "
        f"{hosts} empty instances, each with room for {room} of its tasks. How many of its tasks run?",
        right,
        [
            f"Each task needs an instance that has none of the service: {hosts} instances, {right} tasks.",
            f"The other {desired - right} cannot be placed; the service says so in its events.",
        ],
        [
            Slip(
                "takes a constraint for a preference",
                min(desired, hosts * room),
                f"{hosts} × {room} tasks would have room; constraints bind.",
            ),
            Slip("places all or nothing", 0, f"what can be placed is placed: {right}."),
            Slip(
                "expects new instances for the rest",
                desired,
                f"{desired} would need {desired - hosts} more instances; a constraint adds none.",
            ),
        ],
        "tasks",
    )
