"""Deployments behind load balancers: one story on both engines, with real HTTP on Docker.

A story tells what users got, how service deployments ended, and the service's
diary. Shares of versions are told as which were seen: on Docker, seconds are not
counted to the request.
"""
from __future__ import annotations

import re

import pytest

from ecslab.region import start
from tests.parity.test_parity import SPEED, Story
from tests.region.test_load_balancing import BREAKER, Balanced
from tests.region.test_native_deployments import ROLE

REGISTERED = re.compile(r"\(target-group arn:[^)]*targetgroup/(\w+)/\w+\)")


def patient(web: Balanced) -> None:
    """A busy machine that stalls for a moment is no broken release."""
    wait = [{"Key": "idle_timeout.timeout_seconds", "Value": "600"}]
    web.elb.modify_load_balancer_attributes(LoadBalancerArn=web.balancer["LoadBalancerArn"], Attributes=wait)


class Front(Balanced):
    """A load balancer with a service behind it, checked every five seconds."""

    def __init__(self, story, **options):
        super().__init__(story, delay=20, HealthCheckIntervalSeconds=5)
        story.define(image="ecslab/app:2.0", command=["--unhealthy-after", "0"])  # web:3
        self.story = story
        patient(self)
        self.serve(count=2, definition="web:1", **options)
        story.until(story.stable())

    def release(self, revision, seconds="100s"):
        """(failed requests, versions seen) while the revision is shipped under load."""
        self.story.ecs.update_service(cluster="demo", service="web", taskDefinition=revision)
        report = self.story.region.load(self.url, rps=2, for_=seconds)
        return report.failed, sorted(report.by_version)

    def records(self):
        found = self.story.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"]
        return [record["status"] for record in found]

    def diary(self):
        """Which kinds of event there were, without numbers: on Docker tasks come one by one."""
        told = {REGISTERED.sub(r"(\1)", re.sub(r"\d+ (running )?(tasks|targets).*?(?= in |$)", r"\2", line)) for line in self.story.diary()}
        return sorted(re.sub(r"x \d+$", "", line) for line in told if "unhealthy" not in line)


def rolling_update(story):
    front = Front(story)
    told = front.release("web:2")
    story.until(story.stable())
    return told, front.records(), front.diary()


def breaker_rolls_back(story):
    front = Front(story, deploymentConfiguration=BREAKER)
    told = front.release("web:3", "150s")
    story.until(story.stable())
    return told, front.records()


def sick_target_is_replaced(story):
    story.define("web", command=["--unhealthy-after", "40"])
    front = Front(story)
    story.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    story.until(lambda: story.tasks(status="STOPPED") and any("ELB" in t["stoppedReason"] for t in story.tasks(status="STOPPED")))
    reasons = {REGISTERED.sub(r"(\1)", t["stoppedReason"]) for t in story.tasks(status="STOPPED") if "ELB" in t["stoppedReason"]}
    return reasons, front.records()[-1]


def shifting(strategy, **settings):
    def story_(story):
        front = Balanced(story, delay=20, HealthCheckIntervalSeconds=5)
        patient(front)
        green = front.new_group("green", delay=20, HealthCheckIntervalSeconds=5)
        rule = front.elb.describe_rules(ListenerArn=front.listener)["Rules"][0]["RuleArn"]
        advanced = {"alternateTargetGroupArn": green, "productionListenerRule": rule, "roleArn": ROLE}
        front.serve(
            count=2, definition="web:1", deploymentConfiguration={"strategy": strategy, "bakeTimeInMinutes": 0, **settings},
            loadBalancers=[front.entry(advancedConfiguration=advanced)],
        )  # fmt: skip
        story.until(story.stable())
        story.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
        report = story.region.load(front.url, rps=2, for_="150s")
        story.until(story.stable())
        shares = [sample.traffic for sample in story.region.timeline("web").samples if sample.traffic]
        newest = story.service()["deployments"][0]["id"]
        return report.failed, sorted(report.by_version), list(dict.fromkeys(share.get(newest, 0) for share in shares))

    story_.__name__ = strategy.lower()
    return story_


SCENARIOS = [
    rolling_update,
    breaker_rolls_back,
    sick_target_is_replaced,
    shifting("BLUE_GREEN"),
    shifting("CANARY", canaryConfiguration={"canaryPercent": 25.0, "canaryBakeTimeInMinutes": 1}),
    shifting("LINEAR", linearConfiguration={"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_both_engines_tell_the_same_story(scenario):
    told = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            told[engine] = scenario(Story(region))
    assert told["docker"] == told["simulated"]
