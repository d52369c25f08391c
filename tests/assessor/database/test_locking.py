"""One writer a course, and a lock that ends with its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assessor.database.locking import writer_lock
from assessor.errors import AlreadyRunning, DatabaseUnavailable

HOLDER = """
import sys
from pathlib import Path
from assessor.database.locking import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.stdin.close()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {holder.pid} is writing"), writer_lock(tmp_path):
        pytest.fail("two writers")


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with writer_lock(tmp_path):
        assert int((tmp_path / ".assessor" / "writer.lock").read_text()) == os.getpid()


def test_the_lock_can_be_taken_again_after_it_was_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with writer_lock(tmp_path):
            pass
    with pytest.raises(RuntimeError), writer_lock(tmp_path):
        raise RuntimeError
    with writer_lock(tmp_path):
        pass


def test_one_process_cannot_take_it_twice(tmp_path: Path) -> None:
    with (
        writer_lock(tmp_path),
        pytest.raises(AlreadyRunning, match=f"process {os.getpid()} is writing"),
        writer_lock(tmp_path),
    ):
        pytest.fail("two writers")


def test_a_program_that_the_holder_starts_does_not_keep_the_lock(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    with writer_lock(tmp_path):
        pass
    child.communicate(b"\n")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".assessor").write_text("a file in the folder's place")
    with pytest.raises(DatabaseUnavailable, match=r"writer\.lock"), writer_lock(tmp_path):
        pytest.fail("no lock")
