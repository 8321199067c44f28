# %% [markdown]
# # Lab 09: Auto scaling
#
# **Time:** 45 to 60 minutes. **You need:** lab 03, and to know what a load balancer does (lab 07).
#
# When you are done you can
# - say what `CPUUtilization` of a service is a share of, and read it,
# - let a service follow its load with target tracking, and work out beforehand where it will end,
# - choose steps or schedules where they fit better,
# - find out why a service does *not* scale,
# - compare what a day costs under different policies, in money and in failed requests.

# %% [markdown]
# ## The picture
#
# ![A loop: tasks use CPU; each minute a metric goes to CloudWatch; alarms compare it with thresholds; a scaling policy sets the desired count within the bounds of the scalable target; the service starts or stops tasks.](images/09-auto-scaling.svg)
#
# Nothing in this loop is magic, and every part of it takes its time: **metric, alarm, policy, desired count, tasks.** You will
# meet each one by itself, and then close the loop.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("09-auto-scaling", docker_speed=60)
ecs, ec2, elb, cloudwatch = (boto3.client(name) for name in ("ecs", "ec2", "elbv2", "cloudwatch"))
scaling = boto3.client("application-autoscaling")

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# On Docker a minute of this region is one second of yours: waiting for an alarm takes minutes, and you have better things to do.
#
# ## 1. The stage
#
# One service of two small tasks (a quarter of a vCPU each) behind a load balancer.

# %%
ecs.create_cluster(clusterName="demo")
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
network = {"awsvpcConfiguration": {"subnets": subnets}}
balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
url = "http://" + balancer["DNSName"]
group = elb.create_target_group(
    Name="web", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip",
    HealthCheckPath="/health", HealthCheckIntervalSeconds=60, HealthCheckTimeoutSeconds=30, HealthyThresholdCount=2,
)["TargetGroups"][0]["TargetGroupArn"]
elb.modify_target_group_attributes(
    TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
)
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
)
ecs.register_task_definition(
    family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
    containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 80}]}],
)
ecs.create_service(
    cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE", networkConfiguration=network,
    loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
)
lab.region.run_for("5m")


def desired():
    return ecs.describe_services(cluster="demo", services=["web"])["services"][0]["desiredCount"]


print("desired:", desired())

# %% [markdown]
# ## 2. The metric
#
# A request to `/burn?seconds=30` keeps a task busy for 30 seconds. `press` sends 0.054 of them a second, so that at any moment
# 0.054 x 30 = 1.62 tasks' worth of work is going on.
#
# **Predict:** two tasks share it. What will the service's `CPUUtilization` be?

# %%
from datetime import timedelta


def press(span):
    """Load for that long."""
    return lab.region.load(url + "/burn?seconds=30", rps=0.054, for_=span)


def cpu(minutes=3):
    """The service's CPU in each of the last minutes, in percent."""
    found = cloudwatch.get_metric_statistics(
        Namespace="AWS/ECS", MetricName="CPUUtilization", Period=60, Statistics=["Average"],
        Dimensions=[{"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "web"}],
        StartTime=lab.region.now() - timedelta(minutes=minutes), EndTime=lab.region.now(),
    )["Datapoints"]
    return [round(p["Average"]) for p in sorted(found, key=lambda p: p["Timestamp"])]


press("4m")
print(cpu())

# %% [markdown]
# About 80 percent. The metric is **CPU used, divided by CPU reserved**, over all running tasks: 1.62 of 2 tasks. A container that
# may use little CPU is at 100 percent soon; what the machine below has left does not matter.
#
# ## 3. The alarm
#
# An alarm compares datapoints with a threshold. This one rings after one minute above 50 percent.

# %%
cloudwatch.put_metric_alarm(
    AlarmName="busy", Namespace="AWS/ECS", MetricName="CPUUtilization", Statistic="Average", Period=60, EvaluationPeriods=1,
    Dimensions=[{"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "web"}],
    Threshold=50, ComparisonOperator="GreaterThanThreshold",
)


def state(name="busy"):
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


print("just made:      ", state())
press("3m")
print("under load:     ", state())
lab.region.run_for("4m")
print("load is gone:   ", state())

# %% [markdown]
# A new alarm has **INSUFFICIENT_DATA**, then it follows its metric. It only *says* something. Somebody has to act on it.
#
# ## 4. The scalable target
#
# A service that may be scaled is registered with **Application Auto Scaling**, a service beside ECS. It wants to know what is
# scaled: `ecs`, this service, its desired count.

# %%
web = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}
lab.exercise("auto-scaling.target")

# %% exercise="auto-scaling.target"
### BEGIN SOLUTION
registered = scaling.register_scalable_target(**web, MinCapacity=1, MaxCapacity=6)
### END SOLUTION

# %%
lab.check("auto-scaling.target")

# %% [markdown]
# ## 5. Target tracking
#
# You name a metric and a value; ECS does the rest. **Predict:** 1.62 tasks' worth of work, and the CPU is to be at 50 percent. How
# many tasks will there be, and how many minutes after the load began?

# %%
lab.exercise("auto-scaling.track")

# %% exercise="auto-scaling.track"
### BEGIN SOLUTION
scaling.put_scaling_policy(
    **web, PolicyName="cpu-at-half", PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 50.0, "ScaleOutCooldown": 60, "ScaleInCooldown": 60,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    },
)
load = press("6m")
for _ in range(5):  # a busy machine gives the tasks less CPU than they ask for
    if desired() < 4:
        press("1m")
load
### END SOLUTION

# %%
lab.check("auto-scaling.track")

# %% tags=["nbval-ignore-output"]
lab.scaling("web", last="15m")

# %% [markdown]
# Three minutes in a row above 50 percent, then the count jumps to where the metric would be back at its target:
# `ceil(running x metric / target)` is the rule of thumb. The policy made its two alarms by itself:

# %%
for alarm in cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking")["MetricAlarms"]:
    kind = alarm["AlarmName"].split("-")[2]
    print(f"{kind:9} {alarm['ComparisonOperator']:21} {alarm['Threshold']:g}, {alarm['EvaluationPeriods']} minutes in a row")

# %% [markdown]
# **Predict:** the load is over now. How long does the service keep its tasks?

# %%
before = desired()
lab.region.run_for("8m")
print("after  8 minutes:", desired() == before and "as many as before")
lab.region.run_for("12m")
print("after 20 minutes:", desired())

# %% tags=["nbval-ignore-output"]
lab.scaling("web", last="40m")

# %% [markdown]
# Out after 3 minutes, in after 15: too many tasks cost cents, too few cost users. Every step is on record, with its reason:

# %%
for activity in reversed(scaling.describe_scaling_activities(**web)["ScalingActivities"]):
    print(activity["StatusCode"], "|", activity["StatusMessage"].split(". ")[1] if ". " in activity["StatusMessage"] else "")
    print("   because", activity["Cause"].split("-service")[0], "...", activity["Cause"].split("in state")[1])

# %% [markdown]
# ## 6. Break it: a ceiling
#
# Experiment 1. Somebody worried about the bill sets the maximum to 2. **Predict:** what does the policy do about 1.62 tasks' worth
# of work now, and where would you read about it?

# %%
scaling.register_scalable_target(**web, MinCapacity=1, MaxCapacity=2)
press("12m")
print("desired:", desired())

# %%
lab.exercise("auto-scaling.ceiling")

# %% exercise="auto-scaling.ceiling"
### BEGIN SOLUTION
found = scaling.describe_scaling_activities(ServiceNamespace="ecs", IncludeNotScaledActivities=True)["ScalingActivities"]
print(next(a["NotScaledReasons"] for a in found if a.get("NotScaledReasons")))
scaling.register_scalable_target(**web, MaxCapacity=5)
press("5m")
### END SOLUTION

# %%
lab.check("auto-scaling.ceiling")

# %% [markdown]
# ## 7. Steps
#
# CPU says how busy tasks are, not how much work is waiting. A worker that reads a queue is best scaled by the queue. With **step
# scaling** you bring your own alarm and say how strongly to answer.

# %%
scaling.register_scalable_target(**web, MaxCapacity=10)


def backlog(length):
    """Early in a minute, tell CloudWatch how long the queue is, and let that minute pass."""
    lab.region.run_for(65 - lab.region.now().second)
    cloudwatch.put_metric_data(Namespace="Jobs", MetricData=[{"MetricName": "Backlog", "Value": length}])
    lab.region.run_for("75s")


lab.exercise("auto-scaling.steps")

# %% exercise="auto-scaling.steps"
### BEGIN SOLUTION
policy = scaling.put_scaling_policy(
    **web, PolicyName="backlog", PolicyType="StepScaling",
    StepScalingPolicyConfiguration={
        "AdjustmentType": "ChangeInCapacity", "Cooldown": 0,
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 100, "ScalingAdjustment": 1},
            {"MetricIntervalLowerBound": 100, "ScalingAdjustment": 3},
        ],
    },
)
cloudwatch.put_metric_alarm(
    AlarmName="backlog-high", Namespace="Jobs", MetricName="Backlog", Statistic="Average", Period=60, EvaluationPeriods=1,
    Threshold=200, ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[policy["PolicyARN"]],
)
backlog(350)
### END SOLUTION

# %%
lab.check("auto-scaling.steps")

# %% [markdown]
# ## 8. Schedules
#
# Every policy so far is late by design: it answers what has already happened. When you *know* that the crowd comes at eight, be
# there at eight.

# %%
lab.region.run_for("20m")
print("a quiet while later:", desired())
lab.exercise("auto-scaling.schedule")

# %% exercise="auto-scaling.schedule"
### BEGIN SOLUTION
scaling.put_scheduled_action(
    **web, ScheduledActionName="mornings", Schedule="cron(0 8 ? * MON-FRI *)", Timezone="Europe/Berlin",
    ScalableTargetAction={"MinCapacity": 4},
)
soon = lab.region.now() + timedelta(minutes=2)
scaling.put_scheduled_action(
    **web, ScheduledActionName="campaign", Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
    ScalableTargetAction={"MinCapacity": 5},
)
lab.region.run_for("3m")
### END SOLUTION

# %%
lab.check("auto-scaling.schedule")

# %% [markdown]
# ## 9. Break it: from nothing
#
# Experiment 2. At night nobody comes, so why pay for one task? The minimum goes to 0, and so does the service. **Predict:** in the
# morning the requests come back. What does target tracking do?

# %%
scaling.register_scalable_target(**web, MinCapacity=0)
ecs.update_service(cluster="demo", service="web", desiredCount=0)
lab.region.run_for("3m")
report = press("6m")
print("answers by status:", sorted(report.by_status))
print("desired:", desired())

# %% [markdown]
# Nothing, and 503 for everybody. **No tasks, no CPU, no datapoint, no alarm.** From zero you need a metric that exists without
# tasks, such as the length of a queue, or a schedule.

# %%
backlog(350)
print("desired:", desired())

# %% [markdown]
# ## 10. A day in a second
#
# Policies show their worth over a day, not over minutes. So from here on the region is a **simulated** one, where a day passes at
# once. Four services get the same traffic: quiet at night, busiest at 14:00, and a newsletter at 17:00. A request costs a tenth of
# a CPU second, so a task of a quarter vCPU serves 2.5 a second.
#
# **Predict:** which one is the cheapest, and which one fails the most requests?

# %%
lab = ecslab.open_lab("09-auto-scaling", engine="simulated")
ecs, ec2, cloudwatch = (boto3.client(name) for name in ("ecs", "ec2", "cloudwatch"))
scaling = boto3.client("application-autoscaling")
ecs.create_cluster(clusterName="day")
network = {"awsvpcConfiguration": {"subnets": [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]}}
ecs.register_task_definition(
    family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
    containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
)


def service(name, low, high):
    ecs.create_service(
        cluster="day", serviceName=name, taskDefinition="web", desiredCount=20, launchType="FARGATE", networkConfiguration=network
    )
    found = {"ServiceNamespace": "ecs", "ResourceId": f"service/day/{name}", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(**found, MinCapacity=low, MaxCapacity=high)
    return found


fixed = service("fixed", 20, 20)
tracked = service("tracked", 2, 60)
stepped = service("stepped", 2, 60)
scheduled = service("scheduled", 20, 20)

# %% [markdown]
# The first stays at 20 tasks. The second tracks 60 percent CPU. The third adds 3 tasks above 70 percent, 10 above 90, and takes 2
# away after five minutes below 40. The fourth knows the day: 26 tasks from 9, 6 from 21.

# %%
scaling.put_scaling_policy(
    **tracked, PolicyName="cpu", PolicyType="TargetTrackingScaling",
    TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 60.0, "ScaleOutCooldown": 60, "ScaleInCooldown": 120,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    },
)


def step(name, steps, threshold, comparison, periods):
    policy = scaling.put_scaling_policy(
        **stepped, PolicyName=name, PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "Cooldown": 120, "StepAdjustments": steps},
    )
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="AWS/ECS", MetricName="CPUUtilization", Statistic="Average", Period=60, EvaluationPeriods=periods,
        Dimensions=[{"Name": "ClusterName", "Value": "day"}, {"Name": "ServiceName", "Value": "stepped"}],
        Threshold=threshold, ComparisonOperator=comparison, AlarmActions=[policy["PolicyARN"]],
    )


more = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 3},
    {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 10},
]
step("out", more, 70, "GreaterThanThreshold", 1)
step("in", [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -2}], 40, "LessThanThreshold", 5)

for name, hour, count in (("day", 9, 26), ("night", 21, 6)):
    scaling.put_scheduled_action(
        **scheduled, ScheduledActionName=name, Schedule=f"cron(0 {hour} * * ? *)",
        ScalableTargetAction={"MinCapacity": count, "MaxCapacity": count},
    )

# %%
traffic = ecslab.weekday(low=2, high=50, peak=14, burst=(17, 30, 1.6))
lab.region.run_for("2m")
demands = {name: lab.region.start_demand(name, traffic) for name in ("fixed", "tracked", "stepped", "scheduled")}
lab.region.run_for("24h")
days = {name: demand.stop() for name, demand in demands.items()}
print(lab.compare(days))

# %% tags=["nbval-ignore-output"]
lab.compare(days)

# %% [markdown]
# The fixed service is sized for an average that never happens: it fails in the afternoon, idles at night, and costs the most. The
# schedule is the cheapest and knows nothing of newsletters. Both dynamic policies followed the day and refused nobody. The steps
# were tuned by hand for just this day; target tracking was told one number.
#
# **Try it:** change the target to 80 percent, or `ScaleInCooldown` to 900, and run the day again.
#
# ## In the exam
#
# > - **Two layers:** service auto scaling changes *tasks*; a capacity provider with managed scaling changes *instances*.
# > - **Target tracking** first. Steps when the answer depends on how far you are off, schedules when you know the time.
# > - **Out** if any policy asks, **in** only if all agree. A deployment turns scale-in off.
# > - **Cooldown** holds scale-in back. A bigger wish to scale out does not wait for it.
# > - **Zero tasks have no CPU.** Scale from zero by a queue or a schedule.
# > - **`desiredCount` in your template** resets what auto scaling did: leave it out of updates.

# %%
lab.quiz("auto-scaling", n=15, seed=9)

# %% [markdown]
# ## Summary
#
# - Metric, alarm, policy, desired count, tasks: each takes its time, and each can be asked.
# - Utilization is used over reserved, of running tasks only.
# - The bounds belong to the scalable target; the scaling activities tell what happened and what did not.
# - What a policy is worth shows over a whole day: failed requests on one side, task-hours on the other.
#
# **Next:** lab 10 asks who may do what, and what a container may do.
