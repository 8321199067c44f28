# %% [markdown]
# # Lab 02: Task definitions
#
# **Time:** 30 to 45 minutes. **You need:** lab 01.
#
# When you are done you can
# - write a task definition that Fargate accepts, and mend one that it refuses,
# - size a task, and say what each memory setting does,
# - choose a network mode, and say which port answers,
# - give a container a health check, settings, volumes and a place for its logs,
# - use revisions: register, pin, deregister, delete,
# - tell the task role from the execution role.

# %% [markdown]
# ## The picture
#
# ![A task definition has a family and numbered revisions. Each revision holds the task's size, network mode and roles, and a list of containers with image, ports, environment, health check and logging.](images/02-task-definitions.svg)
#
# A **task definition** is the recipe of a task. It never changes: every `register_task_definition` makes a new numbered
# **revision** of its **family**. Numbers are never used twice.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("02-task-definitions")
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
ecs.create_cluster(clusterName="demo")
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}


def register(**changes):
    """Register a small Fargate definition with these changes; print what ECS says."""
    definition = {
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "ecslab/app:1.0"}],
    }
    definition.update(changes)
    definition = {name: value for name, value in definition.items() if value is not None}
    try:
        made = ecs.register_task_definition(**definition)["taskDefinition"]
        size = f"{made['cpu']} CPU units, {made['memory']} MiB" if "memory" in made else "no task size"
        print(f"registered {made['family']}:{made['revision']}: {size}")
    except ecs.exceptions.ClientException as error:
        print("refused:", error.response["Error"]["Message"])


register()

# %% [markdown]
# ## 1. The size of a Fargate task
#
# Fargate sells tasks in fixed sizes: 1024 CPU units are one vCPU, and each CPU size comes with a few memory sizes.
#
# | CPU units | memory |
# |---|---|
# | 256 | 512, 1024 or 2048 MiB |
# | 512 | 1 to 4 GB, in steps of 1 GB |
# | 1024 | 2 to 8 GB, in steps of 1 GB |
# | 2048 | 4 to 16 GB, in steps of 1 GB |
# | 4096 | 8 to 30 GB, in steps of 1 GB |
# | 8192 | 16 to 60 GB, in steps of 4 GB |
# | 16384 | 32 to 120 GB, in steps of 8 GB |
# | 32768 | 60, 120 or 244 GB (since 2026) |
#
# Experiment 1: break it. **Predict** which of these four ECS refuses.

# %%
register(cpu="256", memory="3072")
register(cpu=".5 vCPU", memory="1GB")
register(cpu="256", memory=None)
register(networkMode="bridge")

# %% [markdown]
# The second is fine: `".5 vCPU"` and `"1GB"` are other ways to write 512 and 1024, and ECS stores plain numbers. Only exact
# pairs from the table exist, the size is required on the task, and Fargate knows one network mode, `awsvpc`.

# %%
lab.exercise("task-definitions.fargate-size")

# %% exercise="task-definitions.fargate-size"
### BEGIN SOLUTION
register(family="report", cpu="1024", memory="3072")
### END SOLUTION

# %%
lab.check("task-definitions.fargate-size")

# %% [markdown]
# ## 2. Errors are the curriculum
#
# ECS checks a definition before it keeps it. Experiment 2: five mistakes that real projects make. **Predict** what ECS will
# say to each before you run the cell.

# %%
app = {"name": "app", "image": "ecslab/app:1.0"}
register(containerDefinitions=[app, app])
register(containerDefinitions=[{**app, "essential": False}])
register(containerDefinitions=[{**app, "portMappings": [{"containerPort": 80, "hostPort": 8080}]}])
register(containerDefinitions=[{**app, "memory": 1024}])
register(containerDefinitions=[{**app, "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}])

# %% [markdown]
# Names must differ; at least one container must be **essential**, because a task lives as long as its essential containers;
# with `awsvpc` the task has its own address, so there is no other host port to map to; a container fits inside its task; and
# a dependency must exist.

# %%
lab.exercise("task-definitions.init-container")

# %% exercise="task-definitions.init-container"
### BEGIN SOLUTION
register(family="ordered", containerDefinitions=[
    {"name": "init", "image": "ecslab/app:1.0", "essential": False, "command": ["--exit-after", "2"]},
    {**app, "command": ["--port", "81"], "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]},
])
ecs.run_task(cluster="demo", taskDefinition="ordered", launchType="FARGATE", networkConfiguration=network)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("task-definitions.init-container")

# %% [markdown]
# ## 3. What the definition became
#
# ECS fills in what you left out. **Predict:** is a container essential if you say nothing? Which protocol has a port?

# %%
register(containerDefinitions=[{**app, "portMappings": [{"containerPort": 80}]}])
kept = ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
container = kept["containerDefinitions"][0]
print("essential    ", container["essential"])
print("port         ", container["portMappings"][0])
print("could run on ", ", ".join(kept["compatibilities"]))

# %% [markdown]
# These are the fields to know. You have met the first two rows; the rest of this lab is about the others.
#
# | about | fields |
# |---|---|
# | the task | `family`, `requiresCompatibilities`, `cpu`, `memory`, `runtimePlatform`, `ephemeralStorage` |
# | a container's life | `name`, `image`, `entryPoint`, `command`, `essential`, `dependsOn`, `startTimeout`, `stopTimeout` |
# | ports | `networkMode` of the task, `portMappings` |
# | resources | container `cpu`, `memory`, `memoryReservation`, `ulimits` |
# | health | `healthCheck`, `restartPolicy` |
# | settings and data | `environment`, `environmentFiles`, `secrets`, `volumes` of the task, `mountPoints` |
# | permissions | `taskRoleArn`, `executionRoleArn` |
# | logs | `logConfiguration` |

# %% [markdown]
# ## 4. Network mode and ports
#
# | mode | a container's network | host port | where |
# |---|---|---|---|
# | `awsvpc` | the task has its own interface and address; its containers share `localhost` | same as the container port | Fargate, EC2, Managed Instances |
# | `bridge` | each container is on the instance's Docker bridge | fixed, or 0 for a free one | EC2, EXTERNAL |
# | `host` | the instance's own | same as the container port | EC2, EXTERNAL, Managed Instances |
# | `none` | no way out | no mappings | EC2, EXTERNAL |
#
# Leave `networkMode` out and you get `bridge`. Experiment 3: a fixed host port on an EC2 instance, and two tasks that want it.
# **Predict:** how is the second one refused?

# %%
lab.region.add_instance("demo")
ports = [{"containerPort": 80, "hostPort": 18080}]
register(family="fixed", requiresCompatibilities=["EC2"], networkMode="bridge", cpu=None, memory=None,
         containerDefinitions=[{**app, "memory": 64, "portMappings": ports}])
for _ in range(2):
    answer = ecs.run_task(cluster="demo", taskDefinition="fixed", launchType="EC2")
    print("started", len(answer["tasks"]), "failures", [failure["reason"] for failure in answer["failures"]])

# %% [markdown]
# No exception: `run_task` succeeds and lists what it could not place under `failures`. Read them. One port of an instance
# serves one task, so leave `hostPort` out, and Docker picks a free one for each.

# %%
register(family="free", requiresCompatibilities=["EC2"], networkMode="bridge", cpu=None, memory=None,
         containerDefinitions=[{**app, "memory": 64, "portMappings": [{"containerPort": 80}]}])
arns = [ecs.run_task(cluster="demo", taskDefinition="free", launchType="EC2")["tasks"][0]["taskArn"] for _ in range(2)]
lab.region.run_for("30s")
tasks = ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"]
host_ports = {task["containers"][0]["networkBindings"][0]["hostPort"] for task in tasks}
print(len(tasks), "tasks on", len(host_ports), "different host ports")

# %% [markdown]
# ## 5. Memory: hard and soft
#
# | setting | where | what it does |
# |---|---|---|
# | `memory` of the task | task | the most that all containers get together |
# | `memory` of a container | container | hard limit: more than that and the container is killed |
# | `memoryReservation` | container | soft limit: reserved on the instance, may be exceeded |
#
# Experiment 4. The app leaks 20 MiB a second into a container that may have 64. **Predict** the exit code.

# %%
register(family="leaky", containerDefinitions=[{**app, "memory": 64, "command": ["--leak", "20"]}])
task = ecs.run_task(cluster="demo", taskDefinition="leaky", launchType="FARGATE", networkConfiguration=network)["tasks"][0]
ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[task["taskArn"]])
container = ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]["containers"][0]
print("exit code", container["exitCode"])
print(container["reason"])

# %% [markdown]
# 137 is 128 + 9: the kernel killed it. The `reason` says that memory was why.

# %%
lab.exercise("task-definitions.memory")

# %% exercise="task-definitions.memory"
### BEGIN SOLUTION
register(family="soft", containerDefinitions=[{**app, "memory": 256, "memoryReservation": 128}])
### END SOLUTION

# %%
lab.check("task-definitions.memory")

# %% [markdown]
# ## 6. Health check
#
# ECS asks a container for its health only if the definition says how. The check runs **inside** the container; exit code 0
# means healthy.
#
# | field | default | meaning |
# |---|---|---|
# | `command` | none | `["CMD", ...]` runs a program, `["CMD-SHELL", "..."]` a shell line |
# | `interval`, `timeout` | 30 s, 5 s | how often, and how long one check may take |
# | `retries` | 3 | so many failures in a row make it `UNHEALTHY` |
# | `startPeriod` | off | failures in this time after the start do not count |
#
# Experiment 5. This app falls ill 20 seconds after it starts. **Predict:** what will ECS do with the task?

# %%
check = {"command": ["CMD", "/app", "health"], "interval": 10, "retries": 2}
register(family="patient", containerDefinitions=[{**app, "command": ["--unhealthy-after", "20"], "healthCheck": check}])
task = ecs.run_task(cluster="demo", taskDefinition="patient", launchType="FARGATE", networkConfiguration=network)["tasks"][0]
lab.region.run_for("2m")
task = ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]
print("status", task["lastStatus"], "health", task["healthStatus"])

# %% [markdown]
# Nothing: it reports the illness and leaves the task alone. Only a *service* replaces an unhealthy task (lab 03).

# %% [markdown]
# ## 7. Revisions
#
# | state | can new tasks use it? | how it gets there |
# |---|---|---|
# | `ACTIVE` | yes | `register_task_definition` |
# | `INACTIVE` | no; services that use it go on | `deregister_task_definition` |
# | `DELETE_IN_PROGRESS` | no | `delete_task_definitions`, from `INACTIVE` only |
#
# **Predict:** after revision 1 of a family is deregistered, what number does the next registration get?

# %%
register(family="life")
ecs.deregister_task_definition(taskDefinition="life:1")["taskDefinition"]["status"]

# %%
register(family="life")
try:
    ecs.run_task(cluster="demo", taskDefinition="life:1", launchType="FARGATE", networkConfiguration=network)
except ecs.exceptions.ClientException as error:
    print("life:1:", error.response["Error"]["Message"])

# %%
lab.exercise("task-definitions.retire")

# %% exercise="task-definitions.retire"
### BEGIN SOLUTION
register(family="old")
register(family="old")
ecs.deregister_task_definition(taskDefinition="old:1")
deleted = ecs.delete_task_definitions(taskDefinitions=["old:1"])
### END SOLUTION

# %%
lab.check("task-definitions.retire")

# %% [markdown]
# ## 8. Settings: environment and overrides
#
# `environment` gives a container its variables. **Predict:** who can read them?

# %%
password = {"name": "PASSWORD", "value": "swordfish"}
register(family="careless", containerDefinitions=[{**app, "environment": [password]}])
kept = ecs.describe_task_definition(taskDefinition="careless")["taskDefinition"]
print(kept["containerDefinitions"][0]["environment"])

# %% [markdown]
# Everyone who may describe the definition. A password belongs into `secrets`: there the definition holds only the ARN of a
# Secrets Manager secret or an SSM parameter, and the value reaches the container as a variable when it starts. If the secret
# changes later, running containers keep the old value.
#
# For one run you may replace the command and add variables without a new revision.

# %%
lab.exercise("task-definitions.override")

# %% exercise="task-definitions.override"
### BEGIN SOLUTION
overrides = {"containerOverrides": [{
    "name": "app",
    "command": ["--exit-after", "3", "--exit-code", "7"],
    "environment": [{"name": "MODE", "value": "test"}],
}]}
job = ecs.run_task(cluster="demo", taskDefinition="web", launchType="FARGATE", networkConfiguration=network, overrides=overrides)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("task-definitions.override")

# %% [markdown]
# ## 9. Two roles
#
# | | task role (`taskRoleArn`) | execution role (`executionRoleArn`) |
# |---|---|---|
# | who uses it | your code, inside the containers | Fargate or ECS's agent, before your code runs |
# | for what | S3, DynamoDB, ...; ECS Exec | pull from ECR, write logs, fetch secrets |
# | if it is missing | AWS refuses your code | the definition is refused, or the task cannot start |
#
# Experiment 6. **Predict** which of these need an execution role.

# %%
register(containerDefinitions=[{**app, "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1"}])
logs = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}}
register(containerDefinitions=[{**app, "logConfiguration": logs}])
secret = {"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db"}
register(containerDefinitions=[{**app, "secrets": [secret]}])
register(taskRoleArn="arn:aws:iam::123456789012:role/shop-app")

# %% [markdown]
# All but the last: pulling from a private ECR repository, sending logs and fetching secrets are done *for* your containers,
# before or beside them. Summaries often say that Fargate always needs an execution role. It does not: only a definition that
# uses one of these things does. And the task role never pulls an image.

# %%
lab.exercise("task-definitions.roles")

# %% exercise="task-definitions.roles"
### BEGIN SOLUTION
register(
    family="shop",
    taskRoleArn="arn:aws:iam::123456789012:role/shop-app",
    executionRoleArn="arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    containerDefinitions=[{**app, "logConfiguration": logs}],
)
### END SOLUTION

# %%
lab.check("task-definitions.roles")

# %% [markdown]
# ## 10. Logs
#
# What a container prints goes to its **log driver**. On Fargate that is `awslogs`, `splunk` or `awsfirelens`. The options of
# `awslogs`:
#
# | option | |
# |---|---|
# | `awslogs-group` | required; the log group must exist |
# | `awslogs-region` | required |
# | `awslogs-stream-prefix` | required on Fargate; the stream is `prefix/container/task id` |
# | `awslogs-create-group` | `false`; `true` needs `logs:CreateLogGroup`, which the managed execution policy does not have |
# | `mode` | `non-blocking` since June 2025: a full buffer drops lines. `blocking` makes the app wait instead |
#
# **Predict** what is wrong with each of these.

# %%
role = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"
for broken in (
    {"logDriver": "syslog"},
    {"logDriver": "awslogs", "options": {"awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}},
    {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1"}},
):
    register(family="talk", executionRoleArn=role, containerDefinitions=[{**app, "logConfiguration": broken}])

# %% [markdown]
# All this is checked when you register. Whether the log group, the secret or the image is **really there** is looked at only when a
# task starts: then the task stops with `TaskFailedToStart`, and its `stoppedReason` says what was missing (labs 04 and 11).
# **Where this Region is simpler:** it carries `awslogs` to its CloudWatch Logs, and no other driver anywhere. A task with another one
# runs, and `lab.region.logs(task_arn)` shows what its containers printed, under a line that says so.

# %% [markdown]
# ## 11. Data
#
# What a container writes beside its volumes is lost with it. A **volume** belongs to the task, and `mountPoints` say which containers
# see it, where, and whether they may write.
#
# | volume | its data live as long as | where |
# |---|---|---|
# | a name and nothing else | the task | Fargate and EC2 |
# | `host` with a `sourcePath` | the instance | EC2 |
# | `dockerVolumeConfiguration` | the task, or with the scope `shared` the instance | EC2 |
# | `efsVolumeConfiguration` | the EFS file system; many tasks may share it | Fargate and EC2 |
# | `configuredAtLaunch`: an **EBS** volume, one for a task | the task, unless `RunTask` asks to keep it; every task of a service gets a fresh one | Fargate and EC2 |
#
# A Fargate task has 20 GiB of its own for images and data, and may ask for 21 to 200 (`ephemeralStorage`).
#
# Experiment 7. Three containers write the same file when they start. One mounts the volume, one mounts it read-only, one not at all.
# **Predict** which of them fail.

# %%
def writer(name, port, **mount):
    mounts = [{"sourceVolume": "data", "containerPath": "/data", **mount}] if mount else []
    command = ["--port", port, "--write", "/data/report", "--exit-after", "60"]
    return {**app, "name": name, "command": command, "mountPoints": mounts, "essential": name == "writer"}


register(family="share", volumes=[{"name": "data"}], containerDefinitions=[
    writer("writer", "80", readOnly=False), writer("reader", "81", readOnly=True), writer("stranger", "82"),
])
task = ecs.run_task(cluster="demo", taskDefinition="share", launchType="FARGATE", networkConfiguration=network)["tasks"][0]
ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[task["taskArn"]])
for container in ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]["containers"]:
    print(f"{container['name']:9} exit code {container['exitCode']}  {lab.region.logs(task['taskArn'], container['name'])[0]}")

# %% [markdown]
# `reader` sees what `writer` has written, and cannot change it. For `stranger` there is no `/data` at all.

# %% [markdown]
# ## In the exam
#
# > - **Fargate:** `awsvpc`, task-level CPU and memory, exact pairs only.
# > - **Execution role** pulls images, writes logs, fetches secrets. **Task role** is for the application.
# > - **Many copies on one instance:** `bridge` without a host port, or `awsvpc`.
# > - **A definition is immutable;** a bare family name means the latest ACTIVE revision.
# > - **Deregistering stops nothing:** tasks and services that use the revision go on.
# > - **Init container:** `essential: false`, and the others wait for it with `SUCCESS`.
# > - **Data that must outlive a task, or be shared by many:** EFS. EBS is for one task.
# > - **A Dockerfile's `HEALTHCHECK` is not seen by ECS;** put it in the container definition.

# %%
lab.quiz("task-definitions", n=15, seed=2)

# %% [markdown]
# ## Summary
#
# - ECS checks a definition when you register it, and tells you exactly what is wrong.
# - The task has a size; containers share it. The hard limit kills, the soft limit reserves.
# - With `awsvpc` the task has an address; with `bridge` its containers have host ports.
# - Revisions only move forward.
# - Two roles: one for your code, one for those who start it.
#
# **Next:** [lab 03](03-services.ipynb) keeps tasks running.

# %% tags=["nbval-ignore-output"]
lab.progress()
