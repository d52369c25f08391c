"""Releasing an assignment: the student version, checked for leaks, as a folder and a zip."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.errors import AssessorError, CourseInvalid, ReleaseLeaks
from assessor.files import fsync_folder, new_folder, replacing
from assessor.notebooks.leaks import find_leaks
from assessor.notebooks.release import read_source, student_version, write_notebook

NOT_GIVEN = ("assignment.toml",)
NOT_GIVEN_ENDINGS = (".pyc", "~")
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""Every entry's time: the same release is the same bytes."""


@dataclass(frozen=True)
class Released:
    """What a release wrote. `files` are paths within the folder."""

    folder: Path
    archive: Path
    files: tuple[str, ...]

    @property
    def notebooks(self) -> tuple[str, ...]:
        """Those of the files that are notebooks."""
        return tuple(file for file in self.files if file.endswith(".ipynb"))


def release(course: Course, name: str, *, into: Path | None = None) -> Released:
    """Makes the student version of an assignment: release/NAME/ and release/NAME.zip, each whole or not at all.

    Args:
        into: where to write instead of the course's release/.

    Raises:
        ReleaseLeaks: a solution or a hidden test would be shown; nothing was written.
        CourseInvalid: a notebook's regions or metadata are wrong.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise AssessorError(f"{name}: a {assignment.kind}; only notebook assignments are released")
    files = released_files(assignment)
    target = into if into is not None else course.root / "release"
    folder, archive = target / name, target / f"{name}.zip"
    with replacing(archive) as temporary:
        temporary.write_bytes(_zip(name, files))
        _replace_folder(folder, files)
    archive.chmod(0o644)
    return Released(folder, archive, tuple(files))


def released_files(assignment: Assignment) -> dict[str, bytes]:
    """Every file of the student version, path -> bytes, checked for leaks.

    Raises:
        ReleaseLeaks, CourseInvalid: see `release`.
    """
    files: dict[str, bytes] = {}
    sources = []
    for path in _given(assignment.source):
        inside = path.relative_to(assignment.source).as_posix()
        if path.suffix == ".ipynb":
            source = read_source(path)
            sources.append(source)
            files[inside] = write_notebook(student_version(source, inside)).encode("utf-8", "replace")
        else:
            files[inside] = path.read_bytes()
    leaks = find_leaks(files, sources, assignment.grader)
    if leaks:
        raise ReleaseLeaks(assignment.name, leaks)
    return files


def _given(source: Path) -> Iterator[Path]:
    """The files of an assignment that students get, in order; not editors' and Python's own traces.

    Raises:
        CourseInvalid: a link leads out of the folder, to what nobody meant to give.
    """
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if hidden or path.is_dir() or inside.as_posix() in NOT_GIVEN or path.name.endswith(NOT_GIVEN_ENDINGS):
            continue
        if not path.resolve().is_relative_to(source.resolve()):
            raise CourseInvalid(path, "(file)", f"a link to {path.resolve()}", "files of this folder alone")
        yield path


def _replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Puts a new folder in the old one's place; the old one is only moved away once the new one is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".old-", dir=folder.parent) as old:
        with new_folder(Path(old) / "new") as fresh:
            for path, data in files.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).write_bytes(data)
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            folder.rename(Path(old) / "old")
        (Path(old) / "new").rename(folder)
        folder.chmod(0o755)
        fsync_folder(folder.parent)


def _zip(name: str, files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}/{path}", ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return packed.getvalue()
