"""A submission as one readable Python file: a header that says what it tries and what it must get, then cells.

    # Threat: Breaking. One line.
    # Outcome: completed                     Outcomes of the run that are right, with | between them
    # Marks: 6                               its true score; 4-6 where more than one may come of it
    # Says: had been edited                  optional: what re-basing, the notes or the messages must tell; | for or
    # Rest: empty                            optional: answers that the file does not name are left out, not honest
    # Limits: cell_wall_seconds=1            optional

    # %% double                              takes the place of the honest answer `double`
    # %%                                     a cell of the student's own, here: after the cell before it
    # %% before double                       a cell of its own before that answer
    # %% [file] torch.py                     a file handed in beside the notebook
    # %% [build]                             run here, not there: `build(notebook, files)` may change both, or return bytes

`@COURSE@` and the like are replaced by places of this machine.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

MARK = re.compile(r"^# %%[ \t]*(.*)$", re.MULTILINE)
FIELD = re.compile(r"^# (Threat|Outcome|Marks|Says|Rest|Limits): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Hostile:
    """One file of hostile/. `marks` is the least and the most that it may get."""

    name: str
    threat: str
    outcomes: tuple[str, ...]
    marks: tuple[int, int]
    says: tuple[str, ...]
    rest: str
    limits: dict[str, float]
    cells: tuple[tuple[str, str], ...]
    files: dict[str, bytes] = field(default_factory=dict)


def cells_of(text: str) -> list[tuple[str, str]]:
    """(title, source) of every cell."""
    parts = MARK.split(text)[1:]
    return [(title.strip(), source.strip("\n")) for title, source in zip(parts[::2], parts[1::2], strict=True)]


def read_hostile(path: Path, places: dict[str, str]) -> Hostile:
    """Reads one file; a header that is not whole is an error of the suite."""
    text = path.read_text("utf-8")
    for name, place in places.items():
        text = text.replace(f"@{name}@", place)
    head = dict(FIELD.findall(text.split("# %%")[0]))
    least, _, most = head["Marks"].partition("-")
    pairs = [pair.split("=") for pair in head.get("Limits", "").split()]
    cells = cells_of(text)
    return Hostile(
        name=path.stem,
        threat=head["Threat"],
        outcomes=tuple(part.strip() for part in head["Outcome"].split("|")),
        marks=(int(least), int(most or least)),
        says=tuple(one.strip() for one in head.get("Says", "").split("|")),
        rest=head.get("Rest", "honest"),
        limits={name: float(value) for name, value in pairs},
        cells=tuple(cell for cell in cells if not cell[0].startswith("[file]")),
        files={title.split()[1]: source.encode() + b"\n" for title, source in cells if title.startswith("[file]")},
    )


def source_notebook(path: Path) -> NotebookNode:
    """The assignment's notebook with solutions, in nbgrader's source format."""
    return new_notebook(cells=[_source_cell(title, source) for title, source in cells_of(path.read_text("utf-8"))])


def _source_cell(title: str, source: str) -> NotebookNode:
    kind, name = title.split()
    if kind == "[markdown]":
        return new_markdown_cell(source.removeprefix("# "))
    marks = {"grade": kind == "test", "solution": kind == "answer", "locked": kind != "answer", "grade_id": name}
    points = {"points": 0} if kind == "test" else {}
    return new_code_cell(source, metadata={"nbgrader": {**marks, **points, "schema_version": 3}})


def submission(hostile: Hostile, source: NotebookNode) -> tuple[bytes, dict[str, bytes]]:
    """The notebook as handed in, and the files beside it."""
    notebook, files, build = copy.deepcopy(source), dict(hostile.files), ""
    places = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    last = len(notebook.cells) - 1
    if hostile.rest == "empty":
        for cell in notebook.cells:
            cell.source = "pass" if cell.metadata.get("nbgrader", {}).get("solution") else cell.source
    for title, text in hostile.cells:
        if title == "[build]":
            build = text
        elif title in places and title:
            places[title].source = text
            last = notebook.cells.index(places[title])
        else:
            kind, _, name = title.partition(" ")
            if title and (kind != "before" or name not in places):
                raise ValueError(f"{hostile.name}: no cell {title!r}")
            last = notebook.cells.index(places[name]) - 1 if title else last
            notebook.cells.insert(last + 1, new_code_cell(text))
            last += 1
    plain: Any = json.loads(json.dumps(notebook))
    if build:
        space: dict[str, Any] = {}
        exec(compile(build, f"{hostile.name}.py", "exec"), space)
        built = space["build"](plain, files)
        if built is not None:
            return built, files
    return json.dumps(plain).encode(), files
