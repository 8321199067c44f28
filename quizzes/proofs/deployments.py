"""Proofs of questions on deployments."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import MISSING, Balanced, Demo, role

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def percents(minimum, maximum):
    return {"minimumHealthyPercent": minimum, "maximumPercent": maximum}


def two_revisions(aws, region, *arguments, **container):
    """web:1 is the app; web:2 has these arguments and container fields."""
    demo = Demo(aws, region)
    demo.define()
    demo.define("web", *arguments, container=container)
    return demo


@proof("deployments.rollback-is-opt-in", a=("COMPLETED", True), b=("FAILED", True), c=("IN_PROGRESS", True), d=("IN_PROGRESS", False))
def rollback_is_opt_in(aws, region, say):
    """An hour of failing tasks without a circuit breaker: (rolloutState, do the old tasks serve)."""
    demo = two_revisions(aws, region, "--exit-after", "0", "--exit-code", "1")
    demo.serve(2)
    region.run_for("2m")
    demo.update(taskDefinition="web:2")
    region.run_for("1h")
    newest = demo.service()["deployments"][0]
    say(f"After an hour the newest deployment is {newest['rolloutState']}; {demo.revisions().get('web:1', 0)} old tasks run.")
    return newest["rolloutState"], demo.revisions().get("web:1") == 2


@proof("deployments.breaker-on-the-first-deployment", a=("ACTIVE", False), b=("INACTIVE", False), c=("ACTIVE", True), d=("ACTIVE", True, "on"))
def breaker_on_the_first_deployment(aws, region, say):
    """Half an hour after the breaker tripped on a first deployment: (status, does anything start or run)."""
    demo = two_revisions(aws, region)
    demo.define("web", container={"image": MISSING})
    demo.serve(2, "web:3", deploymentConfiguration=BREAKER)
    region.run_for("30m")
    failed = len(demo.stopped())
    say(f"The deployment is {demo.service()['deployments'][0]['rolloutState']} after {failed} failed tasks.")
    region.run_for("20m")
    going_on = bool(aws.tasks("demo"))
    say(f"20 minutes later tasks run or start: {going_on}.")
    return demo.service()["status"], going_on


@proof("deployments.alarm-already-ringing", a="rolled back", b="goes ahead", d="refused")
def alarm_already_ringing(aws, region, say):
    """A repaired revision is deployed while the deployment alarm is in ALARM."""
    demo = two_revisions(aws, region)
    watch = aws.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="errors", Namespace="demo", MetricName="errors", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )
    demo.serve(2, deploymentConfiguration={"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True}})
    region.run_for("2m")
    watch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="errors for an hour")
    if refused(demo.update, taskDefinition="web:2"):
        return "refused"
    region.run_for("20m")
    say(f"20 minutes later: {demo.revisions()}")
    return "goes ahead" if demo.revisions() == {"web:2": 2} else "rolled back"


def _moves(aws, region, count, pairs, say):
    """Which of these percents let a rolling update end, and the fewest and most tasks that ran meanwhile."""
    demo = Demo(aws, region)
    revisions = [demo.define() for _ in range(len(pairs) + 1)]
    demo.serve(count, revisions[0], deploymentConfiguration=percents(100, 200))
    region.run_for("2m")
    seen = {}
    for option, band in pairs.items():
        before = demo.service()["taskDefinition"]
        if message := refused(demo.update, taskDefinition=revisions.pop(), deploymentConfiguration=percents(*band)):
            say(f"{band[0]}/{band[1]}: {message}")
            continue
        counts = []
        for _ in range(30):
            region.run_for("4s")
            counts.append(len(demo.running()))
        moved = len(demo.service()["deployments"]) == 1
        say(f"{band[0]}/{band[1]}: {'ends' if moved else 'stands still'}; between {min(counts)} and {max(counts)} tasks ran.")
        seen[option] = moved, min(counts), max(counts)
        demo.update(taskDefinition=before, deploymentConfiguration=percents(100, 200))
        region.run_for("3m")
    return seen


@proof("deployments.one-task-without-downtime", a="a", b="b", c="c", d="d")
def one_task_without_downtime(aws, region, say):
    """The percents with which a single task is replaced while one always runs."""
    seen = _moves(aws, region, 1, {"a": (0, 100), "b": (50, 150), "c": (100, 200), "d": (75, 125)}, say)
    return "".join(option for option, (moved, least, _) in seen.items() if moved and least >= 1)


@proof("deployments.only-one-writer", a="a", b="b", c="c", d="d")
def only_one_writer(aws, region, say):
    """The percents with which a single task is replaced and two never run."""
    seen = _moves(aws, region, 1, {"a": (100, 200), "b": (0, 200), "c": (100, 100), "d": (0, 100)}, say)
    return "".join(option for option, (moved, _, most) in seen.items() if moved and most == 1)


@proof("deployments.which-can-move")
def which_can_move(aws, region, say):
    """The percents that let a service of two tasks go forward."""
    pairs = {"a": (75, 125), "b": (50, 100), "c": (60, 140), "d": (100, 150), "e": (90, 149)}
    return {option for option, (moved, *_) in _moves(aws, region, 2, pairs, say).items() if moved}


@proof("deployments.second-update-midway", a={"web:2": 4}, b={"web:1": 4}, c={"web:2": 2, "web:3": 2}, d={"web:3": 4})
def second_update_midway(aws, region, say):
    """Two updates 10 seconds apart: what runs when one task in four is through with it."""
    demo = two_revisions(aws, region)
    demo.define()
    demo.serve(4, deploymentConfiguration=percents(100, 125))
    region.run_for("2m")
    demo.update(taskDefinition="web:2")
    region.run_for("30s")
    say(f"Half-way: {demo.revisions()}")
    demo.update(taskDefinition="web:3")
    region.run_for("5m")
    say(f"5 minutes after the second update: {demo.revisions()}")
    return demo.revisions()


@proof("deployments.healthy-without-checks", a=range(0, 9), c=range(55, 70), d=range(40, 55))
def healthy_without_checks(aws, region, say):
    """Seconds from a new task's RUNNING to the stop of the old one, without any check."""
    demo = two_revisions(aws, region)
    demo.serve(1)
    region.run_for("2m")
    demo.update(taskDefinition="web:2")
    region.run_for("5m")
    old = next(task for task in demo.stopped() if task["taskDefinitionArn"].endswith("web:1"))
    waited = (old["stoppingAt"] - demo.running()[0]["startedAt"]).total_seconds()
    say(f"The old task was told to stop {waited:.0f} seconds after the new one was RUNNING.")
    return next((span for span in (range(0, 9), range(40, 55), range(55, 70)) if int(waited) in span), waited)


def _failed_before_the_breaker(aws, region, count, minimum, say):
    """Failed tasks when the breaker trips; `minimum` percent lets one task at a time be tried, so none is in flight."""
    demo = two_revisions(aws, region, image=MISSING)
    demo.serve(count, deploymentConfiguration={**percents(minimum, 100), **BREAKER})
    region.run_for("3m")
    demo.update(taskDefinition="web:2")
    for _ in range(600):
        region.run_for("1m")
        if demo.service()["deployments"][0]["taskDefinition"].endswith("web:1"):
            break
    lost = aws.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"]
    arns = [one["serviceDeploymentArn"] for one in lost]
    found = aws.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    counted = max(one.get("deploymentCircuitBreaker", {}).get("failureCount", 0) for one in found)
    say(f"The breaker tripped after {counted} failed tasks.")
    return counted


@proof("deployments.breaker-threshold")
def breaker_threshold(aws, region, say):
    """Failed tasks of a service of 25 when its breaker trips."""
    return _failed_before_the_breaker(aws, region, 25, 96, say)


@proof("deployments.breaker-small-service")
def breaker_small_service(aws, region, say):
    """Failed tasks of a service of 2 when its breaker trips."""
    return _failed_before_the_breaker(aws, region, 2, 50, say)


@proof("deployments.how-many-may-stop")
def how_many_may_stop(aws, region, say):
    """Old tasks told to stop right after the update, with 66/100 and 10 tasks."""
    demo = two_revisions(aws, region)
    demo.serve(10, deploymentConfiguration=percents(66, 100))
    region.run_for("3m")
    demo.update(taskDefinition="web:2")
    region.run_for("1s")
    stopping = 10 - sum(task["desiredStatus"] == "RUNNING" for task in aws.tasks("demo") if task["taskDefinitionArn"].endswith("web:1"))
    say(f"{stopping} of 10 old tasks are told to stop.")
    return stopping


@proof("deployments.how-many-may-start")
def how_many_may_start(aws, region, say):
    """New tasks started before an old one stops, with 100/150 and 7 tasks."""
    demo = two_revisions(aws, region)
    demo.serve(7, deploymentConfiguration=percents(100, 150))
    region.run_for("3m")
    demo.update(taskDefinition="web:2")
    region.run_for("30s")
    started = sum(task["taskDefinitionArn"].endswith("web:2") for task in aws.tasks("demo"))
    say(f"{started} new tasks were started beside 7 old ones.")
    return started


@proof("deployments.rotated-secret", a="forceNewDeployment", c="desiredCount", d="RegisterTaskDefinition")
def rotated_secret(aws, region, say):
    """Which call replaces every task."""
    demo = two_revisions(aws, region)
    demo.serve(2)
    region.run_for("2m")
    calls = {
        "RegisterTaskDefinition": demo.define,
        "desiredCount": lambda: demo.update(desiredCount=2),
        "forceNewDeployment": lambda: demo.update(forceNewDeployment=True),
    }
    before = {task["taskArn"] for task in demo.running()}
    for name, call in calls.items():
        call()
        region.run_for("5m")
        kept = before & {task["taskArn"] for task in demo.running()}
        say(f"{name}: {len(kept)} of the 2 old tasks are left.")
        if not kept:
            return name


@proof("deployments.rolling-in-events")
def rolling_in_events(aws, region, say):
    """The service's own events of one rolling update behind a load balancer, in order."""
    demo = Balanced(aws, region)
    demo.define()
    demo.define()
    demo.serve(1)
    region.run_for("3m")
    seen = len(demo.events())
    demo.update(taskDefinition="web:2")
    region.run_for("10m")
    events = demo.events()[seen:]
    for event in events:
        say(event)
    texts = ["has started 1 tasks", ") registered 1 targets", "begun draining connections", "deployment completed", "steady state"]
    return [item for event in events for item, text in enumerate(texts) if text in event]


@proof("deployments.read-rolled-back", a=("IN_PROGRESS", "web:2"), c=("COMPLETED", "web:2"), d=("COMPLETED", "web:1"))
def read_rolled_back(aws, region, say):
    """A revision whose tag is missing, with circuit breaker and rollback: (rolloutState, revision)."""
    demo = two_revisions(aws, region, image=MISSING)
    demo.serve(2, deploymentConfiguration=BREAKER)
    region.run_for("2m")
    demo.update(taskDefinition="web:2")
    region.run_for("30m")
    newest = demo.service()["deployments"][0]
    say(demo.events()[-1])
    return newest["rolloutState"], newest["taskDefinition"].rpartition("/")[2]


@proof("deployments.task-set-size")
def task_set_size(aws, region, say):
    """Tasks computed for a task set of 25 percent of 10."""
    demo = Demo(aws, region)
    demo.define()
    aws.ecs.create_service(cluster="demo", serviceName="web", desiredCount=10, deploymentController={"type": "EXTERNAL"})
    made = aws.ecs.create_task_set(
        cluster="demo", service="web", taskDefinition="web:1", launchType="FARGATE",
        networkConfiguration=demo.network(), scale={"value": 25, "unit": "PERCENT"},
    )["taskSet"]
    say(f"25 percent of 10 comes to {made['computedDesiredCount']} tasks.")
    return made["computedDesiredCount"]


@proof("deployments.which-calls-deploy")
def which_calls_deploy(aws, region, say):
    """Each of the six calls on a service in a steady state: does another deployment begin?"""
    demo = Balanced(aws, region)
    aws.client("servicediscovery").create_http_namespace(Name="shop")
    demo.define(taskRoleArn=role(aws, "app", ("ssmmessages:*", "*")))
    demo.serve(1, loadBalancers=[demo.entry()], platformVersion="1.3.0")
    calls = {
        "a": {"desiredCount": 2},
        "b": {"platformVersion": "1.4.0"},
        "c": {"healthCheckGracePeriodSeconds": 90},
        "d": {"serviceConnectConfiguration": {"enabled": True, "namespace": "shop"}},
        "e": {"enableExecuteCommand": True},
        "f": {"networkConfiguration": demo.network(3)},
    }
    deploys = set()
    for letter, change in calls.items():
        region.run_for("10m")
        before = demo.service()["deployments"]
        after = demo.update(**change)["deployments"]
        assert len(before) == 1
        deploys |= {letter} if after[0]["id"] != before[0]["id"] else set()
        say(f"{next(iter(change))}: {'a new deployment' if letter in deploys else 'none'}")
    return deploys


@proof("deployments.tag-pinned-to-digest", a=2, b=1)
def tag_pinned_to_digest(aws, region, say):
    """A tag that moves after the deployment, and a scale-out: how many images run?"""
    demo = Demo(aws, region)
    demo.serve_a_tag_that_moves(2)
    region.run_for("1h")
    demo.update(desiredCount=4)
    region.run_for("5m")
    images = {region.logs(task["taskArn"])[0] for task in demo.running()}
    say(f"{len(demo.running())} tasks run: {', '.join(sorted(images))}.")
    return len(images)


@proof("deployments.no-room-to-surge", a="a", b="b", d="d")
def no_room_to_surge(aws, region, say):
    """Four tasks on four full instances, and three ways out one after the other: with which does the update finish?"""
    demo = Demo(aws, region)
    demo.instances(4)
    for _ in range(2):
        demo.on_ec2(container={"memory": 5000})
    percents_of = {"minimumHealthyPercent": 100, "maximumPercent": 200}
    demo.serve_on_ec2(4, "web:1", deploymentConfiguration=percents_of)
    region.run_for("5m")
    demo.update(taskDefinition="web:2")
    region.run_for("10m")
    changes = {
        "a": {"deploymentConfiguration": {**percents_of, "maximumPercent": 400}},
        "b": {"deploymentConfiguration": percents_of, "forceNewDeployment": True},
        "d": {"deploymentConfiguration": {**percents_of, "minimumHealthyPercent": 75}},
    }
    for letter, change in changes.items():
        demo.update(**change)
        region.run_for("20m")
        say(f"{letter}: {demo.revisions()}")
        if demo.revisions() == {"web:2": 4}:
            return letter
    return "none"


@proof("deployments.in-the-revision")
def in_the_revision(aws, region, say):
    """What DescribeServiceRevisions tells of the revision of a service."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(1)
    region.run_for("5m")
    (deployment,) = demo.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"]
    (found,) = demo.ecs.describe_service_revisions(serviceRevisionArns=[deployment["targetServiceRevisionArn"]])["serviceRevisions"]
    say(f"It tells: {', '.join(sorted(found))}.")
    asked = {
        "a": all(image.get("imageDigest") for image in found.get("containerImages") or [{}]),
        "b": "desiredCount" in found,
        "c": "networkConfiguration" in found,
        "d": any("caling" in name for name in found),
        "e": "taskDefinition" in found,
        "f": "deploymentConfiguration" in found,
    }
    return {letter for letter, there in asked.items() if there}
