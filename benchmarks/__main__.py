"""Run the benchmarks and print a table: what, ours, the other, ratio, goal."""
from __future__ import annotations

import sys

from . import capacity, deployments, docker_tasks, endpoint, exam, logs, memory, placement, scaling, simulation

MODULES = (endpoint, docker_tasks, simulation, memory, deployments, placement, capacity, scaling, exam, logs)
BENCHMARKS = {name: run for module in MODULES for name, run in module.BENCHMARKS.items()}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"There is no benchmark {unknown[0]}. Benchmarks are: {', '.join(BENCHMARKS)}.")
    print(f"{'benchmark':24} {'ours':>10} {'other':>10} {'result':>12}  goal")
    for name in names:
        for row in BENCHMARKS[name]():
            print(row, flush=True)


main()
