"""EC2 instance types: what an instance of each registers with its cluster.

vCPUs, memory, interfaces and GPUs are those of moto's copy of EC2's DescribeInstanceTypes.
An instance registers less memory than its type has: the kernel keeps some. For a few types
the amount is known; for any other it is this lab's estimate, 100 MiB and 3.5 percent.

Source: Developer Guide, "Container instance memory management", "Elastic network interface
limits" (awsvpcTrunking).
"""
from __future__ import annotations

from dataclasses import dataclass

from ..rules import network

REGISTERED_MEMORY = {
    "t3.micro": 904,
    "t3.small": 1896,
    "t3.medium": 3843,
    "t3.large": 7800,
    "c5.large": 3767,
    "m5.large": 7764,
    "m5.xlarge": 15720,
    "m5.2xlarge": 31600,
    "r5.large": 15740,
}


@dataclass(frozen=True, slots=True)
class InstanceType:
    name: str
    cpu: int  # CPU units
    memory: int  # MiB, as registered
    interfaces: int  # without trunking, the instance's own among them
    architecture: str = "x86_64"
    gpus: int = 0

    def awsvpc_tasks(self, trunking: bool) -> int:
        """How many tasks with an interface of their own fit."""
        if trunking and network.can_trunk(self.name):
            return network.awsvpc_tasks(self.name, trunking=True)
        return self.interfaces - 1


def instance_type(name: str) -> InstanceType | None:
    """The type of that name; None when EC2 has none."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    facts = INSTANCE_TYPES.get(name)
    if facts is None:
        return None
    nominal = facts["MemoryInfo"]["SizeInMiB"]
    return InstanceType(
        name=name,
        cpu=1024 * facts["VCpuInfo"]["DefaultVCpus"],
        memory=REGISTERED_MEMORY.get(name) or nominal - 100 - nominal * 35 // 1000,
        interfaces=facts["NetworkInfo"]["MaximumNetworkInterfaces"],
        architecture=facts["ProcessorInfo"]["SupportedArchitectures"][-1],
        gpus=sum(g.get("Count", 0) for g in facts.get("GpuInfo", {}).get("Gpus", ())),
    )
