"""The endpoint beside moto's own: starting, and describing a service."""
from __future__ import annotations

import subprocess
import sys

import boto3


from .measure import alternating, row, seconds

BARE = "from moto.server import ThreadedMotoServer; s = ThreadedMotoServer('127.0.0.1', 0, verbose=False); s.start(); print(1)"
OURS = "from ecslab.region import start; r = start(engine='docker'); print(1, flush=True)"


def _to_ready(code: str) -> float:
    """From starting Python until the endpoint answers."""

    def work():
        process = subprocess.Popen([sys.executable, "-c", code + "\nimport sys; sys.stdout.flush(); sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    begun: list = []
    took = seconds(lambda: begun.append(work()))
    begun[0].stdin.close()
    begun[0].wait(timeout=60)
    return took


def region_start():
    ours, bare = alternating(lambda: _to_ready(OURS), lambda: _to_ready(BARE), 5)
    yield row("region start", ours, bare, "<= 1.5 x a bare moto server")


DEFINITION = {
    "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "ecslab/app:1.0"}],
}  # fmt: skip


def _service(ecs, ec2):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ecs.create_cluster(clusterName="demo")
    ecs.register_task_definition(**DEFINITION)
    ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
    )  # fmt: skip
    return lambda: ecs.describe_services(cluster="demo", services=["web"])


MOTO = """
import moto.server, sys
s = moto.server.ThreadedMotoServer('127.0.0.1', 0, verbose=False); s.start()
print(s.get_host_and_port()[1], flush=True); sys.stdin.read()
"""


def describe_services(calls: int = 200):
    moto = subprocess.Popen(
        [sys.executable, "-c", MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    served = subprocess.Popen([sys.executable, "-m", "ecslab", "serve", "--engine", "simulated", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        endpoints = (served.stdout.readline().split()[4], f"http://127.0.0.1:{moto.stdout.readline().strip()}")
        options = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        asks = [_service(*(boto3.client(n, endpoint_url=url, **options) for n in ("ecs", "ec2"))) for url in endpoints]
        ours, other = alternating(*(lambda ask=ask: seconds(lambda: [ask() for _ in range(calls)]) / calls for ask in asks), 5)
        yield row("DescribeServices", ours, other, "<= 1.2 x moto's")
    finally:
        moto.stdin.close()
        moto.wait(timeout=10)
        served.terminate()
        served.wait(timeout=10)


BENCHMARKS = {"region-start": region_start, "describe-services": describe_services}
