"""Exercises of lab 05: instances, placement, draining, daemons and Spot."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"
INSTANCES = "describe_container_instances"
SERVICE = "describe_services -> services[0]"


def _instances(aws):
    """Every container instance of the cluster; its attributes under `has`."""
    if aws.cluster(CLUSTER) is None:
        return []
    arns = aws.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    found = aws.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"] if arns else []
    for one in found:
        one["has"] = {a["name"]: a.get("value") for a in one["attributes"]}
    return found


def _gone(name, cluster=CLUSTER):
    return [Saw(False, f"no service {name!r} in the cluster {cluster!r}", f"a service named {name!r}", "describe_services")]


def _running(aws, cluster=CLUSTER, **filters):
    return [t for t in aws.tasks(cluster, **filters) if t["lastStatus"] == "RUNNING"]


def _steady(service, count):
    running = service["runningCount"]
    return Saw(running == service["desiredCount"] == count, f"{running} tasks running, {service['desiredCount']} desired", f"{count} of {count}", f"{SERVICE}.runningCount")


@exercise(
    "clusters.join",
    title="Let an instance join",
    task="""
    Launch an EC2 instance of type `t3.medium` in `us-east-1a` with `ec2.run_instances` (image `ami-12c6146b`). Its user data must make it
    join the cluster `demo` with the custom attribute `stack` = `prod`. Give it 40 seconds to boot.
    """,
    hints=[
        "Nobody tells the cluster about the instance. The agent on the instance must know the cluster's name.",
        "The agent reads `/etc/ecs/ecs.config`. The user data writes two lines into it: `ECS_CLUSTER=...` and `ECS_INSTANCE_ATTRIBUTES={...}`.",
        'The lines are `ECS_CLUSTER=demo` and `ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}`; a `SubnetId` in `us-east-1a` puts it in the zone.',
        """
        ```python
        user_data = '''#!/bin/bash
        cat <<'END' >> /etc/ecs/ecs.config
        ECS_CLUSTER=demo
        ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}
        END
        '''
        subnet = next(s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if s["AvailabilityZone"] == "us-east-1a")
        ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.medium", MinCount=1, MaxCount=1, SubnetId=subnet, UserData=user_data)
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    The instance registered itself. On AWS it also needs an instance role that may call ECS, an image with the agent on it, and a way out to
    the ECS endpoints; when one of the three is missing, the instance runs and the cluster stays empty.
    """,
)
def join(aws):
    found = _instances(aws)
    here = [i for i in found if i["has"].get("ecs.availability-zone") == "us-east-1a" and i["has"].get("ecs.instance-type") == "t3.medium"]
    marked = [i for i in here if i["has"].get("stack") == "prod"]
    booted = [i for i in marked if "ecs.vpc-id" in i["has"] and i["agentConnected"]]
    return [
        Saw(bool(here), f"{len(found)} container instances, {len(here)} of them t3.medium in us-east-1a", "one t3.medium in us-east-1a", INSTANCES),
        Saw(bool(marked), f"{len(marked)} with stack = prod", "one with the attribute", f"{INSTANCES} -> attributes"),
        Saw(bool(booted), f"{len(booted)} that an agent registered", "one whose agent is connected", f"{INSTANCES} -> agentConnected"),
    ]


@exercise(
    "clusters.pack",
    title="Fill one before the next",
    task="""
    Run **four** tasks of the definition `job` with one `run_task`, so that all of them are on **one** instance and the two others stay empty.
    """,
    hints=[
        "Which strategy prefers the instance that is already the fullest?",
        "`placementStrategy` is a list of `{'type': ..., 'field': ...}`; `binpack` needs to know what to pack by.",
        "`placementStrategy=[{'type': 'binpack', 'field': 'memory'}]` with a count of 4.",
        """
        ```python
        running(run("job", 4, placementStrategy=[{"type": "binpack", "field": "memory"}]))
        show()
        ```
        """,
    ],
    explanation="""
    Four times 512 units are all of its 2048: CPU ran out first, with some memory left over. The first task goes anywhere, since all
    instances are equal; from then on the fullest one that still has room wins.
    """,
)
def pack(aws):
    tasks = _running(aws, family="job") if aws.cluster(CLUSTER) else []
    hosts = {t["containerInstanceArn"] for t in tasks}
    return [
        Saw(len(tasks) == 4, f"{len(tasks)} tasks of job running", "4", "list_tasks, describe_tasks"),
        Saw(len(hosts) == 1, f"on {len(hosts)} instances", "all on one", "describe_tasks -> containerInstanceArn"),
    ]


@exercise(
    "clusters.pin",
    title="Only there, and not together",
    task="""
    Create the service `reports`: two tasks of `job`, launch type `EC2`, **only** on instances whose attribute `stack` is `prod`, and **no two on
    the same instance**. One instance has the attribute so far; give it to the one in `us-east-1b` too. Both tasks must run.
    """,
    hints=[
        "Wishes or musts? One of the two lists in `create_service` is for musts.",
        "Two constraints: `memberOf` with an expression on the attribute, and `distinctInstance` without one. `put_attributes` marks an instance.",
        "The expression is `attribute:stack == prod`; `put_attributes` needs the instance's ARN as `targetId`.",
        """
        ```python
        second = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1b")
        ecs.put_attributes(cluster="demo", attributes=[{"name": "stack", "value": "prod", "targetId": second}])
        ecs.create_service(
            cluster="demo", serviceName="reports", taskDefinition="job", desiredCount=2, launchType="EC2",
            placementConstraints=[
                {"type": "memberOf", "expression": "attribute:stack == prod"},
                {"type": "distinctInstance"},
            ],
        )
        stable("reports")
        ```
        """,
    ],
    explanation="""
    With one marked instance only one task could have run, and the service would have said so in its events for ever. Constraints are
    checked when a task is placed; ECS does not move a running task when an attribute changes.
    """,
)
def pin(aws):
    service = aws.service(CLUSTER, "reports")
    if service is None:
        return _gone("reports")
    kinds = sorted(c["type"] for c in service["placementConstraints"])
    prod = {i["containerInstanceArn"] for i in _instances(aws) if i["has"].get("stack") == "prod"}
    hosts = [t["containerInstanceArn"] for t in _running(aws, serviceName="reports")]
    return [
        Saw(kinds == ["distinctInstance", "memberOf"], f"constraints: {', '.join(kinds) or 'none'}", "memberOf and distinctInstance", f"{SERVICE}.placementConstraints"),
        _steady(service, 2),
        Saw(len(set(hosts)) == 2 and set(hosts) <= prod, f"on {len(set(hosts))} instances, {len(set(hosts) & prod)} of them with stack = prod", "on two, both with stack = prod", "describe_tasks -> containerInstanceArn"),
    ]


@exercise(
    "clusters.drain",
    title="Make the drain end",
    task="""
    The instance in `us-east-1b` is `DRAINING`, and one task of `reports` cannot leave it. Give that task a place to go, **without** changing the
    service and without stopping anything yourself. At the end the instance is empty and still `DRAINING`, and both services are complete.
    """,
    hints=[
        "Which instance could take the task, if only it met the constraint?",
        "The service wants `stack == prod`, on an instance that has none of its tasks. The third instance has room.",
        "`put_attributes` on the instance in `us-east-1c`, then a minute and a half for the replacement to become healthy.",
        """
        ```python
        third = next(one["containerInstanceArn"] for one in instances() if one["zone"] == "us-east-1c")
        ecs.put_attributes(cluster="demo", attributes=[{"name": "stack", "value": "prod", "targetId": third}])
        lab.region.run_for("90s")
        ```
        """,
    ],
    explanation="""
    The replacement started first, and when it had run for 40 seconds the old task stopped. A minimumHealthyPercent below 100 would have let
    the drain end too, with fewer reports in the meantime.
    """,
)
def drain(aws):
    second = next((i for i in _instances(aws) if i["has"].get("ecs.availability-zone") == "us-east-1b"), None)
    if second is None:
        return [Saw(False, "no container instance in us-east-1b", "the instance that drains", INSTANCES)]
    services = {name: aws.service(CLUSTER, name) for name in ("reports", "web")}
    missing = next((name for name, service in services.items() if service is None), None)
    if missing:
        return _gone(missing)
    left = second["runningTasksCount"] + second["pendingTasksCount"]
    return [
        Saw(second["status"] == "DRAINING", f"the instance in us-east-1b is {second['status']}", "DRAINING", f"{INSTANCES} -> status"),
        Saw(left == 0, f"{left} tasks on it", "none", f"{INSTANCES} -> runningTasksCount"),
        _steady(services["reports"], 2),
        _steady(services["web"], 4),
    ]


@exercise(
    "clusters.daemon",
    title="One on every instance",
    task="""
    Create the service `agent` of the definition `agent` so that **every** container instance runs exactly one of its tasks. Then add a fourth
    instance (`lab.region.add_instance`) and let a minute pass: it must have its agent too, without another call of yours.
    """,
    hints=[
        "Not a count, and not a placement strategy: how the whole service is scheduled.",
        "`schedulingStrategy` has two values. The other one takes no `desiredCount`.",
        "`schedulingStrategy='DAEMON'` and `launchType='EC2'`; then `lab.region.add_instance('demo', 't3.medium', zone='us-east-1a')`.",
        """
        ```python
        ecs.create_service(cluster="demo", serviceName="agent", taskDefinition="agent", schedulingStrategy="DAEMON", launchType="EC2")
        lab.region.run_for("30s")
        lab.region.add_instance("demo", "t3.medium", zone="us-east-1a")
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    `desiredCount` now reads 4, though nobody set it: it is the number of ACTIVE instances that meet the constraints. With a `memberOf`
    constraint a daemon runs on some instances only.
    """,
)
def daemon(aws):
    service = aws.service(CLUSTER, "agent")
    if service is None:
        return _gone("agent")
    active = {i["containerInstanceArn"] for i in _instances(aws) if i["status"] == "ACTIVE"}
    hosts = [t["containerInstanceArn"] for t in _running(aws, serviceName="agent")]
    return [
        Saw(service["schedulingStrategy"] == "DAEMON", f"scheduling strategy {service['schedulingStrategy']}", "DAEMON", f"{SERVICE}.schedulingStrategy"),
        Saw(len(active) >= 4, f"{len(active)} ACTIVE instances", "4 or more", INSTANCES),
        Saw(sorted(hosts) == sorted(active), f"{len(hosts)} agents on {len(set(hosts))} instances", "one on each", "describe_tasks -> containerInstanceArn"),
    ]


@exercise(
    "clusters.spot-mix",
    title="Two for sure, the rest cheap",
    task="""
    In the cluster `shop`, create the service `shop`: six tasks of the definition `shop` in `network`. **Two** tasks are always on `FARGATE`; of
    every four tasks beyond those, one is on `FARGATE` and **three** are on `FARGATE_SPOT`.
    """,
    hints=[
        "Launch type and capacity provider strategy exclude each other. Which one can divide?",
        "`capacityProviderStrategy` is a list of `{'capacityProvider', 'base', 'weight'}`. Only one of them may have a base.",
        "`FARGATE` with base 2 and weight 1, `FARGATE_SPOT` with weight 3.",
        """
        ```python
        ecs.create_service(
            cluster="shop", serviceName="shop", taskDefinition="shop", desiredCount=6, networkConfiguration=network,
            capacityProviderStrategy=[
                {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
                {"capacityProvider": "FARGATE_SPOT", "weight": 3},
            ],
        )
        stable("shop", "shop")
        ```
        """,
    ],
    explanation="""
    Two of six are the base. The other four are divided one to three: three on `FARGATE` and three on `FARGATE_SPOT` in all. The shares hold for
    tasks as they start; nothing is moved later to keep them.
    """,
)
def spot_mix(aws):
    service = aws.service("shop", "shop") if aws.cluster("shop") else None
    if service is None:
        return _gone("shop", "shop")
    asked = {s["capacityProvider"]: (s.get("base", 0), s.get("weight", 0)) for s in service.get("capacityProviderStrategy") or ()}
    base, weight = asked.get("FARGATE", (0, 0))
    spot_base, spot_weight = asked.get("FARGATE_SPOT", (0, 0))
    tasks = _running(aws, "shop", serviceName="shop")
    on_spot = sum(t.get("capacityProviderName") == "FARGATE_SPOT" for t in tasks)
    where = f"{SERVICE}.capacityProviderStrategy"
    return [
        Saw(base == 2 and spot_base == 0, f"base {base} on FARGATE, {spot_base} on FARGATE_SPOT", "2 and 0", where),
        Saw(weight > 0 and spot_weight == 3 * weight, f"weights {weight} and {spot_weight}", "1 to 3", where),
        Saw(len(tasks) == 6 and on_spot == 3, f"{len(tasks)} tasks running, {on_spot} on FARGATE_SPOT", "6 running, 3 on FARGATE_SPOT", "describe_tasks -> capacityProviderName"),
    ]


@exercise(
    "clusters.managed-scaling",
    title="Let the tasks fetch their machines",
    task="""
    Create the capacity provider `workers` on the Auto Scaling group, with managed scaling `ENABLED` at a target capacity of 100. Associate it with
    the cluster `batch` and make it the default strategy. Then run **six** tasks of `job` there, in one call without a launch type, and let time
    pass until all six run.
    """,
    hints=[
        "Three steps: the provider, the cluster's list of providers, the tasks.",
        "`create_capacity_provider` takes `autoScalingGroupProvider` with the group's ARN and `managedScaling`; `put_cluster_capacity_providers` needs both lists.",
        "The default strategy is `[{'capacityProvider': 'workers', 'weight': 1}]`. Machines need a few minutes: let time pass in small steps.",
        """
        ```python
        ecs.create_capacity_provider(
            name="workers",
            autoScalingGroupProvider={"autoScalingGroupArn": group["AutoScalingGroupARN"], "managedScaling": {"status": "ENABLED", "targetCapacity": 100}},
        )
        strategy = [{"capacityProvider": "workers", "weight": 1}]
        ecs.put_cluster_capacity_providers(cluster="batch", capacityProviders=["workers"], defaultCapacityProviderStrategy=strategy)
        lab.region.run_for("10s")
        ecs.run_task(cluster="batch", taskDefinition="job", count=6)
        for _ in range(24):
            lab.region.run_for("10s")
            if workers()[1] == {"RUNNING": 6}:
                break
        ```
        """,
    ],
    explanation="""
    With an EC2 launch type `run_task` would have failed at once: no container instances. With a provider the tasks wait in `PROVISIONING`, and
    what waits is what makes the group grow.
    """,
)
def managed_scaling(aws):
    found = aws.ecs.describe_capacity_providers(capacityProviders=["workers"])["capacityProviders"]
    if not found:
        return [Saw(False, "no capacity provider 'workers'", "one on the Auto Scaling group", "describe_capacity_providers")]
    scaling = found[0].get("autoScalingGroupProvider", {}).get("managedScaling", {})
    cluster = aws.cluster("batch") or {}
    default = [s["capacityProvider"] for s in cluster.get("defaultCapacityProviderStrategy", ())]
    tasks = [t for t in _running(aws, "batch") if t.get("capacityProviderName") == "workers"] if cluster else []
    return [
        Saw(scaling.get("status") == "ENABLED", f"managed scaling {scaling.get('status', 'not asked for')}", "ENABLED", "describe_capacity_providers -> managedScaling"),
        Saw(default == ["workers"], f"default strategy: {', '.join(default) or 'none'}", "workers", "describe_clusters -> defaultCapacityProviderStrategy"),
        Saw(len(tasks) == 6, f"{len(tasks)} tasks of the provider running", "6", "describe_tasks -> capacityProviderName"),
    ]
