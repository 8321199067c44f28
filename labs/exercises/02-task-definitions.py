"""Exercises of lab 02: sizes, order, memory, revisions, overrides, roles."""
from ecslab.teach import Saw, exercise

WHERE = "describe_task_definition -> taskDefinition"


def _missing(family):
    return [Saw(False, f"no active task definition of the family {family}", f"a family named {family}", "describe_task_definition")]


@exercise(
    "task-definitions.fargate-size",
    title="The right size",
    task="""
    A report needs one vCPU and 2.5 GB of memory. Register a Fargate definition of the family `report` with one vCPU and the
    **smallest** memory size that is enough. The helper `register(family=..., cpu=..., memory=...)` is above.
    """,
    hints=[
        "How many CPU units are one vCPU?",
        "Look along the row of 1024 CPU units: which sizes are there, and which is the first of at least 2.5 GB?",
        "`register(family='report', cpu='1024', memory=...)` with 3 GB in MiB.",
        """
        ```python
        register(family="report", cpu="1024", memory="3072")
        ```
        """,
    ],
    explanation="""
    You pay for the size you ask for, used or not. 2.5 GB does not exist at one vCPU, so the next step up, 3 GB, is the smallest.
    """,
)
def fargate_size(aws):
    found = aws.task_definition("report")
    if found is None:
        return _missing("report")
    return [
        Saw(found.get("cpu") == "1024", f"{found.get('cpu')} CPU units", "1024, one vCPU", f"{WHERE}.cpu"),
        Saw(found.get("memory") == "3072", f"{found.get('memory')} MiB", "the smallest size of at least 2560 MiB", f"{WHERE}.memory"),
        Saw("FARGATE" in found.get("requiresCompatibilities", []), f"requires {found.get('requiresCompatibilities', [])}", "FARGATE", f"{WHERE}.requiresCompatibilities"),
    ]


@exercise(
    "task-definitions.init-container",
    title="First this, then that",
    task="""
    Register a family `ordered` with two containers of the image `ecslab/app:1.0`: `init`, which ends by itself (its `command` is
    `["--exit-after", "2"]`), and `app`, which starts only after `init` has **succeeded** (give `app` the command
    `["--port", "81"]`). Run it once on Fargate in `demo`, and let it get to `RUNNING`.
    """,
    hints=[
        "A task ends when an essential container ends. Should `init` be essential?",
        "`dependsOn` of `app` names `init` and a condition. Which one asks for exit code 0?",
        "`'essential': False` for `init`; `'dependsOn': [{'containerName': 'init', 'condition': 'SUCCESS'}]` for `app`.",
        """
        ```python
        register(family="ordered", containerDefinitions=[
            {"name": "init", "image": "ecslab/app:1.0", "essential": False, "command": ["--exit-after", "2"]},
            {**app, "command": ["--port", "81"], "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]},
        ])
        ecs.run_task(cluster="demo", taskDefinition="ordered", launchType="FARGATE", networkConfiguration=network)
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    `COMPLETE` would accept any exit code, `START` waits only until `init` has started. If `init` fails, `app` never starts and
    the task stops with `TaskFailedToStart`.
    """,
)
def init_container(aws):
    tasks = aws.tasks("demo", family="ordered")
    where = "describe_tasks -> containers"
    if not tasks:
        return [Saw(False, "no task of the family ordered that should run", "one running task", "list_tasks(family='ordered')")]
    states = {c["name"]: (c["lastStatus"], c.get("exitCode")) for c in tasks[0]["containers"]}
    definition = aws.task_definition(tasks[0]["taskDefinitionArn"])
    waits = [d for c in definition["containerDefinitions"] if c["name"] == "app" for d in c.get("dependsOn", [])]
    condition = waits[0]["condition"] if waits else "nothing"
    return [
        Saw(condition == "SUCCESS", f"app waits for {condition}", "SUCCESS of init", f"{WHERE}.containerDefinitions[].dependsOn"),
        Saw(states.get("init") == ("STOPPED", 0), f"init is {states.get('init')}", "stopped with exit code 0", where),
        Saw(states.get("app", ("",))[0] == "RUNNING", f"app is {states.get('app', ('missing',))[0]}", "RUNNING", where),
    ]


@exercise(
    "task-definitions.memory",
    title="A soft limit and a hard one",
    task="""
    Register a family `soft` whose container has 128 MiB reserved and may grow to at most 256 MiB.
    """,
    hints=[
        "Two fields of the container definition have memory in their name.",
        "`memoryReservation` is what is set aside, `memory` is where the kernel kills. Which is larger?",
        "`{**app, 'memory': ..., 'memoryReservation': ...}`",
        """
        ```python
        register(family="soft", containerDefinitions=[{**app, "memory": 256, "memoryReservation": 128}])
        ```
        """,
    ],
    explanation="""
    When both are given, `memory` must not be smaller than `memoryReservation`. On EC2 the scheduler finds room for the
    reservation, not for the hard limit.
    """,
)
def memory(aws):
    found = aws.task_definition("soft")
    if found is None:
        return _missing("soft")
    container = found["containerDefinitions"][0]
    return [
        Saw(container.get("memoryReservation") == 128, f"a reservation of {container.get('memoryReservation')} MiB", "128", f"{WHERE}.containerDefinitions[0].memoryReservation"),
        Saw(container.get("memory") == 256, f"a hard limit of {container.get('memory')} MiB", "256", f"{WHERE}.containerDefinitions[0].memory"),
    ]


@exercise(
    "task-definitions.retire",
    title="Retire a revision",
    task="""
    Register the family `old` twice. Then bring **revision 1** into the state `DELETE_IN_PROGRESS`, while revision 2 stays
    `ACTIVE`.
    """,
    hints=[
        "An ACTIVE revision cannot be deleted. What comes before?",
        "`deregister_task_definition` makes it INACTIVE; `delete_task_definitions` takes a list.",
        "`register(family='old')` twice, then deregister `old:1`, then delete `['old:1']`.",
        """
        ```python
        register(family="old")
        register(family="old")
        ecs.deregister_task_definition(taskDefinition="old:1")
        deleted = ecs.delete_task_definitions(taskDefinitions=["old:1"])
        ```
        """,
    ],
    explanation="""
    The number 1 is gone for ever: the next registration of `old` becomes revision 3. Running tasks of a revision are not
    touched by any of this.
    """,
)
def retire(aws):
    first, second = aws.task_definition("old:1"), aws.task_definition("old:2")
    states = [found["status"] if found else "missing" for found in (first, second)]
    return [
        Saw(states[0] == "DELETE_IN_PROGRESS", f"old:1 is {states[0]}", "DELETE_IN_PROGRESS", f"{WHERE}.status"),
        Saw(states[1] == "ACTIVE", f"old:2 is {states[1]}", "ACTIVE", f"{WHERE}.status"),
    ]


@exercise(
    "task-definitions.override",
    title="For this run only",
    task="""
    Run `web` once on Fargate in `demo` with overrides: the container `app` gets the command
    `["--exit-after", "3", "--exit-code", "7"]` and the variable `MODE=test`. No new revision is needed.
    """,
    hints=[
        "`run_task` takes `overrides`.",
        "`overrides` holds `containerOverrides`, a list; each entry names its container.",
        "`{'containerOverrides': [{'name': 'app', 'command': [...], 'environment': [{'name': 'MODE', 'value': 'test'}]}]}`",
        """
        ```python
        overrides = {"containerOverrides": [{
            "name": "app",
            "command": ["--exit-after", "3", "--exit-code", "7"],
            "environment": [{"name": "MODE", "value": "test"}],
        }]}
        job = ecs.run_task(cluster="demo", taskDefinition="web", launchType="FARGATE",
                           networkConfiguration=network, overrides=overrides)
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    The override is part of the task, not of the definition: `describe_tasks` shows it under `overrides`. An exit code other than
    0 is for you to read; to ECS the essential container has exited, and that is that.
    """,
)
def override(aws):
    tasks = aws.tasks("demo", family="web", desiredStatus="STOPPED")
    codes = [c.get("exitCode") for t in tasks for c in t["containers"]]
    given = [e for t in tasks for o in t["overrides"].get("containerOverrides", []) for e in o.get("environment", [])]
    return [
        Saw(7 in codes, f"tasks of web ended with the codes {codes or 'none'}", "one with exit code 7", "describe_tasks -> containers[0].exitCode"),
        Saw({"name": "MODE", "value": "test"} in given, f"overridden variables: {given or 'none'}", "MODE=test", "describe_tasks -> overrides"),
    ]


@exercise(
    "task-definitions.roles",
    title="Who needs which role",
    task="""
    The family `shop` reads from S3 in its own code and sends its logs to CloudWatch with the configuration in the variable
    `logs`. Give it the **task role** `arn:aws:iam::123456789012:role/shop-app` and the **execution role**
    `arn:aws:iam::123456789012:role/ecsTaskExecutionRole`, each where it belongs.
    """,
    hints=[
        "Reading S3 is done by your code. Who sends the logs?",
        "`taskRoleArn` is for your code, `executionRoleArn` for what ECS does for you.",
        "`register(family='shop', taskRoleArn=..., executionRoleArn=..., containerDefinitions=[{**app, 'logConfiguration': logs}])`",
        """
        ```python
        register(
            family="shop",
            taskRoleArn="arn:aws:iam::123456789012:role/shop-app",
            executionRoleArn="arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
            containerDefinitions=[{**app, "logConfiguration": logs}],
        )
        ```
        """,
    ],
    explanation="""
    Keep the two apart, each with no more than it needs: your code has no business pulling images, and whoever starts your
    containers has none in your buckets.
    """,
)
def roles(aws):
    found = aws.task_definition("shop")
    if found is None:
        return _missing("shop")
    driver = (found["containerDefinitions"][0].get("logConfiguration") or {}).get("logDriver", "none")
    return [
        Saw(found.get("taskRoleArn", "").endswith("role/shop-app"), f"task role {found.get('taskRoleArn', 'none')}", "shop-app", f"{WHERE}.taskRoleArn"),
        Saw(found.get("executionRoleArn", "").endswith("role/ecsTaskExecutionRole"), f"execution role {found.get('executionRoleArn', 'none')}", "ecsTaskExecutionRole", f"{WHERE}.executionRoleArn"),
        Saw(driver == "awslogs", f"log driver {driver}", "awslogs", f"{WHERE}.containerDefinitions[0].logConfiguration"),
    ]
