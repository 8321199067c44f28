"""Who reaches whom, and what decides: security groups, routes, modes, in virtual time."""
from __future__ import annotations

import pytest

from tests.region.test_load_balancing import Balanced


class Net:
    def __init__(self, lab):
        self.lab, self.ec2 = lab, lab.ec2
        self.vpc = lab.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def allow(self, group, port=80, **source):
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def run(self, *groups, public=False):
        network = {"subnets": self.lab.subnets[:1], "securityGroups": list(groups), "assignPublicIp": "ENABLED" if public else "DISABLED"}
        arn = self.lab.run(networkConfiguration={"awsvpcConfiguration": network})
        self.lab.region.run_for("20s")
        return arn

    def call(self, source, destination):
        """What the app of one task gets when it asks the other."""
        there = self.lab.task(destination)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        here = self.lab.task(source)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        return self.lab.region.get(f"http://{here}/call?to={there}:80/health").status


@pytest.fixture
def net(lab):
    return Net(lab)


def test_a_group_lets_in_whom_it_names_and_says_so(lab, net):
    web, db = net.group("web"), net.group("db")
    front, back = net.run(web), net.run(db)
    refused = lab.region.can_reach(front, back, 80)
    assert not refused and db in refused.why and refused.decided_by == f"security group {db}"
    assert net.call(front, back) == 502
    net.allow(db, UserIdGroupPairs=[{"GroupId": web}])
    allowed = lab.region.can_reach(front, back, 80)
    assert allowed and allowed.decided_by == f"security group {db}" and str(allowed).startswith("yes")
    assert net.call(front, back) == 200
    assert not lab.region.can_reach(back, front, 80)


def test_the_default_group_lets_its_own_members_in_and_nobody_else(lab, net):
    one, two = lab.run(), lab.run()
    lab.region.run_for("20s")
    stranger = net.run(net.group("stranger"))
    assert lab.region.can_reach(one, two) and not lab.region.can_reach(stranger, one)


def test_a_rule_for_addresses_and_ports(lab, net):
    group = net.group("open")
    net.allow(group, 8080, IpRanges=[{"CidrIp": "172.31.0.0/16"}])
    one, two = net.run(group), net.run(group)
    assert lab.region.can_reach(one, two, 8080) and not lab.region.can_reach(one, two, 80)


def test_a_prefix_list_stands_for_its_addresses(lab, net):
    group = net.group("listed")
    entries = [{"Cidr": "172.31.0.0/16"}, {"Cidr": "172.31.0.0/20"}]
    listed = net.ec2.create_managed_prefix_list(PrefixListName="vpc", Entries=entries, MaxEntries=5, AddressFamily="IPv4")
    one, two = net.run(group), net.run(group)
    assert not lab.region.can_reach(one, two)
    net.allow(group, PrefixListIds=[{"PrefixListId": listed["PrefixList"]["PrefixListId"]}])
    assert lab.region.can_reach(one, two)


def test_the_internet_needs_a_public_address_and_a_group_that_lets_it_in(lab, net):
    group = net.group("public")
    hidden, shown = net.run(group), net.run(group, public=True)
    assert lab.region.can_reach("internet", hidden).decided_by == "public address"
    assert not lab.region.can_reach("internet", shown)
    net.allow(group, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    assert lab.region.can_reach("internet", shown) and lab.region.can_reach(shown, "internet", 443)
    assert "no public address" in lab.region.can_reach(hidden, "internet", 443).why


def test_a_private_subnet_reaches_the_internet_through_nat_only(lab, net):
    vpc = net.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = net.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    arn = lab.run(networkConfiguration=network)
    lab.region.run_for("20s")
    assert "no route to the internet" in lab.region.can_reach(arn, "internet", 443).why
    public = net.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.2.0/24")["Subnet"]["SubnetId"]
    address = net.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = net.ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = net.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    net.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    net.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert lab.region.can_reach(arn, "internet", 443)


def test_a_network_acl_can_refuse_what_groups_allow(lab, net):
    group = net.group("open")
    net.allow(group, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    arn = net.run(group, public=True)
    acl = next(a["NetworkAclId"] for a in net.ec2.describe_network_acls()["NetworkAcls"] if any(s.get("SubnetId") == lab.subnets[0] for s in a["Associations"]))
    net.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=50, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="0.0.0.0/0", PortRange={"From": 80, "To": 80})
    refused = lab.region.can_reach("internet", arn)
    assert refused.decided_by == f"network ACL {acl}" and "rule 50" in refused.why


def test_a_load_balancer_that_is_not_let_in_finds_its_targets_unhealthy(lab, net):
    web = Balanced(lab)
    closed = net.group("closed")
    network = {"awsvpcConfiguration": {"subnets": lab.subnets[:1], "securityGroups": [closed]}}
    web.serve(count=1, networkConfiguration=network, healthCheckGracePeriodSeconds=600)
    lab.region.run_for("1m")
    (target,) = web.elb.describe_target_health(TargetGroupArn=web.group)["TargetHealthDescriptions"]
    assert (target["TargetHealth"]["State"], target["TargetHealth"]["Reason"]) == ("unhealthy", "Target.Timeout")
    assert web.region.get(web.url).status == 504
    default = next(g["GroupId"] for g in net.ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] == "default" and g["VpcId"] == net.vpc)
    net.allow(closed, UserIdGroupPairs=[{"GroupId": default}])
    lab.region.run_for("1m")
    assert web.health() == {"healthy": 1} and web.region.get(web.url).status == 200
    assert lab.region.can_reach(web.balancer["DNSName"], lab.tasks()[0]["taskArn"])


def test_bridge_mode_is_reached_at_its_host_port(lab, net):
    lab.region.add_instance("demo")
    lab.define("old", networkMode="bridge", requiresCompatibilities=["EC2"], cpu="128", memory="128")
    arn = lab.run("old", launchType="EC2", networkConfiguration={})
    lab.region.run_for("20s")
    other = lab.run()
    lab.region.run_for("20s")
    port = lab.task(arn)["containers"][0]["networkBindings"][0]["hostPort"]
    refused = lab.region.can_reach(other, arn, 80)
    assert refused.decided_by == "mode bridge" and str(port) in refused.why
    assert lab.region.can_reach(other, arn, port)


def test_what_does_not_exist_is_said(lab):
    with pytest.raises(ValueError, match="no running task, load balancer or address 'nobody'"):
        lab.region.can_reach("nobody", "internet")
