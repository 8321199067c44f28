"""EC2 instance types: what an instance of each registers with its cluster.

vCPUs, memory, interfaces and GPUs are those of moto's copy of EC2's DescribeInstanceTypes.
What of the memory it registers is in `rules/instance_memory.py`.

Source: Developer Guide, "Elastic network interface limits" (awsvpcTrunking).
"""
from __future__ import annotations

from dataclasses import dataclass

from ..rules import network
from ..rules.instance_memory import registered_memory


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
        memory=registered_memory(name, nominal),
        interfaces=facts["NetworkInfo"]["MaximumNetworkInterfaces"],
        architecture=facts["ProcessorInfo"]["SupportedArchitectures"][-1],
        gpus=sum(g.get("Count", 0) for g in facts.get("GpuInfo", {}).get("Gpus", ())),
    )
