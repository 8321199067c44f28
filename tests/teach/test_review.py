"""What is due when, and what is asked: from recorded answers and an injected clock, the same every time."""
import random
import sqlite3
import time
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from fsrs import Rating

from ecslab.cli import main
from ecslab.teach import Lab, Progress, load_bank
from ecslab.teach.memory import SLOW_SECONDS, memories, rating
from ecslab.teach.progress import SCHEMA_VERSION, Answer
from ecslab.teach.review import agenda, due, due_text, open_review, open_shelf, open_weak_spots

from .samples import SAMPLE

BANK = load_bank(SAMPLE)
MINUTE, DAY = 60.0, 86_400.0
MORNING = datetime(2026, 3, 2, 9, tzinfo=timezone.utc).timestamp()
UTC = timezone.utc


class Learner:
    """A store and the clock on its wall."""

    def __init__(self, path=":memory:", now=MORNING):
        self.now = now
        self.store = Progress(path, clock=lambda: self.now)

    def answers(self, name, correct=True, after=0.0, **how):
        self.now += after
        self.store.record_answer(f"sample.{name}", "a", correct, **how)

    def due(self, after=0.0, zone=UTC):
        return [one.question.id for one in due(self.store, BANK, self.now + after, zone)]


@pytest.fixture
def learner():
    return Learner()


@pytest.mark.parametrize(
    "how, expected",
    [
        ({"correct": False}, Rating.Again),
        ({"correct": False, "confidence": "sure"}, Rating.Again),
        ({"correct": True}, Rating.Good),
        ({"correct": True, "confidence": "sure", "seconds": 3}, Rating.Good),
        ({"correct": True, "confidence": "guess"}, Rating.Again),
        ({"correct": True, "confidence": "unsure"}, Rating.Hard),
        ({"correct": True, "seconds": SLOW_SECONDS + 1}, Rating.Hard),
        ({"correct": True, "seconds": SLOW_SECONDS}, Rating.Good),
    ],
)
def test_an_answer_is_rated_by_correctness_confidence_and_time(how, expected):
    assert rating(Answer("sample.single", 0.0, "a", **how)) is expected


def test_a_wrong_answer_comes_back_in_minutes_and_a_right_one_in_days(learner):
    learner.answers("single", correct=False)
    learner.answers("numeric")
    assert learner.due(9 * MINUTE) == []
    assert learner.due(11 * MINUTE) == ["sample.single"]
    assert learner.due(3 * DAY) == ["sample.single", "sample.numeric"]


def test_each_right_answer_on_its_day_waits_longer_than_the_one_before(learner):
    waits = []
    for _ in range(4):
        learner.answers("single")
        waits.append(next(days for days in range(1, 400) if learner.due(days * DAY)))
        learner.now += waits[-1] * DAY
    assert waits == sorted(set(waits)) and waits[0] == 2


def test_a_known_question_is_due_from_the_beginning_of_its_day(learner):
    learner.answers("single")  # for two days, at nine in the morning
    midnight = datetime(2026, 3, 4, tzinfo=UTC).timestamp() - learner.now
    assert learner.due(midnight - 1) == []
    assert learner.due(midnight) == ["sample.single"]


def test_the_day_begins_where_the_learner_is(learner):
    learner.answers("single")
    midnight = datetime(2026, 3, 4, tzinfo=UTC).timestamp() - learner.now
    assert learner.due(midnight - 6 * 3600, ZoneInfo("Asia/Kolkata")) == []
    assert learner.due(midnight - 5 * 3600, ZoneInfo("Asia/Kolkata")) == ["sample.single"]  # UTC+5:30
    assert learner.due(midnight, ZoneInfo("America/New_York")) == []


def test_what_is_nearest_to_being_forgotten_is_asked_first(learner):
    learner.answers("numeric")
    learner.answers("numeric", after=2 * DAY)
    learner.answers("single")
    order = learner.due(40 * DAY)
    assert order == ["sample.single", "sample.numeric"]
    chances = [one.recall for one in due(learner.store, BANK, learner.now + 40 * DAY, UTC)]
    assert 0 < chances[0] < chances[1] < 1


def test_answers_of_every_mode_count_and_parts_of_a_scenario_are_asked_as_the_whole(learner):
    quiz_answers = {"sample.scenario.1": "a", "sample.scenario": {}, "gone.question": "a"}
    for question, choice in quiz_answers.items():
        learner.store.record_answer(question, choice, False)
    assert learner.due(DAY) == ["sample.scenario"]


def history(learner, seed):
    dice = random.Random(seed)
    for _ in range(60):
        learner.answers(dice.choice(["single", "numeric", "order"]), dice.random() < 0.7, after=dice.random() * DAY)


def test_the_same_answers_give_the_same_queue(learner):
    other = Learner()
    history(learner, 1)
    history(other, 1)
    assert due(learner.store, BANK, learner.now + DAY, UTC) == due(other.store, BANK, other.now + DAY, UTC) != []


def test_reading_on_gives_what_reading_everything_gives(learner):
    other = Learner()
    for each in (learner, other):
        dice = random.Random(5)
        for _ in range(40):
            each.answers("single", dice.random() < 0.6, after=dice.random() * 3 * DAY)
            if each is learner:
                memories(each.store)
    assert memories(learner.store) == memories(other.store)


def test_two_machines_remember_the_same_after_exchanging_exports(tmp_path):
    one, two = Learner(tmp_path / "one.sqlite3"), Learner(tmp_path / "two.sqlite3")
    history(one, 1)
    history(two, 2)
    assert memories(one.store) != memories(two.store)
    from_one, from_two = one.store.export(tmp_path / "one.json"), two.store.export(tmp_path / "two.json")
    assert one.store.import_(from_two) == two.store.import_(from_one) == 60
    assert memories(one.store) == memories(two.store)
    before = memories(one.store)
    assert one.store.import_(from_two) == 0
    assert memories(one.store) == before


VERSION_1 = """
CREATE TABLE attempts (
    uid TEXT PRIMARY KEY, exercise TEXT NOT NULL, at REAL NOT NULL,
    passed INTEGER NOT NULL, hints INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (
    uid TEXT PRIMARY KEY, question TEXT NOT NULL, at REAL NOT NULL, choice TEXT NOT NULL,
    correct INTEGER NOT NULL, seconds REAL, confidence TEXT) WITHOUT ROWID;
CREATE TABLE key_values (key TEXT PRIMARY KEY, at REAL NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX attempts_exercise ON attempts (exercise, at);
CREATE INDEX answers_question ON answers (question, at);
INSERT INTO attempts VALUES ('00000000000000000000000000000001', 'services.first', 900.0, 1, 2);
INSERT INTO answers VALUES ('00000000000000000000000000000002', 'sample.single', 1000.0, '"b"', 0, 3.5, 'sure');
INSERT INTO answers VALUES ('00000000000000000000000000000003', 'sample.single', 2000.0, '"a"', 1, NULL, NULL);
INSERT INTO key_values VALUES ('hints/services.first', 900.0, '2');
PRAGMA user_version = 1;
"""


@pytest.fixture
def version_1(tmp_path):
    path = tmp_path / "progress.sqlite3"
    with sqlite3.connect(path) as file:
        file.executescript(VERSION_1)
    return path


def test_a_file_of_version_1_keeps_everything_and_its_answers_are_reviews(version_1):
    with Progress(version_1) as store:
        assert store.answers() == [
            Answer("sample.single", 1000.0, "b", False, 3.5, "sure"),
            Answer("sample.single", 2000.0, "a", True, None, None),
        ]
        assert store.passed() == {"services.first"} and store.get("hints/services.first") == 2
        assert memories(store)["sample.single"].run == 1
    with sqlite3.connect(version_1) as file:
        assert file.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION == 2


def test_two_processes_may_bring_one_old_file_up_to_date(version_1):
    with Progress(version_1) as first:
        with sqlite3.connect(version_1) as file:
            file.execute("PRAGMA user_version = 1")  # as the second process saw it
        with Progress(version_1) as second:
            assert memories(first) == memories(second)
            assert len(second.answers()) == 2


def test_a_failing_fold_leaves_its_answers_unread(learner):
    learner.answers("single")

    def fails(memory, answer):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        learner.store.memories(fails)
    learner.answers("numeric")
    assert set(memories(learner.store)) == {"sample.single", "sample.numeric"}


def test_the_agenda_counts_questions_by_day_and_what_is_overdue_today(learner):
    learner.answers("single")
    learner.answers("order")
    learner.answers("numeric", correct=False)
    assert agenda(learner.store, BANK, zone=UTC) == {date(2026, 3, 2): 1, date(2026, 3, 4): 2}
    assert agenda(learner.store, BANK, learner.now + 9 * DAY, UTC) == {date(2026, 3, 11): 3}


def test_a_review_asks_what_is_due_and_its_answers_are_reviews_again(learner):
    learner.answers("single", correct=False)
    learner.now += DAY
    quiz = open_review(bank=BANK, progress=learner.store)
    assert [question.id for question in quiz.questions] == ["sample.single"]
    quiz.answer(0, "a")
    assert open_review(bank=BANK, progress=learner.store) is None


def test_a_review_takes_the_most_urgent_when_it_is_limited(learner):
    learner.answers("numeric")
    learner.answers("numeric", after=2 * DAY)
    learner.answers("single")
    learner.now += 40 * DAY
    assert [question.id for question in open_review(1, bank=BANK, progress=learner.store).questions] == ["sample.single"]


def test_the_shelf_opens_as_a_sitting_and_empties(learner):
    learner.answers("single", correct=False)
    for _ in range(2):
        learner.now += MINUTE
        open_shelf(bank=BANK, progress=learner.store).answer(0, "a")
    assert open_shelf(bank=BANK, progress=learner.store) is None


def test_weak_spots_ask_what_was_wrong_before_what_was_never_asked(learner):
    for name in ("single", "order", "read-events"):
        learner.answers(name, correct=False)
    asked = {question.id for question in open_weak_spots(4, bank=BANK, progress=learner.store).questions}
    assert {"sample.single", "sample.order", "sample.read-events"} < asked and len(asked) == 4
    assert open_weak_spots(bank=BANK, progress=Learner().store) is None


def test_what_is_due_is_told_in_words(learner):
    assert due_text(learner.store, BANK, UTC).startswith("Nothing recorded yet.")
    learner.answers("single")
    learner.answers("numeric", correct=False)
    told = due_text(learner.store, BANK, UTC).splitlines()
    assert [line.split()[-1] for line in told[:6]] == ["0", "1", "0", "1", "0", "1"]
    assert told[6].split() == ["streak", "1", "day"]


def test_the_lab_shows_reviews_and_says_when_there_is_nothing_to_ask(learner, capsys):
    lab = Lab("03-services", None, store=learner.store)
    lab.bank = BANK
    lab.review()
    assert capsys.readouterr().out.startswith("Nothing recorded yet.")
    learner.answers("single", correct=False)
    lab.review()
    assert capsys.readouterr().out == "Nothing is due. Next: 1 later today.\n"
    learner.now += DAY
    lab.review()
    lab.shelf()
    assert capsys.readouterr().out == (
        "Daily review, 1 question. In a terminal: ecslab review\n"
        "Wrong-answer shelf, 1 question. In a terminal: ecslab shelf\n"
    )
    lab.weak_spots()
    lab.mastery()
    lab.due()
    told = capsys.readouterr().out
    assert told.startswith("Weakest first:\n") and "In a terminal: ecslab weak" in told and "due now           1" in told


def test_the_terminal_reviews_what_a_quiz_left(tmp_path, monkeypatch):
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path))
    question = load_bank().topic("services")[0]
    an_hour_ago = time.time() - 60 * MINUTE
    with Progress(clock=lambda: an_hour_ago) as store:
        store.record_answer(question.id, "b", False)
    for command, title in (("review", "Daily review"), ("shelf", "Wrong-answer shelf"), ("weak", "Weak spots")):
        result = CliRunner().invoke(main, [command, "-n", "1"], input="q\n")
        assert result.exit_code == 0 and f"{title}: 1 questions." in result.output
    assert "on the shelf      1" in CliRunner().invoke(main, ["due"]).output
