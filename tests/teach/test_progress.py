"""Progress survives kills, threads and other people's files."""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from itertools import count

import pytest

from ecslab.teach import Progress, ProgressError


def store(path, start=1000):
    ticks = count(start)
    return Progress(path / "progress.sqlite3", clock=lambda: float(next(ticks)))


def filled(path, start=1000):
    progress = store(path, start)
    progress.record_attempt("services.self-healing", passed=False, hints=1)
    progress.record_attempt("services.self-healing", passed=True, hints=2)
    progress.record_answer("services.count", ["a", "b"], correct=False, seconds=12.5, confidence="sure")
    progress.set("hints/services.self-healing", 2)
    return progress


def contents(progress):
    return progress.attempts(), progress.answers(), progress.get("hints/services.self-healing")


def test_what_is_recorded_is_there_after_reopening(tmp_path):
    with filled(tmp_path) as first:
        before = contents(first)
    with Progress(first.path) as second:
        assert contents(second) == before
        assert second.passed() == {"services.self-healing"}
        assert [attempt.hints for attempt in second.attempts("services.self-healing")] == [1, 2]


def test_times_come_from_the_clock(tmp_path):
    assert [attempt.at for attempt in filled(tmp_path, start=5).attempts()] == [5.0, 6.0]


def test_the_store_lives_in_ecslab_home(tmp_path, monkeypatch):
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path / "mine"))
    assert Progress().path == tmp_path / "mine" / "progress.sqlite3"


def test_the_latest_answer_counts(tmp_path):
    progress = filled(tmp_path)
    progress.record_answer("services.count", ["a", "c"], correct=True)
    assert progress.latest_answers()["services.count"].correct


def test_many_threads_may_record_at_once(tmp_path):
    progress = store(tmp_path)
    threads = [
        threading.Thread(target=lambda n=n: [progress.record_answer(f"t.{n}", i, True) for i in range(20)]) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(progress.answers()) == 160


def test_two_processes_may_share_the_file(tmp_path):
    first, second = store(tmp_path), store(tmp_path, start=2000)
    first.record_attempt("a.b", True)
    second.record_attempt("a.c", True)
    assert first.passed() == second.passed() == {"a.b", "a.c"}


WRITER = """
import sys
from ecslab.teach import Progress
progress = Progress(sys.argv[1])
for number in range(100_000):
    progress.record_answer("t.q", number, True)
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_nothing_recorded_is_lost_when_the_process_is_killed(tmp_path, after):
    path = tmp_path / "progress.sqlite3"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    told = [int(child.stdout.readline()) for _ in range(after)]
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    kept = [answer.choice for answer in Progress(path).answers()]
    assert sorted(kept) == list(range(len(kept)))
    assert len(kept) >= len(told)


def test_an_export_imports_into_an_empty_store(tmp_path):
    first = filled(tmp_path)
    (tmp_path / "other").mkdir()
    second = store(tmp_path / "other")
    assert second.import_(first.export(tmp_path / "export.json")) == 4
    assert contents(second) == contents(first)


def test_importing_twice_adds_nothing(tmp_path):
    progress = filled(tmp_path)
    exported = progress.export(tmp_path / "export.json")
    before = contents(progress)
    assert progress.import_(exported) == 0
    assert progress.import_(exported) == 0
    assert contents(progress) == before


def test_two_machines_merge_whichever_way_round(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    one, two = filled(tmp_path / "a", start=1000), filled(tmp_path / "b", start=2000)
    two.set("hints/services.self-healing", 4)
    from_one, from_two = one.export(tmp_path / "one.json"), two.export(tmp_path / "two.json")
    one.import_(from_two)
    two.import_(from_one)
    assert contents(one) == contents(two)
    assert len(one.attempts()) == 4
    assert one.get("hints/services.self-healing") == 4


def exported(tmp_path, **changes):
    raw = json.loads(filled(tmp_path).export(tmp_path / "export.json").read_text())
    return json.dumps({**raw, **changes})


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "not JSON"),
        ('{\n"a": 1,\n', "line 3: not JSON"),
        ("[]", "not an exported progress file"),
        ("{}", "at format"),
        ("[" * 100_000, "not an exported progress file"),
        ('{"format": "other"}', "at format"),
        ({"version": 99}, "at version"),
        ({"attempts": [{"uid": "x"}]}, "at attempts → 0"),
        ({"attempts": 7}, "at attempts"),
        ({"answers": [{"uid": "0" * 32, "question": "q", "at": "soon", "choice": 1, "correct": True, "seconds": None, "confidence": None}]}, "at answers → 0 → at"),
        ({"key_values": [{"key": "", "at": 1.0, "value": 1}]}, "at key_values → 0 → key"),
        ({"surprise": 1}, "at surprise"),
    ],
)
def test_a_broken_import_ends_in_a_sentence_and_changes_nothing(tmp_path, text, sentence):
    bad = tmp_path / "bad.json"
    (tmp_path / "source").mkdir()
    bad.write_text(text if isinstance(text, str) else exported(tmp_path / "source", **text))
    progress = filled(tmp_path)
    before = contents(progress)
    with pytest.raises(ProgressError, match=sentence):
        progress.import_(bad)
    assert contents(progress) == before


def test_importing_binary_rubbish_or_nothing_ends_in_a_sentence(tmp_path):
    (tmp_path / "rubbish").write_bytes(bytes(range(256)))
    with pytest.raises(ProgressError, match="not an exported progress file"):
        store(tmp_path).import_(tmp_path / "rubbish")
    with pytest.raises(ProgressError, match="can not be read"):
        store(tmp_path).import_(tmp_path / "missing.json")


def test_a_file_that_is_no_database_is_told_with_what_to_do(tmp_path):
    (tmp_path / "progress.sqlite3").write_text("this is not a database, whatever its name says " * 50)
    with pytest.raises(ProgressError, match="Move it away, or set ECSLAB_HOME"):
        store(tmp_path)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    with filled(tmp_path) as progress:
        path = progress.path
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(ProgressError, match="newer ecslab"):
        Progress(path)


def test_the_summary_is_a_table_by_topic(tmp_path):
    table = filled(tmp_path).summary(
        exercises=["services.self-healing", "services.rollout"], questions=["services.count", "pricing.spot"]
    )
    assert [line.split("  ") for line in table.splitlines()][0][0] == "topic"
    assert "services  1 of 2            0 of 1           1" in table.splitlines()
    assert table.splitlines()[2].split() == ["pricing", "0", "of", "0", "0", "of", "1", "0"]


def test_an_empty_store_says_so(tmp_path):
    assert store(tmp_path).summary() == "Nothing recorded yet."
