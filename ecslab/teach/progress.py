"""What a learner has done: one SQLite file that survives a kill at any moment.

Every record is one committed transaction in a write-ahead log, flushed to disk,
so a killed kernel loses nothing that was recorded and leaves nothing half
written. One connection behind one lock: widget callbacks may come on any
thread. Several processes may share the file.

Every record carries an id of its own, so importing an export twice adds
nothing twice. Of two values under one key the newer one stays. What follows
from the answers (`memories`) is kept beside them, but never exported.
"""
from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .mistakes import Mistake
from .places import home

# One script for each schema version; a file of version n runs those after its n-th. They may run twice: two
# processes may open one old file at once.
MIGRATIONS = (
    """
CREATE TABLE IF NOT EXISTS attempts (
    uid TEXT PRIMARY KEY, exercise TEXT NOT NULL, at REAL NOT NULL,
    passed INTEGER NOT NULL, hints INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    uid TEXT PRIMARY KEY, question TEXT NOT NULL, at REAL NOT NULL, choice TEXT NOT NULL,
    correct INTEGER NOT NULL, seconds REAL, confidence TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key_values (
    key TEXT PRIMARY KEY, at REAL NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_exercise ON attempts (exercise, at);
CREATE INDEX IF NOT EXISTS answers_question ON answers (question, at);
""",
    """
CREATE TABLE IF NOT EXISTS memories (question TEXT PRIMARY KEY, at REAL NOT NULL, memory TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unread (question TEXT NOT NULL, at REAL NOT NULL);
CREATE TRIGGER IF NOT EXISTS answers_unread AFTER INSERT ON answers
    BEGIN INSERT INTO unread VALUES (NEW.question, NEW.at); END;
INSERT INTO unread SELECT question, min(at) FROM answers GROUP BY question;
""",
)
SCHEMA_VERSION = len(MIGRATIONS)
BUSY_SECONDS = 5
EXPORT_FORMAT = "ecslab progress"
EXPORT_VERSION = 1
LARGEST_IMPORT = 64 * 1024 * 1024
CONFIDENCES = ("guess", "unsure", "sure")
QUARTER = 15 * 60
LATEST = 32_503_680_000  # the year 3000: no record is younger, and every calendar still counts there


class ProgressError(Mistake):
    """The progress file, or a file to import, can not be used; the message says why and what to do."""


@dataclass(frozen=True)
class Attempt:
    exercise: str
    at: float
    passed: bool
    hints: int


@dataclass(frozen=True)
class Answer:
    question: str
    at: float
    choice: Any
    correct: bool
    seconds: float | None = None
    confidence: str | None = None


class Progress:
    """The learner's store. `path` defaults to `progress.sqlite3` in `ECSLAB_HOME` or the platform's data folder.

    `clock` returns seconds since the epoch. Raises `ProgressError` when the file can not be used.
    """

    def __init__(self, path: Path | str | None = None, *, clock: Callable[[], float] = time.time):
        self.path = Path(path) if path else home() / "progress.sqlite3"
        self._clock = clock
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise ProgressError(
                f"The progress file {self.path} can not be used: {error}.\n"
                "Move it away, or set ECSLAB_HOME to a folder you can write to."
            ) from None

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it was written by a newer ecslab (schema {version}, known {SCHEMA_VERSION})")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")

    def now(self) -> float:
        """What the store's clock says."""
        return self._clock()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- recording ---------------------------------------------------------

    def record_attempt(self, exercise: str, passed: bool, hints: int = 0) -> Attempt:
        attempt = Attempt(exercise, self._clock(), bool(passed), hints)
        self._insert("attempts", (_uid(), *asdict(attempt).values()))
        return attempt

    def record_answer(
        self,
        question: str,
        choice: Any,
        correct: bool,
        seconds: float | None = None,
        confidence: str | None = None,
        at: float | None = None,
    ) -> Answer:
        """`at` is when it was answered, if that was not now."""
        answer = Answer(question, self._clock() if at is None else at, choice, bool(correct), seconds, confidence)
        row = {**asdict(answer), "choice": json.dumps(choice)}
        self._insert("answers", (_uid(), *row.values()))
        return answer

    def set(self, key: str, value: Any) -> None:
        """Keep any JSON value under a key."""
        self._insert("key_values", (key, self._clock(), json.dumps(value)), "REPLACE")

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is recorded inside is recorded all or not at all; other threads and processes wait. Not nested."""
        with self._lock, self._transaction():
            yield

    def _insert(self, table: str, row: tuple, on_conflict: str = "ABORT") -> None:
        marks = ", ".join("?" * len(row))
        with self._lock:
            self._db.execute(f"INSERT OR {on_conflict} INTO {table} VALUES ({marks})", row)

    # -- reading -----------------------------------------------------------

    def get(self, key: str, default: Any = None) -> Any:
        rows = self._rows("SELECT value FROM key_values WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else default

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix`, sorted."""
        return [row[0] for row in self._rows("SELECT key FROM key_values WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix)]

    def attempts(self, exercise: str | None = None) -> list[Attempt]:
        """Every attempt, oldest first."""
        rows = self._rows(
            "SELECT exercise, at, passed, hints FROM attempts WHERE ?1 IS NULL OR exercise = ?1 ORDER BY at, uid", exercise
        )
        return [Attempt(name, at, bool(passed), hints) for name, at, passed, hints in rows]

    def answers(self, question: str | None = None, after: float | None = None) -> list[Answer]:
        """Every answer (to one question, after a time), oldest first."""
        wanted = {"question = ?": question, "at > ?": after}
        where = [condition for condition, value in wanted.items() if value is not None]
        rows = self._rows(
            "SELECT question, at, choice, correct, seconds, confidence FROM answers"
            f" WHERE {' AND '.join(where) or 'TRUE'} ORDER BY at, uid",
            *(value for value in wanted.values() if value is not None),
        )
        return [Answer(q, at, json.loads(choice), bool(ok), *rest) for q, at, choice, ok, *rest in rows]

    def passed(self) -> set[str]:
        """Ids of the exercises passed at least once."""
        return {row[0] for row in self._rows("SELECT DISTINCT exercise FROM attempts WHERE passed")}

    def latest_answers(self) -> dict[str, Answer]:
        """The last answer to each question ever answered."""
        return {answer.question: answer for answer in self.answers()}

    def outcomes(self) -> list[tuple[str, float, int]]:
        """Question, time, and 1 where right, of every answer, oldest first: far quicker than `answers`."""
        return self._rows("SELECT question, at, correct FROM answers ORDER BY at, uid")

    def quarters(self) -> list[float]:
        """When the quarters of an hour began in which anything was done. Nobody's midnight falls inside one."""
        started = f"SELECT DISTINCT CAST(at / {QUARTER} AS INTEGER) * {QUARTER} FROM"
        return [row[0] for row in self._rows(f"{started} answers UNION {started} attempts ORDER BY 1")]

    def _rows(self, statement: str, *values: Any) -> list[tuple]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    # -- what follows from the answers --------------------------------------

    def memories(self, fold: Callable[[Any, Answer], Any]) -> dict[str, Any]:
        """For each question what `fold(memory, answer)` makes of its answers, oldest first, beginning with None.

        A memory is a JSON value. It is kept, so that only answers recorded since
        are read; when an older one arrives, by import, that question is read anew.
        The fold must always be the same: who changes it adds a migration that
        empties `memories` and fills `unread` again.
        """
        with self._lock:
            if self._rows("SELECT 1 FROM unread LIMIT 1"):
                with self._transaction():
                    for question, since in self._rows("SELECT question, min(at) FROM unread GROUP BY question"):
                        self._read_on(fold, question, since)
                    self._db.execute("DELETE FROM unread")
            return {question: json.loads(kept) for question, kept in self._rows("SELECT question, memory FROM memories")}

    def _read_on(self, fold: Callable[[Any, Answer], Any], question: str, since: float) -> None:
        kept = self._rows("SELECT memory, at FROM memories WHERE question = ? AND at < ?", question, since)
        memory, after = (json.loads(kept[0][0]), kept[0][1]) if kept else (None, None)
        for answer in self.answers(question, after):
            memory = fold(memory, answer)
        self._db.execute("REPLACE INTO memories VALUES (?, ?, ?)", (question, answer.at, json.dumps(memory)))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- export and import -------------------------------------------------

    def export(self, path: Path | str) -> Path:
        """Write everything as one JSON file. The file is complete or absent, never half written."""
        path = Path(path)
        with self._lock:
            self._db.execute("BEGIN")
            tables = {table: self._table(table) for table in ROWS}
            self._db.execute("COMMIT")
        text = json.dumps({"format": EXPORT_FORMAT, "version": EXPORT_VERSION, **tables}, indent=1)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            partial.write_text(text + "\n", encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise ProgressError(f"{path} can not be written: {error.strerror}.") from None
        return path

    def _table(self, table: str) -> list[dict]:
        cursor = self._db.execute(f"SELECT * FROM {table} ORDER BY at, 1")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row)) for row in cursor]
        for row in rows:
            for name in row.keys() & {"passed", "correct"}:
                row[name] = bool(row[name])
            for name in row.keys() & {"choice", "value"}:
                row[name] = json.loads(row[name])
        return rows

    def import_(self, path: Path | str) -> int:
        """Merge an exported file; returns how many records were new. All of it, or nothing and a `ProgressError`."""
        exported = _read_export(Path(path))
        try:
            with self._lock, self._transaction():
                added = sum(
                    self._merge(f"INSERT OR IGNORE INTO {table}", getattr(exported, table)) for table in ("attempts", "answers")
                )
                return added + self._merge("INSERT INTO key_values", exported.key_values, NEWER_STAYS)
        except sqlite3.Error as error:
            raise ProgressError(f"{path} could not be imported: {error}. Nothing was changed.") from None

    def _merge(self, insert: str, rows: Iterable[BaseModel], clause: str = "") -> int:
        changed = 0
        for row in rows:
            values = [
                json.dumps(value) if name in ("choice", "value") else value for name, value in row.model_dump().items()
            ]
            changed += self._db.execute(f"{insert} VALUES ({', '.join('?' * len(values))}) {clause}", values).rowcount
        return changed

    # -- summary -----------------------------------------------------------

    def summary(self, exercises: Iterable[str] = (), questions: Iterable[str] = ()) -> str:
        """A text table by topic (the part of an id before its dot): exercises passed, questions right at last answer.

        `exercises` and `questions` are all ids there are; without them only what was tried is counted.
        """
        passed, latest = self.passed(), self.latest_answers()
        tried = passed | {attempt.exercise for attempt in self.attempts()}
        every_exercise, every_question = set(exercises) or tried, set(questions) or set(latest)
        topics = list(dict.fromkeys(_topic(name) for name in [*exercises, *questions, *sorted(tried | set(latest))]))
        rows = [("topic", "exercises passed", "questions right", "answered")]
        for topic in topics:
            mine = [name for name in every_exercise if _topic(name) == topic]
            asked = [name for name in every_question if _topic(name) == topic]
            answered = [latest[name] for name in asked if name in latest]
            right = sum(answer.correct for answer in answered)
            if mine or asked:
                done = len(passed.intersection(mine))
                rows.append((topic, f"{done} of {len(mine)}", f"{right} of {len(asked)}", str(len(answered))))
        if len(rows) == 1:
            return "Nothing recorded yet."
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


NEWER_STAYS = """ON CONFLICT (key) DO UPDATE SET at = excluded.at, value = excluded.value
                 WHERE excluded.at > key_values.at"""


class Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


Time = Field(ge=0, le=LATEST)


class AttemptRow(Row):
    uid: str = Field(pattern=r"^[0-9a-f]{32}$")
    exercise: str = Field(min_length=1, max_length=200)
    at: float = Time
    passed: bool
    hints: int = Field(ge=0, le=1000)


class AnswerRow(Row):
    uid: str = Field(pattern=r"^[0-9a-f]{32}$")
    question: str = Field(min_length=1, max_length=200)
    at: float = Time
    choice: Any
    correct: bool
    seconds: float | None
    confidence: str | None = Field(max_length=50)


class KeyValueRow(Row):
    key: str = Field(min_length=1, max_length=200)
    at: float = Time
    value: Any


ROWS = {"attempts": AttemptRow, "answers": AnswerRow, "key_values": KeyValueRow}


class Exported(Row):
    format: str = Field(pattern=f"^{EXPORT_FORMAT}$")
    version: int = Field(ge=1, le=EXPORT_VERSION)
    attempts: list[AttemptRow]
    answers: list[AnswerRow]
    key_values: list[KeyValueRow]


def _read_export(path: Path) -> Exported:
    try:
        if path.stat().st_size > LARGEST_IMPORT:
            raise ProgressError(f"{path} is larger than {LARGEST_IMPORT // 2**20} MiB; no progress file is.")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProgressError(f"{path} can not be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        raise ProgressError(f"{path}, line {error.lineno}: not JSON ({error.msg}). Nothing was imported.") from None
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise ProgressError(f"{path} is not an exported progress file. Nothing was imported.") from None
    try:
        return Exported.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = " → ".join(str(step) for step in first["loc"]) or "the whole file"
        raise ProgressError(
            f"{path} is not an exported progress file: at {place}: {first['msg']}. Nothing was imported."
        ) from None


def _uid() -> str:
    return uuid.uuid4().hex


def _topic(name: str) -> str:
    return name.split(".")[0]
