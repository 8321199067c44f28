"""Proofs of questions on pricing: what runs for a month stands on the region's bill."""
from ecslab.teach import proof
from ecslab.teach.proof_kit import APP, Demo

MONTH = "730h"


def amount(region, part):
    """Dollars of the products whose name has that part."""
    return float(sum(total for product, total in region.bill().amounts().items() if part in product))


def month_of(demo, region, count, say, **fields):
    """The bill's products after a month of that many Fargate tasks."""
    demo.define(**fields)
    demo.serve(count)
    region.run_for(MONTH)
    products = region.bill().amounts()
    for product, total in products.items():
        say(f"{product}: {total:.2f} dollars")
    return products


@proof("pricing.three-on-arm")
def three_on_arm(aws, region, say):
    """Three tasks of 2 vCPU and 4 GB on ARM64, for 730 hours."""
    arm = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    month_of(Demo(aws, region), region, 3, say, cpu="2048", memory="4096", runtimePlatform=arm)
    return round(amount(region, "Fargate"), 2)


@proof("pricing.scratch-space")
def scratch_space(aws, region, say):
    """The same task with 100 GiB of ephemeral storage and with what is included: what is between the two bills?"""
    demo = Demo(aws, region)
    demo.define("small")
    demo.define("large", ephemeralStorage={"sizeInGiB": 100})
    hourly = []
    for family in ("small", "large"):
        arn = demo.run(family)
        region.run_for("1m")
        hourly.append(region.bill().hourly)
        aws.ecs.stop_task(cluster="demo", task=arn)
        region.run_for("5m")
    say(f"An hour costs {hourly[0]:.6f} dollars, with 100 GiB {hourly[1]:.6f}.")
    return round(float((hourly[1] - hourly[0]) * 730), 2)


@proof("pricing.addresses-by-the-hour")
def addresses_by_the_hour(aws, region, say):
    """Twenty tasks with a public address, for 730 hours."""
    month_of(Demo(aws, region), region, 20, say)
    return round(amount(region, "IPv4"))


@proof("pricing.machines-in-the-cellar")
def machines_in_the_cellar(aws, region, say):
    """Five external instances, for 730 hours."""
    Demo(aws, region)
    for _ in range(5):
        region.add_external_instance("demo")
    region.run_for(MONTH)
    total = sum(region.bill().amounts().values())
    say(f"The bill: {total:.2f} dollars.")
    return round(float(total), 2)


@proof("pricing.no-line-for-ecs", a=["EC2"], b=["EC2", "ECS"], d=["EC2", "Fargate"])
def no_line_for_ecs(aws, region, say):
    """A day of a service on EC2, with task definitions and deployments: what stands on the bill?"""
    demo = Demo(aws, region)
    region.add_instance("demo")
    one = {"name": "app", "image": APP, "memory": 64}
    for _ in range(3):
        demo.ecs.register_task_definition(family="web", networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=[one])
    demo.serve(2, launchType="EC2", networkConfiguration=None)
    for revision in ("web:2", "web:3"):
        region.run_for("8h")
        demo.update(taskDefinition=revision)
    region.run_for("8h")
    products = region.bill().amounts()
    say(f"The bill has: {', '.join(products)}.")
    return sorted({name for name in ("EC2", "ECS", "Fargate", "CodeDeploy") for product in products if name in product})


@proof("pricing.half-asleep-and-paid", a=0.08096, b=0.11652, c=0.0, d=0.01254)
def half_asleep_and_paid(aws, region, say):
    """What an hour of an idle task of 2 vCPU and 8 GB costs."""
    demo = Demo(aws, region)
    demo.define(cpu="2048", memory="8192")
    demo.run()
    region.run_for("1h")
    hourly = sum(line.hourly for line in region.bill().lines if "Fargate" in line.product)
    say(f"An hour costs {hourly:.5f} dollars; the task does nothing.")
    return round(float(hourly), 5)
