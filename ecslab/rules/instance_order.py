"""The order in which placement strategies prefer instances, kept while tasks come and go.

Theory. A tree with one level per strategy. A level's branches are its values (zones,
instances, amounts left), and a branch's rank is what its strategy says of the value,
followed by the best rank below: the first strategy decides, each later one breaks its
ties. Placing a task leaves the ranks of all other instances equal or makes them worse,
so a heap whose top is checked before use stays right, and one placement costs a
handful of heap steps instead of a pass over the cluster. Scale-in is the same tree
with every rank negated.

What the strategies mean is told in `placement.py`; this file only keeps the order.
"""
from __future__ import annotations

import random
from collections import Counter
from heapq import heappop, heappush, heapreplace
from itertools import count as counter
from typing import Mapping, Protocol


class Instance(Protocol):
    """What an order reads of an instance (`placement.InstanceView` is one)."""

    id: str
    remaining_cpu: int
    remaining_memory: int
    tasks_by_group: Mapping[str, int]

    def attribute(self, name: str) -> str | None: ...


class Strategy(Protocol):
    type: str
    field: str


class Order:
    """The instances that may take a task of `group`: `add` them, `take` the best, tell `count` what changed."""

    def __init__(self, strategies, group: str, instances, rng: random.Random, backwards: bool = False):
        self.group, self.rng = group, rng
        self.random = any(s.type == "random" for s in strategies)
        self.levels: list[_Level] = []
        for strategy in strategies:
            if strategy.type == "random":
                break  # nothing is left to break a tie
            self.levels.append(_Level(strategy, -1 if backwards else 1))
        for instance in instances:
            self.count(instance, instance.tasks_by_group.get(group, 0))
        self._number = counter()
        self._root = _Branch(self, 0)

    def tie(self) -> float:
        return self.rng.random() if self.random else next(self._number)

    def count(self, instance: Instance, tasks: int) -> None:
        """The group has that many more tasks on the instance."""
        for level in self.levels:
            level.tasks[level.value(instance)] += tasks

    def add(self, instance: Instance) -> None:
        self._root.add(instance)

    def take(self) -> Instance:
        return self._root.take()

    def __bool__(self) -> bool:
        return self._root.size > 0


class _Level:
    """One spread or binpack strategy: which value an instance has, and what it ranks."""

    def __init__(self, strategy: Strategy, sign: int):
        self.strategy, self.sign = strategy, sign
        self.tasks: Counter = Counter()

    def value(self, instance: Instance):
        field = self.strategy.field
        if self.strategy.type == "binpack":
            return instance.remaining_cpu if field.lower() == "cpu" else instance.remaining_memory
        return instance.id if field in ("instanceId", "host") else instance.attribute(field.removeprefix("attribute:"))

    def rank(self, value) -> int:
        return self.sign * (value if self.strategy.type == "binpack" else self.tasks[value])


class _Branch:
    """The instances that share one value on every level above `depth`."""

    def __init__(self, order: Order, depth: int):
        self.order, self.depth, self.size = order, depth, 0
        self.level = order.levels[depth] if depth < len(order.levels) else None
        self.pool: list[Instance] = []  # on the last level: instances nothing tells apart
        self.branches: dict = {}
        self.heap: list = []  # (rank, tie, value); a rank may be out of date
        self.listed: dict = {}  # value -> its rank in the heap

    def add(self, instance: Instance) -> None:
        self.size += 1
        if self.level is None:
            self.pool.append(instance)
            return
        value = self.level.value(instance)
        branch = self.branches.get(value)
        if branch is None:
            branch = self.branches[value] = _Branch(self.order, self.depth + 1)
        branch.add(instance)
        rank = self.rank_of(value)
        if value not in self.listed or rank < self.listed[value]:
            self.listed[value] = rank
            heappush(self.heap, (rank, self.order.tie(), value))

    def rank_of(self, value) -> tuple:
        return (self.level.rank(value), *self.branches[value].rank())

    def rank(self) -> tuple:
        return () if self.level is None else self.settle()[0]

    def settle(self) -> tuple:
        """The heap's top entry, once it is true."""
        while True:
            rank, _, value = self.heap[0]
            if self.listed.get(value) != rank:
                heappop(self.heap)
                continue
            now = self.rank_of(value)
            if now == rank:
                return self.heap[0]
            self.listed[value] = now
            heapreplace(self.heap, (now, self.order.tie(), value))

    def take(self) -> Instance:
        self.size -= 1
        if self.level is None:
            return self.pool.pop(self.order.rng.randrange(len(self.pool)) if self.order.random else 0)
        value = self.settle()[2]
        branch = self.branches[value]
        instance = branch.take()
        if not branch.size:
            del self.branches[value], self.listed[value]
        return instance
