"""The quiz and the exercise in a real JupyterLab, by keyboard alone, in Chromium."""
import json
import re

import pytest

from ecslab.teach import Progress
from ecslab.teach.shown import show

from ..teach.samples import SAMPLE
from ..teach.test_scoring import BANK
from .jupyterlab import browser_page, jupyterlab, open_notebook, write_notebook

IDS = ("sample.single", "sample.multiple", "sample.order", "sample.numeric")
QUIZ = f"""
from ecslab.teach import Lab, Progress, Saw, load_bank
from ecslab.teach.exercise import Exercise
from ecslab.teach.quiz import Quiz
from ecslab.widgets.exercise import ExerciseWidget
from ecslab.widgets.quiz import QuizWidget

class Region:
    def client(self, name):
        return self

store = Progress()
bank = load_bank({str(SAMPLE)!r})
quiz = Quiz("Sample", [bank[name] for name in {IDS!r}], store, seed=1)
QuizWidget(quiz, "Quiz: Sample, 4 questions.")
"""
EXERCISE = """
lab = Lab("03-services", Region(), store=store)
one = Exercise("services.count", "03-services", "Three tasks", "Run three.", ("a", "b", "c", "d"),
               lambda aws: [Saw(True, "3 tasks", "3 tasks", "describe_services")], "A promise.")
lab._exercises = {one.id: one}
ExerciseWidget(lab, one)
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A page with both widgets on it, the folder it is served from, and every error of the widgets' own scripts.

    The tests below go through it in their order, as one learner would.
    """
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "quiz.ipynb", QUIZ, EXERCISE, "last = 1")
    with jupyterlab(folder) as address, browser_page() as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(error.stack) if "blob:" in (error.stack or "") else None)
        open_notebook(page, address.format("quiz.ipynb"))
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.locator(".ecslab-quiz").wait_for()
        page.locator(".ecslab-exercise").wait_for()
        page.get_by_text("[3]:").first.wait_for()  # until all cells ran, JupyterLab moves the focus itself
        page.get_by_text("| Idle").wait_for()
        yield page, folder, errors


def heading(page):
    return page.locator(".ecslab-quiz h3").inner_text()


def wait_for_heading(page, text):
    page.locator(".ecslab-quiz h3", has_text=re.compile(text)).wait_for()


def focused(page):
    return page.evaluate("(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || '').trim()")


def tab_to(page, label, key="Tab"):
    """Press Tab until the element of this name has focus. Bounded: a page has few stops."""
    for _ in range(40):
        if focused(page).startswith(label):
            return
        page.keyboard.press(key)
    raise AssertionError(f"Tab never reached {label!r}; it stands on {focused(page)!r}")


def cells(page):
    return page.evaluate("jupyterapp.shell.currentWidget.content.model.cells.length")


def into_first_choice(page):
    """From the heading, Tab goes to the first thing that can be answered."""
    page.locator(".ecslab-quiz h3").focus()
    page.keyboard.press("Tab")


def shown(question_id):
    return show(BANK[question_id], 1)


def order_of_ids():
    from ecslab.teach.quiz import Quiz

    return [step.body.id for step in Quiz("Sample", [BANK[name] for name in IDS], None, seed=1).steps]


def answer_single(page):
    for _ in range(shown("sample.single").to_places("a")):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")


def answer_multiple(page):
    places = shown("sample.multiple").to_places(["a", "b"])
    for place in range(5):
        if place in places:
            page.keyboard.press("Space")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def answer_numeric(page):
    page.keyboard.type("2")
    page.keyboard.press("Enter")


def answer_order(page):
    """Bring each state up to its place by its own button."""
    states = [item.text for item in BANK["sample.order"].items]
    for place, state in enumerate(states):
        for _ in range(len(states)):
            here = [item.split()[-1] for item in page.locator(".ecslab-order li").all_inner_texts()].index(state)
            if here == place:
                break
            page.locator(".ecslab-quiz h3").focus()
            tab_to(page, f"Move up: {state}")
            page.keyboard.press("Enter")
    tab_to(page, "Check")
    page.keyboard.press("Enter")


ANSWERS = {"single": answer_single, "multiple": answer_multiple, "numeric": answer_numeric, "order": answer_order}


def test_shortcuts_typed_on_a_quiz_do_not_touch_the_notebook(opened):
    page, _, _ = opened
    before = cells(page)
    stops = page.locator(".ecslab-panel :is(button, input, select, textarea, a, [tabindex])")
    assert stops.count() > 8
    for index in range(stops.count()):
        if stops.nth(index).is_enabled():
            stops.nth(index).focus()
            for key in ("b", "a", "d", "d", "x", "m"):
                page.keyboard.press(key)
    assert cells(page) == before == 3
    assert page.evaluate("jupyterapp.shell.currentWidget.content.model.cells.get(0).type") == "code"


def test_every_thing_that_takes_focus_carries_the_attribute_itself(opened):
    page, _, _ = opened
    bare = page.locator(
        ".ecslab-panel :is(button, input, select, textarea, a, summary, [tabindex]):not([data-lm-suppress-shortcuts='true'])"
    )
    assert page.locator(".ecslab-panel button").count() > 3
    assert bare.count() == 0


def test_a_quiz_is_answered_by_keyboard_alone_and_recorded(opened):
    page, folder, errors = opened
    ids = order_of_ids()
    for place, question_id in enumerate(ids, 1):
        wait_for_heading(page, f"question {place} of 4")
        into_first_choice(page)
        ANSWERS[BANK[question_id].type](page)
        page.locator(".ecslab-verdict").wait_for()
        assert page.locator(".ecslab-verdict").inner_text() == "Right.", question_id
        assert page.locator(".ecslab-quiz [role=status]").inner_text().startswith("Right.")
        page.wait_for_function("['Next', 'Result'].includes(document.activeElement.textContent)")
        page.keyboard.press("Enter")
    wait_for_heading(page, "result")
    assert page.locator(".ecslab-total").inner_text() == "4 of 4 right."
    with Progress(folder / "home" / "progress.sqlite3") as store:
        kept = store.latest_answers()
    assert set(kept) == set(ids) and all(answer.correct for answer in kept.values())
    assert all(0 < answer.seconds < 600 for answer in kept.values())
    assert errors == []


def test_an_exercise_is_checked_hinted_and_reset_by_keyboard(opened):
    page, _, _ = opened
    panel = page.locator(".ecslab-exercise")
    panel.get_by_role("button", name="Check").focus()
    page.keyboard.press("Enter")
    panel.get_by_text("A promise.").wait_for()
    tab_to(page, "Hint (1 of 4)")
    page.keyboard.press("Enter")
    panel.get_by_text("Hint 1, nudge").wait_for()
    panel.get_by_role("button", name="Check").focus()
    tab_to(page, "Reset")
    page.keyboard.press("Enter")
    assert focused(page) == "Keep"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    panel.get_by_text("hints closed").wait_for()
    assert panel.get_by_text("Hint 1, nudge").count() == 0


def test_after_a_reload_the_quiz_stands_where_it_was(opened):
    page, folder, errors = opened
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    wait_for_heading(page, "result")
    assert page.locator(".ecslab-total").inner_text() == "4 of 4 right."
    saved = json.loads((folder / "quiz.ipynb").read_text())
    assert saved["cells"][0]["outputs"][0]["data"]["text/plain"] == ["Quiz: Sample, 4 questions."]
    assert errors == []
