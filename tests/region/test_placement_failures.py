"""Why a task finds no place: RunTask's and StartTask's failures, and the service's events, in ECS's words."""
from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MET = "was unable to place a task because no container instance met all of its requirements."
ON_EC2 = {"networkMode": "bridge", "requiresCompatibilities": ["EC2"]}


def small(**fields):
    return {"cpu": "256", "memory": "128", **ON_EC2, **fields}


def ports(number):
    return {"portMappings": [{"containerPort": 80, "hostPort": number}]}


def stop_agent(lab):
    lab.region.fail_instance(lab.arn)


def drain(lab):
    lab.ecs.update_container_instances_state(cluster="demo", containerInstances=[lab.arn], status="DRAINING")


# definition, what happens to the instance (m5.large in us-east-1a) before, the failure's reason, the event's end
REASONS = {
    "CPU": (small(cpu="4096"), None, "RESOURCE:CPU", "has insufficient CPU units available."),
    "memory": (small(memory="30000"), None, "RESOURCE:MEMORY", "has insufficient memory available."),
    "port": (small(container=ports(22)), None, "RESOURCE:PORTS", "is already using a port required by your task."),
    "gpu": (small(container={"resourceRequirements": [{"type": "GPU", "value": "1"}]}), None, "RESOURCE:GPU", 'encountered error "RESOURCE:GPU".'),
    "agent": (small(), stop_agent, "AGENT", 'encountered error "AGENT".'),
    "draining": (small(), drain, "INACTIVE", 'encountered error "INACTIVE".'),
    "constraint": (
        small(placementConstraints=[{"type": "memberOf", "expression": "attribute:color == green"}]),
        None,
        "MemberOf placement constraint unsatisfied.",
        'encountered error "MemberOf placement constraint unsatisfied.".',
    ),
}


@pytest.fixture
def one(lab):
    lab.arn = lab.region.add_instance("demo", zone="us-east-1a")
    return lab


@pytest.mark.parametrize("definition, before, reason, tail", REASONS.values(), ids=REASONS)
def test_run_task_names_the_reason_and_the_service_says_it(one, definition, before, reason, tail):
    one.define("task", **definition)
    if before:
        before(one)
    answer = one.ecs.run_task(cluster="demo", taskDefinition="task", launchType="EC2")
    assert answer["tasks"] == [] and [(f["arn"], f["reason"]) for f in answer["failures"]] == [(one.arn, reason)]
    one.serve("task", "task", count=1, launchType="EC2", networkConfiguration={})
    one.region.run_for("1m")
    closest = one.arn.rpartition("/")[2]
    assert one.messages("task")[-1] == f"(service task) {MET} The closest matching (container-instance {closest}) {tail}"


def test_a_task_with_its_own_interface_runs_only_in_the_zones_of_its_subnets(one):
    one.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    by_zone = {s["AvailabilityZone"]: s["SubnetId"] for s in one.ec2.describe_subnets()["Subnets"]}

    def run(zone):
        network = {"awsvpcConfiguration": {"subnets": [by_zone[zone]]}}
        return one.ecs.run_task(cluster="demo", taskDefinition="own", launchType="EC2", networkConfiguration=network)

    assert [f["reason"] for f in run("us-east-1b")["failures"]] == ["LOCATION"]
    assert run("us-east-1a")["tasks"][0]["availabilityZone"] == "us-east-1a"


def test_every_instance_that_was_looked_at_has_a_failure_of_its_own(one):
    one.region.add_instance("demo", "t3.micro", zone="us-east-1b")
    one.define("task", **small(cpu="2048", memory="4000"))
    answer = one.ecs.run_task(cluster="demo", taskDefinition="task", launchType="EC2", count=2)
    assert len(answer["tasks"]) == 1 and sorted(f["reason"] for f in answer["failures"]) == ["RESOURCE:CPU", "RESOURCE:MEMORY"]


def test_start_task_says_why_its_instance_cannot(one):
    one.define("task", **small(cpu="4096"))
    answer = one.ecs.start_task(cluster="demo", taskDefinition="task", containerInstances=[one.arn])
    assert answer["tasks"] == [] and answer["failures"] == [{"arn": one.arn, "reason": "RESOURCE:CPU"}]


def test_distinct_instances_leave_the_tasks_beyond_them_unplaced(one):
    one.define("task", **small())
    one.serve("task", "task", count=2, launchType="EC2", networkConfiguration={}, placementConstraints=[{"type": "distinctInstance"}])
    one.region.run_for("1m")
    shown = one.service("task")
    assert (shown["runningCount"], shown["desiredCount"]) == (1, 2)
    one.region.add_instance("demo")
    one.region.run_for("1m")
    assert one.service("task")["runningCount"] == 2


# Whatever is asked for, an instance never holds more than it has.

TASK = st.tuples(st.sampled_from([128, 512, 1024]), st.sampled_from([64, 900, 3000]), st.sampled_from([None, 8080, 9090]))
STEP = st.one_of(
    st.tuples(st.just("run"), TASK, st.integers(1, 10)),
    st.tuples(st.just("stop"), st.integers(0, 30)),
    st.tuples(st.just("drain"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("serve"), TASK, st.integers(0, 12)),
    st.tuples(st.just("daemon"), TASK),
    st.tuples(st.just("wait"), st.integers(1, 60)),
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=3, max_size=10))
def test_whatever_is_asked_for_an_instance_is_never_overfilled(lab, steps):
    world = World(lab)
    for step in steps:
        world.do(*step)
        world.check()
    world.end()


class World:
    """Three instances of one cluster of its own, and what the steps do to them."""

    number = 0

    def __init__(self, lab):
        World.number += 1
        self.lab, self.name, self.count = lab, f"world{World.number}", 0
        lab.ecs.create_cluster(clusterName=self.name)
        self.instances = [lab.region.add_instance(self.name, kind) for kind in ("t3.micro", "m5.large", "c5.large")]

    def define(self, task):
        cpu, memory, port = task
        container = {"portMappings": [{"containerPort": 80, "hostPort": port or 0}]}
        return self.lab.define(f"{self.name}-t", **small(cpu=str(cpu), memory=str(memory), container=container))["taskDefinitionArn"]

    def do(self, what, *facts):
        getattr(self, f"_{what}")(*facts)

    def _run(self, task, count):
        self.lab.ecs.run_task(cluster=self.name, taskDefinition=self.define(task), launchType="EC2", count=count)

    def _stop(self, which):
        arns = self.lab.ecs.list_tasks(cluster=self.name)["taskArns"]
        if arns:
            self.lab.ecs.stop_task(cluster=self.name, task=arns[which % len(arns)])

    def _drain(self, which, on):
        self.lab.ecs.update_container_instances_state(
            cluster=self.name, containerInstances=[self.instances[which]], status="DRAINING" if on else "ACTIVE"
        )

    def _serve(self, task, count):
        self.count += 1
        self.lab.ecs.create_service(cluster=self.name, serviceName=f"s{self.count}", taskDefinition=self.define(task), desiredCount=count, launchType="EC2")

    def _daemon(self, task):
        self.count += 1
        self.lab.ecs.create_service(cluster=self.name, serviceName=f"s{self.count}", taskDefinition=self.define(task), schedulingStrategy="DAEMON")

    def _wait(self, seconds):
        self.lab.region.run_for(seconds)

    def check(self):
        ecs = self.lab.ecs
        for shown in ecs.describe_container_instances(cluster=self.name, containerInstances=self.instances)["containerInstances"]:
            left = {r["name"]: r.get("stringSetValue") or r["integerValue"] for r in shown["remainingResources"]}
            has = {r["name"]: r.get("stringSetValue") or r["integerValue"] for r in shown["registeredResources"]}
            arns = ecs.list_tasks(cluster=self.name, containerInstance=shown["containerInstanceArn"])["taskArns"]
            arns += ecs.list_tasks(cluster=self.name, containerInstance=shown["containerInstanceArn"], desiredStatus="STOPPED")["taskArns"]
            tasks = ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"] if arns else []
            held = [t for t in tasks if t["lastStatus"] != "STOPPED"]
            for name, field in (("CPU", "cpu"), ("MEMORY", "memory")):
                used = sum(int(t[field]) for t in held)
                assert 0 <= used <= has[name] and left[name] == has[name] - used
            definitions = [ecs.describe_task_definition(taskDefinition=t["taskDefinitionArn"])["taskDefinition"] for t in held]
            fixed = [m["hostPort"] for d in definitions for m in d["containerDefinitions"][0]["portMappings"] if m["hostPort"]]
            assert len(fixed) == len(set(fixed)) and set(left["PORTS"]) == {*has["PORTS"], *map(str, fixed)}

    def end(self):
        for number in range(1, self.count + 1):
            self.lab.ecs.delete_service(cluster=self.name, service=f"s{number}", force=True)
