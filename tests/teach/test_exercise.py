"""Exercises are found in their files, and a check always ends in plain words."""
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ecslab.teach import Saw, load_exercises
from ecslab.teach.aws import Aws
from ecslab.teach.exercise import Exercise, ExerciseError, judge
from ecslab.teach.text import verdict_text

FILE = '''
from ecslab.teach import Saw, exercise

@exercise("services.{name}", title="Three tasks", task="Run three.", hints={hints}, explanation="Because.")
def check(aws):
    service = aws.service("demo", "web")
    running = service["runningCount"] if service else 0
    return [Saw(running == 3, f"{{running}} tasks running", "3 tasks running", "describe_services -> runningCount")]
'''
HINTS = ["Look.", "Think.", "Nearly.", "Do this."]


def write(folder, lab="03-services", hints=HINTS, names=("count",)):
    (folder / f"{lab}.py").write_text("".join(FILE.format(name=name, hints=hints) for name in names))


class Ecs:
    """Answers describe_services with a list, or raises."""

    def __init__(self, answer):
        self.answer = answer

    def describe_services(self, **_):
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"services": self.answer}


def verdict(folder, answer):
    write(folder)
    return judge(load_exercises(folder)["services.count"], Aws(lambda name: Ecs(answer)))


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "Not this time."}}, "DescribeServices")


def test_every_exercise_of_a_file_is_found_though_all_checks_share_a_name(tmp_path):
    write(tmp_path, names=("count", "rollout"))
    found = load_exercises(tmp_path)
    assert list(found) == ["services.count", "services.rollout"]
    assert found["services.count"].lab == "03-services"
    assert found["services.count"].hints == tuple(HINTS)


@pytest.mark.parametrize("running, passed", [(3, True), (2, False)])
def test_a_check_passes_when_all_it_saw_is_as_wanted(tmp_path, running, passed):
    assert verdict(tmp_path, [{"status": "ACTIVE", "runningCount": running}]).passed is passed


def test_a_failed_check_says_what_it_saw_what_it_wanted_and_where_to_look(tmp_path):
    assert verdict_text(verdict(tmp_path, [{"status": "ACTIVE", "runningCount": 2}])) == (
        "services.count: not yet\n"
        "  ✗ saw 2 tasks running; wanted 3 tasks running\n"
        "    look at describe_services -> runningCount"
    )


def test_the_explanation_is_shown_only_after_a_pass(tmp_path):
    assert "Because." not in verdict_text(verdict(tmp_path, []))
    assert "Because." in verdict_text(verdict(tmp_path, [{"status": "ACTIVE", "runningCount": 3}]))


def test_a_thing_that_is_not_there_is_none(tmp_path):
    for answer in ([], [{"status": "INACTIVE", "runningCount": 3}], refusal("ClusterNotFoundException")):
        assert verdict(tmp_path, answer).saw[0].saw == "0 tasks running"


def test_a_refusal_inside_a_check_becomes_a_sentence(tmp_path):
    told = verdict(tmp_path, refusal("AccessDeniedException"))
    assert not told.passed
    assert told.saw[0].saw == "DescribeServices was refused: AccessDeniedException: Not this time."


def test_a_region_that_does_not_answer_becomes_a_sentence(tmp_path):
    told = verdict(tmp_path, EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    assert told.saw[0].saw.startswith("no answer from the region")


def test_a_check_that_stumbles_becomes_a_sentence(tmp_path):
    told = verdict(tmp_path, [{"status": "ACTIVE"}])
    assert not told.passed
    assert "KeyError" in told.saw[0].saw and "Traceback" not in verdict_text(told)


def test_a_check_that_looks_at_nothing_does_not_pass():
    empty = Exercise("a.b", "lab", "T", "T", tuple(HINTS), lambda aws: [], "E")
    assert not judge(empty, None).passed


def test_one_thing_not_as_wanted_fails_the_exercise():
    mixed = Exercise("a.b", "lab", "T", "T", tuple(HINTS), lambda aws: [Saw(True, "x", "x"), Saw(False, "y", "z")], "E")
    assert not judge(mixed, None).passed


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"hints": HINTS[:3]}, "03-services.py, services.count: 3 hints, wanted 4: nudge, idea, near-solution, solution"),
        ({"hints": ["Look.", " ", "Nearly.", "Do."]}, "03-services.py, services.count: the idea hint is empty"),
        ({"names": ("count", "count")}, "03-services.py, services.count: this id is used twice"),
    ],
)
def test_a_faulty_exercise_is_told_in_a_sentence(tmp_path, arguments, sentence):
    write(tmp_path, **arguments)
    with pytest.raises(ExerciseError) as caught:
        load_exercises(tmp_path)
    assert caught.value.problems == [sentence]


def test_an_exercise_file_that_does_not_load_is_told_in_a_sentence(tmp_path):
    (tmp_path / "bad.py").write_text("import nothing_of_that_name")
    with pytest.raises(ExerciseError, match="^bad.py: can not be loaded: ModuleNotFoundError"):
        load_exercises(tmp_path)
