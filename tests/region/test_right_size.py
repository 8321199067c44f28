"""The right size of a service, from what CloudWatch saw of it."""
import pytest


def burn(lab, task, seconds):
    address = task["attachments"][0]["details"][-1]["value"]
    assert lab.region.get(f"{address}/burn?seconds={seconds}").status == 200


def test_an_idle_service_of_large_tasks_gets_the_smallest_size(lab):
    lab.define("large", cpu="2048", memory="8192")
    lab.serve(definition="large", count=2)
    lab.region.run_for("10m")
    found = lab.region.right_size("web")
    assert (found.cpu, found.memory, found.tasks) == (2048, 8192, 2)
    assert (found.best_cpu, found.best_memory) == (256, 512)
    assert found.monthly_saving > 100


def test_the_busiest_minute_of_the_busiest_task_counts(lab):
    lab.define("large", cpu="2048", memory="4096")
    lab.serve(definition="large", count=2)
    lab.region.run_for("5m")
    burn(lab, lab.tasks()[0], 90)
    lab.region.run_for("1h")
    found = lab.region.right_size("web")
    assert found.cpu_peak == pytest.approx(1024, rel=0.05)
    assert found.best_cpu == 2048, "one vCPU and a fifth do not fit into 1024 units"
    assert lab.region.right_size("web", headroom=0.6).best_cpu == 4096
    assert lab.region.right_size("web", last="20m").best_cpu == 256, "the busy minute is longer ago"


def test_without_datapoints_it_says_what_is_missing(lab):
    lab.serve()
    with pytest.raises(ValueError, match="no datapoints of service web yet"):
        lab.region.right_size("web")


def test_tasks_on_instances_have_no_size_that_is_paid(lab):
    lab.region.add_instance("demo")
    lab.define("on-ec2", requiresCompatibilities=["EC2"], networkMode="bridge")
    lab.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="on-ec2", desiredCount=1, launchType="EC2")
    with pytest.raises(ValueError, match="does not run on Fargate"):
        lab.region.right_size("web")
