"""What a task, a web page and a task definition try to get at, and are refused: none of it needs a real container."""
from __future__ import annotations

import http.client
import json
import logging
from itertools import product

import pytest
from botocore.exceptions import ClientError

from .test_event_bridge import Bus
from .test_secrets import given, role

VALUE = "hunter2-of-the-test"
HOST = "http://169.254.170.2"


@pytest.fixture
def tasks(lab):
    """Two tasks with roles of their own, as their containers see their endpoints."""
    for name in ("mine", "yours"):
        lab.define(name, taskRoleArn=role(lab, name, ("ecs:GetTaskProtection", "*")))
    arns = lab.run("mine"), lab.run("yours")
    lab.region.run_for("30s")
    return tuple(lab.region.inside(arn) for arn in arns)


ADDRESSES = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4", "ECS_AGENT_URI")
ENDINGS = {"ECS_AGENT_URI": "/task-protection/v1/state"}


def path(inside, name: str) -> str:
    return inside.environment[name].removeprefix(HOST) + ENDINGS.get(name, "")


def test_what_one_task_is_told_its_neighbour_is_not(tasks):
    mine, yours = tasks
    for name in ADDRESSES:
        for method in ("GET", "PUT", "POST"):
            refused = mine.request(method, path(yours, name), '{"ProtectionEnabled": true}')
            assert refused.status == 404 and yours.task.id not in refused.body and "SecretAccessKey" not in refused.body
        assert mine.get(path(mine, name)).status == 200


SPELLINGS = {
    "a parent folder": "/x/..{}",
    "an escaped parent folder": "/x/%2e%2e{}",
    "an escaped slash": "%2F{}",
    "a doubled slash": "/{}",
    "a slash at the end": "{}/",
    "a dot at the end": "{}/.",
    "a query": "{}?x=1",
    "a fragment": "{}#x",
    "a semicolon": "{};x",
    "a null byte": "{}%00",
    "a line break": "{}\r\nHost: evil.example",
    "a space": "{} ",
    "a host before it": "http://169.254.170.2{}",
}


def test_an_address_is_answered_only_when_it_is_spelled_exactly(tasks):
    mine, yours = tasks
    there = [path(one, name) for one in (mine, yours) for name in ADDRESSES]
    answered = [tried for tried, spelling in SPELLINGS.items() for one in there if mine.get(spelling.format(one)).status != 404]
    assert answered == []


def test_an_address_cannot_be_had_by_knowing_a_part_of_it(tasks):
    mine, _ = tasks
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4"):
        whole = path(mine, name)
        assert {mine.get(guess).status for guess in (whole[:-1], whole.rpartition("/")[0], f"{whole.rpartition('/')[0]}/", whole.upper())} == {404}
        assert mine.task.id not in whole


def test_the_ids_of_a_task_are_not_those_of_the_next_and_each_container_has_its_own(lab):
    app = {"name": "app", "image": "ecslab/app:1.0"}
    lab.ecs.register_task_definition(
        family="two", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[app, {**app, "name": "side", "command": ["--port", "81"]}],
    )  # fmt: skip
    arns = [lab.run("two"), lab.run("two")]
    lab.region.run_for("30s")
    places = [lab.region.inside(arn, name) for arn in arns for name in ("app", "side")]
    assert len({path(place, "ECS_CONTAINER_METADATA_URI_V4") for place in places}) == 4
    assert [place.get(path(place, "ECS_CONTAINER_METADATA_URI_V4")).json()["Name"] for place in places] == ["app", "side"] * 2


def test_a_stopped_task_is_told_nothing_more(lab, tasks):
    mine, _ = tasks
    before = [path(mine, name) for name in ADDRESSES]
    lab.ecs.stop_task(cluster="demo", task=mine.task.arn)
    lab.region.run_for("1m")
    assert {mine.get(one).status for one in before} == {404}


# A secret's value -------------------------------------------------------------------


def test_the_value_of_a_secret_is_in_nothing_that_anybody_else_may_read(lab, caplog):
    caplog.set_level(logging.DEBUG)
    bus = Bus(lab)
    bus.rule()
    secret = lab.region.client("secretsmanager").create_secret(Name="db", SecretString=VALUE)["ARN"]
    lab.region.client("ssm").put_parameter(Name="/db", Value=VALUE, Type="SecureString")
    reader = role(lab, "reader", ("secretsmanager:GetSecretValue", secret), ("ssm:GetParameters", "*"))
    wanted = [{"name": "WHOLE", "valueFrom": secret}, {"name": "PARAMETER", "valueFrom": "/db"}]
    lab.define("s", executionRoleArn=reader, container={"secrets": wanted})
    lab.serve("s", "s", count=1)
    lab.region.run_for("2m")
    (arn,) = lab.ecs.list_tasks(cluster="demo", serviceName="s")["taskArns"]
    environment = given(lab, lab.task(arn))
    assert environment["WHOLE"] == environment["PARAMETER"] == VALUE  # the process itself has both
    inside = lab.region.inside(arn)
    metadata = path(inside, "ECS_CONTAINER_METADATA_URI_V4")
    told = {
        "DescribeTasks": lab.ecs.describe_tasks(cluster="demo", tasks=[arn], include=["TAGS"])["tasks"],
        "DescribeTaskDefinition": lab.ecs.describe_task_definition(taskDefinition="s", include=["TAGS"])["taskDefinition"],
        "DescribeServices": lab.ecs.describe_services(cluster="demo", services=["s"])["services"],
        "EventBridge": bus.heard(),
        "metadata": [inside.get(metadata + rest).body for rest in ("", "/task", "/taskWithTags", "/stats", "/task/stats")],
        "logs of the container": lab.region.logs(arn),
        "our own log": [record.getMessage() for record in caplog.records if record.name.startswith("ecslab")],
    }
    assert all(told[name] for name in ("DescribeTasks", "DescribeTaskDefinition", "DescribeServices", "EventBridge"))
    assert not [name for name, one in told.items() if VALUE in str(one)]


def test_a_secret_that_cannot_be_read_stops_the_task_without_its_value(lab):
    store = lab.region.client("secretsmanager")
    secret = store.create_secret(Name="db", SecretString=json.dumps({"password": VALUE}))["ARN"]
    lab.define("s", executionRoleArn=role(lab, "reader", ("secretsmanager:GetSecretValue", secret)), container={"secrets": [{"name": "KEY", "valueFrom": f"{secret}:user::"}]})
    arn = lab.run("s")
    lab.region.run_for("1m")
    task = lab.task(arn)
    assert task["stoppedReason"].startswith("ResourceInitializationError") and VALUE not in str(task)


# The learner's machine ----------------------------------------------------------------

BOUND = {"type": "none", "o": "bind", "device": "/"}
PLACES = {
    "the root": {"host": {"sourcePath": "/"}},
    "the Docker socket": {"host": {"sourcePath": "/var/run/docker.sock"}},
    "the same by a detour": {"host": {"sourcePath": "/var/../var/run/./docker.sock"}},
    "the folder of the socket": {"host": {"sourcePath": "/run"}},
    "the root through a volume's driver": {"dockerVolumeConfiguration": {"scope": "task", "driver": "local", "driverOpts": BOUND}},
    "the root through a shared volume": {"dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local", "driverOpts": BOUND}},
}


def register(lab, fargate: bool, volume):
    container = {"name": "app", "image": "ecslab/app:1.0", "memory": 64, "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    more = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"} if fargate else {}
    with pytest.raises(ClientError) as refused:
        lab.ecs.register_task_definition(family="bad", containerDefinitions=[container], volumes=[{"name": "v", **volume}], **more)
    return refused.value.response["Error"]


def test_on_fargate_no_volume_of_the_host_can_be_asked_for(lab):
    for volume in PLACES.values():
        error = register(lab, True, volume)
        field = "sourcePath" if "host" in volume else "dockerVolumeConfiguration"
        assert (error["Code"], error["Message"]) == ("ClientException", f"Fargate compatible task definitions do not support {field}")


def test_on_ec2_the_instance_is_not_the_learner_s_machine(lab):
    for volume in PLACES.values():
        error = register(lab, False, volume)
        assert error["Code"] == "ClientException" and "allow_unsafe=True" in error["Message"]


# A page in the learner's browser --------------------------------------------------------

FROM_ELSEWHERE = ("https://example.com", "null", "http://localhost.example.com", "http://127.0.0.1.example.com:80", "http://169.254.170.2", "file://")


def test_a_page_from_elsewhere_reads_and_changes_nothing(lab):
    signed = "AWS4-HMAC-SHA256 Credential=x/20260105/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=x"
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.CreateCluster", "Authorization": signed, "Content-Type": "text/plain"}
    for origin, method in product(FROM_ELSEWHERE, ("GET", "POST", "OPTIONS")):
        connection = http.client.HTTPConnection(lab.region.endpoint_url.removeprefix("http://"), timeout=10)
        connection.request(method, "/", body=b'{"clusterName": "theirs"}', headers={"Origin": origin, **target})
        answer = connection.getresponse()
        headers = {name.lower() for name, _ in answer.getheaders()}
        connection.close()
        assert answer.status == 403 and not any(name.startswith("access-control-") for name in headers)
    assert lab.ecs.describe_clusters(clusters=["theirs"])["clusters"] == []
