"""A lab: a running region with a teacher beside it.

`lab = open_lab("03-services")` is a lab's first line. Every teaching call
takes an id, shows something, and returns nothing: a widget where there is a
notebook to show it in, plain text everywhere else. The text is the same on
every run of the same steps.
"""
from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import Any

from . import exam, exam_text, incidents, review, text
from .aws import Aws
from .bank import Bank, load_bank
from .exercise import Exercise, Verdict, judge, load_exercises
from .mistakes import Mistake
from .places import content_root
from .progress import Progress, ProgressError
from .quiz import Quiz, Step, open_quiz, steps_of
from .scoring import score
from .shown import as_text

DOCKER_SPEED = 10.0
ENGINES = {
    "docker": "docker: tasks run as real containers",
    "simulated": 'simulated: no containers, virtual time; lab.region.run_for("10m") lets ten minutes pass',
}


def open_lab(name: str, engine: str = "auto", docker_speed: float | None = None, **options: Any) -> "Lab":
    """Start a region and open a lab on it.

    `engine` is "auto", "docker" or "simulated"; with "auto" the variable
    `ECSLAB_ENGINE` decides where it is set. `options` go to `ecslab.start`. On
    Docker the region's time runs ten times as fast as yours, unless `docker_speed`,
    `speed` or the variable `ECSLAB_SPEED` says otherwise; simulated, it stands
    still until it is moved.
    """
    known = lab_names()
    if known and name not in known:
        raise Mistake(f"There is no lab {name!r}. Labs are: {', '.join(known)}.")
    from ecslab.region import choose_engine, start

    if choose_engine(engine)[0] == "docker":
        options.setdefault("speed", docker_speed or float(os.environ.get("ECSLAB_SPEED") or DOCKER_SPEED))
    region = start(engine=engine, **options)
    print(f"Lab {name}. Engine: {ENGINES.get(region.engine.name, region.engine.name)}.")
    return Lab(name, region)


def lab_names() -> list[str]:
    labs = content_root() / "labs"
    return sorted({path.stem for path in [*labs.glob("source/*.py"), *labs.glob("*.ipynb")]})


class Lab:
    """`region` is anything with `client(name)`; `store` is the learner's `Progress`, opened when first needed."""

    def __init__(self, name: str, region: Any, *, store: Progress | None = None):
        self.name = name
        self.region = region
        self._lock = threading.RLock()
        if store:
            self.store = store

    @cached_property
    def store(self) -> Progress:
        try:
            return Progress()
        except ProgressError as error:
            print(f"{error}\nUntil then progress is kept for this session only.")
            return Progress(":memory:")

    @cached_property
    def bank(self) -> Bank:
        return load_bank()

    @cached_property
    def _exercises(self) -> dict[str, Exercise]:
        return dict(load_exercises())

    @cached_property
    def _aws(self) -> Aws:
        return Aws(self.region.client)

    def __repr__(self) -> str:
        return f"<Lab {self.name}>"

    # -- exercises ---------------------------------------------------------

    def exercises(self) -> None:
        """List this lab's exercises and which are passed."""
        print(text.exercises_text(self._mine(), self.store.passed()))

    def exercise(self, exercise_id: str) -> None:
        """Show an exercise, with Check, Hint and Reset."""
        one = self._find(exercise_id)
        _show(lambda: _widget("exercise", "ExerciseWidget")(self, one), text.exercise_text(one))

    def check(self, exercise_id: str) -> None:
        """Check an exercise and record the attempt."""
        print(text.verdict_text(self.attempt(exercise_id)))

    def hint(self, exercise_id: str, level: int | None = None) -> None:
        """Show the next hint: nudge, idea, near-solution, solution. `level` (1 to 4) shows that one."""
        one = self._find(exercise_id)
        if level is not None and not 1 <= level <= len(one.hints):
            raise Mistake(f"Hints go from 1 to {len(one.hints)}.")
        print(text.hint_text(one, self.take_hint(exercise_id, level)))

    def reset(self, exercise_id: str) -> None:
        """Start an exercise over: its hints are closed again, and what it needs is put back."""
        print(self.start_over(exercise_id))

    # -- the same, for widgets and tools: they return instead of showing ----

    def judge(self, exercise_id: str) -> Verdict:
        """Check without recording."""
        return judge(self._find(exercise_id), self._aws)

    def attempt(self, exercise_id: str) -> Verdict:
        verdict = self.judge(exercise_id)
        self.store.record_attempt(exercise_id, verdict.passed, self.hints_taken(exercise_id))
        return verdict

    def hints_taken(self, exercise_id: str) -> int:
        return self.store.get(f"hints/{exercise_id}", 0)

    def take_hint(self, exercise_id: str, level: int | None = None) -> int:
        """Open the next hint, or hint `level`; returns which one it is, counted from 1."""
        one = self._find(exercise_id)
        with self._lock:
            taken = self.hints_taken(exercise_id)
            level = level or min(taken + 1, len(one.hints))
            self.store.set(f"hints/{exercise_id}", max(taken, level))
        return level

    def start_over(self, exercise_id: str) -> str:
        one = self._find(exercise_id)
        self.store.set(f"hints/{exercise_id}", 0)
        if one.reset is None:
            return f"{exercise_id}: hints closed. Nothing in the region was changed."
        try:
            one.reset(self._aws)
        except Exception as error:
            return f"{exercise_id}: could not be put back: {error}"
        return f"{exercise_id}: put back to its start."

    # -- quizzes -----------------------------------------------------------

    def quiz(self, topic: str, n: int | None = None, seed: Any = None) -> None:
        """Show a quiz on a topic: all its questions, or `n` of them. Without a seed every sitting is shuffled anew."""
        quiz = self.sitting(topic, n, seed)
        plain = text.quiz_text(quiz, topic)
        _show(lambda: _widget("quiz", "QuizWidget")(quiz, plain), plain)

    def sitting(self, topic: str, n: int | None = None, seed: Any = None) -> Quiz:
        return open_quiz(topic, n=n, seed=seed, bank=self.bank, progress=self.store)

    def ask(self, question_id: str, seed: Any = 0) -> None:
        """Print one question, or one part of a scenario; `lab.answer` with the same seed answers it."""
        step = self._step(question_id, seed)
        background = f"{step.background.strip()}\n\n" if step.background else ""
        print(f"{question_id}\n{background}{as_text(step.shown)}\n\nlab.answer({question_id!r}, ...) answers it.")

    def answer(self, question_id: str, answer: Any, seed: Any = 0) -> None:
        """Answer a question as `lab.ask` printed it: "B", "A, C", "CABD" or a number. Prints every option's reason."""
        step = self._step(question_id, seed)
        result = score(step.body, step.shown.from_text(str(answer)))
        self.store.record_answer(question_id, result.answer, result.correct)
        print(text.result_text(result))

    def exam(
        self, name: str = "ecs-specialist", *, n: int | None = None, practice: bool = False, section: str | None = None,
        minutes: float | None = None, seed: Any = None,
    ) -> None:  # fmt: skip
        """Show the exam room of an exam or a topic: see `teach.exam.exam_door`. Its clock starts when Begin is pressed.

        An exam that is under way goes on where it was left.
        """
        how = {"n": n, "practice": practice, "section": section, "store": self.store, "bank": self.bank}
        door = exam.exam_door(name, seed, minutes, **how)
        plain = exam_text.door_text(door)
        _show(lambda: _widget("exam", "ExamWidget")(door, plain), plain)

    def exams(self) -> None:
        """Print the exams there are, and how those went that are finished."""
        print(exam_text.list_text(exam.past_exams(self.store)))

    # -- memory: see `review` and `mastery` ----------------------------------

    def due(self) -> None:
        """Print what is due when, how full the shelf is, and the streak."""
        print(review.due_text(self.store, self.bank))

    def review(self, n: int | None = None) -> None:
        """Show a quiz of the questions you are about to forget."""
        self._sit("review", review.open_review(n, bank=self.bank, progress=self.store))

    def shelf(self, n: int | None = None) -> None:
        """Show a quiz of wrong answers; a question leaves the shelf after two right answers in a row."""
        self._sit("shelf", review.open_shelf(n, bank=self.bank, progress=self.store))

    def weak_spots(self, n: int | None = None) -> None:
        """Print where you are weakest, and show a quiz of it."""
        if quiz := review.open_weak_spots(n, bank=self.bank, progress=self.store):
            print(review.weak_text(self.store, self.bank))
        self._sit("weak", quiz)

    def mastery(self, by: str = "topic") -> None:
        """Show how well each topic, or with by="objective" each exam objective, is known, over the last month."""
        plain = review.mastery_text(self.store, self.bank, by)
        _show(lambda: _widget("mastery", "picture")(self.store, self.bank, by), plain)

    def _sit(self, command: str, quiz: Quiz | None) -> None:
        if quiz is None:
            print(review.nothing_text(command, self.store, self.bank))
            return
        plain = text.sitting_text(quiz, command)
        _show(lambda: _widget("quiz", "QuizWidget")(quiz, plain), plain)

    def show(self, question_id: str) -> None:
        """Play a question's proof in a region of its own and print what happens, and whether the key is right."""
        from .proving import has_proof, replay

        if not has_proof(question_id):
            raise Mistake(f"There is nothing to show for {question_id!r}.")
        for line in replay(question_id):
            print(line)

    def _step(self, question_id: str, seed: Any) -> Step:
        """A question, or one part of a scenario, as shown with this seed."""
        question = self.bank[".".join(question_id.split(".")[:2])]
        steps = {step.body.id: step for step in steps_of(question, seed)}
        if question_id not in steps:
            raise Mistake(f"{question.id} is a scenario. Its parts are: {', '.join(steps)}.")
        return steps[question_id]

    # -- progress ----------------------------------------------------------

    def progress(self) -> None:
        """Print what has been done so far, over all labs."""
        print(self.store.summary(self._exercises, self.bank.questions))

    # -- incidents -----------------------------------------------------------

    def incident(self, service: str) -> None:
        """Break a service, and print what you are told about it. What broke is for you to find out."""
        print(incidents.begin(self._aws, service))

    # -- the lab's instruments ----------------------------------------------

    def board(self, *args: Any, **options: Any) -> Any:
        """The cluster as a live picture."""
        return _widget("board", "board")(self.region, *args, **options)

    def instances(self, *args: Any, **options: Any) -> Any:
        """The container instances and what their tasks reserve, as a picture."""
        return _widget("instances", "instances")(self.region, *args, **options)

    def timeline(self, *args: Any, **options: Any) -> Any:
        """What happened when, as a picture."""
        return _widget("timeline", "timeline")(self.region, *args, **options)

    def logs(self, *args: Any, **options: Any) -> Any:
        """What the containers of a service or a task printed."""
        return _plainly(_widget("logs", "logs"), self.region, *args, **options)

    def events(self, *args: Any, **options: Any) -> Any:
        """What a service said, newest last."""
        return _plainly(_widget("logs", "events"), self.region, *args, **options)

    def audit(self, service: str, cluster: str | None = None) -> Any:
        """A service against good practices: a score, what was found, why it matters, the change that mends it."""
        return _widget("audit", "audit")(self.region.client, service, cluster)

    def load(self, *args: Any, **options: Any) -> Any:
        """Requests to a service, at a rate."""
        return _widget("load", "load")(self.region, *args, **options)

    def price(self, **choice: Any) -> None:
        """What if? Sliders for size, count, hours and Spot share: `lab.price(cpu=512, memory=1024, count=4)`."""
        _widget("price", "price")(**choice)

    def prices(self, cpu: int, memory: int, count: int = 1, hours: float = 730) -> None:
        """Print every way to run such tasks for so many hours a month, cheapest first."""
        from ecslab.rules import estimate
        from ecslab.rules.errors import EcsError

        from .price_text import compare_text

        try:
            print(compare_text(estimate.compare(cpu, memory, count, hours), cpu, memory, count, hours))
        except EcsError as error:
            raise Mistake(error.message) from None

    def bill(self, by: str = "product") -> Any:
        """What everything that ran in this region would have cost until now: by "product" or by "service"."""
        return self.region.bill(by)

    def month(self, by: str = "product") -> Any:
        """Where the money goes, as a picture: a month at the rate of this moment."""
        return _widget("bill", "month")(self.region, by)

    def right_size(self, service: str, **options: Any) -> None:
        """Print the cheapest size for what CloudWatch saw a service use."""
        try:
            print(self.region.right_size(service, **options))
        except ValueError as error:
            raise Mistake(str(error)) from None

    def scaling(self, *args: Any, **options: Any) -> Any:
        """A service that follows its load, as a picture."""
        return _widget("scaling", "scaling")(self.region, *args, **options)

    def compare(self, *args: Any, **options: Any) -> Any:
        """One day under several policies, as a picture."""
        return _widget("scaling", "compare")(self.region, *args, **options)

    def _mine(self) -> list[Exercise]:
        return [one for one in self._exercises.values() if one.lab == self.name]

    def _find(self, exercise_id: str) -> Exercise:
        if exercise_id not in self._exercises:
            mine = ", ".join(one.id for one in self._mine()) or "none yet"
            raise Mistake(f"There is no exercise {exercise_id!r}. Those of this lab are: {mine}.")
        return self._exercises[exercise_id]


def _widget(module: str, name: str) -> Any:
    """A name from `ecslab.widgets.<module>`, imported when first shown."""
    from importlib import import_module

    try:
        return getattr(import_module(f"ecslab.widgets.{module}"), name)
    except ModuleNotFoundError as error:
        ours = (error.name or "").startswith("ecslab.")
        why = "is not built yet" if ours else f"can not be shown here: {error.name} is not installed"
        raise Mistake(f"lab.{module}() {why}.") from None


def _plainly(call: Any, *args: Any, **options: Any) -> Any:
    """A name that is not there is a learner's slip, not a traceback."""
    try:
        return call(*args, **options)
    except ValueError as error:
        raise Mistake(str(error)) from None


def _show(make_widget: Any, plain: str) -> None:
    """A widget in a notebook's kernel, its text anywhere else."""
    if not in_notebook():
        print(plain)
        return
    from IPython.display import display

    display(make_widget())


def in_notebook() -> bool:
    import sys

    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
