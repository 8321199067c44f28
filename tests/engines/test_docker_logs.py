"""awslogs on real containers: live, in order, and nothing lost."""
import pytest

from ecslab.region import start
from tests.parity.test_parity import Story
from tests.region.test_logs import ROLE, Logged

LINES = 10_000
MANY = ["sh", "-c", f"seq 1 {LINES}; echo out of breath; exit 4"]
SLOW = ["sh", "-c", "echo first; sleep 300"]


@pytest.fixture(scope="module")
def logged():
    with start(engine="docker", speed=10) as region:
        logged = Logged(Story(region))
        logged.logs.create_log_group(logGroupName="/shop/web")
        yield logged


def print_with(logged, family, command):
    logging = {"logDriver": "awslogs", "options": {"awslogs-group": "/shop/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}
    container = {"name": "app", "image": "ecslab/app:1.0", "entryPoint": command, "logConfiguration": logging}
    logged.lab.define(family, containers=[container], executionRoleArn=ROLE)
    return logged.lab.task(logged.lab.run(family))


def everything(logged, task):
    stream = f"ecs/app/{task['taskArn'].rpartition('/')[2]}"
    pages = logged.logs.get_paginator("filter_log_events").paginate(logGroupName="/shop/web", logStreamNames=[stream])
    return [event["message"] for page in pages for event in page["events"]]


def test_ten_thousand_lines_at_once_are_all_there_in_order_when_the_task_has_stopped(logged):
    task = print_with(logged, "many", MANY)
    logged.lab.ended(task["taskArn"])
    assert logged.lab.task(task["taskArn"])["containers"][0]["exitCode"] == 4
    assert everything(logged, task) == [str(n) for n in range(1, LINES + 1)] + ["out of breath"]


def test_a_line_is_there_while_its_container_runs_and_after_it_was_killed(logged):
    task = print_with(logged, "slow", SLOW)
    logged.lab.until(lambda: everything(logged, task) == ["first"])
    assert logged.lab.task(task["taskArn"])["lastStatus"] in ("PENDING", "ACTIVATING", "RUNNING")
    logged.lab.until(lambda: logged.lab.task(task["taskArn"])["lastStatus"] == "RUNNING")
    logged.lab.region.kill(task["taskArn"])
    logged.lab.ended(task["taskArn"])
    assert everything(logged, task) == ["first"]
