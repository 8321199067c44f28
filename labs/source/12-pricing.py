# %% [markdown]
# # Lab 12: Pricing
#
# **Time:** 40 to 50 minutes. **You need:** labs 03 and 07.
#
# When you are done you can
# - work out what a task costs in an hour and in a month,
# - read a bill, and find what goes on costing when nothing runs,
# - give tasks the size they need, and no more,
# - say when EC2 is cheaper than Fargate, and when Spot and ARM are worth it.

# %% [markdown]
# ## The picture
#
# ![ECS itself is free. Fargate is paid for the size a task asked for, by the second, EC2 for whole instances, busy or idle. Around the tasks stand things paid by the hour whether tasks run or not: load balancer, NAT gateway, public addresses, volumes.](images/12-pricing.svg)
#
# Nothing here costs anything: the region is on your machine. `lab.bill()` says what the same would have cost on AWS, from what
# really ran. The prices are those of one region of AWS on one day; **prices change**, the arithmetic stays.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("12-pricing")
ecs, ec2, elb = boto3.client("ecs"), boto3.client("ec2"), boto3.client("elbv2")

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. One task, one hour
#
# Fargate charges for two things: vCPU and memory, at 0.04048 dollars for a vCPU-hour and 0.004445 dollars for a GB-hour (Linux on x86).
# **Predict:** what does a task of 0.5 vCPU and 1 GB cost in an hour, and in a month of 730 hours?

# %%
hour = 0.5 * 0.04048 + 1 * 0.004445
print(f"${hour:.5f} an hour, ${hour * 730:.2f} a month")

# %% [markdown]
# The command line knows all prices of this lab. Try other sizes, `--arch ARM64`, `--spot 0.5`, `--ephemeral 100`:

# %% tags=["nbval-ignore-output"]
# !ecslab price fargate --cpu 512 --memory 1024 --hours 730

# %% [markdown]
# ## 2. The first bill
#
# A service with two such tasks, as many people start: public addresses, and a load balancer in front.

# %%
ecs.create_cluster(clusterName="demo", capacityProviders=["FARGATE", "FARGATE_SPOT"])
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
private = {"awsvpcConfiguration": {"subnets": subnets}}
public = {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}}


def define(family, cpu, memory, *command, **more):
    app = {"name": "app", "image": "ecslab/app:1.0", "command": list(command), "portMappings": [{"containerPort": 80}]}
    settings = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", **more}
    ecs.register_task_definition(family=family, cpu=str(cpu), memory=str(memory), containerDefinitions=[app], **settings)


define("web", 512, 1024)
balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
group = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", HealthCheckPath="/health")
group = group["TargetGroups"][0]["TargetGroupArn"]
elb.modify_target_group_attributes(
    TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
)
listener = elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
)
created = ecs.create_service(
    cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE", networkConfiguration=public,
    loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
)
lab.region.run_for("1m")

# %% [markdown]
# **Predict:** two tasks cost 36.04 dollars a month. Which share of the whole is that?

# %%
lab.bill()

# %% tags=["nbval-ignore-output"]
lab.month()

# %% [markdown]
# About **half**. The load balancer and four public addresses (two of the tasks, two of the load balancer) cost as much as the tasks.
# And there is no line for ECS: clusters, services and deployments are free.

# %% [markdown]
# ## 3. Asked for is paid for
#
# Somebody was careful and gave the service `api` tasks of 2 vCPU and 8 GB. **Predict:** it has almost nothing to do. Is it cheap?

# %%
define("api", 2048, 8192)
created = ecs.create_service(
    cluster="demo", serviceName="api", taskDefinition="api", desiredCount=2, launchType="FARGATE", networkConfiguration=private,
)
lab.region.run_for("130s")
for owner, dollars in lab.bill().months(by="service").items():
    print(f"{owner:<25} ${dollars:>6} a month")

# %% [markdown]
# Fargate bills the size a task **asked for**, from the image pull until the task has stopped. CloudWatch knows what it used:

# %% tags=["nbval-ignore-output"]
lab.right_size("api")

# %%
lab.exercise("pricing.right-size")

# %% exercise="pricing.right-size"
### BEGIN SOLUTION
define("api", 256, 512)
answer = ecs.update_service(cluster="demo", service="api", taskDefinition="api")
ecs.get_waiter("services_stable").wait(cluster="demo", services=["api"])
### END SOLUTION

# %%
lab.check("pricing.right-size")

# %% [markdown]
# Peaks count, not averages: a task needs room for its worst minute, and some headroom above. Sizes come in steps: with 0.25 vCPU
# there are 0.5, 1 and 2 GB, nothing between.

# %% [markdown]
# ## 4. Break it: many short jobs
#
# Experiment 1. Every order starts a task of its own that works for **5 seconds**. **Predict:** for how many seconds are 8 orders
# billed?

# %%
define("order", 256, 512, "--exit-after", "5")
started = ecs.run_task(cluster="demo", taskDefinition="order", count=8, launchType="FARGATE", networkConfiguration=private)
ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[task["taskArn"] for task in started["tasks"]])
[line] = [line for line in lab.bill().lines if line.owner == "family:order in demo" and line.unit == "vCPU-hour"]
print(line.what, "-", round(line.quantity * 3600 * 4), "seconds")  # a quarter of a vCPU each

# %% [markdown]
# Eight times **60**: a minute is the least a task is billed for. A hundred thousand such tasks a day pay for twelve times the work they do.
# One task that takes many orders, from a queue for instance, pays its minute once.

# %%
lab.exercise("pricing.batch")

# %% exercise="pricing.batch"
### BEGIN SOLUTION
define("batch", 256, 512, "--exit-after", "40")
started = ecs.run_task(cluster="demo", taskDefinition="batch", launchType="FARGATE", networkConfiguration=private)
ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[started["tasks"][0]["taskArn"]])
### END SOLUTION

# %%
lab.check("pricing.batch")

# %% [markdown]
# ## 5. Break it: nothing runs, and it costs
#
# Experiment 2. A test system in private subnets: a NAT gateway with its address for the way out, a load balancer for the way in, and a
# service. For the weekend somebody sets the service to 0. **Predict:** which part of its bill is left?

# %%
address = ec2.allocate_address(Domain="vpc")["AllocationId"]
gateway = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
test_front = elb.create_load_balancer(Name="test-front", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
created = ecs.create_service(
    cluster="demo", serviceName="test", taskDefinition="web", desiredCount=1, launchType="FARGATE", networkConfiguration=private,
)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["test"])
parts = {"service": "service:test in demo", "NAT gateway": f"NAT gateway {gateway}", "load balancer": "load balancer test-front"}


def show():
    months = lab.bill().months(by="service")
    print(", ".join(f"{name} ${months[owner]}" for name, owner in parts.items()))


show()
answer = ecs.update_service(cluster="demo", service="test", desiredCount=0)
lab.region.run_for("45s")
show()

# %% [markdown]
# **60 dollars a month** for nothing: 36.50 for NAT gateway and address, 23.73 for the load balancer and its two addresses. Scaling to zero
# saves what the tasks cost, not what stands around them.

# %%
lab.exercise("pricing.forgotten")

# %% exercise="pricing.forgotten"
### BEGIN SOLUTION
answer = ec2.delete_nat_gateway(NatGatewayId=gateway)
answer = ec2.release_address(AllocationId=address)
answer = elb.delete_load_balancer(LoadBalancerArn=test_front)
### END SOLUTION

# %%
lab.check("pricing.forgotten")

# %% [markdown]
# A NAT gateway costs as much as **ten** public addresses, and 0.045 dollars for each GB on top. A few tasks that only fetch images and talk to
# AWS are cheaper with public addresses and a closed security group, or with VPC endpoints; many tasks share one gateway.

# %% [markdown]
# ## 6. The same for less: Spot and ARM
#
# **Fargate Spot** is spare capacity: up to 70 percent off, and AWS may take it back with two minutes' notice. A *base* on `FARGATE` keeps
# some tasks safe. **Predict:** of 4 tasks, 1 is on demand and 3 on Spot. What is saved?

# %%
lab.exercise("pricing.spot")

# %% exercise="pricing.spot"
### BEGIN SOLUTION
define("worker", 256, 512)
created = ecs.create_service(
    cluster="demo", serviceName="workers", taskDefinition="worker", desiredCount=4, networkConfiguration=private,
    capacityProviderStrategy=[
        {"capacityProvider": "FARGATE", "base": 1, "weight": 0},
        {"capacityProvider": "FARGATE_SPOT", "weight": 1},
    ],
)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["workers"])
### END SOLUTION

# %%
lab.check("pricing.spot")

# %% [markdown]
# Not 70 percent: 1 + 3 × 0.3 = 1.9 instead of 4, so **52.5 percent**. The tasks on demand pay in full.
#
# **ARM** (Graviton) is about 20 percent cheaper at every size, and nobody takes it back. The image has to be built for it; in this lab
# it runs on your machine's own processor, whatever the task definition says.

# %%
lab.exercise("pricing.arm")

# %% exercise="pricing.arm"
### BEGIN SOLUTION
define("web", 512, 1024, runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
answer = ecs.update_service(cluster="demo", service="web", taskDefinition="web")
ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
### END SOLUTION

# %%
lab.check("pricing.arm")

# %% [markdown]
# ## 7. EC2 or Fargate?
#
# An instance costs the same busy or idle. So the question is how **full** it is. **Predict:** an m5.large (2 vCPU, 8 GiB) costs 0.096 dollars
# an hour, a task of 0.25 vCPU and 0.5 GB on Fargate 0.01234 dollars. From how many tasks on is the instance cheaper?

# %% tags=["nbval-ignore-output"]
lab.price(cpu=256, memory=512, count=8)

# %% [markdown]
# Play with it: the dots mark where instances cost no more. Fewer hours, or Spot, tilt the line; larger tasks that do not fill an instance
# lift the stairs. And every way to run these eight tasks, cheapest first:

# %%
lab.prices(cpu=256, memory=512, count=8)

# %% [markdown]
# Now do it. First an instance on which nothing runs:

# %%
instance = lab.region.add_instance("demo", "m5.large")
print(f"${lab.bill().months()['EC2 instances']} a month for no task at all")

# %%
lab.exercise("pricing.pack")

# %% exercise="pricing.pack"
### BEGIN SOLUTION
define("packed", 256, 512, requiresCompatibilities=["EC2"], networkMode="bridge")
started = ecs.run_task(cluster="demo", taskDefinition="packed", launchType="EC2", count=8)
ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[task["taskArn"] for task in started["tasks"]])
### END SOLUTION

# %%
lab.check("pricing.pack")

# %%
print(f"${lab.bill().months()['EC2 instances']} a month with 8 tasks; on Fargate they would cost ${8 * 0.0123425 * 730:.2f}")

# %% [markdown]
# A **ninth** task would need a second instance. Reserved Instances and Savings Plans move the line for EC2 (up to 72 percent off for one or
# three years), Compute Savings Plans for Fargate too (up to about 50 percent); what they never pay back is an empty instance.

# %% [markdown]
# ## In the exam
#
# > - **ECS on Fargate or EC2 costs nothing by itself**; you pay for what runs under it.
# > - **Fargate: size asked for × seconds**, from image pull to stop, one minute at least.
# > - **Short, interruptible, many: Spot. Steady, full, for years: EC2 with commitments.** Unsteady or few: Fargate.
# > - **Savings Plans for compute cover Fargate; Reserved Instances and EC2 Instance Savings Plans do not.** No plan covers Spot.
# > - **Scaling to zero leaves** NAT gateway, load balancer, addresses and volumes.
# > - Every public IPv4 address costs, in use or not.

# %%
lab.quiz("pricing", n=15, seed=7)

# %% [markdown]
# ## Summary
#
# - The bill is size times time; whatever is left on is paid.
# - Right size, right capacity, right chip: in this order.
# - Look at the rate, not at the sum: `lab.month()` tells next month's bill today.

# %% tags=["nbval-ignore-output"]
lab.month(by="service")

# %% tags=["nbval-ignore-output"]
lab.progress()
