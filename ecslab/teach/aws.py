"""What a check sees of the region: boto3 clients, and short ways to describe one thing.

Each of the short ways returns the dictionary the AWS API describes the thing
with, or None when there is no such thing. Nothing here changes the region.
"""
from __future__ import annotations

import json
from typing import Any, Callable, Mapping
from urllib.parse import unquote

MISSING = {"ClusterNotFoundException", "ServiceNotFoundException", "ClientException", "InvalidParameterException"}
BATCH = 100  # DescribeTasks takes at most 100 tasks


class Aws:
    """Built on any `client(name)` function that returns boto3 clients."""

    def __init__(self, client: Callable[[str], Any]):
        self._make = client
        self._clients: dict[str, Any] = {}

    def client(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self._make(name)
        return self._clients[name]

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def cluster(self, name: str = "default") -> dict | None:
        """An ACTIVE cluster."""
        found = self.ecs.describe_clusters(clusters=[name], include=["TAGS", "SETTINGS", "STATISTICS"])["clusters"]
        return next((cluster for cluster in found if cluster["status"] == "ACTIVE"), None)

    def service(self, cluster: str, name: str) -> dict | None:
        """A service that is not INACTIVE."""
        answer = self._or_none(self.ecs.describe_services, cluster=cluster, services=[name], include=["TAGS"])
        found = answer["services"] if answer else []
        return next((service for service in found if service["status"] != "INACTIVE"), None)

    def tasks(self, cluster: str = "default", **filters: Any) -> list[dict]:
        """Every task `list_tasks` finds with these filters (`serviceName`, `family`, `desiredStatus`, ...)."""
        paginator = self.ecs.get_paginator("list_tasks")
        pages = self._or_none(lambda: list(paginator.paginate(cluster=cluster, **filters))) or []
        arns = [arn for page in pages for arn in page["taskArns"]]
        batches = [arns[start : start + BATCH] for start in range(0, len(arns), BATCH)]
        described = [self.ecs.describe_tasks(cluster=cluster, tasks=batch, include=["TAGS"]) for batch in batches]
        return [task for answer in described for task in answer["tasks"]]

    def task(self, cluster: str, arn: str) -> dict | None:
        answer = self._or_none(self.ecs.describe_tasks, cluster=cluster, tasks=[arn], include=["TAGS"])
        return answer["tasks"][0] if answer and answer["tasks"] else None

    def task_definition(self, name: str) -> dict | None:
        """A task definition by family, `family:revision` or ARN."""
        answer = self._or_none(self.ecs.describe_task_definition, taskDefinition=name)
        return answer["taskDefinition"] if answer else None

    @staticmethod
    def _or_none(call: Callable[..., Any], **parameters: Any) -> Any:
        """What a call answers, None when it says that the thing is not there."""
        from botocore.exceptions import ClientError

        try:
            return call(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise


# What several readers of IAM and CloudWatch Logs want -------------------------------------------


def role_policies(iam: Any, name: str) -> list[Mapping]:
    """The documents of a role's inline and attached policies."""
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return _inline(iam.list_role_policies, iam.get_role_policy, RoleName=name) + [_managed(iam, one["PolicyArn"]) for one in attached]


def user_policies(iam: Any, name: str) -> list[Mapping]:
    """The documents of a user's inline and attached policies."""
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    return _inline(iam.list_user_policies, iam.get_user_policy, UserName=name) + [_managed(iam, one["PolicyArn"]) for one in attached]


def document(given: Any) -> Mapping:
    """A policy document, read where it comes as a text."""
    return json.loads(unquote(given)) if isinstance(given, str) else given


def log_group(logs: Any, name: str) -> Mapping | None:
    """The log group of exactly that name."""
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((group for group in groups if group["logGroupName"] == name), None)


def _inline(names: Callable, read: Callable, **whose: str) -> list[Mapping]:
    return [document(read(**whose, PolicyName=name)["PolicyDocument"]) for name in names(**whose)["PolicyNames"]]


def _managed(iam: Any, arn: str) -> Mapping:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return document(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
