"""What readers and writers of formats share: notes of what was not carried, names, and XML and archives read with care."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree

from assessor.errors import CourseInvalid
from assessor.quizzes.papers import by_seed
from assessor.quizzes.questions import Question
from assessor.quizzes.variants import variant

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 32 * 2**20
MAX_MEMBERS = 5000
_NOT_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
VARIANTS = 5
"""So many variants stand for a question with parameters, in formats that know none."""


@dataclass(frozen=True)
class Note:
    """One thing of one question that a format could not carry, and what was done about it."""

    question: str
    what: str
    done: str


@dataclass(frozen=True)
class Carried:
    """What was read."""

    questions: tuple[Question, ...]
    notes: tuple[Note, ...]


def carried(found: Iterable[Question | None], notes: list[Note], file: Path, nothing: str, expected: str) -> Carried:
    """All that a reader found; None where it left a question out, with a note.

    Raises:
        CourseInvalid: there is neither a question nor a note.
    """
    questions = tuple(question for question in found if question is not None)
    if not questions and not notes:
        raise refuse(file, "(file)", nothing, expected)
    return Carried(questions, tuple(notes))


@dataclass(frozen=True)
class Written:
    """What was written: `ending` of the file's name, with its dot."""

    data: bytes
    ending: str
    notes: tuple[Note, ...]


@dataclass
class Names:
    """Gives each question a name of its own that our banks accept."""

    taken: set[str] = field(default_factory=set)

    def of(self, wanted: str) -> str:
        """The name, made of letters, digits and hyphens; numbered where it is taken."""
        plain = re.sub(r"[^a-z0-9_]+", "-", wanted.lower()).strip("-_")[:48] or "question"
        name, count = plain, 1
        while name in self.taken:
            count += 1
            name = f"{plain}-{count}"
        self.taken.add(name)
        return name


def without_parameters(questions: tuple[Question, ...], notes: list[Note]) -> Iterator[Question]:
    """Questions for a format that knows no parameters: a few variants stand for one that has some."""
    from assessor.quizzes.checking import variants_of

    for question in questions:
        if not question.lets:
            yield question
            continue
        every = [dict(values) for values in variants_of(question)]
        drawn = by_seed(every, 0, f"variants of {question.id}", key=str)[:VARIANTS]
        notes.append(Note(question.id, "parameters", f"{len(drawn)} of {len(every)} variants were written, a question each"))
        for number, values in enumerate(drawn, 1):
            yield replace(variant(question, values), id=f"{question.id}-{number}", lets=())


def percent(fraction: Decimal, places: int = 5) -> str:
    """A fraction as a percentage: '50', '33.33333', '-100'."""
    text = f"{fraction * 100:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def number(text: str | None) -> Decimal | None:
    """A finite number, or None."""
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def positive(text: str | None, what: str, note: Callable[[str, str], None]) -> Decimal:
    """A number above 0; 1 where none is said, and, with a note, where it is no such number."""
    value = number(text)
    if value is not None and value > 0:
        return value
    if text and text.strip():
        note(f"{what} of {text.strip()}", "taken as 1")
    return Decimal(1)


def refuse(file: Path, place: str, found: str, expected: str) -> CourseInvalid:
    """A file that cannot be read at all."""
    return CourseInvalid(file, place, found, expected)


def parse_xml(data: bytes, file: Path, place: str = "(file)") -> Element:
    """XML without DTD, entities or anything from outside.

    Raises:
        CourseInvalid: it is none, is too large, or tries to bring something in.
    """
    if len(data) > MAX_BYTES:
        raise refuse(file, place, f"{len(data)} bytes", f"at most {MAX_BYTES}")
    try:
        root: Element = SafeTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as fault:
        raise refuse(file, place, type(fault).__name__, "XML without DTD and entities") from None
    except (ParseError, ValueError) as fault:
        raise refuse(file, place, str(fault), "well-formed XML") from None
    return root


def members(data: bytes, file: Path) -> dict[str, bytes]:
    """The XML files of a package, by name; they are read in memory, whatever their names say.

    Raises:
        CourseInvalid: it is no zip, or would unpack to more than anybody's bank.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if info.filename.lower().endswith((".xml", ".qti"))]
            if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_BYTES:
                raise refuse(
                    file, "(file)", "a package that unpacks to too much", f"at most {MAX_MEMBERS} files, {MAX_BYTES} bytes"
                )
            found, left = {}, MAX_BYTES
            for info in infos:
                with archive.open(info) as member:
                    found[info.filename] = member.read(left + 1)
                left -= len(found[info.filename])
                if left < 0:
                    raise refuse(file, info.filename, "more than it says", f"at most {MAX_BYTES} bytes unpacked")
            return found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as fault:
        raise refuse(file, "(file)", str(fault), "a zip package that is whole and has no password") from None


def documents(data: bytes, file: Path) -> Iterator[tuple[str, Element]]:
    """Of each XML file of a package, or of the one file that it is, the name and the root.

    Raises:
        CourseInvalid: it is neither.
    """
    for name, text in (members(data, file) if data[:2] == b"PK" else {file.name: data}).items():
        yield name, parse_xml(text, file, name)


def xml_text(text: str) -> str:
    """Without the characters that XML cannot hold, not even as references."""
    return _NOT_XML.sub("", text)


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def find_all(element: Element, *names: str) -> list[Element]:
    """All descendants of these names, whatever their namespace."""
    return [each for each in element.iter() if local(each) in names]


def first(element: Element | None, name: str) -> Element | None:
    """The first descendant of this name."""
    return None if element is None else next((each for each in element.iter() if local(each) == name), None)
