"""The files that a mark rests on: the executed notebook and the manifest, kept for each attempt."""

from __future__ import annotations

import json
from pathlib import Path

from assessor.files import write_text
from assessor.grading.results import Grading


def evidence_folder(root: Path, student: str, assignment: str, attempt: int) -> Path:
    """Where one attempt's evidence lies."""
    return root / "autograded" / student / assignment / str(attempt)


def keep_evidence(root: Path, student: str, assignment: str, attempt: int, notebook: str, grading: Grading) -> Path:
    """Writes the executed notebook and the manifest; whole files or none.

    Raises:
        OSError: ours; the disk is full or read-only.
    """
    folder = evidence_folder(root, student, assignment, attempt)
    write_text(folder / notebook, grading.execution.notebook)
    manifest = json.dumps(grading.execution.manifest, indent=1, sort_keys=True, default=str)
    write_text(folder / "manifest.json", manifest + "\n")
    return folder
