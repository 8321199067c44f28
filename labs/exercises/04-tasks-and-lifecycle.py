"""Exercises of lab 04: memory, SIGTERM, order, restarts, batches, schedules, and tasks that never started."""
import json

from ecslab.teach import Saw, exercise

CLUSTER = "demo"
TASK = "describe_tasks -> tasks[0]"
DEFINITION = "describe_task_definition -> containerDefinitions"
REPORT = ["--leak", "5", "--exit-after", "60"]
WORKER = ["--ignore-sigterm", "--exit-after", "90"]
BEACON = ["--exit-after", "70", "--exit-code", "1"]
DAYS = {"mon", "tue", "wed"}


def _newest(aws, family, desired_status):
    """The newest task of the family, and a `Saw` that says whether there is one."""
    found = aws.tasks(CLUSTER, family=family, desiredStatus=desired_status)
    word = "stopped" if desired_status == "STOPPED" else "running"
    where = f"list_tasks(family={family!r}, desiredStatus={desired_status!r})"
    saw = Saw(bool(found), f"{word} tasks of the family {family}: {len(found)}", "at least one", where)
    return max(found, key=lambda task: task["createdAt"], default=None), saw


def _containers(aws, task):
    """The container definitions of a task, by name."""
    return {one["name"]: one for one in aws.task_definition(task["taskDefinitionArn"])["containerDefinitions"]}


def _command(definition, wanted):
    command = (definition or {}).get("command")
    return Saw(command == wanted, f"its command: {command}", f"the same as before: {wanted}", f"{DEFINITION}[0].command")


def _exit_code(task):
    """How the task's first container ended: an exit code, or None."""
    return task["containers"][0].get("exitCode")


def _ended_with_zero(task):
    code = _exit_code(task)
    reason = task["containers"][0].get("reason", "")
    return Saw(code == 0, f"its newest task ended with {code} {reason}".rstrip(), "exit code 0", f"{TASK}.containers[0].exitCode")


def _stop_code(task, wanted):
    return Saw(task.get("stopCode") == wanted, f"stop code: {task.get('stopCode')}", wanted, f"{TASK}.stopCode")


def _rule(aws, name):
    """The rule of EventBridge, and the `Saw` that says whether there is one."""
    found = aws.client("events").list_rules(NamePrefix=name)["Rules"]
    rule = next((one for one in found if one["Name"] == name), None)
    return rule, Saw(rule is not None, f"rules that begin with {name!r}: {len(found)}", f"a rule named {name!r}", "list_rules")


def _queue_length(aws, name):
    sqs = aws.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return 0
    return sum(int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][one]) for one in names)


@exercise(
    "tasks.enough-memory",
    title="Enough, and no more",
    task="""
    Register a revision of `report` with the same command, whose container may use enough memory, and run it until it ends with **0**.
    The **task** stays at 512 MiB: it need not cost more.
    """,
    hints=[
        "5 MiB a second for a minute: how much is that, and who says that the container may not have it?",
        "The limit of 128 is the `memory` of the container. The task's own memory is the ceiling for all its containers together.",
        "`register('report', container('app', '--leak', '5', '--exit-after', '60', memory=...))` with more than 300 and at most 512.",
        """
        ```python
        register("report", container("app", "--leak", "5", "--exit-after", "60", memory=400))
        report = run("report")
        until("STOPPED", report)
        tell(report)
        ```
        """,
    ],
    explanation="""
    `memory` of a container is a hard limit: the kernel kills at it. On Fargate it may be left out, and then the container can use what
    the task has. A bigger task would have been no help while the container kept its limit of 128.
    """,
)
def enough_memory(aws):
    task, saw = _newest(aws, "report", "STOPPED")
    if task is None:
        return [saw]
    return [
        _command(_containers(aws, task).get("app"), REPORT),
        Saw(task["memory"] == "512", f"the task has {task['memory']} MiB", "512, as before", f"{TASK}.memory"),
        _ended_with_zero(task),
    ]


@exercise(
    "tasks.stop-timeout",
    title="Let it finish",
    task="""
    Make it possible to stop `worker` without losing its work: register a revision with the same command, run it, and when it is
    `RUNNING`, **stop it** with `stop_task`. It must finish its 90 seconds, and end with **0**.
    """,
    hints=[
        "The worker needs longer than ECS waits. Which of the two can you change?",
        "`stopTimeout` is a field of the container. How long may it be on Fargate?",
        "`register('worker', container('app', '--ignore-sigterm', '--exit-after', '90', stopTimeout=...))`, then run, wait, stop, wait.",
        """
        ```python
        register("worker", container("app", "--ignore-sigterm", "--exit-after", "90", stopTimeout=120))
        worker = run("worker")
        until("RUNNING", worker)
        ecs.stop_task(cluster="demo", task=worker, reason="make room")
        until("STOPPED", worker)
        tell(worker)
        ```
        """,
    ],
    explanation="""
    The task stopped when its container ended, not when the timeout was over: a long `stopTimeout` costs nothing when the app is quick.
    On Fargate 120 seconds is the end of it. Work that takes longer must be cut into pieces, or be written so that it can be resumed.
    """,
)
def stop_timeout(aws):
    task, saw = _newest(aws, "worker", "STOPPED")
    if task is None:
        return [saw]
    app = _containers(aws, task).get("app") or {}
    timeout = app.get("stopTimeout", 30)
    return [
        _command(app, WORKER),
        Saw(timeout >= 90, f"stopTimeout: {timeout} seconds", "at least 90", f"{DEFINITION}[0].stopTimeout"),
        _stop_code(task, "UserInitiated"),
        _ended_with_zero(task),
    ]


@exercise(
    "tasks.init-container",
    title="First the database, then the door",
    task="""
    Open the shop. Register a revision of `shop` with **three** containers and run it until it is `RUNNING`:
    `migrate` (port 82) ends after 5 seconds with 0; `proxy` (port 81) has a health check, `["CMD", "/app", "health"]`, every 5 seconds;
    `app` starts only after `migrate` has **succeeded** and `proxy` is **healthy**.
    """,
    hints=[
        "`dependsOn` is a list: a container may wait for several others.",
        "`migrate` ends by itself, so it must not be essential. Waiting for `HEALTHY` needs a `healthCheck` on the other container.",
        "`container('app', dependsOn=[{'containerName': 'migrate', 'condition': 'SUCCESS'}, {'containerName': 'proxy', 'condition': ...}])`",
        """
        ```python
        check = {"command": ["CMD", "/app", "health"], "interval": 5, "retries": 2}
        register(
            "shop",
            container("migrate", "--exit-after", "5", "--port", "82", essential=False),
            container("proxy", "--port", "81", essential=False, healthCheck=check),
            container("app", dependsOn=[
                {"containerName": "migrate", "condition": "SUCCESS"}, {"containerName": "proxy", "condition": "HEALTHY"},
            ]),
        )
        open_shop = run("shop")
        until("RUNNING", open_shop)
        tell(open_shop)
        ```
        """,
    ],
    explanation="""
    `migrate` and `proxy` began at the same time, `app` when both had come as far as it wanted. While it waited, the task was
    `ACTIVATING`. `HEALTHY` is looked at once, at the start: a proxy that falls ill later does not stop `app`.
    """,
)
def init_container(aws):
    task, saw = _newest(aws, "shop", "RUNNING")
    if task is None:
        return [saw]
    waits = {one["containerName"]: one["condition"] for one in (_containers(aws, task).get("app") or {}).get("dependsOn", ())}
    states = {one["name"]: one for one in task["containers"]}
    migrate, proxy, app = (states.get(name, {}) for name in ("migrate", "proxy", "app"))
    code = migrate.get("exitCode")
    return [
        Saw(waits.get("migrate") == "SUCCESS", f"app waits for migrate: {waits.get('migrate', 'no')}", "SUCCESS", f"{DEFINITION}[].dependsOn"),
        Saw(waits.get("proxy") == "HEALTHY", f"app waits for proxy: {waits.get('proxy', 'no')}", "HEALTHY", f"{DEFINITION}[].dependsOn"),
        Saw(code == 0, f"migrate: {migrate.get('lastStatus', 'missing')}, exit code {code}", "ended with 0", f"{TASK}.containers[].exitCode"),
        Saw(proxy.get("healthStatus") == "HEALTHY", f"proxy: {proxy.get('healthStatus', 'missing')}", "HEALTHY", f"{TASK}.containers[].healthStatus"),
        Saw(app.get("lastStatus") == "RUNNING", f"app: {app.get('lastStatus', 'missing')}", "RUNNING", f"{TASK}.containers[].lastStatus"),
    ]


@exercise(
    "tasks.restart-policy",
    title="Fall, and get up",
    task="""
    Register a revision of `beacon` with the same command (it ends every 70 seconds) whose container is **restarted**. Run it, let it be
    `RUNNING` for **100 seconds or more**, and then stop it yourself.
    """,
    hints=[
        "The policy above was enabled. Why was the container not restarted?",
        "70 seconds are less than `restartAttemptPeriod`, unless you make it smaller. How small may it be?",
        "`restartPolicy={'enabled': True, 'restartAttemptPeriod': ...}`, then run, let time pass, `stop_task`.",
        """
        ```python
        policy = {"enabled": True, "restartAttemptPeriod": 60}
        register("beacon", container("app", "--exit-after", "70", "--exit-code", "1", restartPolicy=policy))
        beacon = run("beacon")
        until("RUNNING", beacon)
        lab.region.run_for("110s")
        ecs.stop_task(cluster="demo", task=beacon, reason="seen enough")
        until("STOPPED", beacon)
        ```
        """,
    ],
    explanation="""
    The task outlived its container. A service would have started a new task instead, with a new network interface and a new address.
    With `ignoredExitCodes: [0]` a job may end well, and still be restarted when it fails.
    """,
)
def restart_policy(aws):
    task, saw = _newest(aws, "beacon", "STOPPED")
    if task is None:
        return [saw]
    app = _containers(aws, task).get("app") or {}
    policy = app.get("restartPolicy") or {}
    lived = (task["stoppingAt"] - task["startedAt"]).total_seconds() if "startedAt" in task else 0
    return [
        _command(app, BEACON),
        Saw(bool(policy.get("enabled")), f"restart policy: {policy or 'none'}", "an enabled one", f"{DEFINITION}[0].restartPolicy"),
        Saw(lived >= 100, f"its newest task ran for {lived:.0f} seconds", "at least 100", f"{TASK}.startedAt, stoppingAt"),
        _stop_code(task, "UserInitiated"),
    ]


@exercise(
    "tasks.batch",
    title="Three days, one definition",
    task="""
    Run `import` once for each of the days `mon`, `tue` and `wed`, **without registering anything**: each task gets its day in the
    environment variable `DAY`, and all of them are marked `backfill`. Wait until all have ended.
    """,
    hints=[
        "What is different from run to run is an override. What marks a task is a parameter of `run_task`.",
        "`overrides` has a list `containerOverrides`; each names a container and gives its `environment`.",
        "`run('import', startedBy='backfill', overrides={'containerOverrides': [{'name': 'app', 'environment': [...]}]})`, three times.",
        """
        ```python
        days = []
        for day in ("mon", "tue", "wed"):
            changed = {"name": "app", "environment": [{"name": "DAY", "value": day}]}
            days.append(run("import", startedBy="backfill", overrides={"containerOverrides": [changed]}))
        until("STOPPED", *days)
        ```
        """,
    ],
    explanation="""
    An override adds to the environment of the definition, or replaces a variable of the same name; a `command` is replaced as a whole.
    `count=3` would have started three tasks with the **same** overrides. That suits workers that share a queue, not three different days.
    """,
)
def batch(aws):
    where = "list_tasks(startedBy='backfill', desiredStatus='STOPPED')"
    tasks = aws.tasks(CLUSTER, startedBy="backfill", desiredStatus="STOPPED")
    of_import = [task for task in tasks if task["group"] == "family:import"]
    given = [one for task in of_import for one in task["overrides"].get("containerOverrides", ())]
    days = {one["value"] for container in given for one in container.get("environment", ()) if one["name"] == "DAY"}
    codes = [_exit_code(task) for task in of_import]
    revisions = {task["taskDefinitionArn"] for task in of_import}
    return [
        Saw(bool(of_import), f"ended tasks of import, started by backfill: {len(of_import)}", "3", where),
        Saw(days == DAYS, f"DAY was: {', '.join(sorted(days)) or 'never given'}", ", ".join(sorted(DAYS)), "describe_tasks -> overrides.containerOverrides"),
        Saw(codes == [0] * len(codes), f"exit codes: {codes}", "0 for each", "describe_tasks -> containers[0].exitCode"),
        Saw(len(revisions) <= 1, f"revisions used: {len(revisions)}", "one for all", "describe_tasks -> taskDefinitionArn"),
    ]


@exercise(
    "tasks.schedule",
    title="Every minute",
    task="""
    Make a rule named `every-minute` that runs the task definition `import` (`import_arn`) on Fargate in the cluster `demo` (`demo_arn`)
    **once a minute**, with the role `runs_tasks`. Let 90 seconds pass, so that a task of it has ended.
    """,
    hints=[
        "Two calls of `events`: one makes the rule, with its schedule, the other gives it a target.",
        "The target's `Arn` is the **cluster**. What to run there, and how, is in its `EcsParameters`, whose names begin with capitals.",
        "`EcsParameters={'TaskDefinitionArn': ..., 'LaunchType': 'FARGATE', 'NetworkConfiguration': fargate_network}`; the schedule is a rate.",
        """
        ```python
        events.put_rule(Name="every-minute", ScheduleExpression="rate(1 minute)")
        how = {"TaskDefinitionArn": import_arn, "LaunchType": "FARGATE", "NetworkConfiguration": fargate_network}
        events.put_targets(Rule="every-minute", Targets=[{"Id": "import", "Arn": demo_arn, "RoleArn": runs_tasks, "EcsParameters": how}])
        lab.region.run_for("90s")
        ```
        """,
    ],
    explanation="""
    Its tasks are marked `events-rule/every-minute`, which is how you find them. The rule runs a task each time, whether the one before
    has ended or not, and nobody repeats one that failed. An ARN without its revision would have run the newest one each time.
    """,
)
def schedule(aws):
    rule, saw = _rule(aws, "every-minute")
    if rule is None:
        return [saw]
    expression = rule.get("ScheduleExpression") or "none"
    targets = aws.client("events").list_targets_by_rule(Rule="every-minute")["Targets"]
    target = next((one for one in targets if "EcsParameters" in one), {})
    how = target.get("EcsParameters", {})
    runs = how.get("TaskDefinitionArn", "nothing").rpartition("/")[2]
    role = target.get("RoleArn", "").rpartition("/")[2]
    tasks = aws.tasks(CLUSTER, startedBy="events-rule/every-minute", desiredStatus="STOPPED")
    ended = [task for task in tasks if _exit_code(task) == 0]
    where = "list_targets_by_rule -> Targets[0]"
    return [
        Saw(expression in ("rate(1 minute)", "cron(* * * * ? *)", "cron(*/1 * * * ? *)"), f"schedule: {expression}", "once a minute", "list_rules -> ScheduleExpression"),
        Saw(target.get("Arn", "").endswith(f":cluster/{CLUSTER}"), f"target: {target.get('Arn', 'none')}", f"the cluster {CLUSTER}", f"{where}.Arn"),
        Saw(runs.partition(":")[0] == "import", f"it runs: {runs}", "import", f"{where}.EcsParameters.TaskDefinitionArn"),
        Saw(role == "runs-tasks", f"its role: {role or 'none'}", "runs-tasks", f"{where}.RoleArn"),
        Saw(bool(ended), f"tasks of the rule that ended with 0: {len(ended)}", "at least one", "list_tasks(startedBy='events-rule/every-minute')"),
    ]


@exercise(
    "tasks.failure-queue",
    title="Remember the ones that never started",
    task="""
    Make a rule named `never-started` whose target is the queue `failures` (`queue_arn`). It chooses the events of tasks that have
    **stopped** because they **failed to start**, and no others. Then run `typo` once more, and let it stop. Do not read the queue
    before the check.
    """,
    hints=[
        "An event pattern has the shape of the event. `detail` is the task, as `describe_tasks` shows it.",
        "Two fields of the task decide: where it is, and why it stopped. A pattern gives a *list* of what it accepts for each.",
        "`{'source': ['aws.ecs'], 'detail-type': ['ECS Task State Change'], 'detail': {'lastStatus': [...], 'stopCode': [...]}}`",
        """
        ```python
        pattern = {
            "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"], "stopCode": ["TaskFailedToStart"]},
        }
        events.put_rule(Name="never-started", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="never-started", Targets=[{"Id": "queue", "Arn": queue_arn}])
        until("STOPPED", run("typo"))
        lab.region.run_for("10s")
        ```
        """,
    ],
    explanation="""
    Without `lastStatus` the queue would get the same failure several times, once for each state on the way down. The rule does not see
    the past: the first `typo` is not in the queue. In real life the queue also needs a policy that lets EventBridge send to it.
    """,
)
def failure_queue(aws):
    rule, saw = _rule(aws, "never-started")
    if rule is None:
        return [saw]
    pattern = json.loads(rule.get("EventPattern") or "{}")
    detail = pattern.get("detail") or {}
    source, kind = pattern.get("source"), pattern.get("detail-type")
    chosen = detail.get("lastStatus"), detail.get("stopCode")
    targets = [target["Arn"].rpartition(":")[2] for target in aws.client("events").list_targets_by_rule(Rule="never-started")["Targets"]]
    kept = _queue_length(aws, "failures")
    where = "list_rules -> EventPattern"
    return [
        Saw((source, kind) == (["aws.ecs"], ["ECS Task State Change"]), f"source {source}, detail-type {kind}", "state changes of ECS tasks", where),
        Saw(chosen == (["STOPPED"], ["TaskFailedToStart"]), f"lastStatus {chosen[0]}, stopCode {chosen[1]}", "stopped, because it failed to start", where),
        Saw("failures" in targets, f"targets: {', '.join(targets) or 'none'}", "the queue failures", "list_targets_by_rule"),
        Saw(kept > 0, f"messages in the queue: {kept}", "at least one", "get_queue_attributes -> ApproximateNumberOfMessages"),
    ]
