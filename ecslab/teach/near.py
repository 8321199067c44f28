"""Stems that are nearly the same, found without comparing all with all.

A stem is the set of its runs of three words, numbers all alike: the same
question about other numbers is the same question. Two stems are near when
they share most of their runs. Only stems with a run in common are compared,
and runs found in very many stems compare nothing.
"""
from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import combinations
from typing import Iterable, Iterator

RUN = 3  # words
NEAR = 0.6  # of the runs of two stems, found in both
COMMON = 30  # stems; a run found in more says nothing
WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")


def near_duplicates(stems: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, float]]:
    """Pairs of ids of (id, stem) with the share of runs they have in common, in the order given."""
    runs = {name: _runs(stem) for name, stem in stems}
    found_in = defaultdict(list)
    for name, mine in runs.items():
        for run in mine:
            found_in[run].append(name)
    shared: Counter[tuple[str, str]] = Counter()
    for names in found_in.values():
        if len(names) <= COMMON:
            shared.update(combinations(names, 2))
    for one, other in shared:
        share = len(runs[one] & runs[other]) / len(runs[one] | runs[other])
        if share >= NEAR:
            yield one, other, share


def _runs(stem: str) -> set[tuple[str, ...]]:
    words = ["0" if word[0].isdigit() else word for word in WORD.findall(stem.lower())]
    return {tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}
