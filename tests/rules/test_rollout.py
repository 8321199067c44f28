"""Rolling updates, replacement, scaling and the circuit breaker, as pure decisions."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import rollout
from ecslab.rules.rollout import Breaker, Complete, DeploymentView, Fail, Retire, Say, ServiceView, Start, Stop, TaskView, WakeAt


@dataclass
class World:
    """A service whose tasks become healthy, die or turn unhealthy when the test says so."""

    desired: int
    low: int = 100
    high: int = 200
    deployments: list[DeploymentView] = field(default_factory=lambda: [DeploymentView("old", "PRIMARY", "COMPLETED")])
    tasks: dict[str, TaskView] = field(default_factory=dict)
    breaker: Breaker = Breaker()
    said: list[str] = field(default_factory=list)
    number: int = 0

    @classmethod
    def steady(cls, desired: int, low: int = 100, high: int = 200) -> "World":
        world = cls(desired, low, high)
        world.add("old", desired)
        world.all_healthy()
        return world

    def add(self, deployment: str, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.tasks[str(self.number)] = TaskView(str(self.number), deployment, self.number, running=False, healthy=False)

    def deploy(self) -> "World":
        older = [replace(d, status="ACTIVE") for d in self.deployments]
        self.deployments = [DeploymentView("new", "PRIMARY", "IN_PROGRESS"), *older]
        return self

    def change(self, task_id: str, **what) -> None:
        self.tasks[task_id] = self.tasks[task_id]._replace(**what)

    def all_healthy(self) -> None:
        for task_id in self.tasks:
            self.change(task_id, running=True, healthy=True, unhealthy=False)

    def plan(self, now: float = 0.0) -> list[rollout.Action]:
        view = ServiceView(self.desired, self.low, self.high, tuple(self.deployments), list(self.tasks.values()), self.breaker)
        return rollout.plan(view, now)

    def apply(self, actions) -> list[Stop]:
        stopped = []
        for action in actions:
            if isinstance(action, Start):
                self.add(action.deployment_id, action.count)
            elif isinstance(action, Stop):
                stopped.append(action)
                del self.tasks[action.task_id]
            elif isinstance(action, Retire):
                self.deployments = [d for d in self.deployments if d.id != action.deployment_id]
            elif isinstance(action, Complete):
                self.deployments = [replace(d, rollout_state="COMPLETED") if d.id == action.deployment_id else d for d in self.deployments]
            elif isinstance(action, Say):
                self.said.append(action.message)
        return stopped

    def counts(self) -> tuple[int, int]:
        new = sum(t.deployment_id == "new" for t in self.tasks.values())
        return len(self.tasks) - new, new

    def walk(self) -> str:
        """Apply plans, letting new tasks become healthy whenever nothing else moves: '2/0 -> 2/2 -> 0/2'."""
        seen = [self.counts()]
        for _ in range(100):
            before = self.counts()
            self.apply(self.plan())
            if self.counts() != before:
                seen.append(self.counts())
            elif all(t.healthy for t in self.tasks.values()):
                break
            else:
                self.all_healthy()
        return " -> ".join(f"{old}/{new}" for old, new in seen)


# Desired, minimum/maximum percent, and the documented order of (old/new) tasks.
SEQUENCES = [
    (1, 100, 200, "1/0 -> 1/1 -> 0/1"),
    (1, 0, 100, "1/0 -> 0/0 -> 0/1"),
    (2, 100, 200, "2/0 -> 2/2 -> 0/2"),
    (2, 50, 100, "2/0 -> 1/0 -> 1/1 -> 0/1 -> 0/2"),
    (2, 0, 100, "2/0 -> 0/0 -> 0/2"),
    (2, 100, 150, "2/0 -> 2/1 -> 1/1 -> 1/2 -> 0/2"),
    (3, 100, 200, "3/0 -> 3/3 -> 0/3"),
    (3, 50, 100, "3/0 -> 2/0 -> 2/1 -> 1/1 -> 1/2 -> 0/2 -> 0/3"),
    (3, 0, 100, "3/0 -> 0/0 -> 0/3"),
    (3, 100, 150, "3/0 -> 3/1 -> 2/1 -> 2/2 -> 1/2 -> 1/3 -> 0/3"),
    (4, 100, 200, "4/0 -> 4/4 -> 0/4"),
    (4, 50, 100, "4/0 -> 2/0 -> 2/2 -> 0/2 -> 0/4"),
    (4, 100, 150, "4/0 -> 4/2 -> 2/2 -> 2/4 -> 0/4"),
    (4, 75, 125, "4/0 -> 4/1 -> 2/1 -> 2/3 -> 0/3 -> 0/4"),
    (10, 100, 200, "10/0 -> 10/10 -> 0/10"),
    (10, 50, 100, "10/0 -> 5/0 -> 5/5 -> 0/5 -> 0/10"),
    (10, 100, 150, "10/0 -> 10/5 -> 5/5 -> 5/10 -> 0/10"),
    (10, 75, 125, "10/0 -> 10/2 -> 6/2 -> 6/6 -> 2/6 -> 2/10 -> 0/10"),
    (10, 0, 100, "10/0 -> 0/0 -> 0/10"),
]


@pytest.mark.parametrize("desired, low, high, expected", SEQUENCES)
def test_a_rolling_update_walks_the_documented_sequence(desired, low, high, expected):
    def merged(text):
        """Stops and starts that the band allows in one moment count as one step."""
        return [tuple(map(int, step.split("/"))) for step in text.split(" -> ")]

    walked = merged(World.steady(desired, low, high).deploy().walk())
    assert set(walked) <= set(merged(expected)) and walked[0] == (desired, 0) and walked[-1] == (0, desired)


@pytest.mark.parametrize(
    "desired, low, high, lower, upper",
    [(1, 50, 100, 1, 1), (1, 100, 150, 1, 1), (1, 75, 125, 1, 1), (2, 75, 125, 2, 2), (3, 75, 125, 3, 3)],
)
def test_a_band_with_no_room_is_blocked_and_says_so(desired, low, high, lower, upper):
    limits = rollout.band(desired, low, high)
    assert (limits.lower, limits.upper, limits.blocked) == (lower, upper, True)
    world = World.steady(desired, low, high).deploy()
    world.apply(world.plan())
    assert world.said == [rollout.BLOCKED]
    assert world.counts() == (desired, 0)


@pytest.mark.parametrize(
    "desired, low, high, surge, droppable",
    [(4, 50, 200, 4, 2), (10, 66, 133, 3, 3), (10, 75, 125, 2, 2), (4, 75, 125, 1, 1), (1, 0, 100, 0, 1)],
)
def test_surge_and_droppable_follow_from_the_percents(desired, low, high, surge, droppable):
    limits = rollout.band(desired, low, high)
    assert (limits.surge, limits.droppable, limits.blocked) == (surge, droppable, False)


@pytest.mark.parametrize(
    "desired, bounded, unbounded, quarter",
    [(1, 3, 1, 3), (3, 3, 2, 3), (6, 3, 3, 3), (7, 4, 4, 3), (20, 10, 10, 5), (25, 13, 13, 7), (400, 200, 200, 100), (800, 200, 400, 200)],
)
def test_the_breaker_threshold_follows_the_desired_count(desired, bounded, unbounded, quarter):
    assert rollout.failure_threshold(desired) == bounded
    assert rollout.failure_threshold(desired, "UNBOUNDED_PERCENT") == unbounded
    assert rollout.failure_threshold(desired, "BOUNDED_PERCENT", 25) == quarter
    assert rollout.failure_threshold(desired, "COUNT", 7) == 7


def test_a_missing_task_is_replaced_at_once():
    world = World.steady(3)
    del world.tasks["1"]
    assert world.plan() == [Start("old", 1)]


def test_replacement_starts_before_the_unhealthy_task_stops():
    world = World.steady(2)
    world.change("1", healthy=False, unhealthy=True)
    assert world.plan() == [Start("old", 1)]
    world.apply(world.plan())
    assert not any(isinstance(a, Stop) for a in world.plan()), "the unhealthy task stays until its replacement is healthy"
    world.change("3", running=True, healthy=True)
    assert world.plan() == [Stop("1", "unhealthy")]


def test_an_unhealthy_task_stops_first_when_the_upper_limit_leaves_no_room():
    world = World.steady(2, 50, 100)
    world.change("1", healthy=False, unhealthy=True)
    world.change("2", healthy=False, unhealthy=True)
    assert [a for a in world.plan() if isinstance(a, Stop)] == [Stop("1", "unhealthy")], "one by one"


def test_scaling_in_keeps_availability_zones_even_and_protected_tasks():
    world = World.steady(4)
    for number, zone in enumerate("aabb", start=1):
        world.change(str(number), zone=zone, protected=number == 4)
    world.desired = 2
    stopped = world.apply(world.plan())
    assert {s.why for s in stopped} == {"scale-in"}
    assert sorted(t.zone for t in world.tasks.values()) == ["a", "b"] and "4" in world.tasks


def test_a_deployment_completes_only_when_every_task_is_healthy_and_nothing_old_is_left():
    world = World.steady(2).deploy()
    world.apply(world.plan())
    assert not any(isinstance(a, Complete) for a in world.plan())
    world.change("3", running=True, healthy=True)
    world.change("4", running=True, healthy=False)
    world.apply(world.plan())
    assert not any(isinstance(a, Complete) for a in world.plan())
    world.change("4", healthy=True)
    world.apply(world.plan())
    world.apply(world.plan())
    assert world.plan() == [Complete("new")]
    assert [d.id for d in world.deployments] == ["new"]


def test_an_old_deployment_stays_listed_while_its_tasks_are_stopping():
    world = World.steady(1).deploy()
    world.apply(world.plan())
    world.change("2", running=True, healthy=True)
    world.change("1", stopping=True, running=False, healthy=False)
    assert not any(isinstance(a, (Retire, Complete)) for a in world.plan())
    del world.tasks["1"]
    assert Retire("old") in world.plan()


def test_two_superseded_deployments_that_fill_the_band_make_room_for_the_newest():
    world = World.steady(1, 0, 200).deploy()
    world.apply(world.plan())
    world.all_healthy()
    world.deployments = [DeploymentView("newest", "PRIMARY", "IN_PROGRESS"), *world.deployments]
    stopped = world.apply(world.plan())
    assert len(stopped) == 2 and world.plan() == [Start("newest", 1), Retire("new"), Retire("old")]


def test_the_breaker_fails_the_deployment_and_names_where_to_roll_back():
    world = World.steady(2).deploy()
    world.breaker = Breaker(enabled=True, rollback=True)
    world.deployments[0] = replace(world.deployments[0], failures=3, rollback_to="old")
    assert world.plan() == [Fail("new", "old")]
    world.breaker = Breaker(enabled=True, rollback=False)
    assert world.plan() == [Fail("new", None)]
    world.breaker = Breaker()
    assert not any(isinstance(a, Fail) for a in world.plan()), "off unless requested"


def test_a_failed_deployment_starts_no_more_tasks():
    world = World.steady(2).deploy()
    world.deployments[0] = replace(world.deployments[0], rollout_state="FAILED", failures=3)
    assert not any(isinstance(a, Start) for a in world.plan())


def test_tasks_that_never_run_are_retried_ever_more_slowly():
    delays = [rollout.start_delay(n) for n in range(1, 12)]
    assert delays == sorted(delays) and delays[-1] == 27 * 60
    world = World(1)
    world.deployments = [DeploymentView("old", "PRIMARY", "IN_PROGRESS", start_failures=3, last_failure_at=100.0)]
    actions = world.plan(now=101.0)
    assert Say(rollout.IMPAIRED) in actions and WakeAt(140.0) in actions
    assert world.plan(now=140.0) == [Start("old", 1)]


@st.composite
def troubled_rollouts(draw):
    desired = draw(st.integers(1, 12))
    low = draw(st.integers(0, 100))
    high = draw(st.integers(100, 250))
    return desired, low, high, draw(st.lists(st.tuples(st.sampled_from(["heal", "die", "sicken", "deploy", "drain"]), st.integers(0, 30)), max_size=60))


@given(troubled_rollouts())
@settings(max_examples=300, deadline=None)
def test_whatever_fails_a_rollout_never_leaves_its_band(trouble):
    desired, low, high, events = trouble
    world = World.steady(desired, low, high).deploy()
    limits = rollout.band(desired, low, high)
    generation = 0
    for kind, which in events:
        ids = list(world.tasks)
        target = ids[which % len(ids)] if ids else None
        if kind == "heal" and target:
            world.change(target, running=True, healthy=True, unhealthy=False)
        elif kind == "die" and target:
            del world.tasks[target]
        elif kind == "sicken" and target:
            world.change(target, running=True, healthy=False, unhealthy=True)
        elif kind == "drain" and target:
            world.change(target, draining=True)
        elif kind == "deploy":
            generation += 1
            older = [replace(d, status="ACTIVE", id=d.id) for d in world.deployments]
            world.deployments = [DeploymentView(f"new{generation}", "PRIMARY", "IN_PROGRESS"), *older]
        before = sum(t.healthy for t in world.tasks.values())
        world.apply(world.plan())
        healthy = sum(t.healthy for t in world.tasks.values())
        assert len(world.tasks) <= max(limits.upper, len(ids)), "never more than the upper limit"
        assert healthy >= min(limits.lower, before), "the scheduler itself never goes below the lower limit"


@given(troubled_rollouts())
@settings(max_examples=150, deadline=None)
def test_once_trouble_ends_every_unblocked_service_has_exactly_its_count(trouble):
    desired, low, high, events = trouble
    world = World.steady(desired, low, high)
    for kind, which in events:
        ids = list(world.tasks)
        if ids and kind == "die":
            del world.tasks[ids[which % len(ids)]]
        elif ids and kind == "sicken":
            world.change(ids[which % len(ids)], healthy=False, unhealthy=True)
        elif ids and kind == "drain":
            world.change(ids[which % len(ids)], draining=True)
        world.apply(world.plan())
    for _ in range(100):
        for task_id, task in list(world.tasks.items()):
            if not task.unhealthy:
                world.change(task_id, running=True, healthy=True)
        world.apply(world.plan())
    assert len(world.tasks) == desired and all(t.healthy for t in world.tasks.values())
    assert rollout.band(desired, low, high).blocked or not any(t.draining for t in world.tasks.values())


@pytest.mark.parametrize("low, stops", [(100, 0), (75, 1), (50, 2)])
def test_where_new_tasks_find_no_place_old_ones_make_room_as_far_as_the_lower_limit_lets_them(low, stops):
    world = World.steady(4, low, 200).deploy()
    assert not [action for action in world.plan() if isinstance(action, Stop)]
    world.deployments[0] = replace(world.deployments[0], unplaced=True)
    assert len([action for action in world.plan() if isinstance(action, Stop)]) == stops
