"""How much memory an EC2 instance registers with its cluster: less than its type has, for the kernel keeps some.

For a few types the amount is known; for any other it is this lab's estimate, 100 MiB and 3.5 percent.

Source: Developer Guide, "Container instance memory management".
"""
from __future__ import annotations

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


def registered_memory(instance_type: str, nominal: int) -> int:
    """MiB for tasks, of a type that has `nominal` MiB."""
    return REGISTERED_MEMORY.get(instance_type) or nominal - 100 - nominal * 35 // 1000
