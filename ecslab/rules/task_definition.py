"""Is this task definition valid, what does ECS make of it, and which error does it give?

`register` takes RegisterTaskDefinition's input and returns the definition as
DescribeTaskDefinition shows it: sizes as plain numbers, defaults filled in,
`compatibilities` and `requiresAttributes` computed. The checks stand in tables
and in small functions in the order ECS meets them; each raises the error a
caller of ECS reads. Words that only one weak source records are close, not
exact: match on their beginning.

Sources: API Reference, RegisterTaskDefinition, ContainerDefinition, TaskOverride;
Developer Guide, "Amazon ECS task definition parameters".
"""
from __future__ import annotations

import copy
import json
import re
from typing import Any, Callable, Iterator, Mapping, Sequence

from . import fargate
from .errors import EcsError, client, invalid
from .fargate import FARGATE_SIZES, fargate_pairs  # noqa: F401  (the sizes are part of this file's answer)

MOST_CONTAINERS = 10
MOST_BYTES = 65536
MOST_OVERRIDE_CHARACTERS = 8192
MOST_PLACEMENT_CONSTRAINTS = 10
MOST_ENVIRONMENT_FILES = 10
SMALLEST_MEMORY = 6  # MiB, with Docker 20.10 and later
EC2_CPU = (128, 196608)

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
PORT_RANGE = re.compile(r"(\d+)-(\d+)")
ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")

ENUMS: dict[str, tuple[str, ...]] = {
    "networkMode": ("bridge", "host", "awsvpc", "none"),
    "pidMode": ("host", "task"),
    "ipcMode": ("host", "task", "none"),
    "requiresCompatibilities": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
    "cpuArchitecture": ("X86_64", "ARM64"),
    "condition": ("START", "COMPLETE", "SUCCESS", "HEALTHY"),
    "protocol": ("tcp", "udp"),
    "appProtocol": ("http", "http2", "grpc"),
    "logDriver": ("json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"),
    "versionConsistency": ("enabled", "disabled"),
    "scope": ("task", "shared"),
}
ULIMITS = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)
OS_FAMILIES = (
    "LINUX WINDOWS_SERVER_2016_FULL WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2019_CORE WINDOWS_SERVER_2004_CORE "
    "WINDOWS_SERVER_20H2_CORE WINDOWS_SERVER_2022_FULL WINDOWS_SERVER_2022_CORE WINDOWS_SERVER_2025_FULL "
    "WINDOWS_SERVER_2025_CORE"
).split()

HEALTH_CHECK = {  # field -> (default, least, most)
    "interval": (30, 5, 300),
    "timeout": (5, 2, 60),
    "retries": (3, 1, 10),
    "startPeriod": (None, 0, 300),
}

# What awsvpc does not let a container say.
AWSVPC_REFUSES = {
    "links": "Links are not supported when networkMode=awsvpc",
    "hostname": "hostname is not supported on container when networkMode=awsvpc",
    "extraHosts": "Extra hosts are not supported on container when networkMode=awsvpc",
    "dnsServers": "DNS servers are not supported on container when networkMode=awsvpc",
    "dnsSearchDomains": "DNS search domains are not supported on container when networkMode=awsvpc",
    "disableNetworking": "Disable Networking is not supported on container when networkMode=awsvpc",
}
# ... and what Fargate does not, beyond that.
FARGATE_REFUSES = {
    "dockerSecurityOptions": "Fargate compatible task definitions do not support dockerSecurityOptions",
    "systemControls.ipc": "Fargate compatible task definitions do not support ipc systemControls",
}

AGENT_PREFIX = "com.amazonaws.ecs.capability."
ECS_PREFIX = "ecs.capability."
# The capabilities that a current agent on Amazon Linux registers with its instance.
AGENT_CAPABILITIES = (
    *(f"{AGENT_PREFIX}docker-remote-api.1.{minor}" for minor in range(17, 42)),
    *(f"{AGENT_PREFIX}logging-driver.{driver}" for driver in ("json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens", "none")),
    *(f"{AGENT_PREFIX}{name}" for name in ("ecr-auth", "task-iam-role", "task-iam-role-network-host", "privileged-container", "apparmor")),
    *(
        f"{ECS_PREFIX}{name}"
        for name in (
            "execution-role-awslogs execution-role-ecr-pull task-eni secrets.asm.environment-variables secrets.asm.bootstrap.log-driver "
            "secrets.ssm.environment-variables secrets.ssm.bootstrap.log-driver env-files.s3 container-ordering container-health-check "
            "private-registry-authentication.secretsmanager docker-plugin.local pid-ipc-namespace-sharing firelens.fluentd firelens.fluentbit "
            "efs efsAuth full-sync task-cpu-mem-limit container-restart-policy"
        ).split()
    ),
)

# Sizes ------------------------------------------------------------------------


def parse_cpu(text: str | int) -> int:
    """`"256"`, `"0.25 vCPU"`, `".5vcpu"` in CPU units (1024 = 1 vCPU). ClientException for anything else."""
    return _size(text, r"vcpu", 1024, "Invalid 'cpu' setting for task.")


def parse_memory(text: str | int) -> int:
    """`"512"`, `"0.5GB"`, `"1 gb"` in MiB. ClientException for anything else."""
    return _size(text, r"gb", 1024, "Invalid 'memory' setting for task.")


def _size(text: str | int, unit: str, factor: int, complaint: str) -> int:
    match = re.fullmatch(rf"\s*(\d+|\d*\.\d+|\d+\.\d*)\s*({unit})?\s*", str(text), re.IGNORECASE)
    if not match:
        raise client(complaint)
    number, has_unit = match.groups()
    if not has_unit and not number.isdigit():
        raise client(complaint)
    value = float(number) * (factor if has_unit else 1)
    if value != int(value) or value <= 0:
        raise client(complaint)
    return int(value)


def reserved(definition: Mapping) -> tuple[int, int]:
    """(CPU units, MiB) that one task of this definition reserves: the task's own sizes, else its containers' sums."""
    containers = definition["containerDefinitions"]
    cpu = definition.get("cpu")
    memory = definition.get("memory")
    return (
        int(cpu) if cpu else sum(c.get("cpu") or 0 for c in containers),
        int(memory) if memory else sum(c.get("memoryReservation") or c.get("memory") or 0 for c in containers),
    )


# Registering --------------------------------------------------------------------


def register(request: Mapping[str, Any]) -> dict:
    """The definition as ECS keeps it. EcsError with ECS's own words when it is not valid."""
    definition = _normalised(copy.deepcopy(dict(request)))
    _check_limits(request, definition)
    for check in CHECKS:
        check(definition)
    wanted = definition.get("requiresCompatibilities") or []
    if "FARGATE" in wanted:
        for check in FARGATE_CHECKS:
            check(definition)
    if "EC2" in wanted and definition.get("ephemeralStorage"):
        raise client("Tasks using the EC2 launch type do not support EphemeralStorage")
    definition["compatibilities"] = compatibilities(definition)
    definition["requiresAttributes"] = required_attributes(definition)
    return definition


def _normalised(definition: dict) -> dict:
    """Sizes as integers in strings, empty lists and ECS's defaults filled in."""
    if not definition.get("family"):
        raise client("Family can not be blank.")
    if not isinstance(definition.get("containerDefinitions"), list) or not definition["containerDefinitions"]:
        raise client("Container list cannot be empty.")
    if definition.get("cpu") is not None:
        definition["cpu"] = str(parse_cpu(definition["cpu"]))
    if definition.get("memory") is not None:
        definition["memory"] = str(parse_memory(definition["memory"]))
    windows = _is_windows(definition)
    if not definition.get("networkMode") and not windows:
        definition["networkMode"] = "bridge"
    definition.setdefault("volumes", [])
    definition.setdefault("placementConstraints", [])
    for container in definition["containerDefinitions"]:
        _fill_in(container, definition.get("networkMode"))
    return definition


def _fill_in(container: dict, network_mode: str | None) -> None:
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for field in ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"):
        container.setdefault(field, [])
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if "containerPortRange" in mapping or "containerPort" not in mapping:
            continue
        if network_mode in ("awsvpc", "host"):
            mapping.setdefault("hostPort", mapping["containerPort"])
        elif network_mode == "bridge":
            mapping.setdefault("hostPort", 0)
    check = container.get("healthCheck")
    if check is not None:
        for field, (default, _, _) in HEALTH_CHECK.items():
            if default is not None:
                check.setdefault(field, default)


# Checks of every definition -------------------------------------------------------


def _check_limits(request: Mapping, definition: dict) -> None:
    if len(definition["containerDefinitions"]) > MOST_CONTAINERS:
        raise client("Too many containers.")
    size = len(json.dumps(request, default=str, separators=(",", ":")).encode())
    if size > MOST_BYTES:
        raise client(f"Actual length: '{size}'. Max allowed length is '{MOST_BYTES}' bytes.")


def _check_family(definition: dict) -> None:
    family = definition["family"]
    if len(family) > 255:
        raise client("Family should not be longer than 255 characters.")
    if not NAME.fullmatch(family):
        raise client("Family contains invalid characters.")


def _check_enums(definition: dict) -> None:
    def check(name: str, value: Any, allowed: Sequence[str] | None = None) -> None:
        allowed = allowed or ENUMS[name]
        if value is not None and value not in allowed:
            words = re.sub(r"(?<=[a-z])([A-Z])", lambda m: " " + m.group(1).lower(), name)
            raise client(f"{words} should be one of [{','.join(allowed)}]")

    for name in ("networkMode", "pidMode", "ipcMode"):
        check(name, definition.get(name))
    for value in definition.get("requiresCompatibilities") or []:
        check("requiresCompatibilities", value)
    platform = definition.get("runtimePlatform") or {}
    check("cpuArchitecture", platform.get("cpuArchitecture"))
    check("operatingSystemFamily", platform.get("operatingSystemFamily"), OS_FAMILIES)
    for volume in definition["volumes"]:
        check("scope", (volume.get("dockerVolumeConfiguration") or {}).get("scope"))
    for container in definition["containerDefinitions"]:
        check("versionConsistency", container.get("versionConsistency"))
        for dependency in container.get("dependsOn") or []:
            check("condition", dependency.get("condition"))
        for mapping in container["portMappings"]:
            check("protocol", mapping.get("protocol"))
            check("appProtocol", mapping.get("appProtocol"))
        for ulimit in container.get("ulimits") or []:
            check("name", ulimit.get("name"), ULIMITS)


def _check_names(definition: dict) -> None:
    names = set()
    for container in definition["containerDefinitions"]:
        name = container.get("name")
        if not name:
            raise client("Container.name should not be null or empty.")
        if not container.get("image"):
            raise client("Container.image should not be null or empty.")
        if not NAME.fullmatch(name):
            raise client(f"Container name '{name}' contains invalid characters.")
        if len(container["image"]) > 255:
            raise client(f"Invalid setting for container '{name}'. 'image' should not be longer than 255 characters.")
        if name in names:
            raise client("Container names must be unique within a task definition")
        names.add(name)


def _check_essential(definition: dict) -> None:
    if not any(c["essential"] for c in definition["containerDefinitions"]):
        raise client("Task definition doesn't have any essential container")


def _check_memory(definition: dict) -> None:
    task = int(definition["memory"]) if definition.get("memory") else None
    for container in definition["containerDefinitions"]:
        setting = f"Invalid setting for container '{container['name']}'."
        hard, soft = container.get("memory"), container.get("memoryReservation")
        if task is None and not hard and not soft and "FARGATE" not in (definition.get("requiresCompatibilities") or []):
            raise client(f"{setting} At least one of 'memory' or 'memoryReservation' must be specified.")
        for value, name in ((hard, "memory"), (soft, "memoryReservation")):
            if value is not None and value < SMALLEST_MEMORY:
                raise client(f"{setting} '{name}' must be at least {SMALLEST_MEMORY} MiB.")
        if task is not None and hard is not None and hard > task:
            raise client(f"{setting} The 'memory' setting for container is greater than for the task.")
        if hard is not None and soft is not None and hard < soft:
            raise client(f"{setting} 'memory' must be greater than or equal to 'memoryReservation'")
    soft_sum = sum(c.get("memoryReservation") or 0 for c in definition["containerDefinitions"])
    if task is not None and soft_sum > task:
        raise client("The sum of all container 'memoryReservation' values cannot be greater than the task-level 'memory' value")


def _check_cpu(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        if container["cpu"] < 0:
            raise client(f"Invalid setting for container '{container['name']}'. 'cpu' cannot be negative.")
    if not definition.get("cpu"):
        return
    cpu = int(definition["cpu"])
    if "FARGATE" not in (definition.get("requiresCompatibilities") or []) and not EC2_CPU[0] <= cpu <= EC2_CPU[1]:
        raise client("Invalid 'cpu' setting for task.")
    if sum(c["cpu"] for c in definition["containerDefinitions"]) > cpu:
        raise client("The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value")


def _check_network(definition: dict) -> None:
    mode = definition.get("networkMode")
    for container in definition["containerDefinitions"]:
        if mode == "awsvpc":
            for field, message in AWSVPC_REFUSES.items():
                if container.get(field):
                    raise client(message)
        if container.get("links") and mode != "bridge":
            raise client(f"Links are not supported when networkMode={mode}")
        if mode == "none" and container["portMappings"]:
            raise client("Port mappings are not supported when networkMode=none")


def _check_ports(definition: dict) -> None:
    mode = definition.get("networkMode")
    names: set[str] = set()
    shared: set[int] = set()  # awsvpc and host: all containers use one namespace
    for container in definition["containerDefinitions"]:
        mine: set[int] = set()
        for mapping in container["portMappings"]:
            ports = _ports_of(container, mapping, mode)
            taken = shared if mode in ("awsvpc", "host") else mine
            if taken & ports:
                port = min(taken & ports)
                raise client(f"Invalid setting for container '{container['name']}'. The {port} container port is used multiple times in task")
            mine |= ports
            shared |= ports
            _check_port_name(container, mapping, names)


def _ports_of(container: dict, mapping: dict, mode: str | None) -> set[int]:
    setting = f"Invalid setting for container '{container['name']}'."
    port, text = mapping.get("containerPort"), mapping.get("containerPortRange")
    if text is not None:
        if port is not None or mapping.get("hostPort") is not None:
            raise client(f"{setting} You cannot specify both single port and port range")
        match = PORT_RANGE.fullmatch(text)
        if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65535 or mode not in ("awsvpc", "bridge"):
            raise client(f"Invalid 'containerPortRange' setting for container '{container['name']}'.")
        return set(range(int(match[1]), int(match[2]) + 1))
    if port is None or not 1 <= port <= 65535:
        raise client(f"{setting} 'containerPort' must be between 1 and 65535.")
    host = mapping.get("hostPort")
    if host is not None and not 0 <= host <= 65535:
        raise client(f"{setting} 'hostPort' must be between 0 and 65535.")
    if mode in ("awsvpc", "host") and host != port:
        raise client(f"When networkMode={mode}, the host ports and container ports in port mappings must match.")
    return {port}


def _check_port_name(container: dict, mapping: dict, names: set[str]) -> None:
    name = mapping.get("name")
    if name is None:
        if mapping.get("appProtocol"):
            raise client(f"Invalid setting for container '{container['name']}'. A port mapping with an appProtocol must have a name.")
        return
    if not PORT_NAME.fullmatch(name):
        raise client(f"Invalid setting for container '{container['name']}'. The port mapping name '{name}' is invalid.")
    if name in names:
        raise client(f"Invalid setting for container '{container['name']}'. The {name} port mapping name is already used")
    names.add(name)


def _check_dependencies(definition: dict) -> None:
    by_name = {c["name"]: c for c in definition["containerDefinitions"]}
    for container in definition["containerDefinitions"]:
        for dependency in container.get("dependsOn") or []:
            name, condition = dependency["containerName"], dependency["condition"]
            if name not in by_name:
                raise client(f"Cannot depend on container {name} because it does not exist")
            other = by_name[name]
            if condition in ("SUCCESS", "COMPLETE") and other["essential"]:
                raise client("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
            if condition == "HEALTHY" and not other.get("healthCheck"):
                raise client("A dependency container with HEALTHY condition must have health check configured")
        for name in _implied(container):
            if name not in by_name:
                raise client(f"Cannot depend on container {name} because it does not exist")
    start_order(definition["containerDefinitions"])


def _implied(container: Mapping) -> Iterator[str]:
    yield from (link.split(":")[0] for link in container.get("links") or [])
    yield from (source["sourceContainer"] for source in container.get("volumesFrom") or [])


def start_order(containers: Sequence[Mapping]) -> list[str]:
    """The containers' names, each after what it depends on. ClientException when they depend on one another."""
    needs = {c["name"]: {d["containerName"] for d in c.get("dependsOn") or []} | set(_implied(c)) for c in containers}
    order: list[str] = []
    while len(order) < len(needs):
        ready = [name for name, others in needs.items() if name not in order and others <= set(order)]
        if not ready:
            circle = ", ".join(name for name in needs if name not in order)
            raise client(f"Container dependencies must not form a cycle: {circle}")
        order += ready
    return order


def _check_health_checks(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        check = container.get("healthCheck")
        if check is None:
            continue
        setting = f"Invalid setting for container '{container['name']}'."
        if not check.get("command"):
            raise client(f"{setting} The health check command must not be empty.")
        for field, (_, least, most) in HEALTH_CHECK.items():
            value = check.get(field)
            if value is not None and not least <= value <= most:
                raise client(f"{setting} The health check {field} must be between {least} and {most}.")


def _check_volumes(definition: dict) -> None:
    names = set()
    for volume in definition["volumes"]:
        name = volume.get("name")
        if not name:
            raise client("Volume name should not be null or empty.")
        if name in names:
            raise client(f"Volume names must be unique: '{name}'")
        names.add(name)
        _check_volume(volume)
    for container in definition["containerDefinitions"]:
        for mount in container["mountPoints"]:
            if mount.get("sourceVolume") not in names:
                raise client(f"Unknown volume '{mount.get('sourceVolume')}'")


def _check_volume(volume: dict) -> None:
    docker = volume.get("dockerVolumeConfiguration")
    if docker and docker.get("autoprovision") is not None and docker.get("scope") != "shared":
        raise client("autoprovision can only be specified when the scope is shared")
    efs = volume.get("efsVolumeConfiguration")
    if not efs:
        return
    encrypted = efs.get("transitEncryption") == "ENABLED"
    authorization = efs.get("authorizationConfig") or {}
    if authorization.get("iam") == "ENABLED" and not encrypted:
        raise client("EFS IAM authorization requires TransitEncryption to be enabled")
    if efs.get("transitEncryptionPort") and not encrypted:
        raise client("TransitEncryptionPort requires that TransitEncryption is enabled")
    if authorization.get("accessPointId") and not encrypted:
        raise client("EFS access points require that TransitEncryption is enabled")
    if authorization.get("accessPointId") and efs.get("rootDirectory") not in (None, "", "/"):
        raise client('When using an EFS access point, the root directory must either be set to "/" or be omitted')


def _check_logging(definition: dict) -> None:
    firelens = any(c.get("firelensConfiguration") for c in definition["containerDefinitions"])
    for container in definition["containerDefinitions"]:
        log = container.get("logConfiguration")
        if not log:
            continue
        driver, options = log.get("logDriver"), log.get("options") or {}
        if driver not in ENUMS["logDriver"]:
            raise client(f"Log driver {driver} is not a valid log driver. Must be one of [{', '.join(ENUMS['logDriver'])}]")
        if driver == "awslogs":
            missing = [name for name in ("awslogs-group", "awslogs-region") if not options.get(name)]
            if "awslogs-group" in missing or (missing and "FARGATE" in (definition.get("requiresCompatibilities") or [])):
                raise client(f"Log driver awslogs requires options: {', '.join(missing)}")
        if driver == "awsfirelens" and not firelens:
            raise client(
                "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be "
                "specified in one of the containers of the task definition."
            )


def _check_secrets(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        has_secrets = container.get("secrets") or (container.get("logConfiguration") or {}).get("secretOptions")
        if has_secrets and not definition.get("executionRoleArn"):
            raise client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
        files = container.get("environmentFiles") or []
        if len(files) > MOST_ENVIRONMENT_FILES:
            raise client("The maximum number of environment files was exceeded. Specify ten or less and try again")
        for item in files:
            if not str(item.get("value", "")).startswith("arn:"):
                raise client("Invalid arn syntax")
            if not item["value"].endswith(".env"):
                raise client("Invalid setting for environment file. The file must have a .env extension.")


def _check_roles(definition: dict) -> None:
    for field in ("taskRoleArn", "executionRoleArn"):
        value = definition.get(field)
        if value and value.startswith("arn:") and not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", value):
            raise client("Invalid arn syntax")


def _check_restart_policies(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        policy = container.get("restartPolicy")
        if not policy:
            continue
        setting = f"Invalid setting for container '{container['name']}'."
        if policy.get("enabled") is None:
            raise client(f"{setting} The restart policy must say whether it is enabled.")
        if len(policy.get("ignoredExitCodes") or []) > 50:
            raise client(f"{setting} A restart policy can have at most 50 ignored exit codes.")
        period = policy.get("restartAttemptPeriod")
        if period is not None and not 60 <= period <= 1800:
            raise client(f"{setting} The restartAttemptPeriod must be between 60 and 1800 seconds.")


def _check_linux_parameters(definition: dict) -> None:
    for container in definition["containerDefinitions"]:
        swappiness = (container.get("linuxParameters") or {}).get("swappiness")
        if swappiness is not None and not 0 <= swappiness <= 100:
            raise client(f"Invalid setting for container '{container['name']}'. 'swappiness' must be between 0 and 100.")
        for ulimit in container.get("ulimits") or []:
            if ulimit["softLimit"] > ulimit["hardLimit"]:
                raise client(f"Invalid setting for container '{container['name']}'. The soft limit of {ulimit['name']} is greater than its hard limit.")


def _check_placement_constraints(definition: dict) -> None:
    constraints = definition["placementConstraints"]
    if len(constraints) > MOST_PLACEMENT_CONSTRAINTS:
        raise client(f"Maximum number of constraints is {MOST_PLACEMENT_CONSTRAINTS}")
    for constraint in constraints:
        if constraint.get("type") != "memberOf":
            raise client("type should be one of [memberOf]")


def _check_ephemeral_storage(definition: dict) -> None:
    storage = definition.get("ephemeralStorage")
    if not storage:
        return
    least, most = fargate.EPHEMERAL_STORAGE
    if storage["sizeInGiB"] < least:
        raise client(f"EphemeralStorage size should be at least {least}")
    if storage["sizeInGiB"] > most:
        raise client(f"EphemeralStorage size should be at most {most}")


CHECKS: tuple[Callable[[dict], None], ...] = (
    _check_family,
    _check_names,
    _check_enums,
    _check_essential,
    _check_network,
    _check_ports,
    _check_memory,
    _check_cpu,
    _check_dependencies,
    _check_health_checks,
    _check_volumes,
    _check_logging,
    _check_secrets,
    _check_roles,
    _check_restart_policies,
    _check_linux_parameters,
    _check_placement_constraints,
    _check_ephemeral_storage,
)

# Checks of definitions that are to run on Fargate -----------------------------------


def _fargate_size(definition: dict) -> None:
    for field in ("cpu", "memory"):
        if not definition.get(field):
            raise client(f"Fargate requires that '{field}' be defined at the task level.")
    check_fargate_size(int(definition["cpu"]), int(definition["memory"]), _is_windows(definition))


def check_fargate_size(cpu: int, memory: int, windows: bool = False) -> None:
    """ClientException unless Fargate has this pair of CPU units and MiB."""
    if memory not in FARGATE_SIZES.get(cpu, ()) or (windows and cpu not in fargate.WINDOWS_CPU):
        raise client("No Fargate configuration exists for given values.")


def _fargate_network(definition: dict) -> None:
    if definition.get("networkMode") != "awsvpc":
        raise client("Fargate only supports network mode ‘awsvpc’.")


def _fargate_task(definition: dict) -> None:
    if definition.get("pidMode") == "host":
        raise client("Tasks using the Fargate launch type do not support pidMode 'host'. Remove the setting or use 'task'.")
    if definition.get("ipcMode"):
        raise client("Tasks using the Fargate launch type do not support ipcMode")
    if definition["placementConstraints"]:
        raise client("Fargate compatible task definitions do not support constraints")
    for volume in definition["volumes"]:
        if volume.get("dockerVolumeConfiguration"):
            raise client("Fargate compatible task definitions do not support dockerVolumeConfiguration")
        if (volume.get("host") or {}).get("sourcePath"):
            raise client("Fargate compatible task definitions do not support sourcePath")


def _fargate_containers(definition: dict) -> None:
    role = definition.get("executionRoleArn")
    for container in definition["containerDefinitions"]:
        if container.get("privileged"):
            raise client("Fargate requires that the 'privileged' setting be 'false'")
        for field, message in FARGATE_REFUSES.items():
            if container.get(field):
                raise client(message)
        if any(r["type"] == "GPU" for r in container.get("resourceRequirements") or []):
            raise client("Fargate compatible task definitions do not support GPU resource requirements")
        if ECR_IMAGE.match(container["image"]) and not role:
            raise client("Fargate requires task definition to have execution role ARN to support ECR images.")
        for field, (least, most) in (("stopTimeout", fargate.STOP_TIMEOUT), ("startTimeout", fargate.START_TIMEOUT)):
            value = container.get(field)
            if value is not None and not least <= value <= most:
                raise client(f"Invalid setting for container '{container['name']}'. '{field}' must be between {least} and {most} on Fargate.")
        _fargate_linux(container)
        _fargate_logging(container, role)


def _fargate_linux(container: dict) -> None:
    parameters = container.get("linuxParameters") or {}
    for capability in (parameters.get("capabilities") or {}).get("add") or []:
        if capability not in fargate.ADDED_CAPABILITIES:
            raise client(f"{capability} is not allowed on Fargate.")
    for field in fargate.UNSUPPORTED_LINUX_PARAMETERS:
        if parameters.get(field) is not None:
            raise client(f"Fargate compatible task definitions do not support {field}")


def _fargate_logging(container: dict, role: str | None) -> None:
    log = container.get("logConfiguration")
    if not log:
        return
    driver = log["logDriver"]
    if driver not in fargate.LOG_DRIVERS:
        raise client(f"Log driver {driver} is not a valid log driver. Must be one of [{', '.join(fargate.LOG_DRIVERS)}]")
    if driver == "awslogs":
        if not role:
            raise client("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
        if not (log.get("options") or {}).get("awslogs-stream-prefix"):
            raise client(
                "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs."
            )


FARGATE_CHECKS: tuple[Callable[[dict], None], ...] = (_fargate_size, _fargate_network, _fargate_task, _fargate_containers)

# What a definition can run on, and needs ----------------------------------------------


def compatibilities(definition: Mapping) -> list[str]:
    """The launch types this definition could run on."""
    found = []
    if not definition.get("ephemeralStorage"):
        found.append("EC2")
    if _would_run_on_fargate(definition):
        found.append("FARGATE")
    if definition.get("networkMode") != "awsvpc" and "EC2" in found and not _uses_efs(definition):
        found.append("EXTERNAL")
    if definition.get("networkMode") in ("awsvpc", "host") and not _is_windows(definition):
        found.append("MANAGED_INSTANCES")
    wanted = definition.get("requiresCompatibilities") or []
    return found + [name for name in wanted if name not in found]


def _would_run_on_fargate(definition: Mapping) -> bool:
    try:
        for check in FARGATE_CHECKS:
            check(definition)
    except EcsError:
        return False
    return True


def _uses_efs(definition: Mapping) -> bool:
    return any(v.get("efsVolumeConfiguration") for v in definition["volumes"])


def _is_windows(definition: Mapping) -> bool:
    family = (definition.get("runtimePlatform") or {}).get("operatingSystemFamily") or "LINUX"
    return family.startswith("WINDOWS")


def required_attributes(definition: Mapping) -> list[dict]:
    """requiresAttributes: what an instance must be able to do to run this definition."""
    needed: dict[str, None] = {}
    if definition.get("taskRoleArn"):
        needed[AGENT_PREFIX + "task-iam-role"] = None
    if definition.get("networkMode") == "awsvpc":
        needed[ECS_PREFIX + "task-eni"] = None
    if definition.get("cpu") or definition.get("memory"):
        needed[ECS_PREFIX + "task-cpu-mem-limit"] = None
    if definition.get("pidMode") or definition.get("ipcMode"):
        needed[ECS_PREFIX + "pid-ipc-namespace-sharing"] = None
    if _uses_efs(definition):
        needed[ECS_PREFIX + "efs"] = None
    for container in definition["containerDefinitions"]:
        needed.update(dict.fromkeys(_needs_of(container, definition)))
    needed.setdefault(AGENT_PREFIX + "docker-remote-api.1.18", None)
    return [{"name": name} for name in needed]


def _needs_of(container: Mapping, definition: Mapping) -> Iterator[str]:
    role = definition.get("executionRoleArn")
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver:
        yield f"{AGENT_PREFIX}logging-driver.{driver}"
        if driver == "awslogs" and role:
            yield ECS_PREFIX + "execution-role-awslogs"
    if ECR_IMAGE.match(container["image"]):
        yield AGENT_PREFIX + "ecr-auth"
        if role:
            yield ECS_PREFIX + "execution-role-ecr-pull"
    if container.get("privileged"):
        yield AGENT_PREFIX + "privileged-container"
    for secret in container.get("secrets") or []:
        store = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield f"{ECS_PREFIX}secrets.{store}.environment-variables"
    if container.get("environmentFiles"):
        yield ECS_PREFIX + "env-files.s3"
    if container.get("dependsOn"):
        yield ECS_PREFIX + "container-ordering"
    if container.get("healthCheck"):
        yield ECS_PREFIX + "container-health-check"
    if (container.get("restartPolicy") or {}).get("enabled"):
        yield ECS_PREFIX + "container-restart-policy"
    if container.get("repositoryCredentials"):
        yield ECS_PREFIX + "private-registry-authentication.secretsmanager"
    if container.get("firelensConfiguration"):
        yield f"{ECS_PREFIX}firelens.{container['firelensConfiguration']['type']}"


# Overrides ------------------------------------------------------------------------------

OVERRIDDEN_AS_GIVEN = ("command", "cpu", "memory", "memoryReservation", "environmentFiles", "resourceRequirements")
TASK_OVERRIDES = ("taskRoleArn", "executionRoleArn", "ephemeralStorage")


def with_overrides(definition: Mapping, overrides: Mapping | None) -> dict:
    """The definition that a task runs with after RunTask's `overrides`. EcsError when they do not fit it."""
    if not overrides:
        return dict(definition)
    if len(json.dumps(overrides, separators=(",", ":"))) > MOST_OVERRIDE_CHARACTERS:
        raise invalid(f"The total length of the overrides cannot be more than {MOST_OVERRIDE_CHARACTERS} characters.")
    result = copy.deepcopy(dict(definition))
    by_name = {c["name"]: c for c in result["containerDefinitions"]}
    for override in overrides.get("containerOverrides") or []:
        name = override.get("name")
        if name not in by_name:
            raise invalid(f"Override for container named {name} is not a container in the TaskDefinition.")
        _override_container(by_name[name], override)
    if overrides.get("cpu") is not None:
        result["cpu"] = str(parse_cpu(overrides["cpu"]))
    if overrides.get("memory") is not None:
        result["memory"] = str(parse_memory(overrides["memory"]))
    for field in TASK_OVERRIDES:
        if overrides.get(field) is not None:
            result[field] = overrides[field]
    _check_memory(result)
    _check_cpu(result)
    _check_ephemeral_storage(result)
    if "FARGATE" in (result.get("requiresCompatibilities") or []):
        _fargate_size(result)
    return result


def _override_container(container: dict, override: Mapping) -> None:
    for field in OVERRIDDEN_AS_GIVEN:
        if override.get(field) is not None:
            container[field] = override[field]
    if override.get("environment"):
        merged = {item["name"]: item for item in container["environment"]}
        merged.update({item["name"]: item for item in override["environment"]})
        container["environment"] = list(merged.values())
