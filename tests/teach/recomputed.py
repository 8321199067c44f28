"""The key of every computed question once more, from nothing but what a learner reads in it.

`EXPECTED` maps a generator's name to a function of the question: the number, or the
text of the right option, worked out anew from its stem. `VALID` maps it to a test of one option's
text, where the right one is told by looking at all of them.
"""
from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from math import ceil, floor, prod
from typing import Callable

from ecslab.rules.errors import EcsError
from ecslab.rules.fargate import fargate_pairs
from ecslab.rules.rollout import band, failure_threshold
from ecslab.rules.task_definition import register

NUMBER = re.compile(r"(?<![A-Za-z\d.])(?:\d+(?:\.\d+)?|\.\d+)")  # not the digits of EC2 or IPv4


def numbers(text: str) -> list:
    return [float(found) if "." in found else int(found) for found in NUMBER.findall(text)]


def after(word: str, text: str) -> int:
    """The number that follows `word`."""
    return int(re.search(rf"{re.escape(word)}`? (\d+)", text)[1])


def of(compute: Callable) -> Callable:
    """A computation on the numbers of the stem, in their order."""
    return lambda question: compute(*numbers(question.stem))


def cents(amount) -> float:
    return float(Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_UP))


def one_decimal(value) -> float:
    return round(value, 1)


# Clusters -------------------------------------------------------------------


def base_and_weight(base, first, second, total):
    assert (total - base) % (first + second) == 0, "comes out even"
    return (total - base) // (first + second) * second


def weights(one, two, three, total):
    assert total % (one + two + three) == 0, "comes out even"
    return total // (one + two + three) * one


def reservation(question):
    running, other = numbers(question.stem)
    return one_decimal(100 * (running + other if "need" in question.stem else running - other) / running)


def group_size(target, running, needed):
    assert needed * 100 % target == 0, "comes out even"
    return needed * 100 // target


def binpack(question):
    need = numbers(question.stem)[0]
    free = {name: int(amount) for amount, name in re.findall(r"(\d+) on (i-\w)", question.stem)}
    return min((name for name in free if free[name] >= need), key=free.get)


def spread(question):
    rows = [(i, zone, int(n), int(m)) for i, zone, n, m in re.findall(r"(i-\w) \((\S+), (\d+) tasks? of it, (\d+) MiB", question.stem)]
    tasks = {zone: sum(row[2] for row in rows if row[1] == zone) for _, zone, _, _ in rows}
    return min(rows, key=lambda row: (tasks[row[1]], row[3]))[0]


def failure_reason(cpu, memory, port, left_cpu, left_memory, taken):
    short = {"RESOURCE:CPU": left_cpu < cpu, "RESOURCE:MEMORY": left_memory < memory, "RESOURCE:PORTS": port == taken}
    (reason,) = [name for name, holds in short.items() if holds]
    return reason


# Task definitions -----------------------------------------------------------


def is_fargate_size(text: str, question) -> bool:
    return tuple(numbers(text)) in fargate_pairs()


def smallest_size(cpu, memory):
    price = {pair: pair[0] / 1024 * 0.04048 + pair[1] / 1024 * 0.004445 for pair in fargate_pairs()}
    best = min((pair for pair in price if pair[0] >= cpu and pair[1] >= memory), key=price.get)
    return "`cpu` {}, `memory` {}".format(*best)


def reserved_memory(question):
    *task, _, soft, _, other, alone = numbers(question.stem)
    return task[0] if task else soft + other + alone


def registers(**definition) -> dict | None:
    try:
        return register({"family": "f", **definition})
    except EcsError:
        return None


def is_accepted(text: str, question) -> bool:
    cpu, memory = numbers(question.stem)
    containers = [
        {"name": name, "image": "i", **{field: int(value) for field, value in re.findall(r"`(\w+)` (\d+)", fields)}}
        for name, fields in re.findall(r"`(app|proxy)` \((.*?)\)", text)
    ]
    return bool(registers(cpu=str(cpu), memory=str(memory), containerDefinitions=containers))


def runs_on_fargate(text: str, question) -> bool:
    fields = dict(re.findall(r"`(networkMode|cpu|memory|pidMode)` (\w+)", text))
    container = {"name": "c", "image": "i", "memory": 128, "privileged": "privileged" in text}
    volumes = [{"name": "v", "host": {"sourcePath": "/data"}}] if "sourcePath" in text else []
    made = registers(containerDefinitions=[container], volumes=volumes, **fields)
    return made is not None and "FARGATE" in made["compatibilities"]


# Deployments ----------------------------------------------------------------


def is_blocked(text: str, question) -> bool:
    return band(numbers(question.stem)[0], *numbers(text)).blocked


def first_step(desired, minimum, maximum):
    start, stop = floor(desired * maximum / 100) - desired, desired - ceil(desired * minimum / 100)
    if start:
        return f"It starts {start} new task{'s' if start > 1 else ''}"
    return f"It stops {stop} old task{'s' if stop > 1 else ''}" if stop else "Nothing: it can neither start nor stop a task"


# Tasks ----------------------------------------------------------------------


def health_status(question):
    rows = re.findall(r"`\w+` \((not essential|essential), (HEALTHY|UNHEALTHY|UNKNOWN|no health check)\)", question.stem)
    assert len(rows) == 3
    counted = {health for essential, health in rows if essential == "essential" and health != "no health check"}
    return next((status for status in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if status in counted), "UNKNOWN")


def start_order(question):
    waits = dict(re.findall(r"`(\w+)` depends on `(\w+)`", question.stem))
    order = re.findall(r"`(\w+)` depends on none", question.stem)
    while len(order) < 4:
        order += [name for name, before in waits.items() if before == order[-1]]
    return ", ".join(order)


def stop_order(question):
    return ", ".join(reversed(start_order(question).split(", ")))


def dependency_conditions(question):
    if found := re.search(r"exited with code (\d+)", question.stem):
        return "START, COMPLETE and SUCCESS" if found[1] == "0" else "START and COMPLETE"
    return "START only" if "not passed" in question.stem else "START and HEALTHY"


def exit_code(question):
    signals = {"stopTimeout": 9, "memory limit": 9, "not its own": 11, "does not handle": 15}
    (signal,) = [number for words, number in signals.items() if words in question.stem]
    return str(128 + signal)


def a_container_exits(question):
    name = re.search(r"`(\w+)` exits", question.stem)[1]
    stops = f"`{name}` (essential)" in question.stem
    return "The task stops with `stopCode` EssentialContainerExited" if stops else "The task keeps running without it"


def seconds_to_kill(question):
    timeout = 30 if "no `stopTimeout`" in question.stem else after("`stopTimeout", question.stem)
    return after("deregistration delay of", question.stem) + timeout


# Monitoring and networking --------------------------------------------------


def service_cpu(question):
    tasks, size, _, *used = numbers(question.stem)
    assert len(used) == tasks
    return one_decimal(100 * sum(used) / (tasks * size))


def service_memory(question):
    tasks, soft, _, *used = numbers(question.stem)
    assert len(used) == tasks
    return one_decimal(100 * sum(used) / (tasks * soft))


def instances_for_tasks(question):
    interfaces = re.search(r"Each has (\d+) network interfaces", question.stem)
    each = int(interfaces[1]) - 1 if interfaces else after("runs at most", question.stem)
    return ceil(after("desiredCount", question.stem) / each)


def tasks_by_port(question):
    desired, (hosts, room) = after("desiredCount` is", question.stem), numbers(question.stem)[-2:]
    dynamic = "`bridge`" in question.stem and "no `hostPort`" in question.stem
    return min(desired, hosts * room if dynamic else hosts)


def host_port(question):
    if "`bridge`" in question.stem:
        return "A free one, chosen when the container starts"
    return f"{after('containerPort', question.stem)}, like the container port"


def inbound_rule(question):
    return f"tcp {after('listen on', question.stem)} from `sg-alb`"


# Pricing --------------------------------------------------------------------


def decimals(text: str) -> list[Decimal]:
    return [Decimal(found) for found in NUMBER.findall(text)]


def fargate_month(question):
    tasks, vcpu, memory, hours, _, per_vcpu, per_gb, *_ = decimals(question.stem)
    return cents(tasks * hours * (vcpu * per_vcpu + memory * per_gb))


def extra_storage(question):
    tasks, hours, size, rate = decimals(question.stem)
    return cents(tasks * (size - 20) * hours * rate)


def instance(stem: str) -> tuple[Decimal, ...]:
    """vCPU, GiB, dollars an hour; then Fargate's two rates."""
    return (
        *decimals(re.search(r"\((\d+ vCPU, \d+ GiB)\)", stem)[1]),
        *(Decimal(found) for found in re.findall(r"\$(0\.\d+)", stem)),
    )


def break_even_tasks(question):
    vcpu, memory, *_ = decimals(question.stem)
    _, _, hourly, per_vcpu, per_gb = instance(question.stem)
    return ceil(hourly / (vcpu * per_vcpu + memory * per_gb))


def break_even_hours(question):
    vcpu, memory, hourly, per_vcpu, per_gb = instance(question.stem)
    return round(hourly * 730 / (vcpu * per_vcpu + memory * per_gb))


def public_addresses(question):
    tasks, zones, hours, price = decimals(question.stem)
    return cents((tasks + zones) * hours * price)


# Auto scaling ---------------------------------------------------------------


def high_alarm(question):
    target = numbers(question.stem)[0]
    values = numbers(re.search(r"they are (.*?)\. In", question.stem)[1])
    above = [value > target for value in values]
    return next(n for n in range(3, len(values) + 1) if all(above[n - 3 : n]))


def all_must_agree(question):
    return max(numbers(re.search(r"policies: (.*?)\. No", question.stem)[1]))


def cooldown(question):
    since, seconds, current, _, _, wish = numbers(question.stem)
    return current if wish < current and since < seconds else wish


def clamp(question):
    low, high, current, change = numbers(question.stem)
    return min(max(current + (change if "+" in question.stem else -change), low), high)


def which_step(threshold, _, width, first, __, upper, second, ___, last, current, metric):
    breach = metric - threshold
    return current + (first if breach < width else second if breach < upper else last)


def percent(question):
    current, change = numbers(question.stem)
    size = max(1, current * change // 100)
    return current + (size if "+" in question.stem else -size)


def during_cooldown(first, base, current, _, __, second):
    assert current == base + first
    return max(current, base + second)


def next_run(question):
    minute, hour, day = numbers(re.search(r"cron\((.*?) \*\)", question.stem)[1])
    now = datetime.strptime(re.search(r"Now it is (.*?) UTC", question.stem)[1], "%a %d %B %Y, %H:%M").replace(tzinfo=timezone.utc)
    at = now.replace(hour=hour, minute=minute)
    while at <= now or at.isoweekday() % 7 + 1 != day:
        at += timedelta(days=1)
    return at.strftime("%a %d %B %Y, %H:%M UTC")


# Security and services ------------------------------------------------------

ROLES = {
    "The task role": ("S3 bucket", "DynamoDB", "SQS", "ssmmessages"),
    "The task execution role": ("Amazon ECR on Fargate", "`awslogs`", "`secrets`", "`environmentFiles`"),
    "The container instance role": ("the agent on EC2",),
    "The service-linked role AWSServiceRoleForECS": ("network interface", "load balancer targets"),
    "The infrastructure role": ("EBS", "native blue/green"),
    "The EventBridge role": ("EventBridge rule",),
}


def which_role(question):
    (role,) = [role for role, words in ROLES.items() if any(word in question.stem for word in words)]
    return role


def secret_reference(question):
    arn = re.search(r"`(arn:\S+)`", question.stem)[1]
    key = re.search(r"its key `(\S+)`", question.stem)[1]
    return f"`{arn}:{key}:{'AWSPREVIOUS' if 'previous' in question.stem else ''}:`"


def reaches_the_registry(text: str, question) -> bool:
    return "NAT gateway" in text or ("internet gateway" in text and "ENABLED" in text) or all(
        name in text for name in ("ecr.api", "ecr.dkr", "S3")
    )


def zones(question) -> dict[str, int]:
    return {zone: int(tasks) for tasks, zone in re.findall(r"(\d+) in (us-east-1\w)", question.stem)}


def zone_moves(question):
    held = zones(question).values()
    share, left = divmod(sum(held), 3)
    assert not left, "comes out even"
    return sum(max(0, share - tasks) for tasks in held)


def scale_in_zone(question):
    held = zones(question)
    return f"In {max(held, key=held.get)}"


def waiter_patience(question):
    name, given = re.search(r'"(Delay|MaxAttempts)": (\d+)', question.stem).groups()
    default = {"Delay": after("`Delay` of", question.stem), "MaxAttempts": int(re.search(r"(\d+) `MaxAttempts`", question.stem)[1])}
    return prod((default | {name: int(given)}).values())


# Scenarios: the key of every part -----------------------------------------


def release(question):
    desired, minimum, maximum = numbers(question.stem)
    return desired * maximum // 100, -(-desired * minimum // 100), min(200, max(3, -(-desired // 2)))


def spot_bill(question):
    total, hours, base, one, two, hourly, off = numbers(question.stem)
    assert (total - base) % (one + two) == 0, "comes out even"
    spot = (total - base) // (one + two) * two
    cost = cents((Decimal(total - spot) + spot * (100 - off) / Decimal(100)) * Decimal(str(hourly)) * hours)
    return spot, cost, one_decimal(spot * off / total)


def full_cluster(question):
    cpu, memory, need, much = numbers(question.stem)
    fit, desired = min(cpu // need, memory // much), numbers(question.parts[1].stem)[0]
    return fit, ceil(desired / fit), "RESOURCE:CPU" if cpu - fit * need < need else "RESOURCE:MEMORY"


def peak(question):
    current, change, limit = numbers(question.stem)
    maximum = after("`maximumPercent", question.parts[2].stem)
    grown = current + max(1, current * change // 100)
    return grown, min(limit, grown + max(1, grown * change // 100)), limit * maximum // 100


EXPECTED: dict[str, Callable] = {
    "scenarios.release": release,
    "scenarios.spot-bill": spot_bill,
    "scenarios.full-cluster": full_cluster,
    "scenarios.peak": peak,
    "clusters.base-and-weight": of(base_and_weight),
    "clusters.weights": of(weights),
    "clusters.reservation": reservation,
    "clusters.group-size": of(group_size),
    "clusters.binpack": binpack,
    "clusters.spread": spread,
    "clusters.tasks-that-fit": of(lambda cpu, memory, need, much: min(cpu // need, memory // much)),
    "clusters.failure-reason": of(failure_reason),
    "clusters.distinct-instances": of(lambda desired, hosts, room: min(desired, hosts)),
    "task-definitions.smallest-size": of(smallest_size),
    "task-definitions.size-in-units": lambda q: numbers(re.search(r'"(.*?)"', q.stem)[1])[0] * 1024,
    "task-definitions.cpu-share": of(lambda task, one, two: task * one / (one + two)),
    "task-definitions.reserved-memory": reserved_memory,
    "deployments.lower-limit": of(lambda desired, minimum, _: -(-desired * minimum // 100)),
    "deployments.upper-limit": of(lambda desired, _, maximum: desired * maximum // 100),
    "deployments.first-step": of(first_step),
    "deployments.may-stop": of(lambda old, new, desired, minimum, _: min(old, old + new + -desired * minimum // 100)),
    "deployments.breaker-default": of(failure_threshold),
    "deployments.breaker-unbounded": of(lambda value, desired: max(1, -(-desired * value // 100))),
    "deployments.breaker-count": of(lambda value, desired: value),
    "deployments.linear-minutes": of(lambda step, bake, last: (100 // step - 1) * bake + last),
    "deployments.linear-share": of(lambda step, bake, minute: step * (minute // bake + 1)),
    "deployments.canary-minutes": of(lambda percent, bake, last: bake + last),
    "tasks.seconds-to-unhealthy": of(lambda interval, _, retries, start: start + retries * interval),
    "tasks.health-status": health_status,
    "tasks.start-order": start_order,
    "tasks.stop-order": stop_order,
    "tasks.dependency-conditions": dependency_conditions,
    "tasks.exit-code": exit_code,
    "tasks.a-container-exits": a_container_exits,
    "tasks.seconds-to-kill": seconds_to_kill,
    "monitoring.service-cpu": service_cpu,
    "monitoring.service-memory": service_memory,
    "monitoring.cpu-reservation": of(lambda hosts, units, tasks, size, _: one_decimal(100 * tasks * size / (hosts * units))),
    "networking.interfaces": lambda q: after("can have", q.stem) - 1,
    "networking.instances-for-tasks": instances_for_tasks,
    "networking.tasks-by-port": tasks_by_port,
    "networking.host-port": host_port,
    "networking.inbound-rule": inbound_rule,
    "pricing.fargate-month": fargate_month,
    "pricing.billed-seconds": of(lambda pull, ran: max(60, ceil(round(pull + ran, 1)))),
    "pricing.spot-saving": of(lambda total, base, spot, off: one_decimal(spot * off / total)),
    "pricing.extra-storage": extra_storage,
    "pricing.break-even-tasks": break_even_tasks,
    "pricing.break-even-hours": break_even_hours,
    "pricing.public-addresses": public_addresses,
    "auto-scaling.high-alarm": high_alarm,
    "auto-scaling.largest-wins": lambda q: max(numbers(q.stem.split("scale out")[1])),
    "auto-scaling.all-must-agree": all_must_agree,
    "auto-scaling.cooldown": cooldown,
    "auto-scaling.clamp": clamp,
    "auto-scaling.which-step": of(which_step),
    "auto-scaling.percent": percent,
    "auto-scaling.least-change": of(lambda current, change, least: current + max(1, current * change // 100, least)),
    "auto-scaling.during-cooldown": of(during_cooldown),
    "auto-scaling.scheduled": of(lambda _, __, current, low, high: min(max(current, low), high)),
    "auto-scaling.next-run": next_run,
    "security.which-role": which_role,
    "security.secret-reference": secret_reference,
    "services.zone-share": of(lambda desired, zones: desired // zones),
    "services.zone-moves": zone_moves,
    "services.scale-in-zone": scale_in_zone,
    "services.counts-as-healthy": of(lambda running: running + 40),
    "services.waiter-patience": waiter_patience,
    "load-balancing.turns-unhealthy": of(lambda interval, up, down, *_: (down - 1) * interval),
    "load-balancing.returns": of(lambda interval, up, down, *_: (up - 1) * interval),
}
VALID: dict[str, Callable] = {
    "task-definitions.fargate-size": is_fargate_size,
    "task-definitions.fargate-sizes": is_fargate_size,
    "task-definitions.accepted": is_accepted,
    "concepts.runs-on-fargate": runs_on_fargate,
    "deployments.blocked": is_blocked,
    "security.way-to-the-registry": reaches_the_registry,
}
