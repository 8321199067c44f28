"""The question bank: every question of `quizzes/*.yaml`, read and checked.

`load_bank()` returns a `Bank`, or raises `BankError` with everything that is
wrong in all files, one sentence each: file, question, line. Lines are looked
up only when something is wrong, so that a good bank loads fast.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Iterator, Mapping

import yaml
from pydantic import ValidationError

from .mistakes import Mistake
from .places import content_root
from .question import Fault, Question, faults

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BankError(Mistake):
    """`problems` lists every fault found, in the order of files and lines."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Topic:
    name: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Bank:
    """All questions, by id and by topic. `bank["services.desired-count"]`, `bank.topic("services")`.

    Computed questions are in no file: `computed` draws one, and its id alone, `<generator>-<seed>`, makes it again.
    """

    topics: Mapping[str, Topic]
    questions: Mapping[str, Question]

    def __getitem__(self, question_id: str) -> Question:
        name, _, seed = question_id.rpartition("-")
        if question_id in self.questions:
            return self.questions[question_id]
        if name in self.generators():
            return self.computed(name, seed)
        raise Mistake(f"There is no question {question_id!r}.")

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions.values())

    def __len__(self) -> int:
        return len(self.questions)

    def topic(self, name: str) -> tuple[Question, ...]:
        """The active questions of one topic, in the file's order."""
        if name not in self.topics:
            raise Mistake(f"There is no topic {name!r}. Topics are: {', '.join(sorted(self.topics))}.")
        return tuple(question for question in self.topics[name].questions if question.status == "active")

    def title(self, name: str) -> str:
        return self.topics[name].title

    def generators(self, topic: str | None = None) -> tuple[str, ...]:
        """The names of the generators, of one topic or of all."""
        from .generators import generators

        return tuple(name for name, one in generators().items() if topic in (None, one.topic))

    def computed(self, name: str, seed: int | str) -> Question:
        """The question a generator makes of a seed, always the same."""
        from .generators import generate

        try:
            return generate(name, seed)
        except KeyError:
            raise Mistake(f"There is no generator {name!r}.") from None
        except ValueError as error:
            raise Mistake(f"{name} can not be computed: {error}.") from None


def load_bank(folder: Path | None = None) -> Bank:
    """Read every `*.yaml` of `folder` (default: the content's `quizzes/`)."""
    folder = content_root() / "quizzes" if folder is None else Path(folder)
    topics, problems = {}, []
    for path in sorted(folder.glob("*.yaml")):
        topic, found = _read(path)
        problems += found
        if topic:
            topics[topic.name] = topic
    questions: dict[str, Question] = {}
    for topic in topics.values():
        for question in topic.questions:
            if question.id in questions:
                problems.append(f"{topic.name}.yaml, {question.id}: this id is used twice")
            questions[question.id] = question
    if problems:
        raise BankError(problems)
    return Bank(MappingProxyType(topics), MappingProxyType(questions))


def _read(path: Path) -> tuple[Topic | None, list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader)
    except UnicodeDecodeError as error:
        return None, [f"{path.name}: not UTF-8 text ({error.reason})"]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return None, [f"{path.name}, line {line}: not YAML: {error.problem}"]
    except (yaml.YAMLError, ValueError) as error:
        return None, [f"{path.name}: not YAML: {error}"]
    return _topic(path, text, raw)


def _topic(path: Path, text: str, raw: Any) -> tuple[Topic | None, list[str]]:
    if not isinstance(raw, dict) or not isinstance(raw.get("questions"), list):
        return None, [f"{path.name}, line 1: wanted topic, title and a list of questions"]
    found: list[tuple[int | None, Fault]] = []
    if raw.get("topic") != path.stem:
        found.append((None, Fault(("topic",), f"topic is {raw.get('topic')!r}, wanted the file's name, {path.stem!r}")))
    if not isinstance(raw.get("title"), str):
        found.append((None, Fault(("title",), "title is missing")))
    questions = []
    for index, entry in enumerate(raw["questions"]):
        question, wrong = read_question(entry, path.stem)
        found += [(index, fault) for fault in wrong]
        if question:
            questions.append(question)
    problems = _sentences(path, text, raw, found) if found else []
    return Topic(path.stem, str(raw.get("title")), tuple(questions)), problems


def read_question(entry: Any, topic: str) -> tuple[Question | None, list[Fault]]:
    """One entry of a question file as a question of `topic`, and everything wrong with it."""
    try:
        question = Question.model_validate(_with_part_ids(entry))
    except ValidationError as error:
        return None, [Fault(tuple(detail["loc"]), _plain(detail)) for detail in error.errors(include_url=False)]
    found = list(faults(question))
    if question.topic != topic:
        found.append(Fault(("id",), f"the id must begin with {topic + '.'!r}"))
    return question, found


def _with_part_ids(entry: Any) -> Any:
    """Parts may leave their ids out: they are `<id>.1`, `<id>.2`, ..."""
    if not isinstance(entry, dict) or not isinstance(entry.get("parts"), list):
        return entry
    parts = [
        {"id": f"{entry.get('id')}.{number}", **part} if isinstance(part, dict) else part
        for number, part in enumerate(entry["parts"], 1)
    ]
    return {**entry, "parts": parts}


PLAIN = {
    "missing": "{name} is missing",
    "extra_forbidden": "{name} is not a field of a question file",
    "string_pattern_mismatch": "{name} is empty or malformed: {input!r}",
    "string_too_short": "{name} is empty",
    "too_short": "{name} is empty",
    "literal_error": "{name} is {input!r}, wanted {expected}",
    "string_type": "{name} is {input!r}, wanted text (quote it)",
    "model_type": "{input!r} is not a mapping",
}


def _plain(detail: dict) -> str:
    names = [str(step) for step in detail["loc"]]
    template = PLAIN.get(detail["type"], "{name}: {msg}")
    shown = detail.get("input")
    return template.format(
        name=".".join(names) or "the question",
        input=shown if len(repr(shown)) < 60 else type(shown).__name__,
        expected=detail.get("ctx", {}).get("expected", ""),
        msg=detail["msg"],
    )


def _sentences(path: Path, text: str, raw: dict, found: list[tuple[int | None, Fault]]) -> list[str]:
    root = yaml.compose(text, Loader)
    lines = []
    for index, fault in found:
        place = fault.path if index is None else ("questions", index, *fault.path)
        entry = raw["questions"][index] if index is not None else {}
        name = entry.get("id") if isinstance(entry, dict) else None
        where = [path.name] + ([str(name or f"question {index + 1}")] if index is not None else [])
        line = _line(root, place)
        lines.append((line, f"{', '.join(where)}, line {line}: {fault.sentence}"))
    return [sentence for _, sentence in sorted(lines)]


def _line(node: yaml.Node, path: tuple) -> int:
    """The line of the node at `path`, or of the nearest one above it that exists. Counted from 1."""
    line = node.start_mark.line
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if not found:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line + 1
