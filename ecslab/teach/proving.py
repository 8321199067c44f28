"""Playing proofs in processes of their own, so that no other region is touched.

    python -m ecslab.teach.proving ID          one proof, its lines as they come
    python -m ecslab.teach.proving --causes    reads ids from standard input, one a line,
                                               and prints a JSON pair [id, cause] for each

`failures` plays many in a few processes: starting a region costs little beside
starting Python. `replay` plays one and hands over its lines one by one.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Iterator, Sequence

from .bank import load_bank
from .notebooks import environment
from .proof import Proof, bodies, load_proofs, prove

AT_ONCE = 2
ALL_SECONDS = 300
ONE_SECONDS = 60
COMMAND = [sys.executable, "-m", "ecslab.teach.proving"]


def failures(ids: Sequence[str], root: Path | None = None) -> dict[str, str]:
    """Play these proofs of the content below `root`: why each one that fails does, by id."""
    shares = [list(ids[start::AT_ONCE]) for start in range(min(AT_ONCE, len(ids)))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda share: _share(share, root), shares)
        causes = {one: cause for answer in answers for one, cause in answer.items()}
    return {one: causes[one] for one in ids if causes[one]}


def _share(ids: list[str], root: Path | None) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="ecslab-") as home:
        try:
            child = subprocess.run(
                [*COMMAND, "--causes"], input="\n".join(ids), env=environment(home, root),
                capture_output=True, text=True, timeout=ALL_SECONDS,
            )
            printed, end = child.stdout, (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        except subprocess.TimeoutExpired as error:
            printed, end = (error.stdout or b"").decode(), f"not within {ALL_SECONDS} seconds"
    causes = dict(json.loads(line) for line in printed.splitlines() if line.startswith("["))
    return {one: causes.get(one, f"{one}: its proof could not be played: {end}.") for one in ids}


@cache
def _shown() -> frozenset[str]:
    return frozenset(load_proofs())


def has_proof(question_id: str) -> bool:
    """Can this question, or part of a scenario, be shown?"""
    return question_id in _shown()


def replay(question_id: str) -> Iterator[str]:
    """The lines of one proof as they come; the last one says whether it came out as the key says."""
    with tempfile.TemporaryDirectory(prefix="ecslab-") as home:
        child = subprocess.Popen(
            [*COMMAND, question_id], env=environment(home), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        limit = threading.Timer(ONE_SECONDS, child.kill)
        limit.start()
        try:
            yield from (line.rstrip("\n") for line in child.stdout)
            if child.wait() not in (0, 1, 2):
                yield f"This did not end as it should within {ONE_SECONDS} seconds."
        finally:
            limit.cancel()
            child.kill()
            child.wait()
            child.stdout.close()


def unknown(proofs: dict[str, Proof], known: dict) -> list[str]:
    """Proofs of questions nobody asks, one sentence each."""
    return [f"{one}: there is a proof, but no such question." for one in proofs if one not in known]


def main(arguments: Sequence[str]) -> int:
    proofs, known = load_proofs(), bodies(load_bank())
    if list(arguments) == ["--causes"]:
        for one in sys.stdin.read().split():
            print(json.dumps([one, prove(proofs[one], known[one]).cause]), flush=True)
        return 0
    return _play(arguments[0] if arguments else "", proofs, known)


def _play(question_id: str, proofs: dict[str, Proof], known: dict) -> int:
    if question_id not in proofs or question_id not in known:
        print(f"There is no proof of {question_id!r}.")
        return 2
    outcome = prove(proofs[question_id], known[question_id], on_say=lambda line: print(line, flush=True))
    print("This is what the key says." if outcome.ok else outcome.cause, flush=True)
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
