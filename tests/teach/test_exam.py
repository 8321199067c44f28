"""The exam room: what is drawn, what is kept when the kernel dies, how the clock runs, and what the results say."""
import shutil
import sys
import tempfile
from collections import Counter
from datetime import datetime, timezone
from math import comb
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.cli import main
from ecslab.teach import AnswerError, Bank, Progress, load_bank
from ecslab.teach.blueprint import BLUEPRINTS, blueprint, draw, wanted
from ecslab.teach.exam import open_exam, past_exams, resume_exam
from ecslab.teach.exam_terminal import sit_exam
from ecslab.teach.exam_text import clock_text, question_text, results_text, review_text
from ecslab.teach.mistakes import Mistake
from ecslab.teach.results import AHEAD, BEHIND, OPEN, Estimate, binomial_band
from ecslab.teach.sitting import TimeUp

from .samples import SAMPLE

BANK = load_bank(SAMPLE)
WHOLE = load_bank()
MORNING = datetime(2026, 3, 2, 9, tzinfo=timezone.utc).timestamp()
MINUTE = 60.0
RIGHT = {
    "sample.single": "a", "sample.multiple": ["a", "b"], "sample.numeric": 2.0, "sample.order": [0, 1, 2, 3],
    "sample.match": [0, 1, 2, 3], "sample.read-events": "a", "sample.scenario.1": 15.0, "sample.scenario.2": "a",
}  # fmt: skip
WRONG = {
    "sample.single": "b", "sample.multiple": ["a", "c"], "sample.numeric": 3.0, "sample.order": [1, 0, 2, 3],
    "sample.match": [1, 0, 2, 3], "sample.read-events": "b", "sample.scenario.1": 14.0, "sample.scenario.2": "b",
}  # fmt: skip


class Room:
    """A learner's store, the clock on the wall, and a sitting of the sample topic."""

    def __init__(self, path=":memory:", bank=BANK):
        self.now, self.bank = MORNING, bank
        self.store = Progress(path, clock=lambda: self.now)

    def open(self, name="sample", **how):
        return open_exam(name, store=self.store, bank=self.bank, **{"seed": 1, **how})

    def resume(self, name=None):
        return resume_exam(name, store=self.store, bank=self.bank)


@pytest.fixture
def room():
    return Room()


def place_of(sitting, body_id):
    return [step.body.id for step in sitting.steps].index(body_id)


def answer_all(sitting, answers):
    for body_id, answer in answers.items():
        sitting.answer(place_of(sitting, body_id), answer)


def only(objectives, count):
    """A bank of `count` questions that serve these objectives."""
    one = WHOLE["services.stop-one-task"]
    some = [one.model_copy(update={"id": f"services.q{number}", "objectives": objectives}) for number in range(count)]
    return Bank({}, {question.id: question for question in some})


# -- blueprints and drawing ----------------------------------------------------


def test_the_shares_of_every_exam_add_up_to_a_hundred():
    assert {name: sum(domain.percent for domain in one.domains) for name, one in BLUEPRINTS.items()} == dict.fromkeys(BLUEPRINTS, 100)


def test_every_topic_belongs_to_one_domain_of_the_specialist_exam():
    serves = [topic for domain in BLUEPRINTS["ecs-specialist"].domains for topic in domain.serves]
    assert sorted(serves) == sorted(WHOLE.topics)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_with_questions_enough_every_domain_gets_its_share_to_the_nearest_question(name):
    plan = BLUEPRINTS[name]
    assert sum(wanted(plan).values()) == plan.questions
    for domain in plan.domains:
        assert abs(wanted(plan)[domain.name] - plan.questions * domain.percent / 100) < 1


def test_the_specialist_exam_has_65_questions_in_130_minutes_and_15_do_not_count():
    plan = BLUEPRINTS["ecs-specialist"]
    drawn = draw(plan, WHOLE, 1)
    assert Counter(one.domain for one in drawn.drawn) == wanted(plan)
    assert (len(drawn.drawn), drawn.minutes, drawn.notices) == (65, 130, ())
    assert sum(one.scored for one in drawn.drawn) == 50
    assert len({one.question.id for one in drawn.drawn}) == 65


def test_the_scored_questions_alone_keep_the_shares_too():
    plan = BLUEPRINTS["ecs-specialist"]
    scored = Counter(one.domain for one in draw(plan, WHOLE, 1).drawn if one.scored)
    assert all(abs(scored[domain.name] - 50 * domain.percent / 100) < 1.5 for domain in plan.domains)


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_the_bank_has_enough_for_every_domain_of_every_exam(name):
    plan = BLUEPRINTS[name]
    for seed in range(5):
        drawn = draw(plan, WHOLE, seed)
        assert (len(drawn.drawn), drawn.minutes, drawn.notices) == (plan.questions, plan.minutes, ())


@pytest.mark.parametrize("name", [name for name in BLUEPRINTS if name != "ecs-specialist"])
def test_an_aws_exam_draws_only_questions_of_its_own_domains_and_types(name):
    plan = BLUEPRINTS[name]
    holds = {domain.name: domain for domain in plan.domains}
    drawn = draw(plan, WHOLE, 3).drawn
    assert all(holds[one.domain].holds(one.question) for one in drawn)
    assert {one.question.type for one in drawn} <= {"single", "multiple", "read-events"}


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_the_bank_fills_more_than_half_of_every_domain(name):
    plan = BLUEPRINTS[name]
    drawn = Counter(one.domain for one in draw(plan, WHOLE, 1).drawn)
    assert all(drawn[domain.name] > wanted(plan)[domain.name] / 2 for domain in plan.domains)


def test_a_domain_without_questions_is_told_and_made_up_for():
    drawn = draw(BLUEPRINTS["SAA-C03"], only(("SAA-C03 2.1",), 90), 1)
    assert len(drawn.drawn) == 65 and {one.domain for one in drawn.drawn} == {"Resilient Architectures"}
    assert "Secure Architectures (30 %): the bank has none of the 19 wanted." in drawn.notices


def test_too_small_a_bank_makes_a_shorter_exam_with_less_time():
    drawn = draw(BLUEPRINTS["CLF-C02"], only(("CLF-C02 3.3",), 13), 1)
    assert (len(drawn.drawn), drawn.minutes, sum(one.scored for one in drawn.drawn)) == (13, 18, 10)
    assert drawn.notices[-1] == "This sitting has 13 questions in 18 minutes instead of 65 in 90."


def test_a_question_for_two_domains_goes_to_the_scarcer_one():
    both, plenty = only(("SAA-C03 2.1", "SAA-C03 3.2"), 3), only(("SAA-C03 2.1",), 90)
    mixed = {f"services.both{number}": question for number, question in enumerate(both)}
    mixed = {name: question.model_copy(update={"id": name}) for name, question in mixed.items()}
    drawn = draw(BLUEPRINTS["SAA-C03"], Bank({}, {**plenty.questions, **mixed}), 1).drawn
    assert {one.question.id for one in drawn if one.domain == "High Performing Architectures"} == set(mixed)


def test_an_exam_without_any_question_is_refused():
    with pytest.raises(Mistake, match="nothing for"):
        draw(BLUEPRINTS["DOP-C02"], Bank({}, {}), 1)


def test_the_same_seed_draws_the_same_exam_and_another_seed_another():
    def asked(seed):
        sitting = Room(bank=WHOLE).open("ecs-specialist", seed=seed)
        return [(step.body.id, step.shown.order) for step in sitting.steps]

    assert asked(7) == asked(7)
    assert asked(7) != asked(8)


def test_without_a_seed_every_sitting_is_drawn_anew():
    room = Room(bank=WHOLE)
    first, orders = room.open("SAA-C03", seed=None), []
    for sitting in (first, None):
        sitting = sitting or room.open("SAA-C03", seed=None)
        orders.append([step.body.id for step in sitting.steps])
        sitting.finish()
    assert orders[0] != orders[1]


def test_a_section_asks_one_domain_and_counts_every_question():
    plan = BLUEPRINTS["ecs-specialist"].section("net")
    drawn = draw(plan, WHOLE, 1)
    assert {one.question.topic for one in drawn.drawn} == {"networking", "load-balancing"}
    assert all(one.scored for one in drawn.drawn) and len(drawn.drawn) == wanted(BLUEPRINTS["ecs-specialist"])[plan.domains[0].name]


def test_one_question_in_eight_is_computed_where_there_are_generators(monkeypatch):
    def generate(name, seed):
        return WHOLE["services.stop-one-task"].model_copy(update={"id": f"{name}-{seed}"})

    names = [f"services.computed{number}" for number in range(20)]
    monkeypatch.setitem(sys.modules, "ecslab.teach.generators", SimpleNamespace(generate=generate, generators=lambda: names))
    plan = blueprint("services", WHOLE)
    drawn = draw(plan, WHOLE, 1)
    assert sum("computed" in one.question.id for one in drawn.drawn) == len(drawn.drawn) // 8
    again = draw(plan, WHOLE, 2)
    computed = [{one.question.id for one in some.drawn if "computed" in one.question.id} for some in (drawn, again)]
    assert not computed[0] & computed[1]


def test_an_unknown_exam_or_section_is_answered_with_those_there_are():
    with pytest.raises(Mistake, match="SAA-C03.*or a topic: .*services"):
        blueprint("AZ-900", WHOLE)
    with pytest.raises(Mistake, match="has these sections: .*Security"):
        BLUEPRINTS["SOA-C03"].section("Cooking")


def test_exams_are_found_in_any_case():
    assert blueprint("saa-c03", WHOLE) is BLUEPRINTS["SAA-C03"]


# -- kept at every change ------------------------------------------------------


class Killed(BaseException):
    """The kernel is gone."""


class Mortal(Progress):
    """A store whose process dies at its `dies_at`-th write; `image` is then what the disk holds."""

    def __init__(self, path, image, dies_at=None):
        super().__init__(path, clock=lambda: MORNING)
        self.image, self.dies_at, self.writes = Path(image), dies_at, 0

    def _step(self, write, *args, **how):
        if self.writes == self.dies_at:
            self._die()
        kept = write(*args, **how)
        self.writes += 1
        return kept

    def _die(self):
        for file in self.path.parent.glob(self.path.name + "*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, self.image / file.name)
        raise Killed

    def set(self, *args, **how):
        return self._step(super().set, *args, **how)

    def record_answer(self, *args, **how):
        return self._step(super().record_answer, *args, **how)


PLACES = st.sampled_from(sorted(RIGHT))
CHANGES = st.one_of(
    st.tuples(st.just("answer"), PLACES, st.sampled_from([RIGHT, WRONG])),
    st.tuples(st.just("flag"), PLACES, st.booleans()),
    st.tuples(st.just("note"), PLACES, st.sampled_from(["", "count again"])),
    st.tuples(st.just("confidence"), PLACES, st.sampled_from(["sure", "guess", None])),
    st.tuples(st.just("strike"), st.just("sample.single"), st.sampled_from("bcd")),
    st.tuples(st.just("question"), PLACES, st.none()),
)


def carry_out(sitting, change):
    name, body_id, value = change
    i = place_of(sitting, body_id)
    if name == "answer":
        sitting.answer(i, value[body_id])
    elif name == "question":
        sitting.question(i)
    else:
        getattr(sitting, name)(i, value)


def whole_run(store, changes, sitting=None):
    """Carry out the changes and finish. Returns what was kept just before the end, and what was recorded."""
    sitting = sitting or open_exam("sample", 1, store=store, bank=BANK)
    for change in changes:
        carry_out(sitting, change)
    kept = (sitting.places, sitting.current)
    sitting.finish()
    return kept, sorted((one.question, str(one.choice), one.correct) for one in store.answers())


@settings(max_examples=25, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=8), st.floats(0, 1), st.booleans())
def test_a_kill_at_any_write_loses_nothing_and_doubles_nothing(changes, when, practice):
    with tempfile.TemporaryDirectory() as folder:
        (alive := Path(folder) / "alive").mkdir()
        (image := Path(folder) / "image").mkdir()
        undisturbed = Mortal(alive / "undisturbed.sqlite3", image)
        sitting = open_exam("sample", 1, practice=practice, store=undisturbed, bank=BANK)
        expected = whole_run(undisturbed, changes, sitting)

        mortal = Mortal(alive / "mortal.sqlite3", image)
        sitting = open_exam("sample", 1, practice=practice, store=mortal, bank=BANK)
        mortal.dies_at = 1 + int(when * (undisturbed.writes - 2))
        done, before = 0, (sitting.places, sitting.current)
        with pytest.raises(Killed):
            for change in changes:
                carry_out(sitting, change)
                done, before = done + 1, (sitting.places, sitting.current)
            sitting.finish()

        with Progress(image / "mortal.sqlite3", clock=lambda: MORNING) as after:
            resumed = resume_exam(store=after, bank=BANK)
            assert (resumed.places, resumed.current) == before
            assert whole_run(after, changes[done:], resumed) == expected
        undisturbed.close()
        mortal.close()


def test_a_finished_sitting_stays_finished_and_is_recorded_once(room):
    sitting = room.open()
    answer_all(sitting, RIGHT)
    once = sitting.finish()
    assert sitting.finish() == once
    # every answer, and the scenario as a whole
    assert Counter(one.question for one in room.store.answers()) == Counter([*RIGHT, "sample.scenario"])
    with pytest.raises(Mistake, match="finished"):
        sitting.answer(0, None)


def test_two_windows_on_one_sitting_keep_each_others_changes(room):
    first = room.open()
    second = room.resume()
    first.answer(0, RIGHT.get(first.steps[0].body.id), confidence="sure")
    second.flag(1)
    first.note(2, "later")
    seen = room.resume().places
    assert (seen[0].confidence, seen[1].flagged, seen[2].note) == ("sure", True, "later")
    second.finish()
    first.finish()
    assert len(room.store.answers()) == 1


def test_an_answer_is_recorded_as_of_when_it_was_given(room):
    sitting = room.open()
    room.now += 5 * MINUTE
    sitting.answer(place_of(sitting, "sample.single"), "a", "unsure")
    room.now += 5 * MINUTE
    sitting.finish()
    [answer] = room.store.answers()
    assert (answer.at, answer.confidence) == (MORNING + 5 * MINUTE, "unsure")


def test_flags_strikes_notes_and_confidence_are_there_after_resuming(room):
    sitting = room.open()
    i = place_of(sitting, "sample.single")
    sitting.flag(i)
    sitting.strike(i, "b")
    sitting.strike(i, "c")
    sitting.strike(i, "b", struck=False)
    sitting.note(i, " look at 3 ")
    sitting.confidence(i, "guess")
    place = room.resume().places[i]
    assert (place.flagged, place.struck, place.note, place.confidence) == (True, ("c",), "look at 3", "guess")


def test_the_same_exam_can_not_be_opened_twice_while_it_is_under_way(room):
    room.open()
    with pytest.raises(Mistake, match="under way.*--resume"):
        room.open()


def test_an_exam_whose_time_is_over_is_finished_when_the_next_begins(room):
    answer_all(room.open(minutes=10), {"sample.single": "a"})
    room.now += 11 * MINUTE
    room.open()
    assert [(one.right, one.finished) for one in past_exams(room.store)] == [(1, MORNING + 10 * MINUTE)]


def test_a_question_that_left_the_bank_does_not_count_and_is_told(room):
    sitting = room.open()
    answer_all(sitting, RIGHT)
    gone = {name: question for name, question in BANK.questions.items() if name != "sample.numeric"}
    resumed = resume_exam(store=room.store, bank=Bank(BANK.topics, gone))
    assert len(resumed) == len(sitting) - 1 and "sample.numeric has left" in resumed.notices[-1]
    assert resumed.finish().total.count == len(sitting) - 1


def test_a_sitting_whose_questions_all_left_the_bank_can_still_be_finished(room):
    room.open()
    resumed = resume_exam(store=room.store, bank=Bank(BANK.topics, {}))
    assert resumed.finish().total.count == 0
    assert room.open().notices == []


def test_what_is_no_sitting_is_passed_over(room):
    room.store.set("exams/000000000000001/sample", ["not", "a", "sitting"])
    room.store.set("exams/000000000000002/sample", {"exam": "sample"})
    assert past_exams(room.store) == []
    assert len(room.open()) == len(room.resume())


def test_with_nothing_under_way_resuming_says_how_to_begin(room):
    with pytest.raises(Mistake, match="No exam is under way. Begin one: ecslab exam"):
        room.resume()


# -- the clock -----------------------------------------------------------------


def test_the_clock_runs_on_while_the_kernel_is_dead(room):
    assert room.open(minutes=30).remaining() == 30 * MINUTE
    room.now += 12 * MINUTE
    assert room.resume().remaining() == 18 * MINUTE


def test_when_the_time_is_over_nothing_changes_and_what_was_answered_counts(room):
    sitting = room.open(minutes=10)
    answer_all(sitting, {"sample.single": "a"})
    room.now += 10 * MINUTE
    with pytest.raises(TimeUp):
        answer_all(sitting, {"sample.numeric": 2.0})
    results = room.resume().finish()
    assert (results.total.right, results.seconds, results.limit) == (1, 10 * MINUTE, 10 * MINUTE)


def test_an_extension_gives_more_time_and_is_told_in_the_results(room):
    sitting = room.open(minutes=10)
    room.now += 9 * MINUTE
    sitting.extend(5)
    assert sitting.remaining() == 6 * MINUTE
    assert "of 0:15 h, 0:05 h of it extra" in results_text(sitting.finish())


def test_a_clock_that_is_set_back_gives_no_time_back(room):
    sitting = room.open(minutes=30)
    room.now += 20 * MINUTE
    sitting.flag(0)
    room.now -= 20 * MINUTE
    assert room.resume().remaining() == 10 * MINUTE


def test_only_practice_can_pause_and_its_clock_stands_still_then(room):
    with pytest.raises(Mistake, match="can not pause"):
        room.open().pause()
    room.resume().finish()
    sitting = room.open(practice=True, minutes=10)
    room.now += 4 * MINUTE
    sitting.pause()
    room.now += 60 * MINUTE
    sitting = room.resume()
    assert (sitting.paused, sitting.remaining()) == (True, 6 * MINUTE)
    with pytest.raises(Mistake, match="paused"):
        sitting.flag(0)
    sitting.go_on()
    room.now += MINUTE
    assert sitting.remaining() == 5 * MINUTE
    assert sitting.finish().seconds == 5 * MINUTE


def test_practice_has_no_limit_unless_one_is_asked_for(room):
    assert room.open(practice=True).remaining() is None


def test_time_counts_for_the_question_it_was_spent_on(room):
    sitting = room.open()
    for i, seconds in ((0, 40), (1, 25), (0, 5)):
        sitting.question(i)
        room.now += seconds
    results = sitting.finish()
    assert [one.seconds for one in results.marked[:3]] == [45, 25, 0]


def test_time_is_counted_once_in_two_windows(room):
    first = room.open()
    second = room.resume()
    room.now += 30
    first.flag(0)
    second.note(0, "me too")
    assert second.finish().marked[0].seconds == 30


def test_a_hidden_timer_stays_hidden_and_still_runs(room):
    sitting = room.open(minutes=30)
    sitting.hide_timer()
    resumed = room.resume()
    assert "left" not in question_text(resumed, 0) and resumed.remaining() == 30 * MINUTE
    resumed.hide_timer(False)
    assert "0:30 h left" in question_text(resumed, 0)


def test_times_are_told_in_hours_and_begun_minutes():
    assert [clock_text(seconds) for seconds in (7800, 7741, 60, 58.2, 0)] == ["2:10 h", "2:10 h", "0:01 h", "59 s", "0:00 h"]


# -- answers -------------------------------------------------------------------


@pytest.mark.parametrize("picked", [["a"], ["a", "c"], ["c", "d"]])
def test_a_multiple_response_is_right_altogether_or_wrong(room, picked):
    sitting = room.open()
    answer_all(sitting, {"sample.multiple": picked})
    assert sitting.finish().total.right == 0


def test_options_picked_so_far_are_kept_but_not_complete(room):
    sitting = room.open()
    i = place_of(sitting, "sample.multiple")
    sitting.answer(i, ["b"])
    assert (room.resume().places[i].answer, room.resume().status(i)) == (["b"], "incomplete")
    sitting.answer(i, ["b", "a"])
    assert sitting.status(i) == "answered" and sitting.finish().total.right == 1


def test_an_answer_can_change_and_be_taken_back_until_the_end(room):
    sitting = room.open()
    i = place_of(sitting, "sample.single")
    assert sitting.answer(i, "b") is None
    sitting.answer(i, "a")
    j = place_of(sitting, "sample.numeric")
    sitting.answer(j, 2)
    sitting.answer(j, None)
    assert (sitting.status(j), sitting.result(i)) == ("unanswered", None)
    assert sitting.finish().total.right == 1 and sitting.result(i).correct


def test_what_is_no_answer_is_refused_and_leaves_the_place_alone(room):
    sitting = room.open()
    i = place_of(sitting, "sample.single")
    sitting.answer(i, "a")
    for nonsense in ("z", 3, ["a", "b"]):
        with pytest.raises(AnswerError):
            sitting.answer(i, nonsense)
    with pytest.raises(Mistake, match="guess, unsure or sure"):
        sitting.answer(i, "b", confidence="very")
    assert sitting.places[i].answer == "a"


def test_practice_tells_the_reason_at_once_and_its_answers_are_final(room):
    sitting = room.open(practice=True)
    i = place_of(sitting, "sample.single")
    first = sitting.answer(i, "b")
    assert not first.correct and first.feedback
    assert sitting.answer(i, "a") == first
    assert [one.correct for one in room.store.answers("sample.single")] == [False]
    sitting.finish()
    assert len(room.store.answers("sample.single")) == 1


# -- results -------------------------------------------------------------------


def test_results_add_up(room):
    sitting = room.open()
    answer_all(sitting, {**RIGHT, "sample.order": WRONG["sample.order"], "sample.match": WRONG["sample.match"]})
    results = sitting.finish()
    assert (results.total.right, results.total.count) == (6, 9)  # fix-json was left alone
    assert results.percent == pytest.approx(100 * 6 / 9)
    by_objective = {one.name: (one.right, one.count) for one in results.by_objective()}
    assert by_objective == {"SAA-C03 2.1": (2, 2), "DOP-C02 1.4": (3, 3), "DVA-C02 3.4": (1, 3), "DVA-C02 3.1": (0, 1)}


def test_unscored_questions_are_not_in_the_percentage_but_are_told_apart():
    room = Room(bank=WHOLE)
    sitting = room.open("ecs-specialist")
    results = sitting.finish()
    assert (results.total.count, results.unscored.count) == (50, 15)
    assert sum(one.count for one in results.by_domain()) == 50
    assert sum(one.count for one in results.by_confidence()) == 0


def test_confidence_is_held_against_correctness(room):
    sitting = room.open()
    for body_id, how, answers in (("single", "sure", WRONG), ("read-events", "sure", RIGHT), ("numeric", "guess", RIGHT)):
        sitting.answer(place_of(sitting, f"sample.{body_id}"), answers[f"sample.{body_id}"], how)
    found = {one.name: (one.right, one.count) for one in sitting.finish().by_confidence()}
    assert found == {"sure": (1, 2), "guess": (1, 1)}


def test_every_option_is_explained_also_where_nothing_was_answered(room):
    for one in room.open().finish().marked:
        assert not one.answered and not one.correct
        assert one.result.feedback and one.result.explanation
        for option in one.step.body.options:
            mark = next(line.mark for line in one.result.feedback if line.why == option.why.strip())
            assert mark == ("missed" if option.correct else "left")


def test_the_next_labs_are_those_behind_most_wrong_answers():
    room = Room(bank=WHOLE)
    sitting = room.open("ecs-specialist")
    results = sitting.finish()
    count = Counter(one.step.question.lab for one in results.marked)
    assert [count[lab] for lab in results.next_labs()] == sorted(count.values(), reverse=True)[:3]
    perfect = Room().open("sample")
    answer_all(perfect, RIGHT)
    assert perfect.finish().next_labs() == (BANK["sample.fix-json"].lab,)


@given(st.integers(1, 80), st.data())
def test_the_band_holds_the_share_and_narrows_with_more_questions(count, data):
    right = data.draw(st.integers(0, count))
    low, high = binomial_band(right, count)
    assert 0 <= low <= right / count <= high <= 1
    wide, narrow = binomial_band(right, count), binomial_band(right * 10, count * 10)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_the_band_catches_the_true_chance_in_about_95_of_100_sittings():
    chance, count = 0.72, 50
    caught = sum(
        comb(count, right) * chance**right * (1 - chance) ** (count - right)
        for right in range(count + 1)
        if binomial_band(right, count)[0] <= chance <= binomial_band(right, count)[1]
    )
    assert 0.93 < caught < 0.97


@pytest.mark.parametrize("right, verdict", [(50, AHEAD), (38, OPEN), (20, BEHIND)])
def test_the_estimate_is_called_only_when_the_whole_band_is_on_one_side(right, verdict):
    assert Estimate(right / 50, *binomial_band(right, 50), 0.72).verdict == verdict


def test_the_results_say_that_the_estimate_is_one_and_give_no_scaled_score(room):
    text = results_text(room.open().finish())
    assert "An estimate, not a score" in text and "raw" in text and "720" not in text


# -- the terminal --------------------------------------------------------------


def typed(*lines):
    lines = iter(lines)

    def read(_prompt=""):
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    return read


def shown_as(sitting, body_id):
    """The right answer in the letters this sitting shows."""
    i = place_of(sitting, body_id)
    places = sitting.steps[i].shown.to_places(RIGHT[body_id])
    return f"g {i + 1}", "".join("ABCDEF"[place] for place in (places if isinstance(places, list) else [places]))


def test_a_whole_exam_can_be_sat_with_lines_of_text(room):
    sitting, said = room.open(), []
    single, multiple = shown_as(sitting, "sample.single"), shown_as(sitting, "sample.multiple")
    number = f"g {place_of(sitting, 'sample.numeric') + 1}"
    lines = [single[0], f"{single[1]} !", *multiple, number, "m", "note later", "2 ?", "l", "finish", "finish", "1", ""]
    results = sit_exam(sitting, typed(*lines), said.append)
    assert results.total.right == 3
    assert {one.name: one.right for one in results.by_confidence()} == {"sure": 1, "not said": 1, "guess": 1}
    text = "\n".join(said)
    assert "6 of 9 are not answered" in text and "3 of 9 scored questions right" in text and "Question 1, Sample" in text


def test_leaving_the_terminal_keeps_the_sitting(room):
    said = []
    assert sit_exam(room.open(), typed("m", "q"), said.append) is None
    assert "ecslab exam --resume" in said[-1]
    resumed = room.resume()
    assert [place.flagged for place in resumed.places].count(True) == 1


def test_slips_are_answered_with_a_sentence(room):
    sitting, said = room.open(), []
    single = place_of(sitting, "sample.single") + 1
    sit_exam(sitting, typed(f"g {single}", "Z", "g 99", "x Q", "pause"), said.append)
    text = "\n".join(said)
    for sentence in ("letters from A to D", "Questions go from 1 to 9", "Strike out letters from A to D", "can not pause"):
        assert sentence in text


def test_the_review_list_shows_every_number_with_its_state(room):
    sitting = room.open()
    sitting.answer(place_of(sitting, "sample.multiple"), ["a"])
    sitting.answer(place_of(sitting, "sample.single"), "a")
    sitting.flag(place_of(sitting, "sample.single"))
    text = review_text(sitting)
    assert f"{place_of(sitting, 'sample.single') + 1}✓!" in text
    assert f"{place_of(sitting, 'sample.multiple') + 1}½" in text


def test_when_the_time_is_over_the_terminal_shows_the_results(room):
    sitting, said = room.open(minutes=1), []
    room.now += 2 * MINUTE
    results = sit_exam(sitting, typed("m"), said.append)
    assert results.total.right == 0 and "The time is over" in "\n".join(said)


def test_the_command_opens_resumes_extends_and_lists(tmp_path, monkeypatch):
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path))

    def run(*words, lines=""):
        return CliRunner().invoke(main, ["exam", *words], input=lines)

    opened = run("SAA-C03", "--seed", "4", "--minutes", "20", lines="m\n")
    assert opened.exit_code == 0 and "65 questions, 0:20 h left" in opened.output
    assert run("SAA-C03").exit_code == 1
    resumed = run("--resume", "--extend", "10", "--hide-timer", lines="finish\nfinish\n")
    assert "0 of 50 scored questions right" in resumed.output and "of 0:30 h" in resumed.output
    assert "0 of 50 right (0%)" in run("--list").output
    assert run("--resume").exit_code == 1
