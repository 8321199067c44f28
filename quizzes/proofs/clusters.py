"""Proofs of questions on clusters and capacity."""
from collections import Counter

from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import APP, Demo

PROVIDERS = ["FARGATE", "FARGATE_SPOT"]


def share(name, weight, base=0):
    return {"capacityProvider": name, "base": base, "weight": weight}


def providers(demo, default=()):
    demo.ecs.put_cluster_capacity_providers(cluster="demo", capacityProviders=PROVIDERS, defaultCapacityProviderStrategy=list(default))


def by_provider(tasks):
    return Counter(task.get("capacityProviderName") for task in tasks)


@proof("clusters.one-cluster-many-kinds", a=["EC2"], c=["EC2", "FARGATE"])
def one_cluster_many_kinds(aws, region, say):
    """A service on EC2, and a task on Fargate in the same cluster."""
    demo = Demo(aws, region)
    region.add_instance("demo")
    demo.on_ec2()
    demo.serve_on_ec2(1)
    demo.define("far")
    refused(demo.run, "far")
    region.run_for("5m")
    kinds = sorted({task["launchType"] for task in demo.running()})
    say(f"Launch types of the tasks that run: {', '.join(kinds)}.")
    return kinds


@proof("clusters.default-strategy-applies", a="refused", b="FARGATE", c=None, d="FARGATE_SPOT")
def default_strategy_applies(aws, region, say):
    """RunTask without launch type and strategy, where the cluster has a default one."""
    demo = Demo(aws, region)
    providers(demo, [share("FARGATE_SPOT", 1)])
    demo.define()
    try:
        (task,) = demo.ecs.run_task(cluster="demo", taskDefinition="web", networkConfiguration=demo.network())["tasks"]
    except demo.ecs.exceptions.ClientError as error:
        say(str(error))
        return "refused"
    say(f"Its capacity provider is {task.get('capacityProviderName')}.")
    return task.get("capacityProviderName")


@proof("clusters.choose-base-and-weight", a="a", b="b", c="c", d="d")
def choose_base_and_weight(aws, region, say):
    """Twelve tasks under each of the strategies: with which are 4 on demand and 8 on Spot?"""
    demo = Demo(aws, region)
    providers(demo)
    demo.define()
    offers = {"a": ((2, 4), (0, 1)), "b": ((2, 1), (8, 4)), "c": ((2, 1), (0, 4)), "d": ((0, 2), (0, 10))}
    right = ""
    for letter, shares in offers.items():
        strategy = [share(name, weight, base) for name, (base, weight) in zip(PROVIDERS, shares)]
        error = refused(demo.serve, 12, launchType=None, capacityProviderStrategy=strategy)
        region.run_for("5m")
        found = by_provider(demo.running(serviceName="web")) if not error else {}
        say(f"{letter}: {error or dict(found)}")
        right += letter if found == {"FARGATE": 4, "FARGATE_SPOT": 8} else ""
        if not error:
            demo.ecs.delete_service(cluster="demo", service="web", force=True)
            region.run_for("10m")
    return right


@proof("clusters.strategy-change-moves-nothing", b=0, c=10)
def strategy_change_moves_nothing(aws, region, say):
    """How many of ten tasks are on Spot, ten minutes after the strategy was changed?"""
    demo = Demo(aws, region)
    providers(demo)
    demo.define()
    demo.serve(10, launchType=None, capacityProviderStrategy=[share("FARGATE", 1)])
    region.run_for("5m")
    demo.update(capacityProviderStrategy=[share("FARGATE_SPOT", 1)])
    region.run_for("10m")
    say(f"Ten minutes later: {dict(by_provider(demo.running()))}.")
    return by_provider(demo.running())["FARGATE_SPOT"]


@proof("clusters.spot-share")
def spot_share(aws, region, say):
    """Seventeen tasks under the strategy."""
    demo = Demo(aws, region)
    providers(demo)
    demo.define()
    demo.serve(17, launchType=None, capacityProviderStrategy=[share("FARGATE", 1, 2), share("FARGATE_SPOT", 4)])
    region.run_for("5m")
    say(f"They run on {dict(by_provider(demo.running()))}.")
    return by_provider(demo.running())["FARGATE_SPOT"]


@proof("clusters.distinct-instance-shortage", a=3, b=5, c=0, d="refused")
def distinct_instance_shortage(aws, region, say):
    """Five tasks that want instances of their own, and three instances."""
    demo = Demo(aws, region)
    for _ in range(3):
        region.add_instance("demo")
    demo.on_ec2()
    error = refused(demo.serve_on_ec2, 5, placementConstraints=[{"type": "distinctInstance"}])
    if error:
        say(error)
        return "refused"
    region.run_for("10m")
    say(f"{len(demo.running())} tasks run. {demo.events()[-1]}")
    return len(demo.running())


@proof("clusters.drain-that-never-ends", b=(False, False), c=(False, True))
def drain_that_never_ends(aws, region, say):
    """Does the one task leave a draining instance: with 50/100, and with 50/200?"""
    demo = Demo(aws, region)
    region.add_instance("demo")
    region.add_instance("demo")
    demo.on_ec2()
    demo.serve_on_ec2(1, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    region.run_for("5m")
    there = demo.running()[0]["containerInstanceArn"]
    demo.ecs.update_container_instances_state(cluster="demo", containerInstances=[there], status="DRAINING")
    left = []
    for maximum in (100, 200):
        demo.update(deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": maximum})
        region.run_for("1h")
        left.append(all(task["containerInstanceArn"] != there for task in demo.running()))
        say(f"maximumPercent {maximum}: after an hour the task {'has left' if left[-1] else 'is still there'}.")
    return tuple(left)


@proof("clusters.what-draining-does")
def what_draining_does(aws, region, say):
    """A service's task, a daemon's and a standalone one on an instance that is drained."""
    demo = Demo(aws, region)
    first = region.add_instance("demo")
    demo.on_ec2()
    demo.serve_on_ec2(1)
    demo.ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="web", schedulingStrategy="DAEMON", launchType="EC2")
    alone = demo.ecs.run_task(cluster="demo", taskDefinition="web", launchType="EC2")["tasks"][0]["taskArn"]
    region.run_for("5m")
    region.add_instance("demo")
    demo.ecs.update_container_instances_state(cluster="demo", containerInstances=[first], status="DRAINING")
    late = demo.ecs.run_task(cluster="demo", taskDefinition="web", launchType="EC2", count=3)["tasks"]
    region.run_for("15m")
    here = [task for task in demo.running() if task["containerInstanceArn"] == first]
    (record,) = demo.ecs.describe_container_instances(cluster="demo", containerInstances=[first])["containerInstances"]
    found = {
        "a": all(task["taskArn"] != alone for task in here),
        "b": all(task["group"] != "service:web" for task in here) and len(demo.running(serviceName="web")) == 1,
        "c": any(task["taskArn"] in {one["taskArn"] for one in late} for task in here),
        "e": any(task["taskArn"] == alone for task in here),
        "f": record["status"] == "INACTIVE",
    }
    say(f"Still on the draining instance: {', '.join(sorted(task['group'] for task in here)) or 'nothing'}.")
    demo.ecs.stop_task(cluster="demo", task=alone)
    region.run_for("15m")
    (record,) = demo.ecs.describe_container_instances(cluster="demo", containerInstances=[first])["containerInstances"]
    found["d"] = record["runningTasksCount"] > 0
    say(f"When the standalone task has been stopped, {record['runningTasksCount']} tasks are left on it.")
    return {letter for letter, true in found.items() if true}


@proof("clusters.tasks-per-instance")
def tasks_per_instance(aws, region, say):
    """As many tasks of 256 CPU units and 700 MiB as an instance of 2 vCPU and 4 GiB takes."""
    demo = Demo(aws, region)
    region.add_instance("demo", "c5.large")
    one = {"name": "app", "image": APP}
    demo.ecs.register_task_definition(
        family="web", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="256", memory="700", containerDefinitions=[one]
    )
    demo.serve_on_ec2(9)
    region.run_for("10m")
    say(f"{len(demo.running())} tasks run. {demo.events()[-1]}")
    return len(demo.running())


@proof("clusters.insights-is-a-cluster-setting", b="waiting", c="the setting")
def insights_is_a_cluster_setting(aws, region, say):
    """Are there counts of tasks after half an hour, or after Container Insights was turned on?"""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(1)

    def counted():
        pages = aws.client("cloudwatch").get_paginator("list_metrics").paginate(MetricName="RunningTaskCount")
        return any(page["Metrics"] for page in pages)

    region.run_for("30m")
    if counted():
        return "waiting"
    demo.ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
    region.run_for("5m")
    say(f"After half an hour: none. With Container Insights: {'there they are' if counted() else 'none'}.")
    return "the setting" if counted() else "neither"


@proof("clusters.query-expression", a="a", b="b", c="c", d="d")
def query_expression(aws, region, say):
    """The four expressions as a filter on instances: which finds the g5 that is not in us-east-1d?"""
    demo = Demo(aws, region)
    wanted = region.add_instance("demo", "g5.xlarge", "us-east-1a")
    region.add_instance("demo", "g5.xlarge", "us-east-1d")
    region.add_instance("demo", "m5.large", "us-east-1a")
    offers = {
        "a": "ecs.instance-type LIKE 'g5.%' AND NOT ecs.availability-zone = 'us-east-1d'",
        "b": "attribute:ecs.instance-type == g5 and attribute:ecs.availability-zone !exists us-east-1d",
        "c": "attribute:ecs.instance-type in [g5.*] and attribute:ecs.availability-zone !in us-east-1d",
        "d": "attribute:ecs.instance-type =~ g5.* and attribute:ecs.availability-zone != us-east-1d",
    }
    right = ""
    for letter, expression in offers.items():
        error = refused(demo.ecs.list_container_instances, cluster="demo", filter=expression)
        found = [] if error else demo.ecs.list_container_instances(cluster="demo", filter=expression)["containerInstanceArns"]
        say(f"{letter}: {error or f'{len(found)} found'}")
        right += letter if found == [wanted] else ""
    return right


@proof("clusters.namespace-is-only-a-default", a=(1, 502), b=(0, 200), d=(0, 502))
def namespace_is_only_a_default(aws, region, say):
    """A default namespace for a cluster with two services: new deployments, and a call by name."""
    demo = Demo(aws, region)
    demo.define("web", container={"portMappings": [{"containerPort": 80, "name": "http"}]})
    demo.serve(1, "web")
    demo.ecs.create_service(
        cluster="demo", serviceName="orders", taskDefinition="web", desiredCount=1, launchType="FARGATE", networkConfiguration=demo.network()
    )
    region.run_for("5m")
    before = demo.service()["deployments"][0]["id"]
    aws.client("servicediscovery").create_http_namespace(Name="internal")
    demo.ecs.update_cluster(cluster="demo", serviceConnectDefaults={"namespace": "internal"})
    region.run_for("15m")
    new = demo.service()["deployments"][0]["id"] != before
    (task,) = demo.running(serviceName="web")
    status = region.get(f"{demo.address(task['taskArn'])}/call?to=http.internal:80/").status
    say(f"{'A' if new else 'No'} new deployment; the call by name {'succeeds' if status == 200 else 'fails'}.")
    return int(new), status
