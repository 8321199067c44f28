"""QTI 2.1: a zip with one item for each question, a test over all, and the manifest. Facts: 1EdTech, "QTI Assessment
Test, Section and Item Information Model, version 2.1".

| ours                | interaction              | scored                                   |
|---------------------|--------------------------|------------------------------------------|
| single, read-events | choiceInteraction        | key or nothing                           |
| multiple            | choiceInteraction        | all or nothing                           |
| numeric             | textEntryInteraction     | within the tolerance                     |
| order               | orderInteraction         | all or nothing                           |
| match               | matchInteraction         | all or nothing                           |
| fix-json            | extendedTextInteraction  | by hand; the solution is for the scorer  |

Every option answers with its reason, and every item with the explanation.
"""
from __future__ import annotations

import io
import zipfile
from typing import Sequence
from xml.etree import ElementTree as ET

from . import markup
from .asked import Asked

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
SCHEMA = f"{QTI} http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1p1.xsd"
INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
THEN = (1980, 1, 1, 0, 0, 0)  # one date for all files: the same questions make the same zip


def write(questions: Sequence[Asked], title: str) -> bytes:
    files = {f"items/{one.id}.xml": _item(one) for one in questions}
    files["test.xml"] = _test(questions, title)
    files["imsmanifest.xml"] = _manifest(questions)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            package.writestr(zipfile.ZipInfo(name, THEN), _bytes(files[name]), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _bytes(root: ET.Element) -> bytes:
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _name(one: Asked) -> str:
    return f"q.{one.id}"  # an XML name does not begin with a digit


# -- one item --------------------------------------------------------------


def _item(one: Asked) -> ET.Element:
    item = ET.Element(
        "assessmentItem",
        {"xmlns": QTI, INSTANCE: SCHEMA, "identifier": _name(one), "title": one.id, "adaptive": "false", "timeDependent": "false"},
    )
    values, cardinality, base = KEYS[one.body.type](one)
    response = ET.SubElement(item, "responseDeclaration", identifier="RESPONSE", cardinality=cardinality, baseType=base)
    if values:
        correct = ET.SubElement(response, "correctResponse")
        for value in values:
            ET.SubElement(correct, "value").text = value
    reasons = _reasons(one)
    score = ET.SubElement(item, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float")
    ET.SubElement(ET.SubElement(score, "defaultValue"), "value").text = "0"
    several = "multiple" if one.body.type == "multiple" else "single"
    ET.SubElement(item, "outcomeDeclaration", identifier="REASON", cardinality=several, baseType="identifier")
    ET.SubElement(item, "outcomeDeclaration", identifier="SOLVED", cardinality="single", baseType="identifier")
    body = ET.SubElement(item, "itemBody")
    _xhtml(ET.SubElement(body, "div"), one.html)
    INTERACTIONS[one.body.type](body, one)
    item.append(_processing(one))
    for name, why in reasons:
        _feedback(item, "REASON", name, markup.html(why))
    _feedback(item, "SOLVED", "told", one.explanation)
    return item


def _reasons(one: Asked) -> list[tuple[str, str]]:
    return [
        *((f"o{option.id}", option.why) for option in one.body.options),
        *((f"w{index}", wrong.why) for index, wrong in enumerate(one.body.wrong)),
    ]


def _feedback(item: ET.Element, outcome: str, name: str, text: str) -> None:
    _xhtml(ET.SubElement(item, "modalFeedback", outcomeIdentifier=outcome, identifier=name, showHide="show"), text)


def _xhtml(parent: ET.Element, text: str) -> None:
    parent.extend(ET.fromstring(f"<div>{text}</div>"))


def _inline(parent: ET.Element, text: str) -> None:
    whole = ET.fromstring(f"<p>{markup.inline(text)}</p>")
    parent.text = whole.text
    parent.extend(whole)


KEYS = {  # the right values, their cardinality and base type
    "single": lambda one: ([f"o{key}" for key in one.body.key], "single", "identifier"),
    "read-events": lambda one: ([f"o{key}" for key in one.body.key], "single", "identifier"),
    "multiple": lambda one: ([f"o{key}" for key in one.body.key], "multiple", "identifier"),
    "numeric": lambda one: ([f"{one.body.answer:.12g}"], "single", "float"),
    "order": lambda one: ([f"i{index}" for index, _ in enumerate(one.body.items)], "ordered", "identifier"),
    "match": lambda one: ([f"l{index} r{index}" for index, _ in enumerate(one.body.pairs)], "multiple", "directedPair"),
    "fix-json": lambda one: ([], "single", "string"),
}


def _choice(body: ET.Element, one: Asked) -> None:
    most = str(len(one.body.key))
    node = ET.SubElement(body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle="true", maxChoices=most)
    for option in one.body.options:
        _inline(ET.SubElement(node, "simpleChoice", identifier=f"o{option.id}"), option.text)


def _entry(body: ET.Element, one: Asked) -> None:
    line = ET.SubElement(body, "p")
    ET.SubElement(line, "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="12").tail = f" {one.body.unit}"


def _order(body: ET.Element, one: Asked) -> None:
    node = ET.SubElement(body, "orderInteraction", responseIdentifier="RESPONSE", shuffle="true")
    for index, item in enumerate(one.body.items):
        _inline(ET.SubElement(node, "simpleChoice", identifier=f"i{index}"), item.text)


def _match(body: ET.Element, one: Asked) -> None:
    most = str(len(one.body.pairs))
    node = ET.SubElement(body, "matchInteraction", responseIdentifier="RESPONSE", shuffle="true", maxAssociations=most)
    for side, letter in (("left", "l"), ("right", "r")):
        choices = ET.SubElement(node, "simpleMatchSet")
        for index, pair in enumerate(one.body.pairs):
            choice = ET.SubElement(choices, "simpleAssociableChoice", identifier=f"{letter}{index}", matchMax="1")
            _inline(choice, getattr(pair, side))


def _text(body: ET.Element, one: Asked) -> None:
    ET.SubElement(
        body, "extendedTextInteraction", responseIdentifier="RESPONSE", expectedLines="25", format="preformatted"
    )
    rubric = ET.SubElement(body, "rubricBlock", view="scorer")
    _xhtml(rubric, markup.html(markup.fenced(one.body.solution.rstrip())))


INTERACTIONS = {"single": _choice, "read-events": _choice, "multiple": _choice, "numeric": _entry, "order": _order,
                "match": _match, "fix-json": _text}  # fmt: skip


# -- scoring ---------------------------------------------------------------


def _processing(one: Asked) -> ET.Element:
    root = ET.Element("responseProcessing")
    if one.body.type != "fix-json":
        condition = ET.SubElement(root, "responseCondition")
        right = ET.SubElement(condition, "responseIf")
        right.append(_equals(one, one.body.answer) if one.body.type == "numeric" else _is_key())
        _set(right, "SCORE", "float", "1")
        for index, wrong in enumerate(one.body.wrong):
            branch = ET.SubElement(condition, "responseElseIf")
            branch.append(_equals(one, wrong.value))
            _set(branch, "REASON", "identifier", f"w{index}")
    if one.body.options:
        reason = ET.SubElement(root, "setOutcomeValue", identifier="REASON")
        ET.SubElement(reason, "variable", identifier="RESPONSE")
    _set(root, "SOLVED", "identifier", "told")
    return root


def _is_key() -> ET.Element:
    match = ET.Element("match")
    ET.SubElement(match, "variable", identifier="RESPONSE")
    ET.SubElement(match, "correct", identifier="RESPONSE")
    return match


def _equals(one: Asked, value: float) -> ET.Element:
    spread = f"{max(one.body.tolerance, 1e-9):.12g}"
    equal = ET.Element("equal", toleranceMode="absolute", tolerance=f"{spread} {spread}")
    ET.SubElement(equal, "variable", identifier="RESPONSE")
    ET.SubElement(equal, "baseValue", baseType="float").text = f"{value:.12g}"
    return equal


def _set(parent: ET.Element, outcome: str, base: str, value: str) -> None:
    node = ET.SubElement(parent, "setOutcomeValue", identifier=outcome)
    ET.SubElement(node, "baseValue", baseType=base).text = value


# -- test and manifest -----------------------------------------------------


def _test(questions: Sequence[Asked], title: str) -> ET.Element:
    test = ET.Element("assessmentTest", {"xmlns": QTI, INSTANCE: SCHEMA, "identifier": "test", "title": title})
    part = ET.SubElement(test, "testPart", identifier="part", navigationMode="nonlinear", submissionMode="individual")
    sections: dict[str, ET.Element] = {}
    for one in questions:
        topic = one.question.topic
        if topic not in sections:
            sections[topic] = ET.SubElement(part, "assessmentSection", identifier=f"s.{topic}", title=topic, visible="true")
        ET.SubElement(sections[topic], "assessmentItemRef", identifier=_name(one), href=f"items/{one.id}.xml")
    return test


def _manifest(questions: Sequence[Asked]) -> ET.Element:
    manifest = ET.Element("manifest", {"xmlns": PACKAGE, "identifier": "package"})
    metadata = ET.SubElement(manifest, "metadata")
    ET.SubElement(metadata, "schema").text = "QTIv2.1 Package"
    ET.SubElement(metadata, "schemaversion").text = "1.0.0"
    ET.SubElement(manifest, "organizations")
    resources = ET.SubElement(manifest, "resources")
    test = _resource(resources, "resource.test", "imsqti_test_xmlv2p1", "test.xml")
    for one in questions:
        name = f"resource.{one.id}"
        _resource(resources, name, "imsqti_item_xmlv2p1", f"items/{one.id}.xml")
        ET.SubElement(test, "dependency", identifierref=name)
    return manifest


def _resource(resources: ET.Element, name: str, kind: str, href: str) -> ET.Element:
    resource = ET.SubElement(resources, "resource", identifier=name, type=kind, href=href)
    ET.SubElement(resource, "file", href=href)
    return resource
