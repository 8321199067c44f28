"""The lab's calls in text form: the same words on every run, and everything recorded."""
import pytest

import ecslab.teach.lab as lab_module
from ecslab.teach import Lab, Progress, Saw, load_bank, open_lab
from ecslab.teach.exercise import Exercise
from ecslab.teach.mistakes import Mistake

from .samples import SAMPLE

HINTS = ("Look at the count.", "The count is a promise.", "Set it.", "Set it to 3.")


class Region:
    """Stands for a region: a number of running tasks that a reset puts back."""

    running = 2

    def client(self, name):
        return self


@pytest.fixture
def lab():
    def check(aws):
        return [Saw(aws.ecs.running == 3, f"{aws.ecs.running} tasks running", "3 tasks running", "describe_services")]

    def reset(aws):
        aws.ecs.running = 2

    made = Lab("03-services", Region(), store=Progress(":memory:"))
    exercises = [
        Exercise("services.count", "03-services", "Three tasks", "Run **three** tasks.", HINTS, check, "A promise.", reset),
        Exercise("services.other", "03-services", "Another", "Look.", HINTS, lambda aws: [], "Seen."),
        Exercise("concepts.first", "01-concepts", "Elsewhere", "Look.", HINTS, lambda aws: [], "Seen."),
    ]
    made._exercises = {one.id: one for one in exercises}
    made.bank = load_bank(SAMPLE)
    return made


def test_an_exercise_shows_its_task_and_the_calls_that_go_with_it(lab, capsys):
    lab.exercise("services.count")
    assert capsys.readouterr().out == (
        "Exercise services.count: Three tasks\n\n"
        "  Run **three** tasks.\n\n"
        "lab.check('services.count') checks it, lab.hint('services.count') helps, lab.reset('services.count') starts over.\n"
    )


def test_a_check_tells_records_and_explains_after_a_pass(lab, capsys):
    lab.check("services.count")
    lab.region.running = 3
    lab.check("services.count")
    told = capsys.readouterr().out
    assert told == (
        "services.count: not yet\n"
        "  ✗ saw 2 tasks running; wanted 3 tasks running\n"
        "    look at describe_services\n"
        "services.count: passed\n"
        "  ✓ saw 3 tasks running\n\n"
        "  A promise.\n"
    )
    assert [attempt.passed for attempt in lab.store.attempts("services.count")] == [False, True]


def test_hints_open_one_by_one_and_stay_at_the_solution(lab, capsys):
    for _ in range(5):
        lab.hint("services.count")
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Hint")]
    assert [head.split("(")[1] for head in heads] == ["nudge):", "idea):", "near-solution):", "solution):", "solution):"]
    lab.check("services.count")
    assert lab.store.attempts()[0].hints == 4


def test_a_hint_can_be_asked_for_by_its_number(lab, capsys):
    lab.hint("services.count", 2)
    assert capsys.readouterr().out == "Hint 2 of 4 for services.count (idea):\n  The count is a promise.\n"
    with pytest.raises(Mistake, match="from 1 to 4"):
        lab.hint("services.count", 5)


def test_reset_puts_the_region_back_and_closes_the_hints(lab, capsys):
    lab.region.running = 3
    lab.hint("services.count")
    lab.reset("services.count")
    assert lab.region.running == 2
    assert lab.hints_taken("services.count") == 0
    assert capsys.readouterr().out.endswith("services.count: put back to its start.\n")


def test_exercises_lists_those_of_this_lab_and_which_are_passed(lab, capsys):
    lab.region.running = 3
    lab.attempt("services.count")
    lab.exercises()
    assert capsys.readouterr().out == "  ✓ passed   services.count  Three tasks\n  · to do    services.other  Another\n"


def test_judging_records_nothing(lab):
    assert not lab.judge("services.count").passed
    assert lab.store.attempts() == []


def test_an_unknown_exercise_is_answered_with_those_there_are(lab):
    with pytest.raises(Mistake, match="no exercise 'services.cuont'. Those of this lab are: services.count, services.other"):
        lab.check("services.cuont")


def test_a_mistake_is_told_without_a_traceback():
    assert Mistake("One.\nTwo.")._render_traceback_() == ["One.", "Two."]


def test_a_question_is_asked_and_answered_in_text(lab, capsys):
    lab.ask("sample.single", seed=3)
    asked = capsys.readouterr().out
    letter = next(line.strip()[0] for line in asked.splitlines() if line.endswith("It starts one new task"))
    lab.answer("sample.single", letter, seed=3)
    told = capsys.readouterr().out
    assert told.startswith("sample.single: right\n")
    assert "a task is replaced, not restarted" in told
    assert lab.store.latest_answers()["sample.single"].correct


def test_a_scenario_is_asked_part_by_part(lab, capsys):
    lab.ask("sample.scenario.2")
    assert capsys.readouterr().out.startswith("sample.scenario.2\nA service with `desiredCount` 10")
    with pytest.raises(Mistake, match="Its parts are: sample.scenario.1, sample.scenario.2"):
        lab.ask("sample.scenario")


def test_a_quiz_has_a_text_form_and_every_sitting_is_shuffled_anew(lab, capsys):
    lab.quiz("sample", n=3)
    assert capsys.readouterr().out == "Quiz: Sample, 3 questions. In a terminal: ecslab quiz sample\n"
    assert lab.sitting("sample").seed != lab.sitting("sample").seed
    assert lab.sitting("sample", seed=7).seed == 7


def test_progress_is_printed_for_everything_there_is(lab, capsys):
    lab.progress()
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()] == ["topic", "services", "concepts", "sample"]
    assert "0 of 8" in told


def test_a_store_that_can_not_be_opened_does_not_stop_the_lab(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ECSLAB_HOME", str(tmp_path / "file"))
    lab = Lab("03-services", Region())
    lab.store.record_attempt("a.b", True)
    assert lab.store.passed() == {"a.b"}
    assert "Until then progress is kept for this session only." in capsys.readouterr().out


@pytest.fixture
def started(monkeypatch):
    """Stand in for the region's start, and note how it was called."""
    import sys
    from types import ModuleType, SimpleNamespace

    calls = []

    def start(engine, **options):
        calls.append((engine, options))
        return SimpleNamespace(engine=SimpleNamespace(name="simulated"), client=None)

    module = ModuleType("ecslab.region")
    module.start = start
    module.choose_engine = lambda engine: (engine, "")
    monkeypatch.setitem(sys.modules, "ecslab.region", module)
    monkeypatch.setattr(lab_module, "lab_names", lambda: ["03-services"])
    return calls


def test_opening_a_lab_says_which_engine_it_found_in_one_line(started, capsys):
    lab = open_lab("03-services", seed=4)
    told = capsys.readouterr().out
    assert told.startswith("Lab 03-services. Engine: simulated: no containers, virtual time")
    assert told.count("\n") == 1
    assert lab.name == "03-services"


def test_on_docker_a_lab_runs_ten_times_as_fast_as_the_clock_on_the_wall(started):
    open_lab("03-services", engine="docker")
    open_lab("03-services", engine="docker", speed=2)
    open_lab("03-services", engine="simulated")
    assert started == [("docker", {"speed": 10.0}), ("docker", {"speed": 2}), ("simulated", {})]



def test_an_unknown_lab_is_answered_with_those_there_are(started):
    with pytest.raises(Mistake, match="no lab '3'. Labs are: 03-services"):
        open_lab("3")
    assert started == []


def test_a_question_without_a_proof_can_not_be_shown(lab):
    with pytest.raises(Mistake, match="nothing to show for 'no.such'"):
        lab.show("no.such")


def test_a_question_is_shown_in_a_region_of_its_own(lab, capsys):
    lab.show("services.stop-one-task")
    told = capsys.readouterr().out
    assert told.startswith("The service runs 3 tasks.\n") and told.endswith("This is what the key says.\n")
    assert lab.region.running == 2
