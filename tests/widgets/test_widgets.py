"""The widgets, seen from Python: what they tell the front end, and what a press does."""
import json
import threading

import pytest

from ecslab.teach import Lab, Progress, Saw, load_bank
from ecslab.teach.exercise import Exercise
from ecslab.teach.quiz import Quiz
from ecslab.widgets.exercise import ExerciseWidget
from ecslab.widgets.quiz import QuizWidget

from ..teach.samples import SAMPLE

BANK = load_bank(SAMPLE)


@pytest.fixture
def progress():
    with Progress(":memory:") as opened:
        yield opened


@pytest.fixture
def quiz(progress):
    return QuizWidget(Quiz("Sample", BANK.topic("sample"), progress, seed=1), "Quiz: Sample.")


def press(widget, **message):
    widget._handle_custom_msg(message, [])


def at(widget, question_id):
    place = [step.body.id for step in widget.quiz.steps].index(question_id)
    press(widget, do="go", place=place)
    return place


def answer(widget, question_id, answer_in_file, **more):
    place = at(widget, question_id)
    press(widget, do="answer", place=place, picked=widget.quiz.steps[place].shown.to_places(answer_in_file), **more)


def test_nothing_about_the_key_reaches_the_front_end_before_an_answer(quiz):
    for step in quiz.quiz.steps:
        at(quiz, step.body.id)
        sent = json.dumps(quiz.get_state("view"))
        assert quiz.view["step"]["result"] is None
        assert '"correct"' not in sent and '"why"' not in sent and "explanation" not in sent
        assert not any(option.why in sent for option in step.body.options)


def test_after_an_answer_every_option_has_its_reason_in_the_order_shown(quiz):
    place = at(quiz, "sample.single")
    shown = quiz.view["step"]["choices"]
    answer(quiz, "sample.single", "b")
    result = quiz.view["step"]["result"]
    assert [line["text"] for line in result["lines"]] == shown
    assert all(line["why"] for line in result["lines"])
    assert quiz.view["marks"][place] == "wrong"
    assert result["reference"]["checked"] == "2026-11-23"


def test_an_answer_is_recorded_with_its_time_and_confidence(quiz, progress):
    answer(quiz, "sample.multiple", ["a", "b"], seconds=12.34, confidence="sure")
    kept = progress.latest_answers()["sample.multiple"]
    assert (kept.choice, kept.correct, kept.seconds, kept.confidence) == (["a", "b"], True, 12.34, "sure")


def test_an_unreadable_answer_is_told_and_not_recorded(quiz, progress):
    place = at(quiz, "sample.multiple")
    press(quiz, do="answer", place=place, picked=[0])
    assert quiz.view["message"] == "Choose exactly 2 options; 1 chosen."
    assert quiz.view["marks"][place] == "open"
    assert progress.answers() == []


@pytest.mark.parametrize(
    "message",
    [
        {}, {"do": "dance"}, {"do": "go", "place": 99}, {"do": "go", "place": -1}, {"do": "go", "place": "0"},
        {"do": "answer", "place": 0}, {"do": "answer", "place": 0, "picked": {"a": 1}}, {"do": "answer", "place": 0, "picked": "x" * 200_000},
        {"do": "answer", "place": 0, "picked": [10**9]}, {"do": "answer", "place": 9, "picked": 0},
    ],
)
def test_a_message_that_makes_no_sense_changes_no_answer(quiz, progress, message):
    press(quiz, **message)
    assert progress.answers() == []
    assert set(quiz.view["marks"]) == {"open"}


def test_show_me_is_offered_after_an_answer_and_plays_the_proof_once(quiz, monkeypatch):
    played, sent, done = [], [], threading.Event()

    def replay(question_id):
        played.append(question_id)
        yield "ran 5 minutes: 3 tasks"
        done.set()

    place = at(quiz, "sample.single")
    monkeypatch.setattr("ecslab.widgets._question.has_proof", lambda question_id: True)
    monkeypatch.setattr("ecslab.widgets._question.replay", replay)
    monkeypatch.setattr(quiz, "send", sent.append)
    press(quiz, do="show", place=place)
    assert (quiz.view["step"]["proof"], played) == (None, [])
    press(quiz, do="answer", place=place, picked=0)
    assert quiz.view["step"]["proof"] == {"lines": [], "begun": False}
    press(quiz, do="show", place=place)
    press(quiz, do="show", place=place)
    assert done.wait(10)
    press(quiz, do="go", place=place)
    assert quiz.view["step"]["proof"] == {"lines": ["ran 5 minutes: 3 tasks"], "begun": True}
    assert played == [quiz.view["step"]["id"]]
    assert sent == [{"shown": played[0], "line": "ran 5 minutes: 3 tasks"}]


def test_the_end_shows_the_score_and_offers_the_missed_questions(quiz):
    answer(quiz, "sample.single", "a")
    press(quiz, do="go", place=9)
    assert quiz.view["step"] is None and quiz.view["score"] == "1 of 9 right" and quiz.view["missed"] == 7
    press(quiz, do="again")
    assert quiz.view["count"] == 8 and quiz.view["place"] == 0


def test_markup_in_a_learners_document_stays_text(quiz):
    document = BANK["sample.fix-json"].document.replace('"web",\n', '"<img src=x onerror=alert(1)>",\n', 1)
    answer(quiz, "sample.fix-json", document)
    assert "<img" not in json.dumps(quiz.view["step"]["result"])


def test_answers_from_many_threads_are_recorded_once_each(quiz, progress):
    place = at(quiz, "sample.single")
    presses = [threading.Thread(target=press, args=(quiz,), kwargs={"do": "answer", "place": place, "picked": n % 4}) for n in range(12)]
    for one in presses:
        one.start()
    for one in presses:
        one.join(30)
    assert len(progress.answers("sample.single")) == 1


def test_a_failure_behind_a_press_is_told_in_the_widget(quiz, progress):
    progress.close()
    answer(quiz, "sample.single", "a")
    assert quiz.view["message"].startswith("This did not work: ProgrammingError")


def test_the_text_form_has_no_ids(quiz):
    data, _ = quiz._repr_mimebundle_()
    assert data["text/plain"] == repr(quiz) == "Quiz: Sample."
    assert quiz.model_id not in data["text/plain"]


class Region:
    running = 2

    def client(self, name):
        return self


@pytest.fixture
def exercise(progress):
    one = Exercise(
        "services.count", "03-services", "Three tasks", "Run **three** <b>tasks</b>.", ("a", "b", "c", "d"),
        lambda aws: [Saw(aws.ecs.running == 3, f"{aws.ecs.running} tasks", "3 tasks", "describe_services")],
        "A `promise`.", lambda aws: setattr(aws.ecs, "running", 2),
    )
    lab = Lab("03-services", Region(), store=progress)
    lab._exercises = {one.id: one}
    return ExerciseWidget(lab, one)


def test_a_check_shows_what_it_saw_and_explains_after_a_pass(exercise):
    press(exercise, do="check")
    assert exercise.view["verdict"] == {
        "passed": False, "saw": [{"ok": False, "saw": "2 tasks", "wanted": "3 tasks", "where": "describe_services"}],
    }
    assert exercise.view["explanation"] == "" and not exercise.view["done"]
    exercise._lab.region.running = 3
    press(exercise, do="check")
    assert exercise.view["explanation"] == "<p>A <code>promise</code>.</p>\n" and exercise.view["done"]


def test_hints_come_one_more_with_each_press_and_are_counted(exercise, progress):
    for _ in range(2):
        press(exercise, do="hint")
    assert [hint["kind"] for hint in exercise.view["hints"]] == ["nudge", "idea"]
    press(exercise, do="check")
    assert progress.attempts()[0].hints == 2


def test_hints_not_taken_are_not_sent(exercise):
    assert exercise.view["hints"] == [] and "<p>d</p>" not in json.dumps(exercise.view)


def test_reset_puts_everything_back(exercise):
    exercise._lab.region.running = 3
    press(exercise, do="hint")
    press(exercise, do="check")
    press(exercise, do="reset")
    assert exercise._lab.region.running == 2
    assert exercise.view["hints"] == [] and exercise.view["verdict"] is None
    assert exercise.view["message"] == "services.count: put back to its start."


def test_a_new_widget_shows_the_hints_and_the_pass_of_before(exercise):
    exercise._lab.region.running = 3
    press(exercise, do="hint")
    press(exercise, do="check")
    later = ExerciseWidget(exercise._lab, exercise._exercise)
    assert later.view["done"] and len(later.view["hints"]) == 1


def test_markdown_of_a_task_is_rendered_and_html_in_it_is_not(exercise):
    assert exercise.view["task"] == "<p>Run <strong>three</strong> &lt;b&gt;tasks&lt;/b&gt;.</p>\n"
