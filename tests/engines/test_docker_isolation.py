"""What keeps a container in: each setting proved from inside a real container, beside one that does not have it.

One task on Fargate and one on EC2 hold a container for every setting. Each prints
what it found and waits; the tests read what was printed.
"""
from __future__ import annotations

import pytest

from ecslab.engines import docker_exec
from ecslab.engines.base import NotExecuted
from ecslab.region import start
from ecslab.rules.exec_command import PERMISSIONS
from tests.parity.test_parity import Story
from tests.region.test_secrets import role

SYS_PTRACE, NET_ADMIN, CHOWN = 19, 12, 0  # bits of /proc/*/status (Linux, capabilities(7))
LOOK = """
id -u; id -g
touch /here 2>&1 && echo wrote the root
touch /scratch/here 2>&1 && echo wrote /scratch
dd if=/dev/zero of=/scratch/big bs=1M count=9 2>&1 | grep -o 'No space left'
chown 1:1 /tmp 2>&1 && echo gave /tmp away
echo process 1 is $(cat /proc/1/comm)
echo open files $(ulimit -Sn) of $(ulimit -Hn)
grep -E 'CapEff|NoNewPrivs' /proc/self/status
echo shared memory $(df -k /dev/shm | awk 'NR == 2 { print $2 }')
echo looked
exec sleep 300
"""
FARGATE = {
    "plain": {},
    "readonly": {"readonlyRootFilesystem": True},
    "readonly-volume": {"readonlyRootFilesystem": True, "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}]},
    "user": {"user": "1000:2000"},
    "dropped": {"linuxParameters": {"capabilities": {"drop": ["ALL"]}}},
    "traced": {"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}},
    "init": {"linuxParameters": {"initProcessEnabled": True}},
    "ulimit": {"ulimits": [{"name": "nofile", "softLimit": 100, "hardLimit": 200}]},
}
EC2 = {
    "plain": {},
    "no-new-privileges": {"dockerSecurityOptions": ["no-new-privileges"]},
    "net-admin": {"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}}},
    "tmpfs": {"readonlyRootFilesystem": True, "linuxParameters": {"tmpfs": [{"containerPath": "/scratch", "size": 8}]}},
    "shared": {"linuxParameters": {"sharedMemorySize": 16}},
}


def container(name, settings, **more) -> dict:
    return {"name": name, "image": "ecslab/app:1.0", "entryPoint": ["sh", "-c", LOOK], "memory": 32, **settings, **more}


@pytest.fixture(scope="module")
def story():
    with start(engine="docker", speed=20) as region:
        yield Story(region)


@pytest.fixture(scope="module")
def tasks(story):
    """(the task on Fargate, the one on EC2), when each of their containers has looked."""
    open_role = role(story, "open", *((action, "*") for action in PERMISSIONS))
    story.define("fargate", containers=[container(*one) for one in FARGATE.items()], volumes=[{"name": "scratch"}], taskRoleArn=open_role)
    story.define("ec2", containers=[container(*one) for one in EC2.items()], requiresCompatibilities=["EC2"], networkMode="bridge")
    story.region.add_instance("demo")
    on_fargate = story.run("fargate", enableExecuteCommand=True)
    on_ec2 = story.ecs.run_task(cluster="demo", taskDefinition="ec2", launchType="EC2")["tasks"][0]["taskArn"]
    for arn, containers in ((on_fargate, FARGATE), (on_ec2, EC2)):
        story.until(lambda: all("looked" in story.region.logs(arn, name) for name in containers))
    pending = lambda: [c for c in story.task(on_fargate)["containers"] if c["managedAgents"][0]["lastStatus"] == "PENDING"]  # noqa: E731
    story.until(lambda: story.task(on_fargate)["lastStatus"] == "RUNNING" and not pending())
    return on_fargate, on_ec2


@pytest.fixture(scope="module")
def found(story, tasks):
    """What each container printed, by launch type and name."""
    read = lambda arn, containers: {name: story.region.logs(arn, name) for name in containers}  # noqa: E731
    return {"FARGATE": read(tasks[0], FARGATE), "EC2": read(tasks[1], EC2)}


def capabilities(lines: list[str]) -> int:
    return int(next(line for line in lines if line.startswith("CapEff")).split()[1], 16)


def has(lines: list[str], bit: int) -> bool:
    return bool(capabilities(lines) >> bit & 1)


def test_a_root_file_system_takes_no_file_when_it_is_read_only(found):
    assert "wrote the root" in found["FARGATE"]["plain"]
    assert "touch: /here: Read-only file system" in found["FARGATE"]["readonly"]
    assert "wrote the root" not in found["FARGATE"]["readonly"]


def test_a_volume_can_be_written_under_a_read_only_root(found):
    lines = found["FARGATE"]["readonly-volume"]
    assert "wrote /scratch" in lines and "wrote the root" not in lines


def test_a_user_that_is_not_root_owns_nothing_of_the_image(found):
    assert found["FARGATE"]["plain"][:2] == ["0", "0"]
    assert found["FARGATE"]["user"][:2] == ["1000", "2000"]
    assert "touch: /here: Permission denied" in found["FARGATE"]["user"]
    assert capabilities(found["FARGATE"]["user"]) == 0


def test_without_capabilities_root_may_not_give_files_away(found):
    assert "gave /tmp away" in found["FARGATE"]["plain"]
    assert capabilities(found["FARGATE"]["dropped"]) == 0
    assert "gave /tmp away" not in found["FARGATE"]["dropped"]


def test_a_capability_is_added_and_another_dropped_on_their_own(found):
    plain, traced = found["FARGATE"]["plain"], found["FARGATE"]["traced"]
    assert (has(plain, SYS_PTRACE), has(traced, SYS_PTRACE)) == (False, True)
    plain, changed = found["EC2"]["plain"], found["EC2"]["net-admin"]
    assert (has(plain, NET_ADMIN), has(changed, NET_ADMIN)) == (False, True)
    assert (has(plain, CHOWN), has(changed, CHOWN)) == (True, False)
    assert "gave /tmp away" not in changed


def test_no_new_privileges_is_known_to_the_kernel(found):
    assert "NoNewPrivs:\t0" in found["EC2"]["plain"]
    assert "NoNewPrivs:\t1" in found["EC2"]["no-new-privileges"]


def test_an_init_process_is_number_1_in_the_app_s_stead(found):
    assert "process 1 is sh" in found["FARGATE"]["plain"]
    assert not {"process 1 is sh", "process 1 is sleep"} & set(found["FARGATE"]["init"])


def test_a_tmpfs_is_writable_under_a_read_only_root_up_to_its_size(found):
    lines = found["EC2"]["tmpfs"]
    assert "wrote /scratch" in lines and "wrote the root" not in lines
    assert "No space left" in lines


def test_open_files_are_limited_to_what_the_definition_says(found):
    assert "open files 100 of 200" in found["FARGATE"]["ulimit"]
    assert "open files 100 of 200" not in found["FARGATE"]["plain"]


def test_shared_memory_has_the_size_that_was_asked_for(found):
    assert "shared memory 16384" in found["EC2"]["shared"]
    assert "shared memory 16384" not in found["EC2"]["plain"]


def test_ecs_exec_is_root_in_a_container_that_is_not(story, tasks):
    on_fargate, _ = tasks
    assert story.region.exec(on_fargate, "user", "id -u").output == "0\n"
    assert story.region.exec(on_fargate, "user", ["sh", "-c", "touch /by-root; stat -c %u /by-root; exit 4"]).exit_code == 4
    missing = story.region.exec(on_fargate, "user", "no-such-program")
    assert missing.exit_code == 127 and "not found" in missing.output


def test_ecs_exec_prints_what_the_command_prints_and_no_more_than_a_mebibyte(story, tasks):
    on_fargate, _ = tasks
    assert story.region.exec(on_fargate, "plain", ["echo", "to the", "point"]).output == "to the point\n"
    told = story.region.exec(on_fargate, "plain", "dd if=/dev/zero bs=1M count=2").output
    assert told.count("\0") == 2**20 and told.endswith("bytes more.\n")


def test_a_command_that_does_not_end_is_not_waited_for(story, tasks, monkeypatch):
    monkeypatch.setattr(docker_exec, "LONGEST", 0.3)
    for endless in ("sleep 300", "yes"):
        with pytest.raises(NotExecuted, match="did not end within 0.3 seconds"):
            story.region.exec(tasks[0], "plain", endless)


def test_ecs_exec_leaves_a_read_only_root_alone(story, tasks):
    described = {c["name"]: c["managedAgents"][0]["lastStatus"] for c in story.task(tasks[0])["containers"]}
    assert described == {name: "STOPPED" if name.startswith("readonly") else "RUNNING" for name in FARGATE}
