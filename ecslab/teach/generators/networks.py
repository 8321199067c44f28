"""Networking: interfaces, host ports, who may reach whom.

Keys from `rules.network`, `rules.placement` and `rules.task_definition`.
"""
from __future__ import annotations

from math import ceil
from random import Random

from ecslab.rules.network import (
    TRUNKING_FAMILIES,
    Party,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    awsvpc_tasks,
    can_reach,
    can_trunk,
)
from ecslab.rules.placement import InstanceView, Strategy, TaskRequest, instances_for, place
from ecslab.rules.task_definition import register

from .kit import About, Draft, Slip, generator, numeric, service, single

LAB, DOCS = "06-networking", "https://docs.aws.amazon.com/AmazonECS/latest/"
CARD, GOALS = "Networking > Network Modes", ("SAA-C03 3.2", "SOA-C03 5.1")
INTERFACES = About(
    "Amazon ECS Developer Guide: Increasing Amazon ECS Linux container instance network interfaces",
    DOCS + "developerguide/container-instance-eni.html",
    "§5.3",
    CARD,
    GOALS,
    LAB,
)
PORTS = About(
    "Amazon ECS API Reference: PortMapping", DOCS + "APIReference/API_PortMapping.html", "§1.8, §5.1", CARD, GOALS, LAB
)
GROUPS = About(
    "Amazon ECS Developer Guide: Allocate a network interface for an Amazon ECS task",
    DOCS + "developerguide/task-networking-awsvpc.html",
    "§5.1",
    CARD,
    ("SAA-C03 1.2", "SOA-C03 5.1"),
    LAB,
)

TYPES = tuple(
    f"{family}.{size}"
    for family in TRUNKING_FAMILIES
    for size in ("large", "xlarge", "2xlarge", "4xlarge")
    if can_trunk(f"{family}.{size}")
)


# Interfaces -----------------------------------------------------------------


@generator("networking.interfaces", INTERFACES, "easy")
def interfaces(rng: Random) -> Draft:
    """One interface is the instance's own."""
    kind = rng.choice(TYPES)
    right = awsvpc_tasks(kind)
    return numeric(
        f"An instance of type {kind} can have {right + 1} network interfaces; `awsvpcTrunking` is off. How many tasks of "
        f"`{service(rng)}` in `awsvpc` mode can it run at most?",
        right,
        ["One interface is the instance's own; each task needs one more.", f"{right + 1} - 1 = {right} tasks."],
        [
            Slip("forgets the instance's own interface", right + 1, f"{right + 1} is the limit of interfaces, not of tasks."),
            Slip(
                "counts with trunking",
                awsvpc_tasks(kind, True),
                f"{awsvpc_tasks(kind, True)} needs the account setting `awsvpcTrunking`.",
            ),
            Slip("takes two interfaces for the instance", right - 1, f"{right + 1} - 2."),
        ],
        "tasks",
    )


@generator("networking.instances-for-tasks", INTERFACES, "medium", "analyze")
def instances_for_tasks(rng: Random) -> Draft:
    """Interfaces run out long before memory."""
    kind, trunking, desired = rng.choice(TYPES), rng.random() < 0.4, rng.randint(8, 120)
    each = awsvpc_tasks(kind, trunking)
    empty = InstanceView("i", remaining_cpu=10**6, remaining_memory=10**6, eni_slots=each)
    right = instances_for([TaskRequest(cpu=1, memory=1, needs_eni=True)] * desired, empty)
    setting = "on since before the instances were launched" if trunking else "off"
    limit = (
        f"An instance then runs at most {each} tasks with an interface of their own"
        if trunking
        else f"Each has {each + 1} network interfaces"
    )
    return numeric(
        f"`{service(rng)}` in `awsvpc` mode has `desiredCount` {desired}, on {kind} instances with plenty of CPU and "
        f"memory. `awsvpcTrunking` is {setting}. {limit}. How many instances does the service need at least?",
        right,
        [
            f"{kind} without trunking: {each + 1} - 1 = {each} tasks." if not trunking else f"With trunking: {each} tasks.",
            f"{desired} / {each} = {desired / each:.2f}, rounded up: {right} instances.",
        ],
        [
            Slip("forgets the instance's own interface", ceil(desired / (each + 1)), f"{desired} / {each + 1}, rounded up."),
            Slip(
                "rounds the number of instances down",
                desired // each,
                f"{desired // each} × {each} = {desired // each * each} tasks only.",
            ),
            Slip("gives every task an instance", desired, "that is what a fixed port or `distinctInstance` would ask for."),
        ],
        "instances",
    )


# Ports ----------------------------------------------------------------------


@generator("networking.tasks-by-port", PORTS)
def tasks_by_port(rng: Random) -> Draft:
    """A fixed host port once per instance, a dynamic one as often as there is room."""
    hosts, room, desired, port = rng.randint(2, 6), rng.randint(2, 8), rng.randint(4, 40), rng.choice((80, 3000, 8080, 9090))
    mode, mapping = rng.choice((("bridge", {"hostPort": port}), ("bridge", {}), ("host", {})))
    made = register(
        {
            "family": "f",
            "networkMode": mode,
            "containerDefinitions": [
                {"name": "c", "image": "i", "memory": 512, "portMappings": [{"containerPort": port, **mapping}]}
            ],
        }
    )
    fixed = made["containerDefinitions"][0]["portMappings"][0]["hostPort"]
    request = TaskRequest(cpu=256, memory=512, host_ports=((fixed, "tcp"),) if fixed else ())
    instances = [InstanceView(f"i-{n}", remaining_cpu=256 * room, remaining_memory=512 * room) for n in range(hosts)]
    right = len(place(request, instances, [Strategy("spread", "instanceId")], count=desired).chosen)
    written = f"`containerPort` {port}" + (f", `hostPort` {port}" if mapping else ", no `hostPort`")
    return numeric(
        f"`{service(rng)}` in `{mode}` mode maps {written}. Its `desiredCount` is {desired}; the cluster has {hosts} "
        f"empty instances, each with CPU and memory for {room} tasks. How many of its tasks can run?",
        right,
        [
            f"The host port is {fixed}: one task per port and instance, {hosts} instances."
            if fixed
            else f"Bridge mode without a host port: a dynamic one, so ports are no limit; {hosts} × {room} = {hosts * room} have room.",
            f"The smaller of that and {desired} is {right}.",
        ],
        [
            Slip(
                "thinks tasks share a fixed host port" if fixed else "takes the container port for a host port",
                min(desired, hosts * room if fixed else hosts),
                f"{'a host port belongs to one task' if fixed else 'the host port is dynamic here'}.",
            ),
            Slip("forgets that room on the instances is limited", desired, f"{hosts} × {room} have room, ports aside."),
            Slip("looks at a single instance", 1 if fixed else room, f"there are {hosts} of them."),
        ],
        "tasks",
    )


DYNAMIC = "A free one, chosen when the container starts"


@generator("networking.host-port", PORTS, "easy", "understand")
def host_port(rng: Random) -> Draft:
    """Left out: the same in awsvpc and host mode, a dynamic one in bridge mode."""
    port, mode, zero = (
        rng.choice((80, 443, 3000, 5000, 8080, 8443, 9090)),
        rng.choice(("bridge", "host", "awsvpc")),
        rng.random() < 0.5,
    )
    mapping = {"containerPort": port} | ({"hostPort": 0} if zero and mode == "bridge" else {})
    made = register(
        {
            "family": "f",
            "networkMode": mode,
            "containerDefinitions": [{"name": "c", "image": "i", "memory": 128, "portMappings": [mapping]}],
        }
    )
    fixed = made["containerDefinitions"][0]["portMappings"][0]["hostPort"]
    same, other = f"{port}, like the container port", 80 if port != 80 else 8080
    written = ", ".join(f"`{name}` {value}" for name, value in mapping.items())
    return single(
        rng,
        f"A container of `{service(rng)}` in `{mode}` mode has the port mapping {written} and nothing else. At which "
        f"port {'of its own interface' if mode == 'awsvpc' else 'of the instance'} is it reached?",
        same if fixed else DYNAMIC,
        f"In {mode} mode the host port is {'the container port' if fixed else 'dynamic unless one is given'}.",
        [
            f"Network mode {mode}: "
            f"{'host port and container port are the same' if fixed else 'a host port that is left out or 0 is dynamic'}."
        ],
        [
            Slip("expects a dynamic port in every mode", DYNAMIC, "only bridge mode has dynamic ports.")
            if fixed
            else Slip("takes the container port for the host port", same, "in bridge mode that takes a `hostPort`."),
            Slip("expects a default port of the mode", f"{other}, the mode's default port", "no mode has a default port."),
            Slip(
                "thinks a mapping without a host port publishes nothing",
                "At none: it publishes no port",
                "the mapping publishes the container port in every mode but none.",
            ),
        ],
    )


# Security groups ------------------------------------------------------------


@generator("networking.inbound-rule", GROUPS, "medium", "analyze")
def inbound_rule(rng: Random) -> Draft:
    """From the load balancer's group to the container port, in the task's own group."""
    listener, port = rng.choice((80, 443)), rng.choice((3000, 5000, 8000, 8080, 9000))
    name, third = service(rng), rng.randint(1, 200)
    subnet = Subnet("subnet-a", "vpc-1", RouteTable("rtb-1", (Route(f"10.{third}.0.0/16", "local"),)))
    balancer = Party("the load balancer", f"10.{third}.1.5", subnet, (SecurityGroup("sg-alb"),))
    rules = {
        f"tcp {port} from `sg-alb`": Rule("tcp", port, port, group="sg-alb"),
        f"tcp {listener} from `sg-alb`": Rule("tcp", listener, listener, group="sg-alb"),
        f"tcp {port} from `sg-{name}`": Rule("tcp", port, port, group=f"sg-{name}"),
        f"tcp {port} from 10.{third}.9.0/24": Rule("tcp", port, port, cidr=f"10.{third}.9.0/24"),
    }

    def reached(rule: Rule) -> bool:
        task = Party("the task", f"10.{third}.2.7", subnet, (SecurityGroup(f"sg-{name}", (rule,)),))
        return can_reach(balancer, task, port).allowed

    key, *others = sorted(rules, key=lambda text: not reached(rules[text]))
    assert reached(rules[key]) and not any(reached(rules[text]) for text in others)
    hows = {
        f"tcp {listener} from `sg-alb`": (
            "opens the listener's port",
            f"clients reach the load balancer at {listener}; it reaches the task at {port}.",
        ),
        f"tcp {port} from `sg-{name}`": (
            "names the task's own group as the source",
            "the packets come from the load balancer, in `sg-alb`.",
        ),
        f"tcp {port} from 10.{third}.9.0/24": (
            "opens a range the source is not in",
            f"the load balancer is at 10.{third}.1.5.",
        ),
    }
    return single(
        rng,
        f"Tasks of `{name}` in `awsvpc` mode have the security group `sg-{name}` and listen on {port}. An Application "
        f"Load Balancer at 10.{third}.1.5 in `sg-alb`, with a listener on {listener}, forwards to them. Which inbound "
        f"rule of `sg-{name}` lets it in?",
        key,
        "The source is the load balancer's group, the port the container port.",
        [
            f"The load balancer opens a connection of its own to the task: from `sg-alb` to port {port}.",
            f"`sg-{name}` has to allow just that.",
        ],
        [Slip(*(hows[text][0], text, hows[text][1])) for text in others],
    )
