"""One story, two engines: the API shows the same states in the same order.

Every scenario runs twice, on Docker and in virtual time, and tells what the API
showed. The two tellings must be equal. Docker is really used: without an
engine these tests fail.
"""
from __future__ import annotations

import re

import pytest

from ecslab.region import start
from tests.region.conftest import Lab

SPEED = 20.0
CHECK = {"command": ["CMD", "/app", "health"], "interval": 10, "timeout": 5, "retries": 2}


class Story(Lab):
    """A lab that can wait for something to come true, within bounded region time."""

    def __init__(self, region):
        super().__init__(region)
        self.ecs.create_cluster(clusterName="demo")
        self.define()
        self.define(image="ecslab/app:2.0")

    def until(self, come_true, minutes: float = 6) -> None:
        for _ in range(int(minutes * 30)):
            if come_true():
                return
            self.region.run_for("2s")
        raise AssertionError("it did not come true in time")

    def ended(self, arn: str) -> dict:
        self.until(lambda: self.task(arn)["lastStatus"] == "STOPPED")
        return self.end(arn)

    def end(self, arn: str) -> dict:
        """What is left to say of a task: its way, why it stopped, and how its containers ended."""
        task = self.task(arn)
        return {
            "states": self.region.history(arn),
            "stopCode": task.get("stopCode"),
            "stoppedReason": _plain(task.get("stoppedReason", "")),
            "health": task["healthStatus"],
            "containers": [
                (c["name"], c["lastStatus"], c.get("exitCode"), _plain(c.get("reason", ""))) for c in task["containers"]
            ],
            "attachments": [a["status"] for a in task["attachments"]],
        }

    def stable(self, name: str = "web"):
        return lambda: [d["rolloutState"] for d in self.service(name)["deployments"]] == ["COMPLETED"]

    def diary(self, name: str = "web") -> list[str]:
        """The service's events, without ids. Tasks started or stopped one after the other count together."""
        told: list[str] = []
        counts: list[int] = []
        for message in self.messages(name):
            tasks = message.count("(task ")
            kind = re.sub(r"\d+ (running )?tasks: .*", "tasks", _plain(message)) if tasks else _plain(message)
            if told and told[-1] == kind:
                counts[-1] += tasks
            else:
                told.append(kind)
                counts.append(tasks)
        return [f"{kind} x {count}" if count else kind for kind, count in zip(told, counts)]


def _plain(text: str) -> str:
    text = re.sub(r"\(task \w{32}\)", "(task)", text)
    text = re.sub(r"ecs-svc/\d+", "ecs-svc/N", text)
    return re.sub(r"^(CannotPullContainerError): .*", r"\1", text)


# Tasks --------------------------------------------------------------------------


def stopped_by_a_user(story):
    arn = story.run()
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    answer = story.ecs.stop_task(cluster="demo", task=arn, reason="enough")["task"]
    return answer["desiredStatus"], answer["stopCode"], story.ended(arn)


def exits_by_itself(story):
    story.define("job", command=["--exit-after", "5", "--exit-code", "3"])
    return story.ended(story.run("job"))


def clean_exit_of_an_essential_container(story):
    story.define("job", command=["--exit-after", "5"])
    return story.ended(story.run("job"))


def missing_image(story):
    story.define("typo", image="ecslab/app:9.9")
    return story.ended(story.run("typo"))


def out_of_memory(story):
    story.define("leaky", command=["--leak", "10"], container={"memory": 64})
    return story.ended(story.run("leaky"))


def ignores_sigterm(story):
    story.define("deaf", command=["--ignore-sigterm"], container={"stopTimeout": 20})
    arn = story.run("deaf")
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    story.ecs.stop_task(cluster="demo", task=arn)
    return story.ended(arn)


def killed_from_outside(story):
    arn = story.run()
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    story.region.kill(arn)
    return story.ended(arn)


def turns_unhealthy_and_is_left_alone(story):
    story.define("sick", command=["--unhealthy-after", "45"], container={"healthCheck": CHECK})
    arn = story.run("sick")
    seen = []
    for wanted in ("HEALTHY", "UNHEALTHY"):
        story.until(lambda: story.task(arn)["healthStatus"] == wanted)
        seen.append(wanted)
    return seen, story.task(arn)["lastStatus"]


def init_container_then_app(story):
    story.define(
        "chain",
        containers=[
            {"name": "init", "image": "ecslab/app:1.0", "essential": False, "command": ["--exit-after", "3"]},
            {
                "name": "app", "image": "ecslab/app:1.0", "command": ["--port", "81", "--exit-after", "10"],
                "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
            },
        ],
    )  # fmt: skip
    return story.ended(story.run("chain"))


def init_container_fails(story):
    story.define(
        "chain",
        containers=[
            {"name": "init", "image": "ecslab/app:1.0", "essential": False, "command": ["--exit-after", "3", "--exit-code", "1"]},
            {"name": "app", "image": "ecslab/app:1.0", "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]},
        ],
    )
    return story.ended(story.run("chain"))


def waits_for_a_healthy_neighbour(story):
    story.define(
        "pair",
        containers=[
            {"name": "db", "image": "ecslab/app:1.0", "command": ["--start-delay", "15"], "healthCheck": CHECK},
            {
                "name": "app", "image": "ecslab/app:1.0", "command": ["--port", "81"],
                "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
            },
        ],
    )  # fmt: skip
    arn = story.run("pair")
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    story.ecs.stop_task(cluster="demo", task=arn)
    return story.ended(arn)


def sidecar_that_is_not_essential(story):
    story.define(
        "pair",
        containers=[
            {"name": "app", "image": "ecslab/app:1.0"},
            {"name": "side", "image": "ecslab/app:1.0", "essential": False, "command": ["--port", "81", "--exit-after", "5"]},
        ],
    )
    arn = story.run("pair")
    story.until(lambda: story.task(arn)["containers"][1]["lastStatus"] == "STOPPED")
    return story.end(arn)


# Services -------------------------------------------------------------------------


def service_heals(story):
    story.serve(count=2)
    story.until(story.stable())
    victim = sorted(t["taskArn"] for t in story.tasks())[0]
    story.region.kill(victim)
    story.until(lambda: story.messages()[-1].endswith("steady state.") and len(story.messages()) > 4)
    return story.diary(), story.end(victim)


def rolling_update(story):
    story.serve(count=2, definition="web:1")
    story.until(story.stable())
    story.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    story.until(lambda: len(story.service()["deployments"]) == 1 and story.stable()())
    return story.diary(), sorted(t["taskDefinitionArn"].rpartition("/")[2] for t in story.tasks())


def sick_task_is_replaced(story):
    story.define("sick", command=["--unhealthy-after", "60"], container={"healthCheck": CHECK})
    story.serve("sick", "sick", count=1)
    story.until(story.stable("sick"))
    first = story.tasks("sick")[0]["taskArn"]
    return story.ended(first)


def breaker_rolls_back(story):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    story.serve(count=1, definition="web:1", deploymentConfiguration=breaker)
    story.until(story.stable())
    story.define(image="ecslab/app:9.9")
    story.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    story.until(lambda: any("rolling back" in m for m in story.messages()))
    story.until(story.stable())
    return [m for m in story.diary() if "deployment" in m]


def scaled_in_and_deleted(story):
    story.serve(count=3)
    story.until(story.stable())
    story.ecs.update_service(cluster="demo", service="web", desiredCount=1)
    story.until(lambda: story.service()["runningCount"] == 1)
    story.ecs.delete_service(cluster="demo", service="web", force=True)
    story.until(lambda: story.service()["status"] == "INACTIVE")
    reasons = {(t["stopCode"], _plain(t["stoppedReason"])) for t in story.tasks(status="STOPPED")}
    return sorted(reasons), len(story.tasks(status="STOPPED")), story.tasks()


def bridge_mode_on_an_instance(story):
    story.region.add_instance("demo")
    story.define(
        "old", networkMode="bridge", requiresCompatibilities=["EC2"],
        container={"portMappings": [{"containerPort": 80}]},
    )  # fmt: skip
    arn = story.run("old", launchType="EC2", networkConfiguration={})
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    binding = story.task(arn)["containers"][0]["networkBindings"][0]
    story.ecs.stop_task(cluster="demo", task=arn)
    return {name: binding[name] for name in ("bindIP", "containerPort", "protocol")}, story.ended(arn)


SCENARIOS = [
    stopped_by_a_user, exits_by_itself, clean_exit_of_an_essential_container, missing_image, out_of_memory, ignores_sigterm,
    killed_from_outside, turns_unhealthy_and_is_left_alone, init_container_then_app, init_container_fails,
    waits_for_a_healthy_neighbour, sidecar_that_is_not_essential, service_heals, rolling_update, sick_task_is_replaced,
    breaker_rolls_back, scaled_in_and_deleted, bridge_mode_on_an_instance,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_both_engines_tell_the_same_story(scenario):
    told = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            told[engine] = scenario(Story(region))
    assert told["docker"] == told["simulated"]
