"""Computed questions: fresh numbers by seed, the key from `ecslab.rules`, wrong answers from named misconceptions.

`generate("deployments.lower-limit", 7)` is always the same question, and its id,
`deployments.lower-limit-7`, is enough to make it again. One file per topic group;
`kit` says what a generator is.
"""
from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Mapping

from ecslab.teach.question import Question

from . import clusters, definitions, deployments, lifecycle, metrics, networks, prices, scaling, scenarios, security, services  # noqa: F401
from .kit import GENERATORS, Generator

__all__ = ["Generator", "generate", "generators"]


def generators() -> Mapping[str, Generator]:
    """Every generator by its name, `<topic>.<generator>`."""
    return MappingProxyType(GENERATORS)


@lru_cache(maxsize=4096)
def generate(name: str, seed: int | str) -> Question:
    """The question that generator makes of that seed. KeyError for no such name, ValueError for an unfit seed."""
    return GENERATORS[name].question(seed)
