"""Images in ECR: pushed, pulled by the execution role, overwritten or not, scanned and expired."""
from __future__ import annotations

import json

import pytest

from ecslab.rules.ecr_lifecycle import DAY, Image, expired

from .test_identity import error
from .test_secrets import PULL_AND_LOG, role

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def ecr(lab):
    client = lab.region.client("ecr")
    client.create_repository(repositoryName="shop")
    return client


def run(lab, image, *may):
    """A task of that image half a minute after its start; its execution role may pull unless that is said."""
    lab.define("shop", image=image, executionRoleArn=role(lab, f"pulls-{len(lab.region.tags)}", *(may or PULL_AND_LOG)))
    arn = lab.run("shop")
    lab.region.run_for("30s")
    return lab.task(arn)


def tags(ecr):
    return [image.get("imageTags", []) for image in ecr.describe_images(repositoryName="shop")["imageDetails"]]


def test_what_was_pushed_runs_and_says_which_image_it_is(lab, ecr):
    uri = lab.region.push_image("shop", "1", "ecslab/app:2.0")
    task = run(lab, uri)
    assert (task["lastStatus"], task["containers"][0]["image"]) == ("RUNNING", f"{HOST}/shop:1")
    assert lab.region.logs(task["taskArn"]) == ["ecslab app 2.0 listening on port 80"]
    [image] = ecr.describe_images(repositoryName="shop")["imageDetails"]
    assert image["imageDigest"] == task["containers"][0]["imageDigest"]
    assert image["imagePushedAt"].timestamp() <= lab.region.now().timestamp()


def test_a_digest_names_the_same_image_after_its_tag_moved_on(lab, ecr):
    lab.region.push_image("shop", "latest", "ecslab/app:1.0")
    digest = ecr.describe_images(repositoryName="shop")["imageDetails"][0]["imageDigest"]
    lab.region.push_image("shop", "latest", "ecslab/app:2.0")
    assert tags(ecr) == [[], ["latest"]]
    old, new = run(lab, f"{HOST}/shop@{digest}"), run(lab, f"{HOST}/shop")
    assert [lab.region.logs(t["taskArn"])[0].split()[2] for t in (old, new)] == ["1.0", "2.0"]


@pytest.mark.parametrize(
    "image, words",
    [
        ("/shop:2", f"failed to resolve ref {HOST}/shop:2: {HOST}/shop:2: not found"),
        ("/stop:1", "name unknown: The repository with name 'stop' does not exist in the registry with id '123456789012'"),
        ("/shop:bare", "there is only a record of this image: put one behind it with region.push_image"),
    ],
)
def test_an_image_that_is_not_there_cannot_be_pulled(lab, ecr, image, words):
    lab.region.push_image("shop", "1")
    ecr.put_image(repositoryName="shop", imageTag="bare", imageManifest='{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}')
    task = run(lab, HOST + image)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref")
    assert words in task["stoppedReason"] and task["containers"][0]["reason"] == task["stoppedReason"]


def test_the_execution_role_must_be_allowed_to_log_in_and_to_pull(lab, ecr):
    uri = lab.region.push_image("shop", "1")
    repository = "arn:aws:ecr:us-east-1:123456789012:repository/shop"
    no_login = run(lab, uri, ("ecr:BatchGetImage", "*"))["stoppedReason"]
    assert no_login.startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: "
    )
    assert "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/" in no_login
    assert "is not authorized to perform: ecr:GetAuthorizationToken on resource: *" in no_login
    other = run(lab, uri, ("ecr:GetAuthorizationToken", "*"), ("ecr:*", repository.replace("shop", "stop")))["stoppedReason"]
    assert other.startswith("CannotPullContainerError: ") and other.endswith("failed with status code [manifests 1]: 403 Forbidden")
    enough = [("ecr:GetAuthorizationToken", "*"), ("ecr:BatchGetImage", repository), ("ecr:GetDownloadUrlForLayer", repository)]
    assert run(lab, uri, *enough)["lastStatus"] == "RUNNING"


def test_an_immutable_tag_is_not_overwritten(lab, ecr):
    ecr.put_image_tag_mutability(repositoryName="shop", imageTagMutability="IMMUTABLE")
    lab.region.push_image("shop", "1", "ecslab/app:1.0")
    assert error(lab.region.push_image, repository="shop", tag="1", source="ecslab/app:2.0")["Code"] == "ImageTagAlreadyExistsException"
    assert error(lab.region.push_image, repository="shop", tag="1", source="ecslab/app:1.0")["Code"] == "ImageAlreadyExistsException"
    lab.region.push_image("shop", "2", "ecslab/app:1.0")
    assert tags(ecr) == [["1", "2"]]


def test_a_push_that_cannot_be_is_refused_plainly(lab, ecr):
    assert error(lab.region.push_image, repository="stop", tag="1")["Code"] == "RepositoryNotFoundException"
    for wrong in ({"tag": "1", "source": "ecslab/app:9"}, {"tag": "no good"}, {"tag": "1", "findings": [{"name": "CVE-1", "severity": "BAD"}]}):
        with pytest.raises(ValueError):
            lab.region.push_image("shop", **wrong)
    assert error(ecr.put_image, repositoryName="shop", imageTag="1", imageManifest="no json")["Code"] == "InvalidParameterException"
    assert tags(ecr) == []


def test_a_scan_finds_what_the_push_said_it_would_and_says_that_it_is_simulated(lab, ecr):
    lab.region.push_image("shop", "1", findings=[{"name": "CVE-2026-0001", "severity": "HIGH"}, {"name": "CVE-2026-0002", "severity": "LOW"}])
    image = {"repositoryName": "shop", "imageId": {"imageTag": "1"}}
    assert error(ecr.describe_image_scan_findings, **image)["Code"] == "ScanNotFoundException"
    ecr.start_image_scan(**image)
    assert error(ecr.start_image_scan, **image)["Code"] == "LimitExceededException"
    found = ecr.describe_image_scan_findings(**image)
    assert found["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 1, "LOW": 1}
    assert found["imageScanStatus"]["description"].startswith("Simulated by ecslab")
    lab.region.run_for("25h")
    ecr.start_image_scan(**image)


def test_scan_on_push_scans_at_once_and_finds_nothing_where_nothing_was_said(lab, ecr):
    ecr.put_image_scanning_configuration(repositoryName="shop", imageScanningConfiguration={"scanOnPush": True})
    lab.region.push_image("shop", "1")
    found = ecr.describe_image_scan_findings(repositoryName="shop", imageId={"imageTag": "1"})
    assert found["imageScanFindings"]["findings"] == []


def rule(priority, count_type, number, status="any", **selection):
    unit = {"countUnit": "days"} if count_type == "sinceImagePushed" else {}
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, "countType": count_type, "countNumber": number, **unit, **selection},
        "action": {"type": "expire"},
    }


def test_a_lifecycle_policy_expires_images_within_a_day(lab, ecr):
    policy = {"rules": [rule(1, "sinceImagePushed", 2, "untagged")]}
    ecr.put_lifecycle_policy(repositoryName="shop", lifecyclePolicyText=json.dumps(policy))
    lab.region.push_image("shop", "1", "ecslab/app:1.0")
    lab.region.push_image("shop", "1", "ecslab/app:2.0")
    lab.region.run_for("47h")
    assert tags(ecr) == [[], ["1"]]
    lab.region.run_for("25h")
    assert tags(ecr) == [["1"]]


IMAGES = [Image("a", ("dev-1",), 0), Image("b", ("dev-2", "prod-1"), DAY), Image("c", ("prod-2",), 2 * DAY), Image("d", (), 3 * DAY)]


@pytest.mark.parametrize(
    "rules, ends",
    [
        ([rule(1, "imageCountMoreThan", 1)], ["c", "b", "a"]),
        ([rule(1, "imageCountMoreThan", 9)], []),
        ([rule(1, "sinceImagePushed", 3)], ["a"]),
        ([rule(1, "sinceImagePushed", 1, "untagged")], []),
        ([rule(1, "imageCountMoreThan", 1, "tagged", tagPrefixList=["dev"])], ["a"]),
        ([rule(1, "imageCountMoreThan", 1, "tagged", tagPatternList=["*-1"])], ["a"]),
        ([rule(1, "sinceImagePushed", 1, "tagged", tagPrefixList=["dev", "prod"])], ["b"]),
        ([rule(1, "imageCountMoreThan", 9, "tagged", tagPrefixList=["prod"]), rule(2, "imageCountMoreThan", 1)], ["a"]),
        ([rule(2, "imageCountMoreThan", 1), rule(1, "sinceImagePushed", 3)], ["a"]),
    ],
)
def test_a_rule_expires_only_what_no_rule_before_it_chose(rules, ends):
    assert expired({"rules": rules}, IMAGES, now=4 * DAY) == ends


@pytest.mark.parametrize("consistency, versions", [({}, ["1.0"]), ({"versionConsistency": "disabled"}, ["1.0", "2.0"])])
def test_a_deployment_keeps_the_image_its_first_tasks_got(lab, ecr, consistency, versions):
    uri = lab.region.push_image("shop", "stable", "ecslab/app:1.0")
    lab.define("shop", image=uri, container=consistency, executionRoleArn=role(lab, "pulls", *PULL_AND_LOG))
    lab.serve("shop", "shop", 1)
    lab.region.run_for("2m")
    lab.region.push_image("shop", "stable", "ecslab/app:2.0")
    lab.ecs.update_service(cluster="demo", service="shop", desiredCount=2)
    lab.region.run_for("2m")
    arns = lab.ecs.list_tasks(cluster="demo", serviceName="shop")["taskArns"]
    assert sorted({lab.region.logs(arn)[0].split()[2] for arn in arns}) == versions and len(arns) == 2
    lab.ecs.update_service(cluster="demo", service="shop", forceNewDeployment=True)
    lab.region.run_for("10m")
    arns = lab.ecs.list_tasks(cluster="demo", serviceName="shop")["taskArns"]
    assert {lab.region.logs(arn)[0].split()[2] for arn in arns} == {"2.0"}
