"""An image in ECR on Docker: what was pushed is what runs, whatever becomes of its source's name."""
from ecslab.region import start
from tests.parity.test_parity import Story
from tests.region.test_secrets import PULL_AND_LOG, role


def test_a_task_runs_the_image_that_was_pushed_and_none_that_was_not():
    with start(engine="docker", speed=10) as region:
        story = Story(region)
        region.client("ecr").create_repository(repositoryName="shop")
        uri = region.push_image("shop", "1", "ecslab/app:2.0")
        execution = role(story, "pulls", *PULL_AND_LOG)
        story.define("shop", image=uri, executionRoleArn=execution)
        story.define("gone", image=f"{uri}0", executionRoleArn=execution)
        runs, gone = story.run("shop"), story.run("gone")
        story.until(lambda: story.task(runs)["lastStatus"] == "RUNNING")
        story.until(lambda: region.logs(runs) == ["ecslab app 2.0 listening on port 80"])
        [image] = region.client("ecr").describe_images(repositoryName="shop")["imageDetails"]
        assert story.task(runs)["containers"][0]["imageDigest"] == image["imageDigest"] and image["imageSizeInBytes"] > 0
        story.ended(gone)
        assert story.task(gone)["stoppedReason"].startswith("CannotPullContainerError: pull image manifest has been retried")
