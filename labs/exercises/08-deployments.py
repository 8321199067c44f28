"""Exercises of lab 08: deployments that fail well."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"
WHERE = "describe_services -> services[0]"
RECORDS = "list_service_deployments -> serviceDeployments"


def _gone(name):
    return [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", WHERE)]


def _records(aws, name):
    """Every service deployment, newest first, in full."""
    arns = [d["serviceDeploymentArn"] for d in aws.ecs.list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"]]
    found = []
    for start in range(0, len(arns), 20):
        found += aws.ecs.describe_service_deployments(serviceDeploymentArns=arns[start : start + 20])["serviceDeployments"]
    return sorted(found, key=lambda record: record["createdAt"], reverse=True)


def _one_deployment(service):
    count = len(service["deployments"])
    return Saw(count == 1, f"{count} deployments in the list", "one deployment: the rollout is over", f"{WHERE}.deployments")


def _revision(service):
    return service["taskDefinition"].rpartition(":")[2]


@exercise(
    "deployments.breaker",
    title="Let ECS take it back",
    task="""
    Switch on the deployment circuit breaker of the service `web`, **with rollback**, and ship the broken revision `web:3` again
    in the same `update_service` call. Let at least three minutes pass, under load if you like. At the end the service must be
    back on revision 2.
    """,
    hints=[
        "Where do `minimumHealthyPercent` and `maximumPercent` live? The breaker lives there too.",
        "`deploymentConfiguration` has a member `deploymentCircuitBreaker`, and that has two switches.",
        "`deploymentConfiguration={'deploymentCircuitBreaker': {'enable': ..., 'rollback': ...}}`, and let it run for 3 minutes.",
        """
        ```python
        ecs.update_service(
            cluster="demo", service="web", taskDefinition="web:3",
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        )
        print("failed requests:", lab.region.load(url, rps=4, for_="3m").failed)
        ```
        """,
    ],
    explanation="""
    Three failed tasks were enough: the threshold for a desired count of 2 is 3. `enable` alone would only have stopped the
    deployment; `rollback` makes the last completed one `PRIMARY` again. Its tasks were never stopped, so nobody noticed.
    """,
)
def breaker(aws):
    service = aws.service(CLUSTER, "web")
    if service is None:
        return _gone("web")
    switches = service["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
    statuses = [record["status"] for record in _records(aws, "web")]
    on = bool(switches.get("enable")) and bool(switches.get("rollback"))
    return [
        Saw(on, f"enable {switches.get('enable', False)}, rollback {switches.get('rollback', False)}", "both switched on", f"{WHERE}.deploymentConfiguration.deploymentCircuitBreaker"),
        Saw("ROLLBACK_SUCCESSFUL" in statuses, f"service deployments that ended: {', '.join(statuses)}", "one that was rolled back by ECS", RECORDS),
        Saw(_revision(service) == "2", f"revision {_revision(service)}", "revision 2 again", f"{WHERE}.taskDefinition"),
        _one_deployment(service),
    ]


@exercise(
    "deployments.alarm",
    title="Let the users' errors decide",
    task="""
    Ship the sly revision `web:4` to `web` once more, with the alarm `web-errors` as a **deployment alarm with rollback**, and a bake
    time of 10 minutes. When the new tasks serve (after a minute and a half), ring the alarm with `set_alarm_state`, as
    CloudWatch would, and let the service return to revision 2.
    """,
    hints=[
        "Besides the breaker, `deploymentConfiguration` has a member for alarms, and one for the bake time.",
        "`alarms` needs `alarmNames`, `enable` and `rollback`. `bakeTimeInMinutes` keeps the deployment open while you watch.",
        "After 90 seconds: `cloudwatch.set_alarm_state(AlarmName='web-errors', StateValue='ALARM', StateReason='...')`, then let 2 minutes pass.",
        """
        ```python
        ecs.update_service(
            cluster="demo", service="web", taskDefinition="web:4",
            deploymentConfiguration={
                "alarms": {"alarmNames": ["web-errors"], "enable": True, "rollback": True},
                "bakeTimeInMinutes": 10,
            },
        )
        lab.region.run_for("90s")
        cloudwatch.set_alarm_state(AlarmName="web-errors", StateValue="ALARM", StateReason="users complain")
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    An alarm that is already ringing when the deployment starts is ignored for that deployment. Without a bake time the deployment
    would have been over, and the alarm too late. Breaker and alarms work together: whichever fires first decides.
    """,
)
def alarm(aws):
    service = aws.service(CLUSTER, "web")
    if service is None:
        return _gone("web")
    rolled = [r for r in _records(aws, "web") if r.get("alarms", {}).get("triggeredAlarmNames")]
    triggered = rolled[0]["alarms"]["triggeredAlarmNames"] if rolled else []
    status = rolled[0]["status"] if rolled else "none"
    return [
        Saw(triggered == ["web-errors"], f"alarms that ended a deployment: {', '.join(triggered) or 'none'}", "web-errors", f"{RECORDS}, then describe_service_deployments -> alarms"),
        Saw(status == "ROLLBACK_SUCCESSFUL", f"that deployment: {status}", "ROLLBACK_SUCCESSFUL", RECORDS),
        Saw(_revision(service) == "2", f"revision {_revision(service)}", "revision 2 again", f"{WHERE}.taskDefinition"),
        _one_deployment(service),
    ]


@exercise(
    "deployments.instant-rollback",
    title="Change your mind during the bake",
    task="""
    Ship the sly revision `web:4` to `shop`. When the deployment has reached its bake time, **stop it** with
    `stop_service_deployment`, and let a minute pass. `shop` must be on revision 2 again, with all its traffic.
    """,
    hints=[
        "A service deployment has an ARN. Which helper of this lab finds the newest one?",
        "Let time pass in small steps until `newest('shop')['lifecycleStage']` is `BAKE_TIME`; then stop the deployment.",
        "`ecs.stop_service_deployment(serviceDeploymentArn=...)`: its `stopType` is `ROLLBACK` unless you say otherwise.",
        """
        ```python
        ecs.update_service(cluster="demo", service="shop", taskDefinition="web:4")
        for _ in range(80):
            if newest("shop").get("lifecycleStage") == "BAKE_TIME":
                break
            lab.region.run_for("2s")
        ecs.stop_service_deployment(serviceDeploymentArn=newest("shop")["serviceDeploymentArn"])
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    Blue was still there at full size, so going back was one change of weights on the listener rule, at once for everybody. After the
    bake, blue is gone, and going back is a new deployment like any other.
    """,
)
def instant_rollback(aws):
    service = aws.service(CLUSTER, "shop")
    if service is None:
        return _gone("shop")
    records = _records(aws, "shop")
    rolled = [r for r in records if r["status"] == "ROLLBACK_SUCCESSFUL"]
    reason = rolled[0].get("statusReason", "none") if rolled else "none"
    return [
        Saw(bool(rolled), f"service deployments: {', '.join(r['status'] for r in records)}", "one that was rolled back", RECORDS),
        Saw("StopServiceDeployment" in reason, f"its reason: {reason}", "stopped by StopServiceDeployment", f"{RECORDS}[].statusReason"),
        Saw(_revision(service) in "12", f"revision {_revision(service)}", "a good revision", f"{WHERE}.taskDefinition"),
    ]


@exercise(
    "deployments.canary",
    title="Send one user in five first",
    task="""
    Change `shop` to the strategy `CANARY`: **20 percent** of the traffic for **2 minutes**, then all of it, with a final bake of 1 minute;
    and ship revision `web:1` in the same call. Then send traffic for six minutes: `report = lab.region.load(url + ":81", rps=5, for_="6m")`.
    """,
    hints=[
        "The strategy is part of the deployment configuration, and so are its settings.",
        "`canaryConfiguration` has `canaryPercent` (a float) and `canaryBakeTimeInMinutes`.",
        "`deploymentConfiguration={'strategy': 'CANARY', 'bakeTimeInMinutes': 1, 'canaryConfiguration': {...}}`",
        """
        ```python
        answer = ecs.update_service(
            cluster="demo", service="shop", taskDefinition="web:1",
            deploymentConfiguration={
                "strategy": "CANARY", "bakeTimeInMinutes": 1,
                "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 2},
            },
        )
        report = lab.region.load(url + ":81", rps=5, for_="6m")
        ```
        """,
    ],
    explanation="""
    The listener rule carried weights of 20 and 80 for two minutes. A canary limits how many users a bad release can hurt, and an
    alarm on its errors can end it before the rest follows.
    """,
)
def canary(aws):
    service = aws.service(CLUSTER, "shop")
    if service is None:
        return _gone("shop")
    mine = [r for r in _records(aws, "shop") if r["deploymentConfiguration"].get("strategy") == "CANARY"]
    settings = mine[0]["deploymentConfiguration"].get("canaryConfiguration", {}) if mine else {}
    percent, minutes = settings.get("canaryPercent"), settings.get("canaryBakeTimeInMinutes")
    status = mine[0]["status"] if mine else "none"
    return [
        Saw(bool(mine), f"{len(mine)} canary deployments", "one", f"{RECORDS}, then describe_service_deployments -> deploymentConfiguration.strategy"),
        Saw((percent, minutes) == (20, 2), f"{percent} percent for {minutes} minutes", "20 percent for 2 minutes", "deploymentConfiguration.canaryConfiguration"),
        Saw(status == "SUCCESSFUL", f"that deployment: {status}", "SUCCESSFUL", RECORDS),
        Saw(_revision(service) == "1", f"revision {_revision(service)}", "revision 1", f"{WHERE}.taskDefinition"),
    ]


@exercise(
    "deployments.gate",
    title="Open the gate",
    task="""
    The deployment of `shop` waits at its pause. Find the hook's id and **continue** the deployment, so that it ends well.
    """,
    hints=[
        "The hook's id is in the newest service deployment, where its status is.",
        "`newest('shop')['lifecycleHookDetails'][0]['hookId']`. Which operation takes a `hookId`?",
        "`ecs.continue_service_deployment(serviceDeploymentArn=..., hookId=...)`, then let a minute pass.",
        """
        ```python
        hook = newest("shop")["lifecycleHookDetails"][0]
        ecs.continue_service_deployment(serviceDeploymentArn=newest("shop")["serviceDeploymentArn"], hookId=hook["hookId"])
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    A pause that nobody answers ends with its `timeoutAction`: `ROLLBACK` unless you chose `CONTINUE`, after 24 hours unless you chose
    another time. A Lambda hook decides by itself: `SUCCEEDED`, `FAILED`, or `IN_PROGRESS` to be asked again.
    """,
)
def gate(aws):
    service = aws.service(CLUSTER, "shop")
    if service is None:
        return _gone("shop")
    record = _records(aws, "shop")[0]
    hooks = [hook["status"] for hook in record.get("lifecycleHookDetails", ())]
    return [
        Saw(hooks == ["SUCCEEDED"], f"hooks of the newest deployment: {', '.join(hooks) or 'none'}", "one, SUCCEEDED", "describe_service_deployments -> lifecycleHookDetails"),
        Saw(record["status"] == "SUCCESSFUL", f"that deployment: {record['status']}", "SUCCESSFUL", RECORDS),
        _one_deployment(service),
    ]
