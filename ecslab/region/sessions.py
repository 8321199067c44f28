"""ECS Exec in the region: the agent beside each container, and the sessions ExecuteCommand opens.

ExecuteCommand checks and gives a session; whoever has its token runs the command
once. AWS carries a session over a web socket to Systems Manager. Here its address
is on loopback and no web socket answers there: `region.exec` and `ecslab exec`
send the token to `PATH` of the endpoint and get the output and the exit code.

Sources: Developer Guide, "Using Amazon ECS Exec to access containers"; API
Reference, ExecuteCommand, Session.
"""
from __future__ import annotations

import hmac
import json
import secrets
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Mapping

from ..engines.base import Executed, NotExecuted
from ..rules import exec_command as rules
from . import session_log
from .identifiers import ACCOUNT
from .model import Task

if TYPE_CHECKING:
    from . import Region

PATH = "/ecslab/session/"
KEPT = 1000  # sessions whose command has not been run yet
LONGEST_BODY = 4096


@dataclass(frozen=True)
class Session:
    """One session of ECS Exec that has been allowed and not been used."""

    id: str
    token: str
    task: Task
    container: str
    command: tuple[str, ...]


class Sessions:
    def __init__(self, region: "Region"):
        self._region = region
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._first: dict[str, str] = {}  # task id -> the first container with a session

    # The agent ---------------------------------------------------------------------------

    def launched(self, task: Task) -> None:
        """A task was made; with the flag on, each container has an agent."""
        if task.enable_execute_command:
            for name in task.containers:
                task.facts[name]["managedAgents"] = [{"name": rules.AGENT, "lastStatus": "PENDING"}]

    def started(self, task: Task, name: str) -> None:
        """A container started; its agent follows."""
        if not task.enable_execute_command:
            return
        agent = rules.first_status(session_log.definition_of(task, name))
        task.facts[name]["managedAgents"] = [agent]
        if agent["lastStatus"] == "PENDING":
            now = self._region.clock.now()
            self._region.wake_at(now + rules.AGENT_STARTS, lambda: self._ready(task, name, agent))

    def _ready(self, task: Task, name: str, agent: dict) -> None:
        if task.facts[name].get("managedAgents") == [agent] and task.containers[name].status == "RUNNING":
            self._show(task, name, {**agent, "lastStatus": "RUNNING", "lastStartedAt": self._region.clock.now()})

    def stopped(self, task: Task, name: str) -> None:
        """A container stopped, and its agent with it."""
        for agent in task.facts[name].get("managedAgents") or ():
            if agent["lastStatus"] != "STOPPED":
                self._show(task, name, {**agent, "lastStatus": "STOPPED"})

    def _show(self, task: Task, name: str, agent: dict) -> None:
        task.facts[name]["managedAgents"] = [agent]
        task.version += 1
        self._region.event_bridge.task(task)

    # Sessions ----------------------------------------------------------------------------

    def open(self, task: Task, container: str, command: list[str]) -> Session:
        """A session in that container. EcsError when ECS Exec could not get there."""
        agents = task.facts[container].get("managedAgents")
        rules.check_ready(task.enable_execute_command, task.last_status, agents[0] if agents else None)
        ids = self._region.ids
        token = ids.hex(64) if self._region.is_simulated else secrets.token_hex(32)
        session = Session(f"ecs-execute-command-{ids.hex(17)}", token, task, container, tuple(command))
        if not self._may_open(session):
            raise rules.not_connected()
        rules.check_processes(task.definition.get("pidMode"), self._first.setdefault(task.id, container), container)
        self._open[session.id] = session
        while len(self._open) > KEPT:
            self._open.popitem(last=False)
        return session

    def _may_open(self, session: Session) -> bool:
        """Does the task role let the agent open its channel, with the cluster's key where it has one?"""
        role = self._region.roles.of_task(session.task)
        wanted = [(action, "*") for action in rules.PERMISSIONS]
        key = session_log.configuration(session).get("kmsKeyId")
        if key:
            named = key if key.startswith("arn:") else f"arn:aws:kms:{self._region.name}:{ACCOUNT}:key/{key}"
            wanted.append(("kms:Decrypt", named))
        return role is not None and all(role.decide(action, resource) for action, resource in wanted)

    def address(self, session: Session) -> str:
        host = self._region.endpoint_url.removeprefix("http://")
        return f"wss://{host}/v1/data-channel/{session.id}?role=publish_subscribe"

    def run(self, session_id: str, token: str) -> Executed:
        """Run a session's command, once. NotExecuted when there is no such session, or its container is gone."""
        with self._region.lock:
            session = self._open.get(session_id)
            if session is None or not hmac.compare_digest(session.token.encode(), token.encode()):
                raise NotExecuted("There is no such session, or its command has been run already.")
            del self._open[session_id]
            if session.task.containers[session.container].status != "RUNNING":
                raise NotExecuted(f"Container {session.container} has stopped.")
            if self._region.is_simulated:  # no time passes, and what a request set off happens at once
                done = self._execute(session)
                self._region.step()
                return self._kept(session, done)
        done = self._execute(session)
        with self._region.lock:
            return self._kept(session, done)

    def _execute(self, session: Session) -> Executed:
        return self._region.engine.execute(session.task.id, session.container, session.command)

    def _kept(self, session: Session, done: Executed) -> Executed:
        """What was printed is kept where the cluster says; where it asked for that and it failed, the output says so."""
        why = session_log.keep(self._region, session, done)
        return replace(done, output=f"{done.output}ecslab: this session was not logged: {why}\n") if why else done

    def answer(self, environ: Mapping) -> tuple[str, bytes]:
        """(HTTP status, body) for a POST to PATH: what `ecslab exec` in another process asks."""
        session_id = environ["PATH_INFO"].removeprefix(PATH)
        if environ["REQUEST_METHOD"] != "POST":
            return "405 Method Not Allowed", b"{}"
        try:
            length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
            token = environ["wsgi.input"].read(length).decode()
            return "200 OK", json.dumps(asdict(self.run(session_id, token))).encode()
        except (ValueError, NotExecuted) as error:
            return "400 Bad Request", json.dumps({"message": str(error)}).encode()
