"""Native deployments under trouble: whatever hooks answer and alarms say, each one ends as it should.

The arithmetic of steps and the limits of a configuration are tested in test_native_deployment.py.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace

from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import native_deployment as native
from ecslab.rules.native_deployment import STAGES, Enter, Finish, HookView, Invoke, RollBack, SetWeights, View, WakeAt

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
            case RollBack(reason):
                self.outcome = f"ROLLBACK: {reason}"
            case Finish():
                self.outcome = "SUCCESSFUL"

    def answer(self, id: str) -> None:
        status = self.answers[id].pop(0)
        again = self.now + native.CALL_BACK_DELAY if status == "IN_PROGRESS" else None
        self.change(id, status=status, call_again_at=again)

    def change(self, id: str, **what) -> None:
        self.view = replace(self.view, hooks=tuple(replace(h, **what) if h.id == id else h for h in self.view.hooks))


# The stages ------------------------------------------------------------------------


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


# Trouble -----------------------------------------------------------------------------


def test_trouble_during_the_bake_gives_all_traffic_back_at_once():
    world = World.of(bakeTimeInMinutes=15)
    world.trouble_at = (7 * MINUTE, "alarm detected: errors.")
    assert world.walk().outcome == "ROLLBACK: alarm detected: errors."
    assert (world.stages[-1], world.now) == ("BAKE_TIME", 7 * MINUTE)


def test_once_blue_is_being_cleaned_up_there_is_no_way_back():
    view = replace(World.of().view, stage="CLEAN_UP", trouble="alarm detected: errors.", production=100.0)
    assert not any(isinstance(a, RollBack) for a in native.plan(view, 0.0))


# The configuration -------------------------------------------------------------------


LAMBDA = {"hookTargetArn": "arn:aws:lambda:us-east-1:123456789012:function:check", "roleArn": "arn:aws:iam::123456789012:role/hooks"}


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
@settings(max_examples=300, deadline=None)
def test_every_deployment_ends_and_only_an_untroubled_one_keeps_the_traffic(world):
    fails = {stage for stage in world.hooks if world.answers[stage][-1] == "FAILED"}
    world.walk()
    shares = [share for _, share in world.shares]
    assert shares == sorted(shares) and all(0 < share <= 100 for share in shares), "green's share only grows"
    assert world.stages == [s for s in STAGES if s in world.stages], "in order, none twice"
    if world.outcome == "SUCCESSFUL":
        assert world.stages[-1] == "CLEAN_UP" and world.view.production == 100.0
        assert not fails & set(world.stages)
    else:
        assert "CLEAN_UP" not in world.stages, "blue is whole and can take everything back"
        assert world.view.trouble or world.stages[-1] in fails
