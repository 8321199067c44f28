"""Service discovery: tasks in Cloud Map, and the names that lead to them.

moto holds namespaces, services and instances. ECS registers each task of a
service when it starts, tells Cloud Map of its health, and takes it out when it
stops. `addresses` answers a name as Route 53 does.

Source: Developer Guide, "Use service discovery to connect Amazon ECS services
with DNS names"; Cloud Map API Reference, RegisterInstance, DnsConfig.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Mapping

from ..rules.errors import invalid
from .identifiers import ACCOUNT
from .model import Task, TaskDefinition

if TYPE_CHECKING:
    from . import Region

MOST_RECORDS = 8  # of a multivalue answer
ANY_PORT = 0


class Discovery:
    def __init__(self, region: "Region"):
        self.region = region
        self._turn: dict[str, int] = {}

    def _backend(self):
        from moto.servicediscovery.models import servicediscovery_backends

        return servicediscovery_backends[ACCOUNT][self.region.name]

    def registry(self, arn: str):
        """moto's Cloud Map service of that ARN, or None."""
        return next((s for s in list(self._backend().services.values()) if s.arn == arn), None)

    def check(self, given: list[dict] | None, task_definition: TaskDefinition) -> list[dict]:
        """A service's `serviceRegistries`, if its tasks can be registered there. EcsError otherwise."""
        entries = list(given or [])
        if len(entries) > 1:
            raise invalid("service registries can have at most 1 items.")
        for entry in entries:
            found = self.registry(entry.get("registryArn") or "")
            if found is None:
                raise invalid(f"The service registry {entry.get('registryArn')} does not exist.")
            self._check_records(entry, _record_types(found), task_definition.definition)
        return entries

    def _check_records(self, entry: Mapping, kinds: set[str], definition: Mapping) -> None:
        mode = definition.get("networkMode") or "bridge"
        container, port = entry.get("containerName"), entry.get("containerPort")
        if (container is None) != (port is None):
            raise invalid("When specifying 'containerName' or 'containerPort' for a service registry, you must specify both.")
        if port is not None and entry.get("port") is not None:
            raise invalid("When specifying 'containerName' and 'containerPort' for a service registry, 'port' must not be specified.")
        if container is not None:
            known = next((c for c in definition["containerDefinitions"] if c["name"] == container), None)
            if known is None:
                raise invalid(f"The container {container} does not exist in the task definition.")
            if port not in [m["containerPort"] for m in known.get("portMappings", ())]:
                raise invalid(f"The container {container} did not have a container port {port} defined.")
        if mode != "awsvpc" and "A" in kinds:
            raise invalid(f"Service registries with A records need the awsvpc network mode, and the task definition's is {mode}.")
        if mode != "awsvpc" and container is None:
            raise invalid("When using the bridge or host network mode, a service registry needs 'containerName' and 'containerPort'.")
        if "SRV" in kinds and container is None and entry.get("port") is None:
            raise invalid("A service registry with SRV records needs either 'port', or 'containerName' and 'containerPort'.")

    # Tasks ------------------------------------------------------------------------

    def attach(self, task: Task, entries: list[dict]) -> None:
        for entry in entries:
            found = self.registry(entry["registryArn"])
            address = self._address(task, entry)
            if found is None or address is None:
                continue
            self._backend().register_instance(found.id, task.id, task.id, self._attributes(task, *address))
            task.registries.append(found.id)
        self.update(task)

    def detach(self, task: Task) -> None:
        for service_id in task.registries:
            if service_id in self._backend().services:
                known = [i.instance_id for i in self._backend().list_instances(service_id)]
                if task.id in known:
                    self._backend().deregister_instance(service_id, task.id)
        task.registries.clear()

    def update(self, task: Task) -> None:
        """Tell Cloud Map how the task is, by its own health checks."""
        for service_id in task.registries:
            service = self._backend().services.get(service_id)
            if service is not None and service.health_check_custom_config:
                checked = any(c.has_health_check for c in task.containers.values())
                status = "HEALTHY" if not checked or task.health == "HEALTHY" else "UNHEALTHY"
                self._backend().update_instance_custom_health_status(service_id, task.id, status)

    @staticmethod
    def _address(task: Task, entry: Mapping) -> tuple[str, int] | None:
        port = entry.get("port") or entry.get("containerPort") or ANY_PORT
        if task.network is not None:
            return task.network.private_ip, port
        for binding in task.facts.get(entry.get("containerName"), {}).get("networkBindings", ()):
            if binding["containerPort"] == port and task.instance is not None and task.instance.engine.network:
                return task.instance.engine.network.private_ip, binding["hostPort"]
        return None

    def _attributes(self, task: Task, address: str, port: int) -> dict[str, str]:
        attributes = {
            "AWS_INSTANCE_IPV4": address,
            "AVAILABILITY_ZONE": task.zone,
            "REGION": self.region.name,
            "ECS_SERVICE_NAME": task.service.name,
            "ECS_CLUSTER_NAME": task.cluster.name,
            "ECS_TASK_DEFINITION_FAMILY": task.task_definition.family,
        }
        if port:
            attributes["AWS_INSTANCE_PORT"] = str(port)
        if task.instance is not None and task.instance.ec2_instance_id:
            attributes["EC2_INSTANCE_ID"] = task.instance.ec2_instance_id
        return attributes

    # Names ------------------------------------------------------------------------

    def knows(self, name: str) -> bool:
        """Is the name one of a DNS namespace here, so that nobody else is asked?"""
        name = name.rstrip(".").lower()
        spaces = [n.name.lower() for n in list(self._backend().namespaces.values()) if n.type != "HTTP"]
        return any(name == space or name.endswith(f".{space}") for space in spaces)

    def records(self, name: str, kind: str) -> list[tuple[str, int, int]]:
        """(address, port, seconds to live) of every answer for a name: healthy instances, or all when none is healthy."""
        found = self._service_named(name)
        if found is None or kind not in _record_types(found):
            return []
        instances = list(found.instances)
        healthy = [i for i in instances if i.health_status == "HEALTHY"] or instances
        config = found.dns_config or {}
        ttl = next((int(r.get("TTL", 60)) for r in config.get("DnsRecords", ()) if r["Type"] == kind), 60)
        if healthy:
            turn = self._turn[found.id] = self._turn.get(found.id, -1) + 1
            healthy = healthy[turn % len(healthy) :] + healthy[: turn % len(healthy)]
        most = 1 if config.get("RoutingPolicy") == "WEIGHTED" else MOST_RECORDS
        return [(i.attributes["AWS_INSTANCE_IPV4"], int(i.attributes.get("AWS_INSTANCE_PORT", 0)), ttl) for i in healthy[:most]]

    def _service_named(self, name: str):
        name = name.rstrip(".").lower()
        for namespace in list(self._backend().namespaces.values()):
            if namespace.type == "HTTP" or not name.endswith(f".{namespace.name.lower()}"):
                continue
            short = name[: -len(namespace.name) - 1]
            for service in list(self._backend().services.values()):
                if service.namespace_id == namespace.id and service.name.lower() == short:
                    return service
        return None


def _record_types(service) -> set[str]:
    return {record["Type"] for record in (service.dns_config or {}).get("DnsRecords", ())}
