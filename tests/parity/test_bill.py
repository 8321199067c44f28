"""The bill of the same story on both engines: the same lines, each from what really ran."""
from __future__ import annotations

from math import ceil

from ecslab.region import start
from ecslab.rules.pricing import fargate_hourly
from tests.parity.test_parity import SPEED, Story


def tell(region) -> dict:
    story = Story(region)
    public = {"awsvpcConfiguration": {**story.network["awsvpcConfiguration"], "assignPublicIp": "ENABLED"}}
    story.define("job", command=["--exit-after", "100"])
    job, kept = story.run("job"), story.run("web", networkConfiguration=public)
    story.ended(job)
    bill, task = region.bill(), story.task(job)
    [vcpu] = [one for one in bill.lines if one.owner == "family:job in demo" and one.unit == "vCPU-hour"]
    seconds = ceil((task["stoppedAt"] - task["pullStartedAt"]).total_seconds())
    assert seconds >= 100 and abs(vcpu.quantity * 4 * 3600 - seconds) <= 1  # the API tells times to the millisecond
    assert bill.hourly == fargate_hourly(256, 512) + bill.groups()["Public IPv4 addresses"][0].hourly
    story.ecs.stop_task(cluster="demo", task=kept)
    story.ended(kept)
    assert region.bill().hourly == 0 and region.bill().total >= bill.total
    return {"lines": [(one.product, one.owner, one.what, one.unit, one.rate) for one in bill.lines], "a month": bill.months()}


def test_both_engines_bill_the_same_story_alike():
    told = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            told[engine] = tell(region)
    assert told["docker"] == told["simulated"]
    assert [line[0] for line in told["docker"]["lines"]] == ["Fargate"] * 4 + ["Public IPv4 addresses"]
