"""Taking in hand-ins: every attempt, from everywhere, past every trap."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import struct
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.tables import Submission
from assessor.errors import AssessorError, SubmissionRefused
from assessor.workflow import collect as collecting
from assessor.workflow.archives import read_zip
from assessor.workflow.collect import CollectReport, Exchange, Inbox, Named, collect, compile_pattern, find_source
from assessor.workflow.submit import submit
from tests.assessor.workflow.conftest import NOW, pdf

Write = Callable[..., Path]
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def attempts(database: Database) -> list[tuple[str, int, str]]:
    with database.reading() as session:
        rows = session.scalars(select(Submission).order_by(Submission.id))
        return [(row.student_id, row.attempt, row.path) for row in rows]


def statuses(report: CollectReport) -> list[tuple[str, str]]:
    return [(row.student, row.status) for row in report.rows]


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_every_attempt_of_the_inbox_is_kept(small: Course, database: Database, handed: Write) -> None:
    for student, source in (("ada", "x = 1"), ("ada", "x = 2"), ("bob", "x = 3")):
        submit(small, "powers", student, [handed(source=source)], now=NOW)
    report = collect(small, database, "powers", Inbox(), now=NOW)
    assert statuses(report) == [("ada", "new"), ("ada", "new"), ("bob", "new")]
    found = attempts(database)
    assert [row[:2] for row in found] == [("ada", 1), ("ada", 2), ("bob", 1)]
    texts = [(small.root / path / "powers.ipynb").read_text() for _, _, path in found]
    assert ["x = 1" in texts[0], "x = 2" in texts[1], "x = 3" in texts[2]] == [True] * 3


def test_twice_is_once(small: Course, database: Database, handed: Write) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    collect(small, database, "powers", Inbox(), now=NOW)
    again = collect(small, database, "powers", Inbox(), now=NOW)
    assert statuses(again) == [("ada", "already")]
    assert len(attempts(database)) == 1


def test_a_changed_inbox_is_refused_and_stops_nobody(small: Course, database: Database, handed: Write) -> None:
    for student in ("ada", "bob", "eve"):
        submit(small, "powers", student, [handed()], now=NOW)
    next((small.root / "inbox/powers/ada").rglob("*.ipynb")).write_bytes(NOTEBOOK)
    (next((small.root / "inbox/powers/bob").glob("*")) / "extra.py").write_text("import os")
    report = collect(small, database, "powers", Inbox(), now=NOW)
    assert statuses(report) == [("ada", "refused"), ("bob", "refused"), ("eve", "new")]
    assert "not those of its receipt" in report.rows[0].note


def test_a_receipt_put_into_another_students_folder_is_refused(small: Course, database: Database, handed: Write) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    shutil.copytree(small.root / "inbox/powers/ada", small.root / "inbox/powers/eve")
    report = collect(small, database, "powers", Inbox(), now=NOW)
    assert statuses(report) == [("ada", "new"), ("eve", "refused")]
    assert "ada's" in report.rows[1].note


def exchange(place: Path, name: str, stamp: str | None, data: bytes = NOTEBOOK) -> None:
    folder = place / name
    folder.mkdir(parents=True)
    (folder / "powers.ipynb").write_bytes(data)
    if stamp:
        (folder / "timestamp.txt").write_text(stamp)


def test_a_nbgrader_exchange_is_read_with_its_times(small: Course, database: Database, tmp_path: Path) -> None:
    place = tmp_path / "inbound"
    exchange(place, "ada+powers+2027-02-10 09:00:00.123456 UTC", "2027-02-10 09:00:00.123456 UTC")
    exchange(place, "bob+powers+2027-02-10 09:00:00 Europe+x1", None)
    exchange(place, "eve+other+2027-02-10 09:00:00 UTC", None)
    exchange(place, "eve+powers+yesterday", None)
    (place / "mal+powers+2027-02-10 09:00:00 UTC").symlink_to(tmp_path)
    report = collect(small, database, "powers", Exchange(place), now=NOW)
    assert ("ada", "new") in statuses(report)
    assert ("eve", "refused") in statuses(report)
    with database.reading() as session:
        ada = session.scalars(select(Submission).where(Submission.student_id == "ada")).one()
        assert ada.submitted_at == datetime(2027, 2, 10, 9, 0, 0, 123456, UTC)


def test_a_folder_and_a_zip_follow_a_pattern(small: Course, database: Database, tmp_path: Path) -> None:
    names = {"ada_123_2027-02-10-0900_powers.ipynb": NOTEBOOK, "bob_124_2027-03-30-0900_powers (1).ipynb": NOTEBOOK,
             "readme.txt": b"x"}  # fmt: skip
    pattern = "{student}_{ignore}_{timestamp}_{file}"
    report = collect(small, database, "powers", Named(zipped(tmp_path / "lms.zip", names), pattern), now=NOW)
    assert sorted(statuses(report)) == [("?", "refused"), ("ada", "new"), ("bob", "new")]
    assert {row.student: row.late for row in report.rows if row.status == "new"} == {"ada": False, "bob": True}
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "eve_1_2027-02-10-0900_powers.ipynb").write_bytes(NOTEBOOK)
    (folder / "ada_1_2027-02-10-0900_powers.ipynb").symlink_to(folder / "eve_1_2027-02-10-0900_powers.ipynb")
    report = collect(small, database, "powers", Named(folder, pattern), now=NOW)
    assert sorted(statuses(report)) == [("ada", "refused"), ("eve", "new")]


def test_who_is_not_on_the_class_list_is_set_aside_and_kept(small: Course, database: Database, tmp_path: Path) -> None:
    source = Named(zipped(tmp_path / "a.zip", {"mallory_powers.ipynb": NOTEBOOK}), "{student}_{file}")
    (row,) = collect(small, database, "powers", source, now=NOW).rows
    assert row.status == "refused"
    assert "not on the class list; kept in submitted/.strays" in row.note
    kept = list((small.root / "submitted/.strays").rglob("*.ipynb"))
    assert [path.read_bytes() for path in kept] == [NOTEBOOK]


def test_a_damaged_notebook_is_taken_and_an_unasked_file_is_not(small: Course, database: Database, tmp_path: Path) -> None:
    files = {"ada_powers.ipynb": b"%PDF no notebook", "bob_virus.exe": b"MZ"}
    report = collect(small, database, "powers", Named(zipped(tmp_path / "a.zip", files), "{student}_{file}"), now=NOW)
    assert statuses(report) == [("ada", "new"), ("bob", "refused")]


def test_a_pdf_of_two_pages_is_taken_and_the_marker_is_told(small: Course, database: Database, tmp_path: Path) -> None:
    files = {"ada_powers.ipynb": NOTEBOOK, "ada_essay.pdf": pdf(2), "bob_powers.ipynb": NOTEBOOK, "bob_essay.pdf": pdf(1)}
    named = Named(zipped(tmp_path / "a.zip", files), "{student}_{file}")
    ada, bob = collect(small, database, "powers", named, now=NOW).rows
    assert (ada.status, bob.status, bob.note) == ("new", "new", "")
    assert ada.note == "essay.pdf: 2 pages, at most 1: leave out what is not asked for"
    with database.reading() as session:
        assert session.scalars(select(Submission.note).order_by(Submission.student_id)).all() == [ada.note, ""]


def test_a_late_arrival_of_an_earlier_hand_in_is_said(small: Course, database: Database, handed: Write, tmp_path: Path) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    collect(small, database, "powers", Inbox(), now=NOW)
    place = tmp_path / "inbound"
    exchange(place, "ada+powers+2027-02-01 09:00:00 UTC", None)
    (row,) = collect(small, database, "powers", Exchange(place), now=NOW).rows
    assert row.status == "new" and "counts as the newest" in row.note


def hostile_zip(path: Path, kind: str) -> Path:
    names = {"traversal": "../../ada_powers.ipynb", "absolute": "/ada_powers.ipynb", "drive": "C:/ada_powers.ipynb",
             "backslash": "..\\ada_powers.ipynb", "control": "ada_po\x07wers.ipynb"}  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind in names:
            archive.writestr(names[kind], NOTEBOOK)
        elif kind in ("link", "device"):
            entry = zipfile.ZipInfo("ada_powers.ipynb")
            entry.external_attr = ((stat.S_IFLNK if kind == "link" else stat.S_IFCHR) | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
        elif kind == "bomb":
            archive.writestr("ada_powers.ipynb", b"\0" * (50 * 2**20))
        elif kind == "twice":
            archive.writestr("ada_powers.ipynb", NOTEBOOK)
            archive.writestr("ADA_POWERS.IPYNB", NOTEBOOK)
        archive.writestr("bob_powers.ipynb", NOTEBOOK)
    return path


@pytest.mark.parametrize(
    "kind", ["traversal", "absolute", "drive", "backslash", "control", "link", "device", "bomb", "twice"]
)
def test_no_trap_in_a_zip_leads_anywhere_or_stops_the_rest(
    small: Course, database: Database, tmp_path: Path, kind: str
) -> None:
    before = {path for path in tmp_path.rglob("*") if "submitted" not in path.parts}
    archive = hostile_zip(tmp_path / "lms.zip", kind)
    report = collect(small, database, "powers", Named(archive, "{student}_{file}"), now=NOW)
    assert ("bob", "new") in statuses(report)
    assert report.count("refused") == 1
    after = {path for path in tmp_path.rglob("*") if "submitted" not in path.parts}
    assert {path.name for path in after - before} <= {"lms.zip", "assessor.db-wal", "assessor.db-shm"}
    assert not any(path.is_symlink() for path in small.root.rglob("*"))


def test_a_zip_that_lies_about_its_sizes_is_found_out(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada_powers.ipynb", NOTEBOOK * 1000)
    data = packed.getvalue().replace(struct.pack("<L", len(NOTEBOOK) * 1000), struct.pack("<L", 10))
    (tmp_path / "lie.zip").write_bytes(data)
    (found,) = read_zip(tmp_path / "lie.zip")
    assert found.fault or len(found.data) == 10


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ada_powers.ipynb", NOTEBOOK)
    data = bytearray(packed.getvalue())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    (found,) = read_zip(tmp_path / "locked.zip")
    assert found.fault == "encrypted"


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_zip_is_one_clear_line(small: Course, database: Database, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SubmissionRefused, match="not a zip archive"):
        collect(small, database, "powers", Named(tmp_path / "a.zip", "{student}_{file}"), now=NOW)


def test_a_crash_between_files_and_row_loses_nothing(
    small: Course, database: Database, handed: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "Submission", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collect(small, database, "powers", Inbox(), now=NOW)
    assert attempts(database) == []
    assert statuses(collect(small, database, "powers", Inbox(), now=NOW)) == [("ada", "new")]
    ((_, _, path),) = attempts(database)
    assert (small.root / path / "powers.ipynb").is_file()


def test_two_collections_at_once_take_each_hand_in_once(small: Course, database: Database, handed: Write) -> None:
    for number in range(6):
        submit(small, "powers", ("ada", "bob", "eve")[number % 3], [handed(source=f"x = {number}")], now=NOW)
    faults: list[BaseException] = []

    def run() -> None:
        own = open_database(small.root)
        try:
            collect(small, own, "powers", Inbox(), now=NOW)
        except BaseException as fault:
            faults.append(fault)
        finally:
            own.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    found = attempts(database)
    assert sorted(row[:2] for row in found) == [(name, number) for name in ("ada", "bob", "eve") for number in (1, 2)]
    assert all((small.root / path / "powers.ipynb").is_file() for *_, path in found)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_course_that_cannot_be_written_is_said(small: Course, database: Database, handed: Write) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    small.root.chmod(0o500)
    try:
        with pytest.raises(OSError, match="denied"):
            collect(small, database, "powers", Inbox(), now=NOW)
    finally:
        small.root.chmod(0o700)


@pytest.mark.parametrize(
    ("place", "pattern", "exchange", "words"),
    [
        (Path("a"), None, None, "say how its files are named"),
        (None, "{student}", None, "give both"),
        (Path("a"), "{student}", Path("b"), "give one of them"),
    ],
)
def test_options_that_contradict_each_other_are_said(
    place: Path | None, pattern: str | None, exchange: Path | None, words: str
) -> None:
    with pytest.raises(AssessorError, match=words):
        find_source(place, pattern, exchange)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("{file}", "must be in it"), ("{studnt}", "unknown field"), ("{student}{student}", "twice")],
)
def test_a_pattern_that_says_nothing_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(AssessorError, match=words):
        compile_pattern(pattern)


def test_a_time_in_a_name_is_the_courses_local_time(small: Course, database: Database, tmp_path: Path) -> None:
    files = {"ada_2027-07-01-1200_powers.ipynb": NOTEBOOK}
    collect(small, database, "powers", Named(zipped(tmp_path / "a.zip", files), "{student}_{timestamp}_{file}"), now=NOW)
    with database.reading() as session:
        (row,) = session.scalars(select(Submission))
        assert row.submitted_at == datetime(2027, 7, 1, 11, tzinfo=UTC)
        assert row.collected_at - NOW == timedelta(0)
