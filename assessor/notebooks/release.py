"""The student version of a source notebook, by nbgrader's own preprocessors."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import nbformat
from nbformat import NotebookNode
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

PIPELINE = (
    LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums,
    ClearHiddenTests, ClearMarkScheme, ComputeChecksums, CheckCellMetadata,
)  # fmt: skip
"""nbgrader's own order for `generate_assignment`, less what writes its database and instantiates templates."""
STRIPPED = ("signature", "widgets", "vscode", "colab", "celltoolbar")


def student_version(source: NotebookNode, file: str) -> NotebookNode:
    """What students are given of a source notebook. The same source gives the same bytes.

    Raises:
        CourseInvalid: ours; a region is not closed, metadata is wrong or an id is there twice.
    """
    notebook = copy.deepcopy(source)
    resources: dict[str, Any] = {"metadata": {"name": file}}
    config = Config()
    quiet = logging.getLogger("nbgrader-release")
    quiet.setLevel(logging.CRITICAL)
    try:
        for preprocessor in PIPELINE:
            step = preprocessor(config=config)
            step.log = quiet
            notebook, resources = step.preprocess(notebook, resources)
    except (RuntimeError, ValueError, KeyError) as fault:
        raise CourseInvalid(file, "cells", str(fault), "closed regions and valid nbgrader metadata") from None
    for key in STRIPPED:
        notebook.metadata.pop(key, None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
    return notebook


def write_notebook(notebook: NotebookNode) -> str:
    """A notebook as text, in one canonical form."""
    return str(json.dumps(nbformat.from_dict(notebook), indent=1, sort_keys=True, ensure_ascii=False)) + "\n"
