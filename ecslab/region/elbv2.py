"""moto's ELBv2, read and mended: the seam of load balancing.

The API, its checks and its resources stay moto's. Targets and their health are
ours: moto keeps one target per id, so a second port of an instance would
overwrite the first, and calls every target healthy. Attributes of target groups
are checked by `rules`, as moto takes any. The ARN of a default rule is drawn
from moto's seeded numbers, not from a memory address.
"""
from __future__ import annotations

from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Iterator

from ..rules import elb_limits, target_group_attributes
from ..rules.listener import Rule, in_order, weights
from ..rules.target_health import HealthCheck
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from .balancing import LoadBalancing

_controller: "LoadBalancing | None" = None


def serve(controller: "LoadBalancing") -> None:
    """From now on moto's target operations are answered by `controller`."""
    global _controller
    _controller = controller


@lru_cache
def mended():
    """moto's ELBv2 models with targets, health and rule ARNs ours. Once for the process."""
    from moto.elbv2 import models

    def register(group, targets) -> None:
        for target in targets:
            if target["Id"].startswith("i-") and group.ec2_backend.get_instance_by_id(target["Id"]) is None:
                raise models.InvalidTargetError()
        for target in targets:
            _controller.register(group.arn, target["Id"], int(target.get("Port") or group.port))

    def deregister(group, targets) -> None:
        for target in targets:
            known = _controller.find(group.arn, target["Id"], target.get("Port"))
            if not known:
                raise models.InvalidTargetError()
            for one in known:
                _controller.deregister(one)

    def describe(backend, target_group_arn, targets):
        group = backend.target_groups.get(target_group_arn)
        if group is None:
            raise models.TargetGroupNotFoundError()
        return [
            models.FakeHealthStatus(id, str(port), _health_port(group, port), health.state, health.reason, health.description)
            for id, port, health in _controller.describe(group, targets)
        ]

    def set_attributes(backend, target_group_arn, attributes) -> None:
        group = backend.target_groups.get(target_group_arn)
        if group is None:
            raise models.TargetGroupNotFoundError()
        fault = target_group_attributes.fault(attributes, {**group.attributes, **attributes}, group.protocol)
        if fault:
            raise models.ValidationError(fault)
        group.attributes.update(attributes)

    make_rule = models.FakeRule.__init__

    def rule(self, *args, **fields) -> None:
        make_rule(self, *args, **fields)
        self.arn = f"{self.arn.rpartition('/')[0]}/{models.mock_random.get_random_hex(16)}"

    models.FakeTargetGroup.register = register
    models.FakeTargetGroup.deregister = deregister
    models.ELBv2Backend.describe_target_health = describe
    models.ELBv2Backend.modify_target_group_attributes = set_attributes
    models.FakeRule.__init__ = rule
    _limit(models)
    return models


# Who makes something of moto's -> what of its arguments is refused.
LIMITS = {
    "create_load_balancer": lambda given: elb_limits.balancer(given.get("loadbalancer_type")),
    "create_listener": lambda given: elb_limits.listener(given.get("protocol")) or elb_limits.rule((), given.get("actions")),
    "modify_listener": lambda given: elb_limits.listener(given.get("protocol")) or elb_limits.rule((), given.get("actions")),
    "create_target_group": lambda given: elb_limits.target_group(*map(given.get, ("target_type", "protocol", "protocol_version"))),
    "create_rule": lambda given: elb_limits.rule(given.get("conditions"), given.get("actions")),
    "modify_rule": lambda given: elb_limits.rule(given.get("conditions"), given.get("actions")),
}


def _limit(models) -> None:
    """Refuse aloud what moto would store and nobody here would carry out."""
    from moto.elbv2.responses import ELBV2Response

    def limited(make, fault):
        names = signature(make)

        def made(*args, **fields):
            given = names.bind(*args, **fields).arguments
            sentence = fault({**given, **given.get("kwargs", {})})
            if sentence:
                raise models.ValidationError(sentence)
            return make(*args, **fields)

        return made

    for name, fault in LIMITS.items():
        setattr(models.ELBv2Backend, name, limited(getattr(models.ELBv2Backend, name), fault))
    for name in ("create_rule", "modify_rule"):
        transforms = limited_by_transforms(getattr(ELBV2Response, name), models)
        setattr(ELBV2Response, name, transforms)


def limited_by_transforms(answer, models):
    """moto does not read a rule's transforms: they are looked for in the request."""

    def answered(response):
        fault = elb_limits.rule((), (), response._get_params().get("Transforms"))
        if fault:
            raise models.ValidationError(fault)
        return answer(response)

    return answered


def _health_port(group, port: int) -> str:
    return str(port) if group.health_check_port in (None, "traffic-port") else group.health_check_port


def backend(region_name: str):
    return mended().elbv2_backends[ACCOUNT][region_name]


def listeners(region_name: str) -> Iterator[tuple]:
    """(load balancer, listener) of everything that exists."""
    for balancer in list(backend(region_name).load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            yield balancer, listener


def rules_of(listener) -> tuple[Rule, ...]:
    """A listener's rules in the order in which they are tried."""
    rules = [
        Rule(
            arn=rule.arn,
            priority=None if rule.is_default else int(rule.priority),
            conditions=() if rule.is_default else rule.conditions,
            actions=tuple(action.data for action in (listener.default_actions if rule.is_default else rule.actions)),
        )
        for rule in list(listener.rules.values())
    ]
    return in_order(rules)


def rule_named(region_name: str, arn: str):
    """The listener rule or default rule of that ARN, and its listener; (None, None) where there is none.

    A Network Load Balancer has no rules to name: there the listener's own ARN stands for its default rule.
    """
    for balancer, listener in listeners(region_name):
        if balancer.type == "network" and listener.arn == arn:
            return next(rule for rule in listener.rules.values() if rule.is_default), listener
        for rule in listener.rules.values():
            if rule.arn == arn:
                return rule, listener
    return None, None


def groups_of(rules: tuple[Rule, ...]) -> set[str]:
    """Every target group that some rule forwards to, with whatever weight."""
    return {arn for rule in rules for action in rule.actions if action["Type"] == "forward" for arn in weights(action)}


def health_check(group) -> HealthCheck:
    """A target group's settings, with what AWS fills in where moto leaves them open."""
    protocol = group.health_check_protocol or "HTTP"
    network = group.protocol in ("TCP", "TLS", "UDP", "TCP_UDP")
    timeout = int(group.health_check_timeout_seconds)
    if timeout == 10 and not network:
        timeout = 5  # moto's default is 10; an ALB's is 5
    matcher = (getattr(group, "matcher", None) or {}).get("HttpCode") or ("200-399" if network else "200")
    return HealthCheck(
        protocol=protocol,
        port=group.health_check_port or "traffic-port",
        path=group.health_check_path or "/",
        interval=int(group.health_check_interval_seconds),
        timeout=timeout,
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
        matcher=matcher,
    )
