"""Blue/green, linear and canary deployments as pure decisions."""
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules import native_deployment as native
from ecslab.rules.errors import EcsError
from ecslab.rules.native_deployment import STAGES, Enter, Finish, HookView, Invoke, RollBack, SetWeights, TimeOut, View, WakeAt


def settings(strategy="BLUE_GREEN", **fields):
    return native.configuration({"strategy": strategy, **fields})


def walk(configuration, *, hooks=None, trouble_at=None, ready_after=30.0, gone_after=20.0, tests_traffic=True, limit=4000):
    """Play a deployment to its end: [(seconds, action)], with everything that can be done done at once."""
    view, now, told, since_stage = View(configuration, None, 0.0, 0.0, 0.0, tests_traffic=tests_traffic), 0.0, [], 0.0
    for _ in range(limit):
        view = replace(
            view,
            green_ready=view.stage is not None and now >= ready_after,
            blue_gone=view.stage == "CLEAN_UP" and now >= view.since + gone_after,
            trouble="broken" if trouble_at is not None and now >= trouble_at else None,
            hooks=[h for h in view.hooks if h.status] or ((hooks or {}).get(view.stage) or []),
        )
        actions = native.plan(view, now)
        moved = False
        for action in actions:
            told.append((now, action))
            match action:
                case Enter(stage=stage):
                    view, moved = replace(view, stage=stage, since=now, shifted_at=None, hooks=()), True
                case SetWeights(production=production, test=test):
                    shifted_at = now if view.stage == native.STEP else None
                    view, moved = replace(view, production=production, test=test, shifted_at=shifted_at), True
                case Invoke(hook_id=hook_id):
                    view = replace(view, hooks=[replace(h, status="SUCCEEDED") if h.id == hook_id else h for h in view.hooks])
                    moved = True
                case RollBack() | Finish():
                    return told
        if not moved:
            wakes = [a.at for a in actions if isinstance(a, WakeAt)]
            now = min(wakes) if wakes else now + 5
    raise AssertionError("the deployment did not end")


def stages(told):
    return [action.stage for _, action in told if isinstance(action, Enter)]


@pytest.mark.parametrize(
    "linear, bakes, minutes",
    [((10.0, 6), 9, 54), ((11.0, 6), 9, 54), ((50.0, 6), 1, 6), ((100.0, 6), 0, 0), ((3.0, 1), 33, 33), ((33.3, 2), 3, 6), ((25.0, 4), 3, 12)],
)
def test_the_number_of_linear_steps_follows_the_step_percent(linear, bakes, minutes):
    given_ = settings("LINEAR", linearConfiguration={"stepPercent": linear[0], "stepBakeTimeInMinutes": linear[1]}, bakeTimeInMinutes=0)
    steps = native.schedule(given_)
    assert (len(steps) - 1, native.duration(given_)) == (bakes, minutes)
    assert steps[-1][1] == 100


def test_defaults_are_the_documented_ones():
    assert settings("CANARY")["canaryConfiguration"] == {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}
    assert settings("LINEAR")["linearConfiguration"] == {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}
    assert native.schedule(settings("CANARY")) == ((0.0, 5.0), (10.0, 100.0))
    assert native.schedule(settings("BLUE_GREEN")) == ((0.0, 100.0),)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}}, "stepPercent must be between 3 and 100."),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0}}, "canaryPercent must be between 0.1 and 100."),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1441}, "bakeTimeInMinutes must be between 0 and 1440."),
        ({"strategy": "BLUE_GREEN", "canaryConfiguration": {"canaryPercent": 5.0}}, "canaryConfiguration is only valid for the CANARY"),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["SCALE_UP"]}]}, "type PAUSE is not supported in the lifecycle stage SCALE_UP"),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}]}, "type PAUSE is not supported"),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"], "roleArn": "r"}]}, "hookTargetArn can not be blank."),
        ({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"hookTargetArn": "f", "roleArn": "r", "lifecycleStages": []}]}, "lifecycleStages can not be empty."),
    ],
)  # fmt: skip
def test_what_ecs_could_not_run_is_refused(fields, message):
    with pytest.raises(EcsError, match=message):
        native.configuration(fields)


def test_the_stages_come_in_order_and_the_deployment_ends():
    told = walk(settings(bakeTimeInMinutes=5))
    assert stages(told) == list(STAGES[1:])
    assert isinstance(told[-1][1], Finish)
    several = native.plan(View(settings(), None, 0, 0, 0, several_revisions=True), 0)
    assert several == [Enter("RECONCILE_SERVICE")]


def test_a_canary_waits_before_it_sends_the_rest():
    told = walk(settings("CANARY", canaryConfiguration={"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 3}, bakeTimeInMinutes=2))
    shifts = [(at, a.production) for at, a in told if isinstance(a, SetWeights) and a.production]
    assert [share for _, share in shifts] == [10.0, 100.0]
    assert shifts[1][0] - shifts[0][0] == 180


def test_without_a_test_listener_no_test_traffic_is_shifted():
    told = walk(settings(), tests_traffic=False)
    assert {a.test for _, a in told if isinstance(a, SetWeights)} == {0.0}


def test_a_network_load_balancer_takes_ten_minutes_to_follow():
    view = View(settings(), "PRODUCTION_TRAFFIC_SHIFT", 0.0, 100.0, 0.0, network=True)
    assert native.plan(view, 599) == [WakeAt(600.0)]
    assert native.plan(view, 600) == [Enter("POST_PRODUCTION_TRAFFIC_SHIFT")]


def stage(hook, now=0.0, name="POST_SCALE_UP"):
    return native.plan(View(settings(), name, 0.0, 0.0, 0.0, hooks=[hook]), now)


def test_a_hook_holds_its_stage_until_it_succeeds():
    assert stage(HookView("h", "AWS_LAMBDA")) == [Invoke("h")]
    assert stage(HookView("h", "AWS_LAMBDA", "IN_PROGRESS", call_again_at=30.0)) == [WakeAt(30.0)]
    assert stage(HookView("h", "AWS_LAMBDA", "IN_PROGRESS", call_again_at=30.0), 30.0) == [Invoke("h")]
    assert stage(HookView("h", "AWS_LAMBDA", "SUCCEEDED")) == [Enter("TEST_TRAFFIC_SHIFT")]
    assert isinstance(stage(HookView("h", "AWS_LAMBDA", "FAILED"))[0], RollBack)


def test_a_pause_ends_by_its_timeout_action():
    waiting = HookView("h", "PAUSE", "AWAITING_ACTION", expires_at=60.0)
    assert stage(waiting) == [WakeAt(60.0)]
    assert stage(waiting, 60.0) == [TimeOut("h")]
    assert isinstance(stage(replace(waiting, status="TIMED_OUT"))[0], RollBack)
    assert stage(replace(waiting, status="TIMED_OUT", timeout_action="CONTINUE")) == [Enter("TEST_TRAFFIC_SHIFT")]


@pytest.mark.parametrize("name", ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"])
def test_hooks_of_the_production_shift_run_before_or_at_every_step(name):
    linear = settings("LINEAR", linearConfiguration={"stepPercent": 40.0, "stepBakeTimeInMinutes": 2}, bakeTimeInMinutes=0)
    told = walk(linear, hooks={name: [HookView("h", "AWS_LAMBDA")]})
    story = [a if isinstance(a, Invoke) else a.production for _, a in told if isinstance(a, Invoke) or getattr(a, "production", 0)]
    assert story == [Invoke("h"), 40.0, Invoke("h"), 80.0, Invoke("h"), 100.0]


def test_hooks_of_other_stages_run_once_in_a_linear_deployment():
    linear = settings("LINEAR", linearConfiguration={"stepPercent": 40.0, "stepBakeTimeInMinutes": 2}, bakeTimeInMinutes=0)
    told = walk(linear, hooks={"POST_PRODUCTION_TRAFFIC_SHIFT": [HookView("h", "AWS_LAMBDA")]})
    assert [a for _, a in told if isinstance(a, Invoke)] == [Invoke("h")]


def test_a_step_bakes_from_its_own_shift_however_long_its_hook_took():
    canary = settings("CANARY", canaryConfiguration={"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 3})
    view = View(canary, "PRODUCTION_TRAFFIC_SHIFT", 0.0, 10.0, 0.0, shifted_at=400.0)
    assert native.plan(view, 579.0) == [WakeAt(580.0)]
    assert native.plan(view, 580.0) == [Enter("PRE_PRODUCTION_TRAFFIC_SHIFT")]


configurations = st.one_of(
    st.builds(lambda bake: settings(bakeTimeInMinutes=bake), st.integers(0, 30)),
    st.builds(
        lambda share, step, bake: settings("LINEAR", linearConfiguration={"stepPercent": share, "stepBakeTimeInMinutes": step}, bakeTimeInMinutes=bake),
        st.floats(3, 100).map(lambda x: round(x, 1)), st.integers(0, 10), st.integers(0, 30),
    ),
    st.builds(
        lambda share, step: settings("CANARY", canaryConfiguration={"canaryPercent": share, "canaryBakeTimeInMinutes": step}, bakeTimeInMinutes=1),
        st.floats(0.1, 100).map(lambda x: round(x, 1)), st.integers(0, 20),
    ),
)  # fmt: skip


@given(configurations, st.one_of(st.none(), st.floats(0, 4000)), st.sampled_from([None, *STAGES[1:]]))
def test_whatever_happens_traffic_only_moves_forward_and_the_deployment_ends(configuration, trouble_at, hooked):
    hooks = {hooked: [HookView("h", "AWS_LAMBDA")]} if hooked and hooked not in native.NO_HOOKS else None
    told = walk(configuration, trouble_at=trouble_at, hooks=hooks)
    shares = [a.production for _, a in told if isinstance(a, SetWeights)]
    assert shares == sorted(shares) and all(0 <= share <= 100 for share in shares)
    end = told[-1][1]
    assert isinstance(end, (Finish, RollBack))
    if isinstance(end, Finish):
        assert shares[-1] == 100
        passed = stages(told)
        assert list(dict.fromkeys(passed)) == [s for s in STAGES if s in passed]
        assert passed.count(native.BEFORE_STEP) == passed.count(native.STEP) == len(native.schedule(configuration))
        assert all(passed.count(s) == 1 for s in passed if s not in (native.BEFORE_STEP, native.STEP))
