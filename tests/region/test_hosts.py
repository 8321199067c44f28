"""EC2 instances join and leave by themselves: RunInstances, Auto Scaling groups, types, machines of one's own."""
from __future__ import annotations

import base64

import pytest
from botocore.exceptions import ClientError

IMAGE = "ami-12c6146b"
JOIN = "#!/bin/bash\necho ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n"


def launch(lab, user_data=JOIN, count=1, **options):
    launched = lab.ec2.run_instances(**{"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": count, "MaxCount": count, "UserData": user_data, **options})
    return [i["InstanceId"] for i in launched["Instances"]]


def instances(lab, cluster="demo"):
    arns = lab.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    return lab.ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"] if arns else []


def resources(instance, kind="registeredResources"):
    return {r["name"]: r["integerValue"] for r in instance[kind]}


def attributes(instance):
    return {a["name"]: a.get("value") for a in instance["attributes"]}


@pytest.fixture
def small(lab):
    lab.define("small", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="128")
    return lab


def test_an_instance_with_ecs_cluster_in_its_user_data_joins_after_it_has_booted(lab):
    started = launch(lab, count=2)
    assert instances(lab) == []
    lab.region.run_for("1m")
    joined = instances(lab)
    assert sorted(i["ec2InstanceId"] for i in joined) == sorted(started)
    assert all(i["status"] == "ACTIVE" and i["agentConnected"] for i in joined)
    assert attributes(joined[0])["ecs.vpc-id"].startswith("vpc-") and attributes(joined[0])["ecs.ami-id"] == IMAGE


def test_an_instance_that_says_nothing_about_ecs_stays_out(lab):
    launch(lab, user_data="#!/bin/bash\nyum update\n")
    lab.region.run_for("2m")
    assert instances(lab) == []


def test_an_agent_whose_cluster_does_not_exist_joins_when_it_does(lab):
    launch(lab, user_data=JOIN.replace("demo", "later"))
    lab.region.run_for("2m")
    lab.ecs.create_cluster(clusterName="later")
    assert len(instances(lab, "later")) == 1


def test_user_data_gives_attributes_and_reserves_memory(lab):
    launch(lab, user_data=JOIN + 'ECS_INSTANCE_ATTRIBUTES={"stack":"prod"}\nECS_RESERVED_MEMORY=1000\n')
    lab.region.run_for("1m")
    joined = instances(lab)[0]
    assert attributes(joined)["stack"] == "prod" and resources(joined)["MEMORY"] == 7764 - 1000


@pytest.mark.parametrize(
    "kind, cpu, memory, architecture",
    [("t3.micro", 2048, 904, "x86_64"), ("m5.xlarge", 4096, 15720, "x86_64"), ("c7g.large", 2048, 4096 - 100 - 143, "arm64"), ("m5.16xlarge", 65536, None, "x86_64")],
)
def test_an_instance_registers_what_its_type_has(lab, kind, cpu, memory, architecture):
    lab.region.add_instance("demo", kind)
    joined = instances(lab)[0]
    assert resources(joined)["CPU"] == cpu and attributes(joined)["ecs.cpu-architecture"] == architecture
    assert resources(joined)["MEMORY"] == memory or memory is None and 245_000 < resources(joined)["MEMORY"] < 262_144


@pytest.mark.parametrize("kind, without, trunked", [("c5.large", 2, 10), ("m5.xlarge", 3, 20), ("g4dn.xlarge", 2, 2), ("t3.medium", 2, 2)])
def test_how_many_tasks_have_an_interface_of_their_own_depends_on_type_and_trunking(lab, kind, without, trunked):
    lab.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    network = {"awsvpcConfiguration": {"subnets": lab.subnets}}

    def fit():
        placed = 0
        while len(lab.ecs.run_task(cluster="demo", taskDefinition="own", launchType="EC2", networkConfiguration=network)["tasks"]):
            placed += 1
        return placed

    lab.region.add_instance("demo", kind)
    assert fit() == without
    lab.ecs.put_account_setting(name="awsvpcTrunking", value="enabled")
    assert fit() == 0, "an instance keeps what it had when it joined"
    lab.region.add_instance("demo", kind)
    assert fit() == trunked
    trunks = [attributes(i).get("ecs.awsvpc-trunk-id") for i in instances(lab)]
    known = {n["NetworkInterfaceId"] for n in lab.ec2.describe_network_interfaces()["NetworkInterfaces"]}
    assert len([t for t in trunks if t]) == (trunked > without) and {t for t in trunks if t} <= known


def test_gpus_are_handed_out_like_cpu(lab):
    lab.define("gpu", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="64", container={"resourceRequirements": [{"type": "GPU", "value": "1"}]})
    lab.region.add_instance("demo", "g4dn.xlarge")
    lab.region.add_instance("demo", "m5.large")
    answer = lab.ecs.run_task(cluster="demo", taskDefinition="gpu", launchType="EC2", count=2)
    assert len(answer["tasks"]) == 1 and {f["reason"] for f in answer["failures"]} == {"RESOURCE:GPU"}
    with_gpu = next(i for i in instances(lab) if i["containerInstanceArn"] == answer["tasks"][0]["containerInstanceArn"])
    listed = {kind: len(next(r for r in with_gpu[kind] if r["name"] == "GPU")["stringSetValue"]) for kind in ("registeredResources", "remainingResources")}
    assert listed == {"registeredResources": 1, "remainingResources": 0}


def test_a_terminated_instance_leaves_and_its_tasks_say_why(small):
    first, second = (small.region.add_instance("demo", zone=z) for z in ("us-east-1a", "us-east-1b"))
    small.serve("small", "small", count=2, launchType="EC2", networkConfiguration={})
    small.region.run_for("2m")
    lost = next(t["taskArn"] for t in small.tasks("small") if t["containerInstanceArn"] == first)
    gone = next(i["ec2InstanceId"] for i in instances(small) if i["containerInstanceArn"] == first)
    small.ec2.terminate_instances(InstanceIds=[gone])
    small.region.run_for("2m")
    stopped = small.task(lost)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("TerminationNotice", f"Host EC2 (instance {gone}) terminated.")
    assert "exitCode" not in stopped["containers"][0], "nobody was there to see how it ended"
    assert [i["containerInstanceArn"] for i in instances(small)] == [second]
    assert {t["containerInstanceArn"] for t in small.tasks("small")} == {second} and small.service("small")["runningCount"] == 2


def test_a_stopped_instance_is_not_connected_until_it_is_started_again(small):
    arn = small.region.add_instance("demo")
    small.serve("small", "small", count=1, launchType="EC2", networkConfiguration={})
    small.region.run_for("1m")
    machine = instances(small)[0]["ec2InstanceId"]
    small.ec2.stop_instances(InstanceIds=[machine])
    small.region.run_for("1m")
    shown = instances(small)[0]
    assert (shown["status"], shown["agentConnected"], shown["runningTasksCount"]) == ("ACTIVE", False, 0)
    health = small.ecs.describe_container_instances(cluster="demo", containerInstances=[arn], include=["CONTAINER_INSTANCE_HEALTH"])
    assert health["containerInstances"][0]["healthStatus"]["overallStatus"] == "INSUFFICIENT_DATA"
    assert small.messages("small")[-1].endswith('encountered error "AGENT".')
    small.ec2.start_instances(InstanceIds=[machine])
    small.region.run_for("2m")
    assert instances(small)[0]["agentConnected"] and [t["containerInstanceArn"] for t in small.tasks("small")] == [arn]


def test_an_auto_scaling_group_s_instances_join_spread_over_its_zones_and_are_replaced(lab):
    groups = lab.region.client("autoscaling")
    template = lab.ec2.create_launch_template(
        LaunchTemplateName="ecs", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.medium", "UserData": base64.b64encode(JOIN.encode()).decode()}
    )["LaunchTemplate"]["LaunchTemplateId"]
    zones = sorted(lab.ec2.describe_subnets()["Subnets"], key=lambda s: s["AvailabilityZone"])[:3]
    groups.create_auto_scaling_group(
        AutoScalingGroupName="ecs", MinSize=0, MaxSize=9, DesiredCapacity=3, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        VPCZoneIdentifier=",".join(s["SubnetId"] for s in zones),
    )
    lab.region.run_for("1m")
    joined = instances(lab)
    assert sorted(attributes(i)["ecs.availability-zone"] for i in joined) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert {attributes(i)["ecs.instance-type"] for i in joined} == {"t3.medium"}
    lost = joined[0]
    lab.region.fail_instance(lost["containerInstanceArn"])
    lab.region.run_for("2m")
    now = instances(lab)
    assert len(now) == 3 and lost["containerInstanceArn"] not in {i["containerInstanceArn"] for i in now}
    assert sorted(attributes(i)["ecs.availability-zone"] for i in now) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    lab.region.fail_zone("us-east-1a")
    lab.region.run_for("2m")
    assert sorted(attributes(i)["ecs.availability-zone"][-1] for i in instances(lab)) in (["b", "b", "c"], ["b", "c", "c"])
    lab.region.restore_zone("us-east-1a")
    for zone in "abc":
        lab.region.fail_zone(f"us-east-1{zone}")
    assert instances(lab) == [], "there is nowhere to launch another"
    lab.region.restore_zone("us-east-1c")
    lab.region.run_for("1m")
    assert [attributes(i)["ecs.availability-zone"][-1] for i in instances(lab)] == ["c", "c", "c"]
    groups.update_auto_scaling_group(AutoScalingGroupName="ecs", DesiredCapacity=1)
    lab.region.run_for("1m")
    assert len(instances(lab)) == 1


def test_a_group_on_spot_replaces_what_is_taken_back(lab):
    groups = lab.region.client("autoscaling")
    data = {"ImageId": IMAGE, "InstanceType": "t3.medium", "UserData": base64.b64encode(JOIN.encode()).decode(), "InstanceMarketOptions": {"MarketType": "spot"}}
    lab.ec2.create_launch_template(LaunchTemplateName="spot", LaunchTemplateData=data)
    groups.create_auto_scaling_group(
        AutoScalingGroupName="spot", MinSize=0, MaxSize=3, DesiredCapacity=2, LaunchTemplate={"LaunchTemplateName": "spot"}, VPCZoneIdentifier=lab.subnets[0]
    )
    lab.region.run_for("1m")
    told = lab.region.interrupt_spot()
    assert sorted(told) == sorted(i["containerInstanceArn"] for i in instances(lab))
    lab.region.run_for("3m")
    assert len(instances(lab)) == 2 and not set(told) & {i["containerInstanceArn"] for i in instances(lab)}


def test_instances_and_tasks_never_share_an_address(lab):
    lab.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    for _ in range(3):
        lab.run("web", networkConfiguration={"awsvpcConfiguration": {"subnets": lab.subnets[:1]}})
        launch(lab, SubnetId=lab.subnets[0])
    addresses = [n["PrivateIpAddress"] for n in lab.ec2.describe_network_interfaces()["NetworkInterfaces"]]
    assert len(addresses) == len(set(addresses)) == 6


def test_a_type_that_does_not_exist_is_refused(lab):
    with pytest.raises(ValueError, match="There is no EC2 instance type 'm5.huge'"):
        lab.region.add_instance("demo", "m5.huge")
    with pytest.raises(ClientError, match="The instance type m5.huge does not exist"):
        lab.ecs.register_container_instance(cluster="demo", instanceIdentityDocument='{"instanceId": "i-1", "instanceType": "m5.huge"}')


def test_tasks_of_launch_type_external_run_on_machines_of_one_s_own_and_on_no_other(lab):
    lab.define("own", networkMode="bridge", requiresCompatibilities=["EC2", "EXTERNAL"], cpu="128", memory="64")
    lab.region.add_instance("demo")
    run = {"cluster": "demo", "taskDefinition": "own"}
    with pytest.raises(ClientError, match="No Container Instances were found in your cluster."):
        lab.ecs.run_task(launchType="EXTERNAL", **run)
    arn = lab.region.add_external_instance("demo", vcpus=4, memory=8192)
    task = lab.ecs.run_task(launchType="EXTERNAL", **run)["tasks"][0]
    lab.region.run_for("1m")
    shown = next(i for i in instances(lab) if i["containerInstanceArn"] == arn)
    assert shown["ec2InstanceId"].startswith("mi-") and resources(shown)["CPU"] == 4096
    assert task["launchType"] == "EXTERNAL" and task["containerInstanceArn"] == arn and lab.task(task["taskArn"])["lastStatus"] == "RUNNING"
    assert lab.ecs.run_task(launchType="EC2", **run)["tasks"][0]["containerInstanceArn"] != arn


NOT_OUTSIDE_AWS = [
    ({"loadBalancers": [{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/1", "containerName": "app", "containerPort": 80}]}, "does not support load balancers"),
    ({"placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}]}, "spreading tasks across Availability Zones"),
    ({"serviceConnectConfiguration": {"enabled": True, "namespace": "inside"}}, "does not support Service Connect"),
    ({"availabilityZoneRebalancing": "ENABLED"}, "Availability Zone Rebalancing needs"),
]


def test_a_service_on_machines_of_one_s_own_does_without_what_needs_aws(lab):
    lab.define("own", networkMode="bridge", requiresCompatibilities=["EXTERNAL"], cpu="128", memory="64")
    lab.region.add_external_instance("demo")
    for options, words in NOT_OUTSIDE_AWS:
        with pytest.raises(ClientError, match=words):
            lab.ecs.create_service(cluster="demo", serviceName="own", taskDefinition="own", desiredCount=1, launchType="EXTERNAL", **options)
    assert lab.ecs.list_services(cluster="demo")["serviceArns"] == []
