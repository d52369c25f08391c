from __future__ import annotations

import json

import nbformat
import pytest
from nbgrader.utils import compute_checksum

from assessor.notebooks.reading import MAX_BYTES, MAX_CELLS, read_raw


def file(*cells: object, **more: object) -> bytes:
    return json.dumps({"cells": list(cells), "nbformat": 4, "nbformat_minor": 5, "metadata": {}, **more}).encode()


def code(source: object, **more: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], **more}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "missing or empty"),
        (b" \n", "missing or empty"),
        (b"PK\x03\x04 not a notebook", "not JSON"),
        (b"%PDF-1.7", "not JSON"),
        (b"{}", "no list of cells"),
        (b"[]", "no list of cells"),
        (b"3", "no list of cells"),
        (b'"cells"', "no list of cells"),
        (b'{"cells": {"0": 1}}', "no list of cells"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON"),
        (b'{"cells": [' + b"{}," * 1_000_001 + b"{}]}", "lists and objects"),
        (b" " * MAX_BYTES + b"{}", "larger than 32 MiB"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_what_is_no_notebook_is_a_fault_in_words(data, said):
    raw = read_raw(data)
    assert said in raw.fault
    assert raw.cells == ()


def test_a_notebook_of_100_quotes_and_backslashes_a_byte_is_read_in_linear_time():
    assert read_raw(b'{"cells": ["' + b'\\"' * 1_000_000).fault  # a regular expression took hours here


@pytest.mark.parametrize("source", ["a = 1\nb = 2", ["a = 1\n", "b = 2"], ["a = 1\n", 3, None, "b = 2"]])
def test_a_source_is_text_or_a_list_of_texts(source):
    assert read_raw(file(code(source))).cells[0].source == "a = 1\nb = 2"


def test_cells_that_cannot_be_read_are_left_out_and_told():
    raw = read_raw(file(code("a"), 3, None, [], code(5), code({}), code("b")))
    assert [cell.source for cell in raw.cells] == ["a", "b"]
    assert raw.remarks == ("5 cells could not be read and were left out",)


def test_nbformat_3_is_read():
    sheets = [
        {"cells": [{"cell_type": "code", "input": "x = 1", "language": "python"}, {"cell_type": "heading", "source": "T"}]},
        {"cells": 3},
        7,
    ]
    raw = read_raw(json.dumps({"nbformat": 3, "worksheets": sheets}).encode())
    assert [(cell.kind, cell.source) for cell in raw.cells] == [("code", "x = 1"), ("markdown", "T")]


def test_a_bare_list_of_cells_is_read():
    assert read_raw(json.dumps([code("x")]).encode()).cells[0].source == "x"


def test_a_lost_kind_is_told_by_what_only_code_has():
    raw = read_raw(file({"source": "x", "outputs": []}, {"source": "y"}, {"source": "z", "cell_type": ["code"]}))
    assert [cell.kind for cell in raw.cells] == ["code", "markdown", "markdown"]


def test_a_file_that_was_cut_off_gives_the_cells_before_the_cut():
    whole = file(code("a = 1"), code("b = 2"), code("c = 3"))
    raw = read_raw(whole[: whole.index(b"c = 3")])
    assert [cell.source for cell in raw.cells] == ["a = 1", "b = 2"]
    assert "its first 2 cells could be read" in raw.remarks[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_editors_are_read(encoding):
    text = json.dumps({"cells": [code("naïve = 'α'")]}, ensure_ascii=False)
    raw = read_raw(text.encode(encoding))
    assert raw.cells[0].source == "naïve = 'α'"
    assert raw.remarks == ()


def test_invalid_utf_8_is_replaced_and_told():
    raw = read_raw(file(code("caf")).replace(b"caf", b"caf\xe9"))
    assert raw.cells[0].source == "caf\ufffd"
    assert "not valid UTF-8" in raw.remarks[0]


def test_lone_surrogates_and_control_characters_are_text_afterwards():
    raw = read_raw(b'{"cells": [{"cell_type": "code", "source": "a\\ud800b\x01\tc"}]}')
    assert raw.cells[0].source.encode() == b"a?b\x01\tc"


def test_numbers_of_a_million_digits_cost_nothing():
    raw = read_raw(b'{"n": ' + b"9" * 1_000_000 + b', "cells": [{"cell_type": "code", "source": "x"}]}')
    assert raw.cells[0].source == "x"


def test_only_so_many_cells_are_read():
    raw = read_raw(file(*[code("x")] * (MAX_CELLS + 1)))
    assert len(raw.cells) == MAX_CELLS
    assert "only the first" in raw.remarks[0]


@pytest.mark.parametrize(
    "metadata", [None, 3, [], {"nbgrader": 3}, {"nbgrader": {"grade_id": 7}}, {"nbgrader": {"grade_id": ""}}]
)
def test_damaged_metadata_is_no_id(metadata):
    assert read_raw(file(code("x", metadata=metadata))).cells[0].grade_id is None


def test_an_untouched_cell_is_known_by_nbgraders_checksum(graded):
    for flags in ({"solution": True}, {"grade": True, "points": 2}, {"locked": True},
                  {"grade": True, "solution": True, "points": 0.5}):  # fmt: skip
        cell = graded("x = 1", "a", **flags)
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        assert read_raw(nbformat.writes(notebook).encode()).cells[0].untouched
        cell.source = "x = 2"
        assert not read_raw(nbformat.writes(notebook).encode()).cells[0].untouched


@pytest.mark.parametrize("points", [None, "2", True, [], {}])
def test_damaged_points_are_no_checksum(points):
    data = {"grade_id": "a", "grade": True, "points": points, "checksum": "0" * 32}
    assert not read_raw(file(code("x", metadata={"nbgrader": data}))).cells[0].untouched


def test_only_pictures_are_kept_of_attachments():
    found = {
        "plot.png": {"image/png": "aGk=", "text/html": "<script>"},
        "x.svg": {"image/svg+xml": "<svg onload=alert(1)>"},
        "bad.png": {"image/png": '"><script>'},
        "worse.png": {"image/png": ["aGk="]},
        "odd": 3,
    }
    cell = {"cell_type": "markdown", "source": "x", "attachments": found}
    assert read_raw(file(cell)).cells[0].attachments == {"plot.png": {"image/png": "aGk="}}
    assert read_raw(file({**cell, "attachments": [1]})).cells[0].attachments == {}


def test_a_notebook_of_much_code_is_parsed_in_part_only():
    raw = read_raw(file(*[code("x = 1\n" * 3000)] * 80))
    assert [cell.parsed for cell in raw.cells].count(True) == 55
