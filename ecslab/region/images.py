"""Images in ECR: how one gets there, what a task needs to pull it, and when it expires.

`push` records an image of this machine in moto's ECR and keeps which one it is. A task
that names it gets that very image, whatever its tag or its source is given to
afterwards. Nothing is ever asked of the real ECR. Policies of repositories are not read.

A lifecycle policy is looked at once a day, as AWS promises no more than that an image is
expired within 24 hours.

Sources: Developer Guide, "Using Amazon ECR images with Amazon ECS", "CannotPullContainer
task errors in Amazon ECS"; ECR User Guide, "Pushing an image".
"""
from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Mapping, Sequence

from ..rules import ecr_lifecycle, execution_role, policy
from . import ecr
from .configuration import PULL, Failed
from .identifiers import ACCOUNT
from .model import Task

if TYPE_CHECKING:
    from . import Region
    from .roles import Caller

REFERENCE = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com)/(?P<repository>[a-z0-9._/-]+?)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
)
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
NO_TOKEN = f"{PULL}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): "
DAY = 86400.0


class Images:
    def __init__(self, region: "Region"):
        self._region = region
        self._here: dict[str, str] = {}  # digest in ECR -> what the engine calls the image
        self._looks_daily = False
        region.watch("ecr", self._changed)

    # Pushing ----------------------------------------------------------------------------

    def push(self, repository: str, tag: str, source: str, findings: Sequence[Mapping]) -> str:
        """The image's URI. ValueError for a source that is not here, or findings that are none; ClientError where ECR refuses."""
        wrong = [f for f in findings if not isinstance(f, Mapping) or not f.get("name") or f.get("severity") not in ecr.SEVERITIES]
        if wrong:
            raise ValueError(f"A finding is {{'name': 'CVE-...', 'severity': one of {', '.join(ecr.SEVERITIES)}}}, not {wrong[0]!r}.")
        uri = f"{ACCOUNT}.dkr.ecr.{self._region.name}.amazonaws.com/{repository}:{tag}"
        if not REFERENCE.fullmatch(uri):
            raise ValueError(f"{repository}:{tag} names no image: a repository in small letters, a colon, a tag.")
        name, size = self._region.engine.image(source)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, "digest": name, "size": size}, "layers": []}
        client = self._region.client("ecr")
        client.put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest, sort_keys=True))
        with self._region.lock:
            image = ecr.backend(self._region.name).repositories[repository]._get_image(tag, None)
            image.findings = [dict(finding) for finding in findings]
            self._here[image.get_image_digest()] = name
        return uri

    # Pulling ----------------------------------------------------------------------------

    def pulled(self, task: Task, containers: Sequence[Mapping]) -> tuple[Mapping, ...]:
        """The containers with each image of ECR's as the engine calls it. Raises Failed as the pull would."""
        return tuple(self._pulled(task, c) for c in containers)

    def _pulled(self, task: Task, container: Mapping) -> Mapping:
        found = REFERENCE.fullmatch(container["image"])
        if found is None:
            return container
        role = self._region.roles.execution(task)
        if role is not None:
            self._may_pull(task, role, container, found)
        digest = self._digest(container, found, _first_seen(task, container))
        if digest not in self._here:
            raise _cannot_pull(container, "there is only a record of this image: put one behind it with region.push_image")
        task.image_digests[container["name"]] = digest
        return {**container, "image": self._here[digest]}

    def _may_pull(self, task: Task, role: "Caller", container: Mapping, found: re.Match) -> None:
        token = role.decide(execution_role.ECR_TOKEN)
        if not token:
            refused = f"AccessDeniedException: {policy.denied(role.arn, execution_role.ECR_TOKEN, '*', token)}"
            if task.launch_type == "FARGATE":
                raise Failed(f"{NO_TOKEN}{refused}")
            raise Failed(f"CannotPullECRContainerError: {refused}", container["name"])
        arn = f"arn:aws:ecr:{found['region']}:{found['account']}:repository/{found['repository']}"
        for action in execution_role.ECR_PULL:
            if not role.decide(action, arn):
                raise _cannot_pull(container, f"pulling from host {found['host']} failed with status code [manifests {_which(found)}]: 403 Forbidden")

    def _digest(self, container: Mapping, found: re.Match, pinned: str | None) -> str:
        repositories = ecr.backend(found["region"]).repositories if found["account"] == ACCOUNT else {}
        repository = repositories.get(found["repository"])
        if repository is None:
            name, registry = found["repository"], found["account"]
            raise _cannot_pull(container, f"name unknown: The repository with name '{name}' does not exist in the registry with id '{registry}'")
        wanted = found["digest"] or pinned
        for image in repository.images:
            if wanted == image.get_image_digest() or not wanted and _which(found) in image.image_tags:
                return image.get_image_digest()
        raise _cannot_pull(container, f"{container['image']}: not found")

    # Expiring -----------------------------------------------------------------------------

    def _changed(self) -> None:
        """From the first lifecycle policy on, all are looked at once a day."""
        if not self._looks_daily and any(r.lifecycle_policy for r in ecr.backend(self._region.name).repositories.values()):
            self._looks_daily = True
            self._look_tomorrow()

    def _look_tomorrow(self) -> None:
        self._region.wake_at(self._region.clock.now() + DAY, self._expire)

    def _expire(self) -> None:
        for repository in ecr.backend(self._region.name).repositories.values():
            if repository.lifecycle_policy:
                present = [ecr_lifecycle.Image(i.get_image_digest(), tuple(i.image_tags), i.image_pushed_at) for i in repository.images]
                ends = set(ecr_lifecycle.expired(json.loads(repository.lifecycle_policy), present, self._region.clock.now()))
                repository.images = [i for i in repository.images if i.get_image_digest() not in ends]
        self._look_tomorrow()


def _first_seen(task: Task, container: Mapping) -> str | None:
    """What the first tasks of its deployment got under the same tag, unless versionConsistency is disabled."""
    deployment = task.service.deployment(task.deployment_id) if task.service else None
    consistent = container.get("versionConsistency") != "disabled"
    return deployment.digests.get(container["name"]) if deployment is not None and consistent else None


def _which(found: re.Match) -> str:
    return found["digest"] or found["tag"] or "latest"


def _cannot_pull(container: Mapping, why: str) -> Failed:
    words = f"pull image manifest has been retried 1 time(s): failed to resolve ref {container['image']}: {why}"
    return Failed(f"CannotPullContainerError: {words}", container["name"])
