"""What the awslogs driver makes of lines: which of them begin an event.

Without a pattern every line is an event. With `awslogs-datetime-format` or
`awslogs-multiline-pattern` an event begins at a line that matches, and takes the
lines after it along; the datetime format wins where both are given.

Source: Developer Guide, "Send Amazon ECS logs to CloudWatch", its table of options.
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterable, Mapping

LARGEST_EVENT = 256 * 1024  # bytes; what is longer becomes several events

# strftime -> the text it stands for
_DATES = {
    "%a": "[A-Z][a-z]{2}", "%A": "[A-Z][a-z]{2,}", "%b": "[A-Z][a-z]{2}", "%B": "[A-Z][a-z]{2,}", "%c": ".+", "%d": r"\d{1,2}",
    "%H": r"\d{2}", "%I": r"\d{2}", "%j": r"\d{3}", "%m": r"\d{1,2}", "%M": r"\d{2}", "%p": "[AP]M", "%S": r"\d{2}", "%y": r"\d{2}",
    "%Y": r"\d{4}", "%Z": "[A-Z]{1,4}T?", "%z": r"[+-]\d{4}", "%f": r"\d{1,6}", "%L": r"\.\d{3}", "%%": "%",
}  # fmt: skip


@lru_cache(maxsize=256)
def _pattern(date_format: str, multiline: str) -> re.Pattern | None:
    if not date_format:
        return re.compile(multiline) if multiline else None
    parts = re.split(r"(%.)", date_format)
    return re.compile("".join(_DATES.get(part, re.escape(part)) for part in parts))


def stream(options: Mapping[str, str], container: str, task_id: str) -> str:
    """`prefix/container/task`, the name of a container's log stream; empty where no prefix is given (EC2 only)."""
    prefix = options.get("awslogs-stream-prefix")
    return f"{prefix}/{container}/{task_id}" if prefix else ""


def starts(options: Mapping[str, str]) -> re.Pattern | None:
    """What a line that begins an event matches; None where each does. re.error for a pattern that is none."""
    return _pattern(options.get("awslogs-datetime-format") or "", options.get("awslogs-multiline-pattern") or "")


def events(lines: Iterable[str], start: re.Pattern | None, pending: str | None = None) -> tuple[list[str], str | None]:
    """(finished events, the one that may go on). `pending` is what was left over the last time."""
    if start is None:
        return [piece for line in lines for piece in _pieces(line)], None
    found: list[str] = []
    for line in lines:
        if pending is None or start.search(line):
            if pending is not None:
                found += _pieces(pending)
            pending = line
        else:
            pending += "\n" + line
    return found, pending


def _pieces(text: str) -> list[str]:
    if len(text) <= LARGEST_EVENT // 4 or len(text.encode()) <= LARGEST_EVENT:
        return [text]
    size = LARGEST_EVENT // 4  # no character takes more than four bytes
    return [text[n : n + size] for n in range(0, len(text), size)]
