"""What `ecslab export` and `ecslab import` do; each returns the lines to say."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Sequence

from ..bank import load_bank
from . import FORMATS, FormatError, bank_file, export, read_file
from .reading import save

SHOWN = 20  # of the questions left out


def export_to(name: str, topics: Sequence[str], output: str, key: bool = True, computed: int = 0, seed: int | None = None) -> list[str]:
    """Write questions as `output`; `computed` is how many of each generator, from that seed on."""
    if name not in FORMATS:
        raise FormatError(f"There is no format {name!r}. Formats are: {', '.join(FORMATS)}.")
    if seed is not None and not computed:
        raise FormatError("--seed is for computed questions: say with --computed how many of each generator.")
    exported = export(name, load_bank(), topics, key=key, computed=computed, seed=seed or 0)
    save(output, exported.content)
    return [f"Wrote {exported.count} questions to {output}.", *_left_out(exported.left_out)]


def import_from(source: str, output: str) -> list[str]:
    """Make a question file of a jupyterquiz or CSV file. A file that is there already is never touched."""
    target = Path(output)
    if target.suffix != ".yaml" or not re.fullmatch(r"[a-z0-9-]+", target.stem):
        raise FormatError(f"{target.name}: a question file is named like mine.yaml: small letters, digits, hyphens.")
    if target.exists():
        raise FormatError(f"{output} exists already. Choose another name, and move the questions by hand.")
    imported = read_file(source, target.stem)
    if not imported.questions:
        raise FormatError("\n".join(["Nothing was imported.", *_left_out(imported.left_out)]))
    text = bank_file(target.stem, target.stem.replace("-", " ").capitalize(), imported.questions)
    save(target, text.encode())
    drafts = sum(question["status"] == "draft" for question in imported.questions)
    lines = [f"Wrote {len(imported.questions)} questions to {output}."]
    if drafts:
        lines.append(f"{drafts} are drafts: complete what says 'To be written.', then set their status to active.")
    return lines + _left_out(imported.left_out)


def _left_out(sentences: Sequence[str]) -> list[str]:
    lines = [f"Left out: {sentence}" for sentence in sentences[:SHOWN]]
    return lines + ([f"... and {len(sentences) - SHOWN} more left out."] if len(sentences) > SHOWN else [])

