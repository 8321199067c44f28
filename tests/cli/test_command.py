"""The small commands: doctor, progress, quiz, labs, check-content."""
from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ecslab import doctor
from ecslab.cli import main


@pytest.fixture
def ecslab(monkeypatch, tmp_path):
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path / "home"))
    runner = CliRunner()
    return lambda *words, **options: runner.invoke(main, list(words), **options)


def test_doctor_lists_everything_and_says_how_the_labs_will_run(ecslab):
    done = ecslab("doctor")
    assert done.exit_code == 0
    for what in ("Python", "Docker engine", "security groups", "JupyterLab", "boto3", "aws command", "port 4566", "progress folder"):
        assert what in done.output
    assert "Labs will run as real containers on Docker." in done.output


def test_without_docker_the_doctor_is_not_alarmed_and_says_labs_run_simulated(monkeypatch, ecslab):
    monkeypatch.setattr(doctor, "_docker", lambda: (False, "no Docker engine is running here"))
    done = ecslab("doctor")
    assert done.exit_code == 0
    assert "missing  Docker engine" in done.output and "-> start Docker" in done.output
    assert done.output.rstrip().endswith("Labs will run simulated, in virtual time.")


def test_the_doctor_says_when_security_groups_are_not_enforced_on_traffic(monkeypatch, ecslab):
    import docker

    from ecslab.engines import docker_filter, images

    images.ensure_app_images(docker.from_env().api)
    monkeypatch.setattr(images, "find", lambda client, image: {"Config": {"Labels": {}}})
    assert "missing  security groups  not enforced on traffic" in ecslab("doctor").output
    monkeypatch.setattr(images, "has_tools", lambda client: True)
    monkeypatch.setattr(docker_filter, "TRIAL", "no rules")
    assert "the kernel of this Docker engine takes no packet filter" in ecslab("doctor").output


def test_progress_moves_to_another_machine_in_one_file(ecslab, tmp_path, monkeypatch):
    from ecslab.teach import Progress

    store = Progress()
    store.record_attempt("services.scale-out", True, 1)
    packed = tmp_path / "mine.json"
    assert ecslab("progress", "--export", str(packed)).exit_code == 0
    assert "services.scale-out" in packed.read_text() and json.loads(packed.read_text())
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path / "elsewhere"))
    assert ecslab("progress", "--import", str(packed)).exit_code == 0
    assert Progress().passed() == {"services.scale-out"}
    assert ecslab("progress").exit_code == 0


def test_a_broken_progress_file_is_refused_in_plain_words(ecslab, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = ecslab("progress", "--import", str(broken))
    assert done.exit_code == 1 and done.output.startswith("ecslab: ") and "Traceback" not in done.output


def test_an_unknown_quiz_topic_names_the_topics_there_are(ecslab):
    done = ecslab("quiz", "nonsense")
    assert done.exit_code == 1 and "services" in done.output and "Traceback" not in done.output


def test_a_quiz_can_be_left_and_keeps_what_was_answered(ecslab):
    done = ecslab("quiz", "clusters", "-n", "2", input="A\n")
    assert done.output.rstrip().endswith("of 2 right.") and "Traceback" not in done.output
