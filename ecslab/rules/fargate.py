"""What Fargate takes: sizes, and settings it does not support.

Sources: Developer Guide, "Fargate task definition differences", "Amazon ECS task
definition parameters for Fargate".
"""
from __future__ import annotations

# CPU units -> the memory sizes in MiB that go with them: 77 pairs.
FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
    32768: (61440, 122880, 249856),
}

WINDOWS_CPU = (1024, 2048, 4096)
LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
ADDED_CAPABILITIES = ("SYS_PTRACE",)
STOP_TIMEOUT = START_TIMEOUT = (2, 120)  # seconds
EPHEMERAL_STORAGE = (21, 200)  # GiB; 20 come with every task

# Container settings that must be absent, and what ECS says.
UNSUPPORTED_LINUX_PARAMETERS = ("devices", "sharedMemorySize", "tmpfs", "maxSwap", "swappiness")


def fargate_pairs() -> list[tuple[int, int]]:
    """Every valid (CPU units, MiB)."""
    return [(cpu, memory) for cpu, sizes in FARGATE_SIZES.items() for memory in sizes]
