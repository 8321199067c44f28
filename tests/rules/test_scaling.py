from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.rules.errors import EcsError
from ecslab.rules.scaling import (
    Alarm,
    Cooldown,
    Step,
    StepScaling,
    Target,
    TargetTracking,
    Wish,
    activity_cause,
    activity_message,
    alarm_pair,
    check_schedule,
    decide,
    evaluate,
    next_occurrence,
    percent_change,
    scheduled,
    step_scaling,
    step_wish,
    stepped_capacity,
    target_tracking,
    tracked_capacity,
    tracking_wish,
    utilization,
)

TARGET = Target(1, 20)
REST = Cooldown()


# Metrics and alarms ---------------------------------------------------------


def test_utilization_is_used_over_reserved():
    assert utilization([256, 512, 300, 468], [512] * 4) == 75
    assert utilization([], []) is None


def points(drawn):
    """0 is fine, X breaches, - is missing."""
    return [{"0": 1.0, "X": 9.0, "-": None}[c] for c in drawn.replace(" ", "")]


@pytest.mark.parametrize(
    "needed, drawn, missing, ignore, breaching, not_breaching",
    [
        (3, "0 - X - X", "OK", "OK", "OK", "OK"),
        (3, "- - - - 0", "OK", "OK", "OK", "OK"),
        (3, "- - - - -", "INSUFFICIENT_DATA", "as before", "ALARM", "OK"),
        (3, "0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (3, "- - X - -", "ALARM", "as before", "ALARM", "OK"),
        (2, "0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, "0 - X - -", "OK", "OK", "ALARM", "OK"),
        (2, "- - - - 0", "OK", "OK", "ALARM", "OK"),
        (2, "- - - X -", "ALARM", "as before", "ALARM", "OK"),
    ],
)
def test_missing_data_is_treated_as_told(needed, drawn, missing, ignore, breaching, not_breaching):
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in expected.items():
        alarm = Alarm("a", "GreaterThanThreshold", 5, 3, needed, treat_missing_data=treatment)
        assert evaluate(alarm, points(drawn), "as before") == state, treatment


def test_a_new_metric_does_not_alarm_before_enough_minutes_have_passed():
    alarm = Alarm("a", "GreaterThanThreshold", 5, 3, 3)
    assert [evaluate(alarm, points("X" * n)) for n in (1, 2, 3)] == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM"]


@pytest.mark.parametrize(
    "comparison, breaching",
    [
        ("GreaterThanThreshold", [6]),
        ("GreaterThanOrEqualToThreshold", [5, 6]),
        ("LessThanThreshold", [4]),
        ("LessThanOrEqualToThreshold", [4, 5]),
    ],
)
def test_each_comparison_operator_breaches_where_it_says(comparison, breaching):
    assert [v for v in (4, 5, 6) if Alarm("a", comparison, 5).breaches(v)] == breaching


# Target tracking ------------------------------------------------------------


@pytest.mark.parametrize("target, low", [(70, 63.0), (50, 45.0), (75, 67.5)])
def test_target_tracking_makes_a_fast_high_alarm_and_a_slow_low_one(target, low):
    start = "TargetTracking-service/c/web-Alarm"
    assert alarm_pair(TargetTracking("cpu", target), "service/c/web", "h", "l") == (
        Alarm(f"{start}High-h", "GreaterThanThreshold", target, 3, 3, 60, "missing"),
        Alarm(f"{start}Low-l", "LessThanThreshold", low, 15, 15, 60, "missing"),
    )


@pytest.mark.parametrize(
    "running, metric, target, capacity",
    [(2, 90, 50, 4), (4, 75, 50, 6), (3, 60, 50, 4), (10, 55, 50, 11), (10, 30, 50, 6), (4, 44, 50, 4), (1, 20, 50, 1)],
)
def test_tracking_scales_in_proportion_to_the_metric(running, metric, target, capacity):
    assert tracked_capacity(running, metric, target) == capacity


def wish(policy, states, metric, running=4, current=4):
    return tracking_wish(policy, alarm_pair(policy, "service/c/web", "h", "l"), states, metric, running, current)


def test_tracking_acts_only_on_its_alarms():
    policy = TargetTracking("cpu", 50)
    assert wish(policy, ("ALARM", "OK"), 75).capacity == 6
    assert wish(policy, ("OK", "OK"), 75).capacity == 4
    assert wish(policy, ("OK", "ALARM"), 20).capacity == 2
    assert wish(policy, ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA"), None).capacity == 4


def test_disabled_scale_in_has_no_say_below_the_target():
    policy = TargetTracking("cpu", 50, disable_scale_in=True)
    assert wish(policy, ("OK", "ALARM"), 20) is None
    assert wish(policy, ("ALARM", "OK"), 75).capacity == 6


def test_tasks_still_starting_from_the_last_scale_out_count():
    policy = TargetTracking("cpu", 50)
    assert wish(policy, ("ALARM", "OK"), 75, running=4, current=6).capacity == 6
    assert wish(policy, ("ALARM", "OK"), 100, running=4, current=6).capacity == 8


@pytest.mark.parametrize(
    "configuration, message",
    [
        ({"TargetValue": 50}, "Specify either"),
        ({"TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "CPU"}}, "should be one of"),
        (
            {"TargetValue": 9, "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"}},
            "ResourceLabel",
        ),
        ({"TargetValue": 0, "CustomizedMetricSpecification": {}}, "greater than 0"),
        ({"TargetValue": 1, "CustomizedMetricSpecification": {}, "ScaleInCooldown": -1}, "Cooldown"),
    ],
)
def test_a_wrong_target_tracking_configuration_is_refused(configuration, message):
    with pytest.raises(EcsError, match=message) as error:
        target_tracking("cpu", configuration)
    assert error.value.code == "ValidationException"


def test_cooldowns_are_five_minutes_unless_told():
    predefined = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
    policy = target_tracking("cpu", {"TargetValue": 50, "ScaleInCooldown": 0, **predefined})
    assert (policy.scale_out_cooldown, policy.scale_in_cooldown) == (300, 0)


# Step scaling ---------------------------------------------------------------

PERCENT = StepScaling(
    "steps",
    "PercentChangeInCapacity",
    (
        Step(0, 10, 0),
        Step(10, 20, 10),
        Step(20, None, 30),
        Step(-10, 0, 0),
        Step(-20, -10, -10),
        Step(None, -20, -30),
    ),
)


def test_the_worked_example_of_step_scaling():
    capacity, seen = 10, []
    for metric in (60, 70, 40, 30):
        capacity = stepped_capacity(PERCENT, capacity, metric - 50)
        seen.append(capacity)
    assert seen == [11, 14, 13, 10]


@pytest.mark.parametrize(
    "breach, adjustment", [(0, 0), (9.99, 0), (10, 10), (19.9, 10), (20, 30), (-9.9, 0), (-10, -10), (-20, -30)]
)
def test_bounds_are_inclusive_on_the_side_of_the_threshold(breach, adjustment):
    assert next(s.adjustment for s in PERCENT.steps if s.holds(breach)) == adjustment


@pytest.mark.parametrize("capacity, percent, change", [(127, 10, 12), (67, 1, 1), (58, -1, -1), (667, -1, -6)])
def test_percentages_round_toward_zero_but_never_to_nothing(capacity, percent, change):
    assert percent_change(capacity, percent) == change


def test_the_minimum_magnitude_lifts_a_small_percentage():
    assert percent_change(4, 25) == 1
    assert percent_change(4, 25, 2) == 2
    assert percent_change(4, -25, 2) == -2


@given(st.integers(0, 5000), st.integers(-100, 300), st.integers(0, 20))
def test_a_percentage_is_at_least_one_task_and_never_more_than_asked(capacity, percent, magnitude):
    change = percent_change(capacity, percent, magnitude)
    exact = abs(capacity * percent) / 100
    assert change * percent >= 0
    assert bool(change) == bool(exact)
    assert not change or (exact - 1 < abs(change) and abs(change) <= max(exact, 1, magnitude))


@pytest.mark.parametrize(
    "type, capacity", [("ChangeInCapacity", 8), ("ExactCapacity", 5), ("PercentChangeInCapacity", 4)]
)
def test_each_adjustment_type_reads_its_number_differently(type, capacity):
    assert stepped_capacity(StepScaling("p", type, (Step(0, None, 5),)), 3, 1) == capacity


@pytest.mark.parametrize(
    "steps, message",
    [
        ([], "At least one StepAdjustment"),
        ([(None, None, 1)], "Both lower and upper bounds"),
        ([(None, 0, 1), (None, -5, 1)], "unspecified lower bound"),
        ([(0, None, 1), (5, None, 1)], "unspecified upper bound"),
        ([(-10, 0, -1)], "negative lower bound"),
        ([(0, 10, 1)], "positive upper bound"),
        ([(0, 10, 1), (20, None, 2)], "gaps"),
        ([(0, 10, 1), (5, None, 2)], "overlap"),
        ([(10, 10, 1), (10, None, 1)], "less than its upper bound"),
        ([(n, n + 1, 1) for n in range(20)] + [(20, None, 1)], "at most 20"),
    ],
)
def test_wrong_steps_are_refused(steps, message):
    adjustments = [
        {k: v for k, v in zip(("MetricIntervalLowerBound", "MetricIntervalUpperBound"), s) if v is not None}
        | {"ScalingAdjustment": s[2]}
        for s in steps
    ]
    with pytest.raises(EcsError, match=message):
        step_scaling("p", {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments})


def test_the_minimum_magnitude_belongs_to_percentages():
    with pytest.raises(EcsError, match="MinAdjustmentMagnitude"):
        step_scaling("p", {"AdjustmentType": "ExactCapacity", "MinAdjustmentMagnitude": 2})


# Cooldowns and several policies ---------------------------------------------

ADD = StepScaling("add", "ChangeInCapacity", (Step(0, 10, 2), Step(10, None, 3)))
HIGH = Alarm("high", "GreaterThanThreshold", 50)


def step(metric, current, cooldown=REST, now=0.0, state="ALARM"):
    return step_wish(ADD, HIGH, state, metric, current, cooldown, now)


def test_a_bigger_step_during_cooldown_adds_only_what_is_still_missing():
    first = decide(TARGET, 4, [step(55, 4)], REST, now=0)
    assert first.desired == 6
    second = decide(TARGET, 6, [step(65, 6, first.cooldown, 60)], first.cooldown, now=60)
    assert second.desired == 7
    third = decide(TARGET, 7, [step(55, 7, second.cooldown, 120)], second.cooldown, now=120)
    assert third.desired == 7
    after = decide(TARGET, 7, [step(55, 7, second.cooldown, 361)], second.cooldown, now=361)
    assert after.desired == 9


def test_scale_in_waits_for_the_cooldown():
    cooldown = Cooldown("out", until=300, base=4)
    assert decide(TARGET, 6, [Wish("p", 4)], cooldown, now=299).reason == "cooldown"
    assert decide(TARGET, 6, [Wish("p", 4)], cooldown, now=300).desired == 4


def test_scale_out_cancels_the_cooldown_of_a_scale_in():
    scaled_in = decide(TARGET, 6, [Wish("p", 4)], REST, now=0)
    scaled_out = decide(TARGET, 4, [Wish("p", 8)], scaled_in.cooldown, now=10)
    assert scaled_out.desired == 8
    assert scaled_out.cooldown == Cooldown("out", until=310, base=4)


@pytest.mark.parametrize(
    "capacities, desired",
    [((8, 3), 8), ((8, 12), 12), ((3, 4), 4), ((5, 3), 5), ((3,), 3), ((), 5)],
)
def test_out_if_any_policy_asks_in_only_if_all_ask_and_the_largest_wins(capacities, desired):
    assert decide(TARGET, 5, [Wish(str(n), c) for n, c in enumerate(capacities)], REST, now=0).desired == desired


def test_a_policy_with_no_data_keeps_the_others_from_scaling_in():
    blind = wish(TargetTracking("memory", 50), ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA"), None)
    low = wish(TargetTracking("cpu", 50), ("OK", "ALARM"), 10)
    assert decide(TARGET, 4, [blind, low], REST, now=0).desired == 4
    assert decide(TARGET, 4, [None, low], REST, now=0).desired == 1


def test_a_deployment_turns_scale_in_off_and_leaves_scale_out_on():
    assert decide(TARGET, 5, [Wish("p", 3)], REST, 0, deploying=True).reason == "deployment in progress"
    assert decide(TARGET, 5, [Wish("p", 8)], REST, 0, deploying=True).desired == 8


def test_suspended_scaling_holds_its_own_direction():
    target = Target(1, 20, scaling_in_suspended=True)
    assert decide(target, 5, [Wish("p", 3)], REST, 0).reason == "suspended"
    assert decide(target, 5, [Wish("p", 8)], REST, 0).desired == 8


def test_the_bounds_say_why_nothing_changed():
    assert decide(TARGET, 20, [Wish("p", 30)], REST, 0).reason == "AlreadyAtMaxCapacity"
    assert decide(TARGET, 1, [Wish("p", 0)], REST, 0).reason == "AlreadyAtMinCapacity"


def test_a_count_set_by_hand_outside_the_bounds_comes_back_with_the_next_action():
    assert decide(TARGET, 30, [Wish("p", 30)], REST, 0).desired == 30
    assert decide(TARGET, 30, [Wish("p", 35)], REST, 0).desired == 20


@given(
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 400)), max_size=40),
)
def test_desired_stays_in_bounds_and_never_turns_around_inside_a_cooldown(low, extra, readings):
    target, policy = Target(low, low + extra), TargetTracking("cpu", 50)
    desired, cooldown, now, last_change = low, REST, 0.0, -1000.0
    for metric, pause in readings:
        now += pause
        states = ("ALARM" if metric > 50 else "OK", "ALARM" if metric < 45 else "OK")
        decision = decide(target, desired, [wish(policy, states, metric, desired, desired)], cooldown, now)
        assert low <= decision.desired <= low + extra
        if decision.desired < desired:
            assert now >= last_change + 300
        if decision.desired != desired:
            last_change = now
        desired, cooldown = decision.desired, decision.cooldown


def test_an_activity_is_told_in_application_auto_scalings_words():
    asked = Wish("cpu50", 4, alarm="TargetTracking-service/c/web-AlarmHigh-1")
    assert activity_message(4) == "Successfully set desired count to 4. Change successfully fulfilled by ecs."
    assert activity_cause(asked) == (
        "monitor alarm TargetTracking-service/c/web-AlarmHigh-1 in state ALARM triggered policy cpu50"
    )


# Scheduled scaling ----------------------------------------------------------


@pytest.mark.parametrize(
    "desired, minimum, maximum, after",
    [(3, 5, 10, 5), (12, 5, 10, 10), (7, 5, 10, 7), (3, None, 2, 2), (0, 1, None, 1)],
)
def test_a_scheduled_action_moves_the_bounds_and_only_then_the_count(desired, minimum, maximum, after):
    target, moved = scheduled(Target(0, 20), desired, minimum, maximum)
    assert moved == after
    assert (target.min_capacity, target.max_capacity) == (minimum or 0, maximum or 20)


def test_a_scheduled_action_needs_a_bound_and_rests_while_suspended():
    with pytest.raises(EcsError, match="At least one of minimum capacity and maximum capacity should be provided"):
        scheduled(TARGET, 3, None, None)
    resting = Target(1, 20, scheduled_scaling_suspended=True)
    assert scheduled(resting, 3, 5, None) == (resting, 3)


def test_a_target_whose_bounds_cross_is_refused():
    with pytest.raises(EcsError, match="Maximum capacity cannot be less than minimum capacity"):
        Target(5, 4)


def moment(text):
    return datetime.fromisoformat(text + "+00:00").timestamp()


def told(seconds):
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat()[:16]


@pytest.mark.parametrize(
    "schedule, zone, after, expected",
    [
        ("at(2026-11-23T08:00:00)", "UTC", "2026-11-23T07:00", "2026-11-23T08:00"),
        ("at(2026-11-23T08:00:00)", "America/New_York", "2026-11-23T07:00", "2026-11-23T13:00"),
        ("at(2026-11-23T08:00:00)", "UTC", "2026-11-23T08:00", None),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-20T09:00", "2026-11-23T08:00"),
        ("cron(0 8 ? * MON-FRI *)", "Europe/Berlin", "2026-11-20T09:00", "2026-11-23T07:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-23T07:45", "2026-11-23T08:00"),
        ("cron(5,35 14 * * ? *)", "UTC", "2026-11-23T14:05", "2026-11-23T14:35"),
        ("cron(0 0 L * ? *)", "UTC", "2028-02-01T00:00", "2028-02-29T00:00"),
        ("cron(0 0 LW * ? *)", "UTC", "2026-10-01T00:00", "2026-10-30T00:00"),  # the 31st is a Saturday
        ("cron(0 0 1W * ? *)", "UTC", "2026-07-31T00:00", "2026-08-03T00:00"),  # 1 August is a Saturday
        ("cron(0 0 15W * ? *)", "UTC", "2026-11-01T00:00", "2026-11-16T00:00"),  # the 15th is a Sunday
        ("cron(0 0 ? * 6L *)", "UTC", "2026-11-01T00:00", "2026-11-27T00:00"),  # the last Friday
        ("cron(0 0 ? * TUE#1 *)", "UTC", "2026-11-04T00:00", "2026-12-01T00:00"),
        ("cron(0 0 ? * 1 *)", "UTC", "2026-11-23T00:00", "2026-11-29T00:00"),  # 1 is Sunday
        ("cron(0 12 1 JAN ? 2027-2028)", "UTC", "2027-06-01T00:00", "2028-01-01T12:00"),
        ("cron(0 12 1 1 ? 2020)", "UTC", "2026-01-01T00:00", None),
        ("cron(0 0 31 2 ? *)", "UTC", "2026-01-01T00:00", None),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:30"),  # the 29th has no 02:30
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),  # the 25th has two
    ],
)
def test_a_schedule_runs_next_when_its_expression_says(schedule, zone, after, expected):
    assert told(next_occurrence(schedule, moment(after), zone)) == expected


def test_a_rate_counts_from_its_start_and_ends_with_its_end():
    start, end = moment("2026-11-23T08:00"), moment("2026-11-23T09:00")
    assert told(next_occurrence("rate(30 minutes)", start - 9000, start=start)) == "2026-11-23T08:00"
    assert told(next_occurrence("rate(30 minutes)", start, start=start)) == "2026-11-23T08:30"
    assert next_occurrence("rate(30 minutes)", end, start=start, end=end) is None
    assert next_occurrence("rate(1 hour)", 0.0, created=0.0) == 3600


@pytest.mark.parametrize(
    "schedule",
    [
        "every day",
        "at(2026-11-23)",
        "at(2026-13-01T00:00:00)",
        "rate(0 minutes)",
        "rate(10 seconds)",
        "cron(0 8 * * MON-FRI)",
        "cron(0 8 * * MON *)",
        "cron(0 8 ? * ? *)",
        "cron(60 8 * * ? *)",
        "cron(0 8 ? * MON#6 *)",
        "cron(0 8-6 * * ? *)",
        "cron(0 8 * * ? 1969)",
        "cron(0/0 8 * * ? *)",
    ],
)
def test_an_invalid_schedule_is_refused(schedule):
    with pytest.raises(EcsError, match="Invalid schedule expression"):
        check_schedule(schedule)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(EcsError, match="Invalid time zone 'Mars/Base'"):
        check_schedule("rate(1 minute)", "Mars/Base")
