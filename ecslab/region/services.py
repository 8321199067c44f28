"""The service controller: keeps what each service wants and what it has together.

It shows `rules.rollout.plan` the service as it is and carries out what comes
back. Nothing about when a task may start or stop is decided here.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Sequence

from ..rules import daemon, health, lifecycle, placement, rollout
from ..rules.errors import EcsError
from . import daemons, deployments, launch, native, rebalancing, task_sets
from .identifiers import ACCOUNT
from .model import Deployment, Service, Task, TaskDefinition

if TYPE_CHECKING:
    from . import Region

EVENT_REPEAT = 6 * 3600.0  # an identical event is not repeated within six hours
TASKS_PER_EVENT = 10
PLACEMENT_RETRY = 15.0
ALARM_POLL = 15.0  # how often a deployment's alarms are looked at
BREAKER = "ECS deployment circuit breaker"
ON_THE_WAY_UP = ("PROVISIONING", "PENDING", "ACTIVATING")  # nothing for a service to act on
FAILED_HEALTH_CHECKS = (lifecycle.FAILED_CONTAINER_HEALTH_CHECKS, "Task failed ELB health checks")


# What operations and other controllers call ---------------------------------


def new_deployment(region: "Region", service: Service, task_definition: TaskDefinition, config: dict) -> Deployment:
    """A new PRIMARY deployment; the one before becomes ACTIVE, superseded."""
    now = region.clock.now()
    deployment = Deployment(
        id=region.ids.deployment(), task_definition=task_definition, config=dict(config), created_at=now, updated_at=now
    )
    deployment.revision_arn = region.ids.arn("service-revision", service.cluster.name, service.name, region.ids.number())
    service.revisions.insert(0, deployment)
    del service.revisions[deployments.KEPT :]
    make_primary(service, deployment, f"ECS deployment {deployment.id} in progress.", now)
    region.event_bridge.deployment(service, deployment)
    record = deployments.begin(region, service, deployment)
    record.alarms_at_start = alarms_ringing(region, service)
    if record.native:
        native.begin(region, service, record)
    return deployment


def alarms_ringing(region: "Region", service: Service) -> list[str]:
    """Which of the service's deployment alarms are in ALARM."""
    wanted = service.deployment_configuration.get("alarms") or {}
    if not wanted.get("enable"):
        return []
    from moto.cloudwatch.models import cloudwatch_backends

    alarms = cloudwatch_backends[ACCOUNT][region.name].alarms
    return [name for name in wanted.get("alarmNames", ()) if name in alarms and alarms[name].state_value == "ALARM"]


def make_primary(service: Service, deployment: Deployment, reason: str, now: float) -> None:
    for older in service.deployments:
        older.status = "ACTIVE"
    service.deployments = [deployment] + [d for d in service.deployments if d is not deployment]
    deployment.status = "PRIMARY"
    deployment.rollout_state = "IN_PROGRESS"
    deployment.rollout_state_reason = reason
    deployment.updated_at = now
    deployment.failures = deployment.start_failures = 0
    service.steady = False


def new_alarms(region: "Region", service: Service, record) -> list[str]:
    """Alarms that went to ALARM since the deployment began; one that already was counts once it has been out of it."""
    ringing = alarms_ringing(region, service)
    record.alarms_at_start = [name for name in record.alarms_at_start if name in ringing]
    return [name for name in ringing if name not in record.alarms_at_start]


def completed(region: "Region", service: Service, deployment: Deployment, now: float) -> None:
    """The deployment is done."""
    deployment.rollout_state = "COMPLETED"
    deployment.rollout_state_reason = f"ECS deployment {deployment.id} completed."
    deployment.updated_at = now
    deployment.completed_once = True
    region.event_bridge.deployment(service, deployment)
    say(region, service, f"(deployment {deployment.id}) deployment completed.")
    service.steady = True
    say(region, service, rollout.STEADY)


def say(region: "Region", service: Service, message: str, subject: str = "") -> None:
    """Add a service event, unless it would only repeat the last one."""
    now = region.clock.now()
    text = f"(service {service.name}{subject}) {message}"
    if service.events and service.events[0]["message"] == text and now - service.events[0]["createdAt"] < EVENT_REPEAT:
        return
    service.events.appendleft({"id": region.ids.uuid(), "createdAt": now, "message": text})
    region.event_bridge.said(service, message)


def task_changed(region: "Region", task: Task) -> None:
    """A task of a service moved: count what it says about its deployment."""
    service = task.service
    deployment = service.deployment(task.deployment_id)
    region.discovery.update(task)
    if deployment is not None and not task.counted and task.desired_status == "STOPPED":
        _count(region, service, deployment, task)
    if task.last_status == "STOPPED":
        service.tasks.pop(task.id, None)
    if deployment is not None and task.last_status == "RUNNING":
        deployment.start_failures = 0
    if task.last_status not in ON_THE_WAY_UP or task.desired_status == "STOPPED":
        region.touch(service)


def activate(region: "Region", task: Task) -> None:
    """A task of a service runs: its load balancers and registries learn of it."""
    deployment = task.service.deployment(task.deployment_id)
    entries = (deployment.config.get("loadBalancers") or ()) if deployment else ()
    for group in region.balancing.attach(task, [{**entry, "targetGroupArn": deployment.target_group(entry)} for entry in entries]):
        region.services.note(task.service, f"registered {{}} targets in (target-group {group})")
    region.discovery.attach(task, (deployment.config.get("serviceRegistries") or ()) if deployment else ())


def deactivate(region: "Region", task: Task) -> None:
    """A task of a service goes: no new connections, and time to finish those that are open."""
    region.discovery.detach(task)
    for group in region.balancing.detach(task):
        region.services.note(task.service, f"deregistered {{}} targets in (target-group {group})")
        if not task.progress.may_stop:
            region.services.note(task.service, "has begun draining connections on {} tasks.", f", taskSet {task.deployment_id}")


def _count(region: "Region", service: Service, deployment: Deployment, task: Task) -> None:
    """A task that stopped by itself before it ever counted as healthy is a failure of its deployment.

    AWS counts tasks that do not reach RUNNING or fail their health checks; that
    a task which dies right after RUNNING counts too is our choice.
    """
    task.counted = True
    never_ran = task.started_at is None and task.stop_code != lifecycle.USER_INITIATED
    by_itself = task.stop_code in (lifecycle.TASK_FAILED_TO_START, lifecycle.ESSENTIAL_CONTAINER_EXITED)
    was_healthy = task.started_at is not None and is_healthy(task, task.stopping_at or region.clock.now())
    if by_itself and not was_healthy or (task.stopped_reason or "").startswith(FAILED_HEALTH_CHECKS):
        deployment.failed_tasks += 1
        deployment.failures += 1
        deployment.last_failure_at = region.clock.now()
        if never_ran:
            deployment.start_failures += 1
    service.steady = False


def is_healthy(task: Task, now: float) -> bool:
    if task.last_status != "RUNNING" and task.started_at is None:
        return False
    checked = task.is_checked
    if checked and task.health != "HEALTHY":
        return False
    if task.targets:
        return all(target.health.state == "healthy" for target in task.targets)
    return checked or now - task.started_at >= health.UNCHECKED_HEALTHY_AFTER


def _is_ill(task: Task) -> bool:
    return (task.is_checked and task.health == "UNHEALTHY") or (bool(task.targets) and _unhealthy_target(task) is not None)


def is_ill(region: "Region", service: Service, task: Task, now: float) -> bool:
    """Does a check say UNHEALTHY, and is the grace period over?"""
    if task.last_status != "RUNNING" or not _is_ill(task):
        return False
    ends = task.started_at + (service.settings.get("healthCheckGracePeriodSeconds") or 0)
    if now < ends:
        region.wake_at(ends, service)
    return now >= ends


def why_ill(region: "Region", service: Service, task: Task) -> str:
    """The stoppedReason of a task that failed its checks; a target's failure is a service event too."""
    target = _unhealthy_target(task)
    if target is None:
        return lifecycle.FAILED_CONTAINER_HEALTH_CHECKS
    what = f"instance {target.id}" if target.id.startswith("i-") else f"task {task.id}"
    where = f"(target-group {target.group})"
    reason = f"(reason {target.health.description})"
    say(region, service, f"({what}) (port {target.port}) is unhealthy in {where} due to {reason}")
    return f"Task failed ELB health checks in {where}"


def _unhealthy_target(task: Task):
    """The first target of the task that its load balancer calls unhealthy, if any."""
    return next((target for target in task.targets if target.health.state == "unhealthy"), None)


# The controller -------------------------------------------------------------


class ServiceController:
    def __init__(self, region: "Region"):
        self._region = region
        self._dirty: OrderedDict[str, Service] = OrderedDict()
        self._notes: dict[tuple[str, str, str], tuple[Service, int]] = {}

    def note(self, service: Service, message: str, subject: str = "") -> None:
        """An event that counts, said once for all that happens at one moment. `{}` in it becomes the number."""
        _, count = self._notes.get((service.arn, message, subject), (service, 0))
        self._notes[service.arn, message, subject] = (service, count + 1)

    def touch(self, service: Service) -> None:
        self._dirty[service.arn] = service

    def step(self, now: float) -> bool:
        """Look at every service that changed. True when anything was done."""
        notes, self._notes = self._notes, {}
        for (_, message, subject), (service, count) in notes.items():
            say(self._region, service, message.format(count), subject)
        todo, self._dirty = self._dirty, OrderedDict()
        for service in sorted(todo.values(), key=daemons.is_daemon, reverse=True):  # a daemon is the first on an instance
            if service.status == "DRAINING":
                self._drain(service)
            elif service.status == "ACTIVE":
                self._reconcile(service, now)
        return bool(todo)

    def _drain(self, service: Service) -> None:
        going = [t for t in service.tasks.values() if t.desired_status == "RUNNING"]
        self.stop(service, [(t, lifecycle.scaling_activity(t.deployment_id)) for t in going])
        if not service.tasks:
            service.status = "INACTIVE"
            for deployment in service.deployments:
                deployment.status = "INACTIVE"

    def _reconcile(self, service: Service, now: float) -> None:
        if service.deployment_controller != "ECS":
            task_sets.reconcile(self._region, service, now)
            return
        if native.applies(service):
            native.reconcile(self._region, service, now)
            return
        self._interrupted(service, now)
        view = self._view(service, now)
        if daemons.is_daemon(service):
            view, actions = daemons.plan(service, view, now)
        else:
            view = self._moved(service, view, now)
            actions = rollout.plan(rebalancing.wanting(view, service), now)
        self.record(service, now, native.traffic(service.current_deployment), view)
        self._carry_out(service, actions, now)
        rebalancing.begin(self._region, service, lambda message: say(self._region, service, message))

    def _moved(self, service: Service, view: rollout.ServiceView, now: float) -> rollout.ServiceView:
        """Stop what has been replaced in another Availability Zone; the service as it is then."""
        stops = rebalancing.finish(self._region, service, view, lambda message: say(self._region, service, message)) if service.moves else []
        for task, reason in stops:
            self._region.stop_task(task, lifecycle.SERVICE_SCHEDULER_INITIATED, reason)
        return self._view(service, now) if stops else view

    def record(self, service: Service, now: float, traffic: dict[str, float], view: rollout.ServiceView | None = None) -> None:
        """Note for the timeline how the service stands."""
        view = view or self._view(service, now)
        limits = rollout.band(view.desired, view.minimum_healthy_percent, view.maximum_percent)
        service.recorder.record(service, limits, view.tasks, traffic, now)

    def keep(self, service: Service, deployment: Deployment, desired: int, now: float) -> None:
        """Keep so many healthy tasks of one deployment, whatever the others do."""
        view = self._view(service, now)
        alone = replace(
            view,
            desired=desired,
            maximum_percent=200,
            minimum_healthy_percent=100,
            deployments=tuple(replace(d, rollout_state="COMPLETED") for d in view.deployments if d.id == deployment.id),
            tasks=[t for t in view.tasks if t.deployment_id == deployment.id],
            breaker=rollout.Breaker(),
        )
        kept = (rollout.Start, rollout.Stop, rollout.Say, rollout.WakeAt)
        self._carry_out(service, [a for a in rollout.plan(alone, now) if isinstance(a, kept)], now, deployment)

    def _carry_out(self, service: Service, actions, now: float, deployment: Deployment | None = None) -> None:
        stops: list[tuple[Task, str]] = []
        for action in actions:
            match action:
                case rollout.Start(count=count):
                    self.start(service, deployment or service.primary, count)
                case daemon.StartOn(instances=ids):
                    self._start_on(service, ids)
                case rollout.Stop(task_id=task_id, why=why):
                    task = service.tasks[task_id]
                    if daemons.is_daemon(service) and why == "scale-in" and daemons.violates(service, task):
                        self._region.event_bridge.action(service, "ERROR", "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED")
                    stops.append((task, self._stop_reason(service, task, why)))
                case rollout.Say(message=message):
                    say(self._region, service, message)
                case rollout.WakeAt(at=at):
                    self._region.wake_at(at, service)
                case rollout.Fail() as fail:
                    self._fail(service, fail, now)
                case rollout.Retire(deployment_id=deployment_id):
                    service.deployments = [d for d in service.deployments if d.id != deployment_id]
                case rollout.Complete():
                    self._complete(service, now)
        self.stop(service, stops)

    def _view(self, service: Service, now: float) -> rollout.ServiceView:
        region = self._region
        grace = service.settings.get("healthCheckGracePeriodSeconds") or 0
        next_look = None
        tasks = []
        for task in service.tasks.values():
            running = task.last_status == "RUNNING" and task.desired_status == "RUNNING"
            healthy = running and is_healthy(task, now)
            ill = running and _is_ill(task)
            unhealthy = ill and now - task.started_at >= grace
            if running and not healthy:
                wait = grace if ill else health.UNCHECKED_HEALTHY_AFTER
                due = task.started_at + wait
                if due > now and (next_look is None or due < next_look):
                    next_look = due
            tasks.append(
                rollout.TaskView(  # by place: this is built for every task at every look
                    task.id,
                    task.deployment_id,
                    task.created_at,
                    running,
                    healthy,
                    unhealthy,
                    task.desired_status == "STOPPED",
                    task.is_protected(now),
                    task.zone,
                    task.instance is not None and task.instance.status == "DRAINING",
                    task.instance.id if task.instance else "",
                )
            )
        if next_look is not None:
            region.wake_at(next_look, service)
        if any(t.healthy and t.deployment_id == service.primary.id for t in tasks) and self._resets(service):
            service.primary.failures = 0
        fallback = service.fallback
        breaker = service.deployment_configuration.get("deploymentCircuitBreaker") or {}
        threshold = breaker.get("thresholdConfiguration") or {}
        return rollout.ServiceView(
            desired=service.desired_count,
            minimum_healthy_percent=service.deployment_configuration["minimumHealthyPercent"],
            maximum_percent=service.deployment_configuration["maximumPercent"],
            deployments=tuple(
                rollout.DeploymentView(
                    id=d.id,
                    status=d.status,
                    rollout_state=d.rollout_state,
                    start_failures=d.start_failures,
                    failures=d.failures,
                    last_failure_at=d.last_failure_at,
                    rollback_to=fallback.id if fallback else None,
                    unplaced=d.unplaced,
                )
                for d in service.deployments
            ),
            tasks=tasks,
            breaker=rollout.Breaker(
                enabled=bool(breaker.get("enable")),
                rollback=bool(breaker.get("rollback")),
                threshold_type=threshold.get("type", "BOUNDED_PERCENT"),
                threshold_value=threshold.get("value", 50),
            ),
        )

    @staticmethod
    def _resets(service: Service) -> bool:
        breaker = service.deployment_configuration.get("deploymentCircuitBreaker") or {}
        return breaker.get("resetOnHealthyTask", True)

    def start(self, service: Service, deployment: Deployment, count: int) -> None:
        """Start so many tasks of a deployment or task set."""
        region = self._region
        existing: dict[str, int] = {}
        for task in service.tasks.values():
            if task.desired_status == "RUNNING" and task.capacity_provider:
                existing[task.capacity_provider] = existing.get(task.capacity_provider, 0) + 1
        places = region.capacity.places(
            service.cluster,
            deployment.task_definition.definition,
            deployment.config,
            group=f"service:{service.name}",
            count=count,
            constraints=service.settings.get("placementConstraints") or (),
            strategy=service.settings.get("placementStrategy") or (),
            existing=existing,
        )
        deployment.unplaced = len(places.found) < count
        if deployment.unplaced:
            say(region, service, placement.placement_event(places.failures))
            region.wake_at(region.clock.now() + PLACEMENT_RETRY, service)
        self._launch(service, deployment, places.found)

    def _start_on(self, service: Service, ids: Sequence[str]) -> None:
        """Start a daemon's task on each of these instances that has room for it."""
        region, deployment = self._region, service.primary
        instances = daemons.room(region, service, deployment, ids, lambda message: say(region, service, message))
        if len(instances) < len(ids):
            region.wake_at(region.clock.now() + PLACEMENT_RETRY, service)
        self._launch(service, deployment, [{"instance": instance} for instance in instances])

    def _launch(self, service: Service, deployment: Deployment, places: Sequence[dict]) -> None:
        """A task for each place: a provider, an instance, or both, or what it is to wait for. Those that find none are tried again later."""
        region, tasks = self._region, []
        common = self.common(service, deployment)
        try:
            for place in places:
                tasks.append(launch.new_task(region, service.cluster, deployment.task_definition, deployment.config, **place, **common))
        except EcsError as error:
            deployment.unplaced = True
            say(region, service, f"was unable to place a task. Reason: {error.message.rstrip('.')}.")
            region.wake_at(region.clock.now() + PLACEMENT_RETRY, service)
        self._started(service, tasks)

    def common(self, service: Service, deployment: Deployment) -> dict:
        """What every task of the deployment starts with."""
        return {
            "definition": deployment.task_definition.definition,
            "group": f"service:{service.name}",
            "started_by": deployment.id,
            "service": service,
            "deployment": deployment,
            "tags": self._tags(service, deployment),
            "enable_execute_command": service.settings["enableExecuteCommand"],
        }

    def _started(self, service: Service, tasks: list[Task]) -> None:
        service.steady = False
        for start in range(0, len(tasks), TASKS_PER_EVENT):
            batch = tasks[start : start + TASKS_PER_EVENT]
            say(self._region, service, f"has started {len(batch)} tasks: {_listed(batch)}.")

    def _tags(self, service: Service, deployment: Deployment) -> list[dict]:
        region, settings = self._region, service.settings
        source = {"SERVICE": service.arn, "TASK_DEFINITION": deployment.task_definition.arn}.get(settings["propagateTags"])
        tags = list(region.tags.get(source, [])) if source else []
        if settings["enableECSManagedTags"]:
            managed = {"aws:ecs:clusterName": service.cluster.name, "aws:ecs:serviceName": service.name}
            tags += [{"key": key, "value": value} for key, value in managed.items()]
        return tags

    def _stop_reason(self, service: Service, task: Task, why: str) -> str:
        if why == "unhealthy":
            return why_ill(self._region, service, task)
        return lifecycle.scaling_activity(service.primary.id)

    def stop(self, service: Service, stops: list[tuple[Task, str]]) -> None:
        if not stops:
            return
        service.steady = False
        for task, reason in stops:
            self._region.stop_task(task, lifecycle.SERVICE_SCHEDULER_INITIATED, reason)
        tasks = [task for task, _ in stops]
        for start in range(0, len(tasks), TASKS_PER_EVENT):
            batch = tasks[start : start + TASKS_PER_EVENT]
            say(self._region, service, f"has stopped {len(batch)} running tasks: {_listed(batch)}.")

    def _fail(self, service: Service, fail: rollout.Fail, now: float) -> None:
        self._give_up(service, BREAKER, "tasks failed to start.", fail.rollback_to, now)

    def _give_up(self, service: Service, who: str, why: str, rollback_to: str | None, now: float) -> None:
        """The PRIMARY deployment failed; go back to an earlier one where there is one to go to."""
        region, deployment, record = self._region, service.primary, service.current_deployment
        deployment.rollout_state = "FAILED"
        deployment.rollout_state_reason = f"{who}: {why}"
        deployment.updated_at = now
        record.failures = deployment.failures
        region.event_bridge.deployment(service, deployment)
        say(region, service, f"(deployment {deployment.id}) deployment failed: {why}")
        if rollback_to:
            target = next(d for d in service.revisions if d.id == rollback_to)
            say(region, service, f"rolling back to deployment {target.id}.")
            make_primary(service, target, f"{who}: rolling back to deploymentId {target.id}.", now)
            deployments.roll_back(record, target, f"{who}: {why}", now)
            region.touch(service)
        else:
            deployments.finish(record, "STOPPED", f"{who}: {why}", now)

    def _bakes(self, service: Service, now: float) -> bool:
        """A rolling update waits, watched by its alarms, for the bake time that was asked for."""
        record = service.current_deployment
        minutes = service.deployment_configuration.get("bakeTimeInMinutes") or 0
        if not minutes or record.rollback or len(service.history) == 1:
            return False
        if record.stage != "BAKE_TIME":
            record.stage, record.stage_since = "BAKE_TIME", now
        ends = record.stage_since + 60 * minutes
        if now < ends:
            self._region.wake_at(ends, service)
            return True
        record.stage = None
        return False

    def _interrupted(self, service: Service, now: float) -> bool:
        """An alarm or a request ends the deployment under way. True when the plan must be made anew."""
        record = service.current_deployment
        if record is None or record.ended or record.status == "ROLLBACK_IN_PROGRESS":
            return False
        fallback = service.fallback
        if record.stop_requested:
            to = fallback.id if fallback and record.stop_requested == "ROLLBACK" else None
            self._give_up(service, "ECS deployment", "stopped by StopServiceDeployment.", to, now)
            return True
        wanted = service.deployment_configuration.get("alarms") or {}
        if not wanted.get("enable"):
            return False
        self._region.wake_at(now + ALARM_POLL, service)
        record.triggered_alarms = new_alarms(self._region, service, record)
        if record.triggered_alarms:
            to = fallback.id if fallback and wanted.get("rollback") else None
            self._give_up(service, "ECS deployment alarms", f"alarm detected: {', '.join(record.triggered_alarms)}.", to, now)
        return bool(record.triggered_alarms)

    def _complete(self, service: Service, now: float) -> None:
        region, deployment, record = self._region, service.primary, service.current_deployment
        if deployment.rollout_state == "IN_PROGRESS":
            if self._bakes(service, now):
                return
            if not record.ended:
                deployments.finish(record, "ROLLBACK_SUCCESSFUL" if record.rollback else "SUCCESSFUL", record.status_reason, now)
                record.failures = record.target.failures
            completed(region, service, deployment, now)
        if not service.steady:
            service.steady = True
            say(region, service, rollout.STEADY)


def _listed(tasks: list[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
