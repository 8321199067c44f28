"""`lab.logs` and `lab.events`: what containers print and what a service says, newest last, in the region's time."""
from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Iterator

from ..rules import log_lines

if TYPE_CHECKING:
    from ..region import Region
    from ..region.model import Task

FOLLOW = 30.0  # seconds of the region's, when it is not said how long
WARNING = ("unable", "failed", "unhealthy", "rolling back", "error", "stopped 1", "blocked", "Error")
STYLE = "margin:0;font-family:var(--jp-code-font-family, monospace);font-size:12px;color:var(--jp-content-font-color1, inherit)"
CELL = "text-align:left;vertical-align:top;padding:1px 12px 1px 6px"
MARK = "border-left:3px solid #e45756"


@dataclass(frozen=True)
class Line:
    """`at` in region seconds, None where nobody wrote it down; `source` is who printed it."""

    at: float | None
    source: str
    text: str

    def __str__(self) -> str:
        when = f"{datetime.fromtimestamp(self.at, timezone.utc):%H:%M:%S}" if self.at is not None else "--:--:--"
        return "  ".join(part for part in (when, self.source, self.text) if part)


class Lines:
    """Lines to read: a table in a notebook, text anywhere else."""

    def __init__(self, title: str, lines: list[Line], nothing: str):
        self.title, self.lines, self._nothing = title, lines, nothing

    def __repr__(self) -> str:
        return "\n".join(map(str, self.lines)) or self._nothing

    def _repr_html_(self) -> str:
        if not self.lines:
            return f"<p>{html.escape(self._nothing)}</p>"
        rows = "".join(f'<tr style="background:none">{"".join(self._cells(line))}</tr>' for line in self.lines)
        caption = f'<caption style="text-align:left;padding-left:6px">{html.escape(self.title)}</caption>'
        return f'<table style="{STYLE}">{caption}<tbody>{rows}</tbody></table>'

    def _cells(self, line: Line) -> Iterator[str]:
        """When, who, what: without a column that no line has anything for."""
        if any(one.at is not None for one in self.lines):
            yield f'<td style="{CELL};white-space:nowrap;opacity:.75">{html.escape(str(line)[:8])}</td>'
        if any(one.source for one in self.lines):
            yield f'<td style="{CELL};white-space:nowrap">{html.escape(line.source)}</td>'
        mark, sign = (f";{MARK}", "<b>!</b> ") if _warns(line) else ("", "")
        yield f'<td style="{CELL};white-space:pre-wrap;overflow-wrap:anywhere{mark}">{sign}{html.escape(line.text)}</td>'


def _warns(line: Line) -> bool:
    return any(word in line.text for word in WARNING)


def logs(
    region: "Region", name: str, n: int = 30, container: str | None = None, follow: bool | str | float = False, cluster: str | None = None
) -> Lines | None:
    """The last `n` lines of a service (its tasks, stopped ones too) or of one task (ARN or id).

    follow: keep printing what comes, for 30 seconds of the region's time, or as long as is said ("2m").
    """
    from ..region.clock import seconds

    if not follow:
        found = _lines(region, name, container, cluster)
        return Lines(f"logs of {name}", found[-n:], f"{name} has printed nothing yet.")
    end = region.clock.now() + (FOLLOW if follow is True else seconds(follow))
    seen = 0
    while True:
        found = _lines(region, name, container, cluster)
        fresh, seen = found[max(seen, len(found) - n if seen == 0 else seen) :], len(found)
        for line in fresh:
            print(line, flush=True)
        if region.clock.now() >= end:
            return None
        region.run_for(min(2.0, end - region.clock.now()))


def _lines(region: "Region", name: str, container: str | None, cluster: str | None) -> list[Line]:
    """In order of time; what has none comes first."""
    found: list[tuple[float, int, Line]] = []
    for task in _tasks(region, name, cluster):
        for definition in task.definition["containerDefinitions"]:
            if container in (None, definition["name"]):
                source = f"{task.id[:8]} {definition['name']}"
                found += [(line.at or 0.0, len(found) + k, line) for k, line in enumerate(_of(region, task, definition, source))]
    return [line for _, _, line in sorted(found, key=lambda entry: entry[:2])]


def _of(region: "Region", task: "Task", definition: dict, source: str) -> list[Line]:
    logging = definition.get("logConfiguration") or {}
    options = logging.get("options") or {}
    name = log_lines.stream(options, definition["name"], task.id)
    if logging.get("logDriver") == "awslogs" and name:
        from ..region import awslogs

        group = awslogs.backend(options["awslogs-region"]).groups.get(options["awslogs-group"])
        stream = group.streams.get(name) if group else None
        return [Line(event.timestamp / 1000, source, event.message) for event in (stream.events if stream else ())]
    return [Line(None, source, text) for text in region.logs(task.id, definition["name"], 1000)]


def _tasks(region: "Region", name: str, cluster: str | None) -> list["Task"]:
    """Of a service, or the one task of that id. ValueError when there is neither."""
    task_id = name.rpartition("/")[2]
    for one in region.clusters.values():
        if task_id in one.tasks:
            return [one.tasks[task_id]]
    service = region._service(name, cluster)
    return [task for task in service.cluster.tasks.values() if task.service is service]


def events(region: "Region", service: str, n: int = 20, cluster: str | None = None) -> Lines:
    """The last `n` events of a service, newest last. What needs a look is marked."""
    found = region._service(service, cluster)
    told = [Line(e["createdAt"], "", _without_name(e["message"], found.name)) for e in list(found.events)[:n]]
    return Lines(f"events of service {found.name}", told[::-1], f"Service {found.name} has said nothing yet.")


def _without_name(message: str, service: str) -> str:
    """`(service web) has …` is `has …`; `(service web, taskSet …) has …` is `(taskSet …) has …`."""
    return message.removeprefix(f"(service {service}) ").replace(f"(service {service}, ", "(", 1)
