"""The question bank reads every type, and says everything that is wrong with file, question and line."""
import subprocess
import sys

import pytest

from ecslab.teach import BankError, load_bank
from ecslab.teach.mistakes import Mistake

from .samples import SAMPLE, TEXT, bank_folder


def problems(folder, *changes):
    with pytest.raises(BankError) as caught:
        load_bank(bank_folder(folder, *changes))
    return caught.value.problems


def test_every_type_of_question_is_read():
    bank = load_bank(SAMPLE)
    assert [question.type for question in bank.topic("sample")] == [
        "single", "multiple", "numeric", "order", "match", "fix-json", "read-events", "scenario",
    ]
    assert bank["sample.multiple"].key == ("a", "b")


def test_questions_can_not_be_changed():
    question = load_bank(SAMPLE)["sample.single"]
    with pytest.raises(Exception, match="frozen"):
        question.stem = "another"


def test_parts_of_a_scenario_are_numbered_when_their_ids_are_left_out():
    scenario = load_bank(SAMPLE)["sample.scenario"]
    assert [part.id for part in scenario.steps()] == ["sample.scenario.1", "sample.scenario.2"]


def test_a_question_that_is_not_active_is_not_asked(tmp_path):
    bank = load_bank(bank_folder(tmp_path, ("status: active", "status: deprecated")))
    assert "sample.single" not in [question.id for question in bank.topic("sample")]
    assert bank["sample.single"].status == "deprecated"


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ('why: "Only a caller or auto scaling changes `desiredCount`.", ', "", "options.2.why is missing"),
        ('why: "A Docker Swarm network, unknown to ECS."', 'why: " "', "options.2.why is empty"),
        ("type: single", "type: essay", "type is 'essay', wanted"),
        ("difficulty: easy", "difficulty: brutal", "difficulty is 'brutal', wanted"),
        ("    reference: *reference\n", "", "reference is missing"),
        ("    author_note:", "    autor_note:", "autor_note is not a field of a question file"),
        ("choose: 2", "choose: 3", "choose says 3, but 2 options are marked correct"),
        ("correct: true, ", "", "0 options are marked correct, wanted exactly 1"),
        ("    answer: 2\n", "", "a question of type numeric needs answer"),
        ("{value: 4,", "{value: 2,", "2 is listed as wrong but scores as right"),
        ("    type: order", "    type: order\n    choose: 2", "a question of type order has no choose"),
        ('"cpu": "256",\n        "memory": "4096"', '"cpu": "256"\n        "memory": "4096"', "document is not JSON"),
        ("id: sample.match", "id: match", "id is empty or malformed: 'match'"),
        ("id: sample.match", "id: other.match", "the id must begin with 'sample.'"),
        ("{id: d,", "{id: c,", "two options have the id 'c'"),
        ("checked: 2026-11-23", "checked: yesterday", "reference.checked"),
        ("topic: sample", "topic: simple", "wanted the file's name, 'sample'"),
    ],
)
def test_a_fault_is_named_in_a_sentence(tmp_path, old, new, sentence):
    assert any(sentence in problem for problem in problems(tmp_path, (old, new)))


def test_a_fault_names_file_question_and_line(tmp_path):
    line = TEXT.splitlines().index("    choose: 2") + 1
    found = problems(tmp_path, ("choose: 2", "choose: 3"))
    assert found == [f"sample.yaml, sample.multiple, line {line}: choose says 3, but 2 options are marked correct"]


def test_all_faults_are_told_at_once_in_the_order_of_lines(tmp_path):
    found = problems(
        tmp_path, ("type: single", "type: essay"), ("choose: 2", "choose: 3"), ("    answer: 2\n", ""), ("topic: sample", "topic: x")
    )
    assert [problem.split(", ")[1] for problem in found] == ["line 1: topic is 'x'", "sample.single", "sample.multiple", "sample.numeric"]


def test_an_id_used_twice_is_a_fault(tmp_path):
    found = problems(tmp_path, ("id: sample.match", "id: sample.order"))
    assert found == ["sample.yaml, sample.order: this id is used twice"]


@pytest.mark.parametrize("text", ["questions: [", "a: b: c", "- 1", "", "questions: {}", "topic: x\nquestions: 5", "\t"])
def test_a_broken_file_ends_in_a_sentence_that_names_it(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(BankError, match="^broken.yaml"):
        load_bank(tmp_path)


def test_yaml_can_not_run_code(tmp_path):
    (tmp_path / "bad.yaml").write_text("topic: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(BankError, match="bad.yaml, line 1: not YAML"):
        load_bank(tmp_path)


def test_an_unknown_topic_is_answered_with_those_there_are():
    with pytest.raises(Mistake, match="no topic 'sevices'. Topics are: sample"):
        load_bank(SAMPLE).topic("sevices")


def test_a_thousand_questions_in_ten_files_are_one_bank(tmp_path):
    head, *entries = TEXT.replace("*reference", TEXT.split("&reference ")[1].splitlines()[0]).split("  - id: sample.")
    entry = entries[0].replace("&reference ", "")
    for number in range(10):
        text = "".join(f"  - id: t{number}.q{index}-{entry}" for index in range(100))
        (tmp_path / f"t{number}.yaml").write_text(head.replace("topic: sample", f"topic: t{number}") + text)
    assert len(load_bank(tmp_path)) == 1000


def test_the_teacher_is_imported_without_boto3_docker_or_widgets():
    code = "import sys, ecslab.teach; print(sorted({'boto3', 'botocore', 'moto', 'docker', 'anywidget', 'IPython'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
