"""What one container prints, in CloudWatch Logs, beside the same container read with docker-py."""
from __future__ import annotations

import docker

from .docker_tasks import _region, _until
from .endpoint import DEFINITION
from .measure import alternating, row, seconds

LINES = 30_000
COMMAND = ["seq", "1", str(LINES)]
GROUP = "/benchmark"
OPTIONS = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
ROLE = "arn:aws:iam::123456789012:role/execution"


def _raw() -> None:
    api = docker.APIClient()
    container = api.create_container("ecslab/app:1.0", entrypoint=COMMAND)["Id"]
    try:
        api.start(container)
        printed = b"".join(api.logs(container, stream=True, follow=True))
        assert printed.count(b"\n") == LINES
    finally:
        api.remove_container(container, force=True)
        api.close()


def many_lines():
    """From RunTask until the last line is in its stream; then every line is counted."""
    with _region() as (region, ecs, network):
        logs = region.client("logs")
        logs.create_log_group(logGroupName=GROUP)
        container = {"name": "app", "image": "ecslab/app:1.0", "entryPoint": COMMAND, "logConfiguration": {"logDriver": "awslogs", "options": OPTIONS}}
        ecs.register_task_definition(**{**DEFINITION, "family": "many-lines", "executionRoleArn": ROLE, "containerDefinitions": [container]})

        def last(stream: str) -> list[str]:
            streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]
            return streams and [e["message"] for e in logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=1)["events"]]

        def ours() -> float:
            streams: list[str] = []

            def print_them() -> None:
                task = ecs.run_task(cluster="demo", taskDefinition="many-lines", launchType="FARGATE", networkConfiguration=network)["tasks"][0]
                streams.append(f"ecs/app/{task['taskArn'].rpartition('/')[2]}")
                _until(lambda: last(streams[0]) == [str(LINES)])

            took = seconds(print_them)
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=streams)
            assert [e["message"] for page in pages for e in page["events"]] == [str(n) for n in range(1, LINES + 1)]
            return took

        took, other = alternating(ours, lambda: seconds(_raw), 3)
        yield row(f"{LINES:,} lines to awslogs", took, other, f"{LINES / took:,.0f} lines/s from RunTask on, none lost; >= 10,000")


BENCHMARKS = {"logs": many_lines}
