"""Exercises of lab 01: cluster, task definition, task, service, launch types."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"


@exercise(
    "concepts.cluster",
    title="A cluster with insight",
    task="""
    Create a cluster named `staging` with **Container Insights** enabled. It is a setting of the cluster.
    """,
    hints=[
        "`create_cluster` takes more than a name.",
        "`settings` is a list of `{'name': ..., 'value': ...}`. The name is `containerInsights`.",
        "`ecs.create_cluster(clusterName='staging', settings=[{'name': 'containerInsights', 'value': ...}])`",
        """
        ```python
        staging = ecs.create_cluster(clusterName="staging", settings=[{"name": "containerInsights", "value": "enabled"}])
        ```
        """,
    ],
    explanation="""
    Container Insights collects metrics of clusters, services and tasks. The setting is all it takes; an agent is needed only
    for metrics of EC2 *instances*. `enhanced` adds metrics of single tasks and containers.
    """,
)
def cluster(aws):
    found = aws.cluster("staging")
    if found is None:
        return [Saw(False, "no active cluster named staging", "a cluster named staging", "describe_clusters")]
    value = next((s["value"] for s in found.get("settings", []) if s["name"] == "containerInsights"), "nothing")
    return [Saw(value in ("enabled", "enhanced"), f"containerInsights {value}", "enabled or enhanced", "describe_clusters(include=['SETTINGS'])")]


@exercise(
    "concepts.two-containers",
    title="Two containers, one task",
    task="""
    Register a task definition of the family `pair` with **two** containers, both of the image `ecslab/app:1.0`, and run it once
    on Fargate in the cluster `demo`. They share the task's network, so the second must listen on another port: its `command`
    is `["--port", "81"]`.
    """,
    hints=[
        "`containerDefinitions` is a list.",
        "Copy `recipe` with another family and two containers that have different names.",
        "`{**recipe, 'family': 'pair', 'containerDefinitions': [{...}, {..., 'command': ['--port', '81']}]}`, then `run_task`.",
        """
        ```python
        ecs.register_task_definition(**{
            **recipe, "family": "pair",
            "containerDefinitions": [
                {"name": "app", "image": "ecslab/app:1.0"},
                {"name": "helper", "image": "ecslab/app:1.0", "command": ["--port", "81"]},
            ],
        })
        ecs.run_task(cluster="demo", taskDefinition="pair", launchType="FARGATE", networkConfiguration=network)
        lab.region.run_for("30s")
        ```
        """,
    ],
    explanation="""
    The containers of one task start together on the same host and, with `awsvpc`, reach each other on `localhost`. Both are
    essential unless you say otherwise: when one stops, the whole task stops.
    """,
)
def two_containers(aws):
    tasks = [t for t in aws.tasks(CLUSTER, family="pair") if t["lastStatus"] == "RUNNING"]
    where = "list_tasks(family='pair'), then describe_tasks"
    if not tasks:
        return [Saw(False, "no running task of the family pair", "one running task", where)]
    containers = tasks[0]["containers"]
    running = sum(c["lastStatus"] == "RUNNING" for c in containers)
    return [
        Saw(len(containers) == 2, f"{len(containers)} containers", "2 containers", f"{where} -> containers"),
        Saw(running == 2, f"{running} of them running", "both running", f"{where} -> containers[].lastStatus"),
        Saw(tasks[0]["launchType"] == "FARGATE", f"launch type {tasks[0]['launchType']}", "FARGATE", f"{where} -> launchType"),
    ]


@exercise(
    "concepts.service",
    title="Three that stay",
    task="""
    Something must always be there: make the cluster `demo` keep **3** tasks of `web:1` running on Fargate, as a service named
    `api`.
    """,
    hints=[
        "A task on its own is not looked after. What is?",
        "`create_service` needs a name, a task definition, a count, and for Fargate a network.",
        "`ecs.create_service(cluster='demo', serviceName='api', taskDefinition='web:1', desiredCount=..., ...)`",
        """
        ```python
        ecs.create_service(cluster="demo", serviceName="api", taskDefinition="web:1", desiredCount=3,
                           launchType="FARGATE", networkConfiguration=network)
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    `web:1` pins the service to revision 1, even if newer revisions exist. Its tasks carry the group `service:api`, and
    `startedBy` names the deployment that started them.
    """,
)
def service(aws):
    found = aws.service(CLUSTER, "api")
    where = "describe_services -> services[0]"
    if found is None:
        return [Saw(False, "no service api in the cluster demo", "a service named api", where)]
    revision = found["taskDefinition"].rpartition("/")[2]
    return [
        Saw(revision == "web:1", f"tasks of {revision}", "tasks of web:1", f"{where}.taskDefinition"),
        Saw(found["desiredCount"] == 3, f"a desired count of {found['desiredCount']}", "3", f"{where}.desiredCount"),
        Saw(found["runningCount"] == 3, f"{found['runningCount']} tasks running", "3", f"{where}.runningCount"),
    ]


@exercise(
    "concepts.instance",
    title="Bring a machine",
    task="""
    Give the cluster `demo` a container instance with `lab.region.add_instance("demo")`, then run one task of `classic` on it
    with the launch type EC2. (`classic` uses the network mode `bridge`, so it takes no `networkConfiguration`.)
    """,
    hints=[
        "Which came first, the instance or the task?",
        "`add_instance` makes the instance join the cluster; after that `run_task` with `launchType='EC2'` has a place.",
        "`lab.region.add_instance('demo')`, then `ecs.run_task(cluster='demo', taskDefinition=..., launchType='EC2')`.",
        """
        ```python
        lab.region.add_instance("demo")
        ecs.run_task(cluster="demo", taskDefinition="classic", launchType="EC2")
        lab.region.run_for("30s")
        ```
        """,
    ],
    explanation="""
    The task reserved 128 MiB of the instance, and Docker picked a free host port for container port 80: look at
    `networkBindings` of its container. On EC2 you pay for the whole instance, whatever runs on it.
    """,
)
def instance(aws):
    arns = aws.ecs.list_container_instances(cluster=CLUSTER, status="ACTIVE")["containerInstanceArns"]
    tasks = [t for t in aws.tasks(CLUSTER, family="classic") if t["lastStatus"] == "RUNNING" and t["launchType"] == "EC2"]
    bound = bool(tasks) and bool(tasks[0]["containers"][0]["networkBindings"])
    return [
        Saw(bool(arns), f"{len(arns)} active container instances", "at least 1", "list_container_instances"),
        Saw(bool(tasks), f"{len(tasks)} tasks of classic running on EC2", "1", "list_tasks(family='classic'), then describe_tasks"),
        Saw(bound, "a host port is bound" if bound else "no host port bound", "a host port for port 80", "describe_tasks -> containers[0].networkBindings"),
    ]


@exercise(
    "concepts.clean-up",
    title="Leave nothing running",
    task="""
    Bring the cluster `demo` to rest: no active service, and no task that is still wanted. **Think first:** what happens if you
    stop the tasks of a service before you delete the service?
    """,
    hints=[
        "A service replaces every task you stop. In which order do you clean up?",
        "Delete the services first, with `force=True` or after scaling to 0; then stop the tasks that were on their own.",
        "`delete_service(..., force=True)` for `web` and `api`, then `stop_task` for everything in `list_tasks`.",
        """
        ```python
        for name in ("web", "api"):
            ecs.delete_service(cluster="demo", service=name, force=True)
        for arn in ecs.list_tasks(cluster="demo")["taskArns"]:
            ecs.stop_task(cluster="demo", task=arn)
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    A deleted service is `DRAINING` while its tasks stop and then `INACTIVE`. Standalone tasks are nobody's but yours: you stop
    them yourself.
    """,
)
def clean_up(aws):
    services = aws.ecs.list_services(cluster=CLUSTER)["serviceArns"]
    names = ", ".join(sorted(arn.rpartition("/")[2] for arn in services)) or "none"
    tasks = aws.tasks(CLUSTER)
    started = aws.tasks(CLUSTER, desiredStatus="STOPPED")
    return [
        Saw(not services, f"active services: {names}", "no active service", "list_services"),
        Saw(not tasks, f"{len(tasks)} tasks still wanted", "none", "list_tasks"),
        Saw(bool(started), f"{len(started)} stopped tasks", "tasks that ran and were stopped", "list_tasks(desiredStatus='STOPPED')"),
    ]
