"""Lab 03 as a learner meets it in a browser: run, the board, the quiz by keyboard, and tomorrow."""
import shutil

import pytest
from playwright.sync_api import expect

from ecslab.teach import Progress

from .jupyterlab import CHECKOUT, browser_page, jupyterlab, open_notebook

LAB = "03-services.ipynb"
WHOLE_LAB_MS = 180_000
NOTEBOOK = "[...jupyterapp.shell.widgets('main')].find(w => w.content && w.content.widgets)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The learner's notebook, run from top to bottom. The tests go on from there, in their order."""
    folder = tmp_path_factory.mktemp("learner")
    shutil.copytree(CHECKOUT / "labs" / "images", folder / "images")
    shutil.copy(CHECKOUT / "labs" / LAB, folder)
    with jupyterlab(folder, ECSLAB_ENGINE="simulated") as address, browser_page() as page:
        open_notebook(page, address.format(LAB))
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(
            f"{NOTEBOOK}.content.widgets.filter(c => c.model.type === 'code').every(c => c.model.executionCount !== null)",
            timeout=WHOLE_LAB_MS,
        )
        page.get_by_text("| Idle").wait_for(timeout=WHOLE_LAB_MS)
        yield page, folder


def bring(page, selector: str):
    """Scroll the notebook until the widget is drawn, and return it."""
    kind = {".ecslab-quiz": "lab.quiz(", ".ecslab-board": "lab.board("}[selector]
    page.evaluate(
        f"start => {{ const n = {NOTEBOOK}.content;"
        " n.scrollToItem(n.widgets.findIndex(c => c.model.sharedModel.source.startsWith(start))); }",
        kind,
    )
    panel = page.locator(selector).first
    panel.wait_for()
    return panel


def test_the_board_shows_every_running_task_in_its_lane(lab):
    page, _ = lab
    board = bring(page, ".ecslab-board")
    running = board.locator(".ecslab-lane-RUNNING .ecslab-card")
    running.first.wait_for()
    expect(board.locator(".ecslab-lane-RUNNING .ecslab-count")).to_have_text(str(running.count()))  # a moment after the cards
    assert running.count() > 0
    assert "simulated" in board.locator("header").inner_text()


def press_until(page, label: str) -> None:
    """Tab to the button of this name and press it."""
    for _ in range(60):
        if page.evaluate("document.activeElement.textContent.trim()") == label:
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reached {label}")


def answer(page, quiz) -> None:
    """Any answer, by keyboard, to whatever kind of question stands there."""
    quiz.locator("h3").focus()
    page.keyboard.press("Tab")
    if quiz.locator("input[type=number]").count():
        page.keyboard.type("1")
    elif quiz.locator("input[type=radio]").count():
        page.keyboard.press("Space")
    for _ in range(3 if "Choose three" in quiz.inner_text() else 2 if quiz.locator("input[type=checkbox]").count() else 0):
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    for _ in range(quiz.locator("select").count()):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")


def test_the_labs_quiz_is_taken_by_keyboard_alone(lab):
    page, folder = lab
    quiz = bring(page, ".ecslab-quiz")
    for number in (1, 2, 3):
        quiz.locator("h3", has_text=f"question {number} of 15").wait_for()
        answer(page, quiz)
        press_until(page, "Check")
        quiz.locator(".ecslab-verdict").wait_for()
        press_until(page, "Next")
    with Progress(folder / "home" / "progress.sqlite3") as store:
        assert len(store.latest_answers()) == 3


def test_after_the_lid_was_closed_the_progress_is_there(lab):
    page, folder = lab
    with Progress(folder / "home" / "progress.sqlite3") as store:
        before = store.latest_answers().keys()
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function(f"!{NOTEBOOK}.context.model.dirty")
    page.reload()
    page.get_by_text("| Idle").wait_for()
    bring(page, ".ecslab-quiz").locator("h3").wait_for()
    with Progress(folder / "home" / "progress.sqlite3") as store:
        assert store.latest_answers().keys() == before
        assert "services" in store.summary({}, [])
