"""Service Connect: short names in a namespace that lead to a service's tasks.

A service with Service Connect may list endpoints (a named port, and a name and
port that clients use). Its own tasks, and those of every client service of the
namespace, know the endpoints that existed when they started. A proxy takes each
request to one of the tasks: in turn, trying another when one fails, and leaving
out for a while one that fails five times in a row.

Source: Developer Guide, "Use Service Connect to connect Amazon ECS services with
short names", "Amazon ECS Service Connect components".
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Iterator, Mapping

from ..rules.errors import EcsError, invalid
from ..rules.listener import next_by_weight
from .model import Cluster, Deployment, Service, Task, TaskDefinition

if TYPE_CHECKING:
    from . import Region

LOCAL = "127.255.0.{}"  # where an endpoint's name points to inside a task
TRIES = 3  # the first and two more
FAILURES_TO_EJECT = 5
EJECTED_FOR = 30.0
REQUEST_TIMEOUT = 15.0
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,125}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Endpoint:
    """What clients call: `name:port`. `container_port` is where the service's tasks answer."""

    namespace: str
    discovery_name: str
    name: str
    port: int
    container_port: int
    service: str  # ARN
    timeout: float = REQUEST_TIMEOUT


def _some_service(has):
    return lambda given: any(has(entry) for entry in given.get("services") or ())


NOT_RUN = (  # what a serviceConnectConfiguration may ask for in vain, and its name in the refusal
    (_some_service(lambda entry: entry.get("tls")), "TLS"),
    (_some_service(lambda entry: entry.get("ingressPortOverride")), "ingressPortOverride"),
    (_some_service(lambda entry: (entry.get("timeout") or {}).get("idleTimeoutSeconds") is not None), "idleTimeoutSeconds"),
    (_some_service(lambda entry: any(a.get("testTrafficRules") for a in entry.get("clientAliases") or ())), "testTrafficRules"),
    (lambda given: given.get("accessLogConfiguration"), "accessLogConfiguration"),
    (lambda given: given.get("containerConfigurations"), "containerConfigurations"),
)


@dataclass
class _Outlier:
    failures: int = 0
    until: float = 0.0


@dataclass
class Connect:
    region: "Region"
    _turn: dict[Endpoint, int] = field(default_factory=dict)
    _credit: dict[Endpoint, dict[str, float]] = field(default_factory=dict)
    _outliers: dict[str, _Outlier] = field(default_factory=dict)
    counts: dict[tuple[Endpoint, str], int] = field(default_factory=dict)

    # The configuration ------------------------------------------------------------

    def check(self, cluster: Cluster, given: Mapping | None, task_definition: TaskDefinition) -> dict | None:
        """A serviceConnectConfiguration with its namespace filled in. EcsError when ECS would refuse it."""
        if not given or not given.get("enabled"):
            return dict(given) if given else None
        mode = task_definition.definition.get("networkMode") or "bridge"
        if mode not in ("awsvpc", "bridge"):
            raise invalid(f"Service Connect is not supported with the {mode} network mode.")
        if mode == "bridge":
            raise EcsError("UnsupportedFeatureException", "This region runs Service Connect with the awsvpc network mode only.")
        namespace = given.get("namespace") or (cluster.service_connect_defaults or {}).get("namespace")
        if not namespace:
            raise invalid("Namespace is missing. Give one in the service or as the cluster's default.")
        if not self.region.namespace_exists(namespace):
            raise EcsError("NamespaceNotFoundException", "The specified namespace was not found.")
        refused = next((words for asked, words in NOT_RUN if asked(given)), None)
        if refused:
            raise EcsError("UnsupportedFeatureException", f"This region does not run Service Connect with {refused}.")
        for entry in given.get("services") or ():
            self._check_entry(entry, task_definition)
        return {**given, "namespace": self.region.namespace_name(namespace)}

    @staticmethod
    def _check_entry(entry: Mapping, task_definition: TaskDefinition) -> None:
        port_name = entry["portName"]
        if _port(task_definition, port_name) is None:
            raise invalid(f"portName({port_name}) does not refer to any named PortMapping in the container definitions.")
        aliases = entry.get("clientAliases") or ()
        if len(aliases) > 1:
            raise invalid(f"{len(aliases)} clientAliases exceeds the max limit of 1.")
        for alias in aliases:
            if not 1 <= alias["port"] <= 65535:
                raise invalid("The port of a client alias must be between 1 and 65535.")
            if alias.get("dnsName") is not None and not NAME.fullmatch(alias["dnsName"]):
                raise invalid("The DNS name that you provided is invalid.")

    # Endpoints ----------------------------------------------------------------------

    def endpoints(self, namespace: str) -> Iterator[Endpoint]:
        """Every endpoint of the namespace, in the order of the services."""
        for cluster in self.region.clusters.values():
            for service in cluster.services.values():
                if service.status == "ACTIVE" and service.lead is not None:
                    yield from self._of(service, service.lead, namespace)

    @staticmethod
    def _of(service: Service, deployment: Deployment, namespace: str) -> Iterator[Endpoint]:
        config = deployment.config.get("serviceConnectConfiguration") or {}
        if not config.get("enabled") or config.get("namespace") != namespace:
            return
        for entry in config.get("services") or ():
            port = _port(deployment.task_definition, entry["portName"])
            discovery = entry.get("discoveryName") or entry["portName"]
            alias = (entry.get("clientAliases") or [{}])[0]
            timeout = (entry.get("timeout") or {}).get("perRequestTimeoutSeconds")
            yield Endpoint(
                namespace=namespace,
                discovery_name=discovery,
                name=alias.get("dnsName") or f"{discovery}.{namespace}",
                port=alias.get("port") or port,
                container_port=port,
                service=service.arn,
                timeout=float(REQUEST_TIMEOUT if timeout is None else timeout or 24 * 3600),
            )

    def known_to(self, task: Task) -> tuple[Endpoint, ...]:
        """What a task that starts now can call."""
        if task.service is None:
            return ()
        deployment = task.service.deployment(task.deployment_id)
        config = (deployment.config.get("serviceConnectConfiguration") or {}) if deployment else {}
        return tuple(self.endpoints(config["namespace"])) if config.get("enabled") else ()

    # Requests -----------------------------------------------------------------------

    def next_target(self, endpoint: Endpoint, tried: set[str]) -> Task | None:
        """The next running task of the endpoint's service, without those tried and those ejected (unless all are)."""
        now = self.region.clock.now()
        tasks = [
            t
            for t in self.region.tasks.present()
            if t.service is not None and t.service.arn == endpoint.service and t.last_status == "RUNNING"
            and t.desired_status == "RUNNING" and t.id not in tried
        ]  # fmt: skip
        tasks = self._by_weight(endpoint, tasks)
        good = [t for t in tasks if self._outliers.get(t.id, _Outlier()).until <= now] or tasks
        if not good:
            return None
        turn = self._turn[endpoint] = self._turn.get(endpoint, -1) + 1
        return good[turn % len(good)]

    def _by_weight(self, endpoint: Endpoint, tasks: list[Task]) -> list[Task]:
        """While a native deployment shifts traffic: the tasks of the revision whose turn it is."""
        if not tasks:
            return tasks
        record = tasks[0].service.current_deployment
        if record is None or record.ended or not record.native or not record.sources:
            return tasks
        shares = {name: production for name, (production, _) in record.weights.items()}
        chosen = next_by_weight(shares, self._credit.setdefault(endpoint, {}))
        return [t for t in tasks if t.deployment_id == chosen] or tasks

    def answered(self, endpoint: Endpoint, task: Task, status: int) -> None:
        """Remember how a task answered: 0 for not at all."""
        word = f"HTTPCode_Target_{status // 100}XX_Count" if status else "failed"
        self.counts[endpoint, word] = self.counts.get((endpoint, word), 0) + 1
        outlier = self._outliers.setdefault(task.id, _Outlier())
        outlier.failures = outlier.failures + 1 if status == 0 or status >= 500 else 0
        if outlier.failures >= FAILURES_TO_EJECT:
            outlier.until, outlier.failures = self.region.clock.now() + EJECTED_FOR, 0

    def rows(self):
        """The minute's metrics, and counting starts over."""
        counts, self.counts = self.counts, {}
        totals: dict[Endpoint, int] = {}
        for (endpoint, word), count in counts.items():
            totals[endpoint] = totals.get(endpoint, 0) + count
            if word != "failed":
                yield word, {"TargetDiscoveryName": endpoint.discovery_name}, [count], "Count"
        for endpoint, count in totals.items():
            yield "RequestCount", {"DiscoveryName": endpoint.discovery_name}, [count], "Count"


def _port(task_definition: TaskDefinition, name: str) -> int | None:
    for container in task_definition.definition["containerDefinitions"]:
        for mapping in container.get("portMappings", ()):
            if mapping.get("name") == name:
                return mapping["containerPort"]
    return None
