# %% [markdown]
# # Lab 01: Concepts
#
# **Time:** 30 to 45 minutes. **You need:** lab 00.
#
# When you are done you can
# - say what ECS is for, and name its five words: cluster, task definition, task, service, container instance,
# - tell a task on its own from a task of a service,
# - choose between Fargate and EC2, and say what each leaves to you,
# - say why a task stopped, and whether another one takes its place.

# %% [markdown]
# ## The picture
#
# ![A cluster holds a service and its tasks. The service starts tasks from a task definition. A task runs on Fargate, or on a container instance that you manage.](images/01-concepts.svg)
#
# ECS runs containers for you on many machines. You say **what** should run and **how many**; it decides where, starts it, and,
# if you asked for a service, keeps it so.
#
# | word | what it is |
# |---|---|
# | **container** | one running image |
# | **task definition** | the recipe: images, CPU, memory, network, roles. It never changes; a new version is a new *revision* |
# | **task** | one run of a recipe: one or more containers that live and die together |
# | **service** | a promise to keep a number of tasks running |
# | **cluster** | a name that groups services and tasks, and the capacity they run on |
# | **container instance** | an EC2 instance of yours that has joined a cluster |

# %%
import boto3
import ecslab

lab = ecslab.open_lab("01-concepts")
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")

# %% [markdown]
# ## 1. A cluster is a name
#
# **Predict:** how many machines does a new cluster have?

# %%
cluster = ecs.create_cluster(clusterName="demo")["cluster"]
print(cluster["status"], "with", cluster["registeredContainerInstancesCount"], "container instances")

# %% [markdown]
# None. A cluster costs nothing and runs nothing by itself. It is regional, and it is not a network: tasks of two clusters may
# share a VPC, and tasks of one cluster may be in two.

# %%
lab.exercise("concepts.cluster")

# %% exercise="concepts.cluster"
### BEGIN SOLUTION
staging = ecs.create_cluster(clusterName="staging", settings=[{"name": "containerInsights", "value": "enabled"}])
### END SOLUTION

# %%
lab.check("concepts.cluster")

# %% [markdown]
# ## 2. A recipe and its runs
#
# We register a task definition twice. **Predict:** does the second call change the first?

# %%
recipe = {
    "family": "web",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 80}]}],
}
for _ in range(2):
    registered = ecs.register_task_definition(**recipe)["taskDefinition"]
    print(registered["family"], "revision", registered["revision"], registered["status"])

# %% [markdown]
# It makes revision 2; revision 1 stays as it was. `web` alone means the latest active revision, `web:1` means exactly that one.
#
# Now one run of it. A task needs a network, because Fargate gives every task its own network interface.

# %%
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}
task = ecs.run_task(cluster="demo", taskDefinition="web", launchType="FARGATE", networkConfiguration=network)["tasks"][0]
lab.region.run_for("30s")
task = ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]
print("status  ", task["lastStatus"])
print("group   ", task["group"])
print("size    ", task["cpu"], "CPU units,", task["memory"], "MiB")
print("network ", task["attachments"][0]["type"], task["attachments"][0]["status"])

# %% [markdown]
# 1024 CPU units are one vCPU, so this task has a quarter of one.

# %%
lab.exercise("concepts.two-containers")

# %% exercise="concepts.two-containers"
### BEGIN SOLUTION
ecs.register_task_definition(**{
    **recipe, "family": "pair",
    "containerDefinitions": [
        {"name": "app", "image": "ecslab/app:1.0"},
        {"name": "helper", "image": "ecslab/app:1.0", "command": ["--port", "81"]},
    ],
})
ecs.run_task(cluster="demo", taskDefinition="pair", launchType="FARGATE", networkConfiguration=network)
lab.region.run_for("30s")
### END SOLUTION

# %%
lab.check("concepts.two-containers")

# %% [markdown]
# ## 3. Break it: a task on its own
#
# Experiment 1. We kill the container of the task we ran. **Predict:** what will ECS do about it?

# %%
lab.region.kill(task["taskArn"])
lab.region.run_for("2m")
task = ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]
print(task["lastStatus"], "because:", task["stoppedReason"])
running = ecs.list_tasks(cluster="demo", family="web")["taskArns"]
print(len(running), "tasks of the family web are running")

# %% [markdown]
# Nothing. A task from `run_task` is a job: it runs, it ends, ECS reports how. `run_task` is right for work that finishes:
# a migration, a report, a nightly batch.

# %% [markdown]
# ## 4. A service is a promise
#
# For something that must stay up, you ask for a service. **Predict** what happens when we kill one of its tasks.

# %%
ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2,
                   launchType="FARGATE", networkConfiguration=network)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
victim = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
lab.region.kill(victim)
lab.region.run_for("1m")
after = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]
print(len(after), "tasks are running; the killed one is among them:", victim in after)

# %% [markdown]
# The service started a new task. The old one stays dead: ECS never restarts a stopped task, a service replaces it.

# %%
lab.exercise("concepts.service")

# %% exercise="concepts.service"
### BEGIN SOLUTION
ecs.create_service(cluster="demo", serviceName="api", taskDefinition="web:1", desiredCount=3,
                   launchType="FARGATE", networkConfiguration=network)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("concepts.service")

# %% [markdown]
# ## 5. Where does it run? Launch types
#
# | | Fargate | EC2 |
# |---|---|---|
# | servers | none to see; AWS manages them | instances of yours, with an agent, patched by you |
# | you pay for | the CPU and memory a task asks for, by the second | the instances, busy or not |
# | network modes | `awsvpc` only | `awsvpc`, `bridge`, `host`, `none` |
# | good for | no servers to care for, uneven load | special instances, GPUs, steady load packed tightly |
#
# Two more exist: **EXTERNAL** for machines outside AWS (ECS Anywhere), and **Managed Instances**, EC2 instances in your
# account that AWS looks after.
#
# Experiment 2. We ask for EC2 in a cluster that has no instance. **Predict** the answer.

# %%
ecs.register_task_definition(
    family="classic", networkMode="bridge", requiresCompatibilities=["EC2"],
    containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0", "memory": 128, "portMappings": [{"containerPort": 80}]}],
)
try:
    ecs.run_task(cluster="demo", taskDefinition="classic", launchType="EC2")
except ecs.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"])

# %% [markdown]
# Fargate would not have asked. With EC2 the machines are your business: one has to join the cluster first.
# `lab.region.add_instance` launches an EC2 instance whose agent registers it.

# %%
lab.exercise("concepts.instance")

# %% exercise="concepts.instance"
### BEGIN SOLUTION
lab.region.add_instance("demo")
ecs.run_task(cluster="demo", taskDefinition="classic", launchType="EC2")
lab.region.run_for("30s")
### END SOLUTION

# %%
lab.check("concepts.instance")

# %% [markdown]
# Experiment 3. Can the recipe for EC2 run on Fargate? It uses `bridge` and has no task size. **Predict**, then run.

# %%
try:
    ecs.run_task(cluster="demo", taskDefinition="classic", launchType="FARGATE")
except ecs.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"])
definition = ecs.describe_task_definition(taskDefinition="classic")["taskDefinition"]
print("it could run on:", ", ".join(definition["compatibilities"]))

# %% [markdown]
# `compatibilities` is what a definition *could* run on; `requiresCompatibilities` is what you asked ECS to check.

# %% [markdown]
# ## 6. Where the summaries are wrong
#
# | you may read | what is true |
# |---|---|
# | "Fargate scales automatically" | there are no servers to scale, but the number of tasks stays at `desiredCount` until auto scaling or you change it |
# | "bridge and host are EC2 only" | not on Fargate; but EXTERNAL has both, and Managed Instances have host |
# | "Fargate: at most 4 vCPU" | 16 vCPU since 2022, and 32 vCPU since 2026 |
# | "Fargate costs more" | per vCPU, yes; an instance that is half empty can cost more |

# %%
lab.exercise("concepts.clean-up")

# %% exercise="concepts.clean-up"
### BEGIN SOLUTION
for name in ("web", "api"):
    ecs.delete_service(cluster="demo", service=name, force=True)
for arn in ecs.list_tasks(cluster="demo")["taskArns"]:
    ecs.stop_task(cluster="demo", task=arn)
lab.region.run_for("2m")
### END SOLUTION

# %%
lab.check("concepts.clean-up")

# %% [markdown]
# ## In the exam
#
# > - **Long-running and must stay up:** a service. **Runs and ends:** `RunTask`, also on a schedule.
# > - **"No servers to manage", "uneven load":** Fargate. **"GPU", "own AMI", "Reserved Instances", "host access":** EC2.
# > - **A stopped task never comes back.** A service starts another one.
# > - **A task definition is immutable.** Every change is a new revision.
# > - **The control plane is free** with Fargate and EC2; you pay for what runs.

# %%
lab.quiz("concepts", n=15, seed=2)

# %% [markdown]
# ## Summary
#
# - A cluster is a name; a task definition is a recipe; a task is one run of it; a service keeps a number of tasks.
# - `run_task` for work that ends, a service for what must stay.
# - Fargate takes the machines off your hands; EC2 leaves them, and their prices, to you.
#
# **Next:** [lab 02](02-task-definitions.ipynb) takes the recipe apart.

# %% tags=["nbval-ignore-output"]
lab.progress()
