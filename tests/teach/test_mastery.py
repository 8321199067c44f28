"""Mastery is a fading Beta posterior; the shelf wants two right answers in a row; a streak forgives one day in seven."""
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecslab.teach import Progress, load_bank
from ecslab.teach.mastery import Mastery, mastery, mastery_over_time, shelf, streak, weak_spots
from ecslab.teach.memory import HALF_LIFE
from ecslab.teach.mistakes import Mistake

from .samples import SAMPLE

BANK = load_bank(SAMPLE)
DAY = 86_400.0
UTC = timezone.utc
QUESTIONS = [question.id for question in BANK]


class Learner:
    def __init__(self, now=1_000_000_000.0):
        self.now = now
        self.store = Progress(":memory:", clock=lambda: self.now)

    def answers(self, question, *marks, after=0.0):
        for correct in marks:
            self.now += after
            self.store.record_answer(question, "a", correct)

    def topic(self, **options):
        return mastery(self.store, BANK, **options)[0]

    def shelf(self):
        return [question.id for question in shelf(self.store, BANK)]


@pytest.fixture
def learner():
    return Learner()


def test_mastery_is_the_mean_of_a_beta_posterior():
    one = Mastery("services", right=6, wrong=2)
    assert one.mean == 7 / 10
    assert one.deviation == pytest.approx((7 * 3 / (10**2 * 11)) ** 0.5)


def test_right_answers_raise_wrong_ones_lower_and_all_narrow_the_band(learner):
    learner.answers(QUESTIONS[0], True)
    first = learner.topic()
    learner.answers(QUESTIONS[1], False)
    second = learner.topic()
    assert first.mean == 2 / 3 and second.mean == 1 / 2
    assert second.deviation < first.deviation


def test_what_was_learnt_fades_by_half_in_a_half_life(learner):
    for question in QUESTIONS[:4]:
        learner.answers(question, True)
    learner.now += HALF_LIFE
    assert learner.topic().right == pytest.approx(2)
    assert learner.topic().mean == pytest.approx(3 / 4)


def test_one_question_asked_often_weighs_no_more_than_two_answers(learner):
    learner.answers(QUESTIONS[0], *[True] * 50)
    assert 1.9 < learner.topic().right <= 2


def test_the_last_answer_to_a_question_weighs_most(learner):
    learner.answers(QUESTIONS[0], False, False, True, after=60)
    assert learner.topic().right > learner.topic().wrong


def test_mastery_is_known_by_objective_too(learner):
    learner.answers(QUESTIONS[0], True)
    assert {one.name for one in mastery(learner.store, BANK, "objective")} == set(BANK[QUESTIONS[0]].objectives)
    with pytest.raises(Mistake, match="by topic or by objective"):
        mastery(learner.store, BANK, "colour")


def test_a_spot_is_weak_only_when_its_whole_band_is_low(learner):
    learner.answers(QUESTIONS[0], True)
    assert weak_spots(learner.store, BANK) == []
    learner.answers(QUESTIONS[1], False)
    learner.answers(QUESTIONS[2], False)
    assert [spot.name for spot in weak_spots(learner.store, BANK)] == ["sample"]


def test_nothing_answered_is_no_weak_spot_and_no_mastery(learner):
    assert mastery(learner.store, BANK) == weak_spots(learner.store, BANK) == []


def test_mastery_over_time_ends_with_mastery_now(learner):
    start = learner.now
    for place, question in enumerate(QUESTIONS):
        learner.answers(question, place % 2 == 0, after=1.3 * DAY)
    history = mastery_over_time(learner.store, BANK, days=30)
    assert [round((at - learner.now) / DAY) for at, _ in history] == list(range(-30, 1))
    for at, known in history:
        assert bool(known) == (at >= start + 1.3 * DAY)
    assert (history[-1][1][0].right, history[-1][1][0].wrong) == pytest.approx((learner.topic().right, learner.topic().wrong))


@given(st.lists(st.tuples(st.sampled_from(QUESTIONS), st.booleans(), st.floats(0, 100 * DAY)), max_size=20))
@settings(max_examples=30, deadline=None)
def test_mastery_is_always_a_share(answers):
    learner = Learner()
    for question, correct, after in answers:
        learner.answers(question, correct, after=after)
    for by in ("topic", "objective"):
        for one in mastery(learner.store, BANK, by):
            low, high = one.band
            assert 0 <= low < one.mean < high <= 1


def test_a_wrong_answer_goes_on_the_shelf(learner):
    learner.answers(QUESTIONS[0], True)
    learner.answers(QUESTIONS[1], False)
    assert learner.shelf() == [QUESTIONS[1]]


@pytest.mark.parametrize(
    "marks, on_the_shelf",
    [("+", False), ("-", True), ("-+", True), ("-++", False), ("-+-+", True), ("-+-++", False), ("-++-", True), ("++-+", True)],
)
def test_two_right_answers_in_a_row_take_a_question_off_the_shelf(learner, marks, on_the_shelf):
    learner.answers(QUESTIONS[0], *(mark == "+" for mark in marks), after=60)
    assert bool(learner.shelf()) == on_the_shelf


def test_the_shelf_is_sorted_by_how_long_a_question_was_left_alone(learner):
    for question in (QUESTIONS[2], QUESTIONS[0], QUESTIONS[1]):
        learner.answers(question, False, after=60)
    assert learner.shelf() == [QUESTIONS[2], QUESTIONS[0], QUESTIONS[1]]


# -- the streak ----------------------------------------------------------------

LAST = date(2026, 3, 15)


def practised(pattern, zone=UTC, hour=12, last=LAST):
    """A learner who practised on the days marked x; the last letter is `last`, and now is its `hour`."""
    learner = Learner()
    for back, mark in enumerate(reversed(pattern)):
        if mark == "x":
            learner.now = datetime.combine(last - timedelta(days=back), datetime.min.time(), zone).replace(hour=hour).timestamp()
            learner.answers(QUESTIONS[0], True)
    learner.now = datetime.combine(last, datetime.min.time(), zone).replace(hour=hour).timestamp() + 1
    return learner


@pytest.mark.parametrize(
    "pattern, days",
    [
        ("", 0),
        ("x", 1),
        ("xxx", 3),
        ("xx.", 2),  # today is not over yet
        ("xx.x", 3),  # one missed day is forgiven
        ("x..x", 1),  # two in a row are not
        ("x..", 1),  # yesterday was missed, and that is one
        ("x...", 0),
        ("xx.xxxxxx.x", 9),  # a week between two missed days
        ("xx.xxxxx.x", 6),  # less than a week
        ("x.xxxxxx.xxxxxx.", 13),
    ],
)
def test_a_streak_forgives_one_missed_day_in_seven(pattern, days):
    assert streak(practised(pattern).store, UTC).days == days


def test_a_streak_says_since_when_and_whether_today_is_done():
    kept = streak(practised("x..x.").store, UTC)
    assert (kept.days, kept.since, kept.today) == (1, date(2026, 3, 14), False)
    kept = streak(practised("xxx").store, UTC)
    assert (kept.since, kept.today) == (date(2026, 3, 13), True)


def test_a_tried_exercise_counts_as_practice(learner):
    learner.store.record_attempt("services.first", passed=False)
    assert streak(learner.store, UTC).days == 1


@pytest.mark.parametrize("last", [date(2026, 3, 30), date(2026, 10, 26)])  # Berlin's clocks changed the day before
@pytest.mark.parametrize("hour", [0, 23])
def test_a_day_of_23_or_25_hours_is_one_day(hour, last):
    berlin = ZoneInfo("Europe/Berlin")
    assert streak(practised("xxxx", berlin, hour, last).store, berlin).days == 4


def test_days_are_those_of_the_learner_s_time_zone(learner):
    for day, hour in ((9, 1), (10, 23), (12, 1)):
        learner.now = datetime(2026, 3, day, hour, tzinfo=UTC).timestamp()
        learner.answers(QUESTIONS[0], True)
    assert streak(learner.store, UTC).since == date(2026, 3, 9)
    assert streak(learner.store, ZoneInfo("America/New_York")).days == 3  # the 8th, 10th and 11th
    assert streak(learner.store, ZoneInfo("Asia/Tokyo")).since == date(2026, 3, 9)
    assert streak(learner.store, ZoneInfo("Asia/Tokyo")).days == 3  # the 9th, 11th and 12th


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia"])
def test_midnight_divides_days_exactly_also_in_odd_zones(zone, learner):
    there = ZoneInfo(zone)
    midnight = datetime(2026, 3, 12, tzinfo=there).timestamp()
    for learner.now in (midnight - 1, midnight):
        learner.answers(QUESTIONS[0], True)
    assert streak(learner.store, there).days == 2


def test_the_picture_says_in_words_what_it_shows(learner):
    from ecslab.widgets.mastery import picture

    assert repr(picture(learner.store, BANK)) == "Nothing recorded yet."
    learner.answers(QUESTIONS[0], False, False)
    learner.answers(QUESTIONS[1], False, after=DAY)
    drawn = picture(learner.store, BANK)
    assert repr(drawn).startswith("Mastery by topic, weakest first: sample ") and "(weak)" in repr(drawn)
    assert 'role="img"' in drawn.svg and "currentColor" in drawn.svg
    assert picture(learner.store, BANK).svg == drawn.svg
