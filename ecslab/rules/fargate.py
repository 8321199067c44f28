"""What Fargate takes: its sizes, and the settings it refuses.

`check` raises the ClientException that RegisterTaskDefinition answers with. Where
no published text of a refusal is known, the words follow the shape of those that are.

Sources: Developer Guide, "Amazon ECS task definition differences for Fargate"; API Reference, KernelCapabilities, LinuxParameters.
"""
from __future__ import annotations

import re
from typing import Mapping

from .errors import client
from .task_definition_fields import values_at, wrong_setting

# CPU units -> the memory sizes in MiB that go with them: 77 pairs.
FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
    32768: (61440, 122880, 249856),
}
WINDOWS_CPU = (1024, 2048, 4096)

LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
ADDED_CAPABILITIES = ("SYS_PTRACE",)
TIMEOUT = (2, 120)  # seconds, of startTimeout and of stopTimeout

ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")

# A value at the path -> what ECS says. `links`, `hostname`, `extraHosts`, the DNS
# settings and `disableNetworking` fall to awsvpc, which Fargate requires.
REFUSED: dict[str, str] = {
    "ipcMode": "Tasks using the Fargate launch type do not support ipcMode",
    "placementConstraints": "Fargate compatible task definitions do not support constraints",
    **{
        path: f"Fargate compatible task definitions do not support {path.rpartition('.')[2]}"
        for path in (
            "volumes[].dockerVolumeConfiguration",
            "volumes[].host.sourcePath",
            "volumes[].fsxWindowsFileServerVolumeConfiguration",
            "inferenceAccelerators",
            "containerDefinitions[].dockerSecurityOptions",
            "containerDefinitions[].linuxParameters.devices",
            "containerDefinitions[].linuxParameters.sharedMemorySize",
            "containerDefinitions[].linuxParameters.tmpfs",
            "containerDefinitions[].linuxParameters.maxSwap",
            "containerDefinitions[].linuxParameters.swappiness",
        )
    },
}


def fargate_pairs() -> list[tuple[int, int]]:
    """Every valid (CPU units, MiB)."""
    return [(cpu, memory) for cpu, sizes in FARGATE_SIZES.items() for memory in sizes]


def is_windows(definition: Mapping) -> bool:
    return any(family.startswith("WINDOWS") for family in values_at(definition, "runtimePlatform.operatingSystemFamily"))


def check(definition: Mapping) -> None:
    """ClientException unless Fargate can run this definition (its defaults filled in)."""
    _check_size(definition)
    _check_task(definition)
    for container in definition["containerDefinitions"]:
        _check_container(container, definition.get("executionRoleArn"))
        if container.get("firelensConfiguration") and is_windows(definition):
            raise client("Windows containers on Fargate do not support FireLens.")


def _check_size(definition: Mapping) -> None:
    for field in ("cpu", "memory"):
        if not definition.get(field):
            raise client(f"Fargate requires that '{field}' be defined at the task level.")
    cpu, memory = int(definition["cpu"]), int(definition["memory"])
    if memory not in FARGATE_SIZES.get(cpu, ()) or (is_windows(definition) and cpu not in WINDOWS_CPU):
        raise client("No Fargate configuration exists for given values.")


def _check_task(definition: Mapping) -> None:
    if definition.get("networkMode") != "awsvpc":
        raise client("Fargate only supports network mode ‘awsvpc’.")
    if definition.get("pidMode") == "host":
        raise client("Tasks using the Fargate launch type do not support pidMode 'host'. Remove the setting or use 'task'.")
    for path, message in REFUSED.items():
        if any(value != [] for value in values_at(definition, path)):
            raise client(message)


def _check_container(container: Mapping, role: str | None) -> None:
    if container.get("privileged"):
        raise client("Fargate requires that the 'privileged' setting be 'false'")
    if "GPU" in values_at(container, "resourceRequirements[].type"):
        raise client("Fargate compatible task definitions do not support GPU resource requirements")
    if ECR_IMAGE.match(container["image"]) and not role:
        raise client("Fargate requires task definition to have execution role ARN to support ECR images.")
    least, most = TIMEOUT
    for field in ("startTimeout", "stopTimeout"):
        if container.get(field) is not None and not least <= container[field] <= most:
            raise wrong_setting(container, f"'{field}' must be between {least} and {most} on Fargate.")
    for capability in values_at(container, "linuxParameters.capabilities.add[]"):
        if capability not in ADDED_CAPABILITIES:
            raise client(f"{capability} is not allowed on Fargate.")
    if "s3" in values_at(container, "firelensConfiguration.options.config-file-type"):
        raise client("Fargate compatible task definitions support only the FireLens config-file-type 'file'.")
    if container.get("logConfiguration"):
        _check_logging(container["logConfiguration"], role)


def _check_logging(log: Mapping, role: str | None) -> None:
    driver = log["logDriver"]
    if driver not in LOG_DRIVERS:
        raise client(f"Log driver {driver} is not a valid log driver. Must be one of [{', '.join(LOG_DRIVERS)}]")
    if driver != "awslogs":
        return
    if not role:
        raise client("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
    if not (log.get("options") or {}).get("awslogs-stream-prefix"):
        raise client("Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.")
