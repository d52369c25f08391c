"""Releasing an assignment: the student version, checked for leaks, as a folder and a zip."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assessor.course import Assignment, Course
from assessor.errors import AssessorError, CourseInvalid, ReleaseLeaks
from assessor.files import fsync_folder, new_folder, replacing
from assessor.notebooks.leaks import find_leaks
from assessor.notebooks.public import FOLDER, public_tests
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

    The zip's replacement is the moment that counts: killed before it, the last release stays; after it, the new one is
    there. Where the kill left the folder aside (.NAME.old, .NAME.new), the next call puts the right one in its place.

    Args:
        into: where to write instead of the course's release/.

    Raises:
        ReleaseLeaks: a solution or a hidden test would be shown; nothing was written.
        CourseInvalid: a notebook's regions or metadata are wrong.
    """
    assignment = course.assignment(name)
    if assignment.kind != "notebook":
        raise AssessorError(f"{name}: a {assignment.kind}; only notebook assignments are released")
    target = into if into is not None else course.root / "release"
    folder, archive = target / name, target / f"{name}.zip"
    if target.is_dir():
        with _alone(target):
            _recover(folder, archive)
    files = released_files(assignment)
    with _alone(target):
        _replace(folder, archive, files)
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
    files.update({f"{FOLDER}/{name}": text for name, text in public_tests(assignment.grader).items()})
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


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One release at a time into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(folder: Path, archive: Path, files: dict[str, bytes]) -> None:
    """Puts a new release in the old one's place: folder aside, zip over zip, new folder in."""
    _recover(folder, archive)
    new, old = _aside(folder)
    try:
        with new_folder(new) as fresh:
            for path, data in files.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).write_bytes(data)
        new.chmod(0o755)
        with replacing(archive) as temporary:
            temporary.write_bytes(_zip(folder.name, files))
            if folder.is_symlink() or folder.is_file():
                folder.unlink()
            elif folder.exists():
                folder.rename(old)
        new.rename(folder)
        fsync_folder(folder.parent)
    finally:
        _recover(folder, archive)


def _aside(folder: Path) -> tuple[Path, Path]:
    """Where the new folder waits, and where the old one is kept, while one takes the other's place."""
    return folder.with_name(f".{folder.name}.new") / folder.name, folder.with_name(f".{folder.name}.old")


def _recover(folder: Path, archive: Path) -> None:
    """Ends what a release began that failed or was killed: the folder that agrees with the zip goes into its place."""
    new, old = _aside(folder)
    if not folder.exists():
        if new.exists() and _agree(new, archive):
            new.rename(folder)
        elif old.exists():
            old.rename(folder)
    for left in (new.parent, old):
        shutil.rmtree(left, ignore_errors=True)
    for half in folder.parent.glob(f".{folder.name[:40]}.*.zip"):
        half.unlink(missing_ok=True)


def _agree(folder: Path, archive: Path) -> bool:
    """Whether a zip was made of this folder."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    name = archive.name.removesuffix(".zip")
    return archive.is_file() and archive.read_bytes() == _zip(name, files)


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
