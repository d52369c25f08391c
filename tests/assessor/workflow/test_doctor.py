"""Doctor: every check that fails says how to mend it, in one line, and none is silent about a machine that cannot mark."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assessor.course import Course
from assessor.database import Database
from assessor.workflow import doctor as doctoring
from assessor.workflow.doctor import Finding, clock, course_health, disk, doctor
from tests.assessor.workflow.course_parts import script, small_disk


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a program of this name first on the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return write


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_each_finding_is_one_line_with_a_remedy_exactly_where_it_is_needed(small: Course, database: Database) -> None:
    for root in (None, small.root):
        findings = list(doctor(root))
        assert {"python", "gpu", "disk", "clock"} <= by_subject(findings).keys()
        assert any(finding.subject.startswith("sandbox") for finding in findings)
        for finding in findings:
            assert bool(finding.remedy) is not finding.ok, finding
            assert finding.found and "\n" not in finding.found + finding.remedy


def test_a_machine_without_a_sandbox_is_not_fit(small: Course, tmp_path: Path) -> None:
    """bubblewrap is shown an empty file in its own place."""
    code = """
import sys
from pathlib import Path
from assessor.workflow.doctor import doctor
for finding in doctor(Path(sys.argv[1])):
    print(finding.subject, finding.ok, finding.remedy, sep=";")
"""
    prefix = small_disk(tmp_path / "small", 1 << 20)
    done = script(code, small.root, prefix=[*prefix, "--ro-bind", "/dev/null", prefix[0]])
    lines = dict(line.split(";", 1) for line in done.stdout.splitlines())
    assert all(line.count(";") == 1 for line in lines.values())
    ok, remedy = lines["sandbox: bubblewrap"].split(";", 1)
    assert ok == "False" and "bubblewrap" in remedy


def test_a_full_disk_is_seen_on_the_disk_where_the_course_lies(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from assessor.workflow.doctor import disk; print(disk(Path(sys.argv[1])))"
    done = script(code, tmp_path / "small", prefix=small_disk(tmp_path / "small", 1 << 20))
    assert "ok=False" in done.stdout and "0.0 GiB" in done.stdout and "remedy='make at least 5 GiB free'" in done.stdout


def test_a_disk_with_room_needs_no_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctoring, "DISK_FREE_BYTES", 1)
    assert (disk(tmp_path).ok, disk(tmp_path).remedy) == (True, "")


def test_a_course_directory_that_is_not_there_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    found = by_subject(list(doctor(tmp_path / "nowhere")))
    assert not found["disk"].ok and not found["course"].ok
    assert found["disk"].remedy and found["course"].remedy


@pytest.mark.parametrize(
    ("text", "ok", "words"),
    [
        ("#!/bin/sh\necho yes\n", True, "synchronised"),
        ("#!/bin/sh\necho no\n", False, "not synchronised"),
        ("#!/bin/sh\necho 'System has not been booted with systemd' >&2\nexit 1\n", True, "plausible"),
        ("not a program at all", True, "plausible"),
        ("#!/nowhere/interpreter\n", True, "plausible"),
    ],
)
def test_the_clock_is_asked_of_systemd_where_there_is_one(
    small: Course, program: Callable[[str, str], None], text: str, ok: bool, words: str
) -> None:
    program("timedatectl", text)
    finding = clock(small.root)
    assert (finding.ok, words in finding.found) == (ok, True)
    assert bool(finding.remedy) is not ok


@pytest.mark.parametrize("file", ["course.toml", "inbox"])
def test_a_clock_behind_the_courses_own_files_is_wrong(small: Course, file: str) -> None:
    (small.root / "inbox").mkdir()
    later = datetime.now(UTC).timestamp() + 3600
    os.utime(small.root / file, (later, later))
    assert not clock(small.root).ok and "behind" in clock(small.root).found


def test_a_second_of_another_machines_clock_is_no_fault(small: Course) -> None:
    later = datetime.now(UTC).timestamp() + 20
    os.utime(small.root / "course.toml", (later, later))
    assert "behind" not in clock(small.root).found


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_secrets_that_others_can_read_are_seen_and_the_remedy_mends_them(small: Course, mode: int) -> None:
    private = small.root / ".assessor"
    private.mkdir()
    private.chmod(mode)
    finding = by_subject(list(course_health(small.root)))["secrets"]
    assert not finding.ok
    command, want, place = finding.remedy.split(" ", 2)
    assert command == "chmod"
    Path(place).chmod(int(want, 8))
    assert by_subject(list(course_health(small.root)))["secrets"].ok
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_a_course_that_is_wrong_says_which_line_and_a_course_without_a_database_how_to_make_one(small: Course) -> None:
    found = by_subject(list(course_health(small.root)))
    assert found["database"].ok and "none yet" in found["database"].found
    (small.root / "course.toml").write_text((small.root / "course.toml").read_text().replace("labs = 50", "labs = 51"))
    (finding,) = course_health(small.root)
    assert not finding.ok and "course.toml" in finding.found and finding.remedy


def test_a_damaged_database_has_a_remedy(small: Course, database: Database) -> None:
    database.close()
    (small.root / "assessor.db").write_bytes(b"damaged " * 4000)
    for name in ("assessor.db-wal", "assessor.db-shm"):
        (small.root / name).unlink(missing_ok=True)
    finding = by_subject(list(course_health(small.root)))["database"]
    assert not finding.ok and "backup" in finding.remedy


def open_files() -> int:
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_looking_changes_nothing_and_leaves_no_file_open(small: Course, database: Database) -> None:
    database.close()
    before = {path: path.read_bytes() for path in small.root.rglob("*") if path.is_file() and "-" not in path.suffix}
    handles = open_files()
    for _ in range(3):
        list(doctor(small.root))
    assert open_files() == handles
    assert {path: path.read_bytes() for path in before} == before


def test_the_command_exits_with_1_when_something_is_to_be_mended(small: Course) -> None:
    (small.root / ".assessor").mkdir(mode=0o755)
    (small.root / ".assessor").chmod(0o755)
    done = script("from assessor.cli import main; main()", "-C", small.root, "doctor", "--json")
    assert done.returncode == 1 and "chmod 700" in done.stdout and "Traceback" not in done.stderr
