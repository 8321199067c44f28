"""Services in virtual time, through boto3: counts, replacement, rollouts, events, deletion."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, WaiterError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecslab.region import start

from .conftest import Lab


def test_create_answers_at_once_and_tasks_come_later(lab):
    service = lab.serve(count=3)
    assert (service["status"], service["runningCount"], service["pendingCount"]) == ("ACTIVE", 0, 0)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
    assert lab.service()["runningCount"] == 3


def test_a_new_service_is_completed_only_after_forty_seconds_of_running(lab):
    lab.serve(count=1)
    lab.region.run_for("10s")
    started = lab.tasks()[0]["startedAt"]
    assert lab.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    lab.region.run_for("2m")
    deployment = lab.service()["deployments"][0]
    assert deployment["rolloutState"] == "COMPLETED"
    assert (deployment["updatedAt"] - started).total_seconds() == 40
    assert lab.messages()[-2:] == [
        f"(service web) (deployment {deployment['id']}) deployment completed.",
        "(service web) has reached a steady state.",
    ]


def test_a_task_that_dies_is_replaced_by_a_new_one(lab):
    lab.serve(count=2)
    lab.region.run_for("2m")
    before = {t["taskArn"] for t in lab.tasks()}
    victim = sorted(before)[0]
    lab.region.kill(victim)
    lab.region.run_for("30s")
    after = {t["taskArn"] for t in lab.tasks()}
    assert len(after) == 2 and victim not in after and len(after & before) == 1
    dead = lab.task(victim)
    assert (dead["lastStatus"], dead["stopCode"], dead["containers"][0]["exitCode"]) == ("STOPPED", "EssentialContainerExited", 137)
    assert dead["stoppedReason"] == "Essential container in task exited"


def test_an_unhealthy_task_is_replaced_and_its_replacement_starts_first(lab):
    check = {"command": ["CMD", "/app", "health"], "interval": 10, "retries": 2}
    lab.define("sick", command=["--unhealthy-after", "60"], container={"healthCheck": check})
    lab.serve("sick", "sick", count=1)
    lab.region.run_for("30s")
    first = lab.tasks("sick")[0]
    assert first["healthStatus"] == "HEALTHY"
    lab.region.run_for("70s")
    assert lab.task(first["taskArn"])["healthStatus"] == "UNHEALTHY"
    lab.region.run_for("40s")
    gone = lab.task(first["taskArn"])
    assert (gone["stopCode"], gone["stoppedReason"]) == ("ServiceSchedulerInitiated", "Task failed container health checks")
    replacement = lab.tasks("sick")[0]
    assert replacement["startedAt"] < gone["stoppingAt"]


def test_a_rolling_update_keeps_the_old_tasks_until_the_new_ones_are_healthy(lab):
    lab.serve(count=2, definition="web:1")
    lab.region.run_for("2m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("30s")
    new, old = lab.service()["deployments"]
    assert (new["status"], new["runningCount"], new["rolloutState"]) == ("PRIMARY", 2, "IN_PROGRESS")
    assert (old["status"], old["runningCount"], old["rolloutState"]) == ("ACTIVE", 2, "COMPLETED")
    with pytest.raises(WaiterError):
        stuck = lab.ecs.get_waiter("services_stable")
        stuck.config.max_attempts = 1
        stuck.wait(cluster="demo", services=["web"])
    lab.region.run_for("2m")
    (only,) = lab.service()["deployments"]
    assert (only["taskDefinition"].rpartition("/")[2], only["rolloutState"]) == ("web:2", "COMPLETED")
    assert {t["containers"][0]["image"] for t in lab.tasks()} == {"ecslab/app:2.0"}


@pytest.mark.parametrize(
    "change, starts_one",
    [
        ({"desiredCount": 3}, False),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 50}}, False),
        ({"healthCheckGracePeriodSeconds": 30}, False),
        ({"enableExecuteCommand": False}, False),
        ({"taskDefinition": "web:1"}, False),
        ({"taskDefinition": "web:2"}, True),
        ({"forceNewDeployment": True}, True),
        ({"platformVersion": "1.4.0"}, True),
    ],
)
def test_what_starts_a_deployment_and_what_does_not(lab, change, starts_one):
    first = lab.serve(definition="web:1", count=1)["deployments"][0]["id"]
    lab.region.run_for("2m")
    changed = lab.ecs.update_service(cluster="demo", service="web", **change)["service"]
    assert (changed["deployments"][0]["id"] != first) is starts_one


def test_a_missing_image_leaves_the_old_tasks_alone_and_slows_down(lab):
    lab.serve(count=2, definition="web:1")
    lab.region.run_for("2m")
    before = {t["taskArn"] for t in lab.tasks()}
    lab.define(image="ecslab/app:9.9")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    lab.region.run_for("30m")
    assert before <= {t["taskArn"] for t in lab.tasks()}
    stopped = lab.tasks(status="STOPPED")
    assert {t["stopCode"] for t in stopped} == {"TaskFailedToStart"}
    assert all(t["stoppedReason"].startswith("CannotPullContainerError: ") for t in stopped)
    assert 3 < len(stopped) < 30, "start failures are throttled"
    assert "(service web) is unable to consistently start tasks successfully." in lab.messages()
    assert lab.service()["deployments"][0]["failedTasks"] == len(stopped)
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("2m")
    assert lab.service()["deployments"][0]["rolloutState"] == "COMPLETED", "a new task definition is not throttled"


def test_the_circuit_breaker_rolls_back_and_leaves_one_stable_deployment(lab):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    lab.serve(count=2, definition="web:1", deploymentConfiguration=breaker)
    lab.region.run_for("2m")
    good = lab.service()["deployments"][0]["id"]
    lab.define(image="ecslab/app:9.9")
    bad = lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")["service"]["deployments"][0]["id"]
    lab.region.run_for("5m")
    (only,) = lab.service()["deployments"]
    assert (only["id"], only["rolloutState"]) == (good, "COMPLETED")
    assert f"(service web) (deployment {bad}) deployment failed: tasks failed to start." in lab.messages()
    assert f"(service web) rolling back to deployment {good}." in lab.messages()
    lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])


def test_without_rollback_a_failed_deployment_stalls(lab):
    lab.serve(count=1, definition="web:1", deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    lab.region.run_for("2m")
    lab.define(image="ecslab/app:9.9")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
    lab.region.run_for("30m")
    failed, old = lab.service()["deployments"]
    assert (failed["rolloutState"], failed["rolloutStateReason"]) == ("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    assert old["runningCount"] == 1
    attempts = len(lab.tasks(status="STOPPED"))
    lab.region.run_for("30m")
    assert len(lab.tasks(status="STOPPED")) <= attempts


def test_a_superseded_deployment_gives_way_to_the_newest(lab):
    lab.serve(count=2, definition="web:1")
    lab.region.run_for("2m")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.region.run_for("5s")
    lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:1", forceNewDeployment=True)
    assert [d["status"] for d in lab.service()["deployments"]] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    lab.region.run_for("3m")
    assert {t["taskDefinitionArn"].rpartition("/")[2] for t in lab.tasks()} == {"web:1"}
    assert len(lab.service()["deployments"]) == 1


def test_scaling_to_zero_and_back(lab):
    lab.serve(count=3)
    lab.region.run_for("1m")
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    lab.region.run_for("1m")
    assert (lab.service()["runningCount"], lab.tasks()) == (0, [])
    assert {t["stopCode"] for t in lab.tasks(status="STOPPED")} == {"ServiceSchedulerInitiated"}
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=1)
    lab.region.run_for("1m")
    assert lab.service()["runningCount"] == 1


def test_deleting_needs_a_count_of_zero_or_force_and_nothing_runs_afterwards(lab):
    lab.serve(count=2)
    lab.region.run_for("1m")
    with pytest.raises(ClientError, match="The service cannot be stopped while it is scaled above 0."):
        lab.ecs.delete_service(cluster="demo", service="web")
    assert lab.ecs.delete_service(cluster="demo", service="web", force=True)["service"]["status"] == "DRAINING"
    with pytest.raises(ClientError, match="Unable to Start a service that is still Draining."):
        lab.serve()
    lab.ecs.get_waiter("services_inactive").wait(cluster="demo", services=["web"])
    assert (lab.tasks(), lab.ecs.list_services(cluster="demo")["serviceArns"]) == ([], [])
    assert lab.serve(count=1)["status"] == "ACTIVE", "the name is free again"


def test_creating_twice_is_idempotent_only_with_the_same_parameters(lab):
    arn = lab.serve(count=1)["serviceArn"]
    assert lab.serve(count=1)["serviceArn"] == arn
    with pytest.raises(ClientError, match="Creation of service was not idempotent."):
        lab.serve(count=2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}}, "cannot be 100 as this will block deployments"),
        ({"deploymentConfiguration": {"maximumPercent": 90}}, "maximumPercent must be greater than or equal to 100"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 101}}, "at most 100"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-x"]}}}, "The subnet ID 'subnet-x' does not exist"),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, "subnets can not be empty."),
        ({"taskDefinition": "nope"}, "TaskDefinition not found."),
        ({"launchType": "MOON"}, "launch type should be one of"),
        ({"schedulingStrategy": "DAEMON"}, "does not support a desired count"),
        ({"placementStrategy": [{"type": "random"}]}, "Placement strategies are not supported with FARGATE"),
        ({"platformVersion": "9.9"}, "The specified platform does not exist."),
        ({"desiredCount": -1}, "desiredCount"),
        ({"role": "ecsServiceRole"}, "IAM roles are only valid for services configured to use load balancers."),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}, "Specifying both a launch type and capacity provider strategy"),
        ({"loadBalancers": [{"containerName": "app", "containerPort": 80}]}, "Target group ARN can not be blank."),
    ],
)
def test_a_service_that_ecs_would_refuse_is_refused_in_its_words_and_nothing_is_kept(lab, options, message):
    request = {
        "cluster": "demo", "serviceName": "bad", "taskDefinition": "web", "desiredCount": 1,
        "launchType": "FARGATE", "networkConfiguration": lab.network, **options,
    }
    with pytest.raises(ClientError, match=message) as refusal:
        lab.ecs.create_service(**request)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert lab.ecs.describe_services(cluster="demo", services=["bad"])["failures"][0]["reason"] == "MISSING"


def test_a_refused_update_changes_nothing(lab):
    lab.serve(count=1)
    before = lab.service()
    with pytest.raises(ClientError):
        lab.ecs.update_service(cluster="demo", service="web", desiredCount=5, taskDefinition="nope")
    assert lab.service() == before


def test_scale_in_protection_keeps_a_task_until_it_expires(lab):
    lab.serve(count=2)
    lab.region.run_for("1m")
    kept = sorted(t["taskArn"] for t in lab.tasks())[1]
    lab.ecs.update_task_protection(cluster="demo", tasks=[kept], protectionEnabled=True, expiresInMinutes=10)
    assert lab.ecs.get_task_protection(cluster="demo", tasks=[kept])["protectedTasks"][0]["protectionEnabled"]
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    lab.region.run_for("5m")
    assert [t["taskArn"] for t in lab.tasks()] == [kept]
    lab.region.run_for("10m")
    assert lab.tasks() == []


def test_tasks_carry_their_services_tags_group_and_deployment(lab):
    lab.serve(count=1, tags=[{"key": "team", "value": "blue"}], propagateTags="SERVICE", enableECSManagedTags=True)
    lab.region.run_for("1m")
    arn = lab.tasks()[0]["taskArn"]
    task = lab.ecs.describe_tasks(cluster="demo", tasks=[arn], include=["TAGS"])["tasks"][0]
    assert {t["key"]: t["value"] for t in task["tags"]} == {"team": "blue", "aws:ecs:clusterName": "demo", "aws:ecs:serviceName": "web"}
    assert (task["group"], task["startedBy"]) == ("service:web", lab.service()["deployments"][0]["id"])


def test_a_service_spreads_its_tasks_over_availability_zones(lab):
    lab.serve(count=4)
    lab.region.run_for("1m")
    zones = [t["availabilityZone"] for t in lab.tasks()]
    assert sorted(zones.count(z) for z in set(zones)) == [2, 2]


def test_a_capacity_provider_strategy_splits_base_and_weight(lab):
    lab.ecs.create_cluster(
        clusterName="mixed", capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "base": 2, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 4}],
    )
    lab.ecs.create_service(cluster="mixed", serviceName="web", taskDefinition="web", desiredCount=7, networkConfiguration=lab.network)
    lab.region.run_for("1m")
    arns = lab.ecs.list_tasks(cluster="mixed")["taskArns"]
    names = [t["capacityProviderName"] for t in lab.ecs.describe_tasks(cluster="mixed", tasks=arns)["tasks"]]
    assert (names.count("FARGATE"), names.count("FARGATE_SPOT")) == (3, 4)


@given(
    count=st.integers(1, 5),
    low=st.sampled_from([0, 50, 100]),
    events=st.lists(st.tuples(st.sampled_from(["kill", "stop", "deploy", "scale", "wait"]), st.integers(0, 9)), max_size=12),
)
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_fails_and_whenever_the_service_ends_with_exactly_its_count(count, low, events):
    with start(engine="simulated") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        lab.define(image="ecslab/app:2.0")
        configuration = {"minimumHealthyPercent": low, "maximumPercent": 200}
        lab.serve(count=count, deploymentConfiguration=configuration)
        for kind, number in events:
            running = sorted(t["taskArn"] for t in lab.tasks() if t["lastStatus"] == "RUNNING")
            if kind == "kill" and running:
                region.kill(running[number % len(running)])
            elif kind == "stop" and running:
                lab.ecs.stop_task(cluster="demo", task=running[number % len(running)])
            elif kind == "deploy":
                lab.ecs.update_service(cluster="demo", service="web", taskDefinition=f"web:{number % 2 + 1}", forceNewDeployment=True)
            elif kind == "scale":
                lab.ecs.update_service(cluster="demo", service="web", desiredCount=number % 6)
            region.run_for(7 * number)
            service = lab.service()
            tasks = [t for t in lab.tasks() if t["desiredStatus"] == "RUNNING"]
            assert len(tasks) <= max(2 * service["desiredCount"], 10)
        region.run_for("15m")
        service = lab.service()
        assert service["runningCount"] == service["desiredCount"] == len(lab.tasks())
        assert [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]
        lab.ecs.delete_service(cluster="demo", service="web", force=True)
        region.run_for("5m")
        assert lab.tasks() == [] and lab.service()["status"] == "INACTIVE"
        assert lab.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
