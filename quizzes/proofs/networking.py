"""Proofs of questions on networking."""
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import APP, Demo, app, role

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


class Private(Demo):
    """A `Demo` with a VPC of its own: one subnet that nothing leads out of, and an image in ECR."""

    def __init__(self, aws, region):
        super().__init__(aws, region)
        ec2 = self.ec2 = aws.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        self.table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]["RouteTableId"]
        self.group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=self.vpc)["GroupId"]
        aws.client("ecr").create_repository(repositoryName="shop")
        self.image = region.push_image("shop", "1", APP)
        self.define(container={"image": self.image}, executionRoleArn=role(aws, "starts", ("ecr:*", "*"), ("logs:*", "*")))

    def starts(self, public=False, definition="web"):
        """Does a task of that subnet run a minute later? Else its reason."""
        where = {"subnets": [self.subnet], "securityGroups": [self.group], "assignPublicIp": "ENABLED" if public else "DISABLED"}
        arn = self.run(definition, networkConfiguration={"awsvpcConfiguration": where})
        self.region.run_for("1m")
        task = self.task(arn)
        return "runs" if task["lastStatus"] == "RUNNING" else task["stoppedReason"]

    def route(self, **target):
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", **target)

    def unroute(self):
        self.ec2.delete_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0")

    def gateway(self):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        return gateway

    def nat(self, gateway):
        """A NAT gateway in a public subnet."""
        public = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.7.2.0/24")["Subnet"]["SubnetId"]
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=public)
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        return self.ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]

    def endpoints(self, *services):
        door = self.ec2.create_security_group(GroupName=f"door-{len(services)}-{services[0]}", Description="door", VpcId=self.vpc)["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.7.0.0/16"}]}
        self.ec2.authorize_security_group_ingress(GroupId=door, IpPermissions=[rule])
        for service in services:
            kind = {"VpcEndpointType": "Interface", "SubnetIds": [self.subnet], "SecurityGroupIds": [door]}
            if service in ("s3", "dynamodb"):
                kind = {"VpcEndpointType": "Gateway", "RouteTableIds": [self.table]}
            self.ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=f"com.amazonaws.us-east-1.{service}", **kind)


@proof("networking.ways-out-for-a-pull")
def ways_out_for_a_pull(aws, region, say):
    """The five set-ups one after the other, in one subnet."""
    demo, told = Private(aws, region), {}
    told["e"] = demo.starts(public=True)
    gateway = demo.gateway()
    demo.route(GatewayId=gateway)
    told["a"], told["b"] = demo.starts(), demo.starts(public=True)
    demo.unroute()
    demo.route(NatGatewayId=demo.nat(gateway))
    told["d"] = demo.starts()
    demo.unroute()
    demo.endpoints("ecr.api")
    told["c"] = demo.starts()
    for letter, what in sorted(told.items()):
        say(f"{letter}: {what[:150]}")
    return {letter for letter, what in told.items() if what == "runs"}


@proof("networking.missing-s3-endpoint", a="ssmmessages", b="secretsmanager", c="s3", d="dynamodb")
def missing_s3_endpoint(aws, region, say):
    """One endpoint after the other beside those for ECR: with which does the task start?"""
    demo = Private(aws, region)
    demo.endpoints("ecr.api", "ecr.dkr", "logs")
    assert demo.starts() != "runs"
    for service in ("ssmmessages", "secretsmanager", "dynamodb", "s3"):
        demo.endpoints(service)
        what = demo.starts()
        say(f"With {service} as well: {what[:150]}")
        if what == "runs":
            return service
    return "none"


@proof("networking.pull-leaves-by-the-task-eni", a="runs", b="waits for 443")
def pull_leaves_by_the_task_eni(aws, region, say):
    """A NAT gateway, and a security group with 5432 as its only way out; then 443 as well."""
    demo = Private(aws, region)
    demo.route(NatGatewayId=demo.nat(demo.gateway()))
    out = {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    demo.ec2.revoke_security_group_egress(GroupId=demo.group, IpPermissions=everything)
    demo.ec2.authorize_security_group_egress(GroupId=demo.group, IpPermissions=[{**out, "FromPort": 5432, "ToPort": 5432}])
    narrow = demo.starts()
    demo.ec2.authorize_security_group_egress(GroupId=demo.group, IpPermissions=[{**out, "FromPort": 443, "ToPort": 443}])
    wide = demo.starts()
    say(f"With 5432 alone: {narrow[:150]}. With 443: {wide[:150]}.")
    return "runs" if narrow == "runs" else "waits for 443" if wide == "runs" else "never runs"


@proof("networking.read-no-way-out", c="c", a="a")
def read_no_way_out(aws, region, say):
    """A route to an internet gateway: what lets the task start, more permissions or a public address?"""
    demo = Private(aws, region)
    demo.route(GatewayId=demo.gateway())
    more = role(aws, "admin", ("*", "*"))
    demo.define("allowed", container={"image": demo.image}, executionRoleArn=more)
    told = {"a": demo.starts(definition="allowed"), "c": demo.starts(public=True)}
    for letter, what in told.items():
        say(f"{letter}: {what[:150]}")
    return "".join(letter for letter, what in told.items() if what == "runs")


@proof("networking.localhost-inside-a-task", a="cache:6379", d="localhost:6379")
def localhost_inside_a_task(aws, region, say):
    """Two containers of a Fargate task: under which address does one answer the other?"""
    demo = Demo(aws, region)
    demo.register("web", [app("web"), app("cache", "--port", "6379")], taskRoleArn=role(aws, "app", ("ssmmessages:*", "*")))
    arn = demo.run(enableExecuteCommand=True)
    region.run_for("1m")
    reached = [place for place in ("cache:6379", "localhost:6379") if region.exec(arn, "web", f"wget -qO- http://{place}/health").exit_code == 0]
    say(f"It answers at {', '.join(reached) or 'neither'}.")
    return ", ".join(reached)


@proof("networking.bridge-is-not-shared", a=(True, False), b=(False, False), c=(True, True))
def bridge_is_not_shared(aws, region, say):
    """Two containers of a task in bridge mode: what answers on the localhost of each?"""
    demo = Demo(aws, region)
    demo.instances(1)
    containers = [{**app(name, *arguments), "memory": 64} for name, *arguments in (("web",), ("cache", "--port", "6379"))]
    demo.ecs.register_task_definition(
        family="web", networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=containers,
        taskRoleArn=role(aws, "app", ("ssmmessages:*", "*")),
    )  # fmt: skip
    (task,) = demo.ecs.run_task(cluster="demo", taskDefinition="web", launchType="EC2", enableExecuteCommand=True)["tasks"]
    region.run_for("1m")
    reached = tuple(region.exec(task["taskArn"], "web", f"wget -qO- http://localhost:{port}/health").exit_code == 0 for port in (80, 6379))
    say(f"On the localhost of web: port 80 {'answers' if reached[0] else 'does not'}, port 6379 {'answers' if reached[1] else 'does not'}.")
    return reached
