"""Question banks in other systems' formats: GIFT, Moodle XML, QTI 2.1, and QTI 1.2 as Canvas writes it (to read only).

A format knows less than our banks do, or other things. Whatever cannot be carried is told, question by question, as a
`Note`; nothing is dropped in silence. Readers never fetch, follow or expand anything: XML with entities or a DTD is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assessor.quizzes.formats import gift, moodle_xml, qti12, qti21_reading, qti21_writing
from assessor.quizzes.formats.carried import Carried, Note, Written
from assessor.quizzes.questions import Question

__all__ = ["FORMATS", "READERS", "WRITERS", "Carried", "Note", "Written", "guess_format"]

Reader = Callable[[bytes, Path], Carried]
Writer = Callable[[tuple[Question, ...], str], Written]
READERS: dict[str, Reader] = {"gift": gift.read, "moodle": moodle_xml.read, "qti": qti21_reading.read, "qti12": qti12.read}
WRITERS: dict[str, Writer] = {"gift": gift.write, "moodle": moodle_xml.write, "qti": qti21_writing.write}
FORMATS = tuple(READERS)


def guess_format(data: bytes, file: Path) -> str | None:
    """Which format a file is in; None where it could be any."""
    head = data[:4096]
    if b"questestinterop" in head or (data[:2] == b"PK" and qti12.is_package(data)):
        return "qti12"
    if data[:2] == b"PK" or b"imsqti_v2p1" in head:
        return "qti"
    if b"<quiz" in head:
        return "moodle"
    return "gift" if file.suffix.lower() in (".gift", ".txt") else None
