"""Proofs of parts of scenarios."""
from ecslab.teach import proof
from ecslab.teach.proof_kit import MISSING, Balanced, Demo


def tag_not_pushed(aws, region):
    """A service of two tasks, two hours after an update to an image that does not exist."""
    demo = Demo(aws, region)
    demo.define()
    demo.define(container={"image": MISSING})
    demo.serve(2)
    region.run_for("2m")
    demo.update(taskDefinition="web:2")
    return demo


@proof("scenarios.tag-that-was-not-pushed.1", a={"web:1": 1}, b={}, d={"web:1": 2})
def users_notice(aws, region, say):
    """What runs after two hours."""
    demo = tag_not_pushed(aws, region)
    region.run_for("2h")
    say(f"After two hours: {demo.revisions()}")
    return demo.revisions()


@proof("scenarios.tag-that-was-not-pushed.2", a=("IN_PROGRESS", "slower"), c=("IN_PROGRESS", "steady"), d=("FAILED", "none"))
def service_goes_on(aws, region, say):
    """(rolloutState, pace of attempts) in two hours."""
    demo = tag_not_pushed(aws, region)
    created = set()
    for _ in range(24):
        region.run_for("5m")
        created |= {task["createdAt"] for task in demo.stopped() if task["taskDefinitionArn"].endswith("web:2")}
    half = min(created) + (max(created) - min(created)) / 2
    early, late = sum(at <= half for at in created), sum(at > half for at in created)
    say(f"Attempts in the first half of the time: {early}, in the second: {late}")
    pace = "none" if not late else "slower" if late < early else "steady"
    return demo.service()["deployments"][0]["rolloutState"], pace


@proof("scenarios.slow-goodbye.2", a=139, b=0, c=137, d=143)
def exit_code(aws, region, say):
    """The exit code of a container that never gets SIGTERM, after a scale-in."""
    demo = Balanced(aws, region)
    demo.define("web", "--ignore-sigterm")
    demo.serve(1)
    region.run_for("2m")
    task = demo.running()[0]["taskArn"]
    demo.update(desiredCount=0)
    region.run_for("5m")
    code = demo.task(task)["containers"][0]["exitCode"]
    say(f"The container ended with exit code {code}.")
    return code


@proof("scenarios.slow-goodbye.1")
def longest_goodbye(aws, region, say):
    """Seconds from the deregistration to the kill, with the default delay of 300 and the default stopTimeout."""
    demo = Balanced(aws, region, delay=300)
    demo.define("web", "--ignore-sigterm")
    demo.serve(1)
    region.run_for("2m")
    task = demo.running()[0]["taskArn"]
    demo.update(desiredCount=0)
    began = region.now()
    region.run_for("8m")
    seconds = round((demo.task(task)["executionStoppedAt"] - began).total_seconds())
    say(f"Killed after {seconds} seconds.")
    return seconds


@proof("scenarios.one-sentence-that-holds", a=(2, 0, "web:2"), b=(2, 2, "web:2"), c=(2, 0, "web:1"))
def one_sentence(aws, region, say):
    """A service after an update to a revision that crashes and one StopTask: (tasks, same ids, revision it stays on)."""
    demo = Demo(aws, region)
    demo.define()
    demo.define(container={"image": MISSING})
    demo.serve(2)
    region.run_for("2m")
    before = {task["taskArn"] for task in demo.running()}
    for task in before:
        aws.ecs.stop_task(cluster="demo", task=task)
    region.run_for("5m")
    after = {task["taskArn"] for task in demo.running()}
    demo.update(taskDefinition="web:2")
    region.run_for("1h")
    revision = demo.service()["deployments"][0]["taskDefinition"].rpartition("/")[2]
    say(f"{len(after)} tasks after two stops, {len(before & after)} of them the same; an hour after a bad update the service is on {revision}.")
    return len(after), len(before & after), revision
