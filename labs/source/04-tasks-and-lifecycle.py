# %% [markdown]
# # Lab 04: Tasks and their lifecycle
#
# **Time:** 60 to 75 minutes. **You need:** labs 01 and 02.
#
# When you are done you can
# - name the states of a task in order, and say what happens in each,
# - read from an exit code, a reason and a stop code why a task ended,
# - stop a task without losing its work, and say when ECS kills,
# - put containers in order, and say which of them may end without ending the task,
# - run jobs: once, many at a time, by the clock, and notice the ones that never started.

# %% [markdown]
# ## The picture
#
# ![A task climbs from PROVISIONING over PENDING and ACTIVATING to RUNNING, and walks down from DEACTIVATING over STOPPING and DEPROVISIONING to STOPPED. A task that cannot start goes from ACTIVATING straight to STOPPING.](images/04-tasks-and-lifecycle.svg)
#
# A task lives **once**. It climbs to `RUNNING`, walks down to `STOPPED`, and never climbs again. Whoever wants another one starts
# another one: a service by itself, or you.

# %%
import json

import boto3
import ecslab

lab = ecslab.open_lab("04-tasks-and-lifecycle", docker_speed=30)
ecs, ec2, sqs, events = (boto3.client(name) for name in ("ecs", "ec2", "sqs", "events"))

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. Up and down
#
# Five helpers for the whole lab: a container, a definition of containers, a task that runs it, a pause until a task is where we want
# it, and the story of how it ended.

# %%
ecs.create_cluster(clusterName="demo")
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}


def container(name, *command, **more):
    return {"name": name, "image": "ecslab/app:1.0", "command": list(command), **more}


def register(family, *containers, memory="512"):
    made = ecs.register_task_definition(
        family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory=memory,
        containerDefinitions=list(containers),
    )["taskDefinition"]
    print(f"registered {made['family']}:{made['revision']}")


def run(family, **more):
    """One task on Fargate, of the newest revision of the family. Returns its ARN."""
    where = {"cluster": "demo", "launchType": "FARGATE", "networkConfiguration": network}
    return ecs.run_task(taskDefinition=family, **where, **more)["tasks"][0]["taskArn"]


def describe(arn):
    return ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]


def until(status, *arns):
    """Let time pass until these tasks are there, or STOPPED; five minutes at most."""
    for _ in range(300):
        if all(describe(arn)["lastStatus"] in (status, "STOPPED") for arn in arns):
            break
        lab.region.run_for("1s")


def tell(arn):
    """How a task is, or how it ended, and each of its containers."""
    task = describe(arn)
    if task["lastStatus"] == "STOPPED":
        print(f"STOPPED  {task['stopCode']}: {task['stoppedReason']}")
    else:
        print(task["lastStatus"])
    for one in task["containers"]:
        code = f"exit code {one['exitCode']}" if "exitCode" in one else "no exit code"
        ended = f"{code}  {one.get('reason', '')}" if one["lastStatus"] == "STOPPED" else ""
        print(f"  {one['name']:8} {one['lastStatus']:8} {ended}".rstrip())


register("web", container("app"))
web = run("web")
task = describe(web)
print("wanted:", task["desiredStatus"], "- is:", task["lastStatus"])

# %% [markdown]
# `run_task` answers before anything runs: `desiredStatus` is what should be, `lastStatus` what is. **Predict:** which states will the
# task have passed on its way to `RUNNING`, and in which of them is the image pulled?

# %%
until("RUNNING", web)
print(*lab.region.history(web), sep=" -> ")

# %% [markdown]
# `lab.region.history` is ours, to let you see states that pass quickly. ECS itself keeps only the moments. Which two of them say how
# long the image took? (On Docker the lab's image is already there, and it takes no time.)

# %%
task = describe(web)
for moment in ("createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt"):
    print(f"{moment:15} after {(task[moment] - task['createdAt']).total_seconds():.1f} seconds")

# %% [markdown]
# | state | what happens |
# |---|---|
# | `PROVISIONING` | the network interface is made and attached; a task may also wait here for capacity |
# | `PENDING` | ECS waits for the agent, or for Fargate, to take it |
# | `ACTIVATING` | images are pulled, containers created and started in their order, targets registered |
# | `RUNNING` | it runs |
# | `DEACTIVATING` | it is taken out of its target group, and of service discovery |
# | `STOPPING` | containers get SIGTERM, and are killed when they take too long |
# | `DEPROVISIONING` | the network interface is detached and deleted |
# | `STOPPED` | it is over. It can still be described for **about an hour** |
#
# `StopTask` sends it down. You may say why.

# %%
ecs.stop_task(cluster="demo", task=web, reason="the first section is over")
until("STOPPED", web)
print(*lab.region.history(web)[4:], sep=" -> ")
tell(web)

# %% [markdown]
# The exit code is 0: the app got SIGTERM, tidied up and left by itself. `list_tasks` shows only tasks that should run. **Predict:** is
# the task gone?

# %%
print("list_tasks:                         ", len(ecs.list_tasks(cluster="demo")["taskArns"]))
print("list_tasks, desiredStatus='STOPPED':", len(ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]))

# %% [markdown]
# ## 2. Exit codes
#
# One definition, three tasks: the app does what its command says, and a run may bring **its own command** (an *override*, more of it
# below). It ends two seconds after it started, with the code that we ask for.

# %%
register("job", container("app", "--exit-after", "2"))


def ending_with(code):
    command = ["--exit-after", "2", "--exit-code", str(code)]
    return run("job", overrides={"containerOverrides": [{"name": "app", "command": command}]})


jobs = [ending_with(code) for code in (0, 1, 139)]
until("STOPPED", *jobs)
for job in jobs:
    tell(job)

# %% [markdown]
# The stop code is the same for all three, also for the one that did its work and ended well. **An essential container that exits
# ends the task, with 0 too**, and only the exit code tells success from failure:
#
# | exit code | meaning |
# |---|---|
# | 0 | the process thinks that it is done |
# | 1, 2, … | the app's own: read its log |
# | 126, 127 | the command is not executable, or was not found |
# | 137 | 128 + 9, SIGKILL: **out of memory**, or it **did not stop in time** |
# | 139 | 128 + 11, SIGSEGV: it touched memory that is not its own |
# | 143 | 128 + 15, SIGTERM: it was asked to stop, and did not catch the signal |
# | none | it never ran |

# %% [markdown]
# ### Break it: too little memory
#
# Experiment 1. A report takes 5 MiB more every second, for a minute. Its container has a hard limit of 128 MiB, and the task 512.
# **Predict:** which exit code, which stop code, and what does the log of the app say?

# %%
register("report", container("app", "--leak", "5", "--exit-after", "60", memory=128))
report = run("report")
until("STOPPED", report)
tell(report)
print("last line:", lab.region.logs(report)[-1])

# %% [markdown]
# The kernel killed it, so the app could not say a word. The `reason` of the **container** says it; the reason of the task does not.
# The task had memory left: the limit that was hit is the container's.

# %%
lab.exercise("tasks.enough-memory")

# %% exercise="tasks.enough-memory"
### BEGIN SOLUTION
register("report", container("app", "--leak", "5", "--exit-after", "60", memory=400))
report = run("report")
until("STOPPED", report)
tell(report)
### END SOLUTION

# %%
lab.check("tasks.enough-memory")

# %% [markdown]
# ## 3. SIGTERM, and what comes after
#
# To stop a container ECS sends it SIGTERM, waits for its `stopTimeout` (30 seconds, unless you say otherwise; on Fargate 2 to 120),
# and then sends SIGKILL, which no process can refuse.
#
# ### Break it: an app that does not listen
#
# Experiment 2. This worker ignores SIGTERM: it wants to finish its work first, which takes 90 seconds. **Predict:** how many seconds
# pass between the request to stop and the end, and which exit code will it be?

# %%
register("worker", container("app", "--ignore-sigterm", "--exit-after", "90"))
worker = run("worker")
until("RUNNING", worker)
ecs.stop_task(cluster="demo", task=worker, reason="make room")
until("STOPPED", worker)
tell(worker)
task = describe(worker)
print(f"it took {(task['executionStoppedAt'] - task['stoppingAt']).total_seconds():.0f} seconds")

# %% [markdown]
# 137 again, this time **without** `OutOfMemoryError`: that is how you tell the two apart. The work is lost. A shell as the first
# process of a container (`sh -c "my-app"`) has the same effect without anybody wanting it: the shell gets the signal, and the app never
# hears of it.

# %%
lab.exercise("tasks.stop-timeout")

# %% exercise="tasks.stop-timeout"
### BEGIN SOLUTION
register("worker", container("app", "--ignore-sigterm", "--exit-after", "90", stopTimeout=120))
worker = run("worker")
until("RUNNING", worker)
ecs.stop_task(cluster="demo", task=worker, reason="make room")
until("STOPPED", worker)
tell(worker)
### END SOLUTION

# %%
lab.check("tasks.stop-timeout")

# %% [markdown]
# ## 4. Several containers
#
# A container is `essential` unless you say otherwise. When an essential one ends, for whatever reason, the others are stopped and the
# task ends. One that is not may come and go. `dependsOn` puts them in order:
#
# | condition | satisfied when the other one | |
# |---|---|---|
# | `START` | has started | |
# | `COMPLETE` | has ended, with any code | it must not be essential |
# | `SUCCESS` | has ended with 0 | it must not be essential |
# | `HEALTHY` | has passed its health check | it must have one; looked at only when the task starts |
#
# Containers stop in the opposite order. How long one waits for another is the **other** one's `startTimeout`.
#
# ### Break it: a migration that fails
#
# Experiment 3. Before the shop opens, `migrate` changes the database. It fails, with code 1. **Predict:** does `app` start? Which stop
# code will the task have? And with `COMPLETE` instead of `SUCCESS`?

# %%
def shop(condition):
    migrate = container("migrate", "--exit-after", "5", "--exit-code", "1", "--port", "82", essential=False)
    register("shop", migrate, container("app", dependsOn=[{"containerName": "migrate", "condition": condition}]))
    started = run("shop")
    until("RUNNING", started)
    tell(started)
    return started


shop("SUCCESS")
careless = shop("COMPLETE")

# %% [markdown]
# With `SUCCESS` the task never reached `RUNNING`: `TaskFailedToStart`, although one of its containers ran, and has an exit code. With
# `COMPLETE` the shop opens on a broken database, and ECS calls that `RUNNING`.
#
# The containers of a task with `awsvpc` share one network: they reach each other on `localhost`, and **no two of them can have the
# same port**. That is why `migrate` listens on 82.

# %%
ecs.stop_task(cluster="demo", task=careless)
lab.exercise("tasks.init-container")

# %% exercise="tasks.init-container"
### BEGIN SOLUTION
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
### END SOLUTION

# %%
lab.check("tasks.init-container")

# %% [markdown]
# ### A sidecar that dies
#
# `lab.region.kill` ends a container behind ECS's back, as a crash would. **Predict:** what becomes of the task when its sidecar
# dies, once not essential, and once essential?

# %%
for essential in (False, True):
    register("pair", container("app"), container("sidecar", "--port", "81", essential=essential))
    pair = run("pair")
    until("RUNNING", pair)
    lab.region.kill(pair, "sidecar")
    lab.region.run_for("30s")
    tell(pair)
    ecs.stop_task(cluster="demo", task=pair)

# %% [markdown]
# Nobody starts the dead sidecar again, and the task does not look any worse for it. Either it matters, then it is essential. Or it
# may be restarted: that is a **restart policy**.
#
# ## 5. Restart the container, not the task
#
# Without a policy ECS **never** restarts a container. With one, a container that ends is started again **in the same task**: same
# address, same neighbours, and `startedAt` stays. Three fields:
#
# - `enabled`,
# - `ignoredExitCodes`: with these codes it is *not* restarted,
# - `restartAttemptPeriod`: it must have run for at least so many seconds, 60 to 1800, **300 unless you say otherwise**.
#
# **Predict:** this app ends after 70 seconds with code 1. Its policy is enabled, and nothing else is said. What happens?

# %%
register("beacon", container("app", "--exit-after", "70", "--exit-code", "1", restartPolicy={"enabled": True}))
beacon = run("beacon")
until("STOPPED", beacon)
tell(beacon)

# %% [markdown]
# It had not run for 300 seconds, so it was not restarted, and as it is essential, it took the task along. The period protects from a
# container that crashes in a circle.

# %%
lab.exercise("tasks.restart-policy")

# %% exercise="tasks.restart-policy"
### BEGIN SOLUTION
policy = {"enabled": True, "restartAttemptPeriod": 60}
register("beacon", container("app", "--exit-after", "70", "--exit-code", "1", restartPolicy=policy))
beacon = run("beacon")
until("RUNNING", beacon)
lab.region.run_for("110s")
print("it began:", len(lab.region.logs(beacon)), "times")
ecs.stop_task(cluster="demo", task=beacon, reason="seen enough")
until("STOPPED", beacon)
tell(beacon)
### END SOLUTION

# %%
lab.check("tasks.restart-policy")

# %% [markdown]
# ## 6. Unhealthy
#
# You know from lab 02 that ECS reports the health of a container with a `healthCheck`. A task has a `healthStatus` too, made of those
# of its containers. Two of them have a check here; `helper`, which is **not essential**, is ill from the start. Then the same with an
# essential one. **Predict** the health of the task, and what ECS does about it. No service wants this task.

# %%
check = {"command": ["CMD", "/app", "health"], "interval": 5, "retries": 2}
for essential in (False, True):
    helper = container("helper", "--port", "81", "--unhealthy-after", "0", healthCheck=check, essential=essential)
    register("ill", container("app", healthCheck=check), helper)
    ill = run("ill")
    until("RUNNING", ill)
    lab.region.run_for("30s")
    task = describe(ill)
    print({one["name"]: one["healthStatus"] for one in task["containers"]})
    print(f"the task is {task['healthStatus']}, and {task['lastStatus']}")
    ecs.stop_task(cluster="demo", task=ill)

# %% [markdown]
# Only **essential** containers that have a check count for the task: one of them `UNHEALTHY`, and the task is; one `UNKNOWN`, and the
# task is `UNKNOWN`. And both tasks go on running: ECS reports it, and only a **service** replaces an unhealthy task.

# %% [markdown]
# ## 7. Jobs
#
# A job is a task that ends. `RunTask` starts it, and four of its parameters make jobs convenient:
#
# | parameter | |
# |---|---|
# | `overrides` | another command, environment, size or role, for this run only. Not another image |
# | `count` | up to 10 tasks of the same kind at once |
# | `startedBy` | your mark; `list_tasks(startedBy=...)` finds them again |
# | `clientToken` | send the request twice, get the task once |

# %%
twice = {run("job", clientToken="import-of-monday") for _ in range(2)}
print("sent twice, tasks:", len(twice))

# %%
register("import", container("app", "--exit-after", "5"))
lab.exercise("tasks.batch")

# %% exercise="tasks.batch"
### BEGIN SOLUTION
days = []
for day in ("mon", "tue", "wed"):
    changed = {"name": "app", "environment": [{"name": "DAY", "value": day}]}
    days.append(run("import", startedBy="backfill", overrides={"containerOverrides": [changed]}))
until("STOPPED", *days)
for arn in days:
    tell(arn)
### END SOLUTION

# %%
lab.check("tasks.batch")

# %% [markdown]
# ### Success without a task
#
# One small EC2 instance has 1896 MiB left for tasks. We ask for five tasks of 800 MiB each. **Predict:** is that an error?

# %%
lab.region.add_instance("demo", "t3.small")
lab.region.run_for("45s")
ecs.register_task_definition(
    family="heavy", requiresCompatibilities=["EC2"], networkMode="bridge",
    containerDefinitions=[container("app", "--exit-after", "5", memory=800)],
)
answer = ecs.run_task(cluster="demo", taskDefinition="heavy", launchType="EC2", count=5)
print("status:  ", answer["ResponseMetadata"]["HTTPStatusCode"])
print("tasks:   ", len(answer["tasks"]), "of 5")
print("failures:", sorted({failure["reason"] for failure in answer["failures"]}))

# %% [markdown]
# The answer is 200, with two tasks and a reason in `failures`. **A script that does not look at `failures` believes that all is well**,
# and ECS does not try again: the other three were never made. (A service would.)

# %% [markdown]
# ## 8. By the clock
#
# A rule of EventBridge with a schedule can have a **target of ECS**: each time it is due, it runs a task. `rate(15 minutes)`,
# `rate(1 day)`, or a `cron` with six fields, in UTC: `cron(30 2 * * ? *)` is half past two every night.
#
# EventBridge needs a role that may do two things: `ecs:RunTask`, and hand the task its own roles, `iam:PassRole`.

# %%
iam = boto3.client("iam")


def allow(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


trust = allow(Principal={"Service": "events.amazonaws.com"}, Action="sts:AssumeRole")
may_run = allow(Action=["ecs:RunTask", "iam:PassRole"], Resource="*")
runs_tasks = iam.create_role(RoleName="runs-tasks", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="runs-tasks", PolicyName="runs", PolicyDocument=may_run)
demo_arn = ecs.describe_clusters(clusters=["demo"])["clusters"][0]["clusterArn"]
import_arn = ecs.describe_task_definition(taskDefinition="import")["taskDefinition"]["taskDefinitionArn"]
fargate_network = {"awsvpcConfiguration": {"Subnets": subnets}}
lab.exercise("tasks.schedule")

# %% exercise="tasks.schedule"
### BEGIN SOLUTION
events.put_rule(Name="every-minute", ScheduleExpression="rate(1 minute)")
how = {"TaskDefinitionArn": import_arn, "LaunchType": "FARGATE", "NetworkConfiguration": fargate_network}
events.put_targets(Rule="every-minute", Targets=[{"Id": "import", "Arn": demo_arn, "RoleArn": runs_tasks, "EcsParameters": how}])
for _ in range(12):
    lab.region.run_for("15s")
    ended = ecs.list_tasks(cluster="demo", startedBy="events-rule/every-minute", desiredStatus="STOPPED")["taskArns"]
    if ended:
        break
tell(ended[0])
### END SOLUTION

# %%
lab.check("tasks.schedule")

# %% [markdown]
# A rule runs until somebody stops it, and so do its costs. (**EventBridge Scheduler** is the newer service for the same: time zones,
# single moments, retries.)

# %%
for rule in events.list_rules(NamePrefix="every-minute")["Rules"]:
    events.disable_rule(Name=rule["Name"])

# %% [markdown]
# ## 9. Break it: a task that cannot start
#
# Experiment 4. Somebody mistyped the image's tag. **Predict:** which states does the task pass, and what will its exit code be?

# %%
register("typo", {**container("app"), "image": "ecslab/app:9.9"})
typo = run("typo")
until("STOPPED", typo)
print(*lab.region.history(typo), sep=" -> ")
tell(typo)

# %% [markdown]
# It was never `RUNNING`. Without an exit code there is no log either: **the reason is all you have**, and in an hour it is gone. The
# stop code tells who ended a task:
#
# | `stopCode` | |
# |---|---|
# | `TaskFailedToStart` | image, secret, role, network, order of containers: the cause is around the app |
# | `EssentialContainerExited` | the app itself, for better or worse: look at the exit code |
# | `UserInitiated` | somebody called `StopTask` |
# | `ServiceSchedulerInitiated` | the service: a deployment, scaling in, an unhealthy task |
# | `SpotInterruption` | Spot capacity was taken back |
# | `TerminationNotice` | the host, or what is below it, is retired |
#
# Every change of a task's state is an **event** (`ECS Task State Change`) with the whole task in it. A queue remembers longer than an
# hour.

# %%
queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
lab.exercise("tasks.failure-queue")

# %% exercise="tasks.failure-queue"
### BEGIN SOLUTION
pattern = {
    "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
    "detail": {"lastStatus": ["STOPPED"], "stopCode": ["TaskFailedToStart"]},
}
events.put_rule(Name="never-started", EventPattern=json.dumps(pattern))
events.put_targets(Rule="never-started", Targets=[{"Id": "queue", "Arn": queue_arn}])
until("STOPPED", run("typo"))
lab.region.run_for("10s")
### END SOLUTION

# %%
lab.check("tasks.failure-queue")

# %%
for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
    detail = json.loads(message["Body"])["detail"]
    print(detail["group"], "-", detail["stoppedReason"].partition(":")[0])

# %% [markdown]
# ## Where the summaries are wrong
#
# | you may read | what is true |
# |---|---|
# | "ECS restarts a failed task" | never. A service starts *another* one; after `RunTask` nobody does |
# | "exit code 0 keeps the task running" | an essential container that exits ends its task, with 0 too |
# | "137 means out of memory" | or SIGKILL after `stopTimeout`. Only the first has `OutOfMemoryError` |
# | "unhealthy tasks are replaced" | only those of a service |
# | "ECS uses the image's `HEALTHCHECK`" | it does not report it; the check must be in the container definition |

# %% [markdown]
# ## In the exam
#
# > - **"Finish the work before it stops":** catch SIGTERM, and raise `stopTimeout` (Fargate: at most 120 seconds).
# > - **"A migration before the app":** a container that is not essential, and `dependsOn` with `SUCCESS`.
# > - **"The app must wait for its proxy":** `HEALTHY`, and a health check on the proxy.
# > - **"A nightly job":** `RunTask` by EventBridge. Not a service, which would start it again for ever.
# > - **"Started, but nothing runs":** look at `failures[]` first, then at `stoppedReason`.
# > - **"Tell me when a task fails":** a rule for `ECS Task State Change`, by `lastStatus` and `stopCode`.

# %%
lab.quiz("tasks", n=15, seed=4)

# %% [markdown]
# ## Summary
#
# - A task lives once: four states up, four down. ECS forgets it about an hour after its end.
# - `stopCode` says who ended it, `exitCode` how the process ended, `reason` why.
# - SIGTERM, `stopTimeout`, SIGKILL: in this order, and you choose how long the middle is.
# - What must not be missing is essential; what must come first is awaited; what may crash has a restart policy.
# - `RunTask` succeeds without tasks: read `failures[]`.
#
# **Next:** make `migrate` of the shop so slow that its `startTimeout` passes, and read what the task says.

# %% tags=["nbval-ignore-output"]
lab.progress()
