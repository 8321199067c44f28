"""Identity policies decided: what IAM would allow, and its words for a refusal."""
from __future__ import annotations

import pytest

from ecslab.rules import policy, secret_reference

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"


def document(effect="Allow", action="secretsmanager:GetSecretValue", resource=SECRET, **more):
    return {"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": resource, **more}}


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([], False),
        ([document()], True),
        ([document(action="SecretsManager:Get*")], True),
        ([document(resource=SECRET.replace("db-", "other-"))], False),
        ([document(resource="arn:aws:secretsmanager:*:*:secret:db-??????")], True),
        ([document(resource="*"), document("Deny")], False),
        ([document(action="*", resource="*", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})], True),
        ([document(action="*", resource="*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})], False),
        ([document(Condition={"NumericLessThan": {"s3:max-keys": "10"}})], False),
        ([document(), document("Deny", Condition={"NumericLessThan": {"s3:max-keys": "10"}})], False),
    ],
)
def test_an_explicit_deny_wins_and_what_nobody_allows_is_denied(policies, allowed):
    found = policy.decide(policies, "secretsmanager:GetSecretValue", SECRET, {"aws:RequestedRegion": "us-east-1"})
    assert found.allowed is allowed


def test_the_refusal_names_who_what_and_why():
    assert policy.denied("arn:a", "s3:GetObject", "arn:b", policy.Decision(False)) == (
        "User: arn:a is not authorized to perform: s3:GetObject on resource: arn:b "
        "because no identity-based policy allows the s3:GetObject action"
    )
    assert policy.denied("arn:a", "s3:GetObject", "arn:b", policy.Decision(False, True)).endswith("with an explicit deny in an identity-based policy")


def test_only_a_trusted_service_may_assume_a_role():
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}
    assert policy.trusts(trust)
    assert not policy.trusts(trust, "ec2.amazonaws.com")


@pytest.mark.parametrize(
    ("value_from", "expected"),
    [
        (SECRET, ("asm", SECRET, "", "", "")),
        (SECRET + ":password::", ("asm", SECRET, "password", "", "")),
        (SECRET + "::AWSPREVIOUS:", ("asm", SECRET, "", "AWSPREVIOUS", "")),
        (SECRET + ":password::9d4cb84b", ("asm", SECRET, "password", "", "9d4cb84b")),
        ("db-password", ("ssm", "db-password", "", "", "")),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/db-password", ("ssm", "db-password", "", "", "")),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/shop/db", ("ssm", "/shop/db", "", "", "")),
    ],
)
def test_value_from_is_taken_apart(value_from, expected):
    assert secret_reference.parse(value_from) == secret_reference.Reference(*expected)


@pytest.mark.parametrize("bad", [SECRET + ":password", SECRET + ":password::id:more", SECRET + "::AWSCURRENT:id"])
def test_a_malformed_reference_is_refused(bad):
    with pytest.raises(ValueError):
        secret_reference.parse(bad)


def test_an_environment_file_is_read_line_by_line():
    text = "# comment\nA=1\n\nB=a=b c\r\nC='kept'\nnothing\n"
    assert secret_reference.environment_file(text) == {"A": "1", "B": "a=b c", "C": "'kept'"}
