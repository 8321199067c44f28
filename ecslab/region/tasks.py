"""The task controller: walks every task through its states.

Observations from the engine become facts on the task; `rules.lifecycle.plan`
says what is next; the engine is asked to do it. Nothing here waits.
"""
from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from ..engines import base
from ..rules import lifecycle
from . import configuration, launch, log_notes, services
from .model import Task

if TYPE_CHECKING:
    from . import Region

TO_NOTICE = 3.0  # seconds until a task whose resources can not be initialized fails
KEPT_AFTER_STOP = 3600.0  # a STOPPED task stays visible for an hour


class TaskController:
    def __init__(self, region: "Region"):
        self._region = region
        self._dirty: OrderedDict[str, Task] = OrderedDict()
        self._by_id: dict[str, Task] = {}
        self._stopped: deque[Task] = deque()

    def touch(self, task: Task) -> None:
        self._by_id[task.id] = task
        self._dirty[task.id] = task

    def by_id(self, task_id: str) -> Task:
        return self._by_id[task_id]

    def present(self) -> list[Task]:
        """Every task that has not stopped."""
        return [task for task in self._by_id.values() if task.last_status != "STOPPED"]

    def stop(self, task: Task, stop_code: str | None, reason: str) -> None:
        """Ask a task to stop. Only the first reason counts."""
        if task.desired_status == "STOPPED":
            return
        now = self._region.clock.now()
        task.desired_status = "STOPPED"
        task.stop_code = stop_code
        task.stopped_reason = reason
        task.stopping_at = now
        task.version += 1
        if task.network:
            task.cluster.spread[task.group, task.network.subnet_id] -= 1
        if task.service is not None:
            services.task_changed(self._region, task)
        self._region.event_bridge.task(task)
        self.touch(task)

    def lose(self, task: Task, stop_code: str | None, reason: str) -> None:
        """The task is gone, with what it ran on: nothing gets a signal, and nothing of it is heard of again."""
        task.lost = True
        for name, container in task.containers.items():
            task.containers[name] = replace(container, status="STOPPED")
        task.progress = replace(task.progress, may_stop=True)
        self.stop(task, stop_code, reason)
        self.touch(task)

    # What the engine saw ----------------------------------------------------

    def observe(self, seen: base.Observation) -> None:
        task = self._by_id.get(seen.task_id)
        if task is None or task.lost and not isinstance(seen, base.Removed):
            return
        self._handlers[type(seen)](self, task, seen)
        self._advance(task, self._region.clock.now())  # at once: no state is skipped when much happens together

    def _network_ready(self, task: Task, seen: base.NetworkReady) -> None:
        task.progress = replace(task.progress, network_ready=True)
        task.published = seen.published
        task.connectivity_at = seen.at
        if task.network:
            task.attachment_status = "ATTACHED"

    def _task_failed(self, task: Task, seen: base.TaskFailed) -> None:
        self.stop(task, lifecycle.TASK_FAILED_TO_START, seen.reason)

    def _pull_started(self, task: Task, seen: base.PullStarted) -> None:
        task.progress = replace(task.progress, pulling=True)
        task.pull_started_at = seen.at

    def _pull_stopped(self, task: Task, seen: base.PullStopped) -> None:
        task.pull_stopped_at = seen.at

    def _created(self, task: Task, seen: base.Created) -> None:
        task.progress = replace(task.progress, created=True)
        for name in task.containers:
            task.facts[name]["createdAt"] = seen.at

    def _container_failed(self, task: Task, seen: base.ContainerFailed) -> None:
        self._change(task, seen.container, lambda c: lifecycle.failed(c, seen.reason))
        self.stop(task, lifecycle.TASK_FAILED_TO_START, seen.reason)

    def _started(self, task: Task, seen: base.Started) -> None:
        self._change(task, seen.container, lambda c: lifecycle.started(c, seen.at))
        digest = task.image_digests.get(seen.container, seen.image_digest)
        bindings = list(seen.network_bindings)
        task.facts[seen.container].update(
            {"runtimeId": seen.runtime_id, "runtimeName": seen.runtime_name, "imageDigest": digest, "networkBindings": bindings}
        )
        self._region.sessions.started(task, seen.container)
        deployment = task.service.deployment(task.deployment_id) if task.service else None
        if deployment is not None and digest:
            deployment.digests.setdefault(seen.container, digest)

    def _health(self, task: Task, seen: base.Health) -> None:
        before = task.health
        if task.containers[seen.container].health != seen.status:
            task.facts[seen.container]["healthSince"] = seen.at
        self._change(task, seen.container, lambda c: replace(c, health=seen.status))
        if task.health != before:
            task.version += 1
            if task.service is not None:
                services.task_changed(self._region, task)

    def _exited(self, task: Task, seen: base.Exited) -> None:
        container = task.containers[seen.container]
        self._change(task, seen.container, lambda c: lifecycle.exited(c, seen.exit_code, seen.oom_killed))
        task.facts[seen.container]["finishedAt"] = seen.at
        self._region.sessions.stopped(task, seen.container)
        if container.essential and task.execution_stopped_at is None:
            task.execution_stopped_at = seen.at
        if container.restart_policy is not None:
            self._region.wake_at((container.run_since or seen.at) + container.restart_policy.attempt_period, task)

    def _removed(self, task: Task, seen: base.Removed) -> None:
        self._region.close_inside(task)
        task.progress = replace(task.progress, removed=True)
        for name, container in task.containers.items():
            if container.status != "STOPPED":
                task.containers[name] = replace(container, status="STOPPED")

    _handlers: dict[type, Callable] = {
        base.NetworkReady: _network_ready,
        base.TaskFailed: _task_failed,
        base.PullStarted: _pull_started,
        base.PullStopped: _pull_stopped,
        base.Created: _created,
        base.ContainerFailed: _container_failed,
        base.Started: _started,
        base.Health: _health,
        base.Exited: _exited,
        base.Removed: _removed,
    }

    @staticmethod
    def _change(task: Task, name: str, change: Callable[[lifecycle.Container], lifecycle.Container]) -> None:
        task.containers[name] = change(task.containers[name])

    # What to do about it ----------------------------------------------------

    def step(self, now: float) -> bool:
        """Move every task that changed as far as it can go. True when anything was done."""
        todo, self._dirty = self._dirty, OrderedDict()
        for task in todo.values():
            self._advance(task, now)
        self._forget(now)
        return bool(todo)

    def _advance(self, task: Task, now: float) -> None:
        if not task.prepared and task.wanted is None and task.desired_status == "RUNNING":
            task.prepared = True
            if task.network:
                task.attachment_status = "ATTACHING"
            spec = failed = None
            try:
                spec = launch.spec(self._region, task)
                trouble = self._region.awslogs.trouble(task)
                failed = base.TaskFailed(task.id, trouble) if trouble else None
            except configuration.Failed as failure:
                failed = _as_observed(task, failure)
            if failed:
                self._region.wake_at(now + TO_NOTICE, lambda: self._region.observe(failed))
            else:
                self._region.engine.prepare(spec)
                self._region.awslogs.follow(task)
                log_notes.tell(self._region, task)
            if task.network:
                self._region.firewall.changed()
        moved = True
        while moved:
            moved = False
            actions = lifecycle.plan(
                task.last_status, task.desired_status, tuple(task.containers.values()), task.progress, now
            )
            for action in actions:
                moved = self._perform(task, action, now) or moved

    def _perform(self, task: Task, action: lifecycle.Action, now: float) -> bool:
        """Do one thing. True when the plan should be looked at again at once."""
        engine = self._region.engine
        match action:
            case lifecycle.Advance(status=status):
                self._enter(task, status, now)
                return True
            case lifecycle.StartContainer(name=name, restart=restart):
                self._change(task, name, lifecycle.restarted if restart else lambda c: replace(c, status="STARTING"))
                if restart:
                    task.execution_stopped_at = None  # it goes on
                engine.start(task.id, name)
            case lifecycle.StopContainer(name=name, timeout=timeout):
                self._change(task, name, lambda c: replace(c, status="STOPPING"))
                engine.stop(task.id, name, timeout)
            case lifecycle.StopTask(stop_code=stop_code, reason=reason):
                self.stop(task, stop_code, reason)
                return True
            case lifecycle.WakeAt(at=at):
                self._region.wake_at(at, task)
        return False

    def _enter(self, task: Task, status: str, now: float) -> None:
        task.last_status = status
        task.version += 1
        task.history.append((now, status))
        if status == "RUNNING":
            task.started_at = now
            if task.service is not None:
                services.activate(self._region, task)
        elif status == "DEACTIVATING" and task.service is not None:
            services.deactivate(self._region, task)
        elif status == "DEPROVISIONING":
            if task.network:
                task.attachment_status = "DETACHING"
            if task.prepared and not task.removing:
                task.removing = True
                self._region.engine.remove(task.id)
            elif not task.prepared:
                task.progress = replace(task.progress, removed=True)
        elif status == "STOPPED":
            task.stopped_at = now
            for name in task.containers:
                self._region.sessions.stopped(task, name)
            self._region.meters.stopped(task)
            if task.network:
                self._region.vpc.detach(task.network)
                self._region.firewall.changed()
                task.attachment_status = "DELETED"
            self._stopped.append(task)
            if task.instance is not None:
                self._released(task)
        if task.service is not None:
            services.task_changed(self._region, task)
        self._region.event_bridge.task(task)

    def _released(self, task: Task) -> None:
        """What the task reserved on its instance is free again; a daemon may have waited to be the last there."""
        instance = task.instance
        instance.held.pop(task.id, None)
        self._region.capacity.touch(task.cluster)
        if instance.status == "DRAINING":
            self._region.touch_services(task.cluster)

    def _forget(self, now: float) -> None:
        while self._stopped and now - self._stopped[0].stopped_at > KEPT_AFTER_STOP:
            task = self._stopped.popleft()
            task.cluster.tasks.pop(task.id, None)
            self._by_id.pop(task.id, None)
            self._region.tags.pop(task.arn, None)


def _as_observed(task: Task, failure: configuration.Failed) -> base.Observation:
    if failure.container:
        return base.ContainerFailed(task.id, container=failure.container, reason=str(failure))
    return base.TaskFailed(task.id, str(failure))
