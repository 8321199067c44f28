"""Task sets of the EXTERNAL controller: counts, the PRIMARY one, and what ECS refuses."""
from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import task_sets
from ecslab.rules.errors import EcsError
from ecslab.rules.task_sets import Remove, Start, Stop, TaskSetView

ENTRY = {"targetGroupArn": "arn:blue", "containerName": "web", "containerPort": 80}


def refusal(call, *arguments, **named) -> tuple[str, str]:
    with pytest.raises(EcsError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    "desired, scale, expected",
    [(10, 0, 0), (10, 100, 10), (10, 25, 3), (3, 33.3, 1), (4, 30, 2), (1, 0.1, 1), (1000, 0.1, 1), (1000, 14.1, 141), (0, 100, 0)],
)
def test_a_percentage_of_the_desired_count_is_rounded_up(desired, scale, expected):
    assert task_sets.computed_desired_count(desired, scale) == expected


def test_a_task_set_starts_what_is_missing_and_stops_what_is_too_much():
    blue = TaskSetView("blue", "PRIMARY", scale=100, running=4)
    green = TaskSetView("green", scale=50, pending=1)
    assert task_sets.plan(4, [blue, green]) == [Start("green", 1)]
    assert task_sets.plan(2, [blue, green]) == [Stop("blue", 2)], "a smaller desired count moves every task set"
    assert task_sets.plan(4, [blue, replace(green, pending=2)]) == [], "tasks that are starting are not started again"


def test_a_draining_task_set_leaves_only_when_its_last_task_has_stopped():
    going = TaskSetView("blue", "DRAINING", scale=100, running=2)
    assert task_sets.plan(2, [going]) == [Stop("blue", 2)]
    assert task_sets.plan(2, [replace(going, running=0, stopping=2)]) == []
    assert task_sets.plan(2, [replace(going, running=0)]) == [Remove("blue")]


STEADY = TaskSetView("green", scale=50, running=2)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, "STEADY_STATE"),
        ({"running": 1}, "STABILIZING"),
        ({"pending": 1}, "STABILIZING"),
        ({"all_healthy": False}, "STABILIZING"),
        ({"on_draining_instances": 1}, "STABILIZING"),
        ({"scale": 75}, "STABILIZING"),
        ({"status": "PRIMARY"}, "STEADY_STATE"),
    ],
)
def test_steady_state_needs_every_one_of_its_conditions(change, expected):
    assert task_sets.stability_status(4, replace(STEADY, **change)) == expected


def test_the_task_set_made_primary_turns_the_former_one_active_again():
    sets = (TaskSetView("a", "PRIMARY"), TaskSetView("b"), TaskSetView("c", "DRAINING"))
    after = task_sets.make_primary("EXTERNAL", sets, "b")
    assert [(t.id, t.status) for t in after] == [("a", "ACTIVE"), ("b", "PRIMARY"), ("c", "DRAINING")]
    assert task_sets.make_primary("EXTERNAL", after, "b") == after
    assert refusal(task_sets.make_primary, "EXTERNAL", sets, "c")[0] == "InvalidParameterException"
    assert refusal(task_sets.make_primary, "EXTERNAL", sets, "z")[0] == "TaskSetNotFoundException"


def test_a_new_task_set_runs_nothing_until_it_is_scaled():
    made = task_sets.check_create("EXTERNAL", {"taskDefinition": "web:2"}, [])
    assert made["scale"] == {"value": 0.0, "unit": "PERCENT"}
    assert task_sets.check_create("EXTERNAL", {"taskDefinition": "web:2", "scale": {"value": 10}}, [])["scale"]["value"] == 10.0


@pytest.mark.parametrize(
    "request_, says",
    [
        ({}, "TaskDefinition"),
        ({"taskDefinition": "web", "scale": {"value": 101}}, "between 0 and 100"),
        ({"taskDefinition": "web", "scale": {"value": -1}}, "between 0 and 100"),
        ({"taskDefinition": "web", "scale": {"value": 1, "unit": "COUNT"}}, "PERCENT"),
        ({"taskDefinition": "web", "launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "p"}]}, "both"),
        ({"taskDefinition": "web", "loadBalancers": [ENTRY, ENTRY]}, "more than 1"),
        ({"taskDefinition": "web", "loadBalancers": [{"loadBalancerName": "old"}]}, "Classic"),
        ({"taskDefinition": "web", "serviceRegistries": [{}, {}]}, "at most 1"),
    ],
)
def test_a_task_set_that_ecs_could_not_run_is_refused(request_, says):
    code, message = refusal(task_sets.check_create, "EXTERNAL", request_, [])
    assert code == "InvalidParameterException" and says in message


def test_the_sixth_task_set_is_refused():
    five = [TaskSetView(str(n)) for n in range(5)]
    code, message = refusal(task_sets.check_create, "EXTERNAL", {"taskDefinition": "web"}, five)
    assert code == "InvalidParameterException" and message.startswith("5 deployments exist on the service.")
    assert task_sets.check_create("EXTERNAL", {"taskDefinition": "web"}, five[:4])


@pytest.mark.parametrize("controller", ["ECS", "CODE_DEPLOY"])
def test_task_sets_are_managed_by_callers_only_under_the_external_controller(controller):
    some = TaskSetView("a")
    for call in (
        lambda: task_sets.check_create(controller, {"taskDefinition": "web"}, []),
        lambda: task_sets.check_update(controller, some, {"value": 1}),
        lambda: task_sets.check_delete(controller, some, force=True),
        lambda: task_sets.make_primary(controller, [some], "a"),
    ):
        assert refusal(call) == ("InvalidParameterException", task_sets.NOT_EXTERNAL)


def test_deleting_needs_force_while_it_is_primary_or_scaled_above_zero():
    primary, scaled, idle = TaskSetView("a", "PRIMARY"), TaskSetView("b", scale=10), TaskSetView("c")
    assert refusal(task_sets.check_delete, "EXTERNAL", primary)[1] == "Primary TaskSet cannot be deleted"
    assert "scaled above 0" in refusal(task_sets.check_delete, "EXTERNAL", scaled)[1]
    assert refusal(task_sets.check_delete, "EXTERNAL", None, force=True)[0] == "TaskSetNotFoundException"
    for allowed, force in ((primary, True), (scaled, True), (idle, False), (replace(scaled, status="DRAINING"), False)):
        assert task_sets.check_delete("EXTERNAL", allowed, force) is None


def test_a_draining_task_set_can_not_be_scaled_again():
    assert "DRAINING" in refusal(task_sets.check_update, "EXTERNAL", TaskSetView("a", "DRAINING"), {"value": 50})[1]
    assert task_sets.check_update("EXTERNAL", TaskSetView("a"), {"value": 50}) == {"value": 50.0, "unit": "PERCENT"}


@pytest.mark.parametrize(
    "controller, request_, says",
    [
        ("EXTERNAL", {"taskDefinition": "web"}, "TaskDefinition must be blank"),
        ("EXTERNAL", {"schedulingStrategy": "DAEMON"}, "DAEMON"),
        ("EXTERNAL", {"deploymentConfiguration": {"strategy": "CANARY"}}, "CANARY"),
        ("EXTERNAL", {"deploymentConfiguration": {"bakeTimeInMinutes": 0}}, "bakeTimeInMinutes"),
        ("CODE_DEPLOY", {"taskDefinition": "web"}, "requires an Application Load Balancer or Network Load Balancer"),
        ("CODE_DEPLOY", {"loadBalancers": [ENTRY], "serviceConnectConfiguration": {"enabled": True}}, "Service Connect"),
        ("CODE_DEPLOY", {"loadBalancers": [ENTRY], "deploymentConfiguration": {"lifecycleHooks": []}}, "lifecycleHooks"),
    ],
)
def test_a_service_is_refused_what_its_controller_can_not_do(controller, request_, says):
    code, message = refusal(task_sets.check_create_service, controller, request_)
    assert code == "InvalidParameterException" and says in message
    assert task_sets.check_create_service("ECS", request_) is None


def test_a_plain_service_of_each_controller_is_accepted():
    rolling = {"strategy": "ROLLING", "maximumPercent": 200}
    assert task_sets.check_create_service("EXTERNAL", {"serviceName": "web", "deploymentConfiguration": rolling}) is None
    assert task_sets.check_create_service("CODE_DEPLOY", {"taskDefinition": "web", "loadBalancers": [ENTRY]}) is None


def test_a_service_of_another_controller_changes_its_task_definition_elsewhere():
    _, code_deploy = refusal(task_sets.check_update_service, "CODE_DEPLOY", {"service": "web", "taskDefinition": "web:2"})
    assert code_deploy == (
        "Unable to update task definition on services with a CODE_DEPLOY deployment controller. "
        "Use AWS CodeDeploy to trigger a new deployment."
    )
    assert "new task set" in refusal(task_sets.check_update_service, "EXTERNAL", {"service": "web", "taskDefinition": "web:2"})[1]
    assert "network parameters" in refusal(task_sets.check_update_service, "CODE_DEPLOY", {"networkConfiguration": {}})[1]
    for controller in ("ECS", "CODE_DEPLOY", "EXTERNAL"):
        assert task_sets.check_update_service(controller, {"service": "web", "desiredCount": 0, "forceNewDeployment": False}) is None
    assert task_sets.check_update_service("ECS", {"taskDefinition": "web:2"}) is None


def test_the_names_of_fields_are_the_api_s_own():
    model = get_session().get_service_model("ecs")
    update = set(model.operation_model("UpdateService").input_shape.members)
    assert {name for names in task_sets.UPDATABLE.values() for name in names} <= update
    assert set(task_sets.ECS_CONTROLLER_ONLY) <= set(model.shape_for("DeploymentConfiguration").members)
    assert set(task_sets.LENT_TO_SERVICE) <= set(model.shape_for("TaskSet").members)


@given(st.integers(0, 60), st.lists(st.tuples(st.floats(0, 100), st.integers(0, 80), st.booleans()), max_size=5))
@settings(max_examples=150, deadline=None)
def test_one_round_of_the_plan_gives_every_task_set_its_count(desired, drawn):
    sets = {str(n): TaskSetView(str(n), "DRAINING" if going else "ACTIVE", scale, running) for n, (scale, running, going) in enumerate(drawn)}
    for action in task_sets.plan(desired, sets.values()):
        one = sets[action.task_set_id]
        if isinstance(action, Remove):
            assert one.status == "DRAINING" and one.running == 0
            continue
        change = action.count if isinstance(action, Start) else -action.count
        sets[one.id] = replace(one, running=one.running + change)
    assert all(task_sets.stability_status(desired, t) == "STEADY_STATE" for t in sets.values())
