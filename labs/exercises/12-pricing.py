"""Exercises of lab 12: what costs, and what need not."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"
SERVICE = "describe_services -> services[0]"
TASKS = "list_tasks, describe_tasks -> tasks"
SIZE = "describe_task_definition -> taskDefinition"


def _service(aws, name):
    return aws.service(CLUSTER, name)


def _gone(name):
    return [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", SERVICE)]


def _running(aws, **filters):
    return [task for task in aws.tasks(CLUSTER, desiredStatus="RUNNING", **filters) if task["lastStatus"] == "RUNNING"]


def _settled(service, count):
    ready = service["runningCount"] == count and len(service["deployments"]) == 1
    return Saw(ready, f"{service['runningCount']} running, {len(service['deployments'])} deployments", f"{count} running, one deployment", SERVICE)


@exercise(
    "pricing.right-size",
    title="The size it needs",
    task="""
    Register a revision of `api` with the size that `lab.right_size("api")` names, and deploy it to the service `api`. In the end its two
    tasks run with that size.
    """,
    hints=[
        "The helper `define` of this lab registers a revision. Which two numbers change?",
        "`cpu` and `memory` of the task decide what is paid: the smallest size is 256 and 512.",
        "`define('api', 256, 512)`, then `update_service` with `taskDefinition='api'`, and wait until the service is stable.",
        """
        ```python
        define("api", 256, 512)
        ecs.update_service(cluster="demo", service="api", taskDefinition="api")
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["api"])
        ```
        """,
    ],
    explanation="""
    From 170 dollars a month to 18, for the same work. A look at CPUUtilization and MemoryUtilization, with `Maximum` as the statistic, is
    the cheapest optimisation there is.
    """,
)
def right_size(aws):
    service = _service(aws, "api")
    if service is None:
        return _gone("api")
    size = aws.task_definition(service["taskDefinition"])
    return [
        Saw((size["cpu"], size["memory"]) == ("256", "512"), f"cpu {size['cpu']}, memory {size['memory']}", "cpu 256, memory 512", f"{SIZE}.cpu, .memory"),
        _settled(service, 2),
    ]


@exercise(
    "pricing.batch",
    title="One minute for all orders",
    task="""
    Do the work of 8 orders of 5 seconds in **one** Fargate task: a family `batch` (256 CPU units, 512 MiB) whose app ends by itself after
    **40** seconds. Run it once, and let it end.
    """,
    hints=[
        "How did `order` end by itself? Which number does `batch` need?",
        "`--exit-after 40` does all of it in one container. Start one task, and wait until it has stopped.",
        "`define('batch', 256, 512, '--exit-after', '40')`, then `run_task` without a count.",
        """
        ```python
        define("batch", 256, 512, "--exit-after", "40")
        started = ecs.run_task(cluster="demo", taskDefinition="batch", launchType="FARGATE", networkConfiguration=private)
        ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[started["tasks"][0]["taskArn"]])
        ```
        """,
    ],
    explanation="""
    One minute is billed instead of eight. Where tasks take longer than a minute, bundling saves only the image pulls.
    """,
)
def batch(aws):
    tasks = [*aws.tasks(CLUSTER, family="batch"), *aws.tasks(CLUSTER, family="batch", desiredStatus="STOPPED")]
    ended = [t for t in tasks if t["lastStatus"] == "STOPPED" and "startedAt" in t]
    codes = [c.get("exitCode") for t in ended for c in t["containers"]]
    worked = max(((t.get("executionStoppedAt", t["startedAt"]) - t["startedAt"]).total_seconds() for t in ended), default=0)
    return [
        Saw(len(tasks) == 1, f"{len(tasks)} tasks of the family batch", "one", f"{TASKS} (family batch)"),
        Saw(codes == [0], f"exit codes: {', '.join(map(str, codes)) or 'none yet'}", "ended by itself with 0", f"{TASKS}[].containers[].exitCode"),
        Saw(worked >= 35, f"it worked for {worked:.0f} seconds", "the 40 seconds of 8 orders", f"{TASKS}[].startedAt, executionStoppedAt"),
    ]


@exercise(
    "pricing.forgotten",
    title="Switch off the light",
    task="""
    The test system is not needed any more. Remove everything of it that goes on costing: its **NAT gateway**, the **address** it had, and the
    load balancer `test-front`.
    """,
    hints=[
        "Three things, of two services: EC2 has two of them, Elastic Load Balancing has one.",
        "A NAT gateway that is deleted leaves its Elastic IP address behind, and that is paid in use or not.",
        "`ec2.delete_nat_gateway`, then `ec2.release_address`, and `elb.delete_load_balancer`.",
        """
        ```python
        ec2.delete_nat_gateway(NatGatewayId=gateway)
        ec2.release_address(AllocationId=address)
        elb.delete_load_balancer(LoadBalancerArn=test_front)
        ```
        """,
    ],
    explanation="""
    The service itself may stay: at a desired count of 0 it costs nothing. What is made by one stack (CloudFormation, Terraform) is removed
    with it, and then nothing is forgotten.
    """,
)
def forgotten(aws):
    gateways = [g["NatGatewayId"] for g in aws.ec2.describe_nat_gateways()["NatGateways"] if g["State"] not in ("deleted", "deleting")]
    addresses = aws.ec2.describe_addresses()["Addresses"]
    balancers = [b["LoadBalancerName"] for b in aws.client("elbv2").describe_load_balancers()["LoadBalancers"]]
    return [
        Saw(not gateways, f"{len(gateways)} NAT gateways", "none", "ec2.describe_nat_gateways"),
        Saw(not addresses, f"{len(addresses)} Elastic IP addresses", "none", "ec2.describe_addresses"),
        Saw("test-front" not in balancers, f"load balancers: {', '.join(balancers) or 'none'}", "no test-front", "elbv2.describe_load_balancers"),
        Saw("front" in balancers, "front is there" if "front" in balancers else "front is gone", "front, which web needs", "elbv2.describe_load_balancers"),
    ]


@exercise(
    "pricing.spot",
    title="Three of four on Spot",
    task="""
    Create a service `workers` of **4** Fargate tasks (256 CPU units, 512 MiB): **1** on `FARGATE`, and all others on `FARGATE_SPOT`. With a
    higher desired count it should still be one on demand.
    """,
    hints=[
        "Instead of `launchType`, a service takes a capacity provider strategy.",
        "A `base` is filled first; `weight` shares out the rest. A weight of 0 gets nothing beyond its base.",
        "`[{'capacityProvider': 'FARGATE', 'base': 1, 'weight': 0}, {'capacityProvider': 'FARGATE_SPOT', 'weight': 1}]`",
        """
        ```python
        define("worker", 256, 512)
        ecs.create_service(
            cluster="demo", serviceName="workers", taskDefinition="worker", desiredCount=4, networkConfiguration=private,
            capacityProviderStrategy=[
                {"capacityProvider": "FARGATE", "base": 1, "weight": 0},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
            ],
        )
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["workers"])
        ```
        """,
    ],
    explanation="""
    A Spot task gets SIGTERM and two minutes. Work that can be done again (queues, renderings, tests) belongs there; the only copy of a database
    does not.
    """,
)
def spot(aws):
    service = _service(aws, "workers")
    if service is None:
        return _gone("workers")
    placed = [task.get("capacityProviderName") for task in _running(aws, serviceName="workers")]
    counts = placed.count("FARGATE"), placed.count("FARGATE_SPOT")
    strategy = {one["capacityProvider"]: one for one in service.get("capacityProviderStrategy", ())}
    on_demand, spare = strategy.get("FARGATE", {}), strategy.get("FARGATE_SPOT", {})
    steady = on_demand.get("base") == 1 and on_demand.get("weight", 0) == 0 and spare.get("weight", 0) > 0
    said = ", ".join(f"{n}: base {s.get('base', 0)}, weight {s.get('weight', 0)}" for n, s in strategy.items()) or "none"
    return [
        Saw(counts == (1, 3), f"{counts[0]} on FARGATE, {counts[1]} on FARGATE_SPOT", "1 and 3", f"{TASKS}[].capacityProviderName"),
        Saw(steady, said, "base 1 and weight 0 on FARGATE, a weight on FARGATE_SPOT", f"{SERVICE}.capacityProviderStrategy"),
    ]


@exercise(
    "pricing.arm",
    title="The other chip",
    task="""
    Move `web` to **ARM64**, with its size as it is: register a revision of `web` for that architecture, deploy it, and let the deployment
    end.
    """,
    hints=[
        "Size and architecture are both part of the task definition.",
        "`runtimePlatform` has `cpuArchitecture` and `operatingSystemFamily`. The helper `define` passes on further settings.",
        "`define('web', 512, 1024, runtimePlatform={'cpuArchitecture': 'ARM64', ...})`, then `update_service`, and wait until the service is stable.",
        """
        ```python
        define("web", 512, 1024, runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
        ecs.update_service(cluster="demo", service="web", taskDefinition="web")
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
        ```
        """,
    ],
    explanation="""
    14.42 dollars a month for each task instead of 18.02. An image with one manifest for both architectures lets you move there and back.
    """,
)
def arm(aws):
    service = _service(aws, "web")
    if service is None:
        return _gone("web")
    definition = aws.task_definition(service["taskDefinition"])
    chip = (definition.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    size = definition["cpu"], definition["memory"]
    return [
        Saw(chip == "ARM64", f"cpuArchitecture {chip}", "ARM64", f"{SIZE}.runtimePlatform"),
        Saw(size == ("512", "1024"), f"cpu {size[0]}, memory {size[1]}", "cpu 512, memory 1024", f"{SIZE}.cpu, .memory"),
        Saw(_on(aws, service, "web"), "tasks of other revisions run" if not _on(aws, service, "web") else "two tasks of this revision run", "two tasks of this revision, and no others", TASKS),
    ]


def _on(aws, service, name):
    """Do two tasks run, both of the service's task definition?"""
    return [task["taskDefinitionArn"] for task in _running(aws, serviceName=name)] == [service["taskDefinition"]] * 2


@exercise(
    "pricing.pack",
    title="Fill the instance",
    task="""
    Run **8** tasks of a family `packed` (256 CPU units, 512 MiB) with launch type `EC2` on the one m5.large of the cluster.
    """,
    hints=[
        "What of a Fargate definition does not fit here? Look at `requiresCompatibilities` and the network mode.",
        "In `awsvpc` mode an m5.large has interfaces for two tasks. In `bridge` mode only CPU, memory and host ports count.",
        "`define('packed', 256, 512, requiresCompatibilities=['EC2'], networkMode='bridge')`, then `run_task` with `count=8`.",
        """
        ```python
        define("packed", 256, 512, requiresCompatibilities=["EC2"], networkMode="bridge")
        started = ecs.run_task(cluster="demo", taskDefinition="packed", launchType="EC2", count=8)
        ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[task["taskArn"] for task in started["tasks"]])
        ```
        """,
    ],
    explanation="""
    Eight times 256 units are all of its 2 vCPU. 0.096 dollars an hour, against 0.09874 on Fargate: a full instance is just a little cheaper,
    before anybody has patched it.
    """,
)
def pack(aws):
    tasks = _running(aws, family="packed")
    instances = aws.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    kinds = {task["launchType"] for task in tasks}
    return [
        Saw(len(tasks) == 8, f"{len(tasks)} running tasks of the family packed", "8", TASKS),
        Saw(kinds == {"EC2"}, f"launch type {', '.join(sorted(kinds)) or 'none'}", "EC2", f"{TASKS}[].launchType"),
        Saw(len(instances) == 1, f"{len(instances)} container instances", "one", "list_container_instances"),
    ]
