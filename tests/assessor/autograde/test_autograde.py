"""Grading a cohort: right marks, our faults to review, and nothing lost or doubled when processes are killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import nbformat
import psutil
import pytest
from sqlalchemy import select

from assessor.course import Course, load_course
from assessor.database import Database
from assessor.database.gradebook import gradebook
from assessor.database.locking import writer_lock
from assessor.database.tables import GradingRecord, Job, Mark
from assessor.errors import AlreadyRunning
from assessor.marking.marks import Status
from assessor.workflow.autograde import autograde

ASSESSOR = Path(sys.executable).with_name("assessor")
Notebook = Callable[..., nbformat.NotebookNode]


def marks(database: Database) -> dict[str, list[Decimal]]:
    found: dict[str, list[Decimal]] = {}
    with database.reading() as session:
        for mark in session.scalars(select(Mark).order_by(Mark.id)):
            found.setdefault(mark.student_id, []).append(mark.points)
    return found


def states(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(Job.state)))


def test_each_student_gets_the_marks_of_what_works(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    hand_in(ada=notebook(), ben=notebook({"square": "return x + x"}), cem=notebook({"double": "return 1 / 0"}))
    report = autograde(tiny_course, database, workers=2)
    assert marks(database) == {"ada": [Decimal(3)], "ben": [Decimal(1)], "cem": [Decimal(2)]}
    assert not report.in_review and states(database) == {"recorded"}
    assert (tiny_course.root / "autograded/ada/tiny/1/tiny.ipynb").is_file()
    assert not autograde(tiny_course, database, workers=1).rows, "a second run grades nothing again"


def test_every_phase_of_a_job_is_stamped(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    hand_in(ada=notebook())
    autograde(tiny_course, database, workers=0)
    with database.reading() as session:
        job = session.scalars(select(Job)).one()
        evidence = session.scalars(select(GradingRecord)).one()
    times = [job.queued_at, job.leased_at, job.started_at, job.finished_at, job.recorded_at]
    assert all(times) and times == sorted(times)
    assert job.host and job.device == "cpu" and job.tries == 1
    assert evidence.manifest["sandbox"]["backend"] == "bubblewrap"


def test_a_bug_in_a_hidden_test_costs_nobody_and_goes_to_review(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    tests = tiny_course.root / "graders/tiny/test_tiny.py"
    good = tests.read_text()
    tests.write_text(good.replace("student.square(12) ==", "student.square(12) / 0 =="))
    hand_in(ada=notebook())
    run = [str(ASSESSOR), "--course", str(tiny_course.root), "autograde", "--workers", "1", "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert marks(database) == {} and states(database) == {"review"}
    (row,) = gradebook(tiny_course, database)
    assert row.mark.assignments[0].status is Status.REVIEW
    tests.write_text(good)
    assert not autograde(tiny_course, database, workers=0).in_review
    assert marks(database) == {"ada": [Decimal(3)]}


def test_a_sandbox_that_cannot_start_costs_nobody(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    hand_in(ada=notebook(), ben=notebook())
    settings = tiny_course.root / "course.toml"
    settings.write_text(f'{settings.read_text()}\n[environment]\npython = "no-such-python"\n')
    report = autograde(load_course(tiny_course.root), database, workers=0)
    assert len(report.in_review) == 2
    assert marks(database) == {}


def test_a_second_coordinator_is_told_who_is_first(tiny_course: Course, database: Database) -> None:
    with writer_lock(tiny_course.root), pytest.raises(AlreadyRunning, match=r"\d+"):
        autograde(tiny_course, database, workers=0)


def test_the_second_attempt_counts_and_the_first_is_kept(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    hand_in(ada=notebook())
    autograde(tiny_course, database, workers=0)
    hand_in(ada=notebook({"square": "return 0"}))
    autograde(tiny_course, database, workers=0)
    (row,) = gradebook(tiny_course, database)
    assert row.mark.assignments[0].points == 1 and row.mark.assignments[0].attempt == 2
    assert marks(database) == {"ada": [Decimal(3), Decimal(1)]}


@pytest.mark.slow
def test_kill_9_at_ten_moments_loses_and_doubles_nothing(
    tiny_course: Course, database: Database, hand_in: Callable[..., None], notebook: Notebook
) -> None:
    bodies = [{}, {"square": "return x"}, {"double": "return None"}, {"square": "return x", "double": "return 0"}]
    cohort = {f"s{number}": notebook(bodies[number % 4]) for number in range(8)}
    expected = {f"s{number}": [Decimal([3, 1, 2, 0][number % 4])] for number in range(8)}
    hand_in(**cohort)
    dice = random.Random(20260707)
    command = [str(ASSESSOR), "--course", str(tiny_course.root), "autograde", "--workers", "2"]
    for moment in range(10):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(1.0, 6.0))
        if moment % 2:
            children = psutil.Process(run.pid).children() if run.poll() is None else []
            for worker in [child for child in children if "spawn_main" in " ".join(child.cmdline())][:1]:
                worker.send_signal(signal.SIGKILL)
            time.sleep(1.0)
        run.kill()
        run.wait()
        assert all(len(given) == 1 for given in marks(database).values())
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr
    assert marks(database) == expected
    assert states(database) == {"recorded"}
    with database.reading() as session:
        assert len(session.scalars(select(GradingRecord)).all()) == 8


def test_the_course_chooses_its_sandbox_and_the_evidence_says_which(
    tiny_course: Course,
    database: Database,
    hand_in: Callable[..., None],
    notebook: Callable[..., nbformat.NotebookNode],
) -> None:
    file = tiny_course.root / "course.toml"
    file.write_text(file.read_text().replace("[components]", '[environment]\nsandbox = "unconfined"\n\n[components]'))
    hand_in(ada=notebook())
    autograde(load_course(tiny_course.root), database, workers=0)
    manifest = json.loads((tiny_course.root / "autograded/ada/tiny/1/manifest.json").read_text())
    assert (manifest["sandbox"]["backend"], manifest["sandbox"]["confined"]) == ("unconfined", False)
