"""Running a team's code again and comparing what it gives with what the paper claims: evidence for markers, never a mark.

Each seed is run in a fresh sandbox of its own, so that no run leaves anything to the next. A fault of ours raises, and nothing is
recorded. What the team's code does, crash or flood or hang, is recorded as such.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from assessor.course import Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.errors import AssessorError, CourseInvalid
from assessor.files import new_folder
from assessor.projects.claims import FILE, Judgement, Reproduce, Status, judge, read_number, read_reproduce
from assessor.projects.handin import ARCHIVE, BUNDLE, Code, checklist
from assessor.projects.settings import Project, load_project
from assessor.reports.pages import render
from assessor.workflow.project_handin import newest_work, read_code
from gpu_runner.commands import CommandRun, run_commands
from gpu_runner.execution import Outcome
from gpu_runner.gpus import Lease, leased

ENOUGH_FAILURES = 2
"""After so many runs that failed the rest is not run: the answer is known, and time is dear."""
SLOW = 3
"""So many times the stated minutes are told to the marker."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class SeedRun:
    """One run: whether it ended well, in words, and what it took."""

    seed: int
    ended_well: bool
    words: str
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


@dataclass(frozen=True)
class Reproduction:
    """What came of a team's code.

    Attributes:
        flags: the code completeness checklist.
        error_rate: at most so often a team whose every claim is honest reads 'not reproduced' of any of them.
        notes: what else the marker should see.
        folder: where logs and result files lie, relative to the course.
    """

    team: str
    attempt: int
    at: str
    device: str
    runs: tuple[SeedRun, ...]
    claims: tuple[Judgement, ...]
    flags: dict[str, bool]
    error_rate: float
    notes: tuple[str, ...]
    folder: str

    def count(self, status: str) -> int:
        """How many claims have this status."""
        return sum(claim.status == status for claim in self.claims)


def reproduce(
    course: Course,
    database: Database,
    name: str,
    team: str,
    *,
    seeds: int | None = None,
    author: str,
    now: datetime,
    say: Say = lambda line: None,
) -> Reproduction:
    """Runs the newest work of a team with seeds 1 to n and judges its claims; records it, with logs and results.

    Raises:
        UnknownName, AssessorError: no such project or team, or nothing was collected of it.
        SubmissionRefused: the team's; its archive cannot be read.
        RunnerError: ours; nothing was recorded.
    """
    project = load_project(course, name)
    if course.environment.sandbox == "unconfined":
        raise AssessorError("a team's commands are run in a sandbox alone: environment.sandbox may not be unconfined")
    attempt, place = newest_work(course, database, project, team)
    files = {each: (place / each).read_bytes() for each in (ARCHIVE, BUNDLE) if (place / each).is_file()}
    code = read_code(course, files)
    asked, fault = _asked(code)
    folder = Path("reports", "reproduction", team, f"{attempt}-{now.astimezone(UTC):%Y%m%dT%H%M%S}")
    with ExitStack() as stack:
        lease, notes = _lease(stack, course, project, asked, team)
        fresh = stack.enter_context(new_folder(course.root / folder))
        runs, results = _runs(course, project, code, asked, seeds, lease, fresh, say) if asked else ([], [])
        found = Reproduction(
            team, attempt, now.astimezone(UTC).isoformat(timespec="seconds"), lease.gpu.name if lease else "cpu",
            tuple(runs), _judged(project, asked, results), checklist(code, asked), project.rules.reproduce.error_rate,
            (*notes, *([fault] if fault else []), *_slow(asked, runs)), folder.as_posix(),
        )  # fmt: skip
        (fresh / "report.html").write_text(render("project_reproduction.html", found=found, course=course.code), "utf-8")
    with database.transaction() as session:
        add_act(
            session, Verb.REPRODUCTION, subject=name, detail=asdict(found), reason="reproduction", author=author, now=now
        )
    return found


def reproductions(course: Course, database: Database, name: str) -> dict[str, Reproduction]:
    """The newest reproduction of each team.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    load_project(course, name)
    with database.reading() as session:
        acts = acts_in_force(session, Act.verb == Verb.REPRODUCTION, Act.subject == name)
        return {act.detail["team"]: _read(act.detail) for act in acts}


def _read(detail: dict[str, Any]) -> Reproduction:
    runs = tuple(SeedRun(**each) for each in detail["runs"])
    claims = tuple(
        Judgement(**{**each, "status": Status(each["status"]), "numbers": tuple(each["numbers"])})
        for each in detail["claims"]
    )
    return Reproduction(**{**detail, "runs": runs, "claims": claims, "notes": tuple(detail["notes"])})


def _asked(code: Code) -> tuple[Reproduce | None, str]:
    """What the team says is to be run; None and why where that cannot be read. It was, when it was handed in."""
    if code.reproduce is None:
        return None, f"{FILE} is missing"
    try:
        return read_reproduce(code.reproduce), ""
    except CourseInvalid as fault:
        return None, str(fault)


def _lease(
    stack: ExitStack, course: Course, project: Project, asked: Reproduce | None, team: str
) -> tuple[Lease | None, list[str]]:
    if asked is None or not asked.gpu:
        return None, []
    need = project.rules.reproduce.gpu
    if need == "none":
        return None, ["asks for a GPU, which this project does not give: run on the CPU"]
    lease = stack.enter_context(leased(need, share=course.environment.gpu_share, label=f"team {team}"))
    return lease, [] if lease else ["asks for a GPU, which this machine does not have: run on the CPU"]


def _runs(
    course: Course, project: Project, code: Code, asked: Reproduce, seeds: int | None, lease: Lease | None, folder: Path, say: Say
) -> tuple[list[SeedRun], list[bytes]]:
    """Every seed's run, and the result file of each that ended well (b'' of the others); logs and results go to `folder`."""
    runs: list[SeedRun] = []
    results: list[bytes] = []
    for seed in range(1, (seeds or project.rules.reproduce.seeds) + 1):
        failed = sum(not run.ended_well for run in runs)
        if failed >= ENOUGH_FAILURES:
            runs.append(SeedRun(seed, False, f"not run, after {failed} that failed"))
            results.append(b"")
            continue
        say(f"seed {seed}")
        done = _run(course, project, code, asked, seed, lease, say)
        run = _seed_run(seed, asked, done)
        say(f"seed {seed}: {run.words}, {run.wall_seconds:.1f} s")
        runs.append(run)
        written = done.results.get(asked.results, b"")
        results.append(written if run.ended_well else b"")
        (folder / f"log-{seed}.txt").write_bytes(done.log)
        if written:
            (folder / f"results-{seed}.json").write_bytes(written)
    return runs, results


def _run(
    course: Course, project: Project, code: Code, asked: Reproduce, seed: int, lease: Lease | None, say: Say
) -> CommandRun:
    return run_commands(
        asked.commands, project.limits, files={code.archive: code.data}, unpack=code.archive, results=[asked.results],
        env={"SEED": str(seed)}, backend=course.environment.sandbox, python=course.environment.python, lease=lease,
        say=lambda line: say(f"  {line}"),
    )  # fmt: skip


def _seed_run(seed: int, asked: Reproduce, done: CommandRun) -> SeedRun:
    """How a run ended, in words."""
    failed = next((place for place, end in enumerate(done.ended, 1) if end.status != 0), None)
    if done.outcome is not Outcome.COMPLETED:
        words = str(done.outcome) + (f" ({done.fault})" if done.fault else "")
    elif done.fault:
        words = f"could not be unpacked: {done.fault}"
    elif failed is not None:
        words = f"command {failed} of {len(asked.commands)} ended with status {done.ended[failed - 1].status}"
    elif asked.results in done.faults:
        words = f"{asked.results}: {done.faults[asked.results]}"
    else:
        words = "ended well"
    used = done.usage
    return SeedRun(seed, words == "ended well", words, used.wall_seconds, used.cpu_seconds, used.peak_memory_bytes)


def _judged(project: Project, asked: Reproduce | None, results: list[bytes]) -> tuple[Judgement, ...]:
    if asked is None:
        return ()
    numbers = {
        claim.name: [read_number(each, claim.read)[0] if each else None for each in results] for claim in asked.claim
    }
    return judge(asked.claim, numbers, project.rules.reproduce.error_rate)


def _slow(asked: Reproduce | None, runs: list[SeedRun]) -> list[str]:
    longest = max((run.wall_seconds for run in runs), default=0.0)
    if asked is None or longest <= 60 * SLOW * asked.minutes:
        return []
    took, said = Decimal(longest / 60).quantize(Decimal("0.1")), Decimal(str(asked.minutes))
    return [f"a run took {took} minutes, {said} were stated"]
