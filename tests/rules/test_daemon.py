"""The plan of a DAEMON service: one task a host, old before new, the lower limit, last on a draining host."""
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules import daemon, rollout
from ecslab.rules.rollout import Complete, DeploymentView, Say, ServiceView, Stop, TaskView

NEW = DeploymentView("new", "PRIMARY", "IN_PROGRESS")
OLD = DeploymentView("old", "ACTIVE", "COMPLETED")


def task(host, deployment="new", **facts):
    return TaskView(f"{deployment}-{host}", deployment, 0.0, **{"running": True, "healthy": True, **facts}, instance=host)


def plan(tasks, hosts, minimum=0, deployments=(NEW, OLD)):
    view = ServiceView(sum(h.wanted for h in hosts), minimum, 100, deployments, tasks)
    return daemon.plan(view, hosts, 0.0)


def wanted(*names):
    return [daemon.Host(name, True) for name in names]


def test_every_wanted_host_without_a_task_gets_one_and_a_task_that_stops_still_holds_its_host():
    actions = plan([task("a", stopping=True), task("b")], wanted("a", "b", "c"))
    assert actions == [daemon.StartOn("new", ("c",)), rollout.Retire("old")]


def test_an_update_stops_as_many_old_tasks_as_the_lower_limit_allows():
    old = [task(h, "old") for h in "abcd"]
    assert {a.task_id for a in plan(old, wanted(*"abcd")) if isinstance(a, Stop)} == {"old-a", "old-b", "old-c", "old-d"}
    assert [a.task_id for a in plan(old, wanted(*"abcd"), minimum=50) if isinstance(a, Stop)] == ["old-a", "old-b"]


def test_one_host_and_a_lower_limit_block_an_update_and_the_service_says_so():
    assert plan([task("a", "old")], wanted("a"), minimum=50) == [Say(rollout.BLOCKED)]


def test_on_a_host_that_is_not_wanted_any_more_the_daemon_waits_for_the_others_to_leave():
    busy, alone = daemon.Host("a", False, others=2), daemon.Host("a", False)
    assert plan([task("a")], [busy], deployments=(NEW,)) == [Complete("new")]
    assert plan([task("a")], [alone], deployments=(NEW,))[0] == Stop("new-a", "scale-in")


def test_an_unhealthy_daemon_stops_before_its_replacement_starts():
    actions = plan([task("a", healthy=False, unhealthy=True), task("b")], wanted("a", "b"), deployments=(NEW,))
    assert actions == [Stop("new-a", "unhealthy")]


def test_it_is_done_when_every_wanted_host_has_a_healthy_task_of_the_newest_revision():
    assert plan([task("a"), task("b")], wanted("a", "b")) == [rollout.Retire("old"), Complete("new")]
    assert Complete("new") not in plan([task("a"), task("b", healthy=False)], wanted("a", "b"))


TASK = st.builds(
    lambda host, deployment, kind: task(host, deployment, **kind),
    st.sampled_from("abcdef"),
    st.sampled_from(["old", "new"]),
    st.sampled_from([{}, {"healthy": False}, {"running": False, "healthy": False}, {"healthy": False, "unhealthy": True}, {"stopping": True, "healthy": False}]),
)
HOST = st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 1))


@given(st.lists(TASK, max_size=6, unique_by=lambda t: t.instance), st.lists(HOST, max_size=6, unique_by=lambda h: h[0]), st.integers(0, 99))
def test_whatever_the_state_no_host_gets_a_second_task_and_the_lower_limit_holds(tasks, hosts, minimum):
    known = [daemon.Host(*h) for h in hosts]
    known += [daemon.Host(t.instance, False) for t in tasks if t.instance not in {h.id for h in known}]
    actions = plan(tasks, known, minimum)
    started = [i for a in actions if isinstance(a, daemon.StartOn) for i in a.instances]
    assert len(started) == len(set(started)) and not set(started) & {t.instance for t in tasks}
    assert set(started) <= {h.id for h in known if h.wanted}
    on_wanted = [t for t in tasks if t.healthy and t.instance in {h.id for h in known if h.wanted}]
    stopped = {a.task_id for a in actions if isinstance(a, Stop)}
    lost = sum(t.id in stopped for t in on_wanted)
    lower = rollout.band(sum(h.wanted for h in known), minimum, 100).lower
    assert not lost or len(on_wanted) - lost >= lower
