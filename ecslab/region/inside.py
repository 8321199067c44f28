"""What a container finds at 169.254.170.2: its task's credentials and metadata, and task protection.

Every address carries ids of one task that nobody can guess; only paths written
exactly so are answered. Sources: Developer Guide, "Amazon ECS task IAM role",
"Amazon ECS task metadata endpoint version 4", "Amazon ECS task scale-in protection
endpoint".
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..rules.errors import EcsError
from . import metadata
from .model import Task, without_none

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
        with self.region.lock:
            if self.task.last_status == "STOPPED":
                return _error(404, "TaskNotFound", "The task has stopped.")
            return self._answered(method, path, body)

    def _id(self, container: str) -> str:
        return self.region.roles.path_of(self.task, f"metadata {container}").replace("-", "")

    def _answered(self, method: str, path: str, body: str) -> Answer:
        if method == "GET" and path == f"/v2/credentials/{self.region.roles.path_of(self.task)}":
            found = self.region.roles.credentials(self.task)
            return Answer(200, json.dumps(found.document())) if found else _error(404, "NoCredentials", "The task has no role.")
        for name in self.task.containers:
            about, agent = f"/v4/{self._id(name)}", f"/api/{self._id(name)}"
            if path == f"{agent}/task-protection/v1/state":
                return self._protection(method, body)
            if method == "GET" and path.startswith(about) and path.removeprefix(about) in METADATA:
                return Answer(200, json.dumps(METADATA[path.removeprefix(about)](self.region, self.task, name)))
        return _error(404, "NotFound", "There is nothing of this task at that address.")

    # Task protection ----------------------------------------------------------------------

    def _protection(self, method: str, body: str) -> Answer:
        from .api.tasks import get_task_protection, update_task_protection

        request: dict[str, Any] = {"cluster": self.task.cluster.name, "tasks": [self.task.arn]}
        try:
            if method == "PUT":
                asked = json.loads(body or "{}")
                if not isinstance(asked, dict) or not isinstance(asked.get("ProtectionEnabled"), bool):
                    return _error(400, "InvalidParameterException", "ProtectionEnabled must be true or false.")
                minutes = asked.get("ExpiresInMinutes")
                if minutes is not None and (not isinstance(minutes, int) or isinstance(minutes, bool)):
                    return _error(400, "InvalidParameterException", "ExpiresInMinutes must be a whole number.")
                found = update_task_protection(self.region, {**request, "protectionEnabled": asked["ProtectionEnabled"], "expiresInMinutes": minutes})
            elif method == "GET":
                found = get_task_protection(self.region, request)
            else:
                return _error(405, "MethodNotAllowed", "GET and PUT are answered here.")
        except ValueError:
            return _error(400, "InvalidParameterException", "The body is not valid JSON.")
        except EcsError as error:
            return _error(400, error.code, error.message)
        if found["failures"]:
            failure = found["failures"][0]
            return Answer(200, json.dumps({"failure": {"Arn": failure["arn"], "Reason": failure["reason"], "Detail": failure.get("detail", "")}}))
        one = found["protectedTasks"][0]
        shape = {"ExpirationDate": metadata.moment(one.get("expirationDate")), "ProtectionEnabled": one["protectionEnabled"], "TaskArn": one["taskArn"]}
        return Answer(200, json.dumps({"protection": without_none(shape)}))


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": message}))


METADATA = {  # what follows the container's own address
    "": metadata.of_container,
    "/task": lambda region, task, _: metadata.of_task(region, task),
    "/taskWithTags": lambda region, task, _: metadata.of_task(region, task, tags=True),
    "/stats": metadata.stats_of,
    "/task/stats": lambda region, task, _: metadata.stats(region, task),
}
