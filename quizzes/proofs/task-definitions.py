"""Proofs of questions on task definitions."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import CHECK, Demo, app, refusals, role

SIDE = ("--port", "81")  # two containers of a task share its network


@proof("task-definitions.no-such-size", a="1024", b="512", d="0.25 vCPU")
def no_such_size(aws, region, say):
    """The smallest cpu that is registered with 3072 MiB."""
    demo = Demo(aws, region)
    for cpu in ("256", "0.25 vCPU", "512", "1024"):
        message = refused(demo.define, cpu=cpu, memory="3072")
        say(f"cpu {cpu}: {message or 'accepted'}")
        if message is None:
            return cpu


@proof("task-definitions.smallest-for-twenty-gb")
def smallest_for_twenty_gb(aws, region, say):
    """The smallest cpu that is registered with 20480 MiB."""
    demo = Demo(aws, region)
    sizes = (256, 512, 1024, 2048, 4096, 8192)
    smallest = min(cpu for cpu in sizes if not refused(demo.define, cpu=str(cpu), memory="20480"))
    say(f"20480 MiB are registered with cpu {smallest} and more.")
    return smallest


@proof("task-definitions.one-variable", b="register", d="register and update")
def one_variable(aws, region, say):
    """After which step the tasks have the new revision."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(2)
    region.run_for("2m")
    demo.define(container={"environment": [{"name": "MODE", "value": "right"}]})
    region.run_for("10m")
    say(f"10 minutes after registering web:2: {demo.revisions()}")
    if "web:2" in demo.revisions():
        return "register"
    demo.update(taskDefinition="web:2")
    region.run_for("10m")
    say(f"10 minutes after the update: {demo.revisions()}")
    return "register and update" if demo.revisions() == {"web:2": 2} else demo.revisions()


@proof("task-definitions.newest-active", a="report:7", b="refused", c="report:6", d="report:5")
def newest_active(aws, region, say):
    """What a bare family name means when its newest revision is INACTIVE."""
    demo = Demo(aws, region)
    for _ in range(7):
        demo.define("report")
    aws.ecs.deregister_task_definition(taskDefinition="report:7")
    if refused(demo.run, definition="report"):
        return "refused"
    (revision,) = {task["taskDefinitionArn"].rpartition("/")[2] for task in aws.tasks("demo")}
    say(f"RunTask of report starts {revision}.")
    return revision


@proof("task-definitions.next-number")
def next_number(aws, region, say):
    """The next revision after all five were deregistered and deleted."""
    demo = Demo(aws, region)
    for revision in [demo.define("batch") for _ in range(5)]:
        aws.ecs.deregister_task_definition(taskDefinition=revision)
        aws.ecs.delete_task_definitions(taskDefinitions=[revision])
    made = demo.define("batch")
    say(f"The next one is {made}.")
    return int(made.rpartition(":")[2])


@proof("task-definitions.deregistered-in-use", a={"web:2": 6}, b={"web:2": 4, "web:1": 2}, c={"web:2": 4}, d={})
def deregistered_in_use(aws, region, say):
    """Two of six tasks crash after their revision was deregistered: what runs afterwards."""
    demo = Demo(aws, region)
    demo.define()
    demo.define()
    demo.serve(6, "web:2")
    region.run_for("2m")
    aws.ecs.deregister_task_definition(taskDefinition="web:2")
    region.run_for("30m")
    for task in demo.running()[:2]:
        region.kill(task["taskArn"])
    region.run_for("5m")
    say(f"5 minutes after the crash: {demo.revisions()}")
    return demo.revisions()


@proof("task-definitions.migrate-before-web", a=("SUCCESS", True), b=("COMPLETE", False), c=("SUCCESS", False))
def migrate_before_web(aws, region, say):
    """The (condition, essential) with which web runs after a success and never after a failure."""
    demo = Demo(aws, region)
    good = [pair for pair in (("SUCCESS", True), ("COMPLETE", False), ("SUCCESS", False)) if _orders(demo, *pair, say)]
    return good[0] if len(good) == 1 else good


def _orders(demo, condition, essential, say):
    ran = []
    for code in ("0", "1"):
        migrate = app("migrate", "--exit-after", "20", "--exit-code", code, essential=essential)
        web = app("web", *SIDE, dependsOn=[{"containerName": "migrate", "condition": condition}])
        request = {"family": "shop", "containers": [migrate, web]}
        if message := refused(demo.register, **request):
            say(f"{condition}, essential {essential}: {message}")
            return False
        task = demo.run("shop")
        demo.region.run_for("2m")
        ran.append(demo.task(task)["lastStatus"] == "RUNNING" and demo.status(task, "web") == "RUNNING")
    say(f"{condition}, essential {essential}: web runs after success: {ran[0]}, after failure: {ran[1]}")
    return ran == [True, False]


@proof("task-definitions.healthcheck-in-the-image", b=("UNKNOWN", "HEALTHY"), c=("UNKNOWN", "UNKNOWN"), a=("UNKNOWN", None))
def healthcheck_in_the_image(aws, region, say):
    """healthStatus on Fargate, without a load balancer: (no check in the definition, a check there)."""
    demo = Demo(aws, region)
    demo.define("plain")
    demo.define("checked", container={"healthCheck": CHECK})
    tasks = demo.run("plain"), demo.run("checked")
    region.run_for("5m")
    seen = tuple(demo.task(task)["healthStatus"] for task in tasks)
    say(f"Without healthCheck in the container definition: {seen[0]}; with it: {seen[1]}")
    return seen


@proof("task-definitions.seconds-to-unhealthy")
def seconds_to_unhealthy(aws, region, say):
    """Seconds from the last passed check to UNHEALTHY, with interval 20 and retries 4."""
    demo = Demo(aws, region)
    check = {**CHECK, "interval": 20, "retries": 4}
    demo.define("web", "--unhealthy-after", "61", container={"healthCheck": check})
    task = demo.run()
    while demo.task(task)["lastStatus"] != "RUNNING":
        region.run_for("1s")
    for second in range(1, 300):
        region.run_for("1s")
        if demo.task(task)["healthStatus"] == "UNHEALTHY":
            break
    say(f"Checks pass until second 60; UNHEALTHY in second {second}.")
    return second - 60


@proof("task-definitions.healthy-only-at-start", b=("RUNNING", "RUNNING", 1), c=("STOPPED", "STOPPED", 1))
def healthy_only_at_start(aws, region, say):
    """A dependency turns unhealthy later: (the task, its app, how often the task was RUNNING)."""
    demo = Demo(aws, region)
    cache = app("cache", *SIDE, "--unhealthy-after", "120", essential=False, healthCheck=CHECK)
    demo.register("shop", [cache, app("app", dependsOn=[{"containerName": "cache", "condition": "HEALTHY"}])])
    task = demo.run("shop")
    region.run_for("20m")
    health = {one["name"]: one.get("healthStatus") for one in demo.task(task)["containers"]}
    say(f"20 minutes later: {health}")
    return demo.task(task)["lastStatus"], demo.status(task, "app"), region.history(task).count("RUNNING")


@proof("task-definitions.copied-description", a="ParamValidationError", b="a refusal", c="accepted")
def copied_description(aws, region, say):
    """A description passed on as it is, and without the fields that ECS filled in."""
    import botocore.exceptions

    demo = Demo(aws, region)
    demo.define()
    described = aws.task_definition("web:1")
    try:
        aws.ecs.register_task_definition(**described)
    except botocore.exceptions.ParamValidationError as error:
        say(str(error).splitlines()[1])
    else:
        return "accepted"
    taken = aws.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    kept = {name: value for name, value in described.items() if name in taken}
    return "ParamValidationError" if refused(aws.ecs.register_task_definition, **kept) is None else "a refusal"


@proof("task-definitions.twenty-is-too-little", a="left out", b=32)
def twenty_is_too_little(aws, region, say):
    """The first way of the four that is accepted, the simplest first."""
    demo = Demo(aws, region)
    for size in (20, None, 32):
        message = refused(demo.define, **({"ephemeralStorage": {"sizeInGiB": size}} if size else {}))
        say(f"ephemeralStorage {size or 'left out'}: {message or 'accepted'}")
        if message is None:
            return size or "left out"


@proof("task-definitions.both-kinds-of-capacity", a="FARGATE", b=("EC2", "EC2 FARGATE"), c=("FARGATE", "EC2 FARGATE"))
def both_kinds_of_capacity(aws, region, say):
    """(requiresCompatibilities, compatibilities) in the answer to a definition that requires EC2."""
    demo = Demo(aws, region)
    made = aws.task_definition(demo.define(cpu="512", memory="1024", requiresCompatibilities=["EC2"]))
    say(f"required: {made['requiresCompatibilities']}, met: {made['compatibilities']}")
    return " ".join(made["requiresCompatibilities"]), " ".join(kind for kind in ("EC2", "FARGATE") if kind in made["compatibilities"])


@proof("task-definitions.size-for-three-containers")
def size_for_three_containers(aws, region, say):
    """The smallest task memory that is registered for these containers."""
    demo = Demo(aws, region)
    sizes = zip("abc", (300, 150, 50), (900, 300, 200))
    containers = [app(name, cpu=cpu, memoryReservation=memory) for name, cpu, memory in sizes]
    taken = [size for size in (512, 1024, 2048, 3072, 4096) if not refused(demo.register, family="three", containers=containers, cpu="512", memory=str(size))]
    say(f"With cpu 512 these sizes are registered: {taken}")
    return min(taken)


@proof("task-definitions.refused-on-fargate")
def refused_on_fargate(aws, region, say):
    """Which settings are refused for Fargate."""
    demo = Demo(aws, region)
    settings = {
        "a": {"volumes": [{"name": "data", "host": {"sourcePath": "/var/data"}}]},
        "b": {"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == t3.small"}]},
        "c": {"pidMode": "host"},
        "d": {"container": {"readonlyRootFilesystem": True}},
        "e": {"container": {"healthCheck": CHECK}},
        "f": {"container": {"user": "1000:1000"}},
    }
    answers = {option: refused(demo.define, **setting) for option, setting in settings.items()}
    for option, message in answers.items():
        say(f"{option}: {message or 'accepted'}")
    return {option for option, message in answers.items() if message}


@proof("task-definitions.public-image-on-fargate", a="execution role", b="task role", c="none")
def public_image_on_fargate(aws, region, say):
    """Does a Fargate task of a public image run without any role."""
    demo = Demo(aws, region)
    demo.define(container={"image": "nginx:latest"})
    task = demo.run()
    region.run_for("2m")
    say(f"Without roles the task is {demo.task(task)['lastStatus']}.")
    return "none" if demo.task(task)["lastStatus"] == "RUNNING" else "execution role"


@proof("task-definitions.being-deleted")
def being_deleted(aws, region, say):
    """Which statements hold for a revision in DELETE_IN_PROGRESS that a service uses."""
    demo = Demo(aws, region)
    for _ in range(3):
        demo.define()
    demo.serve(4, "web:3")
    region.run_for("2m")
    aws.ecs.deregister_task_definition(taskDefinition="web:3")
    aws.ecs.delete_task_definitions(taskDefinitions=["web:3"])
    region.run_for("10m")
    kept = demo.revisions() == {"web:3": 4}
    starts = refused(demo.run, definition="web:3") is None
    refused(aws.ecs.deregister_task_definition, taskDefinition="web:3")
    undone = aws.task_definition("web:3")["status"] != "DELETE_IN_PROGRESS"
    again = demo.define() == "web:3"
    scaled = refused(demo.update, desiredCount=6) is None
    region.run_for("5m")
    holds = {"a": kept, "b": scaled and demo.revisions() == {"web:3": 6}, "c": starts, "d": again, "e": undone}
    say(f"The statements: {holds}")
    return {option for option, true in holds.items() if true}


@proof("task-definitions.which-value-wins", a="warn", b="debug", c="info")
def which_value_wins(aws, region, say):
    """One variable in `environment` and in two files."""
    demo, s3 = Demo(aws, region), aws.client("s3")
    s3.create_bucket(Bucket="shop")
    for name, value in (("first", "debug"), ("second", "warn")):
        s3.put_object(Bucket="shop", Key=f"{name}.env", Body=f"LOG_LEVEL={value}\n".encode())
    files = [{"type": "s3", "value": f"arn:aws:s3:::shop/{name}.env"} for name in ("first", "second")]
    roles = {
        "executionRoleArn": role(aws, "starts", ("s3:GetObject", "*"), ("s3:GetBucketLocation", "*")),
        "taskRoleArn": role(aws, "app", ("ssmmessages:*", "*")),
    }
    demo.define(container={"environment": [{"name": "LOG_LEVEL", "value": "info"}], "environmentFiles": files}, **roles)
    arn = demo.run(enableExecuteCommand=True)
    region.run_for("1m")
    lines = region.exec(arn, None, "env").output.splitlines()
    value = next(line.partition("=")[2] for line in lines if line.startswith("LOG_LEVEL="))
    say(f"The container sees LOG_LEVEL={value}.")
    return value


@proof("task-definitions.needs-a-role-at-launch")
def needs_a_role_at_launch(aws, region, say):
    """Each of the settings without an execution role: refused when registered or run?"""
    demo = Demo(aws, region)
    aws.client("ecr").create_repository(repositoryName="shop")
    image = region.push_image("shop", "1", "ecslab/app:1.0")
    aws.client("ssm").put_parameter(Name="key", Value="k", Type="String")
    offers = {
        "a": {"container": {"secrets": [{"name": "KEY", "valueFrom": "key"}]}},
        "b": {"container": {"image": image}},
        "c": {"container": {"environment": [{"name": "TABLE", "value": "orders"}]}},
        "d": {"container": {"healthCheck": {"command": ["CMD", "/app", "health"]}}},
        "e": {"enableFaultInjection": True},
    }
    errors = {letter: refused(demo.define, letter, **fields) or refused(demo.run, letter) for letter, fields in offers.items()}
    return refusals(say, errors)


@proof("task-definitions.same-tag-new-image", a="2.0", c="1.0")
def same_tag_new_image(aws, region, say):
    """A task that replaces another one after the tag has moved."""
    demo = Demo(aws, region)
    demo.serve_a_tag_that_moves(1)
    demo.ecs.stop_task(cluster="demo", task=demo.running()[0]["taskArn"])
    region.run_for("5m")
    line = region.logs(demo.running()[0]["taskArn"])[0]
    say(line)
    return line.split()[2]


@proof("task-definitions.tasks-by-reservation")
def tasks_by_reservation(aws, region, say):
    """As many tasks with a reservation of 500 MiB as an instance of 4 GiB takes."""
    demo = Demo(aws, region)
    demo.instances(1, "c5.large")
    demo.on_ec2(container={"memory": 1000, "memoryReservation": 500})
    demo.serve_on_ec2(12)
    region.run_for("10m")
    say(f"{len(demo.running())} tasks run. {demo.events()[-1]}")
    return len(demo.running())


@proof("task-definitions.soft-and-hard-memory", a="300", b="800", c="never")
def soft_and_hard_memory(aws, region, say):
    """A container that grows by 10 MiB a second: is it there after one minute, and after two?"""
    demo = Demo(aws, region)
    demo.instances(1)
    demo.on_ec2(container={"memoryReservation": 300, "memory": 800, "command": ["--leak", "10"]})
    (task,) = demo.ecs.run_task(cluster="demo", taskDefinition="web", launchType="EC2")["tasks"]
    region.run_for("1m")
    early = demo.task(task["taskArn"])["lastStatus"]
    region.run_for("1m")
    late = demo.task(task["taskArn"])
    say(f"After a minute {early}; after two {late['lastStatus']}, exit code {late['containers'][0].get('exitCode')}.")
    return "300" if early != "RUNNING" else "800" if late["containers"][0].get("exitCode") == 137 else "never"


@proof("task-definitions.refusal-and-repair")
def refusal_and_repair(aws, region, say):
    """Each message is brought about, and the repair tried."""
    demo = Demo(aws, region)
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    wait = {"dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}
    one = [app()]
    cases = {
        "Add an entry to `volumes`, or correct `sourceVolume`": ({"containers": [app(**mount)]}, {"volumes": [{"name": "data"}]}),
        "Set `networkMode`, which is `bridge` on Linux when left out": ({"containers": one, "networkMode": "bridge"}, {"networkMode": "awsvpc"}),
        "Give the dependency a `healthCheck`": (
            {"containers": [app(**wait), app("db", *SIDE)]}, {"containers": [app(**wait), app("db", *SIDE, healthCheck=CHECK)]}
        ),
        "Rename one entry of `containerDefinitions`": ({"containers": [app(), app("app", *SIDE)]}, {"containers": [app(), app("other", *SIDE)]}),
        "Choose another pair of task `cpu` and `memory`": ({"containers": one, "memory": "8192"}, {"memory": "512"}),
    }  # fmt: skip
    messages = (
        "Unknown volume 'data'", "Fargate only supports network mode", "HEALTHY condition must have health check configured",
        "Container names must be unique", "No Fargate configuration exists for given values",
    )  # fmt: skip
    lefts = (
        "`Unknown volume 'data'`", "`Fargate only supports network mode 'awsvpc'.`",
        "`A dependency container with HEALTHY condition must have health check configured`",
        "`Container names must be unique within a task definition`", "`No Fargate configuration exists for given values.`",
    )  # fmt: skip
    told = {}
    for repair, (broken, mended) in cases.items():
        error = refused(lambda: demo.register("web", **broken)) or ""
        assert refused(lambda: demo.register("web", **{**broken, **mended})) is None
        told |= {left: repair for left, words in zip(lefts, messages) if words in error}
        say(f"{error[:110]} -> {repair}")
    return told
