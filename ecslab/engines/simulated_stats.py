"""The statistics of a simulated container, in the shape Docker gives them (Docker Engine API, ContainerStats).

CPU time and memory are those of the lab app's behaviour. No packet and no block ever
moves, so what counts them stays at nought.
"""
from __future__ import annotations

from typing import Any

CPUS = 2  # of the machine that is imagined underneath
NANO = 1e9
ETHERNET = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped")


def statistics(cpu_seconds: float, memory: int, now: float) -> dict[str, Any]:
    return {
        "num_procs": 0,
        "pids_stats": {"current": 1},
        "blkio_stats": {"io_service_bytes_recursive": []},
        "storage_stats": {},
        "cpu_stats": _cpu(cpu_seconds, now),
        "precpu_stats": _cpu(0.0, 0.0),
        "memory_stats": {"usage": memory, "stats": {}},
        "networks": {"eth0": dict.fromkeys(ETHERNET, 0)},
    }


def _cpu(seconds: float, now: float) -> dict[str, Any]:
    used = int(seconds * NANO)
    return {
        "cpu_usage": {"total_usage": used, "usage_in_kernelmode": 0, "usage_in_usermode": used},
        "system_cpu_usage": int(now * NANO) * CPUS,
        "online_cpus": CPUS,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
