"""The student version of a source notebook, by nbgrader's own preprocessors."""

from __future__ import annotations

import copy
import json
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator, ValidationError
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from assessor.errors import CourseInvalid
from assessor.notebooks.regions import grade_id

PIPELINE = (
    LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums,
    ClearHiddenTests, ClearMarkScheme, ComputeChecksums, CheckCellMetadata,
)  # fmt: skip
"""nbgrader's own order for `generate_assignment`. Left out: IncludeHeaderFooter and SaveCells, which need its files and
database, and InstantiateTests, which would run the solution here (a notebook with AUTOTEST is refused)."""
KEPT = frozenset(["kernelspec", "language_info"])
CELL_KEPT = frozenset(["nbgrader", "deletable", "editable", "tags", "slideshow", "jupyter"])
AUTOTEST = re.compile(r"^\s*#+\s*(HASHED\s+)?AUTOTEST\b", re.MULTILINE)


def read_source(path: Path) -> NotebookNode:
    """An instructor's notebook, nbgrader metadata of older years brought up to date in memory.

    Raises:
        CourseInvalid: ours; it is no notebook.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing cell ids: given below
            notebook = nbformat.from_dict(nbformat.reads(json.dumps(raw), as_version=4))
        given = raw.get("cells") or [{}] * len(notebook.cells)
        for number, (cell, found) in enumerate(zip(notebook.cells, given, strict=True), 1):
            if "id" in cell and "id" not in found:
                cell["id"] = f"cell-{number}"  # nbformat's own would be another one each time
            MetadataValidator().upgrade_cell_metadata(cell)
    except OSError as fault:
        raise CourseInvalid(path, "(notebook)", fault.strerror or str(fault), "a file that can be read") from None
    except Exception as fault:  # noqa: BLE001 - nbformat and nbgrader raise whatever the damage leads to
        found = f"{type(fault).__name__}: {str(fault)[:120]}"
        raise CourseInvalid(path, "(notebook)", found, "a notebook of format 3 or 4") from None
    return notebook


def student_version(source: NotebookNode, file: str) -> NotebookNode:
    """What students are given of a source notebook. The same source gives the same bytes.

    Raises:
        CourseInvalid: ours; a region is not closed, metadata is wrong or an id is there twice.
    """
    _check(source, file)
    notebook = copy.deepcopy(source)
    resources: dict[str, Any] = {"metadata": {"name": file}}
    quiet = logging.getLogger("nbgrader-release")
    quiet.setLevel(logging.CRITICAL + 1)
    try:
        for preprocessor in PIPELINE:
            step = preprocessor(config=Config(), log=quiet)
            notebook, resources = step.preprocess(notebook, resources)
    except (RuntimeError, ValueError, KeyError, ValidationError) as fault:
        text = " ".join(str(fault).split())[:200]
        raise CourseInvalid(file, "cells", text, "closed regions and valid nbgrader metadata") from None
    _strip(notebook)
    return notebook


def write_notebook(notebook: NotebookNode) -> str:
    """A notebook as text, in one canonical form."""
    return json.dumps(nbformat.from_dict(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def metadata_faults(source: NotebookNode) -> list[tuple[str, str]]:
    """What nbgrader finds wrong with each cell's metadata, as (cell, text) pairs."""
    faults, seen = [], set[str]()
    for number, cell in enumerate(source.cells, 1):
        name = grade_id(cell)
        place = name or f"cell {number}"
        try:
            MetadataValidator().validate_cell(cell)
        except Exception as fault:  # noqa: BLE001 - nbgrader raises KeyError and others where keys are missing
            faults.append((place, f"nbgrader metadata: {' '.join(str(fault).split())[:200]}"))
        if name and name in seen:
            faults.append((place, "this grade_id is there twice"))
        seen.add(name)
    return faults


def _check(source: NotebookNode, file: str) -> None:
    """nbgrader's own message names no cell; this one does."""
    for place, text in metadata_faults(source):
        raise CourseInvalid(file, place, text, "valid nbgrader metadata")
    for number, cell in enumerate(source.cells, 1):
        if cell.cell_type == "code" and AUTOTEST.search(cell.source):
            place = grade_id(cell) or f"cell {number}"
            raise CourseInvalid(file, place, "AUTOTEST", "a hidden test in graders/, or asserts written out")


def _strip(notebook: NotebookNode) -> None:
    """Takes away what editors leave in metadata, and pictures whose text is gone (a solution's own figure)."""
    for key in [key for key in notebook.metadata if key not in KEPT]:
        del notebook.metadata[key]
    for cell in notebook.cells:
        for key in [key for key in cell.metadata if key not in CELL_KEPT]:
            del cell.metadata[key]
        for name in [name for name in cell.get("attachments", {}) if f"attachment:{name}" not in cell.source]:
            del cell.attachments[name]
        if not cell.get("attachments", True):
            del cell["attachments"]
