"""Who reaches whom in the region's network: moto's EC2, shown to `rules.network`.

Source: VPC User Guide, "Security groups", "Route tables", "Network ACLs".
"""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..rules import network as rules
from .model import Task
from .network import ec2

if TYPE_CHECKING:
    from . import Region

ALL = "-1"


@dataclass(frozen=True)
class Answer:
    """True when the connection comes up. `decided_by` names the rule, group, route or mode; `why` says it in a sentence."""

    allowed: bool
    decided_by: str
    why: str

    def __bool__(self) -> bool:
        return self.allowed

    def __repr__(self) -> str:
        return f"{'yes' if self.allowed else 'no'}, decided by {self.decided_by}: {self.why}"


class Reach:
    def __init__(self, region: "Region"):
        self.region = region

    def ask(self, source: str, destination: str, port: int, protocol: str = "tcp") -> Answer:
        """`source` and `destination`: a task, a load balancer (ARN or DNS name), an address, or "internet"."""
        verdict = rules.can_reach(self.party(source), self.party(destination), port, protocol)
        return Answer(verdict.allowed, verdict.decided_by, verdict.why)

    def party(self, name: str) -> rules.Party:
        """ValueError when there is nothing of that name."""
        if name in ("internet", "the internet"):
            return rules.INTERNET
        if ":loadbalancer/" in name or name.endswith(".elb.amazonaws.com"):
            return self.balancer(name)
        task = next((t for t in self.region.tasks.present() if name in (t.id, t.arn) or (t.network and t.network.private_ip == name)), None)
        if task is not None:
            return self.task(task)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            raise ValueError(f"There is no running task, load balancer or address {name!r}.") from None
        return self._address(str(address))

    def task(self, task: Task) -> rules.Party:
        label = f"task {task.id[:8]}"
        if task.network_mode == "awsvpc":
            eni = self._ec2.enis.get(task.network.eni_id)
            return rules.Party(
                name=label,
                private_ip=task.network.private_ip,
                subnet=self._subnet(task.network.subnet_id),
                security_groups=tuple(self._group(g.id) for g in (eni.group_set if eni else ())),
                public_ip=task.public_ip or "",
            )
        ports = tuple(
            (b["hostPort"], b["containerPort"]) for facts in task.facts.values() for b in facts.get("networkBindings", ())
        )
        if task.network_mode == "none" or task.instance is None or task.instance.engine.network is None:
            return rules.Party(name=label, mode=task.network_mode, host_ports=ports)
        return self._on_instance(task, label, task.network_mode, ports)

    def _on_instance(self, task: Task, label: str, mode: str, ports: tuple = ()) -> rules.Party:
        here = task.instance.engine.network
        instance = self._ec2.get_instance(task.instance.ec2_instance_id)
        return rules.Party(
            name=label,
            private_ip=here.private_ip,
            subnet=self._subnet(here.subnet_id),
            security_groups=tuple(self._group(g.id) for g in instance.security_groups),
            public_ip=instance.public_ip or "",
            mode=mode,
            instance=task.instance.ec2_instance_id,
            host_ports=ports,
        )

    def fetching(self, task: Task) -> rules.Party | None:
        """Who fetches the task's image and secrets: on Fargate the task itself, else its instance; None for a machine of one's own."""
        if task.instance is None:
            return self.task(task) if task.network else None
        if task.instance.engine.network is None:
            return None
        return self._on_instance(task, f"instance {task.instance.ec2_instance_id}", "host")

    def is_default(self, subnet_id: str) -> bool:
        """Whether the subnet is one that AWS made for a zone of the default VPC."""
        return any(zone[subnet_id].default_for_az for zone in self._ec2.subnets.values() if subnet_id in zone)

    def endpoints(self, vpc_id: str) -> tuple[rules.VpcEndpoint, ...]:
        """The VPC's endpoints that are there to be used."""
        return tuple(self._endpoint(e) for e in self._ec2.vpc_end_points.values() if e.vpc_id == vpc_id and e.state == "available")

    def _endpoint(self, given) -> rules.VpcEndpoint:
        service = given.service_name.removeprefix(f"com.amazonaws.{self.region.name}.")
        if (given.vpc_endpoint_type or "Gateway").lower() != "interface" or not given.subnet_ids:
            return rules.VpcEndpoint(service, given.vpc_id, route_tables=tuple(given.route_table_ids or ()))
        subnet = self._subnet(given.subnet_ids[0])
        groups = given.security_group_ids or [self._ec2.get_default_security_group(given.vpc_id).id]
        door = rules.Party(f"endpoint {given.id}", str(ipaddress.ip_network(self.region.vpc.cidr(subnet.id))[-7]), subnet, tuple(map(self._group, groups)))
        return rules.VpcEndpoint(service, given.vpc_id, door)

    def groups_of_instance(self, instance_id: str) -> list[str]:
        return [group.id for group in self._ec2.get_instance(instance_id).security_groups]

    def balancer(self, name: str) -> rules.Party:
        from . import elbv2

        balancers = elbv2.backend(self.region.name).load_balancers.values()
        found = next((b for b in balancers if name in (b.arn, b.dns_name)), None)
        if found is None:
            raise ValueError(f"There is no load balancer {name!r}.")
        subnet = found.subnets[0]
        groups = list(found.security_groups or ())
        if not groups and found.type == "application":
            groups = [self._ec2.get_default_security_group(found.vpc_id).id]
        addresses = ipaddress.ip_network(subnet.cidr_block)
        return rules.Party(
            name=f"load balancer {found.name}",
            private_ip=str(addresses[addresses.num_addresses - 6]),
            subnet=self._subnet(subnet.id),
            security_groups=tuple(self._group(g) for g in groups) or (rules.SecurityGroup("none", (rules.Rule(cidr=rules.EVERYWHERE),)),),
            public_ip="203.0.113.1" if found.scheme == "internet-facing" else "",
        )

    def _address(self, address: str) -> rules.Party:
        for zone in self._ec2.subnets.values():
            for subnet in zone.values():
                if ipaddress.ip_address(address) in ipaddress.ip_network(subnet.cidr_block):
                    return rules.Party(name=address, private_ip=address, subnet=self._subnet(subnet.id))
        return rules.Party(name=address, public_ip=address)

    # What moto knows ------------------------------------------------------------

    @property
    def _ec2(self):
        return ec2(self.region.name)

    def _group(self, group_id: str) -> rules.SecurityGroup:
        found = next((groups[group_id] for groups in self._ec2.groups.values() if group_id in groups), None)
        if found is None:
            return rules.SecurityGroup(group_id, (), ())
        return rules.SecurityGroup(
            id=group_id,
            inbound=tuple(map(self._rule, found.ingress_rules)),
            outbound=tuple(map(self._rule, found.egress_rules)),
        )

    def _rule(self, given) -> rules.Rule:
        """One of moto's security group rules as ours."""
        every = given.ip_protocol == ALL or given.from_port in (None, "") or int(given.from_port) < 0
        low, high = (0, 65535) if every else (int(given.from_port), int(given.to_port))
        return rules.Rule(
            protocol=given.ip_protocol or ALL,
            from_port=low,
            to_port=high,
            cidr=given.ip_range.get("CidrIp", ""),
            group=given.source_group.get("GroupId", ""),
            prefix_list=given.prefix_list_id or "",
            prefixes=self._prefixes(given.prefix_list_id),
        )

    def _prefixes(self, prefix_list_id: str | None) -> tuple[str, ...]:
        found = self._ec2.managed_prefix_lists.get(prefix_list_id)
        return tuple(entry["Cidr"] for entry in found.entries.get(found.version, ())) if found else ()

    def _subnet(self, subnet_id: str) -> rules.Subnet:
        subnet = next(zone[subnet_id] for zone in self._ec2.subnets.values() if subnet_id in zone)
        return rules.Subnet(subnet_id, subnet.vpc_id, self._table(subnet), self._acl(subnet))

    def _table(self, subnet) -> rules.RouteTable:
        tables = [t for t in self._ec2.route_tables.values() if t.vpc_id == subnet.vpc_id]
        mine = next((t for t in tables if subnet.id in [a.get("SubnetId") for a in t.associations]), None)
        table = mine or next(t for t in tables if t.main_association_id)
        routes = [rules.Route(self._ec2.get_vpc(subnet.vpc_id).cidr_block, "local")]
        for route in table.routes:
            target = route.gateway or route.nat_gateway or route.vpc_pcx or route.transit_gateway
            if target is not None and route.destination_cidr_block:
                routes.append(rules.Route(route.destination_cidr_block, target.id))
        if self._ec2.get_vpc(subnet.vpc_id).is_default and not any(r.destination == rules.EVERYWHERE for r in routes):
            routes.append(rules.Route(rules.EVERYWHERE, "igw-default"))  # the default VPC has one in AWS; moto leaves it out
        return rules.RouteTable(table.id, tuple(routes))

    def _acl(self, subnet) -> rules.NetworkAcl:
        for acl in self._ec2.network_acls.values():
            if subnet.id in [a.subnet_id for a in acl.associations]:
                return rules.NetworkAcl(acl.id, _entries(acl, egress=False), _entries(acl, egress=True))
        return rules.NetworkAcl("default")


def _entries(acl, egress: bool) -> tuple[rules.AclRule, ...]:
    names = {"6": "tcp", "17": "udp", "1": "icmp"}
    return tuple(
        rules.AclRule(
            number=int(entry.rule_number),
            allow=entry.rule_action == "allow",
            protocol=names.get(str(entry.protocol), str(entry.protocol)),
            from_port=int(entry.port_range_from or 0),
            to_port=int(entry.port_range_to or 65535),
            cidr=entry.cidr_block,
        )
        for entry in acl.entries
        if str(entry.egress).lower() == str(egress).lower() and entry.cidr_block and int(entry.rule_number) < 32767
    )
