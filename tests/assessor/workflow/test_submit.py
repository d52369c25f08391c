"""Handing in, receipts and the course's keys."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from assessor.course import Course, load_course
from assessor.errors import AssessorError, ReceiptInvalid, SubmissionRefused, UnknownName
from assessor.workflow.keys import course_public_key, course_secret, read_public_key, signing_key
from assessor.workflow.receipts import Receipt, verify, write_receipt
from assessor.workflow.submit import MAX_NOTEBOOK_BYTES, submit
from tests.assessor.workflow.conftest import NOW, pdf

Write = Callable[..., Path]


def inbox(course: Course) -> list[Path]:
    return sorted(path for path in (course.root / "inbox").rglob("*") if path.is_file())


def test_a_hand_in_is_kept_whole_with_its_receipt(small: Course, handed: Write) -> None:
    file = handed()
    receipt = submit(small, "powers", "ada", [file], now=NOW)
    folder = small.root / "inbox/powers/ada/001-20270210T120000"
    assert (folder / "powers.ipynb").read_bytes() == file.read_bytes()
    assert verify(folder / "receipt.json", course_public_key(small.root)) == receipt
    assert (receipt.student, receipt.assignment, receipt.attempt, receipt.late) == ("ada", "powers", 1, False)


def test_attempts_are_numbered_and_lateness_is_said(small: Course, handed: Write) -> None:
    due = small.assignment("powers").due
    receipts = [submit(small, "powers", "ada", [handed()], now=due + timedelta(seconds=second)) for second in (-1, 0, 1)]
    assert [(one.attempt, one.late) for one in receipts] == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize("name", ["powers.ipynb", "powers (1).ipynb", "powers-Copy2.ipynb", "powers.IPYNB", "my lab.ipynb"])
def test_a_renamed_notebook_is_the_notebook(small: Course, handed: Write, name: str) -> None:
    assert [entry.name for entry in submit(small, "powers", "ada", [handed(name)], now=NOW).files] == ["powers.ipynb"]


def bad_files(handed: Write) -> dict[str, tuple[list[Path], str]]:
    good, desk = handed(), handed().parent
    for name, data in {"torn.ipynb": b'{"cells": [', "list.ipynb": b"[]", "deep.ipynb": b"[" * 100_000}.items():
        (desk / name).write_bytes(data)
    (desk / "large.ipynb").write_bytes(b" " * (MAX_NOTEBOOK_BYTES + 1))
    (desk / "report.pdf").write_bytes(b"%PDF" + b"x" * 2**20)
    (desk / "note.pdf").write_bytes(pdf(1))
    (desk / "long.pdf").write_bytes(pdf(2))
    (desk / "virus.exe").write_bytes(b"MZ")
    (desk / "link.ipynb").symlink_to(good)
    os.mkfifo(desk / "pipe.ipynb")
    return {
        "torn": ([desk / "torn.ipynb"], "not a notebook"),
        "list": ([desk / "list.ipynb"], "no cells"),
        "deep": ([desk / "deep.ipynb"], "not a notebook"),
        "large": ([desk / "large.ipynb"], "clear outputs"),
        "too many pages": ([good, desk / "long.pdf"], "2 pages, at most 1"),
        "attachment too large": ([good, desk / "report.pdf"], "at most 1.0 MiB"),
        "not asked for": ([good, desk / "virus.exe"], "not asked for"),
        "link": ([desk / "link.ipynb"], "symbolic link"),
        "pipe": ([desk / "pipe.ipynb"], "not an ordinary file"),
        "folder": ([desk], "not an ordinary file"),
        "missing": ([desk / "nowhere.ipynb"], "no such file"),
        "twice": ([good, handed("powers (1).ipynb")], "twice"),
        "nothing but an attachment": ([desk / "note.pdf"], "this notebook is missing"),
    }


@pytest.mark.parametrize(
    "case",
    ["torn", "list", "deep", "large", "attachment too large", "not asked for", "link", "pipe", "folder", "missing", "twice",
     "nothing but an attachment"],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_one_line_and_leaves_nothing(small: Course, handed: Write, case: str) -> None:
    files, reason = bad_files(handed)[case]
    with pytest.raises(SubmissionRefused, match=reason) as fault:
        submit(small, "powers", "ada", files, now=NOW)
    assert "\n" not in str(fault.value)
    assert inbox(small) == []


@pytest.mark.parametrize("student", ["", "../eve", "a/b", "a b", ".hidden", "x" * 65, "ada\n"])
def test_a_student_id_is_no_path(small: Course, handed: Write, student: str) -> None:
    with pytest.raises(SubmissionRefused, match="no student id"):
        submit(small, "powers", student, [handed()], now=NOW)


def test_nothing_is_handed_in_for_a_quiz_or_for_what_is_not_there(small: Course, handed: Write) -> None:
    with pytest.raises(SubmissionRefused, match="for a quiz"):
        submit(small, "quiz1", "ada", [handed()], now=NOW)
    with pytest.raises(UnknownName, match="did you mean powers"):
        submit(small, "power", "ada", [handed()], now=NOW)


def one_hand_in(root: Path, file: Path) -> int:
    return submit(load_course(root), "powers", "ada", [file], now=NOW).attempt


def test_hand_ins_at_the_same_moment_get_numbers_of_their_own(small: Course, handed: Write) -> None:
    file = handed()
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        numbers = list(pool.map(one_hand_in, [small.root] * 12, [file] * 12))
    assert sorted(numbers) == list(range(1, 13))
    assert len({signing_key(small.root).public_key().public_bytes_raw()}) == 1


def test_a_disk_without_room_keeps_what_was_there(small: Course, handed: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(small, "powers", "ada", [handed()], now=NOW)
    before = inbox(small)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assessor.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        submit(small, "powers", "ada", [handed()], now=NOW)
    assert inbox(small) == before


@pytest.fixture
def receipt(small: Course, handed: Write, tmp_path: Path) -> tuple[Receipt, Path]:
    given = submit(small, "powers", "ada", [handed()], now=NOW)
    write_receipt(given, tmp_path / "receipt.json")
    return given, tmp_path / "receipt.json"


def test_every_changed_byte_of_a_receipt_is_noticed(small: Course, receipt: tuple[Receipt, Path]) -> None:
    given, path = receipt
    key, good = course_public_key(small.root), path.read_bytes()
    accepted = []
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        try:
            accepted.append(verify(path, key))
        except ReceiptInvalid:
            continue
    assert all(one == given for one in accepted), "only white space may differ"


@pytest.mark.parametrize("field", ["student", "assignment", "course"])
def test_a_receipt_that_was_rewritten_is_refused(small: Course, receipt: tuple[Receipt, Path], field: str) -> None:
    given, path = receipt
    write_receipt(replace(given, **{field: "eve"}), path)
    with pytest.raises(ReceiptInvalid, match="does not fit"):
        verify(path, course_public_key(small.root))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 1}', "\x00", '{"a": ' * 10_000, '{"version": 1, "version": 1}'])
def test_what_is_no_receipt_is_refused_in_one_line(small: Course, receipt: tuple[Receipt, Path], text: str) -> None:
    receipt[1].write_text(text)
    with pytest.raises(ReceiptInvalid) as fault:
        verify(receipt[1], course_public_key(small.root))
    assert "\n" not in str(fault.value)


def test_another_courses_receipt_is_refused(receipt: tuple[Receipt, Path], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ReceiptInvalid, match="signed with key"):
        verify(receipt[1], signing_key(tmp_path / "other").public_key())


def test_secrets_are_private_made_once_and_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(AssessorError, match="has signed no receipt"):
        course_public_key(tmp_path)
    assert course_secret(tmp_path) == course_secret(tmp_path)
    assert len(course_secret(tmp_path)) == 32
    signing_key(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / ".assessor").iterdir()}
    assert modes["secret"] == modes["receipt-key.pem"] == 0o600
    assert (tmp_path / ".assessor").stat().st_mode & 0o777 == 0o700


def test_a_secret_that_others_may_read_or_that_is_damaged_is_said(tmp_path: Path) -> None:
    course_secret(tmp_path)
    secret = tmp_path / ".assessor/secret"
    secret.chmod(0o644)
    with pytest.raises(AssessorError, match="others may read it"):
        course_secret(tmp_path)
    secret.chmod(0o600)
    secret.write_bytes(b"short")
    with pytest.raises(AssessorError, match="restore it from a backup"):
        course_secret(tmp_path)
    signing_key(tmp_path)
    (tmp_path / ".assessor/receipt-key.pem").write_text("no key")
    with pytest.raises(AssessorError, match="not an Ed25519 private key"):
        signing_key(tmp_path)
    (tmp_path / "key.pem").write_text(json.dumps({}))
    with pytest.raises(AssessorError, match="not an Ed25519 public key"):
        read_public_key(tmp_path / "key.pem")
