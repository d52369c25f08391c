"""Every place in which a secret could hide, and what is no secret though it looks like one."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from assessor.notebooks.leaks import SHOWN, find_leaks

SECRET = "    result = x * x + 0 * x\n    return result\n"
"""The solution of conftest's `square`."""
HIDDEN = "assert square(-31) == 961\n"
REFERENCE = '"""Right."""\n\n\ndef square(x):\n    product_of_itself = x.mul(x)\n    return product_of_itself.contiguous()\n'
GIVEN = "import math\nassert square(2) == 4\nprint(number, 'is a number')\n"


@pytest.fixture
def grader(tmp_path: Path) -> Path:
    folder = tmp_path / "graders/powers"
    folder.mkdir(parents=True)
    (folder / "reference.py").write_text(REFERENCE)
    (folder / "test_powers.py").write_text("def test_it(student):\n    assert student.square(-77) == 5929\n")
    (folder / "labels.csv").write_text("7,3,1\n")
    return folder


def zipped(**files: str | bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(text: str, mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        entry = tarfile.TarInfo("last year/solution.py")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def notebook_of(*cells: NotebookNode) -> str:
    return nbformat.v4.writes(new_notebook(cells=list(cells)))


def saved(text: str) -> bytes:
    packed = io.BytesIO()
    torch.save({"code": text, "weight": torch.zeros(2)}, packed)
    return packed.getvalue()


HIDING: dict[str, Callable[[str], bytes]] = {
    "a text": lambda text: f"Hint:\n{text}".encode(),
    "with Windows line ends": lambda text: text.replace("\n", "\r\n").encode(),
    "other indentation": lambda text: text.replace("    ", "\t\t").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "a comment": lambda text: "".join(f"# {line}\n" for line in text.split("\n")).encode(),
    "a quotation": lambda text: "".join(f"> {line}\n" for line in text.split("\n")).encode(),
    "a list of strings in Python": lambda text: "".join(f'    "{line}",\n' for line in text.split("\n")).encode(),
    "JSON": lambda text: json.dumps({"a": [1, {"b": text}]}).encode(),
    "JSON with a byte-order mark": lambda text: b"\xef\xbb\xbf" + json.dumps([text]).encode(),
    "lines in JSON": lambda text: json.dumps(text.split("\n")).encode(),
    "a key in JSON": lambda text: json.dumps({text: 1}).encode(),
    "base64 in JSON": lambda text: json.dumps({"a.txt": base64.b64encode(text.encode()).decode()}).encode(),
    "a notebook": lambda text: notebook_of(new_code_cell(text)).encode(),
    "markdown of a notebook": lambda text: notebook_of(new_markdown_cell(f"So:\n```python\n{text}```")).encode(),
    "outputs of a notebook": lambda text: notebook_of(new_code_cell("1", outputs=[new_output("stream", text=text)])).encode(),
    "a zip": lambda text: zipped(readme=text),
    "a notebook in a zip": lambda text: zipped(old=notebook_of(new_code_cell(text))),
    "a zip in a zip": lambda text: zipped(inner=zipped(deeper=text)),
    "a tar": tarred,
    "a tar.gz": lambda text: tarred(text, "w:gz"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "HTML": lambda text: f"<html><body><pre>{html.escape(text)}</pre></body></html>".encode(),
    "coloured HTML": lambda text: "".join(f"<span class='n'>{html.escape(word)}</span> " for word in text.split(" ")).encode(),
}


@pytest.mark.parametrize("secret", [SECRET, HIDDEN, REFERENCE.split("\n\n\n")[1]], ids=["solution", "test", "reference"])
@pytest.mark.parametrize("hiding", HIDING)
def test_a_secret_is_found_in_whatever_it_hides(source: NotebookNode, grader: Path, hiding: str, secret: str) -> None:
    released = {"data/notes.txt": HIDING[hiding](secret)}
    leaks = find_leaks(released, [source], grader)
    assert leaks and all(name.startswith("data/notes.txt") for name, _ in leaks)


@pytest.mark.parametrize(
    "packed",
    [lambda text: pickle.dumps([b"\0\0", text]), saved, lambda text: gzip.compress(b"\0" * 9 + text.encode())],
    ids=["pickle", "torch.save", "gzip"],
)
def test_long_lines_are_found_in_binary_data(source: NotebookNode, grader: Path, packed: Callable[[str], bytes]) -> None:
    assert find_leaks({"a.bin": packed("    assert student.square(-77) == 5929\n")}, [source], grader)
    assert find_leaks({"a.bin": packed("    assert student.square(+12) == 144\n")}, [source], grader) == ()


@pytest.mark.parametrize("hiding", HIDING)
def test_what_students_are_given_anyway_is_no_secret(source: NotebookNode, grader: Path, hiding: str) -> None:
    leaks = find_leaks({"data/notes.txt": HIDING[hiding](GIVEN)}, [source], grader)
    assert leaks == ()


def test_a_notebooks_outputs_are_no_part_of_a_release(source: NotebookNode, grader: Path) -> None:
    cell = new_code_cell("1", outputs=[new_output("stream", text="anything at all")])
    for name in ("more.ipynb", "more.zip/more.ipynb"):
        data = notebook_of(cell).encode()
        released = {"more.zip": zipped(**{"more.ipynb": data})} if "zip" in name else {name: data}
        assert find_leaks(released, [source], grader) == ((name, "a cell still has outputs"),)


@pytest.mark.parametrize("file", ["reference.py", "test_powers.py", "labels.csv"])
def test_a_copy_of_a_graders_file_is_named_whatever_it_is_called(source: NotebookNode, grader: Path, file: str) -> None:
    data = (grader / file).read_bytes()
    assert ("x.dat", f"it is the grader's file powers/{file}") in find_leaks({"x.dat": data}, [source], grader)
    (leak,) = find_leaks({"x.zip": zipped(inner=data)}, [source], grader)
    assert leak == ("x.zip/inner", f"it is the grader's file powers/{file}")


def test_code_of_other_assignments_graders_is_secret_too_and_their_data_is_not(source: NotebookNode, grader: Path) -> None:
    other = grader.parent / "roots"
    other.mkdir()
    (other / "reference.py").write_text("def root(x):\n    return x**0.5\n")
    (other / "points.csv").write_text("1,2\n")
    (other / "__init__.py").write_text("")
    released = {"a.py": (other / "reference.py").read_bytes(), "points.csv": b"1,2\n", "__init__.py": b""}
    assert find_leaks(released, [source], grader) == (("a.py", "it is the grader's file roots/reference.py"),)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut off", zipped(a="x" * 5000)[:-30]),
        ("damaged", zipped(a="x" * 5000).replace(b"PK\x01\x02", b"PK\x01\x09")),
        ("damaged gzip", gzip.compress(b"x" * 5000)[:-12]),
        ("damaged xz", lzma.compress(b"x" * 5000)[:-12]),
    ],
    ids=["zip cut off", "zip", "gzip", "xz"],  # the bytes hold the time
)
def test_an_archive_that_cannot_be_looked_into_is_refused(source: NotebookNode, grader: Path, name: str, data: bytes) -> None:
    ((file, why),) = find_leaks({name: data}, [source], grader)
    assert file == name and "unpack it" in why


def test_a_zip_bomb_is_refused_without_being_unpacked(
    source: NotebookNode, grader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assessor.notebooks.contents.MAX_UNPACKED", 10_000)
    bomb = zipped(a=b"0" * 6_000, b=b"0" * 6_000)
    assert [file for file, _ in find_leaks({"bomb.zip": bomb}, [source], grader)] == ["bomb.zip"]
    deep = b"at the bottom"
    for _ in range(6):
        deep = gzip.compress(deep)
    ((file, why),) = find_leaks({"deep.gz": deep}, [source], grader)
    assert file.startswith("deep.gz") and "levels" in why


def test_an_encrypted_zip_is_refused(source: NotebookNode, grader: Path) -> None:
    data = bytearray(zipped(a="x" * 50))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    ((file, why),) = find_leaks({"locked.zip": bytes(data)}, [source], grader)
    assert file == "locked.zip" and "encrypted" in why


def test_a_long_list_of_leaks_is_cut_and_counted(source: NotebookNode, grader: Path) -> None:
    lines = "".join(f"    intermediate_value_{number} = {number} * x\n" for number in range(40))
    (grader / "reference.py").write_text(f"def square(x):\n{lines}")
    leaks = find_leaks({"a.txt": lines.encode()}, [source], grader)
    assert sum("intermediate" in what for _, what in leaks) <= SHOWN + 1
    assert any(f"{40 - SHOWN} more lines" in what for _, what in leaks)


def test_an_unclosed_region_is_secret_to_its_end(source: NotebookNode, grader: Path, graded: Callable[..., NotebookNode]) -> None:
    source.cells.append(graded("### BEGIN SOLUTION\nnever_closed_anywhere = 1", "open", solution=True))
    assert find_leaks({"a.txt": b"never_closed_anywhere = 1\n"}, [source], grader)
    assert find_leaks({"a.txt": b"x\n### BEGIN SOLUTION\n"}, [source], grader)


def test_a_course_without_a_grader_is_looked_through_too(source: NotebookNode, tmp_path: Path) -> None:
    assert find_leaks({"a.txt": SECRET.encode()}, [source], tmp_path / "graders/none")
    assert find_leaks({"a.txt": b"nothing"}, [source], tmp_path / "graders/none") == ()


@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_into(data: bytes) -> None:
    source = new_notebook(cells=[new_markdown_cell("x")])
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9", b"\xff\xfe", b"[", b'{"cells": '):
        assert isinstance(find_leaks({"a.ipynb": start + data}, [source], Path("/nowhere/graders/none")), tuple)
