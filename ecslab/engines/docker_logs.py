"""What a container prints, line by line while it runs, as Docker streams it."""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Iterator

from .docker_daemon import connect

if TYPE_CHECKING:
    from .docker import _Container


def follow(item: "_Container") -> threading.Thread:
    """Hand over the lines of this run of the container until it ends. Docker tells earlier runs again: they are skipped."""
    thread = threading.Thread(target=_hand_over, args=(item,), name="ecslab-docker-logs", daemon=True)
    thread.start()
    return thread


def _hand_over(item: "_Container") -> None:
    skipped, before = 0, item.lines
    client = connect(timeout=None)
    try:
        for lines in _batches(client.logs(item.id, stream=True, follow=True)):
            new = lines[max(0, before - skipped) :]
            skipped += len(lines)
            if new:
                item.lines += len(new)
                item.heard(new, False)
    except Exception:  # the container or the engine is gone
        pass
    finally:
        client.close()
        item.heard([], True)


def _batches(chunks: Iterator[bytes]) -> Iterator[list[str]]:
    """Whole lines of a stream that is cut anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield [line.rstrip(b"\r").decode(errors="replace") for line in whole]
    if rest:
        yield [rest.decode(errors="replace")]
