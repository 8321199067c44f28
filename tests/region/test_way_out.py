"""A task in a subnet of the learner's own starts only where a way leads to its image, its secrets and its logs."""
from __future__ import annotations

import pytest

from .test_hosts import launch
from .test_secrets import PULL_AND_LOG, role

AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
NO_TOKEN = f"{AUTH}unable to retrieve ecr registry auth: service call has been retried 3 time(s): "
NO_SECRET = f"{AUTH}unable to retrieve secret from asm: "
NO_MANIFEST = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
NO_LAYERS = "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: "
NO_STREAM = "failed to initialize logging driver: failed to create Cloudwatch log stream: "
EVERYTHING = ("ecr.api", "ecr.dkr", "s3", "secretsmanager", "logs")


class Private:
    """A VPC with one subnet that nothing leads out of, and tasks that want an image, a secret and a log."""

    def __init__(self, lab):
        self.lab, self.ec2 = lab, lab.ec2
        self.vpc = lab.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        self.subnet = lab.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        own = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = lab.ec2.describe_route_tables(Filters=own)["RouteTables"][0]["RouteTableId"]
        self.group = lab.ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=self.vpc)["GroupId"]
        lab.region.client("ecr").create_repository(repositoryName="shop")
        lab.region.client("logs").create_log_group(logGroupName="/shop")
        self.image = lab.region.push_image("shop", "1")
        self.secret = lab.region.client("secretsmanager").create_secret(Name="db", SecretString="s")["ARN"]
        self.role = role(lab, "execution", *PULL_AND_LOG, ("secretsmanager:GetSecretValue", "*"))

    def run(self, public_ip=False, subnet=None, **container):
        lab = self.lab
        lab.define("x", executionRoleArn=self.role, container={"image": self.image, **container})
        where = {"subnets": [subnet or self.subnet], "securityGroups": [self.group], "assignPublicIp": "ENABLED" if public_ip else "DISABLED"}
        if subnet:
            where.pop("securityGroups")
        arn = lab.run("x", networkConfiguration={"awsvpcConfiguration": where})
        lab.region.run_for("30s")
        return lab.task(arn)

    def all(self, **where):
        """Of a task that wants a bit of everything."""
        options = {"awslogs-group": "/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
        secrets = [{"name": "DB", "valueFrom": self.secret}]
        return self.run(secrets=secrets, logConfiguration={"logDriver": "awslogs", "options": options}, **where)

    def route(self, **target):
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", **target)

    def gateway(self):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.route(GatewayId=gateway)

    def endpoints(self, *services, lets_in="10.7.0.0/16"):
        door = self.ec2.create_security_group(GroupName="door", Description="door", VpcId=self.vpc)["GroupId"]
        permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": lets_in}]}
        self.ec2.authorize_security_group_ingress(GroupId=door, IpPermissions=[permission])
        for service in services:
            kind = {"VpcEndpointType": "Interface", "SubnetIds": [self.subnet], "SecurityGroupIds": [door]}
            if service == "s3":
                kind = {"VpcEndpointType": "Gateway", "RouteTableIds": [self.table]}
            self.ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=f"com.amazonaws.us-east-1.{service}", **kind)


@pytest.fixture
def private(lab):
    return Private(lab)


def test_without_any_way_out_the_secret_is_what_fails_first(private):
    task = private.all()
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == f'{NO_SECRET}RequestError: send request failed caused by: Post "https://secretsmanager.us-east-1.amazonaws.com/": dial tcp: i/o timeout'


@pytest.mark.parametrize(
    "missing, words",
    [
        ("secretsmanager", NO_SECRET),
        ("ecr.api", NO_TOKEN),
        ("ecr.dkr", NO_MANIFEST),
        ("s3", NO_LAYERS),
        ("logs", f"ResourceInitializationError: {NO_STREAM}"),
    ],
)
def test_each_endpoint_that_is_missing_has_its_own_failure(private, missing, words):
    private.endpoints(*(service for service in EVERYTHING if service != missing))
    assert private.all()["stoppedReason"].startswith(words)


def test_with_every_endpoint_a_private_task_runs(private):
    private.endpoints(*EVERYTHING)
    assert private.all()["lastStatus"] == "RUNNING"


def test_endpoints_that_do_not_let_the_task_in_are_no_way(private):
    private.endpoints(*EVERYTHING, lets_in="10.8.0.0/16")
    assert private.all()["stoppedReason"].startswith(NO_SECRET)


def test_an_internet_gateway_serves_only_tasks_with_a_public_address(private):
    private.gateway()
    assert private.all()["stoppedReason"].startswith(NO_SECRET)
    assert private.all(public_ip=True)["lastStatus"] == "RUNNING"


def test_a_nat_gateway_leads_a_private_task_out(private):
    address = private.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = private.ec2.create_nat_gateway(SubnetId=private.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    private.route(NatGatewayId=nat)
    assert private.all()["lastStatus"] == "RUNNING"


def test_a_public_image_needs_the_internet_and_an_image_of_the_machine_nothing(private):
    private.endpoints(*EVERYTHING)
    failed = private.run(image="nginx:1.27")
    assert failed["stoppedReason"].startswith(f"{NO_MANIFEST}nginx:1.27: ") and failed["containers"][0]["reason"] == failed["stoppedReason"]
    assert private.run(image="ecslab/app:1.0")["lastStatus"] == "RUNNING"


def test_default_subnets_are_taken_to_have_a_way(private):
    assert private.all(subnet=private.lab.subnets[0])["lastStatus"] == "RUNNING"


def test_on_ec2_it_is_the_instance_that_needs_the_way(private):
    lab = private.lab
    launch(lab, SubnetId=private.subnet, SecurityGroupIds=[private.group])
    lab.region.run_for("1m")
    lab.define(
        "hosted", requiresCompatibilities=["EC2"], networkMode="bridge", executionRoleArn=private.role, container={"image": private.image}
    )

    def reason():
        arn = lab.ecs.run_task(cluster="demo", taskDefinition="hosted", launchType="EC2")["tasks"][0]["taskArn"]
        lab.region.run_for("30s")
        return lab.task(arn).get("stoppedReason", lab.task(arn)["lastStatus"])

    assert reason().startswith("CannotPullECRContainerError: RequestError: send request failed caused by: Post ")
    private.endpoints("ecr.api", "ecr.dkr", "s3")
    assert reason() == "RUNNING"
