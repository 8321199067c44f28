"""`audit(client, "web")`: looks at a service through public AWS APIs alone and has `rules.audit` judge it.

`client` is anything that makes boto3 clients by name: `boto3.client`, a region's, an exercise's.
"""
from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any, Callable, Iterable, Mapping

from botocore.exceptions import ClientError

from ecslab.rules.audit import HOW, Report
from ecslab.rules.audit import audit as judged
from ecslab.rules.audit_check import Finding, Picture, Repository, Role

from .aws import document, log_group, role_policies
from .mistakes import Mistake
from .text import indented

DAY = 24 * 3600
OF_A_TASK_SET = ("taskDefinition", "networkConfiguration", "loadBalancers", "launchType", "capacityProviderStrategy", "serviceRegistries")
SPAN = timedelta(days=365)  # of the datapoints looked at, from the service's first day on


def audit(client: Callable[[str], Any], service: str, cluster: str | None = None) -> Report:
    """Judge a service by its name or ARN. Without a cluster it is looked for in all. Mistake where there is none."""
    return judged(picture(client, service, cluster))


def report_text(report: Report) -> str:
    """The score, what failed with why and the change, and the names of the rest."""
    lines = [headline(report), HOW]
    for finding in report.failed:
        lines += ["", *_finding_lines(finding)]
    for title, findings in (("Passed", report.passed), ("Does not apply", report.inapplicable)):
        if findings:
            lines += ["", f"{title}: {', '.join(one.check.id for one in findings)}"]
    if any("definition[" in one.change for one in report.failed):
        lines += ["", DEFINITION]
    return "\n".join(lines)


def headline(report: Report) -> str:
    counts = f"{len(report.passed)} passed, {len(report.failed)} failed, {len(report.inapplicable)} do not apply"
    return f"Service {report.service} in cluster {report.cluster}: {report.score} of 100 ({counts})."


DEFINITION = "`definition` is what you give register_task_definition; then update_service with the new revision starts tasks of it."


def _finding_lines(finding: Finding) -> list[str]:
    check = finding.check
    return [
        f"✗ {check.severity:<6}  {check.title} [{check.id}]",
        f"  found:  {finding.found}",
        f"  why:    {check.why}",
        f"  read:   {check.page} (card: {check.card})",
        "  change:",
        indented(finding.change, "    "),
    ]


# Finding the service --------------------------------------------------------------------


def picture(client: Callable[[str], Any], name: str, cluster: str | None = None) -> Picture:
    """Everything an audit looks at."""
    client = cache(client)
    service = _with_task_set(_service(client("ecs"), name, cluster))
    found = client("ecs").describe_clusters(clusters=[service["clusterArn"]], include=["SETTINGS"])["clusters"][0]
    definition = client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    groups = _target_groups(client("elbv2"), service)
    return Picture(
        service, found, definition,
        target_groups=groups,
        load_balancers=_load_balancers(client("elbv2"), groups),
        alarms=_alarms(client("cloudwatch"), service, found["clusterName"], groups),
        roles=_roles(client("iam"), definition),
        log_groups=_log_groups(client, definition),
        repositories=_repositories(client("ecr"), definition),
        peaks=_peaks(client("cloudwatch"), service, found["clusterName"]),
        **_scaling(client("application-autoscaling"), service, found["clusterName"]),
        **_network(client("ec2"), service),
    )  # fmt: skip


def _service(ecs: Any, name: str, cluster: str | None) -> Mapping:
    """The one ACTIVE service of that name or ARN."""
    if not isinstance(name, str) or not isinstance(cluster, str | None):
        raise Mistake('A service and a cluster are text: lab.audit("web") or lab.audit("web", "demo").')
    clusters = [cluster or (name.split("/")[1] if name.count("/") == 2 else None)]
    if clusters == [None]:
        clusters = [arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
    try:
        answers = [ecs.describe_services(cluster=one, services=[name])["services"] for one in clusters]
    except ClientError as error:
        raise Mistake(error.response["Error"]["Message"]) from None
    found = [service for answer in answers for service in answer]
    active = [service for service in found if service["status"] == "ACTIVE"]
    if len(active) == 1:
        return active[0]
    if active:
        raise Mistake(f"There is a service {name} in clusters {', '.join(s['clusterArn'].rpartition('/')[2] for s in active)}: say which cluster.")
    if found:
        raise Mistake("Service was not ACTIVE.")
    pages = [page for one in clusters for page in ecs.get_paginator("list_services").paginate(cluster=one)]
    known = sorted({arn.rpartition("/")[2] for page in pages for arn in page["serviceArns"]})
    raise Mistake(f"Service not found. {'There are: ' + ', '.join(known) + '.' if known else 'There is no service yet.'}")


def _with_task_set(service: Mapping) -> Mapping:
    """With CODE_DEPLOY and EXTERNAL what tasks are started with is the primary task set's."""
    primary = next((one for one in service.get("taskSets") or () if one["status"] == "PRIMARY"), {})
    found = {**service, **{name: primary[name] for name in OF_A_TASK_SET if primary.get(name)}}
    if not found.get("taskDefinition"):
        raise Mistake(f"Service {service['serviceName']} has no task definition: it has no primary task set yet.")
    return found


# What stands around it ------------------------------------------------------------------


def _target_groups(elbv2: Any, service: Mapping) -> tuple[Mapping, ...]:
    arns = sorted({arn for one in service.get("loadBalancers") or () for arn in _group_arns(one)})
    if not arns:
        return ()
    found = _unless_missing(lambda: elbv2.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]) or []
    return tuple({**group, "Attributes": _attributes(elbv2, group["TargetGroupArn"])} for group in found)


def _group_arns(balanced: Mapping) -> Iterable[str]:
    both = (balanced.get("targetGroupArn"), (balanced.get("advancedConfiguration") or {}).get("alternateTargetGroupArn"))
    return filter(None, both)


def _attributes(elbv2: Any, arn: str) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}


def _load_balancers(elbv2: Any, groups: Iterable[Mapping]) -> tuple[Mapping, ...]:
    arns = sorted({arn for group in groups for arn in group["LoadBalancerArns"]})
    return tuple(elbv2.describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]) if arns else ()


def _scaling(scaling: Any, service: Mapping, cluster: str) -> dict[str, Any]:
    resource = f"service/{cluster}/{service['serviceName']}"
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"]
    return {
        "scalable_target": targets[0] if targets else None,
        "policies": tuple(scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]),
        "scheduled_actions": tuple(scaling.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=resource)["ScheduledActions"]),
    }


def _alarms(cloudwatch: Any, service: Mapping, cluster: str, groups: Iterable[Mapping]) -> tuple[Mapping, ...]:
    """Those on the service's own metrics, or on its target groups'."""
    own = {("ClusterName", cluster), ("ServiceName", service["serviceName"])}
    balanced = {("TargetGroup", group["TargetGroupArn"].rpartition(":")[2]) for group in groups}
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return tuple(alarm for alarm in alarms if any(own <= found or balanced & found for found in _dimensions(alarm)))


def _dimensions(alarm: Mapping) -> Iterable[set[tuple[str, str]]]:
    """Of its metric, or of each metric it calculates with."""
    measured = [alarm, *(q["MetricStat"]["Metric"] for q in alarm.get("Metrics") or () if "MetricStat" in q)]
    return ({(d["Name"], d["Value"]) for d in one.get("Dimensions") or ()} for one in measured)


def _network(ec2: Any, service: Mapping) -> dict[str, Any]:
    """Subnets and what belongs to them; nothing for a service without interfaces of its own, or whose subnets are gone."""
    awsvpc = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if not awsvpc:
        return {}
    subnets = _unless_missing(lambda: ec2.describe_subnets(SubnetIds=awsvpc["subnets"])["Subnets"])
    if not subnets:
        return {}
    vpc = subnets[0]["VpcId"]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    tables = ec2.describe_route_tables(Filters=mine)["RouteTables"]
    groups = awsvpc.get("securityGroups")
    wanted = {"GroupIds": groups} if groups else {"Filters": [*mine, {"Name": "group-name", "Values": ["default"]}]}
    logged = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc, *awsvpc["subnets"]]}])["FlowLogs"]
    return {
        "subnets": tuple(subnets),
        "public_subnets": frozenset(s["SubnetId"] for s in subnets if _is_public(s["SubnetId"], tables)),
        "security_groups": tuple(_unless_missing(lambda: ec2.describe_security_groups(**wanted)["SecurityGroups"]) or ()),
        "flow_logs": tuple(logged),
    }


def _is_public(subnet: str, tables: list[Mapping]) -> bool:
    """Its own route table, or else the VPC's main one, leads to an internet gateway."""
    own = [t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"])]
    main = [t for t in tables if any(a.get("Main") for a in t["Associations"])]
    return any(route.get("GatewayId", "").startswith("igw-") for table in (own or main) for route in table["Routes"])


def _roles(iam: Any, definition: Mapping) -> dict[str, Role]:
    """Those of the definition that exist."""
    arns = {"task": definition.get("taskRoleArn"), "execution": definition.get("executionRoleArn")}
    found = {kind: _unless_missing(lambda: _role(iam, arn.rpartition("/")[2])) for kind, arn in arns.items() if arn}
    return {kind: role for kind, role in found.items() if role}


def _role(iam: Any, name: str) -> Role:
    role = iam.get_role(RoleName=name)["Role"]
    return Role(role["Arn"], document(role["AssumeRolePolicyDocument"]), tuple(role_policies(iam, name)))


def _log_groups(client: Callable[[str], Any], definition: Mapping) -> dict[str, Mapping]:
    """Those the containers' awslogs drivers name, as far as they are there."""
    drivers = [c.get("logConfiguration") or {} for c in definition["containerDefinitions"]]
    named = {(d.get("options") or {}).get("awslogs-group") for d in drivers if d.get("logDriver") == "awslogs"} - {None}
    found = (log_group(client("logs"), name) for name in sorted(named))
    return {group["logGroupName"]: group for group in found if group}


def _repositories(ecr: Any, definition: Mapping) -> dict[str, Repository]:
    """By image, those of this account's registry."""
    region, account = definition["taskDefinitionArn"].split(":")[3:5]
    images = {c["image"] for c in definition["containerDefinitions"] if c["image"].startswith(f"{account}.dkr.ecr.{region}.")}
    found = {image: _unless_missing(lambda: _repository(ecr, image)) for image in sorted(images)}
    return {image: repository for image, repository in found.items() if repository}


def _repository(ecr: Any, image: str) -> Repository:
    path = image.partition("/")[2]
    name, digest = path.partition("@")[::2]
    name, tag = name.partition(":")[::2]
    which = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    scan = _unless_missing(lambda: ecr.describe_image_scan_findings(repositoryName=name, imageId=which).get("imageScanFindings"))
    return Repository(repository, scan.get("findingSeverityCounts", {}) if scan else None)


def _peaks(cloudwatch: Any, service: Mapping, cluster: str) -> tuple[float, float] | None:
    """The highest utilization of CPU and of memory since the service's first day; None before anything was measured."""
    dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service["serviceName"]}]
    start = service["createdAt"].replace(hour=0, minute=0, second=0, microsecond=0)
    found = [
        cloudwatch.get_metric_statistics(
            Namespace="AWS/ECS", MetricName=name, Dimensions=dimensions, StartTime=start, EndTime=start + SPAN, Period=DAY, Statistics=["Maximum"]
        )["Datapoints"]
        for name in ("CPUUtilization", "MemoryUtilization")
    ]
    if not all(found):
        return None
    cpu, memory = (max(point["Maximum"] for point in points) for points in found)
    return cpu, memory


def _unless_missing(ask: Callable[[], Any]) -> Any:
    """What is asked for; None where AWS says that it is not there."""
    try:
        return ask()
    except ClientError as error:
        if any(word in error.response["Error"]["Code"] for word in ("NotFound", "NoSuchEntity")):
            return None
        raise
