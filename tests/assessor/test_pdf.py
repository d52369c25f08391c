"""Handed-in PDFs: pages and sizes, and what strangers put into them."""

from __future__ import annotations

import io
import zlib

import matplotlib.figure
import pytest
from pypdf import PdfWriter
from pypdf.generic import FloatObject, NameObject

from assessor.pdf import POINT, read_pdf

MM = 1 / POINT


def blank(*sizes: tuple[float, float], password: str = "", unit: float = 1.0) -> bytes:
    writer = PdfWriter()
    for width, height in sizes:
        page = writer.add_blank_page(width * MM, height * MM)
        if unit != 1:
            page[NameObject("/UserUnit")] = FloatObject(unit)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def drawn() -> bytes:
    file = io.BytesIO()
    matplotlib.figure.Figure((8.27, 11.69)).savefig(file, format="pdf")
    return file.getvalue()


@pytest.mark.parametrize("data", [
    pytest.param(blank((210, 297)), id="A4"), pytest.param(blank((297, 210)), id="landscape"),
    pytest.param(blank((216, 279)), id="US letter"), pytest.param(blank((100, 100)), id="small"),
    pytest.param(drawn(), id="matplotlib"), pytest.param(b"\n\n" + blank((210, 297)), id="blank lines first"),
])  # fmt: skip
def test_one_side_of_a4_is_right(data: bytes) -> None:
    assert read_pdf(data).exceeds(1) == ""


@pytest.mark.parametrize(("data", "said"), [
    pytest.param(blank((210, 297), (210, 297)), "2 pages, at most 1", id="two pages"),
    pytest.param(blank((297, 420)), "page 1 is 297 x 420 mm, at most A4", id="A3"),
    pytest.param(blank((105, 148), unit=10), "page 1 is 1050 x 1480 mm", id="a user unit of ten"),
    pytest.param(blank((210, 297), password="x"), "not a PDF that can be read", id="encrypted"),
    pytest.param(blank(), "not a PDF that can be read", id="no page"),
    pytest.param(b"%PDF-1.7\n", "not a PDF that can be read", id="only its first line"),
    pytest.param(b"", "it does not begin as a PDF does", id="empty"),
    pytest.param(b"PK\3\4 a Word file", "it does not begin as a PDF does", id="something else"),
    pytest.param(drawn()[:-200], "", id="cut off"),
])  # fmt: skip
def test_anything_else_gets_its_reason(data: bytes, said: str) -> None:
    fault = read_pdf(data).exceeds(1)
    assert said in fault
    assert "\n" not in fault


def looping() -> bytes:
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\n"
        b"trailer<</Root 1 0 R/Size 3>>\n%%EOF"
    )


def inflating() -> bytes:
    """A compressed object stream of 256 MB, in which the pages would be."""
    packer = zlib.compressobj(9)
    part = b" " * 2**24
    packed = b"".join(packer.compress(part) for _ in range(16)) + packer.flush()
    return (
        b"%PDF-1.5\n1 0 obj<</Type/Catalog/Pages 3 0 R>>endobj\n"
        b"2 0 obj<</Type/ObjStm/N 1/First 5/Filter/FlateDecode/Length " + str(len(packed)).encode() + b">>stream\n" + packed
        + b"\nendstream endobj\n4 0 obj<</Type/XRef/Size 5/W[1 2 1]/Root 1 0 R/Length 20>>stream\n"
        b"\0\0\0\0\1\0\x09\0\1\0\x40\0\2\0\2\0\1\0\0\0\nendstream endobj\nstartxref\n9\n%%EOF"
    )  # fmt: skip


@pytest.mark.parametrize("make", [looping, inflating])
def test_a_hostile_pdf_is_its_students_fault_and_ends(make: object) -> None:
    assert "not a PDF that can be read" in read_pdf(make()).exceeds(1)  # type: ignore[operator]
