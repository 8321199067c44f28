"""Exercises: a task for the learner, four hints, and a check that looks at the running region.

A check is given `aws` (see `aws.py`) and answers with what it `Saw`. It reads
public AWS APIs only, so the same exercise could be graded on a real account.

    @exercise("services.self-healing", title=..., task=..., hints=[...], explanation=...)
    def check(aws):
        service = aws.service("demo", "web")
        running = service["runningCount"] if service else 0
        return [Saw(running == 3, f"{running} tasks running", "3 tasks running", "describe_services -> runningCount")]

Exercises live in `labs/exercises/<lab>.py`; the file's name says which lab
they belong to.
"""
from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Callable, Iterable, Mapping

from .mistakes import Mistake
from .places import content_root

HINT_KINDS = ("nudge", "idea", "near-solution", "solution")
MARKER = "__exercises__"


@dataclass(frozen=True)
class Saw:
    """One thing a check looked at, in plain words. `where` names the call and field to look at."""

    ok: bool
    saw: str
    wanted: str
    where: str = ""


@dataclass(frozen=True)
class Exercise:
    id: str
    lab: str
    title: str
    task: str
    hints: tuple[str, ...]
    check: Callable[..., Iterable[Saw]]
    explanation: str
    reset: Callable[..., None] | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check came to. Passed means that it looked at something, and all of it was as wanted."""

    exercise: Exercise
    saw: tuple[Saw, ...]

    @property
    def passed(self) -> bool:
        return bool(self.saw) and all(saw.ok for saw in self.saw)

    def __bool__(self) -> bool:
        return self.passed


class ExerciseError(Mistake):
    """Exercise files that can not be used; `problems` lists everything wrong."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


def exercise(
    id: str, *, title: str, task: str, hints: Iterable[str], explanation: str, reset: Callable[..., None] | None = None
) -> Callable[[Callable[..., Iterable[Saw]]], Exercise]:
    """Make the decorated check an `Exercise` of the lab its file is named for."""

    def register(check: Callable[..., Iterable[Saw]]) -> Exercise:
        lab = Path(check.__code__.co_filename).stem
        made = Exercise(id, lab, title, _clean(task), tuple(map(_clean, hints)), check, _clean(explanation), reset)
        check.__globals__.setdefault(MARKER, []).append(made)
        return made

    return register


def load_exercises(folder: Path | None = None) -> Mapping[str, Exercise]:
    """Every exercise of `folder` (default: the content's `labs/exercises/`), by id."""
    folder = content_root() / "labs" / "exercises" if folder is None else Path(folder)
    found: dict[str, Exercise] = {}
    problems = []
    for path in sorted(folder.glob("*.py")):
        try:
            made = getattr(_module(path), MARKER, [])
        except Exception as error:  # an author's file may fail in any way
            problems.append(f"{path.name}: can not be loaded: {type(error).__name__}: {error}")
            continue
        for one in made:
            problems += [f"{path.name}, {one.id}: {fault}" for fault in faults(one)]
            if one.id in found:
                problems.append(f"{path.name}, {one.id}: this id is used twice")
            found[one.id] = one
    if problems:
        raise ExerciseError(problems)
    return found


def faults(one: Exercise) -> list[str]:
    """Everything wrong with one exercise, as sentences."""
    problems = [f"{name} is empty" for name in ("title", "task", "explanation") if not getattr(one, name).strip()]
    if len(one.hints) != len(HINT_KINDS):
        problems.append(f"{len(one.hints)} hints, wanted {len(HINT_KINDS)}: {', '.join(HINT_KINDS)}")
    problems += [f"the {kind} hint is empty" for kind, hint in zip(HINT_KINDS, one.hints) if not hint]
    if "." not in one.id:
        problems.append("the id must be <topic>.<name>")
    return problems


def judge(one: Exercise, aws: object) -> Verdict:
    """Run an exercise's check. Whatever goes wrong in it becomes a sentence, never a traceback."""
    try:
        return Verdict(one, tuple(one.check(aws)))
    except Exception as error:
        return Verdict(one, (_trouble(one, error),))


def _trouble(one: Exercise, error: Exception) -> Saw:
    if hasattr(error, "response") and hasattr(error, "operation_name"):  # botocore's ClientError
        answer = error.response.get("Error", {})
        saw = f"{error.operation_name} was refused: {answer.get('Code', 'unknown')}: {answer.get('Message', '')}".rstrip(": ")
        return Saw(False, saw, f"an answer from {error.operation_name}", error.operation_name)
    if type(error).__module__.startswith("botocore"):
        return Saw(False, f"no answer from the region: {error}", "a running region", "open_lab")
    return Saw(
        False,
        f"the check of {one.id} stumbled on something it did not expect ({type(error).__name__}: {error})",
        "a region as the task describes it",
        "the names and settings the task asks for",
    )


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ecslab_exercises_{path.stem.replace('-', '_')}", path)
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


def _clean(text: str) -> str:
    import inspect

    return inspect.cleandoc(text)
