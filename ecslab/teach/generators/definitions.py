"""Task definitions: Fargate sizes, the forms of a size, what is reserved, what is accepted, where it runs.

Keys from `rules.fargate`, `rules.task_size`, `rules.pricing` and `rules.task_definition`.
"""
from __future__ import annotations

from fractions import Fraction
from random import Random

from ecslab.rules.errors import EcsError
from ecslab.rules.fargate import FARGATE_SIZES, fargate_pairs
from ecslab.rules.pricing import cheapest_size
from ecslab.rules.task_definition import register
from ecslab.rules.task_size import MIB_PER_GB, parse_cpu, parse_memory, reserved

from .kit import About, Draft, Slip, generator, listed, multiple, numeric, service, single

LAB, DOCS = "02-task-definitions", "https://docs.aws.amazon.com/AmazonECS/latest/"
CARD, GOALS = "Task Definitions > Task Definition Components", ("DVA-C02 3.1", "SAA-C03 4.2")
FARGATE = About(
    "Amazon ECS Developer Guide: Amazon ECS task definition differences for Fargate",
    DOCS + "developerguide/fargate-tasks-services.html",
    "§1.3",
    CARD,
    GOALS,
    LAB,
)
SIZES = About(
    "Amazon ECS API Reference: RegisterTaskDefinition",
    DOCS + "APIReference/API_RegisterTaskDefinition.html",
    "§1.3",
    CARD,
    GOALS,
    LAB,
)
LIMITS = About(
    "Amazon ECS API Reference: ContainerDefinition",
    DOCS + "APIReference/API_ContainerDefinition.html",
    "§1.4",
    CARD,
    GOALS,
    LAB,
)
WHERE = About(
    "Amazon ECS API Reference: TaskDefinition",
    DOCS + "APIReference/API_TaskDefinition.html",
    "§1.13",
    "Launch Types > Launch Type Comparison",
    ("CLF-C02 3.3", "SAA-C03 2.1"),
    "01-concepts",
)


# Fargate sizes --------------------------------------------------------------


def _size(cpu: int, memory: int) -> str:
    return f"`cpu` {cpu}, `memory` {memory}"


def _between(cpu: int) -> list[int]:
    """Whole GB (half ones for the smallest CPU) inside the range of a CPU, but between its sizes."""
    sizes = FARGATE_SIZES[cpu]
    step = MIB_PER_GB // 2 if cpu <= 512 else MIB_PER_GB
    return [memory for memory in range(sizes[0], sizes[-1], step) if memory not in sizes]


def _wrong_sizes(rng: Random) -> list[Slip]:
    """A size with too little memory, one with too much, one between the steps."""
    low, high, off = (
        rng.choice((1024, 2048, 4096, 8192)),
        rng.choice((256, 512, 1024, 2048)),
        rng.choice((256, 512, 8192, 16384)),
    )
    less, more, beside = FARGATE_SIZES[low][0] // 2, FARGATE_SIZES[high][-1] * 2, rng.choice(_between(off))
    return [
        Slip(
            "thinks any CPU takes a small memory", _size(low, less), f"{low} units take at least {FARGATE_SIZES[low][0]} MiB."
        ),
        Slip(
            "thinks any CPU takes a large memory",
            _size(high, more),
            f"{high} units take at most {FARGATE_SIZES[high][-1]} MiB.",
        ),
        Slip(
            "thinks memory moves in steps of any size",
            _size(off, beside),
            f"with {off} units, {beside} lies between two sizes.",
        ),
    ]


@generator("task-definitions.fargate-size", FARGATE, "easy", "remember")
def fargate_size(rng: Random) -> Draft:
    """Exactly the pairs of the table are valid."""
    cpu, memory = rng.choice(fargate_pairs())
    return single(
        rng,
        f"Which size can a Linux task of `{service(rng)}` have on Fargate?",
        _size(cpu, memory),
        f"{cpu} units take {_range(cpu)}.",
        [
            f"{cpu} CPU units ({cpu / 1024:g} vCPU) take {_range(cpu)}.",
            f"{memory} is one of these. Any other pair is refused at registration.",
        ],
        _wrong_sizes(rng),
    )


@generator("task-definitions.fargate-sizes", FARGATE, "medium", "remember")
def fargate_sizes(rng: Random) -> Draft:
    """Two valid pairs among invalid ones."""
    (cpu, memory), (other, much) = rng.sample(fargate_pairs(), 2)
    keys = [
        (_size(cpu, memory), f"{cpu} units take {_range(cpu)}."),
        (_size(other, much), f"{other} units take {_range(other)}."),
    ]
    return multiple(
        rng,
        f"Which two sizes can a Linux task of `{service(rng)}` have on Fargate?",
        keys,
        [why for _, why in keys],
        _wrong_sizes(rng),
    )


def _range(cpu: int) -> str:
    sizes = FARGATE_SIZES[cpu]
    if len(sizes) <= 4:
        return f"{listed([str(size) for size in sizes])} MiB"
    return f"{sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


@generator("task-definitions.smallest-size", FARGATE, "hard", "analyze")
def smallest_size(rng: Random) -> Draft:
    """Memory often decides the CPU."""
    cpu, memory = rng.randint(60, 3900), rng.randint(300, 30000)
    found = cheapest_size(cpu, memory, headroom=0)
    by_cpu = next(units for units in FARGATE_SIZES if units >= cpu)
    if found.memory > FARGATE_SIZES[by_cpu][-1] * 3:
        return None
    gb = -(-memory // MIB_PER_GB) * MIB_PER_GB
    later = [units for units in FARGATE_SIZES if units > found.cpu]
    enough = [size for size in FARGATE_SIZES[later[0]] if size >= memory]
    return single(
        rng,
        f"At its peak a task of `{service(rng)}` uses {cpu} CPU units and {memory} MiB. Which is the cheapest Fargate "
        "size (Linux) that is enough?",
        _size(found.cpu, found.memory),
        "It is the cheapest pair of the table that holds both peaks.",
        [
            f"CPU: at least {cpu} units, so {by_cpu} or more.",
            f"Memory: at least {memory} MiB, which {found.cpu} units offer as {found.memory}.",
            f"The least CPU that offers so much memory costs least: {found.cpu} / {found.memory}.",
        ],
        [
            Slip(
                "pairs CPU and memory freely",
                _size(by_cpu, gb),
                f"{by_cpu} units take {_range(by_cpu)}; {gb} is not among them.",
            )
            if gb not in FARGATE_SIZES[by_cpu]
            else Slip("takes the next CPU to be safe", _size(later[0], enough[0]), f"enough, but {found.cpu} units are, too."),
            Slip(
                "looks at the CPU only",
                _size(by_cpu, FARGATE_SIZES[by_cpu][0]),
                f"{FARGATE_SIZES[by_cpu][0]} MiB are less than {memory}.",
            )
            if FARGATE_SIZES[by_cpu][0] < memory
            else Slip(
                "rounds down to the CPU below",
                _size(by_cpu // 2, FARGATE_SIZES.get(by_cpu // 2, (512,))[-1]),
                f"{by_cpu // 2} units are less than {cpu}.",
            ),
            Slip(
                "takes the most memory that CPU offers",
                _size(found.cpu, FARGATE_SIZES[found.cpu][-1]),
                f"enough, but {found.memory} MiB are, too.",
            ),
            Slip(
                "skips a size",
                _size(later[0], FARGATE_SIZES[later[0]][-1]),
                f"enough, but {found.cpu} units and {found.memory} MiB are, too.",
            ),
        ],
    )


@generator("task-definitions.size-in-units", SIZES, "easy", "understand")
def size_in_units(rng: Random) -> Draft:
    """1 GB is 1024 MiB, 1 vCPU is 1024 units."""
    what = rng.choice(("cpu", "memory"))
    number = rng.choice((0.25, 0.5, 1, 2, 4, 8, 16)) if what == "cpu" else rng.choice((0.5, *range(1, 31)))
    text = f"{number:g}"
    text = f"{text.lstrip('0') if rng.random() < 0.3 and number < 1 else text}{rng.choice((' ', ''))}"
    text += rng.choice(("vCPU", "vcpu", "VCPU")) if what == "cpu" else rng.choice(("GB", "gb"))
    right = parse_cpu(text) if what == "cpu" else parse_memory(text)
    unit = "CPU units" if what == "cpu" else "MiB"
    return numeric(
        f'A task definition of `{service(rng)}` is registered with the task-level `{what}` "{text}". Which number does '
        f"`DescribeTaskDefinition` show as `{what}`?",
        right,
        [f"`{what}` is kept in {unit}: {number:g} × 1024 = {right}."],
        [
            Slip("converts by 1000", number * 1000, f"{number:g} × 1000 = {number * 1000:g}."),
            Slip("expects the text back", number, f"{number:g} is in {'vCPU' if what == 'cpu' else 'GB'}; ECS keeps {unit}."),
            Slip(
                "takes a vCPU for 256 units" if what == "cpu" else "takes a GB for 512 MiB",
                right / 4 if what == "cpu" else right / 2,
                "1 vCPU is 1024 units, 1 GB is 1024 MiB.",
            ),
        ],
        unit,
    )


# Inside the task ------------------------------------------------------------


@generator("task-definitions.cpu-share", LIMITS, "hard", "analyze")
def cpu_share(rng: Random) -> Draft:
    """Container CPU is a share of what the task has, not a limit."""
    task, part = rng.choice((512, 1024, 2048, 4096)), rng.choice((64, 128, 256))
    one, two = (part * n for n in rng.choice(((1, 1), (1, 3), (2, 1), (3, 1), (1, 7), (2, 6), (3, 5), (5, 3))))
    right = Fraction(task * one, one + two)
    if one + two >= task or right.denominator != 1:
        return None
    return numeric(
        f"A task of `{service(rng)}` has the task-level `cpu` {task} and two containers: `app` with `cpu` {one} and "
        f"`proxy` with `cpu` {two}. Both have more work than CPU. How many CPU units does `app` get?",
        int(right),
        [
            "Container `cpu` is a share: under load the task's CPU is split in proportion.",
            f"{task} × {one} / ({one} + {two}) = {right} units.",
        ],
        [
            Slip("takes the container's cpu for a limit", one, f"{one} units; the rest of {task} would lie idle."),
            Slip("splits the CPU evenly", task / 2, f"{task} / 2; shares are {one} to {two}."),
            Slip("gives what is left over to one container", task - two, f"{task} - {two}; the remainder is shared, too."),
        ],
        "CPU units",
    )


@generator("task-definitions.reserved-memory", LIMITS, "medium", "analyze")
def reserved_memory(rng: Random) -> Draft:
    """memoryReservation counts before memory; a task-level size before both."""
    soft = [rng.choice((128, 192, 256, 384, 512)) for _ in range(2)]
    hard = [low + rng.choice((128, 256, 512, 768)) for low in soft]
    alone = rng.choice((64, 128, 320, 640))
    containers = [
        {"name": "app", "memory": hard[0], "memoryReservation": soft[0]},
        {"name": "proxy", "memory": hard[1], "memoryReservation": soft[1]},
    ]
    containers.append({"name": "agent", "memory": alone})
    task = rng.choice((None, None, 2048, 3072, 4096))
    definition = {"containerDefinitions": containers} | ({"memory": str(task)} if task else {})
    right = reserved(definition)[1]
    level = f"the task-level `memory` {task}" if task else "no task-level `memory`"
    limits, softs = sum(hard) + alone, sum(soft) + alone
    return numeric(
        f"A task definition of `{service(rng)}` for EC2 has {level} and three containers: `app` (`memory` {hard[0]}, "
        f"`memoryReservation` {soft[0]}), `proxy` (`memory` {hard[1]}, `memoryReservation` {soft[1]}) and `agent` "
        f"(`memory` {alone}). How many MiB does one task reserve on its instance?",
        right,
        [f"The task has a size of its own, and that is reserved: {task} MiB."]
        if task
        else [
            "Without a task-level size the containers count, each with `memoryReservation` if it has one, else with `memory`.",
            f"{soft[0]} + {soft[1]} + {alone} = {right} MiB.",
        ],
        [
            Slip("reserves the hard limits", limits, f"{hard[0]} + {hard[1]} + {alone} = {limits}."),
            Slip("forgets the container without memoryReservation", sum(soft), f"{soft[0]} + {soft[1]} = {sum(soft)}."),
            Slip("adds the containers though the task has a size", softs, f"{soft[0]} + {soft[1]} + {alone} = {softs}."),
            Slip("adds hard and soft limits", sum(hard) + softs, f"{sum(hard)} + {softs}."),
        ],
        "MiB",
    )


def _accepted(task: tuple[int, int], *containers: dict) -> bool:
    request = {
        "family": "f",
        "networkMode": "bridge",
        "cpu": str(task[0]),
        "memory": str(task[1]),
        "containerDefinitions": [{"name": name, "image": "i", **c} for name, c in zip(("app", "proxy"), containers)],
    }
    try:
        register(request)
    except EcsError:
        return False
    return True


def _two(*containers: dict) -> str:
    return " and ".join(
        f"`{name}` ({', '.join(f'`{field}` {value}' for field, value in c.items())})"
        for name, c in zip(("app", "proxy"), containers)
    )


@generator("task-definitions.accepted", LIMITS, "hard", "analyze")
def accepted(rng: Random) -> Draft:
    """Sums of cpu and of memoryReservation, and each hard limit, stay inside the task; hard limits may add up to more."""
    cpu, memory = rng.choice((512, 1024, 2048)), rng.choice((1024, 2048, 4096))
    half, most, some = cpu // 2, memory // 2, rng.choice((64, 128, 192, 256))
    right = (
        {"cpu": half, "memory": memory - some, "memoryReservation": most - some},
        {"cpu": half - 64, "memory": memory - some},
    )
    wrong = {
        "thinks container CPU may exceed the task's": ({"cpu": half, "memory": most}, {"cpu": half + some, "memory": most}),
        "thinks a container may have more memory than its task": (
            {"cpu": half, "memory": memory + some},
            {"cpu": half - 64, "memoryReservation": some},
        ),
        "takes memoryReservation for the hard limit": (
            {"cpu": half, "memory": most - some, "memoryReservation": most},
            {"cpu": half - 64, "memory": most},
        ),
    }
    assert _accepted((cpu, memory), *right) and not any(_accepted((cpu, memory), *pair) for pair in wrong.values())
    hows = (
        f"{half} + {half + some} CPU units are more than the task's {cpu}.",
        f"{memory + some} MiB are more than the task's {memory}.",
        f"`memory` {most - some} is the hard limit and must not be below `memoryReservation` {most}.",
    )
    return single(
        rng,
        f"A task definition of `{service(rng)}` for EC2 has the task-level `cpu` {cpu} and `memory` {memory}. Which "
        "containers does `RegisterTaskDefinition` accept?",
        _two(*right),
        "Each limit is inside the task's; hard limits may add up to more than the task has.",
        [
            f"CPU: {half} + {half - 64} = {cpu - 64}, not more than {cpu}.",
            f"Memory: each hard limit, {memory - some}, is not more than {memory}. Their sum is not checked; that of `memoryReservation` is.",
            "In each container `memory` is not below `memoryReservation`.",
        ],
        [Slip(slip, _two(*pair), how) for (slip, pair), how in zip(wrong.items(), hows)],
    )


# Where it can run -----------------------------------------------------------

FAULTS = {
    "thinks Fargate runs every network mode": ({"networkMode": "bridge"}, "Fargate takes only `awsvpc`."),
    "thinks Fargate borrows the host's network": (
        {"networkMode": "host"},
        "Fargate takes only `awsvpc`; there is no host of yours.",
    ),
    "thinks Fargate sizes a task by its containers": ({"cpu": None}, "Fargate needs `cpu` and `memory` at the task level."),
    "thinks Fargate takes any memory": ({"memory": "768"}, "768 MiB go with no CPU of the table."),
    "thinks Fargate allows privileged containers": ({"privileged": True}, "`privileged` must be false."),
    "thinks Fargate shares the host's processes": ({"pidMode": "host"}, "`pidMode` host is refused."),
    "thinks Fargate mounts a folder of the host": (
        {"sourcePath": "/data"},
        "a volume with `sourcePath` needs a host of yours.",
    ),
}
WORDS = {"sourcePath": 'a volume with `host.sourcePath` "/data"', "privileged": "a container with `privileged` true"}


def _definition(cpu: int, memory: int, change: dict) -> dict:
    made = {"family": "f", "networkMode": "awsvpc", "cpu": str(cpu), "memory": str(memory)}
    container = {"name": "app", "image": "i", "memory": 128}
    made |= {name: value for name, value in change.items() if name not in WORDS}
    if change.get("privileged"):
        container["privileged"] = True
    if path := change.get("sourcePath"):
        made["volumes"] = [{"name": "data", "host": {"sourcePath": path}}]
    return {name: value for name, value in {**made, "containerDefinitions": [container]}.items() if value is not None}


def _told(definition: dict, change: dict) -> str:
    fields = [f"`{name}` {definition[name]}" for name in ("networkMode", "cpu", "memory", "pidMode") if name in definition]
    return ", ".join(fields + [WORDS[name] for name in change if name in WORDS])


@generator("concepts.runs-on-fargate", WHERE, "medium", "analyze")
def runs_on_fargate(rng: Random) -> Draft:
    """`compatibilities` names FARGATE for one of the four."""
    pairs = rng.sample([pair for pair in fargate_pairs() if pair[0] <= 4096], 4)
    key, *others = (_definition(cpu, memory, {}) for cpu, memory in pairs)
    slips = rng.sample(sorted(FAULTS), 3)
    options = []
    for slip, (cpu, memory) in zip(slips, pairs[1:]):
        change, how = FAULTS[slip]
        definition = _definition(cpu, memory, change)
        assert "FARGATE" not in register(definition)["compatibilities"]
        options.append(Slip(slip, _told(definition, change), how))
    assert "FARGATE" in register(key)["compatibilities"]
    return single(
        rng,
        f"Four drafts of a task definition for `{service(rng)}`, otherwise alike: which one can run on Fargate?",
        _told(key, {}),
        "`awsvpc`, a size of the table, and nothing that needs a host of yours.",
        [
            "Fargate wants `networkMode` awsvpc, and `cpu` and `memory` of the table at the task level.",
            "It refuses what reaches for the host: `privileged`, `pidMode` host, volumes with `sourcePath`.",
        ],
        options,
    )
