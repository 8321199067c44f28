"""What an audit asks of a service: how it deploys, how many tasks there are and where, how it scales, and who is told.

A deregistration delay of more than 60 seconds counts as long: our choice, AWS recommends to make it fit the application.
A rolling service behind a load balancer is told of blue/green with the lowest severity: rolling with a rollback is sound too.
"""
from __future__ import annotations

from math import ceil
from typing import Mapping

from .audit_check import HIGH, LOW, MEDIUM, Judged, Picture, check, fine, update_service, wrong

LONG_DELAY, SHORT_DELAY = 60, 30  # seconds
OWN_ALARMS = "TargetTracking-"  # made by a policy, to scale and not to tell anybody
SCALING = "Automatically scale your Amazon ECS service"
DELAY, SLOW_START = "deregistration_delay.timeout_seconds", "slow_start.duration_seconds"


@check(
    "circuit-breaker", HIGH, "A deployment that fails goes back by itself",
    "A rolling update without the circuit breaker tries a broken version for ever. With `rollback` the last good one comes back.",
    "Deployment Strategies > Rolling Update", "How the Amazon ECS deployment circuit breaker detects failures",
)  # fmt: skip
def circuit_breaker(picture: Picture) -> Judged | None:
    if not picture.rolling:
        return None
    breaker = picture.deployment.get("deploymentCircuitBreaker") or {}
    enable, rollback = bool(breaker.get("enable")), bool(breaker.get("rollback"))
    found = f"deploymentCircuitBreaker: enable {enable}, rollback {rollback}"
    if enable and rollback:
        return fine(found)
    wanted = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    return wrong(found, update_service(picture, deploymentConfiguration=wanted))


@check(
    "deployment-alarms", LOW, "An alarm can stop a deployment",
    "Tasks that start and pass their checks may still answer with errors. An alarm on what users see ends such a deployment.",
    "Monitoring & Logging > CloudWatch Integration", "How CloudWatch alarms detect Amazon ECS deployment failures",
)  # fmt: skip
def deployment_alarms(picture: Picture) -> Judged | None:
    if picture.controller != "ECS" or not picture.is_replica:
        return None
    alarms = picture.deployment.get("alarms") or {}
    if alarms.get("enable") and alarms.get("alarmNames"):
        if alarms.get("rollback"):
            return fine(f"{', '.join(alarms['alarmNames'])} with rollback")
        return wrong(f"{', '.join(alarms['alarmNames'])} without rollback", _with_alarms(picture, alarms["alarmNames"]))
    alert = f"{picture.service['serviceName']}-cpu"
    return wrong("no alarm is named in deploymentConfiguration", f"{_alert(picture, alert)}\n{_with_alarms(picture, [alert])}")


def _with_alarms(picture: Picture, alarm_names: list[str]) -> str:
    return update_service(picture, deploymentConfiguration={"alarms": {"alarmNames": list(alarm_names), "enable": True, "rollback": True}})


def _alert(picture: Picture, name: str) -> str:
    dimensions = [{"Name": "ClusterName", "Value": picture.cluster["clusterName"]}, {"Name": "ServiceName", "Value": picture.service["serviceName"]}]
    return (
        f'cloudwatch.put_metric_alarm(AlarmName={name!r}, Namespace="AWS/ECS", MetricName="CPUUtilization", Statistic="Average", Period=60, '
        f'EvaluationPeriods=3, Threshold=90, ComparisonOperator="GreaterThanThreshold", Dimensions={dimensions!r})'
    )


@check(
    "alerts", MEDIUM, "Somebody is told when the service is in trouble",
    "Metrics that no alarm watches are read after the customers have called. Alarms that only scale tell nobody.",
    "Monitoring & Logging > CloudWatch Integration", "Monitor Amazon ECS using CloudWatch",
)  # fmt: skip
def alerts(picture: Picture) -> Judged | None:
    found = [alarm["AlarmName"] for alarm in picture.alarms if not alarm["AlarmName"].startswith(OWN_ALARMS)]
    if found:
        return fine(", ".join(found))
    return wrong("no alarm watches the service or its target groups", _alert(picture, f"{picture.service['serviceName']}-cpu"))


@check(
    "desired-count", HIGH, "More than one task runs",
    "With one task every crash, every lost host and every zone that fails is an outage until the next one is up.",
    "Services > Service Configuration", "Best practices for Amazon ECS service parameters",
)  # fmt: skip
def desired_count(picture: Picture) -> Judged | None:
    if not picture.is_replica:
        return None
    count = picture.service["desiredCount"]
    if count >= 2:
        return fine(f"desiredCount is {count}")
    return wrong(f"desiredCount is {count}", update_service(picture, desiredCount=2))


@check(
    "minimum-healthy", MEDIUM, "A deployment takes no capacity away",
    "Below 100 percent ECS may stop tasks before their successors work, while the same traffic comes.",
    "Deployment Strategies > Rolling Update", "Best practices for Amazon ECS service parameters",
)  # fmt: skip
def minimum_healthy(picture: Picture) -> Judged | None:
    if not picture.rolling or not picture.is_replica:
        return None
    percent, count = picture.deployment.get("minimumHealthyPercent", 100), picture.service["desiredCount"]
    found = f"minimumHealthyPercent is {percent}: {ceil(count * percent / 100)} of {count} tasks are kept"
    if percent >= 100:
        return fine(found)
    return wrong(found, update_service(picture, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200}))


@check(
    "traffic-shift", LOW, "A new version is tried before it has all traffic",
    "Blue/green keeps the old version ready while the new one is tried, so that going back takes seconds.",
    "Deployment Strategies > Blue/Green Deployment", "Amazon ECS blue/green deployments",
)  # fmt: skip
def traffic_shift(picture: Picture) -> Judged | None:
    if not picture.balanced or picture.controller == "EXTERNAL":
        return None
    if not picture.rolling:
        return fine(f"{picture.controller}, {picture.deployment.get('strategy', 'blue/green')}")
    change = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}
    steps = "# first give its load balancer an alternateTargetGroupArn, productionListenerRule and roleArn in advancedConfiguration\n"
    return wrong("strategy is ROLLING", steps + update_service(picture, deploymentConfiguration=change))


@check(
    "zones", HIGH, "Tasks may run in two zones or more",
    "A zone can fail as a whole. Tasks that may only run there are all lost at once.",
    "Services > Service Types", "Best practices for Amazon ECS service parameters",
)  # fmt: skip
def zones(picture: Picture) -> Judged | None:
    if not picture.subnets:
        return None
    found = sorted({subnet["AvailabilityZone"] for subnet in picture.subnets})
    told = f"{len(picture.subnets)} subnet{'s' if len(picture.subnets) > 1 else ''} in {', '.join(found)}"
    if len(found) >= 2:
        return fine(told)
    here = [subnet["SubnetId"] for subnet in picture.subnets]
    wanted = {**picture.awsvpc, "subnets": [*here, f"<a subnet outside {found[0]}>"]}
    return wrong(told, update_service(picture, networkConfiguration={"awsvpcConfiguration": wanted}))


@check(
    "rebalancing", LOW, "ECS evens the tasks out over the zones again",
    "After a zone came back its tasks stay where they fled to, until rebalancing moves them.",
    "Services > Service Configuration", "Balancing an Amazon ECS service across Availability Zones",
)  # fmt: skip
def rebalancing(picture: Picture) -> Judged | None:
    several = len({subnet["AvailabilityZone"] for subnet in picture.subnets}) > 1
    if not picture.is_replica or picture.controller != "ECS" or not several:
        return None
    setting = picture.service.get("availabilityZoneRebalancing", "DISABLED")
    if setting == "ENABLED":
        return fine("availabilityZoneRebalancing is ENABLED")
    return wrong(f"availabilityZoneRebalancing is {setting}", update_service(picture, availabilityZoneRebalancing="ENABLED"))


@check(
    "auto-scaling", MEDIUM, "The service follows its load",
    "The number of tasks stays what it is until a policy or a person changes it: too few at noon, too many at night.",
    "Best Practices", SCALING,
)  # fmt: skip
def auto_scaling(picture: Picture) -> Judged | None:
    if not picture.is_replica:
        return None
    known = [*(p["PolicyName"] for p in picture.policies), *(a["ScheduledActionName"] for a in picture.scheduled_actions)]
    if picture.scalable_target and known:
        return fine(f"from {_limits(picture.scalable_target)}: {', '.join(known)}")
    return wrong("no scaling policy" if picture.scalable_target else "no scalable target", f"{_register(picture, 2, 10)}\n{_policy(picture)}")


def _limits(target: Mapping) -> str:
    return f"{target['MinCapacity']} to {target['MaxCapacity']} tasks"


def _place(picture: Picture) -> str:
    resource = f"service/{picture.cluster['clusterName']}/{picture.service['serviceName']}"
    return f'ServiceNamespace="ecs", ResourceId="{resource}", ScalableDimension="ecs:service:DesiredCount"'


def _register(picture: Picture, lowest: int, highest: int) -> str:
    return f"scaling.register_scalable_target({_place(picture)}, MinCapacity={lowest}, MaxCapacity={highest})"


def _policy(picture: Picture) -> str:
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    tracking = {"TargetValue": 60.0, "PredefinedMetricSpecification": metric}
    return (
        f'scaling.put_scaling_policy({_place(picture)}, PolicyName="cpu", PolicyType="TargetTrackingScaling", '
        f"TargetTrackingScalingPolicyConfiguration={tracking!r})"
    )


@check(
    "min-capacity", MEDIUM, "Scaling in stops before the last spare task",
    "With a minimum of 1 a quiet night leaves a single task, and its crash is an outage.",
    "Auto Scaling > Auto Scaling Configuration", SCALING,
)  # fmt: skip
def min_capacity(picture: Picture) -> Judged | None:
    target = picture.scalable_target
    if target is None:
        return None
    if target["MinCapacity"] >= 2:
        return fine(f"MinCapacity is {target['MinCapacity']}")
    return wrong(f"MinCapacity is {target['MinCapacity']}", _register(picture, 2, max(2, target["MaxCapacity"])))


@check(
    "max-capacity", LOW, "There is room to scale out",
    "A service at its maximum does not grow, however loud the alarm.",
    "Auto Scaling > Auto Scaling Configuration", SCALING,
)  # fmt: skip
def max_capacity(picture: Picture) -> Judged | None:
    target = picture.scalable_target
    if target is None:
        return None
    count, most = picture.service["desiredCount"], target["MaxCapacity"]
    found = f"desiredCount is {count}, MaxCapacity {most}"
    return fine(found) if count < most else wrong(found, _register(picture, target["MinCapacity"], 2 * max(count, 1)))


@check(
    "spot-base", HIGH, "Not every task is on Spot",
    "Spot capacity can be taken back from all tasks in the same two minutes, and nothing falls back to FARGATE by itself.",
    "Pricing > Fargate Launch Type", "Amazon ECS clusters for Fargate",
)  # fmt: skip
def spot_base(picture: Picture) -> Judged | None:
    if not any(one["capacityProvider"] == "FARGATE_SPOT" for one in picture.strategy):
        return None
    found = ", ".join(f"{one['capacityProvider']} base {one.get('base', 0)} weight {one.get('weight', 0)}" for one in picture.strategy)
    if any(one["capacityProvider"] == "FARGATE" and (one.get("base") or one.get("weight")) for one in picture.strategy):
        return fine(found)
    wanted = [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}]
    return wrong(found, update_service(picture, capacityProviderStrategy=wanted, forceNewDeployment=True))


@check(
    "grace-period", MEDIUM, "A task that starts slowly is given its time",
    "Without healthCheckGracePeriodSeconds the load balancer's first bad answers have a task stopped that was about to be ready.",
    "Best Practices", "Optimize load balancer health check parameters for Amazon ECS",
)  # fmt: skip
def grace_period(picture: Picture) -> Judged | None:
    slow = max(((c.get("healthCheck") or {}).get("startPeriod") or 0 for c in picture.essential), default=0)
    slow = max(slow, *(int(g["Attributes"].get(SLOW_START, 0)) for g in picture.target_groups), 0)
    if not picture.balanced or not slow:
        return None
    grace = picture.service.get("healthCheckGracePeriodSeconds") or 0
    found = f"a task may take {slow} s to start; healthCheckGracePeriodSeconds is {grace}"
    return fine(found) if grace >= slow else wrong(found, update_service(picture, healthCheckGracePeriodSeconds=slow))


@check(
    "deregistration-delay", LOW, "A target that leaves is not waited for too long",
    "Every task that stops waits out the whole delay first, so a long one makes every deployment and every scale-in long.",
    "Networking > Service Discovery", "Optimize load balancer connection draining parameters for Amazon ECS",
)  # fmt: skip
def deregistration_delay(picture: Picture) -> Judged | None:
    delays = {g["TargetGroupArn"]: (g["TargetGroupName"], int(g["Attributes"][DELAY])) for g in picture.target_groups if DELAY in g["Attributes"]}
    if not delays:
        return None
    found = ", ".join(f"{name} waits {delay} s" for name, delay in delays.values())
    long = [arn for arn, (_, delay) in delays.items() if delay > LONG_DELAY]
    wanted = [{"Key": DELAY, "Value": str(SHORT_DELAY)}]
    change = "\n".join(f"elbv2.modify_target_group_attributes(TargetGroupArn={arn!r}, Attributes={wanted!r})" for arn in long)
    return wrong(found, change) if long else fine(found)


@check(
    "service-discovery", LOW, "Other services find this one by name",
    "Tasks change their addresses with every deployment. Whoever calls them needs a name that follows.",
    "Best Practices", "Interconnect Amazon ECS services",
)  # fmt: skip
def service_discovery(picture: Picture) -> Judged | None:
    ports = [p.get("containerPort") or p.get("containerPortRange") for c in picture.containers for p in c.get("portMappings") or ()]
    if picture.balanced or not ports:
        return None
    connect = (picture.service["deployments"] or [{}])[0].get("serviceConnectConfiguration") or {}
    if registries := picture.service.get("serviceRegistries"):
        return fine(f"Cloud Map: {registries[0]['registryArn'].rpartition('/')[2]}")
    if connect.get("enabled") and connect.get("services"):
        return fine(f"Service Connect: {', '.join(s['portName'] for s in connect['services'])}")
    registry = [{"registryArn": "<the ARN that servicediscovery.create_service answers>"}]
    return wrong(
        f"port {', '.join(map(str, ports))} without a load balancer, Cloud Map or Service Connect", update_service(picture, serviceRegistries=registry)
    )


@check(
    "managed-tags", LOW, "Costs can be told apart",
    "Tags on tasks are what a cost report groups by; ECS sets them at the start of a task or never.",
    "Pricing > EC2 Launch Type", "Tagging Amazon ECS resources",
)  # fmt: skip
def managed_tags(picture: Picture) -> Judged | None:
    managed, propagated = bool(picture.service.get("enableECSManagedTags")), picture.service.get("propagateTags", "NONE")
    found = f"enableECSManagedTags is {managed}, propagateTags {propagated}"
    if managed and propagated != "NONE":
        return fine(found)
    return wrong(found, update_service(picture, enableECSManagedTags=True, propagateTags="SERVICE"))


@check(
    "container-insights", MEDIUM, "Container Insights is on",
    "AWS/ECS knows a service's CPU and memory and no more. How many tasks run, wait or restart is in Container Insights, with no agent.",
    "Best Practices", "Monitor Amazon ECS containers using Container Insights with enhanced observability",
)  # fmt: skip
def container_insights(picture: Picture) -> Judged | None:
    value = next((s["value"] for s in picture.cluster.get("settings") or () if s["name"] == "containerInsights"), "disabled")
    if value != "disabled":
        return fine(f"containerInsights is {value}")
    wanted = [{"name": "containerInsights", "value": "enhanced"}]
    return wrong("containerInsights is disabled", f"ecs.update_cluster_settings(cluster={picture.cluster['clusterName']!r}, settings={wanted!r})")


CHECKS = (
    circuit_breaker, desired_count, zones, spot_base, minimum_healthy, auto_scaling, min_capacity, grace_period, container_insights,
    alerts, deployment_alarms, traffic_shift, rebalancing, max_capacity, deregistration_delay, service_discovery, managed_tags,
)  # fmt: skip
