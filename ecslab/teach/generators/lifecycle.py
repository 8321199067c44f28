"""Inside one task: health, order of containers, exit codes, how long a stop takes.

Keys from `rules.health`, `rules.container_order` and `rules.lifecycle`.
"""
from __future__ import annotations

from dataclasses import replace
from random import Random

from ecslab.rules.container_order import start_order
from ecslab.rules.health import seconds_to_unhealthy, task_health
from ecslab.rules.lifecycle import (
    ESSENTIAL_CONTAINER_EXITED,
    Container,
    Progress,
    StopTask,
    containers_of,
    exited,
    plan,
    satisfied,
    started,
    stoppable,
)

from .kit import About, Draft, Slip, generator, listed, numeric, service, single

LAB, DOCS = "04-tasks-and-lifecycle", "https://docs.aws.amazon.com/AmazonECS/latest/"
CARD, GOALS = "Task Definitions > Task Definition Components", ("DVA-C02 3.1", "SOA-C03 1.1")
HEALTH = About(
    "Amazon ECS Developer Guide: Determine Amazon ECS task health using container health checks",
    DOCS + "developerguide/healthcheck.html",
    "§1.7",
    CARD,
    GOALS,
    LAB,
)
ORDER = About(
    "Amazon ECS API Reference: ContainerDependency",
    DOCS + "APIReference/API_ContainerDependency.html",
    "§1.6",
    CARD,
    GOALS,
    LAB,
)
STOP = About(
    "Amazon ECS Developer Guide: Amazon ECS task lifecycle",
    DOCS + "developerguide/task-lifecycle-explanation.html",
    "§2.2",
    "Services",
    GOALS,
    LAB,
)
ESSENTIAL = About(STOP.title, STOP.url, "§1.5, §2.3", CARD, GOALS, LAB)

ROLES = ("app", "proxy", "agent", "cache", "metrics", "shipper", "auth", "worker")


# Health ---------------------------------------------------------------------


@generator("tasks.seconds-to-unhealthy", HEALTH)
def until_unhealthy(rng: Random) -> Draft:
    """startPeriod first, then retries times interval."""
    interval, retries, start = rng.choice((5, 10, 15, 20, 30, 60)), rng.randint(2, 8), rng.choice((0, 20, 30, 60, 90, 120))
    timeout = rng.choice([seconds for seconds in (2, 3, 4, 5, 8) if seconds < interval])
    right = seconds_to_unhealthy(interval, retries, start)
    return numeric(
        f"A container of `{service(rng)}` has a health check with `interval` {interval}, `timeout` {timeout}, `retries` "
        f"{retries} and `startPeriod` {start}. Its check never passes. About how many seconds after the container's "
        "start is it UNHEALTHY? Leave out the last check's timeout.",
        right,
        [
            f"Failures inside `startPeriod` do not count: {start} seconds.",
            f"Then {retries} failures in a row, {interval} seconds apart: {retries} × {interval} = {retries * interval}.",
            f"{start} + {retries * interval} = {right} seconds.",
        ],
        [
            Slip("counts failures inside startPeriod", retries * interval, f"{retries} × {interval} = {retries * interval}."),
            Slip("takes the timeout for the interval", start + retries * timeout, f"{start} + {retries} × {timeout}."),
            Slip(
                "believes the first failed check",
                start + interval,
                f"{start} + {interval}; {retries} failures in a row are needed.",
            ),
            Slip("reads retries as extra tries", start + (retries + 1) * interval, f"{start} + {retries + 1} × {interval}."),
        ],
        "seconds",
    )


STATUSES = ("HEALTHY", "UNHEALTHY", "UNKNOWN")
NEEDS = {
    "HEALTHY": "takes some healthy containers for a healthy task",
    "UNHEALTHY": "lets a container decide that does not count",
    "UNKNOWN": "thinks one container without a check hides the others",
}
MEANS = {
    "HEALTHY": "HEALTHY needs every essential container with a check to be HEALTHY.",
    "UNHEALTHY": "UNHEALTHY needs an essential container whose check has failed.",
    "UNKNOWN": "UNKNOWN needs no essential container with a check, or one that has no result yet, and none UNHEALTHY.",
}


@generator("tasks.health-status", HEALTH, "hard", "analyze")
def health_status(rng: Random) -> Draft:
    """Essential containers with a check decide, the worst one first."""
    names = rng.sample(ROLES, 3)
    containers = [
        Container(name, essential=rng.random() < 0.6, has_health_check=rng.random() < 0.75, status="RUNNING") for name in names
    ]
    if not any(c.essential for c in containers):
        return None
    containers = [replace(c, health=rng.choice(STATUSES)) if c.has_health_check else c for c in containers]
    key, deciding = task_health(containers), [c for c in containers if c.essential and c.has_health_check]
    told = listed([_condition(c) for c in containers])
    counts = listed([f"`{c.name}` ({c.health})" for c in deciding]) if deciding else "none"
    return single(
        rng,
        f"A RUNNING task of `{service(rng)}` has three containers: {told}. What is the task's `healthStatus`?",
        key,
        f"Of the three, these count: {counts}.",
        [
            f"Only essential containers with a health check count: {counts}.",
            "Any of them UNHEALTHY: UNHEALTHY. Else any UNKNOWN, or none at all: UNKNOWN. Else HEALTHY.",
            f"So: {key}.",
        ],
        [
            *(Slip(NEEDS[status], status, MEANS[status]) for status in STATUSES if status != key),
            Slip(
                "takes the state for the health",
                "RUNNING",
                "RUNNING is a `lastStatus`; `healthStatus` is HEALTHY, UNHEALTHY or UNKNOWN.",
            ),
        ],
    )


def _condition(c: Container) -> str:
    return f"`{c.name}` ({'essential' if c.essential else 'not essential'}, {c.health if c.has_health_check else 'no health check'})"


# Order ----------------------------------------------------------------------


def _chain(rng: Random) -> tuple[list[dict], list[str], str]:
    """Four containers that wait for one another in a line, listed in no order: definitions, start order, in words."""
    chain = rng.sample(ROLES, 4)
    condition = rng.choice(("START", "HEALTHY"))
    made = [{"name": chain[0]}]
    made += [
        {"name": name, "dependsOn": [{"containerName": before, "condition": condition}]}
        for before, name in zip(chain, chain[1:])
    ]
    rng.shuffle(made)
    words = "; ".join(
        f"`{c['name']}` depends on `{c['dependsOn'][0]['containerName']}` ({condition})"
        if "dependsOn" in c
        else f"`{c['name']}` depends on none"
        for c in made
    )
    return made, start_order(made), words


def _arrows(names) -> str:
    return ", ".join(names)


@generator("tasks.start-order", ORDER, "easy")
def starting(rng: Random) -> Draft:
    """What others depend on starts first."""
    made, order, words = _chain(rng)
    return single(
        rng,
        f"A task definition of `{service(rng)}` lists four containers: {words}. In which order do they start?",
        _arrows(order),
        f"`{order[0]}` waits for none; each of the others waits for the one before it.",
        [
            f"`{order[0]}` depends on none and starts first.",
            *(f"`{name}` waits for `{before}`." for before, name in zip(order, order[1:])),
        ],
        [
            Slip(
                "reads dependsOn backwards",
                _arrows(reversed(order)),
                f"`{order[-1]}` waits for `{order[-2]}`, so it cannot be first.",
            ),
            Slip(
                "starts containers as they are listed",
                _arrows(c["name"] for c in made),
                "the list has no order; `dependsOn` has.",
            ),
            Slip("starts containers by name", _arrows(sorted(order)), "names play no part; `dependsOn` decides."),
            Slip("swaps the last two", _arrows([*order[:2], order[3], order[2]]), f"`{order[3]}` waits for `{order[2]}`."),
        ],
    )


@generator("tasks.stop-order", ORDER, "medium")
def stopping(rng: Random) -> Draft:
    """Dependants stop first."""
    made, start, words = _chain(rng)
    running = [started(c, 0.0) for c in containers_of({"containerDefinitions": made})]
    order: list[str] = []
    while len(order) < len(made):
        (name,) = [c.name for c in stoppable(running)]
        order.append(name)
        running = [exited(c, 0) if c.name == name else c for c in running]
    return single(
        rng,
        f"A running task of `{service(rng)}` has four containers: {words}. The task is stopped. In which order do they "
        "get their stop signal?",
        _arrows(order),
        "A container stops before those it depends on: the start order backwards.",
        [
            f"They started in the order {_arrows(start)}.",
            "They stop in the reverse of it, so that nothing loses what it depends on.",
            f"So: {_arrows(order)}.",
        ],
        [
            Slip(
                "stops containers in the order they started",
                _arrows(start),
                f"`{start[1]}` would lose `{start[0]}` while it runs.",
            ),
            Slip(
                "stops containers as they are listed",
                _arrows(c["name"] for c in made),
                "the list has no order; `dependsOn` has.",
            ),
            Slip(
                "swaps the first two",
                _arrows([order[1], order[0], *order[2:]]),
                f"`{order[0]}` depends on `{order[1]}` and goes before it.",
            ),
            Slip("stops containers by name", _arrows(sorted(order)), "names play no part; `dependsOn` decides."),
        ],
    )


OUTCOMES = {
    frozenset({"START"}): (
        "START only",
        "misses what a container reached after its start",
        "more than its start is known of it.",
    ),
    frozenset({"START", "HEALTHY"}): (
        "START and HEALTHY",
        "takes a container that is up for HEALTHY",
        "HEALTHY needs a running container whose check passed.",
    ),
    frozenset({"START", "COMPLETE"}): (
        "START and COMPLETE",
        "takes COMPLETE for any container that did its work",
        "COMPLETE without SUCCESS needs an exit with a code other than 0.",
    ),
    frozenset({"START", "COMPLETE", "SUCCESS"}): (
        "START, COMPLETE and SUCCESS",
        "takes COMPLETE for SUCCESS",
        "SUCCESS needs an exit with code 0.",
    ),
}
CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


@generator("tasks.dependency-conditions", ORDER, "medium", "analyze")
def dependency_conditions(rng: Random) -> Draft:
    """COMPLETE takes any exit code, SUCCESS only 0, HEALTHY a running container."""
    name, at = rng.choice(ROLES), rng.randint(2, 90)
    up = started(Container(name, essential=False, has_health_check=True), 0.0)
    code = rng.choice((0, 1, 2, 3, 126, 137, 143))
    state, now = rng.choice(
        (
            (exited(up, code), f"exited with code {code}"),
            (up, "is running, and its health check has not passed yet"),
            (replace(up, health="HEALTHY"), "is running, and its health check has passed"),
        )
    )
    held = frozenset(c for c in CONDITIONS if satisfied(c, state))
    return single(
        rng,
        f"In a task of `{service(rng)}` the container `{name}` is not essential and has a health check. {at} seconds "
        f"after its start it {now}. Which `dependsOn` conditions on it are met now?",
        OUTCOMES[held][0],
        f"`{name}` {now}.",
        [
            "START: it has started, whatever came of it.",
            "COMPLETE: it has exited, with any code. SUCCESS: it has exited with code 0.",
            "HEALTHY: it runs, and its check has passed.",
            f"`{name}` {now}: {OUTCOMES[held][0]}.",
        ],
        [Slip(slip, text, how) for found, (text, slip, how) in OUTCOMES.items() if found != held],
    )


# The end --------------------------------------------------------------------

SIGNALS = {"SIGKILL": 9, "SIGSEGV": 11, "SIGTERM": 15}
ENDS = (
    ("ignores the stop signal, and `stopTimeout` ({seconds} seconds) runs out", "SIGKILL"),
    ("reaches its hard memory limit of {memory} MiB and is killed", "SIGKILL"),
    ("reads memory that is not its own and crashes after {seconds} seconds", "SIGSEGV"),
    ("does not handle the stop signal, and ends by it at once ({seconds} seconds after the start)", "SIGTERM"),
)


@generator("tasks.exit-code", STOP)
def exit_code(rng: Random) -> Draft:
    """128 plus the signal's number."""
    (words, signal), seconds, memory = rng.choice(ENDS), rng.randint(5, 110), rng.choice((128, 256, 512, 1024, 2048))
    codes = {name: 128 + number for name, number in SIGNALS.items()}
    key = codes[signal]
    others = [name for name in SIGNALS if name != signal]
    return single(
        rng,
        f"The process of a container of `{service(rng)}` {words.format(seconds=seconds, memory=memory)}. Which "
        "`exitCode` does `DescribeTasks` show?",
        str(key),
        f"It ended by {signal}: 128 + {SIGNALS[signal]} = {key}.",
        [
            f"What ended the process is {signal}, signal {SIGNALS[signal]}.",
            f"A process that a signal ends shows 128 + its number: 128 + {SIGNALS[signal]} = {key}.",
        ],
        [
            Slip(
                f"takes {signal} for {others[0]}", str(codes[others[0]]), f"{codes[others[0]]} is 128 + {SIGNALS[others[0]]}."
            ),
            Slip(
                f"takes {signal} for {others[1]}", str(codes[others[1]]), f"{codes[others[1]]} is 128 + {SIGNALS[others[1]]}."
            ),
            rng.choice(
                (
                    Slip("forgets the 128", str(SIGNALS[signal]), f"{SIGNALS[signal]} is the signal's number alone."),
                    Slip("takes every failure for 1", "1", "1 is what an application gives back by itself."),
                    Slip("takes an end by a signal for a clean exit", "0", "0 needs a process that returns by itself."),
                )
            ),
        ],
    )


GOES_ON = "The task keeps running without it"
STOPS = "The task stops with `stopCode` EssentialContainerExited"


@generator("tasks.a-container-exits", ESSENTIAL, "easy")
def a_container_exits(rng: Random) -> Draft:
    """Essential and any exit code stops the task; not essential never does."""
    names, code = rng.sample(ROLES, 3), rng.choice((0, 0, 1, 2, 126, 137, 139, 143))
    essential = [True, rng.random() < 0.5, rng.random() < 0.5]
    rng.shuffle(essential)
    gone = rng.randrange(3)
    containers = [started(Container(name, essential=e), 0.0) for name, e in zip(names, essential)]
    containers[gone] = exited(containers[gone], code)
    if not any(c.essential and c.status == "RUNNING" for c in containers):
        return None
    stops = [a for a in plan("RUNNING", "RUNNING", containers, Progress(True, True, True), 60.0) if isinstance(a, StopTask)]
    assert all(stop.stop_code == ESSENTIAL_CONTAINER_EXITED for stop in stops)
    told = listed([f"`{c.name}` ({'essential' if c.essential else 'not essential'})" for c in containers])
    name, which = names[gone], "is essential" if essential[gone] else "is not essential"
    other = (
        Slip(
            "takes code 0 for no reason to stop" if not code else "takes essential for a matter of taste",
            GOES_ON,
            f"`{name}` is essential; whatever its exit code, the task stops.",
        )
        if stops
        else Slip("lets any container stop the task", STOPS, f"`{name}` is not essential; the others go on.")
    )
    return single(
        rng,
        f"A RUNNING task of `{service(rng)}` has the containers {told}, none with a restart policy. `{name}` exits with "
        f"code {code}. What happens to the task?",
        STOPS if stops else GOES_ON,
        f"`{name}` {which}.",
        [f"`{name}` {which}.", "An essential container that exits, with any code, stops its task; another one does not."],
        [
            other,
            Slip(
                "expects ECS to restart a container",
                f"ECS starts `{name}` again in the same task",
                "that takes a `restartPolicy`.",
            ),
            Slip(
                "takes an exit for a failed start",
                "The task stops with `stopCode` TaskFailedToStart",
                "the task was RUNNING already.",
            ),
        ],
    )


@generator("tasks.seconds-to-kill", STOP, "hard", "analyze")
def seconds_to_kill(rng: Random) -> Draft:
    """Deregistration first, then the signal, then stopTimeout."""
    delay, grace, own = (
        rng.choice((10, 20, 60, 90, 120, 300)),
        rng.choice((45, 75, 150, 240)),
        rng.choice((None, 5, 10, 45, 60, 90, 110)),
    )
    (container,) = containers_of({"containerDefinitions": [{"name": "app"} | ({"stopTimeout": own} if own else {})]})
    timeout = container.stop_timeout
    given = f"`stopTimeout` {own}" if own else "no `stopTimeout`"
    right = delay + timeout
    return numeric(
        f"A task of `{service(rng)}` on Fargate is behind a load balancer; connections keep it draining for the whole "
        f"deregistration delay of {delay} seconds. Its container has {given} and ignores SIGTERM; the service has "
        f"`healthCheckGracePeriodSeconds` {grace}. How many seconds after the stop began is the container killed?",
        right,
        [
            f"DEACTIVATING: the target drains, {delay} seconds. No signal is sent yet.",
            f"STOPPING: SIGTERM, then {timeout:g} seconds of `stopTimeout`{'' if own else ', the default'}, then SIGKILL.",
            f"{delay} + {timeout:g} = {right:g} seconds.",
        ],
        [
            Slip("forgets the deregistration delay", timeout, f"{timeout:g} seconds; but SIGTERM comes only after draining."),
            Slip(
                "adds stopTimeout to the grace period",
                delay + timeout + grace,
                f"{delay} + {timeout:g} + {grace}; the grace period is for starting tasks.",
            ),
            Slip(
                "runs stopTimeout while the target drains",
                max(delay, timeout),
                f"the longer of {delay} and {timeout:g}; they come one after the other.",
            ),
            Slip("takes the default for every container", delay + 30, f"{delay} + 30; this container has {given}."),
        ],
        "seconds",
    )
