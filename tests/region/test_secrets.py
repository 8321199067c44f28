"""Secrets, parameters and environment files: fetched by the execution role, and what stops a task when they are not."""
from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

ASM_FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: "
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def role(lab, name, *statements, trust=TRUST):
    """The ARN of a role that may do that: (action, resource)."""
    iam = lab.region.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]}
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=json.dumps(document))
    return arn


# What AmazonECSTaskExecutionRolePolicy allows, and logs:CreateLogGroup.
PULL_AND_LOG = tuple(
    (action, "*")
    for action in (
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
        "logs:CreateLogStream", "logs:PutLogEvents", "logs:CreateLogGroup",
    )  # fmt: skip
)


@pytest.fixture
def secret(lab):
    store = lab.region.client("secretsmanager")
    return store.create_secret(Name="db", SecretString='{"user": "shop", "password": "hunter2"}')["ARN"]


def started(lab, execution, **container):
    """A task with that in its container, after half a minute."""
    lab.define("s", executionRoleArn=execution, container=container)
    arn = lab.run("s")
    lab.region.run_for("30s")
    return lab.task(arn)


def given(lab, task):
    """The environment of the task's container."""
    spec = lab.region.engine._tasks[task["taskArn"].rpartition("/")[2]].spec
    return {item["name"]: item["value"] for item in spec.containers[0]["environment"]}


def test_a_secret_is_injected_whole_by_json_key_and_by_stage(lab, secret):
    store = lab.region.client("secretsmanager")
    store.put_secret_value(SecretId="db", SecretString='{"user": "shop", "password": "new"}')
    reader = role(lab, "reader", ("secretsmanager:GetSecretValue", secret))
    names = {"WHOLE": secret, "KEY": f"{secret}:password::", "OLD": f"{secret}:password:AWSPREVIOUS:"}
    task = started(lab, reader, secrets=[{"name": n, "valueFrom": v} for n, v in names.items()])
    assert task["lastStatus"] == "RUNNING"
    found = given(lab, task)
    assert (json.loads(found["WHOLE"])["password"], found["KEY"], found["OLD"]) == ("new", "new", "hunter2")
    assert "hunter2" not in str(lab.ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]], include=["TAGS"]))
    assert not any("hunter2" in line for line in lab.region.logs(task["taskArn"]))


def test_parameters_come_by_name_and_by_arn_and_decrypted(lab):
    ssm = lab.region.client("ssm")
    ssm.put_parameter(Name="plain", Value="a", Type="String")
    ssm.put_parameter(Name="/shop/sealed", Value="b", Type="SecureString")
    prefix = "arn:aws:ssm:us-east-1:123456789012:parameter"
    reader = role(lab, "reader", ("ssm:GetParameters", f"{prefix}/*"))
    names = {"A": "plain", "B": f"{prefix}/plain", "C": "/shop/sealed", "D": f"{prefix}/shop/sealed"}
    task = started(lab, reader, secrets=[{"name": n, "valueFrom": v} for n, v in names.items()])
    assert given(lab, task) == {"A": "a", "B": "a", "C": "b", "D": "b"}


def test_a_new_value_reaches_only_new_tasks(lab, secret):
    reader = role(lab, "reader", ("secretsmanager:GetSecretValue", secret))
    old = started(lab, reader, secrets=[{"name": "KEY", "valueFrom": f"{secret}:password::"}])
    lab.region.client("secretsmanager").put_secret_value(SecretId="db", SecretString='{"password": "new"}')
    new = started(lab, reader, secrets=[{"name": "KEY", "valueFrom": f"{secret}:password::"}])
    assert (given(lab, old)["KEY"], given(lab, new)["KEY"]) == ("hunter2", "new")


def test_an_execution_role_without_permission_stops_the_task(lab, secret):
    task = started(lab, role(lab, "nobody"), secrets=[{"name": "KEY", "valueFrom": secret}])
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(ASM_FAILED)
    assert "retrieve secret from asm: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/nobody/" in task["stoppedReason"]
    assert f"secretsmanager:GetSecretValue on resource: {secret}" in task["stoppedReason"]


@pytest.mark.parametrize(
    ("value_from", "words"),
    [
        ("{secret}:nothing::", "did not contain json key nothing"),
        ("{secret}::NOBODY:", "staging label: NOBODY"),
        ("{secret}:password", "unexpected ARN format"),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf", "ResourceNotFoundException"),
        ("gone", "invalid ssm parameters: gone"),
    ],
)
def test_an_unknown_or_malformed_reference_stops_the_task(lab, secret, value_from, words):
    task = started(lab, role(lab, "all", ("*", "*")), secrets=[{"name": "KEY", "valueFrom": value_from.format(secret=secret)}])
    assert (task["stopCode"], task["lastStatus"]) == ("TaskFailedToStart", "STOPPED")
    assert task["stoppedReason"].startswith(ASM_FAILED) and words in task["stoppedReason"]


def test_environment_files_give_way_to_the_environment(lab):
    s3 = lab.region.client("s3")
    s3.create_bucket(Bucket="conf")
    s3.put_object(Bucket="conf", Key="app.env", Body=b"# shop\nA=file\nB=file\n")
    file = {"type": "s3", "value": "arn:aws:s3:::conf/app.env"}
    reader = role(lab, "reader", ("s3:GetObject", "arn:aws:s3:::conf/*"))
    task = started(lab, reader, environmentFiles=[file], environment=[{"name": "B", "value": "own"}])
    assert given(lab, task) == {"A": "file", "B": "own"}
    denied = started(lab, role(lab, "nobody"), environmentFiles=[file])
    assert denied["stopCode"] == "TaskFailedToStart" and "s3:GetObject on resource: arn:aws:s3:::conf/app.env" in denied["stoppedReason"]


def test_registry_credentials_must_hold_a_username_and_a_password(lab, secret):
    reader = role(lab, "reader", ("secretsmanager:GetSecretValue", secret))
    task = started(lab, reader, repositoryCredentials={"credentialsParameter": secret})
    assert task["stoppedReason"].endswith("did not contain json key username")


@pytest.mark.parametrize("trust", ["ec2.amazonaws.com", None])
def test_a_role_that_does_not_trust_ecs_tasks_is_refused_by_run_task(lab, trust):
    arn = "arn:aws:iam::123456789012:role/app"
    if trust:
        role(lab, "app", trust={"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": trust}, "Action": "sts:AssumeRole"}]})
    lab.define("r", taskRoleArn=arn)
    with pytest.raises(ClientError) as refused:
        lab.run("r")
    assert refused.value.response["Error"]["Message"].startswith(f"ECS was unable to assume the role '{arn}' that was provided for this task.")
