"""GIFT, Moodle's text format.

Source: question/format/gift/format.php of Moodle, for what decides a question's type and for the escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from assessor.quizzes.formats.carried import Carried, Names, Note, Written, carried, number, percent, refuse, without_parameters
from assessor.quizzes.formats.markup import to_markdown
from assessor.quizzes.questions import Answer, Kind, Pair, Question, Tolerance

SPECIAL = "~=#{}:\\"
_ESCAPE = re.compile(r"([~=#{}:\\])")
_UNESCAPE = re.compile(r"\\(n|[~=#{}:\\])")
_FORMAT = re.compile(r"\[(html|markdown|plain|moodle)\]")
_WEIGHT = re.compile(r"%(-?\d+(?:\.\d+)?)%")
_TRUE, _FALSE = ("TRUE", "T"), ("FALSE", "F")
COMPARED = (Kind.OUTPUT, Kind.SHAPE, Kind.SYMBOLIC)


# Writing


def write(questions: tuple[Question, ...], title: str) -> Written:
    """The questions as GIFT, and what it cannot say of them."""
    notes: list[Note] = []
    pieces = [f"// {' '.join(title.split())}"]
    topic = None
    for question in without_parameters(questions, notes):
        if question.kind is Kind.ORDERING:
            notes.append(Note(question.id, "ordering", "left out: GIFT has no such question"))
            continue
        if question.topic and question.topic != topic:
            topic = question.topic
            pieces.append(f"$CATEGORY: {_escaped(topic)}")
        notes += _unsaid(question)
        pieces.append(f"::{_escaped(question.id)}::[markdown]{_escaped(question.text)} {{{_block(question)}}}")
    return Written(("\n\n".join(pieces) + "\n").encode(), ".gift", tuple(notes))


def _unsaid(question: Question) -> Iterator[Note]:
    if question.marks != 1:
        yield Note(
            question.id,
            f"marks: {question.marks.normalize():f}",
            "dropped: every question of GIFT has the marks that a quiz gives it",
        )
    if question.difficulty != "medium":
        yield Note(question.id, f"difficulty: {question.difficulty}", "dropped")
    if question.case:
        yield Note(question.id, "case: sensitive", "dropped: GIFT compares without case")
    if question.unit:
        yield Note(question.id, f"unit: {question.unit}", "dropped: a number alone is asked for")
    if question.tolerance.relative:
        yield Note(question.id, "relative tolerance", "written as an absolute one of the same width")
    if any(answer.fixed for answer in question.answers):
        yield Note(question.id, "{fixed}", "dropped: options may be shuffled")
    if question.kind in COMPARED:
        yield Note(question.id, f"kind: {question.kind}", "written as short text: only the forms that are listed are right")


def _block(question: Question) -> str:
    general = f"\n####{_escaped(question.feedback)}" if question.feedback else ""
    kind, answers = question.kind, question.answers
    if kind is Kind.TRUE_FALSE:
        right = next(answer for answer in answers if answer.fraction == 1)
        wrong = next(answer for answer in answers if answer is not right)
        said = f"#{_escaped(wrong.feedback)}#{_escaped(right.feedback)}" if wrong.feedback or right.feedback else ""
        return ("T" if right.text.strip().lower() == "true" else "F") + said + general
    if kind is Kind.MATCHING:
        return "\n" + "\n".join(f"={_escaped(pair.stem)} -> {_escaped(pair.answer)}" for pair in question.pairs) + general + "\n"
    if kind is Kind.NUMERICAL:
        return "#\n" + "\n".join(_numerical(question, answer) for answer in answers) + general + "\n"
    lines = []
    for answer in answers:
        if kind is Kind.MULTIPLE:
            sign = f"~%{percent(answer.fraction)}%"
        elif kind is Kind.SINGLE:
            sign = "=" if answer.fraction == 1 else f"~%{percent(answer.fraction)}%" if answer.fraction else "~"
        else:
            sign = "=" if answer.fraction == 1 else f"=%{percent(answer.fraction)}%"
        lines.append(sign + _escaped(answer.text) + (f"#{_escaped(answer.feedback)}" if answer.feedback else ""))
    return "\n" + "\n".join(lines) + general + "\n"


def _numerical(question: Question, answer: Answer) -> str:
    value = number(answer.text)
    wide = max(question.tolerance.absolute, question.tolerance.relative * abs(value or Decimal(0)))
    shown = _escaped(answer.text) if value is None else f"{value:f}"
    sign = "=" if answer.fraction == 1 else f"=%{percent(answer.fraction)}%"
    return f"{sign}{shown}:{wide.normalize():f}" + (f"#{_escaped(answer.feedback)}" if answer.feedback else "")


def _escaped(text: str) -> str:
    """Signs of the format by a backslash; line ends as \\n, since an empty line would end the question."""
    return _ESCAPE.sub(r"\\\1", text).replace("\n", "\\n")


# Reading


@dataclass(frozen=True)
class _Part:
    """One answer: its sign ('=' or '~'), weight, text and feedback, still escaped."""

    sign: str
    weight: str | None
    text: str
    feedback: str


def read(data: bytes, file: Path) -> Carried:
    """The questions of a GIFT file.

    Raises:
        CourseInvalid: it is no text, or has no question.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise refuse(file, f"byte {fault.start}", f"0x{data[fault.start]:02x}", "UTF-8 text") from None
    notes, names, topic = list[Note](), Names(), file.stem
    found = []
    for line, block in _blocks(text):
        if block.startswith("$CATEGORY:"):
            topic = block.removeprefix("$CATEGORY:").strip().rsplit("/", 1)[-1] or topic
            continue
        found.append(_question(block, f"line {line}", topic, names, notes))
    return carried(found, notes, file, "no question", "GIFT: '::name:: text {=right ~wrong}'")


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each block between empty lines; comments are left out, and empty lines within braces end nothing."""
    lines: list[str] = []
    start, depth = 1, 0
    for number_, line in enumerate([*text.splitlines(), ""], 1):
        bare = line.strip()
        if bare.startswith("//"):
            continue
        if not bare and depth <= 0:
            if lines:
                yield start, "\n".join(lines)
            lines, depth = [], 0
            continue
        if bare.startswith("$CATEGORY:") and depth <= 0:
            if lines:
                yield start, "\n".join(lines)
            yield number_, bare
            lines, depth = [], 0
            continue
        start = start if lines else number_
        lines.append(line)
        depth += len(re.findall(r"(?<!\\)\{", line)) - len(re.findall(r"(?<!\\)\}", line))
    if lines:
        yield start, "\n".join(lines)


def _question(block: str, place: str, topic: str, names: Names, notes: list[Note]) -> Question | None:
    title = re.match(r"\s*::((?:[^:\\]|\\.)*)::", block)
    body = block[title.end() :] if title else block
    name = names.of(_plain(title[1]) if title else f"question-{len(names.taken) + 1}")
    opened, closed = _unescaped(body, "{"), _unescaped(body, "}")
    if opened is None or closed is None or closed < opened:
        notes.append(Note(name, "a text without answers", f"left out ({place})"))
        return None
    inner, after = body[opened + 1 : closed].strip(), body[closed + 1 :].strip()
    text = body[:opened].strip() + (f" _____ {after}" if after else "")
    if after:
        notes.append(Note(name, "a gap in the middle of the text", "kept as _____, and asked for below"))
    form = match[1] if (match := _FORMAT.match(text)) else "moodle"
    text, lost = _shown(text, form)
    notes.extend(Note(name, what, "dropped") for what in lost)
    inner, general = _general(inner)
    base = Question(name, Kind.SHORT, text, topic, feedback=_shown(general, form)[0])
    built = _typed(base, inner, form, place, notes)
    if built is None:
        return None
    if not built.text:
        notes.append(Note(name, "no text", f"left out ({place})"))
        return None
    return built


def _typed(base: Question, inner: str, form: str, place: str, notes: list[Note]) -> Question | None:
    """The kind that Moodle takes it for."""
    upper = inner.split("#", 1)[0].strip().upper()
    if not inner:
        notes.append(Note(base.id, "an essay", f"left out: nothing here marks it ({place})"))
        return None
    if upper in (*_TRUE, *_FALSE):
        return _true_false(base, inner, form, right=upper in _TRUE)
    if inner.startswith("#"):
        return _number(base, inner[1:].strip(), form, place, notes)
    parts = list(_parts(inner))
    if any(part.sign == "~" for part in parts):
        return _choice(base, parts, form)
    if parts and all(_unescaped(part.text, "->") is not None for part in parts):
        return _with(base, Kind.MATCHING, pairs=tuple(_pair(part, form) for part in parts))
    if not parts:
        parts = [_Part("=", None, inner, "")]
    answers = tuple(Answer(_plain(part.text), _fraction(part, Decimal(1)), _shown(part.feedback, form)[0]) for part in parts)
    return _with(base, Kind.SHORT, answers=answers)


def _with(base: Question, kind: Kind, **fields: Any) -> Question:
    return replace(base, kind=kind, **fields)


def _true_false(base: Question, inner: str, form: str, *, right: bool) -> Question:
    pieces = [_shown(piece, form)[0] for piece in _split(inner, "#")[1:]]
    wrong_said, right_said = (*pieces, "", "")[:2]
    answers = tuple(
        Answer(word, Decimal(int(value is right)), right_said if value is right else wrong_said)
        for word, value in (("True", True), ("False", False))
    )
    return _with(base, Kind.TRUE_FALSE, answers=answers)


def _choice(base: Question, parts: list[_Part], form: str) -> Question:
    single = any(part.sign == "=" for part in parts)
    answers = tuple(
        Answer(_shown(part.text, form)[0], _fraction(part, Decimal(int(part.sign == "="))), _shown(part.feedback, form)[0])
        for part in parts
    )
    return _with(base, Kind.SINGLE if single else Kind.MULTIPLE, answers=answers)


def _number(base: Question, inner: str, form: str, place: str, notes: list[Note]) -> Question | None:
    found = []
    for part in list(_parts(inner)) or [_Part("=", None, *_fed(inner))]:
        text = _plain(part.text)
        if ".." in text:
            low, high = (number(each) for each in text.split("..", 1))
            value = None if low is None or high is None else (low + high) / 2
            wide = None if low is None or high is None else abs(high - low) / 2
        else:
            left, _, right = text.partition(":")
            value, wide = number(left), number(right) if right.strip() else Decimal(0)
        if value is None or wide is None:
            notes.append(Note(base.id, f"the number {text!r}", f"left out: it cannot be read ({place})"))
            continue
        found.append((Answer(f"{value:f}", _fraction(part, Decimal(1)), _shown(part.feedback, form)[0]), wide))
    if not found:
        return None
    widest = max(wide for _, wide in found)
    if any(wide != widest for _, wide in found):
        notes.append(Note(base.id, "a tolerance of its own for each answer", f"the widest holds for all: {widest:f}"))
    return _with(base, Kind.NUMERICAL, answers=tuple(answer for answer, _ in found), tolerance=Tolerance(absolute=widest))


def _pair(part: _Part, form: str) -> Pair:
    place = _unescaped(part.text, "->") or 0
    return Pair(_shown(part.text[:place], form)[0], _shown(part.text[place + 2 :], form)[0])


def _fraction(part: _Part, otherwise: Decimal) -> Decimal:
    return otherwise if part.weight is None else Decimal(part.weight) / 100


def _parts(inner: str) -> Iterator[_Part]:
    """The answers, by their unescaped = and ~."""
    starts = list(_places(inner, "[=~]"))
    for place, after in zip(starts, [*starts[1:], len(inner)][: len(starts)], strict=True):
        text = inner[place + 1 : after].strip()
        weight = _WEIGHT.match(text)
        text, feedback = _fed(text[weight.end() :] if weight else text)
        yield _Part(inner[place], weight[1] if weight else None, text, feedback)


def _fed(text: str) -> tuple[str, str]:
    pieces = _split(text, "#")
    return pieces[0].strip(), "#".join(pieces[1:]).strip()


def _general(inner: str) -> tuple[str, str]:
    place = _unescaped(inner, "####")
    return (inner, "") if place is None else (inner[:place].strip(), inner[place + 4 :].strip())


def _places(text: str, pattern: str) -> Iterator[int]:
    """Where a pattern stands that no backslash takes its meaning."""
    for match in re.finditer(rf"\\.|{pattern}", text, re.DOTALL):
        if not match[0].startswith("\\"):
            yield match.start()


def _split(text: str, sign: str) -> list[str]:
    starts = list(_places(text, re.escape(sign)))
    return [text[start:end] for start, end in zip([0, *(at + len(sign) for at in starts)], [*starts, len(text)], strict=True)]


def _unescaped(text: str, sign: str) -> int | None:
    """The first such place."""
    return next(_places(text, re.escape(sign)), None)


def _plain(text: str) -> str:
    return _UNESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text).strip()


def _shown(text: str, form: str) -> tuple[str, tuple[str, ...]]:
    """Text as Markdown, and what was lost of it; it has the question's format unless it names another."""
    match = _FORMAT.match(text.strip())
    kind = match[1] if match else form
    plain = _plain(text.strip()[match.end() :] if match else text)
    if kind == "html" or (kind == "moodle" and re.search(r"</?(p|br|b|i|em|strong|code|pre|div|span|img)\b", plain)):
        return to_markdown(plain)
    return plain, ()
