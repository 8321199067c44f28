"""Slow start: how much of its share a young target gets, and who enters it."""
from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules import slow_start
from ecslab.rules.listener import next_by_weight
from ecslab.rules.slow_start import Member


def test_the_share_grows_in_a_straight_line():
    assert [slow_start.share(100.0, 60, now) for now in (100, 115, 130, 145, 160, 999)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_target_outside_slow_start_has_its_whole_share():
    assert slow_start.share(None, 60, 0.0) == slow_start.share(0.0, 0, 0.0) == 1.0


def test_only_a_healthy_target_that_carries_its_whole_share_lets_another_enter():
    def enters(*others):
        return slow_start.enters(50.0, False, others, 60, 100.0)

    assert enters(Member(0.0, True))
    assert not enters()
    assert not enters(Member(0.0, False))
    assert not enters(Member(0.0, True, since=90.0))
    assert enters(Member(0.0, True, since=10.0))


def test_targets_registered_together_do_not_wait_for_each_other_but_one_that_returns_does():
    together = [Member(50.0, True)]
    assert not slow_start.enters(50.0, False, together, 60, 100.0)
    assert slow_start.enters(50.0, True, together, 60, 100.0)


def test_nobody_enters_where_slow_start_is_off():
    assert not slow_start.enters(50.0, False, [Member(0.0, True)], slow_start.duration({"slow_start.duration_seconds": 0}), 100.0)


@settings(max_examples=20)
@given(st.integers(30, 300), st.integers(1, 5))
def test_over_the_whole_ramp_a_target_gets_about_half_of_what_the_others_get(lasts, others):
    credit, counts = {}, dict.fromkeys(["young", *(f"old-{n}" for n in range(others))], 0)
    for tick in range(20 * lasts):
        shares = {name: 1.0 for name in counts} | {"young": slow_start.share(0.0, lasts, tick / 20)}
        counts[next_by_weight(shares, credit)] += 1
    assert abs(counts["young"] - counts["old-0"] / 2) <= 0.15 * counts["old-0"] + 2
