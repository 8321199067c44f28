"""Where can a definition run (`compatibilities`), and what must its instance be able to do (`requiresAttributes`)?

Sources: API Reference, TaskDefinition; Developer Guide, "Amazon ECS launch types",
"Amazon ECS Anywhere", "Amazon ECS Managed Instances". AWS publishes no full list of
the capability attributes; those here are the ones its pages and agent name, kept to
what a definition says. Texts about EXTERNAL and MANAGED_INSTANCES are ours.
"""
from __future__ import annotations

from typing import Callable, Mapping

from . import fargate
from .errors import EcsError, client
from .fargate import ECR_IMAGE, is_windows
from .task_definition_fields import LOG_DRIVERS, values_at

# Launch types -------------------------------------------------------------------------


def _check_ec2(definition: Mapping) -> None:
    _refuse_ephemeral_storage(definition, "EC2")


def _check_external(definition: Mapping) -> None:
    _refuse_ephemeral_storage(definition, "External")
    if definition.get("networkMode") == "awsvpc":
        raise client("Tasks using the External launch type do not support networkMode 'awsvpc'")
    for path in ("volumes[].efsVolumeConfiguration", "proxyConfiguration", "containerDefinitions[].systemControls"):
        if any(values_at(definition, path)):
            raise client(f"Tasks using the External launch type do not support {path.rpartition('.')[2]}")


def _check_managed_instances(definition: Mapping) -> None:
    _refuse_ephemeral_storage(definition, "Managed Instances")
    if definition.get("networkMode") not in ("awsvpc", "host"):
        raise client("Tasks on Managed Instances only support the network modes 'awsvpc' and 'host'.")
    if is_windows(definition):
        raise client("Tasks on Managed Instances do not support Windows containers.")


def _refuse_ephemeral_storage(definition: Mapping, launch_type: str) -> None:
    if definition.get("ephemeralStorage"):
        raise client(f"Tasks using the {launch_type} launch type do not support EphemeralStorage")


LAUNCH_TYPE_CHECKS: dict[str, Callable[[Mapping], None]] = {
    "EC2": _check_ec2,
    "FARGATE": fargate.check,
    "EXTERNAL": _check_external,
    "MANAGED_INSTANCES": _check_managed_instances,
}


def compatibilities(definition: Mapping) -> list[str]:
    """The launch types this definition could run on."""
    return [launch_type for launch_type, check in LAUNCH_TYPE_CHECKS.items() if _passes(check, definition)]


def _passes(check: Callable[[Mapping], None], definition: Mapping) -> bool:
    try:
        check(definition)
    except EcsError:
        return False
    return True


# Capabilities ---------------------------------------------------------------------------

AGENT = "com.amazonaws.ecs.capability."
ECS = "ecs.capability."
DOCKER_API = AGENT + "docker-remote-api.1."

# Attribute -> the fields any of which calls for it.
CALLED_FOR_BY: dict[str, tuple[str, ...]] = {
    AGENT + "task-iam-role": ("taskRoleArn",),
    AGENT + "privileged-container": ("containerDefinitions[].privileged",),
    ECS + "task-cpu-mem-limit": ("cpu", "memory"),
    ECS + "pid-ipc-namespace-sharing": ("pidMode", "ipcMode"),
    ECS + "efs": ("volumes[].efsVolumeConfiguration",),
    ECS + "efsAuth": ("volumes[].efsVolumeConfiguration.authorizationConfig",),
    ECS + "env-files.s3": ("containerDefinitions[].environmentFiles",),
    ECS + "container-ordering": ("containerDefinitions[].dependsOn",),
    ECS + "container-health-check": ("containerDefinitions[].healthCheck",),
    ECS + "container-restart-policy": ("containerDefinitions[].restartPolicy.enabled",),
    ECS + "private-registry-authentication.secretsmanager": ("containerDefinitions[].repositoryCredentials",),
}
STORES = ("asm", "ssm")  # Secrets Manager, Systems Manager Parameter Store

# What a current agent on Amazon Linux registers with its instance.
AGENT_CAPABILITIES: tuple[str, ...] = (
    *CALLED_FOR_BY,
    *(f"{DOCKER_API}{minor}" for minor in range(17, 42)),
    *(f"{AGENT}logging-driver.{driver}" for driver in (*LOG_DRIVERS, "none")),
    *(AGENT + name for name in ("ecr-auth", "task-iam-role-network-host", "apparmor")),
    *(f"{ECS}secrets.{store}.{use}" for store in STORES for use in ("environment-variables", "bootstrap.log-driver")),
    *(f"{ECS}firelens.{kind}" for kind in ("fluentd", "fluentbit")),
    *(
        ECS + name
        for name in ("task-eni", "execution-role-awslogs", "execution-role-ecr-pull", "docker-plugin.local", "full-sync")
    ),
)


def required_attributes(definition: Mapping) -> list[dict]:
    """requiresAttributes: `{"name": ...}` of each capability that an instance must have, sorted by name."""
    needed = {name for name, paths in CALLED_FOR_BY.items() if any(v for path in paths for v in values_at(definition, path))}
    needed |= {DOCKER_API + "18"} | _of_network(definition) | _of_secrets(definition)
    for container in definition["containerDefinitions"]:
        needed |= _of_container(container, bool(definition.get("executionRoleArn")))
    return [{"name": name} for name in sorted(needed)]


def _of_network(definition: Mapping) -> set[str]:
    mode = definition.get("networkMode")
    if mode == "awsvpc":
        return {ECS + "task-eni"}
    return {AGENT + "task-iam-role-network-host"} if mode == "host" and definition.get("taskRoleArn") else set()


def _of_secrets(definition: Mapping) -> set[str]:
    uses = {"secrets[]": "environment-variables", "logConfiguration.secretOptions[]": "bootstrap.log-driver"}
    return {
        f"{ECS}secrets.{'asm' if ':secretsmanager:' in secret['valueFrom'] else 'ssm'}.{use}"
        for path, use in uses.items()
        for secret in values_at(definition, "containerDefinitions[]." + path)
    }


def _of_container(container: Mapping, has_execution_role: bool) -> set[str]:
    needed = {f"{ECS}firelens.{kind}" for kind in values_at(container, "firelensConfiguration.type")}
    for driver in values_at(container, "logConfiguration.logDriver"):
        needed.add(f"{AGENT}logging-driver.{driver}")
        if driver == "awslogs" and has_execution_role:
            needed.add(ECS + "execution-role-awslogs")
    if ECR_IMAGE.match(container["image"]):
        needed.add(AGENT + "ecr-auth")
        if has_execution_role:
            needed.add(ECS + "execution-role-ecr-pull")
    return needed
