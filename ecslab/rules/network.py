"""May A reach B on this port, and which mode, route, network ACL or security group says so.

Theory. A packet passes these gates in order, and the first that stops it decides:

1. The network mode. `awsvpc`: the task has its own interface, address and security
   groups, and its containers share localhost. `bridge`: each container hides behind
   the instance and is reached at a host port. `host`: the container uses the
   instance's own ports. `none`: loopback only.
2. The route: the most specific one of the subnet's route table. Inside the VPC that
   is `local`. To the internet it takes an internet gateway and a public address, or
   a NAT gateway; from the internet, a public address and an internet gateway.
3. Network ACLs, where a subnet is left or entered: numbered, the lowest match wins,
   and stateless, so the answer needs its own way through the ephemeral ports.
4. Security groups: allow rules only, out of the source and into the destination,
   stateful, so the answer always passes. Of the task with `awsvpc`, else of the instance.

Inferred, not quoted: packets between two tasks that use one instance's address never
leave it, so no security group sees them; an answer comes back to ports 32768-60999.

A task also has to reach AWS itself, to pull its image and fetch its secrets:
`egress` follows VPC endpoints, NAT gateway or public address to each service and
names the failure a missing way causes.

Sources: Developer Guide, "Amazon ECS task networking options for EC2" and "... for
Fargate", "Allocate a network interface for an Amazon ECS task", "Increasing Amazon ECS
Linux container instance network interfaces", "Amazon ECS interface VPC endpoints";
VPC User Guide, "Route tables", "Network ACLs", "Security groups".
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

EVERYWHERE = "0.0.0.0/0"
HTTPS = 443
EPHEMERAL_PORTS = (32768, 60999)  # where a Linux client waits for its answer


# Network modes --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mode:
    namespace: str
    address: str
    ports: str
    security_group: str  # whose
    target_type: str  # of a target group, "" for none
    cloud_map: tuple[str, ...]  # record types
    service_connect: bool
    links: bool
    flow_logs: bool  # per task
    launch_types: tuple[str, ...]


MODES = {
    "awsvpc": Mode(
        namespace="one per task, shared by its containers over localhost",
        address="its own network interface and private address",
        ports="the container port; tasks never conflict",
        security_group="task",
        target_type="ip",
        cloud_map=("A", "AAAA", "SRV"),
        service_connect=True,
        links=False,
        flow_logs=True,
        launch_types=("FARGATE", "EC2", "MANAGED_INSTANCES"),
    ),
    "bridge": Mode(
        namespace="one per container, on the instance's Docker bridge",
        address="the instance's, at a host port",
        ports="a fixed host port, or 0 for a dynamic one",
        security_group="instance",
        target_type="instance",
        cloud_map=("SRV",),
        service_connect=True,
        links=True,
        flow_logs=False,
        launch_types=("EC2", "EXTERNAL"),
    ),
    "host": Mode(
        namespace="the instance's",
        address="the instance's",
        ports="the container port on the instance; one task per port and instance",
        security_group="instance",
        target_type="instance",
        cloud_map=("SRV",),
        service_connect=False,
        links=False,
        flow_logs=False,
        launch_types=("EC2", "EXTERNAL", "MANAGED_INSTANCES"),
    ),
    "none": Mode(
        namespace="loopback only",
        address="none",
        ports="none",
        security_group="",
        target_type="",
        cloud_map=(),
        service_connect=False,
        links=False,
        flow_logs=False,
        launch_types=("EC2", "EXTERNAL"),
    ),
}
DEFAULT_MODE = "bridge"  # Linux, when networkMode is left out


def may_have_public_ip(launch_type: str, mode: str = "awsvpc") -> bool:
    """Whether a task's own interface may get a public address: on Fargate only."""
    return mode == "awsvpc" and launch_type == "FARGATE"


# Network interfaces per instance --------------------------------------------

TRUNKING_FAMILIES = ("c5", "m5", "r5", "m6i", "m6a", "c6g", "m6g", "c7g", "m7g")
# size -> tasks with their own interface, without and with trunking
_AWSVPC_TASKS = {
    "medium": (1, 4),
    "large": (2, 10),
    "xlarge": (3, 20),
    "2xlarge": (3, 40),
    "4xlarge": (7, 60),
    "16xlarge": (14, 120),
}


# What types count as that the guide's table leaves out, t2 and t3 above all, is this lab's choice: their size decides.
_SMALL = {"nano": 1, "micro": 1, "small": 2, "medium": 2}


def can_trunk(instance_type: str) -> bool:
    """Whether the table lists the type; any other has as many interfaces with awsvpcTrunking as without."""
    family, _, size = instance_type.partition(".")
    listed = family in TRUNKING_FAMILIES and size in _AWSVPC_TASKS and (size != "medium" or family.endswith("g"))
    return listed or instance_type == "a1.medium"


def awsvpc_tasks(instance_type: str, trunking: bool = False) -> int:
    """How many awsvpc tasks an instance has interfaces for."""
    if instance_type == "a1.medium":
        return 10 if trunking else 1
    size = instance_type.partition(".")[2]
    if can_trunk(instance_type):
        return _AWSVPC_TASKS[size][trunking]
    return _SMALL.get(size) or _AWSVPC_TASKS[_row(size)][False]


def _row(size: str) -> str:
    """The size itself or the next smaller one in the table: 8xlarge counts as 4xlarge, metal as the largest."""
    if size in _AWSVPC_TASKS:
        return size
    if size.startswith("metal"):
        return "16xlarge"
    many = size.removesuffix("xlarge")
    wanted = int(many) if size.endswith("xlarge") and many.isdigit() else 0
    return next((row for n, row in ((16, "16xlarge"), (4, "4xlarge"), (2, "2xlarge")) if n <= wanted), "large")


def eni_limit(instance_type: str) -> int:
    """Interfaces of the instance: its own and one per awsvpc task."""
    return awsvpc_tasks(instance_type) + 1


# What a network is made of --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission of a security group. The other side is a CIDR, a group, or a prefix list's CIDRs."""

    protocol: str = "-1"  # tcp | udp | icmp | -1 for all
    from_port: int = 0
    to_port: int = 65535
    cidr: str = ""
    group: str = ""
    prefix_list: str = ""
    prefixes: tuple[str, ...] = ()

    def covers(self, port: int, protocol: str) -> bool:
        return self.protocol == "-1" or (self.protocol == protocol and self.from_port <= port <= self.to_port)

    def names(self, address: str, groups: tuple[str, ...]) -> bool:
        """Whether the other side, at that address and in those groups, is meant."""
        cidrs = (*self.prefixes, *([self.cidr] if self.cidr else []))
        return (bool(self.group) and self.group in groups) or any(_inside(address, c) for c in cidrs)

    def __str__(self) -> str:
        ports = "all ports" if self.protocol == "-1" else f"{self.protocol} {_range(self.from_port, self.to_port)}"
        return f"{ports} {self.cidr or self.group or self.prefix_list}"


ALLOW_ALL_OUT = (Rule(cidr=EVERYWHERE),)


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    inbound: tuple[Rule, ...] = ()
    outbound: tuple[Rule, ...] = ALLOW_ALL_OUT


@dataclass(frozen=True, slots=True)
class AclRule:
    number: int
    allow: bool
    protocol: str = "-1"
    from_port: int = 0
    to_port: int = 65535
    cidr: str = EVERYWHERE


ACL_ALLOW_ALL = (AclRule(100, True),)


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """What no rule matches is denied."""

    id: str
    inbound: tuple[AclRule, ...] = ACL_ALLOW_ALL
    outbound: tuple[AclRule, ...] = ACL_ALLOW_ALL


@dataclass(frozen=True, slots=True)
class Route:
    destination: str  # CIDR
    target: str  # local | igw-... | nat-... | pcx-... | tgw-... | vgw-...
    nat_address: str = ""  # the NAT gateway's public address, if known


@dataclass(frozen=True, slots=True)
class RouteTable:
    id: str
    routes: tuple[Route, ...]

    def route_to(self, address: str) -> Route | None:
        """The most specific route."""
        fitting = [r for r in self.routes if _inside(address, r.destination)]
        return max(fitting, key=lambda r: ip_network(r.destination).prefixlen, default=None)


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    vpc_id: str
    route_table: RouteTable
    network_acl: NetworkAcl = NetworkAcl("default")


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a connection: a task, an instance, a load balancer, an endpoint, or the internet.

    With `bridge` and `host`, address, public address and groups are the instance's.
    """

    name: str
    private_ip: str = ""
    subnet: Subnet | None = None  # None: outside, on the internet
    security_groups: tuple[SecurityGroup, ...] = ()
    public_ip: str = ""
    mode: str = "awsvpc"
    instance: str = ""  # the container instance it runs on
    host_ports: tuple[tuple[int, int], ...] = ()  # bridge: (host port, container port)

    @property
    def group_ids(self) -> tuple[str, ...]:
        return tuple(g.id for g in self.security_groups)

    @property
    def vpc_id(self) -> str:
        return self.subnet.vpc_id if self.subnet else ""


INTERNET = Party("the internet", public_ip="198.51.100.1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`decided_by` names the gate ("security group sg-web"), `why` says it in a sentence."""

    allowed: bool
    decided_by: str
    why: str
    failure: str = ""  # what a task shows for it (`egress`)


# Reaching -------------------------------------------------------------------


def can_reach(source: Party, destination: Party, port: int, protocol: str = "tcp") -> Verdict:
    """Whether a connection from source to `port` of destination comes up."""
    verdict = _mode(source, destination, port)
    if verdict:
        return verdict
    path = _route(source, destination)
    if isinstance(path, Verdict):
        return path
    return (
        _network_acls(source, destination, path, port, protocol)
        or _security_groups(source, destination, path, port, protocol)
        or Verdict(True, f"route {path.by}", f"{destination.name} is reached {path.words}.")
    )


@dataclass(frozen=True, slots=True)
class _Path:
    """How the packet travels: the addresses each side sees of the other."""

    source_seen: str
    destination_seen: str
    by: str
    words: str
    groups_known: bool = True  # security group references hold only on private addresses


def _mode(source: Party, destination: Party, port: int) -> Verdict | None:
    for party in (source, destination):
        if party.mode == "none":
            return Verdict(False, "mode none", f"{party.name} has no network but its own loopback.")
    published = dict(destination.host_ports)
    if source.name == destination.name and source.mode in ("awsvpc", "host"):
        return Verdict(True, f"mode {source.mode}", f"Containers of {source.name} share one localhost.")
    if destination.mode == "bridge" and port not in published:
        at = [host for host, container in destination.host_ports if container == port]
        hint = f" Container port {port} is host port {at[0]}." if at else ""
        if source.name == destination.name:
            hint += " The containers of a bridge task share no localhost; links or a host port connect them."
        return Verdict(False, "mode bridge", f"{destination.name} publishes no host port {port} on its instance.{hint}")
    on_one_instance = source.instance and source.instance == destination.instance
    if on_one_instance and {source.mode, destination.mode} <= {"bridge", "host"}:
        return Verdict(
            True, f"instance {source.instance}", f"Both run on {source.instance}; the packet never leaves it."
        )
    return None


def _route(source: Party, destination: Party) -> _Path | Verdict:
    if source.subnet is None:
        return _from_internet(source, destination)
    if source.vpc_id == destination.vpc_id:
        return _Path(source.private_ip, destination.private_ip, "local", f"inside {source.vpc_id}")
    table = source.subnet.route_table
    private = table.route_to(destination.private_ip) if destination.private_ip else None
    if private and private.target.partition("-")[0] in ("pcx", "tgw", "vgw"):
        return _Path(source.private_ip, destination.private_ip, private.target, f"through {private.target}")
    if not destination.public_ip:
        return Verdict(
            False, f"route table {table.id}", f"{table.id} has no route to {destination.private_ip}, a private address."
        )
    return _to_internet(source, destination, table)


def _to_internet(source: Party, destination: Party, table: RouteTable) -> _Path | Verdict:
    route = table.route_to(destination.public_ip)
    kind = route.target.partition("-")[0] if route else ""
    if kind not in ("igw", "nat"):
        return Verdict(
            False,
            f"route table {table.id}",
            f"{source.subnet.id} has no route to the internet: {table.id} names neither an internet nor a NAT gateway.",
        )
    if kind == "igw" and not source.public_ip:
        return Verdict(
            False,
            f"route {route.target}",
            f"{source.name} has no public address, and {route.target} carries only packets of public addresses.",
        )
    entered = _enters(destination)
    if entered is not None:
        return entered
    seen = source.public_ip if kind == "igw" else route.nat_address
    words = f"through {route.target}" + (f" as {seen}" if seen else "")
    return _Path(seen, destination.public_ip, route.target, words, groups_known=False)


def _from_internet(source: Party, destination: Party) -> _Path | Verdict:
    if not destination.public_ip:
        return Verdict(False, "public address", f"{destination.name} has no public address.")
    return _enters(destination) or _Path(
        source.public_ip, destination.private_ip, "internet gateway", f"at {destination.public_ip}", groups_known=False
    )


def _enters(destination: Party) -> Verdict | None:
    """Whether the internet finds a way into the destination's subnet."""
    if destination.subnet is None:
        return None
    table = destination.subnet.route_table
    route = table.route_to(INTERNET.public_ip)
    if route and route.target.startswith("igw-"):
        return None
    return Verdict(
        False, f"route table {table.id}", f"{destination.subnet.id} is private: {table.id} has no internet gateway."
    )


def _network_acls(source: Party, destination: Party, path: _Path, port: int, protocol: str) -> Verdict | None:
    """The request out and in, then the answer out and in; nothing inside one subnet."""
    if source.subnet == destination.subnet:
        return None
    answer = EPHEMERAL_PORTS
    for party, outbound, other, ports in (
        (source, True, path.destination_seen, (port,)),
        (destination, False, path.source_seen, (port,)),
        (destination, True, path.source_seen, answer),
        (source, False, path.destination_seen, answer),
    ):
        if party.subnet is None:
            continue
        acl = party.subnet.network_acl
        for number in ports:
            rule = _deciding(acl.outbound if outbound else acl.inbound, other, number, protocol)
            if rule is None or not rule.allow:
                what = f"{protocol} {_range(*answer) if ports == answer else port}"
                which = f"rule {rule.number}" if rule else "its last rule, which denies the rest"
                way = "out" if outbound else "in"
                answering = " (the answer; ACLs are stateless)" if ports == answer else ""
                return Verdict(
                    False, f"network ACL {acl.id}", f"{acl.id} denies {what} {way} by {which}{answering}."
                )
    return None


def _deciding(rules: tuple[AclRule, ...], address: str, port: int, protocol: str) -> AclRule | None:
    for rule in sorted(rules, key=lambda r: r.number):
        covers = rule.protocol == "-1" or (rule.protocol == protocol and rule.from_port <= port <= rule.to_port)
        if covers and _inside(address, rule.cidr):
            return rule
    return None


def _security_groups(source: Party, destination: Party, path: _Path, port: int, protocol: str) -> Verdict | None:
    verdict = None
    for party, outbound, other, address in (
        (source, True, destination, path.destination_seen),
        (destination, False, source, path.source_seen),
    ):
        if party.subnet is None:
            continue
        groups = other.group_ids if path.groups_known else ()
        verdict = _one_side(party, outbound, other, address, groups, port, protocol)
        if not verdict.allowed:
            return verdict
    return verdict


def _one_side(party, outbound, other, address, groups, port, protocol) -> Verdict:
    packet = f"{protocol} {port} {'out to' if outbound else 'in from'} {other.name}"
    for group in party.security_groups:
        for rule in group.outbound if outbound else group.inbound:
            if rule.covers(port, protocol) and rule.names(address, groups):
                return Verdict(True, f"security group {group.id}", f"{group.id} lets {packet}: {rule}.")
    owner = "its own" if party.mode == "awsvpc" else "its instance's"
    names = ", ".join(party.group_ids) or "none"
    why = f"No rule of {party.name}'s security groups ({owner}: {names}) lets {packet}."
    return Verdict(False, f"security group {names}", why)


# What a task needs of AWS ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """`service` as in com.amazonaws.<region>.<service>. A gateway serves route tables, an interface the whole VPC."""

    service: str
    vpc_id: str
    interface: Party | None = None  # None: a gateway endpoint
    route_tables: tuple[str, ...] = ()


# What a task wants -> the services it has to reach, and what it shows when it cannot.
NEEDS = {
    "ecr": (
        ("ecr.api", "ecr.dkr", "s3"),
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve ecr registry auth",
    ),
    "secretsmanager": (
        ("secretsmanager",),
        "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm",
    ),
    "ssm": (("ssm",), "ResourceInitializationError: unable to pull secrets or registry auth"),
    "logs": (("logs",), "ResourceInitializationError: failed to initialize logging driver"),
    "exec": (
        ("ssmmessages",),
        "InvalidParameterException: The execute command failed because execute command was not enabled when the task "
        "was run or the execute command agent isn't running.",
    ),
    "internet": ((), "CannotPullContainerError: i/o timeout"),  # an image of a public registry, for instance
}


def egress(task: Party, service: str, endpoints: tuple[VpcEndpoint, ...] = ()) -> Verdict:
    """Whether the task can use one of `NEEDS`. On EC2 the agent pulls images and fetches secrets: ask for the instance.

    An interface endpoint answers for its service in the whole VPC, so one that does
    not let the task in blocks it even where a NAT gateway would have done.
    """
    wanted, failure = NEEDS[service]
    verdict = None
    for name in wanted or ("",):
        verdict = reach_service(task, name, endpoints)
        if not verdict.allowed:
            what = f"{name}: {verdict.why}" if name else verdict.why
            return replace(verdict, why=what, failure=failure)
    return verdict


def private_dns_name(address: str, region: str) -> str:
    """What the VPC's resolver calls an address."""
    return f"ip-{address.replace('.', '-')}." + ("ec2.internal" if region == "us-east-1" else f"{region}.compute.internal")


def reach_service(task: Party, name: str, endpoints: tuple[VpcEndpoint, ...]) -> Verdict:
    """Whether the task gets at one service of AWS, `name` as in com.amazonaws.<region>.<name>; "" is any place on the internet."""
    for endpoint in endpoints:
        if endpoint.service != name or endpoint.vpc_id != task.vpc_id:
            continue
        if endpoint.interface is not None:
            return can_reach(task, endpoint.interface, HTTPS)
        table = task.subnet.route_table.id
        if table in endpoint.route_tables:
            return Verdict(True, f"VPC endpoint {name}", f"{table} leads to a gateway endpoint for {name}.")
    return can_reach(task, INTERNET, HTTPS)


def _inside(address: str, cidr: str) -> bool:
    """An address nobody knows is inside "everywhere" only."""
    return cidr == EVERYWHERE or (bool(address) and ip_address(address) in ip_network(cidr))


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
