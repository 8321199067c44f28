"""What single fields of a task definition may hold: enums, required members, ranges, lengths.

A path such as `containerDefinitions[].ulimits[].name` names a field; `[]` stands
for every item of a list. What concerns several fields at once is in
`task_definition_checks`.

Source: API Reference, RegisterTaskDefinition and the types it names. ECS words a
wrong enum value as `launch type should be one of [EC2,FARGATE,EXTERNAL]`; other
fields follow that shape. The texts about ranges are ours.
"""
from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

from .errors import EcsError, client

C = "containerDefinitions[]."

LOG_DRIVERS = ("json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens")

ENUMS: dict[str, tuple[str, ...]] = {
    "networkMode": ("bridge", "host", "awsvpc", "none"),
    "pidMode": ("host", "task"),
    "ipcMode": ("host", "task", "none"),
    "requiresCompatibilities[]": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
    "runtimePlatform.cpuArchitecture": ("X86_64", "ARM64"),
    "runtimePlatform.operatingSystemFamily": (
        "LINUX", "WINDOWS_SERVER_2016_FULL", "WINDOWS_SERVER_2019_FULL", "WINDOWS_SERVER_2019_CORE",
        "WINDOWS_SERVER_2004_CORE", "WINDOWS_SERVER_20H2_CORE", "WINDOWS_SERVER_2022_FULL",
        "WINDOWS_SERVER_2022_CORE", "WINDOWS_SERVER_2025_FULL", "WINDOWS_SERVER_2025_CORE",
    ),
    "placementConstraints[].type": ("memberOf",),
    "proxyConfiguration.type": ("APPMESH",),
    "volumes[].dockerVolumeConfiguration.scope": ("task", "shared"),
    "volumes[].efsVolumeConfiguration.transitEncryption": ("ENABLED", "DISABLED"),
    "volumes[].efsVolumeConfiguration.authorizationConfig.iam": ("ENABLED", "DISABLED"),
    C + "versionConsistency": ("enabled", "disabled"),
    C + "dependsOn[].condition": ("START", "COMPLETE", "SUCCESS", "HEALTHY"),
    C + "portMappings[].protocol": ("tcp", "udp"),
    C + "portMappings[].appProtocol": ("http", "http2", "grpc"),
    C + "environmentFiles[].type": ("s3",),
    C + "resourceRequirements[].type": ("GPU", "InferenceAccelerator", "NeuronDevice"),
    C + "firelensConfiguration.type": ("fluentd", "fluentbit"),
    C + "linuxParameters.devices[].permissions[]": ("read", "write", "mknod"),
    C + "ulimits[].name": (
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio", "rttime", "sigpending", "stack",
    ),
}  # fmt: skip

# Of each item at the path: the members it must have, under the name of its type.
REQUIRED: dict[str, tuple[str, tuple[str, ...]]] = {
    "containerDefinitions[]": ("Container", ("name", "image")),
    "volumes[]": ("Volume", ("name",)),
    "placementConstraints[]": ("TaskDefinitionPlacementConstraint", ("type",)),
    "ephemeralStorage": ("EphemeralStorage", ("sizeInGiB",)),
    "proxyConfiguration": ("ProxyConfiguration", ("containerName",)),
    "volumes[].efsVolumeConfiguration": ("EFSVolumeConfiguration", ("fileSystemId",)),
    "volumes[].s3filesVolumeConfiguration": ("S3FilesVolumeConfiguration", ("fileSystemArn",)),
    C + "environment[]": ("KeyValuePair", ("name",)),
    C + "environmentFiles[]": ("EnvironmentFile", ("value", "type")),
    C + "mountPoints[]": ("MountPoint", ("sourceVolume", "containerPath")),
    C + "volumesFrom[]": ("VolumeFrom", ("sourceContainer",)),
    C + "dependsOn[]": ("ContainerDependency", ("containerName", "condition")),
    C + "secrets[]": ("Secret", ("name", "valueFrom")),
    C + "logConfiguration": ("LogConfiguration", ("logDriver",)),
    C + "logConfiguration.secretOptions[]": ("Secret", ("name", "valueFrom")),
    C + "repositoryCredentials": ("RepositoryCredentials", ("credentialsParameter",)),
    C + "healthCheck": ("HealthCheck", ("command",)),
    C + "restartPolicy": ("ContainerRestartPolicy", ("enabled",)),
    C + "firelensConfiguration": ("FirelensConfiguration", ("type",)),
    C + "resourceRequirements[]": ("ResourceRequirement", ("type",)),
    C + "systemControls[]": ("SystemControl", ("namespace", "value")),
    C + "extraHosts[]": ("HostEntry", ("hostname", "ipAddress")),
    C + "ulimits[]": ("Ulimit", ("name", "softLimit", "hardLimit")),
    C + "linuxParameters.devices[]": ("Device", ("hostPath",)),
    C + "linuxParameters.tmpfs[]": ("Tmpfs", ("containerPath", "size")),
}

# The longest lists.
MOST: dict[str, tuple[int, str]] = {
    "placementConstraints": (10, "A task definition can have at most 10 placement constraints."),
    C + "environmentFiles": (
        10,
        "The maximum number of environment files was exceeded. Specify ten or less and try again",
    ),
    C + "restartPolicy.ignoredExitCodes": (50, "A restart policy can have at most 50 ignored exit codes."),
    C + "credentialSpecs": (1, "A container can have at most one credential spec."),
}

SMALLEST_MEMORY = 6  # MiB, with Docker 20.10 and later

# Inside a container: (least, most), None for no bound.
RANGES: dict[str, tuple[int, int | None]] = {
    "cpu": (0, None),
    "memory": (SMALLEST_MEMORY, None),
    "memoryReservation": (SMALLEST_MEMORY, None),
    "startTimeout": (0, None),
    "stopTimeout": (0, None),
    "portMappings[].containerPort": (1, 65535),
    "portMappings[].hostPort": (0, 65535),
    "healthCheck.interval": (5, 300),
    "healthCheck.timeout": (2, 60),
    "healthCheck.retries": (1, 10),
    "healthCheck.startPeriod": (0, 300),
    "restartPolicy.restartAttemptPeriod": (60, 1800),
    "linuxParameters.swappiness": (0, 100),
}


def values_at(value: Mapping, path: str) -> Iterator[Any]:
    """Every value that stands at the path; none where something on the way is absent."""
    name, _, rest = path.partition(".")
    found = value.get(name.removesuffix("[]"))
    for item in (found or ()) if name.endswith("[]") else (found,):
        if item is not None:
            yield from values_at(item, rest) if rest else (item,)


def wrong_setting(container: Mapping, why: str) -> EcsError:
    return client(f"Invalid setting for container '{container['name']}'. {why}")


def check_required(definition: Mapping) -> None:
    for path, (kind, members) in REQUIRED.items():
        for item in values_at(definition, path):
            for member in members:
                if item.get(member) in (None, "", []):
                    raise client(f"{kind}.{member} should not be null or empty.")


def check_enums(definition: Mapping) -> None:
    for path, allowed in ENUMS.items():
        for value in values_at(definition, path):
            if value not in allowed:
                raise client(f"{_words(path)} should be one of [{','.join(allowed)}]")


def _words(path: str) -> str:
    """`networkMode` -> `network mode`."""
    name = path.rpartition(".")[2].removesuffix("[]")
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: " " + letter[0].lower(), name)


def check_lengths(definition: Mapping) -> None:
    for path, (most, message) in MOST.items():
        if any(len(items) > most for items in values_at(definition, path)):
            raise client(message)


def check_ranges(definition: Mapping) -> None:
    for container in definition["containerDefinitions"]:
        for path, (least, most) in RANGES.items():
            for value in values_at(container, path):
                if value < least or (most is not None and value > most):
                    bounds = f"at least {least}" if most is None else f"between {least} and {most}"
                    raise wrong_setting(container, f"'{path.replace('[]', '')}' must be {bounds}.")
