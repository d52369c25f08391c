"""QTI 2.1: one item an assessmentItem, in a package with its imsmanifest.xml.

Sources: IMS QTI 2.1 information model and its XML binding, for interactions, response processing and the package.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, indent, tostring

from assessor.quizzes.formats.carried import (
    Carried,
    Names,
    Note,
    Written,
    find_all,
    first,
    local,
    members,
    number,
    parse_xml,
    refuse,
    without_parameters,
)
from assessor.quizzes.formats.markup import to_html, to_markdown
from assessor.quizzes.questions import CHOICES, Answer, Kind, Pair, Question, Tolerance

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
TEMPLATES = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
COMPARED = (Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC)


# Writing


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
            indent(root)
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
    for part in fromstring(f"<div>{to_html(_clean(text))}</div>"):  # noqa: S314 - our own escaped text
        own.append(part)


def _clean(text: str) -> str:
    return "".join(
        letter
        for letter in text
        if letter in "\t\n" or (letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff")
    )


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
    mapped = [] if numbers else [(_clean(answer.text), answer.fraction) for answer in question.answers]
    _response(root, question, "single", "float" if numbers else "string", [_clean(value) for value in right], mapped)
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


# Reading


def read(data: bytes, file: Path) -> Carried:
    """The items of a package, or of a single file.

    Raises:
        CourseInvalid: it is neither.
    """
    found = members(data, file) if data[:2] == b"PK" else {file.name: data}
    questions: list[Question] = []
    notes: list[Note] = []
    names = Names()
    for name, text in found.items():
        root = parse_xml(text, file, name)
        for item in find_all(root, "assessmentItem"):
            own = names.of(item.get("title") or item.get("identifier") or Path(name).stem)
            question = _read(item, own, file.stem, notes)
            if question is not None:
                questions.append(question)
    if not questions and not notes:
        raise refuse(file, "(file)", "no assessmentItem", "QTI 2.1: a package, or an item")
    return Carried(tuple(questions), tuple(notes))


INTERACTIONS = ("choiceInteraction", "textEntryInteraction", "extendedTextInteraction", "matchInteraction", "orderInteraction")


def _read(item: Element, name: str, topic: str, notes: list[Note]) -> Question | None:
    def note(what: str, done: str = "dropped") -> None:
        notes.append(Note(name, what, done))

    body = first(item, "itemBody")
    asked = [each for each in item.iter() if local(each).endswith("Interaction")]
    if body is None or len(asked) != 1 or local(asked[0]) not in INTERACTIONS[:2] + INTERACTIONS[3:]:
        kinds = ", ".join(dict.fromkeys(local(each) for each in asked)) or "none"
        note(f"its interactions ({kinds})", "the question was left out: one that is known is expected")
        return None
    (own,) = asked
    declared = first(item, "responseDeclaration")
    right = [(value.text or "").strip() for value in find_all(_or_empty(first(declared, "correctResponse")), "value")]
    mapping = first(declared, "mapping")
    mapped = {
        entry.get("mapKey", ""): number(entry.get("mappedValue")) or Decimal(0)
        for entry in find_all(_or_empty(mapping), "mapEntry")
    }
    said = {each.get("identifier", ""): _shown(each, note) for each in find_all(item, "modalFeedback")}
    base: dict[str, Any] = {"id": name, "text": _text(body, own, note), "topic": topic, "feedback": said.pop("GENERAL", "")}
    if local(own) == "choiceInteraction":
        return _read_choice(own, declared, right, mapped, said, base, note)
    if local(own) == "orderInteraction":
        texts = {each.get("identifier", ""): _shown(each, note) for each in find_all(own, "simpleChoice")}
        if sorted(right) != sorted(texts):
            note("no right order", "the question was left out")
            return None
        return Question(kind=Kind.ORDERING, steps=tuple(texts[key] for key in right), **base)
    if local(own) == "matchInteraction":
        return _read_match(own, right, base, note)
    return _read_entry(item, declared, right, mapped, said, base, note)


def _read_choice(
    own: Element,
    declared: Element | None,
    right: list[str],
    mapped: dict[str, Decimal],
    said: dict[str, str],
    base: dict[str, Any],
    note: Callable[..., None],
) -> Question:
    multiple = declared is not None and declared.get("cardinality") == "multiple"
    options = []
    for each in find_all(own, "simpleChoice"):
        key = each.get("identifier", "")
        share = Decimal(1) / max(1, len(right)) if multiple else Decimal(1)
        fraction = mapped[key] if key in mapped else Decimal(0) if mapped else share * (key in right)
        options.append(Answer(_shown(each, note), fraction, said.get(f"FOR-{key}", ""), each.get("fixed") == "true"))
    words = [option.text.strip().lower() for option in options]
    kind = Kind.MULTIPLE if multiple else Kind.TRUE_FALSE if sorted(words) == ["false", "true"] else Kind.SINGLE
    return Question(kind=kind, answers=tuple(options), **base)


def _read_match(own: Element, right: list[str], base: dict[str, Any], note: Callable[..., None]) -> Question | None:
    sets = find_all(own, "simpleMatchSet")
    if len(sets) != 2:
        note("its sets to match", "the question was left out: two are expected")
        return None
    stems, matches = (
        {each.get("identifier", ""): _shown(each, note) for each in find_all(part, "simpleAssociableChoice")} for part in sets
    )
    pairs, used = [], set()
    for value in right:
        one, _, other = value.partition(" ")
        if one in stems and other.strip() in matches:
            pairs.append(Pair(stems[one], matches[other.strip()]))
            used.add(other.strip())
    pairs += [Pair("", text) for key, text in matches.items() if key not in used]
    if len([pair for pair in pairs if pair.stem]) != len(stems):
        note("stems without one right answer each", "the question was left out")
        return None
    return Question(kind=Kind.MATCHING, pairs=tuple(pairs), **base)


def _read_entry(
    item: Element,
    declared: Element | None,
    right: list[str],
    mapped: dict[str, Decimal],
    said: dict[str, str],
    base: dict[str, Any],
    note: Callable[..., None],
) -> Question | None:
    if declared is not None and declared.get("baseType") in ("float", "integer"):
        found = []
        for equal in find_all(item, "equal"):
            value = next((number(each.text) for each in equal.iter() if local(each) == "baseValue"), None)
            value = number(right[0]) if value is None and right else value
            if value is not None:
                wide = number((equal.get("tolerance") or "0").split()[0]) or Decimal(0)
                relative = equal.get("toleranceMode") == "relative"
                found.append((value, wide / 100 if relative else wide, relative))
        scores = [
            number(each.text)
            for branch in find_all(item, "responseIf", "responseElseIf")
            for each in find_all(_or_empty(first(branch, "setOutcomeValue")), "baseValue")
        ]
        if not found and right and number(right[0]) is not None:
            found = [(number(right[0]) or Decimal(0), Decimal(0), False)]
        if not found:
            note("no right number", "the question was left out")
            return None
        widest = max(wide for _, wide, _ in found)
        tolerance = Tolerance(relative=widest) if found[0][2] else Tolerance(absolute=widest)
        answers = tuple(
            Answer(
                f"{value:f}",
                (scores[place] if place < len(scores) and scores[place] is not None else None) or Decimal(1),
                said.get(f"FOR-A{place + 1}", ""),
            )
            for place, (value, _, _) in enumerate(found)
        )
        return Question(kind=Kind.NUMERICAL, answers=answers, tolerance=tolerance, **base)
    texts = mapped or {text: Decimal(1) for text in right}
    if not texts:
        note("no right answer", "the question was left out: nothing here marks an essay")
        return None
    case = any(entry.get("caseSensitive") == "true" for entry in find_all(_or_empty(declared), "mapEntry"))
    answers = tuple(
        Answer(text, fraction, said.get(f"FOR-A{place + 1}", "")) for place, (text, fraction) in enumerate(texts.items())
    )
    return Question(kind=Kind.SHORT, answers=answers, case=case, **base)


def _or_empty(element: Element | None) -> Element:
    return Element("none") if element is None else element


def _text(body: Element, own: Element, note: Callable[..., None]) -> str:
    """All of the body but the interaction, and what the interaction asks."""
    prompt = first(own, "prompt")
    pieces = [_serial(body, own)]
    if prompt is not None:
        pieces.append(_inside(prompt))
    text, lost = to_markdown("".join(pieces))
    for what in lost:
        note(what)
    return text


def _shown(element: Element, note: Callable[..., None]) -> str:
    text, lost = to_markdown(_inside(element))
    for what in lost:
        note(what)
    return text


def _inside(element: Element) -> str:
    return (element.text or "").replace("&", "&amp;").replace("<", "&lt;") + "".join(
        _serial(child, None) + _tail(child) for child in element
    )


def _serial(element: Element, without: Element | None) -> str:
    """An element as HTML, one descendant left out."""
    if element is without:
        return ""
    name = local(element)
    inner = (element.text or "").replace("&", "&amp;").replace("<", "&lt;")
    inner += "".join(_serial(child, without) + _tail(child) for child in element)
    alt = f' alt="{element.get("alt", "").replace(chr(34), "")}"' if name == "img" else ""
    return f"<{name}{alt}>{inner}</{name}>" if name not in ("br", "img") else f"<{name}{alt}>"


def _tail(element: Element) -> str:
    return (element.tail or "").replace("&", "&amp;").replace("<", "&lt;")
