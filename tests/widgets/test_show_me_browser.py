"""Show me in a real JupyterLab, by keyboard: the lines of a proof appear in the card and are read out."""
from .jupyterlab import browser_page, jupyterlab, open_notebook, write_notebook

QUIZ = """
from ecslab.teach import Progress, load_bank
from ecslab.teach.quiz import Quiz
from ecslab.widgets.quiz import QuizWidget

bank = load_bank()
QuizWidget(Quiz("Services", [bank["services.stop-one-task"]], Progress(), seed=1), "Quiz: 1 question.")
"""


def test_show_me_plays_the_proof_into_a_log_that_is_read_out(tmp_path):
    write_notebook(tmp_path / "quiz.ipynb", QUIZ)
    with jupyterlab(tmp_path) as address, browser_page() as page:
        open_notebook(page, address.format("quiz.ipynb"))
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        quiz = page.locator(".ecslab-quiz")
        quiz.get_by_role("radio").first.check()
        assert quiz.get_by_role("button", name="Show me").count() == 0
        quiz.get_by_role("button", name="Check").press("Enter")
        quiz.get_by_role("button", name="Show me").press("Enter")
        log = quiz.get_by_role("log")
        log.get_by_text("This is what the key says.").wait_for(timeout=60_000)
        assert "The service runs 3 tasks." in log.inner_text()
        assert log.get_attribute("aria-live") == "polite"
        assert page.evaluate("document.activeElement.getAttribute('role')") == "log"
