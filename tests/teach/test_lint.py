"""What the bank is checked for beyond its schema, and that our own questions pass."""
from collections import Counter
from datetime import date, timedelta

import pytest

from ecslab.teach import content_root, load_bank
from ecslab.teach.advice import advice, objectives, reading_level, sections, uncovered
from ecslab.teach.content import advise
from ecslab.teach.formats import read_file
from ecslab.teach.lint import lint
from ecslab.teach.near import near_duplicates
from ecslab.teach.proof import load_proofs, prove
from ecslab.teach.question import FIELDS

from .samples import SAMPLE, TEXT, bank_folder

HEAD, *ENTRIES = TEXT.replace("*reference", TEXT.split("&reference ")[1].splitlines()[0]).split("  - id: sample.")
SINGLE = ENTRIES[0].replace("&reference ", "")
WORDS = ("apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbor", "island", "jungle")


@pytest.fixture(scope="module")
def bank():
    return load_bank()


def entry(number, *changes):
    """The sample's first question with a stem of its own: no word is that of another."""
    own = "".join("abcdefghij"[int(digit)] for digit in str(number))
    text = SINGLE.split("stem: |")[0] + "stem: " + " ".join(f"{word}{own}" for word in WORDS) + "\n    options:"
    text += SINGLE.split("options:", 1)[1]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return f"  - id: sample.q{number}-{text}"


def file_of(folder, entries):
    (folder / "sample.yaml").write_text(HEAD + "".join(entries))
    return load_bank(folder)


SHORT_KEY = ("It starts one new task", "It starts one")
LONG_KEY = ("It starts one new task", "It starts one new task for the one gone")
MIDDLE = ("It lowers `desiredCount` to 2", "It lowers")


def test_a_file_without_cues_is_left_alone(tmp_path):
    entries = []
    for number in range(12):
        letter = "bcd"[number % 3]
        entries.append(entry(number, MIDDLE, ("{id: a,", "{id: z,"), (f"{{id: {letter},", "{id: a,"), ("{id: z,", f"{{id: {letter},")))
    assert list(lint(file_of(tmp_path, entries))) == []


@pytest.mark.parametrize("cue, change", [("shortest", SHORT_KEY), ("longest", LONG_KEY)])
def test_a_key_that_is_often_the_shortest_or_the_longest_is_told(tmp_path, cue, change):
    two, four = ([entry(n, change if n < often else MIDDLE) for n in range(12)] for often in (3, 4))
    wanted = f"sample.yaml: the key is the {cue} option in 4 of 12 single-choice questions"
    assert not any(cue in fault for fault in lint(file_of(tmp_path, two)))
    assert any(fault.startswith(wanted) for fault in lint(file_of(tmp_path, four)))


def test_a_difference_nobody_sees_is_no_cue(tmp_path):
    barely = ("It starts one new task", "It starts one new task too")  # a character shorter than the next
    assert not any("shortest" in fault for fault in lint(file_of(tmp_path, [entry(n, barely) for n in range(12)])))


def test_a_key_that_is_always_under_the_same_letter_is_told(tmp_path):
    found = list(lint(file_of(tmp_path, [entry(n, MIDDLE) for n in range(12)])))
    assert found == ["sample.yaml: the key is option a in 12 of 12 single-choice questions; spread it over the letters."]


def test_the_same_question_with_other_numbers_is_told_and_a_draft_of_it_is_not(tmp_path):
    twin = ENTRIES[2].replace("desiredCount` 4", "desiredCount` 40").replace("numeric\n", "twin\n", 1)
    found = list(lint(file_of(tmp_path, [f"  - id: sample.{ENTRIES[2]}", f"  - id: sample.{twin}"])))
    assert found == ["sample.numeric and sample.twin ask nearly the same (100% of their words in the same order); drop one or tell them apart."]
    draft = twin.replace("status: active", "status: draft")
    assert list(lint(file_of(tmp_path, [f"  - id: sample.{ENTRIES[2]}", f"  - id: sample.{draft}"]))) == []


def test_stems_are_near_when_most_runs_of_words_are_shared():
    stems = {
        "a": "A service has desired count 4 and a minimum of 50 percent. How many tasks stay?",
        "b": "A service has desired count 9 and a minimum of 75 percent. How many tasks stay healthy?",
        "c": "A cluster has four instances and a service with a minimum of tasks. How many instances stay?",
    }
    assert [pair[:2] for pair in near_duplicates(stems.items())] == [("a", "b")]


def test_what_an_import_left_to_be_written_is_told_once_the_question_is_active(tmp_path):
    unwritten = ('author_note: "One question of type single."', 'author_note: "To be written."')
    found = list(lint(load_bank(bank_folder(tmp_path, unwritten))))
    assert found == ["sample.yaml, sample.single: says 'To be written.'; write it, or make the question a draft."]
    assert list(lint(load_bank(bank_folder(tmp_path, unwritten, ("status: active", "status: draft"))))) == []


# -- advice ----------------------------------------------------------------


def about(found, word):
    return [sentence for sentence in found if word in sentence]


def test_a_reference_older_than_a_year_is_stale(tmp_path):
    bank = load_bank(bank_folder(tmp_path))
    checked = date(2026, 11, 23)
    assert about(advice(bank, checked + timedelta(days=365)), "checked") == []
    assert len(about(advice(bank, checked + timedelta(days=366)), "last checked on 2026-11-23")) == len(bank)


def test_long_sentences_of_long_words_read_heavily_and_short_ones_do_not():
    heavy = "Notwithstanding infrastructural considerations, administrators consistently underestimate organisational " * 3 + "complexity."
    assert reading_level(heavy) > 80
    assert reading_level("The task stops. The service sees it. A new one is started in its place. It runs on the same port as the old one did.") < 25
    assert reading_level("`minimumHealthyPercent` " * 30) < reading_level("minimumHealthyPercent " * 30)


def test_sections_and_objectives_without_an_active_question_are_named(tmp_path):
    found = list(uncovered(load_bank(bank_folder(tmp_path))))
    assert "no question on the card's section 'Pricing'." in found
    assert "no question serves the objective SAA-C03 3.2." in found
    assert not about(found, "'Services'") and not about(found, "SAA-C03 2.1")


def test_advice_does_not_fail_where_the_bank_can_not_be_read(tmp_path):
    (tmp_path / "quizzes").mkdir()
    (tmp_path / "quizzes" / "broken.yaml").write_text("questions: [")
    assert advise(tmp_path) == []


# -- our own questions -----------------------------------------------------


def test_our_questions_have_no_fault(bank):
    assert list(lint(bank)) == []


def test_every_section_of_the_reference_card_has_questions(bank):
    counts = Counter(question.card for question in bank)
    assert set(counts) <= set(sections())
    covered = {section: sum(count for card, count in counts.items() if card == section or card.startswith(f"{section} > ")) for section in sections()}
    assert len(covered) == 38
    assert [section for section, count in covered.items() if count < 2] == []


def test_every_objective_that_touches_containers_is_served_and_no_other_is_named(bank):
    served = {name for question in bank for name in question.objectives}
    assert served == set(objectives())


TABLES = (
    "What is ECS? > Key Concepts", "ECS Architecture > Core Components", "Launch Types > EC2 Launch Type",
    "Launch Types > Fargate Launch Type", "Launch Types > Launch Type Comparison", "Task Definitions",
    "Task Definitions > Task Roles vs Execution Roles", "Services", "Clusters", "Networking > Network Modes",
    "Networking > Service Discovery", "Auto Scaling", "Deployment Strategies > Rolling Update",
    "Deployment Strategies > Blue/Green Deployment", "Security > Task Security", "Monitoring & Logging > CloudWatch Integration",
    "Pricing > EC2 Launch Type", "Pricing > Fargate Launch Type", "Use Cases", "Best Practices", "Related Services", "Key Takeaways",
)  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_the_card_is_asked_about(bank, table):
    assert sum(question.card == table for question in bank) >= 3


def test_a_thousand_questions_are_loaded_checked_and_advised_on(tmp_path):
    for number in range(10):
        head = HEAD.replace("topic: sample", f"topic: t{number}")
        text = "".join(entry(100 * number + index, MIDDLE) for index in range(100)).replace("sample.q", f"t{number}.q")
        (tmp_path / f"t{number}.yaml").write_text(head + text)
    bank = load_bank(tmp_path)
    assert len(bank) == 1000
    assert len(list(lint(bank)) + list(advice(bank))) > 0


# -- the authors' guide ----------------------------------------------------

GUIDE = (content_root() / "quizzes" / "README.md").read_text(encoding="utf-8")
REST = "\n" + SINGLE[SINGLE.index("    reference:") :]


def guide_blocks(language):
    return [block.split("```")[0] for block in GUIDE.split(f"```{language}\n")[1:]]


def test_the_guide_shows_one_sound_question_of_each_type(tmp_path):
    head, *examples = guide_blocks("yaml")
    (tmp_path / "sample.yaml").write_text(head + "".join(example.rstrip() + REST for example in examples))
    bank = load_bank(tmp_path)
    assert sorted(question.type for question in bank) == sorted(FIELDS)
    assert list(lint(bank)) == []


def test_the_guides_proof_comes_out_as_its_question_says(tmp_path):
    head, single, *_ = guide_blocks("yaml")
    (tmp_path / "sample.yaml").write_text(head + single.rstrip() + REST)
    (tmp_path / "proofs.py").write_text(guide_blocks("python")[0])
    (one,) = load_proofs(tmp_path).values()
    assert prove(one, load_bank(tmp_path)[one.id]).observed == (3, 1)


def test_the_guides_table_can_be_imported(tmp_path):
    (tmp_path / "quiz.csv").write_text(guide_blocks("csv")[0])
    imported = read_file(tmp_path / "quiz.csv", "mine")
    assert (len(imported.questions), imported.left_out) == (1, [])
