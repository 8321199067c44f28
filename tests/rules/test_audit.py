"""Every check of an audit: passed by a sound service, failed by one thing changed, silent where it does not apply."""
from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from ecslab.rules.audit import CHECKS, HOW, audit
from ecslab.rules.audit_check import FAILED, INAPPLICABLE, PASSED, Picture, Repository, Role

ACCOUNT = "arn:aws:iam::123456789012:role/"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1.4.2"
TASKS = {"Service": "ecs-tasks.amazonaws.com"}
BOUND = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
TRUST = {"Statement": [{"Effect": "Allow", "Principal": TASKS, "Action": "sts:AssumeRole", "Condition": BOUND}]}
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1"


def allow(action, resource="*"):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


def container():
    return {
        "name": "app", "image": IMAGE, "essential": True, "user": "1000", "readonlyRootFilesystem": True, "stopTimeout": 60,
        "portMappings": [{"containerPort": 80}],
        "healthCheck": {"command": ["CMD", "true"], "startPeriod": 10},
        "environment": [{"name": "COLOUR", "value": "blue"}, {"name": "TOKEN_FILE", "value": "/run/token"}],
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web"}},
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip


def service():
    return {
        "serviceName": "web", "serviceArn": "arn:aws:ecs:us-east-1:123456789012:service/demo/web", "desiredCount": 3,
        "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}, "deployments": [{"status": "PRIMARY"}],
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
        "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 80}],
        "healthCheckGracePeriodSeconds": 60, "availabilityZoneRebalancing": "ENABLED", "enableECSManagedTags": True, "propagateTags": "SERVICE",
        "deploymentConfiguration": {
            "strategy": "ROLLING", "minimumHealthyPercent": 100, "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
        },
    }  # fmt: skip


def sound() -> Picture:
    """A service on Fargate that passes every check that applies, but is not blue/green."""
    return Picture(
        service=service(),
        cluster={"clusterName": "demo", "settings": [{"name": "containerInsights", "value": "enhanced"}]},
        definition={
            "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "containerDefinitions": [container()],
            "taskRoleArn": f"{ACCOUNT}task", "executionRoleArn": f"{ACCOUNT}execution",
        },
        target_groups=({"TargetGroupArn": GROUP, "TargetGroupName": "web", "HealthCheckPath": "/", "Attributes": {"deregistration_delay.timeout_seconds": "30"}},),
        load_balancers=({"SecurityGroups": ["sg-lb"]},),
        scalable_target={"MinCapacity": 2, "MaxCapacity": 10},
        policies=({"PolicyName": "cpu"},),
        alarms=({"AlarmName": "errors"}, {"AlarmName": "TargetTracking-service/demo/web-AlarmHigh-1"}),
        subnets=({"SubnetId": "subnet-a", "VpcId": "vpc-1", "AvailabilityZone": "us-east-1a"}, {"SubnetId": "subnet-b", "VpcId": "vpc-1", "AvailabilityZone": "us-east-1b"}),
        security_groups=({"GroupId": "sg-1", "GroupName": "web", "IpPermissions": [rule(80)]},),
        flow_logs=({"FlowLogId": "fl-1"},),
        roles={
            "task": Role(f"{ACCOUNT}task", TRUST, (allow("s3:GetObject", "arn:aws:s3:::shop/*"), allow("s3:ListAllMyBuckets"))),
            "execution": Role(f"{ACCOUNT}execution", TRUST, (allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "logs:PutLogEvents"]),)),
        },
        log_groups={"/ecs/web": {"retentionInDays": 30}},
        repositories={IMAGE: Repository({"repositoryName": "web", "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}}, {"LOW": 2})},
        peaks=(60.0, 55.0),
    )  # fmt: skip


def rule(port, everybody=(), **other):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": one} for one in everybody], "Ipv6Ranges": [], **other}


def with_service(**fields):
    return lambda p: replace(p, service={**p.service, **fields})


def with_deployment(**fields):
    return lambda p: with_service(deploymentConfiguration={**p.service["deploymentConfiguration"], **fields})(p)


def with_definition(**fields):
    return lambda p: replace(p, definition={**p.definition, **fields})


def with_container(**fields):
    return lambda p: with_definition(containerDefinitions=[{**p.containers[0], **fields}])(p)


def with_network(**fields):
    return lambda p: with_service(networkConfiguration={"awsvpcConfiguration": {**p.awsvpc, **fields}})(p)


def having(**fields):
    return lambda p: replace(p, **fields)


def with_role(kind, trust=TRUST, *policies):
    return lambda p: replace(p, roles={**p.roles, kind: Role(f"{ACCOUNT}{kind}", trust, policies)})


def with_repository(findings=None, **fields):
    return lambda p: replace(p, repositories={IMAGE: Repository({**p.repositories[IMAGE].repository, **fields}, findings)})


def all_of(*changes):
    def changed(picture):
        for change in changes:
            picture = change(picture)
        return picture

    return changed


ON_EC2 = all_of(with_service(capacityProviderStrategy=[], launchType="EC2"), with_container(dockerSecurityOptions=["no-new-privileges"]))
UNBALANCED = all_of(with_service(loadBalancers=[]), having(target_groups=(), load_balancers=()))
EXEC = all_of(
    with_service(enableExecuteCommand=True),
    with_container(linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}),
    with_role("task", TRUST, allow("ssmmessages:*")),
)
DAEMON = with_service(schedulingStrategy="DAEMON")
BLUE_GREEN = with_deployment(strategy="BLUE_GREEN")
WINDOWS = with_definition(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})
SECRET = [{"name": "API_KEY", "value": "s3cret"}]
IN_URL = [{"name": "DATABASE", "value": "postgres://shop:hunter2@db/shop"}]
EC2_TOO = {"Statement": [{**TRUST["Statement"][0], "Principal": {"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]}}]}
ANYBODY = {"Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": "*"}}]}
UNBOUND = {"Statement": [{"Effect": "Allow", "Principal": TASKS, "Action": "sts:AssumeRole"}]}
SLOW = with_container(healthCheck={"command": ["CMD", "true"], "startPeriod": 120})
REGISTRY = [{"registryArn": "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-1"}]
CONNECT = [{"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]}}]
SLOW_TARGET = {"TargetGroupArn": GROUP, "TargetGroupName": "web", "HealthCheckPath": "/", "Attributes": {"slow_start.duration_seconds": "90"}}


def group(*rules, name="web"):
    return having(security_groups=({"GroupId": "sg-1", "GroupName": name, "IpPermissions": list(rules)},))


# check -> (where it passes besides the sound service, where it fails, where it does not apply)
CASES = {
    "circuit-breaker": ([], [with_deployment(deploymentCircuitBreaker={"enable": True, "rollback": False}), with_deployment(deploymentCircuitBreaker={})], [BLUE_GREEN]),
    "desired-count": ([], [with_service(desiredCount=1), with_service(desiredCount=0)], [DAEMON]),
    "zones": ([], [lambda p: replace(p, subnets=p.subnets[:1])], [having(subnets=())]),
    "spot-base": ([], [with_service(capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])], [ON_EC2]),
    "minimum-healthy": ([], [with_deployment(minimumHealthyPercent=50)], [BLUE_GREEN, DAEMON]),
    "auto-scaling": ([all_of(having(policies=(), scheduled_actions=({"ScheduledActionName": "noon"},)))], [having(scalable_target=None), having(policies=())], [DAEMON]),
    "min-capacity": ([], [having(scalable_target={"MinCapacity": 1, "MaxCapacity": 4})], [having(scalable_target=None)]),
    "max-capacity": ([], [having(scalable_target={"MinCapacity": 2, "MaxCapacity": 3})], [having(scalable_target=None)]),
    "grace-period": ([], [SLOW, having(target_groups=(SLOW_TARGET,))], [UNBALANCED, with_container(healthCheck={"command": ["CMD", "true"]})]),
    "container-insights": ([], [having(cluster={"clusterName": "demo"}), having(cluster={"clusterName": "demo", "settings": [{"name": "containerInsights", "value": "disabled"}]})], None),
    "alerts": ([], [having(alarms=()), having(alarms=({"AlarmName": "TargetTracking-service/demo/web-AlarmLow-1"},))], None),
    "deployment-alarms": ([], [with_deployment(alarms={}), with_deployment(alarms={"alarmNames": ["errors"], "enable": True, "rollback": False})], [DAEMON]),
    "traffic-shift": ([BLUE_GREEN, with_service(deploymentController={"type": "CODE_DEPLOY"})], [lambda p: p], [UNBALANCED]),
    "rebalancing": ([], [with_service(availabilityZoneRebalancing="DISABLED")], [DAEMON, lambda p: replace(p, subnets=p.subnets[:1])]),
    "deregistration-delay": ([], [having(target_groups=({**SLOW_TARGET, "Attributes": {"deregistration_delay.timeout_seconds": "300"}},))], [UNBALANCED]),
    "service-discovery": (
        [all_of(UNBALANCED, with_service(serviceRegistries=REGISTRY)), all_of(UNBALANCED, with_service(deployments=CONNECT))],
        [UNBALANCED],
        [lambda p: p, all_of(UNBALANCED, with_container(portMappings=[]))],
    ),
    "managed-tags": ([], [with_service(enableECSManagedTags=False), with_service(propagateTags="NONE")], None),
    "image-tag": ([with_container(image="web@sha256:1f"), with_container(image="localhost:5000/web:7")], [with_container(image="web"), with_container(image="localhost:5000/web"), with_container(image="web:latest")], None),
    "health-check": ([with_container(healthCheck=None)], [all_of(UNBALANCED, with_container(healthCheck=None))], None),
    "plain-secrets": ([with_container(environment=[{"name": "API_KEY", "value": ""}])], [with_container(environment=SECRET), with_container(environment=IN_URL)], None),
    "logs": ([with_container(logConfiguration={"logDriver": "awsfirelens"})], [with_container(logConfiguration=None), with_container(logConfiguration={"logDriver": "json-file"})], None),
    "log-retention": ([], [having(log_groups={"/ecs/web": {}})], [having(log_groups={})]),
    "read-only-root": ([], [with_container(readonlyRootFilesystem=False)], [EXEC, WINDOWS]),
    "non-root": ([with_container(user="app:app")], [with_container(user="0:0"), with_container(user="root"), with_container(user=None)], [WINDOWS]),
    "privileged": ([ON_EC2], [all_of(ON_EC2, with_container(privileged=True))], [lambda p: p]),
    "capabilities": ([], [with_container(linuxParameters=None), with_container(linuxParameters={"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}})], [WINDOWS]),
    "no-new-privileges": ([ON_EC2], [all_of(ON_EC2, with_container(dockerSecurityOptions=[]))], [lambda p: p]),
    "init-process": ([EXEC], [all_of(EXEC, with_container(linuxParameters=None))], [lambda p: p]),
    "stop-timeout": ([], [with_container(stopTimeout=None)], [ON_EC2]),
    "network-mode": ([], [with_definition(networkMode="bridge"), with_definition(networkMode=None)], None),
    "memory-limit": (
        [ON_EC2, all_of(ON_EC2, with_definition(memory=None), with_container(memory=256))],
        [all_of(ON_EC2, with_definition(memory=None), with_container(memoryReservation=256))],
        [lambda p: p],
    ),
    "right-size": ([], [all_of(with_definition(cpu="1024", memory="2048"), having(peaks=(10.0, 10.0))), having(peaks=(99.0, 20.0))], [having(peaks=None), ON_EC2]),
    "task-role": ([], [with_definition(taskRoleArn=None)], None),
    "separate-roles": ([], [with_definition(executionRoleArn=f"{ACCOUNT}task")], [with_definition(taskRoleArn=None)]),
    "task-role-privilege": (
        [with_role("task", TRUST, allow("ssmmessages:*"), {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})],
        [with_role("task", TRUST, allow("*")), with_role("task", TRUST, allow("s3:*", "arn:aws:s3:::shop/*")), with_role("task", TRUST, allow("s3:GetObject")),
         with_role("task", TRUST, {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}})],
        [having(roles={})],
    ),
    "execution-role-privilege": ([], [with_role("execution", TRUST, allow("secretsmanager:GetSecretValue"))], [having(roles={})]),
    "execution-role-use": (
        [],
        [with_container(image="web:1", secrets=[], logConfiguration=None)],
        [with_definition(executionRoleArn=None)],
    ),
    "role-trust": ([], [with_role("task", EC2_TOO), with_role("execution", ANYBODY)], [having(roles={})]),
    "trust-condition": ([], [with_role("task", UNBOUND)], [having(roles={})]),
    "exec-permissions": ([EXEC], [all_of(EXEC, with_role("task", TRUST, allow("ssmmessages:CreateDataChannel")))], [lambda p: p]),
    "public-ip": ([], [with_network(assignPublicIp="ENABLED")], [UNBALANCED]),
    "private-subnets": ([], [having(public_subnets=frozenset({"subnet-b"}))], [having(subnets=())]),
    "security-group": (
        [group(rule(80, ["10.0.0.0/8"])), all_of(UNBALANCED, group(rule(80, ["0.0.0.0/0"])))],
        [group(rule(80, ["0.0.0.0/0"])), group(rule(80, Ipv6Ranges=[{"CidrIpv6": "::/0"}])), all_of(UNBALANCED, group(rule(22, ["0.0.0.0/0"]))),
         all_of(UNBALANCED, group({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}))],
        [having(security_groups=())],
    ),
    "own-security-group": ([], [group(name="default")], [having(security_groups=())]),
    "flow-logs": ([], [having(flow_logs=())], [having(subnets=())]),
    "image-scan": ([], [with_repository(imageScanningConfiguration={"scanOnPush": False})], [having(repositories={})]),
    "tag-mutability": ([], [with_repository(imageTagMutability="MUTABLE")], [having(repositories={})]),
    "image-findings": ([], [with_repository({"CRITICAL": 1}), with_repository({"HIGH": 2})], [with_repository(None)]),
}  # fmt: skip


def rows(place):
    return [(one, case) for one, cases in CASES.items() for case in cases[place] or ()]


def test_every_check_has_cases_that_pass_and_cases_that_fail():
    assert sorted(CASES) == sorted(one.id for one in CHECKS)
    passing = {one.check.id for one in audit(sound()).passed}
    assert all((passes or check in passing) and fails for check, (passes, fails, _) in CASES.items())


def test_a_sound_service_fails_nothing_but_to_be_blue_green_and_is_then_perfect():
    report = audit(sound())
    assert [one.check.id for one in report.failed] == ["traffic-shift"]
    assert audit(BLUE_GREEN(sound())).score == 100


@pytest.mark.parametrize(("check", "change"), rows(0))
def test_a_check_passes_and_says_what_it_saw(check, change):
    finding = audit(change(sound()))[check]
    assert (finding.status, finding.change) == (PASSED, "") and finding.found


@pytest.mark.parametrize(("check", "change"), rows(1))
def test_a_check_fails_with_what_was_found_and_a_change_that_can_be_read_as_python(check, change):
    finding = audit(change(sound()))[check]
    assert finding.status == FAILED and finding.found
    compile(finding.change, check, "exec")


@pytest.mark.parametrize(("check", "change"), rows(2))
def test_a_check_does_not_judge_what_it_does_not_apply_to(check, change):
    assert audit(change(sound()))[check].status == INAPPLICABLE


def test_the_score_is_the_weighted_share_of_what_applies():
    whole, less = audit(BLUE_GREEN(sound())), audit(all_of(BLUE_GREEN, with_service(desiredCount=1))(sound()))
    weights = {"high": 5, "medium": 3, "low": 1}
    applies = sum(weights[one.check.severity] for one in whole.findings if one.status != INAPPLICABLE)
    assert less.score == 100 * (applies - 5) // applies
    assert all(str(weight) in HOW for weight in weights.values())


def test_the_gravest_come_first():
    order = {"high": 0, "medium": 1, "low": 2}
    assert [order[one.severity] for one in CHECKS] == sorted(order[one.severity] for one in CHECKS)


def test_an_audit_changes_nothing_it_looks_at():
    picture = sound()
    before = deepcopy(picture)
    audit(picture)
    assert picture == before


def test_every_check_names_a_heading_of_the_card_that_exists():
    from ecslab.teach.advice import sections

    assert {one.card for one in CHECKS} <= set(sections())
