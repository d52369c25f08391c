"""Plays the demo: lays a course, hands in, collects, grades, imports, marks, and writes sheet and feedback."""

from __future__ import annotations

import contextlib
import csv
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import nbformat
import psutil
from nbformat import NotebookNode

from assessor.course import AUTOMATIC, Course, load_course
from assessor.database import Database, open_database
from assessor.database.gradebook import StudentRow, gradebook
from assessor.errors import AssessorError
from assessor.marking.marks import AssignmentMark
from assessor.notebooks.release import read_source
from assessor.workflow.autograde import Graded, autograde
from assessor.workflow.collect import Inbox, Named, collect
from assessor.workflow.demo.cells import solved
from assessor.workflow.demo.cohort import COHORT, NO_NOTEBOOK, NO_SUBMISSION, SECOND_ATTEMPT, Planted, describe
from assessor.workflow.demo.fates import FATES
from assessor.workflow.demo.quizzes import quiz_faults, take_and_mark
from assessor.workflow.demo.teams import TeamResult, play_teams
from assessor.workflow.extend import add_extension
from assessor.workflow.feedback import feedback
from assessor.workflow.init import init_course
from assessor.workflow.mark import add_mark
from assessor.workflow.marksheet import marksheet
from assessor.workflow.release import release
from assessor.workflow.roster import import_roster
from assessor.workflow.submit import submit
from gpu_runner.kernelspec import install_kernelspec

LAB, OTHER_LAB = "lab1_pytorch", "lab2_autodiff"
AUTHOR = "demo"
MARK_OF_DEMO = ".assessor-demo"
SMALLER = {"cell_cpu_seconds = 20": "cell_cpu_seconds = 5", 'memory_bytes = "2 GiB"': 'memory_bytes = "1 GiB"'}
"""Limits that the demo's accidents are quick to reach, on a small machine too."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoRow:
    """One student: what was planted, what came of it."""

    planted: Planted
    obtained: str
    note: str
    module: Decimal | None

    @property
    def as_planned(self) -> bool:
        """Whether they are the same."""
        return self.planted.result == self.obtained


@dataclass(frozen=True)
class DemoResult:
    """The whole demo."""

    rows: tuple[DemoRow, ...]
    teams: tuple[TeamResult, ...]
    seconds: float
    peak_rss_mb: int
    folder: Path
    written: tuple[Path, ...]

    @property
    def differ(self) -> int:
        """How many students and teams did not get what was planted."""
        return sum(not row.as_planned for row in self.rows) + sum(not team.as_planned for team in self.teams)

    def summary(self) -> dict[str, object]:
        """For machines."""
        return {
            "students": len(self.rows),
            "teams": len(self.teams),
            "differ": self.differ,
            "seconds": round(self.seconds, 1),
            "peak_rss_mb": self.peak_rss_mb,
        }


def play(folder: Path, *, workers: int | None, say: Say) -> DemoResult:
    """Plays the demo in a directory of its own; an earlier demo there is replaced, nothing else ever is.

    Raises:
        AssessorError: the directory holds something that no demo made, or this machine cannot sandbox.
    """
    started = time.monotonic()
    with _peak_memory() as peak:
        course, database = _lay(folder, say)
        _hand_in(course, database, say)
        notes = _grade(course, database, workers, say)
        _resubmit(course, database)
        notes |= _grade(course, database, workers, say)
        _other_marks(course, database, say)
        teams = play_teams(course, database, [student.id for student in COHORT], author=AUTHOR, say=say)
        faults = quiz_faults(database)
        sheet = marksheet(course, database, now=datetime.now(UTC))
        pages = feedback(course, database, now=datetime.now(UTC))
        say(f"wrote the mark sheet and {len(pages.paths)} feedback pages")
        rows = tuple(_row(planted, students, notes, faults) for planted, students in _paired(gradebook(course, database)))
        database.close()
    return DemoResult(rows, teams, time.monotonic() - started, peak[0] // 2**20, course.root, tuple(sheet.paths))


def _lay(folder: Path, say: Say) -> tuple[Course, Database]:
    """A fresh course of the reference's files, with its class list and its releases."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK_OF_DEMO).is_file():
            raise AssessorError(f"{folder}: holds something that no demo made; name another directory with --dir")
        shutil.rmtree(folder)
    init_course(folder)
    install_kernelspec()
    (folder / MARK_OF_DEMO).touch()
    _keep_two_labs(folder)
    for name in (LAB, OTHER_LAB):
        settings = folder / "assignments" / name / "assignment.toml"
        text = settings.read_text(encoding="utf-8")
        for given, here in SMALLER.items():
            text = text.replace(given, here)
        settings.write_text(text, "utf-8")
    course = load_course(folder)
    database = open_database(course.root, create=True)
    rows = [(student.id, student.name, f"{student.id}@example.org") for student in COHORT]
    students = _table(course, "students.csv", ("id", "name", "email"), rows)
    import_roster(database, students, author=AUTHOR, now=datetime.now(UTC))
    for name in (LAB, OTHER_LAB):
        release(course, name)
    say(f"{course.code} in {folder}: {len(COHORT)} students, two labs released")
    return course, database


def _keep_two_labs(folder: Path) -> None:
    """Takes the other labs out: nobody hands them in here, and every module mark would be short of them."""
    file = folder / "course.toml"
    head, *entries = file.read_text(encoding="utf-8").split("[[assignment]]\n")
    labs = [one.name for one in load_course(folder).assignments if one.kind == "notebook"]
    for lab in set(labs) - {LAB, OTHER_LAB}:
        entries = [entry for entry in entries if f'name = "{lab}"' not in entry]
        for place in ("assignments", "graders"):
            shutil.rmtree(folder / place / lab)
    file.write_text("[[assignment]]\n".join([head, *entries]), "utf-8")


def _hand_in(course: Course, database: Database, say: Say) -> None:
    due = course.assignment(LAB).due
    sources = {name: _source(course, name) for name in (LAB, OTHER_LAB)}
    for student in COHORT:
        if student.extension:
            add_extension(
                course, database, student.id, LAB, student.extension, author=AUTHOR, reason="illness", now=due
            )
        if student.fate == NO_SUBMISSION:
            continue
        _submit(course, OTHER_LAB, student, solved(sources[OTHER_LAB]), due + timedelta(hours=-30))
        if student.fate != NO_NOTEBOOK:
            first = "right" if student.fate == SECOND_ATTEMPT else student.fate
            _submit(course, LAB, student, FATES[first](sources[LAB]), due + student.late)
    counts = [collect(course, database, name, Inbox(), now=datetime.now(UTC)).count("new") for name in (LAB, OTHER_LAB)]
    by_mail = course.root / "from-the-lms"
    by_mail.mkdir()
    for student in COHORT:
        if student.fate == NO_NOTEBOOK:
            file = by_mail / f"{student.id}_2021-05-02-1200_{LAB} (2).ipynb"
            file.write_bytes(b"%PDF-1.7 I exported it as you said\n")
    named = Named(by_mail, "{student}_{timestamp}_{file}")
    counts.append(collect(course, database, LAB, named, now=datetime.now(UTC)).count("new"))
    say(f"collected {sum(counts)} hand-ins")


def _submit(course: Course, name: str, student: Planted, notebook: NotebookNode, now: datetime) -> None:
    """As the student's own command would: a file on disk, handed in."""
    file = course.root / "students" / student.id / f"{name}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)
    submit(course, name, student.id, [file], now=now)


def _resubmit(course: Course, database: Database) -> None:
    """A second attempt, worse than the first: it counts, and the first is kept."""
    for student in COHORT:
        if student.fate == SECOND_ATTEMPT:
            notebook = FATES[student.fate](_source(course, LAB))
            _submit(course, LAB, student, notebook, course.assignment(LAB).due + timedelta(hours=-2))
    collect(course, database, LAB, Inbox(), now=datetime.now(UTC))


def _grade(course: Course, database: Database, workers: int | None, say: Say) -> dict[tuple[str, str], str]:
    started = time.monotonic()

    def progress(row: Graded | None, done: int, total: int) -> None:
        if row is not None and (done % 8 == 0 or done == total):
            rate = 60 * done / (time.monotonic() - started)
            say(f"graded {done} of {total}, {rate:.0f} a minute")

    report = autograde(course, database, workers=workers, progress=progress)
    return {(row.student, row.assignment): row.note for row in report.rows}


def _other_marks(course: Course, database: Database, say: Say) -> None:
    """Manual items by hand, both quizzes taken and marked."""
    now = datetime.now(UTC)
    handed_in = [student for student in COHORT if student.fate != NO_SUBMISSION]
    for place, student in enumerate(handed_in):
        for name in (LAB, OTHER_LAB):
            for item in course.assignment(name).manual:
                points = item.marks * (1 if place % 3 else Decimal("0.5"))
                add_mark(
                    course, database, student.id, name, item.name, points, author=AUTHOR,
                    reason="plot and argument, marked by hand", now=now,
                )  # fmt: skip
    take_and_mark(course, database, author=AUTHOR, now=now)
    say("marked by hand what people mark; two quizzes taken and marked")


def _paired(rows: list[StudentRow]) -> Iterator[tuple[Planted, StudentRow]]:
    by_id = {row.id: row for row in rows}
    for planted in COHORT:
        yield planted, by_id[planted.id]


def _row(
    planted: Planted, student: StudentRow, notes: dict[tuple[str, str], str], quizzes: dict[str, str]
) -> DemoRow:
    mark = next(one for one in student.mark.assignments if one.name == LAB)
    other = next(one for one in student.mark.assignments if one.name == OTHER_LAB)
    obtained = describe(_automatic(mark), mark.late_factor)
    expected = None if planted.fate == NO_SUBMISSION else Decimal(4)
    if _automatic(other) != expected:
        obtained += f"; {OTHER_LAB}: {_automatic(other)}, expected {expected}"
    if planted.id in quizzes:
        obtained += f"; {quizzes[planted.id]}"
    note = notes.get((planted.id, LAB), "")
    return DemoRow(planted, obtained, note, student.mark.rounded)


def _automatic(mark: AssignmentMark) -> Decimal | None:
    """The hidden tests' part of a mark."""
    return next(item.points for item in mark.items if item.item == AUTOMATIC)


def _source(course: Course, name: str) -> NotebookNode:
    assignment = course.assignment(name)
    return read_source(assignment.source / assignment.notebooks[0])


def _table(course: Course, name: str, header: tuple[str, ...], rows: object) -> Path:
    path = course.root / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]
    return path


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The largest sum of resident memory of this process and all below it; shared pages count in each."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            total = 0
            with contextlib.suppress(psutil.Error):
                me = psutil.Process()
                for process in (me, *me.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += process.memory_info().rss
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch, name="peak-memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
