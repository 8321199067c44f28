"""Capacity providers through the region: their life, strategies, waiting tasks, managed scaling, protection and draining."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ecslab.region import start
from tests.region.conftest import Lab

JOIN = "#!/bin/bash\necho ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n"
SCALING = {"status": "ENABLED", "targetCapacity": 100, "instanceWarmupPeriod": 60}


def group(lab, name, desired=0, most=10, least=0, protected=False, joins=True):
    """An Auto Scaling group of m5.large (2048 CPU units each); its ARN."""
    asg = lab.region.client("autoscaling")
    asg.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12c6146b", InstanceType="m5.large", UserData=JOIN if joins else "")
    asg.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=least,
        MaxSize=most,
        DesiredCapacity=desired,
        VPCZoneIdentifier=",".join(lab.subnets[:2]),
        NewInstancesProtectedFromScaleIn=protected,
    )
    return asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["AutoScalingGroupARN"]


def provide(lab, name="one", scaling=SCALING, associate=True, **options):
    """A group and its provider, the only one of the cluster unless told otherwise."""
    settings = {key: options.pop(key) for key in ("managedTerminationProtection", "managedDraining") if key in options}
    arn = group(lab, name, **options)
    lab.ecs.create_capacity_provider(
        name=name, autoScalingGroupProvider={"autoScalingGroupArn": arn, **({"managedScaling": scaling} if scaling else {}), **settings}
    )
    if associate:
        give(lab, name)
    lab.region.run_for("1m")
    return arn


def give(lab, *names, default=()):
    return lab.ecs.put_cluster_capacity_providers(cluster="demo", capacityProviders=list(names), defaultCapacityProviderStrategy=list(default))["cluster"]


def share(name, weight=1, base=0):
    return {"capacityProvider": name, "weight": weight, "base": base}


def provider(lab, name="one"):
    return lab.ecs.describe_capacity_providers(capacityProviders=[name])["capacityProviders"][0]


def asg(lab, name="one"):
    return lab.region.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def on_providers(lab, service="web"):
    """How many tasks each provider has."""
    names = [t["capacityProviderName"] for t in lab.tasks(service)]
    return {name: names.count(name) for name in sorted(set(names))}


def run(lab, count=1, *shares, **options):
    return lab.ecs.run_task(cluster="demo", taskDefinition="half", count=count, capacityProviderStrategy=list(shares or [share("one")]), **options)


def said(call, *args, **options):
    """"Code: message" of the refusal."""
    with pytest.raises(ClientError) as refusal:
        call(*args, **options)
    error = refusal.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.fixture
def half(lab):
    """The lab with a definition of which two tasks fill an m5.large."""
    lab.define("half", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="1024", memory="256", container={"portMappings": []})
    return lab


# The provider's life ------------------------------------------------------------------


def test_a_provider_is_created_with_the_documented_defaults_and_its_tags(half):
    arn = group(half, "one")
    made = half.ecs.create_capacity_provider(
        name="one", autoScalingGroupProvider={"autoScalingGroupArn": arn, "managedScaling": {}}, tags=[{"key": "team", "value": "a"}]
    )["capacityProvider"]
    assert made["status"] == "ACTIVE" and made["type"] == "EC2_AUTOSCALING" and made["tags"] == [{"key": "team", "value": "a"}]
    assert made["autoScalingGroupProvider"] == {
        "autoScalingGroupArn": arn,
        "managedScaling": {"status": "ENABLED", "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000, "instanceWarmupPeriod": 300},
        "managedTerminationProtection": "DISABLED",
        "managedDraining": "ENABLED",
    }
    assert half.ecs.list_tags_for_resource(resourceArn=made["capacityProviderArn"])["tags"] == made["tags"]


def test_providers_are_refused_in_ecs_words(half):
    arn = group(half, "one")
    create = half.ecs.create_capacity_provider

    def refusal(name="new", where=arn, **options):
        return said(create, name=name, autoScalingGroupProvider={"autoScalingGroupArn": where, **options})

    for name in ("aws-one", "ecsone", "FargateOne", "a b"):
        assert refusal(name).startswith("ClientException: The specified capacity provider name is invalid.")
    assert refusal(where=arn.replace("/one", "/two").replace(":autoScalingGroup:", ":autoScalingGroup:x")).startswith("ClientException: The specified Auto Scaling group was not found.")
    assert "target capacity value is invalid" in refusal(managedScaling={"targetCapacity": 101})
    steps = {"minimumScalingStepSize": 5, "maximumScalingStepSize": 2}
    assert refusal(managedScaling=steps).startswith("ClientException: The minimum or maximum scaling step size value is invalid.")
    assert "must have instance protection from scale in enabled" in refusal(managedScaling={}, managedTerminationProtection="ENABLED")
    assert "managed scaling must be enabled" in refusal(managedTerminationProtection="ENABLED")
    create(name="one", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    assert refusal("one").startswith("ClientException: The specified capacity provider already exists.")
    assert "already being used by another capacity provider" in refusal("two")


def test_an_update_takes_a_moment_and_keeps_what_it_does_not_name(half):
    provide(half)
    update = {"name": "one", "autoScalingGroupProvider": {"managedScaling": {"targetCapacity": 80}}}
    updated = half.ecs.update_capacity_provider(**update)["capacityProvider"]
    assert updated["updateStatus"] == "UPDATE_IN_PROGRESS"
    assert said(half.ecs.update_capacity_provider, **update).startswith("UpdateInProgressException")
    half.region.run_for("10s")
    assert provider(half)["updateStatus"] == "UPDATE_COMPLETE"
    scaling = provider(half)["autoScalingGroupProvider"]["managedScaling"]
    assert (scaling["targetCapacity"], scaling["instanceWarmupPeriod"], scaling["status"]) == (80, 60, "ENABLED")


def test_a_provider_is_deleted_only_when_no_cluster_has_it(half):
    provide(half)
    refused = half.ecs.delete_capacity_provider(capacityProvider="one")["capacityProvider"]
    assert (refused["status"], refused["updateStatus"]) == ("ACTIVE", "DELETE_FAILED")
    assert "it is associated with cluster: demo" in refused["updateStatusReason"]
    give(half)
    half.region.run_for("10s")
    assert half.ecs.delete_capacity_provider(capacityProvider="one")["capacityProvider"]["updateStatus"] == "DELETE_IN_PROGRESS"
    half.region.run_for("10s")
    assert (provider(half)["status"], provider(half)["updateStatus"]) == ("INACTIVE", "DELETE_COMPLETE")
    assert "cannot be deleted" in said(half.ecs.delete_capacity_provider, capacityProvider="FARGATE")


def test_describe_lists_fargates_providers_and_says_what_is_missing(half):
    provide(half)
    assert [p["name"] for p in half.ecs.describe_capacity_providers()["capacityProviders"]] == ["FARGATE", "FARGATE_SPOT", "one"]
    assert [p["name"] for p in half.ecs.describe_capacity_providers(cluster="demo")["capacityProviders"]] == ["one"]
    assert half.ecs.describe_capacity_providers(capacityProviders=["none"])["failures"][0]["reason"] == "MISSING"


# Clusters and their providers ---------------------------------------------------------


def test_attachments_are_made_while_the_cluster_is_busy_and_go_with_the_provider(half):
    group(half, "one")
    half.ecs.create_capacity_provider(name="one", autoScalingGroupProvider={"autoScalingGroupArn": "one", "managedScaling": SCALING})
    cluster = give(half, "one")
    assert cluster["attachmentsStatus"] == "UPDATE_IN_PROGRESS"
    assert said(give, half).startswith("UpdateInProgressException: The specified cluster is in a busy state.")
    half.region.run_for("10s")
    cluster = half.ecs.describe_clusters(clusters=["demo"], include=["ATTACHMENTS"])["clusters"][0]
    assert cluster["attachmentsStatus"] == "UPDATE_COMPLETE" and cluster["capacityProviders"] == ["one"]
    assert {(a["type"], a["status"]) for a in cluster["attachments"]} == {("as_policy", "CREATED"), ("managed_draining", "CREATED")}
    scaling = half.region.client("autoscaling")
    policy = scaling.describe_policies(AutoScalingGroupName="one")["ScalingPolicies"][0]
    assert policy["PolicyName"].startswith("ECSManagedAutoScalingPolicy-") and policy["TargetTrackingConfiguration"]["TargetValue"] == 100
    hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName="one")["LifecycleHooks"]
    assert [h["LifecycleHookName"] for h in hooks] == ["ecs-managed-draining-termination-hook"]
    assert "AmazonECSManaged" in [t["Key"] for t in asg(half)["Tags"]]
    give(half)
    assert scaling.describe_policies(AutoScalingGroupName="one")["ScalingPolicies"] == []


def test_a_provider_in_use_is_not_removed(half):
    provide(half, desired=1)
    task = run(half)["tasks"][0]["taskArn"]
    assert said(give, half) == "ResourceInUseException: The specified capacity provider is in use and cannot be removed."
    half.ecs.stop_task(cluster="demo", task=task)
    half.region.run_for("2m")
    assert give(half)["capacityProviders"] == []


def test_a_provider_with_managed_scaling_belongs_to_one_cluster(half):
    provide(half)
    half.ecs.create_cluster(clusterName="other")
    refusal = said(half.ecs.put_cluster_capacity_providers, cluster="other", capacityProviders=["one"], defaultCapacityProviderStrategy=[])
    assert refusal.startswith("InvalidParameterException") and "one cluster only" in refusal


def test_fargate_and_groups_do_not_mix_in_a_strategy(half):
    provide(half, associate=False)
    give(half, "FARGATE", "one")
    assert "cannot contain a mix of capacity providers" in said(run, half, 1, share("FARGATE"), share("one"))


# Strategies ---------------------------------------------------------------------------


@pytest.mark.parametrize("count, first, second", [(1, 1, 0), (2, 2, 0), (4, 3, 1), (6, 4, 2), (10, 6, 4)])
def test_base_goes_first_and_weights_share_the_rest(half, count, first, second):
    provide(half, "one", scaling=None, desired=5, associate=False)
    provide(half, "two", scaling=None, desired=5, associate=False)
    give(half, "one", "two", default=[share("one", 1, base=2), share("two", 1)])
    half.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="half", desiredCount=count)
    half.region.run_for("2m")
    assert on_providers(half) == {name: n for name, n in (("one", first), ("two", second)) if n}
    assert {t["launchType"] for t in half.tasks()} == {"EC2"}


def test_tasks_run_only_on_instances_of_their_own_provider(half):
    provide(half, "one", scaling=None, desired=1, associate=False)
    provide(half, "two", scaling=None, desired=1, associate=False)
    give(half, "one", "two")
    answer = run(half, 3, share("two"))
    assert len(answer["tasks"]) == 2 and [f["reason"] for f in answer["failures"]] == ["RESOURCE:CPU"]
    here = half.ecs.describe_container_instances(cluster="demo", containerInstances=[t["containerInstanceArn"] for t in answer["tasks"]])
    assert {i["capacityProviderName"] for i in here["containerInstances"]} == {"two"}


def test_an_empty_provider_without_managed_scaling_refuses_tasks(half):
    provide(half, scaling=None)
    assert said(run, half) == "InvalidParameterException: No Container Instances were found in your capacity provider."


# Managed scaling ----------------------------------------------------------------------


def reservation(lab, minutes=60):
    now = lab.region.now()
    points = lab.region.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ECS/ManagedScaling",
        MetricName="CapacityProviderReservation",
        Dimensions=[{"Name": "ClusterName", "Value": "demo"}, {"Name": "CapacityProviderName", "Value": "one"}],
        StartTime=now.timestamp() - 60 * minutes,
        EndTime=now,
        Period=60,
        Statistics=["Average"],
    )["Datapoints"]
    return [p["Average"] for p in sorted(points, key=lambda p: p["Timestamp"])]


def test_a_group_grows_from_zero_by_two_and_the_task_that_waited_runs(half):
    provide(half)
    task = run(half)["tasks"][0]
    assert task["lastStatus"] == "PROVISIONING" and "containerInstanceArn" not in task
    half.region.run_for("30s")
    assert half.task(task["taskArn"])["lastStatus"] == "PROVISIONING"
    half.region.run_for("2m")
    assert half.task(task["taskArn"])["lastStatus"] == "RUNNING"
    assert asg(half)["DesiredCapacity"] == 2
    assert 200.0 in reservation(half)


def test_a_group_grows_by_what_the_waiting_tasks_need_at_once(half):
    provide(half, desired=1)
    run(half, 2)
    run(half, 7)
    half.region.run_for("1m")
    assert asg(half)["DesiredCapacity"] == 5  # nine tasks, two an instance
    half.region.run_for("4m")
    assert asg(half)["DesiredCapacity"] == 5 and reservation(half)[-1] == 100
    assert len(half.ecs.list_tasks(cluster="demo", desiredStatus="RUNNING")["taskArns"]) == 9


def test_steps_and_the_groups_maximum_bound_growth(half):
    provide(half, scaling={**SCALING, "maximumScalingStepSize": 2}, desired=1, most=4)
    run(half, 10)
    half.region.run_for("1m")
    assert asg(half)["DesiredCapacity"] == 3
    half.region.run_for("5m")
    assert asg(half)["DesiredCapacity"] == 4


def test_a_target_below_100_keeps_spare_instances(half):
    provide(half, scaling={**SCALING, "targetCapacity": 80})
    run(half, 8, placementStrategy=[{"type": "binpack", "field": "cpu"}])
    half.region.run_for("5m")
    assert asg(half)["DesiredCapacity"] == 5 and reservation(half)[-1] == 80  # four in use


def test_a_group_shrinks_to_zero_after_fifteen_minutes_without_tasks(half):
    provide(half, desired=1)
    task = run(half)["tasks"][0]["taskArn"]
    half.region.run_for("5m")
    half.ecs.stop_task(cluster="demo", task=task)
    half.region.run_for("14m")
    assert asg(half)["DesiredCapacity"] == 1 and reservation(half)[-1] == 0
    half.region.run_for("3m")
    assert asg(half)["DesiredCapacity"] == 0 and asg(half)["Instances"] == []
    assert half.ecs.list_container_instances(cluster="demo")["containerInstanceArns"] == []


def test_an_instance_with_only_daemon_tasks_is_idle(half):
    provide(half, desired=1)
    half.ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="half", schedulingStrategy="DAEMON", launchType="EC2")
    half.region.run_for("20m")
    assert asg(half)["DesiredCapacity"] == 0


def test_tasks_with_launch_type_ec2_make_no_group_grow(half):
    provide(half, desired=1)
    answer = half.ecs.run_task(cluster="demo", taskDefinition="half", count=4, launchType="EC2")
    assert len(answer["tasks"]) == 2
    half.region.run_for("3m")
    assert asg(half)["DesiredCapacity"] == 1


def test_a_service_waits_for_instances_and_becomes_steady(half):
    provide(half)
    half.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="half", desiredCount=6, capacityProviderStrategy=[share("one")])
    half.region.run_for("5m")
    service = half.service()
    assert (service["runningCount"], service["pendingCount"]) == (6, 0)
    assert asg(half)["DesiredCapacity"] == 3


def test_a_waiting_task_has_its_interface_once_it_has_an_instance(half):
    half.define("own", requiresCompatibilities=["EC2"], cpu="128", memory="64")
    provide(half)
    arn = half.ecs.run_task(cluster="demo", taskDefinition="own", capacityProviderStrategy=[share("one")], networkConfiguration=half.network)["tasks"][0]["taskArn"]
    assert half.task(arn)["attachments"] == []
    half.region.run_for("3m")
    assert half.task(arn)["lastStatus"] == "RUNNING" and half.task(arn)["attachments"][0]["status"] == "ATTACHED"


def test_a_task_nothing_comes_for_fails_to_start_and_says_why(half):
    provide(half, joins=False)
    arn = run(half)["tasks"][0]["taskArn"]
    half.region.run_for("31m")
    task = half.task(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", "TaskFailedToStart: EMPTY CAPACITY PROVIDER")


def test_no_group_grows_for_tasks_that_none_of_its_instances_could_take(half):
    half.define("huge", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="4096", memory="256", container={"portMappings": []})
    provide(half)
    half.ecs.run_task(cluster="demo", taskDefinition="huge", capacityProviderStrategy=[share("one")])
    half.region.run_for("5m")
    assert asg(half)["DesiredCapacity"] == 0


def test_at_most_five_hundred_tasks_of_a_cluster_wait(half):
    provide(half, most=0)
    half.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="half", desiredCount=600, capacityProviderStrategy=[share("one")])
    assert half.service()["pendingCount"] == 500
    assert "No Container Instances were found" in said(run, half)


def test_two_runs_with_one_seed_grow_alike():
    def story():
        with start(engine="simulated", seed=7) as region:
            lab = Lab(region)
            lab.ecs.create_cluster(clusterName="demo")
            lab.define("half", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="1024", memory="256", container={"portMappings": []})
            provide(lab)
            run(lab, 5)
            region.run_for("5m")
            lab.region.client("autoscaling").set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=1)
            region.run_for("5m")
            arns = lab.ecs.list_tasks(cluster="demo", desiredStatus="RUNNING")["taskArns"]
            hosts = [i["InstanceId"] for i in asg(lab)["Instances"]]
            return arns, hosts, reservation(lab)

    assert story() == story()


# Which instances go -------------------------------------------------------------------


def test_managed_termination_protection_keeps_the_instances_that_run_tasks(half):
    provide(half, desired=2, protected=True, managedTerminationProtection="ENABLED")
    kept = half.task(run(half)["tasks"][0]["taskArn"])["containerInstanceArn"]
    kept = half.ecs.describe_container_instances(cluster="demo", containerInstances=[kept])["containerInstances"][0]["ec2InstanceId"]
    half.region.run_for("2m")
    assert {i["InstanceId"]: i["ProtectedFromScaleIn"] for i in asg(half)["Instances"]}[kept]
    half.region.client("autoscaling").set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=0)
    assert [i["InstanceId"] for i in asg(half)["Instances"]] == [kept]


def test_managed_draining_moves_a_service_before_its_instance_ends(half):
    provide(half, desired=2)
    half.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="half", desiredCount=2, capacityProviderStrategy=[share("one")])
    half.region.run_for("2m")
    half.region.client("autoscaling").set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=1)
    states = sorted(i["LifecycleState"] for i in asg(half)["Instances"])
    assert states == ["InService", "Terminating:Wait"]
    half.region.run_for("3m")
    assert [i["LifecycleState"] for i in asg(half)["Instances"]] == ["InService"]
    stopped = half.tasks(status="STOPPED")
    assert half.service()["runningCount"] == 2 and "Scaling activity" in stopped[0]["stoppedReason"]


def test_without_managed_draining_tasks_are_lost_with_their_instance(half):
    provide(half, desired=1, managedDraining="DISABLED")
    arn = run(half)["tasks"][0]["taskArn"]
    half.region.run_for("1m")
    half.region.client("autoscaling").set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=0)
    half.region.run_for("1m")
    assert "terminated" in half.task(arn)["stoppedReason"]
