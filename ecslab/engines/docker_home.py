"""Where a task's containers live: the network, process and IPC namespaces they join.

A pause container does nothing but own namespaces. A task in `awsvpc` mode has
one with the address of its network interface; so has a task whose containers
share processes or IPC. A container instance has one too, for what ECS calls the
"host": tasks in `host` mode join it. Sources: Developer Guide, "Amazon ECS task
networking options for EC2"; API Reference, TaskDefinition (pidMode, ipcMode).
"""
from __future__ import annotations

import ipaddress
import uuid
from typing import TYPE_CHECKING, Callable, Mapping

from ..rules.network import private_dns_name
from . import docker_cgroups, docker_networks, docker_resolver, docker_settings, images
from .base import Instance, Network, TaskSpec
from .docker_daemon import publishes_ports
from .docker_settings import Home
from .docker_steps import Once, named

if TYPE_CHECKING:
    import docker

PAUSE = "~internal~ecs~pause"  # what ECS calls the container that owns a task's network
MAC_OF_THE_ENDPOINT = "1.44"  # Docker API versions before it take the address for the whole container
FIRST_PROXY_PORT = 15000  # of the ways to other services, inside a task
HOSTLESS = Instance("local", None)


class Homes:
    def __init__(
        self,
        client: "docker.APIClient",
        once: Once,
        region_id: str,
        labels: Mapping[str, str],
        resolver: docker_resolver.Resolver | None = None,
        open_endpoint: Callable[[object, str], int] | None = None,
        *,
        sweep: Callable[[], None],
    ):
        self._sweep = sweep
        self._open_endpoint = open_endpoint
        self._resolver = resolver
        self._docker = client
        self._once = once
        self._region_id = region_id
        self._labels = labels

    def find(self, spec: TaskSpec) -> Home:
        """Where the task's containers will live. Its pause container exists then, but does not run yet."""
        modes = (spec.network_mode, spec.pid_mode, spec.ipc_mode)
        host = "container:" + self._instance(spec.instance or HOSTLESS) if "host" in modes else None
        group = self._group(spec)
        pause, reaches_inside = self._create_pause(spec) if "awsvpc" in modes or "task" in modes else (None, False)
        namespaces = {"awsvpc": f"container:{pause}", "task": f"container:{pause}", "host": host}
        return Home(
            pause=pause,
            network_mode=namespaces.get(spec.network_mode, spec.network_mode),
            pid_mode=namespaces.get(spec.pid_mode),
            ipc_mode=namespaces.get(spec.ipc_mode, spec.ipc_mode),
            reaches_inside=reaches_inside,
            group=group,
        )

    def open(self, home: Home) -> dict[int, int]:
        """Start the pause container. Which of its ports answer on which port of 127.0.0.1, where addresses do not."""
        if home.pause is None:
            return {}
        with named("CannotStartContainerError"):
            self._docker.start(home.pause)
        if not publishes_ports():
            return {}
        ports = self._docker.inspect_container(home.pause)["NetworkSettings"]["Ports"] or {}
        return {int(port.split("/")[0]): int(where[0]["HostPort"]) for port, where in ports.items() if where}

    def _group(self, spec: TaskSpec) -> str | None:
        """A control group for the whole task, where it makes a difference and can be made."""
        if len(spec.containers) > 1 and (spec.cpu or spec.memory) and docker_cgroups.can_group():
            return docker_cgroups.make_group(self._region_id, spec.task_id, spec.cpu, spec.memory)
        return None

    def _create_pause(self, spec: TaskSpec) -> tuple[str, bool]:
        """(its id, does 169.254.170.2 answer in it?)"""
        settings = {"init": spec.pid_mode == "task"}  # a process number 1 that buries the dead
        hostname = None
        if spec.network is not None:
            settings |= self._filtered(spec)
            hostname = private_dns_name(spec.network.private_ip, spec.task_arn.split(":")[3])
            settings["sysctls"] = docker_settings.system_controls(spec.containers, of_network=True) or None
            settings["port_bindings"] = docker_settings.any_ports(spec.containers) if publishes_ports() else None
        its_labels = {**labels(spec, self._labels), "com.amazonaws.ecs.container-name": PAUSE}
        reaches_inside = "ECSLAB_INSIDE" in settings.get("environment", ())
        return self._create(container_name(spec, "internalecspause"), its_labels, spec.network, "none", hostname, **settings), reaches_inside

    def _filtered(self, spec: TaskSpec) -> dict:
        """What the pause container needs to filter the task's traffic and answer its names, where it has the tools."""
        self._once.result("images", images.ensure_app_images, self._docker)
        if not self._once.result("tools", images.has_tools, self._docker):
            return {}
        environment = {"ECSLAB_FIREWALL": spec.firewall}
        settings: dict = {"cap_add": ["NET_ADMIN"]}
        address = self._resolver_of(spec.network)
        if address:
            environment["ECSLAB_RESOLVER"] = address
            settings["dns"] = [docker_resolver.ADDRESS]
        if spec.inside:
            try:
                environment["ECSLAB_INSIDE"] = self._opened(spec.network, spec.inside)
            except OSError:
                pass  # the gateway is not an address of this machine: nothing answers at 169.254.170.2 then
        if spec.endpoints:
            lines, names = [], {}
            for number, (name, port, endpoint) in enumerate(spec.endpoints, 1):
                names[name] = f"127.255.0.{number}"
                lines.append(f"{names[name]} {port} {FIRST_PROXY_PORT + number} {self._opened(spec.network, endpoint)}")
            environment["ECSLAB_ENDPOINTS"] = "\n".join(lines)
            settings["extra_hosts"] = names
        return {**settings, "environment": environment}

    def _opened(self, network: Network, endpoint: object) -> str:
        """`host:port` where the region answers for it."""
        self._vpc_network(network)
        desktop = publishes_ports()
        host = "127.0.0.1" if desktop else str(ipaddress.ip_network(network.vpc_cidr)[1])
        return f"{'host.docker.internal' if desktop else host}:{self._open_endpoint(endpoint, host)}"

    def _resolver_of(self, network: Network) -> str | None:
        if self._resolver is None:
            return None
        self._vpc_network(network)
        try:
            return self._once.result(("resolver", network.vpc_id), self._resolver.open, network.vpc_cidr)
        except OSError:
            return None  # the gateway is not an address of this machine: names of Cloud Map do not resolve then

    def _instance(self, instance: Instance) -> str:
        """The id of the container that is the "host" of a container instance."""
        if instance.network is not None:
            self._vpc_network(instance.network)  # not within the other: what is made once waits for nothing else
        return self._once.result(("instance", instance.id), self._start_instance, instance)

    def _start_instance(self, instance: Instance) -> str:
        its_labels = {**self._labels, "ecslab.container-instance": instance.id}
        pause = self._create(f"ecs-instance-{_unique()}", its_labels, instance.network, "bridge", None, init=True)
        self._docker.start(pause)
        return pause

    def _create(
        self, name: str, its_labels: Mapping[str, str], network: Network | None, otherwise: str, hostname: str | None, **settings
    ) -> str:
        """The id of a new pause container, in the VPC or in the network named `otherwise`."""
        from docker.utils import version_lt

        api = self._docker
        self._once.result("images", images.ensure_app_images, api)
        network_name, endpoint, mac = otherwise, None, {}
        if network is not None:
            network_name, mac = self._vpc_network(network), {"mac_address": network.mac}
            place = {"ipv4_address": network.private_ip}
            if not version_lt(api.api_version, MAC_OF_THE_ENDPOINT):
                place, mac = {**place, **mac}, {}
            endpoint = api.create_networking_config({network_name: api.create_endpoint_config(**place)})
        ports = [tuple(port.split("/")) for port in settings.get("port_bindings") or ()]
        environment = settings.pop("environment", None)
        with named("CannotCreateContainerError"):
            return api.create_container(
                images.PAUSE,
                name=name,
                labels=dict(its_labels),
                hostname=hostname,
                environment=environment,
                ports=ports or None,
                **mac,
                networking_config=endpoint,
                host_config=api.create_host_config(network_mode=network_name, ipc_mode="shareable", **settings),
            )["Id"]

    def _vpc_network(self, network: Network) -> str:
        """The name of the Docker network that is this VPC."""
        name = f"ecslab-{self._region_id}-{network.vpc_id}"
        self._once.result("sweep", self._sweep)
        key = ("network", network.vpc_id)
        self._once.result(key, docker_networks.create, self._docker, name, network.vpc_id, network.vpc_cidr, self._labels)
        return name


def labels(spec: TaskSpec, ours: Mapping[str, str]) -> dict[str, str]:
    """What the containers of a task are labelled with, as the ECS agent does."""
    return {
        **ours,
        "com.amazonaws.ecs.cluster": spec.cluster,
        "com.amazonaws.ecs.task-arn": spec.task_arn,
        "com.amazonaws.ecs.task-definition-family": spec.family,
        "com.amazonaws.ecs.task-definition-version": str(spec.revision),
    }


def container_name(spec: TaskSpec, name: str) -> str:
    """As the ECS agent names containers: the task definition, the container, something unique."""
    return f"ecs-{spec.family}-{spec.revision}-{name}-{_unique()}"


def _unique() -> str:
    return uuid.uuid4().hex[:18]
