"""Moodle XML.

Source: question/format/xml/format.php of Moodle, for the elements and for fractions in percent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from assessor.quizzes.formats.carried import (
    Carried,
    Names,
    Note,
    Written,
    carried,
    local,
    number,
    parse_xml,
    percent,
    positive,
    refuse,
    without_parameters,
    xml_text,
)
from assessor.quizzes.formats.markup import to_markdown
from assessor.quizzes.questions import CHOICES, DIFFICULTIES, Answer, Kind, Pair, Question, Tolerance

TYPES = {
    Kind.SINGLE: "multichoice", Kind.MULTIPLE: "multichoice", Kind.TRUE_FALSE: "truefalse", Kind.NUMERICAL: "numerical",
    Kind.SHORT: "shortanswer", Kind.OUTPUT: "shortanswer", Kind.SHAPE: "shortanswer", Kind.SYMBOLIC: "shortanswer",
    Kind.MATCHING: "matching", Kind.ORDERING: "ordering",
}  # fmt: skip
SILENT = frozenset(
    "name questiontext generalfeedback defaultgrade penalty hidden idnumber tags single shuffleanswers answernumbering answer "
    "subquestion usecase tolerance units showstandardinstruction shownumcorrect correctfeedback partiallycorrectfeedback "
    "incorrectfeedback unitgradingtype unitpenalty showunits unitsleft layouttype selecttype selectcount gradingtype showgrading "
    "numberingstyle file".split()
)
"""Elements that are read, or say nothing that a bank would miss."""


# Writing


def write(questions: tuple[Question, ...], title: str) -> Written:
    """The questions as Moodle XML, a category for each topic, and what it cannot say of them."""
    notes: list[Note] = []
    root, topic = Element("quiz"), None
    for question in without_parameters(questions, notes):
        if question.topic != topic:
            topic = question.topic
            category = SubElement(SubElement(root, "question", type="category"), "category")
            SubElement(category, "text").text = f"$course$/top/{_word(title)}/{_word(topic or 'questions')}"
        notes += _unsaid(question)
        _write(root, question)
    indent(root)
    return Written(tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n", ".xml", tuple(notes))


def _word(text: str) -> str:
    return " ".join(text.split()).replace("/", "//") or "questions"


def _unsaid(question: Question) -> Iterator[Note]:
    if question.kind in (Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC):
        yield Note(question.id, f"kind: {question.kind}", "written as shortanswer: only the forms that are listed are right")
    if question.tolerance.relative:
        yield Note(question.id, "relative tolerance", "written as an absolute one of the same width")
    if any(answer.fixed for answer in question.answers):
        yield Note(question.id, "{fixed}", "dropped: options may be shuffled")
    if question.kind is Kind.ORDERING:
        yield Note(
            question.id, "ordering", "written as the type of Moodle 4.4 and later; parts are graded by neighbours there too"
        )


def _write(root: Element, question: Question) -> None:
    own = SubElement(root, "question", type=TYPES[question.kind])
    SubElement(SubElement(own, "name"), "text").text = xml_text(question.id)
    _text(own, "questiontext", question.text)
    _text(own, "generalfeedback", question.feedback)
    SubElement(own, "defaultgrade").text = f"{question.marks.normalize():f}"
    SubElement(own, "penalty").text = "0"
    SubElement(own, "hidden").text = "0"
    if question.kind in CHOICES and question.kind is not Kind.TRUE_FALSE:
        SubElement(own, "single").text = "true" if question.kind is Kind.SINGLE else "false"
        SubElement(own, "shuffleanswers").text = "true"
    if question.kind in (Kind.SHORT, Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC):
        SubElement(own, "usecase").text = "1" if question.case or question.kind is not Kind.SHORT else "0"
    if question.kind is Kind.MATCHING:
        for pair in question.pairs:
            part = _text(own, "subquestion", pair.stem)
            SubElement(SubElement(part, "answer"), "text").text = xml_text(pair.answer)
    if question.kind is Kind.ORDERING:
        SubElement(own, "gradingtype").text = "RELATIVE_NEXT_EXCLUDE_LAST"
        for place, step in enumerate(question.steps, 1):
            _text(own, "answer", step, fraction=str(place))
    for answer in question.answers:
        _answer(own, question, answer)
    _units(own, question)
    if question.difficulty != "medium":
        SubElement(SubElement(SubElement(own, "tags"), "tag"), "text").text = question.difficulty


def _answer(own: Element, question: Question, answer: Answer) -> None:
    typed = question.kind not in CHOICES
    shown = answer.text.replace("*", r"\*") if typed and question.kind is not Kind.NUMERICAL else answer.text
    shown = shown.strip().lower() if question.kind is Kind.TRUE_FALSE else shown
    if typed or question.kind is Kind.TRUE_FALSE:
        part = SubElement(own, "answer", fraction=percent(answer.fraction), format="moodle_auto_format")
        SubElement(part, "text").text = xml_text(shown)
    else:
        part = _text(own, "answer", shown, fraction=percent(answer.fraction))
    _text(part, "feedback", answer.feedback)
    if question.kind is Kind.NUMERICAL:
        value = number(answer.text) or Decimal(0)
        wide = max(question.tolerance.absolute, question.tolerance.relative * abs(value))
        SubElement(part, "tolerance").text = f"{wide.normalize():f}"


def _units(own: Element, question: Question) -> None:
    if not question.unit:
        return
    units = SubElement(own, "units")
    for name, factor in ((question.unit, Decimal(1)), *question.units):
        unit = SubElement(units, "unit")
        SubElement(unit, "multiplier").text = f"{(1 / factor).normalize():f}"
        SubElement(unit, "unit_name").text = xml_text(name)


def _text(own: Element, name: str, text: str, **attributes: str) -> Element:
    part = SubElement(own, name, {**attributes, "format": "markdown"})
    SubElement(part, "text").text = xml_text(text)
    return part


# Reading


def read(data: bytes, file: Path) -> Carried:
    """The questions of a Moodle XML file.

    Raises:
        CourseInvalid: it is no such file.
    """
    root = parse_xml(data, file)
    if local(root) != "quiz":
        raise refuse(file, "(file)", f"<{local(root)}>", "<quiz>, as Moodle exports questions")
    notes, names, topic = list[Note](), Names(), file.stem
    found = []
    for own in root:
        kind = own.get("type", "")
        if kind == "category":
            path = _inner(own.find("category"))
            topic = path.replace("//", "\0").rsplit("/", 1)[-1].replace("\0", "/") or topic
            continue
        if local(own) != "question":
            continue
        name = names.of(_inner(own.find("name")) or kind)
        found.append(_read(own, kind, name, topic, notes))
    return carried(found, notes, file, "no question", "at least one <question>")


def _read(own: Element, kind: str, name: str, topic: str, notes: list[Note]) -> Question | None:
    def note(what: str, done: str = "dropped") -> None:
        notes.append(Note(name, what, done))

    def shown(part: Element | None) -> str:
        text, lost = _markdown(part)
        for what in lost:
            note(what)
        return text

    for child in own:
        if local(child) not in SILENT:
            note(f"<{local(child)}>")
    if own.find(".//file") is not None:
        note("files within the question")
    marks = positive(_value(own, "defaultgrade"), "a mark", note)
    tags = [_inner(tag).lower() for tag in own.findall("tags/tag")]
    fields: dict[str, Any] = {
        "id": name, "text": shown(own.find("questiontext")), "topic": topic, "marks": marks,
        "difficulty": next((tag for tag in tags if tag in DIFFICULTIES), "medium"),
        "feedback": shown(own.find("generalfeedback")),
    }  # fmt: skip
    for tag in tags:
        if tag not in DIFFICULTIES:
            note(f"the tag {tag!r}")
    answers = [(part, number(part.get("fraction")) or Decimal(0)) for part in own.findall("answer")]
    if kind == "multichoice":
        single = (_value(own, "single") or "true").strip().lower() in ("true", "1")
        options = tuple(Answer(shown(part), fraction / 100, shown(part.find("feedback"))) for part, fraction in answers)
        return Question(kind=Kind.SINGLE if single else Kind.MULTIPLE, answers=options, **fields)
    if kind == "truefalse":
        options = tuple(
            Answer(_inner(part).strip().title(), fraction / 100, shown(part.find("feedback"))) for part, fraction in answers
        )
        return Question(kind=Kind.TRUE_FALSE, answers=options, **fields)
    if kind == "shortanswer":
        if any("*" in _inner(part).replace(r"\*", "") for part, _ in answers):
            note("the wildcard *", "kept as the sign itself: nothing here stands for any text")
        options = tuple(
            Answer(_inner(part).replace(r"\*", "*"), fraction / 100, shown(part.find("feedback"))) for part, fraction in answers
        )
        return Question(kind=Kind.SHORT, answers=options, case=_value(own, "usecase") == "1", **fields)
    if kind == "numerical":
        return _read_numerical(own, answers, fields, note, shown)
    if kind == "matching":
        pairs = tuple(Pair(shown(part), _inner(part.find("answer"))) for part in own.findall("subquestion"))
        return Question(kind=Kind.MATCHING, pairs=pairs, **fields)
    if kind == "ordering":
        steps = [shown(part) for part, _ in sorted(answers, key=lambda pair: pair[1])]
        return Question(kind=Kind.ORDERING, steps=tuple(steps), **fields)
    note(f"type {kind!r}", "the question was left out: there is no such kind here")
    return None


def _read_numerical(
    own: Element, answers: list[tuple[Element, Decimal]], fields: dict[str, Any], tell: Callable[..., None],
    text: Callable[[Element | None], str],
) -> Question | None:  # fmt: skip
    found = []
    for part, fraction in answers:
        value, wide = number(_inner(part)), number(_value(part, "tolerance")) or Decimal(0)
        if value is None:
            tell(f"the answer {_inner(part)!r}", "left out: no number")
            continue
        found.append((Answer(f"{value:f}", fraction / 100, text(part.find("feedback"))), abs(wide)))
    if not found:
        tell("no right number", "the question was left out")
        return None
    widest = max(wide for _, wide in found)
    if any(wide != widest for _, wide in found):
        tell("a tolerance of its own for each answer", f"the widest holds for all: {widest:f}")
    units = [
        (_value(unit, "unit_name") or "", number(_value(unit, "multiplier")) or Decimal(1)) for unit in own.findall("units/unit")
    ]
    base = next((name for name, multiplier in units if multiplier == 1), "")
    others = tuple((name, 1 / multiplier) for name, multiplier in units if name != base and multiplier)
    return Question(
        kind=Kind.NUMERICAL, answers=tuple(answer for answer, _ in found), tolerance=Tolerance(absolute=widest), unit=base,
        units=others if base else (), **fields,
    )  # fmt: skip


def _value(own: Element, name: str) -> str | None:
    part = own.find(name)
    return None if part is None else part.text


def _inner(own: Element | None) -> str:
    """What stands in an element's <text>, or in itself."""
    if own is None:
        return ""
    part = own.find("text")
    return ((part.text if part is not None else own.text) or "").strip("\n")


def _markdown(own: Element | None) -> tuple[str, tuple[str, ...]]:
    if own is None:
        return "", ()
    text = _inner(own)
    if own.get("format", "moodle_auto_format") in ("markdown", "plain_text"):
        return text.strip(), ()
    return to_markdown(text)
