"""Plain commands in a sandbox: what they give back, and what they cannot do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_runner import commands as commands_module
from gpu_runner.commands import CUT, KEPT_BYTES, CommandRun, run_commands
from gpu_runner.errors import SandboxFailed, SandboxUnavailable
from gpu_runner.execution import GIB, MIB, Limits, Outcome

LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=GIB, processes=64, disk_bytes=64 * MIB)


def run(*commands: str, limits: Limits = LIMITS, **more: Any) -> CommandRun:
    return run_commands(commands, limits, **{"files": {}, **more})


def left_behind() -> dict[str, list[str]]:
    """What sandboxes of this process could leave on the host."""
    groups = Path("/sys/fs/cgroup").rglob(f"assessor-{os.getpid()}-*")
    names = [child.name() for child in psutil.Process().children(recursive=True)]
    open_ones = sorted(path.name for path in Path("/proc/self/fd").iterdir())
    return {"processes": names, "cgroups": [str(group) for group in groups], "descriptors": open_ones}


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    """What is made once for all is there."""
    run("true")


@pytest.fixture(autouse=True)
def nothing_outlives() -> Any:
    before = left_behind()
    yield
    assert left_behind() == before


# What they give back


def test_commands_run_in_order_and_their_results_come_back() -> None:
    lines: list[str] = []
    found = run(
        "echo first; echo '{\"a\": 1}' > out.json", "cat given.txt; test $SEED = 7", files={"given.txt": b"second"},
        results=["out.json", "none.json"], env={"SEED": "7"}, say=lines.append,
    )  # fmt: skip
    assert found.succeeded(2) and found.results == {"out.json": b'{"a": 1}\n'}
    assert found.faults == {"none.json": "no such file or directory"}
    assert found.log == b"first\nsecond" and lines == ["first"]
    assert found.manifest["device"] == "cpu" and found.usage.cpu_seconds > 0


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("false | cat", 1),
        ("exit 3 | tee log.txt | tail -n 1", 3),
        ("set +o pipefail; false | cat", 0),
        ("false; true", 1),
        ("kill -SEGV $$", 139),
        ("no-such-program", 127),
        ("python -c 'raise SystemExit(5)' | tee log", 5),
    ],
)
def test_every_part_of_a_pipeline_counts(command: str, status: int) -> None:
    assert [end.status for end in run(command).ended] == [status]


def test_what_follows_a_failed_command_is_not_run() -> None:
    found = run("true", "false", "echo never")
    assert [end.status for end in found.ended] == [0, 1] and not found.succeeded(3) and b"never" not in found.log


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return made.getvalue()


def test_a_zip_is_unpacked_also_where_all_lies_in_one_folder() -> None:
    for names in (("a.txt", "b/c.txt"), ("mine/a.txt", "mine/b/c.txt")):
        packed = archive(dict.fromkeys(names, b"x"))
        assert run("cat a.txt b/c.txt", files={"code.zip": packed}, unpack="code.zip").log == b"xx"


def test_a_git_bundle_is_cloned(tmp_path: Path) -> None:
    settings = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    (tmp_path / "a.txt").write_text("from git")
    for step in (["init", "-q"], ["add", "a.txt"], ["commit", "-qm", "x"], ["bundle", "create", "-q", "b", "HEAD"]):
        subprocess.run(["git", *step], cwd=tmp_path, env={**os.environ, **settings}, check=True)
    bundle = (tmp_path / "b").read_bytes()
    assert run("cat a.txt", files={"code.bundle": bundle}, unpack="code.bundle").log == b"from git"
    broken = run("cat a.txt", files={"code.bundle": b"no bundle"}, unpack="code.bundle")
    assert broken.fault == "git cannot clone this bundle" and not broken.succeeded(1)


@pytest.mark.parametrize("packed", [b"", b"PK\x03\x04 nonsense", archive({"a": b"x"})[:-30]], ids="empty nonsense short".split())
def test_an_archive_that_is_none_is_told(packed: bytes) -> None:
    found = run("true", files={"code.zip": packed}, unpack="code.zip")
    assert "BadZipFile" in found.fault and found.ended == ()


def test_our_faults_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxUnavailable):
        run("true", backend="no such")
    monkeypatch.setattr(commands_module, "__file__", "/nowhere/commands.py")
    with pytest.raises(FileNotFoundError):
        run("true")


def test_a_sandbox_whose_first_program_does_not_start_is_our_fault() -> None:
    with pytest.raises(SandboxFailed):
        run("true", limits=Limits(memory_bytes=2 * MIB))


# What they cannot do


def test_there_is_no_network() -> None:
    dial = "import socket; socket.create_connection(('1.1.1.1', 53), 3)"
    found = run(f'python -c "{dial}"', "true")
    assert not found.succeeded(2) and b"unreachable" in found.log.lower()
    host = run("python -c 'import os; print(os.listdir(\"/sys/class/net\") if os.path.isdir(\"/sys/class/net\") else [])'")
    assert b"eth" not in host.log


def test_no_file_of_the_host_can_be_read_or_written(tmp_path: Path) -> None:
    secret = tmp_path / "assessor.db"
    secret.write_text("secret of the course")
    assert b"secret" not in run(f"cat {secret}").log
    assert run("cat /etc/shadow").ended[0].status == 1
    assert run("find /home /tmp /dev/shm -type f").log == b""
    assert run(f"echo x > {secret}").ended[0].status != 0 and secret.read_text() == "secret of the course"
    assert run("echo x > /usr/bin/planted").ended[0].status != 0
    assert run("echo x > /opt/agent/commander.py").ended[0].status != 0
    hidden = run("python -c 'import assessor' || python -c 'import gpu_runner'")
    assert hidden.ended[0].status == 1


def test_a_fork_bomb_costs_its_own_run_alone() -> None:
    found = run("bomb() { bomb | bomb & }; bomb; sleep 2; true", limits=Limits(cpu_seconds=10, wall_seconds=10, processes=64))
    assert found.usage.wall_seconds < 30
    assert run("echo fine").log == b"fine\n"


def test_a_flood_of_output_ends_the_run() -> None:
    found = run("yes", limits=Limits(output_bytes=4 * MIB, cpu_seconds=60))
    assert found.outcome is Outcome.OUTPUT_EXCEEDED
    assert len(found.log) <= 2 * KEPT_BYTES + len(CUT) and CUT in found.log


def test_a_line_without_end_is_cut() -> None:
    lines: list[str] = []
    run("head -c 3000000 /dev/zero | tr '\\0' x; echo", say=lines.append)
    assert max(map(len, lines)) <= 4096


def test_of_endless_lines_only_so_many_are_said() -> None:
    lines: list[str] = []
    found = run("python -c 'print(chr(10) * 300000)'", say=lines.append)
    assert found.succeeded(1) and len(lines) == commands_module.MAX_LINES


def test_a_large_result_comes_back_whole() -> None:
    found = run("head -c 30M /dev/zero > big", results=["big"], result_bytes=32 * MIB)
    assert found.results["big"] == bytes(30 * MIB)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("ln -s /etc/passwd r.json", "a symbolic link"),
        ("ln -s r.json r.json", "a symbolic link"),
        ("mkdir r.json", "not an ordinary file"),
        ("head -c 3000000 /dev/zero > r.json", "more than 1048576 bytes"),
        ("echo 1 > r.json; chmod 0 r.json", "permission denied"),
    ],
)
def test_a_result_that_is_no_plain_small_file_is_told_not_read(command: str, fault: str) -> None:
    found = run(command, results=["r.json"])
    assert found.results == {} and found.faults == {"r.json": fault}


def test_endless_work_ends_by_cpu_time_and_endless_sleep_by_the_clock() -> None:
    assert run("while :; do :; done", limits=Limits(cpu_seconds=1)).outcome is Outcome.CPU_EXCEEDED
    stubborn = "trap '' TERM INT HUP; sleep 1000 & wait; sleep 1000"
    assert run(stubborn, limits=Limits(wall_seconds=1.5)).outcome is Outcome.WALL_EXCEEDED


def test_too_much_memory_ends_it() -> None:
    hoard = "python -c 'x = []\nwhile True: x.append(bytearray(2**26))'"
    assert run(hoard, limits=Limits(memory_bytes=256 * MIB, cpu_seconds=60)).outcome is Outcome.MEMORY_EXCEEDED


def test_the_disk_is_no_larger_than_allowed() -> None:
    found = run("head -c 200M /dev/zero > big", limits=Limits(disk_bytes=16 * MIB))
    assert found.ended[0].status != 0
    bomb = archive({"bomb": bytes(100 * MIB)})
    assert run("true", files={"c.zip": bomb}, unpack="c.zip", limits=Limits(disk_bytes=16 * MIB)).fault.startswith("OSError")


def test_a_daemon_ends_with_the_run() -> None:
    started = time.monotonic()
    daemon = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)"
    found = run(f"python -c '{daemon}'", "sleep 600 & disown", "echo done")
    assert found.succeeded(3) and time.monotonic() - started < 20
    assert not [process for process in psutil.process_iter() if process.name() == "sleep" and "600" in process.cmdline()]


def test_killing_everything_inside_is_the_strangers_own_end() -> None:
    found = run("kill -9 -1", "true")
    assert found.outcome is Outcome.DIED and not found.succeeded(2)


def test_an_account_cannot_be_slipped_in_for_ours() -> None:
    forge = "for p in /proc/[0-9]*; do for f in $p/fd/*; do (echo '{}' > $f) || true; done; done 2>/dev/null; exit 4"
    found = run(forge, results=["r.json"])
    assert [end.status for end in found.ended] == [4] and found.results == {}


@pytest.mark.parametrize(
    "account",
    [
        {"unpacked": "", "commands": [{"status": float("nan"), "seconds": 1}], "results": {}},
        {"unpacked": "", "commands": [{"status": 0, "seconds": float("inf")}], "results": {}},
        {"unpacked": "", "commands": [{"status": 0, "seconds": 1}] * 3, "results": {}},
        {"unpacked": "", "commands": [], "results": {"r.json": {"data": "\u2603"}}},
        {"unpacked": "", "commands": [], "results": [1]},
        [],
    ],
)
def test_an_account_that_is_not_well_formed_is_none(account: Any) -> None:
    assert commands_module._understood(b"begun\n" + json.dumps(account).encode(), 2, ["r.json"]) is None


def test_deep_json_is_no_account() -> None:
    assert commands_module._understood(b"begun\n" + b"[" * 200_000, 1, []) is None
