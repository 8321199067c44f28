"""The task metadata endpoint, version 4: what a container reads about itself, its task and what it uses."""
from __future__ import annotations

from tests.region.test_secrets import role

CHECK = {"command": ["CMD", "/app", "health"], "interval": 5, "retries": 2}


def read(lab, arn, rest="", container=None):
    inside = lab.region.inside(arn, container)
    return inside.get(inside.environment["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2") + rest).json()


def on_fargate(lab, **options):
    logs = {"awslogs-group": "/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web", "awslogs-create-group": "true"}
    settings = {
        "healthCheck": CHECK,
        "logConfiguration": {"logDriver": "awslogs", "options": logs},
        "portMappings": [{"containerPort": 80}],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
        "dockerLabels": {"team": "shop"},
    }
    execution = role(lab, "starts", *((f"logs:{action}", "*") for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")))
    lab.define("full", container=settings, volumes=[{"name": "data"}], ephemeralStorage={"sizeInGiB": 30}, executionRoleArn=execution, **options)
    arn = lab.run("full", tags=[{"key": "owner", "value": "shop"}])
    lab.region.run_for("1m")
    return arn


def test_a_task_on_fargate_reads_its_place_size_and_storage(lab):
    arn = on_fargate(lab)
    task, found = lab.task(arn), read(lab, arn, "/task")
    assert found["Cluster"] == task["clusterArn"] and found["Group"] == task["group"] == "family:full"
    assert found["Limits"] == {"CPU": 0.25, "Memory": 512} and found["LaunchType"] == "FARGATE"
    assert found["AvailabilityZone"] == task["availabilityZone"] and found["AvailabilityZoneID"].startswith("use1-az")
    assert found["EphemeralStorageMetrics"] == {"Reserved": 30 * 1024}
    assert (found["ClockDrift"]["ClockErrorBound"], found["ClockDrift"]["ClockSynchronizationStatus"]) == (0.0, "SYNCHRONIZED")
    assert found["FaultInjectionEnabled"] is False
    assert found["PullStartedAt"] < found["PullStoppedAt"] <= found["Containers"][0]["StartedAt"]
    assert "TaskTags" not in found and read(lab, arn, "/taskWithTags")["TaskTags"] == {"owner": "shop"}


def test_a_container_on_fargate_reads_how_it_was_started(lab):
    arn = on_fargate(lab)
    found = read(lab, arn)
    assert found["Name"] == found["DockerName"] == "app" and found["Type"] == "NORMAL"
    assert found["Ports"] == [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": 80}]
    assert found["Health"]["status"] == "HEALTHY" and found["Health"]["statusSince"] > found["StartedAt"] >= found["CreatedAt"]
    assert found["LogDriver"] == "awslogs" and found["LogOptions"]["awslogs-stream"] == f"web/app/{arn.rpartition('/')[2]}"
    assert found["Volumes"] == [{"DockerName": "data", "Destination": "/data"}]
    assert found["Labels"]["team"] == "shop" and found["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    assert "RestartCount" not in found and "FinishedAt" not in found


def test_the_network_of_a_container_is_that_of_its_interface(lab):
    arn = on_fargate(lab)
    (network,) = read(lab, arn)["Networks"]
    details = {d["name"]: d["value"] for d in lab.task(arn)["attachments"][0]["details"]}
    (subnet,) = lab.region.client("ec2").describe_subnets(SubnetIds=[details["subnetId"]])["Subnets"]
    assert network["NetworkMode"] == "awsvpc" and network["IPv4Addresses"] == [details["privateIPv4Address"]]
    assert (network["MACAddress"], network["PrivateDNSName"]) == (details["macAddress"], details["privateDnsName"])
    assert network["IPv4SubnetCIDRBlock"] == subnet["CidrBlock"]
    assert network["SubnetGatewayIpv4Address"] == subnet["CidrBlock"].replace(".0/", ".1/")


def test_what_is_used_is_told_with_the_limit_beside_it(lab):
    arn = on_fargate(lab)
    own, every = read(lab, arn, "/stats"), read(lab, arn, "/task/stats")
    assert every == {own["id"]: own} and own["id"] == read(lab, arn)["DockerId"]
    assert 0 < own["memory_stats"]["usage"] < own["memory_stats"]["limit"] == 512 * 2**20


def test_a_container_that_was_restarted_knows_how_often_and_when_it_ended(lab):
    settings = {"command": ["--exit-after", "70", "--exit-code", "3"], "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}}
    lab.define("again", container=settings)
    arn = lab.run("again")
    lab.region.run_for("2m")
    found = read(lab, arn)
    assert found["RestartCount"] == 1 and found["StartedAt"] > found["FinishedAt"] > found["CreatedAt"]


def test_on_an_instance_the_agent_names_containers_and_ports_are_those_of_the_host(lab):
    instance = lab.region.add_instance("demo")
    lab.ecs.tag_resource(resourceArn=instance, tags=[{"key": "rack", "value": "7"}])
    lab.define("bridged", networkMode="bridge", requiresCompatibilities=["EC2"], container={"portMappings": [{"containerPort": 80, "hostPort": 0}]})
    arn = lab.ecs.run_task(cluster="demo", taskDefinition="bridged", launchType="EC2")["tasks"][0]["taskArn"]
    lab.region.run_for("30s")
    task, found = read(lab, arn, "/taskWithTags"), read(lab, arn)
    assert task["Cluster"] == "demo" and task["ContainerInstanceTags"] == {"rack": "7"}
    assert "ClockDrift" not in task and "EphemeralStorageMetrics" not in task
    assert found["DockerName"].startswith("ecs-bridged-1-app-")
    (binding,) = lab.task(arn)["containers"][0]["networkBindings"]
    assert found["Ports"] == [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": binding["hostPort"], "HostIp": binding["bindIP"]}]
    assert found["Networks"] == [{"NetworkMode": "bridge"}]
