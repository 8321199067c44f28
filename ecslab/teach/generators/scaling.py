"""Service auto scaling: alarms, steps, cooldowns, several policies, schedules.

Keys from `rules.scaling` and `rules.schedule`. How far target tracking scales is not
published, and where its low alarm lies only roughly: neither is asked.
"""
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from math import ceil, floor
from random import Random

from ecslab.rules.scaling import (
    Alarm,
    Cooldown,
    StepScaling,
    Target,
    TargetTracking,
    Wish,
    alarm_pair,
    decide,
    evaluate,
    percent_change,
    scheduled,
    step_scaling,
    step_wish,
    stepped_capacity,
)
from ecslab.rules.schedule import next_occurrence

from .kit import About, Draft, Slip, generator, listed, numeric, service, single

LAB, DOCS = "09-auto-scaling", "https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-"
CARD, GOALS = "Auto Scaling > Auto Scaling Configuration", ("SAA-C03 2.1", "SAA-C03 3.2", "SOA-C03 2.1", "DOP-C02 3.2")
TRACKING = About(
    "Application Auto Scaling User Guide: Target tracking scaling policies",
    DOCS + "target-tracking.html",
    "§6.3",
    CARD,
    GOALS,
    LAB,
)
STEPS = About(
    "Application Auto Scaling User Guide: Step scaling policies", DOCS + "step-scaling-policies.html", "§6.4", CARD, GOALS, LAB
)
SCHEDULES = About(
    "Application Auto Scaling User Guide: Scheduled scaling", DOCS + "scheduled-scaling.html", "§6.5", CARD, GOALS, LAB
)


# Target tracking ------------------------------------------------------------


@generator("auto-scaling.high-alarm", TRACKING, "medium", "analyze")
def high_alarm(rng: Random) -> Draft:
    """Three datapoints in a row above the target."""
    target = rng.choice((40, 50, 60, 70, 75, 80))
    values = [target + rng.choice((-12, -7, -3, 0, 2, 4, 9, 15)) for _ in range(9)]
    high, _ = alarm_pair(TargetTracking("p", target), "service/c/s", "1", "2")

    def first(alarm: Alarm) -> int | None:
        return next((n for n in range(1, len(values) + 1) if evaluate(alarm, values[:n]) == "ALARM"), None)

    right = first(high)
    if right is None or right < 4:
        return None
    above = [n for n, value in enumerate(values, 1) if value > target]
    at_least = first(Alarm("", "GreaterThanOrEqualToThreshold", target, 3, 3))
    return numeric(
        f"A target tracking policy of `{service(rng)}` has the target {target} percent CPU. Its high alarm needs "
        f"{high.datapoints_to_alarm} datapoints of {high.evaluation_periods}, one a minute. From minute 1 on they are "
        f"{listed([str(value) for value in values])}. In which minute does the alarm go to ALARM?",
        right,
        [
            f"Above {target} are the minutes {listed([str(n) for n in above])}.",
            f"The first three in a row end in minute {right}.",
        ],
        [
            Slip("lets one datapoint raise the alarm", above[0], f"minute {above[0]} is only the first above {target}."),
            Slip(
                "adds up breaches that are not in a row",
                above[2],
                f"minute {above[2]} is the third above {target}, but there was one in between that was not.",
            ),
            Slip("takes the target itself for a breach", at_least, f"{target} is not above {target}."),
            Slip("looks for the beginning of the three", right - 2, f"in minute {right - 2} only one of them is there."),
        ],
    )


@generator("auto-scaling.largest-wins", TRACKING)
def largest_wins(rng: Random) -> Draft:
    """Several policies ask for more: the largest capacity."""
    current = rng.randint(2, 10)
    asked = [current + rng.randint(1, 12) for _ in range(3)]
    if len(set(asked)) < 3:
        return None
    highest = current + 15
    right = decide(
        Target(1, highest), current, [Wish(str(n), capacity) for n, capacity in enumerate(asked)], Cooldown(), 0.0
    ).desired
    return numeric(
        f"`{service(rng)}` runs {current} tasks, its maximum capacity is {highest}. At one moment three policies ask to "
        f"scale out: to {listed([str(n) for n in asked])} tasks. What does the desired count become?",
        right,
        ["Out if any policy asks, and the largest capacity wins.", f"max({', '.join(map(str, asked))}) = {right}."],
        [
            Slip(
                "adds up what the policies add",
                min(highest, current + sum(n - current for n in asked)),
                "each policy names a capacity; they are not added.",
            ),
            Slip(
                "takes the smallest wish to be safe",
                min(asked),
                f"{min(asked)}; ECS would rather have too many tasks than too few.",
            ),
            Slip("takes the last wish", asked[-1], f"{asked[-1]}; the order plays no part."),
            Slip("takes the average", round(sum(asked) / 3), f"{sum(asked)} / 3, about."),
        ],
        "tasks",
    )


@generator("auto-scaling.all-must-agree", TRACKING, "hard", "analyze")
def all_must_agree(rng: Random) -> Draft:
    """In only if all ask, and then to the largest."""
    current = rng.randint(6, 20)
    asked = [rng.randint(1, current) for _ in range(3)]
    if len(set(asked)) < 3 or asked.count(current) > 1:
        return None
    right = decide(
        Target(1, 40), current, [Wish(str(n), capacity) for n, capacity in enumerate(asked)], Cooldown(), 0.0
    ).desired
    words = listed([f"{'one wants to stay at' if n == current else 'one asks for'} {n}" for n in asked])
    return numeric(
        f"`{service(rng)}` runs {current} tasks, with minimum capacity 1. It has three target tracking policies: "
        f"{words}. No cooldown is active and no deployment is under way. What does the desired count become?",
        right,
        [
            "In only if every policy asks for less, and then to the largest of the wishes.",
            f"max({', '.join(map(str, asked))}) = {right}.",
        ],
        [
            Slip("lets one policy alone scale in", min(asked), f"{min(asked)} suits only the policy that asks for it."),
            Slip("takes the average", round(sum(asked) / 3), f"{sum(asked)} / 3, about."),
            Slip("thinks several policies block each other", current, f"{current} would be right if one wanted to stay."),
            Slip(
                "takes the wish in the middle",
                sorted(asked)[1],
                f"{sorted(asked)[1]}; the policy that asks for {right} would lack tasks.",
            ),
        ],
        "tasks",
    )


@generator("auto-scaling.cooldown", TRACKING, "medium", "analyze")
def cooldown(rng: Random) -> Draft:
    """Cooldown holds scale-in back, never a larger scale-out."""
    last, asks = rng.choice(("out", "in")), rng.choice(("out", "in"))
    current, seconds, since = rng.randint(5, 15), rng.choice((120, 180, 300, 600)), rng.randint(10, 900)
    since = since if rng.random() < 0.25 else rng.randint(10, seconds - 10)
    wish = current + (rng.randint(1, 8) if asks == "out" else -rng.randint(1, 4))
    active = since < seconds
    state = Cooldown(last, float(seconds), current)
    right = decide(Target(1, 30), current, [Wish("p", wish)], state, float(since)).desired
    held = right == current
    said = f"{'Scale-in' if asks == 'in' else 'Scale-out'} {'waits for the cooldown' if held else 'goes ahead'}"
    reason = (
        "the cooldown is over"
        if not active
        else "a cooldown holds scale-in back"
        if held
        else "a cooldown does not hold scale-out back"
    )
    slip = (
        "thinks a cooldown blocks scale-out"
        if asks == "out" and active
        else "thinks a cooldown does not concern scale-in"
        if held
        else "lets a cooldown last longer than it is"
    )
    return numeric(
        f"`{service(rng)}` scaled {last} {since} seconds ago; the cooldown of that activity is {seconds} seconds. It now "
        f"runs {current} tasks (minimum 1, maximum 30), and its only target tracking policy asks for {wish}. What is the "
        "desired count right after?",
        right,
        [f"{since} seconds of {seconds}: the cooldown is {'active' if active else 'over'}.", f"{said}: {reason}. So {right}."],
        [
            Slip(slip, wish if held else current, f"{wish if held else current}; but {reason}."),
            Slip(
                "goes to the bound of the scalable target",
                30 if asks == "out" else 1,
                f"{30 if asks == 'out' else 1} is a bound; the policy asks for {wish}.",
            ),
            Slip(
                "moves one task at a time",
                current + (1 if asks == "out" else -1),
                "a policy names a capacity, not a direction.",
            ),
        ],
        "tasks",
    )


@generator("auto-scaling.clamp", STEPS, "easy")
def clamp(rng: Random) -> Draft:
    """What a policy asks for is cut at the bounds."""
    low, high = rng.randint(1, 4), rng.randint(8, 20)
    current, out = rng.randint(low, high), rng.random() < 0.5
    change = rng.randint(2, 9) if out else -rng.randint(2, 9)
    if low <= current + change <= high or current in (low, high) or current + change < 0:
        return None
    policy = StepScaling("p", "ChangeInCapacity", ())
    right = decide(Target(low, high), current, [Wish(policy.name, current + change)], Cooldown(), 0.0).desired
    return numeric(
        f"The scalable target of `{service(rng)}` has minimum capacity {low} and maximum capacity {high}. {current} "
        f"tasks run, and the step of its policy that applies is ChangeInCapacity {change:+d}. What does the desired "
        "count become?",
        right,
        [
            f"{current} {'+' if out else '-'} {abs(change)} = {current + change}, outside {low} to {high}.",
            f"The nearest bound counts: {right}.",
        ],
        [
            Slip(
                "thinks policies are not bound by the target",
                current + change,
                f"{current + change} is outside {low} to {high}.",
            ),
            Slip("thinks a step beyond the bound is dropped", current, f"the step is cut, not dropped: {right}."),
            Slip("takes the other bound", low if out else high, f"the policy scales {'out' if out else 'in'}."),
        ],
        "tasks",
    )


# Step scaling ---------------------------------------------------------------


def _steps(rng: Random, kind: str) -> tuple[StepScaling, int, int]:
    """Three steps above the threshold, and their width and adjustments."""
    width = rng.choice((5, 10, 15))
    sizes = sorted(rng.sample(range(1, 9), 3)) if kind == "ChangeInCapacity" else sorted(rng.sample(range(10, 100, 5), 3))
    bounds = [(0, width), (width, 2 * width), (2 * width, None)]
    adjustments = [
        {"MetricIntervalLowerBound": low, "ScalingAdjustment": size}
        | ({} if high is None else {"MetricIntervalUpperBound": high})
        for (low, high), size in zip(bounds, sizes)
    ]
    return step_scaling("p", {"AdjustmentType": kind, "StepAdjustments": adjustments}), width, sizes


@generator("auto-scaling.which-step", STEPS, "medium", "analyze")
def which_step(rng: Random) -> Draft:
    """Bounds are relative to the threshold; the lower one belongs to the step."""
    policy, width, sizes = _steps(rng, "ChangeInCapacity")
    threshold, current = rng.choice((50, 60, 65, 70)), rng.randint(2, 12)
    breach = rng.choice((rng.randint(1, 3 * width - 1), width, 2 * width))
    metric = threshold + breach
    right = stepped_capacity(policy, current, breach)
    place = min(breach // width, 2)
    return numeric(
        f"A step scaling policy of `{service(rng)}` (ChangeInCapacity) belongs to an alarm with threshold {threshold}. "
        f"Its steps, as written in `StepAdjustments`: 0 to {width} adds {sizes[0]}, {width} to {2 * width} adds "
        f"{sizes[1]}, from {2 * width} on adds {sizes[2]}. {current} tasks run, and the metric is at {metric}. Which "
        "capacity does the policy ask for?",
        right,
        [
            f"Bounds are relative to the threshold: {metric} - {threshold} = {breach}.",
            f"Above the threshold the lower bound belongs to a step, so {breach} is in step {place + 1}: +{sizes[place]}.",
            f"{current} + {sizes[place]} = {right}.",
        ],
        [
            Slip(
                "puts the upper bound into the step",
                current + sizes[max(0, ceil(breach / width) - 1 if breach <= 2 * width else 2)],
                f"{breach} belongs to the step that begins there.",
            ),
            Slip(
                "reads the bounds as values of the metric",
                current + sizes[2],
                f"{metric} is beyond {2 * width}, but the bounds begin at the threshold.",
            ),
            Slip("adds up all steps passed", current + sum(sizes[: place + 1]), f"only one step applies: +{sizes[place]}."),
            Slip("takes the adjustment for the new capacity", sizes[place], f"{sizes[place]} would be ExactCapacity."),
            Slip("takes the first step only", current + sizes[0], f"+{sizes[0]} holds below {width} only."),
        ],
        "tasks",
    )


@generator("auto-scaling.percent", STEPS)
def percent(rng: Random) -> Draft:
    """Toward zero, but at least one."""
    current, change = rng.randint(2, 40), rng.choice((-1, 1)) * rng.choice((5, 10, 15, 20, 25, 30, 35, 45))
    exact = current * change / 100
    if exact == int(exact):
        return None
    moved = percent_change(current, change)
    right, wrong = current + moved, current + (ceil(exact) if moved == floor(exact) else floor(exact))
    rule = "between 0 and 1 counts as 1" if abs(exact) < 1 else "is rounded toward zero"
    return numeric(
        f"`{service(rng)}` runs {current} tasks. The step of its policy that applies is PercentChangeInCapacity "
        f"{change:+d}; there is no `MinAdjustmentMagnitude`, and the bounds are far away. What does the desired count "
        "become?",
        right,
        [
            f"{change} percent of {current} is {exact:g}.",
            f"Its size {rule}: {moved:+d}.",
            f"{current} {'+' if moved > 0 else '-'} {abs(moved)} = {right}.",
        ],
        [
            Slip("rounds the change the other way", wrong, f"{exact:g} becomes {wrong - current:+d}."),
            Slip(
                "reads the percentage as a number of tasks",
                max(0, current + change),
                f"{change:+d} tasks would be ChangeInCapacity.",
            ),
            Slip("drops what is not a whole task", current, f"{exact:g} is at least one task."),
            Slip("turns the sign around", current - moved, f"{change:+d} percent {'adds' if moved > 0 else 'removes'} tasks."),
        ],
        "tasks",
    )


@generator("auto-scaling.least-change", STEPS)
def minimum_magnitude(rng: Random) -> Draft:
    """MinAdjustmentMagnitude is a floor for the change, in tasks."""
    current, change, least = rng.randint(3, 30), rng.choice((5, 10, 15, 20, 25, 30)), rng.randint(2, 6)
    plain, moved = percent_change(current, change), percent_change(current, change, least)
    if current * change % 100 == 0 and plain == least:
        return None
    return numeric(
        f"`{service(rng)}` runs {current} tasks. The step that applies is PercentChangeInCapacity +{change}, with "
        f"`MinAdjustmentMagnitude` {least}. The maximum capacity is far away. What does the desired count become?",
        current + moved,
        [
            f"{change} percent of {current} is {current * change / 100:g}, so {plain}.",
            f"At least {least} tasks: the larger of {plain} and {least} is {moved}.",
            f"{current} + {moved} = {current + moved}.",
        ],
        [
            Slip("forgets MinAdjustmentMagnitude", current + plain, f"{current} + {plain}."),
            Slip("adds MinAdjustmentMagnitude on top", current + plain + least, f"{current} + {plain} + {least}."),
            Slip(
                "takes MinAdjustmentMagnitude for an upper limit",
                current + min(plain, least),
                f"{current} + {min(plain, least)}.",
            ),
            Slip(
                "reads MinAdjustmentMagnitude as a minimum of tasks",
                max(least, current),
                f"{current} tasks are more than {least} already.",
            ),
        ],
        "tasks",
    )


@generator("auto-scaling.during-cooldown", STEPS, "hard", "analyze")
def during_cooldown(rng: Random) -> Draft:
    """A larger step during cooldown counts from before the activity, less what was added."""
    base, first, second = rng.randint(2, 12), rng.randint(1, 5), rng.randint(1, 9)
    if first == second:
        return None
    policy = StepScaling(
        "p",
        "ChangeInCapacity",
        step_scaling(
            "p",
            {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": second}],
            },
        ).steps,
    )
    current, state, since = base + first, Cooldown("out", 300.0, base), rng.randint(30, 280)
    alarm = Alarm("a", "GreaterThanThreshold", 50)
    wish = step_wish(policy, alarm, "ALARM", 90.0, current, state, float(since))
    right = decide(Target(1, 60), current, [wish], state, float(since)).desired
    return numeric(
        f"A step of +{first} has just scaled `{service(rng)}` from {base} to {current} tasks (ChangeInCapacity, cooldown "
        f"300 seconds). {since} seconds later the alarm calls for a step of +{second}. What is the desired count right "
        "after?",
        right,
        [
            "During a scale-out cooldown, what the last activity added counts toward the next.",
            f"+{second} from the {base} before it: {base + second}. "
            + (f"{second - first} more than now." if second > first else f"{current} are there already, so nothing changes."),
        ],
        [
            Slip("adds the second step on top", current + second, f"{current} + {second}; {first} of it were added already."),
            Slip(
                "thinks a cooldown blocks scale-out",
                current,
                f"{current}; but a larger step is honoured, less the {first} added.",
            )
            if second > first
            else Slip(
                "takes back the first step for a smaller one",
                base + second,
                f"{base} + {second}; a scale-out never removes tasks.",
            ),
            Slip("adds the difference to the old capacity", base + abs(second - first), f"{base} + {abs(second - first)}."),
        ],
        "tasks",
    )


# Schedules ------------------------------------------------------------------


@generator("auto-scaling.scheduled", SCHEDULES)
def by_schedule(rng: Random) -> Draft:
    """A scheduled action moves the bounds; the desired count only if it is outside."""
    low, high = rng.randint(1, 5), rng.randint(10, 20)
    current = rng.randint(low, high)
    new_low, new_high = rng.randint(1, 12), rng.randint(6, 30)
    if new_low > new_high or (new_low <= current <= new_high and rng.random() < 0.7):
        return None
    _, right = scheduled(Target(low, high), current, new_low, new_high)
    where = "inside" if right == current else "below" if right > current else "above"
    return numeric(
        f"The scalable target of `{service(rng)}` has the bounds {low} and {high}, and {current} tasks run. A scheduled "
        f"action sets `MinCapacity` {new_low} and `MaxCapacity` {new_high}. No policy asks for anything. What is the "
        "desired count right after?",
        right,
        [
            f"The bounds move to {new_low} and {new_high}.",
            f"{current} is {where}: the desired count {'stays' if where == 'inside' else f'goes to {right}'}.",
        ],
        [
            Slip(
                "thinks the action sets the desired count to its minimum",
                new_low,
                f"`MinCapacity` is a bound; {current} is {where} the new ones.",
            ),
            Slip(
                "thinks the action sets the desired count to its maximum",
                new_high,
                f"`MaxCapacity` is a bound; {current} is {where} the new ones.",
            ),
            Slip(
                "thinks only a policy changes the desired count",
                current,
                f"{current} is {where} the new bounds, and is brought to the nearest.",
            ),
            Slip(
                "takes the middle of the bounds",
                (new_low + new_high) // 2,
                f"({new_low} + {new_high}) / 2; bounds have no middle that counts.",
            ),
        ],
        "tasks",
    )


DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%a %d %B %Y, %H:%M UTC")


@generator("auto-scaling.next-run", SCHEDULES, "hard", "analyze")
def next_run(rng: Random) -> Draft:
    """Minutes come first, Sunday is 1, the clock is UTC unless told otherwise."""
    now = datetime(2027, 1, 4, tzinfo=timezone.utc) + timedelta(days=rng.randrange(360), minutes=rng.randrange(1440))
    minute, hour, day = rng.choice((0, 5, 10, 15, 20)), rng.randint(1, 23), rng.randint(1, 7)
    if minute in (0, hour) or minute > 23:
        return None

    def runs(minutes: int, hours: int, weekday: str) -> str:
        return _moment(next_occurrence(f"cron({minutes} {hours} ? * {weekday} *)", now.timestamp()))

    written = f"cron({minute} {hour} ? * {day} *)"
    key = runs(minute, hour, str(day))
    return single(
        rng,
        f"A scheduled action of `{service(rng)}` has the schedule `{written}` and no `Timezone`. Now it is "
        f"{_moment(now.timestamp())}. When does it run next?",
        key,
        f"Day {day} of the week is {DAYS[day - 1]}, at {hour:02}:{minute:02} UTC.",
        [
            "The fields are minutes, hours, day of month, month, day of week, year.",
            f"{minute} minutes past hour {hour}, on day {day} counted from Sunday = 1: {DAYS[day - 1]}.",
            "Without a time zone the clock is UTC.",
        ],
        [
            Slip("counts the days from Monday", runs(minute, hour, str(day % 7 + 1)), f"that is {DAYS[day % 7]}; Sunday is 1."),
            Slip(
                "takes the hours for the first field",
                runs(hour, minute, str(day)),
                f"{minute:02}:{hour:02} reads the first two fields backwards.",
            ),
            Slip("overlooks the day of the week", runs(minute, hour, "*"), f"day {day} is {DAYS[day - 1]}, not every day."),
            Slip(
                "counts the days from Sunday = 0",
                runs(minute, hour, str((day - 2) % 7 + 1)),
                f"that is {DAYS[(day - 2) % 7]}; Sunday is 1.",
            ),
            Slip(
                "waits a week longer", _moment(next_occurrence(written, now.timestamp()) + 7 * 86400), "the first match counts."
            ),
        ],
    )
