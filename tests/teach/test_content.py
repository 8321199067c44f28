"""The course checks itself: each fault is one plain sentence, and a good course has none."""
import shutil
from pathlib import Path

import pytest

from ecslab.teach import load_bank
from ecslab.teach.content import check_content
from ecslab.teach.lint import lint
from ecslab.teach.notebooks import build
from ecslab.teach.parameters import unknown_in_code

from .samples import TEXT, bank_folder

LAB = '''# %% [markdown]
# # A lab

# %%
import boto3
from ecslab.teach import Lab, Progress

class Region:
    count = 0
    def client(self, name):
        return self

lab = Lab("90-sums", Region(), store=Progress(":memory:"))
ecs = boto3.client("ecs", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")

# %% exercise="sums.three"
### BEGIN SOLUTION
lab.region.count = 3
### END SOLUTION
lab.check("sums.three")
'''
EXERCISES = '''
from ecslab.teach import Saw, exercise

@exercise("sums.three", title="Three", task="Count to three.", hints=["a", "b", "c", "d"], explanation="Three.")
def check(aws):
    return [Saw(aws.ecs.count == 3, f"{aws.ecs.count}", "3", "count")]
'''


@pytest.fixture(scope="module")
def good_course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    for folder in ("labs/source", "labs/exercises", "quizzes"):
        (root / folder).mkdir(parents=True)
    bank_folder(root / "quizzes")
    write(root, LAB, EXERCISES)
    return root


@pytest.fixture
def root(good_course, tmp_path):
    return Path(shutil.copytree(good_course, tmp_path / "course"))


def write(root, lab, exercises):
    (root / "labs/source/90-sums.py").write_text(lab)
    (root / "labs/exercises/90-sums.py").write_text(exercises)
    build(root=root)


def test_a_good_course_has_no_faults(root):
    assert check_content(root) == []


def test_an_exercise_that_passes_unsolved_is_told(root):
    write(root, LAB, EXERCISES.replace("aws.ecs.count == 3", "True"))
    assert check_content(root) == ["90-sums, sums.three: passes before its solution ran."]


def test_a_solution_that_fails_is_told(root):
    write(root, LAB.replace("count = 3", "count = 4"), EXERCISES)
    assert check_content(root) == ["90-sums, sums.three: its solution fails: saw 4, wanted 3."]


def test_an_exercise_without_a_solution_is_told(root):
    write(root, LAB.replace(' exercise="sums.three"', ""), EXERCISES)
    assert check_content(root) == ["90-sums, sums.three: has no solution cell in labs/source/90-sums.py."]


def test_a_lab_that_breaks_is_told(root):
    broken = LAB + "\n# %%\nnowhere\n"
    (root / "labs/source/90-sums.py").write_text(broken)
    assert "90-sums, cell 4: NameError: name 'nowhere' is not defined" in check_content(root)


def test_a_proof_that_disagrees_with_the_key_and_one_of_no_question_are_told(root):
    (root / "quizzes/proofs").mkdir()
    (root / "quizzes/proofs/sample.py").write_text(
        "from ecslab.teach import proof\n"
        "@proof('sample.single', a=1, b=2)\ndef one(aws, region, say): return 2\n"
        "@proof('sample.nowhere', a=1, b=2)\ndef other(aws, region, say): return 1\n"
    )
    unasked = "sample.nowhere: there is a proof, but no such question."
    assert check_content(root) == [unasked, "sample.single: observed 2, as option b says; the key says 1."]
    assert check_content(root, run_labs=False) == [unasked]


@pytest.mark.parametrize(
    "path, old, new, sentence",
    [
        ("labs/exercises/90-sums.py", '"d"]', "]", "90-sums.py, sums.three: 3 hints, wanted 4: nudge, idea, near-solution, solution"),
        ("labs/exercises/90-sums.py", '"d"]', '""]', "90-sums.py, sums.three: the solution hint is empty"),
        ("labs/source/90-sums.py", "# A lab", "# The lab", "labs/90-sums.ipynb is stale"),
        ("labs/source/90-sums.py", "lab.check(", 'ecs.create_cluster(clusterNme="x")\nlab.check(', "90-sums.py, cell 3, line 2: ecs.create_cluster has no parameter 'clusterNme'."),
        ("labs/exercises/90-sums.py", "    return", "    aws.ecs.describe_servces()\n    return", "90-sums.py, line 6: ecs has no operation 'describe_servces'."),
        ("quizzes/sample.yaml", "    reference: *reference\n", "", "reference is missing"),
        ("quizzes/sample.yaml", "why: \"Docker's own bridge network on the instance.\"", 'why: ""', "options.0.why is empty"),
    ],
)
def test_each_fault_is_one_sentence(root, path, old, new, sentence):
    file = root / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert any(sentence in problem for problem in check_content(root, run_labs=False))


def test_a_notebook_without_a_source_is_told(root):
    (root / "labs" / "old.ipynb").write_text("{}")
    assert check_content(root, run_labs=False) == ["labs/old.ipynb belongs to no source in labs/source/."]


def test_a_question_that_points_at_no_exercise_is_told(root):
    text = TEXT.replace("lab: 03-services", "lab: 90-sums\n    exercise: sums.four")
    (root / "quizzes" / "sample.yaml").write_text(text)
    assert check_content(root, run_labs=False) == ["sample.yaml, sample.single: there is no exercise 'sums.four'."]


def linted(folder, *changes):
    return list(lint(load_bank(bank_folder(folder, *changes))))


@pytest.mark.parametrize(
    "text",
    ["Both of the above", "None of the above", "All of these options", "Options A and C", "A and C", "Both B and D", "Either of the other answers", "All the above"],
)
def test_options_that_speak_of_others_by_place_are_told(tmp_path, text):
    found = linted(tmp_path, ("It waits for a call to `UpdateService`", text))
    assert any("by their place" in problem for problem in found)


@pytest.mark.parametrize("text", ["All of the tasks stop", "Both of the tasks and neither instance", "A and AAAA records", "None of its tasks run"])
def test_options_that_only_sound_like_it_are_left_alone(tmp_path, text):
    assert linted(tmp_path, ("It waits for a call to `UpdateService`", text)) == []


def test_a_key_much_longer_than_the_rest_is_told(tmp_path):
    found = linted(tmp_path, ("It starts one new task", "It starts one new task at once, in the same subnets, and counts that one"))
    assert found[0].startswith("sample.yaml, sample.single: the key is 2.0 times as long")


def test_a_file_whose_key_is_often_the_longest_is_told(tmp_path):
    head, entry = TEXT.split("  - id: sample.single")[0], TEXT.split("  - id: sample.single")[1].split("  - id:")[0]
    entry = entry.replace("&reference ", "").replace("It starts one new task", "It starts one new task where the old one ran")
    (tmp_path / "sample.yaml").write_text(head + "".join(f"  - id: sample.q{n}{entry}" for n in range(8)))
    assert list(lint(load_bank(tmp_path)))[0].startswith("sample.yaml: the key is the longest option in 8 of 8")


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ('"memory": "4096"', '"memory": "2048"', "the document is accepted as it stands"),
        ('"memory": "2048"', '"memory": "8192"', "the solution is refused: ClientException"),
        ("error: \"No Fargate", "error: \"Some Fargate", "and error says 'Some Fargate"),
        ('must_keep: ["/cpu"', 'must_keep: ["/memory", "/cpu"', "the solution changes /memory"),
        ('must_keep: ["/cpu"', 'must_keep: ["/cpus"', "the document has no such place"),
        ('"networkMode": "awsvpc"', '"networkmode": "awsvpc"', "register_task_definition has no parameter 'networkmode'"),
    ],
)
def test_a_repair_that_does_not_repair_is_told(tmp_path, old, new, sentence):
    assert any(sentence in problem for problem in linted(tmp_path, (old, new)))


@pytest.mark.parametrize(
    "code, sentences",
    [
        ('ecs.create_service(serviceName="x", networkConfiguration={"awsvpcConfiguration": {"subnet": ["s"]}})',
         ["ecs.create_service.networkConfiguration.awsvpcConfiguration has no parameter 'subnet'"]),
        ('ecs.register_task_definition(containerDefinitions=[{"name": "a", "imag": "b"}])',
         ["ecs.register_task_definition.containerDefinitions has no parameter 'imag'"]),
        ('lb = boto3.client("elbv2")\nlb.create_load_balancer(Nme="x")', ["elbv2.create_load_balancer has no parameter 'Nme'"]),
        ('region.client("sqs").send_mesage()', ["sqs has no operation 'send_mesage'"]),
        ('boto3.client("esc").list_clusters()', ["boto3 has no service 'esc'"]),
        ('ecs.get_paginator("list_tasks").paginate(anything=1)\necs.list_tasks(**more)\nother.thing(foo=1)', []),
        ('ecs.tag_resource(resourceArn="x", tags=[{"key": k, "value": v}])', []),
    ],
)
def test_boto3_calls_are_held_against_botocores_model(code, sentences):
    assert [sentence for _, sentence in unknown_in_code(code)] == sentences
