"""The closed loop on both engines: CPU that is really burnt, metrics, alarms, policies, tasks."""
from __future__ import annotations

from ecslab.region import start
from tests.parity.test_parity import Story
from tests.region.test_auto_scaling import CPU, WEB

SPEED = 60.0


def busy_for_a_while(story):
    """The desired counts that the policy set, and the words of its activities.

    The target is so low that a machine with other things to do, too, comes to the same counts.
    """
    story.serve(count=2, definition="web:1")
    story.until(lambda: len(story.tasks()) == 2)
    aas = story.region.client("application-autoscaling")
    aas.register_scalable_target(**WEB, MinCapacity=1, MaxCapacity=4)
    configuration = {"TargetValue": 30.0, "ScaleInCooldown": 60, **CPU}
    aas.put_scaling_policy(**WEB, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration)
    for task in story.tasks():
        address = task["attachments"][0]["details"][-1]["value"]
        story.until(lambda at=address: story.region.get(f"{at}/health").status == 200)
        assert story.region.get(f"{address}/burn?seconds=480").status == 200
    story.until(lambda: len(story.tasks()) == 4, minutes=10)
    story.until(lambda: len(story.tasks()) == 1, minutes=30)
    story.region.run_for("1m")
    done = aas.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    return [(a["Description"], a["StatusCode"], a["Cause"].partition("Alarm")[2][:4]) for a in reversed(done)]


def test_both_engines_scale_out_and_in_alike():
    told = []
    for engine, speed in (("docker", SPEED), ("simulated", None)):
        with start(engine=engine, speed=speed) as region:
            told.append(busy_for_a_while(Story(region)))
    assert told[0] == told[1] == [("Setting desired count to 4.", "Successful", "High"), ("Setting desired count to 1.", "Successful", "Low-")]
