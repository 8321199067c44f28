"""Tasks on Docker beside the same containers started by hand."""
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import docker

from ecslab.engines.images import PAUSE
from ecslab.region import start

from .endpoint import DEFINITION
from .measure import alternating, row, seconds

MANY = 20


@contextmanager
def _region():
    with start(engine="docker") as region:
        ecs, ec2 = region.client("ecs"), region.client("ec2")
        ecs.create_cluster(clusterName="demo")
        ecs.register_task_definition(**DEFINITION)
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]
        yield region, ecs, {"awsvpcConfiguration": {"subnets": subnets[:2]}}


def _run(ecs, network, count: int = 1) -> list[str]:
    """That many tasks, all RUNNING when this returns."""
    arns: list[str] = []
    while len(arns) < count:
        answer = ecs.run_task(cluster="demo", taskDefinition="web", launchType="FARGATE", networkConfiguration=network, count=min(10, count - len(arns)))
        arns += [t["taskArn"] for t in answer["tasks"]]
    _until(lambda: all(t["lastStatus"] == "RUNNING" for t in ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"]))
    return arns


def _until(come_true, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not come_true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)


def _stop(ecs, arns: list[str]) -> None:
    for arn in arns:
        ecs.stop_task(cluster="demo", task=arn)
    _until(lambda: all(t["lastStatus"] == "STOPPED" for t in ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"]))


class _Raw:
    """The same two containers of a task, created and started with docker-py, one after the other."""

    def __init__(self):
        self._api = docker.APIClient(num_pools=MANY + 2)
        config = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.250.0.0/16")])
        self._network = self._api.create_network("ecslab-benchmark", ipam=config)["Id"]
        self._made: list[str] = []

    def start(self) -> None:
        api = self._api
        pause = api.create_container(PAUSE, host_config=api.create_host_config(network_mode=self._network))["Id"]
        api.start(pause)
        app = api.create_container("ecslab/app:1.0", host_config=api.create_host_config(network_mode=f"container:{pause}"))["Id"]
        api.start(app)
        self._made += [app, pause]

    def clear(self) -> None:
        for container in self._made:
            self._api.remove_container(container, force=True)
        self._made.clear()

    def close(self) -> None:
        self.clear()
        self._api.remove_network(self._network)


@contextmanager
def _both():
    with _region() as (region, ecs, network):
        raw = _Raw()
        try:
            yield region, ecs, network, raw
        finally:
            raw.close()


def _raw_starts(raw: _Raw, count: int) -> float:
    with ThreadPoolExecutor(count) as pool:
        took = seconds(lambda: list(pool.map(lambda _: raw.start(), range(count))))
    raw.clear()
    return took


def run_task():
    with _both() as (_, ecs, network, raw):

        def ours() -> float:
            arns: list[str] = []
            took = seconds(lambda: arns.extend(_run(ecs, network)))
            _stop(ecs, arns)
            return took

        yield row("RunTask to RUNNING", *alternating(ours, lambda: _raw_starts(raw, 1), 15), "<= 1.25 x raw create and start")


def many_tasks():
    with _both() as (_, ecs, network, raw):

        def ours() -> float:
            arns: list[str] = []
            took = seconds(lambda: arns.extend(_run(ecs, network, MANY)))
            _stop(ecs, arns)
            return took

        yield row(f"{MANY} tasks at once", *alternating(ours, lambda: _raw_starts(raw, MANY), 3), "<= 1.25 x raw in parallel")


def replacement():
    with _both() as (_, ecs, network, raw):
        ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1, launchType="FARGATE", networkConfiguration=network)
        api = docker.APIClient()

        def tasks():
            arns = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]
            return ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if arns else []

        def running(but: str = "") -> bool:
            return any(t["lastStatus"] == "RUNNING" and t["taskArn"] != but for t in tasks())

        def ours() -> float:
            _until(running)
            victim = tasks()[0]
            api.kill(victim["containers"][0]["runtimeId"])
            return seconds(lambda: _until(lambda: running(victim["taskArn"])))

        yield row("kill to replacement", *alternating(ours, lambda: _raw_starts(raw, 1), 10), "<= raw start + 100 ms", difference=True)


def stop_task():
    with _region() as (_, ecs, network):

        def ours() -> float:
            (arn,) = _run(ecs, network)
            took = seconds(lambda: ecs.stop_task(cluster="demo", task=arn))
            _until(lambda: ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED")
            return took

        took, other = alternating(ours, lambda: seconds(lambda: ecs.list_clusters()), 10)
        yield row("StopTask round trip", took, other, "<= 20 ms (beside ListClusters)")


BENCHMARKS = {"run-task": run_task, "many-tasks": many_tasks, "replacement": replacement, "stop-task": stop_task}
