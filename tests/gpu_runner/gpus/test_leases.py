"""Leases, with a simulated NVML; whoever contends in them is a real process."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpu_runner.errors import DeviceUnavailable
from gpu_runner.execution import GIB, MIB
from gpu_runner.gpus import leases, ledger, queue
from gpu_runner.gpus.discovery import Nvml
from gpu_runner.gpus.leases import Decision, Lease, LeaseCancelled, Waiting, decide, leased
from gpu_runner.gpus.ledger import Ledger

from .simulated import SimulatedLibrary, card, mig_slice

ROOT = Path(__file__).parents[3]


def refused(nvml: Nvml, folder: Path, **options: Any) -> str:
    """Why no lease is to be had now."""
    with pytest.raises(DeviceUnavailable) as fault, leased("required", nvml=nvml, folder=folder, timeout_seconds=0, **options):
        pass
    return str(fault.value)


@pytest.mark.parametrize(
    ("need", "devices", "free", "may_wait", "decision"),
    [
        ("none", 2, 2, True, Decision.CPU),
        ("none", 0, 0, True, Decision.CPU),
        ("preferred", 0, 0, True, Decision.CPU),
        ("preferred", 2, 1, True, Decision.DEVICE),
        ("preferred", 2, 0, True, Decision.WAIT),
        ("preferred", 2, 0, False, Decision.REPORT),
        ("required", 0, 0, True, Decision.REPORT),
        ("required", 2, 1, True, Decision.DEVICE),
        ("required", 2, 1, False, Decision.DEVICE),
        ("required", 2, 0, True, Decision.WAIT),
        ("required", 2, 0, False, Decision.REPORT),
    ],
)
def test_what_becomes_of_a_need(need: str, devices: int, free: int, may_wait: bool, decision: Decision) -> None:
    assert decide(need, devices=devices, free=free, may_wait=may_wait) is decision


def test_another_word_for_a_need_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="'sometimes': expected one of required, preferred, none"):
        decide("sometimes", devices=1, free=1)


def test_who_needs_none_asks_nobody_and_locks_nothing(folder: Path) -> None:
    with leased("none", folder=folder) as lease:
        assert lease is None
    assert not folder.exists()


def test_without_a_card_preferred_runs_on_the_cpu_and_required_is_our_fault(tmp_path: Path, folder: Path) -> None:
    empty = Nvml(SimulatedLibrary(tmp_path / "empty", []))
    with leased("preferred", nvml=empty, folder=folder) as lease:
        assert lease is None
    assert "none that works: the driver names no device" in refused(empty, folder)


def test_each_run_has_its_card_for_itself_and_a_third_waits(nvml: Nvml, folder: Path) -> None:
    with leased("required", nvml=nvml, folder=folder) as first, leased("preferred", nvml=nvml, folder=folder) as second:
        assert first is not None and second is not None
        assert {first.gpu.uuid, second.gpu.uuid} == {"GPU-0", "GPU-1"}
        assert (first.share, first.memory_bytes) == (1, 80 * GIB)
        assert "no GPU was free in time" in refused(nvml, folder)
    with leased("required", nvml=nvml, folder=folder, timeout_seconds=0) as again:
        assert again is not None


def test_a_shared_card_has_so_many_places_and_every_card_is_filled_once_before_any_twice(nvml: Nvml, folder: Path) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(leased("required", share=2, nvml=nvml, folder=folder)) for _ in range(4)]
        uuids = [lease.gpu.uuid for lease in held if lease]
        assert set(uuids[:2]) == set(uuids[2:]) == {"GPU-0", "GPU-1"}
        assert {lease.memory_bytes for lease in held if lease} == {40 * GIB}
        assert "held by" in refused(nvml, folder, share=2)


@pytest.fixture
def one(tmp_path: Path, library: SimulatedLibrary) -> Nvml:
    """A host with one card."""
    return Nvml(SimulatedLibrary(tmp_path / "nvml.json", [card(0)]))


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_who_needs_a_whole_card_never_shares_it_with_who_does_not(one: Nvml, folder: Path, first: int, second: int) -> None:
    with leased("required", share=first, nvml=one, folder=folder):
        assert "held by" in refused(one, folder, share=second)


def test_shares_of_different_sizes_never_come_to_more_than_the_card(one: Nvml, folder: Path) -> None:
    with ExitStack() as stack:
        for share in (2, 4, 4):
            assert stack.enter_context(leased("required", share=share, nvml=one, folder=folder, timeout_seconds=0))
        assert "held by" in refused(one, folder, share=8)


def test_a_card_for_one_process_at_a_time_is_not_shared(tmp_path: Path, folder: Path, library: SimulatedLibrary) -> None:
    library.change("GPU-0", mode=3)
    library.change("GPU-1", lost=True)
    nvml = Nvml(library)
    with leased("required", share=4, nvml=nvml, folder=folder) as lease:
        assert lease is not None and (lease.share, lease.memory_bytes) == (1, 80 * GIB)
        assert "held by" in refused(nvml, folder, share=4)


def test_slices_are_leased_each_by_itself(tmp_path: Path, folder: Path, library: SimulatedLibrary) -> None:
    slices = [mig_slice("MIG-GPU-0/1/0", 1, 0), mig_slice("MIG-GPU-0/2/0", 2, 0)]
    nvml = Nvml(SimulatedLibrary(tmp_path / "mig", [card(0, mig=slices)]))
    with leased("required", nvml=nvml, folder=folder) as a, leased("required", nvml=nvml, folder=folder) as b:
        assert a is not None and b is not None
        assert {a.gpu.uuid, b.gpu.uuid} == {"MIG-GPU-0/1/0", "MIG-GPU-0/2/0"}
        assert a.memory_bytes == 10 * GIB
        refused(nvml, folder)


def test_a_lost_card_is_passed_over(nvml: Nvml, library: SimulatedLibrary, folder: Path) -> None:
    library.change("GPU-0", lost=True)
    with leased("required", nvml=nvml, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None and lease.gpu.uuid == "GPU-1"


def test_cards_that_are_all_lost_while_one_waits_end_the_wait(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")

    def lose(waiting: Waiting) -> None:
        library.change("GPU-0", lost=True)

    with leased("required", nvml=one, folder=folder):
        with pytest.raises(DeviceUnavailable, match="lost"), leased("required", nvml=one, folder=folder, progress=lose):
            pass
        library.change("GPU-0", lost=False)
        with leased("preferred", nvml=one, folder=folder, progress=lose) as lease:
            assert lease is None, "a host without a card that works: the CPU"


def test_who_waits_is_told_why_and_only_when_that_changes(one: Nvml, folder: Path) -> None:
    told: list[Waiting] = []
    with leased("required", nvml=one, folder=folder, label="lab1 of ab1c23"), pytest.raises(DeviceUnavailable):
        second = leased(
            "required", nvml=one, folder=folder, label="lab1 of xy9z87", timeout_seconds=0.2, progress=told.append
        )
        second.__enter__()
    assert told == [Waiting("lab1 of xy9z87", 1, (), ("GPU-0: held by lab1 of ab1c23",))]


def test_a_wait_can_be_called_off_and_leaves_no_ticket(one: Nvml, folder: Path) -> None:
    cancelled = threading.Event()
    with leased("required", nvml=one, folder=folder):
        with pytest.raises(LeaseCancelled, match="called off"), leased(
            "required", nvml=one, folder=folder, cancelled=cancelled, progress=lambda waiting: cancelled.set()
        ):  # fmt: skip
            pass
        assert queue.waiting(Ledger(folder)) == []
    assert list((folder / "queue").iterdir()) == []


def test_a_lease_is_given_back_when_its_run_raises(one: Nvml, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), leased("required", nvml=one, folder=folder):
        raise ZeroDivisionError
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def used(lease: Lease | None, library: SimulatedLibrary, **processes: int) -> None:
    """The run of a lease takes memory on its device, and its watch sees it."""
    assert lease is not None
    library.change(lease.gpu.uuid, processes={name.removeprefix("p"): size for name, size in processes.items()})
    lease.note({int(name.removeprefix("p")) for name in processes})


def test_memory_of_a_finished_run_is_back_before_anybody_gets_its_card(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    with leased("required", nvml=one, folder=folder, label="the first") as lease:
        used(lease, library, p4194999=10 * GIB)
    why = refused(one, folder)
    assert "(the first), process 4194999 is still there with 10240 MiB; to lend it all the same, remove " in why
    library.change("GPU-0", processes={}, leaked=3 * GIB)  # the process is gone, the driver still tidies up
    assert "3072 MiB are not back" in refused(one, folder)
    library.change("GPU-0", leaked=0)
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def test_memory_that_comes_back_late_is_waited_for(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    told: list[tuple[str, ...]] = []
    left = iter([2 * GIB, GIB, 0])

    def late(waiting: Waiting) -> None:
        told.append(waiting.devices)
        library.change("GPU-0", leaked=next(left))

    with leased("required", nvml=one, folder=folder):
        library.change("GPU-0", leaked=3 * GIB)
    with leased("required", nvml=one, folder=folder, timeout_seconds=60, progress=late) as lease:
        assert lease is not None
    assert [line.split(" MiB are not back")[0].split(", ")[-1] for (line,) in told] == ["3072", "2048", "1024"]


def test_who_looks_at_a_place_is_not_taken_for_its_holder(one: Nvml, folder: Path, tmp_path: Path) -> None:
    """Or else, while somebody looks, the other half of a card would be lent before the first half's memory is back."""
    with leased("required", share=2, nvml=one, folder=folder):
        SimulatedLibrary(tmp_path / "nvml.json").change("GPU-0", leaked=3 * GIB)
    with (folder / "GPU-0.2.0").open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert "not back" in refused(one, folder, share=2)


def test_removing_the_file_lends_a_card_all_the_same(one: Nvml, folder: Path, tmp_path: Path) -> None:
    with leased("required", nvml=one, folder=folder):
        SimulatedLibrary(tmp_path / "nvml.json").change("GPU-0", leaked=3 * GIB)
    Path(refused(one, folder).rsplit("remove ", 1)[1]).unlink()
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def test_other_cards_are_lent_while_one_is_not_clean(nvml: Nvml, library: SimulatedLibrary, folder: Path) -> None:
    with leased("required", nvml=nvml, folder=folder) as lease:
        assert lease is not None
        dirty = lease.gpu.uuid
        library.change(dirty, leaked=GIB)
    with leased("required", nvml=nvml, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None and lease.gpu.uuid != dirty


def test_numbers_from_before_a_restart_mean_nothing(
    one: Nvml, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with leased("required", nvml=one, folder=folder):
        SimulatedLibrary(tmp_path / "nvml.json").change("GPU-0", leaked=3 * GIB)
    assert "not back" in refused(one, folder)
    monkeypatch.setattr(ledger, "machine_state", lambda driver: f"another start {driver}")
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def test_what_was_on_a_card_before_and_what_a_desktop_puts_there_is_no_runs(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    library.change("GPU-0", processes={"4194001": GIB})
    with leased("required", nvml=one, folder=folder):
        ourselves = str(os.getpid())  # a process with ids of the host's, that no lease wrote down
        library.change("GPU-0", processes={"4194001": 2 * GIB, ourselves: 5 * GIB})
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def test_of_two_on_a_card_one_can_go_and_be_replaced_while_the_other_stays(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    both = {"4194001": 3 * GIB, "4194002": 4 * GIB}
    with leased("required", share=2, nvml=one, folder=folder) as stays:
        assert stays is not None
        with leased("required", share=2, nvml=one, folder=folder) as goes:
            assert goes is not None
            library.change("GPU-0", processes=both)
            stays.note({4194001})
            goes.note({4194002})
        assert "process 4194002 is still there" in refused(one, folder, share=2)
        library.change("GPU-0", processes={"4194001": 30 * GIB})
        with leased("required", share=2, nvml=one, folder=folder, timeout_seconds=0) as third:
            assert third is not None


def test_where_sizes_are_not_told_a_whole_card_is_judged_by_what_it_holds(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    library.change("GPU-0", processes={"4194001": GIB}, tells_sizes=False)
    with leased("required", nvml=one, folder=folder):
        library.change("GPU-0", leaked=2 * GIB)
    assert "2048 MiB are not back" in refused(one, folder)
    library.change("GPU-0", leaked=100 * MIB)
    with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
        assert lease is not None


def test_a_record_that_cannot_be_read_is_not_taken_for_a_clean_card(one: Nvml, folder: Path, tmp_path: Path) -> None:
    library = SimulatedLibrary(tmp_path / "nvml.json")
    with leased("required", nvml=one, folder=folder):
        pass
    (folder / "GPU-0.1.0").write_text('{"holder": 12')
    library.change("GPU-0", processes={"4194001": GIB})
    assert "process 4194001 is still there" in refused(one, folder)


# --- real processes ---------------------------------------------------------------------------------------------------

HOLDER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gpu_runner.gpus import leases
from gpu_runner.gpus.discovery import Nvml
from tests.gpu_runner.gpus.simulated import SimulatedLibrary

leases.POLL_SECONDS = 0.01
library = SimulatedLibrary(Path(sys.argv[2]))
say = lambda *words: print(*words, flush=True)
with leases.leased("required", nvml=Nvml(library), folder=Path(sys.argv[3]), label=sys.argv[4], timeout_seconds=60,
                   progress=lambda waiting: say("waits", len(waiting.ahead))) as lease:
    say("holds", lease.gpu.uuid)
    %s
"""


@contextmanager
def another(tmp_path: Path, folder: Path, label: str, body: str = "sys.stdin.readline()") -> Iterator[subprocess.Popen[str]]:
    """A process that takes a lease, says so, and does `body`; killed in the end."""
    command = [sys.executable, "-c", HOLDER % body, str(ROOT), str(tmp_path / "nvml.json"), str(folder), label]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_holder_gives_its_card_back_but_not_before_its_memory_is(one: Nvml, folder: Path, tmp_path: Path) -> None:
    """Of its processes only one was written down: the other came just before the end."""
    takes = "library.change('GPU-0', processes={'4194001': 2**30, '4194002': 2**30})"
    body = f"{takes}; lease.note({{4194001}}); say('runs'); time.sleep(600)"
    library = SimulatedLibrary(tmp_path / "nvml.json")
    with another(tmp_path, folder, "the killed one", body) as holder:
        assert [heard(holder), heard(holder)] == ["holds GPU-0", "runs"]
        assert "held by the killed one" in refused(one, folder)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert "(the killed one), process 4194001, 4194002 is still there" in refused(one, folder)
        library.change("GPU-0", processes={"4194002": 2**30})
        assert "process 4194002 is still there" in refused(one, folder)
        library.change("GPU-0", processes={})
        with leased("required", nvml=one, folder=folder, timeout_seconds=0) as lease:
            assert lease is not None


def test_a_forked_child_that_outlives_its_killed_parent_keeps_no_card(one: Nvml, folder: Path, tmp_path: Path) -> None:
    body = "child = os.fork()\n    say('child', child) if child else None\n    time.sleep(600)"
    with another(tmp_path, folder, "the parent", body) as holder:
        assert heard(holder) == "holds GPU-0"
        child = int(heard(holder).split()[1])
        try:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            os.kill(child, 0)
            with leased("required", nvml=one, folder=folder, timeout_seconds=10) as lease:
                assert lease is not None  # at the latest when the child has run for a moment
        finally:
            os.kill(child, signal.SIGKILL)


def test_first_come_first_served_and_the_dead_are_passed_over(one: Nvml, folder: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        with leased("required", nvml=one, folder=folder):
            waiters = []
            for number in range(4):
                waiters.append(stack.enter_context(another(tmp_path, folder, f"waiter {number}")))
                assert heard(waiters[-1]) == f"waits {number}"
            assert queue.waiting(Ledger(folder)) == [f"waiter {number}" for number in range(4)]
            waiters[1].kill()
            waiters[1].wait()
            assert queue.waiting(Ledger(folder)) == ["waiter 0", "waiter 2", "waiter 3"]
        for number in (0, 2, 3):
            said = iter(lambda number=number: heard(waiters[number]), "holds GPU-0")  # type: ignore[misc]
            assert all(line.startswith("waits") for line in said)
            assert "waits too" in refused(one, folder) or number == 3, "a newcomer does not push in"
            stdin = waiters[number].stdin
            assert stdin is not None
            stdin.write("\n")
            stdin.flush()
            waiters[number].wait(60)


def use(state: Path, folder: Path, share: int) -> tuple[float, float, str]:
    leases.POLL_SECONDS = 0.005
    with leased("required", share=share, nvml=Nvml(SimulatedLibrary(state)), folder=folder, timeout_seconds=120) as lease:
        assert lease is not None
        began = time.monotonic()
        time.sleep(0.03)
        return began, time.monotonic(), lease.gpu.uuid


@pytest.mark.parametrize("share", [1, 2])
def test_eight_contending_processes_never_have_more_of_a_card_than_there_is(
    nvml: Nvml, folder: Path, tmp_path: Path, share: int
) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        uses = pool.starmap(use, [(tmp_path / "nvml.json", folder, share)] * 32, chunksize=1)
    assert len(uses) == 32
    for uuid in ("GPU-0", "GPU-1"):
        changes = sorted(change for began, ended, used in uses if used == uuid for change in ((began, 1), (ended, -1)))
        assert changes, f"{uuid} was never used"
        assert most_at_once(changes) <= share
    assert queue.waiting(Ledger(folder)) == []


def most_at_once(changes: list[tuple[float, int]]) -> int:
    now, most = 0, 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


# --- the directory ----------------------------------------------------------------------------------------------------


def test_the_directory_is_the_same_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A session, a service and cron have different ones, and must not lease the same card twice."""
    plain = ledger.default_folder()
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert ledger.default_folder() == plain


def test_the_directory_is_closed_to_others(folder: Path) -> None:
    Ledger(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["writable", "link", "strange"])
def test_a_directory_that_is_not_ours_alone_is_not_used(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "theirs"
    if kind == "link":
        (tmp_path / "real").mkdir()
        folder.symlink_to(tmp_path / "real")
    else:
        folder.mkdir()
        folder.chmod(0o722 if kind == "writable" else 0o700)
    if kind == "strange":
        if os.geteuid() != 0:
            pytest.skip("only root can make a directory of somebody else")
        os.chown(folder, 12345, 12345)
    with pytest.raises(DeviceUnavailable, match="not a directory of this user alone"):
        Ledger(folder)


def test_what_a_run_wrote_down_is_read_back(one: Nvml, folder: Path) -> None:
    with leased("required", nvml=one, folder=folder, label="Zoë's lab") as lease:
        assert lease is not None
        for pids in ({7}, {8, 9}, {7, 8}):
            lease.note(pids)
        (place,) = Ledger(folder).places("GPU-0")
        record = place.record()
        assert place.held and record is not None
        assert (record.label, record.holder, record.pids) == ("Zoë's lab", os.getpid(), (7, 8, 9))
        assert replace(record, pids=()).left_behind(one.read("GPU-0"), set()) == ""

