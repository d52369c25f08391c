"""A new course is whole or not there at all, and the directory it is made in stays the user's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from assessor.course import load_course
from assessor.errors import AssessorError, CourseInvalid
from assessor.workflow.init import PARTS, init_course, reference_course
from assessor.workflow.release import release
from tests.assessor.workflow.course_parts import ROOT, contents, fingerprint, script, small_disk

FULL = """
import errno, sys
from pathlib import Path
from assessor.workflow.init import init_course
target = Path(sys.argv[1])
try:
    init_course(target)
    print("made")
except OSError as fault:
    print(errno.errorcode[fault.errno])
names = lambda folder: sorted(path.name for path in folder.iterdir()) if folder.exists() else None
print(names(target.parent), names(target))
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from assessor.course import load_course
from assessor.errors import AssessorError
from assessor.workflow.init import init_course

place = Path(sys.argv[1])
target = place / "course"
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}

def killed_at(number):
    child = os.fork()
    if child == 0:
        count = 0
        def hook(name, arguments):
            nonlocal count
            if name in CHANGES and str(place) in str(arguments[0]):
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        init_course(target)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

import shutil
number, whole, status = 0, 0, -9
while status:
    number += 1
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    if sys.argv[2] == "empty":
        target.mkdir()
    status = killed_at(number)
    if (target / "course.toml").exists():
        load_course(target)
        whole += 1
print(number, whole, status)
"""


def course_files(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for part in PARTS:
        for name, data in contents(root / part).items() if (root / part).is_dir() else ():
            if "__pycache__" not in name and not any(piece.startswith(".") for piece in name.split("/")):
                files[f"{part}/{name}"] = data
    return files


def test_a_course_is_copied_byte_for_byte_and_its_labs_are_released(tmp_path: Path) -> None:
    before = fingerprint(ROOT / "graders")
    course = load_course(init_course(tmp_path / "deep/down/mine"))
    assert course_files(course.root) == course_files(ROOT)
    assert fingerprint(ROOT / "graders").keys() >= before.keys()
    for assignment in course.assignments:
        if assignment.kind == "notebook":
            assert release(course, assignment.name).archive.is_file()


def test_an_empty_directory_is_filled_and_stays_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever typed `mkdir mine; cd mine; assessor init .` is still in it afterwards."""
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    before = Path("course.toml").absolute().parent.stat().st_ino
    init_course(Path())
    assert Path("course.toml").is_file()
    assert (tmp_path / "mine").stat().st_ino == before
    assert sorted(path.name for path in Path().iterdir()) == sorted(part for part in PARTS if (ROOT / part).exists())
    assert load_course(Path()).code == load_course(ROOT).code


@pytest.mark.parametrize("there", ["file", "hidden file", "file in place of the directory", "course"])
def test_what_is_there_is_never_touched(tmp_path: Path, there: str) -> None:
    target = tmp_path / "mine"
    if there == "course":
        init_course(target)
    elif there.startswith("file in place"):
        target.write_text("mine")
    else:
        target.mkdir()
        (target / (".git" if there == "hidden file" else "a.txt")).write_text("mine")
    before = fingerprint(tmp_path)
    with pytest.raises(AssessorError) as fault:
        init_course(target)
    assert "\n" not in str(fault.value) and str(target) in str(fault.value)
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("inside", ["assignments/mine", "graders/lab1_pytorch/mine", "quizzes/mine"])
def test_a_course_is_not_copied_into_itself(tmp_path: Path, inside: str) -> None:
    first = init_course(tmp_path / "first")
    before = contents(first)
    with pytest.raises(AssessorError, match="within the course"):
        init_course(first / inside, source=first)
    assert contents(first) == before


def test_an_invalid_course_is_not_copied(tmp_path: Path) -> None:
    first = init_course(tmp_path / "first")
    (first / "course.toml").write_text((first / "course.toml").read_text().replace("labs = 40", "labs = 41"))
    with pytest.raises(CourseInvalid, match="100"):
        init_course(tmp_path / "second", source=first)
    assert not (tmp_path / "second").exists()


def test_traces_of_editors_and_python_are_left_behind(tmp_path: Path) -> None:
    first = init_course(tmp_path / "first")
    for name in ("graders/lab1_pytorch/__pycache__/x.pyc", "assignments/.ipynb_checkpoints/y", "graders/.secret"):
        (first / name).parent.mkdir(exist_ok=True)
        (first / name).write_text("x")
    second = init_course(tmp_path / "second", source=first)
    assert course_files(second) == course_files(first) == contents_without_root(second)


def contents_without_root(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(root).items() if "/" in name}


@pytest.mark.parametrize("empty", [False, True], ids=["new", "empty directory"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, empty: bool) -> None:
    prefix = small_disk(tmp_path / "small", 64 << 10)
    code = FULL.replace("target = Path(sys.argv[1])", f"target = Path(sys.argv[1])\nif {empty}: target.mkdir()")
    done = script(code, tmp_path / "small/mine", prefix=prefix)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[0] == "ENOSPC"
    assert done.stdout.split("\n")[1] == ("['mine'] []" if empty else "[] None")


@pytest.mark.parametrize("target", ["new", "empty"])
def test_killed_at_any_change_to_the_disk_there_is_a_whole_course_or_none(tmp_path: Path, target: str) -> None:
    done = script(KILLED, tmp_path / "place", target)
    assert done.returncode == 0, done.stderr[-2000:]
    number, whole, status = map(int, done.stdout.split())
    assert number > 5 and 0 < whole < number and status == 0


def test_a_package_without_its_course_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assessor.workflow.init.__file__", str(tmp_path / "site/assessor/workflow/init.py"))
    with pytest.raises(AssessorError, match="pip install -e"):
        reference_course()


def test_the_command_says_what_to_do_next_and_exits_with_1_when_refused(tmp_path: Path) -> None:
    command = "from assessor.cli import main; main()"
    made = script(command, "init", tmp_path / "mine")
    assert made.returncode == 0 and "course.toml" in made.stdout
    again = script(command, "init", tmp_path / "mine")
    assert again.returncode == 1 and again.stderr.count("\n") == 1 and "Traceback" not in again.stderr
    shutil.rmtree(tmp_path / "mine")


def test_a_place_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "theirs").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        init_course(tmp_path / "theirs/mine")
    assert list((tmp_path / "theirs").iterdir()) == []
