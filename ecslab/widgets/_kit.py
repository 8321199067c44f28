"""What the widgets share: their front-end sources, Markdown, and a base class with a stable text form.

Callbacks may come on any thread, also while a cell is still running, so
`act` is called under a lock. Widgets record into `Progress`, which has its own.
"""
from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


def source(*names: str) -> str:
    """The text of files beside this one, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Panel(anywidget.AnyWidget):
    """Draws `view`, a JSON value; a subclass says in `act(message)` what a press does and sets `view` anew."""

    view = traitlets.Dict().tag(sync=True)

    def __init__(self, text: str):
        self._text = text
        self._acting = threading.RLock()
        super().__init__()
        self.on_msg(self._received)

    def _received(self, _widget: Any, message: Any, _buffers: Any) -> None:
        if isinstance(message, dict):
            with self._acting:
                try:
                    self.act(message)
                except Exception as error:  # nothing printed by a callback is ever seen
                    self.tell(f"This did not work: {type(error).__name__}: {error}")

    def act(self, message: dict) -> None:
        raise NotImplementedError

    def tell(self, sentence: str) -> None:
        """Show a sentence and nothing else new."""
        turn = self.view.get("turn", 0) + 1
        self.view = {**self.view, "message": sentence, "focus": "message", "turn": turn}

    def __repr__(self) -> str:
        return self._text

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict, dict]:
        drawn = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        return {"text/plain": self._text, "application/vnd.jupyter.widget-view+json": drawn}, {}


@cache
def _renderer():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown(text: str | None) -> str:
    """Markdown as HTML. HTML inside it is shown as text."""
    return _renderer().render(text.strip()) if text else ""


def inline(text: str) -> str:
    """One line of Markdown as HTML, without a paragraph around it."""
    return _renderer().renderInline(text.strip())
