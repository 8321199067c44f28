"""What an audit asks of roles, networks and repositories: least privilege, few open doors, images that were looked at.

An action that takes no resource of its own has to stand with `*`; `UNNAMED` holds those a task's roles have a use for.
"""
from __future__ import annotations

from typing import Iterable, Mapping

from . import execution_role
from .audit_check import HIGH, LOW, MEDIUM, Judged, Picture, Role, check, fine, update_service, wrong
from .exec_command import PERMISSIONS
from .policy import TASKS, decide, several, statements

TASK_ROLE = "Amazon ECS task IAM role"
EXECUTION_ROLE = "Amazon ECS task execution IAM role"
NETWORK = "Network security best practices for Amazon ECS"
ANYWHERE = {"0.0.0.0/0", "::/0"}
UNNAMED = ("ssmmessages:", "xray:", "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData")
READS = ("Describe", "List")
EXECUTION = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents")


# Roles ----------------------------------------------------------------------------------


@check(
    "task-role", MEDIUM, "The application has a role of its own",
    "Without a task role an application on EC2 borrows its instance's role, and one on Fargate is given keys to carry about.",
    "Task Definitions > Task Roles vs Execution Roles", TASK_ROLE,
)  # fmt: skip
def task_role(picture: Picture) -> Judged | None:
    if arn := picture.definition.get("taskRoleArn"):
        return fine(f"taskRoleArn is {arn}")
    return wrong("no taskRoleArn", f'definition["taskRoleArn"] = "<a role that {TASKS} may assume, with what the application calls>"')


@check(
    "separate-roles", HIGH, "Task role and execution role are two roles",
    "The execution role reads secrets and images for ECS. As the task role it hands all of that to the application, and to whoever breaks into it.",
    "Task Definitions > Task Roles vs Execution Roles", EXECUTION_ROLE,
)  # fmt: skip
def separate_roles(picture: Picture) -> Judged | None:
    task, execution = picture.definition.get("taskRoleArn"), picture.definition.get("executionRoleArn")
    if not (task and execution):
        return None
    if task == execution:
        return wrong(f"both are {task}", 'definition["taskRoleArn"] = "<a role with nothing but what the application calls>"')
    return fine(f"{task.rpartition('/')[2]} and {execution.rpartition('/')[2]}")


@check(
    "task-role-privilege", HIGH, "The task role allows no more than is used",
    "Whoever breaks into a container has its role. `*` makes one hole in one application a hole in the account.",
    "Security > Task Security", TASK_ROLE,
)  # fmt: skip
def task_role_privilege(picture: Picture) -> Judged | None:
    return _privilege(picture.roles.get("task"), ())


@check(
    "execution-role-privilege", HIGH, "The execution role allows no more than is used",
    "It needs images, logs and the secrets of this task. Every further secret is one that a changed task definition can read.",
    "Security > IAM Roles", EXECUTION_ROLE,
)  # fmt: skip
def execution_role_privilege(picture: Picture) -> Judged | None:
    return _privilege(picture.roles.get("execution"), EXECUTION)


def _privilege(role: Role | None, unnamed: tuple[str, ...]) -> Judged | None:
    if role is None:
        return None
    wide = sorted({told for document in role.policies for told in _too_wide(document, unnamed)})
    if not wide:
        return fine(f"role {role.name} has no wildcard it could do without")
    change = 'iam.put_role_policy(RoleName={!r}, PolicyName="<the policy>", PolicyDocument="<the actions that are called, each on its resource\'s ARN>")'
    return wrong(f"role {role.name} allows {'; '.join(wide)}", change.format(role.name))


def _too_wide(document: Mapping, unnamed: tuple[str, ...]) -> Iterable[str]:
    for statement in statements(document):
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement:
            yield "everything but " + ", ".join(several(statement["NotAction"]))
        every = "NotResource" in statement or "*" in several(statement.get("Resource"))
        for action in several(statement.get("Action")):
            if action == "*" or action.endswith(":*") and not action.startswith(UNNAMED):
                yield action
            elif every and not _has_no_resource(action, unnamed):
                yield f"{action} on every resource"


def _has_no_resource(action: str, unnamed: tuple[str, ...]) -> bool:
    return action.startswith(UNNAMED) or action in unnamed or action.partition(":")[2].startswith(READS)


@check(
    "execution-role-use", LOW, "There is an execution role only where something needs it",
    "A role nobody needs is one more thing to be misused: without private images, logs or secrets ECS never assumes it.",
    "Task Definitions > Task Roles vs Execution Roles", EXECUTION_ROLE,
)  # fmt: skip
def execution_role_use(picture: Picture) -> Judged | None:
    if not picture.definition.get("executionRoleArn"):
        return None
    uses = execution_role.uses(picture.definition)
    if uses:
        return fine(f"used for {', '.join(uses)}")
    return wrong(f"{picture.definition['executionRoleArn']} is used for nothing", 'del definition["executionRoleArn"]')


@check(
    "role-trust", HIGH, "Only ECS tasks may assume the roles",
    "A trust policy that names more than ecs-tasks.amazonaws.com lets others take a task's permissions without running one.",
    "Security > IAM Roles", TASK_ROLE,
)  # fmt: skip
def role_trust(picture: Picture) -> Judged | None:
    if not picture.roles:
        return None
    wide = {role.name: others for role in picture.roles.values() if (others := sorted(_others(role)))}
    if not wide:
        return fine(f"{_roles(picture)}: {TASKS} only")
    return wrong("; ".join(f"role {name} trusts {', '.join(others)} as well" for name, others in wide.items()), _trust(picture, sorted(wide)))


def _others(role: Role) -> set[str]:
    """Who else is trusted, and whoever is not kept out by NotPrincipal."""
    allowing = [s for s in statements(role.trust) if s["Effect"] == "Allow"]
    trusted = {name for statement in allowing for name in _principals(statement.get("Principal"))}
    return (trusted - {TASKS}) | {"everybody but some" for statement in allowing if "NotPrincipal" in statement}


def _principals(given: str | Mapping | None) -> list[str]:
    return [name for names in given.values() for name in several(names)] if isinstance(given, Mapping) else several(given)


def _roles(picture: Picture) -> str:
    return ", ".join(sorted({role.name for role in picture.roles.values()}))


def _trust(picture: Picture, of: Iterable[str]) -> str:
    region, account = picture.service["serviceArn"].split(":")[3:5]
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{region}:{account}:*"}, "StringEquals": {"aws:SourceAccount": account}}
    statement = {"Effect": "Allow", "Principal": {"Service": TASKS}, "Action": "sts:AssumeRole", "Condition": condition}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return "\n".join(f"iam.update_assume_role_policy(RoleName={name!r}, PolicyDocument=json.dumps({document!r}))" for name in of)


@check(
    "trust-condition", LOW, "The roles are lent to this account's tasks only",
    "aws:SourceAccount or aws:SourceArn in the trust policy keeps ECS from being used by another account to reach the role.",
    "Security > IAM Roles", TASK_ROLE,
)  # fmt: skip
def trust_condition(picture: Picture) -> Judged | None:
    if not picture.roles:
        return None
    open_ = sorted({role.name for role in picture.roles.values() if not all(map(_bound, statements(role.trust)))})
    if open_:
        return wrong(f"{', '.join(open_)} has neither aws:SourceAccount nor aws:SourceArn", _trust(picture, open_))
    return fine(f"{_roles(picture)}: bound to an account")


def _bound(statement: Mapping) -> bool:
    keys = {key.lower() for tests in (statement.get("Condition") or {}).values() for key in tests}
    return bool(keys & {"aws:sourceaccount", "aws:sourcearn"})


@check(
    "exec-permissions", MEDIUM, "With ECS Exec on, the task role may open its channels",
    "ECS Exec speaks through Systems Manager as the task role. Without the four actions no session opens when one is needed.",
    "Security > IAM Roles", "Monitor Amazon ECS containers with ECS Exec",
)  # fmt: skip
def exec_permissions(picture: Picture) -> Judged | None:
    if not picture.service.get("enableExecuteCommand") or "task" not in picture.roles:
        return None
    role = picture.roles["task"]
    missing = [action for action in PERMISSIONS if not decide(role.policies, action)]
    if not missing:
        return fine(f"role {role.name} allows the four actions of ssmmessages")
    statement = {"Effect": "Allow", "Action": list(PERMISSIONS), "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    change = f'iam.put_role_policy(RoleName={role.name!r}, PolicyName="ecs-exec", PolicyDocument=json.dumps({document!r}))'
    return wrong(f"role {role.name} does not allow {', '.join(missing)}", change)


# Networks -------------------------------------------------------------------------------


@check(
    "public-ip", HIGH, "Tasks behind a load balancer have no public address",
    "A public address is a way in beside the load balancer. Tasks need none to be reached by it.",
    "Security > Task Security", NETWORK,
)  # fmt: skip
def public_ip(picture: Picture) -> Judged | None:
    if not picture.awsvpc or not picture.balanced:
        return None
    setting = picture.awsvpc.get("assignPublicIp", "DISABLED")
    if setting == "DISABLED":
        return fine("assignPublicIp is DISABLED")
    wanted = {**picture.awsvpc, "assignPublicIp": "DISABLED"}
    return wrong(f"assignPublicIp is {setting}", update_service(picture, networkConfiguration={"awsvpcConfiguration": wanted}))


@check(
    "private-subnets", MEDIUM, "Tasks run in private subnets",
    "From the internet nobody can begin a connection into a subnet that has no route to an internet gateway, whatever else is set wrong.",
    "Security > Task Security", NETWORK,
)  # fmt: skip
def private_subnets(picture: Picture) -> Judged | None:
    if not picture.subnets:
        return None
    public = [subnet["SubnetId"] for subnet in picture.subnets if subnet["SubnetId"] in picture.public_subnets]
    if not public:
        return fine(f"{', '.join(subnet['SubnetId'] for subnet in picture.subnets)} has no route to an internet gateway")
    wanted = {**picture.awsvpc, "subnets": ["<subnets that reach out through a NAT gateway or VPC endpoints>"], "assignPublicIp": "DISABLED"}
    change = update_service(picture, networkConfiguration={"awsvpcConfiguration": wanted})
    return wrong(f"{', '.join(public)} has a route to an internet gateway", change)


@check(
    "security-group", HIGH, "The tasks' security groups admit whom they have to",
    "A rule for 0.0.0.0/0 lets the whole world, and every machine of the VPC, past the load balancer to the container.",
    "Security > Task Security", NETWORK,
)  # fmt: skip
def security_group(picture: Picture) -> Judged | None:
    if not picture.security_groups:
        return None
    open_ = [(group, rule) for group in picture.security_groups for rule in group["IpPermissions"] if _anywhere(rule) and not _meant(picture, rule)]
    if not open_:
        return fine(f"{', '.join(group['GroupId'] for group in picture.security_groups)}: nothing is open to everybody that need not be")
    found = ", ".join(f"{group['GroupId']} admits {', '.join(_anywhere(rule))} to {_ports(rule)}" for group, rule in open_)
    change = "\n".join(f"ec2.revoke_security_group_ingress(GroupId={group['GroupId']!r}, IpPermissions={[_only_open(rule)]!r})" for group, rule in open_)
    return wrong(found, f"{change}{_admit_balancer(picture, open_[0][0]['GroupId'])}")


def _anywhere(rule: Mapping) -> list[str]:
    ranges = [r["CidrIp"] for r in rule.get("IpRanges") or ()] + [r["CidrIpv6"] for r in rule.get("Ipv6Ranges") or ()]
    return [one for one in ranges if one in ANYWHERE]


def _meant(picture: Picture, rule: Mapping) -> bool:
    """Without a load balancer of their own groups, the ports of the containers may be meant for everybody."""
    if _balancer_groups(picture) or rule["IpProtocol"] == "-1":
        return False
    ports = {p.get("containerPort") for c in picture.containers for p in c.get("portMappings") or ()}
    return rule["FromPort"] == rule["ToPort"] and rule["FromPort"] in ports


def _balancer_groups(picture: Picture) -> list[str]:
    return [group for one in picture.load_balancers for group in one.get("SecurityGroups") or ()]


def _ports(rule: Mapping) -> str:
    if rule["IpProtocol"] == "-1":
        return "every port"
    return f"port {rule['FromPort']}" if rule["FromPort"] == rule["ToPort"] else f"ports {rule['FromPort']}-{rule['ToPort']}"


def _only_open(rule: Mapping) -> dict:
    """The rule, reduced to what it opens to everybody."""
    kept = {name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in rule}
    v4 = [{"CidrIp": r["CidrIp"]} for r in rule.get("IpRanges") or () if r["CidrIp"] in ANYWHERE]
    v6 = [{"CidrIpv6": r["CidrIpv6"]} for r in rule.get("Ipv6Ranges") or () if r["CidrIpv6"] in ANYWHERE]
    return {**kept, **({"IpRanges": v4} if v4 else {}), **({"Ipv6Ranges": v6} if v6 else {})}


def _admit_balancer(picture: Picture, group_id: str) -> str:
    groups = _balancer_groups(picture)
    ports = sorted({one["containerPort"] for one in picture.service.get("loadBalancers") or ()})
    if not groups or not ports:
        return ""
    pairs = [{"GroupId": one} for one in groups]
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs} for port in ports]
    return f"\nec2.authorize_security_group_ingress(GroupId={group_id!r}, IpPermissions={rules!r})"


@check(
    "own-security-group", MEDIUM, "The tasks do not share the VPC's default security group",
    "Everything that was started without a group of its own is in the default one, and its members may all reach each other.",
    "Networking > Network Modes", NETWORK,
)  # fmt: skip
def own_security_group(picture: Picture) -> Judged | None:
    if not picture.security_groups:
        return None
    shared = [group["GroupId"] for group in picture.security_groups if group["GroupName"] == "default"]
    if not shared:
        return fine(", ".join(group["GroupName"] for group in picture.security_groups))
    wanted = {**picture.awsvpc, "securityGroups": ["<a group of the service's own>"]}
    return wrong(f"{', '.join(shared)} is the default group of its VPC", update_service(picture, networkConfiguration={"awsvpcConfiguration": wanted}))


@check(
    "flow-logs", LOW, "VPC Flow Logs tell who spoke to whom",
    "After an incident they are the only record of which addresses a task talked to, and of what was turned away.",
    "Security > Task Security", NETWORK,
)  # fmt: skip
def flow_logs(picture: Picture) -> Judged | None:
    if not picture.subnets:
        return None
    if picture.flow_logs:
        return fine(", ".join(log["FlowLogId"] for log in picture.flow_logs))
    vpc = picture.subnets[0]["VpcId"]
    change = (
        f'ec2.create_flow_logs(ResourceIds=[{vpc!r}], ResourceType="VPC", TrafficType="ALL", LogGroupName="/vpc/flow-logs", '
        'DeliverLogsPermissionArn="<a role that vpc-flow-logs.amazonaws.com may assume>")'
    )
    return wrong(f"{vpc} has no flow logs", change)


# Repositories ---------------------------------------------------------------------------


@check(
    "image-scan", MEDIUM, "Images are scanned when they are pushed",
    "Nobody hears of the known holes in an image that is not looked at.",
    "Security > Task Security", "Scan images for software vulnerabilities in Amazon ECR",
)  # fmt: skip
def image_scan(picture: Picture) -> Judged | None:
    return _of_repositories(
        picture,
        lambda one: (one.repository.get("imageScanningConfiguration") or {}).get("scanOnPush"),
        ("scans on push", "does not scan on push"),
        "ecr.put_image_scanning_configuration(repositoryName={!r}, imageScanningConfiguration={{'scanOnPush': True}})",
    )


@check(
    "tag-mutability", LOW, "A tag never becomes another image",
    "Where tags can be moved, the version that was tested and the version that starts tonight may differ under one name.",
    "Security > Task Security", "Preventing image tags from being overwritten in Amazon ECR",
)  # fmt: skip
def tag_mutability(picture: Picture) -> Judged | None:
    return _of_repositories(
        picture,
        lambda one: one.repository.get("imageTagMutability") == "IMMUTABLE",
        ("is IMMUTABLE", "is MUTABLE"),
        "ecr.put_image_tag_mutability(repositoryName={!r}, imageTagMutability='IMMUTABLE')",
    )


def _of_repositories(picture: Picture, holds, words: tuple[str, str], change: str) -> Judged | None:
    if not picture.repositories:
        return None
    good, bad = {}, {}
    for one in picture.repositories.values():
        (good if holds(one) else bad)[one.repository["repositoryName"]] = one
    if bad:
        return wrong(f"{', '.join(bad)} {words[1]}", "\n".join(change.format(name) for name in bad))
    return fine(f"{', '.join(good)} {words[0]}")


@check(
    "image-findings", HIGH, "No image has critical or high findings",
    "The scan has named these holes to everybody; a newer base image usually closes them.",
    "Security > Task Security", "Scan images for software vulnerabilities in Amazon ECR",
)  # fmt: skip
def image_findings(picture: Picture) -> Judged | None:
    scanned = {image: one.findings for image, one in picture.repositories.items() if one.findings is not None}
    if not scanned:
        return None
    bad = {image: told for image, found in scanned.items() if (told := _grave(found))}
    if not bad:
        return fine(f"{', '.join(scanned)}: neither critical nor high findings")
    found = "; ".join(f"{image}: {told}" for image, told in bad.items())
    holders = [c for c in picture.containers if c["image"] in bad]
    change = "\n".join(f'definition["containerDefinitions"][{picture.index(c)}]["image"] = "<{c["image"]} built anew>"' for c in holders)
    return wrong(found, change)


def _grave(found: Mapping[str, int]) -> str:
    return ", ".join(f"{found[severity]} {severity}" for severity in ("CRITICAL", "HIGH") if found.get(severity))


CHECKS = (
    separate_roles, task_role_privilege, execution_role_privilege, role_trust, public_ip, security_group, image_findings,
    task_role, exec_permissions, private_subnets, own_security_group, image_scan,
    execution_role_use, trust_condition, flow_logs, tag_mutability,
)  # fmt: skip
