"""QTI 2.1, read: each assessmentItem of a package, or of a single file, is a question.

Source: IMS QTI 2.1 information model and its XML binding, for interactions and response processing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from assessor.marking.exact import ONE, ZERO
from assessor.quizzes.formats.carried import Carried, Names, Note, carried, documents, find_all, first, local, number
from assessor.quizzes.formats.markup import to_markdown
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance

CUT_OFF = Decimal("1e-4")
INTERACTIONS = ("choiceInteraction", "textEntryInteraction", "matchInteraction", "orderInteraction")


def read(data: bytes, file: Path) -> Carried:
    """The items of a package, or of a single file.

    Raises:
        CourseInvalid: it is neither.
    """
    notes, names = list[Note](), Names()
    found = [
        _read(item, names.of(item.get("title") or item.get("identifier") or Path(name).stem), file.stem, notes)
        for name, root in documents(data, file)
        for item in find_all(root, "assessmentItem")
    ]
    return carried(found, notes, file, "no assessmentItem", "QTI 2.1: a package, or an item")


@dataclass(frozen=True)
class _Key:
    """What an item says of right answers.

    Attributes:
        right: of correctResponse.
        mapped, otherwise: what each answer of its mapping earns, and any other, as a part of the most.
        said: its feedback by identifier.
    """

    declared: Element | None
    right: list[str]
    mapped: dict[str, Decimal]
    otherwise: Decimal
    said: dict[str, str]

    def feedback(self, place: int) -> str:
        """That of an answer that has no identifier of its own."""
        return self.said.get(f"FOR-A{place + 1}", "")


def _read(item: Element, name: str, topic: str, notes: list[Note]) -> Question | None:
    def note(what: str, done: str = "dropped") -> None:
        notes.append(Note(name, what, done))

    body = first(item, "itemBody")
    asked = [each for each in item.iter() if local(each).endswith("Interaction")]
    if body is None or len(asked) != 1 or local(asked[0]) not in INTERACTIONS:
        kinds = ", ".join(dict.fromkeys(local(each) for each in asked)) or "none"
        note(f"its interactions ({kinds})", "the question was left out: one that is known is expected")
        return None
    (own,) = asked
    declared = first(item, "responseDeclaration")
    right = [(value.text or "").strip() for value in find_all(_or_empty(first(declared, "correctResponse")), "value")]
    mapped, otherwise, marks = _mapping(declared)
    said = {each.get("identifier", ""): _shown(each, note) for each in find_all(item, "modalFeedback")}
    base: dict[str, Any] = {
        "id": name, "text": _text(body, own, note), "topic": topic, "feedback": said.pop("GENERAL", ""), "marks": marks,
    }  # fmt: skip
    key = _Key(declared, right, mapped, otherwise, said)
    if local(own) == "choiceInteraction":
        return _read_choice(own, key, base, note)
    if local(own) == "orderInteraction":
        texts = {each.get("identifier", ""): _shown(each, note) for each in find_all(own, "simpleChoice")}
        if sorted(right) != sorted(texts):
            note("no right order", "the question was left out")
            return None
        return Question(kind=Kind.ORDERING, steps=tuple(texts[each] for each in right), **base)
    if local(own) == "matchInteraction":
        return _read_match(own, right, base, note)
    if declared is not None and declared.get("baseType") in ("float", "integer"):
        return _read_number(item, key, base, note)
    return _read_text(key, base, note)


def _mapping(declared: Element | None) -> tuple[dict[str, Decimal], Decimal, Decimal]:
    """What each answer earns and what any other, as parts of the most that can be had; and that most, in marks."""
    mapping = first(declared, "mapping")
    if declared is None or mapping is None:
        return {}, ZERO, ONE
    entries = find_all(mapping, "mapEntry")
    values = {entry.get("mapKey", ""): number(entry.get("mappedValue")) or ZERO for entry in entries}
    positive = [value for value in values.values() if value > 0]
    most = max(positive, default=ONE) if declared.get("cardinality") == "single" else sum(positive, ZERO)
    bound = number(mapping.get("upperBound"))
    most = _whole(min(most, bound) if bound is not None and bound > 0 else most)
    return {name: value / most for name, value in values.items()}, (number(mapping.get("defaultValue")) or ZERO) / most, most


def _whole(most: Decimal) -> Decimal:
    """The most that can be had; 1 where it is nothing, or thirds that were cut off."""
    return ONE if most <= 0 or abs(most - 1) < CUT_OFF else most


def _read_choice(own: Element, key: _Key, base: dict[str, Any], note: Callable[..., None]) -> Question:
    multiple = key.declared is not None and key.declared.get("cardinality") == "multiple"
    share = ONE / max(1, len(key.right)) if multiple else ONE
    options = []
    for each in find_all(own, "simpleChoice"):
        name = each.get("identifier", "")
        fraction = key.mapped.get(name, key.otherwise) if key.mapped else share * (name in key.right)
        options.append(Answer(_shown(each, note), fraction, key.said.get(f"FOR-{name}", ""), each.get("fixed") == "true"))
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


def _read_number(item: Element, key: _Key, base: dict[str, Any], note: Callable[..., None]) -> Question | None:
    """Each branch of the response processing compares with numbers and sets the score; without one, what is called correct."""
    answers: list[Answer] = []
    tolerances: list[Tolerance] = []
    for branch in find_all(item, "responseIf", "responseElseIf"):
        score = _score(branch)
        for equal in find_all(branch, "equal"):
            value = _base_value(equal)
            value = number(key.right[0]) if value is None and key.right else value
            if value is not None:
                tolerances.append(_tolerance(equal, note))
                answers.append(Answer(f"{value:f}", score, key.feedback(len(answers))))
    called_right = number(key.right[0]) if key.right else None
    if not answers and called_right is not None:
        tolerances, answers = [Tolerance()], [Answer(f"{called_right:f}", ONE, key.feedback(0))]
    if not answers:
        note("no right number", "the question was left out")
        return None
    most = _whole(max(answer.fraction for answer in answers))
    answers = [replace(answer, fraction=answer.fraction / most) for answer in answers]
    widest = max(tolerances, key=lambda each: (each.relative, each.absolute))
    if any(each != widest for each in tolerances):
        shown = f"{widest.relative * 100:f} %" if widest.relative else f"{widest.absolute:f}"
        note("a tolerance of its own for each answer", f"the widest holds for all: {shown}")
    return Question(kind=Kind.NUMERICAL, answers=tuple(answers), tolerance=widest, **{**base, "marks": most})


def _score(branch: Element) -> Decimal:
    """What a branch gives; all, where it says nothing of it."""
    for each in find_all(branch, "setOutcomeValue"):
        if each.get("identifier", "SCORE") == "SCORE":
            value = _base_value(each)
            return ONE if value is None else value
    return ONE


def _base_value(element: Element) -> Decimal | None:
    return next((number(each.text) for each in element.iter() if local(each) == "baseValue"), None)


def _tolerance(equal: Element, note: Callable[..., None]) -> Tolerance:
    """One width, or one for each side, of which the wider holds."""
    text = equal.get("tolerance", "")
    widths = [number(part) for part in text.split()]
    if None in widths or len(widths) > 2 or any(width is not None and width < 0 for width in widths):
        note(f"tolerance {text!r}", "dropped: one or two numbers of 0 or more are expected")
        return Tolerance()
    wide = max((width for width in widths if width is not None), default=ZERO)
    if len(set(widths)) > 1:
        note("a range that is wider on one side", f"taken as within {wide:f}")
    mode = equal.get("toleranceMode", "exact")
    if mode == "exact" and wide:
        note(f"tolerance {text!r}", "dropped: its mode is exact")
        return Tolerance()
    return Tolerance(relative=wide / 100) if mode == "relative" else Tolerance(absolute=wide)


def _read_text(key: _Key, base: dict[str, Any], note: Callable[..., None]) -> Question | None:
    texts = key.mapped or dict.fromkeys(key.right, ONE)
    if not texts:
        note("no right answer", "the question was left out: nothing here marks an essay")
        return None
    case = any(entry.get("caseSensitive") == "true" for entry in find_all(_or_empty(key.declared), "mapEntry"))
    answers = tuple(Answer(text, fraction, key.feedback(place)) for place, (text, fraction) in enumerate(texts.items()))
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
