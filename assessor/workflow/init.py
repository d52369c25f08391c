"""A course of one's own: a copy of the reference course."""

from __future__ import annotations

import shutil
from pathlib import Path

from assessor.course import load_course
from assessor.errors import AssessorError
from assessor.files import new_folder

PARTS = ("course.toml", "assignments", "graders", "quizzes")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


def reference_course() -> Path:
    """Where the reference course lies: the root of the checkout that this package is run from.

    Raises:
        AssessorError: it is not there.
    """
    root = Path(__file__).resolve().parents[2]
    missing = [part for part in PARTS[:3] if not (root / part).exists()]
    if missing:
        raise AssessorError(
            f"{root}: the reference course is not beside the package ({', '.join(missing)} not found); "
            "install the project from a checkout (pip install -e .)"
        )
    return root


def init_course(target: Path, *, source: Path | None = None) -> Path:
    """Lays a copy of the reference course in a directory that is empty or not there yet; whole or not at all.

    Raises:
        AssessorError: the target holds something already, or lies within the course that is copied.
        CourseInvalid: the course that is copied is not valid.
    """
    source = (source or reference_course()).resolve()
    target = target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AssessorError(f"{target}: not empty; name a directory that is empty or not there yet")
    if any(target.is_relative_to(source / part) for part in PARTS):
        raise AssessorError(f"{target}: lies within the course that would be copied; name a directory outside of it")
    load_course(source)
    if target.exists():
        target.rmdir()
    with new_folder(target) as fresh:
        for part in PARTS:
            origin = source / part
            if origin.is_dir():
                shutil.copytree(origin, fresh / part, ignore=NOT_COPIED)
            elif origin.is_file():
                shutil.copy2(origin, fresh / part)
    return target
