"""Which task definitions ECS takes, what it makes of them, and with which words it refuses the others."""
from __future__ import annotations

import copy

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules.errors import EcsError
from ecslab.rules.task_definition import (
    AGENT_CAPABILITIES,
    FARGATE_SIZES,
    compatibilities,
    fargate_pairs,
    parse_cpu,
    parse_memory,
    register,
    required_attributes,
    reserved,
    start_order,
    with_overrides,
)
from ecslab.rules.task_definition_fields import ENUMS, RANGES, REQUIRED, check_enums, check_ranges, check_required

ROLE = "arn:aws:iam::123456789012:role/execution"
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"


def container(name: str = "web", **fields) -> dict:
    return {"name": name, "image": "public.ecr.aws/nginx", "memory": 64, **fields}


def ec2(*containers: dict, **fields) -> dict:
    """A request that ECS takes, but for what the caller adds."""
    return {"family": "shop", "containerDefinitions": list(containers or [container()]), **fields}


def fargate(*containers: dict, **fields) -> dict:
    size = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    return ec2(*containers) | size | fields


def without(request: dict, *fields: str) -> dict:
    return {name: value for name, value in request.items() if name not in fields}


def log(driver: str, **options: str) -> dict:
    return {"logConfiguration": {"logDriver": driver, "options": {k.replace("_", "-"): v for k, v in options.items()}}}


def port(number: int, **fields) -> dict:
    return {"containerPort": number, **fields}


def depends(name: str, condition: str) -> dict:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


def efs(**configuration) -> dict:
    return {"volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", **configuration}}]}


def refusal(request: dict) -> EcsError:
    with pytest.raises(EcsError) as caught:
        register(request)
    return caught.value


AWSLOGS = dict(awslogs_group="/shop", awslogs_region="us-east-1")
SECRET = {"secrets": [{"name": "KEY", "valueFrom": "/shop/key"}]}
CHECK = {"command": ["CMD-SHELL", "true"]}


# Sizes ----------------------------------------------------------------------------------


def test_there_are_77_fargate_sizes():
    assert len(fargate_pairs()) == len(set(fargate_pairs())) == 77
    assert [len(sizes) for sizes in FARGATE_SIZES.values()] == [3, 4, 7, 13, 23, 12, 12, 3]


@pytest.mark.parametrize(("cpu", "memory"), fargate_pairs())
def test_every_fargate_size_is_taken_as_written(cpu, memory):
    registered = register(fargate(cpu=str(cpu), memory=str(memory)))
    assert (registered["cpu"], registered["memory"]) == (str(cpu), str(memory))
    assert "FARGATE" in registered["compatibilities"]


NEAR_MISSES = sorted(
    {near for cpu, memory in fargate_pairs() for near in ((cpu, memory - 1), (cpu, memory + 512), (cpu + 1, memory), (cpu, memory * 8))}
    - set(fargate_pairs())
)


def test_every_near_miss_of_a_fargate_size_is_refused():
    assert len(NEAR_MISSES) > 77
    for cpu, memory in NEAR_MISSES:
        small = container(memory=6)
        assert refusal(fargate(small, cpu=str(cpu), memory=str(memory))).message == "No Fargate configuration exists for given values."


@pytest.mark.parametrize(("cpu", "memory"), [("256", "512"), ("512", "1024"), ("8192", "16384")])
def test_windows_on_fargate_has_only_the_middle_sizes(cpu, memory):
    platform = {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
    assert "FARGATE" in register(fargate(cpu="1024", memory="2048", runtimePlatform=platform))["compatibilities"]
    assert "No Fargate configuration" in refusal(fargate(cpu=cpu, memory=memory, runtimePlatform=platform)).message


@pytest.mark.parametrize(
    ("text", "units"),
    [("256", 256), ("1 vCPU", 1024), ("1vcpu", 1024), (".5 vcpu", 512), ("0.25 VCPU", 256), (" 2  vCPU ", 2048), (512, 512)],
)
def test_cpu_is_read_in_units_and_in_vcpu(text, units):
    assert parse_cpu(text) == units


@pytest.mark.parametrize(("text", "mib"), [("512", 512), ("0.5GB", 512), ("1 gb", 1024), ("1Gb", 1024), (".5 GB", 512), (2048, 2048)])
def test_memory_is_read_in_mib_and_in_gb(text, mib):
    assert parse_memory(text) == mib


@pytest.mark.parametrize("text", ["", "lots", "-256", "0", "0 vCPU", "0.25", "1 GB", "1 vCPUs", "0.3333 vCPU", "1e3", "9" * 5000, "٢٥٦"])
def test_what_is_no_cpu_size_is_refused(text):
    with pytest.raises(EcsError, match="Invalid 'cpu' setting for task.") as caught:
        parse_cpu(text)
    assert caught.value.code == "ClientException"


@pytest.mark.parametrize("text", ["", "1 vCPU", "1 MB", "0", "0.5", "512 GiB"])
def test_what_is_no_memory_size_is_refused(text):
    with pytest.raises(EcsError, match="Invalid 'memory' setting for task."):
        parse_memory(text)


@given(eighths=st.integers(1, 2048), space=st.sampled_from(["", " "]), cpu_unit=st.sampled_from(["vCPU", "vcpu", "VCPU"]))
def test_all_ways_to_write_a_size_agree(eighths, space, cpu_unit):
    assert parse_cpu(f"{eighths / 8}{space}{cpu_unit}") == parse_cpu(str(eighths * 128)) == eighths * 128
    assert parse_memory(f"{eighths / 8}{space}GB") == parse_memory(str(eighths * 128)) == eighths * 128


def test_sizes_are_kept_as_plain_numbers():
    registered = register(fargate(cpu=".5 vCPU", memory="1 GB"))
    assert (registered["cpu"], registered["memory"]) == ("512", "1024")


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (fargate(container(memory=128, cpu=64)), (256, 512)),
        (ec2(container("a", cpu=10, memory=100), container("b", cpu=20, memory=200)), (30, 300)),
        (ec2(container(memory=200, memoryReservation=50)), (0, 50)),
        (ec2(container(cpu=10, memory=100), cpu="512"), (512, 100)),
        (ec2(container(cpu=10, memory=100), memory="512"), (10, 512)),
    ],
    ids=["task sizes", "sums", "soft before hard", "cpu of the task", "memory of the task"],
)
def test_a_task_reserves_its_own_size_else_the_sum_of_its_containers(request_, size):
    assert reserved(register(request_)) == size


# Rules ------------------------------------------------------------------------------------

# What is asked for -> the words it is refused with (the published rules first, in their order).
REFUSED = {
    "container without name": (ec2(without(container(), "name")), "Container.name should not be null or empty."),
    "container without image": (ec2(without(container(), "image")), "Container.image should not be null or empty."),
    "eleven containers": (ec2(*(container(f"c{n}") for n in range(11))), "Too many containers."),
    "larger than 64 KB": (
        ec2(container(environment=[{"name": "X", "value": "x" * 65536}])),
        "Max allowed length is '65536' bytes.",
    ),
    "two containers of one name": (ec2(container(), container()), "Container names must be unique within a task definition"),
    "nothing essential": (ec2(container(essential=False)), "Task definition doesn't have any essential container"),
    "no memory": (
        ec2(without(container(), "memory")),
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    "container larger than task": (ec2(container(memory=513), memory="512"), "is greater than for the task."),
    "memory below memoryReservation": (
        ec2(container(memory=64, memoryReservation=65)),
        "'memory' must be greater than or equal to 'memoryReservation'",
    ),
    "containers' cpu above the task's": (
        ec2(container("a", cpu=200), container("b", cpu=57), cpu="256"),
        "The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value",
    ),
    "Fargate without cpu": (without(fargate(), "cpu"), "Fargate requires that 'cpu' be defined at the task level."),
    "Fargate without memory": (without(fargate(), "memory"), "Fargate requires that 'memory' be defined at the task level."),
    "Fargate with bridge": (fargate(networkMode="bridge"), "Fargate only supports network mode ‘awsvpc’."),
    "Fargate without network mode": (without(fargate(), "networkMode"), "Fargate only supports network mode ‘awsvpc’."),
    "Fargate 256/4096": (fargate(memory="4096"), "No Fargate configuration exists for given values."),
    "EC2 cpu too small": (ec2(cpu="127"), "Invalid 'cpu' setting for task."),
    "EC2 cpu too large": (ec2(cpu="196609"), "Invalid 'cpu' setting for task."),
    "awsvpc port mismatch": (
        fargate(container(portMappings=[port(80, hostPort=8080)])),
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    "host port mismatch": (
        ec2(container(portMappings=[port(80, hostPort=8080)]), networkMode="host"),
        "When networkMode=host, the host ports and container ports in port mappings must match.",
    ),
    "awsvpc links": (fargate(container(links=["db"]), container("db")), "Links are not supported when networkMode=awsvpc"),
    "awsvpc hostname": (fargate(container(hostname="a")), "hostname is not supported on container when networkMode=awsvpc"),
    "awsvpc extraHosts": (
        fargate(container(extraHosts=[{"hostname": "a", "ipAddress": "10.0.0.1"}])),
        "Extra hosts are not supported on container when networkMode=awsvpc",
    ),
    "awsvpc dnsServers": (
        fargate(container(dnsServers=["10.0.0.2"])),
        "DNS servers are not supported on container when networkMode=awsvpc",
    ),
    "awsvpc disableNetworking": (
        fargate(container(disableNetworking=True)),
        "Disable Networking is not supported on container when networkMode=awsvpc",
    ),
    "Fargate privileged": (fargate(container(privileged=True)), "Fargate requires that the 'privileged' setting be 'false'"),
    "Fargate pidMode host": (fargate(pidMode="host"), "Tasks using the Fargate launch type do not support pidMode 'host'"),
    "Fargate constraints": (
        fargate(placementConstraints=[{"type": "memberOf", "expression": "task:group == a"}]),
        "Fargate compatible task definitions do not support constraints",
    ),
    "Fargate Docker volume": (
        fargate(volumes=[{"name": "data", "dockerVolumeConfiguration": {"scope": "task"}}]),
        "Fargate compatible task definitions do not support dockerVolumeConfiguration",
    ),
    "Fargate host path": (
        fargate(volumes=[{"name": "data", "host": {"sourcePath": "/data"}}]),
        "Fargate compatible task definitions do not support sourcePath",
    ),
    "EC2 ephemeral storage": (
        ec2(requiresCompatibilities=["EC2"], ephemeralStorage={"sizeInGiB": 30}),
        "Tasks using the EC2 launch type do not support EphemeralStorage",
    ),
    "20 GiB of ephemeral storage": (fargate(ephemeralStorage={"sizeInGiB": 20}), "EphemeralStorage size should be at least 21"),
    "Fargate ECR without role": (
        fargate(container(image=ECR)),
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
    "Fargate awslogs without role": (
        fargate(container(**log("awslogs", **AWSLOGS, awslogs_stream_prefix="web"))),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    "Fargate awslogs without prefix": (
        fargate(container(**log("awslogs", **AWSLOGS)), executionRoleArn=ROLE),
        "Fargate requires log configuration options to include awslogs-stream-prefix",
    ),
    "awslogs without group": (
        ec2(container(**log("awslogs", awslogs_region="us-east-1"))),
        "Log driver awslogs requires options: awslogs-group",
    ),
    "awslogs without anything": (
        ec2(container(**log("awslogs"))),
        "Log driver awslogs requires options: awslogs-group, awslogs-region",
    ),
    "Fargate json-file": (
        fargate(container(**log("json-file"))),
        "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
    ),
    "unknown log driver": (ec2(container(**log("papyrus"))), "papyrus is not a valid log driver."),
    "Fargate capability": (
        fargate(container(linuxParameters={"capabilities": {"add": ["NET_ADMIN"]}})),
        "NET_ADMIN is not allowed on Fargate.",
    ),
    "awsfirelens without FireLens": (
        ec2(container(**log("awsfirelens"))),
        "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified",
    ),
    "awslogs with an option it has not": (
        ec2(container(**log("awslogs", **AWSLOGS, awslogs_stream_pre="web"))),
        "Log driver awslogs disallows options: awslogs-stream-pre",
    ),
    "splunk without its token": (
        ec2(container(**log("splunk", splunk_url="https://splunk.example.com"))),
        "Log driver splunk requires options: splunk-token",
    ),
    "the log driver none": (ec2(container(**log("none"))), "none is not a valid log driver."),
    "secrets without role": (
        ec2(container(**SECRET)),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    "waiting for an essential container to end": (
        ec2(container(**depends("init", "SUCCESS")), container("init")),
        "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
    ),
    "waiting for health that nothing checks": (
        ec2(container(**depends("db", "HEALTHY")), container("db")),
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    "depending on nobody": (
        ec2(container(**depends("ghost", "START"))),
        "Cannot depend on container ghost because it does not exist",
    ),
    "unknown volume": (
        ec2(container(mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}])),
        "Unknown volume 'data'",
    ),
    "port and range": (
        ec2(container(portMappings=[port(80, containerPortRange="80-90")])),
        "cannot specify both single port and port range",
    ),
    "one port twice": (
        ec2(container(portMappings=[port(53), port(53, protocol="udp")])),
        "container port is used multiple times in task",
    ),
    "one awsvpc port in two containers": (
        fargate(container("a", portMappings=[port(80)]), container("b", portMappings=[port(80)])),
        "container port is used multiple times in task",
    ),
    "overlapping ranges": (
        fargate(container(portMappings=[{"containerPortRange": "80-90"}, {"containerPortRange": "90-99"}])),
        "The 90 container port is used multiple times in task",
    ),
    "range backwards": (ec2(container(portMappings=[{"containerPortRange": "90-80"}])), "Invalid 'containerPortRange' setting"),
    "range beyond the last port": (
        ec2(container(portMappings=[{"containerPortRange": "65000-65536"}])),
        "Invalid 'containerPortRange' setting",
    ),
    "range on the host's network": (
        ec2(container(portMappings=[{"containerPortRange": "80-90"}]), networkMode="host"),
        "Invalid 'containerPortRange' setting",
    ),
    "one port name twice": (
        ec2(container(portMappings=[port(80, name="http"), port(81, name="http")])),
        "port mapping name is already used",
    ),
    "eleven environment files": (
        ec2(container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}] * 11)),
        "The maximum number of environment files was exceeded. Specify ten or less and try again",
    ),
    "environment file without ARN": (
        ec2(container(environmentFiles=[{"type": "s3", "value": "s3://b/a.env"}])),
        "Invalid arn syntax",
    ),
    "role ARN of something else": (ec2(taskRoleArn="arn:aws:iam::123456789012:user/a"), "Invalid arn syntax"),
    "EFS IAM without TLS": (
        ec2(**efs(authorizationConfig={"iam": "ENABLED"})),
        "EFS IAM authorization requires TransitEncryption to be enabled",
    ),
    "EFS port without TLS": (
        ec2(**efs(transitEncryptionPort=2999)),
        "TransitEncryptionPort requires that TransitEncryption is enabled",
    ),
    "EFS access point with directory": (
        ec2(**efs(authorizationConfig={"accessPointId": "fsap-1"}, rootDirectory="/data", transitEncryption="ENABLED")),
        'When using an EFS access point, the root directory must either be set to "/" or be omitted',
    ),
}

# Rules that are documented while their words are not: matched on the field they name.
FIRELENS = {"firelensConfiguration": {"type": "fluentbit"}}
BUFFERED = {"mode": "non-blocking", "max_buffer_size": "25m"}


def configured(**options: str) -> dict:
    """A FireLens router with these options."""
    return {"firelensConfiguration": {"type": "fluentbit", "options": {k.replace("_", "-"): v for k, v in options.items()}}}


REFUSED_IN_OUR_WORDS = {
    "a mode of logging there is not": (ec2(container(**log("awslogs", **AWSLOGS, mode="eventually"))), "must be blocking or non-blocking, not 'eventually'"),
    "a buffer without a size": (ec2(container(**log("awslogs", **AWSLOGS, max_buffer_size="big"))), "must be a size such as 25m"),
    "a buffer for a mode that has none": (
        ec2(container(**log("awslogs", **AWSLOGS, mode="blocking", max_buffer_size="25m"))), "'max-buffer-size' is for the mode non-blocking",
    ),
    "a group made perhaps": (ec2(container(**log("awslogs", **AWSLOGS, awslogs_create_group="yes"))), "must be true or false, not 'yes'"),
    "streams named by a tag": (ec2(container(**log("awslogs", **AWSLOGS, tag="x"))), "'tag' is not built here"),
    "a FireLens buffer that is too large": (
        ec2(container(**log("awsfirelens", log_driver_buffer_limit="536870913")), container("router", **FIRELENS)), "from 0 to 536870912",
    ),
    "two FireLens routers": (ec2(container("a", **FIRELENS), container("b", **FIRELENS)), "at most one container with a firelensConfiguration"),
    "a FireLens option there is not": (ec2(container(**configured(verbose="true"))), "disallows options: verbose"),
    "FireLens configured from S3 on Fargate": (fargate(container(**configured(config_file_type="s3"))), "only the FireLens config-file-type 'file'"),
    "FireLens on Windows": (
        fargate(
            container(**FIRELENS), cpu="1024", memory="2048", runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
        ),
        "Windows containers on Fargate do not support FireLens",
    ),
    "no family": (without(ec2(), "family"), "Family"),
    "family with a space": (ec2() | {"family": "my shop"}, "Family"),
    "family of 256 characters": (ec2() | {"family": "a" * 256}, "Family"),
    "no containers": (ec2() | {"containerDefinitions": []}, "Container"),
    "container name with a dot": (ec2(container("a.b")), "Container.name"),
    "image with a space": (ec2(container(image="my image")), "Container.image"),
    "five MiB": (ec2(container(memory=5)), "'memory'"),
    "five MiB reserved": (ec2(container(memoryReservation=5)), "'memoryReservation'"),
    **{f"negative {field}": (ec2(container(**{field: -1})), field) for field in ("startTimeout", "stopTimeout")},
    "reservations above the task's memory": (
        ec2(container("a", memory=500, memoryReservation=300), container("b", memory=500, memoryReservation=300), memory="512"),
        "'memoryReservation'",
    ),
    "negative cpu": (ec2(container(cpu=-1)), "'cpu'"),
    "links on the host's network": (ec2(container(links=["db"]), container("db"), networkMode="host"), "networkMode=host"),
    "awsvpc dnsSearchDomains": (fargate(container(dnsSearchDomains=["a"])), "networkMode=awsvpc"),
    "ports without network": (ec2(container(portMappings=[port(80)]), networkMode="none"), "networkMode=none"),
    "port 0": (ec2(container(portMappings=[port(0)])), "containerPort"),
    "host port 65536": (ec2(container(portMappings=[port(80, hostPort=65536)])), "hostPort"),
    "mapping without port": (ec2(container(portMappings=[{"protocol": "tcp"}])), "containerPort"),
    "host port 0 on the host's network": (
        ec2(container(portMappings=[port(80, hostPort=0)]), networkMode="host"),
        "networkMode=host",
    ),
    "port name in capitals": (ec2(container(portMappings=[port(80, name="HTTP")])), "port mapping name"),
    "port name with a leading dash": (ec2(container(portMappings=[port(80, name="-http")])), "port mapping name"),
    "101 port ranges": (
        ec2(container(portMappings=[{"containerPortRange": f"{n}-{n}"} for n in range(1000, 1101)])),
        "100 port ranges",
    ),
    "two that wait for each other": (ec2(container("a", **depends("b", "START")), container("b", **depends("a", "START"))), "cycle: a, b"),
    "one that waits for itself": (ec2(container(**depends("web", "START"))), "cycle: web"),
    "a link against a dependency": (ec2(container("a", links=["b"]), container("b", **depends("a", "START"))), "cycle"),
    "volumes from nobody": (ec2(container(volumesFrom=[{"sourceContainer": "ghost"}])), "container ghost"),
    "waiting for a switched-off check": (
        ec2(container(**depends("db", "HEALTHY")), container("db", healthCheck={"command": ["NONE"]})),
        "HEALTHY",
    ),
    "check without command": (ec2(container(healthCheck={"command": []})), "HealthCheck.command"),
    **{
        f"check with {field} {value}": (ec2(container(healthCheck=CHECK | {field: value})), f"healthCheck.{field}")
        for field, value in [
            ("interval", 4), ("interval", 301), ("timeout", 1), ("timeout", 61), ("retries", 0), ("retries", 11),
            ("startPeriod", -1), ("startPeriod", 301),
        ]
    },
    "restart policy without a decision": (ec2(container(restartPolicy={})), "enabled"),
    "restart after 59 seconds": (
        ec2(container(restartPolicy={"enabled": True, "restartAttemptPeriod": 59})),
        "restartPolicy.restartAttemptPeriod",
    ),
    "51 ignored exit codes": (
        ec2(container(restartPolicy={"enabled": True, "ignoredExitCodes": list(range(51))})),
        "50 ignored exit codes",
    ),
    "two credential specs": (ec2(container(credentialSpecs=["a", "b"])), "credential spec"),
    "swappiness 101": (ec2(container(linuxParameters={"swappiness": 101})), "linuxParameters.swappiness"),
    "soft limit above hard": (
        ec2(container(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}])),
        "soft limit of nofile",
    ),
    "unknown limit": (ec2(container(ulimits=[{"name": "files", "softLimit": 1, "hardLimit": 1}])), "should be one of [core,"),
    "environment file of another kind": (
        ec2(container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.txt"}])),
        ".env",
    ),
    "eleven constraints": (
        ec2(placementConstraints=[{"type": "memberOf", "expression": "attribute:a exists"}] * 11),
        "10 placement constraints",
    ),
    "distinctInstance in a definition": (ec2(placementConstraints=[{"type": "distinctInstance"}]), "should be one of [memberOf]"),
    "constraint that cannot be read": (ec2(placementConstraints=[{"type": "memberOf", "expression": "zone is a"}]), "zone is a"),
    "constraint of 2001 characters": (
        ec2(placementConstraints=[{"type": "memberOf", "expression": "attribute:a == " + "a" * 2000}]),
        "2000 characters",
    ),
    "two volumes of one name": (ec2(volumes=[{"name": "a"}, {"name": "a"}]), "Volume names"),
    "volume without name": (ec2(volumes=[{"host": {}}]), "Volume.name"),
    "two volumes configured at launch": (
        ec2(volumes=[{"name": "a", "configuredAtLaunch": True}, {"name": "b", "configuredAtLaunch": True}]),
        "configured at launch",
    ),
    "autoprovision for a task": (
        ec2(volumes=[{"name": "a", "dockerVolumeConfiguration": {"scope": "task", "autoprovision": True}}]),
        "autoprovision",
    ),
    "EFS access point without TLS": (ec2(**efs(authorizationConfig={"accessPointId": "fsap-1"})), "TransitEncryption"),
    "201 GiB of ephemeral storage": (fargate(ephemeralStorage={"sizeInGiB": 201}), "at most 200"),
    "ephemeral storage that nothing offers": (ec2(ephemeralStorage={"sizeInGiB": 30}), "EphemeralStorage"),
    "Fargate ipcMode": (fargate(ipcMode="task"), "ipcMode"),
    "Fargate FSx": (
        fargate(volumes=[{"name": "a", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
        "fsxWindowsFileServerVolumeConfiguration",
    ),
    "Fargate Elastic Inference": (fargate(inferenceAccelerators=[{"deviceName": "a", "deviceType": "b"}]), "inferenceAccelerators"),
    "Fargate GPU": (fargate(container(resourceRequirements=[{"type": "GPU", "value": "1"}])), "GPU"),
    "Fargate dockerSecurityOptions": (fargate(container(dockerSecurityOptions=["apparmor:a"])), "dockerSecurityOptions"),
    **{
        f"Fargate {field}": (fargate(container(linuxParameters={field: value})), field)
        for field, value in {
            "devices": [{"hostPath": "/dev/a"}],
            "sharedMemorySize": 64,
            "tmpfs": [{"containerPath": "/tmp", "size": 16}],
            "maxSwap": 0,
            "swappiness": 0,
        }.items()
    },
    **{f"Fargate {field} {s} s": (fargate(container(**{field: s})), field) for field in ("startTimeout", "stopTimeout") for s in (1, 121)},
    "network controls on the host's network": (
        ec2(container(systemControls=[{"namespace": "net.core.somaxconn", "value": "9"}]), networkMode="host"),
        "net.core.somaxconn",
    ),
    "IPC controls in the host's IPC": (
        ec2(container(systemControls=[{"namespace": "kernel.shmmax", "value": "9"}]), ipcMode="host"),
        "kernel.shmmax",
    ),
    "Windows on ARM": (
        ec2(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "ARM64"}),
        "X86_64",
    ),
    "External with awsvpc": (ec2(networkMode="awsvpc", requiresCompatibilities=["EXTERNAL"]), "awsvpc"),
    "External with EFS": (ec2(**efs(), requiresCompatibilities=["EXTERNAL"]), "efsVolumeConfiguration"),
    "Managed Instances with bridge": (ec2(requiresCompatibilities=["MANAGED_INSTANCES"]), "'awsvpc' and 'host'"),
}


@pytest.mark.parametrize(("request_", "words"), REFUSED.values(), ids=REFUSED)
def test_a_broken_rule_is_refused_in_the_words_of_ecs(request_, words):
    error = refusal(request_)
    assert words in error.message
    assert error.code == "ClientException"


@pytest.mark.parametrize(("request_", "words"), REFUSED_IN_OUR_WORDS.values(), ids=REFUSED_IN_OUR_WORDS)
def test_a_rule_without_published_words_names_what_is_wrong(request_, words):
    error = refusal(request_)
    assert words in error.message
    assert error.code in ("ClientException", "InvalidParameterException")


def test_the_size_that_is_too_large_is_told_exactly():
    letters = 66420
    request = ec2(container(environment=[{"name": "X", "value": ""}]))
    request["containerDefinitions"][0]["environment"][0]["value"] = "x" * letters
    length = int(refusal(request).message.split("'")[1])
    request["containerDefinitions"][0]["environment"][0]["value"] = "x" * (letters - (length - 65536))
    assert register(request)["family"] == "shop"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ec2(networkMode="overlay"), "network mode should be one of [bridge,host,awsvpc,none]"),
        (ec2(requiresCompatibilities=["LAMBDA"]), "requires compatibilities should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"),
        (ec2(runtimePlatform={"cpuArchitecture": "x86"}), "cpu architecture should be one of [X86_64,ARM64]"),
        (ec2(container(portMappings=[port(80, protocol="icmp")])), "protocol should be one of [tcp,udp]"),
        (ec2(container(**depends("web", "READY"))), "condition should be one of [START,COMPLETE,SUCCESS,HEALTHY]"),
        (ec2(container(versionConsistency="on")), "version consistency should be one of [enabled,disabled]"),
    ],
)
def test_a_word_outside_its_enum_is_refused_with_the_enum(request_, words):
    error = refusal(request_)
    assert (error.code, error.message) == ("ClientException", words)


def planted(path: str, value) -> dict:
    """A definition in which `value` stands at the path, and beside it only what must."""
    steps = path.split(".")
    for depth in range(len(steps), 0, -1):
        if depth < len(steps):
            _, members = REQUIRED.get(".".join(steps[:depth]), ("", ()))
            value = dict.fromkeys(members, "a") | value
        step = steps[depth - 1]
        value = {step.removesuffix("[]"): [value] if step.endswith("[]") else value}
    return value


INPUT = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape


def paths(shape, path: str):
    """Every (path, shape) below a shape of botocore's model."""
    yield path, shape
    if shape.type_name == "list":
        yield from paths(shape.member, path + "[]")
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from paths(member, f"{path}.{name}".lstrip("."))


def test_no_enum_and_no_required_member_of_the_api_is_overlooked():
    elsewhere = {"containerDefinitions[].logConfiguration.logDriver"}  # has words of its own
    not_here = ("trustedExecutionConfiguration", "volumes[].fsxWindows", "inferenceAccelerators", "sharingStrategy")
    found = [(path, shape) for path, shape in paths(INPUT, "") if path and not any(name in path for name in not_here)]
    assert {path for path, shape in found if getattr(shape, "enum", None)} <= ENUMS.keys() | elsewhere
    assert {path for path, shape in found if getattr(shape, "required_members", None)} <= REQUIRED.keys()


def modelled(path: str):
    """What botocore's model of RegisterTaskDefinition has at the path."""
    shape = INPUT
    for step in path.split("."):
        shape = shape.members[step.removesuffix("[]")]
        shape = shape.member if step.endswith("[]") else shape
    return shape


@pytest.mark.parametrize("path", ENUMS)
def test_every_enum_is_that_of_the_api_and_is_checked(path):
    assert set(ENUMS[path]) == set(modelled(path).enum or ENUMS[path])
    for value in ENUMS[path]:
        check_enums(planted(path, value))
    with pytest.raises(EcsError, match="should be one of"):
        check_enums(planted(path, "nonsense"))


@pytest.mark.parametrize("path", REQUIRED)
def test_every_member_that_the_api_requires_is_asked_for(path):
    kind, members = REQUIRED[path]
    assert set(modelled(path).required_members) <= set(members) <= set(modelled(path).members)
    whole = dict.fromkeys(members, "a")
    check_required(planted(path, whole))
    for missing in members:
        with pytest.raises(EcsError, match=f"{kind}.{missing} should not be null or empty."):
            check_required(planted(path, without(whole, missing)))


@pytest.mark.parametrize("path", RANGES)
def test_every_range_holds_its_ends_and_nothing_beyond(path):
    least, most = RANGES[path]
    most = least + 10**6 if most is None else most
    for value in (least, most):
        check_ranges(planted("containerDefinitions[]." + path, value))
    for value in [least - 1] + ([most + 1] if RANGES[path][1] is not None else []):
        with pytest.raises(EcsError, match=f"'{path.replace('[]', '')}' must be"):
            check_ranges(planted("containerDefinitions[]." + path, value))


TAKEN = {
    "ten containers": ec2(*(container(f"c{n}") for n in range(10))),
    "soft memory alone": ec2(without(container(memoryReservation=64), "memory")),
    "task memory alone": ec2(without(container(), "memory"), memory="512"),
    "equal soft and hard memory": ec2(container(memory=64, memoryReservation=64)),
    "six MiB": ec2(container(memory=6)),
    "the smallest EC2 task": ec2(cpu="128"),
    "the largest EC2 task": ec2(cpu="192 vCPU"),
    "one port in two bridged containers": ec2(container("a", portMappings=[port(80)]), container("b", portMappings=[port(80)])),
    "neighbouring ranges": ec2(container(portMappings=[{"containerPortRange": "80-89"}, {"containerPortRange": "90-99"}])),
    "waiting for a one-shot container": ec2(container(**depends("init", "SUCCESS")), container("init", essential=False)),
    "waiting for a checked container": ec2(container(**depends("db", "HEALTHY")), container("db", healthCheck=CHECK)),
    "SYS_PTRACE on Fargate": fargate(container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]}})),
    "a buffer for the mode that has one": ec2(container(**log("awslogs", **AWSLOGS, **BUFFERED))),
    "splunk with its token as a secret": fargate(
        container(
            logConfiguration={
                "logDriver": "splunk",
                "options": {"splunk-url": "https://splunk.example.com"},
                "secretOptions": [{"name": "splunk-token", "valueFrom": "/splunk/token"}],
            }
        ),
        executionRoleArn=ROLE,
    ),
    "FireLens on Fargate": fargate(
        container(**log("awsfirelens", Name="cloudwatch", log_driver_buffer_limit="2097152")),
        container("router", **configured(enable_ecs_log_metadata="true", config_file_type="file")),
    ),
    "gelf on EC2": ec2(container(**log("gelf", gelf_address="udp://127.0.0.1:12201"))),
    "awslogs on Fargate": fargate(container(**log("awslogs", **AWSLOGS, awslogs_stream_prefix="web")), executionRoleArn=ROLE),
    "scratch volume on Fargate": fargate(
        container(mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}]), volumes=[{"name": "data", "host": {}}]
    ),
    "21 GiB": fargate(ephemeralStorage={"sizeInGiB": 21}),
    "200 GiB": fargate(ephemeralStorage={"sizeInGiB": 200}),
    "shared process namespace on Fargate": fargate(pidMode="task"),
    "role by short name": ec2(taskRoleArn="shop-task"),
    "image by digest": ec2(container(image="docker.io/library/nginx@sha256:" + "0" * 64)),
    "encrypted EFS": ec2(
        **efs(transitEncryption="ENABLED", authorizationConfig={"accessPointId": "fsap-1", "iam": "ENABLED"}, rootDirectory="/")
    ),
    "no limit at all": ec2(container(ulimits=[{"name": "memlock", "softLimit": -1, "hardLimit": -1}])),
    "a field given as null": ec2(container(cpu=None, healthCheck=None), cpu=None, networkMode=None),
    "External": ec2(requiresCompatibilities=["EXTERNAL"]),
    "Managed Instances": ec2(networkMode="host", requiresCompatibilities=["MANAGED_INSTANCES"]),
    "two launch types": fargate(requiresCompatibilities=["EC2", "FARGATE"]),
}


@pytest.mark.parametrize("request_", TAKEN.values(), ids=TAKEN)
def test_what_keeps_the_rules_is_taken_and_says_where_it_can_run(request_):
    registered = register(request_)
    assert set(request_.get("requiresCompatibilities", ["EC2"])) & set(registered["compatibilities"])


# Defaults -------------------------------------------------------------------------------


def test_a_container_shows_its_defaults():
    shown = register(ec2())["containerDefinitions"][0]
    empty = dict(portMappings=[], environment=[], mountPoints=[], volumesFrom=[], systemControls=[])
    assert shown == container(cpu=0, essential=True, **empty)


def test_a_definition_shows_its_defaults():
    shown = register(ec2())
    assert (shown["networkMode"], shown["volumes"], shown["placementConstraints"]) == ("bridge", [], [])
    assert "cpu" not in shown and "memory" not in shown


@pytest.mark.parametrize(("mode", "host_port"), [("awsvpc", 80), ("host", 80), ("bridge", 0), (None, 0)])
def test_an_omitted_host_port_depends_on_the_network_mode(mode, host_port):
    registered = register(ec2(container(portMappings=[port(80)]), networkMode=mode))
    assert registered["containerDefinitions"][0]["portMappings"] == [{"containerPort": 80, "hostPort": host_port, "protocol": "tcp"}]


def test_a_port_range_gets_no_host_port():
    registered = register(ec2(container(portMappings=[{"containerPortRange": "80-90"}])))
    assert registered["containerDefinitions"][0]["portMappings"] == [{"containerPortRange": "80-90", "protocol": "tcp"}]


def test_a_health_check_shows_its_defaults_and_keeps_what_was_given():
    shown = register(ec2(container(healthCheck=CHECK | {"retries": 2})))["containerDefinitions"][0]["healthCheck"]
    assert shown == CHECK | {"interval": 30, "timeout": 5, "retries": 2}


def test_windows_outside_fargate_keeps_the_network_mode_it_omitted():
    assert "networkMode" not in register(ec2(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}))


def test_fields_that_no_rule_concerns_are_kept():
    own = dict(user="1000:1000", dockerLabels={"a": "b"}, interactive=True, readonlyRootFilesystem=True)
    registered = register(ec2(container(**own), enableFaultInjection=True, tags=[{"key": "a", "value": "b"}]))
    assert own.items() <= registered["containerDefinitions"][0].items()
    assert registered["enableFaultInjection"] is True and registered["tags"]


@pytest.mark.parametrize("request_", TAKEN.values(), ids=TAKEN)
def test_the_request_is_left_as_it_was(request_):
    before = copy.deepcopy(request_)
    register(request_)
    assert request_ == before


sizes = st.integers(6, 512)


@st.composite
def requests(draw) -> dict:
    """Requests within the rules, of every network mode."""
    mode = draw(st.sampled_from(["bridge", "host", "awsvpc", "none", None]))
    ports = draw(st.lists(st.integers(1, 65535), unique=True, max_size=4)) if mode != "none" else []
    names = draw(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, min_size=1, max_size=4))
    containers = []
    for index, name in enumerate(names):
        fields = draw(
            st.fixed_dictionaries(
                {"memory": sizes},
                optional={
                    "cpu": st.integers(0, 256),
                    "essential": st.just(True),
                    "healthCheck": st.fixed_dictionaries({"command": st.just(["CMD", "true"])}, optional={"interval": st.integers(5, 300)}),
                    "environment": st.lists(st.fixed_dictionaries({"name": st.text("ABC", min_size=1), "value": st.text()}), max_size=2),
                },
            )
        )
        fields["portMappings"] = [port(p) for i, p in enumerate(ports) if i % len(names) == index]
        containers.append(container(name, **fields))
    return ec2(*containers, **({"networkMode": mode} if mode else {}), **draw(st.sampled_from([{}, {"memory": "4 GB"}, {"cpu": "2 vCPU"}])))


@settings(max_examples=60, deadline=None)
@given(requests())
def test_registering_what_was_registered_changes_nothing(request):
    once = register(request)
    assert register(once) == once
    assert compatibilities(once) == once["compatibilities"]
    assert required_attributes(once) == once["requiresAttributes"]


# Where it runs and what it needs -----------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "launch_types"),
    [
        (ec2(), {"EC2", "EXTERNAL"}),
        (ec2(networkMode="host"), {"EC2", "EXTERNAL", "MANAGED_INSTANCES"}),
        (ec2(networkMode="awsvpc"), {"EC2", "MANAGED_INSTANCES"}),
        (without(fargate(), "requiresCompatibilities"), {"EC2", "FARGATE", "MANAGED_INSTANCES"}),
        (fargate(), {"EC2", "FARGATE", "MANAGED_INSTANCES"}),
        (fargate(ephemeralStorage={"sizeInGiB": 30}), {"FARGATE"}),
        (ec2(**efs()), {"EC2"}),
        (ec2(container(privileged=True), networkMode="awsvpc", cpu="256", memory="512"), {"EC2", "MANAGED_INSTANCES"}),
    ],
    ids=["bridge", "host", "awsvpc", "Fargate size unasked", "Fargate", "ephemeral storage", "EFS", "privileged"],
)
def test_compatibilities_are_all_that_the_definition_could_run_on(request_, launch_types):
    assert set(register(request_)["compatibilities"]) == launch_types


@pytest.mark.parametrize(
    ("request_", "attribute"),
    [
        (fargate(), "ecs.capability.task-eni"),
        (ec2(taskRoleArn=ROLE), "com.amazonaws.ecs.capability.task-iam-role"),
        (ec2(taskRoleArn=ROLE, networkMode="host"), "com.amazonaws.ecs.capability.task-iam-role-network-host"),
        (ec2(container(**log("gelf"))), "com.amazonaws.ecs.capability.logging-driver.gelf"),
        (ec2(container(**log("awslogs", **AWSLOGS)), executionRoleArn=ROLE), "ecs.capability.execution-role-awslogs"),
        (ec2(container(image=ECR)), "com.amazonaws.ecs.capability.ecr-auth"),
        (ec2(container(image=ECR), executionRoleArn=ROLE), "ecs.capability.execution-role-ecr-pull"),
        (ec2(container(**SECRET), executionRoleArn=ROLE), "ecs.capability.secrets.ssm.environment-variables"),
        (ec2(container(privileged=True)), "com.amazonaws.ecs.capability.privileged-container"),
        (ec2(container(healthCheck=CHECK)), "ecs.capability.container-health-check"),
        (ec2(container(**depends("b", "START")), container("b")), "ecs.capability.container-ordering"),
        (ec2(**efs()), "ecs.capability.efs"),
        (ec2(**efs(transitEncryption="ENABLED", authorizationConfig={"iam": "ENABLED"})), "ecs.capability.efsAuth"),
        (ec2(memory="512"), "ecs.capability.task-cpu-mem-limit"),
        (ec2(ipcMode="task"), "ecs.capability.pid-ipc-namespace-sharing"),
        (ec2(container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}])), "ecs.capability.env-files.s3"),
        (ec2(container(restartPolicy={"enabled": True})), "ecs.capability.container-restart-policy"),
        (
            ec2(container(repositoryCredentials={"credentialsParameter": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a"})),
            "ecs.capability.private-registry-authentication.secretsmanager",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_definition_asks_its_instance_for_what_it_uses(request_, attribute):
    plain = {item["name"] for item in register(ec2())["requiresAttributes"]}
    assert {"name": attribute} in register(request_)["requiresAttributes"]
    assert attribute not in plain


@pytest.mark.parametrize("request_", TAKEN.values(), ids=TAKEN)
def test_a_current_agent_offers_all_that_a_definition_asks_for(request_):
    assert {item["name"] for item in register(request_)["requiresAttributes"]} <= set(AGENT_CAPABILITIES)


# Order ------------------------------------------------------------------------------------


def test_containers_start_after_what_they_depend_on():
    web = container("web", links=["db:database"], volumesFrom=[{"sourceContainer": "files"}])
    db = container("db", **depends("init", "SUCCESS"))
    order = start_order([web, db, container("init"), container("files")])
    assert order == ["init", "files", "db", "web"]


@given(st.data())
def test_whatever_depends_on_what_the_order_holds_everyone_once_after_its_needs(data):
    names = data.draw(st.permutations("abcdef"))
    needs = {name: data.draw(st.sets(st.sampled_from(names[:i]))) if i else set() for i, name in enumerate(names)}
    containers = [{"name": n, "dependsOn": [{"containerName": o, "condition": "START"} for o in needs[n]]} for n in sorted(names)]
    order = start_order(containers)
    assert sorted(order) == sorted(names)
    assert all(order.index(other) < order.index(name) for name in names for other in needs[name])


# Overrides --------------------------------------------------------------------------------


def override(name: str = "web", **fields) -> dict:
    return {"containerOverrides": [{"name": name, **fields}]}


def override_refusal(definition: dict, overrides: dict) -> EcsError:
    with pytest.raises(EcsError) as caught:
        with_overrides(definition, overrides)
    return caught.value


@pytest.mark.parametrize("overrides", [None, {}, {"containerOverrides": []}])
def test_without_overrides_a_task_runs_the_definition(overrides):
    definition = register(fargate())
    assert with_overrides(definition, overrides) == definition


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("command", ["sleep", "1"]),
        ("cpu", 32),
        ("memory", 96),
        ("memoryReservation", 32),
        ("environmentFiles", [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]),
        ("resourceRequirements", [{"type": "GPU", "value": "1"}]),
    ],
)
def test_a_container_override_replaces_the_field_of_that_container_only(field, value):
    definition = register(ec2(container(), container("side")))
    before = copy.deepcopy(definition)
    web, side = with_overrides(definition, override(**{field: value}))["containerDefinitions"]
    assert web[field] == value
    assert side == before["containerDefinitions"][1]
    assert definition == before


def test_environment_overrides_are_added_and_win_over_the_definition():
    definition = register(ec2(container(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])))
    changed = with_overrides(definition, override(environment=[{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]))
    assert {e["name"]: e["value"] for e in changed["containerDefinitions"][0]["environment"]} == {"A": "1", "B": "3", "C": "4"}


def test_a_task_override_replaces_sizes_roles_and_storage():
    changes = {"cpu": "1 vCPU", "memory": "2 GB", "taskRoleArn": ROLE, "executionRoleArn": ROLE, "ephemeralStorage": {"sizeInGiB": 30}}
    changed = with_overrides(register(fargate()), changes)
    assert changes | {"cpu": "1024", "memory": "2048"} == {name: changed[name] for name in changes}
    assert reserved(changed) == (1024, 2048)


REFUSED_OVERRIDES = {
    "unknown container": (override("ghost"), "Override for container named ghost is not a container in the TaskDefinition."),
    "no Fargate size": ({"memory": "4096"}, "No Fargate configuration exists for given values."),
    "size that is none": ({"cpu": "plenty"}, "Invalid 'cpu' setting for task."),
    "container above its task": (override(memory=513), "is greater than for the task."),
    "cpu above the task's": (override(cpu=257), "The sum of all container 'cpu' values"),
    "too little memory": (override(memory=5), "'memory' must be at least 6"),
    "too little storage": ({"ephemeralStorage": {"sizeInGiB": 20}}, "EphemeralStorage size should be at least 21"),
    "GPU on Fargate": (override(resourceRequirements=[{"type": "GPU", "value": "1"}]), "GPU"),
    "Elastic Inference": ({"inferenceAcceleratorOverrides": [{"deviceName": "a", "deviceType": "b"}]}, "inferenceAccelerator"),
    "too many characters": (override(command=["x" * 8192]), "8192"),
}


@pytest.mark.parametrize(("overrides", "words"), REFUSED_OVERRIDES.values(), ids=REFUSED_OVERRIDES)
def test_overrides_that_do_not_fit_are_refused(overrides, words):
    assert words in override_refusal(register(fargate()), overrides).message


def test_an_unknown_container_is_an_invalid_parameter():
    assert override_refusal(register(ec2()), override("ghost")).code == "InvalidParameterException"


def test_overrides_of_exactly_8192_characters_are_taken():
    definition = register(ec2())
    frame = len('{"containerOverrides":[{"name":"web","command":[""]}]}')
    fits = "x" * (8192 - frame)
    assert with_overrides(definition, override(command=[fits]))["containerDefinitions"][0]["command"] == [fits]
    assert "8192" in override_refusal(definition, override(command=[fits + "x"])).message
