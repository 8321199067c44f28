"""Blue/green, linear and canary deployments of a service, carried out.

`rules.native_deployment.plan` says what is next; here fleets are scaled, listener
rules get their weights, and hooks are called. A hook's function runs outside the
region's lock, so that it may use the API itself.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Mapping

from ..rules import native_deployment as rules
from ..rules import rollout
from . import deployments, elbv2, services
from .model import Deployment, Service

if TYPE_CHECKING:
    from . import Region
    from .deployments import ServiceDeployment

MOST_STEPS = 200  # at one moment; 34 steps of 3 percent without a wait take three each
HOOK_ANSWERS = ("SUCCEEDED", "FAILED", "IN_PROGRESS")


def applies(service: Service) -> bool:
    """Is the service on its way from one revision to another with a native strategy, or on its way back?"""
    record = service.current_deployment
    return record is not None and not record.ended and record.native and bool(record.sources)


def begin(region: "Region", service: Service, record: "ServiceDeployment") -> None:
    """A deployment of a service with a native strategy starts: green goes to the other target groups."""
    if not record.sources:
        _weigh(region, service, record, 100.0, 100.0)
        return
    blue = record.sources[0]
    record.target.alternate = not blue.alternate
    record.stage_since = region.clock.now()
    _weigh(region, service, record, 0.0, 0.0)


def reconcile(region: "Region", service: Service, now: float) -> None:
    """Take every step the deployment may take at this moment."""
    record = service.current_deployment
    for _ in range(MOST_STEPS):
        _fleets(region, service, record, now)
        if record.status == "ROLLBACK_IN_PROGRESS":
            _return(region, service, record, now)
            return
        actions = rules.plan(_view(region, service, record, now), now)
        again = [_carry_out(region, service, record, action, now) for action in actions]
        if not any(again) or record.ended:
            break
    region.services.record(service, now, traffic(record))


# The fleets -------------------------------------------------------------------------


def _fleets(region: "Region", service: Service, record: "ServiceDeployment", now: float) -> None:
    """Each revision keeps its own tasks at full size, from SCALE_UP until it is cleaned up."""
    target = record.target
    back = record.status == "ROLLBACK_IN_PROGRESS"
    up = record.stage is not None and rules.STAGES.index(record.stage) >= rules.STAGES.index("SCALE_UP")
    wanted = {target.id: service.desired_count if up and not back else 0}
    for source in record.sources:
        wanted[source.id] = 0 if record.stage == "CLEAN_UP" and not back else service.desired_count
    for deployment in (target, *record.sources):
        region.services.keep(service, deployment, wanted[deployment.id], now)


def _ready(service: Service, deployment: Deployment, region: "Region", now: float) -> bool:
    mine = [t for t in service.tasks.values() if t.deployment_id == deployment.id and t.desired_status == "RUNNING"]
    return len(mine) >= service.desired_count and all(services.is_healthy(t, now) for t in mine)


def _gone(service: Service, deployments_: list[Deployment]) -> bool:
    ids = {d.id for d in deployments_}
    return not any(t.deployment_id in ids for t in service.tasks.values())


# One look at the deployment -----------------------------------------------------------


def _view(region: "Region", service: Service, record: "ServiceDeployment", now: float) -> rules.View:
    production, test = record.weights[record.target.id]
    entries = record.target.config.get("loadBalancers") or ()
    return rules.View(
        configuration=record.configuration,
        stage=record.stage,
        since=record.stage_since,
        shifted_at=record.shifted_at,
        production=production,
        test=test,
        hooks=[_hook_view(hook) for hook in record.hooks if hook["stage"] == record.stage],
        green_ready=_ready(service, record.target, region, now),
        blue_gone=_gone(service, record.sources),
        tests_traffic=any((e.get("advancedConfiguration") or {}).get("testListenerRule") for e in entries),
        network=any(_is_network(region, e) for e in entries),
        several_revisions=len(record.sources) > 1,
        trouble=_trouble(region, service, record, now),
    )


def _hook_view(hook: Mapping) -> rules.HookView:
    return rules.HookView(
        hook["hookId"], hook["targetType"], hook.get("status"), hook.get("call_again_at"), hook.get("expiresAt"),
        hook["timeoutAction"],
    )  # fmt: skip


def _is_network(region: "Region", entry: Mapping) -> bool:
    group = region.balancing.group(entry.get("targetGroupArn") or "")
    return group is not None and group.protocol in ("TCP", "TLS", "UDP", "TCP_UDP")


def _trouble(region: "Region", service: Service, record: "ServiceDeployment", now: float) -> str | None:
    target = record.target
    breaker = record.configuration.get("deploymentCircuitBreaker") or {}
    record.failures = target.failures
    if record.stop_requested:
        return "stopped by StopServiceDeployment."
    if breaker.get("enable") and target.failures >= deployments.threshold(service):
        return "tasks failed to start."
    alarms = record.configuration.get("alarms") or {}
    if alarms.get("enable"):
        region.wake_at(now + services.ALARM_POLL, service)
        record.triggered_alarms = services.new_alarms(region, service, record)
        if record.triggered_alarms:
            return f"alarm detected: {', '.join(record.triggered_alarms)}."
    return None


# Carrying out ---------------------------------------------------------------------------


def _carry_out(region: "Region", service: Service, record: "ServiceDeployment", action: rules.Action, now: float) -> bool:
    """Do one thing. True when the plan should be looked at again at once."""
    match action:
        case rules.Enter(stage=stage):
            record.stage, record.stage_since, record.updated_at, record.shifted_at = stage, now, now, None
            record.hooks = [h for h in record.hooks if h["stage"] != stage] + _hooks_of(region, record, stage)
            return True
        case rules.SetWeights(production=production, test=test):
            if record.stage == rules.STEP:
                record.shifted_at = now
            _weigh(region, service, record, production, test)
            return True
        case rules.Invoke(hook_id=hook_id):
            _invoke(region, service, record, next(h for h in record.hooks if h["hookId"] == hook_id), now)
        case rules.TimeOut(hook_id=hook_id):
            hook = next(h for h in record.hooks if h["hookId"] == hook_id)
            hook["status"] = "TIMED_OUT"
            return True
        case rules.RollBack(reason=reason):
            _roll_back(region, service, record, reason, now)
            return True
        case rules.Finish():
            _finish(region, service, record, now)
        case rules.WakeAt(at=at):
            region.wake_at(at, service)
    return False


def _finish(region: "Region", service: Service, record: "ServiceDeployment", now: float) -> None:
    target = record.target
    service.deployments = [target]
    record.stage = None
    deployments.finish(record, "SUCCESSFUL", None, now)
    services.completed(region, service, target, now)


def _roll_back(region: "Region", service: Service, record: "ServiceDeployment", reason: str, now: float) -> None:
    """All traffic to blue at once; then green goes."""
    target, blue = record.target, record.sources[0]
    target.rollout_state, target.rollout_state_reason = "FAILED", f"ECS deployment {target.id} failed: {reason}"
    target.updated_at = now
    services.say(region, service, f"(deployment {target.id}) deployment failed: {reason}")
    if record.stop_requested == "ABORT" or not _rolls_back(record):
        record.stage = None
        deployments.finish(record, "STOPPED", reason, now)
        return
    services.say(region, service, f"rolling back to deployment {blue.id}.")
    _weigh(region, service, record, 0.0, 0.0)
    services.make_primary(service, blue, f"ECS deployment {target.id} failed: rolling back to deploymentId {blue.id}.", now)
    deployments.roll_back(record, blue, reason, now)


def _rolls_back(record: "ServiceDeployment") -> bool:
    """A native deployment returns to blue, unless what tripped was told not to."""
    if record.triggered_alarms:
        return bool((record.configuration.get("alarms") or {}).get("rollback"))
    breaker = record.configuration.get("deploymentCircuitBreaker") or {}
    if breaker.get("enable") and record.failures >= deployments.threshold(record.service):
        return bool(breaker.get("rollback"))
    return True


def _return(region: "Region", service: Service, record: "ServiceDeployment", now: float) -> None:
    """Rolling back: done when nothing of green is left and blue is whole."""
    blue = record.sources[0]
    if _gone(service, [record.target]) and _ready(service, blue, region, now):
        service.deployments = [blue]
        record.stage = None
        deployments.finish(record, "ROLLBACK_SUCCESSFUL", record.status_reason, now)
        services.completed(region, service, blue, now)
    region.services.record(service, now, traffic(record))


# Traffic -----------------------------------------------------------------------------------


def _weigh(region: "Region", service: Service, record: "ServiceDeployment", production: float, test: float) -> None:
    """Give green these shares, on every listener rule of the service."""
    record.weights = {record.target.id: (production, test)}
    if record.sources:
        record.weights[record.sources[0].id] = (100.0 - production, 100.0 - test)
    record.updated_at = region.clock.now()
    for entry in record.target.config.get("loadBalancers") or ():
        advanced = entry.get("advancedConfiguration") or {}
        green = record.target.target_group(entry)
        blue = record.sources[0].target_group(entry) if record.sources else advanced.get("alternateTargetGroupArn")
        for name, share in (("productionListenerRule", production), ("testListenerRule", test)):
            if advanced.get(name):
                set_rule(region, advanced[name], {green: share, blue: 100.0 - share})
    region.balancing.refresh()


def set_rule(region: "Region", arn: str, shares: Mapping[str, float]) -> None:
    """Make a listener rule, or a listener's default rule, forward by these weights."""
    rule, listener = elbv2.rule_named(region.name, arn)
    if rule is None:
        return
    groups = [{"TargetGroupArn": group, "Weight": share} for group, share in shares.items() if group]
    action = elbv2.mended().FakeAction({"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups}})
    rule.actions = [action]
    if rule.is_default:
        listener.default_actions = [action]


def traffic(record: "ServiceDeployment | None") -> dict[str, float]:
    """Each deployment's share of production traffic in percent."""
    if record is None or not record.native:
        return {}
    return {name: production for name, (production, _) in record.weights.items()}


# Hooks -------------------------------------------------------------------------------------


def _hooks_of(region: "Region", record: "ServiceDeployment", stage: str) -> list[dict]:
    """The lifecycle hooks of a stage, not yet invoked."""
    hooks = []
    for hook in record.configuration.get("lifecycleHooks") or ():
        if stage in hook["lifecycleStages"]:
            timeout = hook.get("timeoutConfiguration") or {}
            hooks.append(
                {
                    "hookId": region.ids.uuid(),
                    "targetType": hook.get("targetType") or "AWS_LAMBDA",
                    "targetArn": hook.get("hookTargetArn"),
                    "timeoutAction": timeout.get("action") or "ROLLBACK",
                    "stage": stage,
                    "minutes": timeout.get("timeoutInMinutes") or rules.PAUSE_MINUTES,
                    "details": hook.get("hookDetails"),
                }
            )
    return hooks


def _invoke(region: "Region", service: Service, record: "ServiceDeployment", hook: dict, now: float) -> None:
    hook.pop("call_again_at", None)
    if hook["targetType"] == "PAUSE":
        hook["status"], hook["expiresAt"] = "AWAITING_ACTION", now + 60 * hook["minutes"]
        region.touch(service)
        return
    hook["status"] = "IN_PROGRESS"
    hook.setdefault("expiresAt", now + 60 * hook["minutes"])
    function = region.functions.get(function_name(hook["targetArn"]))
    event = {
        "executionDetails": {
            "serviceArn": service.arn,
            "targetServiceRevisionArn": record.target.revision_arn,
            "productionTrafficWeights": {d: w[0] for d, w in record.weights.items()},
            "testTrafficWeights": {d: w[1] for d, w in record.weights.items()},
        },
        "executionId": region.ids.uuid(),
        "lifecycleStage": hook["stage"],
        "resourceArn": record.arn,
        "hookDetails": hook["details"],
    }
    region.later(lambda: called(function, event), lambda answer: _answered(region, service, hook, answer))


def called(function: Callable | None, event: dict):
    """What a registered function answers; a sentence when it can not."""
    if function is None:
        return "no function of that name is registered here: region.add_function(name, function)"
    try:
        return function(event, None)
    except Exception as error:
        return f"the function failed: {type(error).__name__}: {error}"


def _answered(region: "Region", service: Service, hook: dict, answer) -> None:
    if hook["status"] != "IN_PROGRESS":
        return
    status = answer.get("hookStatus") if isinstance(answer, dict) else None
    hook["status"] = status if status in HOOK_ANSWERS else "FAILED"
    if status == "IN_PROGRESS":
        delay = answer.get("callBackDelay")
        hook["call_again_at"] = region.clock.now() + (float(delay) if delay else rules.CALL_BACK_DELAY)
    elif status not in HOOK_ANSWERS:
        services.say(region, service, f"(lifecycle hook {hook['targetArn']}) gave no valid answer: {answer}")
    region.touch(service)


def function_name(function: str | None) -> str:
    """A Lambda function's name in its name or ARN, without a version."""
    parts = (function or "").split(":")
    return parts[6] if len(parts) > 6 else parts[0]
