"""Proofs of questions on tasks."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import CHECK, MISSING, Balanced, Demo, app, role

SIDE = ("--port", "81")  # two containers of a task share its network


@proof("tasks.exit-zero-ends-it", a=("RUNNING", None), c=("RUNNING", ""), d=("STOPPED", "EssentialContainerExited"))
def exit_zero_ends_it(aws, region, say):
    """One of two containers exits 0 after a minute: (lastStatus, stopCode) of the task."""
    demo = Demo(aws, region)
    demo.register("job", [app("report", "--exit-after", "600"), app("fetch", *SIDE, "--exit-after", "60")])
    task = demo.run("job")
    region.run_for("3m")
    seen = demo.task(task)
    say(f"{seen['lastStatus']}, {seen.get('stopCode')}: {seen.get('stoppedReason')}")
    return seen["lastStatus"], seen.get("stopCode")


@proof("tasks.nobody-replaces-it", a=("STOPPED", 0), b=("UNHEALTHY", 1), c=("STOPPED", 1), d=("HEALTHY", 1))
def nobody_replaces_it(aws, region, say):
    """A standalone task whose check fails: (its health or STOPPED, tasks that run)."""
    demo = Demo(aws, region)
    demo.define("job", "--unhealthy-after", "60", container={"healthCheck": CHECK})
    task = demo.run("job")
    region.run_for("20m")
    seen, running = demo.task(task), len(demo.running())
    say(f"After 20 minutes it is {seen['lastStatus']} and {seen['healthStatus']}; {running} task runs.")
    return seen["healthStatus"] if seen["lastStatus"] == "RUNNING" else "STOPPED", running


@proof("tasks.wanted-and-actual", a=("RUNNING", 1), b=("STOPPED", 1), c=("RUNNING", 2))
def wanted_and_actual(aws, region, say):
    """A moment after StopTask and a minute later: what became of the task that is STOPPED by desire, RUNNING in fact."""
    demo = Demo(aws, region)
    demo.define("job", "--ignore-sigterm")
    task = demo.run("job")
    region.run_for("1m")
    aws.ecs.stop_task(cluster="demo", task=task)
    region.run_for("2s")
    seen = demo.task(task)
    say(f"2 seconds after StopTask: desiredStatus {seen['desiredStatus']}, lastStatus {seen['lastStatus']}")
    region.run_for("1m")
    say(f"A minute later: {region.history(task)}")
    return demo.task(task)["lastStatus"], region.history(task).count("RUNNING")


@proof("tasks.stopped-and-not-listed", a="gone", b="launchType", c="desiredStatus")
def stopped_and_not_listed(aws, region, say):
    """With which parameter ListTasks finds a task that stopped ten minutes ago."""
    demo = Demo(aws, region)
    demo.define("job", "--exit-after", "5")
    demo.run("job")
    region.run_for("11m")
    counts = {
        name: len(aws.ecs.list_tasks(cluster="demo", **{name: value} if value else {})["taskArns"])
        for name, value in {"nothing": None, "launchType": "FARGATE", "desiredStatus": "STOPPED"}.items()
    }
    say(f"Tasks listed, by the parameter given: {counts}")
    return next((name for name, count in counts.items() if count), "gone")


def _bridge(aws, family, cpu):
    containers = [{"name": "app", "image": "ecslab/app:1.0", "memory": 128, "cpu": cpu}]
    aws.ecs.register_task_definition(family=family, networkMode="bridge", containerDefinitions=containers)


def _run_on_instances(aws, count, cpu):
    _bridge(aws, "job", cpu)
    return aws.ecs.run_task(cluster="demo", taskDefinition="job", launchType="EC2", count=count)


@proof("tasks.success-without-tasks", a=(2, True, 2), b=(4, False, 4), c=(0, True, 0), d=(4, False, 2))
def success_without_tasks(aws, region, say):
    """RunTask of 4 where 2 have room: (tasks, are there failures, running after a while)."""
    demo = Demo(aws, region)
    region.add_instance("demo", "t3.small")
    answer = _run_on_instances(aws, 4, 1000)
    region.run_for("10m")
    say(f"{len(answer['tasks'])} tasks, {len(answer['failures'])} failures: {answer['failures'][0]['reason'] if answer['failures'] else ''}")
    return len(answer["tasks"]), bool(answer["failures"]), len(demo.running())


@proof("tasks.two-instances-five-tasks")
def two_instances_five_tasks(aws, region, say):
    """How many of 5 tasks of 512 CPU units are not started where 1600 and 900 are left."""
    demo = Demo(aws, region)
    for left in (1600, 900):
        instance = region.add_instance("demo", "t3.small")
        _bridge(aws, f"fill-{left}", 2048 - left)
        aws.ecs.start_task(cluster="demo", taskDefinition=f"fill-{left}", containerInstances=[instance])
    region.run_for("1m")
    answer = _run_on_instances(aws, 5, 512)
    say(f"{len(answer['tasks'])} tasks were placed; failures: {[one['reason'] for one in answer['failures']]}")
    return 5 - len(answer["tasks"])


@proof("tasks.calls-for-a-batch")
def calls_for_a_batch(aws, region, say):
    """RunTask with the largest count it takes, until there are 34 tasks."""
    demo = Demo(aws, region)
    demo.define("job")
    largest = max(n for n in range(1, 35) if not refused(
        aws.ecs.run_task, cluster="demo", taskDefinition="job", count=n, launchType="FARGATE", networkConfiguration=demo.network()))
    say(f"RunTask takes a count of {largest} at most.")
    return -(-34 // largest)


@proof("tasks.states-of-a-task")
def states_of_a_task(aws, region, say):
    """Every lastStatus of a task of a service behind a load balancer, up to its end."""
    demo = Balanced(aws, region)
    demo.define()
    demo.serve(1)
    region.run_for("2m")
    task = demo.running()[0]["taskArn"]
    demo.update(desiredCount=0)
    region.run_for("3m")
    say(" ".join(region.history(task)))
    wanted = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING"]
    return [wanted.index(status) for status in region.history(task) if status in wanted]


@proof("tasks.minutes-to-finish", a=100, b="startTimeout")
def minutes_to_finish(aws, region, say):
    """Seconds a container that ignores SIGTERM gets, with stopTimeout 100; else with startTimeout 100."""
    demo = Demo(aws, region)
    spans = {}
    for name in ("stopTimeout", "startTimeout"):
        demo.define("worker", "--ignore-sigterm", container={name: 100})
        spans[name] = round(_seconds_to_the_kill(demo, "worker"))
        say(f"With {name} 100 the container has {spans[name]} seconds.")
    return "startTimeout" if spans["startTimeout"] > 90 else spans["stopTimeout"]


def _seconds_to_the_kill(demo, definition):
    task = demo.run(definition)
    demo.region.run_for("1m")
    demo.ecs.stop_task(cluster="demo", task=task)
    demo.region.run_for("3m")
    seen = demo.task(task)
    return (seen["executionStoppedAt"] - seen["stoppingAt"]).total_seconds()


@proof("tasks.two-retries-one-task", a="startedBy", b="group", c="clientToken")
def two_retries_one_task(aws, region, say):
    """Which parameter makes the second of two equal RunTask calls start nothing."""
    demo = Demo(aws, region)
    demo.define("job")
    for name in ("startedBy", "group", "clientToken"):
        first, second = demo.run("job", **{name: "payment-7"}), demo.run("job", **{name: "payment-7"})
        say(f"{name}: {'the same task' if first == second else 'two tasks'}")
        if first == second:
            return name


@proof("tasks.moments-of-a-task")
def moments_of_a_task(aws, region, say):
    """The timestamps of a task that ended by itself, in order."""
    demo = Demo(aws, region)
    demo.define("job", "--exit-after", "20")
    task = demo.run("job")
    region.run_for("3m")
    seen = demo.task(task)
    names = ["createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "executionStoppedAt", "stoppedAt"]
    for name in names:
        say(f"{seen[name]:%H:%M:%S} {name}")
    return sorted(range(len(names)), key=lambda place: seen[names[place]])


@proof("tasks.only-tonight", a="a revision", b="overrides")
def only_tonight(aws, region, say):
    """Does a task with other command and environment need a revision of its own."""
    demo = Demo(aws, region)
    demo.define("job")
    changed = {"name": "app", "command": ["--exit-after", "5"], "environment": [{"name": "NIGHT", "value": "yes"}]}
    tonight, usual = demo.run("job", overrides={"containerOverrides": [changed]}), demo.run("job")
    region.run_for("2m")
    ends = demo.task(tonight)["lastStatus"], demo.task(usual)["lastStatus"]
    say(f"Both of job:1; with overrides: {ends[0]}, without: {ends[1]}")
    return "overrides" if ends == ("STOPPED", "RUNNING") else "a revision"


@proof("tasks.what-ends-a-task")
def what_ends_a_task(aws, region, say):
    """Which events stop a standalone task; running out of memory is played by a kill with its exit code."""
    demo = Demo(aws, region)
    pair = lambda first, side: demo.register("job", [app("app", *first, healthCheck=CHECK), app("helper", *SIDE, *side, essential=False)])
    plain = pair((), ())
    events = {
        "a": (pair(("--exit-after", "60"), ()), None),
        "b": (plain, lambda task: region.kill(task, "app")),
        "c": (plain, lambda task: aws.ecs.stop_task(cluster="demo", task=task)),
        "d": (pair((), ("--exit-after", "60", "--exit-code", "1")), None),
        "e": (pair(("--unhealthy-after", "60"), ()), None),
        "f": (plain, lambda task: aws.ecs.deregister_task_definition(taskDefinition=plain)),
    }
    return {option for option, (definition, event) in events.items() if _ends(demo, option, definition, event, say)}


def _ends(demo, option, definition, event, say):
    task = demo.run(definition)
    demo.region.run_for("45s")
    if event:
        event(task)
    demo.region.run_for("5m")
    status = demo.task(task)["lastStatus"]
    say(f"Event {option}: the task is {status}.")
    return status == "STOPPED"


@proof("tasks.restarted-too-soon", a="RUNNING", c="STOPPED")
def restarted_too_soon(aws, region, say):
    """An essential container with a plain restart policy crashes after 20 seconds: the task an hour later."""
    demo = Demo(aws, region)
    demo.define("job", "--exit-after", "20", "--exit-code", "1", container={"restartPolicy": {"enabled": True}})
    task = demo.run("job")
    region.run_for("1h")
    say(f"An hour later the task is {demo.task(task)['lastStatus']}.")
    return demo.task(task)["lastStatus"]


@proof("tasks.started-by-whom", a="launchType", b="group", c="desiredStatus", d="taskDefinitionArn")
def started_by_whom(aws, region, say):
    """The one field that names the service for its task and not for a standalone one."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(1)
    alone = demo.run("web:1")
    region.run_for("2m")
    single, = [task for task in demo.running() if task["taskArn"] == alone]
    served, = [task for task in demo.running() if task["taskArn"] != alone]
    differs = [name for name in ("launchType", "group", "desiredStatus", "taskDefinitionArn") if single[name] != served[name]]
    say(f"Of the service: {served['group']}; standalone: {single['group']}")
    return " ".join(differs)


@proof("tasks.protected-for-how-long", b=120, d=2)
def protected_for_how_long(aws, region, say):
    """Minutes of scale-in protection when no duration is given."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(1)
    region.run_for("1m")
    task = demo.running()[0]["taskArn"]
    made = aws.ecs.update_task_protection(cluster="demo", tasks=[task], protectionEnabled=True)["protectedTasks"][0]
    minutes = round((made["expirationDate"].timestamp() - region.now().timestamp()) / 60)
    say(f"The protection ends in {minutes} minutes.")
    return minutes


@proof("tasks.seconds-to-the-kill")
def seconds_to_the_kill(aws, region, say):
    """From the first moment of draining to SIGKILL, with delay 60 and stopTimeout 45."""
    demo = Balanced(aws, region, delay=60)
    demo.define("web", "--ignore-sigterm", container={"stopTimeout": 45})
    demo.serve(1)
    region.run_for("2m")
    task = demo.running()[0]["taskArn"]
    demo.update(desiredCount=0)
    drained = region.now()
    say(f"The target group a moment later: {demo.health()}")
    region.run_for("3m")
    seconds = round((demo.task(task)["executionStoppedAt"] - drained).total_seconds())
    say(f"Killed {seconds} seconds after the target began to drain.")
    return seconds


@proof("tasks.restart-the-container", a="a", b="b", c="c")
def restart_the_container(aws, region, say):
    """A shipper that crashes after 70 seconds: with which setting does it run again, in the same task?"""
    demo = Demo(aws, region)
    crash = ("--port", "81", "--exit-after", "70", "--exit-code", "1")
    offers = {
        "a": {"essential": True},
        "b": {"essential": False, "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}},
        "c": {"essential": False, "healthCheck": CHECK},
    }
    right = ""
    for letter, fields in offers.items():
        demo.register(letter, [app(), app("shipper", *crash, **fields)])
        arn = demo.run(letter)
        region.run_for("2m")
        again = demo.task(arn)["lastStatus"] == "RUNNING" and demo.status(arn, "shipper") == "RUNNING"
        say(f"{letter}: after two minutes the task is {demo.task(arn)['lastStatus']}, the shipper {demo.status(arn, 'shipper')}")
        right += letter if again else ""
    return right


@proof("tasks.which-can-be-overridden")
def which_can_be_overridden(aws, region, say):
    """Which of the six do the overrides of RunTask have a place for?"""
    shape = Demo(aws, region).ecs.meta.service_model.operation_model("RunTask").input_shape.members["overrides"]
    container = shape.members["containerOverrides"].member.members
    say(f"A task's overrides: {', '.join(sorted(shape.members))}. A container's: {', '.join(sorted(container))}.")
    asked = {
        "a": "environment" in container, "b": "command" in container, "c": "taskRoleArn" in shape.members,
        "d": "image" in container, "e": "networkMode" in shape.members, "f": "portMappings" in container,
    }  # fmt: skip
    return {letter for letter, there in asked.items() if there}


@proof("tasks.stop-codes")
def stop_codes(aws, region, say):
    """Five ends of a task."""
    demo = Demo(aws, region)
    demo.ecs.put_cluster_capacity_providers(cluster="demo", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[])
    demo.define("missing", container={"image": MISSING})
    demo.define("job", "--exit-after", "5")
    demo.define()
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    ends = {
        "The image could not be pulled": demo.run("missing"),
        "The only container ended with exit code 0": demo.run("job"),
        "An engineer called StopTask": demo.run("web"),
        "AWS took back Fargate Spot capacity": demo.ecs.run_task(
            cluster="demo", taskDefinition="web", networkConfiguration=demo.network(), capacityProviderStrategy=spot
        )["tasks"][0]["taskArn"],
    }
    demo.serve(1, "web")
    region.run_for("2m")
    ends["The service was scaled in"] = demo.running(serviceName="web")[0]["taskArn"]
    demo.update(desiredCount=0)
    demo.ecs.stop_task(cluster="demo", task=ends["An engineer called StopTask"])
    region.interrupt_spot(ends["AWS took back Fargate Spot capacity"])
    region.run_for("10m")
    told = {what: demo.task(arn)["stopCode"] for what, arn in ends.items()}
    for what, code in told.items():
        say(f"{what}: {code}")
    return told


@proof("tasks.read-no-such-tag", a="a", d="d")
def read_no_such_tag(aws, region, say):
    """A role that may not pull, and a tag that was never pushed: which gives a reason that says `not found`?"""
    demo = Demo(aws, region)
    aws.client("ecr").create_repository(repositoryName="shop")
    image = region.push_image("shop", "v41", "ecslab/app:1.0")
    offers = {"a": (image, ("ecr:GetAuthorizationToken", "*")), "d": (image.replace("v41", "v42"), ("ecr:*", "*"))}
    right = ""
    for letter, (wanted, may) in offers.items():
        demo.define(letter, container={"image": wanted}, executionRoleArn=role(aws, f"starts-{letter}", may))
        arn = demo.run(letter)
        region.run_for("2m")
        say(f"{letter}: {demo.task(arn)['stoppedReason']}")
        right += letter if "not found" in demo.task(arn)["stoppedReason"] else ""
    return right


@proof("tasks.code-137-after-30-seconds", b=(137, "OutOfMemoryError"), c=(137, ""))
def code_137_after_30_seconds(aws, region, say):
    """A main process that does not hear SIGTERM: exit code, and what stands beside it."""
    demo = Demo(aws, region)
    demo.define("web", "--ignore-sigterm")
    arn = demo.run()
    region.run_for("1m")
    demo.ecs.stop_task(cluster="demo", task=arn)
    region.run_for("2m")
    (container,) = demo.task(arn)["containers"]
    say(f"exitCode {container['exitCode']}, reason {container.get('reason') or 'none'}")
    return container["exitCode"], container.get("reason", "").partition(":")[0]
