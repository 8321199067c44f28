"""The task metadata endpoint, version 4: what a container reads about itself, its task and what it uses."""
from __future__ import annotations

import threading

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
    lab.region.get(f"http://{lab.region._task(arn).network.private_ip}/burn?seconds=5")
    lab.region.run_for("5s")
    own, every = read(lab, arn, "/stats"), read(lab, arn, "/task/stats")
    assert every == {own["id"]: own} and own["id"] == read(lab, arn)["DockerId"]
    assert 0 < own["memory_stats"]["usage"] < own["memory_stats"]["limit"] == 512 * 2**20
    assert 0 < own["cpu_stats"]["cpu_usage"]["total_usage"] < own["cpu_stats"]["system_cpu_usage"]


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


def protection(lab, arn, method="GET", body=""):
    """(status, body) of the endpoint by which a container protects its own task."""
    inside = lab.region.inside(arn)
    path = inside.environment["ECS_AGENT_URI"].removeprefix("http://169.254.170.2") + "/task-protection/v1/state"
    answer = inside.request(method, path, body)
    return answer.status, answer.json()


def served(lab, *statements):
    """A task of a service whose task role may do that."""
    lab.define("worker", taskRoleArn=role(lab, "worker", *statements))
    lab.serve("worker", "worker", count=1)
    lab.region.run_for("1m")
    return lab.tasks("worker")[0]["taskArn"]


def test_a_container_protects_its_task_for_as_long_as_it_says(lab):
    arn = served(lab, ("ecs:GetTaskProtection", "*"), ("ecs:UpdateTaskProtection", "*"))
    unprotected = {"protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": arn}}
    assert protection(lab, arn) == (200, unprotected)
    status, told = protection(lab, arn, "PUT", '{"ProtectionEnabled": true, "ExpiresInMinutes": 60}')
    assert status == 200 and told["protection"]["ProtectionEnabled"] is True and told["protection"]["ExpirationDate"].startswith("2026-01-05T10:")
    assert protection(lab, arn) == (200, told)
    lab.ecs.update_service(cluster="demo", service="worker", desiredCount=0)
    lab.region.run_for("10m")
    assert lab.task(arn)["lastStatus"] == "RUNNING"
    assert protection(lab, arn, "PUT", '{"ProtectionEnabled": false}') == (200, unprotected)
    lab.region.run_for("2m")
    assert lab.task(arn)["lastStatus"] == "STOPPED"


def test_protection_needs_the_task_role_s_permission(lab):
    arn = served(lab, ("ecs:GetTaskProtection", "*"))
    assert protection(lab, arn)[0] == 200
    status, told = protection(lab, arn, "PUT", '{"ProtectionEnabled": true}')
    assert status == 400 and (told["error"]["Arn"], told["error"]["Code"]) == (arn, "AccessDeniedException") and told["requestID"]
    who = f"arn:aws:sts::123456789012:assumed-role/worker/{arn.rpartition('/')[2]}"
    assert told["error"]["Message"].startswith(f"User: {who} is not authorized to perform: ecs:UpdateTaskProtection on resource: {arn} because")
    alone = lab.run("web:1")
    lab.region.run_for("30s")
    assert protection(lab, alone)[1]["error"]["Code"] == "AccessDeniedException"


def test_a_task_of_no_service_cannot_be_protected(lab):
    lab.define("job", taskRoleArn=role(lab, "job", ("ecs:UpdateTaskProtection", "*")))
    arn = lab.run("job")
    lab.region.run_for("30s")
    status, told = protection(lab, arn, "PUT", '{"ProtectionEnabled": true}')
    assert status == 200 and (told["failure"]["Arn"], told["failure"]["Reason"]) == (arn, "TASK_NOT_VALID")


def test_what_is_asked_of_protection_wrongly_is_an_error_that_says_so(lab):
    arn = served(lab, ("ecs:UpdateTaskProtection", "*"))
    wrong = {
        "{": "not valid JSON",
        "[]": "ProtectionEnabled must be",
        "": "ProtectionEnabled must be",
        '{"ProtectionEnabled": "yes"}': "ProtectionEnabled must be",
        '{"ProtectionEnabled": true, "ExpiresInMinutes": "60"}': "a whole number",
        '{"ProtectionEnabled": true, "ExpiresInMinutes": 0}': "between 1 and 2880",
        '{"ProtectionEnabled": true, "ExpiresInMinutes": 2881}': "between 1 and 2880",
        '{"protectionEnabled": true, "ProtectionEnabled": true}': "no parameter protectionEnabled",
    }
    for body, words in wrong.items():
        status, told = protection(lab, arn, "PUT", body)
        assert status == 400 and told["error"]["Code"] == "InvalidParameterException" and words in told["error"]["Message"]
    assert protection(lab, arn, "DELETE")[0] == 405


def test_who_waits_for_statistics_holds_nobody_up(lab, monkeypatch):
    arn = on_fargate(lab)
    told, asked, go_on = [], threading.Event(), threading.Event()

    def slow(task_id):
        asked.set()
        go_on.wait(10)
        return {}

    monkeypatch.setattr(lab.region.engine, "stats", slow)
    waiting = threading.Thread(target=lambda: told.append(read(lab, arn, "/task/stats")))
    waiting.start()
    assert asked.wait(10)
    assert lab.task(arn)["lastStatus"] == "RUNNING" and told == []
    go_on.set()
    waiting.join(10)
    assert told == [{}]
