"""Proofs: the region shows what the key of a question says, and a worthless proof says why it is worthless."""
import pytest

from ecslab.teach import load_bank
from ecslab.teach.mistakes import Mistake
from ecslab.teach.proof import Proof, agrees, bodies, load_proofs, prove
from ecslab.teach.proving import failures, replay, unknown

from .samples import SAMPLE

ASKED = bodies(load_bank(SAMPLE))
SINGLE = next(body for body in ASKED.values() if body.type == "single")
NUMERIC = next(body for body in ASKED.values() if body.type == "numeric")
KEY, OTHER = SINGLE.key[0], next(option.id for option in SINGLE.options if not option.correct)


def shown(value, body=SINGLE, **predictions):
    return prove(Proof(body.id, lambda aws, region, say: value, predictions), body)


def test_every_proof_belongs_to_a_question_and_there_are_a_hundred():
    """`ecslab check-content`, the test command's first half, plays every one of them."""
    proofs = load_proofs()
    assert unknown(proofs, bodies(load_bank())) == []
    assert len(proofs) >= 100


def test_proofs_played_in_processes_of_their_own_come_out_as_the_keys_say():
    assert failures(list(load_proofs())[::20]) == {}


def test_what_the_right_option_predicts_is_a_proof_and_its_lines_are_kept():
    def play(aws, region, say):
        say("one cluster")
        return aws.ecs.create_cluster(clusterName="demo")["cluster"]["status"]

    outcome = prove(Proof(SINGLE.id, play, {KEY: "ACTIVE", OTHER: "INACTIVE"}), SINGLE)
    assert (outcome.ok, outcome.observed, outcome.lines, outcome.cause) == (True, "ACTIVE", ("one cluster",), "")


def test_what_a_wrong_option_predicts_is_told_with_that_option():
    outcome = shown(2, **{KEY: 1, OTHER: 2})
    assert not outcome.ok
    assert outcome.cause == f"{SINGLE.id}: observed 2, as option {OTHER} says; the key says 1."


@pytest.mark.parametrize(
    "predictions, cause",
    [
        ({KEY: 1, "z": 2}, "there is no option z"),
        ({KEY: 1}, "it predicts for fewer than two options"),
        ({OTHER: 1, "d": 2}, f"it predicts nothing for the key, {KEY}"),
        ({KEY: 1, OTHER: 1}, "two options predict the same"),
        ({KEY: 1, OTHER: 2}, "observed 9, which no option predicts"),
    ],
)
def test_a_proof_that_proves_nothing_says_why(predictions, cause):
    assert shown(9, **predictions).cause == f"{SINGLE.id}: {cause}."


def test_a_proof_that_stops_names_the_error():
    def play(aws, region, say):
        aws.ecs.describe_tasks(cluster="missing", tasks=["a"])

    outcome = prove(Proof(SINGLE.id, play, {KEY: 1, OTHER: 2}), SINGLE)
    assert outcome.cause.startswith(f"{SINGLE.id}: its proof stopped: ClusterNotFoundException")


def test_a_number_may_be_off_by_the_tolerance_of_its_question_and_no_more():
    assert agrees(NUMERIC, NUMERIC.answer + NUMERIC.tolerance, NUMERIC.answer)
    assert not agrees(NUMERIC, NUMERIC.answer + NUMERIC.tolerance + 1, NUMERIC.answer)
    assert not agrees(NUMERIC, None, NUMERIC.answer)


def test_predictions_belong_to_single_choice_only():
    assert shown(1, NUMERIC, a=1, b=2).cause == f"{NUMERIC.id}: predictions are for single choice, not for numeric."


def test_a_question_has_one_proof(tmp_path):
    text = "from ecslab.teach import proof\n@proof('a.b', a=1, b=2)\ndef one(aws, region, say): ...\n"
    (tmp_path / "a.py").write_text(text)
    assert list(load_proofs(tmp_path)) == ["a.b"]
    (tmp_path / "b.py").write_text(text)
    with pytest.raises(Mistake, match="two proofs"):
        load_proofs(tmp_path)


def test_a_proof_without_a_question_is_named():
    assert unknown({"no.such": None}, ASKED) == ["no.such: there is a proof, but no such question."]


def test_a_replay_tells_its_lines_and_then_how_it_came_out():
    lines = list(replay("services.stop-one-task"))
    assert lines[:2] == ["The service runs 3 tasks.", "5 minutes after StopTask: 3 tasks, 1 of them new."]
    assert "Service event: (service web) has reached a steady state." in lines
    assert lines[-1] == "This is what the key says."


def test_a_replay_of_nothing_says_so():
    assert list(replay("no.such")) == ["There is no proof of 'no.such'."]
