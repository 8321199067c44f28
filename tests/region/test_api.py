"""The ECS API through boto3: errors in ECS's words, paging, failures, tags, ARNs, and no HTTP 500."""
from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ecslab.region import start
from tests.region.test_secrets import PULL_AND_LOG, role


def refused(call, **parameters):
    with pytest.raises(ClientError) as refusal:
        call(**parameters)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = refusal.value.response["Error"]
    return error["Code"], error["Message"]


UNKNOWN_CLUSTER = ("ClusterNotFoundException", "Cluster not found.")
UNKNOWN_TASK = "0" * 32


@pytest.mark.parametrize(
    "operation, parameters, code, message",
    [
        ("describe_tasks", {"cluster": "x", "tasks": [UNKNOWN_TASK]}, *UNKNOWN_CLUSTER),
        ("list_services", {"cluster": "x"}, *UNKNOWN_CLUSTER),
        ("run_task", {"taskDefinition": "web"}, *UNKNOWN_CLUSTER),
        ("delete_cluster", {"cluster": "x"}, *UNKNOWN_CLUSTER),
        ("describe_tasks", {"cluster": "demo", "tasks": []}, "InvalidParameterException", "Tasks cannot be empty."),
        ("describe_tasks", {"cluster": "demo", "tasks": ["abc"]}, "InvalidParameterException", "taskId length should be one of [32,36]"),
        ("describe_tasks", {"cluster": "demo", "tasks": [f"arn:aws:ecs:us-east-1:123456789012:task/other/{UNKNOWN_TASK}"]},
         "InvalidParameterException", "Invalid identifier: Identifier is for cluster other. Your cluster is demo"),
        ("describe_tasks", {"cluster": "demo", "tasks": ["arn:aws:ecs:us-east-1:123456789012:service/demo/web"]},
         "InvalidParameterException", "Unsupported resource type: service"),
        ("stop_task", {"cluster": "demo", "task": UNKNOWN_TASK}, "InvalidParameterException", "The referenced task was not found."),
        ("update_service", {"cluster": "demo", "service": "no"}, "ServiceNotFoundException", "Service not found."),
        ("delete_service", {"cluster": "demo", "service": "no"}, "ServiceNotFoundException", "Service not found."),
        ("list_tasks", {"cluster": "demo", "serviceName": "no"}, "ServiceNotFoundException", "Service not found."),
        ("describe_task_definition", {"taskDefinition": "no"}, "ClientException", "Unable to describe task definition."),
        ("describe_task_definition", {"taskDefinition": "web:x"}, "InvalidParameterException", "Invalid revision number. Number: x"),
        ("deregister_task_definition", {"taskDefinition": "web"}, "ClientException", "Revision is missing."),
        ("delete_task_definitions", {"taskDefinitions": []}, "InvalidParameterException", "size of TaskDefinition references list must be greater than 0"),
        ("describe_clusters", {"include": ["NO"]}, "InvalidParameterException", "include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]"),
        ("describe_clusters", {"clusters": [""]}, "InvalidParameterException", "Clusters can not be blank."),
        ("update_container_instances_state", {"cluster": "demo", "containerInstances": ["x"], "status": "GONE"},
         "InvalidParameterException", "status should be one of"),
        ("put_attributes", {"cluster": "demo", "attributes": [{"name": "a", "targetId": "x"}]}, "TargetNotFoundException", "Could not find x"),
        ("list_tags_for_resource", {"resourceArn": "x"}, "InvalidParameterException", "The ARN provided is invalid."),
        ("put_account_setting", {"name": "no", "value": "on"}, "InvalidParameterException", "should be one of [serviceLongArnFormat"),
        ("list_services_by_namespace", {"namespace": "no"}, "NamespaceNotFoundException", "The specified namespace was not found."),
        ("list_tasks", {"cluster": "demo", "nextToken": "?"}, "InvalidParameterException", "Invalid token."),
        ("create_express_gateway_service", {"executionRoleArn": "a", "infrastructureRoleArn": "b", "primaryContainer": {"image": "x"}},
         "UnsupportedFeatureException", "CreateExpressGatewayService is not built in this region yet."),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_in_the_words_of_ecs(lab, operation, parameters, code, message):
    got = refused(getattr(lab.ecs, operation), **parameters)
    assert got[0] == code and message in got[1]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"taskDefinition": "no"}, "TaskDefinition not found."),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"], "securityGroups": []}}}, "The subnet ID 's' does not exist"),
        ({"count": 11}, "Count should be between 1 and 10"),
        ({"count": 0}, "Count should be between 1 and 10"),
        ({"overrides": {"containerOverrides": [{"name": "no"}]}}, "Override for container named no is not a container in the TaskDefinition."),
        ({"startedBy": "x" * 129}, "startedBy"),
        ({"platformVersion": "0.1"}, "The specified platform does not exist."),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "Specifying both a launch type and capacity provider strategy"),
        ({"launchType": "EC2", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["x"], "assignPublicIp": "ENABLED"}}}, "Assign public IP is not supported"),
        ({"launchType": "EXTERNAL"}, "does not support launch_type EXTERNAL"),
    ],
)
def test_run_task_refuses_what_ecs_refuses_and_starts_nothing(lab, change, message):
    request = {"cluster": "demo", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": lab.network, **change}
    assert message in refused(lab.ecs.run_task, **request)[1]
    assert lab.ecs.list_tasks(cluster="demo")["taskArns"] == []


def test_missing_things_are_failures_not_exceptions(lab):
    assert lab.ecs.describe_clusters(clusters=["no"])["failures"] == [{"arn": "arn:aws:ecs:us-east-1:123456789012:cluster/no", "reason": "MISSING"}]
    assert lab.ecs.describe_tasks(cluster="demo", tasks=[UNKNOWN_TASK])["failures"][0]["reason"] == "MISSING"
    assert lab.ecs.describe_services(cluster="demo", services=["no"])["failures"][0]["arn"].endswith(":service/demo/no")


def test_stop_task_answers_at_once_and_the_task_walks_down(lab):
    arn = lab.run()
    lab.region.run_for("30s")
    answer = lab.ecs.stop_task(cluster="demo", task=arn, reason="enough")["task"]
    assert (answer["desiredStatus"], answer["lastStatus"], answer["stoppedReason"]) == ("STOPPED", "RUNNING", "enough")
    lab.ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[arn])
    task = lab.task(arn)
    times = [task[name] for name in ("createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt")]
    assert times == sorted(times)
    assert task["version"] == len(lab.region.history(arn)) + 1


def test_a_task_whose_container_was_restarted_has_not_stopped_its_execution(lab):
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    lab.define("beacon", command=["--exit-after", "70"], container={"restartPolicy": policy})
    beacon = lab.run("beacon")
    lab.region.run_for("100s")
    assert lab.task(beacon)["lastStatus"] == "RUNNING" and "executionStoppedAt" not in lab.task(beacon)
    lab.ecs.stop_task(cluster="demo", task=beacon)
    lab.region.run_for("30s")
    assert lab.task(beacon)["executionStoppedAt"] >= lab.task(beacon)["stoppingAt"]


def test_a_waiter_for_running_tasks_fails_fast_when_a_task_stops(lab):
    from botocore.exceptions import WaiterError

    lab.define("typo", image="ecslab/app:9.9")
    arn = lab.run("typo")
    with pytest.raises(WaiterError, match="STOPPED"):
        lab.ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[arn])


def test_the_network_interface_exists_in_ec2_while_the_task_lives(lab):
    arn = lab.run()
    lab.region.run_for("30s")
    (attachment,) = lab.task(arn)["attachments"]
    details = {d["name"]: d["value"] for d in attachment["details"]}
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    eni = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])["NetworkInterfaces"][0]
    assert (eni["PrivateIpAddress"], eni["SubnetId"]) == (details["privateIPv4Address"], details["subnetId"])
    assert lab.task(arn)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]
    lab.ecs.stop_task(cluster="demo", task=arn)
    lab.region.run_for("1m")
    assert lab.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_a_client_token_makes_run_task_idempotent(lab):
    request = {"cluster": "demo", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": lab.network, "clientToken": "t1"}
    first = lab.ecs.run_task(**request)["tasks"][0]["taskArn"]
    assert lab.ecs.run_task(**request)["tasks"][0]["taskArn"] == first
    code, _ = refused(lab.ecs.run_task, **{**request, "count": 2})
    assert code == "ConflictException"


def test_overrides_reach_the_container_and_are_shown(lab):
    overrides = {"containerOverrides": [{"name": "app", "command": ["--exit-after", "5", "--exit-code", "9"], "environment": [{"name": "A", "value": "1"}]}]}
    arn = lab.run(overrides=overrides)
    lab.region.run_for("1m")
    task = lab.task(arn)
    assert task["containers"][0]["exitCode"] == 9
    assert task["overrides"]["containerOverrides"] == overrides["containerOverrides"]


def test_lists_are_paged(lab):
    for number in range(5):
        lab.ecs.create_cluster(clusterName=f"c{number}")
    seen, token = [], {}
    while True:
        answer = lab.ecs.list_clusters(maxResults=2, **token)
        assert len(answer["clusterArns"]) <= 2
        seen += answer["clusterArns"]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    assert len(seen) == len(set(seen)) == 6
    assert len(lab.ecs.get_paginator("list_clusters").paginate().build_full_result()["clusterArns"]) == 6


@pytest.mark.parametrize(
    "filters, found",
    [
        ({}, {"job", "web"}), ({"family": "job"}, {"job"}), ({"startedBy": "me"}, {"job"}), ({"launchType": "EC2"}, set()),
        ({"launchType": "FARGATE"}, {"job", "web"}), ({"desiredStatus": "STOPPED"}, {"old"}), ({"desiredStatus": "PENDING"}, set()),
        ({"serviceName": "web"}, {"web"}),
    ],
)  # fmt: skip
def test_list_tasks_filters(lab, filters, found):
    lab.define("job")
    lab.define("old", command=["--exit-after", "1"])
    lab.serve(count=1)
    lab.run("job", startedBy="me")
    lab.run("old")
    lab.region.run_for("1m")
    arns = lab.ecs.list_tasks(cluster="demo", **filters)["taskArns"]
    families = {t["taskDefinitionArn"].rpartition("/")[2].partition(":")[0] for t in (lab.task(a) for a in arns)}
    assert families == found


def test_revisions_are_never_reused_and_states_follow_the_documented_path(lab):
    arn = lab.define("life")["taskDefinitionArn"]
    assert refused(lab.ecs.run_task, cluster="demo", taskDefinition="life:9")[1] == "TaskDefinition not found."
    failure = lab.ecs.delete_task_definitions(taskDefinitions=[arn])["failures"][0]
    assert failure["reason"] == "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
    lab.serve("life", "life", count=1)
    assert lab.ecs.deregister_task_definition(taskDefinition="life:1")["taskDefinition"]["status"] == "INACTIVE"
    assert refused(lab.ecs.run_task, cluster="demo", taskDefinition="life:1", launchType="FARGATE", networkConfiguration=lab.network)[1] == "TaskDefinition is inactive"
    lab.ecs.update_service(cluster="demo", service="life", desiredCount=2)
    lab.region.run_for("1m")
    assert lab.service("life")["runningCount"] == 2, "a service goes on with an INACTIVE revision"
    assert lab.ecs.delete_task_definitions(taskDefinitions=[arn])["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert lab.define("life")["revision"] == 2
    assert [a.rpartition(":")[2] for a in lab.ecs.list_task_definitions(familyPrefix="life")["taskDefinitionArns"]] == ["2"]


def test_a_definition_with_nothing_left_active_is_an_inactive_family(lab):
    lab.define("gone")
    lab.ecs.deregister_task_definition(taskDefinition="gone:1")
    families = {status: set(lab.ecs.list_task_definition_families(status=status)["families"]) for status in ("ACTIVE", "INACTIVE", "ALL")}
    assert "gone" in families["INACTIVE"] and "gone" not in families["ACTIVE"] and families["ALL"] == families["ACTIVE"] | families["INACTIVE"]


def test_tags_come_and_go(lab):
    arn = lab.ecs.describe_clusters(clusters=["demo"])["clusters"][0]["clusterArn"]
    lab.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "blue"}, {"key": "stage", "value": "test"}])
    lab.ecs.untag_resource(resourceArn=arn, tagKeys=["stage"])
    assert lab.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "blue"}]
    assert lab.ecs.describe_clusters(clusters=["demo"], include=["TAGS"])["clusters"][0]["tags"] == [{"key": "team", "value": "blue"}]
    assert "reserved" in refused(lab.ecs.tag_resource, resourceArn=arn, tags=[{"key": "aws:x", "value": "1"}])[1]


def test_a_cluster_in_use_cannot_be_deleted_and_an_inactive_one_is_named(lab):
    arn = lab.run()
    assert refused(lab.ecs.delete_cluster, cluster="demo")[0] == "ClusterContainsTasksException"
    lab.serve(count=0)
    assert refused(lab.ecs.delete_cluster, cluster="demo")[0] == "ClusterContainsServicesException"
    lab.ecs.delete_service(cluster="demo", service="web")
    lab.ecs.stop_task(cluster="demo", task=arn)
    lab.region.run_for("1m")
    assert lab.ecs.delete_cluster(cluster="demo")["cluster"]["status"] == "INACTIVE"
    assert refused(lab.ecs.list_tasks, cluster="demo") == ("ClientException", "The referenced cluster was inactive.")


@pytest.mark.parametrize("field", [{"privileged": True}, {"linuxParameters": {"devices": [{"hostPath": "/dev/kmsg"}]}}])
def test_what_could_take_over_the_machine_is_refused_with_the_switch_that_allows_it(lab, field):
    container = {"name": "app", "image": "ecslab/app:1.0", "memory": 64, **field}
    code, message = refused(lab.ecs.register_task_definition, family="bad", containerDefinitions=[container])
    assert code == "ClientException" and "allow_unsafe=True" in message


@pytest.mark.parametrize("path", ["/", "/var/run/docker.sock", "/etc", "../outside"])
def test_host_paths_outside_the_labs_folder_are_refused(lab, path):
    volume = {"name": "v", "host": {"sourcePath": path}}
    container = {"name": "app", "image": "ecslab/app:1.0", "memory": 64, "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    _, message = refused(lab.ecs.register_task_definition, family="bad", containerDefinitions=[container], volumes=[volume])
    assert "outside the lab's folder" in message


def raw(lab, body: bytes, target: str = "ListClusters") -> tuple[int, dict]:
    request = urllib.request.Request(
        lab.region.endpoint_url, data=body,
        headers={
            "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{target}", "Content-Type": "application/x-amz-json-1.1",
            "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260105/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=x",
        },
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    "body, target, code",
    [
        (b"{", "ListClusters", "SerializationException"),
        (b"[]", "ListClusters", "SerializationException"),
        (b'{"maxResults": "ten"}', "ListClusters", "SerializationException"),
        (b'{"clusters": "demo"}', "DescribeClusters", "SerializationException"),
        (b'{"tasks": [1]}', "DescribeTasks", "SerializationException"),
        (b"{}", "StopTask", "InvalidParameterException"),
        (b"{}", "Nonsense", "UnknownOperationException"),
        (b'{"unknown": 1}', "ListClusters", None),
    ],
)
def test_whatever_is_sent_the_answer_is_in_awss_shape_and_never_a_500(lab, body, target, code):
    status, answer = raw(lab, body, target)
    if code is None:
        assert status == 200
    else:
        assert (status, answer["__type"].rpartition("#")[2]) == (400, code)
        assert answer.get("message") or answer.get("Message")


def test_an_answer_has_only_what_the_installed_model_has(lab):
    from botocore.session import get_session

    arn = lab.run()
    lab.serve(count=1)
    lab.region.run_for("1m")
    model = get_session().get_service_model("ecs")
    for name, body in (("DescribeTasks", {"cluster": "demo", "tasks": [arn]}), ("DescribeServices", {"cluster": "demo", "services": ["web"]})):
        status, answer = raw(lab, json.dumps(body).encode(), name)
        assert status == 200
        _within(answer, model.operation_model(name).output_shape)


def _within(value, shape):
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members)
        for name, item in value.items():
            _within(item, shape.members[name])
    elif shape.type_name == "list":
        for item in value:
            _within(item, shape.member)


def test_another_aws_region_is_refused_by_name(lab):
    import boto3

    client = boto3.client("ecs", region_name="eu-west-1", endpoint_url=lab.region.endpoint_url)
    assert "region_name='us-east-1'" in refused(client.list_clusters)[1]


def test_two_simulated_runs_with_one_seed_print_the_same():
    from ecslab.region import start

    from .conftest import Lab

    def story(seed):
        with start(engine="simulated", seed=seed) as region:
            lab = Lab(region)
            lab.ecs.create_cluster(clusterName="demo")
            lab.define()
            lab.serve(count=2)
            region.run_for("2m")
            return json.dumps([lab.service(), lab.tasks()], default=str)

    assert story(7) == story(7) != story(8)


def test_starting_again_replaces_the_region_and_says_so_and_stop_restores_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    first = start(engine="simulated")
    second = start(engine="simulated")
    assert "Stopping the region that was running here" in capsys.readouterr().out
    assert first.is_stopped and os.environ["AWS_ENDPOINT_URL"] == second.endpoint_url and "AWS_PROFILE" not in os.environ
    second.stop()
    assert os.environ["AWS_PROFILE"] == "work" and "AWS_ENDPOINT_URL" not in os.environ


@pytest.mark.parametrize(
    "service, operation, parameters",
    [("cloudwatch", "describe_anomaly_detectors", {}), ("sns", "get_data_protection_policy", {"ResourceArn": "arn:aws:sns:us-east-1:123456789012:topic"})],
)
def test_what_moto_does_not_play_is_said_in_awss_shape(lab, service, operation, parameters):
    with pytest.raises(ClientError) as refused:
        getattr(lab.region.client(service), operation)(**parameters)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert operation in refused.value.response["Error"]["Message"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_image_of_a_private_registry_that_is_not_there_is_not_said_to_run(lab):
    lab.define("shop", image="123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1", executionRoleArn=role(lab, "execution", *PULL_AND_LOG))
    arn = lab.run("shop")
    lab.region.run_for("30s")
    assert lab.task(arn)["stoppedReason"].startswith("CannotPullContainerError")


def test_a_home_that_takes_no_more_files_keeps_no_region_from_starting(tmp_path, monkeypatch):
    (tmp_path / "botocore").write_text("a file where a folder should be made")
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path))
    with start(engine="simulated") as region:
        ecs = region.client("ecs")
        ecs.create_cluster(clusterName="demo")
        data = Path(os.environ["AWS_DATA_PATH"].split(os.pathsep)[0])
        assert data.is_dir() and not data.is_relative_to(tmp_path) and ecs.list_clusters()["clusterArns"]
