# %% [markdown]
# # Lab 11: Monitoring and logging
#
# **Time:** 60 to 75 minutes. **You need:** labs 02 and 03.
#
# When you are done you can
# - find what a container printed, also when it is long dead,
# - read what a service uses of what it reserves, and say what the average hides,
# - be called by an alarm that rings when it should, and only then,
# - keep what ECS forgets after an hour, with a rule of EventBridge,
# - take a service that does not work, find out why, and mend it. Four times.

# %% [markdown]
# ## The picture
#
# ![A ladder of five rungs beside a task that died: service events, stopped reason, exit code, logs, metrics. Each rung has the call that reads it, and what it alone can tell.](images/11-monitoring-and-logging.svg)
#
# A service that fails has already said why. It said it in one of **five places**, and each place knows something that the
# others do not. Diagnosis is a ladder: begin at the top, and climb down only as far as you must.

# %%
import json
import re

import boto3
import ecslab

lab = ecslab.open_lab("11-monitoring-and-logging", docker_speed=30)
ecs, ec2, logs, cloudwatch = (boto3.client(name) for name in ("ecs", "ec2", "logs", "cloudwatch"))
sqs, sns, events = (boto3.client(name) for name in ("sqs", "sns", "events"))

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. Where lines go
#
# What a container writes to its standard output and error goes to its **log driver**. With `awslogs` that is CloudWatch Logs. The
# *agent's* role writes them, not the app's: the **execution role** needs `logs:CreateLogStream` and `logs:PutLogEvents`.

# %%
ecs.create_cluster(clusterName="demo")
logs.create_log_group(logGroupName="/demo/orders")
iam = boto3.client("iam")
trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
may_log = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
role = iam.create_role(
    RoleName="orders-execution", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
)["Role"]["Arn"]
iam.put_role_policy(
    RoleName="orders-execution", PolicyName="logs", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may_log]})
)


def register(family, *command, **log_options):
    """A new revision whose lines go to the group /demo/FAMILY."""
    options = {"awslogs-group": f"/demo/{family}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs", **log_options}
    app = {
        "name": "app", "image": "ecslab/app:1.0", "command": list(command), "portMappings": [{"containerPort": 80}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    made = ecs.register_task_definition(
        family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        executionRoleArn=role, containerDefinitions=[app],
    )["taskDefinition"]
    return f"{made['family']}:{made['revision']}"


subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
ecs.create_service(
    cluster="demo", serviceName="orders", taskDefinition=register("orders"), desiredCount=2, launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
)
lab.region.run_for("1m")

# %% [markdown]
# Four helpers: the tasks of a service, one request to its oldest task, a pause until all is well again, and a text without ids.

# %%
def tasks(service, status="RUNNING"):
    """Its tasks, the newest first."""
    arns = ecs.list_tasks(cluster="demo", serviceName=service, desiredStatus=status)["taskArns"]
    found = ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if arns else []
    return sorted(found, key=lambda task: task["createdAt"], reverse=True)


def ask(service, path):
    """The status that the service's oldest running task answers."""
    running = [task for task in tasks(service) if task["lastStatus"] == "RUNNING"]
    interface = running[-1]["containers"][0]["networkInterfaces"][0]
    return lab.region.get(f"http://{interface['privateIpv4Address']}{path}").status


def settle(service):
    """Let time pass until all of it runs and its rollout is over, ten minutes at most."""
    for _ in range(120):
        found = ecs.describe_services(cluster="demo", services=[service])["services"][0]
        rollouts = [deployment["rolloutState"] for deployment in found["deployments"]]
        if rollouts == ["COMPLETED"] and found["runningCount"] == found["desiredCount"]:
            break
        lab.region.run_for("5s")


def plain(text):
    return re.sub(r"[0-9a-f]{32}|ecs-svc/\d+|arn:\S+targetgroup/[^\s)]+", "…", text)


print(ask("orders", "/?order=1"))

# %% [markdown]
# **Predict:** two tasks run, of one container each. How many log **streams** does the group have, and what are they called?

# %%
for stream in logs.describe_log_streams(logGroupName="/demo/orders")["logStreams"]:
    print(plain(stream["logStreamName"]))

# %% [markdown]
# One for each container of each task: `prefix/container/task-id`. The prefix is yours (and Fargate insists on one); the rest tells
# you from a task's id where its lines are. Nobody wants to read streams one by one, so `lab.logs` puts those of a service together.
# With `follow` it shows what comes while it comes:

# %% tags=["nbval-ignore-output"]
for number in (2, 3):
    ask("orders", f"/?order={number}")
lab.logs("orders", follow="10s")

# %% [markdown]
# | option of `awslogs` | what it decides |
# |---|---|
# | `awslogs-group` | the log group. It must exist, unless |
# | `awslogs-create-group` | is `"true"`; the execution role then needs `logs:CreateLogGroup` too |
# | `awslogs-stream-prefix` | the first part of the stream's name |
# | `awslogs-multiline-pattern` | a line that matches begins an event; the lines after it belong to it |
# | `awslogs-datetime-format` | the same, with a date instead of a pattern |
# | `mode` | `non-blocking`, the default since June 2025: when CloudWatch is slow, lines may be lost. `blocking`: none is lost, but the app waits |
#
# How long lines are kept is no option of a task. It is the group's **retention**, and it is "for ever" until you change it.

# %%
lab.exercise("monitoring.whole-stories")

# %% exercise="monitoring.whole-stories"
### BEGIN SOLUTION
logs.put_retention_policy(logGroupName="/demo/orders", retentionInDays=30)
ecs.update_service(cluster="demo", service="orders", taskDefinition=register("orders", **{"awslogs-multiline-pattern": r"order="}))
settle("orders")
for path in ("/?order=7", "/?stock", "/?price"):
    ask("orders", path)
lab.region.run_for("10s")
### END SOLUTION

# %%
lab.check("monitoring.whole-stories")

# %% [markdown]
# ## 2. Break it: last words
#
# Experiment 1. We make a task of `orders` end with code 3. Its container is gone, and so is everything inside it. **Predict:** is the
# line of the request that killed it gone too?

# %%
ask("orders", "/exit?code=3")
lab.region.run_for("20s")
gone = tasks("orders", "STOPPED")[0]
print(gone["stopCode"], "-", gone["stoppedReason"])
print("exit code:", gone["containers"][0].get("exitCode"))
told = logs.get_log_events(
    logGroupName="/demo/orders", logStreamName=f"ecs/app/{gone['taskArn'].rpartition('/')[2]}", startFromHead=True
)["events"]
print("its last line:", told[-1]["message"].splitlines()[-1])

# %% [markdown]
# The lines were sent while the container lived, so they outlive it. A file *inside* the container would be gone: **only standard
# output and error are logged.**

# %% [markdown]
# ## 3. The ladder
#
# Those calls again, as one function. It reads the first three rungs:
#
# | rung | it knows | the call |
# |---|---|---|
# | 1. **service events** | what the scheduler saw: placement, targets, a service that cannot start | `describe_services`, `events` |
# | 2. **stopped reason** | why this task ended, and whether it ever started | `describe_tasks`, `stopCode` and `stoppedReason` |
# | 3. **exit code** | which container ended first, and how | `containers[].exitCode` and `reason` |
# | 4. **logs** | what the app itself thought of it | CloudWatch Logs |
# | 5. **metrics** | what had been growing for a while | CloudWatch |

# %%
def look(service):
    """The newest six events, and how the last task ended."""
    for event in ecs.describe_services(cluster="demo", services=[service])["services"][0]["events"][5::-1]:
        print("event: ", plain(event["message"]))
    stopped = sorted(tasks(service, "STOPPED"), key=lambda task: task.get("stoppedAt", task["createdAt"]))
    for task in stopped[-1:]:
        print("task:  ", task.get("stopCode"), "-", plain(task.get("stoppedReason", "")))
        for container in task["containers"]:
            print("exit:  ", container["name"], container.get("exitCode", "none"), container.get("reason", ""))


look("orders")

# %% [markdown]
# In a notebook you may also read the first rung as a table, and the fourth (`lab.logs`):

# %% tags=["nbval-ignore-output"]
lab.events("orders", n=6)

# %% [markdown]
# Exit codes are the app's own words, but a few have one meaning everywhere:
#
# | exit code | meaning |
# |---|---|
# | 0 | it thinks that it is done. In a service that is a fault too |
# | 1, 2, … | the app's own: read its log |
# | 137 | SIGKILL, 128 + 9: out of memory, or it did not stop in time |
# | 143 | SIGTERM, 128 + 15: it was asked to stop, and did not catch it |
# | none | it never ran: stay on rung 2 |

# %% [markdown]
# ## 4. What it uses
#
# ECS sends `CPUUtilization` and `MemoryUtilization` of every service to CloudWatch once a minute, for nothing. They are **used over
# reserved**. Below, one of the two tasks burns all the CPU it has, the other sleeps. **Predict:** what does the service's average say?

# %%
of_orders = [{"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "orders"}]


def metric(name, namespace="AWS/ECS", last=5, dimensions=of_orders):
    """The last minutes of a metric, one dictionary a minute."""
    now = lab.region.now()
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName=name, Dimensions=dimensions, Period=60, StartTime=now.timestamp() - 60 * last,
        EndTime=now, Statistics=["Average", "Maximum", "SampleCount"],
    )["Datapoints"]
    return sorted(found, key=lambda point: point["Timestamp"])


ask("orders", "/burn?seconds=120")
lab.region.run_for("2m")
busiest = max(metric("CPUUtilization"), key=lambda point: point["Maximum"])
print({name: round(busiest[name]) for name in ("Average", "Maximum", "SampleCount")})

# %% [markdown]
# Half. The **maximum** shows the one that burns. `SampleCount` is how many tasks reported, and without a running task there is **no
# datapoint at all**: that is not zero, it is nothing. So how would you notice that no task runs?
#
# `AWS/ECS` has no count of tasks. **Container Insights** has: `DesiredTaskCount`, `RunningTaskCount`, `PendingTaskCount` and more, in the
# namespace `ECS/ContainerInsights`. It is a setting of the cluster, needs no agent, and costs.

# %%
lab.exercise("monitoring.insights")

# %% exercise="monitoring.insights"
### BEGIN SOLUTION
ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
lab.region.run_for("2m")
### END SOLUTION

# %%
lab.check("monitoring.insights")

# %% [markdown]
# ## 5. Who is called
#
# An alarm looks at the last datapoints of one metric. Three settings decide what kind of a colleague it is:
#
# - `EvaluationPeriods` N and `DatapointsToAlarm` M: **M of the last N** must be bad. 1 of 1 is nervous, 3 of 3 is slow.
# - `TreatMissingData`: what is a minute without a datapoint? `missing`, `notBreaching`, `breaching` or `ignore`.
# - its actions: whom it tells, for each of its three states.
#
# Here is somebody to tell: a topic, and a queue that keeps what the topic says.

# %%
topic = sns.create_topic(Name="on-call")["TopicArn"]
pager = sqs.create_queue(QueueName="pager")["QueueUrl"]
pager_arn = sqs.get_queue_attributes(QueueUrl=pager, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=pager_arn, Attributes={"RawMessageDelivery": "true"})


def read_pager():
    for message in sqs.receive_message(QueueUrl=pager, MaxNumberOfMessages=10).get("Messages", []):
        told = json.loads(message["Body"])
        print(told["AlarmName"], "is", told["NewStateValue"], "and was", told["OldStateValue"])
        sqs.delete_message(QueueUrl=pager, ReceiptHandle=message["ReceiptHandle"])


# %%
lab.exercise("monitoring.pager")

# %% exercise="monitoring.pager"
### BEGIN SOLUTION
cloudwatch.put_metric_alarm(
    AlarmName="orders-down", Namespace="ECS/ContainerInsights", MetricName="RunningTaskCount", Dimensions=of_orders,
    Statistic="Minimum", Period=60, EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=2,
    ComparisonOperator="LessThanThreshold", TreatMissingData="breaching", AlarmActions=[topic],
)
lab.region.run_for("2m")
### END SOLUTION

# %%
lab.check("monitoring.pager")

# %% [markdown]
# ## 6. Break it: too much memory
#
# Experiment 2. Both the task and its container may use 512 MiB. We make it take 600. **Predict:** which exit code, and does the alarm
# ring?

# %%
ask("orders", "/leak?mib=600")
lab.region.run_for("90s")
look("orders")
read_pager()

# %% [markdown]
# The kernel killed it: 137, and ECS adds `OutOfMemoryError`. The service had a new task within seconds, so at most one datapoint was
# bad, and two are needed. **That is right:** nobody wants to be called because of something that healed by itself. But you want to
# know about it in the morning, and a stopped task can be described for **about an hour**, then ECS forgets it.
#
# **EventBridge** gets an event for every change of a task's state. A rule chooses some of them, its targets keep them.

# %%
crashes = sqs.create_queue(QueueName="crashes")["QueueUrl"]
crashes_arn = sqs.get_queue_attributes(QueueUrl=crashes, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
lab.exercise("monitoring.crashes")

# %% exercise="monitoring.crashes"
### BEGIN SOLUTION
pattern = {
    "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
    "detail": {"lastStatus": ["STOPPED"], "stopCode": ["EssentialContainerExited"]},
}
events.put_rule(Name="crashes", EventPattern=json.dumps(pattern))
events.put_targets(Rule="crashes", Targets=[{"Id": "queue", "Arn": crashes_arn}])
ask("orders", "/exit?code=4")
lab.region.run_for("90s")
### END SOLUTION

# %%
lab.check("monitoring.crashes")

# %% [markdown]
# A rule sees **at least once**: the same event may come twice, so compare `detail.version` before you count. And it does not see the
# past: it has to be there before the crash.

# %% [markdown]
# ## 7. You are called
#
# Now for the real thing. `lab.incident` breaks a service, and tells you what somebody on call is told, which is never enough. How it
# was broken is not shown in this notebook. **Find the cause before you touch anything**, then mend it.
#
# ### orders

# %%
lab.incident("orders")
lab.region.run_for("4m")
read_pager()

# %%
lab.exercise("monitoring.orders")

# %% exercise="monitoring.orders"
### BEGIN SOLUTION
look("orders")
last = tasks("orders", "STOPPED")[0]
stream = f"ecs/app/{last['taskArn'].rpartition('/')[2]}"
for event in logs.get_log_events(logGroupName="/demo/orders", logStreamName=stream)["events"]:
    print("log:   ", event["message"])
bad = ecs.describe_task_definition(taskDefinition=last["taskDefinitionArn"])["taskDefinition"]["containerDefinitions"][0]
print("command:", bad["command"])
ecs.update_service(cluster="demo", service="orders", taskDefinition=register("orders", "--port", "80"))
settle("orders")
### END SOLUTION

# %%
lab.check("monitoring.orders")

# %% [markdown]
# The events said only that tasks were started, again and again. That is the sign of a **crash loop**: a task that reaches `RUNNING`
# and dies is replaced at once, and is not even throttled. Rung 3 said that the app itself gave up, and only rung 4 said why.
#
# Your alarm remembers when it rang:

# %%
for item in reversed(cloudwatch.describe_alarm_history(AlarmName="orders-down", HistoryItemType="StateUpdate")["AlarmHistoryItems"]):
    print(item["HistorySummary"])

# %% [markdown]
# ### reports

# %%
lab.incident("reports")
lab.region.run_for("3m")

# %%
lab.exercise("monitoring.reports")

# %% exercise="monitoring.reports"
### BEGIN SOLUTION
look("reports")
used = metric("MemoryUtilization", dimensions=[of_orders[0], {"Name": "ServiceName", "Value": "reports"}])
print("memory grew:", max(point["Maximum"] for point in used) > 50)
for number in (1, 2):
    definition = ecs.describe_task_definition(taskDefinition=f"reports:{number}")["taskDefinition"]
    print(f"reports:{number}", definition["containerDefinitions"][0]["image"], definition["containerDefinitions"][0].get("command", []))
ecs.update_service(cluster="demo", service="reports", taskDefinition="reports:1")
settle("reports")
### END SOLUTION

# %%
lab.check("monitoring.reports")

# %% [markdown]
# The service said `steady state` in between, and it believed it: a task that lives for a minute counts as healthy. Logs were no help,
# because a process that is killed says nothing. Only the metric shows the slope.
#
# ### front

# %%
lab.incident("front")
lab.region.run_for("2m")

# %%
lab.exercise("monitoring.front")

# %% exercise="monitoring.front"
### BEGIN SOLUTION
look("front")
elb = boto3.client("elbv2")
group = ecs.describe_services(cluster="demo", services=["front"])["services"][0]["loadBalancers"][0]["targetGroupArn"]
print("it asks for:", elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["HealthCheckPath"])
elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
settle("front")
### END SOLUTION

# %%
lab.check("monitoring.front")

# %% [markdown]
# The containers were fine all the time: exit code 0, after a polite SIGTERM. The **first** rung had the whole story, with the status
# that the load balancer got. Notice that nothing in the service or its task definition was wrong.
#
# ### mail

# %%
lab.incident("mail")
lab.region.run_for("1m")

# %%
lab.exercise("monitoring.mail")

# %% exercise="monitoring.mail"
### BEGIN SOLUTION
look("mail")
logs.create_log_group(logGroupName="/demo/mail")
settle("mail")
### END SOLUTION

# %%
lab.check("monitoring.mail")

# %% [markdown]
# No exit code and no log: the containers never started. `TaskFailedToStart` means that the cause is **around** the task: a log group, a
# secret, an image, a role, a subnet. ECS waits longer and longer between its attempts, so after the cure the service may seem ill for
# a while. An update to another task definition does not wait.

# %% [markdown]
# ## Where the summaries are wrong
#
# | you may read | what is true |
# |---|---|
# | "Container Insights requires the CloudWatch agent" | not for clusters, services and tasks. Only metrics of the EC2 instances themselves need it |
# | "CloudWatch shows running and desired task count of a service" | only Container Insights does; `AWS/ECS` has utilization and reservation |
# | "`awslogs` blocks the app when CloudWatch is slow" | not by default since June 2025: `non-blocking`, and lines may be lost |

# %% [markdown]
# ## In the exam
#
# > - **"Stopped, no logs":** `stoppedReason`. `CannotPullContainerError`: image, network or role. `ResourceInitializationError`: secret, log group, network or role.
# > - **137 with `OutOfMemoryError`:** more memory, or less leak. **137 without it:** it ignored SIGTERM.
# > - **Who writes the logs?** The execution role. Never the task role.
# > - **An alarm that must ring when nothing runs:** `RunningTaskCount`, or `TreatMissingData: breaching`.
# > - **Keep stopped tasks longer than an hour, act on a failed deployment:** an EventBridge rule.
# > - **Who changed the service?** CloudTrail, not CloudWatch.

# %%
lab.quiz("monitoring", n=15, seed=11)

# %% [markdown]
# ## Summary
#
# - Events, stopped reason, exit code, logs, metrics: in this order, and only as far as you must.
# - A log stream is named after its container and task, and outlives both. A retention ends it.
# - Utilization is used over reserved, an average hides the one that burns, and no task means no data.
# - An alarm needs M of N, and an opinion about missing data.
#
# **Next:** `lab.reset("monitoring.orders")` breaks the service again. Try to find the cause with one call.

# %% tags=["nbval-ignore-output"]
lab.progress()
