"""CodeDeploy's AppSpec for ECS, and the traffic of its deployment configurations."""
from __future__ import annotations

import json

import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import appspec
from ecslab.rules.appspec import AppSpecError, Routing

YAML = """
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "web:2"
        LoadBalancerInfo:
          ContainerName: "web"
          ContainerPort: 80
        PlatformVersion: "LATEST"
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: ["subnet-1"]
            SecurityGroups: ["sg-1"]
            AssignPublicIp: "ENABLED"
        CapacityProviderStrategy:
          - CapacityProvider: FARGATE_SPOT
            Base: 1
            Weight: 2
Hooks:
  - BeforeInstall: "check-before"
  - AfterAllowTestTraffic: "run-tests"
"""


def document(**properties) -> dict:
    """A small AppSpec as JSON would hold it, with properties changed or (None) left out."""
    base = {"TaskDefinition": "web:2", "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 80}}
    merged = {key: value for key, value in {**base, **properties}.items() if value is not None}
    return {"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": merged}}]}


def problems(given) -> str:
    with pytest.raises(AppSpecError) as caught:
        appspec.read(given if isinstance(given, str) else json.dumps(given))
    return " ".join(caught.value.problems)


def test_an_appspec_is_read_from_yaml_with_the_names_of_the_ecs_api():
    spec = appspec.read(YAML)
    assert (spec.task_definition, spec.container_name, spec.container_port) == ("web:2", "web", 80)
    assert spec.platform_version == "LATEST"
    assert spec.network_configuration == {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    }
    assert spec.capacity_provider_strategy == ({"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 2},)
    assert spec.hooks == {"BeforeInstall": "check-before", "AfterAllowTestTraffic": "run-tests"}


def test_the_same_appspec_is_read_from_json():
    import yaml

    assert appspec.read(json.dumps(yaml.safe_load(YAML))) == appspec.read(YAML)


def test_the_spelling_of_the_sections_does_not_matter():
    assert appspec.read(YAML.replace("Resources:", "resources:").replace("Hooks:", "hooks:")) == appspec.read(YAML)


@pytest.mark.parametrize(
    "given, says",
    [
        ("version: [", "neither YAML nor JSON"),
        ("just words", "mapping"),
        ("", "mapping"),
        ({**document(), "version": 1.0}, "version must be 0.0"),
        ({"version": 0.0}, "exactly one resource"),
        ({"version": 0.0, "Resources": document()["Resources"] * 2}, "exactly one resource"),
        ({"version": 0.0, "Resources": [{"F": {"Type": "AWS::Lambda::Function", "Properties": {}}}]}, "AWS::ECS::Service"),
        (document(TaskDefinition=None), "TaskDefinition is required"),
        (document(LoadBalancerInfo=None), "ContainerName is required"),
        (document(LoadBalancerInfo={"ContainerName": "web", "ContainerPort": 70000}), "port number"),
        (document(LoadBalancerInfo={"ContainerName": "web", "ContainerPort": "http"}), "port number"),
        (document(DesiredCount=3), "DesiredCount is not a property"),
        (document(CapacityProviderStrategy="FARGATE"), "must be a list"),
        ({**document(), "Hooks": {"BeforeInstall": "f"}}, "Hooks must be a list"),
        ({**document(), "Hooks": [{"Install": "f"}]}, "Install is not a lifecycle event that can have a hook"),
        ({**document(), "Hooks": [{"BeforeInstall": "f"}, {"BeforeInstall": "g"}]}, "more than one hook"),
        ({**document(), "Hooks": [{"BeforeInstall": ""}]}, "must name a Lambda function"),
        ({**document(), "Hooks": ["BeforeInstall"]}, "Each hook must name"),
    ],
)
def test_an_appspec_that_can_not_be_deployed_says_why(given, says):
    assert says in problems(given)


def test_all_that_is_wrong_is_said_at_once():
    said = problems({"version": 2, "Resources": [{"S": {"Type": "X", "Properties": {}}}], "Hooks": [{"Boom": "f"}]})
    for part in ("version", "Type", "TaskDefinition", "ContainerName", "ContainerPort", "Boom"):
        assert part in said


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=3) | st.dictionaries(
    st.sampled_from(["version", "Resources", "Hooks", "Type", "Properties", "TaskDefinition", "LoadBalancerInfo"]), s, max_size=3), max_leaves=8))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_document_brings_the_reader_down(anything):
    try:
        spec = appspec.read(json.dumps(anything))
    except AppSpecError as error:
        assert error.problems
    else:
        assert spec.task_definition and spec.container_name


def test_hooks_belong_to_events_in_their_order():
    positions = [appspec.EVENTS.index(hook) for hook in appspec.HOOKS]
    assert positions == sorted(positions)


# Traffic -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, minutes, weights",
    [
        ("ECSAllAtOnce", 0, (0, 100)),
        ("ECSLinear10PercentEvery1Minutes", 0, (90, 10)),
        ("ECSLinear10PercentEvery1Minutes", 0.9, (90, 10)),
        ("ECSLinear10PercentEvery1Minutes", 4, (50, 50)),
        ("ECSLinear10PercentEvery1Minutes", 9, (0, 100)),
        ("ECSLinear10PercentEvery3Minutes", 26.9, (10, 90)),
        ("ECSLinear10PercentEvery3Minutes", 27, (0, 100)),
        ("ECSCanary10Percent5Minutes", 4.9, (90, 10)),
        ("ECSCanary10Percent5Minutes", 5, (0, 100)),
        ("ECSCanary10Percent15Minutes", 5, (90, 10)),
        ("ECSCanary10Percent15Minutes", 15, (0, 100)),
    ],
)
def test_a_predefined_configuration_shifts_traffic_as_its_name_says(name, minutes, weights):
    assert appspec.weights_at(f"CodeDeployDefault.{name}", minutes) == weights


def test_no_traffic_is_shifted_before_the_shift_begins():
    assert {appspec.weights_at(name, -1) for name in appspec.PREDEFINED} == {(100, 0)}


def test_a_network_load_balancer_takes_all_traffic_at_once():
    allowed = [name for name in appspec.PREDEFINED if appspec.allowed_with_network_load_balancer(name)]
    assert allowed == ["CodeDeployDefault.ECSAllAtOnce"]


def test_a_step_that_does_not_divide_a_hundred_ends_with_a_smaller_one():
    assert appspec.shifts(Routing("TimeBasedLinear", 30, 2)) == ((0, 30), (2, 60), (4, 90), (6, 100))


def test_a_custom_configuration_is_read_from_its_traffic_routing():
    given = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 7}}
    assert appspec.shifts(appspec.routing(given)) == ((0, 25), (7, 100))
    for wrong in ({"type": "Slowly"}, {"type": "TimeBasedLinear"}, {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10}}):
        with pytest.raises(ValueError):
            appspec.routing(wrong)
    with pytest.raises(ValueError, match="ECSAllAtOnce"):
        appspec.weights_at("CodeDeployDefault.Unknown", 0)


def test_the_names_of_routing_fields_are_the_api_s_own():
    model = get_session().get_service_model("codedeploy")
    assert set(appspec.FIELDS) == set(model.shape_for("TrafficRoutingType").enum)
    routing = model.shape_for("TrafficRoutingConfig").members
    for structure, percentage, interval in filter(None, appspec.FIELDS.values()):
        assert set(routing[structure].members) == {percentage, interval}


@given(st.sampled_from(["AllAtOnce", "TimeBasedCanary", "TimeBasedLinear"]), st.integers(1, 100), st.integers(1, 600), st.lists(st.floats(0, 1e5), max_size=8))
@settings(max_examples=150, deadline=None)
def test_weights_sum_to_a_hundred_and_only_grow_for_the_replacement(kind, percentage, interval, moments):
    config = Routing(kind, percentage, interval)
    shares = [appspec.weights_at(config, minute) for minute in sorted(moments)]
    assert all(original + replacement == 100 for original, replacement in shares)
    assert [r for _, r in shares] == sorted(r for _, r in shares)
    assert appspec.weights_at(config, appspec.minutes_to_shift(config)) == (0, 100)
