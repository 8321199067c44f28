"""Statistics of items: from pooled answers to the questions an author should look at."""
import random

import pytest
from click.testing import CliRunner

from ecslab.cli import main
from ecslab.teach import Progress, load_bank
from ecslab.teach.formats import FormatError
from ecslab.teach.items import COLUMNS, Response, items_text, read_responses, statistics, write_responses

from .samples import SAMPLE

HEAD = ",".join(COLUMNS) + "\n"


def class_of(learners, right):
    """Answers of a class to questions q0, q1, ...: `right(learner, question)` says who was right. Learner 0 knows least."""
    return [Response(f"l{learner}", f"q{question}", "", right(learner, question)) for learner in range(learners) for question in range(10)]


def by_question(responses, bank=None):
    return {item.question: item for item in statistics(responses, bank)}


def test_difficulty_is_the_share_of_learners_who_were_right():
    items = by_question(class_of(20, lambda learner, question: learner >= 2 * question))
    assert [items[f"q{number}"].difficulty for number in (0, 5, 9)] == [1.0, 0.5, 0.1]


def test_a_question_good_learners_get_right_discriminates_and_a_wrong_key_shows_as_negative():
    responses = class_of(20, lambda learner, question: (learner < 10) if question == 3 else learner >= 2 * question)
    items = by_question(responses)
    assert items["q5"].discrimination > 0.6
    assert items["q3"].discrimination < -0.6
    assert "good learners get it wrong: check the key" in items["q3"].remarks()
    assert statistics(responses)[0].question == "q3"


def test_discrimination_is_the_correlation_with_the_other_questions():
    responses = [Response(f"l{n}", f"q{q}", "", bool((n >> q) & 1)) for n in range(16) for q in range(4)]
    assert all(item.discrimination == pytest.approx(0) for item in statistics(responses))
    same = [Response(f"l{n}", f"q{q}", "", n % 2 == 0) for n in range(16) for q in range(4)]
    assert all(item.discrimination == pytest.approx(1) for item in statistics(same))


def test_answers_by_chance_are_about_as_right_as_chance_and_discriminate_little():
    draw = random.Random(7)
    items = statistics(class_of(400, lambda learner, question: draw.random() < 0.25))
    assert all(0.15 < item.difficulty < 0.35 and abs(item.discrimination) < 0.2 for item in items)


def test_nothing_is_said_of_a_question_everybody_answers_alike_or_few_have_answered():
    assert by_question(class_of(20, lambda *_: True))["q0"].discrimination is None
    few = by_question(class_of(9, lambda learner, question: learner > question))
    assert all(item.discrimination is None and not list(item.remarks()) for item in few.values())
    assert "too few to judge" in items_text(list(few.values()))


def test_options_nobody_picks_are_named():
    bank = load_bank(SAMPLE)
    rows = [Response(f"l{n}", "sample.single", "ab"[n % 2], n % 2 == 0) for n in range(12)]
    rows += [Response(f"l{n}", "sample.multiple", "a b" if n else "a c", n > 0) for n in range(12)]
    items = by_question(rows, bank)
    assert items["sample.single"].unpicked == ("c", "d")
    assert items["sample.multiple"].choices == {"a": 12, "b": 11, "c": 1, "d": 0, "e": 0}
    assert "nobody picks c, d" in items_text(list(items.values()))


def test_a_learner_writes_first_answers_without_name_or_time(tmp_path):
    with Progress(tmp_path / "p.sqlite3", clock=lambda: 1_700_000_000.0) as store:
        store.record_answer("sample.single", "b", False, at=1_699_999_000.0)
        store.record_answer("sample.single", "a", True)
        store.record_answer("sample.multiple", ["a", "b"], True)
        store.record_answer("sample.numeric", -2.0, False)
        assert write_responses(store, tmp_path / "one.csv") == 3
        assert write_responses(store, tmp_path / "two.csv") == 3
    text = (tmp_path / "one.csv").read_text()
    assert text == (tmp_path / "two.csv").read_text()
    assert "1699" not in text and "1700" not in text and "'-2.0" in text
    rows = read_responses([tmp_path / "one.csv", tmp_path / "two.csv"])
    assert [(row.question, row.choice, row.correct) for row in rows] == [
        ("sample.multiple", "a b", True), ("sample.numeric", "-2.0", False), ("sample.single", "b", False),
    ]  # fmt: skip
    assert len({row.learner for row in rows}) == 1


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("a,b\n", "r.csv, line 1: wanted the columns learner, question, choice, correct."),
        ("", "r.csv, line 1: wanted the columns"),
        (HEAD + "l,q,a\n", "r.csv, line 2: 3 cells, wanted 4."),
        (HEAD + "l,q,a,1\nl,q,a,yes\n", "r.csv, line 3: wanted a learner, a question, and 1 or 0 as correct."),
        (HEAD + 'l,"q\n', "r.csv, line 2: not CSV: unexpected end of data."),
        (HEAD + "l,q,\0,1\n", "r.csv, line 2: not text but binary data."),
    ],
)
def test_a_broken_file_of_answers_is_told_with_its_line(tmp_path, text, sentence):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(FormatError) as caught:
        read_responses([tmp_path / "r.csv"])
    assert str(caught.value).startswith(sentence)


def test_the_command_pools_files_and_tells_what_to_look_at(tmp_path):
    for learner in range(12):
        rows = "".join(f"l{learner},pricing.q{question},a,{int(learner >= question)}\n" for question in range(8))
        (tmp_path / f"{learner}.csv").write_text(HEAD + rows)
    done = CliRunner().invoke(main, ["items", *map(str, sorted(tmp_path.glob("*.csv")))])
    assert done.exit_code == 0
    assert done.output.splitlines()[0].split() == ["question", "learners", "right", "discrimination", "look", "at"]
    assert "nearly everyone is right" in done.output
    assert CliRunner().invoke(main, ["items"]).exit_code == 1
