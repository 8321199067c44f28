"""What a container finds at 169.254.170.2: its task's credentials and metadata, and task protection.

Every address carries ids of one task that nobody can guess; only paths written
exactly so are answered. Sources: Developer Guide, "Amazon ECS task IAM role",
"Amazon ECS task metadata endpoint version 4", "Amazon ECS task scale-in protection
endpoint".
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..rules.errors import EcsError
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
            metadata, agent = f"/v4/{self._id(name)}", f"/api/{self._id(name)}"
            if path == f"{agent}/task-protection/v1/state":
                return self._protection(method, body)
            if method == "GET" and path in (metadata, f"{metadata}/task", f"{metadata}/taskWithTags", f"{metadata}/stats", f"{metadata}/task/stats"):
                return Answer(200, json.dumps(self._metadata(name, path.removeprefix(metadata))))
        return _error(404, "NotFound", "There is nothing of this task at that address.")

    # Metadata ---------------------------------------------------------------------------

    def _metadata(self, container: str, rest: str) -> Any:
        if not rest:
            return self._container(container)
        if rest.endswith("stats"):
            stats = self._stats()
            return stats if rest == "/task/stats" else stats.get(self._docker_id(container))
        found = self._task()
        if rest == "/taskWithTags":
            found["TaskTags"] = {t["key"]: t["value"] for t in self.region.tags.get(self.task.arn, ())}
        return found

    def _docker_id(self, name: str) -> str:
        return self.task.facts[name].get("runtimeId") or ""

    def _stats(self) -> dict[str, Any]:
        used = self.region.engine.usage(self.task.id)
        read = _time(self.region.clock.now())
        return {
            self._docker_id(name): {
                "read": read,
                "name": name,
                "id": self._docker_id(name),
                "cpu_stats": {"cpu_usage": {"total_usage": int(one.cpu_seconds * 1e9)}},
                "memory_stats": {"usage": one.memory_bytes},
            }
            for name, one in used.items()
        }

    def _task(self) -> dict[str, Any]:
        task, definition = self.task, self.task.definition
        fargate = task.launch_type == "FARGATE"
        limits = {"CPU": int(definition["cpu"]) / 1024 if definition.get("cpu") else None, "Memory": int(definition["memory"]) if definition.get("memory") else None}
        return without_none(
            {
                "Cluster": task.cluster.arn if fargate else task.cluster.name,
                "TaskARN": task.arn,
                "Family": task.task_definition.family,
                "Revision": str(task.task_definition.revision),
                "DesiredStatus": task.desired_status,
                "KnownStatus": task.last_status,
                "Limits": without_none(limits),
                "PullStartedAt": _time(task.pull_started_at),
                "PullStoppedAt": _time(task.pull_stopped_at),
                "ExecutionStoppedAt": _time(task.execution_stopped_at),
                "AvailabilityZone": task.zone or None,
                "LaunchType": task.launch_type,
                "VPCID": task.network.vpc_id if task.network else None,
                "ServiceName": task.service.name if task.service else None,
                "Containers": [self._container(name) for name in task.containers],
            }
        )

    def _container(self, name: str) -> dict[str, Any]:
        task, container = self.task, self.task.containers[name]
        definition = next(c for c in task.definition["containerDefinitions"] if c["name"] == name)
        facts = task.facts[name]
        labels = {
            "com.amazonaws.ecs.cluster": task.cluster.arn if task.launch_type == "FARGATE" else task.cluster.name,
            "com.amazonaws.ecs.container-name": name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": task.task_definition.family,
            "com.amazonaws.ecs.task-definition-version": str(task.task_definition.revision),
        }
        networks = {"NetworkMode": task.network_mode, "IPv4Addresses": [task.network.private_ip]} if task.network else {"NetworkMode": task.network_mode}
        return without_none(
            {
                "DockerId": self._docker_id(name),
                "Name": name,
                "Image": definition["image"],
                "ImageID": facts.get("imageDigest"),
                "Labels": labels,
                "DesiredStatus": task.desired_status,
                "KnownStatus": container.api_status,
                "ExitCode": container.exit_code,
                "Limits": {"CPU": definition.get("cpu") or 0, **({"Memory": definition["memory"]} if definition.get("memory") else {})},
                "StartedAt": _time(getattr(container, "run_since", None)),
                "Type": "NORMAL",
                "LogDriver": (definition.get("logConfiguration") or {}).get("logDriver"),
                "ContainerARN": facts["containerArn"],
                "Networks": [networks],
            }
        )

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
        shape = {"ExpirationDate": _time(one.get("expirationDate")), "ProtectionEnabled": one["protectionEnabled"], "TaskArn": one["taskArn"]}
        return Answer(200, json.dumps({"protection": without_none(shape)}))


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "message": message}))


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
