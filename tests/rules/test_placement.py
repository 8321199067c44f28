import random
import time
from collections import Counter
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.rules.capacity_providers import (
    ProviderShare,
    capacity_provider_reservation,
    capacity_provider_strategy,
    scaled_group,
    split,
)
from ecslab.rules.errors import EcsError
from ecslab.rules.placement import (
    DISTINCT_UNSATISFIED,
    MEMBER_OF_UNSATISFIED,
    SPREAD_ZONES,
    Constraint,
    InstanceView,
    Strategy,
    TaskRequest,
    choose_to_stop,
    instances_for,
    instances_needed,
    matches,
    parse,
    place,
    placement_constraints,
    placement_event,
    placement_strategy,
    rebalancing_eligible,
    rebalancing_moves,
    unfit,
    zone_targets,
)

WEB = TaskRequest(cpu=256, memory=512, group="service:web")
BINPACK_MEMORY = Strategy("binpack", "memory")
HOSTS = Strategy("spread", "instanceId")


def instance(id, **changes):
    defaults = dict(arn=f"arn:{id}", zone="us-east-1a", remaining_cpu=4096, remaining_memory=8192, eni_slots=3)
    return InstanceView(id, **{**defaults, **changes})


# The cluster query language -------------------------------------------------

G2 = instance(
    "g2",
    zone="us-east-1c",
    ec2_instance_id="i-abcd1234",
    attributes={"ecs.instance-type": "g2.2xlarge", "stack": "prod", "gpu": None},
    agent_version="1.14.5",
    registered_at=datetime(2018, 2, 12, 12, tzinfo=timezone.utc).timestamp(),
    running_tasks=1,
    tasks_by_group={"service:production": 1, "database": 0},
)


@pytest.mark.parametrize(
    "expression, selected",
    [
        ("attribute:ecs.instance-type == t2.small", False),
        ("attribute:ecs.instance-type equals g2.2xlarge", True),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", False),
        ("attribute:ecs.availability-zone not_in [us-east-1a, us-east-1b]", True),
        ("attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d", True),
        ("attribute:ecs.instance-type !~ g2.*", False),
        ("attribute:ecs.instance-type matches g[0-9]+", False),  # the whole value must match
        ("task:group == service:production", True),
        ("not(task:group == database)", True),
        ("!(task:group == service:production)", False),
        ("runningTasksCount == 1", True),
        ("runningTasksCount >= 2", False),
        ("agentVersion < 1.14.5", False),
        ("agentVersion greater_than 1.9.9", True),
        ("registeredAt < 2018-02-13", True),
        ("registeredAt < 2018-02-12T11:59:59Z", False),
        ("registeredAt >= 2018-02-12T12:00:00", True),
        ("registeredAt <= 2018-02-12T14:00:00+02:00", True),
        ("ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", True),
        ("agentConnected == true", True),
        ("attribute:stack exists", True),
        ("attribute:gpu exists", True),
        ("attribute:owner !exists", True),
        ("attribute:owner exists", False),
        ("attribute:owner != me", True),
        ("attribute:stack==prod&&runningTasksCount<5", True),
        ("attribute:stack == test || runningTasksCount == 1 and agentConnected == false", False),
        ("(attribute:stack == test or runningTasksCount == 1) and agentConnected == true", True),
        ('attribute:stack == "prod"', True),
    ],
)
def test_an_expression_selects_the_instances_it_describes(expression, selected):
    assert matches(parse(expression), G2) is selected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "color == red",
        "attribute: == red",
        "attribute:stack",
        "attribute:stack ==",
        "attribute:stack == prod and",
        "attribute:stack == prod runningTasksCount == 1",
        "attribute:stack in prod",
        "attribute:stack in [a, b",
        "(runningTasksCount == 1",
        "runningTasksCount == many",
        "runningTasksCount =~ 1",
        "agentConnected > true",
        "registeredAt < yesterday",
        "attribute:stack =~ *",
    ],
)
def test_an_invalid_expression_is_refused(expression):
    with pytest.raises(EcsError) as error:
        parse(expression)
    assert error.value.code == "InvalidParameterException"
    assert f"Invalid expression '{expression}'" in error.value.message


def test_an_unknown_subject_is_named_in_the_error():
    with pytest.raises(EcsError, match="unknown subject 'color'"):
        parse("color == red")


# What the API accepts -------------------------------------------------------


@pytest.mark.parametrize(
    "items, message",
    [
        ([{"type": "random", "field": "cpu"}], "random field should not be specified"),
        ([{"type": "random"}] * 6, "Maximum number of strategies is 5"),
        ([{"type": "binpack", "field": "disk"}], "Invalid binpack field"),
        ([{"type": "spread", "field": "zone"}], "Invalid spread field"),
        ([{"type": "pack"}], "should be one of"),
    ],
)
def test_a_wrong_strategy_is_refused(items, message):
    with pytest.raises(EcsError, match=message):
        placement_strategy(items)


def test_binpack_accepts_its_field_in_upper_case():
    instances = [instance(str(m), remaining_memory=m) for m in (2048, 600)]
    assert place(WEB, instances, placement_strategy([{"type": "binpack", "field": "MEMORY"}])).chosen == ["600"]


def test_distinct_instance_takes_no_expression_and_stays_out_of_task_definitions():
    with pytest.raises(EcsError, match="distinctInstance expression should not be specified"):
        placement_constraints([{"type": "distinctInstance", "expression": "attribute:a == b"}])
    with pytest.raises(EcsError, match="constraint.type 'distinctInstance' is not supported."):
        placement_constraints([{"type": "distinctInstance"}], in_task_definition=True)
    assert placement_constraints([{"type": "distinctInstance"}]) == (Constraint("distinctInstance"),)


# The pipeline ---------------------------------------------------------------


@pytest.mark.parametrize(
    "task, changes, reason",
    [
        (WEB, {}, None),
        (WEB, {"remaining_cpu": 255}, "RESOURCE:CPU"),
        (WEB, {"remaining_memory": 511}, "RESOURCE:MEMORY"),
        (WEB, {"remaining_cpu": 0, "agent_connected": False}, "RESOURCE:CPU"),  # resources are looked at first
        (TaskRequest(host_ports=((80, "tcp"),)), {"used_tcp_ports": frozenset({80})}, "RESOURCE:PORTS"),
        (TaskRequest(host_ports=((53, "udp"),)), {"used_tcp_ports": frozenset({53})}, None),
        (TaskRequest(host_ports=((22, "tcp"),)), {}, "RESOURCE:PORTS"),
        (TaskRequest(needs_eni=True), {"eni_slots": 0}, "RESOURCE:ENI"),
        (TaskRequest(gpus=1), {}, "RESOURCE:GPU"),
        (WEB, {"agent_connected": False}, "AGENT"),
        (WEB, {"status": "DRAINING"}, "INACTIVE"),
        (TaskRequest(zones=frozenset({"us-east-1b"})), {}, "LOCATION"),
        (TaskRequest(required_attributes=(("ecs.capability.x", None),)), {}, "ATTRIBUTE"),
        (TaskRequest(required_attributes=(("os", "linux"),)), {"attributes": {"os": "windows"}}, "ATTRIBUTE"),
        (TaskRequest(constraints=(Constraint("memberOf", "attribute:a == b"),)), {}, MEMBER_OF_UNSATISFIED),
    ],
)
def test_each_shortfall_has_its_reason(task, changes, reason):
    assert unfit(task, instance("a", **changes)) == reason


def test_a_request_may_be_written_as_the_api_writes_it():
    task = TaskRequest(
        host_ports=(80,),
        required_attributes=({"name": "os", "value": "linux"},),
        constraints=({"type": "memberOf", "expression": "attribute:stack == prod"},),
    )
    good = instance("good", attributes={"os": "linux", "stack": "prod"})
    bad = instance("bad", attributes={"os": "linux"})
    placement = place(task, [bad, good], [{"type": "random"}], [{"type": "distinctInstance"}], count=2)
    assert placement.chosen == ["good"]
    assert dict((arn, reason) for arn, reason, _ in placement.failures) == {
        "arn:bad": MEMBER_OF_UNSATISFIED,
        "arn:good": "RESOURCE:PORTS",
    }
    assert split([{"capacityProvider": F, "weight": 1}], 2) == {F: 2}


def test_failures_name_every_instance_once_and_what_could_be_placed_stays_placed():
    placement = place(WEB, [instance("a", remaining_cpu=512), instance("b", status="DRAINING")], count=5)
    assert placement.chosen == ["a", "a"]
    assert [(f.arn, f.reason) for f in placement.failures] == [("arn:a", "RESOURCE:CPU"), ("arn:b", "INACTIVE")]


def test_a_missing_attribute_is_named_in_the_failure():
    placement = place(TaskRequest(required_attributes=(("os", None),)), [instance("a")])
    assert [(f.reason, f.detail) for f in placement.failures] == [("ATTRIBUTE", "os")]


def test_distinct_instance_puts_one_task_of_the_group_on_each_instance():
    instances = [instance("a"), instance("b", tasks_by_group={"service:web": 1}), instance("c")]
    placement = place(WEB, instances, (), (Constraint("distinctInstance"),), count=3)
    assert sorted(placement.chosen) == ["a", "c"]
    assert {f.reason for f in placement.failures} == {DISTINCT_UNSATISFIED}


def test_a_constraint_on_the_task_count_sees_the_tasks_just_placed():
    placement = place(WEB, [instance("a")], (), (Constraint("memberOf", "runningTasksCount < 2"),), count=3)
    assert placement.chosen == ["a", "a"]


def test_affinity_follows_a_task_placed_a_moment_ago():
    once = (Constraint("memberOf", "not(task:group == service:web)"),)
    assert len(place(WEB, [instance("a"), instance("b")], (), once, count=3).chosen) == 2


# Strategies -----------------------------------------------------------------


def test_binpack_fills_the_instance_with_least_memory_left_that_fits():
    instances = [instance(str(m), remaining_memory=m) for m in (2048, 512, 1024)]
    assert place(TaskRequest(memory=500, group="g"), instances, (BINPACK_MEMORY,), count=2).chosen == ["512", "1024"]


def test_a_service_without_a_strategy_spreads_over_zones_then_instances():
    instances = [instance("a1"), instance("a2"), instance("b1", zone="us-east-1b")]
    assert Counter(place(WEB, instances, count=4).chosen) == {"b1": 2, "a1": 1, "a2": 1}


def test_spread_counts_tasks_of_the_same_group_only():
    instances = [instance("a", tasks_by_group={"service:other": 9}), instance("b", tasks_by_group={"service:web": 1})]
    assert place(WEB, instances, (HOSTS,)).chosen == ["a"]


def test_spread_counts_tasks_on_instances_that_are_full():
    full = instance("a1", remaining_cpu=0, tasks_by_group={"service:web": 2})
    assert place(WEB, [full, instance("a2"), instance("b", zone="us-east-1b")], (SPREAD_ZONES,)).chosen == ["b"]


def test_a_later_strategy_breaks_the_ties_of_an_earlier_one():
    instances = [
        instance("a-free"),
        instance("a-tight", remaining_memory=1024),
        instance("b-free", zone="us-east-1b"),
        instance("b-tight", zone="us-east-1b", remaining_memory=600),
    ]
    chosen = place(WEB, instances, (SPREAD_ZONES, BINPACK_MEMORY), count=4).chosen
    assert chosen == ["b-tight", "a-tight", "a-tight", "b-free"]


def test_the_order_of_strategies_matters():
    instances = [instance("a-tight", remaining_memory=1024), instance("b", zone="us-east-1b")]
    packed = place(WEB, instances, (BINPACK_MEMORY, SPREAD_ZONES), count=2).chosen
    assert packed == ["a-tight", "a-tight"]


def test_random_gives_every_instance_a_fair_share_and_repeats_with_its_seed():
    instances = [instance(str(n), remaining_cpu=10**6, remaining_memory=10**6) for n in range(4)]
    chosen = place(WEB, instances, (Strategy("random"),), count=1000, rng=random.Random(1)).chosen
    assert all(190 < n < 310 for n in Counter(chosen).values())
    assert sum(a == b for a, b in zip(chosen, chosen[1:])) < 320
    assert chosen == place(WEB, instances, (Strategy("random"),), count=1000, rng=random.Random(1)).chosen


def test_scale_in_takes_from_the_fullest_zone_then_the_fullest_instance():
    instances = [
        instance("a1", tasks_by_group={"service:web": 2}),
        instance("a2", tasks_by_group={"service:web": 1}),
        instance("b1", zone="us-east-1b", tasks_by_group={"service:web": 2}),
    ]
    tasks_on = {"a1": ["t1", "t2"], "a2": ["t3"], "b1": ["t4", "t5"]}
    assert choose_to_stop(WEB, instances, tasks_on, count=2) == ["t1", "t4"]


def test_scale_in_of_binpack_empties_the_instance_with_most_left():
    instances = [instance("tight", remaining_memory=100), instance("free", remaining_memory=5000)]
    stopped = choose_to_stop(WEB, instances, {"tight": ["t1"], "free": ["t2", "t3"]}, (BINPACK_MEMORY,), count=2)
    assert stopped == ["t2", "t3"]


def _best_by_reading_everything(task, instances, strategy):
    """What the strategies mean, told slowly: narrow the candidates one strategy at a time."""
    left = [i for i in instances if unfit(task, i) is None]
    for s in strategy:
        if s.type == "binpack":
            scores = {i.id: i.remaining_memory for i in left}
        else:
            value = (lambda i: i.id) if s.field == "instanceId" else (lambda i: i.zone)
            tasks = Counter()
            for i in instances:
                tasks[value(i)] += i.tasks_by_group.get(task.group, 0)
            scores = {i.id: tasks[value(i)] for i in left}
        left = [i for i in left if scores[i.id] == min(scores.values())]
    return {i.id for i in left}


clusters = st.lists(
    st.builds(
        dict,
        zone=st.sampled_from(["us-east-1a", "us-east-1b", "us-east-1c"]),
        remaining_cpu=st.integers(0, 2048),
        remaining_memory=st.integers(0, 4096),
        tasks_by_group=st.builds(dict, **{"service:web": st.integers(0, 3)}),
    ),
    max_size=8,
)
orders = st.lists(st.sampled_from([SPREAD_ZONES, HOSTS, BINPACK_MEMORY]), min_size=1, max_size=3, unique=True)


@given(clusters, orders, st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_every_choice_is_one_the_strategies_rank_first(cluster, order, count):
    current = {str(n): instance(str(n), **changes) for n, changes in enumerate(cluster)}
    for id in place(WEB, list(current.values()), order, count=count).chosen:
        assert id in _best_by_reading_everything(WEB, list(current.values()), order)
        current[id] = current[id].with_task(WEB)


@given(clusters, st.sampled_from([(), ((8080, "tcp"),)]), st.booleans(), st.integers(0, 40), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_placement_never_overfills_an_instance_or_reuses_a_port(cluster, ports, needs_eni, count, seed):
    task = TaskRequest(cpu=300, memory=700, group="service:web", host_ports=ports, needs_eni=needs_eni)
    instances = {str(n): instance(str(n), **changes) for n, changes in enumerate(cluster)}
    placement = place(task, list(instances.values()), (Strategy("random"),), (), count, random.Random(seed))
    for id, placed in Counter(placement.chosen).items():
        assert placed * 300 <= instances[id].remaining_cpu
        assert placed * 700 <= instances[id].remaining_memory
        assert not ports or placed == 1
        assert not needs_eni or placed <= 3
    assert len(placement.chosen) == count or len(placement.failures) == len(instances)


def test_ten_thousand_tasks_find_a_thousand_instances_within_two_seconds():
    room = dict(remaining_cpu=2560, remaining_memory=5120)
    instances = [instance(str(n), zone=f"us-east-1{'abc'[n % 3]}", **room) for n in range(1000)]
    started = time.perf_counter()
    placement = place(WEB, instances, (SPREAD_ZONES, BINPACK_MEMORY), count=10_000)
    assert time.perf_counter() - started < 2
    assert set(Counter(placement.chosen).values()) == {10}


# Service events -------------------------------------------------------------


def test_the_event_names_the_closest_instance():
    failures = place(WEB, [instance("a", remaining_cpu=0), instance("b", agent_connected=False)]).failures
    closest = 'The closest matching (container-instance arn:b) encountered error "AGENT".'
    assert placement_event(failures).endswith(closest)
    assert placement_event(failures[:1]).endswith("has insufficient CPU units available.")
    assert placement_event([]).endswith("Reason: No Container Instances were found in your cluster.")


# Capacity providers ---------------------------------------------------------

COLUMNS = (1, 2, 3, 4, 5, 6, 10, 12, 20)
F, S = "FARGATE", "FARGATE_SPOT"
TABLE = {
    (ProviderShare(F, 1, 1), ProviderShare(S, 0, 3)): "1/0 1/1 2/1 2/2 2/3 2/4 3/7 4/8 6/14",
    (ProviderShare(F, 1, 1), ProviderShare(S, 0, 4)): "1/0 1/1 1/2 2/2 2/3 2/4 3/7 3/9 5/15",
    (ProviderShare(F, 2, 1), ProviderShare(S, 0, 1)): "1/0 2/0 3/0 3/1 4/1 4/2 6/4 7/5 11/9",
    (ProviderShare(F, 0, 1), ProviderShare(S, 0, 4)): "0/1 0/2 1/2 1/3 1/4 1/5 2/8 2/10 4/16",
    (ProviderShare(F, 2, 0), ProviderShare(S, 0, 1)): "1/0 2/0 2/1 2/2 2/3 2/4 2/8 2/10 2/18",
    (ProviderShare("A", 0, 1), ProviderShare("B", 0, 1), ProviderShare("C", 0, 2)): (
        "0/0/1 1/0/1 1/1/1 1/1/2 1/1/3 2/1/3 3/2/5 3/3/6 5/5/10"
    ),
}


@pytest.mark.parametrize("strategy, row", TABLE.items())
def test_base_and_weight_split_as_the_table_says(strategy, row):
    assert ["/".join(str(n) for n in split(strategy, n).values()) for n in COLUMNS] == row.split()


shares = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 9)), min_size=1, max_size=4).filter(
    lambda items: any(weight for _, weight in items)
)


@given(shares, st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_a_split_adds_up_and_does_not_depend_on_how_many_calls_made_it(items, first, second):
    strategy = [ProviderShare(str(n), base if n == 0 else 0, weight) for n, (base, weight) in enumerate(items)]
    had = split(strategy, first)
    more = split(strategy, second, had)
    assert sum(had.values()) == first and sum(more.values()) == second
    assert {p: had[p] + more[p] for p in had} == split(strategy, first + second)


@pytest.mark.parametrize(
    "items, message",
    [
        ([{"capacityProvider": "x", "weight": 1}], "not associated with the cluster"),
        ([{"capacityProvider": F, "weight": 1}, {"capacityProvider": "asg", "weight": 1}], "cannot contain a mix"),
        ([{"capacityProvider": F, "base": 1, "weight": 1}, {"capacityProvider": S, "base": 1}], "multiple capacity"),
        ([{"capacityProvider": F}, {"capacityProvider": S}], "weight value greater than zero"),
        ([{"capacityProvider": F, "weight": 1001}], "between 0 and 1000"),
    ],
)
def test_a_wrong_capacity_provider_strategy_is_refused(items, message):
    with pytest.raises(EcsError, match=message):
        capacity_provider_strategy(items, {F, S, "asg"})


@pytest.mark.parametrize("needed, running, metric", [(5, 3, 167), (3, 4, 75), (4, 5, 80), (0, 0, 100), (2, 0, 200)])
def test_capacity_provider_reservation_is_needed_over_running(needed, running, metric):
    assert round(capacity_provider_reservation(needed, running)) == metric


@pytest.mark.parametrize(
    "running, needed, options, size",
    [
        (3, 5, {}, 5),
        (4, 3, {}, 3),
        (5, 4, {"target_capacity": 80}, 5),
        (4, 4, {"target_capacity": 80}, 5),
        (0, 1, {}, 2),
        (0, 0, {}, 0),
        (3, 4, {"minimum_step": 3}, 6),
        (3, 50, {"maximum_step": 10}, 13),
    ],
)
def test_managed_scaling_moves_the_group_back_to_its_target(running, needed, options, size):
    assert scaled_group(running, needed, **options) == size


def test_provisioning_tasks_need_as_many_instances_as_first_fit_opens():
    empty = instance("new", remaining_cpu=2048, remaining_memory=4096, eni_slots=2)
    tasks = [TaskRequest(cpu=1024, memory=1024)] * 5
    assert instances_for(tasks, empty) == 3
    assert instances_for([TaskRequest(cpu=9999)], empty) == 0
    assert instances_needed(running=3, idle=1, provisioning=tasks, empty=empty) == 5


# Availability Zones ---------------------------------------------------------


@pytest.mark.parametrize(
    "desired, zones, shares", [(2, 2, [1, 1]), (3, 2, [1, 2]), (5, 3, [1, 2, 2]), (1, 3, [0, 0, 1])]
)
def test_zones_share_evenly_with_the_remainder_one_each(desired, zones, shares):
    assert sorted(zone_targets(desired, dict.fromkeys("abc"[:zones], 0)).values()) == shares


def test_rebalancing_starts_in_the_empty_zone_and_then_stops_in_the_full_one():
    assert rebalancing_moves(2, {"a": 2, "b": 0}) == [("b", "a")]
    assert rebalancing_moves(3, {"a": 1, "b": 2}) == []
    assert rebalancing_moves(6, {"a": 5, "b": 1, "c": 0}) == [("b", "a"), ("c", "a"), ("c", "a")]


@pytest.mark.parametrize(
    "changes, eligible",
    [
        ({}, True),
        ({"strategy": (SPREAD_ZONES, BINPACK_MEMORY)}, True),
        ({"strategy": (BINPACK_MEMORY, SPREAD_ZONES)}, False),
        ({"scheduling_strategy": "DAEMON"}, False),
        ({"launch_type": "EXTERNAL"}, False),
        ({"maximum_percent": 100}, False),
        ({"classic_load_balancer": True}, False),
        ({"constraints": (Constraint("memberOf", "attribute:ecs.availability-zone == us-east-1a"),)}, False),
    ],
)
def test_rebalancing_is_for_services_that_spread_over_zones_first(changes, eligible):
    assert rebalancing_eligible(**changes) is eligible
