"""Releasing an assignment: the student version, checked for leaks, as a folder and a zip."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat

from assessor.course import Assignment, Course
from assessor.errors import AssessorError, CourseInvalid, ReleaseLeaks
from assessor.files import new_folder, replacing
from assessor.notebooks.leaks import find_leaks
from assessor.notebooks.release import student_version, write_notebook

NOT_GIVEN = ("assignment.toml",)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Every entry's time: the same release is the same bytes."""


@dataclass(frozen=True)
class Released:
    """What a release wrote."""

    folder: Path
    archive: Path
    files: tuple[str, ...]


def release(course: Course, name: str) -> Released:
    """Makes the student version of an assignment: release/NAME/ and release/NAME.zip, each whole or not at all.

    Raises:
        ReleaseLeaks: a solution or a hidden test would be shown; nothing was written.
        CourseInvalid: a notebook's regions or metadata are wrong.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise AssessorError(f"{name}: a {assignment.kind}; only notebook assignments are released")
    files = released_files(assignment)
    folder, archive = course.root / "release" / name, course.root / "release" / f"{name}.zip"
    with replacing(archive) as temporary:
        temporary.write_bytes(_zip(name, files))
        if folder.exists():
            shutil.rmtree(folder)
        with new_folder(folder) as fresh:
            for path, data in files.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).write_bytes(data)
    return Released(folder, archive, tuple(files))


def released_files(assignment: Assignment) -> dict[str, bytes]:
    """Every file of the student version, path -> bytes, checked for leaks.

    Raises:
        ReleaseLeaks, CourseInvalid: see `release`.
    """
    files: dict[str, bytes] = {}
    sources = []
    for path in sorted(assignment.source.rglob("*")):
        inside = path.relative_to(assignment.source)
        if path.is_dir() or inside.as_posix() in NOT_GIVEN or any(part[0] in "._" for part in inside.parts):
            continue
        if path.suffix == ".ipynb":
            source = read_source(path)
            sources.append(source)
            files[inside.as_posix()] = write_notebook(student_version(source, path.name)).encode()
        else:
            files[inside.as_posix()] = path.read_bytes()
    leaks = find_leaks(files, sources, assignment.grader)
    if leaks:
        raise ReleaseLeaks(assignment.name, leaks)
    return files


def read_source(path: Path) -> nbformat.NotebookNode:
    """An instructor's notebook.

    Raises:
        CourseInvalid: ours; it is no notebook of format 4.
    """
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.validator.NotebookValidationError) as fault:
        raise CourseInvalid(path, "(notebook)", str(fault)[:120], "a notebook of format 4") from None


def _zip(name: str, files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(f"{name}/{path}", ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return packed.getvalue()
