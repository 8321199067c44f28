"""CodeDeploy blue/green for services with the CODE_DEPLOY controller.

moto holds applications, deployment groups and deployments. Here a deployment
that CreateDeployment made is carried out: the replacement task set is started,
the listener's traffic is shifted by the deployment configuration's schedule,
hooks are called, and the original is terminated after its wait, or everything
is put back.

Source: CodeDeploy User Guide, "Deployments on an Amazon ECS compute platform",
"AppSpec 'hooks' section for an Amazon ECS deployment"; Developer Guide, "CodeDeploy
blue/green deployments for Amazon ECS".
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ..rules import appspec
from ..rules import task_sets as rules
from ..rules.errors import EcsError
from . import launch, native, services, task_sets
from .identifiers import ACCOUNT
from .model import Service

if TYPE_CHECKING:
    from . import Region

POLL = 5.0
EVENTS = (
    "BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic", "BeforeAllowTraffic",
    "AllowTraffic", "AfterAllowTraffic", "Terminate",
)  # fmt: skip


@lru_cache
def mended() -> None:
    """moto's CodeDeploy with the reason of a failure in its answers. Once for the process."""
    from moto.codedeploy import responses

    told = responses._deployment_info

    def info(deployment):
        return {**told(deployment), "errorInformation": getattr(deployment, "error_information", {})}

    responses._deployment_info = info


@dataclass(eq=False)
class Deployment:
    """One CodeDeploy deployment on its way. `step` is the place in EVENTS."""

    info: object  # moto's DeploymentInfo
    service: Service
    spec: appspec.AppSpec
    groups: tuple[str, str]  # ARNs of the target groups, in the order of the deployment group
    listener: str | None
    test_listener: str | None
    config: str
    wait_minutes: float
    rollback: bool
    blue: task_sets.TaskSet
    created_at: float
    green: task_sets.TaskSet | None = None
    green_group: str = ""
    step: int = 0
    since: float = 0.0
    hook: str | None = None  # None, "waiting", "Succeeded", "Failed"
    ended: bool = False
    events: dict[str, str] = field(default_factory=dict)


class CodeDeploy:
    """Watches moto's CodeDeploy and carries out ECS deployments."""

    def __init__(self, region: "Region"):
        self.region = region
        self._seen: deque[str] = deque(maxlen=1000)
        self._running: list[Deployment] = []
        region.watch("codedeploy", self.refresh)

    def refresh(self) -> None:
        from moto.codedeploy.models import codedeploy_backends

        for name, info in list(codedeploy_backends[ACCOUNT][self.region.name].deployments.items()):
            if name not in self._seen:
                self._seen.append(name)
                self._take(info)
        for one in self._running:
            if str(getattr(one.info.status, "value", one.info.status)) == "Stopped" and not one.ended:
                self._give_up(one, "stopped by StopDeployment.", "Stopped")

    def _take(self, info) -> None:
        """A new deployment: begin it, or say why it cannot be."""
        try:
            one = self._read(info)
        except (EcsError, appspec.AppSpecError, LookupError) as error:
            _status(info, "Failed", str(getattr(error, "message", None) or error))
            return
        _status(info, "InProgress")
        self._running.append(one)
        self._step(one)

    def _read(self, info) -> Deployment:
        group = info.deployment_group
        wanted = (group.ecs_services or [None])[0]
        if wanted is None:
            raise LookupError("The deployment group names no ECS service.")
        cluster = self.region.clusters.get(wanted["clusterName"])
        service = cluster.services.get(wanted["serviceName"]) if cluster else None
        if service is None or service.status != "ACTIVE" or service.deployment_controller != "CODE_DEPLOY":
            raise LookupError(f"The ECS service {wanted['serviceName']} is not an active service with the CODE_DEPLOY controller.")
        if any(one.service is service and not one.ended for one in self._running):
            raise LookupError("The deployment group already has an active deployment.")
        pairs = ((group.load_balancer_info or {}).get("targetGroupPairInfoList") or [None])[0]
        if not pairs or len(pairs.get("targetGroups", ())) != 2:
            raise LookupError("The deployment group needs a pair of target groups.")
        arns = tuple(self._group_arn(g["name"]) for g in pairs["targetGroups"])
        content = (info.revision.get("appSpecContent") or info.revision.get("string") or {}).get("content")
        if not content:
            raise LookupError("The revision holds no AppSpec content.")
        blue_green = group.blue_green_deployment_configuration or {}
        rollback = (info.auto_rollback_configuration or group.auto_rollback_configuration or {}).get("enabled")
        return Deployment(
            info=info,
            service=service,
            spec=appspec.read(content),
            groups=arns,
            listener=((pairs.get("prodTrafficRoute") or {}).get("listenerArns") or [None])[0],
            test_listener=((pairs.get("testTrafficRoute") or {}).get("listenerArns") or [None])[0],
            config=str(getattr(info.deployment_config_name, "value", info.deployment_config_name)),
            wait_minutes=float((blue_green.get("terminateBlueInstancesOnDeploymentSuccess") or {}).get("terminationWaitTimeInMinutes") or 0),
            rollback=str(rollback).lower() == "true",
            blue=next(one for one in service.task_sets if one.status == "PRIMARY"),
            created_at=self.region.clock.now(),
            since=self.region.clock.now(),
        )

    def _group_arn(self, name: str) -> str:
        from .elbv2 import backend

        found = next((g.arn for g in backend(self.region.name).target_groups.values() if g.name == name), None)
        if found is None:
            raise LookupError(f"The target group {name} does not exist.")
        return found

    # One deployment, event by event -------------------------------------------------

    def _step(self, one: Deployment) -> None:
        """Take it as far as it can go now."""
        now = self.region.clock.now()
        while not one.ended:
            if one.service.status != "ACTIVE":
                self._give_up(one, "the service was deleted.", "Failed")
                return
            event = EVENTS[one.step]
            done = getattr(self, WORK[event])(one, now) if event in WORK else self._call_hook(one, event)
            if not done:
                break
            one.events[event] = "Succeeded"
            one.step, one.since, one.hook = one.step + 1, now, None
            if one.step == len(EVENTS):
                one.ended = True
                _status(one.info, "Succeeded")
        if not one.ended:
            self.region.wake_at(now + POLL, lambda: self._step(one))

    def _call_hook(self, one: Deployment, event: str) -> bool:
        function = one.spec.hooks.get(event)
        if not function or one.hook == "Succeeded":
            return True
        if one.hook == "Failed":
            self._give_up(one, f"the lifecycle event {event} failed.", "Failed")
            return False
        if one.hook is None:
            one.hook = "waiting"
            payload = {"DeploymentId": one.info.deployment_id, "LifecycleEventHookExecutionId": f"{one.info.deployment_id}/{event}"}
            registered = self.region.functions.get(native.function_name(function))
            self.region.later(lambda: native.called(registered, payload), lambda answer: self._hook_answered(one, answer))
        return False

    def _hook_answered(self, one: Deployment, answer) -> None:
        status = answer.get("status") or {"SUCCEEDED": "Succeeded"}.get(answer.get("hookStatus")) if isinstance(answer, dict) else None
        one.hook = "Succeeded" if status == "Succeeded" else "Failed"
        self._step(one)

    def _install(self, one: Deployment, now: float) -> bool:
        """Start the replacement task set, and wait until all of it is healthy: an hour at most."""
        service = one.service
        if one.green is None:
            config = dict(one.blue.deployment.config)
            (entry,) = config["loadBalancers"]
            one.green_group = next(arn for arn in one.groups if arn != entry["targetGroupArn"])
            definition = self.region.task_definition(one.spec.task_definition)
            if definition is None:
                self._give_up(one, f"the task definition {one.spec.task_definition} does not exist.", "Failed")
                return False
            if one.spec.network_configuration:
                config["networkConfiguration"] = launch.network_configuration(
                    self.region, one.spec.network_configuration, definition, launch.launch_type_of(config)
                )
            config["loadBalancers"] = [
                {"targetGroupArn": one.green_group, "containerName": one.spec.container_name, "containerPort": one.spec.container_port}
            ]
            self._weigh(one, 0)
            one.green = task_sets.create(
                self.region, service, definition, config, scale=100.0, external_id=one.info.deployment_id, started_by="CODE_DEPLOY"
            )
        if now - one.since > 60 * appspec.GREEN_HEALTHY_WITHIN_MINUTES:
            self._give_up(one, "the replacement tasks were not healthy within an hour.", "Failed")
            return False
        seen = task_sets.view(self.region, service, one.green, now)
        return seen.all_healthy and seen.running >= rules.computed_desired_count(service.desired_count, 100.0)

    def _allow_test(self, one: Deployment, now: float) -> bool:
        if one.test_listener:
            native.set_rule(self.region, self._rule(one.test_listener), {one.green_group: 100.0, self._blue_group(one): 0.0})
            self.region.balancing.refresh()
        return True

    def _allow(self, one: Deployment, now: float) -> bool:
        """Shift production traffic by the schedule."""
        _, share = appspec.weights_at(one.config, (now - one.since) / 60)
        self._weigh(one, share)
        if share < 100:
            return False
        task_sets.make_primary(one.service, one.green, now)
        return True

    def _terminate(self, one: Deployment, now: float) -> bool:
        if now < one.since + 60 * one.wait_minutes:
            return False
        one.blue.status = "DRAINING"
        self.region.touch(one.service)
        return True

    def _blue_group(self, one: Deployment) -> str:
        return next(arn for arn in one.groups if arn != one.green_group)

    def _weigh(self, one: Deployment, share: float) -> None:
        if one.listener:
            native.set_rule(self.region, self._rule(one.listener), {one.green_group: float(share), self._blue_group(one): 100.0 - share})
            self.region.balancing.refresh()

    def _rule(self, listener_arn: str) -> str:
        """The ARN of a listener's default rule."""
        found = self.region.balancing.listeners.get(listener_arn)
        return found.rules[-1].arn if found else ""

    def _give_up(self, one: Deployment, why: str, status: str) -> None:
        """Back to the original at once; the replacement drains."""
        one.ended = True
        _status(one.info, status, why)
        if one.green is None:
            return
        self._weigh(one, 0)
        task_sets.make_primary(one.service, one.blue, self.region.clock.now())
        one.blue.status, one.green.status = "PRIMARY", "DRAINING"
        services.say(self.region, one.service, f"(deployment {one.info.deployment_id}) failed: {why}")
        self.region.touch(one.service)


WORK = {"Install": "_install", "AllowTestTraffic": "_allow_test", "AllowTraffic": "_allow", "Terminate": "_terminate"}


def _status(info, status: str, why: str | None = None) -> None:
    info.status = status
    if why:
        info.error_information = {"code": "ECS_UPDATE_ERROR", "message": why}
