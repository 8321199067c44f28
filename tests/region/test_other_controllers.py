"""Services whose deployments another program makes: EXTERNAL with task sets, CODE_DEPLOY with CodeDeploy."""
from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.region.test_load_balancing import Balanced

CANARY = "CodeDeployDefault.ECSCanary10Percent5Minutes"


# EXTERNAL ----------------------------------------------------------------------


class External:
    def __init__(self, lab, desired=4):
        self.lab, self.ecs = lab, lab.ecs
        self.ecs.create_service(cluster="demo", serviceName="x", desiredCount=desired, deploymentController={"type": "EXTERNAL"})

    def create(self, revision, percent, **options):
        return self.ecs.create_task_set(
            cluster="demo", service="x", taskDefinition=revision, launchType="FARGATE", networkConfiguration=self.lab.network,
            scale={"value": percent, "unit": "PERCENT"}, **options,
        )["taskSet"]["id"]  # fmt: skip

    def counts(self):
        self.lab.region.run_for("1m")
        found = self.ecs.describe_task_sets(cluster="demo", service="x")["taskSets"]
        return [(t["status"], t["computedDesiredCount"], t["runningCount"], t["stabilityStatus"]) for t in found]


def test_a_task_set_runs_its_share_of_the_desired_count_rounded_up(lab):
    external = External(lab)
    assert lab.service("x")["deployments"] == []
    external.create("web:1", 100)
    external.create("web:2", 30)
    assert external.counts() == [("ACTIVE", 4, 4, "STEADY_STATE"), ("ACTIVE", 2, 2, "STEADY_STATE")]
    lab.ecs.update_service(cluster="demo", service="x", desiredCount=2)
    assert [row[1:3] for row in external.counts()] == [(2, 2), (1, 1)]


def test_a_deployment_by_hand_from_blue_to_green(lab):
    web = Balanced(lab)
    external = External(lab)
    blue = external.create("web:1", 100, loadBalancers=[web.entry()])
    external.ecs.update_service_primary_task_set(cluster="demo", service="x", primaryTaskSet=blue)
    external.counts()
    assert lab.service("x")["taskDefinition"].endswith("web:1") and web.health() == {"healthy": 4}
    green = external.create("web:2", 100)
    external.ecs.update_service_primary_task_set(cluster="demo", service="x", primaryTaskSet=green)
    with pytest.raises(ClientError, match="cannot be deleted while it is scaled above 0"):
        external.ecs.delete_task_set(cluster="demo", service="x", taskSet=blue)
    external.ecs.update_task_set(cluster="demo", service="x", taskSet=blue, scale={"value": 0, "unit": "PERCENT"})
    external.ecs.delete_task_set(cluster="demo", service="x", taskSet=blue)
    assert external.counts() == [("PRIMARY", 4, 4, "STEADY_STATE")]
    assert lab.service("x")["taskDefinition"].endswith("web:2")


def test_a_task_of_a_task_set_that_dies_is_replaced(lab):
    external = External(lab, desired=2)
    external.create("web:1", 100)
    external.counts()
    lab.region.kill(lab.tasks("x")[0]["taskArn"])
    assert external.counts() == [("ACTIVE", 2, 2, "STEADY_STATE")]
    lab.ecs.delete_service(cluster="demo", service="x", force=True)
    lab.region.run_for("1m")
    assert lab.service("x")["status"] == "INACTIVE"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda e: e.ecs.create_service(cluster="demo", serviceName="y", desiredCount=1, taskDefinition="web", deploymentController={"type": "EXTERNAL"}), "TaskDefinition must be blank"),
        (lambda e: e.ecs.update_service(cluster="demo", service="x", taskDefinition="web:2"), "Unable to update task definition on services with a EXTERNAL deployment controller"),
        (lambda e: e.create("web:1", 101), "between 0 and 100"),
        (lambda e: e.ecs.update_task_set(cluster="demo", service="x", taskSet="ecs-svc/1", scale={"value": 1, "unit": "PERCENT"}), "TaskSetNotFoundException"),
        (lambda e: e.ecs.create_task_set(cluster="demo", service="web", taskDefinition="web"), "only supports task set management on services configured to use external"),
    ],
)  # fmt: skip
def test_what_external_deployments_refuse(lab, call, message):
    lab.serve(count=0)
    with pytest.raises(ClientError, match=message):
        call(External(lab))


# CODE_DEPLOY ----------------------------------------------------------------------


class CodeDeployed(Balanced):
    def __init__(self, lab, config=CANARY, wait=1, test=False):
        super().__init__(lab)
        self.green = self.new_group("green")
        self.serve(count=2, definition="web:1", deploymentController={"type": "CODE_DEPLOY"})
        lab.region.run_for("1m")
        self.codedeploy = lab.region.client("codedeploy")
        self.codedeploy.create_application(applicationName="app", computePlatform="ECS")
        self.codedeploy.create_deployment_group(
            applicationName="app", deploymentGroupName="group", deploymentConfigName=config,
            serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
            ecsServices=[{"clusterName": "demo", "serviceName": "web"}],
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            blueGreenDeploymentConfiguration={
                "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": wait}
            },
            loadBalancerInfo={"targetGroupPairInfoList": [
                {"targetGroups": [{"name": "web"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [self.listener]}}
            ]},
        )  # fmt: skip

    def deploy(self, revision="web:2", container="app", **hooks):
        properties = {"TaskDefinition": revision, "LoadBalancerInfo": {"ContainerName": container, "ContainerPort": 80}}
        content = {
            "version": "0.0",
            "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}],
            "Hooks": [{event: function} for event, function in hooks.items()],
        }
        return self.codedeploy.create_deployment(
            applicationName="app", deploymentGroupName="group",
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
        )["deploymentId"]  # fmt: skip

    def status(self, deployment):
        info = self.codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        return info["status"], (info.get("errorInformation") or {}).get("message", "")

    def sets(self):
        return [(one["status"], one["taskDefinition"].rpartition("/")[2], one["runningCount"]) for one in self.lab.service()["taskSets"]]


def test_codedeploy_shifts_a_canary_and_terminates_the_original(lab):
    web = CodeDeployed(lab)
    deployment = web.deploy()
    assert web.status(deployment)[0] == "InProgress"
    report = lab.region.load(web.url, rps=10, for_="8m")
    assert report.failed == 0
    assert any(second.get("2.0") == 1 and second.get("1.0") == 9 for second in report.versions_by_second)
    assert web.status(deployment)[0] == "Succeeded"
    assert web.sets() == [("PRIMARY", "web:2", 2)]
    assert (web.health(), web.health(web.green)) == ({}, {"healthy": 2})


def test_a_failed_hook_puts_everything_back(lab):
    web = CodeDeployed(lab)
    asked = []

    def gate(event, _context):
        asked.append(event["DeploymentId"])
        return {"status": "Failed"}

    lab.region.add_function("gate", gate)
    deployment = web.deploy(BeforeAllowTraffic="gate")
    report = lab.region.load(web.url, rps=2, for_="3m")
    assert asked == [deployment]
    assert web.status(deployment) == ("Failed", "the lifecycle event BeforeAllowTraffic failed.")
    assert (report.failed, set(report.by_version), web.sets()) == (0, {"1.0"}, [("PRIMARY", "web:1", 2)])


def test_an_appspec_that_is_wrong_fails_the_deployment_in_words(lab):
    web = CodeDeployed(lab)
    deployment = web.deploy(revision="nothing:9")
    lab.region.run_for("10s")
    status, message = web.status(deployment)
    assert status == "Failed" and "nothing:9" in message
    assert web.sets() == [("PRIMARY", "web:1", 2)]


def test_only_codedeploy_may_change_the_task_definition(lab):
    CodeDeployed(lab)
    with pytest.raises(ClientError, match="Use AWS CodeDeploy to trigger a new deployment."):
        lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=3)
    lab.region.run_for("1m")
    assert lab.service()["runningCount"] == 3


def test_codedeploy_needs_a_load_balancer(lab):
    with pytest.raises(ClientError, match="requires an Application Load Balancer or Network Load Balancer"):
        lab.serve(deploymentController={"type": "CODE_DEPLOY"})
