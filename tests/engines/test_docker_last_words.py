"""A region whose process is killed: the next one keeps what its containers had printed, and says so."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid

import pytest

from ecslab.engines import docker_leftovers
from ecslab.engines.docker_daemon import connect

LINES, TOO_MANY, MOST = 20_000, 30_000, 25_000
DONE = b"all of it"
AS_A_MACHINE_OF_ITS_OWN = "from ecslab.engines import docker_leftovers; docker_leftovers._namespace = lambda: {machine!r}\n"  # no other region sweeps here
RUNS = """
from ecslab.region import start
region = start(engine="docker", speed=10)
ecs = region.client("ecs")
ecs.create_cluster(clusterName="demo")
def container(name, lines):
    return {{"name": name, "image": "ecslab/app:1.0", "entryPoint": ["sh", "-c", f"seq 1 {{lines}}; echo {done}; sleep 600"]}}
containers = [container("app", {lines}), container("chatty", {too_many})]
ecs.register_task_definition(family="talk", networkMode="awsvpc", cpu="256", memory="512", requiresCompatibilities=["FARGATE"], containerDefinitions=containers)
network = {{"awsvpcConfiguration": {{"subnets": [region.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]]}}}}
arn = ecs.run_task(cluster="demo", taskDefinition="talk", launchType="FARGATE", networkConfiguration=network)["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[arn])
print(arn, flush=True)
input()
"""
STARTS = f"""
from ecslab.engines import docker_last_words
docker_last_words.MOST_LINES = {MOST}
from ecslab.region import start
with start(engine="docker", speed=10):
    pass
"""


@pytest.fixture
def machine(tmp_path):
    """Start Python in a process namespace that only this test's processes claim to be in."""
    name = f"test-{uuid.uuid4().hex}"
    started = []

    def python(script):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**os.environ, "ECSLAB_HOME": str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", AS_A_MACHINE_OF_ITS_OWN.format(machine=name) + script], env=environment, **pipes)
        started.append(process)
        return process

    python.containers = {"label": f"{docker_leftovers.NAMESPACE}={name}"}  # others may have tasks of the same id
    yield python
    for process in started:
        process.kill()
        process.wait()
    client = connect()
    for one in client.containers(all=True, filters=python.containers):
        docker_leftovers.clear(client, one["Labels"][docker_leftovers.REGION])


def printed(client, container):
    """Everything up to the line that says it is all."""
    found = b""
    for chunk in client.logs(container["Id"], stream=True, follow=True):
        found += chunk
        if found.endswith(DONE + b"\n"):
            break
    return found.splitlines()


def test_of_a_killed_region_the_lines_already_printed_are_kept_and_the_next_region_says_where_and_what_it_cut_off(machine, tmp_path):
    killed = machine(RUNS.format(lines=LINES, too_many=TOO_MANY, done=DONE.decode()))
    arn = killed.stdout.readline().strip()
    client = connect()
    containers = client.containers(filters=machine.containers)
    lines = {name: printed(client, one) for one in containers if (name := one["Labels"]["com.amazonaws.ecs.container-name"]) in ("app", "chatty")}
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    _, told = machine(STARTS).communicate()
    task = "/".join(arn.split("/")[-2:])
    assert "A region ended without being stopped. The containers of its tasks were removed: " in told
    assert f"{task} (app, chatty: no more than its last {MOST:,} lines). What they had printed is in {tmp_path}" in told
    kept = {one.stem: [line.partition(b" ")[2] for line in one.read_bytes().splitlines()] for one in tmp_path.glob(f"ended/*/{task.replace('/', '-')}/*.log")}
    assert len(lines["app"]) == LINES + 1 and kept == {"app": lines["app"], "chatty": lines["chatty"][-MOST:]}
    assert client.containers(all=True, filters=machine.containers) == []


def test_a_region_that_was_stopped_leaves_nothing_to_tell(machine, tmp_path):
    machine(STARTS).communicate()
    out, told = machine(STARTS).communicate()
    assert (out, told) == ("", "") and not (tmp_path / "ended").exists()
