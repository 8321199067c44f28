"""Answers score all or nothing, and every option's reason comes back."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecslab.teach import AnswerError, load_bank, score
from ecslab.teach.shown import as_text, show

from .samples import SAMPLE

BANK = load_bank(SAMPLE)
SOLUTION = BANK["sample.fix-json"].solution
RIGHT = {
    "sample.single": "a",
    "sample.multiple": ["a", "b"],
    "sample.numeric": 2,
    "sample.order": [0, 1, 2, 3],
    "sample.match": [0, 1, 2, 3],
    "sample.fix-json": SOLUTION,
    "sample.read-events": "a",
    "sample.scenario": {"sample.scenario.1": 15, "sample.scenario.2": "a"},
}
WRONG = {
    "sample.single": "b",
    "sample.multiple": ["a", "c"],
    "sample.numeric": 2.5,
    "sample.order": [1, 0, 2, 3],
    "sample.match": [0, 1, 3, 2],
    "sample.fix-json": BANK["sample.fix-json"].document,
    "sample.read-events": "d",
    "sample.scenario": {"sample.scenario.1": 15, "sample.scenario.2": "b"},
}
UNREADABLE = [
    ("sample.single", "z"),
    ("sample.single", None),
    ("sample.single", ["a"]),
    ("sample.multiple", ["a"]),
    ("sample.multiple", ["a", "b", "c"]),
    ("sample.multiple", "ab"),
    ("sample.numeric", "many"),
    ("sample.numeric", "nan"),
    ("sample.numeric", None),
    ("sample.order", [0, 1, 2]),
    ("sample.order", [0, 0, 1, 2]),
    ("sample.order", None),
    ("sample.match", [0, 1, 2]),
    ("sample.match", [0, 1, 2, 9]),
    ("sample.match", [0, 1, 2, -1]),
    ("sample.fix-json", "{"),
    ("sample.fix-json", None),
    ("sample.scenario", {"sample.scenario.1": 15}),
]


@pytest.mark.parametrize("question_id", RIGHT)
def test_the_right_answer_scores(question_id):
    result = score(BANK[question_id], RIGHT[question_id])
    assert result.correct
    assert {line.mark for line in result.feedback} <= {"right", "left"}


@pytest.mark.parametrize("question_id", WRONG)
def test_a_wrong_answer_does_not_score(question_id):
    assert not score(BANK[question_id], WRONG[question_id]).correct


@pytest.mark.parametrize("question_id, answer", UNREADABLE)
def test_what_is_no_answer_is_not_scored(question_id, answer):
    with pytest.raises(AnswerError):
        score(BANK[question_id], answer)


def test_one_right_choice_of_two_earns_nothing():
    result = score(BANK["sample.multiple"], ["a", "c"])
    assert [line.mark for line in result.feedback] == ["right", "missed", "wrong", "left", "left"]
    assert not result.correct


def test_every_option_comes_back_with_its_reason():
    question = BANK["sample.single"]
    result = score(question, "b")
    assert [line.why for line in result.feedback] == [option.why for option in question.options]


def test_a_common_wrong_number_is_answered_with_its_reason():
    marks = {line.text: line.mark for line in score(BANK["sample.numeric"], "4").feedback}
    assert marks == {"2 tasks": "missed", "4 tasks": "wrong", "1 tasks": "left"}


def test_a_number_within_the_tolerance_is_right():
    about = BANK["sample.numeric"].model_copy(update={"answer": 0.024685, "tolerance": 0.0001})
    assert score(about, 0.0247).correct
    assert not score(about, 0.0249).correct


def test_a_repair_that_changes_what_must_stay_is_wrong():
    changed = SOLUTION.replace('"cpu": "256"', '"cpu": "512"')
    result = score(BANK["sample.fix-json"], changed)
    assert not result.correct
    assert any("/cpu must keep its value" in line.text for line in result.feedback)


def test_a_refused_repair_is_answered_in_the_words_of_ecs():
    result = score(BANK["sample.fix-json"], BANK["sample.fix-json"].document)
    assert any(BANK["sample.fix-json"].error in line.text for line in result.feedback)


@pytest.mark.parametrize("text", ["[]", "null", "3", '{"family": 1, "containerDefinitions": {"a": 1}}'])
def test_json_of_another_shape_is_a_wrong_repair_and_no_crash(text):
    assert not score(BANK["sample.fix-json"], text).correct


def test_the_same_seed_shows_the_same_order_everywhere():
    orders = [show(BANK["sample.multiple"], seed).order for seed in (0, 1, 2)]
    assert orders == [(1, 2, 3, 4, 0), (3, 0, 4, 1, 2), (0, 4, 3, 2, 1)]


@given(seed=st.integers() | st.text(max_size=20), question_id=st.sampled_from([name for name in RIGHT if "scenario" not in name]))
def test_what_is_picked_from_any_shuffle_scores_as_in_the_file(seed, question_id):
    body = BANK[question_id]
    shown = show(body, seed)
    for answer, correct in ((RIGHT[question_id], True), (WRONG[question_id], False)):
        assert score(body, shown.from_places(shown.to_places(answer))).correct is correct


@given(seed=st.integers())
def test_an_order_question_is_never_shown_already_solved(seed):
    assert show(BANK["sample.order"], seed).order != (0, 1, 2, 3)


@given(seed=st.integers())
def test_what_is_shown_does_not_tell_the_key(seed):
    for question in BANK:
        for body in question.steps():
            told = as_text(show(body, seed))
            assert not any(option.why in told for option in body.options)
            assert body.explanation.strip() not in told


@pytest.mark.parametrize("typed", ["", "E", "AB", "4"])
def test_letters_that_are_not_shown_are_refused(typed):
    with pytest.raises(AnswerError):
        show(BANK["sample.single"]).from_text(typed)
