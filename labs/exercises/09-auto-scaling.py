"""Exercises of lab 09: services that follow their load."""
from ecslab.teach import Saw, exercise

CLUSTER, SERVICE = "demo", "web"
RESOURCE = f"service/{CLUSTER}/{SERVICE}"
TARGETS = "application-autoscaling describe_scalable_targets -> ScalableTargets"
POLICIES = "application-autoscaling describe_scaling_policies -> ScalingPolicies"
ACTIVITIES = "application-autoscaling describe_scaling_activities -> ScalingActivities"
ACTIONS = "application-autoscaling describe_scheduled_actions -> ScheduledActions"
SERVICES = "describe_services -> services[0]"


def _scaling(aws):
    return aws.client("application-autoscaling")


def _target(aws):
    found = _scaling(aws).describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[RESOURCE])["ScalableTargets"]
    return found[0] if found else None


def _policies(aws, kind):
    found = _scaling(aws).describe_scaling_policies(ServiceNamespace="ecs", ResourceId=RESOURCE)["ScalingPolicies"]
    return [policy for policy in found if policy["PolicyType"] == kind]


def _activities(aws, words):
    found = _scaling(aws).describe_scaling_activities(ServiceNamespace="ecs", ResourceId=RESOURCE)["ScalingActivities"]
    return [activity for activity in found if words in activity["Cause"]]


def _reached(activities):
    """The desired counts that were set, oldest first."""
    words = [a["Description"] for a in reversed(activities) if a["Description"].startswith("Setting desired count")]
    return [int(text.rstrip(".").rpartition(" ")[2]) for text in words]


def _bounds(target, low, high):
    if target is None:
        return [Saw(False, "no scalable target for the service", f"one for {RESOURCE}", TARGETS)]
    found = target["MinCapacity"], target["MaxCapacity"]
    return [Saw(found == (low, high), f"from {found[0]} to {found[1]} tasks", f"from {low} to {high}", TARGETS)]


@exercise(
    "auto-scaling.target",
    title="Say how far it may go",
    task="""
    Register the service `web` of the cluster `demo` as a **scalable target** of Application Auto Scaling: at least **1** task,
    at most **6**.
    """,
    hints=[
        "Application Auto Scaling scales many services. Three parameters say what is meant: whose, which one, and which number of it.",
        "`ServiceNamespace='ecs'`, `ScalableDimension='ecs:service:DesiredCount'`, and `ResourceId` is `service/<cluster>/<service>`.",
        "`scaling.register_scalable_target(**web, MinCapacity=..., MaxCapacity=...)`, with the dictionary `web` of the cell above.",
        """
        ```python
        registered = scaling.register_scalable_target(**web, MinCapacity=1, MaxCapacity=6)
        ```
        """,
    ],
    explanation="""
    A scalable target only draws the bounds. Nothing moves yet, not even a count outside of them: that happens with the next
    scaling activity. No policy ever leaves the bounds, whatever its metric says.
    """,
)
def target(aws):
    return _bounds(_target(aws), 1, 6)


@exercise(
    "auto-scaling.track",
    title="Keep the CPU at half",
    task="""
    Give `web` a **target tracking** policy named `cpu-at-half`: keep the average CPU at **50** percent, with both cooldowns at
    **60** seconds. Then press load for six minutes with `press("6m")`. The service must scale out to at least 4 tasks.
    """,
    hints=[
        "`put_scaling_policy` with `PolicyType='TargetTrackingScaling'` wants a configuration with the target and the metric.",
        "The metric has a name of its own: `PredefinedMetricSpecification={'PredefinedMetricType': 'ECSServiceAverageCPUUtilization'}`.",
        "`TargetTrackingScalingPolicyConfiguration` has `TargetValue`, `PredefinedMetricSpecification`, `ScaleOutCooldown` and `ScaleInCooldown`.",
        """
        ```python
        scaling.put_scaling_policy(
            **web, PolicyName="cpu-at-half", PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 50.0, "ScaleOutCooldown": 60, "ScaleInCooldown": 60,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            },
        )
        press("6m")
        ```
        """,
    ],
    explanation="""
    Two tasks at about 80 percent do the work of 2 x 80 / 50 = 3.2 tasks at 50 percent, so four are needed. The high alarm wants
    three minutes in a row above the target before anything happens: target tracking is quick to add, but not instant.
    """,
)
def track(aws):
    named = [p for p in _policies(aws, "TargetTrackingScaling") if p["PolicyName"] == "cpu-at-half"]
    if not named:
        return [Saw(False, "no target tracking policy named cpu-at-half", "one", POLICIES)]
    made = named[0]["TargetTrackingScalingPolicyConfiguration"]
    metric = made.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "none")
    reached = _reached(_activities(aws, "cpu-at-half"))
    cooldowns = made.get("ScaleOutCooldown", 300), made.get("ScaleInCooldown", 300)
    return [
        Saw(made["TargetValue"] == 50, f"a target of {made['TargetValue']:g}", "50", POLICIES),
        Saw(metric == "ECSServiceAverageCPUUtilization", f"the metric {metric}", "ECSServiceAverageCPUUtilization", POLICIES),
        Saw(cooldowns == (60, 60), f"cooldowns of {cooldowns[0]} s out and {cooldowns[1]} s in", "60 s for both", POLICIES),
        Saw(max(reached, default=0) >= 4, f"desired counts that were set: {', '.join(map(str, reached)) or 'none'}", "4 or more", ACTIVITIES),
    ]


@exercise(
    "auto-scaling.ceiling",
    title="It wants more and does not get it",
    task="""
    The service is at its maximum of 2, and its CPU stays high. Find in the scaling activities **why** it does not grow (ask for the
    ones that did not scale, too), and mend it: the service may have up to **5** tasks. Then `press("5m")` once more.
    """,
    hints=[
        "`describe_scaling_activities` hides what did not happen unless it is asked to show it.",
        "`IncludeNotScaledActivities=True`, and read `NotScaledReasons`. The bound belongs to the scalable target.",
        "Registering a scalable target again changes it: `register_scalable_target(**web, MaxCapacity=5)`.",
        """
        ```python
        found = scaling.describe_scaling_activities(ServiceNamespace="ecs", IncludeNotScaledActivities=True)["ScalingActivities"]
        print(next(a["NotScaledReasons"] for a in found if a.get("NotScaledReasons")))
        scaling.register_scalable_target(**web, MaxCapacity=5)
        press("5m")
        ```
        """,
    ],
    explanation="""
    `AlreadyAtMaxCapacity` is the answer to "CPU is at 100 percent, why does it not scale?". A maximum protects your bill and your
    database; an alarm on "at maximum for a quarter of an hour" protects your users.
    """,
)
def ceiling(aws):
    everything = _scaling(aws).describe_scaling_activities(ServiceNamespace="ecs", ResourceId=RESOURCE, IncludeNotScaledActivities=True)
    reasons = [r for a in everything["ScalingActivities"] for r in a.get("NotScaledReasons", ())]
    stuck = [r for r in reasons if r.get("MaxCapacity") == 2]
    service = aws.service(CLUSTER, SERVICE)
    desired = service["desiredCount"] if service else 0
    return [
        Saw(bool(stuck), f"activities that did not scale at a maximum of 2: {len(stuck)}", "at least one: press load before you mend it", ACTIVITIES),
        *_bounds(_target(aws), 1, 5),
        Saw(desired > 2, f"desired count {desired}", "more than 2", f"{SERVICES}.desiredCount"),
    ]


@exercise(
    "auto-scaling.steps",
    title="Work by the length of a queue",
    task="""
    Give `web` a **step scaling** policy named `backlog` (`ChangeInCapacity`, no cooldown): **1** task more when the queue is up to 100
    above the alarm's threshold, **3** more when it is 100 or more above. Then let an alarm named `backlog-high` act on it: namespace
    `Jobs`, metric `Backlog`, `Average` of one minute, **greater than or equal to 200**. Then put a backlog of 350 with `backlog(350)`.
    """,
    hints=[
        "The bounds of a step count from the alarm's threshold, not from zero.",
        "Two steps: `MetricIntervalLowerBound` 0 to `MetricIntervalUpperBound` 100 adds 1; `MetricIntervalLowerBound` 100 without an upper bound adds 3.",
        "`put_scaling_policy` returns the `PolicyARN`; the alarm's `AlarmActions` is a list with it.",
        """
        ```python
        policy = scaling.put_scaling_policy(
            **web, PolicyName="backlog", PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity", "Cooldown": 0,
                "StepAdjustments": [
                    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 100, "ScalingAdjustment": 1},
                    {"MetricIntervalLowerBound": 100, "ScalingAdjustment": 3},
                ],
            },
        )
        cloudwatch.put_metric_alarm(
            AlarmName="backlog-high", Namespace="Jobs", MetricName="Backlog", Statistic="Average", Period=60, EvaluationPeriods=1,
            Threshold=200, ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[policy["PolicyARN"]],
        )
        backlog(350)
        ```
        """,
    ],
    explanation="""
    350 is 150 above the threshold of 200, so the second step counts: three tasks at once. With step scaling you say how strongly
    to answer; the alarm is yours, and so is a second one for the way back.
    """,
)
def steps(aws):
    named = [p for p in _policies(aws, "StepScaling") if p["PolicyName"] == "backlog"]
    if not named:
        return [Saw(False, "no step scaling policy named backlog", "one", POLICIES)]
    made = named[0]["StepScalingPolicyConfiguration"]
    found = sorted((s.get("MetricIntervalLowerBound"), s.get("MetricIntervalUpperBound"), s["ScalingAdjustment"]) for s in made["StepAdjustments"])
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNames=["backlog-high"])["MetricAlarms"]
    threshold = alarms[0]["Threshold"] if alarms else None
    connected = bool(alarms) and named[0]["PolicyARN"] in alarms[0]["AlarmActions"]
    counts = _reached(_activities(aws, "policy backlog"))
    wanted = [(0, 100, 1), (100, None, 3)]
    return [
        Saw(found == wanted, f"steps (from, to, tasks): {found}", f"{wanted}", POLICIES),
        Saw(threshold == 200, f"the alarm's threshold: {threshold}", "200", "cloudwatch describe_alarms -> MetricAlarms"),
        Saw(connected, f"the alarm {'calls' if connected else 'does not call'} the policy", "its AlarmActions hold the policy's ARN", "cloudwatch describe_alarms -> MetricAlarms[0].AlarmActions"),
        Saw(bool(counts), f"desired counts set by it: {', '.join(map(str, counts)) or 'none'}", "at least one", ACTIVITIES),
    ]


@exercise(
    "auto-scaling.schedule",
    title="Be there before the crowd",
    task="""
    Two **scheduled actions** for `web`. `mornings`: every weekday at 8 in the morning **in Berlin** (`Europe/Berlin`), at least 4 tasks.
    `campaign`: **once, two minutes from now**, at least 5 tasks. Let three minutes pass: five tasks must be wanted before any load comes.
    """,
    hints=[
        "A schedule is `cron(...)`, `rate(...)` or `at(...)`. `put_scheduled_action` takes `Timezone` beside it.",
        "`cron` has six fields, minutes first, and exactly one of the two day fields is `?`: `cron(0 8 ? * MON-FRI *)`.",
        "`at(yyyy-mm-ddThh:mm:ss)` in UTC: `soon = lab.region.now() + timedelta(minutes=2)`, then `f'at({soon:%Y-%m-%dT%H:%M:%S})'`.",
        """
        ```python
        from datetime import timedelta

        scaling.put_scheduled_action(
            **web, ScheduledActionName="mornings", Schedule="cron(0 8 ? * MON-FRI *)", Timezone="Europe/Berlin",
            ScalableTargetAction={"MinCapacity": 4},
        )
        soon = lab.region.now() + timedelta(minutes=2)
        scaling.put_scheduled_action(
            **web, ScheduledActionName="campaign", Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            ScalableTargetAction={"MinCapacity": 5},
        )
        lab.region.run_for("3m")
        ```
        """,
    ],
    explanation="""
    A scheduled action moves the *bounds*; the desired count follows only because it was left outside of them. It ignores cooldowns.
    The other half of it, back in the evening, is a second action with a lower minimum.
    """,
)
def schedule(aws):
    found = {a["ScheduledActionName"]: a for a in _scaling(aws).describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=RESOURCE)["ScheduledActions"]}
    mornings, campaign = found.get("mornings", {}), found.get("campaign", {})
    when = mornings.get("Schedule", "none").upper().split()
    daily = len(when) == 6 and when[:2] == ["CRON(0", "8"] and when[4] in ("MON-FRI", "2-6") and mornings.get("Timezone") == "Europe/Berlin"
    service = aws.service(CLUSTER, SERVICE)
    desired = service["desiredCount"] if service else 0
    ran = _activities(aws, "campaign")
    return [
        Saw(daily, f"mornings: {mornings.get('Schedule', 'none')} in {mornings.get('Timezone', 'UTC')}", "8:00 on weekdays in Europe/Berlin", ACTIONS),
        Saw(mornings.get("ScalableTargetAction", {}).get("MinCapacity") == 4, f"its minimum: {mornings.get('ScalableTargetAction', {}).get('MinCapacity')}", "4", ACTIONS),
        Saw(campaign.get("Schedule", "").startswith("at("), f"campaign: {campaign.get('Schedule', 'none')[:3]}", "at(...)", ACTIONS),
        Saw(bool(ran), f"times that campaign ran: {len(ran)}", "once", ACTIVITIES),
        Saw(desired >= 5, f"desired count {desired}", "5 or more", f"{SERVICES}.desiredCount"),
    ]
