"""`lab.logs` and `lab.events`: read like a log, marked like a page that wants attention."""
import re

import pytest

from ecslab.teach import incidents
from ecslab.teach.aws import Aws
from ecslab.teach.mistakes import Mistake
from ecslab.teach.lab import Lab as TeachersLab
from ecslab.widgets import logs
from tests.region.conftest import lab  # noqa: F401
from tests.region.test_logs import ROLE, options
from tests.region.test_secrets import PULL_AND_LOG, role


def serve(lab, *command):
    lab.region.client("logs").create_log_group(logGroupName="/shop/web")
    role(lab, "ecsTaskExecutionRole", *PULL_AND_LOG)
    logging = {"logDriver": "awslogs", "options": options()}
    lab.define("logged", command=list(command), executionRoleArn=ROLE, container={"logConfiguration": logging})
    lab.serve(definition="logged", count=1)
    lab.region.run_for("20s")


def test_lines_of_a_services_tasks_come_in_order_with_the_regions_time(lab):  # noqa: F811
    serve(lab, "--exit-after", "30")
    lab.region.run_for("2m")
    text = str(logs.logs(lab.region, "web"))
    rows = text.splitlines()
    assert len(rows) >= 2 and rows == sorted(rows, key=lambda row: row[:8])
    assert rows[0].startswith("09:00:0") and rows[0].endswith("listening on port 80")


def test_a_container_without_awslogs_is_read_from_the_engine(lab):  # noqa: F811
    arn = lab.run("web:1")
    lab.region.run_for("20s")
    assert "listening on port 80" in str(logs.logs(lab.region, arn))


def test_following_prints_what_comes_and_ends(lab, capsys):  # noqa: F811
    serve(lab, "--exit-after", "20")
    assert logs.logs(lab.region, "web", follow="60s") is None
    assert capsys.readouterr().out.count("listening on port 80") >= 2


def test_events_are_newest_last_and_trouble_is_marked(lab):  # noqa: F811
    lab.define("broken", image="ecslab/none:1.0")
    lab.serve(definition="broken", deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    lab.region.run_for("15m")
    shown = logs.events(lab.region, "web")
    assert "started 2 tasks" in str(shown).splitlines()[0] and "deployment failed" in str(shown)
    assert shown._repr_html_().count("<b>!</b>") >= 1 and "<script" not in shown._repr_html_()


def test_an_event_of_a_task_set_still_names_it(lab):  # noqa: F811
    incidents.begin(Aws(lab.region.client), "front")
    lab.region.run_for("3m")
    told = [line.text for line in logs.events(lab.region, "front").lines]
    assert any(re.fullmatch(r"\(taskSet ecs-svc/\d+\) has begun draining connections on 1 tasks\.", text) for text in told)


def test_a_name_that_nobody_has_is_a_plain_sentence(lab):  # noqa: F811
    with pytest.raises(Mistake, match="no service nobody"):
        TeachersLab("03-services", lab.region).logs("nobody")


def test_what_a_container_printed_is_shown_as_text_never_as_html(lab):  # noqa: F811
    shown = logs.Lines("logs", [logs.Line(0.0, "a", "<script>alert(1)</script>")], "")
    assert "<script>" not in shown._repr_html_()


def test_a_column_that_no_line_has_anything_for_is_not_shown():
    whole, timeless, nobody = (logs.Lines("x", [logs.Line(at, source, "text")], "") for at, source in ((0.0, "app"), (None, "app"), (0.0, "")))
    assert [shown._repr_html_().count("<td") for shown in (whole, timeless, nobody)] == [3, 2, 2]
