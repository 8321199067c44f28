# %% [markdown]
# # Lab 03: Services
#
# **Time:** 30 to 45 minutes. **You need:** labs 01 and 02, or the words cluster, task definition and task.
#
# When you are done you can
# - create a service and say what it promises,
# - explain why a task that dies comes back, and why it is not the same task,
# - predict how many old and new tasks run at each moment of a rolling update,
# - say what ECS calls healthy, and make it notice sickness,
# - read a service's events to find out why nothing moves.

# %% [markdown]
# ## The picture
#
# ![A service compares the desired count of 3 with the tasks that run. One of three tasks has died, so the service starts a new one.](images/03-services.svg)
#
# A **task** is started once and lives until it stops. A **service** is a promise: keep this many tasks of this task
# definition running. It compares what should be with what is, again and again, and starts or stops tasks until the two agree.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("03-services")
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")

# %% [markdown]
# `open_lab` started a private AWS Region on your machine, and pointed boto3 at it. Nothing here can reach real AWS or cost
# money. `lab.region.run_for("1m")` lets one minute of the Region's time pass.
#
# A board of the cluster is useful to have beside the notebook. Run the next cell; in JupyterLab, right-click the board and
# choose **Create New View for Output** to keep it in sight.

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. A service keeps a number
#
# First a cluster, a task definition and a network, as in the labs before.

# %%
ecs.create_cluster(clusterName="demo")
web = {
    "family": "web",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 80}]}],
}
ecs.register_task_definition(**web)
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}

# %% [markdown]
# Now the service. **Predict:** what will `runningCount` be in the answer of `create_service`: 0 or 3?

# %%
service = ecs.create_service(
    cluster="demo", serviceName="web", taskDefinition="web", desiredCount=3,
    launchType="FARGATE", networkConfiguration=network,
)["service"]
print("desired", service["desiredCount"], "running", service["runningCount"], "status", service["status"])

# %% [markdown]
# Zero. The API writes down what you want and answers at once; starting tasks is the scheduler's work, and it takes a while.
# `services_stable` is boto3's way to wait for it.

# %%
def show(name="web"):
    """The service in a few lines: its counts, then its deployments."""
    service = ecs.describe_services(cluster="demo", services=[name])["services"][0]
    print(f"{name}: desired {service['desiredCount']}, running {service['runningCount']}, pending {service['pendingCount']}")
    for d in service["deployments"]:
        revision = d["taskDefinition"].rpartition("/")[2]
        print(f"  {d['status']:8} {revision:10} running {d['runningCount']}, pending {d['pendingCount']}, {d['rolloutState']}")


ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
show()

# %% [markdown]
# Three tasks run. On Docker, `docker ps` in a terminal shows their containers, beside one small "pause" container per task
# that owns the task's network address.
#
# The rollout still says `IN_PROGRESS`, although three tasks run: where nothing checks a task's health, ECS counts it as
# healthy only after it has been `RUNNING` for **40 seconds**. Let a minute pass and look again.

# %%
lab.region.run_for("1m")
show()

# %% [markdown]
# A service also keeps a diary. Its **events** are the first place to look when something does not move.

# %%
def events(name="web", newest=3):
    """The newest service events, oldest of them first, with shortened task ids."""
    import re

    found = ecs.describe_services(cluster="demo", services=[name])["services"][0]["events"][:newest]
    for event in reversed(found):
        print(re.sub(r"\(task (\w{6})\w+\)", r"(task \1…)", event["message"]))


events()

# %%
lab.exercise("services.first-service")

# %% exercise="services.first-service"
### BEGIN SOLUTION
ecs.create_service(cluster="demo", serviceName="shop", taskDefinition="web:1", desiredCount=2,
                   launchType="FARGATE", networkConfiguration=network)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("services.first-service")

# %% [markdown]
# ## 2. Scale
#
# More tasks, fewer tasks: that is one number. **Predict** before you run the exercise: does changing `desiredCount` start a
# new deployment?

# %%
lab.exercise("services.scale-out")

# %% exercise="services.scale-out"
### BEGIN SOLUTION
ecs.update_service(cluster="demo", service="web", desiredCount=4)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("services.scale-out")

# %%
show()

# %% [markdown]
# ## 3. Break it: kill a container
#
# Experiment 1. We kill a container behind ECS's back, as a crash would. **Predict:** will the *same* task come back?

# %%
before = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]
victim = before[0]
lab.region.kill(victim)
lab.region.run_for("20s")
task = ecs.describe_tasks(cluster="demo", tasks=[victim])["tasks"][0]
print("lastStatus:   ", task["lastStatus"])
print("stopCode:     ", task["stopCode"])
print("stoppedReason:", task["stoppedReason"])
print("exit code:    ", task["containers"][0]["exitCode"])

# %% [markdown]
# The container was **essential**, so its death stopped the task; 137 is 128 + 9, the number of SIGKILL. And the service?

# %%
lab.region.run_for("1m")
after = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]
print("same number of tasks:", len(after) == len(before))
print("the old task is back:", victim in after)
events(newest=2)

# %% [markdown]
# ECS never restarts a stopped task. The service noticed that one was missing and started a **new** one, with a new id and
# a new address. This is why nothing that matters may live inside a task.

# %%
lab.exercise("services.self-healing")

# %% exercise="services.self-healing"
### BEGIN SOLUTION
arn = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
ecs.stop_task(cluster="demo", task=arn, reason="chaos")
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("services.self-healing")

# %% [markdown]
# ## 4. A new version: the rolling update
#
# Two percentages make a **band** that the number of tasks must stay in while old and new are exchanged:
#
# | | meaning | rounding |
# |---|---|---|
# | `minimumHealthyPercent` | so many healthy tasks must remain | up |
# | `maximumPercent` | so many tasks may exist | down |
#
# The defaults are 100 and 200. **Predict** for 4 tasks: how many old and new tasks will there be at the busiest moment?

# %%
lab.exercise("services.rolling-update")

# %% exercise="services.rolling-update"
### BEGIN SOLUTION
app = {**web["containerDefinitions"][0], "image": "ecslab/app:2.0"}
ecs.register_task_definition(**{**web, "containerDefinitions": [app]})
ecs.update_service(cluster="demo", service="web", taskDefinition="web")
lab.region.run_for("3m")
### END SOLUTION

# %%
lab.check("services.rolling-update")

# %% [markdown]
# Let us watch one, step by step. We go back to revision 1, this time with a narrower band: at least 75 percent healthy, at
# most 125 percent in all. For 4 tasks that is a lower limit of 3 and an upper limit of 5.

# %%
ecs.update_service(
    cluster="demo", service="web", taskDefinition="web:1", desiredCount=4,
    deploymentConfiguration={"minimumHealthyPercent": 75, "maximumPercent": 125},
)
steps = []
for _ in range(36):
    lab.region.run_for("5s")
    deployments = ecs.describe_services(cluster="demo", services=["web"])["services"][0]["deployments"]
    new, old = deployments[0], deployments[1] if len(deployments) > 1 else {"runningCount": 0}
    step = (old["runningCount"], new["runningCount"])
    if not steps or steps[-1] != step:
        steps.append(step)
most, fewest = max(map(sum, steps)), min(map(sum, steps))
print("never more than 5 running:", most <= 5, " never fewer than 3:", fewest >= 3)
print("at the end (old, new):", steps[-1])

# %% tags=["nbval-ignore-output"]
print(" -> ".join(f"{old}/{new}" for old, new in steps))

# %% [markdown]
# ## 5. Break it: ship an image that does not exist
#
# Experiment 2. A typing error in the image tag reaches production. **Predict:** how many of the old tasks will ECS stop?

# %%
typo = {**web["containerDefinitions"][0], "image": "ecslab/app:2.O"}
ecs.register_task_definition(**{**web, "containerDefinitions": [typo]})
ecs.update_service(cluster="demo", service="web", taskDefinition="web")
lab.region.run_for("3m")
show()

# %% [markdown]
# The old tasks go on serving: not one may stop before a new one is healthy. Look at a task that failed to start, and at
# the events.

# %%
failed = ecs.list_tasks(cluster="demo", serviceName="web", desiredStatus="STOPPED")["taskArns"]
reasons = {t["stopCode"]: t["stoppedReason"].split(":")[0] for t in ecs.describe_tasks(cluster="demo", tasks=failed)["tasks"]}
print("TaskFailedToStart:", reasons["TaskFailedToStart"])
events(newest=1)

# %% [markdown]
# Such a rollout does not give up by itself: ECS tries again and again, more and more slowly, for tasks that never reach
# `RUNNING`. Many summaries say that a failed rolling update rolls back automatically. It does not, unless you switch on the
# **deployment circuit breaker**. Here, you are the circuit breaker:

# %%
ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
lab.region.run_for("4m")
show()

# %% [markdown]
# ## 6. Break it: a band with no room
#
# Experiment 3. One task, at least 50 percent healthy, at most 100 percent. It looks harmless. **Predict** what a rollout
# does: the lower limit is ceil(1 × 50 / 100), the upper limit floor(1 × 100 / 100).

# %%
ecs.create_service(
    cluster="demo", serviceName="solo", taskDefinition="web:1", desiredCount=1, launchType="FARGATE",
    networkConfiguration=network, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100},
)
lab.region.run_for("2m")
ecs.update_service(cluster="demo", service="solo", taskDefinition="web:2")
lab.region.run_for("2m")
show("solo")
events("solo", newest=1)

# %%
lab.exercise("services.unblock")

# %% exercise="services.unblock"
### BEGIN SOLUTION
ecs.update_service(cluster="demo", service="solo",
                   deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
lab.region.run_for("2m")
### END SOLUTION

# %%
lab.check("services.unblock")

# %% [markdown]
# ## 7. What is healthy?
#
# | the task has | it counts as healthy when |
# |---|---|
# | no check at all | it has been `RUNNING` for 40 seconds |
# | a container health check | that check passes |
# | a load balancer | the target is healthy, and so is the container if it has a check |
#
# A container that is ill but keeps running looks fine to ECS, unless something asks it. The lab app can fall ill on
# purpose: `--unhealthy-after 60` makes its `/health` answer 503 after a minute.

# %%
clinic = {
    "family": "clinic",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {"name": "app", "image": "ecslab/app:1.0", "command": ["--unhealthy-after", "60"], "portMappings": [{"containerPort": 80}]}
    ],
}
ecs.register_task_definition(**clinic)
ecs.create_service(cluster="demo", serviceName="clinic", taskDefinition="clinic", desiredCount=1,
                   launchType="FARGATE", networkConfiguration=network)
lab.region.run_for("3m")
arn = ecs.list_tasks(cluster="demo", serviceName="clinic")["taskArns"][0]
task = ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]
print(task["lastStatus"], task["healthStatus"])

# %% [markdown]
# `RUNNING`, and `UNKNOWN`: nobody asked. Users of this app have been seeing errors for two minutes.

# %%
lab.exercise("services.health-check")

# %% exercise="services.health-check"
### BEGIN SOLUTION
app = {**clinic["containerDefinitions"][0],
       "healthCheck": {"command": ["CMD", "/app", "health"], "interval": 10, "timeout": 5, "retries": 2}}
ecs.register_task_definition(**{**clinic, "containerDefinitions": [app]})
ecs.update_service(cluster="demo", service="clinic", taskDefinition="clinic")
lab.region.run_for("5m")
### END SOLUTION

# %%
lab.check("services.health-check")

# %% [markdown]
# ## 8. Clean up
#
# A service cannot be deleted while it is scaled above 0, unless you insist with `force`. **Predict** what each call does.

# %%
try:
    ecs.delete_service(cluster="demo", service="clinic")
except ecs.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"])
status = ecs.delete_service(cluster="demo", service="clinic", force=True)["service"]["status"]
print("after force:", status)
lab.region.run_for("1m")
print("a minute later:", ecs.describe_services(cluster="demo", services=["clinic"])["services"][0]["status"])

# %% [markdown]
# ## In the exam
#
# > - **Changing `desiredCount` starts no deployment.** Neither does changing the percentages.
# > - **Lower limit up, upper limit down.** 50/100 with one task is blocked; 0/100 has a gap; 100/200 starts first.
# > - **A rolling update does not roll back by itself.** The circuit breaker or deployment alarms must be switched on.
# > - **Only tasks that never reach `RUNNING` are throttled.** A container that starts and crashes is replaced at full speed.
# > - **Unhealthy tasks are replaced only in a service.** A task from `run_task` just reports its health.
# > - **REPLICA** keeps a number; **DAEMON** keeps one per container instance and does not run on Fargate.

# %%
lab.quiz("services", n=15, seed=3)

# %% [markdown]
# ## Summary
#
# - A service is a promise about a number of healthy tasks; the scheduler keeps it by starting new tasks, never old ones.
# - A deployment is one set of tasks that are alike. A rolling update exchanges one for another inside a band.
# - Health decides: 40 seconds of `RUNNING`, or a check that you define.
# - Events tell why nothing moves.
#
# **Next:** [lab 04](04-tasks-and-lifecycle.ipynb) looks inside one task: exit codes, memory, and the order in which its containers
# start and stop. [Lab 08](08-deployments.ipynb) goes one floor up: circuit breaker, blue/green, canary.

# %% tags=["nbval-ignore-output"]
lab.progress()
