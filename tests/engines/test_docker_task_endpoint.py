"""169.254.170.2 inside real containers: what a task finds there, and what is refused to it, to its neighbours and to pages."""
from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request

import pytest

from ecslab.region import start
from ecslab.region.inside import TaskEndpoint
from tests.parity.test_parity import Story
from tests.region.test_secrets import role

READ = "secretsmanager:GetSecretValue"
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=none"


@pytest.fixture(scope="module")
def story():
    with start(engine="docker", speed=20) as region:
        story = Story(region)
        store = region.client("secretsmanager")
        secrets = {name: store.create_secret(Name=name, SecretString=f"value of {name}")["ARN"] for name in ("mine", "yours")}
        for name, arn in secrets.items():
            story.define(name, taskRoleArn=role(story, name, (READ, arn), ("ecs:UpdateTaskProtection", "*")))
        yield story


@pytest.fixture(scope="module")
def tasks(story):
    """(a task that may read the secret `mine`, one that may read `yours`), both running."""
    both = story.run("mine"), story.run("yours")
    story.until(lambda: all(story.task(arn)["lastStatus"] == "RUNNING" for arn in both))
    story.until(lambda: all(story.region.get(story.region.url(arn) + "/health").status == 200 for arn in both))
    return both


@pytest.fixture(scope="module")
def ask(story, tasks):
    """A request that the first task makes, sent byte for byte; (status, body) of what comes back."""

    def send(path, *headers, method="GET", host="169.254.170.2", to="169.254.170.2 80", body="") -> tuple[int, str]:
        lines = [f"{method} {path} HTTP/1.0", f"Host: {host}", *headers, f"Content-Length: {len(body)}", "", body]
        command = ["sh", "-c", f'printf %s "$1" | nc -w 5 {to}', "sh", "\r\n".join(lines)]
        got = story.region.engine.execute(tasks[0].rpartition("/")[2], "app", command).output
        head, _, rest = got.partition("\r\n\r\n")
        return int(head.split()[1]), rest

    return send


@pytest.fixture(scope="module")
def environment(story, tasks):
    lines = [story.region.get(story.region.url(arn) + "/env").body.splitlines() for arn in tasks]
    return [dict(line.split("=", 1) for line in one) for one in lines]


def place(story, arn) -> tuple[str, int]:
    """Where this machine answers that task."""
    network = story.region._task(arn).network
    ending = f" {TaskEndpoint(arn.rpartition('/')[2], network.private_ip)}"
    key = next(key for key in story.region.balancing.plane.ports if key.endswith(ending))
    return key.removesuffix(ending), story.region.balancing.plane.ports[key]


def test_the_variables_that_ecs_adds_lead_to_the_task_itself(story, tasks, ask, environment):
    mine = environment[0]
    assert mine["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE" and mine["AWS_REGION"] == mine["AWS_DEFAULT_REGION"] == "us-east-1"
    found = json.loads(ask(mine["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1])
    assert found["RoleArn"] == "arn:aws:iam::123456789012:role/mine" and found["AccessKeyId"].startswith("ASIA")
    metadata = mine["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")
    assert json.loads(ask(metadata)[1])["Name"] == "app"
    assert json.loads(ask(f"{metadata}/task")[1])["TaskARN"] == tasks[0]


def test_a_container_protects_its_own_task(story, tasks, ask, environment):
    path = environment[0]["ECS_AGENT_URI"].removeprefix("http://169.254.170.2") + "/task-protection/v1/state"
    status, body = ask(path, method="PUT", body='{"ProtectionEnabled": true}')
    assert status == 200 and json.loads(body)["failure"]["Reason"] == "TASK_NOT_VALID"  # it belongs to no service


def test_a_container_reads_the_secret_of_its_role_and_no_other(story, tasks):
    address = story.region.url(tasks[0])
    granted = story.region.get(f"{address}/secret?id=mine")
    assert granted.status == 200 and json.loads(granted.body)["SecretString"] == "value of mine"
    refused = story.region.get(f"{address}/secret?id=yours")
    assert refused.status == 502 and json.loads(refused.body)["__type"] == "AccessDeniedException"
    assert f"assumed-role/mine/{tasks[0].rpartition('/')[2]} is not authorized to perform: {READ}" in refused.body


def test_another_task_credentials_are_not_to_be_had(story, tasks, ask, environment):
    assert ask(environment[1]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[0] == 404
    theirs = environment[1]["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")
    assert ask(theirs)[0] == ask(f"{theirs}/task")[0] == 404


def test_the_port_of_another_task_refuses_to_answer(story, tasks, ask, environment):
    host, port = place(story, tasks[1])
    path = environment[1]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    assert ask(path, to=f"{host} {port}")[0] == 403


def test_this_machine_itself_is_refused(story, tasks, environment):
    host, port = place(story, tasks[0])
    path = environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}{path}", headers={"Host": "169.254.170.2"}), timeout=5)
    assert refused.value.code == 403


@pytest.mark.parametrize("host, headers", [("evil.example", ()), ("localhost", ()), ("169.254.170.2", ("Origin: http://169.254.170.2",)), ("169.254.170.2", ("Origin: null",))])
def test_a_page_in_a_browser_is_refused(ask, environment, host, headers):
    path = environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    assert ask(path, *headers, host=host)[0] == 403
    assert ask(path)[0] == 200


TRICKS = ["/", "/v2/credentials", "/v2/credentials/", "//v2/credentials{}", "/v2/../v2{}", "/%76%32{}", "{}/", "{}?x", "/v3/x", "/v4/", "http://evil{}"]


@pytest.mark.parametrize("trick", TRICKS)
def test_only_the_exact_path_is_answered(ask, environment, trick):
    own = environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    status, body = ask(trick.format(own if trick.startswith(("{}", "http")) else own.removeprefix("/v2")))
    assert status in (400, 403, 404) and "SecretAccessKey" not in body


def signed(key, service, *more) -> list[str]:
    return [f"Authorization: {SIGNED.format(key, service)}", "Content-Type: application/x-amz-json-1.1", *more]


TARGET = "X-Amz-Target: secretsmanager.GetSecretValue"
YOURS = '{"SecretId": "yours"}'


def test_nobody_is_the_learner_in_a_container(ask):
    status, body = ask("/", *signed("test", "secretsmanager", TARGET), method="POST", body=YOURS)
    assert status == 400 and json.loads(body)["__type"] == "InvalidClientTokenId"
    unsigned = ask("/?X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fsecretsmanager%2Faws4_request", TARGET, method="POST", body=YOURS)
    assert unsigned[0] == 404 and "value of" not in unsigned[1]


def test_a_key_without_its_token_opens_nothing(ask, environment):
    found = json.loads(ask(environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1])
    status, body = ask("/", *signed(found["AccessKeyId"], "secretsmanager", TARGET), method="POST", body='{"SecretId": "mine"}')
    assert status == 400 and json.loads(body)["__type"] == "InvalidClientTokenId"


def test_a_header_that_names_two_credentials_is_refused(ask, environment):
    found = json.loads(ask(environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1])
    both = f"Authorization: AWS4-HMAC-SHA256 a/b/us-east-1/iam/aws4_request, {SIGNED.format(found['AccessKeyId'], 'sts').partition(' ')[2]}"
    assert ask("/", both, f"X-Amz-Security-Token: {found['Token']}", method="POST", body="Action=ListRoles")[0] == 400


@pytest.mark.parametrize("path", ["/moto-api/reset", "/%6doto-api/reset"])
def test_what_rules_the_region_is_not_for_tasks(story, ask, environment, path):
    found = json.loads(ask(environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1])
    headers = signed(found["AccessKeyId"], "sts", f"X-Amz-Security-Token: {found['Token']}")
    assert ask(path, *headers, method="POST", body="Action=GetCallerIdentity")[0] == 404
    assert story.region.client("secretsmanager").describe_secret(SecretId="mine")["Name"] == "mine"


def test_labels_and_descriptions_tell_no_credential(story, tasks, ask, environment):
    found = json.loads(ask(environment[0]["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])[1])
    import docker

    api = docker.from_env().api
    own = api.inspect_container(story.task(tasks[0])["containers"][0]["runtimeId"])
    pause = api.inspect_container(own["HostConfig"]["NetworkMode"].removeprefix("container:"))  # which owns the network
    told = json.dumps([[c["Config"]["Labels"] for c in (own, pause)], story.task(tasks[0]), story.region.logs(tasks[0], "app")], default=str)
    assert not any(found[name] in told for name in ("SecretAccessKey", "Token", "AccessKeyId"))
    inspected = json.dumps([own, pause])
    assert found["SecretAccessKey"] not in inspected and found["Token"] not in inspected


def test_a_task_on_the_bridge_has_no_address_that_does_not_answer(story):
    story.define("bridged", networkMode="bridge", requiresCompatibilities=["EC2"])
    story.region.add_instance("demo")
    arn = story.ecs.run_task(cluster="demo", taskDefinition="bridged", launchType="EC2")["tasks"][0]["taskArn"]
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    printed = story.region.engine.execute(arn.rpartition("/")[2], "app", ["env"]).output
    assert "AWS_EXECUTION_ENV=AWS_ECS_EC2" in printed and "169.254.170.2" not in printed
    inside = story.region.inside(arn)
    found = inside.get(inside.environment["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")).json()
    import docker

    assert docker.from_env().containers.get(found["DockerId"]).name == found["DockerName"]


def test_the_port_is_let_go_of_when_the_task_has_stopped(story):
    arn = story.run("mine")
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING")
    where = place(story, arn)
    story.ecs.stop_task(cluster="demo", task=arn)
    story.ended(arn)
    story.region.run_for("2s")
    with pytest.raises(OSError):
        socket.create_connection(where, timeout=2)
