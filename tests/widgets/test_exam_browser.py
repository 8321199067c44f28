"""A whole exam in a real JupyterLab, by keyboard alone, in Chromium, with a kernel restart in the middle."""
import re

import pytest

from ecslab.teach import Progress
from ecslab.teach.exam import open_exam, past_exams, resume_exam
from ecslab.teach.shown import show

from ..teach.samples import SAMPLE
from ..teach.test_exam import BANK, RIGHT, WRONG
from .jupyterlab import browser_page, jupyterlab, open_notebook, write_notebook

SEED = 1
EXAM = f"""
from pathlib import Path
from ecslab.teach import Progress, load_bank
from ecslab.teach.exam import exam_door
from ecslab.teach.exam_text import door_text
from ecslab.widgets.exam import ExamWidget

ahead = [0]  # seconds by which the exam's clock is ahead of the wall's
store = Progress()
door = exam_door("sample", {SEED}, 60, store=store, bank=load_bank(Path({str(SAMPLE)!r})), clock=lambda: store.now() + ahead[0])
room = ExamWidget(door, door_text(door))
room
"""
LATER = "ahead[0] += 51 * 60\nroom.draw()"
COMMANDS = "jupyterapp.commands.execute"
ORDER = [step.body.id for step in open_exam("sample", SEED, store=Progress(":memory:"), bank=BANK).steps]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A page with the exam's door on it, its folder, and every error. The tests below go through it in their order."""
    folder = tmp_path_factory.mktemp("exam")
    write_notebook(folder / "exam.ipynb", EXAM, LATER)
    with jupyterlab(folder) as address, browser_page() as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(error.stack) if "blob:" in (error.stack or "") else None)
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" and "blob:" in str(said.location) else None)
        open_notebook(page, address.format("exam.ipynb"))
        run_first_cell(page)
        yield page, folder, errors


def run_first_cell(page):
    """Run the cell of the exam and wait until JupyterLab has left the focus alone."""
    page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    page.evaluate(f"{COMMANDS}('notebook:run-cell')")
    page.locator(".ecslab-exam h3").wait_for()
    page.get_by_text("| Idle").wait_for()


def store_of(folder):
    return Progress(folder / "home" / "progress.sqlite3")


def kept(folder):
    """The places of the sitting as they are on disk, by question."""
    with store_of(folder) as store:
        sitting = resume_exam(store=store, bank=BANK)
        return {step.body.id: place for step, place in zip(sitting.steps, sitting.places)}


def comes_to_be_kept(page, folder, body_id, **expected):
    """A note is sent when its field is left; the kernel writes it down a moment after. Ten seconds at most."""
    for _ in range(100):
        place = kept(folder)[body_id]
        found = {name: getattr(place, name) for name in expected}
        if found == expected:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"kept: {found}, not {expected}")


def wait_for_heading(page, text):
    page.locator(".ecslab-exam h3", has_text=re.compile(text)).wait_for()


def focused(page):
    return page.evaluate(
        "(e => e.getAttribute('aria-label') || (e.labels && e.labels[0] ? e.labels[0].textContent : '') || e.textContent || '')"
        "(document.activeElement).trim()"
    )


def tab_to(page, label, key="Tab"):
    """Press Tab until the element of this name has focus. Bounded: a page has few stops."""
    for _ in range(60):
        if focused(page).startswith(label):
            return
        page.keyboard.press(key)
    raise AssertionError(f"Tab never reached {label!r}; it stands on {focused(page)!r}")


def press_button(page, label):
    """From the heading, where every page begins, to a button; then Enter."""
    page.locator(".ecslab-exam h3").focus()
    tab_to(page, label)
    page.keyboard.press("Enter")


def shown(body_id):
    return show(next(body for question in BANK for body in question.steps() if body.id == body_id), SEED)


def into_the_answer(page):
    page.locator(".ecslab-exam h3").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('fieldset')"):
            return
    raise AssertionError("Tab never reached the answer")


def choose_one(page, body_id, answer):
    """Space takes the first option; the arrows go on from there."""
    page.keyboard.press("Space")
    for _ in range(shown(body_id).to_places(answer)):
        page.keyboard.press("ArrowDown")


def choose_some(page, body_id, answer):
    """Each option is two stops: itself, and Strike out."""
    places = shown(body_id).to_places(answer)
    for place in range(max(places) + 1):
        if place in places:
            page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")


def type_number(page, _, answer):
    page.keyboard.type(f"{answer:g}")


def put_in_order(page, body_id, _):
    for place, item in enumerate(BANK[body_id].items):
        for _ in range(len(BANK[body_id].items)):
            texts = [row.split()[-1] for row in page.locator(".ecslab-order li").all_inner_texts()]
            if texts.index(item.text) == place:
                break
            into_the_answer(page)
            tab_to(page, f"Move up: {item.text}")
            page.keyboard.press("Enter")


def match_all(page, body_id, answer):
    for place in shown(body_id).to_places(answer):
        page.keyboard.press("Home")
        for _ in range(place + 1):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")


ANSWERERS = {
    "single": choose_one, "read-events": choose_one, "multiple": choose_some, "numeric": type_number, "order": put_in_order,
    "match": match_all,
}  # fmt: skip


def answer(page, body_id, answers=RIGHT):
    into_the_answer(page)
    ANSWERERS[shown(body_id).body.type](page, body_id, answers[body_id])


def is_open(page, body_id):
    wait_for_heading(page, f"question {ORDER.index(body_id) + 1} of 9")


def by_navigator(page, body_id):
    """The first stop after the heading; Home and the arrows go through it, Enter goes there."""
    page.locator(".ecslab-exam h3").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert focused(page).startswith("Question 1,")
    for _ in range(ORDER.index(body_id)):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    is_open(page, body_id)


def test_the_exam_begins_by_keyboard_and_its_time_is_no_live_region(opened):
    page, _, _ = opened
    press_button(page, "Begin")
    wait_for_heading(page, "question 1 of 9")
    assert page.evaluate("document.activeElement.tagName") == "H3"
    timer = page.get_by_role("timer")
    assert re.fullmatch(r"(59:\d\d|1:00:00) left", timer.inner_text())
    assert timer.get_attribute("aria-live") == "off" and page.locator("[aria-live=polite] [role=timer]").count() == 0


def test_each_thing_that_takes_focus_keeps_its_keys_from_the_notebook(opened):
    page, _, _ = opened
    stops = ".ecslab-exam :is(button, input, select, textarea, a, summary, [tabindex])"
    assert page.locator(stops).count() > 15
    assert page.locator(f"{stops}:not([data-lm-suppress-shortcuts='true'])").count() == 0


def test_half_of_the_exam_is_answered_flagged_struck_out_and_noted_by_keyboard(opened):
    page, folder, _ = opened
    for place, body_id in enumerate(ORDER[:5]):
        is_open(page, body_id)
        if shown(body_id).body.type in ANSWERERS:
            answer(page, body_id)
        if body_id == "sample.single":
            tab_to(page, "How sure?")
            page.keyboard.press("s")  # the first that begins so
        page.locator(".ecslab-exam h3").focus()
        tab_to(page, "Next")
        page.keyboard.press("Enter")
        wait_for_heading(page, f"question {place + 2} of 9")
    left = kept(folder)
    assert {body_id: left[body_id].answer for body_id in ORDER[:5] if body_id in RIGHT} == {
        body_id: RIGHT[body_id] for body_id in ORDER[:5] if body_id in RIGHT
    }
    press_button(page, "⚑ Flag")
    page.wait_for_function("document.activeElement.getAttribute('aria-pressed') === 'true'")
    tab_to(page, "Note")
    page.keyboard.type("count again")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Question 6, not answered, flagged").wait_for()
    page.wait_for_function("document.querySelector('.ecslab-note').value === 'count again'")
    comes_to_be_kept(page, folder, ORDER[5], flagged=True, note="count again")


def test_the_navigator_is_one_stop_and_its_arrows_go_to_any_question(opened):
    page, _, _ = opened
    by_navigator(page, "sample.single")
    assert page.get_by_label("How sure?").input_value() == "sure"
    tab_to(page, "Strike out")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.getAttribute('aria-pressed') === 'true'")
    assert page.locator(".ecslab-struck").count() == 1


def test_after_a_kernel_restart_a_press_says_it_is_not_kept_and_a_new_widget_stands_where_it_was(opened):
    page, folder, errors = opened
    before = kept(folder)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.get_by_text("| Idle").wait_for()
    press_button(page, "⚑ Flag")
    page.locator(".ecslab-exam").get_by_text("Not kept yet: the kernel does not answer.").wait_for()
    run_first_cell(page)
    is_open(page, "sample.single")
    assert page.locator(".ecslab-exam input:checked").count() == 1
    assert page.locator(".ecslab-struck").count() == 1
    assert page.get_by_label("How sure?").input_value() == "sure"
    now = kept(folder)
    assert {name: (place.answer, place.flagged, place.struck, place.note) for name, place in now.items()} == {
        name: (place.answer, place.flagged, place.struck, place.note) for name, place in before.items()
    }
    assert errors == []


def test_ten_minutes_left_are_read_out_once_and_not_the_seconds(opened):
    page, _, _ = opened
    alarm = page.locator(".ecslab-exam > [role=status]")
    assert alarm.inner_text() == ""
    page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    page.evaluate(f"{COMMANDS}('notebook:run-cell')")
    alarm.get_by_text("10 minutes left.").wait_for()
    page.get_by_text("| Idle").wait_for()
    press_button(page, "Hide timer")
    page.get_by_role("button", name="Show timer").wait_for()
    assert page.get_by_role("timer").inner_text() == ""


def test_the_rest_is_answered_and_finished_after_a_confirmation(opened):
    page, _, errors = opened
    for body_id in ORDER[5:]:
        by_navigator(page, body_id)
        if shown(body_id).body.type in ANSWERERS:
            answer(page, body_id, WRONG if body_id == "sample.numeric" else RIGHT)
    press_button(page, "Review and finish")
    wait_for_heading(page, "review")
    tab_to(page, "Finish…")
    page.keyboard.press("Enter")
    assert focused(page) == "Not yet"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    wait_for_heading(page, "results")
    wrong = 1 + ("sample.numeric" in ORDER[5:])  # fix-json was left alone
    assert page.locator(".ecslab-total").inner_text().startswith(f"{9 - wrong} of 9 scored questions right")
    assert errors == []


def test_every_option_is_explained_after_the_end(opened):
    page, folder, errors = opened
    press_button(page, f"Question {ORDER.index('sample.single') + 1}")
    wait_for_heading(page, "explained")
    options = page.get_by_role("list", name="Every option with its reason").get_by_role("listitem")
    assert options.count() == len(BANK["sample.single"].options)
    assert all("\n" in text for text in options.all_inner_texts())
    press_button(page, "All results")
    wait_for_heading(page, "results")
    with store_of(folder) as store:
        assert len(past_exams(store)) == 1
    assert errors == []
