"""Estimates in words: what `ecslab price` prints, and what the price widget says to a terminal."""
from __future__ import annotations

from decimal import Decimal

from ecslab.rules.estimate import Estimate, Offer, crossing
from ecslab.rules.metering import size_text
from ecslab.rules.pricing import EC2, PRICES_CHECKED, REGION, dollars

SHOWN_INSTANCES = 12
DATED = f"Prices of {REGION}, {PRICES_CHECKED}."


def hourly(amount: Decimal) -> str:
    """Dollars an hour, to five places, as price lists show them."""
    return f"${dollars(amount, 5)}"


def estimate_text(one: Estimate) -> str:
    """What an estimate comes to, part by part."""
    rows = [
        (line.what, f"{line.quantity:,.2f} {line.unit}", f"× ${line.rate.normalize():f}{'' if line.confirmed else ' ~'}", f"${dollars(line.amount):,}")
        for line in one.lines
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    parts = [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}" for a, b, c, d in rows]
    unsure = ["~ was found in one place only."] if not all(line.confirmed for line in one.lines) else []
    spot = ["Spot is taken at the largest discount advertised; real Spot prices float."] if "Spot" in one.what else []
    sums = f"{hourly(one.hourly)} an hour, ${dollars(one.total):,} for {one.hours.normalize():f} hours."
    return "\n".join([one.what, *parts, sums, *unsure, *spot, DATED])


def compare_text(offers: list[Offer], cpu: int, memory: int, count: int, hours: float) -> str:
    """The ways to run some tasks, cheapest first: Fargate's, and the cheapest instances."""
    instances = [one for one in offers if one.instance_type][:SHOWN_INSTANCES]
    shown = [one for one in offers if not one.instance_type or one in instances]
    width = max(len(one.what) for one in shown)
    lines = [f"{count} task{'s' if count != 1 else ''} of {size_text(cpu, memory)}, {hours:g} hours a month; instances stay on all month:"]
    for one in shown:
        room = f"  room for {one.room}" if one.instance_type else ""
        lines.append(f"  {one.what:<{width}}  {f'${dollars(one.monthly):,}':>10} a month{room}{_burst(one)}")
    steady = next((one for one in instances if not EC2[one.instance_type].burstable), None)
    if steady:
        lines.append(crossing_text(steady.instance_type, cpu, memory, hours))
    return "\n".join([*lines, "Compute only: no volumes, no time to look after instances. In awsvpc mode interfaces may limit an instance sooner.", DATED])


def _burst(one: Offer) -> str:
    return ", burstable CPU" if one.instance_type and EC2[one.instance_type].burstable else ""


def crossing_text(instance_type: str, cpu: int, memory: int, hours: float, spot: float = 0.0) -> str:
    """Where EC2 and Fargate cost the same."""
    found = crossing(instance_type, cpu, memory, hours, spot)
    if found.first is None:
        return f"{instance_type} never costs less than Fargate for these tasks."
    always = "" if found.always is None else " and every number above" if found.always == found.first else f", always from {found.always} on"
    return f"{instance_type} costs no more than Fargate with {found.first} task{'s' if found.first != 1 else ''}{always}."
