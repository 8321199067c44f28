"""The cheapest size that keeps its headroom."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules.errors import EcsError
from ecslab.rules.fargate import FARGATE_SIZES, fargate_pairs
from ecslab.rules.pricing import fargate_hourly
from ecslab.rules.right_size import right_size


def test_an_oversized_task_shrinks_to_what_it_uses_and_a_fifth():
    found = right_size(2048, 8192, 410, 1536, tasks=3)
    assert (found.best_cpu, found.best_memory) == (1024, 2048)
    assert found.monthly_saving == 3 * 730 * (fargate_hourly(2048, 8192) - fargate_hourly(1024, 2048))


def test_a_task_that_is_too_small_grows_and_costs_more():
    found = right_size(256, 512, 250, 500)
    assert (found.best_cpu, found.best_memory) == (512, 1024) and found.monthly_saving < 0


def test_a_task_at_its_limit_may_need_more_than_it_shows():
    assert right_size(256, 512, 256, 100).throttled and not right_size(256, 512, 200, 100).throttled


def test_senseless_amounts_are_refused():
    for options in ({"headroom": 1.0}, {"cpu_peak": -1}, {"memory_peak": float("inf")}):
        with pytest.raises(EcsError):
            right_size(**{"cpu": 256, "memory": 512, "cpu_peak": 100, "memory_peak": 100, **options})


@given(st.sampled_from(fargate_pairs()), st.floats(0, 1), st.floats(0, 1))
def test_the_right_size_is_never_dearer_where_a_fifth_was_free(size, cpu_share, memory_share):
    cpu, memory = size
    found = right_size(cpu, memory, cpu * cpu_share * 0.8, memory * memory_share * 0.8)
    assert found.best_memory in FARGATE_SIZES[found.best_cpu] and found.monthly_saving >= 0


def test_a_load_no_size_is_enough_for_says_so():
    assert str(right_size(256, 512, 40_000, 100)).endswith("No Fargate size leaves 20% free.")


def test_the_size_it_has_may_be_the_right_one():
    assert str(right_size(256, 512, 100, 300)).endswith("That is the size it has.")
