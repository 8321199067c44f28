"""Text on its way in and out: Markdown to HTML or plain text, and simple HTML back to Markdown.

HTML inside Markdown is shown as text, never passed on. Characters XML 1.0 does
not allow are replaced, so that whatever is exported can be read.
"""
from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STYLE = re.compile(r' style="[^"]*"')  # of table cells; QTI knows no such attribute
TICKS = re.compile(r"(`+)(.+?)\1", re.DOTALL)

OPENS = {"code": "`", "b": "**", "strong": "**", "i": "*", "em": "*", "br": "\n", "li": "\n- ", "pre": "\n\n```\n"}
CLOSES = {"code": "`", "b": "**", "strong": "**", "i": "*", "em": "*", "p": "\n\n", "pre": "\n```\n\n", "ul": "\n\n", "ol": "\n\n"}
UNREAD = {"script", "style", "iframe", "object", "template"}


@cache
def _renderer():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def legible(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)


def html(text: str) -> str:
    """Markdown as well-formed XHTML."""
    return STYLE.sub("", _renderer().render(legible(text).strip())).strip()


def inline(text: str) -> str:
    """One line of Markdown as XHTML, without a paragraph around it."""
    return _renderer().renderInline(legible(text).strip())


def plain(text: str) -> str:
    """One line of Markdown where only text is allowed."""
    return " ".join(TICKS.sub(r"\2", legible(text)).replace("**", "").split())


def fenced(code: str) -> str:
    """A code block that no line of the code can end."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code}\n{fence}"


def markdown(text: str) -> str:
    """Simple HTML as Markdown; other tags go and their text stays, scripts go altogether."""
    reader = _Reader()
    reader.feed(legible(text))
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.out)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in UNREAD or tag == "pre":
            self._inside.append(tag)
        self._mark(OPENS, tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()
        self._mark(CLOSES, tag)

    def _mark(self, marks: dict[str, str], tag: str) -> None:
        if not (tag == "code" and "pre" in self._inside):
            self.out.append(marks.get(tag, ""))

    def handle_data(self, data: str) -> None:
        if not UNREAD.intersection(self._inside):
            self.out.append(data)
