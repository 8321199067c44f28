"""The Docker engine keeps the protocol of `ecslab/engines/base.py` with real containers."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from ecslab.engines import base, docker_cgroups, docker_leftovers
from ecslab.engines.base import ContainerFailed, Created, Exited, Health, NetworkReady, Removed, Started, TaskFailed
from ecslab.engines.docker import available
from ecslab.engines.simulated_stats import statistics

from .conftest import SPEED, address, request

MEBIBYTE = 2**20
SECOND = 10**9


def sidecar(name="sidecar", *arguments, **fields) -> dict:
    return {"name": name, "command": ["--port", "8080", *arguments], **fields}


# Docker itself ----------------------------------------------------------------


def test_an_engine_that_answers_tells_its_version():
    found, text = available()
    assert found
    assert text.startswith("Docker ")


def test_an_engine_that_is_not_there_is_told_in_plain_words(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    before = time.monotonic()
    assert available() == (False, "no Docker engine is running here")
    assert time.monotonic() - before < 2


def test_the_package_does_not_import_docker_until_it_is_needed():
    code = "import ecslab.engines.docker, sys; print('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


# Life of a task ---------------------------------------------------------------


def test_a_task_walks_from_its_network_to_running_and_is_gone_when_removed(lab):
    spec = lab.run()
    assert lab.kinds(spec) == ["NetworkReady", "PullStarted", "PullStopped", "Created", "Started"]
    request(spec.network.private_ip, "/health")  # it listens, so it hears a signal too
    lab.engine.stop(spec.task_id, "app", 30)
    assert lab.wait(Exited, spec).exit_code == 0
    lab.engine.remove(spec.task_id)
    lab.wait(Removed, spec)
    assert lab.containers(spec) == {}


def test_started_names_the_container_and_its_image(lab):
    spec = lab.prepare()
    lab.wait(Created, spec)
    lab.engine.start(spec.task_id, "app")
    started = lab.wait(Started, spec)
    assert started.runtime_id == lab.inspect(spec)["Id"]
    assert started.image_digest == lab.inspect(spec)["Image"]


def test_containers_carry_the_labels_of_ecs_and_ours(lab):
    labels = lab.inspect(lab.run({"dockerLabels": {"team": "blue", "ecslab.region": "mine"}}))["Config"]["Labels"]
    assert labels["team"] == "blue"
    assert labels["com.amazonaws.ecs.cluster"] == "demo"
    assert labels["com.amazonaws.ecs.container-name"] == "app"
    assert labels["com.amazonaws.ecs.task-definition-family"] == "web"
    assert labels["com.amazonaws.ecs.task-definition-version"] == "3"
    assert labels["ecslab.region"] == lab.region_id
    assert labels["ecslab.pid"] == str(os.getpid())


def test_twenty_tasks_start_together(lab):
    specs = [lab.prepare() for _ in range(20)]
    for spec in specs:
        lab.wait(Created, spec)
        lab.engine.start(spec.task_id, "app")
    for spec in specs:
        lab.wait(Started, spec)
    assert {json.loads(request(spec.network.private_ip)[1])["task"] for spec in specs} == {spec.task_id for spec in specs}


def test_stop_does_not_wait_for_the_container(lab):
    spec = lab.run({"command": ["--ignore-sigterm"]})
    before = time.monotonic()
    lab.engine.stop(spec.task_id, "app", 20)
    assert time.monotonic() - before < 0.1
    assert lab.wait(Exited, spec).exit_code == 137
    assert time.monotonic() - before >= 20 / SPEED


def test_an_ignored_sigterm_is_no_memory_kill(lab):
    spec = lab.run({"command": ["--ignore-sigterm"]})
    lab.engine.stop(spec.task_id, "app", 2)
    assert lab.wait(Exited, spec) == Exited(spec.task_id, container="app", exit_code=137, oom_killed=False)


def test_a_trapped_sigterm_gives_the_real_exit_code(lab):
    spec = lab.run({"entryPoint": ["sh", "-c"], "command": ["trap 'exit 23' TERM; echo ready; while :; do sleep 60 & wait; done"]})
    lab.engine.stop(spec.task_id, "app", 300)
    assert lab.wait(Exited, spec).exit_code == 23


def test_a_stop_that_follows_the_start_at_once_still_stops(lab):
    spec = lab.prepare()
    lab.wait(Created, spec)
    lab.engine.start(spec.task_id, "app")
    lab.engine.stop(spec.task_id, "app", 20)
    assert lab.wait(Exited, spec).exit_code in (0, 137)  # killed when it had no time to set its trap
    assert lab.kinds(spec)[-2:] == ["Started", "Exited"]


def test_a_memory_overrun_is_told_from_other_kills(lab):
    spec = lab.run({"memory": 24, "command": ["--leak", "20"]})
    assert lab.wait(Exited, spec) == Exited(spec.task_id, container="app", exit_code=137, oom_killed=True)
    spec = lab.run({"memory": 24})
    lab.docker.kill(lab.inspect(spec)["Id"])
    assert lab.wait(Exited, spec) == Exited(spec.task_id, container="app", exit_code=137, oom_killed=False)


def test_kill_ends_a_container_as_a_crash_does(lab):
    spec = lab.run()
    lab.engine.kill(spec.task_id, "app")
    assert lab.wait(Exited, spec).exit_code == 137


def test_a_container_that_exits_at_once_is_reported_after_its_start(lab):
    spec = lab.run({"command": ["--exit-after", "0", "--exit-code", "4"]})
    assert lab.wait(Exited, spec).exit_code == 4
    assert lab.kinds(spec)[-2:] == ["Started", "Exited"]


def test_start_after_an_exit_restarts_the_same_container(lab):
    spec = lab.run()
    first = lab.inspect(spec)["Id"]
    lab.engine.kill(spec.task_id, "app")
    lab.wait(Exited, spec)
    lab.engine.start(spec.task_id, "app")
    assert lab.wait(Started, spec).runtime_id == first
    lab.engine.stop(spec.task_id, "app", 20)
    lab.wait(Exited, spec)


def test_a_task_removed_while_it_is_prepared_leaves_nothing(lab):
    spec = lab.prepare()
    lab.engine.remove(spec.task_id)
    lab.wait(Removed, spec)
    assert lab.containers(spec) == {}


def test_removing_an_unknown_task_is_done_at_once(lab):
    unknown = lab.spec()
    lab.engine.remove(unknown.task_id)
    assert lab.wait(Removed, unknown) == Removed(unknown.task_id)


def test_logs_are_kept_after_the_container_is_removed(lab):
    spec = lab.run()
    request(spec.network.private_ip, "/health")
    deadline = time.monotonic() + 10
    while lab.engine.logs(spec.task_id, "app", tail=1) != ["GET /health 200"]:
        assert time.monotonic() < deadline
    lab.engine.remove(spec.task_id)
    lab.wait(Removed, spec)
    assert lab.engine.logs(spec.task_id, "app") == ["ecslab app 1.0 listening on port 80", "GET /health 200"]
    assert lab.engine.logs("unknown", "app") == []


def test_losing_the_pause_container_ends_the_task(lab):
    spec = lab.run({}, sidecar())
    lab.docker.kill(lab.inspect(spec, "~internal~ecs~pause")["Id"])
    ended = {lab.wait(Exited, spec).container, lab.wait(Exited, spec).container}
    assert ended == {"app", "sidecar"}


# Failures ---------------------------------------------------------------------


def test_a_missing_image_of_the_lab_is_not_asked_for_elsewhere(lab):
    reason = lab.failure({"image": "ecslab/app:9.9"})
    assert reason == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref ecslab/app:9.9: not found"
    )


def test_a_private_registry_is_never_asked(lab):
    reason = lab.failure({"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1"})
    assert reason.endswith("failed to resolve ref 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1: not found")


def test_an_image_that_cannot_be_pulled_fails_fast_and_names_its_container(lab):
    before = time.monotonic()
    spec = lab.prepare({}, sidecar(image="127.0.0.1:9/nothing:1"))
    failed = lab.wait(ContainerFailed, spec)
    assert failed.container == "sidecar"
    assert failed.reason.startswith("CannotPullContainerError: ")
    assert time.monotonic() - before < 10


def test_a_command_that_does_not_exist_cannot_start(lab):
    spec = lab.prepare({"entryPoint": ["/no/such/program"]})
    lab.wait(Created, spec)
    lab.engine.start(spec.task_id, "app")
    failed = lab.wait(ContainerFailed, spec)
    assert failed.container == "app"
    assert failed.reason.startswith("CannotStartContainerError: Error response from daemon: ")
    assert "/no/such/program" in failed.reason


def test_settings_that_docker_refuses_cannot_be_created(lab):
    assert lab.failure({"memory": 1}).startswith("CannotCreateContainerError: Error response from daemon: Minimum memory limit")


def test_an_address_range_in_use_says_by_whom_and_what_to_do(lab):
    lab.run()
    network = base.Network("vpc-2", lab.cidr, "subnet-2", "eni-2", lab.cidr.replace("0.0/16", "9.9"), "02:42:0a:00:09:09")
    other = base.TaskSpec(**{**vars(lab.spec()), "network": network})
    lab.specs[other.task_id] = other
    lab.engine.prepare(other)
    reason = lab.wait(TaskFailed, other).reason
    assert reason.startswith(f"ResourceInitializationError: the addresses {lab.cidr} of vpc-2 are in use")
    assert "use a VPC with another range" in reason


def test_a_range_in_use_is_not_offered_as_free(lab):
    lab.run()
    assert lab.engine.free_cidr([lab.cidr, "198.18.7.0/24"]) == "198.18.7.0/24"


# Networks ---------------------------------------------------------------------


def test_the_address_of_the_network_interface_answers(lab):
    spec = lab.run()
    status, body = request(spec.network.private_ip)
    assert status == 200
    assert json.loads(body)["task"] == spec.task_id
    found = lab.inspect(spec, "~internal~ecs~pause")["NetworkSettings"]["Networks"].values()
    assert [(n["IPAddress"], n["MacAddress"]) for n in found] == [(spec.network.private_ip, spec.network.mac)]


def test_containers_of_a_task_share_localhost_and_the_interface_s_name(lab):
    spec = lab.run({}, sidecar("sidecar"))
    request(spec.network.private_ip, port=8080)
    answer = lab.execute(spec, "sh", "-c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 8080")[1]
    dashed = spec.network.private_ip.replace(".", "-")
    assert f'"hostname": "ip-{dashed}.eu-west-1.compute.internal"' in answer


def test_a_second_container_on_the_same_port_of_a_task_ends(lab):
    spec = lab.run()
    request(spec.network.private_ip)
    both = lab.run({}, {"name": "second"})
    ended = lab.wait(Exited, both)
    assert (ended.container in ("app", "second"), ended.exit_code) == (True, 1)


def test_bridge_ports_are_published_on_loopback_only_and_told_as_ecs_does(lab):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fixed = free.getsockname()[1]
    ports = [{"containerPort": 80, "hostPort": 0}, {"containerPort": 81, "hostPort": fixed, "protocol": "tcp"}]
    spec = lab.prepare({"portMappings": ports}, network_mode="bridge")
    lab.wait(Created, spec)
    lab.engine.start(spec.task_id, "app")
    dynamic, second = lab.wait(Started, spec).network_bindings
    assert second == {"bindIP": "0.0.0.0", "containerPort": 81, "hostPort": fixed, "protocol": "tcp"}
    assert dynamic["containerPort"] == 80
    assert request("127.0.0.1", port=dynamic["hostPort"])[0] == 200
    bound = [b["HostIp"] for where in lab.inspect(spec)["NetworkSettings"]["Ports"].values() for b in where]
    assert bound == ["127.0.0.1", "127.0.0.1"]


def test_a_fixed_host_port_serves_one_bridge_task_only(lab):
    first = lab.prepare({"portMappings": [{"containerPort": 80}]}, network_mode="bridge")
    lab.wait(Created, first)
    lab.engine.start(first.task_id, "app")
    port = lab.wait(Started, first).network_bindings[0]["hostPort"]
    second = lab.prepare({"portMappings": [{"containerPort": 80, "hostPort": port}]}, network_mode="bridge")
    lab.wait(Created, second)
    lab.engine.start(second.task_id, "app")
    assert "port is already allocated" in lab.wait(ContainerFailed, second).reason


def test_links_reach_a_bridge_container_by_its_alias(lab):
    spec = lab.run({"name": "db"}, {"links": ["db:database"]}, network_mode="bridge")
    request(address(lab.inspect(spec, "db")))
    code, answer = lab.execute(spec, "sh", "-c", "printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | nc database 80")
    assert (code, answer.splitlines()[-1]) == (0, "ok")


def test_host_mode_tasks_of_one_instance_share_its_ports(lab):
    host = lab.cidr.replace("0.0/16", "200.1")
    network = base.Network("vpc-1", lab.cidr, "subnet-1", "eni-i", host, "02:42:0a:00:c8:01")
    instance = base.Instance("instance-1", network)
    web = {"portMappings": [{"containerPort": 80}]}
    first = lab.prepare(web, network_mode="host", instance=instance)
    lab.wait(Created, first)
    lab.engine.start(first.task_id, "app")
    bindings = lab.wait(Started, first).network_bindings
    assert bindings == ({"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 80, "protocol": "tcp"},)
    assert json.loads(request(host)[1])["task"] == first.task_id
    second = lab.run(web, network_mode="host", instance=instance)
    assert lab.wait(Exited, second).exit_code == 1
    elsewhere = lab.run(web, network_mode="host", instance=base.Instance("instance-2", None))
    assert lab.inspect(elsewhere)["State"]["Running"] is True


def test_a_task_without_network_has_loopback_only(lab):
    spec = lab.run(network_mode="none")
    assert lab.inspect(spec)["HostConfig"]["NetworkMode"] == "none"
    assert lab.execute(spec, "ls", "/sys/class/net")[1].split() == ["lo"]


# Settings ---------------------------------------------------------------------


def test_every_field_of_a_container_definition_reaches_docker(lab):
    definition = {
        "entryPoint": ["sh", "-c"],
        "command": ["exec /app --port 8080"],
        "user": "65534",
        "workingDirectory": "/tmp",
        "environment": [{"name": "COLOUR", "value": "green"}],
        "hostname": "shop",
        "interactive": True,
        "pseudoTerminal": True,
        "cpu": 128,
        "memory": 64,
        "memoryReservation": 32,
        "readonlyRootFilesystem": True,
        "ulimits": [{"name": "nofile", "softLimit": 100, "hardLimit": 200}],
        "extraHosts": [{"hostname": "shop.test", "ipAddress": "192.0.2.1"}],
        "dnsServers": ["192.0.2.53"],
        "dnsSearchDomains": ["shop.test"],
        "systemControls": [{"namespace": "net.core.somaxconn", "value": "99"}],
        "dockerSecurityOptions": ["no-new-privileges"],
        "linuxParameters": {
            "capabilities": {"add": ["SYS_PTRACE"], "drop": ["MKNOD"]},
            "initProcessEnabled": True,
            "sharedMemorySize": 16,
            "tmpfs": [{"containerPath": "/scratch", "size": 8, "mountOptions": ["noexec"]}],
            "maxSwap": 8,
        },
        "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 20, "retries": 4, "startPeriod": 60},
    }
    spec = lab.run(definition, network_mode="bridge", cpu=512, environment={"FROM_REGION": "yes"})
    found = lab.inspect(spec)
    config, host = found["Config"], found["HostConfig"]
    assert config["Entrypoint"] == ["sh", "-c"]
    assert config["Cmd"] == ["exec /app --port 8080"]
    assert (config["User"], config["WorkingDir"], config["Hostname"]) == ("65534", "/tmp", "shop")
    assert (config["OpenStdin"], config["Tty"]) == (True, True)
    assert {"COLOUR=green", "FROM_REGION=yes", f"ECSLAB_SPEED={SPEED}", f"ECSLAB_TASK={spec.task_id}"} <= set(config["Env"])
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 30 * SECOND // SPEED,
        "Timeout": 20 * SECOND // SPEED,
        "StartPeriod": 60 * SECOND // SPEED,
        "Retries": 4,
    }
    assert (host["CpuShares"], host["CpuQuota"], host["CpuPeriod"]) == (128, 50_000, 100_000)
    assert (host["Memory"], host["MemoryReservation"]) == (64 * MEBIBYTE, 32 * MEBIBYTE)
    assert host["MemorySwap"] in (72 * MEBIBYTE, -1)  # -1 where the kernel does not count swap
    assert host["ReadonlyRootfs"] is True
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 100, "Hard": 200}]
    assert host["ExtraHosts"] == ["shop.test:192.0.2.1"]
    assert (host["Dns"], host["DnsSearch"]) == (["192.0.2.53"], ["shop.test"])
    assert host["Sysctls"] == {"net.core.somaxconn": "99"}
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["CapAdd"], host["CapDrop"]) in (
        (["SYS_PTRACE"], ["MKNOD"]),
        (["CAP_SYS_PTRACE"], ["CAP_MKNOD"]),
    )
    assert (host["Init"], host["ShmSize"]) == (True, 16 * MEBIBYTE)
    assert host["Tmpfs"] == {"/scratch": "size=8m,noexec"}


@pytest.mark.parametrize("cpu, shares", [(None, 2), (0, 2), (1, 2), (256, 256), (300_000, 262_144)])
def test_cpu_units_become_shares_as_the_agent_passes_them(lab, cpu, shares):
    spec = lab.prepare({"cpu": cpu})
    lab.wait(Created, spec)
    assert lab.inspect(spec)["HostConfig"]["CpuShares"] == shares


def test_the_sizes_of_a_task_limit_its_only_container(lab):
    spec = lab.prepare(cpu=256, memory=512)
    lab.wait(Created, spec)
    host = lab.inspect(spec)["HostConfig"]
    assert (host["CpuQuota"], host["Memory"]) == (25_000, 512 * MEBIBYTE)


def test_the_memory_of_a_task_bounds_its_containers_together(lab):
    if not docker_cgroups.can_group():
        spec = lab.prepare({}, sidecar(), memory=48)
        lab.wait(Created, spec)
        assert [lab.inspect(spec, n)["HostConfig"]["Memory"] for n in ("app", "sidecar")] == [48 * MEBIBYTE] * 2
        return
    spec = lab.run({"command": ["--leak", "20"]}, sidecar("sidecar", "--leak", "20"), memory=48)
    assert lab.wait(Exited, spec).oom_killed is True
    group = docker_cgroups.ROOT / "memory" / lab.inspect(spec)["HostConfig"]["CgroupParent"].strip("/")
    assert (group / "memory.limit_in_bytes").read_text().strip() == str(48 * MEBIBYTE)
    lab.engine.remove(spec.task_id)
    lab.wait(Removed, spec)
    assert not group.exists()


def test_containers_of_a_task_can_share_processes(lab):
    spec = lab.run({}, sidecar(), pid_mode="task", ipc_mode="task")
    request(spec.network.private_ip, port=8080)
    commands = lab.execute(spec, "ps")[1]
    assert "nc -ll -p 80 " in commands
    assert "nc -ll -p 8080 " in commands


def test_kernel_parameters_of_the_network_belong_to_the_task(lab):
    controls = [{"namespace": "net.core.somaxconn", "value": "77"}]
    spec = lab.run({}, sidecar(systemControls=controls))
    assert lab.execute(spec, "cat", "/proc/sys/net/core/somaxconn")[1].strip() == "77"


# Health -----------------------------------------------------------------------


def test_health_turns_and_is_reported_once_each_time(lab):
    check = {"command": ["CMD", "/app", "health"], "interval": 5, "timeout": 2, "retries": 2}
    spec = lab.run({"command": ["--unhealthy-after", "15"], "healthCheck": check})
    assert lab.wait(Health, spec).status == "HEALTHY"
    assert lab.wait(Health, spec).status == "UNHEALTHY"


def test_a_health_check_of_the_image_alone_is_switched_off(lab):
    spec = lab.prepare()
    lab.wait(Created, spec)
    assert lab.inspect(spec)["Config"]["Healthcheck"] == {"Test": ["NONE"]}


# Volumes ----------------------------------------------------------------------


def write(text, path):
    return ["sh", "-c", f"echo {text} > {path}"]


def test_an_empty_host_volume_is_shared_by_the_task_and_ends_with_it(lab):
    mount = {"sourceVolume": "scratch", "containerPath": "/data"}
    spec = lab.run({"mountPoints": [mount]}, sidecar(mountPoints=[{**mount, "readOnly": True}]), volumes=({"name": "scratch", "host": {}},))
    assert lab.execute(spec, *write("hello", "/data/file"))[0] == 0
    assert lab.execute(spec, "cat", "/data/file", name="sidecar") == (0, "hello\n")
    assert lab.execute(spec, *write("no", "/data/other"), name="sidecar")[0] != 0
    volumes = [v for v in lab.things() if "scratch" in v]
    lab.engine.remove(spec.task_id)
    lab.wait(Removed, spec)
    assert (len(volumes), [v for v in lab.things() if "scratch" in v]) == (1, [])


def test_a_folder_of_the_lab_can_be_mounted(lab, folder):
    volume = {"name": "site", "host": {"sourcePath": str(folder / "site")}}
    spec = lab.run({"mountPoints": [{"sourceVolume": "site", "containerPath": "/site"}]}, volumes=(volume,))
    lab.execute(spec, *write("from-the-task", "/site/index.html"))
    assert (folder / "site" / "index.html").read_text() == "from-the-task\n"


def test_a_shared_docker_volume_outlives_its_task(lab):
    volume = {"name": "cache", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True}}
    mount = {"mountPoints": [{"sourceVolume": "cache", "containerPath": "/cache"}]}
    first = lab.run(mount, volumes=(volume,))
    lab.execute(first, *write("kept", "/cache/file"))
    lab.engine.remove(first.task_id)
    lab.wait(Removed, first)
    second = lab.run(mount, volumes=(volume,))
    assert lab.execute(second, "cat", "/cache/file") == (0, "kept\n")


def test_a_shared_docker_volume_that_nobody_made_is_an_error(lab):
    volume = {"name": "nobodys-volume", "dockerVolumeConfiguration": {"scope": "shared"}}
    reason = lab.failure({"mountPoints": [{"sourceVolume": "nobodys-volume", "containerPath": "/x"}]}, volumes=(volume,))
    assert reason.startswith("CannotCreateVolumeError: Error response from daemon: ")


def test_a_file_system_is_the_same_for_every_task(lab):
    volume = {"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/shop"}}
    mount = {"mountPoints": [{"sourceVolume": "files", "containerPath": "/files"}]}
    first, second = lab.run(mount, volumes=(volume,)), lab.run(mount, volumes=(volume,))
    lab.execute(first, *write("both", "/files/file"))
    assert lab.execute(second, "cat", "/files/file") == (0, "both\n")


def test_a_kind_of_volume_that_cannot_be_had_is_refused_aloud(lab):
    volume = {"name": "v", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-2"}}
    reason = lab.failure(mounting("")[0], volumes=(volume,))
    assert reason == "CannotCreateVolumeError: volume v: fsxWindowsFileServerVolumeConfiguration cannot be had here"


def test_volumes_from_another_container_are_mounted(lab):
    data = sidecar("data", mountPoints=[{"sourceVolume": "scratch", "containerPath": "/data"}])
    spec = lab.run({"volumesFrom": [{"sourceContainer": "data", "readOnly": True}]}, data, volumes=({"name": "scratch"},))
    lab.execute(spec, *write("hello", "/data/file"), name="data")
    assert lab.execute(spec, "cat", "/data/file") == (0, "hello\n")
    assert lab.execute(spec, *write("no", "/data/file"))[0] != 0


# Safety -----------------------------------------------------------------------


def mounting(path) -> tuple[dict, dict]:
    mount = {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    return mount, {"volumes": ({"name": "v", "host": {"sourcePath": path}},)}


@pytest.mark.parametrize(
    "container, fields",
    [
        ({"privileged": True}, {}),
        ({"linuxParameters": {"devices": [{"hostPath": "/dev/null"}]}}, {}),
        ({"linuxParameters": {"capabilities": {"add": ["SYS_ADMIN"]}}}, {}),
        ({"dockerSecurityOptions": ["seccomp=unconfined"]}, {}),
        mounting("/"),
        mounting("/etc"),
        mounting("/var/run/docker.sock"),
        mounting("../.."),
    ],
)
def test_what_reaches_out_of_the_container_is_refused_and_the_switch_named(lab, container, fields):
    reason = lab.failure(container, **fields)
    assert reason.startswith("CannotCreateContainerError: refused: ")
    assert "allow_unsafe=True" in reason


def test_a_link_that_leads_out_of_the_lab_s_folder_is_refused(lab, folder):
    (folder / "way-out").symlink_to("/etc")
    container, fields = mounting("way-out")
    assert "/etc is outside the lab's folder" in lab.failure(container, **fields)


def test_a_docker_volume_that_binds_a_folder_is_refused(lab):
    options = {"type": "none", "o": "bind", "device": "/etc"}
    volume = {"name": "v", "dockerVolumeConfiguration": {"scope": "task", "driver": "local", "driverOpts": options}}
    assert "refused: the volume v mounts" in lab.failure(mounting("")[0], volumes=(volume,))


def test_a_docker_volume_of_this_machine_is_not_handed_out(lab):
    theirs = lab.docker.create_volume(labels={"ecslab.test": "theirs"})["Name"]
    try:
        volume = {"name": theirs, "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": False}}
        mount = {"mountPoints": [{"sourceVolume": theirs, "containerPath": "/v"}]}
        reason = lab.failure(mount, volumes=(volume,))
    finally:
        lab.docker.remove_volume(theirs)
    assert reason.startswith(f"CannotCreateVolumeError: refused: the volume {theirs} ") and "allow_unsafe=True" in reason


def test_the_switch_allows_it(new_lab):
    lab = new_lab(allow_unsafe=True)
    spec = lab.prepare({"privileged": True}, network_mode="none")
    lab.wait(Created, spec)
    assert lab.inspect(spec)["HostConfig"]["Privileged"] is True


# Counters ---------------------------------------------------------------------


def test_usage_counts_cpu_in_region_seconds(lab):
    spec = lab.run()
    request(spec.network.private_ip, "/burn?seconds=5")  # half a second of this machine
    deadline = time.monotonic() + 20
    while lab.engine.usage(spec.task_id)["app"].cpu_seconds < 3:
        assert time.monotonic() < deadline, "the CPU was never used"
    usage = lab.engine.usage(spec.task_id)["app"]
    assert usage.cpu_seconds < 15
    assert 0 < usage.memory_bytes < 20 * MEBIBYTE
    assert lab.engine.usage("unknown") == {}


def test_statistics_have_the_same_shape_on_both_engines_and_the_network_of_the_task(lab):
    spec = lab.run()
    request(spec.network.private_ip, "/")
    told = lab.engine.stats(spec.task_id)["app"]
    assert set(statistics(1.0, 1, 1.0)) <= set(told)
    assert told["networks"]["eth0"]["rx_bytes"] > 0 and told["pids_stats"]["current"] >= 1
    assert 0 < told["cpu_stats"]["cpu_usage"]["total_usage"] < told["cpu_stats"]["system_cpu_usage"]
    assert lab.engine.stats("unknown") == {}


def test_usage_comes_from_docker_where_control_groups_cannot_be_read(lab, monkeypatch):
    monkeypatch.setattr(docker_cgroups, "usage", lambda container_id, parent: None)
    spec = lab.run()
    deadline = time.monotonic() + 20
    while not (usage := lab.engine.usage(spec.task_id)):
        assert time.monotonic() < deadline, "Docker told nothing"
    assert usage["app"].cpu_seconds > 0
    assert 0 < usage["app"].memory_bytes < 20 * MEBIBYTE


# Leftovers --------------------------------------------------------------------

DYING = """
import os, sys
from tests.engines.conftest import Lab
lab = Lab()
spec = lab.run({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}, volumes=({"name": "v"},))
print(lab.region_id, len(lab.things()), flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_is_swept_and_a_living_region_is_left_alone(lab, new_lab):
    living = lab.run()
    result = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, timeout=60)
    region_id, count = result.stdout.split()
    assert (result.returncode, count) == (-9, "4")  # two containers, a network, a volume
    docker_leftovers.sweep(lab.docker)
    left = {"label": f"ecslab.region={region_id}"}
    assert lab.docker.containers(all=True, filters=left) == []
    assert lab.docker.networks(filters=left) == []
    assert lab.docker.volumes(filters=left)["Volumes"] in ([], None)
    assert lab.inspect(living)["State"]["Running"] is True


def test_a_process_of_another_machine_or_time_is_told_from_ours():
    mine = docker_leftovers.labels("r")
    assert not docker_leftovers.is_dead(mine)
    assert docker_leftovers.is_dead({**mine, "ecslab.started": "1"})
    assert not docker_leftovers.is_dead({**mine, "ecslab.started": "1", "ecslab.namespace": "elsewhere"})


def test_nothing_is_left_after_close_and_closing_twice_is_harmless(new_lab):
    lab = new_lab()
    volumes = ({"name": "v"}, {"name": "s", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True}})
    mounts = [{"sourceVolume": "v", "containerPath": "/v"}, {"sourceVolume": "s", "containerPath": "/s"}]
    lab.run({"mountPoints": mounts}, sidecar(), volumes=volumes, memory=64)
    lab.run(network_mode="host", instance=base.Instance("i", None))
    lab.prepare()
    assert len(lab.things()) >= 8
    before = time.monotonic()
    lab.engine.close()
    assert time.monotonic() - before < 15
    assert lab.things() == []
    assert not list(docker_cgroups.ROOT.glob(f"*/ecslab/{lab.region_id}"))
    lab.engine.close()


def test_a_closed_engine_leaves_no_threads_behind(new_lab):
    code = (
        "import threading; from tests.engines.conftest import Lab; lab = Lab(); lab.run(); lab.close();"
        "print(sorted(t.name for t in threading.enumerate()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "['MainThread']"
