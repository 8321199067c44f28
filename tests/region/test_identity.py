"""Task roles: credentials for one task only, and every call with them allowed or denied by the role's policies."""
from __future__ import annotations

import http.client
import json

import pytest
from botocore.exceptions import ClientError

from .test_secrets import role

MINE = "secretsmanager:GetSecretValue"


@pytest.fixture
def app(lab):
    """A running task whose role may read one of two secrets."""
    store = lab.region.client("secretsmanager")
    mine = store.create_secret(Name="mine", SecretString="m")["ARN"]
    store.create_secret(Name="other", SecretString="o")
    lab.define("app", taskRoleArn=role(lab, "app", (MINE, mine), ("s3:GetObject", "arn:aws:s3:::mine/*")))
    arn = lab.run("app")
    lab.region.run_for("30s")
    return lab.region.inside(arn)


def client(lab, inside, service):
    """A client that uses the credentials the container finds."""
    found = inside.get(inside.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]).json()
    keys = {"aws_access_key_id": found["AccessKeyId"], "aws_secret_access_key": found["SecretAccessKey"], "aws_session_token": found["Token"]}
    return lab.region.client(service, **keys)


def error(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]


def test_a_container_reads_what_its_role_may_read_and_is_refused_the_rest(lab, app):
    store = client(lab, app, "secretsmanager")
    assert store.get_secret_value(SecretId="mine")["SecretString"] == "m"
    other = lab.region.client("secretsmanager").describe_secret(SecretId="other")["ARN"]
    assert error(store.get_secret_value, SecretId="other") == {
        "Code": "AccessDeniedException",
        "Message": f"User: arn:aws:sts::123456789012:assumed-role/app/{app.task.id} is not authorized to perform: {MINE} "
        f"on resource: {other} because no identity-based policy allows the {MINE} action",
    }


def test_objects_of_another_bucket_are_refused(lab, app):
    for bucket in ("mine", "other"):
        lab.region.client("s3").create_bucket(Bucket=bucket)
        lab.region.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    s3 = client(lab, app, "s3")
    assert s3.get_object(Bucket="mine", Key="a")["Body"].read() == b"x"
    assert error(s3.get_object, Bucket="other", Key="a")["Code"] == "AccessDenied"
    assert error(s3.put_object, Bucket="mine", Key="a", Body=b"y")["Code"] == "AccessDenied"


def test_a_mended_policy_counts_at_once(lab, app):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": MINE, "Resource": "*"}]}
    lab.region.client("iam").put_role_policy(RoleName="app", PolicyName="does", PolicyDocument=json.dumps(document))
    assert client(lab, app, "secretsmanager").get_secret_value(SecretId="other")["SecretString"] == "o"


def test_who_registers_a_role_must_be_allowed_to_pass_it(lab, app):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}
    lab.region.client("iam").put_role_policy(RoleName="app", PolicyName="does", PolicyDocument=json.dumps(document))
    arn = "arn:aws:iam::123456789012:role/app"
    definition = {"family": "x", "taskRoleArn": arn, "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}]}
    refused = error(client(lab, app, "ecs").register_task_definition, **definition)
    assert refused["Code"] == "AccessDeniedException"
    assert f"iam:PassRole on resource: {arn} because no identity-based policy allows the iam:PassRole action" in refused["Message"]


@pytest.mark.parametrize("operation, more", [("create_service", {"serviceName": "other", "desiredCount": 1}), ("update_service", {"service": "web"})])
def test_who_has_a_service_run_a_role_must_be_allowed_to_pass_it(lab, app, operation, more):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}
    lab.region.client("iam").put_role_policy(RoleName="app", PolicyName="does", PolicyDocument=json.dumps(document))
    lab.serve(count=1)
    call = getattr(client(lab, app, "ecs"), operation)
    network = {"networkConfiguration": lab.network}
    refused = error(call, cluster="demo", taskDefinition="app", **network, **more)
    assert refused["Code"] == "AccessDeniedException"
    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/app because" in refused["Message"]
    call(cluster="demo", taskDefinition="web", **network, **more, **({"launchType": "FARGATE"} if "serviceName" in more else {}))


def test_credentials_end_with_their_task_and_a_forged_token_is_refused(lab, app):
    store = client(lab, app, "secretsmanager")
    found = app.get(app.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]).json()
    forged = lab.region.client("secretsmanager", aws_access_key_id=found["AccessKeyId"], aws_secret_access_key="x", aws_session_token="x")
    assert error(forged.get_secret_value, SecretId="mine")["Code"] == "InvalidClientTokenId"
    lab.ecs.stop_task(cluster="demo", task=app.task.arn)
    lab.region.run_for("1m")
    assert error(store.get_secret_value, SecretId="mine")["Code"] == "ExpiredTokenException"


def test_credentials_are_renewed_before_they_end(lab, app):
    path = app.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    before = app.get(path).json()
    lab.region.run_for("5h50m")
    after = app.get(path).json()
    assert after["AccessKeyId"] != before["AccessKeyId"] and after["Expiration"] > before["Expiration"]


def test_another_tasks_addresses_and_path_tricks_lead_nowhere(lab, app):
    arn = lab.run("app")
    lab.region.run_for("30s")
    other = lab.region.inside(arn)
    credentials = app.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    metadata = app.environment["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")
    for path in (credentials, metadata, f"{metadata}/task"):
        assert app.get(path).status == 200 and other.get(path).status == 404
    tricks = [f"/v4/..{credentials}", f"/{credentials}", f"{credentials}/", f"{metadata}/../task", f"{metadata}/%2e%2e/task", credentials.upper(), "/v2/credentials/"]
    assert {app.get(path).status for path in tricks} == {404}


def test_metadata_tells_a_task_about_itself(lab, app):
    base = app.environment["ECS_CONTAINER_METADATA_URI_V4"].removeprefix("http://169.254.170.2")
    task, container = app.get(f"{base}/task").json(), app.get(base).json()
    assert (task["TaskARN"], task["Family"], task["Revision"], task["KnownStatus"]) == (app.task.arn, "app", "1", "RUNNING")
    assert task["Limits"] == {"CPU": 0.25, "Memory": 512} and container["Name"] == "app"
    assert list(app.get(f"{base}/task/stats").json()) == [container["DockerId"]]


def test_a_page_elsewhere_cannot_use_the_endpoint(lab):
    for headers in ({"Origin": "https://example.com"}, {"Host": "example.com"}):
        connection = http.client.HTTPConnection(lab.region.endpoint_url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == 403
        connection.close()
