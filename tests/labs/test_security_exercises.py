"""Answers to lab 10's exercises that do too much, and ones that do enough in another way."""
from __future__ import annotations

import json

import pytest

from ecslab.region import start
from ecslab.rules.policy import TASKS
from ecslab.teach.aws import Aws
from ecslab.teach.exercise import judge, load_exercises

PASS = {"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/courier"}
TO_TASKS = {"Condition": {"StringEquals": {"iam:PassedToService": TASKS}}}
OBJECTS = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::reports/*"}


@pytest.fixture(scope="module")
def region():
    with start(engine="simulated") as region:
        region.client("iam").create_user(UserName="developer")
        trust = document({"Action": "sts:AssumeRole", "Principal": {"Service": TASKS}})
        region.client("iam").create_role(RoleName="reports-app", AssumeRolePolicyDocument=trust)
        for name in ("reports/db", "payroll/db"):
            region.client("secretsmanager").create_secret(Name=name, SecretString="x")
        yield region


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})


def passed(region, exercise):
    return judge(load_exercises()[exercise], Aws(region.client)).passed


@pytest.mark.parametrize(
    ("statement", "enough"),
    [
        (PASS | TO_TASKS, True),
        (PASS | {"Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.*"}}}, True),
        (PASS, False),
        (PASS | TO_TASKS | {"Resource": "*"}, False),
        (PASS | TO_TASKS | {"Action": "iam:GetRole"}, False),
    ],
)
def test_a_role_is_passed_to_tasks_alone_and_no_other_role_is(region, statement, enough):
    region.client("iam").put_user_policy(UserName="developer", PolicyName="passes", PolicyDocument=document(statement))
    assert passed(region, "security.pass-role") is enough


@pytest.mark.parametrize(
    ("statement", "enough"),
    [(OBJECTS, True), (OBJECTS | {"Action": "s3:*"}, False), (OBJECTS | {"Resource": "*"}, False), (OBJECTS | {"Action": "s3:GetObject"}, False)],
)
def test_a_role_with_more_or_less_than_its_objects_is_not_least_privilege(region, statement, enough):
    _may(region, statement)
    assert passed(region, "security.least-privilege") is enough


def test_a_managed_policy_counts_as_much_as_an_inline_one(region):
    _may(region, OBJECTS)
    iam = region.client("iam")
    arn = iam.create_policy(PolicyName="kind", PolicyDocument=document({"Action": "s3:*", "Resource": "*"}))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="reports-app", PolicyArn=arn)
    assert not passed(region, "security.least-privilege")
    iam.detach_role_policy(RoleName="reports-app", PolicyArn=arn)
    assert passed(region, "security.least-privilege")


def _may(region, statement):
    """The role does that, and reads its own secret."""
    own = region.client("secretsmanager").describe_secret(SecretId="reports/db")["ARN"]
    does = document(statement, {"Action": "secretsmanager:GetSecretValue", "Resource": own})
    region.client("iam").put_role_policy(RoleName="reports-app", PolicyName="does", PolicyDocument=does)
