"""Proofs of questions on services."""
import json

from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import CHECK, MISSING, Balanced, Demo, app, refusals


@proof("services.stop-one-task", a=(2, 0), b=(3, 0), c=(3, 1))
def stop_one_task(aws, region, say):
    """StopTask on one of three tasks: how many run later, and how many of them are new."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(3)
    region.run_for("5m")
    before = {task["taskArn"] for task in demo.running()}
    say(f"The service runs {len(before)} tasks.")
    aws.ecs.stop_task(cluster="demo", task=sorted(before)[0])
    region.run_for("5m")
    after = {task["taskArn"] for task in demo.running()}
    say(f"5 minutes after StopTask: {len(after)} tasks, {len(after - before)} of them new.")
    return len(after), len(after - before)


@proof("services.crash-after-running", a="steady", b="slower", c="stopped")
def crash_after_running(aws, region, say):
    """Tasks that exit 10 seconds after RUNNING: does the pace of replacements change?"""
    demo = Demo(aws, region)
    demo.define("web", "--exit-after", "10", "--exit-code", "1")
    demo.serve(1)
    counts = []
    for _ in range(3):
        region.run_for("10m")
        counts.append(len(demo.stopped()))
        say(f"{len(counts) * 10} minutes: {counts[-1]} tasks have stopped in all.")
    early, late = counts[1] - counts[0], counts[2] - counts[1]
    return "stopped" if late == 0 else "slower" if late < early / 2 else "steady"


@proof("services.fixed-but-still-waiting", b="StopTask", c="a new revision")
def fixed_but_still_waiting(aws, region, say):
    """A service in back-off; what brings a running task within two minutes."""
    demo = Demo(aws, region)
    demo.define(container={"image": MISSING})
    demo.define()
    demo.serve(1)
    region.run_for("2h")
    say(f"After 2 hours of failed pulls {len(demo.running())} tasks run.")
    for task in aws.tasks("demo"):
        aws.ecs.stop_task(cluster="demo", task=task["taskArn"])
    region.run_for("2m")
    if demo.running():
        return "StopTask"
    demo.update(taskDefinition="web:2")
    region.run_for("2m")
    say(f"2 minutes after the update to web:2: {len(demo.running())} task runs.")
    return "a new revision" if demo.running() else "nothing"


@proof("services.report-as-service", a=(1, 1), b=(1, 0), d=(3, 1))
def report_as_service(aws, region, say):
    """A container that exits 0 after 12 minutes, run as a service for 40: (tasks that ended, desired count)."""
    demo = Demo(aws, region)
    demo.define("web", "--exit-after", "720")
    demo.serve(1)
    region.run_for("40m")
    ended = [task for task in demo.stopped() if task["stopCode"] == "EssentialContainerExited"]
    say(f"In 40 minutes {len(ended)} tasks worked for 12 minutes and ended.")
    return len(ended), demo.service()["desiredCount"]


@proof("services.unhealthy-task-room", a=(2, 1), b=(1, 0), c=(1, 1))
def unhealthy_task_room(aws, region, say):
    """A task turns UNHEALTHY, with percents 100/200 and desired count 1: (the most, the least) that ran until it was gone."""
    demo = Demo(aws, region)
    demo.define("web", "--unhealthy-after", "120", container={"healthCheck": CHECK})
    demo.serve(1)
    region.run_for("1m")
    counts = _overlap(demo, demo.running()[0]["taskArn"])
    say(f"Desired: 1. While the unhealthy task was replaced, between {min(counts)} and {max(counts)} ran.")
    return max(counts), min(counts)


def _overlap(demo, doomed):
    counts = []
    for _ in range(60):
        demo.region.run_for("5s")
        counts.append(len(demo.running()))
        if doomed not in {task["taskArn"] for task in demo.running()}:
            return counts
    raise AssertionError("the unhealthy task was never replaced")


@proof("services.delete-while-scaled", a="StopTask", b="force")
def delete_while_scaled(aws, region, say):
    """DeleteService while scaled above 0: refused, also after StopTask; accepted with force."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(2)
    region.run_for("2m")
    for task in demo.running():
        aws.ecs.stop_task(cluster="demo", task=task["taskArn"])
    region.run_for("10s")
    message = refused(aws.ecs.delete_service, cluster="demo", service="web")
    say(f"After StopTask on all tasks: {message}")
    if message is None:
        return "StopTask"
    return "force" if refused(aws.ecs.delete_service, cluster="demo", service="web", force=True) is None else message


@proof("services.same-name-too-soon", a="delete again", b="wait", c="new revision")
def same_name_too_soon(aws, region, say):
    """Which of the repairs lets a deleted service be created again."""
    demo = Demo(aws, region)
    demo.define()
    demo.define()
    demo.serve(1)
    region.run_for("1m")
    aws.ecs.delete_service(cluster="demo", service="web", force=True)
    say(f"Created again at once: {_refusal(demo, 'web:1')}")
    refused(aws.ecs.delete_service, cluster="demo", service="web", force=True)
    if not _refusal(demo, "web:1"):
        return "delete again"
    if not _refusal(demo, "web:2"):
        return "new revision"
    region.run_for("3m")
    say("3 minutes later the old service is INACTIVE.")
    return _refusal(demo, "web:1") or "wait"


def _refusal(demo, definition):
    return refused(
        demo.ecs.create_service, cluster="demo", serviceName="web", taskDefinition=definition, desiredCount=1,
        launchType="FARGATE", networkConfiguration=demo.network(),
    )


@proof("services.definition-deregistered", a={"web:2": 3}, b={"web:2": 3, "web:1": 1}, c={}, d={"web:2": 4})
def definition_deregistered(aws, region, say):
    """A task crashes after its revision became INACTIVE: what runs afterwards."""
    demo = Demo(aws, region)
    demo.define()
    demo.define()
    demo.serve(4, "web:2")
    region.run_for("2m")
    aws.ecs.deregister_task_definition(taskDefinition="web:2")
    region.run_for("1h")
    region.kill(demo.running()[0]["taskArn"])
    region.run_for("5m")
    say(f"web:2 is INACTIVE and a task has crashed. Running: {demo.revisions()}")
    return demo.revisions()


@proof("services.same-family-by-hand", a=(2, 2), b=(3, 2), c=(3, 3))
def same_family_by_hand(aws, region, say):
    """RunTask of a service's own definition: (tasks that run, desired count)."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(2)
    region.run_for("2m")
    demo.run("web:1")
    region.run_for("5m")
    seen = len(demo.running()), demo.service()["desiredCount"]
    say(f"5 minutes after RunTask {seen[0]} tasks run, and {seen[1]} are desired.")
    return seen


@proof("services.create-twice", a="Creation of service was not idempotent.", b=4)
def create_twice(aws, region, say):
    """CreateService again with another desired count."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(2)
    region.run_for("1m")
    message = refused(demo.serve, count=4)
    say(f"The second call: {message}")
    return message.partition(": ")[2] if message else demo.service()["desiredCount"]


@proof("services.scaled-to-zero", a=("INACTIVE", 0), b=("ACTIVE", 0), c=("ACTIVE", 1))
def scaled_to_zero(aws, region, say):
    """(status, running tasks) of a service an hour after its desired count became 0."""
    demo = Balanced(aws, region)
    demo.define()
    demo.serve(2)
    region.run_for("2m")
    demo.update(desiredCount=0)
    region.run_for("1h")
    service = demo.service()
    say(f"An hour later the service is {service['status']} with {service['runningCount']} tasks.")
    return service["status"], service["runningCount"]


@proof("services.gets-a-replacement")
def gets_a_replacement(aws, region, say):
    """Which events make a service start another task."""
    demo = Demo(aws, region)
    check = {"healthCheck": CHECK}
    events = {
        "a": (demo.define("web", "--exit-after", "60"), None),
        "b": (demo.register("web", [app(), app("side", "--port", "81", "--exit-after", "60", "--exit-code", "1", essential=False)]), None),
        "c": (demo.define("web", "--unhealthy-after", "60", container=check), None),
        "d": (demo.define("web"), lambda: aws.ecs.deregister_task_definition(taskDefinition="web:4")),
        "e": (demo.define("web"), lambda: aws.ecs.stop_task(cluster="demo", task=demo.running()[0]["taskArn"])),
        "f": (demo.define("web", "--exit-after", "70", container={"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}}), None),
    }
    return {option for option, (definition, then) in events.items() if _replaced(demo, option, definition, then, say)}


def _replaced(demo, name, definition, then, say):
    demo.ecs.create_service(
        cluster="demo", serviceName=name, taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=demo.network(),
    )
    demo.region.run_for("30s")
    first = demo.running()[0]["taskArn"]
    if then:
        then()
    demo.region.run_for("3m")
    new = {task["taskArn"] for task in demo.running()} - {first}
    say(f"Event {name}: {'another task' if new else 'no other task'}.")
    demo.ecs.delete_service(cluster="demo", service=name, force=True)
    demo.region.run_for("2m")
    return bool(new)


@proof("services.protected-from-what")
def protected_from_what(aws, region, say):
    """Which of three events a protected task outlives: scale-in, a rolling update, StopTask."""
    survived = set()
    demo = Demo(aws, region)
    demo.define("web")
    demo.define("web")
    demo.serve(1)
    region.run_for("1m")
    arn = demo.running()[0]["taskArn"]
    aws.ecs.update_task_protection(cluster="demo", tasks=[arn], protectionEnabled=True, expiresInMinutes=60)
    for option, change in {"b": {"desiredCount": 0}, "d": {"desiredCount": 1, "taskDefinition": "web:2"}}.items():
        demo.update(**change)
        region.run_for("10m")
        if arn in {task["taskArn"] for task in demo.running()}:
            survived.add(option)
            say(f"After {change} the protected task still runs.")
    aws.ecs.stop_task(cluster="demo", task=arn)
    region.run_for("2m")
    if arn in {task["taskArn"] for task in demo.running()}:
        survived.add("a")
    return survived


@proof("services.exec-on-running-tasks", a=True, c=False)
def exec_on_running_tasks(aws, region, say):
    """Does an update with enableExecuteCommand reach tasks that run; only those of a new deployment have it."""
    demo = Demo(aws, region)
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    demo.define(taskRoleArn=role)
    demo.serve(1, enableExecuteCommand=False)
    region.run_for("2m")
    demo.update(enableExecuteCommand=True)
    region.run_for("10m")
    running = any(task["enableExecuteCommand"] for task in demo.running())
    demo.update(forceNewDeployment=True)
    region.run_for("10m")
    say(f"Ten minutes after the update: {running}; after a forced deployment: "
        f"{all(task['enableExecuteCommand'] for task in demo.running())}.")
    return running


@proof("services.new-service-events")
def new_service_events(aws, region, say):
    """The order in which a new service behind a load balancer gets to its steady state."""
    demo = Balanced(aws, region)
    demo.define()
    demo.serve(1)
    order = [0] if demo.service()["runningCount"] == 0 and demo.service()["status"] == "ACTIVE" else []
    for _ in range(240):
        region.run_for("1s")
        _note(order, 1, any("has started 1 tasks" in event for event in demo.events()), say)
        _note(order, 2, bool(demo.health()), say)
        _note(order, 3, "healthy" in demo.health(), say)
        for event in demo.events():
            _note(order, 4, "deployment completed" in event, say)
            _note(order, 5, "has reached a steady state" in event, say)
        if len(order) == 6:
            break
    return order


def _note(order, item, happened, say):
    if happened and item not in order:
        order.append(item)
        say(f"Seen: step {item + 1}.")


@proof("services.not-for-daemons")
def not_for_daemons(aws, region, say):
    """A DAEMON service with each of the six settings."""
    demo = Demo(aws, region)
    demo.on_ec2()
    daemon = {"cluster": "demo", "taskDefinition": "web", "schedulingStrategy": "DAEMON", "launchType": "EC2"}
    offers = {
        "a": {"desiredCount": 3},
        "b": {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]},
        "c": {"placementStrategy": [{"type": "spread", "field": "instanceId"}]},
        "d": {"deploymentConfiguration": {"minimumHealthyPercent": 0}},
        "e": {"availabilityZoneRebalancing": "ENABLED"},
        "f": {"launchType": "EXTERNAL"},
    }
    errors = {letter: refused(demo.ecs.create_service, **{**daemon, **fields}, serviceName=f"agent-{letter}") for letter, fields in offers.items()}
    return refusals(say, errors)


@proof("services.agent-on-fargate", a="refused", b="accepted")
def agent_on_fargate(aws, region, say):
    """A DAEMON service with the launch type FARGATE, which would make a sidecar needless."""
    demo = Demo(aws, region)
    demo.define()
    daemon = {"cluster": "demo", "serviceName": "agent", "taskDefinition": "web", "schedulingStrategy": "DAEMON"}
    error = refused(demo.ecs.create_service, **daemon, launchType="FARGATE", networkConfiguration=demo.network())
    say(error or "It is accepted.")
    return "refused" if error else "accepted"


@proof("services.collector-per-instance", a="REPLICA", b="DAEMON")
def collector_per_instance(aws, region, say):
    """Two instances become four: which service has a task on each without being touched?"""
    demo = Demo(aws, region)
    demo.instances(2)
    demo.on_ec2()
    demo.serve_on_ec2(2, placementConstraints=[{"type": "distinctInstance"}])
    demo.ecs.create_service(cluster="demo", serviceName="daemon", taskDefinition="web", schedulingStrategy="DAEMON", launchType="EC2")
    region.run_for("5m")
    demo.instances(2)
    region.run_for("10m")
    reached = {kind: len({t["containerInstanceArn"] for t in demo.running(serviceName=name)}) for kind, name in (("REPLICA", "web"), ("DAEMON", "daemon"))}
    say(f"Of 4 instances have a task: {reached}.")
    return ", ".join(kind for kind, count in reached.items() if count == 4)


@proof("services.describe-in-tens")
def describe_in_tens(aws, region, say):
    """The largest number of services one call takes, and how often 46 of them need it."""
    ecs = Demo(aws, region).ecs
    most = max(n for n in range(1, 15) if refused(ecs.describe_services, cluster="demo", services=[f"s{i}" for i in range(n)]) is None)
    say(f"One call describes up to {most} services.")
    return -(-46 // most)


@proof("services.pipeline-resets-scaling", c=(9, 9), d=(2, 9))
def pipeline_resets_scaling(aws, region, say):
    """Nine tasks, and an update with a desired count of 2 and one without."""
    demo = Demo(aws, region)
    counts = []
    for number, template in enumerate(({"desiredCount": 2}, {})):
        demo.define()
        if number == 0:
            demo.serve(9, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
            resource = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}
            aws.client("application-autoscaling").register_scalable_target(**resource, MinCapacity=2, MaxCapacity=12)
        else:
            demo.update(desiredCount=9)
        region.run_for("10m")
        demo.update(forceNewDeployment=True, **template)
        region.run_for("10m")
        counts.append(len(demo.running()))
    say(f"With DesiredCount 2 in the template {counts[0]} tasks run afterwards, without it {counts[1]}.")
    return tuple(counts)


@proof("services.one-subnet", b="b", d="d")
def one_subnet(aws, region, say):
    """A zone fails: with one subnet and rebalancing, and with subnets of several zones, are any tasks left?"""
    demo, right = Demo(aws, region), ""
    demo.define()
    for letter, subnets in (("b", 1), ("d", 3)):
        demo.serve(6, networkConfiguration=demo.network(subnets), availabilityZoneRebalancing="ENABLED")
        region.run_for("5m")
        zone = demo.running()[0]["availabilityZone"]
        region.fail_zone(zone)
        left = [task for task in demo.running() if task["availabilityZone"] != zone]
        say(f"{letter}: {len(left)} of 6 tasks are left.")
        right += letter if left else ""
        region.restore_zone(zone)
        demo.ecs.delete_service(cluster="demo", service="web", force=True)
        region.run_for("10m")
    return right


@proof("services.may-be-rebalanced")
def may_be_rebalanced(aws, region, say):
    """Each of the services with availabilityZoneRebalancing ENABLED."""
    demo = Demo(aws, region)
    demo.define("far")
    demo.on_ec2("near")
    zones, pack = {"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}
    far = {"taskDefinition": "far", "launchType": "FARGATE", "networkConfiguration": demo.network(3), "desiredCount": 1}
    near = {"taskDefinition": "near", "launchType": "EC2", "desiredCount": 1}
    offers = {
        "a": {**far, "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}},
        "b": {**near, "placementStrategy": [zones, pack]},
        "c": {"taskDefinition": "near", "launchType": "EC2", "schedulingStrategy": "DAEMON"},
        "d": {**far, "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200}},
        "e": {**near, "placementStrategy": [pack]},
    }
    create = {"cluster": "demo", "availabilityZoneRebalancing": "ENABLED"}
    errors = {letter: refused(demo.ecs.create_service, serviceName=f"s-{letter}", **create, **fields) for letter, fields in offers.items()}
    return set(errors) - refusals(say, errors)


@proof("services.busiest-zone")
def busiest_zone(aws, region, say):
    """Eight tasks in three zones."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(8, networkConfiguration=demo.network(3), availabilityZoneRebalancing="ENABLED")
    region.run_for("10m")
    zones = [task["availabilityZone"] for task in demo.running()]
    counts = {zone: zones.count(zone) for zone in sorted(set(zones))}
    say(f"Tasks by zone: {counts}.")
    return max(counts.values())
