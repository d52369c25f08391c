"""QTI 2.1, read: each assessmentItem of a package, or of a single file, is a question.

Source: IMS QTI 2.1 information model and its XML binding, for interactions and response processing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from assessor.quizzes.formats.carried import Carried, Names, Note, documents, find_all, first, local, number, refuse
from assessor.quizzes.formats.markup import to_markdown
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance

INTERACTIONS = ("choiceInteraction", "textEntryInteraction", "matchInteraction", "orderInteraction")


def read(data: bytes, file: Path) -> Carried:
    """The items of a package, or of a single file.

    Raises:
        CourseInvalid: it is neither.
    """
    questions: list[Question] = []
    notes: list[Note] = []
    names = Names()
    for name, root in documents(data, file):
        for item in find_all(root, "assessmentItem"):
            own = names.of(item.get("title") or item.get("identifier") or Path(name).stem)
            question = _read(item, own, file.stem, notes)
            if question is not None:
                questions.append(question)
    if not questions and not notes:
        raise refuse(file, "(file)", "no assessmentItem", "QTI 2.1: a package, or an item")
    return Carried(tuple(questions), tuple(notes))


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
