"""What a container finds at 169.254.170.2: its task's credentials and metadata, and task protection.

Every address carries ids of one task that nobody can guess; only paths written
exactly so are answered. Sources: Developer Guide, "Amazon ECS task IAM role",
"Amazon ECS task metadata endpoint version 4", "Amazon ECS task scale-in protection
endpoint".
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping

from . import metadata, task_protection
from .model import Task

if TYPE_CHECKING:
    from . import Region

ADDRESS = "169.254.170.2"


@dataclass(frozen=True)
class TaskEndpoint:
    """The endpoint of one task as an engine that runs containers knows it; `address` is the task's own."""

    task_id: str
    address: str


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Inside:
    """A container's own view of its task's endpoint."""

    region: "Region"
    task: Task
    container: str

    @property
    def environment(self) -> dict[str, str]:
        """What ECS adds to the container's environment, and AWS_ENDPOINT_URL, by which an SDK finds this region."""
        return {**self.settings, **self.addresses}

    @property
    def settings(self) -> dict[str, str]:
        fargate = self.task.launch_type == "FARGATE"
        name = self.region.name
        return {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if fargate else "AWS_ECS_EC2", "AWS_REGION": name, "AWS_DEFAULT_REGION": name}

    @property
    def addresses(self) -> dict[str, str]:
        """The variables that lead to the endpoint."""
        found = {
            "ECS_CONTAINER_METADATA_URI_V4": f"http://{ADDRESS}/v4/{self._id(self.container)}",
            "ECS_AGENT_URI": f"http://{ADDRESS}/api/{self._id(self.container)}",
            "AWS_ENDPOINT_URL": f"http://{ADDRESS}",
        }
        if self.task.definition.get("taskRoleArn"):
            found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{self.region.roles.path_of(self.task)}"
        return found

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: str = "") -> Answer:
        """One request to 169.254.170.2 from inside this container's task."""
        counted = self.region.engine.stats(self.task.id) if path.endswith("/stats") else {}  # takes its time: nobody else waits for it
        with self.region.lock:
            if self.task.last_status == "STOPPED":
                return _error(404, "TaskNotFound", "The task has stopped.")
            return self._answered(method, path, body, counted)

    def _id(self, container: str) -> str:
        return self.region.roles.path_of(self.task, f"metadata {container}").replace("-", "")

    def _answered(self, method: str, path: str, body: str, counted: Mapping[str, dict]) -> Answer:
        if method == "GET" and path == f"/v2/credentials/{self.region.roles.path_of(self.task)}":
            found = self.region.roles.credentials(self.task)
            return Answer(200, json.dumps(found.document())) if found else _error(404, "NoCredentials", "The task has no role.")
        for name in self.task.containers:
            about, agent = f"/v4/{self._id(name)}", f"/api/{self._id(name)}"
            if path == f"{agent}/task-protection/v1/state":
                status, told = task_protection.answer(self.region, self.task, method, body)
                return Answer(status, json.dumps(told))
            if method == "GET" and path.startswith(about) and path.removeprefix(about) in METADATA:
                told = METADATA[path.removeprefix(about)](self.region, self.task, name, counted)
                return Answer(200, json.dumps(told))
        return _error(404, "NotFound", "There is nothing of this task at that address.")


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": message}))


METADATA = {  # what follows the container's own address
    "": lambda region, task, name, _: metadata.of_container(region, task, name),
    "/task": lambda region, task, *_: metadata.of_task(region, task),
    "/taskWithTags": lambda region, task, *_: metadata.of_task(region, task, tags=True),
    "/stats": metadata.stats_of,
    "/task/stats": lambda region, task, _, counted: metadata.stats(region, task, counted),
}
