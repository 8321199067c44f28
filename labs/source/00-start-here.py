# %% [markdown]
# # Lab 00: Start here
#
# **Time:** ten minutes. Nothing here can reach real AWS or cost money.
#
# When you are done you know
# - what this workbook is and how a lab works,
# - how to run your first task on Amazon ECS,
# - where to find hints, quizzes, the board and your progress.

# %% [markdown]
# ## What this is
#
# ![Your notebook talks to a private AWS Region on your own machine. The Region runs tasks as Docker containers, or plays them in virtual time, and a teacher reads the Region to check your exercises.](images/00-start-here.svg)
#
# You write ordinary boto3, as you would for real AWS. A private AWS Region on your machine answers. What real ECS refuses is
# refused here, in the same words; what real ECS starts really starts. Run the next cell: press **Shift+Enter**.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("00-start-here")
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")

# %% [markdown]
# The line above says which **engine** runs your tasks:
#
# | engine | when | what happens |
# |---|---|---|
# | `docker` | a Docker engine runs on this machine | tasks are real containers; the Region's time runs ten times as fast as yours, in some labs faster |
# | `simulated` | no Docker, for example on Binder | no containers; time stands still until you move it |
#
# The lab is the same either way. `ecslab doctor` in a terminal says what is here and how to get what is missing.

# %% [markdown]
# ## Your first task
#
# Three things are needed to run a container on ECS. A **cluster** is the place. A **task definition** is the recipe: which
# image, how much CPU and memory. A **task** is one run of the recipe.

# %%
ecs.create_cluster(clusterName="hello")
ecs.register_task_definition(
    family="first",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
)
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
task = ecs.run_task(
    cluster="hello", taskDefinition="first", launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
)["tasks"][0]
print("The task is", task["lastStatus"], "and should be", task["desiredStatus"])

# %% [markdown]
# `PROVISIONING`: ECS has written your wish down and is making a network interface. **Predict:** which states come before
# `RUNNING`? Let 20 seconds of the Region's time pass and look.

# %%
lab.region.run_for("20s")
print(" -> ".join(lab.region.history(task["taskArn"])))

# %% [markdown]
# The `aws` command is here too and reaches the same Region. In a JupyterLab terminal, `eval "$(ecslab env)"` points it there.

# %%
# !aws ecs describe-clusters --clusters hello --query "clusters[0].[clusterName,status,runningTasksCount]" --output text

# %% [markdown]
# What did the container print?

# %%
print("\n".join(lab.region.logs(task["taskArn"])))

# %% [markdown]
# ## The board
#
# The board shows the tasks of a cluster moving through their states. Right-click it and choose **Create New View for Output**
# to keep it beside a notebook.

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## An exercise
#
# Exercises are checked by looking at your Region. **Check** says what it saw and what it wanted. **Hint** opens four hints, one
# at a time, from a nudge to the solution: taking one never costs you the exercise. Try it.

# %%
lab.exercise("start.stop-your-task")

# %% exercise="start.stop-your-task"
### BEGIN SOLUTION
ecs.stop_task(cluster="hello", task=task["taskArn"], reason="done for today")
lab.region.run_for("1m")
### END SOLUTION

# %% [markdown]
# `lab.check` does the same as the button, in text.

# %%
lab.check("start.stop-your-task")

# %% [markdown]
# ## A quiz
#
# Every lab ends with one. It can be taken by keyboard alone; every option is explained after you answer. Here are three
# questions to try it. In a terminal: `ecslab quiz concepts`.

# %%
lab.quiz("concepts", n=3, seed=1)

# %% [markdown]
# ## Your progress
#
# What you pass and answer is kept in one file on this machine and is there tomorrow. On Binder, where a session forgets
# everything, download it: `ecslab progress --export mine.json` in a terminal, and `--import mine.json` next time.

# %% tags=["nbval-ignore-output"]
lab.progress()

# %% [markdown]
# ## The labs
#
# | lab | what you learn |
# |---|---|
# | [01 Concepts](01-concepts.ipynb) | cluster, task definition, task, service, launch types |
# | [02 Task definitions](02-task-definitions.ipynb) | every part of the recipe, and what ECS says when it is wrong |
# | [03 Services](03-services.ipynb) | a number of healthy tasks, kept: healing, scaling, rolling updates |
# | [04 Tasks and their lifecycle](04-tasks-and-lifecycle.ipynb) | states, exit codes, SIGTERM, order of containers, jobs once and by the clock |
# | [05 Clusters and capacity](05-clusters-and-capacity.ipynb) | instances, placement, draining, capacity providers, Spot |
# | [06 Networking](06-networking.ipynb) | addresses, security groups, names, and what stands between two tasks |
# | [07 Load balancing](07-load-balancing.ipynb) | target groups, health checks, 502 or 503 or 504, shares of traffic |
# | [08 Deployments](08-deployments.ipynb) | rolling, blue/green, canary, and who takes a broken version back |
# | [09 Auto scaling](09-auto-scaling.ipynb) | target tracking, steps, schedules, and what a day of it costs |
# | [10 Security](10-security.ipynb) | two roles, secrets, least privilege, closed containers, an audit |
# | [11 Monitoring and logging](11-monitoring-and-logging.ipynb) | logs, metrics, alarms, events, and four broken services to mend |
# | [12 Pricing](12-pricing.ipynb) | what a task costs, reading a bill, Fargate or EC2 |
# | [20 The exam](20-exam.ipynb) | a mock exam under real rules, and what to do with its result |
