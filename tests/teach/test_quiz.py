"""A sitting: seeded order, recorded answers, missed questions again, and the same in a terminal."""
import pytest

from ecslab.teach import AnswerError, Progress, load_bank
from ecslab.teach.quiz import Quiz
from ecslab.teach.terminal import sit

from .samples import SAMPLE
from .test_scoring import RIGHT

BANK = load_bank(SAMPLE)
PARTS = {**RIGHT, **RIGHT["sample.scenario"]}


@pytest.fixture
def progress():
    with Progress(":memory:") as opened:
        yield opened


def sitting(progress, **options):
    return Quiz("Sample", BANK.topic("sample"), progress, **{"seed": 1, **options})


def answer_all(quiz, wrong=()):
    for place, step in enumerate(quiz.steps):
        right = PARTS[step.body.id]
        quiz.answer(place, "d" if step.body.id in wrong else right)


def test_a_seed_fixes_the_questions_and_their_order(progress):
    one, two = sitting(progress, n=3), sitting(progress, n=3)
    assert [step.body.id for step in one.steps] == [step.body.id for step in two.steps]
    assert len(one.questions) == 3
    assert [q.id for q in sitting(progress, seed=2).questions] != [q.id for q in sitting(progress).questions]


def test_parts_of_a_scenario_follow_each_other_and_share_its_stem(progress):
    steps = sitting(progress).steps
    places = [place for place, step in enumerate(steps) if step.background]
    assert places == [places[0], places[0] + 1]
    assert steps[places[0]].background == BANK["sample.scenario"].stem


def test_every_answer_is_recorded(progress):
    quiz = sitting(progress)
    answer_all(quiz)
    assert quiz.finished and quiz.right == len(quiz.steps) == 9
    assert set(progress.latest_answers()) == {*PARTS}


def test_an_answer_is_final(progress):
    quiz = sitting(progress)
    place = [step.body.id for step in quiz.steps].index("sample.single")
    assert not quiz.answer(place, "b").correct
    assert not quiz.answer(place, "a").correct
    assert len(progress.answers("sample.single")) == 1


def test_what_can_not_be_read_is_not_recorded(progress):
    quiz = sitting(progress)
    with pytest.raises(AnswerError):
        quiz.answer(0, object())
    assert progress.answers() == [] and not quiz.results


def test_missed_questions_come_again_shuffled_anew(progress):
    quiz = sitting(progress)
    answer_all(quiz, wrong={"sample.single", "sample.read-events"})
    again = quiz.again()
    assert {question.id for question in again.questions} == {"sample.single", "sample.read-events"}
    assert not again.results


def test_a_terminal_sitting_gives_reasons_and_a_score(progress):
    quiz = Quiz("Sample", [BANK["sample.single"], BANK["sample.numeric"]], progress, seed=1)
    letter = "ABCD"[[s for s in quiz.steps if s.body.id == "sample.single"][0].shown.to_places("a")]
    typed = {"sample.single": letter, "sample.numeric": "4"}
    answers = iter([typed[step.body.id] for step in quiz.steps])
    written = []
    sit(quiz, read=lambda prompt: next(answers), write=written.append)
    told = "\n".join(written)
    assert "sample.single: right" in told and "sample.numeric: wrong" in told
    assert "That would be `minimumHealthyPercent` 100." in told
    assert written[-1] == "\n1 of 2 right."


def test_in_a_terminal_an_unreadable_answer_is_asked_again_and_q_leaves(progress):
    answers = iter(["Z", "?", "q"])
    written = []
    quiz = sit(Quiz("S", [BANK["sample.single"]], progress), read=lambda prompt: next(answers), write=written.append)
    assert written.count("Answer with letters from A to D.") == 2
    assert not quiz.results


def test_the_end_of_input_ends_a_terminal_sitting(progress):
    def read(prompt):
        raise EOFError

    written = []
    sit(sitting(progress), read=read, write=written.append)
    assert written[-1] == "\n0 of 9 right."
