"""What this region does not carry out is refused when it is asked for, by name, and nothing is kept of it."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ecslab.region import start
from tests.region.conftest import Lab
from tests.region.test_load_balancing import Balanced

CONNECT = {"enabled": True, "namespace": "shop"}
ENDPOINT = {"portName": "http"}
OIDC = {
    "Issuer": "https://login.example", "AuthorizationEndpoint": "https://login.example/a", "TokenEndpoint": "https://login.example/t",
    "UserInfoEndpoint": "https://login.example/u", "ClientId": "me", "ClientSecret": "secret",
}  # fmt: skip


@pytest.fixture(scope="module")
def web():
    """One region for all: a refusal leaves nothing behind."""
    with start(engine="simulated") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        lab.define("named", container={"portMappings": [{"containerPort": 80, "name": "http"}]})
        region.client("servicediscovery").create_http_namespace(Name="shop")
        web = Balanced(lab)
        lab.serve("there", count=1)
        yield web


SERVICE = [
    ({"deploymentConfiguration": {"earlySuccessCriteria": {"enable": True, "healthyPercent": 50}}}, "This region does not run earlySuccessCriteria yet."),
    ({"vpcLatticeConfigurations": [{"roleArn": "r", "targetGroupArn": "t", "portName": "http"}]}, "does not run services with vpcLatticeConfigurations yet."),
    ({"volumeConfigurations": [{"name": "data"}]}, "does not run services with volumeConfigurations yet."),
    ({"serviceConnectConfiguration": {**CONNECT, "services": [{**ENDPOINT, "tls": {"issuerCertificateAuthority": {"awsPcaAuthorityArn": "a"}}}]}}, "does not run Service Connect with TLS."),
    ({"serviceConnectConfiguration": {**CONNECT, "services": [{**ENDPOINT, "ingressPortOverride": 8080}]}}, "Service Connect with ingressPortOverride."),
    ({"serviceConnectConfiguration": {**CONNECT, "services": [{**ENDPOINT, "timeout": {"idleTimeoutSeconds": 5}}]}}, "Service Connect with idleTimeoutSeconds."),
    ({"serviceConnectConfiguration": {**CONNECT, "services": [{**ENDPOINT, "clientAliases": [{"port": 80, "testTrafficRules": {"header": {"name": "x-test"}}}]}]}}, "Service Connect with testTrafficRules."),
    ({"serviceConnectConfiguration": {**CONNECT, "accessLogConfiguration": {"format": "JSON"}}}, "Service Connect with accessLogConfiguration."),
]  # fmt: skip


@pytest.mark.parametrize("options, message", SERVICE, ids=lambda value: value.rpartition(" ")[2] if isinstance(value, str) else None)
def test_a_service_that_asks_for_more_than_there_is_is_refused(web, options, message):
    with pytest.raises(ClientError, match=message) as refusal:
        web.lab.serve("more", "named", count=1, **options)
    assert refusal.value.response["Error"]["Code"] == "UnsupportedFeatureException"
    assert web.lab.ecs.describe_services(cluster="demo", services=["more"])["failures"][0]["reason"] == "MISSING"


@pytest.mark.parametrize("options, message", SERVICE[:2])
def test_an_update_is_refused_as_a_creation_is(web, options, message):
    with pytest.raises(ClientError, match=message):
        web.lab.ecs.update_service(cluster="demo", service="there", **options)


def test_a_classic_load_balancer_is_refused_with_ecss_words_on_fargate_and_ours_elsewhere(web):
    classic = [{"loadBalancerName": "classic", "containerName": "app", "containerPort": 80}]
    with pytest.raises(ClientError, match="Classic Load Balancers are not supported with Fargate."):
        web.lab.serve("classic", count=1, loadBalancers=classic)
    web.lab.define("old", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="128")
    with pytest.raises(ClientError, match="This region has no Classic Load Balancers. Use a target group."):
        web.lab.ecs.create_service(cluster="demo", serviceName="classic", taskDefinition="old", desiredCount=1, launchType="EC2", loadBalancers=classic)


def test_the_controller_of_a_service_stays(web):
    with pytest.raises(ClientError, match="does not change the deployment controller of a service"):
        web.lab.ecs.update_service(cluster="demo", service="there", deploymentController={"type": "EXTERNAL"})
    web.lab.ecs.update_service(cluster="demo", service="there", deploymentController={"type": "ECS"})


def forward(web):
    return [{"Type": "forward", "TargetGroupArn": web.group}]


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda w: w.new_group("g", Protocol="UDP"), "target groups of protocol UDP"),
        (lambda w: w.new_group("g", ProtocolVersion="GRPC"), "target groups with the protocol version GRPC"),
        (lambda w: w.elb.create_target_group(Name="g", TargetType="lambda"), "target groups of type lambda"),
        (lambda w: w.elb.create_load_balancer(Name="g", Type="gateway", Subnets=w.lab.subnets[:2]), "load balancers of type gateway"),
        (
            lambda w: w.elb.create_listener(LoadBalancerArn=w.balancer["LoadBalancerArn"], Protocol="UDP", Port=53, DefaultActions=forward(w)),
            "listeners of protocol UDP",
        ),
        (
            lambda w: w.rule(7, [{"Field": "path-pattern", "Values": ["/a"]}], {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": OIDC}, {**forward(w)[0], "Order": 2}),
            "actions of type authenticate-oidc",
        ),
        (lambda w: w.rule(7, [{"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a"]}}], *forward(w)), "RegexValues in conditions"),
        (
            lambda w: w.elb.create_rule(
                ListenerArn=w.listener, Priority=7, Conditions=[{"Field": "path-pattern", "Values": ["/a"]}], Actions=forward(w),
                Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "/a", "Replace": "/b"}]}}],
            ),
            "transforms of listener rules",
        ),
        (lambda w: w.set(w.group, **{"load_balancing.cross_zone.enabled": "false"}), "'load_balancing.cross_zone.enabled' with the value 'false'"),
    ],
)  # fmt: skip
def test_what_a_load_balancer_here_cannot_do_is_refused_when_it_is_made(web, ask, message):
    before = len(web.elb.describe_target_groups()["TargetGroups"]), len(web.elb.describe_rules(ListenerArn=web.listener)["Rules"])
    with pytest.raises(ClientError, match=f"This region does not carry out {message}"):
        ask(web)
    assert before == (len(web.elb.describe_target_groups()["TargetGroups"]), len(web.elb.describe_rules(ListenerArn=web.listener)["Rules"]))
