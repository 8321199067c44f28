"""The load balancer controller: targets, their health checks, and where a request goes.

moto holds load balancers, listeners, rules and target groups. Here are the
targets: registered by ECS or by hand, checked, drained. `route` answers for one
request which target takes it, or what the load balancer says instead. A plane
carries requests and checks: `http_plane.py` with real connections, or the
simulated engine's own answers in virtual time.
"""
from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable, Mapping, Protocol

from ..engines.base import Observation
from ..rules import listener as rules
from ..rules import network as rules_of_network
from ..rules import slow_start, stickiness, target_health
from ..rules.target_health import HealthCheck, TargetHealth
from . import elbv2, metrics
from .model import Task

if TYPE_CHECKING:
    from . import Region

KEPT_CAUSES = 1000
FIRST_CHECK = 1.0  # seconds after registration
NOT_IN_USE = target_health.of("unused", "Target.NotInUse")


@dataclass(eq=False)
class Target:
    """One address of a target group. `port` is where it takes traffic."""

    group: str  # ARN
    id: str  # an address, or an instance's id
    port: int
    registered_at: float
    task: Task | None = None
    health: TargetHealth = TargetHealth()
    slow_since: float | None = None  # when it entered slow start
    in_flight: int = 0
    next_check: float = 0.0
    checking: bool = False
    drained_at: float | None = None  # when draining ends

    @property
    def draining(self) -> bool:
        return self.drained_at is not None

    @property
    def mark(self) -> str:
        """What cookies call it."""
        return hashlib.sha256(f"{self.group} {self.id}:{self.port}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Checked(Observation):
    """A health check came back. `outcome` is an HTTP status, "open", "refused" or "timeout"."""

    target: Target = None
    outcome: int | str = "refused"


@dataclass(frozen=True)
class Listener:
    """What a plane needs to open a listener, and `route` to serve it."""

    arn: str
    balancer: str  # ARN
    network: bool  # a Network Load Balancer: connections, not requests
    protocol: str
    port: int
    idle_timeout: float
    rules: tuple[rules.Rule, ...]


@dataclass(frozen=True)
class Decision:
    """What becomes of one request: a target, or a finished answer with its cause."""

    target: Target | None = None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    cause: str = ""
    cookies: tuple[stickiness.Offer, ...] = ()  # for the target's answer


class Plane(Protocol):
    """What carries requests and health checks."""

    def open(self, listeners: Mapping[str, Listener]) -> None:
        """Serve exactly these listeners."""

    def check(self, target: Target, check: HealthCheck) -> None:
        """Run one health check; the region observes a `Checked`."""

    def close(self) -> None: ...


class LoadBalancing:
    def __init__(self, region: "Region", plane: Callable[["LoadBalancing"], Plane]):
        self.region = region
        self._make_plane = plane
        self._plane: Plane | None = None
        self._making = threading.Lock()  # engines ask from threads of their own
        self.targets: dict[str, OrderedDict[tuple[str, int], Target]] = {}
        self.listeners: dict[str, Listener] = {}
        self.traffic = Traffic()
        self._in_use: set[str] = set()
        self._routable: dict[str, tuple[Target, ...]] = {}
        self._turn: dict[str, int] = {}
        self._credit: dict[str, dict[str, float]] = {}
        self._dirty: OrderedDict[int, Target] = OrderedDict()
        self._doors: dict[tuple, bool] = {}
        self._causes: OrderedDict[str, str] = OrderedDict()
        elbv2.serve(self)
        region.watch("elb", self.refresh)
        region.watch("ec2", self.forget_doors)

    # Listeners ----------------------------------------------------------------

    @property
    def plane(self) -> Plane:
        with self._making:
            if self._plane is None:
                self._plane = self._make_plane(self)
        return self._plane

    def refresh(self) -> None:
        """Something in ELBv2 may have changed: read it again."""
        found = {}
        for balancer, listener in elbv2.listeners(self.region.name):
            found[listener.arn] = Listener(
                arn=listener.arn,
                balancer=balancer.arn,
                network=balancer.type == "network",
                protocol=listener.protocol,
                port=int(listener.port),
                idle_timeout=float(balancer.attrs.get("idle_timeout.timeout_seconds", 60)),
                rules=elbv2.rules_of(listener),
            )
        used = set().union(*(elbv2.groups_of(one.rules) for one in found.values())) if found else set()
        for arn in used - self._in_use:
            for target in self.targets.get(arn, {}).values():
                target.next_check = self.region.clock.now() + FIRST_CHECK
                self.touch(target)
        self.forget_doors()
        changed = set(found) != set(self.listeners)
        self.listeners, self._in_use = found, used
        if changed:
            self.plane.open(found)

    def is_in_use(self, group_arn: str) -> bool:
        """Does some listener forward to this group?"""
        return group_arn in self._in_use

    def group(self, arn: str):
        """moto's target group, or None."""
        return elbv2.backend(self.region.name).target_groups.get(arn)

    # Targets --------------------------------------------------------------------

    def register(self, group_arn: str, id: str, port: int, task: Task | None = None) -> Target:
        """Add a target; one that is there already starts over when it was draining."""
        now = self.region.clock.now()
        known = self.targets.setdefault(group_arn, OrderedDict())
        target = known.get((id, port))
        if target is None or target.draining:
            target = known[id, port] = Target(group_arn, id, port, now, task, next_check=now + FIRST_CHECK)
            self._publish(group_arn)
            self.touch(target)
        return target

    def deregister(self, target: Target) -> float:
        """Take a target out of traffic. Returns when it has drained."""
        now = self.region.clock.now()
        if not target.draining:
            group = self.group(target.group)
            delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300)) if group else 0.0
            target.drained_at = now + (delay if self.is_in_use(target.group) else 0.0)
            target.health = target_health.of("draining", "Target.DeregistrationInProgress")
            self._publish(target.group)
            self.touch(target)
        return target.drained_at

    def find(self, group_arn: str, id: str, port: Any = None) -> list[Target]:
        known = self.targets.get(group_arn, {}).values()
        return [t for t in known if t.id == id and port in (None, t.port, str(t.port)) and not t.draining]

    def describe(self, group, wanted) -> list[tuple[str, int, TargetHealth]]:
        """(id, port, health) for DescribeTargetHealth."""
        known = list(self.targets.get(group.arn, {}).values())
        if not wanted:
            return [(t.id, t.port, self._shown(t)) for t in known]
        answer = []
        for one in wanted:
            port = one.get("Port")
            found = [t for t in known if t.id == one["Id"] and port in (None, t.port, str(t.port))]
            answer += [(t.id, t.port, self._shown(t)) for t in found] or [
                (one["Id"], int(port or group.port or 80), target_health.of("unused", "Target.NotRegistered"))
            ]
        return answer

    def _shown(self, target: Target) -> TargetHealth:
        return target.health if target.draining or self.is_in_use(target.group) else NOT_IN_USE

    def _publish(self, group_arn: str) -> None:
        """Which targets take traffic: the healthy ones; every one when none is healthy (fail open)."""
        all_of = [t for t in self.targets.get(group_arn, {}).values() if not t.draining]
        healthy = tuple(t for t in all_of if t.health.state == "healthy")
        checked = tuple(t for t in all_of if t.health.state != "initial")
        self._routable[group_arn] = healthy or checked or tuple(all_of)

    # Health checks ----------------------------------------------------------------

    def touch(self, target: Target) -> None:
        self._dirty[id(target)] = target

    def step(self, now: float) -> bool:
        """Check and drain what is due. True when anything was done."""
        todo, self._dirty = self._dirty, OrderedDict()
        for target in todo.values():
            if target.draining:
                self._drain(target, now)
            elif self.is_in_use(target.group) and not target.checking:
                self._check(target, now)
        return bool(todo)

    def _check(self, target: Target, now: float) -> None:
        group = self.group(target.group)
        if group is None or self.targets.get(target.group, {}).get((target.id, target.port)) is not target:
            return
        check = elbv2.health_check(group)
        if now < target.next_check:
            self.region.wake_at(target.next_check, target)
            return
        target.next_check = now + check.interval
        target.checking = True
        self.plane.check(target, check)

    def observe(self, seen: Checked) -> None:
        target = seen.target
        target.checking = False
        group = self.group(target.group)
        if target.draining or group is None:
            return
        before = target.health
        target.health = before.after(seen.outcome, elbv2.health_check(group))
        if target.health.state != before.state:
            target.slow_since = self._slow_since(target, group, returns=before.state == "unhealthy")
        self.region.wake_at(target.next_check, target)
        if target.health.state != before.state:
            self._publish(target.group)
            if target.task is not None and target.task.service is not None:
                self.region.touch(target.task.service)

    def _slow_since(self, target: Target, group, returns: bool) -> float | None:
        """When a target whose state has just changed enters slow start: now, or not at all."""
        now = self.region.clock.now()
        others = [t for t in self.targets[target.group].values() if t is not target and not t.draining]
        members = [slow_start.Member(t.registered_at, t.health.state == "healthy", t.slow_since) for t in others]
        lasts = slow_start.duration(group.attributes)
        enters = target.health.state == "healthy" and slow_start.enters(target.registered_at, returns, members, lasts, now)
        return now if enters else None

    def _drain(self, target: Target, now: float) -> None:
        if now < target.drained_at:
            self.region.wake_at(target.drained_at, target)
            return
        known = self.targets.get(target.group, {})
        if known.get((target.id, target.port)) is target:
            del known[target.id, target.port]
        task = target.task
        if task is not None and all(now >= (t.drained_at or 0.0) for t in task.targets):
            task.progress = replace(task.progress, may_stop=True)
            self.region.touch(task)

    # What ECS asks ------------------------------------------------------------------

    def attach(self, task: Task, load_balancers: list[Mapping]) -> list[str]:
        """Register a task that starts in its service's target groups. Returns their ARNs."""
        for entry in load_balancers:
            address = _address(task, entry["containerName"], entry["containerPort"])
            if entry.get("targetGroupArn") and address:
                task.targets.append(self.register(entry["targetGroupArn"], *address, task=task))
        return [target.group for target in task.targets]

    def detach(self, task: Task) -> list[str]:
        """Deregister a task that stops; its containers get their signal when it has drained. Returns the groups."""
        going = [target for target in task.targets if not target.draining]
        until = max((self.deregister(target) for target in going), default=0.0)
        alive = any(c.status == "RUNNING" for c in task.containers.values())
        if until > self.region.clock.now() and alive:
            task.progress = replace(task.progress, may_stop=False)
        return [target.group for target in going]

    # Requests -----------------------------------------------------------------------

    def listener_for(self, host: str, port: int) -> Listener | None:
        """The listener that answers at a load balancer's DNS name."""
        balancers = elbv2.backend(self.region.name).load_balancers
        found = next((b for b in list(balancers.values()) if host in (b.dns_name, b.arn)), None)
        if found is None:
            return None
        return next((one for one in self.listeners.values() if one.balancer == found.arn and one.port == port), None)

    def route(self, listener: Listener, request: rules.HttpRequest) -> Decision:
        """Which target takes this request, or what the load balancer answers by itself."""
        rule = rules.decide(listener.rules, request)
        action = rule.actions[-1]
        if action["Type"] == "fixed-response":
            config = action["FixedResponseConfig"]
            headers = {"Content-Type": config.get("ContentType") or "text/plain"}
            return Decision(None, int(config["StatusCode"]), headers, config.get("MessageBody") or "", "fixed response")
        if action["Type"] == "redirect":
            config = action["RedirectConfig"]
            location = rules.redirect_url(config, request, listener.protocol, listener.port)
            return Decision(None, int(config["StatusCode"].removeprefix("HTTP_")), {"Location": location}, "", "redirect")
        if action["Type"] != "forward":
            return _error(501, f"This region does not carry out {action['Type']} actions.")
        return self._forward(listener, rule, action, request)

    def _forward(self, listener: Listener, rule: rules.Rule, action: Mapping, request: rules.HttpRequest) -> Decision:
        shares = rules.weights(action)
        cookies = stickiness.parsed(request.headers.get("cookie", ""))
        config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        sticky = str(config.get("Enabled")).lower() == "true"
        offers = []
        chosen = next((arn for arn in shares if sticky and _short(arn) == cookies.get(stickiness.GROUP)), None)
        if chosen is None:
            chosen = rules.next_by_weight(shares, self._credit.setdefault(rule.arn, {}))
            if sticky and chosen is not None:
                offers.append(stickiness.Offer(stickiness.GROUP, _short(chosen), int(config.get("DurationSeconds") or stickiness.DAY)))
        if chosen is None:
            return _error(503, "Every target group of this rule has weight 0.")
        self.traffic.asked(listener.balancer, chosen)
        group = self.group(chosen)
        targets = self._routable.get(chosen, ())
        if group is None or not targets:
            return _error(503, f"No target is registered in {_short(chosen)}.")
        kept = stickiness.of_group(group.attributes)
        if kept is None:
            return Decision(target=self._next_target(group, chosen, targets), cookies=tuple(offers))
        now = self.region.clock.now()
        mark = stickiness.wanted(kept, cookies, now)
        target = next((t for t in targets if t.mark == mark), None) or self._next_target(group, chosen, targets)
        return Decision(target=target, cookies=(*offers, stickiness.offer(kept, target.mark, mark is not None, now)))

    def _next_target(self, group, arn: str, targets: tuple[Target, ...]) -> Target:
        kind = group.attributes.get("load_balancing.algorithm.type", "round_robin")
        if kind == "least_outstanding_requests":
            least = min(target.in_flight for target in targets)
            targets = tuple(target for target in targets if target.in_flight == least)
        elif kind == "weighted_random":
            return self.region.random.choice(targets)
        ramping = self._ramping(group, arn, targets)
        if ramping is not None:
            return ramping
        turn = self._turn[arn] = self._turn.get(arn, -1) + 1
        return targets[turn % len(targets)]

    def _ramping(self, group, arn: str, targets: tuple[Target, ...]) -> Target | None:
        """Whose turn it is while a target is in slow start; None when none is."""
        now, lasts = self.region.clock.now(), slow_start.duration(group.attributes)
        shares = {target.mark: slow_start.share(target.slow_since, lasts, now) for target in targets}
        if min(shares.values()) == 1.0:
            return None
        chosen = rules.next_by_weight(shares, self._credit.setdefault(arn, {}))
        return next((target for target in targets if target.mark == chosen), None)

    # What planes ask ------------------------------------------------------------------

    def task_of(self, target: Target) -> Task | None:
        """The task behind a target, registered by ECS or by hand."""
        if target.task is not None:
            return target.task
        for task in self.region.tasks.present():
            if task.network is not None and task.network.private_ip == target.id:
                return task
            if task.instance is not None and target.id in (task.instance.ec2_instance_id, task.instance.id):
                if any(b["hostPort"] == target.port for f in task.facts.values() for b in f.get("networkBindings", ())):
                    return task
        return None

    def address(self, target: Target, port: int | None = None) -> tuple[str, int] | None:
        """Where a target answers on this machine (Docker only); None when it can not be told."""
        port = port or target.port
        task = self.task_of(target)
        if task is None:
            return None
        if task.network is not None:
            published = task.published.get(port)
            return ("127.0.0.1", published) if published else (task.network.private_ip, port)
        shared = task.network_mode == "host" and task.instance.engine.network
        return (shared.private_ip if shared else "127.0.0.1", port)

    def reachable(self, target: Target) -> bool:
        """May some load balancer that uses the target's group connect to it?"""
        users = [one for one in self.listeners.values() if target.group in elbv2.groups_of(one.rules)]
        return any(self.lets_in(listener, target) for listener in users)

    def lets_in(self, listener: Listener, target: Target) -> bool:
        """Do the network's rules let this load balancer connect to the target?"""
        task = self.task_of(target)
        if task is None or listener.network:
            return True
        key = (listener.balancer, task.id, target.port)
        if key not in self._doors:
            reach = self.region.reach
            verdict = rules_of_network.can_reach(reach.balancer(listener.balancer), reach.task(task), target.port)
            self._doors[key] = verdict.allowed
        return self._doors[key]

    def forget_doors(self) -> None:
        """Security groups, routes or tasks may have changed."""
        self._doors.clear()

    def note(self, trace: str | None, cause: str) -> None:
        """Remember why the load balancer answered a request by itself, for whoever sent it from here."""
        if trace:
            self._causes[trace] = cause
            while len(self._causes) > KEPT_CAUSES:
                self._causes.popitem(last=False)

    def cause_of(self, trace: str) -> str:
        return self._causes.pop(trace, "")

    # Metrics ------------------------------------------------------------------------

    def report(self, now: float) -> None:
        """Once a minute: what passed through, to CloudWatch."""
        hosts = []
        for listener in self.listeners.values():
            for arn in elbv2.groups_of(listener.rules):
                states = [t.health.state for t in self.targets.get(arn, {}).values() if not t.draining]
                hosts.append((listener.balancer, arn, states.count("healthy"), states.count("unhealthy")))
        metrics.publish(self.region.name, self.traffic.namespace, self.traffic.metrics(hosts), now)
        metrics.publish(self.region.name, "AWS/ECS", self.region.connect.rows(), now)

    def close(self) -> None:
        if self._plane is not None:
            self._plane.close()


class Traffic:
    """What passed through the load balancers since it was last asked."""

    namespace = "AWS/ApplicationELB"

    def __init__(self) -> None:
        self._counts: dict[tuple, float] = {}  # by (metric, load balancer's ARN, target group's ARN)
        self._times: dict[tuple, list[float]] = {}
        self.requests: dict[str, float] = {}  # of each load balancer (ARN), all there ever were

    def asked(self, balancer: str, group: str) -> None:
        self._add("RequestCount", balancer, group)

    def answered(self, balancer: str, target: Target, status: int, seconds: float) -> None:
        """A target answered: `status` is its own, `seconds` from request to answer, in region time."""
        self._add(f"HTTPCode_Target_{status // 100}XX_Count", balancer, target.group)
        self._times.setdefault((balancer, target.group), []).append(seconds)

    def failed(self, balancer: str, status: int) -> None:
        """The load balancer itself answered with an error."""
        self._add(f"HTTPCode_ELB_{status // 100}XX_Count", balancer, None)
        self._add(f"HTTPCode_ELB_{status}_Count", balancer, None)

    def passed(self, balancer: str, group: str, served: int, failed: int, seconds: float) -> None:
        """Many requests at once: so many a target answered, in so many seconds each, so many nobody could."""
        self._add("RequestCount", balancer, group, served + failed)
        self._add("HTTPCode_Target_2XX_Count", balancer, group, served)
        self._times.setdefault((balancer, group), []).append(seconds)
        if failed:
            self._add("HTTPCode_ELB_5XX_Count", balancer, None, failed)
            self._add("HTTPCode_ELB_503_Count", balancer, None, failed)

    def _add(self, name: str, balancer: str, group: str | None, count: int = 1) -> None:
        key = (name, balancer, group)
        if name == "RequestCount":
            self.requests[balancer] = self.requests.get(balancer, 0) + count
        self._counts[key] = self._counts.get(key, 0) + count

    def metrics(self, hosts) -> list[tuple[str, dict[str, str], list[float], str]]:
        """(name, dimensions, values, unit) of the minute that ends now; counting starts over."""
        counts, self._counts = self._counts, {}
        times, self._times = self._times, {}
        rows = []
        totals: dict[tuple, float] = {}
        targets = {group: max(1, healthy + unhealthy) for _, group, healthy, unhealthy in hosts}
        for (name, balancer, group), count in counts.items():
            if group is not None:
                rows.append((name, _dimensions(balancer, group), [count], "Count"))
                if name == "RequestCount":
                    per_target = count / targets.get(group, 1)
                    rows.append(("RequestCountPerTarget", {"TargetGroup": _short(group)}, [per_target], "Count"))
            totals[name, balancer] = totals.get((name, balancer), 0) + count
        rows += [(name, _dimensions(balancer), [count], "Count") for (name, balancer), count in totals.items()]
        for (balancer, group), values in times.items():
            rows.append(("TargetResponseTime", _dimensions(balancer, group), values, "Seconds"))
            rows.append(("TargetResponseTime", _dimensions(balancer), values, "Seconds"))
        for balancer, group, healthy, unhealthy in hosts:
            rows.append(("HealthyHostCount", _dimensions(balancer, group), [healthy], "Count"))
            rows.append(("UnHealthyHostCount", _dimensions(balancer, group), [unhealthy], "Count"))
        return rows


def _dimensions(balancer: str, group: str | None = None) -> dict[str, str]:
    return {"LoadBalancer": _short_balancer(balancer), **({"TargetGroup": _short(group)} if group else {})}


def _short(group_arn: str) -> str:
    """targetgroup/<name>/<id>"""
    return group_arn.rpartition(":")[2]


def _short_balancer(arn: str) -> str:
    """app/<name>/<id>"""
    return arn.partition(":loadbalancer/")[2]


def _error(status: int, cause: str) -> Decision:
    words = {501: "Not Implemented", 502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}[status]
    body = f"<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n<center><h1>{status} {words}</h1></center>\r\n</body>\r\n</html>\r\n"
    return Decision(None, status, {"Content-Type": "text/html", "Server": "awselb/2.0"}, body, cause)


bad_gateway = _error(502, "The target refused the connection or broke it off.")
gateway_timeout = _error(504, "The target did not answer in time.")


def _address(task: Task, container: str, port: int) -> tuple[str, int] | None:
    """Where a container port of a task takes traffic: its own address, or its instance and a host port."""
    if task.network is not None:
        return task.network.private_ip, port
    for binding in task.facts.get(container, {}).get("networkBindings", ()):
        if binding["containerPort"] == port and task.instance is not None:
            return task.instance.ec2_instance_id or task.instance.id, binding["hostPort"]
    return None
