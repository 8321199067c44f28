"""Instances that drain, die and are taken back: the same story on both engines, in one region each."""
from __future__ import annotations

from collections import Counter

from ecslab.region import start
from tests.parity.test_parity import SPEED, Story


def running(story, service):
    return Counter(t.get("availabilityZone") for t in story.tasks(service) if t["lastStatus"] == "RUNNING")


def tell(region) -> dict:
    story = Story(region)
    told = {}
    first, second = (region.add_instance("demo", zone=zone) for zone in ("us-east-1a", "us-east-1b"))
    story.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    story.serve("small", "small", count=2, launchType="EC2", networkConfiguration={})
    story.ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="small", schedulingStrategy="DAEMON", launchType="EC2")
    story.until(lambda: sum((running(story, "small") + running(story, "agent")).values()) == 4)
    told["each instance has one of both"] = running(story, "small"), running(story, "agent")

    story.ecs.update_container_instances_state(cluster="demo", containerInstances=[first], status="DRAINING")
    story.until(lambda: running(story, "small") == {"us-east-1b": 2} and running(story, "agent") == {"us-east-1b": 1})
    told["after the drain"] = story.service("agent")["desiredCount"], sorted(t["stopCode"] for t in story.tasks("small", "STOPPED"))
    story.ecs.update_container_instances_state(cluster="demo", containerInstances=[first], status="ACTIVE")

    lost = story.tasks("small")[0]["taskArn"]
    machine = story.ecs.describe_container_instances(cluster="demo", containerInstances=[second])["containerInstances"][0]["ec2InstanceId"]
    region.fail_instance(second)
    end = story.ended(lost)
    told["a task of the dead host"] = {**end, "stoppedReason": end["stoppedReason"].replace(machine, "i-1")}
    story.until(lambda: running(story, "small") == {"us-east-1a": 2})

    story.ecs.create_cluster(clusterName="spot", capacityProviders=["FARGATE_SPOT"])
    provider = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    spot = {"cluster": "spot", "taskDefinition": "web:1", "networkConfiguration": story.network, "capacityProviderStrategy": provider}
    task = story.ecs.run_task(**spot)["tasks"][0]["taskArn"]

    def shown():
        return story.ecs.describe_tasks(cluster="spot", tasks=[task])["tasks"][0]

    story.until(lambda: shown()["lastStatus"] == "RUNNING")
    region.interrupt_spot()
    story.until(lambda: shown()["lastStatus"] == "STOPPED")
    told["interrupted"] = shown()["stopCode"], shown()["stoppedReason"], shown()["containers"][0]["exitCode"]
    return told


def test_both_engines_tell_the_same_of_instances():
    told = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            told[engine] = tell(region)
    assert told["docker"] == told["simulated"]
    assert told["docker"]["interrupted"][0] == "SpotInterruption"
