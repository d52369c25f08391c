"""The files that a mark rests on: the executed notebook and the manifest, kept beside nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

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
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / notebook, grading.execution.notebook)
    manifest = json.dumps(grading.execution.manifest, indent=1, sort_keys=True, default=str)
    write_whole(folder / "manifest.json", manifest + "\n")
    return folder


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never a part."""
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
