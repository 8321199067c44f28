"""An Anki deck: one card for each question, answer and reasons on its back. Facts: Anki Manual, "Packaged Decks".

A note is known by the question's id, so importing a newer export changes the
cards that are there, keeps their schedule, and never adds one twice. Made with
the package genanki, an optional extra: `pip install ecslab[export]`.
"""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Sequence
from zlib import crc32

from . import markup
from .asked import Asked
from .page import answer_html, choices_html
from .reading import FormatError

MODEL = 1_607_392_817  # never to change: by it Anki knows our kind of note
CSS = """.card { font: 18px/1.45 sans-serif; text-align: left; max-width: 44em; margin: auto }
pre { white-space: pre-wrap } code, pre { font-size: .85em } small { opacity: .7 }"""
FRONT = "{{Question}}"
BACK = "{{FrontSide}}<hr id=answer>{{Answer}}<p><small>{{Id}}</small></p>"


def write(questions: Sequence[Asked], title: str, at: float | None = None) -> bytes:
    """`at` is when it is written, by which Anki tells a newer note; default: now."""
    try:
        import genanki
    except ImportError:
        raise FormatError("Anki decks need one more package: pip install ecslab[export]") from None

    fields = [{"name": name} for name in ("Id", "Question", "Answer")]
    model = genanki.Model(MODEL, "ECS question", fields=fields, css=CSS, templates=[{"name": "Card", "qfmt": FRONT, "afmt": BACK}])
    decks = {}
    for one in questions:
        topic = one.question.topic
        if topic not in decks:
            decks[topic] = genanki.Deck(2**30 + crc32(topic.encode()), f"{markup.plain(title)}::{topic}")
        tags = [tag.replace(" ", "-") for tag in one.tags]
        texts = [one.id, one.html + choices_html(one), answer_html(one)]
        decks[topic].add_note(genanki.Note(model, texts, guid=genanki.guid_for("ecslab", one.id), tags=tags))
    with tempfile.TemporaryDirectory(prefix="ecslab-") as folder:
        path = Path(folder) / "deck.apkg"
        genanki.Package(list(decks.values())).write_to_file(str(path), timestamp=time.time() if at is None else at)
        return path.read_bytes()
