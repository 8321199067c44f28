"""Which images of a repository does its lifecycle policy expire?

A rule chooses images by their tags and identifies those too many or too old. An image
is expired by at most one rule, and never by a rule when one of smaller rulePriority
already chose it by its tags. Of images pushed at one moment the one pushed last is the
newest. `now` and `pushed_at` are seconds.

Source: ECR User Guide, "Automate the cleanup of images by using lifecycle policies in
Amazon ECR", "Lifecycle policy properties in Amazon ECR".
"""
from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Callable, Mapping, Sequence

DAY = 86400.0


@dataclass(frozen=True)
class Image:
    digest: str
    tags: tuple[str, ...]
    pushed_at: float


def expired(policy: Mapping, images: Sequence[Image], now: float) -> list[str]:
    """The digests of `images` (in the order they were pushed) that the policy's document expires at that moment."""
    spoken_for: set[str] = set()
    ends: list[str] = []
    for rule in sorted(policy["rules"], key=lambda rule: rule["rulePriority"]):
        selection = rule["selection"]
        chosen = [image for image in images if CHOSEN[selection["tagStatus"]](image, selection)]
        identified = IDENTIFIED[selection["countType"]](chosen, selection["countNumber"], now)
        ends += [image.digest for image in identified if image.digest not in spoken_for]
        spoken_for |= {image.digest for image in chosen}
    return ends


def _tagged(image: Image, selection: Mapping) -> bool:
    """Of several prefixes or patterns an image must have a tag for each."""
    patterns = [*(f"{prefix}*" for prefix in selection.get("tagPrefixList") or ()), *(selection.get("tagPatternList") or ())]
    return bool(image.tags) and all(any(fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns)


CHOSEN: dict[str, Callable[[Image, Mapping], bool]] = {
    "any": lambda image, selection: True,
    "untagged": lambda image, selection: not image.tags,
    "tagged": _tagged,
}


def _too_many(images: Sequence[Image], most: int, now: float) -> Sequence[Image]:
    newest_first = sorted(reversed(images), key=lambda image: -image.pushed_at)
    return newest_first[most:]


def _too_old(images: Sequence[Image], days: int, now: float) -> Sequence[Image]:
    return [image for image in images if now - image.pushed_at > days * DAY]


IDENTIFIED = {"imageCountMoreThan": _too_many, "sinceImagePushed": _too_old}
