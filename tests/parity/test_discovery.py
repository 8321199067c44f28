"""Cloud Map and Service Connect: who is found under which name, the same on both engines."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ecslab.region import start
from tests.parity.test_parity import SPEED, Story


class Names(Story):
    def __init__(self, region):
        super().__init__(region)
        self.cloud_map = region.client("servicediscovery")
        self.vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.define("named", container={"portMappings": [{"containerPort": 80, "name": "http"}]})

    def namespace(self, name, dns=False):
        if dns:
            self.cloud_map.create_private_dns_namespace(Name=name, Vpc=self.vpc)
        else:
            self.cloud_map.create_http_namespace(Name=name)
        return next(n["Id"] for n in self.cloud_map.list_namespaces()["Namespaces"] if n["Name"] == name)

    def up(self, service, count=1):
        self.until(lambda: self.service(service)["runningCount"] == count)
        self.region.run_for("5s")

    def address(self, service):
        return self.tasks(service)[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]

    def call(self, service, to):
        answer = self.region.get(f"http://{self.address(service)}/call?to={to}")
        return answer.status if answer.status == 200 else (answer.status, answer.body.strip())


def service_connect(story):
    story.namespace("shop")
    connect = {"enabled": True, "namespace": "shop"}
    story.serve("early", "named", 1, serviceConnectConfiguration=connect)
    story.up("early")
    endpoint = {"portName": "http", "discoveryName": "api", "clientAliases": [{"port": 8080, "dnsName": "backend"}]}
    story.serve("backend", "named", 2, serviceConnectConfiguration={**connect, "services": [endpoint]})
    story.up("backend", 2)
    story.serve("front", "named", 1, serviceConnectConfiguration=connect)
    story.serve("outside", "named", 1)
    story.up("front")
    story.up("outside")
    told = [story.call(service, "backend:8080/") for service in ("front", "early", "outside")]
    reached = {story.region.get(f"http://{story.address('front')}/call?to=backend:8080/").json()["task"] for _ in range(4)}
    told += [len(reached), story.call("front", "backend:81/")]
    story.ecs.update_service(cluster="demo", service="early", forceNewDeployment=True)
    story.until(story.stable("early"))
    return told, story.call("early", "backend:8080/health"), story.ecs.list_services_by_namespace(namespace="shop")["serviceArns"]


def cloud_map_with_health(story):
    namespace = story.namespace("local", dns=True)
    config = {"DnsRecords": [{"Type": "A", "TTL": 1}], "RoutingPolicy": "MULTIVALUE"}
    registry = story.cloud_map.create_service(Name="db", NamespaceId=namespace, DnsConfig=config, HealthCheckCustomConfig={"FailureThreshold": 1})["Service"]
    story.serve("db", "named", 2, serviceRegistries=[{"registryArn": registry["Arn"]}])
    story.serve("client", "named", 1)
    story.up("db", 2)
    story.up("client")

    def found():
        return story.cloud_map.discover_instances(NamespaceName="local", ServiceName="db")["Instances"]

    told = [len(found()), sorted(found()[0]["Attributes"]), story.call("client", "db.local:80/"), story.call("client", "other.local:80/")]
    story.ecs.update_service(cluster="demo", service="db", desiredCount=0)
    story.until(lambda: not found())
    story.region.run_for("30s")
    return told, story.call("client", "db.local:80/")


@pytest.mark.parametrize("scenario", [service_connect, cloud_map_with_health], ids=lambda s: s.__name__)
def test_both_engines_find_the_same(scenario):
    told = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            told[engine] = scenario(Names(region))
    assert told["docker"] == told["simulated"]
    assert 200 in told["simulated"][0]


@pytest.fixture(scope="module")
def names():
    with start(engine="simulated") as region:
        names = Names(region)
        names.namespace("shop")
        yield names


@pytest.mark.parametrize(
    "options, message",
    [
        ({"serviceConnectConfiguration": {"enabled": True}}, "Namespace is missing"),
        ({"serviceConnectConfiguration": {"enabled": True, "namespace": "nowhere"}}, "NamespaceNotFoundException"),
        ({"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "services": [{"portName": "grpc"}]}}, r"portName\(grpc\) does not refer to any named PortMapping"),
        ({"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "services": [{"portName": "http", "clientAliases": [{"port": 1}, {"port": 2}]}]}}, "2 clientAliases exceeds the max limit of 1"),
        ({"serviceConnectConfiguration": {"enabled": True, "namespace": "shop", "services": [{"portName": "http", "clientAliases": [{"port": 1, "dnsName": "not a name"}]}]}}, "The DNS name that you provided is invalid"),
        ({"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"}]}, "does not exist"),
        ({"serviceRegistries": [{}, {}]}, "service registries can have at most 1 items"),
    ],
)  # fmt: skip
def test_what_ecs_would_refuse_is_refused(names, options, message):
    with pytest.raises(ClientError, match=message):
        names.serve("wrong", "named", 1, **options)
