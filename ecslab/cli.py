"""The `ecslab` command: a thin skin over the calls a notebook makes.

Whatever goes wrong ends in one to three plain lines and exit code 1.
"""
from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click

from .audit_command import audit
from .price_command import price

FIRST_LAB = "labs/00-start-here.ipynb"
OWN_COPY = "ecslab-labs"


class Trouble(click.ClickException):
    """A plain sentence for the person at the terminal."""

    def show(self, file=None) -> None:
        click.echo(f"ecslab: {self.message}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecslab")
def main() -> None:
    """A private AWS region for learning Amazon ECS."""


main.add_command(audit)
main.add_command(price)


@main.command()
@click.option("--engine", type=click.Choice(["auto", "docker", "simulated"]), default="auto", show_default=True)
@click.option("--port", type=int, default=4566, show_default=True, help="0 picks a free one.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Region seconds per second of yours.")
@click.option("--seed", type=int, help="Fixes every id.")
def serve(engine: str, port: int, speed: float | None, seed: int | None) -> None:
    """Run a region until Ctrl-C."""
    from .region import choose_engine, start

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        simulated = choose_engine(engine)[0] == "simulated"
        region = start(engine=engine, seed=seed, speed=speed or (1.0 if simulated else None), port=port)
    except (RuntimeError, ValueError) as error:
        raise Trouble(str(error)) from None
    except OSError as error:
        raise Trouble(f"Port {port} cannot be used: {error.strerror or error}. Try another: ecslab serve --port 0") from None
    with region:
        click.echo(f"ECS region ready at {region.endpoint_url} (engine: {region.engine.name})")
        sys.stdout.flush()
        done.wait()


@main.command()
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--port", type=int, default=8888, show_default=True)
def lab(no_browser: bool, port: int) -> None:
    """Open JupyterLab on the first lab."""
    folder = _labs_folder()
    command = [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--LabApp.default_url=/lab/tree/{FIRST_LAB}",
    ]  # fmt: skip
    if no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often nobody else
    _quiet_news()
    try:
        raise SystemExit(subprocess.run(command).returncode)
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _labs_folder() -> Path:
    """The checkout, or a copy of the packaged labs in this folder. A file that is there already is never touched."""
    from .teach import content_root

    root = content_root()
    if (root / "pyproject.toml").exists():
        return root
    copy = Path.cwd() / OWN_COPY
    for source in (root / "labs").rglob("*"):
        target = copy / "labs" / source.relative_to(root / "labs")
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return copy


def _quiet_news() -> None:
    """JupyterLab asks once whether to fetch news; a lab is no place for that question."""
    overrides = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    if not overrides.exists():
        try:
            overrides.parent.mkdir(parents=True, exist_ok=True)
            overrides.write_text('{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}\n')
        except OSError:
            pass  # an environment that cannot be written keeps its question


@main.command()
def env() -> None:
    """Print shell exports for the running region: eval "$(ecslab env)"."""
    from .region.registry import running

    regions = running()
    if not regions:
        raise Trouble("No region is running. Open a lab in a notebook, or run: ecslab serve")
    newest = regions[0]
    if len(regions) > 1:
        click.echo(f"# {len(regions)} regions are running; this is the newest, of process {newest['pid']}.", err=True)
    for name, value in newest["environment"].items():
        click.echo(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")
    click.echo(f'export PATH={shlex.quote(newest["programs"])}:"$PATH"')


class _TaskFirst(click.Command):
    """Options may follow TASK; from the first word of COMMAND on, everything is the command's own."""

    def parse_args(self, ctx, args):
        end = 1 if args and not args[0].startswith("-") else 0
        while end and end < len(args) and args[end].startswith("--"):
            end += 1 if "=" in args[end] else 2
        return super().parse_args(ctx, [*args[1:end], *args[:1], *args[end:]] if end else args)


@main.command("exec", cls=_TaskFirst, context_settings={"allow_interspersed_args": False})
@click.argument("task")
@click.option("--container", help="Where the task has more than one.")
@click.option("--cluster", help="Where TASK is an id: the name of its cluster.  [default: default]")
@click.argument("command", nargs=-1, required=True)
def exec_command(task: str, container: str | None, cluster: str | None, command: tuple[str, ...]) -> None:
    """Run a COMMAND in a container of TASK (its ARN or id) through ECS Exec."""
    from .exec_command import Refused, run

    try:
        code = run(task, container, cluster, command)
    except Refused as error:
        raise Trouble(str(error)) from None
    raise SystemExit(code)


@main.command()
def doctor() -> None:
    """Say what is here, and how to mend what is missing."""
    from .doctor import examine, report

    click.echo(report(examine()))


@main.command()
@click.option("--export", "export_to", type=click.Path(dir_okay=False), help="Write everything to one file.")
@click.option("--import", "import_from", type=click.Path(exists=True, dir_okay=False), help="Merge such a file.")
def progress(export_to: str | None, import_from: str | None) -> None:
    """Show what has been done; move it to another machine."""
    from .teach import Progress, ProgressError, load_bank, load_exercises

    try:
        store = Progress()
        if import_from:
            store.import_(import_from)
            click.echo(f"Merged {import_from}.")
        if export_to:
            store.export(export_to)
            click.echo(f"Wrote {export_to}.")
        if not (export_to or import_from):
            click.echo(store.summary(load_exercises(), load_bank().questions))
    except (ProgressError, OSError) as error:
        raise Trouble(str(error)) from None


@main.command()
@click.argument("topic")
@click.option("-n", "number", type=click.IntRange(min=1), help="Only so many questions.")
def quiz(topic: str, number: int | None) -> None:
    """Take the quiz on a TOPIC here in the terminal."""
    from .teach.quiz import open_quiz

    _sit(lambda: open_quiz(topic, n=number))


@main.command()
@click.argument("name", required=False)
@click.option("--resume", is_flag=True, help="Go on with an unfinished exam; its clock ran on.")
@click.option("--list", "list_", is_flag=True, help="Say which exams there are, and how yours went.")
@click.option("--practice", is_flag=True, help="Reasons at once, no time limit, pauses.")
@click.option("--section", help="Only one domain of the exam.")
@click.option("-n", "number", type=click.IntRange(min=1), help="Only so many questions, in their share of the time.")
@click.option("--seed", help="Draw the same questions in the same order.")
@click.option("--minutes", type=float, help="Instead of the exam's own time.")
@click.option("--extend", type=float, help="Minutes more, as an accommodation.")
@click.option("--hide-timer", is_flag=True, help="Show the time left only when asked.")
def exam(name, resume, list_, practice, section, number, seed, minutes, extend, hide_timer) -> None:
    """Sit a mock exam: NAME is ecs-specialist, an AWS exam such as SAA-C03, or a topic."""
    from .teach import Progress
    from .teach.exam import open_exam, past_exams, resume_exam
    from .teach.exam_terminal import sit_exam
    from .teach.exam_text import list_text
    from .teach.mistakes import Mistake

    try:
        if list_:
            click.echo(list_text(past_exams(Progress())))
            return
        if resume:
            sitting = resume_exam(name)
        else:
            sitting = open_exam(name or "ecs-specialist", seed, minutes, practice=practice, section=section, n=number)
        if extend:
            sitting.extend(extend)
        if hide_timer:
            sitting.hide_timer()
        sit_exam(sitting)
    except Mistake as error:
        raise Trouble(str(error)) from None


MOST = click.option("-n", "number", type=click.IntRange(min=1), help="At most so many questions (default 20).")


@main.command()
@MOST
def review(number: int | None) -> None:
    """Answer what you are about to forget."""
    _sit_or_say("review", number)


@main.command()
@MOST
def shelf(number: int | None) -> None:
    """Answer what was wrong, until it was right twice in a row."""
    _sit_or_say("shelf", number)


@main.command()
@MOST
def weak(number: int | None) -> None:
    """Practise your weakest topics and exam objectives."""
    _sit_or_say("weak", number)


@main.command()
def due() -> None:
    """Say what is due when, and how well each topic is known."""
    from .teach import Progress, load_bank
    from .teach.mistakes import Mistake
    from .teach.review import due_text, mastery_text

    try:
        store, bank = Progress(), load_bank()
    except Mistake as error:
        raise Trouble(str(error)) from None
    click.echo(due_text(store, bank))
    if store.outcomes():
        click.echo(f"\n{mastery_text(store, bank)}")


def _sit_or_say(name: str, number: int | None) -> None:
    from .teach import Progress, load_bank, review

    def opened():
        bank, store = load_bank(), Progress()
        quiz = review.OPEN[name](number, bank=bank, progress=store)
        if quiz is None:
            click.echo(review.nothing_text(name, store, bank))
        elif name == "weak":
            click.echo(review.weak_text(store, bank) + "\n")
        return quiz

    _sit(opened)


def _sit(open_) -> None:
    """Take the quiz that `open_` returns, if it returns one."""
    from .teach.mistakes import Mistake
    from .teach.terminal import sit

    try:
        if quiz := open_():
            sit(quiz)
    except (Mistake, KeyError) as error:
        raise Trouble(str(error).strip("'\"")) from None
    except (KeyboardInterrupt, EOFError):
        click.echo("\nStopped. What you answered is kept.")


@main.command()
@click.option("--check", is_flag=True, help="Only say which are stale.")
@click.argument("names", nargs=-1)
def labs(check: bool, names: tuple[str, ...]) -> None:
    """Make the notebooks from labs/source."""
    from .teach.notebooks import build

    stale = build(check=check, names=names)
    for sentence in stale or []:
        click.echo(sentence)
    if check and stale:
        raise SystemExit(1)


@main.command("export")
@click.argument("form", metavar="FORMAT")
@click.argument("topics", nargs=-1, metavar="[TOPIC]...")
@click.option("-o", "output", required=True, type=click.Path(dir_okay=False), help="The file to write.")
@click.option("--key/--no-key", default=True, show_default=True, help="Without the key: html only.")
@click.option("--computed", type=click.IntRange(0, 100), default=0, metavar="N", help="Also N questions of each generator.")
@click.option("--seed", type=click.IntRange(0), default=None, help="The first seed of computed questions; 0 unless told.")
def export_command(form: str, topics: tuple[str, ...], output: str, key: bool, computed: int, seed: int | None) -> None:
    """Write questions as moodle, gift, qti, anki, jupyterquiz, csv or html."""
    from .teach.formats.commands import export_to

    _say(lambda: export_to(form, topics, output, key, computed, seed))


@main.command("import")
@click.argument("source", metavar="FILE")
@click.option("-o", "output", required=True, type=click.Path(dir_okay=False), help="The question file: quizzes/mine.yaml.")
def import_command(source: str, output: str) -> None:
    """Make a question file of a jupyterquiz (.json) or CSV FILE."""
    from .teach.formats.commands import import_from

    _say(lambda: import_from(source, output))


def _say(lines) -> None:
    """Say what `lines` returns, or the one thing that went wrong."""
    from .teach.mistakes import Mistake

    try:
        click.echo("\n".join(lines()))
    except Mistake as error:
        raise Trouble(str(error)) from None


@main.command()
@click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE]...")
@click.option("--write", "write_to", type=click.Path(dir_okay=False), help="Write your own answers, without name or time.")
def items(files: tuple[str, ...], write_to: str | None) -> None:
    """Say which questions are too easy, misleading or idle, from the answers in FILEs."""
    from .teach import Progress, load_bank
    from .teach.items import items_text, read_responses, statistics, write_responses

    if not (files or write_to):
        raise Trouble("Name the CSV files of your learners, or write your own: ecslab items --write mine.csv")
    if write_to:
        _say(lambda: [f"Wrote {write_responses(Progress(), write_to)} answers to {write_to}."])
    if files:
        _say(lambda: [items_text(statistics(read_responses(files), load_bank()))])


@main.command("check-content")
@click.option("--fast", is_flag=True, help="Do not run the labs.")
def check_content_command(fast: bool) -> None:
    """Fail with one plain sentence for each fault in labs, exercises and questions."""
    from .teach.content import advise, check_content

    for sentence in advise():
        click.echo(f"note: {sentence}", err=True)
    faults = check_content(run_labs=not fast)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise SystemExit(1)
    click.echo("Labs, exercises and questions are in order.")
