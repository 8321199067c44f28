"""The bill of a region: what really ran, line by line."""
from decimal import Decimal as D

import pytest

from ecslab.region import start
from ecslab.rules.pricing import dollars, fargate_cost, fargate_hourly
from tests.region.test_load_balancing import Balanced
from tests.region.test_secrets import role


def fargate(bill):
    return bill.amounts().get("Fargate", D(0))


def billed_seconds(lab, arns):
    """From image pull until the end, as DescribeTasks tells it."""
    tasks = [lab.task(arn) for arn in arns]
    return [(t["stoppedAt"] - t["pullStartedAt"]).total_seconds() for t in tasks]


def test_a_region_in_which_nothing_ran_costs_nothing(lab):
    bill = lab.region.bill()
    assert (bill.total, bill.hourly, bill.lines) == (0, 0, ())
    assert "Total $0.000000" in repr(bill)


def test_a_task_is_billed_from_image_pull_until_it_stopped_whatever_it_used(lab):
    lab.define("job", command=["--exit-after", "300"])
    arn = lab.run("job")
    lab.region.run_for("20m")
    [seconds] = billed_seconds(lab, [arn])
    assert seconds > 300
    assert fargate(lab.region.bill()) == fargate_cost(seconds, 256, 512)


def test_a_stopped_task_stays_on_the_bill_after_the_region_forgot_it(lab):
    lab.define("job", command=["--exit-after", "300"])
    arn = lab.run("job")
    lab.region.run_for("20m")
    before = fargate(lab.region.bill())
    lab.region.run_for("3h")
    assert lab.ecs.describe_tasks(cluster="demo", tasks=[arn])["failures"][0]["reason"] == "MISSING"
    assert fargate(lab.region.bill()) == before > 0
    assert lab.region.bill().hourly == 0


def test_many_short_tasks_pay_a_minute_each(lab):
    lab.define("job", command=["--exit-after", "1"])
    for _ in range(5):
        lab.run("job")
    lab.region.run_for("5m")
    [vcpu, memory] = lab.region.bill().lines
    assert (vcpu.what, vcpu.quantity) == ("5 tasks of 0.25 vCPU, 0.5 GB, vCPU", D(5) * 60 / 3600 / 4)
    assert memory.what.endswith(", memory")


def test_a_task_that_never_pulled_its_image_costs_nothing(lab):
    lab.ecs.stop_task(cluster="demo", task=lab.run())
    lab.region.run_for("10m")
    assert fargate(lab.region.bill()) == 0


def test_running_tasks_cost_until_now_and_for_a_month_at_this_rate(lab):
    lab.serve(count=2)
    lab.region.run_for("2h")
    bill = lab.region.bill()
    assert fargate(bill) == pytest.approx(fargate_hourly(256, 512) * 4, rel=D("0.01"))
    assert bill.hourly == 2 * fargate_hourly(256, 512)
    assert dollars(bill.monthly) == D("18.02")


def test_scaling_down_lowers_the_rate_and_not_what_was_spent(lab):
    lab.serve(count=3)
    lab.region.run_for("1h")
    spent = lab.region.bill().total
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=1)
    lab.region.run_for("10m")
    bill = lab.region.bill()
    assert bill.total > spent and bill.hourly == fargate_hourly(256, 512)


def test_spot_arm_and_storage_have_prices_of_their_own(lab):
    lab.ecs.create_cluster(clusterName="spot", capacityProviders=["FARGATE_SPOT"])
    lab.define("arm", runtimePlatform={"cpuArchitecture": "ARM64"}, ephemeralStorage={"sizeInGiB": 50})
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    lab.ecs.run_task(cluster="spot", taskDefinition="arm", networkConfiguration=lab.network, capacityProviderStrategy=strategy)
    lab.region.run_for("1h")
    bill = lab.region.bill()
    assert bill.hourly == fargate_hourly(256, 512, "ARM64", spot=True, ephemeral=50)
    assert [line.what.rpartition(", ")[2] for line in bill.lines] == ["vCPU", "memory", "storage"]
    assert any("Spot" in note for note in bill.notes)


def test_public_addresses_of_tasks_are_billed_while_the_tasks_have_them(lab):
    public = {"awsvpcConfiguration": {**lab.network["awsvpcConfiguration"], "assignPublicIp": "ENABLED"}}
    lab.serve(count=2, networkConfiguration=public)
    lab.region.run_for("1h")
    assert lab.region.bill().amounts()["Public IPv4 addresses"] == D("0.01")
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    lab.region.run_for("1h")
    assert lab.region.bill().hourly == 0


def test_an_instance_costs_its_price_busy_or_idle_until_it_is_terminated(lab):
    lab.region.add_instance("demo", "m5.large")
    lab.region.run_for("2h")
    assert lab.region.bill().amounts()["EC2 instances"] == D("0.192")
    found = lab.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    lab.ec2.terminate_instances(InstanceIds=[found])
    lab.region.run_for("2h")
    bill = lab.region.bill()
    assert bill.amounts()["EC2 instances"] == D("0.192") and bill.hourly == 0


def test_tasks_on_instances_add_nothing_to_the_bill(lab):
    lab.region.add_instance("demo", "m5.large")
    lab.define("on-ec2", requiresCompatibilities=["EC2"], networkMode="bridge")
    lab.ecs.run_task(cluster="demo", taskDefinition="on-ec2", launchType="EC2", count=3)
    lab.region.run_for("1h")
    assert "Fargate" not in lab.region.bill().amounts()


def test_external_instances_cost_their_fee(lab):
    arn = lab.region.add_external_instance("demo")
    lab.region.run_for("2h")
    lab.ecs.deregister_container_instance(cluster="demo", containerInstance=arn)
    lab.region.run_for("2h")
    assert lab.region.bill().amounts() == {"ECS Anywhere": D("0.0205")}


def test_an_instance_that_only_the_api_told_of_costs_by_its_type(lab):
    document = '{"instanceId": "i-0123456789abcdef0", "instanceType": "c5.large"}'
    arn = lab.ecs.register_container_instance(cluster="demo", instanceIdentityDocument=document)["containerInstance"]["containerInstanceArn"]
    lab.region.run_for("1h")
    lab.ecs.deregister_container_instance(cluster="demo", containerInstance=arn)
    lab.region.run_for("1h")
    assert lab.region.bill().amounts() == {"EC2 instances": D("0.085")}


def test_a_windows_task_is_billed_at_its_own_price_which_is_marked_as_unsure(lab):
    lab.define("win", cpu="1024", memory="2048", runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "X86_64"})
    lab.run("win")
    lab.region.run_for("1h")
    bill = lab.region.bill()
    assert bill.hourly == fargate_hourly(1024, 2048, "WINDOWS") and "~ marks a price found in one place only." in bill.notes


def test_a_nat_gateway_costs_with_its_address_until_both_are_gone(lab):
    address = lab.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = lab.ec2.create_nat_gateway(SubnetId=lab.subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    lab.region.run_for("10h")
    bill = lab.region.bill(by="service")
    assert bill.amounts() == {f"NAT gateway {gateway}": D("0.5")}
    lab.ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert lab.region.bill().hourly == D("0.005"), "the address is still allocated"
    lab.ec2.release_address(AllocationId=address)
    assert lab.region.bill().hourly == 0


def test_a_load_balancer_costs_hours_and_the_requests_it_was_sent(lab):
    balanced = Balanced(lab)
    lab.region.load(balanced.url, rps=25, for_="1m")
    lab.region.run_for("1h")
    units = [line for line in lab.region.bill().lines if line.unit == "LCU-hour"]
    assert [line.quantity for line in units] == [D(1500) / 90_000]
    assert lab.region.bill().amounts()["Load balancers"] > D("0.0225")


def test_a_bill_is_grouped_by_product_or_by_what_it_was_for(lab):
    lab.serve(count=1)
    lab.serve("other", count=2)
    lab.region.run_for("1h")
    bill = lab.region.bill(by="service")
    assert list(bill.amounts()) == ["service:other in demo", "service:web in demo"]
    assert sum(bill.amounts().values()) == sum(bill.amounts("product").values()) == bill.total
    with pytest.raises(ValueError, match="'product' or 'service'"):
        lab.region.bill(by="colour")


def test_a_table_has_every_line_the_text_has_and_the_colours_of_its_page(lab):
    lab.serve(count=1)
    lab.region.run_for("1h")
    bill = lab.region.bill()
    table = bill._repr_html_()
    assert table.count("<td") == 4 * len(bill.lines)
    assert all(line.what in table and line.what in repr(bill) for line in bill.lines)
    assert "var(--jp-content-font-color1" in table
    assert table.count("$") == table.count("<span>$</span>") > 4, "a notebook would set what is between two of them as a formula"


def test_what_has_no_price_is_named_and_not_hidden(lab):
    lab.region.add_instance("demo", "m5.24xlarge")
    lab.region.run_for("1h")
    assert "m5.24xlarge has no price in the table, and is not in the total." in lab.region.bill().notes


def test_two_simulated_runs_print_the_same_bill():
    def told():
        with start(engine="simulated", seed=7) as region:
            from tests.region.conftest import Lab

            lab = Lab(region)
            lab.ecs.create_cluster(clusterName="demo")
            lab.define()
            lab.serve(count=2)
            region.add_instance("demo")
            region.run_for("90m")
            return repr(region.bill())

    assert told() == told()


def test_logs_are_billed_by_what_was_ingested_and_a_deleted_group_stays(lab):
    logs = lab.region.client("logs")
    logs.create_log_group(logGroupName="/ecs/web")
    logs.create_log_stream(logGroupName="/ecs/web", logStreamName="app")
    event = {"timestamp": int(lab.region.now().timestamp() * 1000), "message": "x" * 5000}
    logs.put_log_events(logGroupName="/ecs/web", logStreamName="app", logEvents=[event] * 20)
    logs.delete_log_group(logGroupName="/ecs/web")
    [line] = lab.region.bill().lines
    assert (line.product, line.owner, line.quantity) == ("CloudWatch Logs", "log groups", D("0.0001"))
    assert line.amount == 0, "5 GB a month are free"


def test_what_containers_print_is_ingested_and_counted(lab):
    lab.region.client("logs").create_log_group(logGroupName="/ecs/web")
    options = {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    may_log = role(lab, "ecsTaskExecutionRole", ("logs:*", "*"))
    lab.define("logged", executionRoleArn=may_log, container={"logConfiguration": {"logDriver": "awslogs", "options": options}})
    lab.run("logged")
    lab.region.run_for("5m")
    [ingested] = [line for line in lab.region.bill().lines if line.product == "CloudWatch Logs"]
    assert ingested.quantity > 0 and (ingested.amount, ingested.hourly) == (0, 0)
