"""The living region: moto's endpoint, our ECS, the controllers and the clock.

The API writes desired state; the engine reports observations; controllers
compare the two through `rules/` and ask the engine for what is missing. One
loop, `step`, drives them: on Docker a thread runs it when something happened or
is due; simulated, `run_for` jumps from due time to due time.
"""
from __future__ import annotations

import atexit
import heapq
import itertools
import os
import re
import shlex
import sys
import threading
import time
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Callable, Sequence

from ..engines import base, docker_safety
from ..rules.errors import EcsError, client
from . import log_notes, registry
from .auto_scaling import AutoScaling
from .awslogs import AwsLogs
from .balancing import Checked, LoadBalancing, Target
from .clock import VirtualClock, WallClock, seconds
from .connect import Connect
from .discovery import Discovery
from .environment import Environment, waiter_delay
from .event_bridge import EventBridge
from .failures import Failures
from .firewall import Firewall
from .hosts import Hosts
from .images import Images
from .identifiers import ACCOUNT, Identifiers
from .meters import Meters
from .model import Cluster, ContainerInstance, Service, Task, TaskDefinition
from .monitoring import Monitoring
from .network import Vpc
from .reach import Reach
from .roles import Roles
from .sessions import Sessions

if TYPE_CHECKING:
    from ..rules.right_size import RightSize
    from .bill import Bill
    from .demand import Demand
    from .inside import Inside
    from .load import Load, Report
    from .reach import Answer
    from .timeline import Timeline
    from .web import Response

DEFAULT_SEED = 1
WAITER_FEATURE = re.compile(r"\bm/(?:[A-Za-z0-9+-]+,)*B(?:,|\s|$)")  # botocore marks a waiter's calls
PAUSE_WALL, PAUSE_VIRTUAL = 0.25, 0.01
OTHER_WAITERS_PAUSE = 15.0  # of a waiter on another service, in region seconds
TICK = 0.1  # how often a simulated region with a speed moves its clock, in seconds

_current: "Region | None" = None


def start(
    engine: str = "auto",
    seed: int | None = None,
    speed: float | None = None,
    *,
    port: int = 0,
    region_name: str = "us-east-1",
    lab_folder: str | os.PathLike | None = None,
    allow_unsafe: bool = False,
) -> "Region":
    """Start a private AWS region and point this process and its children at it.

    engine: "docker", "simulated", or "auto" (Docker where an engine answers).
    seed: fixes every id; two simulated runs with one seed print the same.
    speed: how many region seconds pass in one second of yours. On Docker 1 by
      default. Simulated, time stands still unless a speed is given: `run_for`
      and the waiters move it.
    port: the endpoint's port on 127.0.0.1; 0 picks a free one.
    lab_folder: the only folder tasks may mount; the working directory by default.
    allow_unsafe: let tasks be privileged and mount anything. Only for definitions you trust.

    Starting again in the same process replaces the region that is running.
    RuntimeError when Docker was asked for and does not answer, OSError when the
    port is taken.
    """
    global _current
    if _current is not None:
        print("Stopping the region that was running here, and starting a new one.")
        _current.stop()
    _current = Region(engine, seed, speed, port, region_name, lab_folder, allow_unsafe)
    return _current


def current() -> "Region | None":
    """The region running in this process, if there is one."""
    return _current


class Region:
    """A running region. Use `start` to make one; it is a context manager."""

    def __init__(self, engine, seed, speed, port, region_name, lab_folder, allow_unsafe):
        self.name = region_name
        self.seed = DEFAULT_SEED if seed is None else seed
        self.lock = threading.RLock()
        self.random = Random(self.seed)
        self.ids = Identifiers(region_name, self.random)
        self.allow_unsafe = allow_unsafe
        self._observations: deque[base.Observation] = deque()
        self._due: list[tuple[float, int, object]] = []
        self._sequence = itertools.count()
        self._wake = threading.Event()
        self._errands: deque[tuple[Callable, Callable]] = deque()
        self.functions: dict[str, Callable] = {}
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._stopped = False
        self._session = None

        self.clusters: dict[str, Cluster] = {}
        self.task_definitions: dict[str, list[TaskDefinition]] = {}
        self.tags: dict[str, list[dict]] = {}
        self.settings: dict[str, str] = {}

        kind, self.engine_reason = choose_engine(engine)
        self.engine = self._make_engine(kind, speed, lab_folder)
        self._fresh_moto()
        self.vpc = Vpc(region_name, self.engine)
        from .capacity import Capacity
        from .codedeploy import CodeDeploy
        from .managed_scaling import ManagedScaling
        from .services import ServiceController
        from .tasks import TaskController

        self.capacity = Capacity(self)
        self.tasks = TaskController(self)
        self.services = ServiceController(self)
        self.balancing = LoadBalancing(self, _plane)
        self.discovery = Discovery(self)
        self.connect = Connect(self)
        self.reach = Reach(self)
        self.roles = Roles(self)
        self.sessions = Sessions(self)
        self.firewall = Firewall(self)
        self.failures = Failures(self)
        self.hosts = Hosts(self)
        self.codedeploy = CodeDeploy(self)
        self.auto_scaling = AutoScaling(self)
        self.awslogs = AwsLogs(self)
        self.images = Images(self)
        self.event_bridge = EventBridge(self)
        self.monitoring = Monitoring(self)
        self.managed_scaling = ManagedScaling(self)
        self.meters = Meters(self)

        from . import server

        simulated = kind == "simulated"
        virtual = simulated and speed is None
        self._server = None
        try:
            self._server = server.Server(port)
            self.endpoint_url = f"http://127.0.0.1:{self._server.port}"
            self._environment = Environment(self.endpoint_url, region_name, PAUSE_VIRTUAL if virtual else PAUSE_WALL, virtual)
        except BaseException:
            if self._server is not None:
                self._server.stop()
            self.engine.close()
            raise
        _forget_default_session()
        self._record = registry.write(self.endpoint_url, region_name, kind, self._environment.values)
        self._loop = None
        if not simulated or speed is not None:
            run = self._run_wall if not simulated else self._run_ticking
            self._tick_speed = speed or 1.0
            self._loop = threading.Thread(target=run, daemon=True, name="ecslab-region")
            self._loop.start()
        atexit.register(self.stop)

    # What a learner uses ----------------------------------------------------

    def client(self, service: str, **options):
        """A boto3 client of this region."""
        import boto3
        import botocore.session

        from .environment import loader

        if self._session is None:
            session = botocore.session.get_session()
            session.register_component("data_loader", loader(self._environment.data_path))
            self._session = boto3.Session(botocore_session=session, region_name=self.name)
        return self._session.client(service, endpoint_url=self.endpoint_url, **options)

    def run_for(self, duration: str | float) -> None:
        """Let that much of the region's time pass ("90s", "10m", seconds). Simulated, it passes at once."""
        span = seconds(duration)
        if self.is_simulated and self._loop is None:
            self._run_until(self.clock.now() + span)
        else:
            time.sleep(span / self.speed)

    def now(self) -> datetime:
        """The region's time, in UTC: what to ask CloudWatch about."""
        return datetime.fromtimestamp(self.clock.now(), timezone.utc)

    def add_instance(self, cluster: str = "default", instance_type: str = "m5.large", zone: str | None = None, *, spot: bool = False) -> str:
        """Launch an EC2 instance whose agent joins the cluster at once. The container instance's ARN comes back."""
        from . import placing
        from .instance_types import instance_type as known

        self._cluster_for_instances(cluster)
        if known(instance_type) is None:
            raise ValueError(f"There is no EC2 instance type {instance_type!r}. m5.large and t3.medium are two.")
        if zone is not None:
            self._check_zone(zone)
        usable = [s for s in self.vpc.default_subnets() if self.vpc.zone(s) not in self.failures.zones]
        subnet = next((s for s in usable if zone in (None, self.vpc.zone(s))), None)
        if subnet is None:
            raise ValueError(f"{zone or 'Every Availability Zone'} has failed: nothing starts there before region.restore_zone.")
        launched = self.client("ec2").run_instances(
            ImageId=placing.ECS_IMAGE,
            InstanceType=instance_type,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            SecurityGroupIds=[self.vpc.default_group(subnet)],
            UserData=f"#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n",
            **({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}),
        )
        with self.lock:
            instance = self.hosts.join(launched["Instances"][0]["InstanceId"])
            self._changed()
            return instance.arn

    def add_external_instance(self, cluster: str = "default", vcpus: int = 2, memory: int = 4096) -> str:
        """Register a machine of one's own, as ECS Anywhere does, for tasks of launch type EXTERNAL. Its ARN comes back.

        memory: what it registers, in MiB.
        """
        from . import hosts

        found = self._cluster_for_instances(cluster)
        with self.lock:
            instance = hosts.external(self, found, vcpus, memory)
            self._changed()
            return instance.arn

    def _cluster_for_instances(self, name: str) -> Cluster:
        found = self.clusters.get(name)
        if found is None:
            raise ValueError(f"There is no cluster {name!r}. Create it first: ecs.create_cluster(clusterName={name!r}).")
        return found

    def kill(self, task: str, container: str | None = None) -> None:
        """Kill a container of a running task behind ECS's back, as `docker kill` or a crash would (exit code 137)."""
        with self.lock:
            found = self._task(task)
            name = container or next(iter(found.containers))
            if found.containers[name].status != "RUNNING":
                raise ValueError(f"Container {name} of task {found.id} is not running.")
            self.engine.kill(found.id, name)
            self._changed()

    def fail_instance(self, instance: str) -> None:
        """Let the host of a container instance die: its tasks are lost, its agent is not connected any more.

        instance: its ARN or id, or that of its EC2 instance. An Auto Scaling group replaces one of its own.
        """
        with self.lock:
            found = self._instance(instance)
            self.failures.lose_instance(found)
            self._changed()
            in_group = self.vpc.in_scaling_group(found.ec2_instance_id)
        if in_group:
            self.client("ec2").terminate_instances(InstanceIds=[found.ec2_instance_id])

    def fail_zone(self, zone: str) -> None:
        """Let an Availability Zone fail: all that runs there is lost, and nothing starts there until `restore_zone`."""
        self._check_zone(zone)
        with self.lock:
            self.failures.fail_zone(zone)
            of_groups = self.failures.of_groups(zone)
            self._changed()
        if of_groups:
            self.client("ec2").terminate_instances(InstanceIds=of_groups)

    def restore_zone(self, zone: str) -> None:
        """Bring a failed Availability Zone back, with its instances, empty."""
        self._check_zone(zone)
        with self.lock:
            self.failures.restore_zone(zone)
            self._changed()

    def interrupt_spot(self, what: str | None = None, *, rate: float | None = None) -> list[str]:
        """Take Spot capacity back, with two minutes' notice. The ARNs of what got its notice come back.

        what: a task of FARGATE_SPOT or a Spot container instance (ARN or id); everything on Spot when left out.
        rate: instead of now, from now on by chance: how often an hour each is interrupted on average; 0 ends that.
        """
        with self.lock:
            if rate is not None:
                if rate < 0 or what is not None:
                    raise ValueError("rate is a number of interruptions an hour, from 0 up, of everything on Spot.")
                self.failures.interrupt_at_rate(rate)
                return []
            spot = self.failures.spot()
            chosen = [one for one in spot if what is None or what.rpartition("/")[2] in (one.id, getattr(one, "ec2_instance_id", None))]
            if what is not None and not chosen:
                raise ValueError(f"{what} does not run on Spot capacity.")
            for one in chosen:
                self.failures.interrupt(one)
            self._changed()
            return [one.arn for one in chosen]

    def _check_zone(self, zone: str) -> None:
        zones = sorted(self.vpc.zone(s) for s in self.vpc.default_subnets())
        if zone not in zones:
            raise ValueError(f"There is no Availability Zone {zone!r} in {self.name}. There are {', '.join(zones)}.")

    def _instance(self, identifier: str) -> ContainerInstance:
        wanted = identifier.rpartition("/")[2]
        for cluster in self.clusters.values():
            for instance in cluster.instances.values():
                if wanted in (instance.id, instance.ec2_instance_id):
                    return instance
        raise ValueError(f"There is no container instance {wanted}.")

    def history(self, task: str) -> list[str]:
        """Every lastStatus a task has had, in order."""
        return [status for _, status in self._task(task).history]

    def get(self, url: str, headers: dict[str, str] | None = None, method: str = "GET") -> "Response":
        """One HTTP request to a load balancer's DNS name or a task's address, on either engine."""
        from .web import get

        return get(self, url, headers, method)

    def load(self, url: str, rps: float = 5, for_: str | float = "1m", headers: dict[str, str] | None = None) -> "Report":
        """Send requests for that long, `rps` in each second of the region's time, and report every answer."""
        from .load import run

        return run(self, url, rps, for_, headers)

    def start_load(self, url: str, rps: float = 5, headers: dict[str, str] | None = None) -> "Load":
        """The same without waiting: a load that runs until its `stop()`, or to the end of a `with` block."""
        from .load import Load

        return Load(self, url, rps, headers)

    def start_demand(
        self, service: str, requests_per_second: "float | Callable[[datetime], float]", cpu_seconds: float = 0.1, cluster: str | None = None
    ) -> "Demand":
        """Traffic as a rate, worked out minute by minute in virtual time: for a whole day of it (simulated only).

        requests_per_second: a number, or a function of the region's time (UTC).
        cpu_seconds: what one request costs of one vCPU. What the running tasks have no CPU for, fails.
        """
        from . import demand

        with self.lock:
            return demand.start(self, self._service(service, cluster), requests_per_second, cpu_seconds)

    def can_reach(self, source: str, destination: str, port: int = 80, protocol: str = "tcp") -> "Answer":
        """May `source` connect to `port` of `destination`, and which rule, group, route or mode decides?

        Each is a running task (ARN, id or address), a load balancer (ARN or DNS name), or "internet".
        """
        with self.lock:
            return self.reach.ask(source, destination, port, protocol)

    def push_image(self, repository: str, tag: str, source: str = "ecslab/app:1.0", findings: Sequence[dict] = ()) -> str:
        """Put an image of this machine into a repository of ECR, as `docker push` would. Its URI comes back; tasks can run it.

        source: an image Docker has; simulated, one of the lab's or a public one.
        findings: what a scan of it will find, [{"name": "CVE-...", "severity": "HIGH"}]; nothing is really scanned.
        ValueError when the source is not here, ClientError where ECR refuses (no repository, an immutable tag).
        """
        return self.images.push(repository, tag, source, findings)

    def timeline(self, service: str, cluster: str | None = None) -> "Timeline":
        """What a service's deployments did, moment by moment."""
        with self.lock:
            found = self._service(service, cluster)
            return found.recorder.timeline(found, self.clock.now())

    def bill(self, by: str = "product") -> "Bill":
        """What everything that ran here would have cost until now, line by line.

        by: "product" (Fargate, EC2 instances, ...) or "service" (what it was there for).
        """
        with self.lock:
            return self.meters.bill(by)

    def right_size(self, service: str, cluster: str | None = None, headroom: float = 0.2, last: str | float = "1d") -> "RightSize":
        """The cheapest Fargate size with `headroom` free at what CloudWatch saw a task of the service use at most."""
        from .right_size import observed

        return observed(self, service, cluster, headroom, last)

    def add_function(self, name: str, function: Callable[[dict, None], dict]) -> str:
        """Register a Python function under a Lambda function's name; lifecycle hooks call it. Its ARN comes back.

        It gets the event and None, as a Lambda handler does, and answers {"hookStatus": "SUCCEEDED"},
        "FAILED", or "IN_PROGRESS" with an optional "callBackDelay" in seconds.
        """
        self.functions[name] = function
        return f"arn:aws:lambda:{self.name}:{ACCOUNT}:function:{name}"

    def url(self, place: str, port: int = 80) -> str:
        """Where a load balancer (its DNS name, or a URL with it) or a running task answers from this machine (Docker only)."""
        if self.is_simulated:
            raise RuntimeError("The simulated engine runs no servers to connect to. region.get(url) asks without one.")
        if ".elb.amazonaws.com" in place:
            from .web import local

            return local(self, place)[0]
        found = self._task(place)
        for facts in found.facts.values():
            for binding in facts.get("networkBindings", ()):
                if binding["containerPort"] == port:
                    shared = found.network_mode == "host" and found.instance.engine.network
                    return f"http://{shared.private_ip if shared else '127.0.0.1'}:{binding['hostPort']}"
        if port in found.published:
            return f"http://127.0.0.1:{found.published[port]}"
        if found.network:
            return f"http://{found.network.private_ip}:{port}"
        raise RuntimeError(f"Task {found.id} answers on no port {port}.")

    def inside(self, task: str, container: str | None = None) -> "Inside":
        """What a container of the task finds at 169.254.170.2: credentials of its role, metadata, task protection."""
        from .inside import Inside

        found = self._task(task)
        name = container or next(iter(found.containers))
        if name not in found.containers:
            raise ValueError(f"Task {found.id} has no container {name!r}.")
        return Inside(self, found, name)

    def exec(self, task: str, container: str | None, command: "str | Sequence[str]") -> base.Executed:
        """Run a command in a container of a running task through ECS Exec: its output, and its exit code.

        container: None where the task has only one. What ExecuteCommand refuses raises its ClientError.
        """
        found = self._task(task)
        words = command if isinstance(command, str) else shlex.join(command)
        asked = {"cluster": found.cluster.name, "task": found.arn, "command": words, "interactive": True}
        opened = self.client("ecs").execute_command(**asked, **({"container": container} if container else {}))["session"]
        return self.sessions.run(opened["sessionId"], opened["tokenValue"])

    def logs(self, task: str, container: str | None = None, tail: int = 100) -> list[str]:
        """The last lines a container of the task printed. Of a log driver that is not carried here, the first line says so."""
        found = self._task(task)
        name = container or next(iter(found.containers))
        return log_notes.of(found, name) + self.engine.logs(found.id, name, tail)

    def _task(self, identifier: str) -> Task:
        task_id = identifier.rpartition("/")[2]
        for cluster in self.clusters.values():
            if task_id in cluster.tasks:
                return cluster.tasks[task_id]
        raise ValueError(f"There is no task {task_id}.")

    def _service(self, identifier: str, cluster: str | None = None) -> Service:
        name = identifier.rpartition("/")[2]
        clusters = [self.clusters[cluster]] if cluster in self.clusters else [] if cluster else list(self.clusters.values())
        found = [c.services[name] for c in clusters if name in c.services]
        found = [s for s in found if s.arn == identifier] if identifier.startswith("arn:") else found
        if len(found) != 1:
            where = f" in cluster {cluster}" if cluster else ""
            raise ValueError(f"There is no service {name}{where}." if not found else f"Several clusters have a service {name}. Say which: cluster=...")
        return found[0]

    def stop(self) -> None:
        """End the region and everything in it. Safe to call twice."""
        global _current
        with self.lock:
            if self._stopped:
                return
            self._stopped = True
        self._wake.set()
        if self._loop is not None:
            self._loop.join(timeout=5)
        self._server.stop()
        self.balancing.close()
        self.engine.close()
        self._environment.restore()
        _forget_default_session()
        registry.remove(self._record)
        atexit.unregister(self.stop)
        if _current is self:
            _current = None

    def __enter__(self) -> "Region":
        return self

    def __exit__(self, *_exception) -> None:
        self.stop()

    @property
    def enforces_security_groups(self) -> tuple[bool, str]:
        """Does traffic between tasks obey security groups here, and why or why not?"""
        return self.engine.enforces()

    @property
    def is_simulated(self) -> bool:
        return self.engine.name == "simulated"

    @property
    def is_stopped(self) -> bool:
        return self._stopped

    @property
    def speed(self) -> float:
        return self._tick_speed if self.is_simulated and self._loop else self.clock.speed

    # What operations and controllers use ------------------------------------

    def call(self, name: str, function: Callable, request: dict, user_agent: str) -> dict:
        """Answer one API request. A waiter's poll lets its pause pass first, where time is virtual."""
        self.before(user_agent, waiter_delay(name))
        with self.lock:
            response = function(self, request)
            self._changed()
            return response

    def before(self, user_agent: str, pause: float = OTHER_WAITERS_PAUSE) -> None:
        """Before any request: a waiter's poll lets its pause pass first, where time is virtual."""
        if self.is_simulated and self._loop is None and WAITER_FEATURE.search(user_agent):
            self._run_until(self.clock.now() + pause)

    def noticed(self, service: str) -> None:
        """After a request to a service that moto plays: something the region reads may have changed."""
        watchers = self._watchers.get(service, ())
        if watchers:
            with self.lock:
                for changed in watchers:
                    changed()
                self._changed()

    def later(self, errand: Callable[[], object], then: Callable[[object], None]) -> None:
        """Run `errand` outside the lock, soon; `then` gets what it returned, under the lock."""
        self._errands.append((errand, then))
        self._wake.set()

    def watch(self, service: str, changed: Callable[[], None]) -> None:
        """Have `changed` called, under the lock, after every request to that service, by the name moto gives it ("ec2"; "elb" is ELBv2 too)."""
        self._watchers.setdefault(service, []).append(changed)

    def touch(self, thing: Task | Service | Target) -> None:
        """Have its controller look at it in the next step."""
        (self.tasks if isinstance(thing, Task) else self.services if isinstance(thing, Service) else self.balancing).touch(thing)

    def touch_services(self, cluster: Cluster) -> None:
        for service in cluster.services.values():
            self.touch(service)
        self.capacity.touch(cluster)

    def wake_at(self, at: float, thing: Task | Service | Target | Callable[[], None]) -> None:
        """Have its controller look at it at that time; or have it called, under the lock."""
        heapq.heappush(self._due, (at, next(self._sequence), thing))

    def stop_task(self, task: Task, stop_code: str | None, reason: str) -> None:
        self.tasks.stop(task, stop_code, reason)

    def account_setting(self, name: str) -> str:
        from .api.settings import SETTINGS

        return self.settings.get(name, SETTINGS[name][0])

    def namespace_exists(self, identifier: str) -> bool:
        """Is there a Cloud Map namespace of this name or ARN?"""
        from moto.servicediscovery.models import servicediscovery_backends

        from .identifiers import ACCOUNT

        namespaces = servicediscovery_backends[ACCOUNT][self.name].namespaces.values()
        return any(identifier in (n.arn, n.name, n.id) for n in namespaces)

    def task_definition(self, identifier: str) -> TaskDefinition | None:
        """An ACTIVE task definition by family, family:revision or ARN; None when there is none."""
        from .api.task_definitions import usable

        try:
            return usable(self, identifier)
        except EcsError:
            return None

    def namespace_name(self, identifier: str) -> str:
        """The name of the Cloud Map namespace of this name, id or ARN."""
        from moto.servicediscovery.models import servicediscovery_backends

        namespaces = servicediscovery_backends[ACCOUNT][self.name].namespaces.values()
        return next((n.name for n in namespaces if identifier in (n.arn, n.name, n.id)), identifier)

    def check_safety(self, definition: dict) -> None:
        """Refuse what could reach out of the lab into this machine. ClientException says how to allow it."""
        if self.allow_unsafe:
            return
        switch = "Start the region with allow_unsafe=True if you trust this definition."
        for container in definition["containerDefinitions"]:
            if container.get("privileged"):
                raise client(f"Container '{container['name']}' is privileged, which could take over this machine. {switch}")
            if (container.get("linuxParameters") or {}).get("devices"):
                raise client(f"Container '{container['name']}' asks for devices of this machine. {switch}")
        for volume in definition.get("volumes", ()):
            source = (volume.get("host") or {}).get("sourcePath")
            if source and not self._inside_lab(source):
                raise client(f"Volume '{volume['name']}' mounts {source}, outside the lab's folder {self.lab_folder}. {switch}")
            if docker_safety.mounts_more(volume):
                raise client(f"Volume '{volume['name']}' mounts something of this machine or its network. {switch}")
        if definition.get("pidMode") == "host" or definition.get("ipcMode") == "host":
            raise client(f"pidMode and ipcMode 'host' would share this machine's processes. {switch}")

    def _inside_lab(self, path: str) -> bool:
        return docker_safety.host_path(path, self.lab_folder).is_relative_to(self.lab_folder)

    # The loop ---------------------------------------------------------------

    def observe(self, seen: base.Observation) -> None:
        """Called by the engine, from any thread."""
        if seen.at is None:
            object.__setattr__(seen, "at", self.clock.now())
        self._observations.append(seen)
        self._wake.set()

    def step(self) -> None:
        """Bring everything as far as it can go at this moment."""
        now = self.clock.now()
        busy = True
        while busy:
            while self._observations:
                seen = self._observations.popleft()
                (self.balancing if isinstance(seen, Checked) else self.tasks).observe(seen)
            while self._due and self._due[0][0] <= now:
                thing = heapq.heappop(self._due)[2]
                thing() if callable(thing) else self.touch(thing)
            busy = self.capacity.step(now)
            busy = self.tasks.step(now) or busy
            busy = self.balancing.step(now) or busy
            busy = self.services.step(now) or busy or bool(self._observations)

    def _changed(self) -> None:
        """After an API call: act at once where time is virtual, else wake the loop."""
        if self.is_simulated:
            self.step()
        self._wake.set()

    def _next_due(self) -> float | None:
        times = [t for t in (self._due[0][0] if self._due else None, self.engine.next_due()) if t is not None]
        return min(times) if times else None

    def _run_until(self, end: float) -> None:
        """Virtual time: jump from due time to due time."""
        self._move_to(self.clock.now())
        while (due := self._next_due()) is not None and due <= end:
            self._move_to(due)
        self._move_to(end)

    def _move_to(self, now: float) -> None:
        with self.lock:
            self.clock.move_to(now)
            self.engine.advance(now)
            self.step()
        while self._errands:
            self._run_errand()

    def _run_errand(self) -> None:
        try:
            errand, then = self._errands.popleft()
        except IndexError:
            return
        answer = errand()
        with self.lock:
            then(answer)
            self.step()
        self._wake.set()

    def _run_wall(self) -> None:
        """Wall clock: step when something happened or is due."""
        while not self._stopped:
            with self.lock:
                self._wake.clear()
                self.step()
                due = self._next_due()
            for _ in range(len(self._errands)):
                threading.Thread(target=self._run_errand, daemon=True, name="ecslab-function").start()
            wait = None if due is None else max(0.0, (due - self.clock.now()) / self.clock.speed)
            self._wake.wait(wait)

    def _run_ticking(self) -> None:
        """A simulated region whose time flows at `speed`."""
        last = time.monotonic()
        while not self._stopped:
            self._wake.wait(TICK)
            self._wake.clear()
            now = time.monotonic()
            self._run_until(self.clock.now() + (now - last) * self._tick_speed)
            last = now

    # Starting ---------------------------------------------------------------

    def _fresh_moto(self) -> None:
        """Forget what an earlier region left in moto; seed its ids."""
        from moto.core.base_backend import BackendDict
        from moto.core.model_instances import reset_model_data
        from moto.moto_api._internal import mock_random

        BackendDict.reset()
        reset_model_data()
        mock_random.seed(self.seed)

    def _make_engine(self, kind: str, speed: float | None, lab_folder) -> base.Engine:
        self.lab_folder = Path(lab_folder or Path.cwd()).resolve()
        if kind == "docker":
            from ..engines.docker import DockerEngine
            from ..engines.docker_last_words import LastWords

            self.clock = WallClock(speed or 1.0)
            return DockerEngine(
                self.observe,
                region_id=f"{os.getpid()}-{id(self):x}",
                speed=self.clock.speed,
                lab_folder=self.lab_folder,
                allow_unsafe=self.allow_unsafe,
                open_endpoint=lambda endpoint, host: self.balancing.plane.open_endpoint(endpoint, host),
                records=lambda name, kind: self.discovery.records(name, kind) if self.discovery.knows(name) else None,
                last_words=LastWords(registry.home() / "ended", lambda told: print(f"ecslab: {told}", file=sys.stderr)),
            )
        from ..engines.simulated import SimulatedEngine

        self.clock = VirtualClock()
        return SimulatedEngine(self.observe, self.clock.now(), self._from_inside)

    def close_inside(self, task: Task) -> None:
        """Nothing answers a task at 169.254.170.2 once it is gone."""
        if task.network is not None and not self.is_simulated:
            from .inside import TaskEndpoint

            self.balancing.plane.close_endpoint(TaskEndpoint(task.id, task.network.private_ip))

    def _from_inside(self, task_id: str, container: str, url: str) -> "Response":
        from .web import from_inside

        return from_inside(self, task_id, container, url)


def choose_engine(engine: str) -> tuple[str, str]:
    """("docker" | "simulated", why). RuntimeError when Docker is asked for and does not answer."""
    if engine == "auto":
        engine = os.environ.get("ECSLAB_ENGINE", "auto")
    if engine not in ("auto", "docker", "simulated"):
        raise ValueError(f"engine must be 'auto', 'docker' or 'simulated', not {engine!r}.")
    if engine == "simulated":
        return "simulated", "asked for"
    from ..engines.docker import available

    found, text = available()
    if found:
        return "docker", text
    if engine == "docker":
        raise RuntimeError(f"No Docker engine answers: {text}\nStart Docker, or use engine='simulated'. `ecslab doctor` says more.")
    return "simulated", text


def _plane(balancing: LoadBalancing):
    """What carries requests and health checks: loaded when the first listener opens."""
    region = balancing.region
    if region.is_simulated:
        from .web import SimulatedPlane as Plane
    else:
        from .http_plane import HttpPlane as Plane
    return Plane(region)


def _forget_default_session() -> None:
    """boto3 keeps one session; it must not remember another region's endpoint or waiters."""
    import sys

    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None
