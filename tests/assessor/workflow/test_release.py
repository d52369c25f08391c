"""A release that is killed, refused or out of room leaves the last one, or the new one, and never a mixture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.preprocessors import CheckCellMetadata

from assessor.course import Course, load_course
from assessor.errors import ReleaseLeaks
from assessor.workflow.init import init_course
from assessor.workflow.release import release
from tests.assessor.workflow.course_parts import ROOT, contents, script, small_disk

KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from assessor.course import load_course
from assessor.errors import ReleaseLeaks
from assessor.workflow.release import release

root, target = Path(sys.argv[1]), Path(sys.argv[2])
data = root / "assignments/powers/data.csv"
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}

def released():
    return release(load_course(root), "powers", into=target)

def die_at(number):
    count = 0
    def hook(name, arguments):
        nonlocal count
        writes = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (name in CHANGES or writes) and str(target) in str(arguments[0]):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def in_child(number):
    child = os.fork()
    if child == 0:
        die_at(number)
        released()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def state():
    return {p.relative_to(target).as_posix(): p.read_bytes().hex() for p in sorted(target.rglob("*")) if p.is_file()}

again = sys.argv[3] == "again"
out, number = [], 0
while True:
    number += 1
    shutil.rmtree(target, ignore_errors=True)
    (root / "assignments/powers/leak.py").unlink(missing_ok=True)
    if again:
        data.write_text("1,old\\n")
        released()
    data.write_text("2,new\\n")
    status = in_child(number)
    killed = state()
    shutil.copy(root / "graders/powers/reference.py", root / "assignments/powers/leak.py")
    try:
        released()
        raise SystemExit("a leak was released")
    except ReleaseLeaks:
        pass
    refused = state()
    (root / "assignments/powers/leak.py").unlink()
    released()
    out.append({"status": status, "killed": killed, "refused": refused, "after": state()})
    if status == 0:
        break
print(json.dumps(out))
"""


def data_of(files: dict[str, str]) -> str:
    return bytes.fromhex(files["powers/data.csv"]).decode()


def zipped(files: dict[str, str], folder: Path) -> dict[str, bytes]:
    path = folder / "seen.zip"
    path.write_bytes(bytes.fromhex(files["powers.zip"]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("first", ["first", "again"])
def test_killed_at_any_change_to_the_disk_folder_and_zip_agree_after_the_next_call(
    small: Course, tmp_path: Path, first: str
) -> None:
    (small.assignment("powers").source / "data.csv").write_text("0\n")
    done = script(KILLED, small.root, tmp_path / "out", first)
    assert done.returncode == 0, done.stderr[-2000:]
    runs = json.loads(done.stdout)
    assert len(runs) > 8
    assert [run["status"] for run in runs] == [-9] * (len(runs) - 1) + [0]
    for run in runs:
        if first == "again":
            assert any(name.endswith("powers/data.csv") or name == ".powers.old/data.csv" for name in run["killed"])
            assert zipped(run["killed"], tmp_path)
        refused = run["refused"]
        assert not [name for name in refused if name.startswith(".")]
        visible = {name: bytes.fromhex(text) for name, text in refused.items() if name != "powers.zip"}
        if "powers.zip" in refused:
            assert zipped(refused, tmp_path) == visible
            assert data_of(refused) in ("1,old\n", "2,new\n")
        else:
            assert first == "first" and visible == {}
        assert data_of(run["after"]) == "2,new\n"
        assert not [name for name in run["after"] if name.startswith(".")]


FULL = """
import errno, json, os, sys
from pathlib import Path
from assessor.course import load_course
from assessor.workflow.release import release

root, target = Path(sys.argv[1]), Path(sys.argv[2])
data = root / "assignments/powers/data.bin"
data.write_bytes(b"old")
release(load_course(root), "powers", into=target)
state = lambda: {p.relative_to(target).as_posix(): p.read_bytes().hex() for p in target.rglob("*")  if p.is_file()}
before, faults = state(), []
for size in map(int, sys.argv[3:]):
    data.write_bytes(os.urandom(size))
    try:
        release(load_course(root), "powers", into=target)
        faults.append(None)
    except OSError as fault:
        faults.append(errno.errorcode[fault.errno])
        assert state() == before, sorted(state())
print(json.dumps(faults))
"""


def test_a_full_disk_keeps_the_last_release_whole(small: Course, tmp_path: Path) -> None:
    """Too large for the folder, for the zip beside it, and small enough."""
    prefix = small_disk(tmp_path / "small", 1 << 20)
    done = script(FULL, small.root, tmp_path / "small/out", 2 << 20, 700 << 10, 100 << 10, prefix=prefix)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == ["ENOSPC", "ENOSPC", None]


def test_a_release_folder_that_may_not_be_written_keeps_what_it_has(small: Course, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    release(small, "powers", into=tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out").chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            release(small, "powers", into=tmp_path / "out")
    finally:
        (tmp_path / "out").chmod(0o700)
    assert contents(tmp_path / "out") == before


def test_what_was_in_the_folder_before_is_gone_after(small: Course) -> None:
    extra = small.assignment("powers").source / "extra.csv"
    extra.write_text("1\n")
    assert release(small, "powers").files == ("extra.csv", "powers.ipynb")
    extra.unlink()
    released = release(small, "powers")
    assert set(contents(released.folder)) == {"powers.ipynb"}
    assert sorted(path.name for path in (small.root / "release").iterdir()) == ["powers", "powers.zip"]


def test_a_link_or_file_in_the_folders_place_is_replaced_and_what_it_leads_to_is_kept(small: Course, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years")
    (small.root / "release").mkdir()
    (small.root / "release/powers").symlink_to(tmp_path / "mine")
    released = release(small, "powers")
    assert not released.folder.is_symlink() and set(contents(released.folder)) == {"powers.ipynb"}
    assert (tmp_path / "mine/thesis.tex").read_text() == "years"


def test_other_assignments_releases_are_left_alone(small: Course) -> None:
    for name in ("powers2", ".powers.notes"):
        (small.root / "release" / name).mkdir(parents=True)
        (small.root / "release" / name / "x.txt").write_text("x")
    release(small, "powers")
    assert (small.root / "release/powers2/x.txt").is_file() and (small.root / "release/.powers.notes/x.txt").is_file()


def test_two_releases_at_once_end_in_one_whole_release(small: Course, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from assessor.course import load_course
from assessor.workflow.release import release
for _ in range(20):
    release(load_course(Path(sys.argv[1])), "powers", into=Path(sys.argv[2]))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(small.root), str(tmp_path / "out")], cwd=ROOT) for _ in range(2)
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    assert set(contents(tmp_path / "out")) == {"powers/powers.ipynb", "powers.zip"}


def test_students_can_read_a_release_and_course_and_source_stay_as_they_were(small: Course) -> None:
    before = {part: contents(small.root / part) for part in ("assignments", "graders")}
    released = release(small, "powers")
    assert released.folder.stat().st_mode & 0o777 == 0o755
    assert released.archive.stat().st_mode & 0o777 == 0o644
    assert {part: contents(small.root / part) for part in ("assignments", "graders")} == before


@pytest.mark.parametrize("lab", [one.name for one in load_course(ROOT).assignments if one.kind == "notebook"])
def test_a_copied_reference_of_any_lab_is_refused_in_every_lab(lab: str, tmp_path: Path) -> None:
    course = load_course(init_course(tmp_path / "course"))
    for other in course.assignments:
        reference = other.grader / "reference.py"
        if reference.is_file():
            copy = course.assignment(lab).source / "helpers.py"
            copy.write_bytes(reference.read_bytes())
            with pytest.raises(ReleaseLeaks, match=f"{other.name}/reference.py"):
                release(course, lab)
            copy.unlink()
    assert release(course, lab).notebooks


@pytest.mark.parametrize("lab", [one.name for one in load_course(ROOT).assignments if one.kind == "notebook"])
def test_nbgraders_own_checks_pass_on_what_students_get(lab: str, tmp_path: Path) -> None:
    released = release(load_course(ROOT), lab, into=tmp_path)
    for name in released.notebooks:
        notebook = nbformat.read(released.folder / name, as_version=4)
        after, _ = CheckCellMetadata().preprocess(notebook, {})
        assert after == notebook
