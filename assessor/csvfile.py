"""Strict CSV: every value with its row and column, every fault with its place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from assessor.errors import ImportRefused

MAX_BYTES = 64 * 2**20
MAX_CELL = 100_000
"""Characters; the longest that anybody has to write is an answer or a comment."""
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,10})?")
"""Plain decimals only: no exponent, no other digits, no NaN; no more decimals than the database keeps."""


@dataclass(frozen=True)
class CsvRow:
    """One row; `number` counts lines as an editor does, the header being 1."""

    file: Path
    number: int
    values: dict[str, str]

    def text(self, column: str) -> str:
        """The value, which must not be empty.

        Raises:
            ImportRefused: it is.
        """
        value = self.values.get(column, "").strip()
        if not value:
            raise self.refuse(column, value, "a value")
        return value

    def number_in(self, column: str, low: Decimal, high: Decimal) -> Decimal:
        """An exact number within bounds.

        Raises:
            ImportRefused: no number, not finite, or out of bounds.
        """
        return exact(self.text(column), low, high, lambda found, expected: self.refuse(column, found, expected))

    def refuse(self, column: str | None, found: object, expected: str) -> ImportRefused:
        """The fault of one value."""
        return ImportRefused(self.file, self.number, column, found, expected)


def exact(text: str, low: Decimal, high: Decimal, refuse: Callable[[str, str], Exception]) -> Decimal:
    """A plain decimal number within bounds; `refuse(found, expected)` makes the fault."""
    expected = f"a number from {low} to {high}"
    if "," in text:
        raise refuse(text, f"{expected}, with a decimal point, not a comma")
    if not NUMBER.fullmatch(text.strip()):
        raise refuse(text, expected)
    value = Decimal(text.strip())
    if not low <= value <= high:
        raise refuse(text, expected)
    return value


def read_csv(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, encoding: str | None = None
) -> list[CsvRow]:
    """Reads a whole table, or refuses all of it.

    Args:
        encoding: as the person says; None for UTF-8, with or without a byte order mark, and UTF-16 with one.

    Raises:
        ImportRefused: encoding, columns or a row's shape are wrong.
    """

    def head(line: int, names: list[str]) -> list[str]:
        lowered = [name.lower() for name in names]
        _check_header(path, line, lowered, required, optional)
        return lowered

    header, rows = read_table(path, head, encoding=encoding)
    if not rows:
        raise ImportRefused(path, None, None, "no rows", f"a table with the columns {', '.join(required)}")
    return [CsvRow(path, number, dict(zip(header, fields, strict=True))) for number, fields in rows]


def read_table(
    path: Path, head: Callable[[int, list[str]], list[str]] = lambda line, names: names, *, encoding: str | None = None
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and, with their lines, the rows of a table, whatever its columns are called and however often.

    Args:
        head: checks the header with its line, and gives it as it is to be called.

    Raises:
        ImportRefused: encoding or a row's shape are wrong.
    """
    text = _decode(path, encoding)
    rows: list[tuple[int, list[str]]] = []
    header: list[str] = []
    for number, fields in _fields(path, text):
        if not any(field.strip() for field in fields):
            continue
        for place, field in enumerate(fields):
            _check_field(path, number, header[place] if place < len(header) else None, field)
        if not header:
            header = head(number, [field.strip() for field in fields])
            continue
        if len(fields) != len(header):
            expected = f"{len(header)}, as in the header; a value that holds a comma stands in quotation marks"
            raise ImportRefused(path, number, None, f"{len(fields)} values", expected)
        rows.append((number, fields))
    return header, rows


def _fields(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    before = csv.field_size_limit(MAX_BYTES)  # one for the whole process; a cell's length is checked with its place
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as fault:
        raise ImportRefused(path, reader.line_num, None, str(fault), "well-formed CSV") from None
    finally:
        csv.field_size_limit(before)


def _check_field(path: Path, row: int, column: str | None, field: str) -> None:
    if "\0" in field:
        expected = "text; if the file is UTF-16 without a byte order mark, say --encoding utf-16-le"
        raise ImportRefused(path, row, column, "a NUL character", expected)
    if len(field) > MAX_CELL:
        raise ImportRefused(path, row, column, f"{len(field)} characters", f"at most {MAX_CELL} in a cell")


def _decode(path: Path, encoding: str | None) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ImportRefused(path, None, None, f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}")
    data = path.read_bytes()
    chosen = encoding or ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    try:
        return data.decode(chosen).removeprefix("\ufeff")
    except LookupError:
        raise ImportRefused(path, None, None, chosen, "an encoding such as utf-8 or cp1252") from None
    except UnicodeDecodeError as fault:
        row, column = _place(data[: fault.start].decode(chosen, "replace"))
        found = f"byte 0x{data[fault.start]:02x}"
    except UnicodeError as fault:
        row, column, found = None, None, str(fault)
    expected = f"{encoding}" if encoding else "UTF-8; save it so, or say --encoding cp1252 if it is from Windows"
    raise ImportRefused(path, row, column, found, expected)


def _place(before: str) -> tuple[int, str | None]:
    """Row and column of what follows a text that breaks off."""
    try:
        rows = [row for row in csv.reader(io.StringIO(before + "x", newline=""), delimiter=_delimiter(before)) if any(row)]
    except csv.Error:
        rows = []
    number = before.count("\n") + 1
    if len(rows) < 2 or len(rows[-1]) > len(rows[0]):
        return number, None
    return number, rows[0][len(rows[-1]) - 1].strip().lower().removeprefix("\ufeff")


def _delimiter(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _check_header(path: Path, row: int, header: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise ImportRefused(path, row, name, "this column twice", "each column once")
    for name in required:
        if name not in header:
            wanted = ", ".join([*required, *(f"[{name}]" for name in optional)])
            raise ImportRefused(path, row, name, f"columns {', '.join(header)}", f"the columns {wanted}")
