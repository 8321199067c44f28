"""Exercises of lab 11: lines, metrics, alarms, events, and four services to mend."""
import json

from ecslab.teach import Saw, exercise
from ecslab.teach.aws import log_group
from ecslab.teach.incidents import begin

CLUSTER = "demo"
WHERE = "describe_services -> services[0]"
DIMENSIONS = {"ClusterName": CLUSTER, "ServiceName": "orders"}


def _service(aws, name):
    """The service's own `Saw`s: is it there, does all of it run, is its rollout over?"""
    service = aws.service(CLUSTER, name)
    if service is None:
        return None, [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", WHERE)]
    running, desired = service["runningCount"], service["desiredCount"]
    states = [deployment["rolloutState"] for deployment in service["deployments"]]
    return service, [
        Saw(running == desired > 0, f"{running} of {desired} tasks running", "all of at least one", f"{WHERE}.runningCount, desiredCount"),
        Saw(states == ["COMPLETED"], f"deployments: {', '.join(states)}", "one, COMPLETED (it takes a minute)", f"{WHERE}.deployments"),
    ]


def _app(aws, service):
    """The container definition that the service runs."""
    return aws.task_definition(service["taskDefinition"])["containerDefinitions"][0]


def _log_options(container):
    logging = container.get("logConfiguration") or {}
    return logging.get("options") or {} if logging.get("logDriver") == "awslogs" else {}


def _messages(aws, group):
    try:
        return [event["message"] for event in aws.client("logs").filter_log_events(logGroupName=group)["events"]]
    except aws.client("logs").exceptions.ResourceNotFoundException:
        return []


def _queue_length(aws, name):
    sqs = aws.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return sum(int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][one]) for one in names)


@exercise(
    "monitoring.whole-stories",
    title="An order is one event, for thirty days",
    task=r"""
    An order begins with a request to `/?order=NUMBER`; the requests after it belong to it. Roll out a revision of `orders` whose log
    driver makes **one event** of an order and the lines that follow (`register` takes options of the driver), and have the group
    `/demo/orders` keep its lines for **30 days**. Then send an order and two more requests with `ask`, and let 10 seconds pass.
    """,
    hints=[
        "One of the two things is an option of the log driver, the other is a property of the log group.",
        "`awslogs-multiline-pattern` is a regular expression for the line that *begins* an event. The group has a retention policy.",
        "`register('orders', **{'awslogs-multiline-pattern': 'order='})`, `update_service`, `put_retention_policy`, then `ask` three times.",
        """
        ```python
        logs.put_retention_policy(logGroupName="/demo/orders", retentionInDays=30)
        ecs.update_service(cluster="demo", service="orders", taskDefinition=register("orders", **{"awslogs-multiline-pattern": r"order="}))
        settle("orders")
        for path in ("/?order=7", "/?stock", "/?price"):
            ask("orders", path)
        lab.region.run_for("10s")
        ```
        """,
    ],
    explanation="""
    The driver holds an event back until the next one begins, or for a few seconds, and then sends all its lines as one. This is how a
    stack trace stays in one piece. Changing it took a new revision; changing the retention took none, because it belongs to the group.
    """,
)
def whole_stories(aws):
    service, seen = _service(aws, "orders")
    if service is None:
        return seen
    options = _log_options(_app(aws, service))
    begins = options.get("awslogs-multiline-pattern") or options.get("awslogs-datetime-format")
    kept = (log_group(aws.client("logs"), "/demo/orders") or {}).get("retentionInDays")
    whole = [message for message in _messages(aws, "/demo/orders") if "order=" in message.split("\n")[0] and "\n" in message]
    return [
        Saw(bool(begins), f"pattern of the driver: {begins or 'none'}", "a pattern that begins an event", "describe_task_definition -> logConfiguration.options"),
        Saw(kept == 30, f"retention: {kept or 'for ever'}", "30 days", "describe_log_groups -> retentionInDays"),
        Saw(bool(whole), f"{len(whole)} orders with the lines that follow in one event", "at least one", "filter_log_events -> events[].message"),
    ]


@exercise(
    "monitoring.insights",
    title="Count the tasks",
    task="""
    Switch on **Container Insights** for the cluster `demo`, and let two minutes pass, so that the number of running tasks of `orders` has
    datapoints.
    """,
    hints=[
        "It is neither a setting of the service nor of the task definition.",
        "A cluster has `settings`, a list of name and value, and there is a call to update them.",
        "`ecs.update_cluster_settings(cluster='demo', settings=[{'name': 'containerInsights', 'value': ...}])`, then wait.",
        """
        ```python
        ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    `enabled` gives counts, and what is used and reserved in units; `enhanced` adds the same for each task and each container. Both are
    charged, and neither needs an agent. A metric begins when you switch it on: nobody measures the past.
    """,
)
def insights(aws):
    cluster = aws.cluster(CLUSTER)
    if cluster is None:
        return [Saw(False, f"no cluster {CLUSTER!r}", f"a cluster named {CLUSTER!r}", "describe_clusters")]
    value = next((one["value"] for one in cluster["settings"] if one["name"] == "containerInsights"), "disabled")
    asked = {"Namespace": "ECS/ContainerInsights", "MetricName": "RunningTaskCount"}
    dimensions = [{"Name": name, "Value": wanted} for name, wanted in DIMENSIONS.items()]
    found = aws.client("cloudwatch").list_metrics(**asked, Dimensions=dimensions)["Metrics"]
    return [
        Saw(value in ("enabled", "enhanced"), f"containerInsights: {value}", "enabled or enhanced", "describe_clusters -> settings"),
        Saw(bool(found), f"{len(found)} metrics RunningTaskCount of the service orders", "one (after a minute)", "list_metrics"),
    ]


@exercise(
    "monitoring.pager",
    title="Call me when it matters",
    task="""
    Make an alarm named `orders-down` on `RunningTaskCount` of the service `orders` (its statistic is `Minimum`, its period a minute). It rings
    when **fewer than 2** tasks run in **2 of the last 3** minutes. A minute without data is a **bad** minute. When it rings, it tells the
    topic `on-call`. Let two minutes pass: it must be `OK`.
    """,
    hints=[
        "`put_metric_alarm` takes everything the task names; `of_orders` and `topic` are variables of this lab.",
        "M is `DatapointsToAlarm`, N is `EvaluationPeriods`. A bad minute is a *breaching* one.",
        "`Threshold=2, ComparisonOperator='LessThanThreshold', EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData=...`",
        """
        ```python
        cloudwatch.put_metric_alarm(
            AlarmName="orders-down", Namespace="ECS/ContainerInsights", MetricName="RunningTaskCount", Dimensions=of_orders,
            Statistic="Minimum", Period=60, EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=2,
            ComparisonOperator="LessThanThreshold", TreatMissingData="breaching", AlarmActions=[topic],
        )
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    An alarm begins as `INSUFFICIENT_DATA`. It acts when its state **changes**, once, not in every minute it stays. With `missing`, the
    default, minutes without data are left out of the count, and an alarm on a service that is gone may never ring.
    """,
)
def pager(aws):
    where = "describe_alarms -> MetricAlarms[0]"
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=["orders-down"])["MetricAlarms"]
    if not found:
        return [Saw(False, "no alarm 'orders-down'", "an alarm named 'orders-down'", where)]
    alarm = found[0]
    measured = f"{alarm.get('Namespace')} {alarm.get('MetricName')}"
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", ())}
    m, n = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]), alarm["EvaluationPeriods"]
    compared = f"{alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    fewer_than_two = ("LessThanThreshold 2", "LessThanOrEqualToThreshold 1")
    missing = alarm.get("TreatMissingData") or "missing"
    told = [arn.rpartition(":")[2] for arn in alarm.get("AlarmActions", ())]
    return [
        Saw(measured == "ECS/ContainerInsights RunningTaskCount", measured, "ECS/ContainerInsights RunningTaskCount", f"{where}.Namespace, MetricName"),
        Saw(dimensions == DIMENSIONS, f"dimensions: {dimensions}", f"{DIMENSIONS}", f"{where}.Dimensions"),
        Saw(compared in fewer_than_two, compared, "fewer than 2", f"{where}.ComparisonOperator, Threshold"),
        Saw((m, n, alarm["Period"]) == (2, 3, 60), f"{m} of {n} periods of {alarm['Period']} seconds", "2 of 3 of 60", f"{where}.DatapointsToAlarm, EvaluationPeriods, Period"),
        Saw(missing == "breaching", f"a minute without data: {missing}", "a bad one", f"{where}.TreatMissingData"),
        Saw("on-call" in told, f"it tells: {', '.join(told) or 'nobody'}", "the topic on-call", f"{where}.AlarmActions"),
        Saw(alarm["StateValue"] != "INSUFFICIENT_DATA", f"state: {alarm['StateValue']}", "one that comes from data", f"{where}.StateValue"),
    ]


@exercise(
    "monitoring.crashes",
    title="Keep every crash",
    task="""
    Make a rule of EventBridge named `crashes` whose target is the queue `crashes` (`crashes_arn`). It must choose the events of ECS tasks
    that have **stopped** because an **essential container exited**, and no others. Then crash a task of `orders` (`/exit?code=4`) and let
    90 seconds pass. Do not read the queue before the check.
    """,
    hints=[
        "An event pattern has the shape of the event. What are the source and the detail type of a task that changes its state?",
        "`detail` of the event is the task, as `describe_tasks` shows it. You need its `lastStatus` and its `stopCode`.",
        "`{'source': ['aws.ecs'], 'detail-type': ['ECS Task State Change'], 'detail': {'lastStatus': [...], 'stopCode': [...]}}`",
        """
        ```python
        pattern = {
            "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"], "stopCode": ["EssentialContainerExited"]},
        }
        events.put_rule(Name="crashes", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="crashes", Targets=[{"Id": "queue", "Arn": crashes_arn}])
        ask("orders", "/exit?code=4")
        lab.region.run_for("90s")
        ```
        """,
    ],
    explanation="""
    A task changes its state many times on its way down; without `lastStatus` the queue would have several messages for one crash. The
    event holds the whole task, exit codes and all, and stays in the queue long after ECS has forgotten the task.
    """,
)
def crashes(aws):
    events = aws.client("events")
    rule = next((one for one in events.list_rules(NamePrefix="crashes")["Rules"] if one["Name"] == "crashes"), None)
    if rule is None:
        return [Saw(False, "no rule 'crashes'", "a rule named 'crashes'", "list_rules")]
    pattern = json.loads(rule.get("EventPattern") or "{}")
    detail = pattern.get("detail") or {}
    source, kind = pattern.get("source"), pattern.get("detail-type")
    chosen = detail.get("lastStatus"), detail.get("stopCode")
    targets = [target["Arn"].rpartition(":")[2] for target in events.list_targets_by_rule(Rule="crashes")["Targets"]]
    kept = _queue_length(aws, "crashes")
    return [
        Saw(rule["State"] == "ENABLED", f"the rule is {rule['State']}", "ENABLED", "list_rules -> State"),
        Saw((source, kind) == (["aws.ecs"], ["ECS Task State Change"]), f"source {source}, detail-type {kind}", "state changes of ECS tasks", "list_rules -> EventPattern"),
        Saw(chosen == (["STOPPED"], ["EssentialContainerExited"]), f"lastStatus {chosen[0]}, stopCode {chosen[1]}", "stopped, by an essential container that exited", "list_rules -> EventPattern"),
        Saw("crashes" in targets, f"targets: {', '.join(targets) or 'none'}", "the queue crashes", "list_targets_by_rule"),
        Saw(kept > 0, f"{kept} messages in the queue", "at least one crash", "get_queue_attributes -> ApproximateNumberOfMessages"),
    ]


@exercise(
    "monitoring.orders",
    title="orders does not stay up",
    task="""
    Both tasks of `orders` are gone most of the time. Climb down the ladder until you know **why**, then mend it: `orders` must run its two
    tasks again, and its deployment be `COMPLETED`. `settle("orders")` waits for it.
    """,
    hints=[
        "Events show tasks being started over and over. So they start, and end: what was the exit code of the last one?",
        "The code is the app's own, so ask the app: read the stream of a task that is `STOPPED`.",
        "The log complains about an argument. Look at the `command` of the revision that runs, and compare it with an earlier one.",
        """
        ```python
        look("orders")
        print(lab.logs("orders", n=3))
        ecs.update_service(cluster="demo", service="orders", taskDefinition=register("orders", "--port", "80"))
        settle("orders")
        ```
        """,
    ],
    explanation="""
    Somebody wrote `--prot`. The app refused its arguments and exited with 2, on every start. An essential container that exits takes
    its task along, and the service starts another. Rolling back to an older revision is as good a cure, and quicker at night.
    """,
    reset=lambda aws: begin(aws, "orders"),
)
def orders(aws):
    service, seen = _service(aws, "orders")
    if service is None:
        return seen
    command = _app(aws, service).get("command") or []
    return [
        Saw("--prot" not in command, f"the command that runs: {command}", "arguments that the app knows", "describe_task_definition -> containerDefinitions[0].command"),
        Saw(service["desiredCount"] == 2, f"{service['desiredCount']} tasks desired", "2", f"{WHERE}.desiredCount"),
        *seen,
    ]


@exercise(
    "monitoring.reports",
    title="reports is gone for a moment, again and again",
    task="""
    Find out why the tasks of `reports` end, and mend the **cause**: it must not come back in an hour. `reports` must run its one task, and
    its deployment be `COMPLETED`. `settle` waits for it.
    """,
    hints=[
        "The exit code alone could mean two things. `reason`, beside it, says which.",
        "Look at the metric of what ran out, minute by minute. Would more of it be enough?",
        "It grows without end, so any size is too small one day. Users said \"since today's release\": what was there before?",
        """
        ```python
        look("reports")
        ecs.update_service(cluster="demo", service="reports", taskDefinition="reports:1")
        settle("reports")
        ```
        """,
    ],
    explanation="""
    The second revision keeps all memory that it ever asked for. At the task's limit the kernel kills it: 137, `OutOfMemoryError`. More
    memory moves the moment and costs more; going back ends it. A steady curve that is merely too high would have been the other case.
    """,
    reset=lambda aws: begin(aws, "reports"),
)
def reports(aws):
    service, seen = _service(aws, "reports")
    if service is None:
        return seen
    app = _app(aws, service)
    leaks = "--leak" in (app.get("command") or [])
    where = "describe_task_definition -> containerDefinitions[0]"
    return [
        Saw(not leaks, f"{app['image']} {' '.join(app.get('command') or [])}".strip(), "an app that gives memory back", where),
        *seen,
    ]


@exercise(
    "monitoring.front",
    title="front runs fine, and nobody reaches it",
    task="""
    The task of `front` runs, for a while. Find out who stops it, and why, and mend it **where the fault is**. `front` must run its task with a
    healthy target, and its deployment be `COMPLETED`. `settle` waits for it.
    """,
    hints=[
        "Did the container exit by itself? Its stop code tells who wanted it to end.",
        "The first rung has everything: which reason do the events give, and which status was answered?",
        "404 is \"no such page\". Which page does the target group ask for, and which one does the app have? (`/health`)",
        """
        ```python
        look("front")
        elb = boto3.client("elbv2")
        group = ecs.describe_services(cluster="demo", services=["front"])["services"][0]["loadBalancers"][0]["targetGroupArn"]
        elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
        settle("front")
        ```
        """,
    ],
    explanation="""
    `/healthz` is a page that this app does not have. The load balancer called every task unhealthy, and ECS replaced it, for ever. The
    target group belongs to Elastic Load Balancing, so no new revision and no new deployment was needed.
    """,
    reset=lambda aws: begin(aws, "front"),
)
def front(aws):
    service, seen = _service(aws, "front")
    if service is None:
        return seen
    groups = [entry["targetGroupArn"] for entry in service["loadBalancers"]]
    elb = aws.client("elbv2")
    states = [one["TargetHealth"]["State"] for arn in groups for one in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
    return [
        Saw("healthy" in states, f"targets: {', '.join(states) or 'none'}", "a healthy one", "elbv2 describe_target_health"),
        *seen,
    ]


@exercise(
    "monitoring.mail",
    title="mail says nothing at all",
    task="""
    `mail` has never printed a line. Find out why, and mend it. `mail` must run its task, its deployment be `COMPLETED`, and its lines be in
    CloudWatch Logs. `settle` waits for it.
    """,
    hints=[
        "No log at all: did a container ever start? The stop code says so.",
        "`TaskFailedToStart`: read the `stoppedReason` to its end.",
        "The log group of the task definition does not exist. Make it, or have the driver make it; ECS tries again by itself.",
        """
        ```python
        look("mail")
        logs.create_log_group(logGroupName="/demo/mail")
        settle("mail")
        ```
        """,
    ],
    explanation="""
    The log driver is made ready before the container starts, so a missing group means that nothing starts. `awslogs-create-group` would
    have made the group, if the execution role may `logs:CreateLogGroup`. Taking the log driver away would have "helped" too, and left
    you blind for the next fault.
    """,
    reset=lambda aws: begin(aws, "mail"),
)
def mail(aws):
    service, seen = _service(aws, "mail")
    if service is None:
        return seen
    group = _log_options(_app(aws, service)).get("awslogs-group")
    count = len(_messages(aws, group)) if group else 0
    return [
        *seen,
        Saw(count > 0, f"{count} events in {group or 'no log group'}", "at least one", "filter_log_events"),
    ]
