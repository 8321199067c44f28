"""ECS Exec: what a task needs before a command runs in it, and what ECS says when something is missing."""
from __future__ import annotations

import http.client
import json

import pytest
from botocore.exceptions import ClientError

from ecslab.rules.exec_command import NOT_CONNECTED, NOT_READY, PERMISSIONS, READ_ONLY
from .test_secrets import role

SESSION = {"command": "env", "interactive": True}


def refused(call, *arguments, **request) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(*arguments, **request)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def open_role(lab, name="open"):
    """A task role that may open ECS Exec's channel."""
    return role(lab, name, *((action, "*") for action in PERMISSIONS))


def running(lab, family="app", enabled=True, **fields):
    """A task that has been running for a while."""
    lab.define(family, **fields)
    arn = lab.run(family, enableExecuteCommand=enabled)
    lab.region.run_for("30s")
    return arn


def agent(lab, arn, container=0):
    (found,) = lab.task(arn)["containers"][container]["managedAgents"]
    return found


@pytest.fixture
def app(lab):
    return running(lab, taskRoleArn=open_role(lab), container={"environment": [{"name": "COLOUR", "value": "green"}]})


def test_a_session_names_the_task_and_the_only_container(lab, app):
    answer = lab.ecs.execute_command(cluster="demo", task=app, **SESSION)
    assert (answer["taskArn"], answer["containerName"], answer["interactive"]) == (app, "app", True)
    assert answer["containerArn"] == lab.task(app)["containers"][0]["containerArn"]
    assert answer["clusterArn"].endswith("cluster/demo")
    session = answer["session"]
    assert session["sessionId"].startswith("ecs-execute-command-") and session["tokenValue"]
    assert session["streamUrl"].startswith("wss://127.0.0.1:")


def test_a_command_runs_in_the_container_and_tells_its_output_and_exit_code(lab, app):
    assert "COLOUR=green\n" in lab.region.exec(app, "app", "env").output
    assert str(lab.region.exec(app, None, ["echo", "two words"])) == "two words\n"
    assert lab.region.exec(app, None, "false").exit_code == 1
    assert json.loads(lab.region.exec(app, None, "wget -qO- http://localhost/").output)["version"] == "1.0"
    assert lab.region.exec(app, None, "sh -c 'cat /version'").output == "1.0\n"


def test_a_simulated_container_says_so_when_it_does_not_know_a_command(lab, app):
    for command in ("apt-get update", "sh", "sh -c 'cat /version | wc'"):
        told = lab.region.exec(app, None, command)
        assert told.exit_code == 127 and "simulated" in told.output
    assert "not known" in lab.region.exec(app, None, "cat /etc/shadow").output


def test_a_command_runs_as_root_whatever_the_user(lab):
    arn = running(lab, taskRoleArn=open_role(lab), container={"user": "65534"})
    assert lab.region.exec(arn, None, "id").output.startswith("uid=0(root)")
    assert "65534" in lab.region.exec(arn, None, "ps").output


def test_the_agent_follows_its_container_from_pending_to_stopped(lab):
    lab.define("app", taskRoleArn=open_role(lab))
    arn = lab.run("app", enableExecuteCommand=True)
    assert agent(lab, arn) == {"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}
    lab.region.run_for("30s")
    assert agent(lab, arn)["lastStatus"] == "RUNNING" and agent(lab, arn)["lastStartedAt"] > lab.task(arn)["startedAt"]
    lab.ecs.stop_task(cluster="demo", task=arn)
    lab.region.run_for("1m")
    assert agent(lab, arn)["lastStatus"] == "STOPPED"
    assert refused(lab.region.exec, arn, None, "env") == ("InvalidParameterException", NOT_READY)


def test_only_interactive_commands_that_can_be_read_are_taken(lab, app):
    ask = lambda **change: refused(lab.ecs.execute_command, **{"cluster": "demo", "task": app, **SESSION, **change})  # noqa: E731
    assert ask(interactive=False) == ("InvalidParameterException", "Interactive is the only mode supported currently.")
    assert ask(command="  ")[0] == "InvalidParameterException"
    assert ask(command="echo 'never closed")[0] == "InvalidParameterException"
    assert ask(task="0" * 32) == ("InvalidParameterException", "The referenced task was not found.")
    assert ask(cluster="nowhere")[0] == "ClusterNotFoundException"
    assert ask(container="db") == ("InvalidParameterException", "The task has no container named db.")


def test_of_several_containers_one_must_be_named(lab):
    several = [{"name": name, "image": "ecslab/app:1.0", "command": ["--port", port]} for name, port in (("web", "80"), ("log", "81"))]
    arn = running(lab, taskRoleArn=open_role(lab), containers=several)
    assert refused(lab.region.exec, arn, None, "env")[1] == "Specify a container: the task has 2, web, log."
    assert "--port 81" in lab.region.exec(arn, "log", "ps").output


def test_containers_that_share_processes_take_sessions_in_one_of_them(lab):
    several = [{"name": name, "image": "ecslab/app:1.0", "command": ["--port", port]} for name, port in (("web", "80"), ("log", "81"))]
    arn = running(lab, taskRoleArn=open_role(lab), containers=several, pidMode="task")
    assert lab.region.exec(arn, "log", "whoami").exit_code == 0
    assert refused(lab.region.exec, arn, "web", "whoami")[0] == "InvalidParameterException"
    assert lab.region.exec(arn, "log", "whoami").exit_code == 0


def test_a_task_launched_without_the_flag_has_no_agent(lab):
    arn = running(lab, enabled=False, taskRoleArn=open_role(lab))
    assert lab.task(arn)["enableExecuteCommand"] is False and "managedAgents" not in lab.task(arn)["containers"][0]
    assert refused(lab.region.exec, arn, None, "env") == ("InvalidParameterException", NOT_READY)


def test_an_agent_that_cannot_write_stops_and_says_why(lab):
    arn = running(lab, taskRoleArn=open_role(lab), container={"readonlyRootFilesystem": True})
    assert agent(lab, arn) == {"name": "ExecuteCommandAgent", "lastStatus": "STOPPED", "reason": READ_ONLY}
    assert lab.task(arn)["lastStatus"] == "RUNNING"
    assert refused(lab.region.exec, arn, None, "env") == ("InvalidParameterException", NOT_READY)


@pytest.mark.parametrize("missing", PERMISSIONS)
def test_each_of_the_four_permissions_of_the_task_role_is_needed(lab, missing):
    some = role(lab, "some", *((action, "*") for action in PERMISSIONS if action != missing))
    arn = running(lab, taskRoleArn=some)
    assert refused(lab.region.exec, arn, None, "env") == ("TargetNotConnectedException", NOT_CONNECTED)


def test_the_execution_role_opens_no_channel(lab):
    arn = running(lab, taskRoleArn=role(lab, "closed"), executionRoleArn=open_role(lab))
    assert refused(lab.region.exec, arn, None, "env")[0] == "TargetNotConnectedException"


def test_without_a_task_role_nothing_is_started_with_the_flag(lab):
    lab.define("bare")
    sentence = "because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again."
    flag = {"enableExecuteCommand": True}
    assert refused(lab.run, "bare", **flag) == ("InvalidParameterException", f"The task couldn't be started {sentence}")
    assert refused(lab.serve, "shop", "bare", **flag)[1] == f"The service couldn't be created {sentence}"
    lab.serve("shop", "bare")
    assert refused(lab.ecs.update_service, cluster="demo", service="shop", **flag)[1] == f"The service couldn't be updated {sentence}"


def test_a_service_gives_the_flag_to_new_tasks_only(lab):
    lab.define("shop", taskRoleArn=open_role(lab))
    lab.serve("shop", "shop", count=1)
    lab.region.run_for("2m")
    (old,) = lab.tasks("shop")
    updated = lab.ecs.update_service(cluster="demo", service="shop", enableExecuteCommand=True)["service"]
    assert updated["enableExecuteCommand"] is True and [d["runningCount"] for d in updated["deployments"]] == [1]
    assert refused(lab.region.exec, old["taskArn"], None, "env") == ("InvalidParameterException", NOT_READY)
    lab.ecs.update_service(cluster="demo", service="shop", forceNewDeployment=True)
    lab.region.run_for("3m")
    (new,) = lab.tasks("shop")
    assert new["enableExecuteCommand"] is True and lab.region.exec(new["taskArn"], None, "whoami").output == "root\n"


def someone(lab, *statements):
    """ECS's client of somebody who may do only that."""
    iam = lab.region.client("iam")
    iam.create_user(UserName="someone")
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName="someone", PolicyName="does", PolicyDocument=document)
    key = iam.create_access_key(UserName="someone")["AccessKey"]
    return lab.region.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def test_a_policy_can_keep_a_caller_out_of_one_container(lab, app):
    named = {"StringEquals": {"ecs:container-name": "app"}}
    allow = {"Effect": "Allow", "Action": "ecs:ExecuteCommand", "Resource": "*"}
    ecs = someone(lab, allow, {**allow, "Effect": "Deny", "Condition": named})
    code, message = refused(ecs.execute_command, cluster="demo", task=app, container="app", **SESSION)
    assert code == "AccessDeniedException" and "explicit deny" in message


def test_the_caller_must_be_allowed_to_execute_in_that_task(lab, app):
    other = lab.run("app", enableExecuteCommand=True)
    lab.region.run_for("30s")
    ecs = someone(lab, {"Effect": "Allow", "Action": "ecs:ExecuteCommand", "Resource": app})
    assert ecs.execute_command(cluster="demo", task=app.rpartition("/")[2], **SESSION)["taskArn"] == app
    code, message = refused(ecs.execute_command, cluster="demo", task=other, **SESSION)
    assert code == "AccessDeniedException" and f"ecs:ExecuteCommand on resource: {other}" in message


def test_a_container_that_was_restarted_gets_an_agent_again(lab):
    policy = {"command": ["--exit-after", "100"], "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}}
    arn = running(lab, taskRoleArn=open_role(lab), container=policy)
    first = agent(lab, arn)["lastStartedAt"]
    lab.region.run_for("2m")
    assert agent(lab, arn)["lastStatus"] == "RUNNING" and agent(lab, arn)["lastStartedAt"] > first


def post(lab, session, token, **headers) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(lab.region.endpoint_url.removeprefix("http://"), timeout=10)
    connection.request("POST", f"/ecslab/session/{session}", token, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if answer.status != 403 else {}


def test_a_session_runs_its_command_once_and_only_for_its_token(lab, app):
    session = lab.ecs.execute_command(cluster="demo", task=app, container="app", command="whoami", interactive=True)["session"]
    assert post(lab, session["sessionId"], "guessed")[0] == 400
    assert post(lab, session["sessionId"], session["tokenValue"], Origin="http://evil.example")[0] == 403
    assert post(lab, session["sessionId"], session["tokenValue"]) == (200, {"exit_code": 0, "output": "root\n"})
    assert post(lab, session["sessionId"], session["tokenValue"])[0] == 400


def test_a_simulated_container_asks_what_its_task_could_ask(lab, app):
    path = lab.region.inside(app).environment["ECS_CONTAINER_METADATA_URI_V4"]
    told = lab.region.exec(app, None, f"wget -qO- {path}/task")
    assert json.loads(told.output)["TaskARN"] == app
    other = lab.task(lab.run("web"))["attachments"][0]["details"]
    address = next(d["value"] for d in other if d["name"] == "privateIPv4Address")
    lab.region.run_for("30s")
    refused = lab.region.exec(app, None, f"wget -qO- http://{address}:81/")
    assert refused.exit_code == 1 and "no answer" in refused.output
    assert lab.region.exec(app, None, f"wget -qO- http://{address}/health").output == "ok\n"


def test_what_a_command_sets_off_in_the_app_happens(lab, app):
    assert lab.region.exec(app, None, "wget -qO- localhost/exit?code=3").exit_code == 0
    lab.region.run_for("30s")
    assert lab.task(app)["containers"][0]["exitCode"] == 3


def test_variables_are_the_container_s_own(lab, app):
    assert lab.region.exec(app, None, ["sh", "-c", 'echo "the $COLOUR ${COLOUR} one"']).output == "the green green one\n"
    assert lab.region.exec(app, None, ["sh", "-c", "echo '$COLOUR'"]).exit_code == 127


# What a session printed ------------------------------------------------------------------


def logging_cluster(lab, **configuration):
    lab.ecs.update_cluster(cluster="demo", configuration={"executeCommandConfiguration": configuration})


def writing_role(lab):
    more = (("logs:CreateLogStream", "*"), ("logs:PutLogEvents", "*"), ("s3:PutObject", "arn:aws:s3:::records/*"))
    return role(lab, "writing", *((action, "*") for action in PERMISSIONS), *more)


def test_sessions_are_kept_in_the_group_and_bucket_that_override_the_default(lab):
    logs, s3 = lab.region.client("logs"), lab.region.client("s3")
    logs.create_log_group(logGroupName="/exec")
    s3.create_bucket(Bucket="records")
    log = {"cloudWatchLogGroupName": "/exec", "s3BucketName": "records", "s3KeyPrefix": "sessions"}
    logging_cluster(lab, logging="OVERRIDE", logConfiguration=log)
    arn = running(lab, taskRoleArn=writing_role(lab))
    assert lab.region.exec(arn, None, "whoami").output == "root\n"
    (event,) = logs.filter_log_events(logGroupName="/exec")["events"]
    assert event["message"] == "root" and event["logStreamName"].startswith("ecs-execute-command-")
    key = f"sessions/{event['logStreamName']}.log"
    assert s3.get_object(Bucket="records", Key=key)["Body"].read() == b"root\n"


def test_a_session_that_could_not_be_kept_says_why(lab):
    log = {"cloudWatchLogGroupName": "/exec", "cloudWatchEncryptionEnabled": True, "s3BucketName": "records"}
    logging_cluster(lab, logging="OVERRIDE", logConfiguration=log)
    closed = running(lab, taskRoleArn=open_role(lab))
    told = lab.region.exec(closed, None, "whoami").output
    assert told.startswith("root\necslab: this session was not logged: ")
    assert "logs:CreateLogStream" in told and "s3:PutObject" in told
    arn = running(lab, "other", taskRoleArn=writing_role(lab))
    told = lab.region.exec(arn, None, "whoami").output
    assert "there is no log group /exec; there is no bucket records" in told
    lab.region.client("logs").create_log_group(logGroupName="/exec")
    assert "not encrypted" in lab.region.exec(arn, None, "whoami").output


def test_by_default_a_session_goes_where_its_container_logs_and_none_nowhere(lab):
    logs = lab.region.client("logs")
    logs.create_log_group(logGroupName="/shop")
    options = {"awslogs-group": "/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    logging = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    arn = running(lab, taskRoleArn=writing_role(lab), executionRoleArn=role(lab, "execution", ("logs:*", "*")), container=logging)
    lab.region.exec(arn, None, "whoami")

    def kept():
        events = logs.filter_log_events(logGroupName="/shop")["events"]
        return [e["message"] for e in events if e["logStreamName"].startswith("ecs-execute-command-")]

    assert kept() == ["root"]
    logging_cluster(lab, logging="NONE")
    lab.region.exec(arn, None, "whoami")
    assert kept() == ["root"]


def test_a_key_of_the_cluster_must_be_one_the_task_role_may_use(lab):
    logging_cluster(lab, kmsKeyId="k-1")
    arn = running(lab, taskRoleArn=open_role(lab))
    assert refused(lab.region.exec, arn, None, "env") == ("TargetNotConnectedException", NOT_CONNECTED)
    statement = {"Effect": "Allow", "Action": ["kms:Decrypt", "ssmmessages:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    lab.region.client("iam").put_role_policy(RoleName="open", PolicyName="does", PolicyDocument=document)
    assert lab.region.exec(arn, None, "whoami").output == "root\n"
