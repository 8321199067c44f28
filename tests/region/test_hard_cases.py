"""Cases that are easily got wrong: who waits for whom, what counts as a failure, what is told of what has ended."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.region.test_load_balancing import BREAKER, Balanced
from tests.region.test_other_controllers import CodeDeployed

CHECK = {"command": ["CMD", "/app", "health"], "interval": 10, "timeout": 5, "retries": 2}


def app(name, port, *command, **fields):
    return {"name": name, "image": "ecslab/app:1.0", "command": ["--port", str(port), *command], **fields}


# Containers of a task --------------------------------------------------------------


def test_an_app_that_waits_for_success_is_listed_but_starts_only_when_its_init_has_ended_well(lab):
    init = app("init", 81, "--exit-after", "10", essential=False)
    lab.define("chain", containers=[init, app("app", 80, dependsOn=[{"containerName": "init", "condition": "SUCCESS"}])])
    arn, seen = lab.run("chain"), []
    for _ in range(40):
        lab.region.run_for("1s")
        states = tuple(c["lastStatus"] for c in lab.task(arn)["containers"])
        if not seen or seen[-1] != states:
            seen.append(states)
    assert ("RUNNING", "RUNNING") not in seen and ("RUNNING", "PENDING") in seen
    assert seen[-1] == ("STOPPED", "RUNNING")


def test_one_essential_container_that_exits_ends_the_task_while_another_still_runs(lab):
    lab.define("pair", containers=[app("app", 80, "--exit-after", "5", "--exit-code", "3"), app("side", 81)])
    arn = lab.run("pair")
    lab.ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[arn])
    task = lab.task(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    assert (task["desiredStatus"], task["lastStatus"]) == ("STOPPED", "STOPPED")
    assert {c["name"]: (c["lastStatus"], c["exitCode"]) for c in task["containers"]} == {"app": ("STOPPED", 3), "side": ("STOPPED", 0)}


@pytest.mark.parametrize("command, code", [([], 0), (["--ignore-sigterm"], 137)])
def test_a_stopped_task_tells_the_exit_code_it_really_had(lab, command, code):
    lab.define("job", command=command, container={"stopTimeout": 5})
    arn = lab.run("job")
    lab.region.run_for("20s")
    lab.ecs.stop_task(cluster="demo", task=arn)
    lab.ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[arn])
    assert [c["exitCode"] for c in lab.task(arn)["containers"]] == [code]


def test_a_container_that_wants_more_memory_than_it_has_is_an_out_of_memory_error(lab):
    lab.define("leaky", command=["--leak", "10"], container={"memory": 64})
    arn = lab.run("leaky")
    lab.region.run_for("1m")
    (container,) = lab.task(arn)["containers"]
    assert (container["exitCode"], container["reason"]) == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_an_image_that_is_not_there_stops_the_task_with_the_reason_of_the_pull(lab):
    lab.define("typo", image="ecslab/app:9.9")
    arn = lab.run("typo")
    lab.region.run_for("1m")
    task = lab.task(arn)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "TaskFailedToStart")
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in task["containers"][0]


def test_a_task_that_was_never_checked_is_of_unknown_health_and_a_checked_one_says_how_it_is(lab):
    lab.define("sick", command=["--unhealthy-after", "30"], container={"healthCheck": CHECK})
    plain, checked = lab.run("web"), lab.run("sick")
    seen = []
    for _ in range(10):
        lab.region.run_for("8s")
        seen.append(lab.task(checked)["healthStatus"])
    assert lab.task(plain)["healthStatus"] == "UNKNOWN"
    assert [s for n, s in enumerate(seen) if n == 0 or s != seen[n - 1]] == ["UNKNOWN", "HEALTHY", "UNHEALTHY"]
    assert lab.task(checked)["lastStatus"] == "RUNNING", "nobody replaces a task that belongs to no service"


# Deployments ------------------------------------------------------------------------


@pytest.mark.parametrize("low, high", [(100, 200), (50, 100), (100, 150), (50, 150)])
def test_an_update_keeps_within_its_band_at_every_moment(lab, low, high):
    web = Balanced(lab)
    web.serve(count=2, definition="web:1", deploymentConfiguration={"minimumHealthyPercent": low, "maximumPercent": high})
    lab.region.run_for("1m")
    began = lab.region.clock.now()
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("4m")
    samples = [sample for sample in lab.region.timeline("web").samples if sample.at >= began]
    healthy = [sum(count.healthy for count in sample.tasks.values()) for sample in samples]
    present = [sum(count.running + count.pending for count in sample.tasks.values()) for sample in samples]
    assert min(healthy) >= 2 * low // 100 and max(present) <= 2 * high // 100
    assert {t["taskDefinitionArn"].rpartition(":")[2] for t in lab.tasks()} == {"2"}


def test_a_new_service_is_in_progress_before_anything_runs(lab):
    assert lab.serve()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    lab.region.run_for("2s")
    (deployment,) = lab.service()["deployments"]
    assert (deployment["rolloutState"], deployment["runningCount"]) == ("IN_PROGRESS", 0)


def test_tasks_that_run_and_then_crash_trip_the_circuit_breaker(lab):
    lab.define(image="ecslab/app:2.0", command=["--exit-after", "5", "--exit-code", "1"])
    lab.serve(count=2, definition="web:1", deploymentConfiguration=BREAKER)
    lab.region.run_for("2m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    lab.region.run_for("3m")
    crashed = [t for t in lab.tasks(status="STOPPED") if t["taskDefinitionArn"].endswith(":3")]
    assert len(crashed) >= 3 and any(t.get("startedAt") for t in crashed)
    lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
    (only,) = lab.service()["deployments"]
    assert (only["taskDefinition"].rpartition(":")[2], only["rolloutState"]) == ("1", "COMPLETED")


def test_a_threshold_of_one_trips_at_the_first_failure(lab):
    breaker = {"deploymentCircuitBreaker": {**BREAKER["deploymentCircuitBreaker"], "thresholdConfiguration": {"type": "COUNT", "value": 1}}}
    lab.serve(count=2, definition="web:1", deploymentConfiguration={"maximumPercent": 150, **breaker})
    lab.region.run_for("2m")
    lab.define(image="ecslab/app:9.9")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    lab.region.run_for("2m")
    assert len([t for t in lab.tasks(status="STOPPED") if t["taskDefinitionArn"].endswith(":3")]) == 1
    assert lab.service()["deployments"][0]["taskDefinition"].endswith(":1")


def test_a_deployment_of_codedeploy_is_waited_for_with_codedeploys_own_waiter(lab):
    web = CodeDeployed(lab)
    deployment = web.deploy()
    web.codedeploy.get_waiter("deployment_successful").wait(deploymentId=deployment)
    assert web.sets()[-1] == ("PRIMARY", "web:2", 2)
    service = lab.service()
    assert (service["deployments"], service["taskSets"][-1]["stabilityStatus"]) == ([], "STEADY_STATE")


def test_a_waiter_gives_up_after_as_much_of_the_regions_time_as_on_aws(lab):
    lab.define(image="ecslab/app:9.9")
    lab.serve(count=1, definition="web:3")
    before = lab.region.clock.now()
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
    assert lab.region.clock.now() - before == pytest.approx(600, abs=1)


# Networking and load balancing -------------------------------------------------------


def test_two_services_on_one_container_port_have_targets_of_their_own(lab):
    web = Balanced(lab)
    other = web.new_group("other")
    web.rule(10, [{"Field": "path-pattern", "Values": ["/other"]}], {"Type": "forward", "TargetGroupArn": other})
    web.serve(count=2)
    web.serve(name="other", count=2, definition="web:1", loadBalancers=[web.entry(targetGroupArn=other)])
    lab.region.run_for("1m")
    assert (web.health(), web.health(other)) == ({"healthy": 2}, {"healthy": 2})
    ids = [{d["Target"]["Id"] for d in web.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]} for group in (web.group, other)]
    assert not ids[0] & ids[1]


def test_a_target_group_is_waited_for_in_the_regions_time(lab):
    web = Balanced(lab)
    web.serve(count=2)
    before = lab.region.clock.now()
    web.elb.get_waiter("target_in_service").wait(TargetGroupArn=web.group)
    assert web.health() == {"healthy": 2}
    assert lab.region.clock.now() - before <= 60


def test_the_grace_period_holds_back_container_health_checks_too(lab):
    lab.define("late", command=["--start-delay", "60"], container={"healthCheck": CHECK})
    web = Balanced(lab)
    web.serve(count=1, definition="late", healthCheckGracePeriodSeconds=120)
    lab.region.run_for("5m")
    assert (len(lab.tasks(status="STOPPED")), lab.service()["runningCount"]) == (0, 1)


# Requests that are easily taken for something else ------------------------------------


@pytest.mark.parametrize(
    "operation, request_, code, message",
    [
        ("run_task", {"taskDefinition": "web", "launchType": "Fargate"}, "InvalidParameterException", "launch type should be one of"),
        ("run_task", {"taskDefinition": "web", "cluster": "phantom"}, "ClusterNotFoundException", "Cluster not found."),
        ("create_service", {"serviceName": "x", "taskDefinition": "web", "desiredCount": 1, "cluster": "phantom"}, "ClusterNotFoundException", "Cluster not found."),
        ("update_service", {"service": "web", "desiredCount": -1}, "InvalidParameterException", "desiredCount cannot be less than 0."),
        ("update_service", {"service": "web", "taskDefinition": "web:99"}, "ClientException", "TaskDefinition not found."),
        ("list_tasks", {"desiredStatus": "GONE"}, "InvalidParameterException", "desired status should be one of"),
        ("stop_task", {"task": "1" * 32}, "InvalidParameterException", "The referenced task was not found."),
    ],
)  # fmt: skip
def test_nothing_is_guessed_corrected_or_made_up(lab, operation, request_, code, message):
    lab.serve(count=1)
    before = lab.service()
    with pytest.raises(ClientError) as refusal:
        getattr(lab.ecs, operation)(**{"cluster": "demo", **request_})
    error = refusal.value.response["Error"]
    assert (error["Code"], message in error["Message"]) == (code, True), error["Message"]
    assert lab.service() == before
    assert [c.rpartition("/")[2] for c in lab.ecs.list_clusters()["clusterArns"]] == ["demo"]


def test_a_service_that_is_draining_takes_no_update(lab):
    lab.serve(count=1)
    lab.region.run_for("1m")
    lab.ecs.delete_service(cluster="demo", service="web", force=True)
    with pytest.raises(ClientError, match="ServiceNotActiveException.*Service was not ACTIVE."):
        lab.ecs.update_service(cluster="demo", service="web", desiredCount=2)


def test_a_task_asks_for_its_name_and_gets_it_whatever_filter_lists_it(lab):
    lab.serve(count=2)
    lab.region.run_for("1m")
    victim = lab.tasks()[0]["taskArn"]
    lab.ecs.stop_task(cluster="demo", task=victim)
    lab.region.run_for("20s")
    listed = {status: set(lab.ecs.list_tasks(cluster="demo", serviceName="web", desiredStatus=status)["taskArns"]) for status in ("RUNNING", "STOPPED")}
    assert victim in listed["STOPPED"] and victim not in listed["RUNNING"] and len(listed["RUNNING"]) == 2
    assert lab.ecs.list_tasks(cluster="demo", family="nothing")["taskArns"] == []
