"""`ecslab exec`: a command in a task's container, from a terminal of its own."""
from __future__ import annotations

import os
import pty
import re
import select
import subprocess

import pytest

from ecslab.region import start
from ecslab.rules.exec_command import NOT_READY, PERMISSIONS
from tests.parity.test_parity import Story
from tests.region.test_secrets import role

from .test_serve import ECSLAB


def ecslab(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*ECSLAB, "exec", *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **options)


def running(story: Story, **options) -> str:
    several = [{"name": name, "image": "ecslab/app:1.0", "command": ["--port", port]} for name, port in (("web", "80"), ("log", "81"))]
    story.define("two", containers=several, taskRoleArn=role(story, "open", *((p, "*") for p in PERMISSIONS)))
    arn = story.run("two", enableExecuteCommand=True)
    ready = lambda: all(c["managedAgents"][0]["lastStatus"] == "RUNNING" for c in story.task(arn)["containers"])  # noqa: E731
    story.until(lambda: story.task(arn)["lastStatus"] == "RUNNING" and ready())
    return arn


@pytest.fixture(scope="module")
def simulated():
    with start(engine="simulated") as region:
        story = Story(region)
        yield story, running(story)


def test_the_command_s_output_and_exit_code_are_the_terminal_s(simulated):
    _, arn = simulated
    done = ecslab(arn, "--container", "log", "ps")
    assert done.returncode == 0 and "--port 81" in done.stdout
    assert ecslab(arn.rpartition("/")[2], "--cluster=demo", "--container=web", "cat", "/version").stdout == "1.0\n"
    assert ecslab("--container", "web", arn, "false").returncode == 1


def test_options_after_the_command_are_the_command_s_own(simulated):
    assert ecslab(simulated[1], "--container", "web", "echo", "-h", "--cluster").stdout == "-h --cluster\n"


def test_what_ecs_refuses_is_said_in_its_words(simulated):
    story, arn = simulated
    assert ecslab(arn, "env").stderr == "ecslab: InvalidParameterException: Specify a container: the task has 2, web, log.\n"
    off = story.run("web")
    story.region.run_for("30s")
    done = ecslab(off, "env")
    assert (done.returncode, done.stderr) == (1, f"ecslab: InvalidParameterException: {NOT_READY}\n")


def test_without_a_region_it_says_what_to_do(tmp_path):
    done = ecslab("abc", "env", env={**os.environ, "ECSLAB_HOME": str(tmp_path)})
    assert done.returncode == 1 and "No region is running" in done.stderr and "Traceback" not in done.stderr


def test_on_docker_a_terminal_gets_a_shell_to_type_in_and_the_rest_real_output():
    with start(engine="docker", speed=20) as region:
        arn = running(Story(region))
        assert ecslab(arn, "--container", "log", "sh", "-c", "echo $((6 * 7)); exit 3").stdout == "42\n"
        assert ecslab(arn, "--container", "log", "sh", "-c", "exit 3").returncode == 3
        assert typed([arn, "--container", "log", "sh"], "id -u; tty; cat /proc/1/cmdline; exit 5\n") == ({"root", "terminal", "container"}, 5)


def typed(words: list[str], text: str) -> tuple[set[str], int]:
    """(what the shell showed, its exit code), typed into a terminal."""
    keys, screen = pty.openpty()
    process = subprocess.Popen([*ECSLAB, "exec", *words], stdin=screen, stdout=screen, stderr=screen)
    os.close(screen)
    os.write(keys, text.encode())
    shown = b""
    try:
        while select.select([keys], [], [], 60)[0] and (chunk := os.read(keys, 4096)):
            shown += chunk
    except OSError:
        pass  # the terminal is closed when the shell ends
    os.close(keys)
    signs = {"root": rb"^0\r?$", "terminal": rb"^/dev/pts/\d+\r?$", "container": rb"--port\x0081"}
    return {name for name, sign in signs.items() if re.search(sign, shown, re.MULTILINE)}, process.wait(timeout=30)
