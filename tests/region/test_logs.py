"""What containers print reaches CloudWatch Logs."""
import json

import pytest
from botocore.exceptions import ClientError

from ecslab.rules import log_lines
from tests.region.test_secrets import PULL_AND_LOG, role

ROLE = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"


def options(**more):
    given = {"awslogs-group": "/shop/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    return {**given, **{name.replace("_", "-"): value for name, value in more.items()}}


class Logged:
    def __init__(self, lab):
        self.lab, self.logs = lab, lab.region.client("logs")
        role(lab, "ecsTaskExecutionRole", *PULL_AND_LOG)

    def define(self, *command, driver="awslogs", **more):
        logging = {"logDriver": driver, "options": options(**more)}
        return self.lab.define("logged", command=list(command), executionRoleArn=ROLE, container={"logConfiguration": logging})

    def run(self, **more):
        arn = self.lab.run("logged", **more)
        self.lab.region.run_for("15s")
        return self.lab.task(arn)

    def get(self, task, path):
        address = task["attachments"][0]["details"][-1]["value"]
        return self.lab.region.get(f"{address}{path}")

    def messages(self, task, group="/shop/web"):
        stream = f"ecs/app/{task['taskArn'].rpartition('/')[2]}"
        return [event["message"] for event in self.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]]


@pytest.fixture
def logged(lab):
    logged = Logged(lab)
    logged.logs.create_log_group(logGroupName="/shop/web")
    return logged


def test_lines_arrive_while_the_container_runs_in_a_stream_named_after_it(logged):
    logged.define()
    task = logged.run()
    assert logged.messages(task) == ["ecslab app 1.0 listening on port 80"]
    logged.get(task, "/health")
    assert logged.messages(task)[1:] == ["GET /health 200"]


def test_lines_carry_the_regions_time(logged):
    logged.define()
    task = logged.run()
    event = logged.logs.filter_log_events(logGroupName="/shop/web")["events"][0]
    assert event["timestamp"] == int(task["startedAt"].timestamp() * 1000) == event["ingestionTime"]


def test_the_last_words_of_a_container_that_dies_are_there(logged):
    logged.define("--exit-after", "5", "--exit-code", "3")
    task = logged.run()
    logged.lab.region.run_for("1m")
    assert logged.lab.task(task["taskArn"])["containers"][0]["exitCode"] == 3
    assert logged.messages(task)[0].startswith("ecslab app")


@pytest.mark.parametrize(
    "command, said",
    [
        (("--prot", "80"), "ecslab app: unrecognized argument: --prot"),
        (("--port", "http"), "ecslab app: argument --port wants a whole number, not 'http'"),
        (("--version-text", "blue"), "ecslab app 1.0 blue listening on port 80"),
    ],
)
def test_the_app_says_what_it_makes_of_its_arguments(logged, command, said):
    logged.define(*command)
    assert logged.messages(logged.run())[0] == said


def test_without_its_group_a_task_fails_to_start_with_the_words_of_ecs(logged):
    logged.define(awslogs_group="/nobody/made/me")
    task = logged.run()
    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        "ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log stream: "
        "ResourceNotFoundException: The specified log group does not exist.",
    )
    assert task["lastStatus"] == "STOPPED"


def test_the_group_is_made_where_the_definition_says_so(logged):
    logged.define(awslogs_group="/made/at/start", awslogs_create_group="true")
    task = logged.run()
    assert logged.messages(task, "/made/at/start")


def may(logged, *actions):
    """From now on the execution role may do only that."""
    iam = logged.lab.region.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    iam.put_role_policy(RoleName="ecsTaskExecutionRole", PolicyName="does", PolicyDocument=json.dumps(document))


@pytest.mark.parametrize(
    "allowed, group, failed, missing",
    [
        (["logs:PutLogEvents", "logs:CreateLogGroup"], "/shop/web", "stream", "logs:CreateLogStream"),
        (["logs:PutLogEvents", "logs:CreateLogStream"], "/made/at/start", "group", "logs:CreateLogGroup"),
    ],
)
def test_the_execution_role_must_be_allowed_to_open_the_log(logged, allowed, group, failed, missing):
    may(logged, *allowed)
    logged.define(awslogs_group=group, awslogs_create_group="true")
    task = logged.run()
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(
        f"ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log {failed}: "
        "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/ecsTaskExecutionRole/"
    )
    assert f"is not authorized to perform: {missing} on resource: arn:aws:logs:us-east-1:123456789012:log-group:{group}:" in task["stoppedReason"]


def test_without_put_log_events_the_task_runs_and_its_lines_are_lost(logged):
    may(logged, "logs:CreateLogStream")
    logged.define()
    task = logged.run()
    assert task["lastStatus"] == "RUNNING" and logged.messages(task) == []


def test_an_execution_role_that_is_not_there_cannot_be_assumed_for_logs(logged):
    logged.define()
    logged.lab.region.client("iam").delete_role_policy(RoleName="ecsTaskExecutionRole", PolicyName="does")
    logged.lab.region.client("iam").delete_role(RoleName="ecsTaskExecutionRole")
    with pytest.raises(ClientError, match="ECS was unable to assume the role"):
        logged.run()


def test_a_pattern_that_is_none_fails_the_task(logged):
    logged.define(awslogs_multiline_pattern="(")
    assert logged.run()["stoppedReason"].startswith("ResourceInitializationError: failed to initialize logging driver: awslogs could not parse")


def test_lines_that_belong_together_are_one_event(logged):
    logged.define(awslogs_multiline_pattern="^(ecslab|GET /env)")
    task = logged.run()
    for path in ("/env", "/health", "/health"):
        logged.get(task, path)
    assert len(logged.messages(task)) == 1  # the second may go on
    logged.lab.region.run_for("6s")
    assert [message.count("\n") for message in logged.messages(task)] == [0, 2]


def test_on_an_instance_a_stream_without_prefix_has_the_containers_runtime_id(logged):
    lab = logged.lab
    lab.region.add_instance("demo")
    logging = {"logDriver": "awslogs", "options": {"awslogs-group": "/shop/web", "awslogs-region": "us-east-1"}}
    lab.define("batch", requiresCompatibilities=["EC2"], networkMode="bridge", container={"logConfiguration": logging})
    arn = lab.ecs.run_task(cluster="demo", taskDefinition="batch", launchType="EC2")["tasks"][0]["taskArn"]
    lab.region.run_for("20s")
    streams = logged.logs.describe_log_streams(logGroupName="/shop/web")["logStreams"]
    assert [s["logStreamName"] for s in streams] == [lab.task(arn)["containers"][0]["runtimeId"]]


def test_a_group_that_is_deleted_meanwhile_costs_the_task_nothing(logged):
    logged.define()
    task = logged.run()
    logged.logs.delete_log_group(logGroupName="/shop/web")
    logged.get(task, "/env")
    assert logged.lab.task(task["taskArn"])["lastStatus"] == "RUNNING"


def test_a_learners_own_events_are_taken_at_the_regions_time(logged):
    logged.logs.create_log_stream(logGroupName="/shop/web", logStreamName="mine")
    now = int(logged.lab.region.now().timestamp() * 1000)
    answer = logged.logs.put_log_events(logGroupName="/shop/web", logStreamName="mine", logEvents=[{"timestamp": now, "message": "hello"}])
    assert "rejectedLogEventsInfo" not in answer or not answer["rejectedLogEventsInfo"]


def test_logs_insights_answer_from_what_containers_printed(logged):
    logged.define()
    task = logged.run()
    for path in ("/env", "/health", "/health"):
        logged.get(task, path)
    now = int(logged.lab.region.now().timestamp())
    text = "filter @message like /^GET/ | parse @message 'GET * *' as path, status | stats count(*) as requests by path | sort requests desc"

    def asked(start, end):
        started = logged.logs.start_query(logGroupName="/shop/web", startTime=start, endTime=end, queryString=text)
        answer = logged.logs.get_query_results(queryId=started["queryId"])
        assert answer["status"] == "Complete"
        return [{field["field"]: field["value"] for field in row} for row in answer["results"]]

    assert asked(now - 600, now + 60) == [{"path": "/health", "requests": "2"}, {"path": "/env", "requests": "1"}]
    assert asked(now - 7200, now - 3600) == []


def test_a_query_that_is_not_understood_is_refused(logged):
    for command, words in (("pattern @message", "does not know pattern"), ("filter", "does not understand")):
        with pytest.raises(ClientError, match=words) as refused:
            logged.logs.start_query(logGroupName="/shop/web", startTime=0, endTime=1, queryString=f"fields @message | {command}")
        assert refused.value.response["Error"]["Code"] == "MalformedQueryException"


def test_fargate_takes_no_json_file(logged):
    with pytest.raises(ClientError, match="not a valid log driver"):
        logged.define(driver="json-file")


def test_a_driver_that_is_not_carried_is_said_so_in_the_services_events_and_above_its_lines(lab):
    logging = {"logDriver": "splunk", "options": {"splunk-url": "https://splunk.example.com", "splunk-token": "t"}}
    lab.define("sold", container={"logConfiguration": logging})
    lab.serve(definition="sold", count=2)
    lab.region.run_for("1m")
    note = "the log driver splunk of container app sends nothing from here; what it prints is kept on this machine."
    assert [m for m in lab.messages() if "splunk" in m] == [f"(service web) ecslab: {note}"]
    assert lab.region.logs(lab.tasks()[0]["taskArn"]) == [f"ecslab: {note}", "ecslab app 1.0 listening on port 80"]


@pytest.mark.parametrize(
    "given, begins, goes_on",
    [
        ({"awslogs-datetime-format": "%Y-%m-%d %H:%M:%S"}, "2026-01-05 09:00:00 start", "  at line 3"),
        ({"awslogs-datetime-format": "[%b %d, %Y"}, "[Jan 5, 2026] start", "Jan 5, 2026"),
        ({"awslogs-multiline-pattern": "^INFO"}, "INFO start", "more INFO"),
        ({"awslogs-datetime-format": "%H:%M", "awslogs-multiline-pattern": "^INFO"}, "09:00 start", "INFO goes on"),
    ],
)
def test_the_datetime_format_wins_over_the_pattern(given, begins, goes_on):
    found, pending = log_lines.events([begins, goes_on, begins], log_lines.starts(given))
    assert (found, pending) == ([f"{begins}\n{goes_on}"], begins)


def test_a_line_longer_than_an_event_becomes_several():
    found, _ = log_lines.events(["x" * 600_000], None)
    assert "".join(found) == "x" * 600_000 and max(len(piece.encode()) for piece in found) <= log_lines.LARGEST_EVENT
