"""`lab.instances`: what each container instance of a cluster has, and which tasks reserve how much of it."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _plot

if TYPE_CHECKING:
    from ..region import Region

MOST = 40  # bars that can still be read


@dataclass(frozen=True)
class Held:
    """An instance as it stands. `shares` are of each group's tasks: (group, percent of the CPU, percent of the memory)."""

    name: str
    state: str
    cpu: int
    memory: int
    tasks: dict[str, int]
    shares: tuple[tuple[str, float, float], ...]


def instances(region: "Region", cluster: str | None = None) -> _plot.Plot:
    """A picture of the cluster's instances, or of every cluster's, as they are now."""
    found = [_held(i) for i in _known(region, cluster)]
    if not found:
        return _plot.Plot("", f"There are no container instances{f' in the cluster {cluster}' if cluster else ''}.")
    shown = found[:MOST]
    groups = sorted({group for held in shown for group in held.tasks})
    colours = dict(zip(groups, _plot.COLOURS * (len(groups) // len(_plot.COLOURS) + 1)))

    def draw(axes) -> None:
        for row, held in enumerate(shown):
            left = [0.0, 0.0]
            for group, *shares in held.shares:
                for side, share in enumerate(shares):
                    place = {"y": row + (side - 0.5) * 0.38, "height": 0.34, "left": left[side]}
                    axes.barh(width=share, color=colours[group], alpha=0.9 - 0.35 * side, edgecolor=_plot.FAINT, linewidth=0.6, **place)
                    left[side] += share
        for group, colour in colours.items():
            axes.barh(0, 0, color=colour, label=group)
        axes.set(yticks=range(len(shown)), xlim=(0, 100), ylim=(len(shown) - 0.5, -0.5), xlabel="% reserved: CPU above, memory below")
        axes.set_yticklabels([f"{held.name}{held.state and chr(10) + held.state}" for held in shown])
        axes.set_title(f"container instances{f' of {cluster}' if cluster else ''}")
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        if groups:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return _plot.drawn(draw, "\n".join(_words(held) for held in found), size=(8, 0.9 + 0.5 * len(shown)))


def _known(region: "Region", cluster: str | None) -> list:
    with region.lock:
        clusters = [c for c in region.clusters.values() if c.status == "ACTIVE" and cluster in (None, c.name)]
        return sorted((i for c in clusters for i in c.instances.values()), key=lambda i: (i.cluster.name, i.zone, i.registered_at))


def _held(instance) -> Held:
    tasks = instance.tasks()
    shares = []
    for task in sorted(tasks, key=lambda t: (t.group, t.created_at)):
        shares.append((_name(task.group), 100 * task.cpu / instance.cpu, 100 * task.memory / instance.memory))
    state = "" if instance.status == "ACTIVE" else instance.status
    return Held(
        name=f"{instance.zone or 'external'} {instance.attributes.get('ecs.instance-type') or instance.ec2_instance_id}",
        state=state if instance.agent_connected else "agent not connected",
        cpu=instance.cpu,
        memory=instance.memory,
        tasks=dict(sorted(Counter(_name(t.group) for t in tasks).items())),
        shares=tuple(shares),
    )


def _name(group: str) -> str:
    return group.partition(":")[2] or group


def _words(held: Held) -> str:
    """One instance in words, for who can not see the picture."""
    cpu, memory = (sum(share[side] for share in held.shares) for side in (1, 2))
    holds = ", ".join(f"{count} {name}" for name, count in held.tasks.items()) or "no tasks"
    state = f" ({held.state})" if held.state else ""
    return f"{held.name}{state}: {holds}; CPU {cpu:.0f} % of {held.cpu}, memory {memory:.0f} % of {held.memory} MiB reserved"
