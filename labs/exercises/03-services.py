"""Exercises of lab 03: services keep a number of healthy tasks."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"
WHERE = "describe_services -> services[0]"


def _gone(name):
    return [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", WHERE)]


def _stable(service):
    """One deployment, and as many tasks running as wanted."""
    running, desired, deployments = service["runningCount"], service["desiredCount"], len(service["deployments"])
    return [
        Saw(running == desired, f"{running} tasks running", f"{desired}, the desired count", f"{WHERE}.runningCount"),
        Saw(deployments == 1, f"{deployments} deployments in the list", "one deployment: the rollout is over", f"{WHERE}.deployments"),
    ]


def _reset(name):
    def reset(aws):
        if aws.service(CLUSTER, name):
            aws.ecs.delete_service(cluster=CLUSTER, service=name, force=True)

    return reset


@exercise(
    "services.first-service",
    title="Your first service",
    task="""
    In the cluster `demo`, create a service named `shop` that keeps **2** tasks of the task definition `web`
    running on Fargate. Use the subnets in the variable `subnets`, then let the service settle.
    """,
    hints=[
        "You have just seen `create_service` for the service `web`. What changes, what stays?",
        "A Fargate task uses the network mode `awsvpc`, so the service needs a `networkConfiguration` with at least one subnet.",
        "`ecs.create_service(cluster='demo', serviceName='shop', taskDefinition='web', desiredCount=..., launchType='FARGATE', networkConfiguration=...)`",
        """
        ```python
        ecs.create_service(cluster="demo", serviceName="shop", taskDefinition="web:1", desiredCount=2,
                           launchType="FARGATE", networkConfiguration=network)
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    A service is a promise about a number: keep `desiredCount` tasks of this task definition running. You did not say
    *which* tasks, and you never will: the scheduler starts whatever is missing.
    """,
    reset=_reset("shop"),
)
def first_service(aws):
    service = aws.service(CLUSTER, "shop")
    if service is None:
        return _gone("shop")
    launch_type = service.get("launchType", "a capacity provider strategy")
    return [
        Saw(service["desiredCount"] == 2, f"a desired count of {service['desiredCount']}", "2", f"{WHERE}.desiredCount"),
        Saw(launch_type == "FARGATE", f"launch type {launch_type}", "FARGATE", f"{WHERE}.launchType"),
        *_stable(service),
    ]


@exercise(
    "services.scale-out",
    title="Scale out without a deployment",
    task="""
    Make `web` keep **4** tasks instead of 3. Nothing about the tasks themselves changes, so no new deployment may start:
    the service must still have the deployment it has now.
    """,
    hints=[
        "Which field of a service says how many tasks it keeps?",
        "`update_service` changes a service. `desiredCount` is one of the fields that do **not** start a deployment.",
        "`ecs.update_service(cluster='demo', service='web', desiredCount=...)`, then let time pass.",
        """
        ```python
        ecs.update_service(cluster="demo", service="web", desiredCount=4)
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    Changing `desiredCount` adds or removes tasks of the deployment that is already there. A new deployment starts only
    when the tasks themselves would be different: another task definition, network, platform version, or when you force one.
    """,
)
def scale_out(aws):
    service = aws.service(CLUSTER, "web")
    if service is None:
        return _gone("web")
    revision = service["taskDefinition"].rpartition(":")[2]
    return [
        Saw(service["desiredCount"] == 4, f"a desired count of {service['desiredCount']}", "4", f"{WHERE}.desiredCount"),
        Saw(revision == "1", f"tasks of revision {revision}", "revision 1, as before", f"{WHERE}.taskDefinition"),
        *_stable(service),
    ]


@exercise(
    "services.self-healing",
    title="Stop a task, and watch it come back",
    task="""
    Stop **one** task of the service `web` yourself with `stop_task`, and give the reason `chaos`. Then let the service
    heal. The check looks for the stopped task with your reason, and for a service at full strength.
    """,
    hints=[
        "First find a task: which call lists the tasks of one service?",
        "`list_tasks` takes `serviceName`. `stop_task` takes the cluster, a task's ARN and a `reason`.",
        "`arn = ecs.list_tasks(cluster='demo', serviceName='web')['taskArns'][0]`, then `ecs.stop_task(cluster='demo', task=arn, reason=...)`",
        """
        ```python
        arn = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
        ecs.stop_task(cluster="demo", task=arn, reason="chaos")
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    The stopped task never comes back: ECS does not restart tasks. The service starts a **new** task, with a new id and a
    new address. Your reason is kept in `stoppedReason`, and `stopCode` says `UserInitiated`: an honest note for whoever
    looks later.
    """,
)
def self_healing(aws):
    service = aws.service(CLUSTER, "web")
    if service is None:
        return _gone("web")
    stopped = aws.tasks(CLUSTER, serviceName="web", desiredStatus="STOPPED")
    reasons = sorted({task.get("stoppedReason", "none") for task in stopped})
    mine = [t for t in stopped if t.get("stoppedReason") == "chaos" and t.get("stopCode") == "UserInitiated"]
    return [
        Saw(
            bool(mine),
            f"{len(stopped)} stopped tasks, with the reasons: {', '.join(reasons) or 'none'}",
            "a task stopped by you with the reason chaos",
            "list_tasks(desiredStatus='STOPPED'), then describe_tasks -> stoppedReason",
        ),
        *_stable(service),
    ]


@exercise(
    "services.rolling-update",
    title="Ship version 2",
    task="""
    Register a second revision of the family `web` that uses the image `ecslab/app:2.0`, and roll it out to the service
    `web`. Wait until the rollout is over.
    """,
    hints=[
        "A task definition never changes. What do you do instead?",
        "Register the family again with the new image, then point the service at the new revision.",
        "`register_task_definition(**{**web, 'containerDefinitions': [...]})`, then `update_service(..., taskDefinition='web')`.",
        """
        ```python
        app = {**web["containerDefinitions"][0], "image": "ecslab/app:2.0"}
        ecs.register_task_definition(**{**web, "containerDefinitions": [app]})
        ecs.update_service(cluster="demo", service="web", taskDefinition="web")
        lab.region.run_for("3m")
        ```
        """,
    ],
    explanation="""
    With the defaults, 100 and 200 percent, ECS starts the new tasks beside the old ones and stops the old ones when the new
    ones are healthy. While both run, the service lists two deployments: the new one is `PRIMARY`, the old one `ACTIVE`.
    """,
)
def rolling_update(aws):
    service = aws.service(CLUSTER, "web")
    if service is None:
        return _gone("web")
    definition = aws.task_definition(service["taskDefinition"])
    image = definition["containerDefinitions"][0]["image"]
    state = service["deployments"][0].get("rolloutState")
    return [
        Saw(image == "ecslab/app:2.0", f"the service runs {image}", "ecslab/app:2.0", f"{WHERE}.taskDefinition"),
        Saw(state == "COMPLETED", f"a rollout that is {state}", "COMPLETED", f"{WHERE}.deployments[0].rolloutState"),
        *_stable(service),
    ]


@exercise(
    "services.unblock",
    title="Unblock a deployment",
    task="""
    The service `solo` keeps one task, and a rollout of it is stuck: its settings leave no room to start or stop anything.
    Change the service so that the rollout finishes **without a moment with no task running**.
    """,
    hints=[
        "Read the newest event of `solo`. Which two numbers does it name?",
        "Work out the band for a desired count of 1: how many tasks must stay, how many may exist?",
        "A second task must be allowed while the first still runs: which `maximumPercent` gives an upper limit of 2?",
        """
        ```python
        ecs.update_service(cluster="demo", service="solo",
                           deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    The lower limit is rounded **up** and the upper limit **down**: for one task, 50 percent is still 1 task that must stay,
    and 100 percent is 1 task that may exist. 0/100 would also unblock it, with a gap; 100/200 starts the new task first.
    """,
)
def unblock(aws):
    service = aws.service(CLUSTER, "solo")
    if service is None:
        return _gone("solo")
    configuration = service["deploymentConfiguration"]
    low, high = configuration["minimumHealthyPercent"], configuration["maximumPercent"]
    revision = service["taskDefinition"].rpartition(":")[2]
    return [
        Saw(low >= 1 and high >= 200, f"minimum {low} and maximum {high} percent", "limits that start the new task first", f"{WHERE}.deploymentConfiguration"),
        Saw(revision != "1", f"revision {revision}", "the newer revision", f"{WHERE}.taskDefinition"),
        *_stable(service),
    ]


@exercise(
    "services.health-check",
    title="Let ECS see sickness",
    task="""
    The service `clinic` runs an app that falls ill 60 seconds after it starts, and ECS does not notice, because nothing
    checks it. Register a new revision of the family `clinic` with a container health check that runs `/app health`
    every 10 seconds and gives up after 2 failures, and roll it out. The check wants to see a task that ECS replaced
    because it failed its health check.
    """,
    hints=[
        "Which part of a container definition tells ECS how to ask a container for its health?",
        "`healthCheck` has `command`, `interval`, `timeout`, `retries`. The command starts with `CMD` or `CMD-SHELL`.",
        "`'healthCheck': {'command': ['CMD', '/app', 'health'], 'interval': 10, 'retries': 2}` in the container definition.",
        """
        ```python
        app = {**clinic["containerDefinitions"][0],
               "healthCheck": {"command": ["CMD", "/app", "health"], "interval": 10, "timeout": 5, "retries": 2}}
        ecs.register_task_definition(**{**clinic, "containerDefinitions": [app]})
        ecs.update_service(cluster="demo", service="clinic", taskDefinition="clinic")
        lab.region.run_for("5m")
        ```
        """,
    ],
    explanation="""
    ECS acts on health only where something checks it. A `HEALTHCHECK` in the image is not enough: it must be in the container
    definition. Once the container is `UNHEALTHY`, the service starts a replacement first, if the upper limit allows, and
    then stops the sick task with the reason `Task failed container health checks`.
    """,
)
def health_check(aws):
    service = aws.service(CLUSTER, "clinic")
    if service is None:
        return _gone("clinic")
    container = aws.task_definition(service["taskDefinition"])["containerDefinitions"][0]
    check = container.get("healthCheck")
    stopped = aws.tasks(CLUSTER, serviceName="clinic", desiredStatus="STOPPED")
    reasons = sorted({task.get("stoppedReason", "none") for task in stopped})
    return [
        Saw(
            bool(check) and check["interval"] == 10 and check["retries"] == 2,
            f"the health check {check['command']} every {check['interval']} s, {check['retries']} retries" if check else "no health check",
            "a health check every 10 seconds with 2 retries",
            "describe_task_definition -> containerDefinitions[0].healthCheck",
        ),
        Saw(
            "Task failed container health checks" in reasons,
            f"stopped tasks with the reasons: {', '.join(reasons) or 'none'}",
            "a task stopped because it failed its container health checks",
            "list_tasks(desiredStatus='STOPPED'), then describe_tasks -> stoppedReason",
        ),
    ]
