"""A Docker engine to test, the lab app as a bare container, and patience with a limit.

These tests really use Docker and fail where there is none.
"""
from __future__ import annotations

import itertools
import os
import queue
import socket
import time
import urllib.error
import urllib.request
import uuid

import pytest

from ecslab.engines import base, images
from ecslab.engines.docker import DockerEngine
from ecslab.engines.docker_daemon import connect

SPEED = 10
PATIENCE = 30  # seconds to wait for anything
APP = {"name": "app", "image": "ecslab/app:1.0"}


def request(address: str, path: str = "/", port: int = 80) -> tuple[int, str]:
    """(status, body). A server that is just starting is asked again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError) as error:
            reason = getattr(error, "reason", error)  # a port that is published but not yet listened on is refused, or reset
            if not isinstance(reason, ConnectionError) or time.monotonic() > deadline:
                raise


def address(container: dict) -> str:
    """Where a container, as inspected, answers."""
    return next(iter(container["NetworkSettings"]["Networks"].values()))["IPAddress"]


class Lab:
    """An engine, and the observations it made so far."""

    def __init__(self, lab_folder=None, **options):
        self.seen: queue.Queue[base.Observation] = queue.Queue()
        self.region_id = f"test-{uuid.uuid4().hex[:8]}"
        self.engine = DockerEngine(self.seen.put, region_id=self.region_id, speed=SPEED, lab_folder=lab_folder, **options)
        self.docker = connect()
        self.cidr = self.engine.free_cidr([f"10.{100 + os.getpid() % 50 + n}.0.0/16" for n in range(50)])
        self.specs: dict[str, base.TaskSpec] = {}
        self._numbers = itertools.count(10)
        self._history: list[base.Observation] = []
        self._unread: list[base.Observation] = []

    def spec(self, *containers, **fields) -> base.TaskSpec:
        number, task_id = next(self._numbers), uuid.uuid4().hex
        address = self.cidr.replace("0.0/16", f"1.{number}")
        network = base.Network("vpc-1", self.cidr, "subnet-1", "eni-1", address, f"02:42:0a:00:01:{number:02x}")
        mode = fields.setdefault("network_mode", "awsvpc")
        return base.TaskSpec(
            task_id=task_id,
            task_arn=f"arn:aws:ecs:eu-west-1:123456789012:task/demo/{task_id}",
            cluster="demo",
            family="web",
            revision=3,
            containers=tuple({**APP, **container} for container in containers or [{}]),
            network=network if mode == "awsvpc" else None,
            **fields,
        )

    def prepare(self, *containers, **fields) -> base.TaskSpec:
        spec = self.spec(*containers, **fields)
        self.specs[spec.task_id] = spec
        self.engine.prepare(spec)
        return spec

    def run(self, *containers, **fields) -> base.TaskSpec:
        """A task whose containers have all been started."""
        spec = self.prepare(*containers, **fields)
        self.wait(base.Created, spec)
        for container in spec.containers:
            self.engine.start(spec.task_id, container["name"])
            self.wait(base.Started, spec, container["name"])
        return spec

    def wait(self, kind, spec, container=None):
        """The next observation of that kind about that task; a failure nobody waited for fails the test."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for seen in [o for o in self._unread if o.task_id == spec.task_id]:
                self._unread.remove(seen)
                if isinstance(seen, kind) and (container is None or seen.container == container):
                    return seen
                assert not isinstance(seen, (base.TaskFailed, base.ContainerFailed)), seen
            self._read(timeout=max(0.01, deadline - time.monotonic()))

    def _read(self, timeout: float) -> None:
        self._unread.append(self.seen.get(timeout=timeout))
        self._history.append(self._unread[-1])

    def failure(self, *containers, **fields) -> str:
        """Why a task could not be prepared."""
        spec = self.prepare(*containers, **fields)
        return self.wait((base.TaskFailed, base.ContainerFailed), spec).reason

    def kinds(self, spec) -> list[str]:
        """What has been read about a task, in order."""
        return [type(seen).__name__ for seen in self._history if seen.task_id == spec.task_id]

    def containers(self, spec) -> dict[str, dict]:
        """The task's containers by name, as `docker inspect` shows them."""
        label = f"com.amazonaws.ecs.task-arn={spec.task_arn}"
        found = self.docker.containers(all=True, filters={"label": [label, f"ecslab.region={self.region_id}"]})
        return {c["Labels"]["com.amazonaws.ecs.container-name"]: self.docker.inspect_container(c["Id"]) for c in found}

    def inspect(self, spec, name="app") -> dict:
        return self.containers(spec)[name]

    def execute(self, spec, *command, name="app") -> tuple[int, str]:
        """(exit code, output) of a command in a container."""
        made = self.docker.exec_create(self.inspect(spec, name)["Id"], list(command))["Id"]
        output = self.docker.exec_start(made).decode()
        return self.docker.exec_inspect(made)["ExitCode"], output

    def things(self) -> list[str]:
        """Everything on Docker that belongs to this region."""
        mine = {"label": f"ecslab.region={self.region_id}"}
        return [
            *(c["Id"] for c in self.docker.containers(all=True, filters=mine)),
            *(n["Name"] for n in self.docker.networks(filters=mine)),
            *(v["Name"] for v in self.docker.volumes(filters=mine)["Volumes"] or ()),
        ]

    def remove_all(self) -> None:
        for task_id in self.specs:
            self.engine.remove(task_id)
        self.specs.clear()

    def close(self) -> None:
        self.engine.close()
        self.docker.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The lab's folder: the only one on this machine that tasks may mount."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def shared_lab(folder):
    lab = Lab(lab_folder=folder)
    yield lab
    lab.close()


@pytest.fixture
def lab(shared_lab):
    yield shared_lab
    shared_lab.remove_all()


@pytest.fixture
def new_lab():
    """Makes labs of the test's own, each with a fresh engine."""
    labs = []

    def make(**options) -> Lab:
        labs.append(Lab(**options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


class App:
    """The lab app in a bare container."""

    def __init__(self, docker, arguments, image, environment, network_mode=None, **host):
        self.docker = docker
        settings = docker.create_host_config(network_mode=network_mode or "bridge", **host)
        made = docker.create_container(image, command=arguments, environment=environment, host_config=settings, **self._user(host))
        self.id = made["Id"]
        docker.start(self.id)

    @staticmethod
    def _user(host) -> dict:
        return {"user": "65534"} if host.get("read_only") else {}

    @property
    def address(self) -> str:
        return address(self.docker.inspect_container(self.id))

    def get(self, path: str = "/", port: int = 80) -> tuple[int, str]:
        return request(self.address, path, port)

    def send(self, content: bytes) -> bytes:
        """What comes back on a bare connection."""
        self.get("/health")
        with socket.create_connection((self.address, 80), timeout=PATIENCE) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))

    def first_line(self) -> str:
        return next(self.docker.logs(self.id, stream=True, follow=True)).decode().strip()

    def wait(self) -> int:
        return self.docker.wait(self.id, timeout=PATIENCE)["StatusCode"]

    def state(self) -> dict:
        return self.docker.inspect_container(self.id)["State"]

    def memory(self) -> int:
        """Bytes in use."""
        return self.docker.stats(self.id, stream=False, one_shot=True)["memory_stats"]["usage"]

    def logs(self) -> list[str]:
        return self.docker.logs(self.id).decode().splitlines()


@pytest.fixture(scope="session")
def docker_client():
    client = connect()
    images.ensure_app_images(client)
    yield client
    client.close()


@pytest.fixture
def app(docker_client):
    """Starts lab apps: app(*arguments, image=..., environment=..., and host settings)."""
    started = []

    def start(*arguments, image="ecslab/app:1.0", environment=None, **host) -> App:
        started.append(App(docker_client, list(arguments), image, environment, **host))
        return started[-1]

    yield start
    for item in started:
        docker_client.remove_container(item.id, force=True, v=True)
