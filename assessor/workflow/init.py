"""A course of one's own: a copy of the reference course."""

from __future__ import annotations

import shutil
from pathlib import Path

from assessor.course import load_course
from assessor.errors import AssessorError

PARTS = ("course.toml", "assignments", "graders", "quizzes")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


def reference_course() -> Path:
    """Where the reference course lies: the root of the checkout that this package is run from.

    Raises:
        AssessorError: it is not there.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "course.toml").is_file():
        raise AssessorError(f"{root}: the reference course is not beside the package; run from a checkout of the project")
    return root


def init_course(target: Path, *, source: Path | None = None) -> Path:
    """Lays a copy of the reference course in a directory that is empty or not there yet.

    Raises:
        AssessorError: the target holds something already.
    """
    source = source or reference_course()
    target = target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AssessorError(f"{target}: not empty; name a directory that is empty or not there yet")
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        origin = source / part
        if origin.is_dir():
            shutil.copytree(origin, target / part, ignore=NOT_COPIED)
        elif origin.is_file():
            shutil.copy2(origin, target / part)
    load_course(target)
    return target
