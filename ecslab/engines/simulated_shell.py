"""The few commands that a simulated container knows, so that ECS Exec has somewhere to look.

Each answers from what the region knows of the container: its definition, its
variables, what the lab app would say. Anything else is refused in words that say
the container is simulated; nothing is made up.
"""
from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import Callable, Mapping, Protocol

from ..app import IMAGES, Behaviour
from .base import Executed, TaskSpec

NOT_FOUND = 127
SHELLS = ("sh", "/bin/sh", "ash", "bash", "/bin/bash")
SHELL_WORDS = set("|&;<>()$`\\\n*[#~{")  # what would need a real shell
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
WGET_FLAGS = {"-q", "-qO-", "-O-", "-qO", "-O", "-"}


class Fetched(Protocol):
    """What came of a request; a status of 0 is none at all, and `cause` says why."""

    status: int
    body: str
    cause: str


@dataclass(frozen=True)
class View:
    """What is known of a container that runs."""

    spec: TaskSpec
    definition: Mapping
    behaviour: Behaviour | None  # of the lab app
    get: Callable[[str], Fetched] | None = None  # a URL, asked from inside this container
    terminate: Callable[[], None] = lambda: None  # what SIGTERM does to process 1

    @property
    def hostname(self) -> str:
        return self.definition.get("hostname") or self.spec.task_id[:12]

    @property
    def environment(self) -> dict[str, str]:
        own = {item["name"]: item.get("value", "") for item in self.definition.get("environment") or ()}
        inside = self.spec.to_inside.get(self.definition["name"], {})
        return {"HOSTNAME": self.hostname, "ECSLAB_TASK": self.spec.task_id, **self.spec.environment, **inside, **own}

    @property
    def process(self) -> list[str]:
        """What runs as process 1, as far as it is known here."""
        entry = ["/bin/sh", "/app"] if self.behaviour is not None else list(self.definition.get("entryPoint") or ())
        return [*entry, *(self.definition.get("command") or ())] or [f"({self.definition['image']})"]

    @property
    def files(self) -> dict[str, str]:
        found = {"/etc/hostname": self.hostname, "/proc/1/cmdline": "\0".join(self.process)}
        if self.definition["image"] in IMAGES:
            found["/version"] = self.definition["image"].rpartition(":")[2]
        return found


def run(command: list[str], view: View) -> Executed:
    """What the command prints in that container."""
    name, arguments = command[0], command[1:]
    if name in SHELLS:
        return _shell(command, view)
    known = COMMANDS.get(name.removeprefix("/bin/").removeprefix("/usr/bin/"))
    if known is None:
        return _unknown(name)
    code, output = known(view, arguments)
    return Executed(code, output)


def _unknown(name: str) -> Executed:
    text = f"This container is simulated, and {name} is not among the commands it knows: {', '.join(sorted(COMMANDS))}.\n"
    return Executed(NOT_FOUND, text + "On Docker every command of the image runs.\n")


def _shell(command: list[str], view: View) -> Executed:
    """A shell with one plain command and its variables; what needs a real shell is refused."""
    text = command[2] if len(command) == 3 and command[1] == "-c" else "a whole shell $"
    if "'" not in text:  # within which a variable would be none
        text = VARIABLE.sub(lambda found: view.environment.get(found[1] or found[2], ""), text)
    if not SHELL_WORDS & set(text):
        words = shlex.split(text) or ["true"]
        if words[0] == "exit" and len(words) == 2 and words[1].isdigit():
            return Executed(int(words[1]) % 256, "")
        return run(words, view)
    return _unknown("a whole shell")


def _env(view: View, arguments: list[str]) -> tuple[int, str]:
    if arguments:
        return NOT_FOUND, "env: a simulated container only shows its variables\n"
    return 0, "".join(f"{name}={value}\n" for name, value in view.environment.items())


def _cat(view: View, arguments: list[str]) -> tuple[int, str]:
    if not arguments:
        return 1, "cat: name a file\n"
    told, code = "", 0
    for path in arguments:
        known = view.files.get(path)
        code |= known is None
        told += f"cat: {path}: not known in a simulated container (there are {', '.join(view.files)})\n" if known is None else f"{known}\n"
    return int(code), told


def _kill(view: View, arguments: list[str]) -> tuple[int, str]:
    """Within a container the kernel lets nobody kill process 1; SIGTERM reaches it."""
    signal = arguments[0].upper().removeprefix("-").removeprefix("SIG") if arguments and arguments[0].startswith("-") else "TERM"
    processes = [word for word in arguments if not word.startswith("-")]
    if signal not in ("TERM", "15", "KILL", "9") or len(processes) != 1:
        return 1, "kill: a simulated container only knows kill [-TERM|-KILL] PROCESS\n"
    if processes != ["1"]:
        return 1, f"kill: can't kill pid {processes[0]}: No such process\n"
    if signal in ("TERM", "15"):
        view.terminate()
    return 0, ""


def _ps(view: View, _arguments: list[str]) -> tuple[int, str]:
    user = view.definition.get("user") or "root"
    return 0, f"PID   USER     COMMAND\n    1 {user:<8} {' '.join(view.process)}\n"


def _wget(view: View, arguments: list[str]) -> tuple[int, str]:
    places = [word for word in arguments if not word.startswith("-")]
    if len(places) != 1 or not set(arguments) - set(places) <= WGET_FLAGS or view.get is None:
        return 1, "wget: a simulated container only knows wget -qO- URL\n"
    answer = view.get(places[0])
    if not answer.status:
        return 1, f"wget: {answer.cause}\n"
    if answer.status >= 400:
        return 1, f"wget: server returned error: HTTP/1.1 {answer.status} {_phrase(answer.status)}".rstrip() + "\n"
    return 0, f"{answer.body}\n"


def _app(view: View, arguments: list[str]) -> tuple[int, str]:
    """The lab app's own commands."""
    path = APP_COMMANDS.get((*arguments[:1], len(arguments)))
    if view.behaviour is None or path is None or view.get is None:
        return 1, f"a simulated container only knows {', '.join(f'/app {name}' for name, _ in APP_COMMANDS)}\n"
    answer = view.get(f"http://localhost:{view.behaviour.port}{path.format(*arguments[1:])}")
    if arguments == ["health"]:
        return int(answer.status != 200), ""
    return int(answer.status != 200), f"{answer.body or answer.cause}\n"


APP_COMMANDS = {("health", 1): "/health", ("credentials", 1): "/credentials", ("secret", 2): "/secret?id={}", ("object", 2): "/object?at={}"}


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "As Asked"  # the lab app's own


# Name -> (exit code, output) of a command: ECS Exec runs each as root.
COMMANDS: dict[str, Callable[[View, list[str]], tuple[int, str]]] = {
    "/app": _app,
    "cat": _cat,
    "echo": lambda view, words: (0, " ".join(words) + "\n"),
    "env": _env,
    "false": lambda view, words: (1, ""),
    "hostname": lambda view, words: (0, f"{view.hostname}\n"),
    "id": lambda view, words: (0, "0\n" if words == ["-u"] else "uid=0(root) gid=0(root)\n"),
    "kill": _kill,
    "ps": _ps,
    "true": lambda view, words: (0, ""),
    "wget": _wget,
    "whoami": lambda view, words: (0, "root\n"),
}
