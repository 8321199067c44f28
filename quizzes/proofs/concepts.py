"""Proofs of questions on concepts and launch types."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import Demo, app, refusals


@proof("concepts.definition-or-task", a={"web:2": 10}, b={"web:1": 10}, c={"web:1": 10, "web:2": 1}, d={})
def definition_or_task(aws, region, say):
    """Ten running tasks, and a new revision that nobody deploys."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(10)
    region.run_for("5m")
    demo.define()
    region.run_for("30m")
    say(f"Half an hour after web:2 was registered these run: {demo.revisions()}.")
    return demo.revisions()


@proof("concepts.who-starts-the-next", a=(1, 1), b=(0, 0), c=(0, 1))
def who_starts_the_next(aws, region, say):
    """A standalone task and a service's task, both of which crash after two minutes."""
    demo = Demo(aws, region)
    demo.define("web", "--exit-after", "120", "--exit-code", "1")
    alone = demo.run()
    demo.serve(1)
    region.run_for("2m30s")
    first = {task["taskArn"] for task in demo.stopped()}
    region.run_for("1m")
    running = [task["taskArn"] for task in demo.running()]
    told = sum(arn == alone for arn in running), sum(arn not in first for arn in running)
    say(f"After the crashes {told[0]} standalone task and {told[1]} of the service run.")
    return told


@proof("concepts.definition-moves-to-fargate", a="a", b="b", c="c", d="d")
def definition_moves_to_fargate(aws, region, say):
    """Four ways to change the task definition: which does RegisterTaskDefinition take for Fargate?"""
    ecs, size = Demo(aws, region).ecs, {"cpu": "256", "memory": "512"}
    offers = {"a": {"networkMode": "bridge"}, "b": {"networkMode": "awsvpc"}, "c": {"networkMode": "awsvpc", **size}, "d": {"networkMode": "host", **size}}
    right = ""
    for letter, fields in offers.items():
        error = refused(ecs.register_task_definition, family=letter, requiresCompatibilities=["FARGATE"], containerDefinitions=[app(memory=512)], **fields)
        say(f"{letter}: {error or 'accepted'}")
        right += "" if error else letter
    return right


@proof("concepts.not-on-fargate")
def not_on_fargate(aws, region, say):
    """Each of the six needs in a registration for Fargate."""
    demo, mount = Demo(aws, region), {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    offers = {
        "a": {"container": mount, "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}]},
        "b": {"container": {"resourceRequirements": [{"type": "GPU", "value": "1"}]}},
        "c": {"container": mount, "volumes": [{"name": "data", "configuredAtLaunch": True}]},
        "d": {"container": {"privileged": True}},
        "e": {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
        "f": {"container": mount, "volumes": [{"name": "data", "host": {"sourcePath": "/data"}}]},
    }
    errors = {letter: refused(demo.define, letter, **fields) for letter, fields in offers.items()}
    return refusals(say, errors)


@proof("concepts.biggest-task", b="24 vCPU", d="32 vCPU")
def biggest_task(aws, region, say):
    """Which of the sizes does Fargate have?"""
    demo, has = Demo(aws, region), []
    for name, cpu, memory in (("24 vCPU", "24576", "102400"), ("32 vCPU", "32768", "122880")):
        error = refused(demo.define, "simulation", cpu=cpu, memory=memory)
        say(f"{name}: {error or 'accepted'}")
        has += [] if error else [name]
    return ", ".join(has)


@proof("concepts.tasks-and-containers")
def tasks_and_containers(aws, region, say):
    """Every running container of the service and of the two single tasks."""
    demo = Demo(aws, region)
    demo.register("web", [app("web"), app("proxy", "--port", "81"), app("logs", "--port", "82")])
    demo.define("single")
    demo.serve(3)
    for _ in range(2):
        demo.run("single")
    region.run_for("5m")
    running = [one for task in demo.running() for one in task["containers"] if one["lastStatus"] == "RUNNING"]
    say(f"{len(demo.running())} tasks with {len(running)} containers.")
    return len(running)


@proof("concepts.other-region", a="accepted", b="refused")
def other_region(aws, region, say):
    """A service with a subnet of another Region in its network configuration."""
    demo = Demo(aws, region)
    demo.define()
    far = region.client("ec2", region_name="eu-west-1").describe_subnets()["Subnets"][0]["SubnetId"]
    error = refused(demo.serve, 1, networkConfiguration={"awsvpcConfiguration": {"subnets": [*demo.subnets[:1], far]}})
    say(error or "The service is made.")
    return "refused" if error else "accepted"


@proof("concepts.read-who-cares", a={"service", "alone"}, b=set(), c={"alone"}, d={"service"})
def read_who_cares(aws, region, say):
    """A task of a service and one that RunTask started are stopped: which is replaced?"""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(1)
    demo.run(startedBy="nightly-script")
    region.run_for("5m")
    for task in demo.running():
        demo.ecs.stop_task(cluster="demo", task=task["taskArn"])
    region.run_for("5m")
    back = {"service" if task["group"].startswith("service:") else "alone" for task in demo.running()}
    say(f"Replaced: {', '.join(sorted(back)) or 'nothing'}.")
    return back


@proof("concepts.container-instance", a=0, b=1)
def container_instance(aws, region, say):
    """A machine of the VPC without an agent that knows the cluster, then one with it: how many may run tasks?"""
    demo = Demo(aws, region)
    aws.ec2.run_instances(ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=demo.subnets[0])
    region.run_for("5m")
    before = len(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"])
    region.add_instance("demo")
    region.run_for("1m")
    after = len(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"])
    say(f"Container instances: {before} without an agent of the cluster, {after} with one.")
    return after - before


@proof("concepts.in-the-blueprint")
def in_the_blueprint(aws, region, say):
    """Which of the settings has the shape of RegisterTaskDefinition a place for?"""
    shape = Demo(aws, region).ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    container = shape.members["containerDefinitions"].member.members
    places = {
        "a": "subnets" in shape.members, "b": "image" in container, "c": "taskRoleArn" in shape.members,
        "d": "desiredCount" in shape.members or "count" in shape.members, "e": "logConfiguration" in container,
        "f": "loadBalancers" in shape.members,
    }  # fmt: skip
    say(f"RegisterTaskDefinition takes {', '.join(sorted(shape.members))}.")
    return {letter for letter, has in places.items() if has}
