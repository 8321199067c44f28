"""Incidents: each breaks a service in its own way, and breaks it again."""
import pytest

from ecslab.region import start
from ecslab.teach import incidents
from ecslab.teach.aws import Aws
from ecslab.teach.mistakes import Mistake


@pytest.fixture
def region():
    with start(engine="simulated") as region:
        yield region


@pytest.fixture
def aws(region):
    return Aws(region.client)


def last_stopped(aws, service):
    stopped = aws.tasks("demo", serviceName=service, desiredStatus="STOPPED")
    return max((task for task in stopped if task["lastStatus"] == "STOPPED"), key=lambda task: task["stoppedAt"])


@pytest.mark.parametrize(
    "service, stop_code, exit_code, said",
    [
        ("orders", "EssentialContainerExited", 2, "Essential container in task exited"),
        ("reports", "EssentialContainerExited", 137, "Essential container in task exited"),
        ("front", "ServiceSchedulerInitiated", 0, "Task failed ELB health checks in"),
        ("mail", "TaskFailedToStart", None, "The specified log group does not exist"),
    ],
)
def test_each_incident_leaves_its_own_traces(region, aws, service, stop_code, exit_code, said):
    incidents.begin(aws, service)
    region.run_for("3m")
    task = last_stopped(aws, service)
    assert (task["stopCode"], task["containers"][0].get("exitCode")) == (stop_code, exit_code)
    assert said in task["stoppedReason"]


def test_what_is_told_does_not_name_the_cause(aws):
    for one in incidents.INCIDENTS.values():
        told = incidents.begin(aws, one.service).lower()
        assert not any(word in told for word in ("--", "health check", "memory", "log group"))


def test_begun_again_it_breaks_what_was_mended(region, aws):
    incidents.begin(aws, "mail")
    aws.client("logs").create_log_group(logGroupName="/demo/mail")
    region.run_for("3m")
    assert aws.service("demo", "mail")["runningCount"] == 1
    incidents.begin(aws, "mail")
    region.run_for("1m")
    assert "log group does not exist" in last_stopped(aws, "mail")["stoppedReason"]
    assert aws.task_definition("mail")["revision"] == 1


def test_a_service_that_has_no_incident_is_a_plain_sentence(aws):
    with pytest.raises(Mistake, match="There are: orders, reports, front, mail"):
        incidents.begin(aws, "web")
    with pytest.raises(Mistake, match="no incident of \\['mail'\\]"):
        incidents.begin(aws, ["mail"])
