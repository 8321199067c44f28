"""How large is a task: the sizes people write, and what the scheduler reserves.

Sources: API Reference, RegisterTaskDefinition (`cpu`, `memory`); Developer Guide,
"Amazon ECS task definition parameters" (task size, container limits).
"""
from __future__ import annotations

import re
from fractions import Fraction
from typing import Mapping

from .errors import client

UNITS_PER_VCPU = 1024
MIB_PER_GB = 1024

_SIZE = re.compile(r"\s*(?P<number>[0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,9})\s*(?P<unit>vcpu|gb)?\s*", re.IGNORECASE)


def parse_cpu(text: str | int) -> int:
    """`"256"`, `"0.25 vCPU"`, `".5vcpu"` in CPU units (1024 = 1 vCPU). ClientException for anything else."""
    return _parse(text, "vcpu", UNITS_PER_VCPU, "Invalid 'cpu' setting for task.")


def parse_memory(text: str | int) -> int:
    """`"512"`, `"0.5GB"`, `"1 gb"` in MiB. ClientException for anything else."""
    return _parse(text, "gb", MIB_PER_GB, "Invalid 'memory' setting for task.")


def _parse(text: str | int, unit: str, factor: int, complaint: str) -> int:
    match = _SIZE.fullmatch(str(text))
    if not match or (match["unit"] or unit).lower() != unit:
        raise client(complaint)
    value = Fraction(match["number"]) * (factor if match["unit"] else 1)
    if value <= 0 or value.denominator != 1:
        raise client(complaint)
    return int(value)


def reserved(definition: Mapping) -> tuple[int, int]:
    """(CPU units, MiB) that one task of this definition reserves.

    The task's own sizes where it has them; else the sum of its containers', of
    whom `memoryReservation` counts before `memory`.
    """
    containers = definition["containerDefinitions"]
    cpu, memory = definition.get("cpu"), definition.get("memory")
    return (
        int(cpu) if cpu else sum(c.get("cpu") or 0 for c in containers),
        int(memory) if memory else sum(c.get("memoryReservation") or c.get("memory") or 0 for c in containers),
    )


def gpus(definition: Mapping) -> int:
    """How many GPUs one task of this definition reserves."""
    needs = [need for c in definition["containerDefinitions"] for need in c.get("resourceRequirements", ())]
    return sum(int(need["value"]) for need in needs if need["type"] == "GPU")
