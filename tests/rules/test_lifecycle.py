"""One task's containers: order, essential, restarts, stopping, and the health that results."""
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules import health, lifecycle
from ecslab.rules.lifecycle import Advance, Container, Progress, RestartPolicy, StartContainer, StopContainer, StopTask, WakeAt

READY = Progress(network_ready=True, pulling=True, created=True)


def up(name: str, **fields) -> Container:
    return replace(lifecycle.started(Container(name, **fields), 0.0))


def plan(containers, status="ACTIVATING", desired="RUNNING", progress=READY, now=0.0):
    return lifecycle.plan(status, desired, containers, progress, now)


def test_a_task_climbs_one_state_at_a_time():
    waiting = [Container("app")]
    assert plan(waiting, "PROVISIONING", progress=Progress()) == []
    assert plan(waiting, "PROVISIONING", progress=Progress(network_ready=True)) == [Advance("PENDING")]
    assert plan(waiting, "PENDING", progress=Progress(network_ready=True, pulling=True)) == [Advance("ACTIVATING")]
    assert plan(waiting) == [StartContainer("app")]
    assert plan([up("app")]) == [Advance("RUNNING")]
    assert plan([up("app")], "RUNNING") == []


@pytest.mark.parametrize(
    "condition, dependency, starts",
    [
        ("START", Container("init"), False),
        ("START", up("init"), True),
        ("COMPLETE", up("init"), False),
        ("COMPLETE", lifecycle.exited(up("init", essential=False), 3), True),
        ("SUCCESS", lifecycle.exited(up("init", essential=False), 0), True),
        ("HEALTHY", up("init", has_health_check=True), False),
        ("HEALTHY", replace(up("init", has_health_check=True), health="HEALTHY"), True),
    ],
)
def test_a_container_starts_when_its_dependency_has_reached_the_condition(condition, dependency, starts):
    app = Container("app", depends_on=(("init", condition),))
    assert (StartContainer("app") in plan([dependency, app])) is starts


def test_a_dependency_that_can_no_longer_succeed_fails_the_task():
    init = lifecycle.exited(up("init", essential=False), 1)
    stop = plan([init, Container("app", depends_on=(("init", "SUCCESS"),))])[0]
    assert stop.stop_code == "TaskFailedToStart"
    assert "dependency [init] for target [app]" in stop.reason and "did not exit successfully" in stop.reason


def test_a_dependency_that_takes_longer_than_its_start_timeout_fails_the_task():
    slow = up("db", has_health_check=True, start_timeout=60.0)
    app = Container("app", depends_on=(("db", "HEALTHY"),))
    assert plan([slow, app], now=59.0) == [WakeAt(60.0)]
    stop = plan([slow, app], now=60.0)[0]
    assert stop.reason == "dependency graph: container ordering dependency [db] for target [app] has timed out."


@pytest.mark.parametrize("code", [0, 1, 137])
def test_an_essential_container_that_exits_stops_the_task_whatever_its_code(code):
    exited = lifecycle.exited(up("app"), code)
    assert plan([exited, up("side")], "RUNNING") == [StopTask("EssentialContainerExited", "Essential container in task exited")]


def test_a_container_that_is_not_essential_may_exit():
    assert plan([up("app"), lifecycle.exited(up("init", essential=False), 1)], "RUNNING") == []


def test_a_restart_policy_restarts_in_the_same_task_only_after_the_attempt_period():
    policy = RestartPolicy(ignored_exit_codes=frozenset({42}), attempt_period=60.0)
    crashed = lifecycle.exited(up("app", restart_policy=policy), 1)
    assert plan([crashed], "RUNNING", now=61.0) == [StartContainer("app", restart=True)]
    assert isinstance(plan([crashed], "RUNNING", now=59.0)[0], StopTask)
    ignored = lifecycle.exited(up("app", restart_policy=policy), 42)
    assert isinstance(plan([ignored], "RUNNING", now=61.0)[0], StopTask)
    again = lifecycle.started(lifecycle.restarted(crashed), 61.0)
    assert (again.started_at, again.run_since, again.restart_count) == (0.0, 61.0, 1)


def test_dependants_stop_before_what_they_depend_on():
    containers = [up("db"), up("app", depends_on=(("db", "START"),)), up("proxy", depends_on=(("app", "START"),))]
    order = []
    while live := [c for c in containers if c.status == "RUNNING"]:
        stops = plan(containers, "STOPPING", "STOPPED")
        assert stops and all(isinstance(s, StopContainer) for s in stops), live
        order += [s.name for s in stops]
        containers = [lifecycle.exited(c, 0) if c.name in order else c for c in containers]
    assert order == ["proxy", "app", "db"]


def test_a_task_walks_down_through_every_state_and_waits_for_its_target_group_and_its_containers():
    running = [up("app")]
    assert plan(running, "RUNNING", "STOPPED") == [Advance("DEACTIVATING")]
    draining = replace(READY, may_stop=False)
    assert plan(running, "DEACTIVATING", "STOPPED", draining) == []
    assert plan(running, "DEACTIVATING", "STOPPED") == [Advance("STOPPING")]
    assert plan(running, "STOPPING", "STOPPED") == [StopContainer("app", 30.0)]
    stopped = [lifecycle.exited(running[0], 143)]
    assert plan(stopped, "STOPPING", "STOPPED") == [Advance("DEPROVISIONING")]
    assert plan(stopped, "DEPROVISIONING", "STOPPED") == []
    assert plan(stopped, "DEPROVISIONING", "STOPPED", replace(READY, removed=True)) == [Advance("STOPPED")]


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING"])
def test_a_task_that_has_not_started_anything_goes_straight_to_deprovisioning(status):
    assert plan([Container("app")], status, "STOPPED") == [Advance("DEPROVISIONING")]


def test_links_and_volumes_from_imply_an_order():
    app, db = lifecycle.containers_of(
        {"containerDefinitions": [{"name": "app", "links": ["db:database"]}, {"name": "db", "volumesFrom": []}]}
    )
    assert app.depends_on == (("db", "START"),) and db.depends_on == ()


def test_an_out_of_memory_kill_has_its_reason_and_code():
    killed = lifecycle.exited(up("app"), 137, oom_killed=True)
    assert (killed.exit_code, killed.reason) == (137, "OutOfMemoryError: Container killed due to memory usage")


# Health -----------------------------------------------------------------------


def test_three_failures_in_a_row_make_a_container_unhealthy_and_one_success_heals_it():
    probe = health.Probe()
    for _ in range(2):
        probe = probe.after(False, 100.0)
    assert probe.status == "UNKNOWN"
    probe = probe.after(False, 100.0)
    assert probe.status == "UNHEALTHY"
    assert probe.after(True, 130.0).status == "HEALTHY"


def test_failures_inside_the_start_period_do_not_count_until_the_first_success():
    probe = health.Probe(retries=1, start_period=60.0)
    assert probe.after(False, 30.0).status == "UNKNOWN"
    assert probe.after(True, 30.0).after(False, 31.0).status == "UNHEALTHY"
    assert probe.after(False, 61.0).status == "UNHEALTHY"


def test_with_defaults_a_container_that_never_passes_is_unhealthy_after_ninety_seconds():
    assert health.seconds_to_unhealthy(health.DEFAULT_INTERVAL, health.DEFAULT_RETRIES) == 90


@pytest.mark.parametrize(
    "states, expected",
    [([], "UNKNOWN"), (["HEALTHY"], "HEALTHY"), (["HEALTHY", "UNKNOWN"], "UNKNOWN"), (["UNKNOWN", "UNHEALTHY"], "UNHEALTHY")],
)
def test_a_tasks_health_is_the_worst_of_its_checked_essential_containers(states, expected):
    containers = [replace(up(str(i), has_health_check=True), health=s) for i, s in enumerate(states)]
    bystander = replace(up("side", essential=False, has_health_check=True), health="UNHEALTHY")
    unchecked = up("app")
    assert health.task_health([*containers, bystander, unchecked]) == expected


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 10))
def test_a_container_is_unhealthy_exactly_after_that_many_failures_in_a_row(results, retries):
    probe = health.Probe(retries=retries)
    for result in results:
        probe = probe.after(result, 1000.0)
    tail = 0
    for result in reversed(results):
        if result:
            break
        tail += 1
    assert (probe.status == "UNHEALTHY") == (tail >= retries)
