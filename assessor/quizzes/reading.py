"""What a student typed, read: numbers with units, shapes, words, printed lines. None where it cannot be read."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, localcontext

from assessor.marking.exact import EXACT
from assessor.quizzes.questions import Question

MAX_LETTERS = 2000
_NUMBER = re.compile(
    r"([-+]?(?:\d{1,15}(?:\.\d{0,30})?|\.\d{1,30}))(?:\s*(?:[eE]|[*x×·]\s*10\s*\^)\s*\(?([-+]?\d{1,2})\)?)?", re.ASCII
)
_FRACTION = re.compile(r"([-+]?\d{1,9})\s*/\s*(\d{1,9})", re.ASCII)
_SHAPE = re.compile(r"(?:torch\.)?(?:size)?\s*[(\[{]*([^()\[\]{}]*)[)\]}]*", re.IGNORECASE)
_DIMENSION = re.compile(r"\d{1,9}|[^\W\d]\w{0,15}")
_SIGNS = {"−": "-", "–": "-", "‐": "-", " ": " ", "’": "'", "‘": "'", "“": '"', "”": '"'}
_TABLE = str.maketrans(_SIGNS)


def keyboard(text: str) -> str:
    """Signs of print and of word processors as a keyboard has them."""
    return unicodedata.normalize("NFC", text).translate(_TABLE).strip()


def read_number(text: str) -> tuple[Decimal, str] | None:
    """A number and the unit behind it: '1.5', '1,5 MB', '2e-3', '3*10^8', '1/3', '25 %'.

    A comma may be a decimal point; where it could as well part thousands ('1,000'), it cannot be read.
    """
    clean = keyboard(text)
    if clean.count(",") == 1 and "." not in clean:
        if re.match(r"[-+]?[1-9]\d{0,2},\d{3}(?!\d)", clean):
            return None
        clean = re.sub(r"(\d),(\d)", r"\1.\2", clean)
    with localcontext(EXACT):
        if match := _FRACTION.match(clean):
            if int(match[2]) == 0:
                return None
            return Decimal(match[1]) / Decimal(match[2]), clean[match.end() :].strip()
        if match := _NUMBER.match(clean):
            value = Decimal(match[1]).scaleb(int(match[2] or 0))
            return value, clean[match.end() :].strip()
    return None


def number_in_unit(question: Question, text: str) -> Decimal | None:
    """The number in the question's unit. No unit written means the one that was asked for; another than those listed
    cannot be read."""
    found = read_number(text)
    if found is None:
        return None
    value, unit = found
    if unit in ("", question.unit):
        return value
    factor = dict(question.units).get(unit)
    if factor is None and unit == "%":
        factor = Decimal("0.01")
    return None if factor is None else value * factor


def read_shape(text: str) -> tuple[str, ...] | None:
    """A shape: '(2, 3)', '[2,3]', '2 x 3', 'torch.Size([2, 3])', '(N, 3)', '()'."""
    clean = keyboard(text)
    match = _SHAPE.fullmatch(clean)
    if match is None or (not match[1].strip() and not clean.endswith((")", "]"))):
        return None
    parts = re.split(r"\s*[,×*]\s*|\s+x\s+|(?<=\d)x(?=\d)|\s+", match[1].strip())
    parts = parts[:-1] if len(parts) > 1 and not parts[-1] else parts
    if parts == [""]:
        return ()
    if not all(_DIMENSION.fullmatch(part) for part in parts):
        return None
    return tuple(str(int(part)) if part.isdigit() else part for part in parts)


def read_words(text: str, *, case: bool) -> str:
    """Words with one blank between them; without case unless it matters."""
    words = " ".join(keyboard(text).split())
    return words if case else words.casefold()


def read_output(text: str) -> str:
    """Printed lines: blanks at their ends and empty lines around them do not matter."""
    lines = [line.rstrip() for line in unicodedata.normalize("NFC", text).splitlines()]
    return "\n".join(lines).strip("\n").strip()
