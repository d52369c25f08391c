"""Strict CSV: every value with its row and column, every fault with its place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from assessor.errors import ImportRefused

MAX_BYTES = 64 * 2**20
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,12})?")
"""Plain decimals only: no exponent, no other digits, no NaN."""


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

    Raises:
        ImportRefused: encoding, columns or a row's shape are wrong.
    """
    text = _decode(path, encoding)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[CsvRow] = []
    header: list[str] = []
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if not header:
                header = [field.strip().lower() for field in fields]
                _check_header(path, header, required, optional)
                continue
            if len(fields) != len(header):
                raise ImportRefused(path, reader.line_num, None, f"{len(fields)} values", f"{len(header)}, as in the header")
            rows.append(CsvRow(path, reader.line_num, dict(zip(header, fields, strict=True))))
    except csv.Error as fault:
        raise ImportRefused(path, reader.line_num, None, str(fault), "well-formed CSV") from None
    if not rows:
        raise ImportRefused(path, None, None, "no rows", f"a table with the columns {', '.join(required)}")
    return rows


def _decode(path: Path, encoding: str | None) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ImportRefused(path, None, None, f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}")
    data = path.read_bytes()
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except LookupError:
        raise ImportRefused(path, None, None, encoding, "an encoding such as utf-8 or cp1252") from None
    except UnicodeDecodeError as fault:
        row = data.count(b"\n", 0, fault.start) + 1
        expected = "UTF-8; save it so, or say --encoding cp1252 if it is from Windows"
        raise ImportRefused(path, row, None, f"byte 0x{data[fault.start]:02x}", expected) from None
    if "\0" in text:
        raise ImportRefused(path, text.count("\n", 0, text.index("\0")) + 1, None, "a NUL character", "text")
    return text


def _delimiter(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _check_header(path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise ImportRefused(path, 1, name, "this column twice", "each column once")
    for name in required:
        if name not in header:
            wanted = ", ".join([*required, *(f"[{name}]" for name in optional)])
            raise ImportRefused(path, 1, name, f"columns {', '.join(header)}", f"the columns {wanted}")
