"""QTI 1.2 as Canvas and Blackboard write it; only read, since every system that takes it takes a newer format too.

Sources: the shapes that text2qti writes and Canvas exports; IMS QTI 1.2 for response processing.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from assessor.quizzes.formats.carried import (
    Carried,
    Names,
    Note,
    carried,
    documents,
    find_all,
    first,
    local,
    members,
    number,
    positive,
)
from assessor.quizzes.formats.markup import to_markdown
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance

CHOICE = ("multiple_choice_question", "true_false_question", "multiple_answers_question")


def is_package(data: bytes) -> bool:
    """Whether a zip holds QTI 1.2."""
    try:
        return any(b"questestinterop" in text[:4096] for text in members(data, Path("package.zip")).values())
    except Exception:  # noqa: BLE001 - whatever is wrong with it is told when it is read
        return False


def read(data: bytes, file: Path) -> Carried:
    """The questions of a package or of one file.

    Raises:
        CourseInvalid: it is neither.
    """
    notes, names = list[Note](), Names()
    found = []
    for _, root in documents(data, file):
        if local(root) == "questestinterop":
            assessment = first(root, "assessment")
            title = (root if assessment is None else assessment).get("title") or file.stem
            items = find_all(root, "item")
            found += [_read(each, names.of(each.get("title") or each.get("ident") or "question"), title, notes) for each in items]
    return carried(found, notes, file, "no item", "QTI 1.2: <questestinterop> with at least one <item>")


def _read(item: Element, name: str, topic: str, notes: list[Note]) -> Question | None:
    def note(what: str, done: str = "dropped") -> None:
        notes.append(Note(name, what, done))

    facts = {_of(field, "fieldlabel"): _of(field, "fieldentry") for field in find_all(item, "qtimetadatafield")}
    marks = positive(facts.get("points_possible"), "a mark", note)
    said = {each.get("ident", ""): _mattext(each, note) for each in find_all(item, "itemfeedback")}
    presentation = first(item, "presentation")
    if presentation is None:
        note("no presentation", "the question was left out")
        return None
    material = next((each for each in presentation if local(each) == "material"), None)
    if material is None:
        material = first(presentation, "material")
    text = "" if material is None else _mattext(material, note)
    fields: dict[str, Any] = {
        "id": name, "text": text, "topic": " ".join(topic.split()),
        "marks": marks, "feedback": said.get("general_fb", ""),
    }  # fmt: skip
    kind = facts.get("question_type", "")
    choices = [each for each in find_all(presentation, "response_lid") if find_all(each, "response_label")]
    if kind == "matching_question" or len(choices) > 1:
        return _matching(item, choices, fields, note)
    if kind in CHOICE or (not kind and choices):
        return _choice(item, kind, choices, said, fields, note)
    if kind == "numerical_question" or (
        not kind and any(each.get("fibtype") in ("Decimal", "Integer") for each in find_all(item, "render_fib"))
    ):
        return _numerical(item, fields, note)
    if kind in ("short_answer_question", "") and find_all(item, "response_str"):
        answers = tuple(
            Answer(value, score, said.get(f"{value}_fb", "")) for value, score in _scores(item).items() if value and score > 0
        )
        if answers:
            return Question(kind=Kind.SHORT, answers=answers, **fields)
    note(f"type {kind or 'unknown'!r}", "the question was left out: nothing here marks it")
    return None


def _scores(item: Element) -> dict[str, Decimal]:
    """What each value earns, of 1; of values that must all be chosen each has its part, of those that must not be, minus it."""
    found: dict[str, Decimal] = {}
    for condition in find_all(item, "respcondition"):
        sets = [each for each in find_all(condition, "setvar") if each.get("varname", "SCORE").upper() == "SCORE"]
        value = sum((number(each.text) or Decimal(0) for each in sets), Decimal(0)) / 100
        if not sets or value == 0:
            continue
        refused = [(each.text or "").strip() for block in find_all(condition, "not") for each in find_all(block, "varequal")]
        wanted = [(each.text or "").strip() for each in find_all(condition, "varequal")]
        wanted = [text for text in wanted if text not in refused]
        joined = bool(find_all(condition, "and")) and len(wanted) > 1
        for text in wanted:
            found[text] = found.get(text, Decimal(0)) + (value / len(wanted) if joined or refused else value)
        for text in refused:
            found[text] = -value / len(refused)
    return found


def _choice(
    item: Element, kind: str, choices: list[Element], said: dict[str, str], fields: dict[str, Any], note: Any
) -> Question | None:
    if not choices:
        note("no options", "the question was left out")
        return None
    scores = _scores(item)
    options = []
    for label in find_all(choices[0], "response_label"):
        key = label.get("ident", "")
        options.append(Answer(_mattext(label, note), scores.get(key, Decimal(0)), said.get(f"{key}_fb", "")))
    words = sorted(option.text.strip().lower() for option in options)
    multiple = kind == "multiple_answers_question" or choices[0].get("rcardinality") == "Multiple"
    own = Kind.MULTIPLE if multiple else Kind.TRUE_FALSE if words == ["false", "true"] else Kind.SINGLE
    return Question(kind=own, answers=tuple(options), **fields)


def _numerical(item: Element, fields: dict[str, Any], note: Any) -> Question | None:
    """The exact value with the range around it, or the middle of a range."""
    found: list[tuple[Decimal, Decimal]] = []
    for condition in find_all(item, "respcondition"):
        exact = next((number(each.text) for each in find_all(condition, "varequal")), None)
        low = next((number(each.text) for each in find_all(condition, "vargte", "vargt")), None)
        high = next((number(each.text) for each in find_all(condition, "varlte", "varlt")), None)
        if low is not None and high is not None:
            middle = exact if exact is not None else (low + high) / 2
            found.append((middle, max(high - middle, middle - low)))
            if exact is not None and high - exact != exact - low:
                note("a range that is wider on one side", f"taken as {middle:f} within {found[-1][1]:f}")
        elif exact is not None:
            found.append((exact, Decimal(0)))
    if not found:
        note("no right number", "the question was left out")
        return None
    widest = max(wide for _, wide in found)
    if any(wide != widest for _, wide in found):
        note("a tolerance of its own for each answer", f"the widest holds for all: {widest:f}")
    answers = tuple(Answer(f"{value:f}", Decimal(1)) for value, _ in found)
    return Question(kind=Kind.NUMERICAL, answers=answers, tolerance=Tolerance(absolute=widest), **fields)


def _matching(item: Element, choices: list[Element], fields: dict[str, Any], note: Any) -> Question | None:
    right = {each.get("respident", ""): (each.text or "").strip() for each in find_all(item, "varequal")}
    texts: dict[str, str] = {}
    pairs = []
    for stem in choices:
        texts |= {label.get("ident", ""): _mattext(label, note) for label in find_all(stem, "response_label")}
        material = next((each for each in stem if local(each) == "material"), None)
        answer = texts.get(right.get(stem.get("ident", ""), ""))
        if material is None or answer is None:
            note("a stem without its answer", "the question was left out")
            return None
        pairs.append(Pair(_mattext(material, note), answer))
    used = {pair.answer for pair in pairs}
    pairs += [Pair("", text) for text in dict.fromkeys(texts.values()) if text not in used]
    return Question(kind=Kind.MATCHING, pairs=tuple(pairs), **fields)


def _of(field: Element, name: str) -> str:
    found = first(field, name)
    return "" if found is None else (found.text or "").strip()


def _mattext(element: Element, note: Any) -> str:
    found = first(element, "mattext")
    if found is None:
        found = first(element, "mat_formattedtext")
    if found is None:
        return ""
    text = found.text or ""
    if found.get("texttype", "text/plain") == "text/plain" and "<" not in text:
        return text.strip()
    shown, lost = to_markdown(text)
    for what in lost:
        note(what)
    return shown
