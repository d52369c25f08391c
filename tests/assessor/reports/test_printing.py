"""What goes on paper: a PDF that is whole, and a word about letters that no font has."""

from __future__ import annotations

from pathlib import Path

import pypdf
import pytest

from assessor.reports.printing import write_pdf

NO_LETTER = "\U0010f123"
"""Of the last private use plane: no icon font reaches it."""


def test_a_page_has_its_words_and_its_footer(tmp_path: Path) -> None:
    assert write_pdf("<h1>Marks</h1>", tmp_path / "a.pdf", footer='a "quoted" \\ footer') == ""
    (page,) = pypdf.PdfReader(tmp_path / "a.pdf").pages
    words = page.extract_text().replace("\0", "")
    assert "Marks" in words and "a 'quoted' footer" in " ".join(words.split()) and "page 1 of 1" in words


def test_letters_without_a_font_are_named_once_with_what_to_do(tmp_path: Path) -> None:
    others = "".join(chr(ord(NO_LETTER) + step) for step in range(1, 12))
    said = write_pdf(f"<p>{NO_LETTER} {NO_LETTER}</p><p>{others}</p>", tmp_path / "a.pdf")
    assert said.startswith(f"a.pdf: no font of this machine has {NO_LETTER} {others[0]} ")
    assert said.count(NO_LETTER) == 1 and "and 4 more" in said and "fonts-noto" in said
    assert write_pdf("<p>plain</p>", tmp_path / "b.pdf") == "", "of the page before nothing is left"


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(OSError, match="file"):
        write_pdf("<p>x</p>", tmp_path / "file" / "a.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
