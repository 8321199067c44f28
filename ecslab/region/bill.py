"""`Region.bill`: what this region would have cost, line by line, as text and as a table.

Prices are those of `rules.pricing`, from one day and one region of AWS. `monthly` goes on at
the rate of this moment: what runs now runs on, and requests and logs keep their average.
"""
from __future__ import annotations

import html
from dataclasses import dataclass, field
from decimal import Decimal

from ..rules import metering
from ..rules.metering import Counted, Metered, Tally
from ..rules.pricing import HOURS_PER_MONTH, PRICES_CHECKED, REGION, Line, dollars, monthly

BY = ("product", "service")
UNCOUNTED = "Not counted: data transfer, data through NAT gateways, stored logs and images, metrics, alarms, secrets."
SPOT = "Spot is taken at the largest discount advertised; real Spot prices float."
UNSURE = "~ marks a price found in one place only."


@dataclass(frozen=True, slots=True)
class BillLine:
    """`product` is what AWS charges for, `owner` what it was there for: "service:web in demo".

    `hourly` is what it costs an hour as of now, in dollars.
    """

    product: str
    owner: str
    what: str
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal
    hourly: Decimal
    confirmed: bool = True


@dataclass(frozen=True)
class Bill:
    """Amounts are exact decimals in US dollars. `start` and `end` are seconds of the region's time."""

    start: float
    end: float
    lines: tuple[BillLine, ...]
    notes: tuple[str, ...] = ()
    by: str = "product"
    total: Decimal = field(init=False)
    hourly: Decimal = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum((one.amount for one in self.lines), Decimal(0)))
        object.__setattr__(self, "hourly", sum((one.hourly for one in self.lines), Decimal(0)))

    @property
    def monthly(self) -> Decimal:
        """What 730 hours cost if everything goes on as it is now."""
        return monthly(self.hourly)

    def groups(self, by: str | None = None) -> dict[str, list[BillLine]]:
        """Lines by product, or by what they were there for."""
        part = "product" if _checked(by or self.by) == "product" else "owner"
        found: dict[str, list[BillLine]] = {}
        for one in sorted(self.lines, key=lambda one: one.owner) if part == "owner" else self.lines:
            found.setdefault(getattr(one, part), []).append(one)
        return found

    def amounts(self, by: str | None = None) -> dict[str, Decimal]:
        """Dollars of each group."""
        return {name: sum((one.amount for one in lines), Decimal(0)) for name, lines in self.groups(by).items()}

    def months(self, by: str | None = None) -> dict[str, Decimal]:
        """What each group costs in a month if it goes on as it is now, in dollars and cents."""
        return {name: dollars(monthly(sum((one.hourly for one in lines), Decimal(0)))) for name, lines in self.groups(by).items()}

    def __repr__(self) -> str:
        rows = [row for name, lines in self.groups().items() for row in self._rows(name, lines)]
        widths = [max((len(row[n]) for row in rows), default=0) for n in range(4)]
        body = [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}" for row in rows]
        return "\n".join([self._title(), *body, *self._sums(), *self.notes])

    def _rows(self, name: str, lines: list[BillLine]) -> list[tuple[str, str, str, str]]:
        whole = sum((one.amount for one in lines), Decimal(0))
        return [(name, "", "", money(whole)), *(self._row(one) for one in lines)]

    def _row(self, one: BillLine) -> tuple[str, str, str, str]:
        beside = one.owner if self.by == "product" else one.product
        what = f"{beside}: {one.what}" if one.what else beside
        return f"  {what}", f"{one.quantity:,.4f}", f"{one.unit} × {'' if one.confirmed else '~'}${one.rate.normalize():f}", money(one.amount)

    def _title(self) -> str:
        return f"What {_span(self.end - self.start)} of this region would have cost ({REGION}, prices of {PRICES_CHECKED}):"

    def _sums(self) -> list[str]:
        return [
            f"Total {money(self.total)}. What runs now costs {money(self.hourly)} an hour,",
            f"or {money(self.monthly)} in a month of {HOURS_PER_MONTH} hours.",
        ]

    def _repr_html_(self) -> str:
        body = []
        for name, lines in self.groups().items():
            head, *rest = ([_html(cell.strip()) for cell in row] for row in self._rows(name, lines))
            body.append(f'<tr><th colspan="3" scope="rowgroup" style="text-align:left">{head[0]}</th><th style="text-align:right">{head[3]}</th></tr>')
            for what, quantity, unit, amount in rest:
                body.append(
                    f'<tr><td style="text-align:left;padding-left:1.5em">{what}</td><td style="text-align:right">{quantity}</td>'
                    f'<td style="text-align:left">{unit}</td><td style="text-align:right">{amount}</td></tr>'
                )
        words = "<br>".join(_html(note) for note in self.notes)
        return (
            '<table class="ecslab-bill" style="color:var(--jp-content-font-color1, currentColor)">'
            f'<caption style="text-align:left;font-weight:600;color:inherit">{_html(self._title())}</caption>'
            '<thead><tr><th style="text-align:left">what</th><th>quantity</th><th style="text-align:left">unit and price</th><th>dollars</th></tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table><p><b>{_html(' '.join(self._sums()))}</b><br>{words}</p>"
        )


def _html(text: str) -> str:
    """What stands between two dollar signs a notebook sets as a formula, unless they stand apart."""
    return html.escape(text).replace("$", "<span>$</span>")


def _span(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def money(amount: Decimal) -> str:
    """Dollars to show: cents from a dollar on, six places below, since a task's minute costs fractions of a cent."""
    return f"${dollars(amount, 2 if abs(amount) >= 1 else 6):,}"


def _checked(by: str) -> str:
    if by not in BY:
        raise ValueError(f"A bill is grouped by {' or '.join(map(repr, BY))}, not by {by!r}.")
    return by


def made(tallies: list[tuple[Metered, Tally]], counted: list[Counted], start: float, end: float, by: str) -> Bill:
    """The bill of what ran from `start` to `end`."""
    lines = [one for kind, tally in tallies for one in _of_kind(kind, tally)]
    lines += [one for kind in counted for one in _of_count(kind, Decimal(str(end - start)) / 3600)]
    lines.sort(key=lambda one: (metering.PRODUCTS.index(one.product), one.owner))
    return Bill(start, end, tuple(lines), tuple(_notes(tallies, lines)), _checked(by))


def _of_kind(kind: Metered, tally: Tally) -> list[BillLine]:
    rates = kind.lines(3600)
    return [
        BillLine(
            kind.product, kind.owner, _what(kind, tally.count, entry), entry.quantity, entry.unit, entry.rate, entry.amount,
            each.amount * tally.running, entry.confirmed,
        )
        for entry, each in zip(kind.lines(tally.seconds), rates)
    ]  # fmt: skip


def _what(kind: Metered, count: int, entry: Line) -> str:
    """How many of what, and for Fargate which part of it."""
    name = kind.name
    if kind.product == metering.ADDRESSES:
        name = "address"
    if not name:
        return ""
    words = f"{count} {_plural(name) if count != 1 else name}"
    return f"{words}, {entry.what.rpartition(' ')[2]}" if kind.product == metering.FARGATE else words


def _plural(name: str) -> str:
    """task of ... -> tasks of ...; an instance type stays as it is."""
    for word, many in (("task of", "tasks of"), ("volume of", "volumes of")):
        name = name.replace(word, many)
    return {"address": "addresses", "external instance": "external instances"}.get(name, name)


def _of_count(kind: Counted, hours: Decimal) -> list[BillLine]:
    return [
        BillLine(kind.product, kind.owner, kind.name, one.quantity, one.unit, one.rate, one.amount, kind.hourly(hours), one.confirmed)
        for one in kind.lines()
    ]


def _notes(tallies: list[tuple[Metered, Tally]], lines: list[BillLine]):
    for name in sorted({kind.name for kind, _ in tallies if not kind.lines(1)}):
        yield f"{name} has no price in the table, and is not in the total."
    if any(getattr(kind, "spot", False) for kind, _ in tallies):
        yield SPOT
    if not all(one.confirmed for one in lines):
        yield UNSURE
    yield UNCOUNTED
