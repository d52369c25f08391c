"""Question banks in from other systems, and out to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assessor.course import Course
from assessor.errors import AssessorError, UnknownName
from assessor.files import replacing, write_text
from assessor.quizzes.bank import read_bank
from assessor.quizzes.checking import check_question
from assessor.quizzes.formats import FORMATS, READERS, WRITERS, Note, guess_format
from assessor.quizzes.formats.bank_text import bank_text
from assessor.quizzes.formats.carried import Names
from assessor.quizzes.questions import Question
from assessor.quizzes.settings import FOLDER


@dataclass(frozen=True)
class Banks:
    """What was written, how many questions are in it, and what could not be carried."""

    paths: tuple[Path, ...]
    questions: int
    notes: tuple[Note, ...]


def import_bank(course: Course, file: Path, *, form: str | None = None, topic: str | None = None) -> Banks:
    """Writes the questions of a file as banks of quizzes/, one a topic; none that is there is touched.

    Args:
        form: 'gift', 'moodle', 'qti' or 'qti12'; None where the file itself tells.
        topic: puts all of them into this bank.

    Raises:
        AssessorError: the format cannot be told, or a bank of this name is there already; nothing was written.
        CourseInvalid: the file is not of that format.
    """
    try:
        data = file.read_bytes()
    except OSError as fault:
        raise AssessorError(f"{file}: cannot be read: {fault.strerror}") from None
    chosen = form or guess_format(data, file)
    if chosen is None:
        raise AssessorError(f"{file}: its format cannot be told: say --from {' or '.join(FORMATS)}")
    found = READERS[chosen](data, file)
    notes = list(found.notes)
    names = Names({question.id for path in sorted((course.root / FOLDER).glob("*.md")) for question in read_bank(path)})
    of_topic: dict[str, list[Question]] = {}
    for question in found.questions:
        own = names.of(question.id)
        if own != question.id:
            notes.append(Note(question.id, "its name", f"{own} here: another question of the course has it"))
        bank = topic or _slug(question.topic) or "imported"
        of_topic.setdefault(bank, []).append(replace(question, id=own, topic=bank))
    written: list[tuple[Path, str]] = []
    count = 0
    for bank, questions in of_topic.items():
        path = course.root / FOLDER / f"{bank}.md"
        if path.exists():
            raise AssessorError(f"{path}: is there already; say --topic NAME for another bank. Nothing was written")
        text, kept, left = bank_text(questions, f"{bank}, from {file.name}")
        notes += left
        count += len(kept)
        for question in kept:
            notes += [
                Note(question.id, f"{trouble.level}: {trouble.text}", "kept; mend it in the bank")
                for trouble in check_question(question)
            ]
        if kept:
            written.append((path, text))
    for path, text in written:
        write_text(path, text)
    return Banks(tuple(path for path, _ in written), count, tuple(notes))


def export_bank(course: Course, topics: Sequence[str], form: str, *, out: Path | None = None) -> Banks:
    """Writes banks of quizzes/ as one file of another system's format, into reports/ unless told where.

    Raises:
        UnknownName: no such bank.
        CourseInvalid: a bank is wrong.
    """
    folder = course.root / FOLDER
    known = sorted(path.stem for path in folder.glob("*.md"))
    chosen = list(topics) or known
    for name in chosen:
        if name not in known:
            raise UnknownName("question bank", name, known)
    if not chosen:
        raise AssessorError(f"{folder}: no question bank")
    questions = tuple(question for name in chosen for question in read_bank(folder / f"{name}.md"))
    done = WRITERS[form](questions, course.title)
    path = out or course.root / "reports" / f"{chosen[0] if len(chosen) == 1 else 'questions'}-{form}{done.ending}"
    with replacing(path) as temporary:
        temporary.write_bytes(done.data)
    return Banks((path,), len(questions), done.notes)


def _slug(topic: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", topic.lower()).strip("-")[:48]
