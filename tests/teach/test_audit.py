"""An audit of a real service in a simulated region: a bad one is told what is wrong, and the changes it is told mend it."""
from __future__ import annotations

import json
from html import escape
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from ecslab.cli import main
from ecslab.region import start
from ecslab.teach import Lab, Progress
from ecslab.teach.audit import audit
from ecslab.teach.mistakes import Mistake

PORT_80 = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
TRUSTED = ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
CLIENTS = {"scaling": "application-autoscaling"}  # as the changes name it
REGISTERED = ("family", "cpu", "memory", "networkMode", "requiresCompatibilities", "containerDefinitions", "taskRoleArn", "executionRoleArn")


def document(action, resource="*", **statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **statement}]})


def role(iam, name, policy, trusted):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=policy)
    return arn


@pytest.fixture(scope="module")
def bad():
    """A region with nearly everything done wrong in its service web, and what the tests need to know of it."""
    with start(engine="simulated", seed=5) as region:
        ecs, ec2, elbv2, iam = (region.client(name) for name in ("ecs", "ec2", "elbv2", "iam"))
        subnets = sorted(ec2.describe_subnets()["Subnets"], key=lambda s: s["AvailabilityZone"])
        vpc = subnets[0]["VpcId"]
        table = next(t for t in ec2.describe_route_tables()["RouteTables"] if t["VpcId"] == vpc)["RouteTableId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=subnets[0]["SubnetId"], AllocationId=address)["NatGateway"]["NatGatewayId"]
        private = [_private(ec2, vpc, subnet["AvailabilityZone"], n, nat) for n, subnet in enumerate(subnets[:2])]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("tasks", "balancer")]
        for one in groups:
            ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[PORT_80])
        everything = role(iam, "everything", document("*"), TRUSTED)
        own = role(iam, "own", document("s3:GetObject", "arn:aws:s3:::shop/*"), TRUSTED[:1])
        target_group = elbv2.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
        balancer = elbv2.create_load_balancer(Name="web", Subnets=[s["SubnetId"] for s in subnets[:2]], SecurityGroups=groups[1:])["LoadBalancers"][0]
        forward = [{"Type": "forward", "TargetGroupArn": target_group}]
        elbv2.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Port=80, Protocol="HTTP", DefaultActions=forward)
        ecs.create_cluster(clusterName="demo", capacityProviders=["FARGATE", "FARGATE_SPOT"])
        container = {"name": "app", "image": "ecslab/app", "portMappings": [{"containerPort": 80}], "environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}
        ecs.register_task_definition(
            family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
            taskRoleArn=everything, executionRoleArn=everything, containerDefinitions=[container],
        )  # fmt: skip
        open_ = {"subnets": [subnets[0]["SubnetId"]], "securityGroups": groups[:1], "assignPublicIp": "ENABLED"}
        ecs.create_service(
            cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1, capacityProviderStrategy=SPOT,
            loadBalancers=[{"targetGroupArn": target_group, "containerName": "app", "containerPort": 80}],
            deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 200}, networkConfiguration={"awsvpcConfiguration": open_},
        )  # fmt: skip
        region.run_for("3m")
        yield SimpleNamespace(region=region, private=private, group=groups[0], own=own)


def _private(ec2, vpc, zone, n, nat):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.31.{200 + n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(SubnetId=subnet, RouteTableId=table)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)  # the way to the secret and the log
    return subnet


def carry_out(bad, report, but=()):
    """Run every change the report gives, as a learner would, with the placeholders filled in that only they can know."""
    clients = {name: bad.region.client(CLIENTS.get(name, name)) for name in ("ecs", "ec2", "elbv2", "iam", "logs", "cloudwatch", "scaling", "secretsmanager")}
    ecs = clients["ecs"]
    current = ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
    definition = {name: current[name] for name in REGISTERED if name in current}
    for finding in report.failed:
        if finding.check.id not in but:
            exec(finding.change.replace("<version>", "1.0"), {**clients, "definition": definition, "json": json})  # our own table's words
    definition["taskRoleArn"] = bad.own
    ecs.register_task_definition(**definition)
    ecs.update_service(cluster="demo", service="web", taskDefinition="web")
    bad.region.run_for("20m")


def test_a_bad_service_is_told_what_is_wrong_and_the_changes_it_is_told_mend_it(bad):
    client = bad.region.client
    before = audit(client, "web", "demo")
    network = {"subnets": bad.private, "securityGroups": [bad.group], "assignPublicIp": "DISABLED"}
    by_hand = {"zones", "private-subnets", "public-ip", "task-role-privilege", "execution-role-privilege", "execution-role-use", "separate-roles", "flow-logs", "traffic-shift"}
    assert before.score < 20 and by_hand <= {one.check.id for one in before.failed}
    assert "DB_PASSWORD" in before["plain-secrets"].found and "hunter2" not in json.dumps(before.as_dict())
    carry_out(bad, before, by_hand)
    secret = client("secretsmanager").list_secrets()["SecretList"][0]["ARN"]
    client("iam").put_role_policy(RoleName="everything", PolicyName="does", PolicyDocument=document("secretsmanager:GetSecretValue", secret))
    client("iam").put_role_policy(RoleName="everything", PolicyName="logs", PolicyDocument=document(["logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws:logs:*"))
    client("ec2").create_flow_logs(ResourceIds=bad.private, ResourceType="Subnet", TrafficType="ALL", LogDestinationType="s3", LogDestination=_bucket(bad))
    client("ecs").update_service(cluster="demo", service="web", networkConfiguration={"awsvpcConfiguration": network})
    carry_out(bad, audit(client, "web", "demo"), {"traffic-shift"})
    after = audit(client, "web", "demo")
    assert [one.check.id for one in after.failed] == ["traffic-shift"] and after.score >= 98
    service = client("ecs").describe_services(cluster="demo", services=["web"])["services"][0]
    assert service["runningCount"] == service["desiredCount"] >= 2 and len(service["deployments"]) == 1


def _bucket(bad):
    bad.region.client("s3").create_bucket(Bucket="flows")
    return "arn:aws:s3:::flows"


def test_an_unknown_service_or_cluster_is_told_in_the_words_of_ecs(bad):
    with pytest.raises(Mistake, match=r"^Service not found\. There are: .*web\.$"):
        audit(bad.region.client, "wbe")
    with pytest.raises(Mistake, match=r"^Cluster not found\.$"):
        audit(bad.region.client, "web", "nowhere")
    with pytest.raises(Mistake, match="A service and a cluster are text"):
        audit(bad.region.client, 3)


def test_a_service_is_found_by_its_arn_and_a_name_in_two_clusters_asks_which(bad):
    ecs = bad.region.client("ecs")
    arn = ecs.describe_services(cluster="demo", services=["web"])["services"][0]["serviceArn"]
    assert audit(bad.region.client, arn).service == "web"
    ecs.create_cluster(clusterName="other")
    network = {"awsvpcConfiguration": {"subnets": bad.private}}
    ecs.create_service(cluster="other", serviceName="web", taskDefinition="web", desiredCount=0, launchType="FARGATE", networkConfiguration=network)
    with pytest.raises(Mistake, match="There is a service web in clusters demo, other: say which cluster."):
        audit(bad.region.client, "web")
    assert audit(bad.region.client, "web", "other").cluster == "other"


def test_a_service_of_task_sets_is_judged_by_its_primary_one(bad):
    ecs = bad.region.client("ecs")
    ecs.create_service(cluster="demo", serviceName="sets", desiredCount=2, deploymentController={"type": "EXTERNAL"})
    with pytest.raises(Mistake, match="no primary task set yet"):
        audit(bad.region.client, "sets")
    network = {"awsvpcConfiguration": {"subnets": bad.private[:1]}}
    made = ecs.create_task_set(cluster="demo", service="sets", taskDefinition="web:1", launchType="FARGATE", networkConfiguration=network)["taskSet"]
    ecs.update_service_primary_task_set(cluster="demo", service="sets", primaryTaskSet=made["id"])
    report = audit(bad.region.client, "sets")
    assert (report["plain-secrets"].status, report["zones"].status, report["circuit-breaker"].status) == ("failed", "failed", "does not apply")


def test_a_service_on_instances_is_asked_what_only_they_have(bad):
    ecs = bad.region.client("ecs")
    ecs.register_task_definition(family="bridged", containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0", "memoryReservation": 64}])
    ecs.create_service(cluster="demo", serviceName="bridged", taskDefinition="bridged", desiredCount=0, launchType="EC2")
    report = audit(bad.region.client, "bridged")
    assert {"network-mode", "memory-limit", "no-new-privileges"} <= {one.check.id for one in report.failed}
    assert report["privileged"].status == "passed" and report["zones"].status == "does not apply"


def test_a_repository_of_this_account_is_asked_how_it_keeps_images(bad):
    ecs, ecr = bad.region.client("ecs"), bad.region.client("ecr")
    where = ecr.create_repository(repositoryName="shop/api", imageScanningConfiguration={"scanOnPush": True})["repository"]["repositoryUri"]
    container = {"name": "app", "image": f"{where}:7"}
    ecs.register_task_definition(
        family="api", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", executionRoleArn=bad.own, containerDefinitions=[container]
    )
    network = {"awsvpcConfiguration": {"subnets": bad.private}}
    ecs.create_service(cluster="demo", serviceName="api", taskDefinition="api", desiredCount=0, launchType="FARGATE", networkConfiguration=network)
    report = audit(bad.region.client, "api")
    assert [report[one].status for one in ("image-scan", "tag-mutability", "image-findings")] == ["passed", "failed", "does not apply"]
    exec(report["tag-mutability"].change, {"ecr": ecr})
    assert audit(bad.region.client, "api")["tag-mutability"].status == "passed"


def test_in_a_lab_the_report_is_text_and_html_that_opens_by_keyboard_and_does_not_speak_by_colour_alone(bad):
    shown = Lab("03-services", bad.region, store=Progress(":memory:")).audit("web", cluster="demo")
    text, html = repr(shown), shown._repr_html_()
    assert text.startswith(f"Service web in cluster demo: {shown.score} of 100 (") and all(f"[{one}]" in text for one in shown.failed)
    assert html.count("<details class='failed'") == len(shown.failed) == html.count("<summary>✗ <span class='severity'>")
    assert all(f"</span>{escape(one.check.title)}" in html for one in shown.report.failed)


def test_what_a_learner_wrote_is_text_in_the_page_and_never_markup(bad):
    ecs = bad.region.client("ecs")
    nasty = [{"name": "app", "image": "ecslab/app:1.0", "environment": [{"name": "KEY<script>alert(1)</script>", "value": "x"}]}]
    ecs.register_task_definition(family="nasty", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=nasty)
    network = {"awsvpcConfiguration": {"subnets": bad.private}}
    ecs.create_service(cluster="demo", serviceName="nasty", taskDefinition="nasty", desiredCount=0, launchType="FARGATE", networkConfiguration=network)
    shown = Lab("03-services", bad.region, store=Progress(":memory:")).audit("nasty")
    assert "plain-secrets" not in shown.passed and "<script>" not in shown._repr_html_() and "&lt;script&gt;" in shown._repr_html_()


def test_the_command_prints_the_report_and_fails_under_the_threshold(bad):
    run = CliRunner().invoke
    words = ["audit", "web", "--cluster", "demo", "--endpoint-url", bad.region.endpoint_url]
    score = audit(bad.region.client, "web", "demo").score
    done = run(main, words)
    assert done.exit_code == 0 and done.output.startswith(f"Service web in cluster demo: {score} of 100")
    assert run(main, [*words, "--fail-under", str(score)]).exit_code == 0
    assert run(main, [*words, "--fail-under", str(score + 1)]).exit_code == 1
    told = json.loads(run(main, [*words, "--json"]).output)
    assert told["score"] == score and {one["status"] for one in told["findings"]} == {"passed", "failed", "does not apply"}
    assert run(main, words[:4]).output == done.output  # the region that runs here is found without its address


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["wbe"], "ecslab: Service not found. There are: "),
        (["web", "--endpoint-url", "http://127.0.0.1:9"], "ecslab: Could not connect to the endpoint URL"),
        (["web", "--endpoint-url", "nonsense"], "ecslab: Invalid endpoint: nonsense\n"),
    ],
)
def test_what_the_command_can_not_ask_is_told_in_a_line(bad, words, told):
    done = CliRunner().invoke(main, ["audit", *words])
    assert done.exit_code == 1 and done.output.startswith(told)


def test_a_service_whose_surroundings_are_gone_is_still_judged():
    """Deleted subnets and groups, a log driver without a group, somebody else's registry, a trust that names whom it keeps out."""
    with start(engine="simulated", seed=6) as region:
        ecs, ec2, iam = (region.client(name) for name in ("ecs", "ec2", "iam"))
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.240.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="gone", Description="gone", VpcId=vpc)["GroupId"]
        arn = role(iam, "app", document("s3:GetObject", "arn:aws:s3:::shop/*"), "ecs-tasks.amazonaws.com")
        statement = {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        ours = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(RoleName="app", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [ours, statement]}))
        ecs.create_cluster(clusterName="demo")
        image = "999999999999.dkr.ecr.us-east-1.amazonaws.com/theirs:1"
        ecs.register_task_definition(
            family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", taskRoleArn=arn,
            containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}, {"name": "theirs", "image": image, "essential": False}],
            executionRoleArn=role(iam, "starts", document("ecr:GetAuthorizationToken"), "ecs-tasks.amazonaws.com"),
        )  # fmt: skip
        network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
        ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0, launchType="FARGATE", networkConfiguration=network)
        ec2.delete_security_group(GroupId=group)
        ec2.delete_subnet(SubnetId=subnet)
        report = audit(region.client, "web")
        found = {one.check.id: one.found for one in report.failed}
        assert found["role-trust"] == "role app trusts everybody but some as well"
        assert {"image-scan", "private-subnets", "security-group"} <= {one.check.id for one in report.inapplicable}
