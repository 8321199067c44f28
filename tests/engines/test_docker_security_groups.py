"""Security groups and names on Docker: the answer of `can_reach` is what a real connection finds."""
from __future__ import annotations

import pytest

from ecslab.region import start
from tests.region.conftest import Lab
from tests.region.test_reach import Net

SPEED = 20.0


@pytest.fixture(scope="module")
def net():
    with start(engine="docker", speed=SPEED) as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        assert region.enforces_security_groups[0], region.enforces_security_groups[1]
        yield Net(lab)


def agrees(net, source, destination) -> bool:
    """What both say, within two seconds of a change: is the destination reached?"""
    for _ in range(10):
        said = bool(net.lab.region.can_reach(source, destination, 80))
        if said == (net.call(source, destination) == 200):
            return said
        net.lab.region.run_for("4s")
    raise AssertionError("can_reach and the connection do not agree")


def test_groups_decide_real_connections(net):
    web, db = net.group("web"), net.group("db")
    front, back, again = net.run(web), net.run(db), net.run(db)
    assert agrees(net, front, back) is False
    assert agrees(net, back, again) is False, "members of one group are strangers unless a rule names the group"
    net.allow(db, UserIdGroupPairs=[{"GroupId": web}])
    assert agrees(net, front, back) is True
    assert agrees(net, back, front) is False
    late = net.run(web)
    assert agrees(net, late, back) is True, "who joins the group later is let in too"
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": web}]}
    net.ec2.revoke_security_group_ingress(GroupId=db, IpPermissions=[permission])
    assert agrees(net, front, back) is False
    net.allow(db, IpRanges=[{"CidrIp": net.ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]}])
    assert agrees(net, late, back) is True


def test_a_group_that_lets_nothing_out_keeps_its_members_in(net):
    shut, open_ = net.group("shut"), net.group("open-to-all")
    net.ec2.revoke_security_group_egress(GroupId=shut, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    net.allow(open_, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    source, destination = net.run(shut), net.run(open_)
    assert agrees(net, source, destination) is False


def test_rules_of_every_kind_are_loaded_together(net):
    group = net.group("mixed")
    subnet = net.ec2.describe_subnets(SubnetIds=net.lab.subnets[:1])["Subnets"][0]["CidrBlock"]
    entries = [{"Cidr": net.ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]}, {"Cidr": subnet}]  # one within the other
    listed = net.ec2.create_managed_prefix_list(PrefixListName="vpc", Entries=entries, MaxEntries=5, AddressFamily="IPv4")["PrefixList"]
    ping = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    names = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ping, names])
    one, two = net.run(group), net.run(group)
    assert agrees(net, one, two) is False
    net.allow(group, PrefixListIds=[{"PrefixListId": listed["PrefixListId"]}])
    assert agrees(net, one, two) is True


def test_members_that_start_one_after_another_know_each_other(net):
    group = net.group("family")
    net.allow(group, UserIdGroupPairs=[{"GroupId": group}])
    network = {"awsvpcConfiguration": {"subnets": net.lab.subnets[:1], "securityGroups": [group]}}
    arns = [net.lab.run(networkConfiguration=network) for _ in range(6)]
    net.lab.region.run_for("60s")
    assert all(agrees(net, arns[-1], other) for other in arns[:-1]) and all(agrees(net, other, arns[-1]) for other in arns[:-1])


def test_the_default_group_is_a_family(net):
    one, two = net.lab.run(), net.lab.run()
    net.lab.region.run_for("30s")
    assert agrees(net, one, two) is True


def test_names_of_cloud_map_resolve_inside_containers(net):
    lab = net.lab
    cloud_map = lab.region.client("servicediscovery")
    cloud_map.create_private_dns_namespace(Name="local", Vpc=net.vpc)
    namespace = cloud_map.list_namespaces()["Namespaces"][0]["Id"]
    records = {"DnsRecords": [{"Type": "A", "TTL": 1}, {"Type": "SRV", "TTL": 1}], "RoutingPolicy": "MULTIVALUE"}
    registry = cloud_map.create_service(Name="backend", NamespaceId=namespace, DnsConfig=records, HealthCheckCustomConfig={"FailureThreshold": 1})["Service"]["Arn"]
    lab.serve(name="backend", count=2, serviceRegistries=[{"registryArn": registry, "port": 80}])
    client = lab.run()
    for _ in range(60):
        if len(cloud_map.discover_instances(NamespaceName="local", ServiceName="backend")["Instances"]) == 2:
            break
        lab.region.run_for("2s")
    here = lab.task(client)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    for _ in range(60):  # the client, too, has to listen first
        if lab.region.get(f"http://{here}/health").status == 200:
            break
        lab.region.run_for("2s")
    answers = [lab.region.get(f"http://{here}/call?to=backend.local:80/") for _ in range(4)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["task"] for answer in answers} <= {t["taskArn"].rpartition("/")[2] for t in lab.tasks("backend")}
    assert lab.region.get(f"http://{here}/call?to=nobody.local:80/").status == 502
    lab.ecs.update_service(cluster="demo", service="backend", desiredCount=0)
    for _ in range(60):
        if not cloud_map.discover_instances(NamespaceName="local", ServiceName="backend")["Instances"]:
            break
        lab.region.run_for("2s")
    assert lab.region.get(f"http://{here}/call?to=backend.local:80/").body.strip() == "cannot resolve backend.local"
