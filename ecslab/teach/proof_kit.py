"""What most proofs begin with: a cluster `demo`, Fargate tasks of the lab's app, a service `web`, a load balancer.

    demo = Demo(aws, region)
    demo.define("web", "--exit-after", "10")     # web:1, with arguments for the app
    demo.serve(3)
    region.run_for("5m")
    demo.running()                               # the RUNNING tasks of the service
"""
from __future__ import annotations

import json
from collections import Counter
from typing import Any, Callable, Mapping

APP = "ecslab/app:1.0"
MISSING = "ecslab/app:9.9"
FARGATE = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
CHECK = {"command": ["CMD", "/app", "health"], "interval": 10, "timeout": 5, "retries": 2}


def app(name: str = "app", *arguments: str, **fields: Any) -> dict:
    """A container definition of the lab's app."""
    return {"name": name, "image": APP, "command": list(arguments), **fields}


def refusals(say: Callable[[str], None], errors: Mapping[str, str | None]) -> set[str]:
    """Which of the calls AWS refused; `errors` is what `refused` gave for each. All are told."""
    for name, error in errors.items():
        say(f"{name}: {error or 'accepted'}")
    return {name for name, error in errors.items() if error}


def policy(*allowed: tuple[str, str], **more: Any) -> str:
    """A policy document of (action, resource) pairs."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource, **more} for action, resource in allowed]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def role(aws: Any, name: str, *allowed: tuple[str, str], trusted: str = "ecs-tasks.amazonaws.com") -> str:
    """The ARN of a new role that may do that."""
    statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if allowed:
        aws.client("iam").put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=policy(*allowed))
    return arn


class Demo:
    """A cluster `demo` and the calls proofs make in it."""

    def __init__(self, aws: Any, region: Any):
        self.aws, self.ecs, self.region = aws, aws.ecs, region
        self.ecs.create_cluster(clusterName="demo")
        self.subnets = sorted(subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"])

    def network(self, subnets: int = 2) -> dict:
        return {"awsvpcConfiguration": {"subnets": self.subnets[:subnets], "assignPublicIp": "ENABLED"}}

    # -- task definitions ------------------------------------------------------

    def define(self, family: str = "web", *arguments: str, container: dict | None = None, **fields: Any) -> str:
        """A Fargate task definition of one container `app`; its `family:revision` comes back."""
        one = app("app", *arguments, **{"portMappings": [{"containerPort": 80}], **(container or {})})
        return self.register(family, [one], **fields)

    def register(self, family: str, containers: list[dict], **fields: Any) -> str:
        request = {"family": family, "containerDefinitions": containers, **FARGATE, **fields}
        made = self.ecs.register_task_definition(**request)["taskDefinition"]
        return f"{made['family']}:{made['revision']}"

    def on_ec2(self, family: str = "web", container: dict | None = None, mode: str = "bridge", **fields: Any) -> None:
        """A task definition for EC2 of one small container."""
        request = {"networkMode": mode, "requiresCompatibilities": ["EC2"], **fields}
        self.ecs.register_task_definition(family=family, containerDefinitions=[app(**{"memory": 64, **(container or {})})], **request)

    # -- instances ---------------------------------------------------------------

    def instances(self, count: int = 1, kind: str = "m5.large") -> list[str]:
        """The ARNs of new container instances."""
        return [self.region.add_instance("demo", kind) for _ in range(count)]

    # -- tasks -------------------------------------------------------------------

    def run(self, definition: str = "web", **options: Any) -> str:
        """The ARN of one standalone Fargate task."""
        options = {"launchType": "FARGATE", "networkConfiguration": self.network(), **options}
        return self.ecs.run_task(cluster="demo", taskDefinition=definition, **options)["tasks"][0]["taskArn"]

    def task(self, arn: str) -> dict:
        return self.ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]

    def address(self, arn: str) -> str:
        """Where a task in awsvpc mode answers: `http://10.0.0.7`."""
        return f"http://{self.task(arn)['containers'][0]['networkInterfaces'][0]['privateIpv4Address']}"

    def status(self, arn: str, container: str) -> str:
        return next(one["lastStatus"] for one in self.task(arn)["containers"] if one["name"] == container)

    def running(self, **filters: Any) -> list[dict]:
        return [task for task in self.aws.tasks("demo", **filters) if task["lastStatus"] == "RUNNING"]

    def stopped(self) -> list[dict]:
        return self.aws.tasks("demo", desiredStatus="STOPPED")

    def revisions(self) -> dict[str, int]:
        """How many tasks run, by `family:revision`."""
        return dict(Counter(task["taskDefinitionArn"].rpartition("/")[2] for task in self.running()))

    # -- the service `web` -----------------------------------------------------------

    def serve(self, count: int = 2, definition: str = "web:1", **options: Any) -> dict:
        options = {"launchType": "FARGATE", "networkConfiguration": self.network(), **options}
        options = {name: value for name, value in options.items() if value is not None}
        return self.ecs.create_service(
            cluster="demo", serviceName="web", taskDefinition=definition, desiredCount=count, **options
        )["service"]

    def serve_on_ec2(self, count: int = 2, definition: str = "web", **options: Any) -> dict:
        return self.serve(count, definition, launchType="EC2", networkConfiguration=None, **options)

    def serve_a_tag_that_moves(self, count: int) -> None:
        """The service `web` of the image shop:stable, which is version 1.0 when its tasks start and 2.0 afterwards."""
        self.aws.client("ecr").create_repository(repositoryName="shop")
        image = self.region.push_image("shop", "stable", APP)
        self.define(container={"image": image}, executionRoleArn=role(self.aws, "starts", ("ecr:*", "*")))
        self.serve(count)
        self.region.run_for("5m")
        self.region.push_image("shop", "stable", "ecslab/app:2.0")

    def update(self, **options: Any) -> dict:
        return self.ecs.update_service(cluster="demo", service="web", **options)["service"]

    def service(self) -> dict:
        return self.ecs.describe_services(cluster="demo", services=["web"])["services"][0]

    def events(self) -> list[str]:
        """The service's events, the oldest first."""
        return [event["message"] for event in reversed(self.service()["events"])]


class Balanced(Demo):
    """A `Demo` with a load balancer, a listener on port 80 and a target group of type ip."""

    def __init__(self, aws: Any, region: Any, delay: int = 20, **group: Any):
        super().__init__(aws, region)
        self.elb = aws.client("elbv2")
        self.balancer = self.elb.create_load_balancer(Name="web", Subnets=self.subnets[:2])["LoadBalancers"][0]
        self.url = f"http://{self.balancer['DNSName']}"
        self.group = self.new_group("blue", delay, **group)
        self.listener = self.listen(80, self.group)

    def new_group(self, name: str, delay: int = 20, **options: Any) -> str:
        vpc = self.aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        check = {"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 10}
        options = {"Protocol": "HTTP", "Port": 80, "TargetType": "ip", **check, **options}
        group = self.elb.create_target_group(Name=name, VpcId=vpc, **options)["TargetGroups"][0]["TargetGroupArn"]
        wait = {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[wait])
        return group

    def listen(self, port: int, group: str) -> str:
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        arn = self.balancer["LoadBalancerArn"]
        made = self.elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=port, DefaultActions=forward)
        return made["Listeners"][0]["ListenerArn"]

    def entry(self, **fields: Any) -> dict:
        """One entry of a service's `loadBalancers`."""
        return {"targetGroupArn": self.group, "containerName": "app", "containerPort": 80, **fields}

    def serve(self, count: int = 2, definition: str = "web:1", **options: Any) -> dict:
        return super().serve(count, definition, **{"loadBalancers": [self.entry()], **options})

    def health(self, group: str | None = None) -> dict[str, int]:
        """How many targets are in each state."""
        listed = self.elb.describe_target_health(TargetGroupArn=group or self.group)["TargetHealthDescriptions"]
        return dict(Counter(one["TargetHealth"]["State"] for one in listed))
