"""Proofs of questions on networking."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import APP, Demo, app

MIB = {"memory": 64}


def call(demo, region, arn, place):
    """The status of what a task gets when it asks there."""
    return region.get(f"{demo.address(arn)}/call?to={place}").status


class Named(Demo):
    """A `Demo` with the namespace `shop`, and a task definition whose port is named `http`."""

    def __init__(self, aws, region):
        super().__init__(aws, region)
        aws.client("servicediscovery").create_http_namespace(Name="shop")
        self.define("named", "--port", "8080", container={"portMappings": [{"containerPort": 8080, "name": "http"}]})
        self.define("client")

    def service_of(self, name, family, **connect):
        self.ecs.create_service(
            cluster="demo", serviceName=name, taskDefinition=family, desiredCount=1, launchType="FARGATE",
            networkConfiguration=self.network(), serviceConnectConfiguration={"enabled": True, "namespace": "shop", **connect},
        )  # fmt: skip

    def newest(self, name):
        return max(self.running(serviceName=name), key=lambda task: task["startedAt"])["taskArn"]


ORDERS = {"services": [{"portName": "http", "discoveryName": "orders", "clientAliases": [{"port": 8080, "dnsName": "orders"}]}]}


@proof("networking.host-mode-density", a=12, c=4, d=0)
def host_mode_density(aws, region, say):
    """Twelve tasks on port 8080 in host mode, four large instances."""
    demo = Demo(aws, region)
    demo.instances(4)
    demo.on_ec2("web", {"portMappings": [{"containerPort": 8080}], "command": ["--port", "8080"]}, "host")
    demo.serve_on_ec2(12)
    region.run_for("10m")
    say(f"{len(demo.running())} tasks run. {demo.events()[-1]}")
    return len(demo.running())


@proof("networking.none-mode", a="accepted", b="refused")
def none_mode(aws, region, say):
    """The registration of a task definition with mode none and a port mapping."""
    error = refused(Demo(aws, region).on_ec2, "batch", {"portMappings": [{"containerPort": 8080}]}, "none")
    say(error or "It is accepted.")
    return "refused" if error else "accepted"


@proof("networking.eni-limit")
def eni_limit(aws, region, say):
    """As many awsvpc tasks as five instances of four interfaces each take."""
    demo = Demo(aws, region)
    demo.instances(5, "c5.xlarge")
    demo.on_ec2("web", {"cpu": 10}, "awsvpc")
    demo.serve(20, launchType="EC2", networkConfiguration={"awsvpcConfiguration": {"subnets": demo.subnets}})
    region.run_for("10m")
    say(f"{len(demo.running())} of 20 tasks run. {demo.events()[-1]}")
    return len(demo.running())


@proof("networking.subnets-change-replaces-tasks", a=6, b=0)
def subnets_change_replaces_tasks(aws, region, say):
    """A third subnet for six running tasks: how many of them are replaced?"""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(6)
    region.run_for("5m")
    before = {task["taskArn"] for task in demo.running()}
    demo.update(networkConfiguration=demo.network(3))
    region.run_for("15m")
    new = {task["taskArn"] for task in demo.running()} - before
    say(f"{len(new)} of {len(demo.running())} tasks are new.")
    return len(new)


@proof("networking.unnamed-port", a="a", b="b", c="c", d="d")
def unnamed_port(aws, region, say):
    """Four repairs, one after the other: with which is the service made?"""
    demo = Named(aws, region)
    plain = {"containerPort": 80}
    families = {
        "a": [app(portMappings=[plain])],
        "b": [app("http", portMappings=[plain])],
        "c": [app(portMappings=[{**plain, "appProtocol": "http"}])],
        "d": [app(portMappings=[{**plain, "name": "http"}])],
    }
    right = ""
    for letter, containers in families.items():
        error = refused(demo.register, letter, containers) or refused(
            demo.service_of, f"web-{letter}", letter, services=[{"portName": "http", "discoveryName": "http"}]
        )
        say(f"{letter}: {error or 'the service is made'}")
        right += "" if error else letter
    return right


@proof("networking.client-older-than-endpoint", c=(502, 200, 200), b=(502, 200, 502))
def client_older_than_endpoint(aws, region, say):
    """Who resolves `orders`: a client older than the endpoint, a younger one, and the older after a forced deployment?"""
    demo = Named(aws, region)
    demo.service_of("web", "client")
    region.run_for("2m")
    demo.service_of("orders", "named", **ORDERS)
    region.run_for("2m")
    demo.service_of("late", "client")
    region.run_for("2m")
    told = [call(demo, region, demo.newest(name), "orders:8080/") for name in ("web", "late")]
    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    region.run_for("10m")
    told.append(call(demo, region, demo.newest("web"), "orders:8080/"))
    for who, status in zip(("older", "younger", "older, deployed anew"), told):
        say(f"{who}: {'resolves it' if status == 200 else 'does not resolve it'}")
    return tuple(told)


@proof("networking.client-only", a="a", b="b", c="c")
def client_only(aws, region, say):
    """A worker with the namespace alone, one that lists `orders`, one without a configuration: who reaches orders?"""
    demo = Named(aws, region)
    demo.service_of("orders", "named", **ORDERS)
    region.run_for("2m")
    right = ""
    for letter, connect in (("a", {}), ("b", ORDERS), ("c", {"enabled": False})):
        error = refused(demo.service_of, letter, "client", **connect)
        region.run_for("2m")
        reaches = not error and call(demo, region, demo.newest(letter), "orders:8080/") == 200
        say(f"{letter}: {error or ('reaches orders' if reaches else 'does not reach orders')}")
        right += letter if reaches else ""
    return right


@proof("networking.awsvpc-refuses")
def awsvpc_refuses(aws, region, say):
    """Each of the settings in a registration of its own."""
    demo = Demo(aws, region)
    cache = {"name": "cache", "image": APP, **MIB}
    offers = {
        "a": [{"links": ["cache"]}, cache],
        "b": [{}, {**cache, "essential": False}],
        "c": [{"dependsOn": [{"containerName": "cache", "condition": "START"}]}, cache],
        "d": [{"extraHosts": [{"hostname": "db", "ipAddress": "10.0.0.5"}]}],
        "e": [{"portMappings": [{"containerPort": 8080}]}],
    }
    errors = {}
    for letter, (web, *others) in offers.items():
        containers = [{"name": "web", "image": APP, **MIB, **web}, *others]
        errors[letter] = refused(
            demo.ecs.register_task_definition, family=letter, networkMode="awsvpc", requiresCompatibilities=["EC2"], containerDefinitions=containers
        )
        say(f"{letter}: {errors[letter] or 'accepted'}")
    return {letter for letter, error in errors.items() if error}


@proof("networking.addresses-at-the-peak")
def addresses_at_the_peak(aws, region, say):
    """The most tasks that hold an address at one moment of a rolling update of 40."""
    demo = Demo(aws, region)
    demo.define()
    demo.serve(40, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
    region.run_for("10m")
    demo.update(forceNewDeployment=True)
    most = 0
    for _ in range(30):
        region.run_for("5s")
        arns = {task["taskArn"] for task in aws.tasks("demo") if task["lastStatus"] not in ("STOPPED", "DELETED")}
        most = max(most, len(arns))
    say(f"At most {most} tasks had an interface at once.")
    return most


@proof("networking.read-port-conflict", a="a", b="b", c="c")
def read_port_conflict(aws, region, say):
    """A third task on two instances: with a strategy, with less memory, with a dynamic host port."""
    demo = Demo(aws, region)
    demo.instances(2)
    fixed = {"portMappings": [{"containerPort": 80, "hostPort": 80}], "memoryReservation": 64}
    demo.on_ec2("web", fixed)
    demo.on_ec2("less", {**fixed, "memoryReservation": 32})
    demo.on_ec2("free", {**fixed, "portMappings": [{"containerPort": 80, "hostPort": 0}]})
    demo.serve_on_ec2(3)
    region.run_for("5m")
    changes = {
        "b": {"placementStrategy": [{"type": "spread", "field": "instanceId"}]},
        "c": {"taskDefinition": "less"},
        "a": {"taskDefinition": "free"},
    }
    right = ""
    for letter, change in changes.items():
        demo.update(**change, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
        region.run_for("15m")
        say(f"{letter}: {len(demo.running())} tasks run.")
        right += letter if len(demo.running()) == 3 else ""
    return right


@proof("networking.bridge-and-a-records", a="accepted", b="refused")
def bridge_and_a_records(aws, region, say):
    """A service in bridge mode with a registry of A records."""
    demo, names = Demo(aws, region), aws.client("servicediscovery")
    demo.instances(1)
    demo.on_ec2("web", {"portMappings": [{"containerPort": 80, "hostPort": 8080}]})
    vpc = aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    names.create_private_dns_namespace(Name="local", Vpc=vpc)
    (namespace,) = names.list_namespaces()["Namespaces"]
    records = {"DnsRecords": [{"Type": "A", "TTL": 60}]}
    registry = names.create_service(Name="web", NamespaceId=namespace["Id"], DnsConfig=records)["Service"]["Arn"]
    error = refused(
        demo.serve, 1, "web", launchType="EC2", networkConfiguration=None, serviceRegistries=[{"registryArn": registry, "containerName": "app", "containerPort": 80}]
    )
    say(error or "The service is made.")
    return "refused" if error else "accepted"


@proof("networking.awsvpc-on-ec2-needs-nat", a="accepted", d="refused")
def awsvpc_on_ec2_needs_nat(aws, region, say):
    """assignPublicIp for tasks on EC2, which would make a NAT gateway needless."""
    demo = Demo(aws, region)
    demo.instances(1)
    demo.on_ec2("web", mode="awsvpc")
    error = refused(demo.serve, 1, "web", launchType="EC2")
    say(error or "It is accepted.")
    return "refused" if error else "accepted"
