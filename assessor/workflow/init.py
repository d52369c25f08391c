"""A course of one's own: a copy of the reference course."""

from __future__ import annotations

import errno
import re
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
        _fill(target, source)
    else:
        with new_folder(target) as fresh:
            _copy(source, fresh)
    return target


def _copy(source: Path, fresh: Path) -> None:
    for part in PARTS:
        origin = source / part
        if origin.is_dir():
            try:
                shutil.copytree(origin, fresh / part, ignore=NOT_COPIED)
            except shutil.Error as faults:
                raise _first(faults) from None
        elif origin.is_file():
            shutil.copy2(origin, fresh / part)


def _first(faults: shutil.Error) -> OSError:
    """The first of the faults that `copytree` gathers; it keeps their numbers in words only."""
    _, target, why = faults.args[0][0]
    number = re.search(r"\[Errno (\d+)\]", str(why))
    return OSError(int(number[1]) if number else errno.EIO, str(why), str(target))


def _fill(target: Path, source: Path) -> None:
    """Fills an empty directory, which may be where the user's shell or a mount is: it must not be another one after."""
    home = target / ".new"
    try:
        with new_folder(home / "course") as fresh:
            _copy(source, fresh)
        for part in reversed(PARTS):  # course.toml last: without it, nothing takes this for a course
            if (home / "course" / part).exists():
                (home / "course" / part).rename(target / part)
    except BaseException:
        for left in target.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        raise
    shutil.rmtree(home)
