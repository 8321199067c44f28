"""The exam room seen from Python: what it tells the front end, what a press keeps, and where a new widget goes on."""
import json

import pytest

from ecslab.teach import Progress
from ecslab.teach.blueprint import BLUEPRINTS
from ecslab.teach.exam import exam_door, open_exam
from ecslab.teach.exam_text import door_text
from ecslab.teach.lab import Lab
from ecslab.teach.mistakes import Mistake
from ecslab.widgets.exam import ExamWidget

from ..teach.test_exam import BANK, MORNING, RIGHT, WHOLE, WRONG


class Desk:
    """A learner's store and clock; `widget()` is the room as a new kernel would open it."""

    def __init__(self):
        self.now = MORNING
        self.store = Progress(":memory:", clock=lambda: self.now)

    def widget(self, name="sample", **how):
        return ExamWidget(exam_door(name, store=self.store, **{"bank": BANK, "seed": 1, **how}), "Exam.")

    def begun(self, *args, **how):
        widget = self.widget(*args, **how)
        press(widget, "begin")
        return widget


@pytest.fixture
def desk():
    return Desk()


def press(widget, do, **message):
    widget._handle_custom_msg({"do": do, **message}, [])
    return widget.view


def place_of(widget, body_id):
    return [step.body.id for step in widget.sitting.steps].index(body_id)


def answer(widget, body_id, answers=RIGHT):
    place = place_of(widget, body_id)
    press(widget, "go", place=place)
    return press(widget, "answer", place=place, picked=widget.sitting.steps[place].shown.to_places(answers[body_id]))


def test_nothing_begins_before_begin_is_pressed(desk):
    widget = desk.widget()
    assert widget.view["page"] == "door"
    assert desk.store.keys("exams/") == []
    assert press(widget, "begin")["page"] == "question"
    assert len(desk.store.keys("exams/")) == 1


def test_the_door_tells_questions_time_and_what_is_unscored(desk):
    plan = BLUEPRINTS["ecs-specialist"]
    view = desk.widget("ecs-specialist", bank=WHOLE).view
    assert view["title"] == plan.title and view["last"] is None
    assert view["facts"][:2] == ["65 questions, 15 of them unscored", "130 minutes"]
    assert desk.widget(practice=True).view["facts"][1] == "No time limit"


def test_nothing_about_the_key_reaches_the_front_end_before_the_end(desk):
    widget = desk.begun()
    for body_id in RIGHT:
        view = answer(widget, body_id, WRONG)
        sent = json.dumps(view)
        assert view["step"]["result"] is None and view["step"]["proof"] is None
        assert '"why"' not in sent and "explanation" not in sent and "Right" not in sent


def test_everything_left_at_a_question_is_there_in_a_new_widget_and_nothing_more(desk):
    widget = desk.begun()
    answer(widget, "sample.numeric")
    place = place_of(widget, "sample.single")
    answer(widget, "sample.single")
    press(widget, "flag", place=place, on=True)
    press(widget, "strike", place=place, option=1, on=True)
    press(widget, "note", place=place, text="look again")
    before = press(widget, "confidence", place=place, how="unsure")
    after = desk.widget().view
    assert {name: after[name] for name in before if name != "turn"} == {name: before[name] for name in before if name != "turn"}
    assert (after["place"], after["flagged"], after["struck"], after["note"], after["confidence"]) == (place, True, [1], "look again", "unsure")
    assert after["open"]["answered"] == 2


@pytest.mark.parametrize(
    "body_id, picked, sentence",
    [("sample.multiple", [1], "Choose exactly 2"), ("sample.match", [0, -1, -1, -1], "Pick a match"), ("sample.fix-json", "{", "not JSON yet")],
)
def test_what_is_only_begun_is_kept_said_to_be_and_counts_as_wrong(desk, body_id, picked, sentence):
    widget = desk.begun()
    place = place_of(widget, body_id)
    press(widget, "go", place=place)
    assert sentence in press(widget, "answer", place=place, picked=picked)["message"]
    view = desk.widget().view
    assert (view["picked"], view["marks"][place]["status"]) == (picked, "incomplete")
    assert press(widget, "finish")["marked"][place]["mark"] == "open"


def test_an_answer_is_taken_back_with_null(desk):
    widget = desk.begun()
    place = place_of(widget, "sample.order")
    assert answer(widget, "sample.order")["marks"][place]["status"] == "answered"
    view = press(widget, "answer", place=place, picked=None)
    assert (view["picked"], view["marks"][place]["status"]) == (None, "unanswered")


def test_a_change_keeps_the_page_and_a_step_to_another_question_does_not(desk):
    widget = desk.begun()
    key = widget.view["key"]
    assert press(widget, "flag", place=0, on=True)["key"] == key == press(widget, "look")["key"]
    assert press(widget, "go", place=1)["key"] != key


@pytest.mark.parametrize(
    "message",
    [
        {}, {"do": "fly"}, {"do": ["begin"]}, {"do": "answer"}, {"do": "answer", "place": 99, "picked": 0}, {"do": "go", "place": True},
        {"do": "answer", "place": 0, "picked": {"a": 1}}, {"do": "strike", "place": 0, "option": 77, "on": True},
        {"do": "extend", "minutes": "lots"}, {"do": "extend", "minutes": -5}, {"do": "extend", "minutes": float("nan")}, {"do": "pause"},
        {"do": "note", "place": 0, "text": "x" * 20_000}, {"do": "leave"}, {"do": "show", "place": 0}, {"do": "confidence", "place": 0, "how": [1]},
    ],
)  # fmt: skip
def test_a_press_that_makes_no_sense_changes_nothing_that_is_kept(desk, message):
    widget = desk.begun()
    press(widget, "go", place=0)
    before = widget.sitting.places, widget.sitting.remaining(), widget.view["page"]
    widget._handle_custom_msg(message, [])
    assert (widget.sitting.places, widget.sitting.remaining(), widget.view["page"]) == before
    assert "This did not work" not in widget.view["message"]


def test_presses_before_the_beginning_are_passed_over(desk):
    widget = desk.widget()
    for do in ("go", "answer", "finish", "pause", "review", "look-back"):
        assert press(widget, do, place=0)["page"] == "door"


def test_only_practice_pauses_and_a_paused_room_shows_no_question(desk):
    exam = desk.begun()
    assert "can not pause" in press(exam, "pause")["message"]
    press(exam, "finish")
    widget = desk.begun(practice=True, minutes=10, n=2)
    view = press(widget, "pause")
    assert view["page"] == "paused" and "step" not in view
    desk.now += 600
    resumed = desk.widget(practice=True, minutes=10, n=2)
    assert resumed.view["page"] == "paused"
    assert press(resumed, "go-on")["timer"]["left"] == 600


def test_practice_gives_the_reasons_at_once_and_an_exam_does_not(desk):
    view = answer(desk.begun(practice=True), "sample.single", WRONG)
    assert view["step"]["result"]["correct"] is False and all(line["why"] for line in view["step"]["result"]["lines"])


def test_when_the_time_is_over_there_are_results_or_more_time(desk):
    widget = desk.begun(minutes=10)
    answer(widget, "sample.single")
    desk.now += 601
    assert press(widget, "look")["page"] == "over"
    assert press(widget, "answer", place=0, picked=0)["page"] == "over"
    view = press(widget, "extend", minutes=5)
    assert (view["page"], view["timer"]["left"]) == ("question", 299)
    desk.now += 300
    assert press(desk.widget(minutes=10), "finish")["headline"].startswith("1 of 9")


def test_what_another_window_finished_shows_its_results(desk):
    widget = desk.begun()
    answer(widget, "sample.single")
    press(desk.widget(), "finish")
    view = press(widget, "flag", place=0, on=True)
    assert (view["page"], view["message"]) == ("results", "This sitting is finished.")
    assert view["headline"].startswith("1 of 9")


def test_a_hidden_timer_stays_hidden_in_a_new_widget(desk):
    assert press(desk.begun(), "hide", on=True)["timer"]["hidden"] is True
    assert desk.widget().view["timer"]["hidden"] is True


def test_results_tell_domains_objectives_confidence_time_and_next_labs(desk):
    widget = desk.begun()
    for body_id in RIGHT:
        answer(widget, body_id, WRONG if body_id == "sample.order" else RIGHT)
        press(widget, "confidence", place=widget.view["place"], how="sure")
        desk.now += 7
    view = press(widget, "finish")
    tables = {table["title"]: table["rows"] for table in view["tables"]}
    assert view["headline"] == "7 of 9 scored questions right, 78 % (raw)."
    assert set(tables) == {"By domain", "By objective", "By how sure you were"}
    assert tables["By how sure you were"] == [{"name": "sure", "right": 7, "count": 8, "percent": 88, "each": 7}]
    assert {one["seconds"] for one in view["slowest"]} == {7}
    assert view["estimate"][0].startswith("An estimate, not a score")
    assert view["labs"] == list(widget.results.next_labs()) != []
    assert view["marked"][place_of(widget, "sample.order")]["mark"] == "wrong"


def test_every_question_is_explained_after_the_end_also_those_left_alone(desk):
    widget = desk.begun()
    press(widget, "finish")
    for place in range(len(widget.sitting)):
        view = press(widget, "go", place=place)
        assert (view["page"], view["mark"]) == ("explained", "open")
        assert view["step"]["result"]["lines"] and view["step"]["result"]["explanation"] and view["step"]["result"]["answer"] == ""


def test_the_results_are_there_again_at_the_door_of_a_new_widget(desk):
    widget = desk.begun()
    answer(widget, "sample.single")
    ended = press(widget, "finish")
    again = desk.widget()
    assert again.view["last"] == ended["headline"]
    assert press(again, "look-back")["marked"] == ended["marked"]
    assert press(again, "leave")["page"] == "door"


def test_show_me_is_offered_only_where_there_is_a_result(desk, monkeypatch):
    played = []
    monkeypatch.setattr("ecslab.widgets._question.has_proof", lambda question_id: True)
    monkeypatch.setattr("ecslab.widgets._question.replay", lambda question_id: played.append(question_id) or iter(()))
    widget = desk.begun()
    press(widget, "show", place=0)
    assert (widget.view["step"]["proof"], played) == (None, [])
    press(widget, "finish")
    press(widget, "go", place=0)
    assert widget.view["step"]["proof"] == {"lines": [], "begun": False}
    press(widget, "show", place=0)
    assert widget.view["step"]["proof"]["begun"] is True


def test_an_exam_under_way_keeps_another_of_its_kind_from_beginning(desk):
    desk.begun()
    view = press(desk.widget(n=3), "begin")
    assert view["page"] == "door" and "is under way" in view["message"]


def test_a_short_form_asks_so_many_questions_in_their_share_of_the_time():
    store = Progress(":memory:")
    sitting = open_exam("ecs-specialist", 3, n=5, store=store, bank=WHOLE)
    assert len(sitting) == 5 and 599 < sitting.remaining() <= 600
    assert sitting.title == "ECS specialist (5)"
    assert sitting.finish().total.count == 5
    for n in (0, 66):
        with pytest.raises(Mistake, match="1 to 65 questions"):
            exam_door(n=n, store=store, bank=WHOLE)


def test_lab_exam_prints_what_would_be_sat_and_refuses_what_there_is_not(capsys):
    lab = Lab("20-exam", None, store=Progress(":memory:"))
    lab.exam(n=5, practice=True)
    assert capsys.readouterr().out == (
        "Practice: ECS specialist (5). 5 questions, no time limit. In a terminal: ecslab exam ecs-specialist -n 5 --practice\n"
    )
    with pytest.raises(Mistake, match="There is no exam"):
        lab.exam("AZ-900")
    with pytest.raises(Mistake, match="Minutes are more than 0"):
        lab.exam(minutes=0)


def test_the_text_form_has_nothing_that_changes_between_runs(desk):
    door = exam_door(store=desk.store, bank=WHOLE)
    assert repr(ExamWidget(door, door_text(door))) == (
        "Exam: ECS specialist. 65 questions, 15 of them unscored, 130 minutes. In a terminal: ecslab exam ecs-specialist"
    )
