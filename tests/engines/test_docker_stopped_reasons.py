"""Why tasks stop on real containers: each reason and exit code of ECS that no other test on Docker brings about.

All tasks are started at once; each test waits for its own. Elsewhere on Docker: an
essential container that exits, a missing image, memory, a reason given to StopTask,
failed health checks, scaling activity, a host that fails, Spot (tests/parity), failed
checks of a load balancer and settings that Docker refuses (beside this file).
"""
from __future__ import annotations

import re

import pytest

from ecslab.region import start
from tests.parity.test_parity import Story
from tests.region.test_secrets import PULL_AND_LOG, role

from .test_docker_capacity import until

SPEED = 300  # a task waits half an hour for an instance: six seconds
NO_LOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/nowhere", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}
PULL = "ResourceInitializationError: unable to pull secrets or registry auth: "
EMPTY_GROUP = "empty"

# What never starts -> (what its container has, the task's stoppedReason).
NEVER_STARTED = {
    "a secret its role may not read": (
        {"secrets": [{"name": "KEY", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"}]},
        PULL + r".*unable to retrieve secret from asm: AccessDeniedException: .*",
    ),
    "a parameter its role may not read": ({"secrets": [{"name": "KEY", "valueFrom": "gone"}]}, PULL + r".*AccessDeniedException: .*"),
    "a log group that is not there": (
        {"logConfiguration": NO_LOGS},
        "ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log stream: "
        r"ResourceNotFoundException: The specified log group does not exist\.",
    ),
    "a private image": (
        {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1"},
        r"CannotPullContainerError: .*123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com/shop:1.*",
    ),
    "a registry nobody answers for": ({"image": "127.0.0.1:9/shop:1"}, r"CannotPullContainerError: .*127\.0\.0\.1:9.*"),
    "a program that is not in its image": (
        {"entryPoint": ["/no/such/program"]},
        r"CannotStartContainerError: Error response from daemon: .*/no/such/program.*",
    ),
    "a user that is not in its image": ({"user": "nobody-knows"}, r"Cannot(Create|Start)ContainerError: Error response from daemon: .*nobody-knows.*"),
    "a working directory that is no path": ({"workingDirectory": "here"}, r"CannotCreateContainerError: Error response from daemon: .*here.*"),
}
# How a container ends by itself -> its script, its exit code.
ENDS = {
    "cleanly": ("exit 0", 0),
    "with an error of its own": ("exit 1", 1),
    "on what is not executable": ("/etc/hostname", 126),
    "on what is not there": ("/no/such/program", 127),
    "by a crash": ("sh -c 'kill -SEGV $$'; exit $?", 139),
}


class Reasons(Story):
    """Every task of this file, by what happens to it."""

    def __init__(self, region):
        super().__init__(region)
        self.started: dict[str, str] = {}
        unable = role(self, "unable", *PULL_AND_LOG)  # but no secret
        for number, (what, (container, _)) in enumerate(NEVER_STARTED.items()):
            self.define(f"never-{number}", container=container, executionRoleArn=unable)
            self.started[what] = self.run(f"never-{number}")
        ends = [
            {"name": f"c{number}", "image": "ecslab/app:1.0", "entryPoint": ["sh", "-c", script], "essential": number == 0}
            for number, (script, _) in enumerate(ENDS.values())
        ]
        others = [{"containerName": c["name"], "condition": "COMPLETE"} for c in ends[1:]]
        ends[0]["dependsOn"] = others
        self.define("ends", containers=ends)
        self.started["ends"] = self.run("ends")
        self._waits()
        self._on_instances()

    def _waits(self) -> None:
        """A task that waits for an instance of a group that has none and gets none."""
        groups = self.region.client("autoscaling")
        groups.create_launch_configuration(LaunchConfigurationName="hosts", ImageId="ami-12c6146b", InstanceType="m5.large")
        groups.create_auto_scaling_group(
            AutoScalingGroupName="hosts", LaunchConfigurationName="hosts", MinSize=0, MaxSize=0, AvailabilityZones=["us-east-1a"]
        )
        scaling = {"status": "ENABLED"}
        self.ecs.create_capacity_provider(name="hosts", autoScalingGroupProvider={"autoScalingGroupArn": "hosts", "managedScaling": scaling})
        self.ecs.create_cluster(clusterName=EMPTY_GROUP, capacityProviders=["hosts"])
        self._small("small")
        strategy = [{"capacityProvider": "hosts", "weight": 1}]
        self.waiting = self.ecs.run_task(cluster=EMPTY_GROUP, taskDefinition="small", capacityProviderStrategy=strategy)["tasks"][0]["taskArn"]

    def _on_instances(self) -> None:
        """A task each on machines of its own; processes number 1 that have no handler for SIGTERM."""
        self.instances = {what: self.region.add_instance("demo") for what in ("deregistered", "terminated", "stopped")}
        for what, instance in self.instances.items():
            answer = self.ecs.start_task(cluster="demo", taskDefinition="small", containerInstances=[instance])
            self.started[what] = answer["tasks"][0]["taskArn"]
        self._small("deaf", entryPoint=["sleep", "9999"], stopTimeout=30)
        self._small("buried", entryPoint=["sleep", "9999"], stopTimeout=9000, linuxParameters={"initProcessEnabled": True})
        for what in ("deaf", "buried"):
            on = [self.instances["deregistered"]]
            self.started[what] = self.ecs.start_task(cluster="demo", taskDefinition=what, containerInstances=on)["tasks"][0]["taskArn"]

    def _small(self, family: str, **container) -> None:
        definition = {"name": "app", "image": "ecslab/app:1.0", "memory": 32, **container}
        self.ecs.register_task_definition(family=family, networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=[definition])

    def running(self, what: str) -> str:
        arn = self.started[what]
        until(lambda: self.task(arn)["lastStatus"] == "RUNNING", f"{what}: RUNNING")
        return arn

    def stopped(self, what: str) -> dict:
        arn = self.started[what]
        return until(lambda: (task := self.task(arn))["lastStatus"] == "STOPPED" and task, f"{what}: STOPPED")

    def why(self, what: str) -> tuple[str | None, str]:
        task = self.stopped(what)
        return task.get("stopCode"), task["stoppedReason"]

    def machine(self, what: str) -> str:
        found = self.ecs.describe_container_instances(cluster="demo", containerInstances=[self.instances[what]])
        return found["containerInstances"][0]["ec2InstanceId"]


@pytest.fixture(scope="module")
def reasons():
    with start(engine="docker", speed=SPEED) as region:
        yield Reasons(region)


@pytest.mark.parametrize("what", NEVER_STARTED)
def test_a_task_that_cannot_start_says_what_it_lacked(reasons, what):
    code, reason = reasons.why(what)
    assert code == "TaskFailedToStart"
    assert re.fullmatch(NEVER_STARTED[what][1], reason, re.DOTALL), reason
    container = reasons.stopped(what)["containers"][0]
    assert "exitCode" not in container
    assert container.get("reason") == (None if reason.startswith("Resource") else reason)


def test_exit_codes_are_the_shell_s_and_the_kernel_s(reasons):
    task = reasons.stopped("ends")
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    assert {c["name"]: c["exitCode"] for c in task["containers"]} == {f"c{n}": code for n, (_, code) in enumerate(ENDS.values())}


def test_sigterm_without_a_handler_is_lost_on_process_1_and_ends_it_under_an_init_process(reasons):
    codes = {}
    for what in ("deaf", "buried"):
        reasons.ecs.stop_task(cluster="demo", task=reasons.running(what))
        assert reasons.why(what) == ("UserInitiated", "Task stopped by user")
        codes[what] = reasons.stopped(what)["containers"][0]["exitCode"]
    assert codes == {"deaf": 137, "buried": 143}


def test_a_machine_that_is_terminated_or_stopped_names_itself(reasons):
    gone, stopped = reasons.machine("terminated"), reasons.machine("stopped")
    reasons.running("terminated"), reasons.running("stopped")
    reasons.ec2.terminate_instances(InstanceIds=[gone])
    reasons.ec2.stop_instances(InstanceIds=[stopped])
    assert reasons.why("terminated")[1] == f"Host EC2 (instance {gone}) terminated."
    assert reasons.why("stopped")[1] == f"Host EC2 (instance {stopped}) stopped/terminated."


def test_an_instance_that_is_deregistered_by_force_stops_its_tasks(reasons):
    reasons.running("deregistered")
    reasons.ecs.deregister_container_instance(cluster="demo", containerInstance=reasons.instances["deregistered"], force=True)
    assert reasons.why("deregistered") == (None, "Container instance deregistration forced by user")


def test_a_zone_that_fails_takes_its_tasks_with_it(reasons):
    arn = reasons.run("web")
    reasons.started["zone"] = arn
    zone = reasons.task(reasons.running("zone"))["availabilityZone"]
    reasons.region.fail_zone(zone)
    assert reasons.why("zone")[0] == "TerminationNotice"
    reasons.region.restore_zone(zone)


def test_a_task_that_got_no_instance_in_half_an_hour_fails_to_start(reasons):
    described = lambda: reasons.ecs.describe_tasks(cluster=EMPTY_GROUP, tasks=[reasons.waiting])["tasks"][0]  # noqa: E731
    task = until(lambda: (task := described())["lastStatus"] == "STOPPED" and task, "the end of the wait")
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", "TaskFailedToStart: EMPTY CAPACITY PROVIDER")
