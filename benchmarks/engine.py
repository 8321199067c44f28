"""How much the Docker engine adds to Docker itself.

One task, and twenty at once, against the same containers created and started
with docker-py alone. Run: python benchmarks/engine.py
"""
from __future__ import annotations

import statistics
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from ecslab.engines import images
from ecslab.engines.base import ContainerFailed, Created, Network, Started, TaskFailed, TaskSpec
from ecslab.engines.docker import DockerEngine
from ecslab.engines.docker_daemon import connect

GOAL = 1.25
ROUNDS = 9
AT_ONCE = 20
WITHIN = 60  # seconds any task may take


class Bench:
    def __init__(self):
        self.running: dict[str, threading.Event] = {}
        self.region_id = f"bench-{uuid.uuid4().hex[:8]}"
        self.engine = DockerEngine(self.observe, region_id=self.region_id)
        self.docker = connect(connections=AT_ONCE)
        images.ensure_app_images(self.docker)
        self.cidr = self.engine.free_cidr([f"10.{n}.0.0/16" for n in range(180, 200)])
        self.number = 0

    def observe(self, seen) -> None:
        if isinstance(seen, Created):
            self.engine.start(seen.task_id, "app")
        elif isinstance(seen, (Started, TaskFailed, ContainerFailed)):
            if not isinstance(seen, Started):
                print(seen, file=sys.stderr)
            self.running[seen.task_id].set()

    def address(self) -> str:
        self.number += 1
        return self.cidr.replace("0.0/16", f"{1 + self.number // 200}.{10 + self.number % 200}")

    def spec(self) -> TaskSpec:
        address, task_id = self.address(), uuid.uuid4().hex
        mac = "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        return TaskSpec(
            task_id=task_id,
            task_arn=f"arn:aws:ecs:us-east-1:123456789012:task/bench/{task_id}",
            cluster="bench",
            family="web",
            revision=1,
            network_mode="awsvpc",
            containers=({"name": "app", "image": "ecslab/app:1.0"},),
            cpu=256,
            memory=512,
            network=Network("vpc-1", self.cidr, "subnet-1", "eni-1", address, mac),
        )

    def ours(self, count: int) -> float:
        specs = [self.spec() for _ in range(count)]
        self.running.update({spec.task_id: threading.Event() for spec in specs})
        began = time.perf_counter()
        for spec in specs:
            self.engine.prepare(spec)
        for spec in specs:
            assert self.running[spec.task_id].wait(WITHIN)
        seconds = time.perf_counter() - began
        gone = [self.docker.containers(all=True, filters={"label": f"com.amazonaws.ecs.task-arn={s.task_arn}"}) for s in specs]
        self.remove([c["Id"] for containers in gone for c in containers])
        return seconds

    def raw(self, count: int) -> float:
        addresses = [self.address() for _ in range(count)]
        with ThreadPoolExecutor(count) as pool:
            began = time.perf_counter()
            made = list(pool.map(self.raw_task, addresses))
            seconds = time.perf_counter() - began
        self.remove([container for pair in made for container in pair])
        return seconds

    def raw_task(self, address: str) -> tuple[str, str]:
        api, network = self.docker, f"ecslab-{self.region_id}-vpc-1"
        labels = {"ecslab.region": self.region_id}
        endpoint = api.create_networking_config({network: api.create_endpoint_config(ipv4_address=address)})
        host = api.create_host_config(network_mode=network)
        pause = api.create_container(images.PAUSE, host_config=host, networking_config=endpoint, labels=labels)["Id"]
        api.start(pause)
        host = api.create_host_config(
            network_mode=f"container:{pause}", cpu_shares=2, cpu_quota=25_000, cpu_period=100_000, mem_limit=512 * 2**20
        )
        app = api.create_container("ecslab/app:1.0", host_config=host, labels=labels)["Id"]
        api.start(app)
        return pause, app

    def remove(self, containers: list[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda c: self.docker.remove_container(c, force=True), containers))


def main() -> int:
    bench = Bench()
    missed = 0
    try:
        bench.ours(1)  # makes the VPC's network
        for count, rounds in ((1, ROUNDS), (AT_ONCE, 3)):
            pairs = [(bench.ours(count), bench.raw(count)) for _ in range(rounds)]
            ours, raw = (statistics.median(column) for column in zip(*pairs))
            print(f"{count:3} task(s): {ours:.3f} s, Docker alone {raw:.3f} s, ratio {ours / raw:.2f} (goal {GOAL})")
            missed += ours / raw > GOAL
    finally:
        bench.engine.close()
    return missed


if __name__ == "__main__":
    sys.exit(main())
