"""Exercises of lab 06: who reaches whom, and by which name."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"


def _group(aws, name):
    found = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    return found[0] if found else None


def _service(aws, name):
    service = aws.service(CLUSTER, name)
    if service is None:
        return None, [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", "describe_services")]
    return service, []


@exercise(
    "networking.let-in",
    title="Open one door",
    task="""
    Let tasks of the group `front` reach port **80** of tasks of the group `back`, and nobody else. The rule must name the group, not an
    address: tasks change their addresses.
    """,
    hints=[
        "Which of the two groups needs a rule: the one that sends, or the one that receives?",
        "`authorize_security_group_ingress` on the group `back`. Its permission names a port range and a source.",
        "The source is `'UserIdGroupPairs': [{'GroupId': front_group}]` instead of `IpRanges`.",
        """
        ```python
        ec2.authorize_security_group_ingress(
            GroupId=back_group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": front_group}]}],
        )
        ```
        """,
    ],
    explanation="""
    A rule that names a group lets in every member, today's and tomorrow's. The front needs no rule: a new group lets everything out, and
    the answer to a request comes back because groups are stateful.
    """,
)
def let_in(aws):
    front, back = _group(aws, "front"), _group(aws, "back")
    if not front or not back:
        return [Saw(False, "no groups named front and back", "both groups", "describe_security_groups")]
    rules = back["IpPermissions"]
    named = [r for r in rules if any(p["GroupId"] == front["GroupId"] for p in r.get("UserIdGroupPairs", ()))]
    fits = [r for r in named if r.get("FromPort") == 80 and r.get("ToPort") == 80]
    open_to = [c["CidrIp"] for r in rules for c in r.get("IpRanges", ())]
    where = "describe_security_groups -> IpPermissions of back"
    return [
        Saw(bool(fits), f"{len(rules)} inbound rules, {len(named)} of them for the group front", "one for tcp 80 from the group front", where),
        Saw(not open_to, f"address ranges let in: {', '.join(open_to) or 'none'}", "none", where),
    ]


@exercise(
    "networking.public",
    title="A way out",
    task="""
    Give the tasks of the service `front` a **public address**, keeping their security group, and let the rollout finish. They then
    reach the internet through the default VPC's internet gateway.
    """,
    hints=[
        "A public address is part of the service's network configuration.",
        "`awsvpcConfiguration` has a third member besides `subnets` and `securityGroups`.",
        "`assignPublicIp` is `ENABLED` or `DISABLED`. Changing the network configuration starts a deployment.",
        """
        ```python
        settings = network(front_group)
        settings["awsvpcConfiguration"]["assignPublicIp"] = "ENABLED"
        ecs.update_service(cluster="demo", service="front", networkConfiguration=settings)
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    The new tasks have another interface, so ECS had to start new ones: a network change is a deployment. Only Fargate can give a task a public
    address; on EC2 a task behind its own interface needs a NAT gateway.
    """,
)
def public(aws):
    service, missing = _service(aws, "front")
    if service is None:
        return missing
    settings = service["networkConfiguration"]["awsvpcConfiguration"]
    front = _group(aws, "front")
    where = "describe_services -> networkConfiguration.awsvpcConfiguration"
    state = service["deployments"][0].get("rolloutState")
    return [
        Saw(settings.get("assignPublicIp") == "ENABLED", f"assignPublicIp {settings.get('assignPublicIp')}", "ENABLED", f"{where}.assignPublicIp"),
        Saw(settings["securityGroups"] == [front["GroupId"]], f"{len(settings['securityGroups'])} security groups", "the group front, as before", f"{where}.securityGroups"),
        Saw(len(service["deployments"]) == 1, f"{len(service['deployments'])} deployments, the newest {state}", "one: the rollout is over", "describe_services -> deployments"),
    ]


@exercise(
    "networking.cloud-map",
    title="Get listed",
    task="""
    Create a service `stock` with **2** tasks of the task definition `app` that registers them in the Cloud Map service whose ARN is in the
    variable `registry`. `serve` from the first cells helps. Let it settle.
    """,
    hints=[
        "CreateService has a field for service registries.",
        "`serviceRegistries` is a list with one entry; for `awsvpc` and A records the entry needs only the registry's ARN.",
        "`serve('stock', 2, serviceRegistries=[{'registryArn': registry}])`",
        """
        ```python
        serve("stock", 2, serviceRegistries=[{"registryArn": registry}])
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    ECS registers and deregisters the tasks itself, with their private addresses, and pushes their health to Cloud Map. With SRV records
    a port is registered too.
    """,
)
def cloud_map(aws):
    service, missing = _service(aws, "stock")
    if service is None:
        return missing
    found = aws.client("servicediscovery").discover_instances(NamespaceName="local", ServiceName="stock")["Instances"]
    tasks = {t["taskArn"].rpartition("/")[2] for t in aws.tasks(CLUSTER, serviceName="stock")}
    mine = [i for i in found if i["InstanceId"] in tasks]
    return [
        Saw(service["desiredCount"] == 2, f"a desired count of {service['desiredCount']}", "2", "describe_services -> desiredCount"),
        Saw(len(service["serviceRegistries"]) == 1, f"{len(service['serviceRegistries'])} registries", "one", "describe_services -> serviceRegistries"),
        Saw(len(mine) == 2, f"{len(mine)} of its tasks in Cloud Map", "2", "discover_instances(NamespaceName='local', ServiceName='stock')"),
    ]


@exercise(
    "networking.service-connect",
    title="Offer an endpoint",
    task="""
    Create a service `prices` with **2** tasks of `app` that offers an endpoint in the namespace `shop`: the port named `http`, which clients
    call as `prices`, port **8080**. Let it settle.
    """,
    hints=[
        "`serviceConnectConfiguration` says whether it is on, in which namespace, and which endpoints the service offers.",
        "An endpoint is an entry of `services`: `portName`, and one of `clientAliases` with `port` and `dnsName`.",
        "`{'portName': 'http', 'clientAliases': [{'port': 8080, 'dnsName': 'prices'}]}`",
        """
        ```python
        endpoint = {"portName": "http", "clientAliases": [{"port": 8080, "dnsName": "prices"}]}
        serve("prices", 2, serviceConnectConfiguration={"enabled": True, "namespace": "shop", "services": [endpoint]})
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    `portName` refers to a **named** port mapping of the task definition; without a name there is nothing to offer. The alias is what
    clients write, and its port need not be the container's.
    """,
)
def service_connect(aws):
    service, missing = _service(aws, "prices")
    if service is None:
        return missing
    arn = service["currentServiceRevisions"][0]["arn"]
    revision = aws.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0]
    config = revision.get("serviceConnectConfiguration") or {}
    aliases = [(a.get("dnsName"), a["port"]) for s in config.get("services", ()) for a in s.get("clientAliases", ())]
    where = "describe_service_revisions -> serviceConnectConfiguration"
    return [
        Saw(bool(config.get("enabled")), f"enabled: {config.get('enabled', False)}", "True", f"{where}.enabled"),
        Saw(config.get("namespace") == "shop", f"namespace {config.get('namespace', 'none')}", "shop", f"{where}.namespace"),
        Saw(aliases == [("prices", 8080)], f"aliases: {aliases or 'none'}", "prices, port 8080", f"{where}.services[].clientAliases"),
        Saw(service["runningCount"] == 2, f"{service['runningCount']} tasks running", "2", "describe_services -> runningCount"),
    ]


@exercise(
    "networking.refresh",
    title="Wake the early bird",
    task="""
    Make the tasks of `early-bird` learn of the endpoint `prices`, without changing anything about the service.
    """,
    hints=[
        "When does a task learn of the endpoints of its namespace?",
        "New tasks of the same definition would know them. What makes ECS start new tasks although nothing changed?",
        "`update_service(..., forceNewDeployment=True)`, then let the rollout finish.",
        """
        ```python
        ecs.update_service(cluster="demo", service="early-bird", forceNewDeployment=True)
        lab.region.run_for("2m")
        ```
        """,
    ],
    explanation="""
    `forceNewDeployment` exchanges every task for one like it. It is also how new secrets and moved image tags reach a running service.
    """,
)
def refresh(aws):
    service, missing = _service(aws, "early-bird")
    if service is None:
        return missing
    prices = aws.service(CLUSTER, "prices")
    tasks = aws.tasks(CLUSTER, serviceName="early-bird")
    newer = [t for t in tasks if prices and t["createdAt"] > prices["createdAt"]]
    return [
        Saw(bool(tasks) and len(newer) == len(tasks), f"{len(newer)} of {len(tasks)} tasks started after the endpoint", "all of them", "describe_tasks -> createdAt"),
        Saw(len(service["deployments"]) == 1, f"{len(service['deployments'])} deployments", "one: the rollout is over", "describe_services -> deployments"),
    ]
