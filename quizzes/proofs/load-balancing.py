"""Proofs of questions on load balancing."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import CHECK, Balanced


@proof("load-balancing.target-type-for-awsvpc", b="instance", c="ip", d="alb")
def target_type_for_awsvpc(aws, region, say):
    """The target type with which a Fargate service is accepted."""
    demo = Balanced(aws, region)
    demo.define()
    groups = {"instance": demo.new_group("by-instance", TargetType="instance"), "ip": demo.group}
    demo.listen(81, groups["instance"])
    for kind, group in groups.items():
        message = refused(demo.serve, loadBalancers=[demo.entry(targetGroupArn=group)])
        say(f"{kind}: {message or 'accepted'}")
        if message is None:
            return kind


@proof("load-balancing.group-without-listener", a="targets", c="waiting", d="a listener")
def group_without_listener(aws, region, say):
    """What makes a target group acceptable: a target, five minutes, or a listener."""
    demo = Balanced(aws, region)
    demo.define()
    lone = demo.new_group("lone")
    steps = {
        "targets": lambda: demo.elb.register_targets(TargetGroupArn=lone, Targets=[{"Id": "172.31.0.50", "Port": 80}]),
        "waiting": lambda: region.run_for("5m"),
        "a listener": lambda: demo.listen(81, lone),
    }
    for name, step in steps.items():
        step()
        message = refused(demo.serve, loadBalancers=[demo.entry(targetGroupArn=lone)])
        say(f"{name}: {message or 'accepted'}")
        if message is None:
            return name


@proof("load-balancing.killed-while-starting", a="deregistration delay", b="grace period", c="startTimeout", d="maximumPercent")
def killed_while_starting(aws, region, say):
    """The change with which a task that needs 100 seconds stays, of four tried one by one."""
    demo = Balanced(aws, region, HealthCheckIntervalSeconds=30, UnhealthyThresholdCount=2)
    demo.define("web", "--start-delay", "100")
    demo.define("web", "--start-delay", "100", container={"startTimeout": 120})
    changes = {
        "deregistration delay": {"definition": "web:1"},
        "startTimeout": {"definition": "web:2"},
        "maximumPercent": {"deploymentConfiguration": {"maximumPercent": 300, "minimumHealthyPercent": 100}},
        "grace period": {"healthCheckGracePeriodSeconds": 150},
    }
    wait = {"Key": "deregistration_delay.timeout_seconds", "Value": "150"}
    demo.elb.modify_target_group_attributes(TargetGroupArn=demo.group, Attributes=[wait])
    good = [name for name, change in changes.items() if _settles(demo, name, change, say)]
    return " ".join(good)


def _settles(demo, name, change, say):
    demo.serve(1, **change)
    demo.region.run_for("10m")
    healthy = demo.health().get("healthy", 0) == 1
    say(f"{name}: {'healthy' if healthy else 'stopped and replaced again and again'}")
    demo.ecs.delete_service(cluster="demo", service="web", force=True)
    demo.region.run_for("10m")
    return healthy


@proof("load-balancing.grace-period-too-long", a=(False, True), b=(True, True), c=(True, False))
def grace_period_too_long(aws, region, say):
    """A task deadlocks in a long grace period: (is it still there, does it get requests)."""
    demo = Balanced(aws, region)
    demo.define("web", "--unhealthy-after", "120", "--version-text", "broken")
    demo.define("web", "--version-text", "good")
    demo.serve(1, healthCheckGracePeriodSeconds=3600, deploymentConfiguration={"maximumPercent": 200, "minimumHealthyPercent": 100})
    demo.elb.register_targets(TargetGroupArn=demo.group, Targets=[{"Id": _address(demo, "web:2"), "Port": 80}])
    region.run_for("30m")
    kept = demo.revisions().get("web:1") == 1
    versions = {region.get(demo.url).json()["version"] for _ in range(10)}
    say(f"Half an hour later: targets {demo.health()}, tasks {demo.revisions()}, answers from {versions}")
    return kept, "broken" in versions


def _address(demo, definition):
    """The address of a standalone task that serves beside the service's."""
    task = demo.run(definition)
    demo.region.run_for("30s")
    details = demo.task(task)["attachments"][0]["details"]
    return next(one["value"] for one in details if one["name"] == "privateIPv4Address")


def _seconds_in_deactivating(aws, region, delay, say):
    demo = Balanced(aws, region, delay=delay)
    demo.define()
    demo.serve(1)
    region.run_for("2m")
    task = demo.running()[0]["taskArn"]
    demo.update(desiredCount=0)
    for second in range(1000):
        if demo.task(task)["lastStatus"] not in ("RUNNING", "DEACTIVATING"):
            break
        region.run_for("1s")
    say(f"With a deregistration delay of {delay} seconds the task leaves DEACTIVATING after {second}.")
    return second


@proof("load-balancing.slow-drain", a=30, b=300)
def slow_drain(aws, region, say):
    """Seconds in DEACTIVATING with a deregistration delay of 30, to the nearest 5."""
    return round(_seconds_in_deactivating(aws, region, 30, say) / 5) * 5


@proof("load-balancing.cut-downloads", a=300, d=600)
def cut_downloads(aws, region, say):
    """Seconds a download may go on with a deregistration delay of 600, to the nearest 5."""
    return round(_seconds_in_deactivating(aws, region, 600, say) / 5) * 5


@proof("load-balancing.everything-unhealthy", a=({"unhealthy": 4}, {503}), b=({"unhealthy": 4}, {200}))
def everything_unhealthy(aws, region, say):
    """The answers while every target is unhealthy for its wrong path."""
    demo = Balanced(aws, region, HealthCheckPath="/status/500")
    demo.define()
    demo.serve(4, healthCheckGracePeriodSeconds=1800)
    region.run_for("5m")
    answers = {region.get(demo.url).status for _ in range(12)}
    say(f"Targets: {demo.health()}; answers: {answers}")
    return demo.health(), answers


@proof("load-balancing.two-health-opinions", a=0, b=1)
def two_health_opinions(aws, region, say):
    """New tasks after the container check fails while the target group asks a path that answers 200."""
    demo = Balanced(aws, region, HealthCheckPath="/")
    demo.define("web", "--unhealthy-after", "120", container={"healthCheck": CHECK})
    demo.serve(1)
    region.run_for("1m")
    first = demo.running()[0]["taskArn"]
    region.run_for("3m")
    new = {task["taskArn"] for task in demo.running()} - {first}
    say(f"3 minutes later {len(new)} new task runs.")
    return len(new)


@proof("load-balancing.wrong-container-port", a="8080 in the service", c="8080 in the listener")
def wrong_container_port(aws, region, say):
    """The change that is accepted where the container maps port 8080."""
    demo = Balanced(aws, region)
    demo.define("web", "--port", "8080", container={"portMappings": [{"containerPort": 8080}]})
    say(f"containerPort 80: {refused(demo.serve)}")
    demo.listen(8080, demo.group)
    if refused(demo.serve) is None:
        return "8080 in the listener"
    message = refused(demo.serve, loadBalancers=[demo.entry(containerPort=8080)])
    say(f"containerPort 8080: {message or 'accepted'}")
    return message or "8080 in the service"


@proof("load-balancing.add-a-target-group-later", a=(2, 2), b="refused", c=(2, 0), d=(0, 2))
def add_a_target_group_later(aws, region, say):
    """A load balancer for a service that runs: (healthy targets, old tasks that are left)."""
    demo = Balanced(aws, region)
    demo.define()
    demo.serve(2, loadBalancers=[])
    region.run_for("2m")
    before = {task["taskArn"] for task in demo.running()}
    if message := refused(demo.update, loadBalancers=[demo.entry()]):
        say(message)
        return "refused"
    region.run_for("10m")
    left = before & {task["taskArn"] for task in demo.running()}
    say(f"Targets: {demo.health()}; {len(left)} of the old tasks are left.")
    return demo.health().get("healthy", 0), len(left)


@proof("load-balancing.inside-and-outside", a=1, c=2)
def inside_and_outside(aws, region, say):
    """In how many target groups one service is registered."""
    demo = Balanced(aws, region)
    internal = demo.new_group("internal")
    demo.listen(81, internal)
    demo.define()
    demo.serve(2, loadBalancers=[demo.entry(), demo.entry(targetGroupArn=internal)])
    region.run_for("3m")
    groups = sum(demo.health(group) == {"healthy": 2} for group in (demo.group, internal))
    say(f"Two tasks are healthy targets in {groups} target groups.")
    return groups


@proof("load-balancing.first-check-is-enough", a=5, c=2, d=1)
def first_check_is_enough(aws, region, say):
    """How many checks, 30 seconds apart, until a new target is healthy with a healthy threshold of 5?"""
    demo = Balanced(aws, region, HealthCheckIntervalSeconds=30, HealthyThresholdCount=5, UnhealthyThresholdCount=2)
    demo.define()
    demo.serve(1, loadBalancers=[demo.entry()])
    waited = 0
    while "healthy" not in demo.health() and waited < 300:
        region.run_for("5s")
        waited += 5 if demo.health() else 0
    say(f"Healthy {waited} seconds after it was registered.")
    return -(-waited // 30)


@proof("load-balancing.count-the-targets")
def count_the_targets(aws, region, say):
    """Twelve tasks in bridge mode on three instances."""
    demo = Balanced(aws, region, TargetType="instance")
    demo.instances(3)
    demo.on_ec2(container={"portMappings": [{"containerPort": 80, "hostPort": 0}]})
    demo.serve_on_ec2(12, loadBalancers=[demo.entry()])
    region.run_for("10m")
    targets = demo.elb.describe_target_health(TargetGroupArn=demo.group)["TargetHealthDescriptions"]
    say(f"{len(demo.running())} tasks, {len(targets)} targets on {len({one['Target']['Id'] for one in targets})} instances.")
    return len(targets)


@proof("load-balancing.read-redirect", c="c", d="d")
def read_redirect(aws, region, say):
    """An application that redirects `/`: with more CPU, and with another path to check, does a task stay for a quarter of an hour?"""
    demo, right = Balanced(aws, region, HealthCheckPath="/"), ""
    demo.define("web", "--status", "302")
    demo.define("web", "--status", "302", cpu="1024", memory="2048")
    demo.serve(1, loadBalancers=[demo.entry()])
    region.run_for("5m")
    for letter in ("c", "d"):
        if letter == "c":
            demo.update(taskDefinition="web:2")
        else:
            demo.elb.modify_target_group(TargetGroupArn=demo.group, HealthCheckPath="/health")
        region.run_for("5m")
        before = {task["taskArn"] for task in demo.running()}
        region.run_for("15m")
        stays = bool(before) and before == {task["taskArn"] for task in demo.running()}
        say(f"{letter}: {'the task stays' if stays else 'tasks are replaced'}")
        right += letter if stays else ""
    return right
