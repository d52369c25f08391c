"""QTI 2.1, written: a question is an assessmentItem, in a package with its imsmanifest.xml.

Sources: IMS QTI 2.1 information model and its XML binding, for interactions, response processing and the package.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from assessor.quizzes.formats.carried import Note, Written, number, without_parameters, xml_text
from assessor.quizzes.formats.markup import to_html
from assessor.quizzes.questions import CHOICES, Kind, Question

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
TEMPLATES = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
COMPARED = (Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC)


def write(questions: tuple[Question, ...], title: str) -> Written:
    """The questions as a package, and what QTI cannot say of them."""
    notes: list[Note] = []
    items = []
    for question in without_parameters(questions, notes):
        notes += _unsaid(question)
        items.append((f"items/{question.id}.xml", _item(question), question.id))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root, _ in [("imsmanifest.xml", _manifest(items), ""), *items]:
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n")
    return Written(packed.getvalue(), ".zip", tuple(notes))


def _unsaid(question: Question) -> Iterator[Note]:
    if question.topic:
        yield Note(question.id, f"topic: {question.topic}", "dropped: QTI has no topics")
    if question.marks != 1:
        yield Note(question.id, f"marks: {question.marks.normalize():f}", "dropped: the score of an item is from 0 to 1")
    if question.difficulty != "medium":
        yield Note(question.id, f"difficulty: {question.difficulty}", "dropped")
    if question.unit:
        yield Note(question.id, f"unit: {question.unit}", "dropped: a number alone is asked for")
    if question.kind is Kind.ORDERING:
        yield Note(question.id, "parts of an order", "dropped: the whole order is right, or nothing is")
    if question.kind in COMPARED:
        yield Note(question.id, f"kind: {question.kind}", "written as text: only the forms that are listed are right")
    if question.kind is Kind.NUMERICAL and len(question.answers) > 1:
        yield Note(question.id, "several accepted numbers", "each is compared; the first that is near enough counts")


def _manifest(items: Sequence[tuple[str, Element, str]]) -> Element:
    root = Element("manifest", xmlns=PACKAGE, identifier="bank")
    metadata = SubElement(root, "metadata")
    SubElement(metadata, "schema").text = "IMS Content"
    SubElement(metadata, "schemaversion").text = "1.1"
    SubElement(root, "organizations")
    resources = SubElement(root, "resources")
    for name, _, identifier in items:
        resource = SubElement(resources, "resource", identifier=_nc(identifier), type="imsqti_item_xmlv2p1", href=name)
        SubElement(resource, "file", href=name)
    return root


def _nc(name: str) -> str:
    """An identifier, which may not begin with a digit."""
    return name if name[:1].isalpha() else f"q-{name}"


def _item(question: Question) -> Element:
    root = Element(
        "assessmentItem", xmlns=QTI, identifier=_nc(question.id), title=question.id, adaptive="false", timeDependent="false"
    )
    body = WRITE[question.kind](root, question)
    outcome = SubElement(root, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float")
    SubElement(SubElement(outcome, "defaultValue"), "value").text = "0"
    said = _feedback(root, question)
    root.append(body)
    _processing(root, question, said)
    for identifier, text in said:
        shown = SubElement(root, "modalFeedback", outcomeIdentifier="FEEDBACK", identifier=identifier, showHide="show")
        _markup(shown, text)
    return root


def _response(
    root: Element, question: Question, cardinality: str, base: str, right: Sequence[str], mapped: Sequence[tuple[str, Decimal]]
) -> None:
    own = SubElement(root, "responseDeclaration", identifier="RESPONSE", cardinality=cardinality, baseType=base)
    correct = SubElement(own, "correctResponse")
    for value in right:
        SubElement(correct, "value").text = value
    if mapped:
        mapping = SubElement(own, "mapping", defaultValue="0")
        mapping.set("lowerBound", "0")
        mapping.set("upperBound", "1")
        for key, earned in mapped:
            entry = SubElement(mapping, "mapEntry", mapKey=key, mappedValue=_decimal(earned))
            if base == "string":
                entry.set("caseSensitive", "true" if question.case or question.kind is not Kind.SHORT else "false")


def _decimal(value: Decimal) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"


def _body(question: Question) -> Element:
    body = Element("itemBody")
    _markup(body, question.text)
    return body


def _markup(own: Element, text: str) -> None:
    """Our Markdown as elements."""
    for part in fromstring(f"<div>{to_html(xml_text(text))}</div>"):  # noqa: S314 - our own escaped text
        own.append(part)


def _choice(root: Element, question: Question) -> Element:
    single = question.kind is not Kind.MULTIPLE
    keys = [f"A{place + 1}" for place in range(len(question.answers))]
    mapped = [(key, answer.fraction) for key, answer in zip(keys, question.answers, strict=True) if answer.fraction]
    right = [
        key
        for key, answer in zip(keys, question.answers, strict=True)
        if (answer.fraction == 1 if single else answer.fraction > 0)
    ]
    _response(root, question, "single" if single else "multiple", "identifier", right, mapped)
    body = _body(question)
    shuffle = "false" if question.kind is Kind.TRUE_FALSE else "true"
    own = SubElement(body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle=shuffle, maxChoices="1" if single else "0")
    for key, answer in zip(keys, question.answers, strict=True):
        option = SubElement(own, "simpleChoice", identifier=key, fixed="true" if answer.fixed else "false")
        _markup(option, answer.text)
    return body


def _entry(root: Element, question: Question) -> Element:
    numbers = question.kind is Kind.NUMERICAL
    right = [answer.text for answer in question.answers if answer.fraction == 1][:1]
    mapped = [] if numbers else [(xml_text(answer.text), answer.fraction) for answer in question.answers]
    _response(root, question, "single", "float" if numbers else "string", [xml_text(value) for value in right], mapped)
    body = _body(question)
    SubElement(SubElement(body, "p"), "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="40")
    return body


def _match(root: Element, question: Question) -> Element:
    stems, matches = question.stems, question.matches
    right = [
        f"S{place + 1} M{matches.index(pair.answer) + 1}"
        for place, pair in enumerate(pair for pair in question.pairs if pair.stem)
    ]
    _response(root, question, "multiple", "directedPair", right, [(pair, Decimal(1) / len(right)) for pair in right])
    body = _body(question)
    own = SubElement(body, "matchInteraction", responseIdentifier="RESPONSE", shuffle="true", maxAssociations=str(len(stems)))
    for letter, texts, most in (("S", stems, "1"), ("M", matches, "0")):
        part = SubElement(own, "simpleMatchSet")
        for place, text in enumerate(texts, 1):
            _markup(SubElement(part, "simpleAssociableChoice", identifier=f"{letter}{place}", matchMax=most), text)
    return body


def _order(root: Element, question: Question) -> Element:
    keys = [f"A{place + 1}" for place in range(len(question.steps))]
    _response(root, question, "ordered", "identifier", keys, [])
    body = _body(question)
    own = SubElement(body, "orderInteraction", responseIdentifier="RESPONSE", shuffle="true")
    for key, step in zip(keys, question.steps, strict=True):
        _markup(SubElement(own, "simpleChoice", identifier=key), step)
    return body


WRITE: dict[Kind, Callable[[Element, Question], Element]] = {
    **dict.fromkeys(CHOICES, _choice), Kind.MATCHING: _match, Kind.ORDERING: _order,
    **dict.fromkeys((Kind.NUMERICAL, Kind.SHORT, *COMPARED), _entry),
}  # fmt: skip


def _feedback(root: Element, question: Question) -> list[tuple[str, str]]:
    """(identifier, text) of all feedback, and the outcome that shows it."""
    said = [("GENERAL", question.feedback)] if question.feedback else []
    said += [(f"FOR-A{place + 1}", answer.feedback) for place, answer in enumerate(question.answers) if answer.feedback]
    if said:
        SubElement(root, "outcomeDeclaration", identifier="FEEDBACK", cardinality="multiple", baseType="identifier")
    return said


def _processing(root: Element, question: Question, said: Sequence[tuple[str, str]]) -> None:
    if question.kind is Kind.NUMERICAL:
        own = SubElement(root, "responseProcessing")
        condition = SubElement(own, "responseCondition")
        for place, answer in enumerate(question.answers):
            branch = SubElement(condition, "responseIf" if place == 0 else "responseElseIf")
            wide = max(question.tolerance.absolute, question.tolerance.relative * abs(number(answer.text) or Decimal(0)))
            shown = f"{wide.normalize():f}"
            equal = SubElement(branch, "equal", toleranceMode="absolute", tolerance=f"{shown} {shown}")
            SubElement(equal, "variable", identifier="RESPONSE")
            SubElement(equal, "baseValue", baseType="float").text = f"{number(answer.text) or 0:f}"
            value = SubElement(branch, "setOutcomeValue", identifier="SCORE")
            SubElement(value, "baseValue", baseType="float").text = _decimal(answer.fraction)
    else:
        template = "match_correct" if question.kind is Kind.ORDERING else "map_response"
        SubElement(root, "responseProcessing", template=TEMPLATES + template)
