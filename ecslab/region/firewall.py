"""Security groups as a packet filter around every awsvpc task.

The filter is an nftables table inside the task's own network namespace: what a
rule of its groups allows comes in, what belongs to a connection that is up
passes, everything else is dropped. A rule that names a group lets in its
members' addresses. The machine itself (the VPC network's gateway) always comes
in: load balancers ask `can_reach` themselves before they connect.
"""
from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING, Iterable

from ..rules.network import EVERYWHERE, Rule
from .model import Task

if TYPE_CHECKING:
    from . import Region

TOGETHER = 0.3  # seconds of this machine: changes this close are carried out at once


class Firewall:
    def __init__(self, region: "Region"):
        self.region = region
        self._applied: dict[str, str] = {}
        self._timer: threading.Timer | None = None
        region.watch("ec2", self.changed)

    def of(self, task: Task) -> str:
        """The rule set a new task starts with."""
        text = self._applied[task.id] = self._text(task, self._members())
        return text

    def changed(self) -> None:
        """A group, or who is in it, has changed: bring every running task's filter up to date soon."""
        if self.region.is_simulated or self._timer is not None or self.region.is_stopped:
            return
        self._timer = threading.Timer(TOGETHER, self._refresh)
        self._timer.daemon = True
        self._timer.start()

    def _refresh(self) -> None:
        region = self.region
        with region.lock:
            self._timer = None
            if region.is_stopped:
                return
            members = self._members()
            present = {t.id: t for t in region.tasks.present() if t.id in self._applied and t.desired_status == "RUNNING"}
            self._applied = {id: self._applied[id] for id in present}
            for id, task in present.items():
                text = self._text(task, members)
                if text != self._applied[id]:
                    self._applied[id] = text
                    region.engine.protect(id, text)

    def _members(self) -> dict[str, list[str]]:
        """Addresses by security group."""
        found: dict[str, list[str]] = {}
        for task in self.region.tasks.present():
            if task.network is not None:
                for group in self.region.reach.task(task).group_ids:
                    found.setdefault(group, []).append(task.network.private_ip)
        for cluster in self.region.clusters.values():
            for instance in cluster.instances.values():
                if instance.engine.network and instance.ec2_instance_id:
                    for group in self.region.reach.groups_of_instance(instance.ec2_instance_id):
                        found.setdefault(group, []).append(instance.engine.network.private_ip)
        return found

    def _text(self, task: Task, members: dict[str, list[str]]) -> str:
        party = self.region.reach.task(task)
        gateway = str(ipaddress.ip_network(task.network.vpc_cidr)[1])
        inbound = [rule for group in party.security_groups for rule in group.inbound]
        outbound = [rule for group in party.security_groups for rule in group.outbound]
        lines = ["table inet ecslab", "delete table inet ecslab", "table inet ecslab {", " chain input {"]
        lines += ["  type filter hook input priority 0; policy drop;", '  iif "lo" accept', "  ct state established,related accept"]
        lines += [f"  ip saddr {gateway} accept", *_accepts(inbound, "saddr", members), " }"]
        if not any(rule.protocol == "-1" and rule.cidr == EVERYWHERE for rule in outbound):
            lines += [" chain output {", "  type filter hook output priority 0; policy drop;", '  oif "lo" accept']
            lines += ["  ct state established,related accept", f"  ip daddr {gateway} accept", *_accepts(outbound, "daddr", members), " }"]
        return "\n".join([*lines, "}"])


def _accepts(given: list[Rule], side: str, members: dict[str, list[str]]) -> list[str]:
    lines = []
    for rule in given:
        given_addresses = [*([rule.cidr] if rule.cidr else members.get(rule.group, ())), *rule.prefixes]
        addresses = _collapsed(a for a in given_addresses if ":" not in a)
        if not addresses:
            continue
        words = f"ip {side} {{ {', '.join(addresses)} }} " if addresses != [EVERYWHERE] else ""
        if rule.protocol in ("tcp", "udp"):
            words += f"{rule.protocol} dport {rule.from_port}-{rule.to_port} "
        elif rule.protocol != "-1":
            words += f"meta l4proto {rule.protocol} "
        lines.append(f"  {words}accept")
    return lines


def _collapsed(addresses: Iterable[str]) -> list[str]:
    """The same addresses without those that lie within another: nft takes no overlaps."""
    return [str(network) for network in ipaddress.collapse_addresses(ipaddress.ip_network(a, strict=False) for a in addresses)]
