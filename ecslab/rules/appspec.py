"""CodeDeploy's AppSpec for Amazon ECS, and how its deployment configurations shift traffic.

Theory. The AppSpec names what to run (a task definition), where its traffic enters
(a container and a port) and one Lambda function for each lifecycle event that has a
hook. The deployment configuration alone says when how much of production traffic
moves from the original task set to the replacement.

`read` answers with an `AppSpec` or raises `AppSpecError`, which lists every problem
at once. `weights_at` answers for any moment; `shifts` lists the moments of change.

Choices of ours, where AWS documents none: unknown properties are refused; a custom
configuration moves 1 to 100 percent at intervals of at least a minute.

Sources: CodeDeploy User Guide, "AppSpec 'resources' section", "AppSpec 'hooks'
section", "Working with deployment configurations in CodeDeploy"; CodeDeploy API
Reference, TrafficRoutingConfig, BlueInstanceTerminationOption; Developer Guide,
"CodeDeploy blue/green deployments for Amazon ECS".
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

import yaml

SERVICE = "AWS::ECS::Service"

# A deployment's lifecycle events in order, and those that may have a hook.
EVENTS = (
    "BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic",
    "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic",
)  # fmt: skip
HOOKS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
PROPERTIES = ("TaskDefinition", "LoadBalancerInfo", "PlatformVersion", "NetworkConfiguration", "CapacityProviderStrategy")

GREEN_HEALTHY_WITHIN_MINUTES = 60
MOST_TERMINATION_WAIT_MINUTES = 2880


# The AppSpec -------------------------------------------------------------------


class AppSpecError(ValueError):
    """An AppSpec that CodeDeploy could not deploy; `problems` holds one sentence each."""

    def __init__(self, problems: list[str]):
        super().__init__("The AppSpec file is not valid. " + " ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class AppSpec:
    task_definition: str
    container_name: str
    container_port: int
    platform_version: str | None = None
    network_configuration: Mapping[str, Any] | None = None
    capacity_provider_strategy: tuple[Mapping[str, Any], ...] = ()
    hooks: Mapping[str, str] = field(default_factory=dict)  # lifecycle event: Lambda function


def read(text: str) -> AppSpec:
    """An AppSpec from JSON or YAML (JSON is YAML too). AppSpecError names all that is wrong."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise AppSpecError([f"It is neither YAML nor JSON: {_first_line(error)}."]) from None
    if not isinstance(document, dict):
        raise AppSpecError(["It must be a mapping with version and Resources."])
    problems: list[str] = []
    document = _any_case(document, "version", "Resources", "Hooks")
    if str(document.get("version")) not in ("0", "0.0"):
        problems.append("version must be 0.0.")
    properties = _properties(document.get("Resources"), problems)
    hooks = _hooks(document.get("Hooks"), problems)
    spec = _spec(properties, hooks, problems)
    if problems:
        raise AppSpecError(problems)
    return spec


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _any_case(given: Mapping, *names: str) -> dict:
    """Keys under the spelling asked for: the guide writes both `Resources` and `resources`."""
    spelled = {name.lower(): name for name in names}
    return {spelled.get(str(key).lower(), key): value for key, value in given.items()}


def _properties(resources: Any, problems: list[str]) -> dict:
    """The Properties of the one resource, which must be an ECS service."""
    if not (isinstance(resources, list) and len(resources) == 1 and isinstance(resources[0], dict) and len(resources[0]) == 1):
        problems.append("Resources must be a list of exactly one resource.")
        return {}
    ((name, resource),) = resources[0].items()
    resource = _any_case(resource, "Type", "Properties") if isinstance(resource, dict) else {}
    if resource.get("Type") != SERVICE:
        problems.append(f"The Type of resource {name} must be {SERVICE}.")
    properties = resource.get("Properties")
    if not isinstance(properties, dict):
        problems.append(f"Resource {name} must have Properties.")
        return {}
    properties = _any_case(properties, *PROPERTIES)
    problems += [f"{key} is not a property of {SERVICE}." for key in properties if key not in PROPERTIES]
    return properties


def _spec(properties: dict, hooks: dict[str, str], problems: list[str]) -> AppSpec:
    target = properties.get("LoadBalancerInfo")
    target = _any_case(target, "ContainerName", "ContainerPort") if isinstance(target, dict) else {}
    port = target.get("ContainerPort")
    port = int(port) if isinstance(port, str) and port.isdecimal() else port
    required = {
        "TaskDefinition": properties.get("TaskDefinition"),
        "LoadBalancerInfo.ContainerName": target.get("ContainerName"),
        "LoadBalancerInfo.ContainerPort": port,
    }
    problems += [f"{name} is required." for name, value in required.items() if value in (None, "")]
    if port not in (None, "") and not (type(port) is int and 1 <= port <= 65535):
        problems.append("LoadBalancerInfo.ContainerPort must be a port number.")
    strategy = properties.get("CapacityProviderStrategy") or ()
    if not isinstance(strategy, (list, tuple)) or not all(isinstance(item, dict) for item in strategy):
        problems.append("CapacityProviderStrategy must be a list.")
        strategy = ()
    return AppSpec(
        task_definition=str(required["TaskDefinition"]),
        container_name=str(required["LoadBalancerInfo.ContainerName"]),
        container_port=port,
        platform_version=properties.get("PlatformVersion"),
        network_configuration=_lower_first(properties.get("NetworkConfiguration")),
        capacity_provider_strategy=tuple(_lower_first(list(strategy))),
        hooks=hooks,
    )


def _lower_first(given: Any) -> Any:
    """AppSpec's AwsvpcConfiguration is the ECS API's awsvpcConfiguration, at every depth."""
    if isinstance(given, dict):
        return {str(key)[:1].lower() + str(key)[1:]: _lower_first(value) for key, value in given.items()}
    return [_lower_first(item) for item in given] if isinstance(given, list) else given


def _hooks(given: Any, problems: list[str]) -> dict[str, str]:
    """Lifecycle event: function, from a list of one-entry mappings."""
    hooks: dict[str, str] = {}
    if given is not None and not isinstance(given, list):
        problems.append("Hooks must be a list.")
    for entry in given if isinstance(given, list) else ():
        if not isinstance(entry, dict) or len(entry) != 1:
            problems.append("Each hook must name one lifecycle event and its Lambda function.")
            continue
        ((event, function),) = entry.items()
        if event not in HOOKS:
            problems.append(f"{event} is not a lifecycle event that can have a hook; those are {', '.join(HOOKS)}.")
        elif event in hooks:
            problems.append(f"{event} has more than one hook.")
        elif not isinstance(function, str) or not function:
            problems.append(f"The hook of {event} must name a Lambda function.")
        else:
            hooks[event] = function
    return hooks


# Deployment configurations -------------------------------------------------------


@dataclass(frozen=True)
class Routing:
    """A TrafficRoutingConfig: percent of traffic in one increment, minutes between increments."""

    type: str  # AllAtOnce | TimeBasedCanary | TimeBasedLinear
    percentage: int = 100
    interval: int = 0

    def __post_init__(self):
        if self.type not in FIELDS:
            raise ValueError(f"The traffic routing type must be one of {', '.join(FIELDS)}, not {self.type}.")
        if not 1 <= self.percentage <= 100:
            raise ValueError("The percentage of traffic must be between 1 and 100.")
        if self.type != "AllAtOnce" and self.interval < 1:
            raise ValueError("The interval must be at least 1 minute.")


# A TrafficRoutingConfig's structure, percentage and interval, by type.
FIELDS = {
    "AllAtOnce": None,
    "TimeBasedCanary": ("timeBasedCanary", "canaryPercentage", "canaryInterval"),
    "TimeBasedLinear": ("timeBasedLinear", "linearPercentage", "linearInterval"),
}

PREDEFINED = {
    "CodeDeployDefault.ECSAllAtOnce": Routing("AllAtOnce"),
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": Routing("TimeBasedLinear", 10, 1),
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": Routing("TimeBasedLinear", 10, 3),
    "CodeDeployDefault.ECSCanary10Percent5Minutes": Routing("TimeBasedCanary", 10, 5),
    "CodeDeployDefault.ECSCanary10Percent15Minutes": Routing("TimeBasedCanary", 10, 15),
}


def routing(given: Mapping[str, Any]) -> Routing:
    """A custom configuration from CreateDeploymentConfig's trafficRoutingConfig. ValueError when it makes no sense."""
    kind = given.get("type") or "AllAtOnce"
    if FIELDS.get(kind) is None:
        return Routing(kind)
    structure, percentage, interval = FIELDS[kind]
    values = given.get(structure) or {}
    return Routing(kind, values.get(percentage, 0), values.get(interval, 0))


def shifts(config: str | Routing) -> tuple[tuple[int, int], ...]:
    """When the replacement's share changes: (minutes since the shift began, percent), ending with 100."""
    config = _resolved(config)
    if config.type == "TimeBasedLinear":
        count = -(-100 // config.percentage)
        return tuple((n * config.interval, min(100, config.percentage * (n + 1))) for n in range(count))
    if config.type == "TimeBasedCanary" and config.percentage < 100:
        return ((0, config.percentage), (config.interval, 100))
    return ((0, 100),)


def weights_at(config: str | Routing, minutes: float) -> tuple[int, int]:
    """Percent of production traffic of the (original, replacement) task set, `minutes` after the shift began."""
    share = max((percent for at, percent in shifts(config) if at <= minutes), default=0)
    return 100 - share, share


def minutes_to_shift(config: str | Routing) -> int:
    """Minutes from the first traffic shift to the last."""
    return shifts(config)[-1][0]


def allowed_with_network_load_balancer(config: str | Routing) -> bool:
    """A Network Load Balancer knows no weights: all traffic moves at once."""
    return _resolved(config).type == "AllAtOnce"


def _resolved(config: str | Routing) -> Routing:
    if isinstance(config, Routing):
        return config
    if config not in PREDEFINED:
        raise ValueError(f"No deployment configuration is named {config}; predefined ones: {', '.join(PREDEFINED)}.")
    return PREDEFINED[config]
