"""Proofs of questions on service auto scaling: the loop is closed, and the region says what comes of it."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import MISSING, Demo

WEB = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}
DIMENSIONS = [{"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "web"}]
TASK = 10  # requests a second that fill a task of 256 units, when one costs 0.025 CPU seconds


class Scaled(Demo):
    """A service `web` with so many tasks, and a scalable target unless it shall have none."""

    def __init__(self, aws, region, count=2, low=1, high=20, **options):
        super().__init__(aws, region)
        self.scaling, self.watch = aws.client("application-autoscaling"), aws.client("cloudwatch")
        self.define()
        self.serve(count, **options)
        region.run_for("2m")
        if low is not None:
            self.bounds(MinCapacity=low, MaxCapacity=high)

    def bounds(self, **changed):
        return self.scaling.register_scalable_target(**WEB, **changed)

    def track(self, target=50, metric="ECSServiceAverageCPUUtilization", name="track", label=None, **settings):
        predefined = {"PredefinedMetricType": metric, **({"ResourceLabel": label} if label else {})}
        configuration = {"TargetValue": target, "PredefinedMetricSpecification": predefined, **settings}
        self.put(name, "TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration)

    def track_own(self, metric, target, name):
        own = {"Namespace": "demo", "MetricName": metric, "Statistic": "Average"}
        configuration = {"TargetValue": target, "CustomizedMetricSpecification": own}
        self.put(name, "TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration)

    def step(self, steps, threshold, kind="ChangeInCapacity", **settings):
        named = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
        adjustments = [{name: value for name, value in zip(named, one) if value is not None} for one in steps]
        configuration = {"AdjustmentType": kind, "StepAdjustments": adjustments, **settings}
        arn = self.put("steps", "StepScaling", StepScalingPolicyConfiguration=configuration)["PolicyARN"]
        self.watch.put_metric_alarm(
            AlarmName="busy", Namespace="demo", MetricName="load", Statistic="Average", Period=60, EvaluationPeriods=1,
            Threshold=threshold, ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[arn],
        )

    def put(self, name, kind, **configuration):
        return self.scaling.put_scaling_policy(**WEB, PolicyName=name, PolicyType=kind, **configuration)

    def metric(self, value, name="load"):
        """One value, and the minute it stands for."""
        self.watch.put_metric_data(Namespace="demo", MetricData=[{"MetricName": name, "Value": value}])
        self.region.run_for("1m")
        return self.desired()

    def demand(self, rate):
        return self.region.start_demand("web", rate, cpu_seconds=0.025)

    def desired(self):
        return self.service()["desiredCount"]

    def cpu(self):
        now = self.region.now()
        points = self.watch.get_metric_statistics(
            Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=DIMENSIONS, Period=60, Statistics=["Average"],
            StartTime=now.replace(year=now.year - 1), EndTime=now,
        )["Datapoints"]
        return round(max(points, key=lambda p: p["Timestamp"])["Average"]) if points else None


@proof("auto-scaling.fargate-counts-stay", a="the capacity provider scales it", b="only a policy scales it")
def fargate_counts_stay(aws, region, say):
    """Three times the load, first on the FARGATE provider without a policy, then with one."""
    aws.ecs.create_cluster(clusterName="demo", capacityProviders=["FARGATE"])
    web = Scaled(aws, region, 3, low=None, launchType=None, capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
    web.demand(3 * 3 * TASK)
    region.run_for("15m")
    without = web.desired()
    say(f"After a quarter of an hour at {web.cpu()} percent CPU: {without} tasks.")
    web.bounds(MinCapacity=1, MaxCapacity=20)
    web.track(60)
    region.run_for("6m")
    say(f"Six minutes with a scaling policy: {web.desired()} tasks.")
    return "the capacity provider scales it" if without > 3 else "only a policy scales it" if web.desired() > 3 else "nothing scales it"


@proof("auto-scaling.service-cpu")
def service_cpu(aws, region, say):
    """Five services' worth of use on tasks of 512 units, as the region's own metric."""
    demo = Demo(aws, region)
    demo.define(cpu="512", memory="1024")
    demo.serve(5)
    region.run_for("1m")
    # 128, 256, 384, 512 and 512 of 512 units: burning a quarter, a half, three quarters and all of each minute.
    for task, seconds in zip(sorted(demo.running(), key=lambda t: t["taskArn"]), (15, 30, 45, 60, 60)):
        address = task["attachments"][0]["details"][-1]["value"]
        region.get(f"{address}/burn?seconds={seconds}")
    region.run_for("1m")
    now = region.now()
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=DIMENSIONS, Period=60, Statistics=["Average"],
        StartTime=now.replace(year=now.year - 1), EndTime=now,
    )["Datapoints"]
    shown = max(points, key=lambda p: p["Timestamp"])["Average"]
    say(f"CPUUtilization of the service: {shown:.0f} percent.")
    return round(shown)


@proof("auto-scaling.from-zero", b="acts and asks for 0", d="has no datapoint")
def from_zero(aws, region, say):
    """A target tracking policy on CPU for a service of no tasks, while work waits."""
    web = Scaled(aws, region, 0, low=0)
    web.track(50)
    web.demand(5 * TASK)
    region.run_for("10m")
    states = {alarm["StateValue"] for alarm in web.watch.describe_alarms()["MetricAlarms"]}
    say(f"Ten minutes of work waiting: {web.desired()} tasks, the alarms are {', '.join(sorted(states))}, CPU: {web.cpu()}.")
    return "has no datapoint" if web.cpu() is None and states == {"INSUFFICIENT_DATA"} and web.desired() == 0 else "acts and asks for 0"


@proof("auto-scaling.policies-disagree", a=6, b=7, c=9, d=4)
def policies_disagree(aws, region, say):
    """Two tracking policies on six tasks: one wants four, the other nine."""
    web = Scaled(aws, region, 6, 2, 20)
    web.track_own("cpu", 60, "cpu")
    web.track_own("requests", 100, "requests")
    for _ in range(16):
        web.watch.put_metric_data(Namespace="demo", MetricData=[{"MetricName": "cpu", "Value": 40}])
        web.metric(95, "requests")
    say("For a quarter of an hour the first would have 6 x 40 / 60 = 4 tasks; the second is inside its band.")
    for _ in range(3):
        web.watch.put_metric_data(Namespace="demo", MetricData=[{"MetricName": "cpu", "Value": 40}])
        web.metric(150, "requests")
    say(f"Then the second wants 6 x 150 / 100 = 9: the service has {web.desired()}.")
    return web.desired()


@proof("auto-scaling.policies-agree")
def policies_agree(aws, region, say):
    """Three policies that all want fewer of ten tasks."""
    web = Scaled(aws, region, 10, 4, 20)
    wants = {"cpu": 8, "memory": 6, "requests": 5}
    for name in wants:
        web.track_own(name, 100, name)
    for _ in range(16):
        web.watch.put_metric_data(Namespace="demo", MetricData=[{"MetricName": name, "Value": 10 * n} for name, n in wants.items()])
        region.run_for("1m")
    say(f"They want 8, 6 and 5: the service has {web.desired()}.")
    return web.desired()


@proof("auto-scaling.no-scale-in-while-deploying", a=("stays", "stays"), b=("stays", "grows"), d=("shrinks", "grows"))
def no_scale_in_while_deploying(aws, region, say):
    """Idle, then busy, while a deployment hangs: does the count shrink, does it grow?"""
    web = Scaled(aws, region, 12)
    web.track(60)
    web.define("web", container={"image": MISSING})
    web.update(taskDefinition="web:2")
    region.run_for("40m")
    idle = "shrinks" if web.desired() < 12 else "stays"
    say(f"Forty idle minutes of a hanging deployment: {web.desired()} tasks.")
    web.demand(12 * TASK * 0.95)
    region.run_for("6m")
    busy = "grows" if web.desired() > 12 else "stays"
    say(f"Six busy minutes: {web.desired()} tasks.")
    return idle, busy


@proof("auto-scaling.step-at-the-edge")
def step_at_the_edge(aws, region, say):
    """A metric of 75 at an alarm of 60: exactly where one step ends and the next begins."""
    web = Scaled(aws, region, 3, 1, 10)
    web.step([(0, 15, 1), (15, None, 4)], 60)
    wanted = web.metric(75)
    say(f"The breach is 15: {wanted} tasks are wanted.")
    return wanted


@proof("auto-scaling.percent-rounds-down")
def percent_rounds_down(aws, region, say):
    """25 percent of 14 tasks."""
    web = Scaled(aws, region, 14, 1, 40)
    web.step([(0, None, 25)], 60, "PercentChangeInCapacity")
    wanted = web.metric(70)
    say(f"A quarter of 14 is 3.5: {wanted} tasks are wanted.")
    return wanted


@proof("auto-scaling.minimum-magnitude")
def minimum_magnitude(aws, region, say):
    """10 percent of 6 tasks, with a least step of 3."""
    web = Scaled(aws, region, 6, 1, 30)
    web.step([(0, None, 10)], 60, "PercentChangeInCapacity", MinAdjustmentMagnitude=3)
    wanted = web.metric(70)
    say(f"{wanted} tasks are wanted.")
    return wanted


@proof("auto-scaling.bigger-step-in-cooldown")
def bigger_step_in_cooldown(aws, region, say):
    """A step of 2, and during its cooldown a step of 5."""
    web = Scaled(aws, region, 4, 1, 20)
    web.step([(0, 10, 2), (10, None, 5)], 60, Cooldown=300)
    say(f"The first breach: {web.metric(65)} tasks.")
    wanted = web.metric(75)
    say(f"A larger one during the cooldown: {wanted} tasks.")
    return wanted


@proof("auto-scaling.evening-bounds", a=(4, 4), b=(6, 2), c=(6, 6), d=(20, 10))
def evening_bounds(aws, region, say):
    """Two scheduled actions, a day, no policy: the count at noon and at midnight."""
    web = Scaled(aws, region, 4, 1, 20)
    for name, hour, low, high in (("day", 8, 6, 20), ("night", 20, 2, 10)):
        web.scaling.put_scheduled_action(
            **WEB, ScheduledActionName=name, Schedule=f"cron(0 {hour} * * ? *)",
            ScalableTargetAction={"MinCapacity": low, "MaxCapacity": high},
        )
    region.run_for("27h")  # from Monday 09:00 to Tuesday noon, past both
    noon = web.desired()
    region.run_for("12h")
    say(f"At noon {noon} tasks, at midnight {web.desired()}.")
    return noon, web.desired()


@proof("auto-scaling.whose-eight-oclock", a="with a time zone", d="in every case")
def whose_eight_oclock(aws, region, say):
    """The same cron with and without a time zone two hours ahead: which has run by 08:00 there?"""
    web = Scaled(aws, region, 2, 1, 20)
    region.run_for("14h")  # Monday 23:02 UTC
    for zone, low in ((None, 3), ("Africa/Johannesburg", 5)):
        options = {"Timezone": zone} if zone else {}
        web.scaling.put_scheduled_action(
            **WEB, ScheduledActionName=f"at 8 in {zone or 'UTC'}".replace(" ", "-"), Schedule="cron(0 8 ? * MON-FRI *)",
            ScalableTargetAction={"MinCapacity": low}, **options,
        )
    region.run_for("7h15m")  # 06:17 UTC, 08:17 in Johannesburg
    say(f"At {region.now():%H:%M} UTC, past eight in the office, {web.desired()} tasks are wanted.")
    return {5: "with a time zone", 3: "without one", 2: "in no case"}[web.desired()]


@proof("auto-scaling.weekday-cron", a="accepted", b="refused")
def weekday_cron(aws, region, say):
    """Is the expression a schedule at all?"""
    web = Scaled(aws, region)
    answers = {}
    for schedule in ("cron(30 7 ? * MON-FRI *)", "cron(7 30 ? * MON-FRI *)", "cron(30 7 * * MON-FRI)", "rate(5 days at 07:30)"):
        said = refused(
            web.scaling.put_scheduled_action, **WEB, ScheduledActionName="early", Schedule=schedule, ScalableTargetAction={"MinCapacity": 2}
        )
        answers[schedule] = "refused" if said else "accepted"
        say(f"{schedule}: {answers[schedule]}")
    taken = [schedule for schedule, answer in answers.items() if answer == "accepted"]
    return "accepted" if taken == ["cron(30 7 ? * MON-FRI *)"] else "refused"


@proof("auto-scaling.which-target-group", a="as it is", c="with a label")
def which_target_group(aws, region, say):
    """Requests per target, without and with a ResourceLabel."""
    web = Scaled(aws, region)
    without = refused(web.track, 100, "ALBRequestCountPerTarget")
    say(f"Without a label: {'refused' if without else 'accepted'}.")
    with_label = refused(web.track, 100, "ALBRequestCountPerTarget", label="app/web/0123456789abcdef/targetgroup/blue/0123456789abcdef")
    say(f"With one: {'refused' if with_label else 'accepted'}.")
    return "with a label" if without and not with_label else "as it is"


@proof("auto-scaling.memory-that-stays", a=2, b=6, d=1)
def memory_that_stays(aws, region, say):
    """Tasks that take most of their memory at start and keep it, tracked by memory; at most 6 tasks."""
    web = Scaled(aws, region, 2, 1, 6)
    web.define("web")
    web.track(70, "ECSServiceAverageMemoryUtilization")
    held = set()
    for _ in range(60):
        for task in web.running():
            if task["taskArn"] not in held:
                held.add(task["taskArn"])
                region.get(f"{task['attachments'][0]['details'][-1]['value']}/leak?mib=410")
        region.run_for("2m")
    say(f"Two hours later, at no load: {web.desired()} of at most 6 tasks.")
    return web.desired()


@proof("auto-scaling.daemon-does-not-scale", c="refused", d="registered")
def daemon_does_not_scale(aws, region, say):
    """A DAEMON service as a scalable target."""
    demo = Demo(aws, region)
    demo.define("agent", requiresCompatibilities=["EC2"], networkMode="bridge")
    region.add_instance("demo")
    demo.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="agent", launchType="EC2", schedulingStrategy="DAEMON")
    said = refused(aws.client("application-autoscaling").register_scalable_target, **WEB, MinCapacity=1, MaxCapacity=3)
    say(f"RegisterScalableTarget: {said or 'accepted'}")
    return "refused" if said else "registered"


@proof("auto-scaling.bounds-and-hands", a=(16, 10), b=("refused", 2), c=(16, 16), d=(10, 10))
def bounds_and_hands(aws, region, say):
    """UpdateService beyond the bounds: the count right after, and after the policy's next action."""
    web = Scaled(aws, region, 2, 2, 10)
    web.track(60, ScaleInCooldown=0, ScaleOutCooldown=0)
    web.demand(9.5 * TASK * 0.6)
    if refused(web.update, desiredCount=16):
        return "refused", web.desired()
    region.run_for("2m")
    first = web.desired()
    say(f"Right after: {first} tasks.")
    region.run_for("20m")
    say(f"After the low alarm of the policy rang: {web.desired()} tasks.")
    return first, web.desired()


@proof("auto-scaling.why-it-does-not-shrink")
def why_it_does_not_shrink(aws, region, say):
    """An idle service of ten tasks under each of the settings: which of them keep it at ten?"""
    web = Scaled(aws, region, 10, 1, 20)
    web.demand(10 * TASK * 0.15)
    kept = set()

    def watch(option, what):
        web.update(desiredCount=10)
        region.run_for("25m")
        say(f"{what}: {web.desired()} tasks.")
        if web.desired() == 10:
            kept.add(option)

    web.track(60, ScaleInCooldown=0)
    web.bounds(MaxCapacity=10)
    watch("a", "MaxCapacity 10")
    web.bounds(MaxCapacity=20, SuspendedState={"DynamicScalingOutSuspended": True})
    watch("e", "scale-out suspended")
    web.bounds(SuspendedState={"DynamicScalingOutSuspended": False}, MinCapacity=10)
    watch("d", "MinCapacity 10")
    web.bounds(MinCapacity=1)
    web.track(60, DisableScaleIn=True)
    watch("f", "DisableScaleIn")
    web.track(60, ScaleInCooldown=0)
    web.update(availabilityZoneRebalancing="ENABLED")
    watch("c", "AZ rebalancing")
    web.define("web", container={"image": MISSING})
    web.update(taskDefinition="web:2", desiredCount=10)
    region.run_for("25m")
    say(f"a deployment that hangs: {web.desired()} tasks.")
    if web.desired() == 10:
        kept.add("b")
    return kept


@proof("auto-scaling.what-target-tracking-needs")
def what_target_tracking_needs(aws, region, say):
    """A service that follows its CPU: is any call beyond the two needed, and is each of the two?"""
    web = Scaled(aws, region, 2, low=None)
    needed = {"d"} if refused(web.track, 60) else set()
    say(f"PutScalingPolicy without a scalable target: {'refused' if needed else 'accepted'}.")
    web.bounds(MinCapacity=1, MaxCapacity=20)
    web.demand(2 * TASK * 0.95)
    region.run_for("6m")
    if web.desired() == 2:
        needed.add("a")
    web.track(60)
    region.run_for("5m")
    say(f"With both, and nothing else: {web.desired()} tasks.")
    return needed if web.desired() > 2 else {"b", "c", "e"}


@proof("auto-scaling.steps-that-fit", a="a", b="b", c="c", d="d")
def steps_that_fit(aws, region, say):
    """Which of the four lists of steps is accepted?"""
    web = Scaled(aws, region)
    lists = {
        "a": [(0, 10, 1), (10, 25, 2), (25, 30, 3)],
        "b": [(0, 15, 1), (10, 25, 2), (25, None, 3)],
        "c": [(0, 10, 1), (15, 25, 2), (25, None, 3)],
        "d": [(0, 10, 1), (10, 25, 2), (25, None, 3)],
    }
    accepted = []
    for name, steps in lists.items():
        said = refused(web.step, steps, 70)
        say(f"{name}: {said or 'accepted'}")
        accepted += [] if said else [name]
    return "".join(accepted)


@proof("auto-scaling.hold-scale-in", a=(True, True), c=(True, False))
def hold_scale_in(aws, region, say):
    """Scale-in suspended: (is the capacity kept at no load, does it grow under load)."""
    web = Scaled(aws, region, 6, 1, 20)
    web.track(60)
    web.bounds(SuspendedState={"DynamicScalingInSuspended": True})
    region.run_for("25m")
    kept = web.desired() == 6
    say(f"25 idle minutes: {web.desired()} tasks.")
    web.demand(6 * TASK * 0.95)
    region.run_for("5m")
    say(f"5 busy minutes: {web.desired()} tasks.")
    return kept, web.desired() > 6


@proof("auto-scaling.from-load-to-relief")
def from_load_to_relief(aws, region, say):
    """The order in which metric, alarm, desired count, tasks and relief are seen."""
    web = Scaled(aws, region, 2)
    web.track(50)
    web.demand(2 * TASK * 0.95)
    seen = []
    for _ in range(8 * 12):
        region.run_for("5s")
        high = any(a["StateValue"] == "ALARM" and "AlarmHigh" in a["AlarmName"] for a in web.watch.describe_alarms()["MetricAlarms"])
        running = len(web.running())
        signs = (
            (0, (web.cpu() or 0) > 50),
            (1, high),
            (2, web.desired() > 2),
            (3, len(aws.tasks("demo")) > 2),
            (4, running > 2 and (web.cpu() or 0) <= 50),
        )
        for step, is_so in signs:
            if is_so and step not in seen:
                seen.append(step)
                say(f"{region.now():%H:%M:%S} step {step + 1}")
        if len(seen) == 5:
            break
    return seen


@proof("auto-scaling.set-up-and-prove")
def set_up_and_prove(aws, region, say):
    """Each step is tried before the one it needs."""
    demo = Demo(aws, region)
    scaling = aws.client("application-autoscaling")
    demo.define()
    tracked = {
        "TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    }
    steps = {
        0: lambda: demo.serve(2),
        1: lambda: scaling.register_scalable_target(**WEB, MinCapacity=1, MaxCapacity=9),
        2: lambda: scaling.put_scaling_policy(
            **WEB, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracked
        ),
    }
    done = []
    while len(done) < 3:
        for number in (2, 1, 0):
            if number not in done and not refused(steps[number]):
                done.append(number)
                break
            if number not in done:
                say(f"Step {number + 1} is refused as long as step {number} is missing.")
    region.run_for("2m")
    quiet = scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    region.start_demand("web", 2 * TASK * 0.95, cpu_seconds=0.025)
    region.run_for("5m")
    told = scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    say(f"Activities before the load: {len(quiet)}; after it: {len(told)}.")
    return [*done, 3, 4] if not quiet and told else done


@proof("auto-scaling.stuck-at-ten", a=10, c=10.5, d=16)
def stuck_at_ten(aws, region, say):
    """At its maximum under load: what brings more tasks?"""
    web = Scaled(aws, region, 10, 2, 10)
    web.track(60)
    web.demand(9.6 * TASK)
    region.run_for("8m")
    web.track(60, ScaleOutCooldown=0)
    region.run_for("8m")
    say(f"A shorter cooldown: {web.desired()} tasks.")
    web.track(40)
    region.run_for("8m")
    say(f"A target of 40: {web.desired()} tasks.")
    web.track(60)
    web.bounds(MaxCapacity=20)
    region.run_for("5m")
    say(f"A higher MaxCapacity: {web.desired()} tasks.")
    return web.desired()
