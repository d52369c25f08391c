"""Question banks: Markdown files that people like to edit, one a topic. docs/quizzes.md shows every kind.

    ## id-of-the-question
    kind: single
    difficulty: easy

    What is asked, in Markdown with LaTeX and code.

    - (x) The right option
      > What whoever chose it reads.
    - ( ) A wrong one
    - (50%) Half right
    - ( ) None of these {fixed}

    > What everybody reads afterwards.

A file is read line by line, so that whatever is wrong in it is told with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from pathlib import Path

from assessor.errors import CourseInvalid
from assessor.marking.exact import EXACT, HUNDRED, ONE, ZERO
from assessor.quizzes.headers import Line, read_header
from assessor.quizzes.questions import CHOICES, Answer, Kind, Pair, Question

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_HEADING = re.compile(r"##(?!#)\s*(.*?)\s*")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_OPTION = re.compile(r"- ([(\[])\s*([xX]?|[-+]?[\d.]+\s*%)\s*([)\]])(?:\s+(.*))?")
_ALMOST = re.compile(r"- [(\[].{0,12}[)\]]")
_PAIR = re.compile(r"- (.*?)\s*=>\s*(.*)")
_STEP = re.compile(r"\d{1,2}\.\s+(.*)")
_FIXED = " {fixed}"
STARTS = {
    Kind.MULTIPLE: (_OPTION, "an option such as '- [x] right' or '- [ ] wrong'"),
    Kind.MATCHING: (_PAIR, "a pair such as '- stem => answer'"),
    Kind.ORDERING: (_STEP, "a step such as '1. first'"),
}
_OTHERWISE = (_OPTION, "an answer such as '- (x) right', '- ( ) wrong' or '- (50%) half right'")


@dataclass
class _Entry:
    """One answer as it stands: its first line's match, its text and its feedback."""

    line: int
    match: re.Match[str]
    text: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)


def read_bank(file: Path) -> tuple[Question, ...]:
    """The questions of one file; their topic is its name.

    Raises:
        CourseInvalid: the file, the line, what stands there and what may.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise CourseInvalid(file, f"byte {fault.start}", fault.object[fault.start], "UTF-8 text") from None
    except OSError as fault:
        raise CourseInvalid(file, "(file)", fault.strerror or str(fault), "a question bank: Markdown") from None
    return parse_bank(text, file)


def parse_bank(text: str, file: Path) -> tuple[Question, ...]:
    """The questions of a text that stands in `file`."""
    found: dict[str, Question] = {}
    for heading, lines in _blocks(text, file):
        name = (_HEADING.fullmatch(heading.text) or [""])[1]
        if not NAME.fullmatch(name):
            raise refuse(file, heading, name, "a name of a-z, 0-9, '-' and '_' after ##, such as '## broadcast-rule'")
        if name in found:
            raise refuse(file, heading, name, f"a name that no other question has (line {found[name].line} has it)")
        found[name] = _question(file, heading, name, lines)
    if not found:
        raise CourseInvalid(file, "line 1", "no question", "at least one, beginning with '## its-name'")
    return tuple(found.values())


def refuse(file: Path, line: Line, found: str, expected: str) -> CourseInvalid:
    """The fault of one line."""
    return CourseInvalid(file, f"line {line.number}", found, expected)


def _blocks(text: str, file: Path) -> Iterator[tuple[Line, list[Line]]]:
    """Each question's heading and lines. A '##' within a fence is a comment of its code, no heading."""
    heading, opened, fence = None, None, ""
    lines: list[Line] = []
    for line in (Line(number, text) for number, text in enumerate(text.splitlines(), 1)):
        before, fence = fence, _fence_after(fence, line.text)
        opened = line if fence and not before else opened
        if not fence and _HEADING.fullmatch(line.text):
            if heading:
                yield heading, lines
            heading, lines = line, []
        else:
            lines.append(line)
    if fence and opened:
        raise refuse(file, opened, opened.text.strip(), f"a closing {fence} further down")
    if heading:
        yield heading, lines


def _fence_after(fence: str, text: str) -> str:
    """The fence that is open after a line, '' for none; only its like closes one."""
    mark = _FENCE.match(text)
    if mark and not fence:
        return mark[1]
    return "" if fence and text.strip() == fence else fence


def _question(file: Path, heading: Line, name: str, lines: list[Line]) -> Question:
    at = 0
    while at < len(lines) and (lines[at].text.strip() or at == 0):
        at += 1
    head = read_header(file, heading, [line for line in lines[:at] if line.text.strip()])
    kind = head.kind
    start, expected = STARTS.get(kind, _OTHERWISE)
    first = _first_answer(lines, at, start)
    text = _text(line.text for line in lines[at:first])
    if not text:
        raise refuse(file, heading, "no text", "what is asked, after an empty line")
    if first == len(lines):
        raise refuse(file, heading, "no answers", expected)
    entries, feedback = _entries(file, lines[first:], start, expected)
    question = Question(
        id=name, kind=kind, text=text, topic=file.stem, feedback=feedback, file=file, line=heading.number, **head.fields
    )
    return _with_answers(file, question, entries)


def _first_answer(lines: list[Line], at: int, start: re.Pattern[str]) -> int:
    """Where the answers begin: the first line that looks like one, outside of code."""
    fence = ""
    for place in range(at, len(lines)):
        fence = _fence_after(fence, lines[place].text)
        if not fence and start.fullmatch(lines[place].text.rstrip()):
            return place
    return len(lines)


def _entries(file: Path, lines: list[Line], start: re.Pattern[str], expected: str) -> tuple[list[_Entry], str]:
    """The answers, each with what is indented under it, and the feedback for all."""
    entries: list[_Entry] = []
    general: list[str] = []
    fence = ""
    for line in lines:
        text, fenced = line.text.rstrip(), bool(fence)
        indented = text.startswith("  ")
        match = None if fenced or indented or general else start.fullmatch(text)
        if match:
            entries.append(_Entry(line.number, match))
        elif not text:
            if general:
                general.append("")
            elif fenced:
                entries[-1].text.append("")
        elif indented and not general:
            inner = text[2:]
            fence = _fence_after(fence, inner)
            if inner.startswith(">") and not fenced:
                entries[-1].feedback.append(_unquoted(inner))
            else:
                entries[-1].text.append(inner)
        elif text.startswith(">") and not fenced:
            general.append(_unquoted(text))
        else:
            hint = "; what belongs to an answer is indented by two spaces, feedback begins with '>'"
            raise refuse(file, line, text, f"{expected}{hint}" if not general else "'>' before each line of the feedback")
    return entries, _text(general)


def _unquoted(text: str) -> str:
    return text[1:].removeprefix(" ")


def _text(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _with_answers(file: Path, question: Question, entries: list[_Entry]) -> Question:
    if question.kind is Kind.MATCHING:
        return replace(question, pairs=tuple(_pair(file, entry) for entry in entries))
    if question.kind is Kind.ORDERING:
        return replace(question, steps=tuple(_text([entry.match[1], *entry.text]) for entry in entries))
    return replace(question, answers=tuple(_answers(file, question.kind, entries)))


def _pair(file: Path, entry: _Entry) -> Pair:
    stem, answer = entry.match[1].strip(), _text([entry.match[2], *entry.text])
    if not answer:
        raise CourseInvalid(file, f"line {entry.line}", entry.match[0], "an answer after '=>'")
    return Pair(stem, answer)


def _answers(file: Path, kind: Kind, entries: list[_Entry]) -> Iterator[Answer]:
    """Answers with their fractions. In multiple, [x] share 100 % alike and [ ] cost alike what the right ones earn."""
    marks = [entry.match[2].replace(" ", "") for entry in entries]
    right = sum(mark in ("x", "X") for mark in marks)
    wrong, exact = marks.count(""), any("%" in mark for mark in marks)
    for entry, mark in zip(entries, marks, strict=True):
        place = Line(entry.line, entry.match[0])
        opening, closing = entry.match[1], entry.match[3]
        wanted = "[]" if kind is Kind.MULTIPLE else "()"
        if opening + closing != wanted:
            raise refuse(file, place, f"{opening}{mark}{closing}", f"{wanted[0]}{mark or ' '}{wanted[1]} in a {kind} question")
        if kind is Kind.MULTIPLE and exact and mark in ("x", "X"):
            raise refuse(file, place, "[x]", "a percentage here too, since another option has one")
        text = _text([entry.match[4] or "", *entry.text])
        fixed = kind in CHOICES and text.endswith(_FIXED)
        text = text.removesuffix(_FIXED) if kind in CHOICES else uncoded(text)
        if not text.strip():
            raise refuse(file, place, place.text, "the answer's text")
        with localcontext(EXACT):
            if mark in ("x", "X"):
                fraction = ONE / right if kind is Kind.MULTIPLE else ONE
            elif mark == "":
                fraction = -ONE / wrong if kind is Kind.MULTIPLE and right and not exact else ZERO
            else:
                fraction = _percent(file, place, mark)
        yield Answer(text, fraction, _text(entry.feedback), fixed)


def _percent(file: Path, place: Line, mark: str) -> Decimal:
    number = mark.removesuffix("%")
    if not re.fullmatch(r"[-+]?\d{1,3}(\.\d+)?", number) or abs(Decimal(number)) > HUNDRED:
        raise refuse(file, place, mark, "a percentage from -100% to 100%")
    return Decimal(number) / HUNDRED


def uncoded(text: str) -> str:
    """A typed answer without the backticks or the fence that it stands in."""
    lines = text.strip("\n").split("\n")
    if len(lines) > 2 and _FENCE.match(lines[0]) and _FENCE.fullmatch(lines[-1]):
        return "\n".join(lines[1:-1])
    if len(text) > 2 and text[0] == text[-1] == "`" and "`" not in text[1:-1]:
        return text[1:-1]
    return text
