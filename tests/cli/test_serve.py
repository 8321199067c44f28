"""`ecslab serve` and `ecslab env`, as processes."""
from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

ECSLAB = [sys.executable, "-m", "ecslab"]
READY = re.compile(r"ECS region ready at (http://127\.0\.0\.1:\d+) \(engine: (docker|simulated)\)")


@contextmanager
def serving(*options: str):
    """(process, endpoint, engine) of a running `ecslab serve`."""
    process = subprocess.Popen([*ECSLAB, "serve", "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline().rstrip("\n")
        match = READY.fullmatch(first)
        assert match, (first, process.poll())
        yield process, match[1], match[2]
    finally:
        process.kill()
        process.wait(timeout=10)


def aws(*words: str, environment: dict) -> dict:
    command = os.path.join(os.path.dirname(sys.executable), "aws")
    done = subprocess.run([command, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else {}


def exported() -> dict:
    """This environment as `eval "$(ecslab env)"` leaves it."""
    script = subprocess.run([*ECSLAB, "env"], capture_output=True, text=True, timeout=30, check=True).stdout
    done = subprocess.run(["sh", "-c", f"{script}\nenv -0"], capture_output=True, text=True, timeout=30, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)


def label_of(process: subprocess.Popen) -> list[str]:
    """Containers, networks and volumes whose labels name the process."""
    found = []
    for kind in ("ps -a", "network ls", "volume ls"):
        listed = subprocess.run(f"docker {kind} --format '{{{{.Labels}}}}'", shell=True, capture_output=True, text=True, timeout=30, check=True)
        found += [line for line in listed.stdout.splitlines() if f"={process.pid}-" in line]
    return found


TASK = {
    "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "ecslab/app:1.0"}],
}  # fmt: skip


def start_a_task(environment: dict) -> str:
    aws("ecs", "create-cluster", environment=environment)
    aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(TASK), environment=environment)
    subnet = aws("ec2", "describe-subnets", environment=environment)["Subnets"][0]["SubnetId"]
    network = f"awsvpcConfiguration={{subnets=[{subnet}]}}"
    run = aws("ecs", "run-task", "--task-definition", "web", "--launch-type", "FARGATE", "--network-configuration", network, environment=environment)
    return run["tasks"][0]["taskArn"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_container_network_volume_or_listener(number):
    with serving("--engine", "docker", "--speed", "20") as (process, endpoint, engine):
        assert engine == "docker"
        environment = exported()
        task = start_a_task(environment)
        aws("ecs", "wait", "tasks-running", "--tasks", task, environment=environment)
        assert label_of(process), "a container of this process is running"
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert label_of(process) == []
        port = int(endpoint.rpartition(":")[2])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_what_a_killed_region_left_behind_is_swept_at_the_next_start():
    with serving("--engine", "docker", "--speed", "20") as (killed, _, _):
        environment = exported()
        task = start_a_task(environment)
        aws("ecs", "wait", "tasks-running", "--tasks", task, environment=environment)
        killed.kill()
        killed.wait(timeout=10)
    assert label_of(killed)
    with serving("--engine", "docker") as (process, _, _):
        environment = exported()
        task = start_a_task(environment)
        aws("ecs", "wait", "tasks-running", "--tasks", task, environment=environment)
        assert label_of(killed) == [], "and a region that lives is left alone"
        assert label_of(process)
        process.terminate()
        process.wait(timeout=30)


def test_a_simulated_region_served_to_other_programs_lets_time_flow():
    with serving("--engine", "simulated", "--speed", "30") as (_, endpoint, engine):
        assert engine == "simulated"
        environment = exported()
        assert environment["AWS_ENDPOINT_URL"] == endpoint
        task = start_a_task(environment)
        aws("ecs", "wait", "tasks-running", "--tasks", task, environment=environment)


def test_a_port_in_use_is_one_clear_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([*ECSLAB, "serve", "--engine", "simulated", "--port", str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"ecslab: Port {port} cannot be used") and "Traceback" not in done.stderr


def test_env_without_a_region_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path))
    done = subprocess.run([*ECSLAB, "env"], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "") and "ecslab serve" in done.stderr


@pytest.mark.parametrize(
    "headers, status",
    [({"Origin": "http://example.com"}, 403), ({"Origin": "null"}, 403), ({"Host": "example.com"}, 403), ({"Origin": "http://localhost:8888"}, 400)],
)
def test_a_web_page_from_elsewhere_cannot_call_the_region(headers, status):
    with serving("--engine", "simulated") as (_, endpoint, _):
        target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.Nonsense", "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260105/us-east-1/ecs/aws4_request"}
        request = urllib.request.Request(endpoint, data=b"{}", headers={**target, **headers})
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(request, timeout=10)
        assert answer.value.code == status


def test_lab_serves_the_first_lab_on_loopback(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen([*ECSLAB, "lab", "--no-browser", "--port", str(port)], stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while "/lab/tree/labs/00-start-here.ipynb" not in log.read_text() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.2)
        told = log.read_text()
        assert f"http://127.0.0.1:{port}/lab/tree/labs/00-start-here.ipynb?token=" in told, told
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def test_a_notebook_finds_the_aws_command_though_its_environment_is_not_activated():
    code = "import subprocess; from ecslab.region import start; start(engine='simulated'); subprocess.run('aws ecs list-clusters', shell=True, check=True)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"clusterArns": []' in done.stdout, done.stderr


def test_a_program_that_ends_without_stopping_its_region_leaves_nothing():
    code = f"""
import boto3, json, os
from ecslab.region import start
region = start(engine="docker", speed=20)
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
ecs.create_cluster()
ecs.register_task_definition(**json.loads({json.dumps(json.dumps(TASK))}))
network = {{"awsvpcConfiguration": {{"subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]]}}}}
task = ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=network)["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_running").wait(tasks=[task])
print(os.getpid())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    listed = subprocess.run(["docker", "ps", "-a", "--format", "{{.Labels}}"], capture_output=True, text=True, timeout=30, check=True)
    assert f"={done.stdout.strip()}" not in listed.stdout
