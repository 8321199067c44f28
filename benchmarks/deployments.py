"""Load balancer and deployments: requests through it against requests beside it, a rollback against its own waits."""
from __future__ import annotations

import math
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from ecslab.region import start
from tests.region.conftest import Lab
from tests.region.test_load_balancing import BREAKER, Balanced

from .measure import alternating, row, seconds

CLIENTS = 4
REQUESTS = 60  # of each client, each time
SPEED = 10.0
ROLLBACK_SPEED = 2.0  # slow enough that the seconds a container takes to start are not many of the region's


def _lab(region) -> Lab:
    lab = Lab(region)
    lab.ecs.create_cluster(clusterName="demo")
    lab.define()
    lab.define(image="ecslab/app:2.0")
    lab.define(image="ecslab/app:2.0", command=["--unhealthy-after", "0"])
    return lab


def _volley(url: str) -> tuple[float, list[float]]:
    """(seconds for all, seconds of each) of every client sending its requests one after the other."""

    def client(_number: int) -> list[float]:
        return [seconds(lambda: urllib.request.urlopen(url, timeout=30).read()) for _ in range(REQUESTS)]

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        each = [one for client_times in pool.map(client, range(CLIENTS)) for one in client_times]
    return time.perf_counter() - begun, each


def load_balancer():
    """Requests a second, and the slowest of a hundred, through the load balancer against straight to the target."""
    with start(engine="docker", speed=SPEED) as region:
        lab = _lab(region)
        web = Balanced(lab)
        web.serve(count=1, definition="web:1")
        region.run_for("60s")
        through, direct = region.url(web.url), region.url(lab.tasks()[0]["taskArn"])
        slow: dict[str, list[float]] = {through: [], direct: []}

        def volley(url: str) -> float:
            total, each = _volley(url)
            slow[url] += each
            return total

        ours, other = alternating(lambda: volley(through), lambda: volley(direct), 3)
        whole = CLIENTS * REQUESTS
        print(f"  through {whole / ours:.0f} requests a second, direct {whole / other:.0f}")
        yield row("load-balancer-rps", ours / whole, other / whole, "direct/through >= 0.5, so at most x 2.00")
        yield row("load-balancer-p99", _p99(slow[through]), _p99(slow[direct]), "at most +3 ms", difference=True)


def _p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def rollback():
    """From a broken release to rolled back, in region seconds, against the waits its own settings demand."""
    with start(engine="docker", speed=ROLLBACK_SPEED) as region:
        lab = _lab(region)
        web = Balanced(lab, HealthCheckIntervalSeconds=10)
        web.serve(count=2, definition="web:1", deploymentConfiguration=BREAKER)
        region.run_for("90s")
        begun = region.clock.now()
        lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:3")
        while lab.ecs.list_service_deployments(cluster="demo", service="web")["serviceDeployments"][0]["status"] != "ROLLBACK_SUCCESSFUL":
            region.run_for("1s")
            if region.clock.now() - begun > 600:
                raise SystemExit("The release was not rolled back within ten minutes.")
        # Two rounds of tasks, as three failures are wanted of two at a time: two checks each; then one drain.
        demanded = 2 * (1 + 10) + 20
        yield row("rollback", region.clock.now() - begun, demanded, "goal <= 1.2 (region seconds, shown as ms x 1000)")


def thousand_tasks():
    """A rolling update of 1,000 simulated tasks, against the same update of 100, for each task."""
    times = {}
    for count in (100, 1000):
        with start(engine="simulated") as region:
            lab = _lab(region)
            lab.serve(count=count, definition="web:1")
            region.run_for("3m")
            lab.ecs.update_service(cluster="demo", service="web", taskDefinition="web:2")
            times[count] = seconds(lambda: region.run_for("5m"))
            assert len(lab.service()["deployments"]) == 1
    print(f"  1,000 tasks in {times[1000]:.2f} s (goal <= 2 s)")
    yield row("rolling-update-1000", times[1000] / 1000, times[100] / 100, "1,000 in 2 s")


BENCHMARKS = {"load-balancer": load_balancer, "rollback": rollback, "rolling-update": thousand_tasks}
