"""ECR, which moto plays: mended where a push, a tag that moves or a scan would differ from AWS.

moto answers a push into a repository that is not there with a traceback, deletes an
image whose last tag moves on, and finds one and the same vulnerability everywhere. Here
the image stays, untagged, and a scan finds what `region.push_image` was told it would.

Sources: ECR API Reference, PutImage, DescribeImageScanFindings; ECR User Guide,
"Preventing image tags from being overwritten in Amazon ECR".
"""
from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import timezone
from functools import lru_cache
from typing import Any, Mapping

from . import metrics
from .identifiers import ACCOUNT

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
SIMULATED = "Simulated by ecslab: these are the findings given to push_image. Nothing was scanned."
DAY = 86400.0


@lru_cache
def mended():
    """Once for the process."""
    from moto.ecr import models

    backend = models.ECRBackend
    backend.put_image = _put_image
    backend.start_image_scan = _start_image_scan
    backend.describe_image_scan_findings = _describe_image_scan_findings
    models.utcnow = metrics.now
    return models


def backend(region_name: str):
    return mended().ecr_backends[ACCOUNT][region_name]


def _put_image(registry, repository_name: str, image_manifest: str, image_tag: str | None, image_manifest_mediatype=None, digest=None):
    from moto.ecr import exceptions

    repository = registry._get_repository(repository_name)
    media_type = image_manifest_mediatype or _media_type(image_manifest)
    computed = f"sha256:{hashlib.sha256(image_manifest.encode()).hexdigest()}"
    if digest not in (None, computed):
        raise exceptions.InvalidParameterException("Invalid parameter at 'imageDigest' failed to satisfy constraint: it is not the manifest's digest")
    same = next((i for i in repository.images if i.get_image_digest() == computed), None)
    if same is not None and (image_tag is None or image_tag in same.image_tags):
        raise exceptions.ImageAlreadyExistsException(repository_name, repository.registry_id, computed, image_tag)
    if image_tag is not None:
        _take_tag(registry, repository, image_tag)
    if same is None:
        same = _new(registry, repository_name, image_manifest, image_tag, media_type, computed)
        repository.images.append(same)
        if (repository.image_scanning_configuration or {}).get("scanOnPush"):
            same.last_scan = metrics.now()
    else:
        same.update_tag(image_tag)
    return same


def _new(registry, repository_name: str, manifest: str, tag: str | None, media_type: str, digest: str):
    image = mended().Image(registry.account_id, tag, manifest, repository_name, media_type, digest)
    image.image_pushed_at = int(metrics.now().replace(tzinfo=timezone.utc).timestamp())
    return image


def _media_type(manifest: str) -> str:
    from moto.ecr import exceptions

    try:
        return json.loads(manifest)["mediaType"]
    except (ValueError, KeyError, TypeError):
        raise exceptions.InvalidParameterException(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax, or no mediaType'"
        ) from None


def _take_tag(registry, repository, tag: str) -> None:
    """The tag leaves the image that has it. ImageTagAlreadyExistsException where tags must not move."""
    from moto.ecr import exceptions

    try:
        registry._resolve_image_tag_mutability(repository, tag)
    except exceptions.ImageAlreadyExistsException as error:
        refusal = exceptions.InvalidParameterException(  # moto finds the service by the module of the class
            f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten because the tag is immutable."
        )
        refusal.code = "ImageTagAlreadyExistsException"
        raise refusal from error
    for image in repository.images:
        if tag in image.image_tags:
            image.image_tags.remove(tag)
            image.image_tag = image.image_tags[-1] if image.image_tags else None


def _start_image_scan(registry, registry_id, repository_name: str, image_id: Mapping[str, str]) -> dict[str, Any]:
    from moto.ecr import exceptions

    image = _found(registry, registry_id, repository_name, image_id)
    if image.last_scan is not None and (metrics.now() - image.last_scan).total_seconds() < DAY:
        raise exceptions.LimitExceededException()
    image.last_scan = metrics.now()
    return {**_named(image), "imageScanStatus": {"status": "IN_PROGRESS"}}


def _describe_image_scan_findings(registry, registry_id, repository_name: str, image_id: Mapping[str, str]) -> dict[str, Any]:
    from moto.ecr import exceptions

    image = _found(registry, registry_id, repository_name, image_id)
    if image.last_scan is None:
        asked = f"{{imageDigest:'{image_id.get('imageDigest', 'null')}', imageTag:'{image_id.get('imageTag', 'null')}'}}"
        raise exceptions.ScanNotFoundException(image_id=asked, repository_name=repository_name, registry_id=image.registry_id)
    findings = list(getattr(image, "findings", ()))
    result = {
        "imageScanCompletedAt": _iso(image.last_scan),
        "vulnerabilitySourceUpdatedAt": _iso(image.last_scan),
        "findings": findings,
        "findingSeverityCounts": dict(Counter(finding["severity"] for finding in findings)),
    }
    return {**_named(image), "imageScanStatus": {"status": "COMPLETE", "description": SIMULATED}, "imageScanFindings": result}


def _found(registry, registry_id, repository_name: str, image_id: Mapping[str, str]):
    return registry._get_repository(repository_name, registry_id)._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))


def _named(image) -> dict[str, Any]:
    return {"registryId": image.registry_id, "repositoryName": image.repository_name, "imageId": image.image_id}


def _iso(moment) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
