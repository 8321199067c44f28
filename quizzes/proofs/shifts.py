"""Proofs of questions on native blue/green, canary and linear deployments."""
from ecslab.teach import proof
from ecslab.teach.proof_kit import Balanced

ROLE = "arn:aws:iam::123456789012:role/ecs-infrastructure"


class Shifting(Balanced):
    """A service of two tasks whose next revision takes over by a native strategy."""

    def __init__(self, aws, region, strategy, **configuration):
        super().__init__(aws, region, delay=10)
        self.green = self.new_group("green", delay=10)
        advanced = {"alternateTargetGroupArn": self.green, "productionListenerRule": self.rule(self.listener), "roleArn": ROLE}
        advanced["testListenerRule"] = self.rule(self.listen(8080, self.group))
        self.define()
        self.define(container={"image": "ecslab/app:2.0"})
        self.serve(
            2, deploymentConfiguration={"strategy": strategy, "bakeTimeInMinutes": 10, **configuration},
            loadBalancers=[self.entry(advancedConfiguration=advanced)],
        )
        region.run_for("1m")

    def rule(self, listener):
        return self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]

    def release(self):
        self.update(taskDefinition="web:2")

    def newest(self):
        brief = self.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"][0]
        arn = brief["serviceDeploymentArn"]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def versions(self, port=80):
        return {self.region.get(f"{self.url}:{port}").json()["version"] for _ in range(10)}

    def shares(self):
        """(time, percent) of each change of the newest deployment's traffic."""
        green = self.service()["deployments"][0]["id"]
        changes = []
        for sample in self.region.timeline("web").samples:
            if green in sample.traffic and (not changes or changes[-1][1] != sample.traffic[green]):
                changes.append((sample.at, sample.traffic[green]))
        return changes


SHIFTS = {
    "a": ("CANARY", {"canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}}),
    "b": ("LINEAR", {"linearConfiguration": {"stepPercent": 5.0, "stepBakeTimeInMinutes": 10}}),
    "c": ("BLUE_GREEN", {}),
}


@proof("deployments.choose-the-shift", a=[0, 5, 100], b=[*range(0, 105, 5)], c=[0, 100])
def choose_the_shift(aws, region, say):
    """The shares of traffic of a canary deployment."""
    strategy, configuration = SHIFTS["a"]
    web = Shifting(aws, region, strategy, **configuration)
    web.release()
    region.run_for("20m")
    shares = [share for _, share in web.shares()]
    say(f"{strategy}: the new revision gets {', '.join(f'{share:g}' for share in shares)} percent.")
    return shares


@proof("deployments.why-blue-green-returns-fast", a=(4, "1.0"), b=(2, "1.0"), d=(2, "2.0"))
def why_blue_green_returns_fast(aws, region, say):
    """(tasks in the bake time, version served 20 seconds after a rollback began)."""
    web = Shifting(aws, region, "BLUE_GREEN", bakeTimeInMinutes=30)
    web.release()
    region.run_for("5m")
    tasks = len(web.running())
    say(f"{web.newest()['lifecycleStage']}: users get {web.versions()}, and {tasks} tasks run.")
    aws.ecs.stop_service_deployment(serviceDeploymentArn=web.newest()["serviceDeploymentArn"], stopType="ROLLBACK")
    region.run_for("20s")
    say(f"20 seconds after the rollback began: {web.versions()}")
    return tasks, min(web.versions())


def _seen_at(aws, region, stage):
    """(production, test) versions while a hook holds the deployment in `stage`."""
    web = Shifting(aws, region, "BLUE_GREEN", lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": [stage]}])
    web.release()
    region.run_for("3m")
    return min(web.versions()), min(web.versions(8080))


@proof("deployments.where-to-hook-the-tests", b=("2.0", "2.0"), c=("1.0", "2.0"), d=("1.0", "1.0"))
def where_to_hook_the_tests(aws, region, say):
    """What users and what testers see while a hook works in POST_TEST_TRAFFIC_SHIFT."""
    users, testers = _seen_at(aws, region, "POST_TEST_TRAFFIC_SHIFT")
    say(f"POST_TEST_TRAFFIC_SHIFT: users see {users}, the test listener shows {testers}.")
    return users, testers


@proof("deployments.nobody-approves", a="IN_PROGRESS", b="SUCCESSFUL", d="ROLLBACK_SUCCESSFUL")
def nobody_approves(aws, region, say):
    """A PAUSE hook with default settings that nobody answers for 60 hours."""
    web = Shifting(aws, region, "BLUE_GREEN", lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}])
    web.release()
    region.run_for("5m")
    say(f"Friday: {web.newest()['status']}")
    region.run_for("60h")
    say(f"Monday: {web.newest()['status']}, and users get {web.versions()}.")
    return web.newest()["status"]


@proof("deployments.linear-duration")
def linear_duration(aws, region, say):
    """Minutes from the first shift to the end of the bake time, to the nearest minute."""
    web = Shifting(aws, region, "LINEAR", linearConfiguration={"stepPercent": 20.0, "stepBakeTimeInMinutes": 5})
    web.release()
    region.run_for("25m")
    first = next(at for at, share in web.shares() if share)
    say(f"Shares: {[share for _, share in web.shares()]}")
    while web.newest()["lifecycleStage"] == "BAKE_TIME":
        region.run_for("10s")
    minutes = round((region.now().timestamp() - _seconds(first)) / 60)
    say(f"From the first shift to the end of the bake time: {minutes} minutes.")
    return minutes


def _seconds(moment):
    return moment.timestamp() if hasattr(moment, "timestamp") else moment


STAGES = ["SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]


@proof("deployments.blue-green-stages")
def blue_green_stages(aws, region, say):
    """The lifecycle stages in order: short ones report themselves by a hook, the others are seen in the description."""
    seen = []

    def note(stage):
        if stage in STAGES and stage not in seen:
            seen.append(stage)
            say(stage)

    def gate(event, _context):
        note(event["lifecycleStage"])
        return {"hookStatus": "SUCCEEDED"}

    hook = {"hookTargetArn": region.add_function("gate", gate), "roleArn": ROLE, "lifecycleStages": STAGES[1:4]}
    web = Shifting(aws, region, "BLUE_GREEN", bakeTimeInMinutes=1, lifecycleHooks=[hook])
    web.release()
    for _ in range(600):
        region.run_for("1s")
        newest = web.newest()
        note(newest.get("lifecycleStage"))
        if newest["status"] != "IN_PROGRESS":
            break
    return [STAGES.index(stage) for stage in seen]
