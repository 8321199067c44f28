"""Blue/green, linear and canary deployments as pure decisions, walked from stage to stage."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import native_deployment as native
from ecslab.rules.errors import EcsError
from ecslab.rules.native_deployment import STAGES, Enter, Finish, HookView, Invoke, RollBack, SetWeights, TimeOut, View, WakeAt

MINUTE = 60.0
MOST_ROUNDS = 1000


@dataclass
class World:
    """One deployment whose clock jumps to the next WakeAt; hooks answer what the test prepared."""

    view: View
    hooks: dict[str, list[HookView]] = field(default_factory=dict)  # by stage
    answers: dict[str, list[str]] = field(default_factory=dict)  # what each Lambda hook answers, in turn
    trouble_at: tuple[float, str] | None = None
    now: float = 0.0
    stages: list[str] = field(default_factory=list)
    shares: list[tuple[float, float]] = field(default_factory=list)  # (minutes, green's production share)
    invoked: list[str] = field(default_factory=list)
    outcome: str | None = None

    @classmethod
    def of(cls, strategy: str = "BLUE_GREEN", several: bool = False, tests: bool = True, network: bool = False, **given) -> "World":
        configuration = native.configuration({"strategy": strategy, **given})
        return cls(View(configuration, None, 0.0, 0.0, 0.0, tests_traffic=tests, network=network, several_revisions=several))

    def walk(self) -> "World":
        for _ in range(MOST_ROUNDS):
            if self.trouble_at and self.now >= self.trouble_at[0]:
                self.view = replace(self.view, trouble=self.trouble_at[1])
            actions = native.plan(self.view, self.now)
            for action in actions:
                self.apply(action)
            if self.outcome:
                return self
            if not actions:
                self.view = replace(self.view, green_ready=True, blue_gone=self.view.stage == "CLEAN_UP")
            elif all(isinstance(a, WakeAt) for a in actions):
                wake = min(a.at for a in actions)
                assert wake > self.now, "a plan never asks to wake in the past"
                early = self.trouble_at and self.now < self.trouble_at[0] < wake
                self.now = self.trouble_at[0] if early else wake
        raise AssertionError(f"the deployment never ended; it is in {self.view.stage}")

    def apply(self, action) -> None:
        match action:
            case Enter(stage):
                self.stages.append(stage)
                self.view = replace(self.view, stage=stage, since=self.now, hooks=tuple(self.hooks.get(stage, ())))
            case SetWeights(production, test):
                if production != self.view.production:
                    self.shares.append((self.now / MINUTE, production))
                self.view = replace(self.view, production=production, test=test)
            case Invoke(hook):
                self.invoked.append(hook)
                self.answer(hook)
            case TimeOut(hook):
                self.change(hook, status="TIMED_OUT")
            case RollBack(reason):
                self.outcome = f"ROLLBACK: {reason}"
                self.view = replace(self.view, production=0.0, test=0.0)
            case Finish():
                self.outcome = "SUCCESSFUL"

    def answer(self, id: str) -> None:
        hook = next(h for h in self.view.hooks if h.id == id)
        expires = self.now + 1440 * MINUTE if hook.expires_at is None else hook.expires_at
        if hook.kind == "PAUSE":
            self.change(id, status="AWAITING_ACTION", expires_at=expires)
            return
        status = self.answers.get(id, ["SUCCEEDED"]).pop(0)
        again = self.now + native.CALL_BACK_DELAY if status == "IN_PROGRESS" else None
        self.change(id, status=status, expires_at=expires, call_again_at=again)

    def change(self, id: str, **what) -> None:
        self.view = replace(self.view, hooks=tuple(replace(h, **what) if h.id == id else h for h in self.view.hooks))


# The stages ------------------------------------------------------------------------


def test_a_deployment_walks_its_stages_in_order():
    assert World.of().walk().stages == list(STAGES[1:])
    assert World.of(several=True).walk().stages == list(STAGES), "RECONCILE_SERVICE only with more than one active revision"


def test_no_stage_is_left_before_its_work_is_done():
    view = replace(World.of().view, stage="SCALE_UP")
    assert native.plan(view, 0.0) == []
    assert native.plan(replace(view, green_ready=True), 0.0) == [Enter("POST_SCALE_UP")]
    cleaning = replace(view, stage="CLEAN_UP")
    assert native.plan(cleaning, 0.0) == [], "blue's tasks are still there"
    assert native.plan(replace(cleaning, blue_gone=True), 0.0) == [Finish()]


def test_the_stage_names_are_the_api_s_own():
    model = get_session().get_service_model("ecs")
    hookable = set(model.shape_for("DeploymentLifecycleHookStage").enum)
    assert set(STAGES) == hookable | set(model.shape_for("ServiceDeploymentLifecycleStage").enum)
    assert set(STAGES) - set(native.NO_HOOKS) == hookable


def test_test_traffic_moves_only_with_a_test_listener_and_before_production():
    assert World.of(tests=True).walk().view.test == 100.0
    assert World.of(tests=False).walk().view.test == 0.0
    shifting = replace(World.of().view, stage="TEST_TRAFFIC_SHIFT")
    assert native.plan(shifting, 0.0) == [SetWeights(0.0, 100.0)]


# Traffic ---------------------------------------------------------------------------


def test_blue_green_shifts_everything_at_once_and_bakes():
    world = World.of(bakeTimeInMinutes=20).walk()
    assert world.shares == [(0.0, 100.0)] and world.now == 20 * MINUTE and world.outcome == "SUCCESSFUL"


def test_a_canary_gets_its_share_first_and_the_rest_after_its_bake():
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5}
    world = World.of("CANARY", canaryConfiguration=canary, bakeTimeInMinutes=2).walk()
    assert world.shares == [(0.0, 10.0), (5.0, 100.0)] and world.now == 7 * MINUTE


@pytest.mark.parametrize(
    "step, step_bake, bakes, shift",
    [(10.0, 6, 9, 54), (11.0, 6, 9, 54), (50.0, 30, 1, 30), (100.0, 6, 0, 0), (25.0, 0, 3, 0), (33.3, 1, 3, 3), (3.0, 1, 33, 33)],
)
def test_a_linear_shift_takes_the_documented_number_of_step_bakes(step, step_bake, bakes, shift):
    linear = {"stepPercent": step, "stepBakeTimeInMinutes": step_bake}
    world = World.of("LINEAR", linearConfiguration=linear, bakeTimeInMinutes=15).walk()
    assert len(native.schedule(world.view.configuration)) == bakes + 1
    assert world.now == (shift + 15) * MINUTE == native.duration(world.view.configuration) * MINUTE


def test_a_network_load_balancer_waits_ten_minutes_in_each_shift():
    assert World.of(network=True, bakeTimeInMinutes=0).walk().now == 20 * MINUTE
    assert World.of(network=False, bakeTimeInMinutes=0).walk().now == 0.0


# Hooks -------------------------------------------------------------------------------


def with_hook(stage: str, hook: HookView, *answers: str) -> World:
    world = World.of(bakeTimeInMinutes=0)
    world.hooks[stage] = [hook]
    world.answers[hook.id] = list(answers)
    return world


def test_a_lambda_hook_in_progress_is_called_again_after_its_delay():
    world = with_hook("POST_SCALE_UP", HookView("tests", "AWS_LAMBDA"), "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED").walk()
    assert world.invoked == ["tests"] * 3 and world.now == 2 * native.CALL_BACK_DELAY and world.outcome == "SUCCESSFUL"


def test_a_failed_hook_rolls_back_before_any_traffic_has_moved():
    world = with_hook("POST_TEST_TRAFFIC_SHIFT", HookView("tests", "AWS_LAMBDA"), "FAILED").walk()
    assert world.outcome.startswith("ROLLBACK") and "POST_TEST_TRAFFIC_SHIFT" in world.outcome and world.shares == []


@pytest.mark.parametrize("action, outcome", [("ROLLBACK", "ROLLBACK"), ("CONTINUE", "SUCCESSFUL")])
def test_a_pause_nobody_answers_does_what_its_timeout_action_says(action, outcome):
    hook = HookView("approval", "PAUSE", expires_at=30 * MINUTE, timeout_action=action)
    world = with_hook("PRE_PRODUCTION_TRAFFIC_SHIFT", hook).walk()
    assert world.outcome.startswith(outcome) and world.now == 30 * MINUTE


def test_a_pause_that_is_answered_lets_the_deployment_go_on():
    world = with_hook("PRE_SCALE_UP", HookView("approval", "PAUSE"))
    world.apply(Enter("PRE_SCALE_UP"))
    world.apply(Invoke("approval"))
    assert native.plan(world.view, 0.0) == [WakeAt(1440 * MINUTE)]
    world.change("approval", status="SUCCEEDED")
    assert native.plan(world.view, 60.0) == [Enter("SCALE_UP")]


# Trouble -----------------------------------------------------------------------------


def test_trouble_during_the_bake_gives_all_traffic_back_at_once():
    world = World.of(bakeTimeInMinutes=15)
    world.trouble_at = (7 * MINUTE, "alarm detected: errors.")
    assert world.walk().outcome == "ROLLBACK: alarm detected: errors." and world.now == 7 * MINUTE
    assert (world.stages[-1], world.view.production) == ("BAKE_TIME", 0.0)


def test_once_blue_is_being_cleaned_up_there_is_no_way_back():
    view = replace(World.of().view, stage="CLEAN_UP", trouble="alarm detected: errors.", production=100.0)
    assert not any(isinstance(a, RollBack) for a in native.plan(view, 0.0))


# The configuration -------------------------------------------------------------------


def test_what_is_left_out_of_a_configuration_gets_its_default():
    assert native.configuration({"strategy": "LINEAR"})["linearConfiguration"] == {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}
    assert native.configuration({"strategy": "CANARY"})["canaryConfiguration"] == {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}


LAMBDA = {"hookTargetArn": "arn:aws:lambda:us-east-1:123456789012:function:check", "roleArn": "arn:aws:iam::123456789012:role/hooks"}


@pytest.mark.parametrize(
    "strategy, wrong",
    [
        ("BLUE_GREEN", {"bakeTimeInMinutes": 1441}),
        ("BLUE_GREEN", {"bakeTimeInMinutes": -1}),
        ("BLUE_GREEN", {"canaryConfiguration": {"canaryPercent": 5.0}}),
        ("LINEAR", {"linearConfiguration": {"stepPercent": 2.9}}),
        ("LINEAR", {"linearConfiguration": {"stepBakeTimeInMinutes": 1441}}),
        ("LINEAR", {"canaryConfiguration": {"canaryPercent": 5.0}}),
        ("CANARY", {"canaryConfiguration": {"canaryPercent": 0.0}}),
        ("CANARY", {"canaryConfiguration": {"canaryPercent": 100.1}}),
        ("BLUE_GREEN", {"lifecycleHooks": [{**LAMBDA, "lifecycleStages": ["BAKE_TIME"]}]}),
        ("BLUE_GREEN", {"lifecycleHooks": [{**LAMBDA, "lifecycleStages": []}]}),
        ("BLUE_GREEN", {"lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"]}]}),
        ("BLUE_GREEN", {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}]}),
        ("BLUE_GREEN", {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}]}),
        ("BLUE_GREEN", {"lifecycleHooks": [
            {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 20161}}]}),
    ],
)  # fmt: skip
def test_a_configuration_outside_its_limits_is_refused(strategy, wrong):
    with pytest.raises(EcsError) as caught:
        native.configuration({"strategy": strategy, **wrong})
    assert caught.value.code == "InvalidParameterException"


def test_lambda_hooks_are_allowed_where_pauses_are_not():
    hooks = [{**LAMBDA, "lifecycleStages": ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]}]
    assert native.configuration({"strategy": "BLUE_GREEN", "lifecycleHooks": hooks})["lifecycleHooks"] == hooks


# Whatever happens --------------------------------------------------------------------


@st.composite
def deployments(draw):
    strategy = draw(st.sampled_from(native.STRATEGIES))
    own = {
        "BLUE_GREEN": {},
        "LINEAR": {"linearConfiguration": {"stepPercent": draw(st.integers(30, 1000)) / 10, "stepBakeTimeInMinutes": draw(st.integers(0, 30))}},
        "CANARY": {"canaryConfiguration": {"canaryPercent": draw(st.integers(1, 1000)) / 10, "canaryBakeTimeInMinutes": draw(st.integers(0, 60))}},
    }[strategy]
    several, tests, network = (draw(st.booleans()) for _ in range(3))
    world = World.of(strategy, several, tests, network and strategy == "BLUE_GREEN", bakeTimeInMinutes=draw(st.integers(0, 60)), **own)
    for stage in draw(st.lists(st.sampled_from([s for s in STAGES if s not in native.NO_HOOKS]), unique=True, max_size=3)):
        world.hooks[stage] = [HookView(stage, "AWS_LAMBDA")]
        world.answers[stage] = [*["IN_PROGRESS"] * draw(st.integers(0, 3)), draw(st.sampled_from(["SUCCEEDED", "SUCCEEDED", "FAILED"]))]
    if draw(st.booleans()):
        world.trouble_at = (draw(st.integers(0, 7200)), "tasks failed to start.")
    return world


@given(deployments())
@settings(max_examples=200, deadline=None)
def test_every_deployment_ends_and_green_s_share_only_grows_until_it_is_taken_back(world):
    world.walk()
    shares = [share for _, share in world.shares]
    assert shares == sorted(shares) and all(0 < share <= 100 for share in shares)
    assert world.stages == [s for s in STAGES if s in world.stages], "in order, none twice"
    if world.outcome == "SUCCESSFUL":
        assert world.view.production == 100.0 and world.stages[-1] == "CLEAN_UP"
    else:
        assert world.view.production == 0.0, "all of it is blue's again"


@given(deployments())
@settings(max_examples=100, deadline=None)
def test_a_failed_hook_or_trouble_before_clean_up_always_ends_in_rollback(world):
    failing = [stage for stage in world.hooks if world.answers[stage][-1] == "FAILED"]
    world.walk()
    reached = [stage for stage in failing if stage in world.stages]
    if reached or world.view.trouble and world.stages[-1:] != ["CLEAN_UP"]:
        assert world.outcome.startswith("ROLLBACK")
