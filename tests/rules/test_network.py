from dataclasses import replace

import pytest

from ecslab.rules.network import (
    INTERNET,
    MODES,
    AclRule,
    NetworkAcl,
    Party,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    VpcEndpoint,
    awsvpc_tasks,
    can_reach,
    can_trunk,
    egress,
    eni_limit,
    may_have_public_ip,
)

LOCAL = Route("10.0.0.0/16", "local")
PUBLIC = Subnet("subnet-public", "vpc-1", RouteTable("rtb-public", (LOCAL, Route("0.0.0.0/0", "igw-1"))))
NATTED = Subnet("subnet-nat", "vpc-1", RouteTable("rtb-nat", (LOCAL, Route("0.0.0.0/0", "nat-1", "203.0.113.9"))))
PRIVATE = Subnet("subnet-private", "vpc-1", RouteTable("rtb-private", (LOCAL,)))

SG_ALB = SecurityGroup("sg-alb", inbound=(Rule("tcp", 80, 80, cidr="0.0.0.0/0"),))
SG_WEB = SecurityGroup("sg-web", inbound=(Rule("tcp", 8080, 8080, group="sg-alb"),))

ALB = Party("alb", "10.0.0.5", PUBLIC, (SG_ALB,), public_ip="203.0.113.5")
WEB = Party("web", "10.0.1.10", PRIVATE, (SG_WEB,))


# Modes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode, target_type, service_connect, owner",
    [("awsvpc", "ip", True, "task"), ("bridge", "instance", True, "instance"), ("host", "instance", False, "instance")],
)
def test_each_mode_has_its_target_type_and_security_group(mode, target_type, service_connect, owner):
    found = MODES[mode]
    assert (found.target_type, found.service_connect, found.security_group) == (target_type, service_connect, owner)


def test_fargate_runs_awsvpc_only_and_external_never_does():
    assert [name for name, mode in MODES.items() if "FARGATE" in mode.launch_types] == ["awsvpc"]
    assert "EXTERNAL" not in MODES["awsvpc"].launch_types
    assert [name for name, mode in MODES.items() if "MANAGED_INSTANCES" in mode.launch_types] == ["awsvpc", "host"]


def test_only_fargate_tasks_get_a_public_address():
    assert may_have_public_ip("FARGATE")
    assert not may_have_public_ip("EC2")


@pytest.mark.parametrize(
    "instance_type, plain, trunked",
    [
        ("m6g.medium", 1, 4),
        ("a1.medium", 1, 10),
        ("c5.large", 2, 10),
        ("m5.xlarge", 3, 20),
        ("r5.2xlarge", 3, 40),
        ("m6i.4xlarge", 7, 60),
        ("c7g.16xlarge", 14, 120),
    ],
)
def test_interfaces_limit_the_awsvpc_tasks_of_an_instance(instance_type, plain, trunked):
    assert (awsvpc_tasks(instance_type), awsvpc_tasks(instance_type, trunking=True)) == (plain, trunked)
    assert eni_limit(instance_type) == plain + 1


def test_trunking_gives_a_burstable_instance_nothing():
    assert not can_trunk("t3.large") and can_trunk("m5.large")
    assert awsvpc_tasks("t3.large", trunking=True) == awsvpc_tasks("t3.large") == 2


@pytest.mark.parametrize("instance_type, plain", [("t3.micro", 1), ("t2.medium", 2), ("i3.8xlarge", 7), ("c5.metal", 14), ("odd", 2)])
def test_a_type_the_table_leaves_out_counts_by_its_size(instance_type, plain):
    assert awsvpc_tasks(instance_type) == plain


def test_no_mode_none_task_is_reached_or_reaches():
    alone = replace(WEB, name="alone", mode="none")
    assert can_reach(ALB, alone, 8080).decided_by == "mode none"
    assert can_reach(alone, WEB, 8080).decided_by == "mode none"


def test_containers_of_one_awsvpc_task_meet_on_localhost_whatever_the_groups_say():
    verdict = can_reach(WEB, WEB, 9999)
    assert (verdict.allowed, verdict.decided_by) == (True, "mode awsvpc")


BRIDGED = Party(
    "api", "10.0.1.20", PRIVATE, (SG_WEB,), mode="bridge", instance="i-1", host_ports=((32768, 8080), (8080, 80))
)


def test_a_bridge_container_is_reached_at_its_host_port_only():
    verdict = can_reach(ALB, replace(BRIDGED, host_ports=((32768, 8080),)), 8080)
    assert (verdict.allowed, verdict.decided_by) == (False, "mode bridge")
    assert "Container port 8080 is host port 32768." in verdict.why
    assert can_reach(ALB, BRIDGED, 8080).allowed
    assert not can_reach(ALB, BRIDGED, 32768).allowed


def test_the_containers_of_a_bridge_task_share_no_localhost():
    verdict = can_reach(BRIDGED, BRIDGED, 80)
    assert (verdict.allowed, verdict.decided_by) == (False, "mode bridge")
    assert "links or a host port" in verdict.why
    assert can_reach(BRIDGED, BRIDGED, 8080).allowed


def test_a_bridge_task_is_guarded_by_its_instances_security_group():
    verdict = can_reach(ALB, BRIDGED, 32768)
    assert verdict.decided_by == "security group sg-web"
    assert "its instance's" in verdict.why


def test_two_tasks_on_one_instance_meet_without_a_security_group():
    neighbour = replace(BRIDGED, name="other", mode="host")
    assert can_reach(neighbour, BRIDGED, 32768).decided_by == "instance i-1"
    assert not can_reach(replace(neighbour, instance="i-2"), BRIDGED, 32768).allowed


# Security groups ------------------------------------------------------------


def test_the_group_that_lets_traffic_in_is_named():
    verdict = can_reach(ALB, WEB, 8080)
    assert (verdict.allowed, verdict.decided_by) == (True, "security group sg-web")
    assert verdict.why == "sg-web lets tcp 8080 in from alb: tcp 8080 sg-alb."


@pytest.mark.parametrize("port, protocol", [(80, "tcp"), (8080, "udp")])
def test_what_no_rule_allows_is_denied(port, protocol):
    verdict = can_reach(ALB, WEB, port, protocol)
    assert (verdict.allowed, verdict.decided_by) == (False, "security group sg-web")


def test_a_group_reference_is_not_transitive():
    stranger = replace(WEB, name="stranger", private_ip="10.0.1.11")
    assert not can_reach(stranger, WEB, 8080).allowed


@pytest.mark.parametrize(
    "rule, allowed",
    [
        (Rule("tcp", 8000, 9000, cidr="10.0.0.0/24"), True),
        (Rule("tcp", 8080, 8080, cidr="10.0.1.0/24"), False),
        (Rule(cidr="0.0.0.0/0"), True),
        (Rule("tcp", 8080, 8080, prefix_list="pl-1", prefixes=("192.168.0.0/16", "10.0.0.5/32")), True),
    ],
)
def test_a_rule_names_the_other_side_by_cidr_or_prefix_list(rule, allowed):
    assert can_reach(ALB, replace(WEB, security_groups=(SecurityGroup("sg", (rule,)),)), 8080).allowed is allowed


def test_outbound_rules_hold_the_source_back():
    shut = replace(ALB, security_groups=(SecurityGroup("sg-alb", outbound=()),))
    verdict = can_reach(shut, WEB, 8080)
    assert (verdict.allowed, verdict.decided_by) == (False, "security group sg-alb")
    assert "out to web" in verdict.why


def test_security_groups_are_stateful():
    silent = replace(WEB, security_groups=(replace(SG_WEB, outbound=()),))
    assert can_reach(ALB, silent, 8080).allowed


# Network ACLs ---------------------------------------------------------------


def behind(acl):
    return replace(WEB, subnet=replace(PRIVATE, network_acl=acl))


def test_the_lowest_matching_acl_rule_wins():
    acl = NetworkAcl("acl-1", inbound=(AclRule(200, True), AclRule(100, False, "tcp", 8080, 8080)))
    verdict = can_reach(ALB, behind(acl), 8080)
    assert (verdict.allowed, verdict.decided_by) == (False, "network ACL acl-1")
    assert "denies tcp 8080 in by rule 100" in verdict.why


def test_an_acl_must_let_the_answer_out_because_it_is_stateless():
    acl = NetworkAcl("acl-1", outbound=(AclRule(100, True, "tcp", 443, 443),))
    verdict = can_reach(ALB, behind(acl), 8080)
    assert verdict.decided_by == "network ACL acl-1"
    assert "tcp 32768-60999 out by its last rule" in verdict.why and "stateless" in verdict.why
    opened = replace(acl, outbound=(AclRule(100, True, "tcp", 1024, 65535),))
    assert can_reach(ALB, behind(opened), 8080).allowed


def test_an_acl_does_not_stand_inside_a_subnet():
    shut = replace(PUBLIC, network_acl=NetworkAcl("acl-1", inbound=(), outbound=()))
    alb, web = replace(ALB, subnet=shut), replace(WEB, subnet=shut)
    assert can_reach(alb, web, 8080).allowed


# Routes ---------------------------------------------------------------------


def test_the_internet_reaches_a_public_load_balancer_but_no_private_task():
    assert can_reach(INTERNET, ALB, 80).allowed
    assert can_reach(INTERNET, ALB, 443).decided_by == "security group sg-alb"
    assert can_reach(INTERNET, WEB, 8080).decided_by == "public address"


def test_a_public_address_in_a_private_subnet_is_not_reached():
    verdict = can_reach(INTERNET, replace(ALB, subnet=NATTED), 80)
    assert (verdict.allowed, verdict.decided_by) == (False, "route table rtb-nat")
    assert "private" in verdict.why


@pytest.mark.parametrize(
    "subnet, public_ip, allowed, decided_by",
    [
        (PUBLIC, "203.0.113.7", True, "security group sg-web"),
        (PUBLIC, "", False, "route igw-1"),
        (NATTED, "", True, "security group sg-web"),
        (PRIVATE, "203.0.113.7", False, "route table rtb-private"),
    ],
)
def test_the_way_to_the_internet(subnet, public_ip, allowed, decided_by):
    verdict = can_reach(replace(WEB, subnet=subnet, public_ip=public_ip), INTERNET, 443)
    assert (verdict.allowed, verdict.decided_by) == (allowed, decided_by)


def test_a_group_reference_does_not_hold_over_public_addresses():
    other = replace(PUBLIC, vpc_id="vpc-2")
    api = Party("api", "10.9.0.4", other, (SG_WEB,), public_ip="203.0.113.8")
    assert not can_reach(ALB, api, 8080).allowed
    by_address = SecurityGroup("sg", (Rule("tcp", 8080, 8080, cidr="203.0.113.5/32"),))
    assert can_reach(ALB, replace(api, security_groups=(by_address,)), 8080).allowed


def test_behind_a_nat_gateway_the_others_see_its_address():
    task = replace(WEB, subnet=NATTED)
    by_nat = SecurityGroup("sg", (Rule("tcp", 80, 80, cidr="203.0.113.9/32"),))
    partner = Party("partner", "10.9.0.4", replace(PUBLIC, vpc_id="vpc-2"), (by_nat,), public_ip="203.0.113.8")
    assert can_reach(task, partner, 80).allowed


def test_another_vpc_needs_a_route():
    from_vpc_1 = SecurityGroup("sg-db", (Rule(cidr="10.0.0.0/16"),))
    elsewhere = Party("db", "10.9.0.4", replace(PRIVATE, vpc_id="vpc-2"), (from_vpc_1,))
    assert can_reach(WEB, elsewhere, 5432).decided_by == "route table rtb-private"
    peered = replace(PRIVATE, route_table=RouteTable("rtb-peer", (LOCAL, Route("10.9.0.0/16", "pcx-1"))))
    assert can_reach(replace(WEB, subnet=peered), elsewhere, 5432).allowed


def test_the_most_specific_route_wins():
    ways = (Route("0.0.0.0/0", "igw-1"), Route("10.9.0.0/16", "pcx-1"), Route("10.9.1.0/24", "tgw-1"))
    table = RouteTable("rtb", ways)
    assert table.route_to("10.9.1.4").target == "tgw-1"
    assert table.route_to("10.9.2.4").target == "pcx-1"


# What a task needs of AWS ---------------------------------------------------

OPEN = SecurityGroup("sg-endpoint", (Rule("tcp", 443, 443, cidr="10.0.0.0/16"),))


def interface(service, group=OPEN):
    return VpcEndpoint(service, "vpc-1", Party(f"{service} endpoint", "10.0.1.200", PRIVATE, (group,)))


S3 = VpcEndpoint("s3", "vpc-1", route_tables=("rtb-private",))


@pytest.mark.parametrize("subnet, public_ip", [(PUBLIC, "203.0.113.7"), (NATTED, "")])
@pytest.mark.parametrize("service", ["ecr", "secretsmanager", "ssm", "logs", "exec", "internet"])
def test_a_public_address_or_a_nat_gateway_reaches_everything(subnet, public_ip, service):
    assert egress(replace(WEB, subnet=subnet, public_ip=public_ip), service).allowed


@pytest.mark.parametrize(
    "service, failure",
    [
        ("ecr", "ResourceInitializationError: unable to pull secrets or registry auth"),
        ("secretsmanager", "ResourceInitializationError: unable to pull secrets or registry auth"),
        ("logs", "ResourceInitializationError: failed to initialize logging driver"),
        ("internet", "CannotPullContainerError"),
    ],
)
def test_a_public_subnet_without_a_public_address_fails_as_ecs_says(service, failure):
    verdict = egress(replace(WEB, subnet=PUBLIC), service)
    assert (verdict.allowed, verdict.decided_by) == (False, "route igw-1")
    assert verdict.failure.startswith(failure)


def test_a_private_task_pulls_from_ecr_only_with_all_three_endpoints():
    endpoints = (interface("ecr.api"), interface("ecr.dkr"))
    lacking = egress(WEB, "ecr", endpoints)
    assert not lacking.allowed and lacking.why.startswith("s3: ")
    assert egress(WEB, "ecr", (*endpoints, S3)).allowed


def test_a_gateway_endpoint_serves_only_its_route_tables():
    elsewhere = replace(S3, route_tables=("rtb-other",))
    assert not egress(WEB, "ecr", (interface("ecr.api"), interface("ecr.dkr"), elsewhere)).allowed


def test_an_endpoint_that_shuts_the_task_out_blocks_it_even_beside_a_nat_gateway():
    shut = interface("logs", SecurityGroup("sg-shut"))
    verdict = egress(replace(WEB, subnet=NATTED), "logs", (shut,))
    assert (verdict.allowed, verdict.decided_by) == (False, "security group sg-shut")
    assert verdict.failure.startswith("ResourceInitializationError: failed to initialize logging driver")


def test_endpoints_do_not_open_the_internet():
    assert not egress(WEB, "internet", (interface("ecr.api"), S3)).allowed
