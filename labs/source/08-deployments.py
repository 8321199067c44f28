# %% [markdown]
# # Lab 08: Deployments
#
# **Time:** 45 to 60 minutes. **You need:** lab 03, and to know what a load balancer's target group is.
#
# When you are done you can
# - ship a version while users are busy, and show that nobody noticed,
# - ship a broken version and let ECS take it back by itself,
# - say what the circuit breaker sees, and what only an alarm can see,
# - choose between rolling, blue/green, linear and canary, and read a deployment's stages,
# - stop a deployment, and roll back in one step.

# %% [markdown]
# ## The picture
#
# ![Rolling: old and new tasks mixed behind one target group. Blue/green: two whole fleets, and the listener's weights move from one to the other at once, in steps, or a little first.](images/08-deployments.svg)
#
# A **deployment** takes a service from one revision to another. Two questions decide how it feels to users: who gets the
# traffic while both revisions run, and who notices when the new one is no good?

# %%
import boto3
import ecslab

lab = ecslab.open_lab("08-deployments")
ecs, ec2, elb, cloudwatch = (boto3.client(name) for name in ("ecs", "ec2", "elbv2", "cloudwatch"))

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# ## 1. The stage
#
# One load balancer with two listeners: the service `web` will stand behind port 80, `shop` behind port 81. The health check
# asks `/health` every 5 seconds, and a target that leaves gets 10 seconds to finish its work.

# %%
ecs.create_cluster(clusterName="demo")
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
network = {"awsvpcConfiguration": {"subnets": subnets}}
balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
url = "http://" + balancer["DNSName"]


def target_group(name):
    arn = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip",
        HealthCheckPath="/health", HealthCheckIntervalSeconds=5,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
    )
    return arn


def listen(port, group):
    """A listener that forwards to the group; returns the ARN of its (default) rule."""
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]["ListenerArn"]
    return elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]


web_group = target_group("web")
listen(80, web_group)

# %% [markdown]
# Four revisions of one app. Two are good. Revision 3 never answers its health check with 200. Revision 4 is sly: its health
# check is fine, but every page it serves is a 500.

# %%
def revision(image, *command):
    app = {"name": "app", "image": image, "command": list(command), "portMappings": [{"containerPort": 80}]}
    made = ecs.register_task_definition(
        family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        containerDefinitions=[app],
    )["taskDefinition"]
    print(f"web:{made['revision']}", image, *command)


revision("ecslab/app:1.0")
revision("ecslab/app:2.0")
revision("ecslab/app:2.0", "--unhealthy-after", "0")
revision("ecslab/app:2.0", "--status", "500")

# %%
ecs.create_service(
    cluster="demo", serviceName="web", taskDefinition="web:1", desiredCount=2, launchType="FARGATE",
    networkConfiguration=network,
    loadBalancers=[{"targetGroupArn": web_group, "containerName": "app", "containerPort": 80}],
)
lab.region.run_for("1m")
print(lab.region.get(url).json()["version"])

# %% [markdown]
# Three small helpers: the service's deployments, the newest *service deployment* (the record of one way from revision to
# revision), and the events that matter.

# %%
def show(name="web"):
    for d in ecs.describe_services(cluster="demo", services=[name])["services"][0]["deployments"]:
        revision = d["taskDefinition"].rpartition("/")[2]
        print(f"{d['status']:8} {revision:6} running {d['runningCount']}, {d['rolloutState']}")


def newest(name="web"):
    arn = ecs.list_service_deployments(cluster="demo", service=name)["serviceDeployments"][0]["serviceDeploymentArn"]
    return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def verdicts(name="web", count=3):
    """The newest events that tell how deployments ended, without ids."""
    import re

    found = ecs.describe_services(cluster="demo", services=[name])["services"][0]["events"]
    told = [re.sub(r"ecs-svc/\d+", "ecs-svc/…", e["message"]) for e in found if "deployment" in e["message"]]
    print(*reversed(told[:count]), sep="\n")


show()

# %% [markdown]
# ## 2. A rolling update under load
#
# `lab.load` sends requests at a steady rate and counts every answer. **Predict:** of 360 requests during an update from
# version 1 to version 2, how many fail?

# %% tags=["nbval-ignore-output"]
ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
report = lab.load(url, rps=4, for_="90s")

# %%
print(report)

# %% [markdown]
# None. New tasks start beside the old ones, a new target gets traffic only after its first passed health check, and an old
# one is drained before its container gets SIGTERM. The picture shows the same from the service's side: never fewer healthy
# tasks than the lower limit.

# %% tags=["nbval-ignore-output"]
lab.timeline("web", last="2m")

# %% [markdown]
# ## 3. Break it: a release that is never healthy
#
# Experiment 1. Revision 3 fails its health check for ever. **Predict:** what do users see, and when does ECS give up?

# %% tags=["nbval-ignore-output"]
ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
report = lab.load(url, rps=4, for_="2m")

# %%
print("failed requests:", report.failed)
print("versions seen:  ", sorted(report.by_version))
show()
print("more than one new task has failed:", newest()["targetServiceRevision"]["requestedTaskCount"] == 2 and
      ecs.describe_services(cluster="demo", services=["web"])["services"][0]["deployments"][0]["failedTasks"] > 1)

# %% [markdown]
# Users see nothing, and ECS **never gives up**: it starts tasks, the load balancer calls them unhealthy, ECS replaces them.
# A task that reached `RUNNING` is not even throttled. A rolling update does not roll back by itself, whatever summaries
# say. Take it back by hand:

# %%
ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
lab.region.run_for("1m")
show()

# %% [markdown]
# The **deployment circuit breaker** does this for you. It is off unless you ask for it. It counts failed tasks of the new
# deployment, and trips at half the desired count, but not below 3 and not above 200:
#
# | desired | 1 to 6 | 7 | 20 | 100 | 400 and more |
# |---|---|---|---|---|---|
# | threshold | 3 | 4 | 10 | 50 | 200 |
#
# Older texts, and most exam questions, still say "not below 10".

# %%
lab.exercise("deployments.breaker")

# %% exercise="deployments.breaker"
### BEGIN SOLUTION
ecs.update_service(
    cluster="demo", service="web", taskDefinition="web:3",
    deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
)
print("failed requests:", lab.region.load(url, rps=4, for_="3m").failed)
### END SOLUTION

# %%
lab.check("deployments.breaker")

# %%
verdicts()

# %% [markdown]
# ## 4. Break it: healthy, and wrong
#
# Experiment 2. The breaker is on. Revision 4 passes every health check and answers every page with 500. **Predict:** does
# the breaker save us?

# %% tags=["nbval-ignore-output"]
ecs.update_service(
    cluster="demo", service="web", taskDefinition="web:4",
    deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
)
report = lab.load(url, rps=4, for_="90s")

# %%
print("statuses seen:", sorted(report.by_status))
print("some requests failed:", report.failed > 0)
show()

# %% [markdown]
# It does not. To ECS this is a perfect rollout: `COMPLETED`. The breaker counts tasks that fail to start or to be healthy;
# nothing counts angry users. A **deployment alarm** does: any CloudWatch alarm that goes to `ALARM` while the deployment runs
# fails it. A **bake time** keeps the deployment open, and watched, for a while after the last task is healthy.
#
# First, back to a good version, and an alarm on the load balancer's 500s:

# %%
ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
lab.region.run_for("90s")
cloudwatch.put_metric_alarm(
    AlarmName="web-errors", Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count", Statistic="Sum",
    Dimensions=[{"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].partition("loadbalancer/")[2]}],
    Period=60, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold",
)
show()

# %%
lab.exercise("deployments.alarm")

# %% exercise="deployments.alarm"
### BEGIN SOLUTION
ecs.update_service(
    cluster="demo", service="web", taskDefinition="web:4",
    deploymentConfiguration={
        "alarms": {"alarmNames": ["web-errors"], "enable": True, "rollback": True},
        "bakeTimeInMinutes": 10,
    },
)
lab.region.run_for("90s")
cloudwatch.set_alarm_state(AlarmName="web-errors", StateValue="ALARM", StateReason="users complain")
lab.region.run_for("2m")
### END SOLUTION

# %%
lab.check("deployments.alarm")

# %% [markdown]
# ## 5. Blue/green
#
# A rolling update mixes old and new behind one target group. **Blue/green** keeps them apart: the new revision (green) is
# started at full size in a *second* target group, and then the listener rule moves the traffic. ECS itself edits the rule,
# so it needs to know three things: the other target group, the rule, and a role that may change it.

# %%
blue, green = target_group("shop-a"), target_group("shop-b")
rule = listen(81, blue)
shop_entry = {
    "targetGroupArn": blue, "containerName": "app", "containerPort": 80,
    "advancedConfiguration": {
        "alternateTargetGroupArn": green,
        "productionListenerRule": rule,
        "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole",
    },
}
ecs.create_service(
    cluster="demo", serviceName="shop", taskDefinition="web:1", desiredCount=2, launchType="FARGATE",
    networkConfiguration=network, loadBalancers=[shop_entry],
    deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2},
)
lab.region.run_for("1m")
print(lab.region.get(url + ":81").json()["version"])

# %% [markdown]
# **Predict:** while version 2 takes over, is there a moment in which both versions answer? How many tasks run during the bake?

# %%
ecs.update_service(cluster="demo", service="shop", taskDefinition="web:2")
stages = []
for _ in range(80):
    stage = newest("shop").get("lifecycleStage")
    if stage and stage not in stages:
        stages.append(stage)
    if stage == "BAKE_TIME":
        break
    lab.region.run_for("2s")
print("in the bake:", ecs.describe_services(cluster="demo", services=["shop"])["services"][0]["runningCount"], "tasks run")
print("versions that answer:", sorted({lab.region.get(url + ":81").json()["version"] for _ in range(8)}))

# %% [markdown]
# Twice the tasks, and only version 2 answers: traffic moved at once. Blue is idle but alive until the bake is over, which
# makes a rollback a matter of one changed weight. Now use that.

# %%
lab.region.run_for("3m")
print(newest("shop")["status"])

# %%
lab.exercise("deployments.instant-rollback")

# %% exercise="deployments.instant-rollback"
### BEGIN SOLUTION
ecs.update_service(cluster="demo", service="shop", taskDefinition="web:4")
for _ in range(80):
    if newest("shop").get("lifecycleStage") == "BAKE_TIME":
        break
    lab.region.run_for("2s")
print("during the bake:", lab.region.get(url + ":81").status)
ecs.stop_service_deployment(serviceDeploymentArn=newest("shop")["serviceDeploymentArn"])
lab.region.run_for("5s")
print("right after:    ", lab.region.get(url + ":81").status)
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("deployments.instant-rollback")

# %% [markdown]
# ## 6. Canary and linear
#
# Blue/green moves everybody at once. A **canary** moves a few first; **linear** moves in equal steps. Every step has a bake of
# its own.
#
# | strategy | settings | defaults |
# |---|---|---|
# | `CANARY` | `canaryPercent`, `canaryBakeTimeInMinutes` | 5 percent, 10 minutes |
# | `LINEAR` | `stepPercent`, `stepBakeTimeInMinutes` | 10 percent, 6 minutes |
#
# **Predict:** linear with 25 percent and 4 minutes a step: how long until the last step? (There is no step bake after 100.)

# %%
lab.exercise("deployments.canary")

# %% exercise="deployments.canary"
### BEGIN SOLUTION
answer = ecs.update_service(
    cluster="demo", service="shop", taskDefinition="web:1",
    deploymentConfiguration={
        "strategy": "CANARY", "bakeTimeInMinutes": 1,
        "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 2},
    },
)
report = lab.region.load(url + ":81", rps=5, for_="6m")
### END SOLUTION

# %%
lab.check("deployments.canary")

# %% [markdown]
# One version 1 answer in five, for two minutes, and then all of them. The timeline shows the shares, and both fleets at full
# size all the while.

# %%
print(report)

# %% tags=["nbval-ignore-output"]
lab.timeline("shop", last="7m")

# %% [markdown]
# ## 7. A gate
#
# A **lifecycle hook** holds a deployment at a stage: a Lambda function that decides, or a **pause** that waits for a person. This
# deployment pauses once green is up, before any user sees it.

# %%
ecs.update_service(
    cluster="demo", service="shop", taskDefinition="web:2", forceNewDeployment=True,
    deploymentConfiguration={
        "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0,
        "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}],
    },
)
lab.region.run_for("2m")
waiting = newest("shop")
print("stage: ", waiting["lifecycleStage"])
print("hook:  ", waiting["lifecycleHookDetails"][0]["status"], "and then", waiting["lifecycleHookDetails"][0]["timeoutAction"])

# %%
lab.exercise("deployments.gate")

# %% exercise="deployments.gate"
### BEGIN SOLUTION
hook = newest("shop")["lifecycleHookDetails"][0]
ecs.continue_service_deployment(serviceDeploymentArn=newest("shop")["serviceDeploymentArn"], hookId=hook["hookId"])
lab.region.run_for("1m")
### END SOLUTION

# %%
lab.check("deployments.gate")

# %% [markdown]
# ## In the exam
#
# > - **Off by default:** the circuit breaker and deployment alarms. A rolling update alone never rolls back.
# > - **The breaker sees tasks, alarms see users.** Healthy and wrong passes every health check.
# > - **Rolling** needs room in the band; **blue/green** needs room for twice the tasks.
# > - **Canary** is two steps, **linear** many equal ones, **blue/green** one. Linear and canary do not work with a Network Load Balancer.
# > - **CodeDeploy** can do blue/green for ECS too (`CODE_DEPLOY` controller, AppSpec). Native deployments need no CodeDeploy.
# > - **`UpdateService` with the same definition** starts a deployment only with `forceNewDeployment`.

# %%
lab.quiz("deployments", n=15, seed=8)

# %% [markdown]
# ## Summary
#
# - A deployment ends well only if somebody notices that it does not: health checks, breaker, alarms, bake time, you.
# - Rolling exchanges tasks inside a band; native strategies exchange traffic between two fleets.
# - A service deployment is the record: its stage, its traffic, and why it ended.
#
# **Next:** try `lab.region.add_function("gate", ...)` with a Lambda hook of your own: a Python function that asks the test
# listener and answers `{"hookStatus": "SUCCEEDED"}` or `FAILED`.

# %% tags=["nbval-ignore-output"]
lab.progress()
