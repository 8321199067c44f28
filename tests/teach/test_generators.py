"""Computed questions: a thousand of every generator, and how the bank and a sitting draw them."""
import re
import sys
from collections import Counter
from pathlib import Path
from subprocess import run

import pytest

from ecslab.teach import Progress, load_bank, score
from ecslab.teach.generators import generate, generators
from ecslab.teach.generators.services import WAITERS
from ecslab.teach.mistakes import Mistake
from ecslab.teach.question import faults
from ecslab.teach.quiz import open_quiz
from ecslab.teach.review import due, shelf
from ecslab.teach.scoring import RIGHT, WRONG

from .recomputed import EXPECTED, VALID
from .samples import SAMPLE

SEEDS = range(1000)
NAMES = sorted(generators())


@pytest.fixture(scope="module")
def bank():
    return load_bank()


@pytest.fixture
def store():
    with Progress(":memory:") as opened:
        yield opened


def misconceptions(body):
    return [option.misconception for option in body.options if not option.correct] + [w.misconception for w in body.wrong]


# A thousand of each ---------------------------------------------------------


def test_there_are_at_least_forty_generators_and_each_key_is_computed_twice():
    assert len(NAMES) >= 40
    assert {*EXPECTED, *VALID} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_questions_are_sound_and_their_keys_are_what_the_stem_amounts_to(name):
    asked, stems = set(), set()
    for seed in SEEDS:
        question = generators()[name].question(seed)
        assert [fault.sentence for fault in faults(question)] == [], question.id
        for step in question.steps():
            told = misconceptions(step)
            assert all(told) and len(set(told)) == len(told) >= 2, question.id
        assert right(name, question), question.id
        stems.add(question.stem)
        asked.add((question.stem, *((step.stem, frozenset(option.text for option in step.options)) for step in question.steps())))
    assert len(stems) >= 10 and len(asked) >= 100


def right(name, question):
    if name in VALID:
        return all(VALID[name](option.text, question) == option.correct for option in question.options)
    expected = EXPECTED[name](question)
    return [key(step) for step in question.steps()] == pytest.approx(list(expected)) if isinstance(expected, tuple) else key(question) == pytest.approx(expected)


def key(body):
    return body.answer if body.type == "numeric" else next(option.text for option in body.options if option.correct)


def test_a_seed_makes_the_same_question_in_another_process():
    code = "from ecslab.teach.generators import generate, generators; [print(generate(n, 11).model_dump_json()) for n in sorted(generators())]"
    elsewhere = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert elsewhere == [generators()[name].question(11).model_dump_json() for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_slip_is_told_by_its_name_and_the_explanation_names_it_too(name):
    for body in generate(name, 5).steps():
        for wrong in body.wrong:
            hit = score(body, wrong.value)
            (line,) = [line for line in hit.feedback if line.mark == WRONG]
            assert not hit.correct and line.why == wrong.why
        for option in body.options:
            if not option.correct and body.type == "single":
                assert [line.why for line in score(body, option.id).feedback if line.mark == WRONG] == [option.why]
        steps, slips = body.explanation.split("Where the other answers come from:")
        assert len(slips.strip().splitlines()) == len(misconceptions(body)) and steps.strip()


def test_the_key_is_not_at_one_place_nor_always_the_largest_number():
    letters, largest = Counter(), Counter()
    for name in NAMES:
        for seed in range(20):
            for body in generate(name, seed).steps():
                letters.update(body.key)
                if body.type == "numeric":
                    largest[body.answer > max(wrong.value for wrong in body.wrong)] += 1
    assert all(0.15 < letters[letter] / letters.total() < 0.35 for letter in "abcd")
    assert largest[True] < largest[False]


# Where questions belong -----------------------------------------------------


def test_generators_name_what_the_bank_knows(bank):
    cards, labs = {question.card for question in bank}, {question.lab for question in bank}
    objectives = {name for question in bank for name in question.objectives}
    for name in NAMES:
        question = generate(name, 1)
        assert question.topic in bank.topics and question.card in cards and question.lab in labs, name
        assert set(question.objectives) <= objectives, name
        assert re.fullmatch(r"§\d+\.\d+(, §\d+\.\d+)*", question.reference.section), name


def test_every_topic_has_a_generator(bank):
    assert all(bank.generators(topic) for topic in bank.topics)
    assert set(bank.generators()) == set(NAMES)


def test_no_generator_has_the_name_of_a_question(bank):
    assert not set(NAMES) & set(bank.questions)


def test_waiters_wait_as_boto3_does():
    from botocore.session import Session

    waiters = Session().get_waiter_model("ecs")
    found = {name: waiters.get_waiter("".join(word.title() for word in name.split("_"))) for name in WAITERS}
    assert {name: (waiter.delay, waiter.max_attempts) for name, waiter in found.items()} == WAITERS


def test_generators_import_only_the_rules_and_the_question():
    folder = Path(sys.modules["ecslab.teach.generators"].__file__).parent
    named = {word for path in folder.glob("*.py") for word in re.findall(r"^from (\S+) import", path.read_text("utf-8"), re.M)}
    ours = {word for word in named if word.startswith(("ecslab", "."))}
    assert all(word.startswith("ecslab.rules") or word in ("ecslab.teach.question", ".kit", ".") for word in ours)


# Drawn by the bank and in a sitting -----------------------------------------


def test_an_id_alone_makes_the_question_again(bank):
    for name in NAMES:
        drawn = bank.computed(name, 123)
        assert drawn.id == f"{name}-123"
        assert bank[drawn.id] == drawn


def test_what_can_not_be_computed_is_said(bank):
    with pytest.raises(Mistake, match="There is no generator 'services.nothing'"):
        bank.computed("services.nothing", 1)
    with pytest.raises(Mistake, match="can not be computed: a seed is made of"):
        bank.computed("services.zone-share", "1-2")
    for unknown in ("services.nothing-1", "services.zone-share", "services.zone-share-", "services.zone-share-A", "-", ""):
        with pytest.raises(Mistake):
            bank[unknown]


def test_about_every_seventh_question_of_a_sitting_is_computed(bank, store):
    static = {question.id for question in bank.topic("deployments")}
    quiz = open_quiz("deployments", n=14, seed=1, bank=bank, progress=store)
    fresh = [question.id for question in quiz.questions if question.id not in static]
    assert len(quiz.questions) == 14 and len(fresh) == 2
    whole = open_quiz("deployments", seed=1, bank=bank, progress=store)
    assert len(whole.questions) == len(static) + len(static) // 6
    assert len({name.rpartition("-")[0] for name in (q.id for q in whole.questions) if name not in static}) == len(static) // 6


def test_a_sitting_has_fresh_numbers_by_its_seed(bank, store):
    def fresh(seed):
        return {q.id for q in open_quiz("pricing", seed=seed, bank=bank, progress=store).questions} - set(bank.questions)

    assert fresh(1) == fresh(1) and not fresh(1) & fresh(2)
    first, second = ({q.id for q in open_quiz("pricing", bank=bank, progress=store).questions} - set(bank.questions) for _ in "ab")
    assert first and second and not first & second


def test_computed_questions_can_be_left_out(bank, store):
    quiz = open_quiz("services", seed=1, computed=False, bank=bank, progress=store)
    assert sorted(q.id for q in quiz.questions) == sorted(q.id for q in bank.topic("services"))


def test_a_topic_without_generators_is_asked_as_it_is(store):
    sample = load_bank(SAMPLE)
    quiz = open_quiz("sample", seed=1, bank=sample, progress=store)
    assert sorted(q.id for q in quiz.questions) == sorted(q.id for q in sample.topic("sample"))


def test_a_missed_computed_question_comes_back_in_review_with_the_same_numbers(bank, store):
    quiz = open_quiz("deployments", n=14, seed=4, bank=bank, progress=store)
    place, step = next((n, step) for n, step in enumerate(quiz.steps) if step.question.id not in bank.questions)
    missed = step.body.wrong[0].value if step.body.wrong else next(o.id for o in step.body.options if not o.correct)
    assert not quiz.answer(place, missed).correct
    later = store.now() + 7 * 86400
    assert [one.question for one in due(store, bank, later)] == [step.question]
    assert shelf(store, bank) == [step.question]
    right_answer = step.body.answer if step.body.wrong else step.body.key[0]
    assert score(bank[step.question.id], right_answer).feedback[0].mark in (RIGHT, "left")
