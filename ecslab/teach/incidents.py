"""Incidents: services that break, each in a way of its own, for the learner to find out why and to mend.

    lab.incident("orders")     # begins it, and prints what whoever is called at night is told

An incident changes the region through public AWS APIs only. Begun again, it puts
its service back to where it was broken. Everything happens in the cluster `demo`.

Source: Developer Guide, "Stopped tasks error codes", "Viewing Amazon ECS service event
messages"; Elastic Load Balancing, "Health checks for your target groups".
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable

from .aws import log_group
from .mistakes import Mistake

CLUSTER = "demo"
GOOD, MISSPELLED, LEAKING = (), ("--prot", "80"), ("--leak", "6")
LOG_ACTIONS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
ROLE = "demo-execution"
TWICE = {"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}


@dataclass(frozen=True)
class Incident:
    """`told` is all that the learner is told; `begin` does it to the region."""

    service: str
    told: str
    begin: Callable[[Any], None]


def begin(aws: Any, service: str) -> str:
    """Begin the incident of a service. Returns what the learner is told."""
    if not isinstance(service, str) or service not in INCIDENTS:
        raise Mistake(f"There is no incident of {service!r}. There are: {', '.join(INCIDENTS)}.")
    aws.ecs.create_cluster(clusterName=CLUSTER)
    INCIDENTS[service].begin(aws)
    return INCIDENTS[service].told


# What breaks ---------------------------------------------------------------------


def _misspelled(aws: Any) -> None:
    """A new revision whose command has a typing error, rolled out by somebody in a hurry."""
    _group(aws, "/demo/orders")
    _serve(aws, "orders", _revision(aws, "orders", MISSPELLED), count=2, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})


def _leaking(aws: Any) -> None:
    """A first revision that was fine, and a second one that never gives memory back."""
    _group(aws, "/demo/reports")
    _revision(aws, "reports", GOOD)
    _serve(aws, "reports", _revision(aws, "reports", LEAKING, image="ecslab/app:2.0"))


def _unanswered_check(aws: Any) -> None:
    """A load balancer that asks for a page which the app does not have."""
    _group(aws, "/demo/front")
    elb = aws.client("elbv2")
    check = {"HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": 15, "HealthCheckTimeoutSeconds": 10, **TWICE}
    arn = _target_group(elb, "front")
    if arn:
        elb.modify_target_group(TargetGroupArn=arn, **check)
    else:
        arn = _behind_a_balancer(aws, elb, "front", check)
    entry = {"targetGroupArn": arn, "containerName": "app", "containerPort": 80}
    _serve(aws, "front", _revision(aws, "front", GOOD), loadBalancers=[entry])


def _without_group(aws: Any) -> None:
    """A log group that nobody has made."""
    logs = aws.client("logs")
    if log_group(logs, "/demo/mail"):
        logs.delete_log_group(logGroupName="/demo/mail")
    _serve(aws, "mail", _revision(aws, "mail", GOOD))


INCIDENTS = {
    one.service: one
    for one in (
        Incident("orders", "A colleague: I only rolled out a small change of orders, and went to lunch.", _misspelled),
        Incident("reports", "Users: since today's release, reports is gone for a moment, again and again.", _leaking),
        Incident("front", "Users: front is new, and has never answered. The team: it runs fine, we see it running.", _unanswered_check),
        Incident("mail", "The team: mail is new, and lab.logs shows nothing. Not one line, ever.", _without_group),
    )
}


# How -------------------------------------------------------------------------------


def _revision(aws: Any, family: str, command: tuple[str, ...], image: str = "ecslab/app:1.0") -> str:
    """`family:revision` with this command, the newest one there is, or one made now."""
    newest = aws.task_definition(family)
    for number in range(newest["revision"] if newest else 0, 0, -1):
        known = aws.task_definition(f"{family}:{number}")
        if known and known["status"] == "ACTIVE" and tuple(known["containerDefinitions"][0].get("command") or ()) == command:
            return f"{family}:{number}"
    options = {"awslogs-group": f"/demo/{family}", "awslogs-region": aws.ecs.meta.region_name, "awslogs-stream-prefix": "ecs"}
    app = {
        "name": "app", "image": image, "command": list(command), "portMappings": [{"containerPort": 80}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }  # fmt: skip
    made = aws.ecs.register_task_definition(
        family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        executionRoleArn=_role(aws), containerDefinitions=[app],
    )["taskDefinition"]  # fmt: skip
    return f"{family}:{made['revision']}"


def _serve(aws: Any, name: str, definition: str, count: int = 1, **options: Any) -> None:
    """Make the service, or bring the one there is to this definition."""
    wanted = {"cluster": CLUSTER, "taskDefinition": definition, "desiredCount": count, **options}
    if aws.service(CLUSTER, name):
        aws.ecs.update_service(service=name, forceNewDeployment=True, **wanted)
        return
    network = {"awsvpcConfiguration": {"subnets": _subnets(aws), "assignPublicIp": "ENABLED"}}
    aws.ecs.create_service(serviceName=name, launchType="FARGATE", networkConfiguration=network, **wanted)


def _subnets(aws: Any) -> list[str]:
    return sorted(subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"])[:2]


def _role(aws: Any) -> str:
    """An execution role that may write logs."""
    iam = aws.client("iam")
    for role in iam.list_roles()["Roles"]:
        if role["RoleName"] == ROLE:
            return role["Arn"]
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": LOG_ACTIONS, "Resource": "*"}
    made = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="logs", PolicyDocument=_policy(may))
    return made["Arn"]


def _policy(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _group(aws: Any, name: str) -> None:
    logs = aws.client("logs")
    if not log_group(logs, name):
        logs.create_log_group(logGroupName=name)


def _target_group(elb: Any, name: str) -> str | None:
    return next((group["TargetGroupArn"] for group in elb.describe_target_groups()["TargetGroups"] if group["TargetGroupName"] == name), None)


def _behind_a_balancer(aws: Any, elb: Any, name: str, check: dict) -> str:
    """A load balancer on port 80 and its target group. The target group's ARN."""
    vpc = aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", **check)["TargetGroups"][0]["TargetGroupArn"]
    wait = {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[wait])
    balancer = elb.create_load_balancer(Name=name, Subnets=_subnets(aws))["LoadBalancers"][0]["LoadBalancerArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    return group
