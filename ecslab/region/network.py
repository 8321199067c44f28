"""Tasks' network interfaces, in moto's EC2.

The interface of an `awsvpc` task exists in EC2 with the address that answers;
it is created when the task starts and deleted when it stops.
"""
from __future__ import annotations

import ipaddress
from functools import lru_cache

from ..engines.base import Engine, Network
from ..rules.errors import EcsError, invalid
from .identifiers import ACCOUNT

# Where the default VPC may lie. AWS uses the first; the others are for a machine on which that range is taken.
DEFAULT_VPC_RANGES = ["172.31.0.0/16", *(f"10.{number}.0.0/16" for number in range(200, 232))]
MAX_SUBNETS = 16
MAX_SECURITY_GROUPS = 5


@lru_cache
def mended() -> None:
    """moto's EC2 with default security groups that let their own members in, as in AWS, instances at addresses that
    no other interface has, and images only when asked for. Once for the process."""
    from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule
    from moto.ec2.models.subnets import Subnet

    make = SecurityGroup.__init__

    def init(group, *args, **fields) -> None:
        make(group, *args, **fields)
        if group.is_default:
            itself = {"GroupId": group.id, "UserId": ACCOUNT}
            group.ingress_rules.append(SecurityGroupRule(group.ec2_backend, "-1", group.id, None, None, None, itself, is_egress=False))

    SecurityGroup.__init__ = init
    Subnet.get_available_subnet_ip = _address_for_instance
    _load_images_when_asked()


def _load_images_when_asked() -> None:
    """moto makes 1,300 machine images in every new region, most of what a start takes. Few labs look at one."""
    from moto.ec2.models.amis import AmiBackend
    from moto.moto_api._internal import mock_random

    load = AmiBackend._load_amis

    def images(backend) -> dict:
        kept = backend.__dict__
        if kept.pop("ecslab_unloaded", False):
            state = mock_random.getstate()  # the ids of images are not part of the region's sequence
            mock_random.seed(0)
            load(backend)
            mock_random.setstate(state)
        return kept["ecslab_images"] if "ecslab_images" in kept else kept["amis"]  # made before this was mended

    AmiBackend._load_amis = lambda backend: backend.__dict__.update(ecslab_unloaded=True)
    AmiBackend.amis = property(images, lambda backend, given: backend.__dict__.update(ecslab_images=given))


def _address_for_instance(subnet, instance) -> str:
    """The lowest address of the subnet that no interface has. AWS keeps the first four and the last."""
    taken = {eni.private_ip_address for eni in subnet.ec2_backend.enis.values()}
    hosts = ipaddress.ip_network(subnet.cidr_block)
    address = next(str(hosts[n]) for n in range(4, hosts.num_addresses - 1) if str(hosts[n]) not in taken)
    subnet.request_ip(address, instance)
    return address


def ec2(region_name: str):
    """moto's EC2 of the region."""
    mended()
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT][region_name]


class Vpc:
    """Made when first asked for: moto's EC2 is most of what a region's start would take."""

    def __init__(self, region_name: str, engine: Engine):
        self._region_name = region_name
        self._taken: dict[str, set[str]] = {}  # subnet -> addresses in use
        self._next: dict[str, int] = {}
        cidr = engine.free_cidr(DEFAULT_VPC_RANGES)
        if cidr != DEFAULT_VPC_RANGES[0]:
            _move_default_vpc(self._ec2, cidr)

    @property
    def _ec2(self):
        return ec2(self._region_name)

    def check(self, configuration: dict | None, launch_type: str | None) -> dict:
        """A valid awsvpcConfiguration, with the VPC's default security group filled in. EcsError otherwise."""
        wanted = (configuration or {}).get("awsvpcConfiguration")
        if not wanted:
            raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        subnets = wanted.get("subnets") or []
        groups = wanted.get("securityGroups") or []
        if not subnets:
            raise invalid("subnets can not be empty.")
        if len(subnets) > MAX_SUBNETS:
            raise invalid(f"subnets can have at most {MAX_SUBNETS} items.")
        if len(groups) > MAX_SECURITY_GROUPS:
            raise invalid(f"securityGroups can have at most {MAX_SECURITY_GROUPS} items.")
        if wanted.get("assignPublicIp") == "ENABLED" and launch_type in ("EC2", "EXTERNAL"):
            raise invalid("Assign public IP is not supported for this launch type.")
        found = [self._subnet(subnet_id) for subnet_id in subnets]
        if len({s.vpc_id for s in found}) > 1:
            raise invalid("Subnets must be in the same VPC.")
        for group_id in groups:
            self._group(group_id)
        if not groups:
            groups = [self._ec2.get_default_security_group(found[0].vpc_id).id]
        return {
            "subnets": list(subnets),
            "securityGroups": groups,
            "assignPublicIp": wanted.get("assignPublicIp") or "DISABLED",
        }

    def default_group(self, subnet_id: str) -> str:
        """The id of the default security group of the subnet's VPC."""
        return self._ec2.get_default_security_group(self._subnet(subnet_id).vpc_id).id

    def zone(self, subnet_id: str) -> str:
        return self._subnet(subnet_id).availability_zone

    def zone_id(self, zone: str) -> str | None:
        """What a zone is called in every account, `use1-az1`."""
        return next((one.zone_id for one in self._ec2.describe_availability_zones() if one.name == zone), None)

    def cidr(self, subnet_id: str) -> str:
        return self._subnet(subnet_id).cidr_block

    def attach(self, subnet_id: str, security_groups: list[str], public_ip: bool, description: str) -> tuple[Network, str | None]:
        """A new interface in that subnet: (its network, its public address or None)."""
        subnet = self._subnet(subnet_id)
        eni = self._ec2.create_network_interface(
            subnet,
            self._free_address(subnet),
            group_ids=list(security_groups),
            description=description,
            public_ip_auto_assign=public_ip,
        )
        eni.status = "in-use"
        eni.requester_managed = True
        vpc = self._ec2.get_vpc(subnet.vpc_id)
        network = Network(
            vpc_id=vpc.id,
            vpc_cidr=vpc.cidr_block,
            subnet_id=subnet.id,
            eni_id=eni.id,
            private_ip=eni.private_ip_address,
            mac=eni.mac_address,
        )
        return network, eni.public_ip

    def detach(self, network: Network) -> None:
        self._taken.get(network.subnet_id, set()).discard(network.private_ip)
        eni = self._ec2.enis.get(network.eni_id)
        if eni is not None:
            eni.status = "available"
            self._ec2.delete_network_interface(network.eni_id)

    def free_address(self, subnet_id: str) -> str:
        return self._free_address(self._subnet(subnet_id))

    def network_of(self, instance_id: str) -> Network:
        """Where an EC2 instance is."""
        instance = self._ec2.get_instance(instance_id)
        eni = next(iter(instance.nics.values()))
        vpc = self._ec2.get_vpc(eni.subnet.vpc_id)
        return Network(vpc.id, vpc.cidr_block, eni.subnet.id, eni.id, eni.private_ip_address, eni.mac_address)

    def instances(self) -> list:
        """moto's EC2 instances, the oldest first."""
        return list(self._ec2.all_instances())

    def instance(self, instance_id: str):
        return self._ec2.get_instance(instance_id)

    def volumes(self) -> list:
        return list(self._ec2.volumes.values())

    def nat_gateways(self) -> list:
        """Those that are not deleted."""
        return [gateway for gateway in self._ec2.nat_gateways.values() if gateway.state != "deleted"]

    def elastic_addresses(self) -> list:
        return list(self._ec2.addresses)

    def in_scaling_group(self, instance_id: str | None) -> bool:
        return self.scaling_group(instance_id) is not None

    def scaling_group(self, instance_id: str | None):
        """moto's Auto Scaling group that launched the instance, if one did."""
        found = next((i for i in self._ec2.all_instances() if i.id == instance_id), None)
        return getattr(found, "autoscaling_group", None)

    def default_subnets(self) -> list[str]:
        """One subnet per Availability Zone of the default VPC."""
        vpc = self._ec2.get_default_vpc()
        subnets = [s for zone in self._ec2.subnets.values() for s in zone.values() if s.vpc_id == vpc.id]
        return [s.id for s in sorted(subnets, key=lambda s: s.availability_zone)]

    def _free_address(self, subnet) -> str:
        """The next address nobody has. AWS keeps the first four of a subnet and its last."""
        hosts = ipaddress.ip_network(subnet.cidr_block)
        taken = self._taken.setdefault(subnet.id, set())
        size = hosts.num_addresses - 5
        start = self._next.get(subnet.id, 0)
        for step in range(size):
            offset = (start + step) % size
            address = str(hosts[offset + 4])
            if address not in taken and address not in subnet._subnet_ips:
                taken.add(address)
                self._next[subnet.id] = offset + 1
                return address
        raise EcsError("ClientException", f"Subnet {subnet.id} has no free addresses.")

    def _subnet(self, subnet_id: str):
        for zone in self._ec2.subnets.values():
            if subnet_id in zone:
                return zone[subnet_id]
        raise invalid(
            f"Error retrieving subnet information for [{subnet_id}]: The subnet ID '{subnet_id}' does not exist "
            "(ErrorCode: InvalidSubnetID.NotFound)"
        )

    def _group(self, group_id: str):
        for groups in self._ec2.groups.values():
            if group_id in groups:
                return groups[group_id]
        raise invalid(
            f"Error retrieving security group information for [{group_id}]: The security group '{group_id}' does not exist "
            "(ErrorCode: InvalidGroup.NotFound)"
        )


def _move_default_vpc(ec2, cidr: str) -> None:
    """Make the default VPC lie at `cidr`. moto always puts it at the first of the ranges."""
    if ec2.default_vpc.cidr_block == cidr:
        return
    old = ec2.default_vpc
    for zone in ec2.subnets.values():
        for subnet_id in [s.id for s in zone.values() if s.vpc_id == old.id]:
            del zone[subnet_id]
    del ec2.vpcs[old.id]
    ec2.default_vpc = ec2.create_vpc(cidr, is_default=True)
    for zone in ec2.describe_availability_zones():
        ec2.create_default_subnet(zone.name)
