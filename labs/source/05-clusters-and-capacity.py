# %% [markdown]
# # Lab 05: Clusters and capacity
#
# **Time:** 45 to 60 minutes. **You need:** lab 03, and to know what an EC2 instance is.
#
# When you are done you can
# - let an EC2 instance join a cluster, and read what it has left,
# - say where a task will be placed, and why it was not,
# - pack, spread and pin tasks with strategies and constraints,
# - empty an instance for maintenance without losing a task, and spot a drain that never ends,
# - run one task on every instance, survive the loss of an Availability Zone, and buy Spot capacity with open eyes,
# - let ECS launch the instances that waiting tasks need.

# %% [markdown]
# ## The picture
#
# ![A task passes five gates: it must fit; the instance must be ACTIVE and connected; it must have the attributes; the constraints must allow it; and the strategies choose among what is left. Of three instances one is full, one is draining, and one takes the task.](images/05-clusters-and-capacity.svg)
#
# On Fargate, AWS finds a machine for each task. On EC2 the machines are **yours**: a cluster is a list of container instances, and
# ECS keeps their books.

# %%
import base64
import boto3
import ecslab
from collections import Counter

lab = ecslab.open_lab("05-clusters-and-capacity")
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. An instance joins
#
# A cluster begins empty. An EC2 instance becomes a **container instance** when the ECS agent on it registers. Which cluster it
# joins stands in its user data:
#
# ```bash
# echo ECS_CLUSTER=demo >> /etc/ecs/ecs.config
# ```

# %%
ecs.create_cluster(clusterName="demo")


def instances():
    """Every container instance of the cluster, with its attributes and what it has left, ordered by zone."""
    arns = ecs.list_container_instances(cluster="demo")["containerInstanceArns"]
    found = ecs.describe_container_instances(cluster="demo", containerInstances=arns)["containerInstances"] if arns else []
    for one in found:
        one["has"] = {a["name"]: a.get("value") for a in one["attributes"]}
        one["left"] = {r["name"]: r.get("stringSetValue") or r["integerValue"] for r in one["remainingResources"]}
        one["zone"] = one["has"]["ecs.availability-zone"]
    return sorted(found, key=lambda one: (one["zone"], one["registeredAt"]))


def show():
    for one in instances() or [None]:
        if one is None:
            print("no container instances")
            continue
        state = one["status"] if one["agentConnected"] else one["status"] + ", agent not connected"
        tasks = one["runningTasksCount"] + one["pendingTasksCount"]
        print(f"{one['zone']}  {one['has']['ecs.instance-type']:9}  CPU left {one['left']['CPU']:4}  memory left {one['left']['MEMORY']:4}  tasks {tasks}  {state}")


show()

# %%
lab.exercise("clusters.join")

# %% exercise="clusters.join"
### BEGIN SOLUTION
user_data = """#!/bin/bash
cat <<'END' >> /etc/ecs/ecs.config
ECS_CLUSTER=demo
ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}
END
"""
subnet = next(s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if s["AvailabilityZone"] == "us-east-1a")
ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=subnet, UserData=user_data)
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("clusters.join")

# %% [markdown]
# From here on we take a short cut: `lab.region.add_instance` does the same in one line. **Predict:** a `t3.medium` has 2 vCPU and
# 4 GiB. What does it register?

# %%
for zone in ("us-east-1b", "us-east-1c"):
    lab.region.add_instance("demo", "t3.medium", zone=zone)
if len(instances()) == 2:  # the exercise is still open: go on with an instance all the same
    first = lab.region.add_instance("demo", "t3.medium", zone="us-east-1a")
    ecs.put_attributes(cluster="demo", attributes=[{"name": "stack", "value": "prod", "targetId": first}])
show()
print("ports taken:", ", ".join(instances()[0]["left"]["PORTS"]))

# %% [markdown]
# A vCPU is 1024 CPU units. Of the 4096 MiB the system keeps some, so **less memory than the type has** is there for tasks. Five
# ports are taken from the start: ssh, Docker and the agent itself.

# %% [markdown]
# ## 2. Where tasks go
#
# | strategy | field | takes the instance with |
# |---|---|---|
# | `spread` | `attribute:ecs.availability-zone`, `instanceId`, any attribute | fewest tasks of this service or group per value |
# | `binpack` | `cpu` or `memory` | least left of it that still fits |
# | `random` | none | any |
#
# A service without a strategy spreads over zones. Strategies are wishes: they choose among what fits, and never prevent a task.

# %%
app = {"name": "app", "image": "ecslab/app:1.0"}


def define(family, cpu, memory, **container):
    ecs.register_task_definition(
        family=family, requiresCompatibilities=["EC2"], networkMode="bridge", cpu=str(cpu), memory=str(memory),
        containerDefinitions=[{**app, **container}],
    )


define("job", 512, 900)
define("web", 128, 128)


def run(family, count=1, **options):
    return ecs.run_task(cluster="demo", taskDefinition=family, launchType="EC2", count=count, **options)


def running(answer):
    """Wait until the tasks that were placed run."""
    ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[t["taskArn"] for t in answer["tasks"]])


def stable(service, cluster="demo"):
    """Wait until the service runs as many tasks as it should."""
    ecs.get_waiter("services_stable").wait(cluster=cluster, services=[service])


def stop_all(family):
    for arn in ecs.list_tasks(cluster="demo", family=family)["taskArns"]:
        ecs.stop_task(cluster="demo", task=arn)
    lab.region.run_for("30s")


running(run("job", 3, placementStrategy=[{"type": "spread", "field": "attribute:ecs.availability-zone"}]))
show()

# %% [markdown]
# **Predict:** a `job` reserves 512 units and 900 MiB. How many fit on one `t3.medium`, and what runs out first?

# %%
stop_all("job")
lab.exercise("clusters.pack")

# %% exercise="clusters.pack"
### BEGIN SOLUTION
running(run("job", 4, placementStrategy=[{"type": "binpack", "field": "memory"}]))
show()
### END SOLUTION

# %%
lab.check("clusters.pack")

# %% tags=["nbval-ignore-output"]
lab.instances("demo")

# %% [markdown]
# One instance full, two empty: those two could be switched off. **binpack saves money, spread saves you from failures**, and
# `[spread over zones, binpack memory]` is the usual compromise.

# %% [markdown]
# ## 3. Break it: no room
#
# Experiment 1. Three tasks that cannot run. **Predict** the reason of each: a task of 4 vCPU; three that all want host port 22;
# one that wants an instance whose `color` is `green`.

# %%
stop_all("job")
define("huge", 4096, 128)
define("ssh", 128, 128, portMappings=[{"containerPort": 80, "hostPort": 22}])
green = [{"type": "memberOf", "expression": "attribute:color == green"}]
for answer in (run("huge"), run("ssh", 3), run("web", placementConstraints=green)):
    print(len(answer["tasks"]), "placed;", dict(Counter(f["reason"] for f in answer["failures"])))

# %% [markdown]
# `RunTask` answers with `failures`, one for each instance that was looked at, and HTTP says 200: **read the answer, not only the
# status code**. A service keeps trying instead, and tells why in its events, once:

# %%
ecs.create_service(cluster="demo", serviceName="huge", taskDefinition="huge", desiredCount=1, launchType="EC2")
lab.region.run_for("5s")
print(ecs.describe_services(cluster="demo", services=["huge"])["services"][0]["events"][0]["message"].partition(" The closest")[0])
print(ecs.delete_service(cluster="demo", service="huge", force=True)["service"]["status"])

# %% [markdown]
# | reason | means |
# |---|---|
# | `RESOURCE:CPU`, `RESOURCE:MEMORY`, `RESOURCE:PORTS`, `RESOURCE:ENI`, `RESOURCE:GPU` | not enough left of it |
# | `AGENT` | the agent is not connected |
# | `ATTRIBUTE` | the instance lacks something the definition needs, such as a log driver |
# | `LOCATION` | the task's subnets are in other zones |
#
# **Constraints** are not wishes: `memberOf` takes an expression, `distinctInstance` puts no two tasks of a group on one instance.

# %%
lab.exercise("clusters.pin")

# %% exercise="clusters.pin"
### BEGIN SOLUTION
second = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1b")
ecs.put_attributes(cluster="demo", attributes=[{"name": "stack", "value": "prod", "targetId": second}])
ecs.create_service(
    cluster="demo", serviceName="reports", taskDefinition="job", desiredCount=2, launchType="EC2",
    placementConstraints=[
        {"type": "memberOf", "expression": "attribute:stack == prod"},
        {"type": "distinctInstance"},
    ],
)
stable("reports")
### END SOLUTION

# %%
lab.check("clusters.pin")

# %% [markdown]
# ## 4. Maintenance: drain an instance
#
# Beside `reports` runs a service of four small tasks. The instance in `us-east-1b` needs a new kernel. An instance that is
# `DRAINING` takes no new tasks, and its services' tasks are **replaced elsewhere**, as minimumHealthyPercent and maximumPercent
# allow. Tasks you ran yourself are left alone.

# %%
ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=4, launchType="EC2")
stable("web")
lab.region.run_for("45s")


def where(service):
    """How many RUNNING tasks of the service each zone has."""
    arns = ecs.list_tasks(cluster="demo", serviceName=service)["taskArns"]
    tasks = ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if arns else []
    return dict(sorted(Counter(t["availabilityZone"][-1] for t in tasks if t["lastStatus"] == "RUNNING").items()))


print("web:", where("web"))

# %% [markdown]
# Experiment 2. **Predict:** after a minute and a half, what is left on the draining instance?

# %%
second = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1b")
ecs.update_container_instances_state(cluster="demo", containerInstances=[second], status="DRAINING")
fewest = 4
for _ in range(15):
    lab.region.run_for("6s")
    fewest = min(fewest, sum(where("web").values()))
print("fewest tasks of web:", fewest)
show()

# %% tags=["nbval-ignore-output"]
lab.instances("demo")

# %% [markdown]
# `web` has moved, and never had fewer than four tasks. But the `reports` task stays: its constraints leave it **no other instance**,
# and with a minimum of 100 percent it may not stop before its replacement runs. This drain never ends by itself.

# %%
lab.exercise("clusters.drain")

# %% exercise="clusters.drain"
### BEGIN SOLUTION
third = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1c")
ecs.put_attributes(cluster="demo", attributes=[{"name": "stack", "value": "prod", "targetId": third}])
lab.region.run_for("90s")
ecs.get_waiter("services_stable").wait(cluster="demo", services=["web", "reports"])
show()
### END SOLUTION

# %%
lab.check("clusters.drain")

# %% [markdown]
# The kernel is patched. **Predict:** when the instance is `ACTIVE` again, does anything come back to it?

# %%
second = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1b")
print("before:", where("web"))
ecs.update_container_instances_state(cluster="demo", containerInstances=[second], status="ACTIVE")
lab.region.run_for("75s")
print("after: ", where("web"))

# %% [markdown]
# It does, by **Availability Zone rebalancing**, which a new service has on unless it cannot act: a steady service whose tasks lean to
# some zones starts tasks in the others, and stops the surplus when those are healthy. Without it ECS would leave them
# where they are.

# %% [markdown]
# ## 5. One on each: a daemon
#
# Log shippers and monitoring agents belong on **every** instance. A service with the scheduling strategy `DAEMON` has no desired
# count of its own; the instances decide.

# %%
define("agent", 128, 64)
try:
    ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="agent", schedulingStrategy="DAEMON", desiredCount=3)
except ecs.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"])

# %%
lab.exercise("clusters.daemon")

# %% exercise="clusters.daemon"
### BEGIN SOLUTION
ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="agent", schedulingStrategy="DAEMON", launchType="EC2")
lab.region.run_for("30s")
lab.region.add_instance("demo", "t3.medium", zone="us-east-1a")
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("clusters.daemon")

# %% [markdown]
# A daemon is the **first** on a new instance and the **last** on a draining one. An update stops the old task of an instance
# before it starts the new one: maximumPercent is always 100, and minimumHealthyPercent, 0 unless you say otherwise, decides how
# many instances at a time are without their agent.

# %% [markdown]
# ## 6. Break it: lose a zone
#
# Experiment 3. `us-east-1a` fails: every instance and every task in it is gone at once. **Predict:** how many tasks of `web` run a
# minute later, and where?

# %%
print("before:", where("web"))
lab.region.fail_zone("us-east-1a")
lab.region.run_for("50s")
print("after: ", where("web"))
show()

# %% tags=["nbval-ignore-output"]
lab.instances("demo")

# %%
lost = ecs.list_tasks(cluster="demo", serviceName="web", desiredStatus="STOPPED")["taskArns"]
told = [t for t in ecs.describe_tasks(cluster="demo", tasks=lost)["tasks"] if t["stopCode"] == "TerminationNotice"]
print(told[0]["stopCode"], "-", told[0]["stoppedReason"].partition(" (")[0], "...")

# %% [markdown]
# ECS started the lost tasks elsewhere, because there was **room** elsewhere. Plan for it: with three zones, two must hold
# everything. Now the zone comes back, and rebalancing does the rest.

# %%
lab.region.restore_zone("us-east-1a")
lab.region.run_for("75s")
print("web:", where("web"))

# %% tags=["nbval-ignore-output"]
lab.timeline("web", last="4m")

# %% [markdown]
# ## 7. Capacity providers: Fargate and Spot
#
# A **capacity provider strategy** takes the place of the launch type. `base` tasks go to one provider first; all others follow the
# weights. `FARGATE_SPOT` is spare capacity: up to 70 percent cheaper, and taken back with **two minutes' notice**.

# %%
ecs.create_cluster(clusterName="shop", capacityProviders=["FARGATE", "FARGATE_SPOT"])
ecs.register_task_definition(
    family="shop", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[app]
)
subnets = sorted((s["AvailabilityZone"], s["SubnetId"]) for s in ec2.describe_subnets()["Subnets"])
network = {"awsvpcConfiguration": {"subnets": [subnet for _, subnet in subnets[:2]]}}


def providers(status="RUNNING"):
    """How many tasks of the service each provider has."""
    arns = ecs.list_tasks(cluster="shop", family="shop", desiredStatus=status)["taskArns"]
    tasks = ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"] if arns else []
    return dict(sorted(Counter(t["capacityProviderName"] for t in tasks if t["lastStatus"] == status).items()))

# %% [markdown]
# **Predict:** six tasks, two of them always on `FARGATE`, and of all others one in four there too. How many are on Spot?

# %%
lab.exercise("clusters.spot-mix")

# %% exercise="clusters.spot-mix"
### BEGIN SOLUTION
ecs.create_service(
    cluster="shop", serviceName="shop", taskDefinition="shop", desiredCount=6, networkConfiguration=network,
    capacityProviderStrategy=[
        {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ],
)
stable("shop", "shop")
print(providers())
### END SOLUTION

# %%
lab.check("clusters.spot-mix")

# %% [markdown]
# Experiment 4. AWS wants its spare capacity back, all of it. **Predict:** do the lost tasks come back on `FARGATE`?

# %%
told = lab.region.interrupt_spot()
lab.region.run_for("5s")
print("still running:", providers())
lab.region.run_for("1m")
print("a minute later:", providers())
for arn in told[:1]:
    task = ecs.describe_tasks(cluster="shop", tasks=[arn])["tasks"][0]
    print(task["stopCode"], "-", task["stoppedReason"])

# %% [markdown]
# They come back on **Spot**, where this lab always has some left. On AWS there may be none for hours, and **ECS does not fall back
# to `FARGATE`**: what must never be missing belongs into `base`. The notice is a `SIGTERM`; a container that needs longer than
# 30 seconds to finish sets `stopTimeout`, up to 120.

# %% [markdown]
# ## 8. Machines that come when they are needed
#
# Who launches the instances? An **Auto Scaling group** can, and a capacity provider on top of it lets ECS say how many. Tasks that find
# no room wait in `PROVISIONING`, ECS works out how many instances they need, and **managed scaling** sets the group's desired
# capacity so that `CapacityProviderReservation` = needed / running × 100 meets its target.
#
# The cluster `batch` has no instance at all, and a group that may have up to four:

# %%
autoscaling = boto3.client("autoscaling")
ecs.create_cluster(clusterName="batch")
bootstrap = base64.b64encode(b"#!/bin/bash\necho ECS_CLUSTER=batch >> /etc/ecs/ecs.config\n").decode()
ec2.create_launch_template(
    LaunchTemplateName="worker", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.medium", "UserData": bootstrap}
)
autoscaling.create_auto_scaling_group(
    AutoScalingGroupName="workers", MinSize=0, MaxSize=4, DesiredCapacity=0,
    LaunchTemplate={"LaunchTemplateName": "worker"}, VPCZoneIdentifier=",".join(subnet for _, subnet in subnets[:2]),
)
group = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"][0]


def workers():
    """The group's desired capacity, and how many tasks of the cluster are in which state."""
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["workers"])["AutoScalingGroups"][0]
    arns = ecs.list_tasks(cluster="batch")["taskArns"]
    tasks = ecs.describe_tasks(cluster="batch", tasks=arns)["tasks"] if arns else []
    states = dict(sorted(Counter(t["lastStatus"] for t in tasks).items()))
    return found["DesiredCapacity"], states


print(workers())

# %% [markdown]
# **Predict:** six tasks of `job`, four fit on one `t3.medium`. How many instances will come?

# %%
lab.exercise("clusters.managed-scaling")

# %% exercise="clusters.managed-scaling"
### BEGIN SOLUTION
ecs.create_capacity_provider(
    name="workers",
    autoScalingGroupProvider={"autoScalingGroupArn": group["AutoScalingGroupARN"], "managedScaling": {"status": "ENABLED", "targetCapacity": 100}},
)
strategy = [{"capacityProvider": "workers", "weight": 1}]
ecs.put_cluster_capacity_providers(cluster="batch", capacityProviders=["workers"], defaultCapacityProviderStrategy=strategy)
lab.region.run_for("10s")
ecs.run_task(cluster="batch", taskDefinition="job", count=6)
print(workers())
for _ in range(24):
    lab.region.run_for("10s")
    if workers()[1] == {"RUNNING": 6}:
        break
print(workers())
### END SOLUTION

# %%
lab.check("clusters.managed-scaling")

# %% [markdown]
# Two instances: the tasks waited, the group grew, the agents joined, the tasks started. When the work is over, managed scaling waits for
# 15 minutes of too much capacity before it takes an instance away, and takes only those without tasks (daemons do not
# count).

# %% [markdown]
# ## In the exam
#
# > - **Constraints must, strategies would like to.** `spread` for availability, `binpack` for cost, `random` for neither.
# > - **`DAEMON`**: one per instance, no desired count, no placement strategy, not on Fargate.
# > - **`DRAINING`** replaces service tasks within the band; tasks run by hand stay until you stop them.
# > - **`base` comes first, `weight` divides the rest.** Only one provider may have a base. Fargate and Auto Scaling group providers do not mix.
# > - **Fargate Spot**: two minutes, `SIGTERM`, no fallback. EC2 Spot drains only with `ECS_ENABLE_SPOT_INSTANCE_DRAINING=true`.
# > - **No container instances?** User data without `ECS_CLUSTER`, no instance role, or no way out to the ECS endpoints.

# %%
lab.quiz("clusters", n=15, seed=5)

# %% [markdown]
# ## Summary
#
# - A cluster on EC2 is bookkeeping: what each instance registered, less what its tasks reserve.
# - Gates decide where a task may run, strategies where it should. When it may run nowhere, the reason is in the answer.
# - Capacity goes away: by maintenance, by failure, by Spot. Services replace what they lose, if there is room for it.
#
# **Next:** lab 06 looks at the network between those tasks. Try `lab.region.interrupt_spot(rate=2)` first: each Spot task is
# interrupted about twice an hour from now on.

# %% tags=["nbval-ignore-output"]
lab.progress()
