"""What is exported is read back by a reader of that format; what is imported is sound, or its fault is named.

GIFT and Anki are read by packages made for it. For Moodle XML and QTI 2.1 the package indexes have writers, and
readers that nobody keeps any more; their structure is looked at here.
"""
import csv
import io
import json
import sqlite3
import zipfile
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pygiftparser.parser as pygiftparser
import pytest
from anki.collection import Collection, ImportAnkiPackageRequest
from click.testing import CliRunner

from ecslab.cli import main
from ecslab.teach import load_bank
from ecslab.teach.bank import read_question
from ecslab.teach.formats import FORMATS, FormatError, anki, asked, bank_file, export, read_file
from ecslab.teach.mistakes import Mistake

from .samples import SAMPLE, bank_folder

QTI = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"
PACKAGE = "{http://www.imsglobal.org/xsd/imscp_v1p1}"
HOSTILE = "`<b>` <script>alert(1)</script> ]]> & ~ = # { } : \\ $5 -> \U0001f40b"


@pytest.fixture(scope="module")
def bank():
    return load_bank()


@pytest.fixture(scope="module")
def sample():
    return load_bank(SAMPLE)


@pytest.fixture(scope="module")
def everything(bank):
    return asked(bank)


def exported(name, bank):
    return export(name, bank).content


@pytest.fixture
def hostile(tmp_path):
    """The sample, with one option full of what means something to HTML, XML, GIFT or TeX."""
    return load_bank(bank_folder(tmp_path, ("It restarts the stopped task", HOSTILE.replace("\\", "\\\\"))))


# -- every format ----------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_computed_questions_are_exported_when_asked_for(name, bank):
    """Two of each generator of the topic; another seed gives other questions."""
    plain, more = export(name, bank, ["pricing"]), export(name, bank, ["pricing"], computed=2, seed=7)
    makers = [maker for maker in bank.generators("pricing") if bank.computed(maker, 7).type in FORMATS[name].types]
    assert makers and more.count == plain.count + 2 * len(makers)
    names = [one.id for one in asked(bank, ["pricing"], 2, 7)]
    assert {f"{maker}-{seed}" for maker in makers for seed in (7, 8)} <= set(names)
    assert export(name, bank, ["pricing"], computed=2, seed=9).content != more.content


def test_computed_questions_come_back_from_csv_as_they_went(tmp_path, bank):
    path = tmp_path / "pricing.csv"
    path.write_bytes(export("csv", bank, ["pricing"], computed=1, seed=7).content)
    read = {question["stem"].strip(): question for question in read_file(path, "pricing").questions}
    for maker in bank.generators("pricing"):
        question = bank.computed(maker, 7)
        back = read[question.stem.strip()]
        assert back["type"] == question.type and back["explanation"].strip() == question.explanation.strip()


@pytest.mark.parametrize("name", FORMATS)
def test_every_active_question_is_exported_or_named_as_left_out(name, bank, everything):
    result = export(name, bank)
    assert result.count + len(result.left_out) == len(everything)
    assert result.count > 300
    assert all(name == "jupyterquiz" for _ in result.left_out)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "anki"])
def test_the_same_questions_make_the_same_file(name, sample):
    assert exported(name, sample) == exported(name, sample)


@pytest.mark.parametrize("name", FORMATS)
def test_topics_are_chosen_by_name_and_an_unknown_one_is_told(name, bank):
    assert export(name, bank, ["pricing"]).count < 60
    with pytest.raises(Mistake, match="no topic 'prices'"):
        export(name, bank, ["prices"])


def test_drafts_are_not_exported(tmp_path):
    drafts = load_bank(bank_folder(tmp_path, ("status: active", "status: draft")))
    assert b"sample.single" not in exported("html", drafts)
    assert b"sample.multiple" in exported("html", drafts)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_only_html_is_written_without_the_key(name, sample):
    with pytest.raises(FormatError, match="always holds the key"):
        export(name, sample, key=False)


# -- Moodle XML ------------------------------------------------------------


def moodle(bank):
    root = ET.fromstring(exported("moodle", bank))
    return {node.findtext("name/text"): node for node in root.iter("question") if node.get("type") != "category"}


def test_moodle_reads_the_type_grades_and_reasons_of_every_question(sample):
    read = moodle(sample)
    kinds = [node.get("type") for node in read.values()]
    assert kinds == ["multichoice", "multichoice", "numerical", "matching", "matching", "essay", "multichoice", "numerical", "multichoice"]
    grades = {name: [answer.get("fraction") for answer in node.iter("answer")] for name, node in read.items()}
    assert grades["sample.single"] == ["100", "0", "0", "0"]
    assert grades["sample.multiple"] == ["50", "50", "-100", "-100", "-100"]
    assert grades["sample.numeric"] == ["100", "0", "0"]
    assert all(answer.findtext("feedback/text") for answer in read["sample.single"].iter("answer"))


def test_moodle_pairs_places_with_items_and_left_with_right(sample):
    read = moodle(sample)
    pairs = {name: [(one.findtext("text"), one.findtext("answer/text")) for one in read[name].iter("subquestion")] for name in read}
    assert pairs["sample.order"][0] == ("Place 1", "PROVISIONING")
    assert pairs["sample.match"][2] == ("137", "The program was killed with SIGKILL")


def test_the_right_grades_of_every_moodle_question_make_a_hundred_percent(bank):
    for name, node in moodle(bank).items():
        if node.get("type") == "multichoice":
            right = [float(answer.get("fraction")) for answer in node.iter("answer") if float(answer.get("fraction")) > 0]
            assert sum(right) == pytest.approx(100, abs=0.001), name


# -- GIFT ------------------------------------------------------------------


def gift(bank) -> dict:
    """What a reader of GIFT files finds, by title."""
    return {one.title: one for one in pygiftparser.parseFile(io.StringIO(exported("gift", bank).decode()))}


def test_a_reader_of_gift_finds_every_question_with_its_kind_and_its_key(bank, everything):
    read = gift(bank)
    assert list(read) == [one.id for one in everything]
    for one in everything:
        body, found = one.body, read[one.id]
        assert found.valid and found.markup == "html" and found.generalFeedback, one.id
        if body.options:
            assert [answer.select or answer.fraction > 0 for answer in found.answers.answers] == [option.correct for option in body.options], one.id
        elif body.type == "numeric":
            first, *others = found.answers.answers
            assert (first.value, first.tolerance >= body.tolerance, len(others)) == (body.answer, True, len(body.wrong)), one.id
        elif body.type in ("match", "order"):
            assert len(found.answers.answers) == len(body.pairs or body.items), one.id
        else:
            assert type(found.answers).__name__ == "Essay", one.id


def test_what_would_end_or_divide_an_answer_in_gift_is_escaped(hostile):
    """The reader above stumbles over an escaped brace in an answer; Moodle does not."""
    block = next(one for one in exported("gift", hostile).decode().split("\n\n") if one.startswith("::sample.single::"))
    answers = [line for line in block.partition(" {\n")[2].partition("\n####")[0].splitlines()]
    assert len(answers) == 4
    assert answers[1].partition("]]&gt; &amp; ")[2].startswith(r"\~ \= \# \{ \} \: \\ $5 -&gt;")


# -- QTI -------------------------------------------------------------------


def qti(bank):
    package = zipfile.ZipFile(io.BytesIO(exported("qti", bank)))
    return {name: ET.fromstring(package.read(name)) for name in package.namelist()}


def test_the_manifest_names_every_file_of_the_package_and_the_test_every_item(bank):
    files = qti(bank)
    named = {node.get("href") for node in files["imsmanifest.xml"].iter(f"{PACKAGE}file")}
    assert named == set(files) - {"imsmanifest.xml"}
    assert {node.get("href") for node in files["test.xml"].iter(f"{QTI}assessmentItemRef")} == named - {"test.xml"}


def test_every_identifier_of_a_qti_item_is_declared_once_and_the_key_names_choices(bank):
    for name, item in qti(bank).items():
        choices = [node.get("identifier") for tag in ("simpleChoice", "simpleAssociableChoice") for node in item.iter(QTI + tag)]
        assert len(choices) == len(set(choices)), name
        if choices:
            key = [value.text.split() for value in item.find(f"{QTI}responseDeclaration/{QTI}correctResponse")]
            assert {part for value in key for part in value} <= set(choices), name


def test_qti_scores_and_explains_each_type(sample):
    items = {name.removeprefix("items/sample.").removesuffix(".xml"): item for name, item in qti(sample).items() if "items" in name}
    kinds = {name: next(node.tag.removeprefix(QTI) for node in item.iter() if node.tag.endswith("Interaction")) for name, item in items.items()}
    assert kinds == {
        "single": "choiceInteraction", "multiple": "choiceInteraction", "numeric": "textEntryInteraction", "order": "orderInteraction",
        "match": "matchInteraction", "fix-json": "extendedTextInteraction", "read-events": "choiceInteraction",
        "scenario.1": "textEntryInteraction", "scenario.2": "choiceInteraction",
    }  # fmt: skip
    assert items["multiple"].find(f".//{QTI}choiceInteraction").get("maxChoices") == "2"
    assert len(list(items["single"].iter(f"{QTI}modalFeedback"))) == 5
    assert items["numeric"].find(f".//{QTI}equal").get("tolerance") == "1e-09 1e-09"


# -- Anki ------------------------------------------------------------------


def notes(content, folder):
    path = folder / "collection.anki2"
    path.write_bytes(zipfile.ZipFile(io.BytesIO(content)).read("collection.anki2"))
    with sqlite3.connect(path) as db:
        return {guid: (mod, fields.split("\x1f")) for guid, mod, fields in db.execute("SELECT guid, mod, flds FROM notes")}


def test_a_newer_deck_holds_the_same_notes_with_newer_text(tmp_path, sample):
    changed = load_bank(bank_folder(tmp_path, ("A service has `desiredCount` 3", "A service wants 3 tasks")))
    old = notes(anki.write(asked(sample), "ECS", at=1_000_000), tmp_path)
    new = notes(anki.write(asked(changed), "ECS", at=2_000_000), tmp_path)
    assert old.keys() == new.keys() and len(old) == 9
    different = [new[guid][1][0] for guid in old if old[guid][1] != new[guid][1]]
    assert different == ["sample.single"]
    assert all(new[guid][0] > old[guid][0] for guid in old)


def test_anki_itself_takes_a_deck_once_and_then_only_its_changes(tmp_path, sample):
    changed = load_bank(bank_folder(tmp_path, ("A service has `desiredCount` 3", "A service wants 3 tasks")))
    collection, told = Collection(str(tmp_path / "learner.anki2")), []
    try:
        for number, bank in enumerate((sample, sample, changed), 1):
            deck = tmp_path / f"{number}.apkg"
            deck.write_bytes(anki.write(asked(bank), "ECS", at=number * 1_000_000))
            log = collection.import_anki_package(ImportAnkiPackageRequest(package_path=str(deck))).log
            told.append((len(log.new), len(log.updated), collection.note_count()))
        (found,) = collection.find_notes('"A service wants 3 tasks"')
        assert collection.get_note(found)["Id"] == "sample.single"
    finally:
        collection.close()
    assert told[0] == (9, 0, 9) and [new for new, _, _ in told[1:]] == [0, 0] and told[2][2] == 9


def test_a_card_asks_in_front_and_answers_on_its_back(tmp_path, sample):
    cards = {fields[0]: fields for _, fields in notes(exported("anki", sample), tmp_path).values()}
    _, front, back = cards["sample.single"]
    assert "It starts one new task" in front and "Key" not in front
    assert "Key: " in back and "A stopped task never runs again" in back


# -- jupyterquiz -----------------------------------------------------------


def test_jupyterquiz_questions_come_back_with_their_options_reasons_and_key(tmp_path, bank):
    path = tmp_path / "quiz.json"
    path.write_bytes(exported("jupyterquiz", bank))
    read = read_file(path, "mine")
    ours = [one for one in asked(bank) if one.body.type in FORMATS["jupyterquiz"].types]
    assert read.left_out == [] and len(read.questions) == len(ours)
    for one, back in zip(ours, read.questions):
        if one.body.options:
            assert [bool(option.get("correct")) for option in back["options"]] == [option.correct for option in one.body.options]
            assert [same(option["text"]) for option in back["options"]] == [same(option.text) for option in one.body.options]
            assert [same(option["why"]) for option in back["options"]] == [same(option.why) for option in one.body.options]
        else:
            assert (back["answer"], back["tolerance"]) == pytest.approx((one.body.answer, one.body.tolerance))


def same(text):
    return " ".join(text.replace("_", "*").split())


def test_a_dollar_begins_no_formula_in_jupyterquiz(hostile):
    assert "$" not in exported("jupyterquiz", hostile).decode()


def test_the_explanation_of_an_imported_question_is_the_reason_of_its_key(tmp_path, sample):
    path = tmp_path / "quiz.json"
    path.write_bytes(exported("jupyterquiz", sample))
    first = read_file(path, "mine").questions[0]
    assert first["explanation"] == "The scheduler brings the running count back to `desiredCount` with a new task."
    assert first["status"] == "draft"


# -- CSV -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sample", "content"])
def test_csv_gives_back_every_field_of_every_question(name, tmp_path, sample, bank):
    source = {"sample": sample, "content": bank}[name]
    for topic in source.topics:
        path = tmp_path / f"{topic}.csv"
        path.write_bytes(export("csv", source, [topic]).content)
        read = read_file(path, topic)
        assert read.left_out == []
        assert [read_question(entry, topic)[0] for entry in read.questions] == list(source.topic(topic))


@pytest.mark.parametrize("beginning", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "'=1", "\tx"])
def test_no_cell_is_a_formula_and_the_text_comes_back(beginning, tmp_path):
    yaml_text = json.dumps(beginning)
    changed = load_bank(bank_folder(tmp_path, ('"It restarts the stopped task"', yaml_text)))
    content = exported("csv", changed)
    cells = [cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in row]
    assert f"'{beginning}" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    path = tmp_path / "sample.csv"
    path.write_bytes(content)
    assert read_file(path, "sample").questions[0]["options"][1]["text"] == beginning


def test_a_short_table_is_enough_and_what_it_lacks_is_for_an_author_to_write(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("type,stem,key,a,b,c,d\nsingle,Which?,b,one,two,three,four\n")
    (question,) = read_file(path, "mine").questions
    assert [option.get("correct") for option in question["options"]] == [None, True, None, None]
    assert (question["id"], question["status"], question["author_note"]) == ("mine.q1", "draft", "To be written.")
    (tmp_path / "mine.yaml").write_text(bank_file("mine", "Mine", [question]))
    assert load_bank(tmp_path)["mine.q1"].key == ("b",)


# -- HTML ------------------------------------------------------------------


class Page(HTMLParser):
    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.text = [], Counter(), []
        self.feed(content.decode())
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        if tag not in ("meta", "br", "hr", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_without_the_key_tells_no_answer_and_no_reason(bank):
    page = Page(export("html", bank, key=False).content)
    text = "".join(page.text)
    assert page.tags["section"] == len(asked(bank))
    assert "Key:" not in text and "docs.aws.amazon.com" not in text
    assert not any(one.body.explanation.strip()[:60] in text for one in asked(bank) if len(one.body.explanation) > 60)


def test_the_key_names_the_letters_under_which_the_options_stand(sample):
    text = "".join(Page(exported("html", sample)).text)
    shown = [line.strip() for line in text.splitlines()]
    assert sum(line.startswith("Key: ") for line in shown) == 9
    assert "Key: 2 tasks" in shown
    single = exported("html", sample).decode().split('<section id="sample.single">')[1].split("</section>")[0]
    letter = single.split("Key: ")[1][0]
    options = single.split('<ol type="A">')[1].split("</ol>")[0].split("<li>")[1:]
    assert options["ABCD".index(letter)].startswith("It starts one new task")


@pytest.mark.parametrize("name", ["html", "moodle", "jupyterquiz", "anki"])
def test_html_in_a_question_is_shown_and_never_run(name, hostile, tmp_path):
    content = exported(name, hostile)
    if name == "anki":
        text = "".join(field for _, fields in notes(content, tmp_path).values() for field in fields)
    elif name == "moodle":
        text = "".join(ET.fromstring(content).itertext())
    else:
        text = content.decode()
    assert "<script" not in text and "&lt;script&gt;" in text


# -- files that are not what they should be --------------------------------

QUIZ = {"question": "Q", "type": "multiple_choice", "answers": [{"answer": x, "correct": x == "a"} for x in "abcd"]}
TABLE = "type,stem,key,a,b,c,d\n"


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("q.json", "[{]", "q.json, line 1: not JSON"),
        ("q.json", "{}", "q.json, line 1: wanted a list of questions, found dict"),
        ("q.json", "[" * 100_000, "q.json, line 1: not a JSON file that can be read"),
        ("q.json", "[" + "9" * 10_000 + "]", "q.json, line 1: not a JSON file that can be read"),
        ("q.json", b"[\n\xff\xfe]", "q.json, line 2: not UTF-8 text"),
        ("q.csv", "PK\x03\x04\0\0", "q.csv, line 1: not text but binary data"),
        ("q.csv", "stem,key\nx,a\n", "q.csv, line 1: no column 'type'"),
        ("q.csv", "type,stem,key,colour\n", "q.csv, line 1: there is no column 'colour'"),
        ("q.csv", "type,stem,key,a,a\n", "q.csv, line 1: the column 'a' is there twice"),
        ("q.csv", "", "q.csv, line 1: no column 'type'"),
        ("q.csv", TABLE + 'single,"never ends\n', "q.csv, line 2: not CSV"),
        ("q.csv", TABLE + f'single,"{"x" * 200_000}",a\n', "q.csv, line 2: not CSV: field larger"),
        ("q.xml", '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><a>&c;</a>', "q.xml: only .json and .csv files"),
        ("q.zip", b"PK\x05\x06" + bytes(18), "q.zip: only .json and .csv files"),
    ],
)
def test_a_broken_file_ends_in_one_sentence_with_place_and_cause(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FormatError) as caught:
        read_file(path, "mine")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("q.json", json.dumps([QUIZ, {**QUIZ, "type": "string"}]), "q.json, question 2: type is 'string', wanted one of"),
        ("q.json", json.dumps([QUIZ, {**QUIZ, "type": {}}]), "q.json, question 2: type is not text, or empty."),
        ("q.json", json.dumps([QUIZ, 5]), "q.json, question 2: wanted an object, found int."),
        ("q.json", json.dumps([QUIZ, {**QUIZ, "answers": QUIZ["answers"][:3]}]), "q.json, question 2: 3 options, wanted 4."),
        ("q.json", json.dumps([QUIZ, {**QUIZ, "answers": ["a"]}]), "q.json, question 2: answer 1: wanted an object, found str."),
        ("q.json", json.dumps([QUIZ, {"type": "numeric", "question": "Q", "answers": [{"type": "value", "value": float("nan"), "correct": True}]}]),
         "q.json, question 2: answer 1: 'nan' is not a plain number."),
        ("q.csv", TABLE + "single,Q,a,1,2,3,4\nsingle,Q,e,1,2,3,4\n", "q.csv, line 3: key names 'e', and there is no such option."),
        ("q.csv", TABLE + "single,Q,a,1,2,3,4\nsingle,Q,a,1,2,3,4,5\n", "q.csv, line 3: more cells than columns"),
        ("q.csv", TABLE + "single,Q,a,1,2,3,4\nessay,Q,a\n", "q.csv, line 3: type is 'essay'"),
        ("q.csv", TABLE + "single,Q,a,1,2,3,4\nmatch,Q,in pairs,1,2,3,4\n", "q.csv, line 3: a: wanted a pair: left => right."),
        ("q.csv", TABLE + "single,Q,a,1,2,3,4\nnumeric,Q,many\n", "q.csv, line 3: key: 'many' is not a plain number."),
    ],
)
def test_a_question_that_can_not_be_taken_is_named_and_the_others_are_taken(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    read = read_file(tmp_path / name, "mine")
    assert len(read.questions) == 1
    assert len(read.left_out) == 1 and read.left_out[0].startswith(sentence)


def test_a_file_far_too_large_is_not_read(tmp_path):
    path = tmp_path / "q.csv"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(FormatError, match="q.csv: 16384 MiB; no file of questions is larger"):
        read_file(path, "mine")


def test_a_path_in_an_imported_id_stays_a_name(tmp_path):
    (tmp_path / "q.json").write_text(json.dumps([{**QUIZ, "id": "../../etc/passwd"}, {**QUIZ, "id": "../../etc/passwd"}]))
    assert [question["id"] for question in read_file(tmp_path / "q.json", "mine").questions] == ["mine.etc-passwd", "mine.etc-passwd-2"]


def test_half_a_character_in_an_imported_question_does_not_keep_it_from_being_saved(tmp_path):
    (tmp_path / "q.json").write_text(json.dumps([{**QUIZ, "question": "Which \ud800?", "code": "\udfff"}]))
    done = run("import", tmp_path / "q.json", "-o", tmp_path / "mine.yaml")
    assert done.exit_code == 0
    assert load_bank(tmp_path)["mine.q1"].stem == "Which \ufffd?"


def test_scripts_in_an_imported_question_are_dropped_and_code_is_kept(tmp_path):
    quiz = {**QUIZ, "question": "<p>What does <code>a &lt; b</code> do?</p><script>alert(1)</script>"}
    (tmp_path / "q.json").write_text(json.dumps([quiz]))
    assert read_file(tmp_path / "q.json", "mine").questions[0]["stem"] == "What does `a < b` do?"


# -- the command -----------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_exports_and_imports(tmp_path):
    assert run("export", "csv", "pricing", "-o", tmp_path / "pricing.csv").output.startswith("Wrote ")
    done = run("import", tmp_path / "pricing.csv", "-o", tmp_path / "pricing.yaml")
    assert done.exit_code == 0
    assert list(load_bank(tmp_path).questions) == [question.id for question in load_bank().topic("pricing")]


def test_a_seed_without_computed_questions_is_no_silent_wish(tmp_path):
    answer = CliRunner().invoke(main, ["export", "csv", "pricing", "--seed", "7", "-o", str(tmp_path / "out.csv")])
    assert answer.exit_code == 1 and "--computed" in answer.output and not (tmp_path / "out.csv").exists()


def test_the_command_touches_no_question_file_that_is_there(tmp_path):
    (tmp_path / "q.json").write_text(json.dumps([QUIZ]))
    (tmp_path / "mine.yaml").write_text("mine")
    done = run("import", tmp_path / "q.json", "-o", tmp_path / "mine.yaml")
    assert (done.exit_code, (tmp_path / "mine.yaml").read_text()) == (1, "mine")
    assert "exists already" in done.output


def test_the_command_leaves_nothing_behind_when_nothing_can_be_imported(tmp_path):
    (tmp_path / "q.json").write_text(json.dumps([{**QUIZ, "type": "string"}]))
    done = run("import", tmp_path / "q.json", "-o", tmp_path / "mine.yaml")
    assert done.exit_code == 1 and "Nothing was imported." in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["q.json"]
