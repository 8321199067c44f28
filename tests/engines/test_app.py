"""The lab app does what `ecslab/app/__init__.py` says, in a real container."""
from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from ecslab.app import IMAGES, Behaviour, parse, reply
from ecslab.engines import images

MEBIBYTE = 2**20
FAST = {"ECSLAB_SPEED": "100"}


def test_root_tells_version_hostname_and_task(app):
    container = app(environment={"ECSLAB_TASK": "0123abcd"})
    status, body = container.get("/")
    assert status == 200
    assert json.loads(body) == {"version": "1.0", "hostname": container.id[:12], "task": "0123abcd"}


def test_the_second_image_tells_its_own_version_and_the_text_added_to_it(app):
    _, body = app("--version-text", 'the "green" one', image="ecslab/app:2.0").get("/")
    assert json.loads(body)["version"] == '2.0 the "green" one'


def test_environment_is_shown_one_variable_a_line(app):
    _, body = app(environment={"GREETING": "hello there"}).get("/env")
    assert "GREETING=hello there" in body.splitlines()


def test_a_cookie_is_set_as_asked_and_nonsense_is_refused(app):
    container = app()
    assert container.get("/cookie?session=abc-1") == (200, "cookie session=abc-1\n")
    for query in ("session", "=abc", "session=", "a=b=c", "a=b;c=d"):
        assert container.get(f"/cookie?{query}")[0] == 400
        assert reply(Behaviour(), f"/cookie?{query}", version="1.0", task="t", running_for=0).status == 400


def test_health_is_ok_until_the_declared_moment(app):
    assert app("--unhealthy-after", "3600").get("/health") == (200, "ok\n")
    assert app("--unhealthy-after", "0").get("/health") == (503, "unhealthy\n")


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--unhealthy-after", "3600"], 0),
        (["--unhealthy-after", "0"], 1),
        (["--port", "8080"], 0),
        (["--start-delay", "3600"], 1),
    ],
)
def test_health_command_agrees_with_the_health_page(app, docker_client, arguments, code):
    container = app(*arguments)
    if "--start-delay" not in arguments:
        container.get("/health", port=8080 if "--port" in arguments else 80)
    check = docker_client.exec_create(container.id, ["/app", "health"])["Id"]
    docker_client.exec_start(check)
    assert docker_client.exec_inspect(check)["ExitCode"] == code


def test_burn_answers_at_once_and_keeps_a_cpu_busy(app, docker_client):
    container = app()
    before = time.monotonic()
    assert container.get("/burn?seconds=60")[0] == 200
    assert time.monotonic() - before < 5
    deadline = time.monotonic() + 20
    while not any("timeout 60.000" in process[-1] for process in docker_client.top(container.id)["Processes"]):
        assert time.monotonic() < deadline, "nothing burns"


def test_leak_keeps_what_it_was_asked_for(app):
    container = app()
    container.get("/health")
    before = container.memory()
    container.get("/leak?mib=40")
    deadline = time.monotonic() + 20
    while container.memory() - before < 40 * MEBIBYTE:
        assert time.monotonic() < deadline, "the memory never grew"
    assert container.memory() - before < 50 * MEBIBYTE


@pytest.mark.parametrize("asked", ["/leak?mib=200", None])
def test_leak_beyond_the_limit_is_an_oom_kill_of_the_container(app, asked):
    limit = {"mem_limit": 24 * MEBIBYTE, "memswap_limit": 24 * MEBIBYTE}
    container = app(**limit) if asked else app("--leak", "4", environment=FAST, **limit)
    if asked:
        container.get(asked)
    assert container.wait() == 137
    assert container.state()["OOMKilled"] is True


def test_exit_answers_first_and_ends_with_that_code(app):
    container = app()
    assert container.get("/exit?code=42")[0] == 200
    assert container.wait() == 42


def test_exit_after_ends_with_the_declared_code_in_region_seconds(app):
    container = app("--exit-after", "20", "--exit-code", "7", environment=FAST)
    before = time.monotonic()
    assert container.wait() == 7
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("arguments", [[], ["--start-delay", "3600"], ["--leak", "1"], ["--exit-after", "3600"]])
def test_sigterm_ends_it_at_once_and_cleanly(app, docker_client, arguments):
    container = app(*arguments)
    if not arguments:
        container.first_line()
    before = time.monotonic()
    docker_client.stop(container.id, timeout=20)
    assert container.state()["ExitCode"] == 0
    assert time.monotonic() - before < 5


def test_ignored_sigterm_changes_nothing(app, docker_client):
    container = app("--ignore-sigterm")
    container.get("/health")
    docker_client.kill(container.id, "SIGTERM")
    assert container.get("/health") == (200, "ok\n")
    assert container.state()["Running"] is True


def test_works_as_a_plain_user_on_a_read_only_file_system(app):
    container = app(read_only=True)
    assert container.get("/")[0] == 200
    container.get("/exit?code=5")
    assert container.wait() == 5


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"GET " + b"/x" * 4000 + b" HTTP/1.1\r\n\r\n", bytes(range(256))],
)
def test_odd_requests_do_not_disturb_it(app, content):
    container = app()
    answer = container.send(content)
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert container.get("/health") == (200, "ok\n")


@pytest.mark.parametrize("path", ["/burn?seconds=x", "/leak?mib=-1", "/exit?code=256", "/exit?code=", "/burn"])
def test_wrong_values_are_refused(app, path):
    container = app()
    assert container.get(path)[0] in (400, 404)
    assert container.get("/health") == (200, "ok\n")


def test_unknown_pages_are_not_found(app):
    assert app().get("/nothing/here")[0] == 404


def test_logs_say_one_line_at_start_and_one_a_request(app):
    container = app()
    container.get("/health")
    container.get("/missing")
    container.send(b"")
    assert container.logs()[:3] == ["ecslab app 1.0 listening on port 80", "GET /health 200", "GET /missing 404"]


@pytest.mark.parametrize(
    "arguments", [["--colour", "red"], ["--port", "http"], ["--exit-after", "soon"], ["--version-text"], ["--start-delay", "1.2.3"], ["--write", "here"], ["up"]]
)
def test_arguments_that_the_simulated_engine_refuses_end_it_with_code_2_and_the_same_words(app, arguments):
    with pytest.raises(ValueError) as refused:
        parse(arguments)
    container = app(*arguments)
    assert container.wait() == 2
    assert container.logs() == [f"ecslab app: {refused.value}"]


def test_every_declared_argument_is_accepted(app):
    arguments = "--start-delay 0.5 --exit-after 1 --exit-code 9 --leak 0.1 --ignore-sigterm --unhealthy-after 3 --version-text x --port 81 --write /tmp/x"
    parse(arguments.split())
    assert app(*arguments.split(), environment=FAST).wait() == 9


def test_a_port_that_is_taken_ends_it(app):
    first = app()
    first.get("/health")
    second = app(network_mode=f"container:{first.id}")
    assert second.wait() == 1


def test_images_are_small_and_the_app_is_light_and_soon_ready(app, docker_client):
    assert all(docker_client.inspect_image(image)["Size"] <= 10_000_000 for image in IMAGES)
    container = app()
    container.get("/health")
    ready = time.time()
    started = datetime.fromisoformat(container.state()["StartedAt"][:23] + "+00:00").timestamp()
    assert container.memory() <= 5 * MEBIBYTE
    assert ready - started < 1  # 0.1 on an idle machine


def test_images_are_made_once(docker_client):
    images.ensure_app_images(docker_client)
    said = []
    images.ensure_app_images(docker_client, said.append)
    assert said == []


def test_another_script_makes_another_image():
    recipe = images.recipes()[0]
    changed = images.Recipe(recipe.tag, recipe.instructions, {**recipe.files, "app": b"#!/bin/sh\n"})
    assert changed.source != recipe.source
