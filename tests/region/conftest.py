"""A simulated region with a cluster, a network and two revisions of a web app."""
from __future__ import annotations

import pytest

from ecslab.region import start


class Lab:
    """A region and the few calls every test makes."""

    def __init__(self, region):
        self.region = region
        self.ecs = region.client("ecs")
        self.ec2 = region.client("ec2")
        self.subnets = sorted(s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"])
        self.network = {"awsvpcConfiguration": {"subnets": self.subnets[:2]}}

    def define(self, family="web", image="ecslab/app:1.0", command=(), containers=None, **fields):
        container = {"name": "app", "image": image, "portMappings": [{"containerPort": 80}]}
        if command:
            container["command"] = list(command)
        container.update(fields.pop("container", {}))
        request = {
            "family": family,
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": containers or [container],
            **fields,
        }
        return self.ecs.register_task_definition(**request)["taskDefinition"]

    def run(self, definition="web", **options):
        """The ARN of one Fargate task."""
        options = {"launchType": "FARGATE", "networkConfiguration": self.network, "cluster": "demo", **options}
        return self.ecs.run_task(taskDefinition=definition, **options)["tasks"][0]["taskArn"]

    def serve(self, name="web", definition="web", count=2, **options):
        options = {"launchType": "FARGATE", "networkConfiguration": self.network, **options}
        return self.ecs.create_service(cluster="demo", serviceName=name, taskDefinition=definition, desiredCount=count, **options)["service"]

    def task(self, arn):
        return self.ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]

    def tasks(self, service="web", status="RUNNING"):
        arns = self.ecs.list_tasks(cluster="demo", serviceName=service, desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if arns else []

    def service(self, name="web"):
        return self.ecs.describe_services(cluster="demo", services=[name])["services"][0]

    def messages(self, name="web"):
        return [event["message"] for event in reversed(self.service(name)["events"])]


@pytest.fixture
def lab():
    with start(engine="simulated") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        lab.define(image="ecslab/app:2.0")
        yield lab
