# %% [markdown]
# # Lab 07: Load balancing
#
# **Time:** 40 to 50 minutes. **You need:** labs 03 and 06.
#
# When you are done you can
# - put a service behind a load balancer, and say who registers what,
# - work out how long until a sick target is noticed,
# - keep a slow starter alive with a grace period,
# - tell a 502, a 503 and a 504 apart,
# - send paths, and shares of traffic, to different services.

# %% [markdown]
# ## The picture
#
# ![A listener has rules. A rule forwards to a target group. ECS registers each task of the service as a target, the load balancer checks each target's health, and only healthy ones get requests.](images/07-load-balancing.svg)
#
# Four things, from the front to the back: a **listener** (a port), its **rules**, a **target group** (who may answer, and how health is
# checked), and **targets**. ECS does one part of it: it registers and deregisters the tasks.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("07-load-balancing")
ecs, ec2, elb = boto3.client("ecs"), boto3.client("ec2"), boto3.client("elbv2")

# %% tags=["nbval-ignore-output"]
lab.board()

# %%
ecs.create_cluster(clusterName="demo")
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}


def define(family, *command, image="ecslab/app:1.0"):
    app = {"name": "app", "image": image, "command": list(command), "portMappings": [{"containerPort": 80}]}
    ecs.register_task_definition(
        family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        containerDefinitions=[app],
    )


define("web")

# %% [markdown]
# ## 1. A load balancer, piece by piece
#
# Targets of `awsvpc` tasks are addresses, so the group's type is `ip`. (Tasks in `bridge` or `host` mode are reached at a port of
# their instance: type `instance`.) The health check asks `/health` every 5 seconds
# and waits 2 seconds for the answer; a target that leaves gets 10 seconds to finish its work.

# %%
balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
url = "http://" + balancer["DNSName"]


def target_group(name):
    arn = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
    )
    return arn


web_group = target_group("web")
entry = {"targetGroupArn": web_group, "containerName": "app", "containerPort": 80}

# %% [markdown]
# **Predict:** the group exists, but no listener sends anything to it yet. May a service use it?

# %%
try:
    ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE",
        networkConfiguration=network, loadBalancers=[entry],
    )
except ecs.exceptions.InvalidParameterException as error:
    print(error.response["Error"]["Message"].replace(web_group, "…"))

# %%
listener = elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": web_group}],
)["Listeners"][0]["ListenerArn"]
print(lab.region.get(url).status)

# %% [markdown]
# **503**: the load balancer answers, and has nobody to ask. Now the same call is accepted, because the group has a listener:

# %%
created = ecs.create_service(
    cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[entry],
)
lab.region.run_for("40s")
print(lab.region.get(url).status)

# %% [markdown]
# Now you. There is a second group, and a rule that sends paths beginning with `/shop` to it.

# %%
shop_group = target_group("shop")
shop_rule = elb.create_rule(
    ListenerArn=listener, Priority=5, Conditions=[{"Field": "path-pattern", "Values": ["/shop*"]}],
    Actions=[{"Type": "forward", "TargetGroupArn": shop_group}],
)

# %%
lab.exercise("load-balancing.behind")

# %% exercise="load-balancing.behind"
### BEGIN SOLUTION
shop = ecs.create_service(
    cluster="demo", serviceName="shop", taskDefinition="web", desiredCount=2, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[{**entry, "targetGroupArn": shop_group}],
)
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("load-balancing.behind")

# %%
def health(group=web_group):
    """How many targets are in which state."""
    states = [d["TargetHealth"]["State"] for d in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]
    return {state: states.count(state) for state in sorted(set(states))}


print(health())

# %% tags=["nbval-ignore-output"]
report = lab.load(url, rps=4, for_="15s")

# %%
print(report)

# %% [markdown]
# Two tasks, half the requests each: **round robin**. (The other choice that matters is *least outstanding requests*, for answers that take
# unequally long.) You never wrote down an address: ECS registered the tasks.

# %% [markdown]
# ## 2. How long until somebody notices?
#
# A target that falls ill is taken out after `UnhealthyThresholdCount` failed checks in a row (default 2), one each
# `HealthCheckIntervalSeconds` (default 30): about a minute with the defaults. A **new** target needs only **one** passed check; one that was
# unhealthy needs `HealthyThresholdCount` (default 5).
#
# Experiment 1. The groups of this lab are quicker: 2 failed checks, 5 seconds apart. This revision falls ill 15 seconds after it
# starts. **Predict:** what will ECS do with its tasks?

# %%
define("ill", "--unhealthy-after", "15")
created = ecs.create_service(
    cluster="demo", serviceName="ill", taskDefinition="ill", desiredCount=1, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[entry],
)
lab.region.run_for("75s")
stopped = ecs.list_tasks(cluster="demo", serviceName="ill", desiredStatus="STOPPED")["taskArns"]
task = ecs.describe_tasks(cluster="demo", tasks=stopped[:1])["tasks"][0]
print(task["stopCode"])
print(task["stoppedReason"].partition(" (")[0])

# %%
events = ecs.describe_services(cluster="demo", services=["ill"])["services"][0]["events"]
print(next(e["message"] for e in reversed(events) if "is unhealthy" in e["message"]).partition("due to ")[2])

# %% tags=["nbval-ignore-output"]
lab.timeline("ill")

# %% [markdown]
# Read the picture: each time the healthy line falls to zero a target was called unhealthy, and the filled area shows the new task
# that starts beside the old one.
#
# No container stopped by itself; the load balancer called its target unhealthy, and the **service** replaced the task. Where a load
# balancer is in play, its verdict counts like a container's own health check.

# %%
gone = ecs.delete_service(cluster="demo", service="ill", force=True)

# %% [markdown]
# ## 3. Break it: a slow starter
#
# Experiment 2. This app needs 30 seconds before it listens. The first check fails, and the second, 5 seconds later; the target is
# unhealthy. **Predict:** will this service ever be up?

# %%
define("slow", "--start-delay", "30")
slow_group = target_group("slow")
rule = elb.create_rule(
    ListenerArn=listener, Priority=10, Conditions=[{"Field": "path-pattern", "Values": ["/slow-shop*"]}],
    Actions=[{"Type": "forward", "TargetGroupArn": slow_group}],
)
created = ecs.create_service(
    cluster="demo", serviceName="slow", taskDefinition="slow", desiredCount=1, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[{**entry, "targetGroupArn": slow_group}],
)
lab.region.run_for("1m")
stopped = ecs.list_tasks(cluster="demo", serviceName="slow", desiredStatus="STOPPED")["taskArns"]
print("more than one task was stopped:", len(stopped) > 1)

# %% [markdown]
# Never: each task is replaced just before it would have answered. The service needs to be patient with young tasks.

# %%
lab.exercise("load-balancing.grace")

# %% exercise="load-balancing.grace"
### BEGIN SOLUTION
answer = ecs.update_service(cluster="demo", service="slow", healthCheckGracePeriodSeconds=90)
lab.region.run_for("75s")
### END SOLUTION

# %%
lab.check("load-balancing.grace")

# %% [markdown]
# The grace period does not change the checks: the target *is* unhealthy for a while. It only tells the service not to act on it yet.

# %% [markdown]
# ## 4. Rules: one load balancer, many services
#
# Rules are tried by **priority**, the smallest number first; the default rule comes last. Conditions look at path, host, header, method,
# query or source address.

# %%
define("images", image="ecslab/app:2.0")
images_group = target_group("images")

# %%
lab.exercise("load-balancing.paths")

# %% exercise="load-balancing.paths"
### BEGIN SOLUTION
rule = elb.create_rule(
    ListenerArn=listener, Priority=20, Conditions=[{"Field": "path-pattern", "Values": ["/health"]}],
    Actions=[{"Type": "forward", "TargetGroupArn": images_group}],
)
created = ecs.create_service(
    cluster="demo", serviceName="images", taskDefinition="images", desiredCount=1, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[{**entry, "targetGroupArn": images_group}],
)
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("load-balancing.paths")

# %% [markdown]
# A rule may also answer by itself, or send the client elsewhere:

# %%
rule = elb.create_rule(
    ListenerArn=listener, Priority=30, Conditions=[{"Field": "path-pattern", "Values": ["/closed"]}],
    Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "ContentType": "text/plain", "MessageBody": "closed today"}}],
)
rule = elb.create_rule(
    ListenerArn=listener, Priority=31, Conditions=[{"Field": "path-pattern", "Values": ["/old/*"]}],
    Actions=[{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/"}}],
)
print(lab.region.get(url + "/closed"))
moved = lab.region.get(url + "/old/page")
print(moved.status, moved.headers["Location"].replace(balancer["DNSName"], "…"))

# %% [markdown]
# ## 5. Weights: a share of the traffic
#
# A rule may forward to **several** groups, each with a weight. A group gets its weight divided by the sum of all weights. `web` runs
# version 1.0 of the app and `images` version 2.0, so the answers tell who was asked. **Predict:** of 60 requests, how many does a
# group of weight 1 get beside one of weight 3?

# %%
lab.exercise("load-balancing.weights")

# %% exercise="load-balancing.weights"
### BEGIN SOLUTION
shares = {"TargetGroups": [{"TargetGroupArn": web_group, "Weight": 3}, {"TargetGroupArn": images_group, "Weight": 1}]}
answer = elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "ForwardConfig": shares}])
### END SOLUTION

# %%
lab.check("load-balancing.weights")

# %% tags=["nbval-ignore-output"]
report = lab.load(url, rps=4, for_="15s")

# %%
print("answers by version:", dict(sorted(report.by_version.items())))

# %% [markdown]
# The share belongs to the **group**, however many tasks stand behind it. Blue/green, linear and canary deployments move traffic by
# changing these numbers: lab 08.

# %% [markdown]
# ## 6. Leaving politely
#
# A task that stops is deregistered first. Its target is **draining** for the deregistration delay (default **300 seconds**): no new requests,
# time to finish the old ones. Only then does the container get SIGTERM. **Predict:** what will `lastStatus` be meanwhile?

# %%
arn = ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
ecs.stop_task(cluster="demo", task=arn)
lab.region.run_for("5s")
task = ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]
print(task["lastStatus"], "- container", task["containers"][0]["lastStatus"], "-", "draining" in health())

# %% [markdown]
# Long delays are why many deployments feel slow: every old task waits that long.

# %%
lab.exercise("load-balancing.drain")

# %% exercise="load-balancing.drain"
### BEGIN SOLUTION
answer = elb.modify_target_group_attributes(
    TargetGroupArn=web_group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
)
### END SOLUTION

# %%
lab.check("load-balancing.drain")

# %% [markdown]
# ## 7. Three errors, three causes
#
# | status | the load balancer says | look at |
# |---|---|---|
# | **502** | the target refused or broke off | the container: does it listen on that port? did it crash? |
# | **503** | no target is registered | the service: are there tasks? the right group? |
# | **504** | the target did not answer in time | security groups; a slow app against the idle timeout (60 s) |
#
# Experiment 3. We shorten the idle timeout to 20 seconds. `/slow?seconds=N` of the lab app answers after N seconds. **Predict:** what
# comes back for 2, and for 40?

# %%
answer = elb.modify_load_balancer_attributes(
    LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "20"}]
)
print(lab.region.get(url + "/slow?seconds=2").status, lab.region.get(url + "/slow?seconds=40").status)

# %% [markdown]
# Experiment 4. Two targets that never answer. Group `wrong-port` has the address of a `web` task, but port 81, where nobody listens.
# Group `dark` has a task whose security group lets nobody in. **Predict:** which is the 502, which the 504?

# %%
wrong_group, dark_group = target_group("wrong-port"), target_group("dark")
for priority, path, group in [(35, "/wrong-port", wrong_group), (40, "/dark", dark_group)]:
    elb.create_rule(
        ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
address = elb.describe_target_health(TargetGroupArn=web_group)["TargetHealthDescriptions"][-1]["Target"]["Id"]
answer = elb.register_targets(TargetGroupArn=wrong_group, Targets=[{"Id": address, "Port": 81}])

closed = ec2.create_security_group(GroupName="closed", Description="closed", VpcId=vpc)["GroupId"]
created = ecs.create_service(
    cluster="demo", serviceName="dark", taskDefinition="web", desiredCount=1, launchType="FARGATE",
    networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [closed]}},
    loadBalancers=[{**entry, "targetGroupArn": dark_group}], healthCheckGracePeriodSeconds=3600,
)
lab.region.run_for("50s")
for path, group in [("/wrong-port", wrong_group), ("/dark", dark_group)]:
    target = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]
    print(f"{path:<11} {target['State']} ({target['Description']}) {lab.region.get(url + path).status}")

# %% [markdown]
# One machine refuses; the other is silent, as behind every closed security group. Both targets are unhealthy, and are asked nevertheless:
# where **all** targets are unhealthy, the load balancer sends to all of them.

# %%
lab.exercise("load-balancing.let-in")

# %% exercise="load-balancing.let-in"
### BEGIN SOLUTION
default = [g["GroupId"] for g in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]]
answer = ec2.authorize_security_group_ingress(
    GroupId=closed,
    IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": g} for g in default]}],
)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("load-balancing.let-in")

# %% [markdown]
# ## In the exam
#
# > - **`awsvpc` means target type `ip`**; `bridge` with dynamic ports means `instance`, and an open ephemeral range.
# > - **A slow starter that is killed again and again wants `healthCheckGracePeriodSeconds`.**
# > - **Slow deployments: look at the deregistration delay** (300 s by default).
# > - **502 the app, 503 no targets, 504 the network or the time.**
# > - **All targets unhealthy: an ALB sends to all of them** (it fails open).
# > - A service may name up to five target groups; a Classic Load Balancer never works with Fargate.

# %%
lab.quiz("load-balancing", n=15, seed=7)

# %% [markdown]
# ## Summary
#
# - You own listeners, rules and groups; ECS owns the targets.
# - Health is a matter of interval times threshold; a grace period buys a young task time.
# - Draining lets requests finish, and makes every deployment wait.
#
# **Next:** lab 08 ships new versions through this load balancer.

# %% tags=["nbval-ignore-output"]
lab.progress()
