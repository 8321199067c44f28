"""CSV for spreadsheets: one row for each thing to answer, and every field of ours in a column of its own.

`a` to `f` are the choices in the file's order and `why a` to `why f` their
reasons. What `key` and the choices hold depends on the type:

| type                | a, b, c, ...                     | key                        |
|---------------------|----------------------------------|----------------------------|
| single, read-events | options                          | a letter                   |
| multiple            | options                          | letters: `a c`             |
| numeric             | wrong numbers                    | the number                 |
| order               | items, in the right order        | `in order`                 |
| match               | pairs: `left => right`           | `in pairs`                 |
| fix-json            | nothing; `document`, `error`, `solution`, `must keep` | `solution` |

The parts of a scenario are rows with its stem as `situation`, one after the
other. A cell that a spreadsheet would take for a formula begins with `'`.
"""
from __future__ import annotations

import csv
import io
from itertools import groupby
from typing import Any, Iterator, Sequence

from ..question import Body
from . import markup
from .asked import Asked
from .reading import Entry, FormatError, number

LETTERS = "abcdef"
ARROW = " => "
TEXTS = ("document", "error", "solution", "trace")
ABOUT = ("difficulty", "bloom", "card", "lab", "exercise", "author_note", "status")
CITED = ("title", "url", "section", "checked")
REQUIRED = ("type", "stem", "key")
COLUMNS = (
    "id", "type", "situation", "stem", "key", *LETTERS, *(f"why {letter}" for letter in LETTERS),
    *(f"misconception {letter}" for letter in LETTERS), "tolerance", "unit", *TEXTS, "must keep", "explanation",
    *(f"reference {name}" for name in CITED), *ABOUT, "objectives",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def write(questions: Sequence[Asked], title: str) -> bytes:
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    table.writeheader()
    for one in questions:
        table.writerow({name: guarded(str(value)) for name, value in _row(one).items() if value not in (None, "")})
    return out.getvalue().encode("utf-8-sig")  # with the mark by which spreadsheets know UTF-8


def guarded(cell: str) -> str:
    cell = markup.legible(cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def bare(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def _row(one: Asked) -> dict[str, Any]:
    question, body = one.question, one.body
    row = {"id": body.id, "type": body.type, "stem": body.stem, "explanation": body.explanation, "key": _key(body)}
    if body is not question:
        row["situation"] = question.stem
    for letter, choice in zip(LETTERS, _choices(body)):
        row |= {letter: choice[0], f"why {letter}": choice[1], f"misconception {letter}": choice[2]}
    row |= {name: getattr(body, name) for name in TEXTS}
    row["must keep"] = " ".join(body.must_keep)
    if body.type == "numeric":
        row |= {"tolerance": f"{body.tolerance:.12g}", "unit": body.unit}
    row |= {f"reference {name}": getattr(question.reference, name) for name in CITED}
    return row | {name: getattr(question, name) for name in ABOUT} | {"objectives": "; ".join(question.objectives)}


def _key(body: Body) -> str:
    keys = {"numeric": f"{body.answer or 0:.12g}", "order": "in order", "match": "in pairs", "fix-json": "solution"}
    right = (letter for letter, option in zip(LETTERS, body.options) if option.correct)
    return keys.get(body.type) or " ".join(right)


def _choices(body: Body) -> list[tuple[Any, str, str | None]]:
    return [
        *((option.text, option.why, option.misconception) for option in body.options),
        *((f"{wrong.value:.12g}", wrong.why, wrong.misconception) for wrong in body.wrong),
        *((item.text, item.why, None) for item in body.items),
        *((f"{pair.left}{ARROW}{pair.right}", pair.why, None) for pair in body.pairs),
    ]


# -- reading ---------------------------------------------------------------


def read(content: str) -> Iterator[Entry]:
    """One entry for each question. Raises `FormatError` where the whole file is something else."""
    for situation, rows in groupby(_rows(content), key=lambda numbered: _scenario(numbered[1])):
        if situation:
            yield _scenario_entry(list(rows))
        else:
            yield from (_entry(line, row, _fields) for line, row in rows)


def _rows(content: str) -> Iterator[tuple[int, dict[str, str]]]:
    """First line and cells of every row; empty cells are left out."""
    table = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in table.fieldnames or ()]
        table.fieldnames = names
        if missing := [name for name in REQUIRED if name not in names]:
            raise FormatError(f"line 1: no column {missing[0]!r}; wanted at least {', '.join(REQUIRED)}")
        if unknown := [name for name in names if name not in COLUMNS]:
            raise FormatError(f"line 1: there is no column {unknown[0][:40]!r}; see quizzes/README.md for those there are")
        if twice := [name for name in names if names.count(name) > 1]:
            raise FormatError(f"line 1: the column {twice[0]!r} is there twice")
        begins = table.line_num + 1
        for row in table:
            surplus = {"surplus": "yes"} if None in row else {}
            cells = {name: bare(cell) for name, cell in row.items() if name and cell and cell.strip()}
            yield begins, cells | surplus
            begins = table.line_num + 1
    except csv.Error as error:
        raise FormatError(f"line {table.reader.line_num}: not CSV: {error}") from None


def _scenario(row: dict) -> tuple[str, str] | None:
    """What the parts of one scenario share: its id and its stem."""
    return (row.get("id", "").rpartition(".")[0], row["situation"]) if "situation" in row else None


def _entry(line: int, row: dict, fields) -> Entry:
    where = f"line {line}"
    try:
        if "surplus" in row:
            raise FormatError("more cells than columns; quote cells that hold commas")
        return Entry(where, fields(row))
    except FormatError as error:
        return Entry(where, fault=str(error))


def _scenario_entry(rows: list[tuple[int, dict]]) -> Entry:
    parts = [_entry(line, row, _body) for line, row in rows]
    if broken := next((part for part in parts if part.fault), None):
        return broken
    first = rows[0][1]
    fields = {"id": first.get("id", "").rpartition(".")[0], "type": "scenario", "stem": first["situation"]}
    return Entry(parts[0].where, fields | {"parts": [part.fields for part in parts]} | _about(first))


def _fields(row: dict) -> dict:
    return {"id": row.get("id"), **_body(row), **_about(row)}


def _body(row: dict) -> dict:
    for name in REQUIRED:
        if name not in row:
            raise FormatError(f"{name} is empty")
    if row["type"] not in READERS:
        raise FormatError(f"type is {row['type'][:40]!r}, wanted one of {', '.join(READERS)}")
    body = {name: row[name] for name in ("type", "stem", "explanation", "trace") if name in row}
    return body | READERS[row["type"]](row)


def _about(row: dict) -> dict:
    about = {name: row[name] for name in ABOUT if name in row}
    if "objectives" in row:
        about["objectives"] = [name.strip() for name in row["objectives"].split(";") if name.strip()]
    reference = {name: row[f"reference {name}"] for name in CITED if f"reference {name}" in row}
    if reference:
        about["reference"] = reference | ({"checked": _date(reference["checked"])} if "checked" in reference else {})
    return about


def _date(cell: str):
    from datetime import date

    try:
        return date.fromisoformat(cell.strip())
    except ValueError:
        raise FormatError(f"reference checked is {cell[:40]!r}, wanted a date such as 2026-11-23") from None


def _lettered(row: dict, name: str = "text") -> list[dict]:
    found = []
    for letter in LETTERS:
        if letter in row:
            one = {name: row[letter], "why": row.get(f"why {letter}", "")}
            misconception = row.get(f"misconception {letter}")
            found.append((letter, one | ({"misconception": misconception} if misconception else {})))
    return found


def _read_options(row: dict) -> dict:
    options = [{"id": letter, **one} for letter, one in _lettered(row)]
    key = row["key"].lower().replace(",", " ").split()
    if unknown := [letter for letter in key if letter not in {option["id"] for option in options}]:
        raise FormatError(f"key names {unknown[0][:40]!r}, and there is no such option")
    for option in options:
        if option["id"] in key:
            option["correct"] = True
    return {"options": options} | ({"choose": len(key)} if row["type"] == "multiple" else {})


def _read_number(row: dict) -> dict:
    wrong = [{**one, "value": number(one["value"], letter)} for letter, one in _lettered(row, "value")]
    body = {"answer": number(row["key"], "key"), "tolerance": number(row.get("tolerance", 0), "tolerance"), "wrong": wrong}
    return body | ({"unit": row["unit"]} if "unit" in row else {})


def _read_items(row: dict) -> dict:
    return {"items": [one for _, one in _lettered(row)]}


def _read_pairs(row: dict) -> dict:
    pairs = []
    for letter, one in _lettered(row):
        left, arrow, right = one.pop("text").partition(ARROW)
        if not arrow:
            raise FormatError(f"{letter}: wanted a pair: left{ARROW}right")
        pairs.append({"left": left, "right": right, **one})
    return {"pairs": pairs}


def _read_document(row: dict) -> dict:
    fields = {name: row[name] for name in ("document", "error", "solution") if name in row}
    return fields | ({"must_keep": row["must keep"].split()} if "must keep" in row else {})


READERS = {"single": _read_options, "read-events": _read_options, "multiple": _read_options, "numeric": _read_number,
           "order": _read_items, "match": _read_pairs, "fix-json": _read_document}  # fmt: skip
