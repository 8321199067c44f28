"""A day of scaling in virtual time, and what measuring fifty real containers costs."""
from __future__ import annotations

import time

from ecslab.region import start
from ecslab.region.demand import weekday
from tests.region.conftest import Lab
from tests.region.test_auto_scaling import Scaled

from .measure import row, seconds

CONTAINERS = 50
MINUTES = 20


def _day(low: int, high: int) -> float:
    """Seconds for 24 hours of a service that follows its traffic between so many tasks."""
    with start(engine="simulated") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define()
        web = Scaled(lab, low, high, count=low)
        web.track(ScaleOutCooldown=60, ScaleInCooldown=60)
        demand = region.start_demand("web", weekday(low, 1.25 * high))
        took = seconds(lambda: region.run_for("24h"))
        report = demand.stop()
        if len(report.minutes) != 24 * 60 or report.most_tasks < 0.9 * high:
            raise RuntimeError(f"that was no day: {report}")
        return took


def day():
    """The cost of a day against that of a service a tenth of its size: what does not depend on tasks is paid in both."""
    _day(1, 10)
    yield row("a-day-of-scaling", _day(10, 1000), _day(1, 100), "10 to 1,000 tasks; ours within 2 s")


def metrics():
    """CPU time of this process for a region minute: with fifty containers to measure against with none."""
    with start(engine="docker") as region:
        lab = Lab(region)
        lab.ecs.create_cluster(clusterName="demo")
        lab.define(cpu="256", memory="512")

        def minute() -> float:
            begun = time.process_time()
            for n in range(MINUTES):
                region.monitoring.measure(region.clock.now() + 60 * n)
            return (time.process_time() - begun) / MINUTES

        empty = minute()
        lab.serve(count=CONTAINERS)
        lab.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"])
        full = minute()
        yield row("metrics-of-50", full, empty, f"{100 * full / 60:.2f} % of a core at one a minute; goal 5 %")


BENCHMARKS = {"scaling-day": day, "metrics": metrics}
