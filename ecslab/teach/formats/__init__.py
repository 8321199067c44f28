"""Questions in the formats of other programs, and back.

`export("moodle", bank, ["services"])` gives the bytes of a file; `read_file`
makes questions of a jupyterquiz or CSV file. One module writes, and where it
can reads, each format; the table `FORMATS` is all the rest of the package needs.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Iterator

from ..bank import Bank
from . import anki, gift, jupyterquiz, moodle, page, qti, table
from .asked import Asked, asked
from .reading import Entry, FormatError, Imported, bank_file, complete, content

TITLE = "Amazon ECS"
EVERY_TYPE = frozenset(moodle.KINDS)


@dataclass(frozen=True)
class Format:
    """`types` are the types of question it can hold. `keyless`: it can be written without the key."""

    name: str
    title: str
    suffix: str
    write: Callable[..., bytes]
    types: frozenset[str] = EVERY_TYPE
    keyless: bool = False
    read: Callable[[str], Iterator[Entry]] | None = None


FORMATS = {
    form.name: form
    for form in (
        Format("moodle", "Moodle XML", ".xml", moodle.write),
        Format("gift", "GIFT", ".gift", gift.write),
        Format("qti", "QTI 2.1 package", ".zip", qti.write),
        Format("anki", "Anki deck", ".apkg", anki.write),
        Format("jupyterquiz", "jupyterquiz JSON", ".json", jupyterquiz.write, frozenset(jupyterquiz.KINDS), read=jupyterquiz.read),
        Format("csv", "CSV", ".csv", table.write, read=table.read),
        Format("html", "HTML page to print", ".html", page.write, keyless=True),
    )
}


@dataclass(frozen=True)
class Exported:
    """`left_out` says which questions the format has no form for."""

    content: bytes
    count: int
    left_out: tuple[str, ...]


def export(
    name: str, bank: Bank, topics: Iterable[str] = (), *, key: bool = True, title: str = TITLE, computed: int = 0, seed: int = 0
) -> Exported:
    """Write the active questions of some topics (default: all), and so many of each of their generators.

    Raises `FormatError`, or `Mistake` for an unknown topic.
    """
    form = FORMATS[name]
    if not (key or form.keyless):
        raise FormatError(f"{form.title} always holds the key. Only html can be written without.")
    questions = asked(bank, topics, computed, seed)
    fitting = [one for one in questions if one.body.type in form.types]
    left_out = tuple(f"{one.id}: {form.title} has no {one.body.type}." for one in questions if one.body.type not in form.types)
    written = form.write(fitting, title, **({} if key else {"key": False}))
    return Exported(written, len(fitting), left_out)


def read_file(path: Path | str, topic: str) -> Imported:
    """The sound questions of a jupyterquiz or CSV file, as entries of `topic`. Raises `FormatError`."""
    path = Path(path)
    readers = {form.suffix: form.read for form in FORMATS.values() if form.read}
    if path.suffix.lower() not in readers:
        raise FormatError(f"{path.name}: only {' and '.join(readers)} files (jupyterquiz, CSV) can be imported.")
    try:
        return complete(readers[path.suffix.lower()](content(path)), path.name, topic)
    except FormatError as error:
        message = str(error)
        raise (error if message.startswith(path.name) else FormatError(f"{path.name}, {message}")) from None


__all__ = ["FORMATS", "Asked", "Exported", "Format", "FormatError", "Imported", "asked", "bank_file", "export", "read_file"]
