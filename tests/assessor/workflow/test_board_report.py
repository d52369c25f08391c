"""The board's report from a real database: its numbers, what it hides, and what it looks like to a machine."""

from __future__ import annotations

import contextlib
import json
import random
import re
import statistics
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdf
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from assessor.cli import assessor
from assessor.course import Course
from assessor.database import Database, open_database
from assessor.database.acts import Verb, add_act
from assessor.database.gradebook import gradebook
from assessor.database.tables import GradingRecord, Job, Mark, Student, Submission, TestRecord
from assessor.errors import ImportRefused
from assessor.workflow.board_report import Report, board_report
from assessor.workflow.second import CHECK
from tests.assessor.workflow.conftest import NOW, lay_small

LATER = NOW + timedelta(days=60)
COHORT = 48


def fill(course: Course, database: Database, students: int, unmarked: Sequence[str] = ()) -> None:
    """A cohort with better and worse students; each eighth hands the lab in late, teams of four share the project's mark.

    Args:
        unmarked: students without a mark of the quiz.
    """
    draw = random.Random(6258)
    due = course.assignment("powers").due
    with database.transaction() as session:
        for number in range(students):
            name, ability = f"s{number:03}", draw.gauss(0, 1)
            session.add(Student(id=name, name=f"<b>Student</b> {number}", email="", marking_id=f"X{number:03}"))
            session.flush()
            at = due + timedelta(hours=20 if number % 8 == 0 else -5)
            submission = Submission(
                student_id=name, assignment="powers", attempt=1, submitted_at=at, collected_at=at, sha256="0" * 64,
                origin="inbox", path="x",
            )  # fmt: skip
            session.add(submission)
            session.flush()
            session.add(Job(submission_id=submission.id, grader_sha256="ab" * 32, state="recorded", queued_at=at, device="cpu"))
            team = random.Random(number // 4).uniform(50, 75)
            given = {
                ("powers", "automatic", 2): draw.gauss(1.4, 0.3) + 0.2 * ability,
                ("powers", "argument", 3): draw.gauss(2, 0.5) + 0.3 * ability,
                ("project", "total", 100): team, ("quiz1", "total", 30): draw.gauss(18, 4) + 4 * ability,
            }  # fmt: skip
            for (assignment, item, out_of), points in given.items():
                if assignment == "quiz1" and name in unmarked:
                    continue
                session.add(
                    Mark(
                        student_id=name, assignment=assignment, item=item, points=Decimal(f"{min(max(points, 0), out_of):.2f}"),
                        out_of=Decimal(out_of), author="autograde", at=NOW, reason="r",
                        submission_id=submission.id if assignment == "powers" else None,
                    )
                )  # fmt: skip
            share = {"team": f"t{number // 4}", "factor": "1", "words": "equal"}
            add_act(
                session, Verb.SHARE, student=name, subject="project", detail=share, reason="signed", author="leader", now=NOW
            )


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Course, Database]]:
    course = lay_small(tmp_path_factory.mktemp("board"))
    database = open_database(course.root, create=True)
    fill(course, database, COHORT)
    yield course, database
    database.close()


@pytest.fixture(scope="module")
def years(cohort: tuple[Course, Database]) -> Path:
    path = cohort[0].root / "years.csv"
    path.write_text("year,part,students,mean,sd,passed\n2025,module,110,55.1,12.0,88\n2026,module,118,58.4,11.2,101\n2026,labs,118,80,9,\n")
    return path


@pytest.fixture(scope="module")
def report(cohort: tuple[Course, Database], years: Path) -> Report:
    return board_report(*cohort, previous=years, now=LATER)


def test_its_numbers_are_those_of_the_gradebook(cohort: tuple[Course, Database], report: Report) -> None:
    finals = [float(student.mark.final) for student in gradebook(*cohort, LATER) if student.mark.final is not None]
    module = report.parts[0]
    assert module.spread is not None and module.passed is not None
    assert (module.registered, module.submitted, module.open) == (COHORT, len(finals), 0)
    assert module.spread.mean == pytest.approx(statistics.mean(finals))
    assert module.passed.value == pytest.approx(sum(mark >= 50 for mark in finals) / COHORT)
    assert [part.name for part in report.parts] == ["module", "labs", "project", "quizzes", "powers", "project", "quiz1"]
    assert sum(effective for _, _, effective in report.weights) == pytest.approx(100)


def test_late_work_and_what_it_cost(report: Report) -> None:
    lab = next(part for part in report.parts if part.name == "powers")
    assert lab.late == COHORT // 8
    assert 4 < lab.lost < 11


def test_the_projects_correlations_count_teams(report: Report) -> None:
    units = {(one, other): found.units for one, other, found in report.correlations}
    assert units["labs", "quizzes"] == COHORT
    assert units["labs", "project"] == COHORT // 4


def test_earlier_years_are_compared(report: Report) -> None:
    assert [(one.earlier.year, one.earlier.part) for one in report.comparisons] == [
        ("2025", "module"), ("2026", "module"), ("2026", "labs"),
    ]  # fmt: skip


def test_no_count_that_tells_of_few_students_is_shown_anywhere(report: Report) -> None:
    counts = [*(count for part in report.parts for count in (*part.bands, *part.close)), *(count for _, count in report.codes)]
    counts += [count for what, count in report.decisions if what != "scale"]
    counts += [each.count for part in report.parts for each in part.bins]
    assert None in counts
    assert not any(count is not None and 0 < count < 6 for count in counts)
    page = report.files[0].read_text("utf-8")
    rows = re.search(r"Bands and boundaries.*?</section>", page, re.DOTALL)
    assert rows is not None
    assert not re.search(r'<td class="number">[1-5]</td>', rows.group())
    assert "&lt;6" not in page and '<span class="absent">*</span>' in rows.group(), "a larger count may be hidden too"


def test_page_pdf_and_figures_are_whole_and_name_nobody(report: Report) -> None:
    page = report.files[0].read_text("utf-8")
    text = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(report.files[1]).pages).replace("\0", "")
    for words in ("Do the weights do what they say", "Earlier years", "abababababab"):
        assert words in page
    assert "page 1 of" in text and "confidential" in text
    assert "Student" not in page.replace("Students", "") and "s001" not in page and "X001" not in page
    assert {path.name for path in report.files[2:]} == {
        "distribution-module.svg", "distribution-labs.svg", "distribution-project.svg", "distribution-quizzes.svg",
        "components.svg", "weights.svg", "correlations.svg", "lateness.svg", "years.svg",
    }  # fmt: skip
    assert page.count("data:image/svg+xml") == 9 and "<script" not in page
    assert all(b"<svg" in path.read_bytes() for path in report.files[2:])


def test_the_same_marks_give_the_same_page(cohort: tuple[Course, Database], years: Path, report: Report) -> None:
    before = report.files[0].read_bytes()
    assert board_report(*cohort, previous=years, now=LATER).files[0].read_bytes() == before


def test_what_is_known_of_the_tests_and_whom_the_board_excused(small: Course) -> None:
    with contextlib.closing(open_database(small.root, create=True)) as database:
        fill(small, database, 10, unmarked=("s007", "s008"))
        with database.transaction() as session:
            add_act(session, Verb.WAIVE, student="s008", subject="quiz1", detail={}, reason="ill", author="board", now=NOW)
            for job, retrains in zip(session.scalars(select(Job)), (0, 2, 1), strict=False):
                test = TestRecord(
                    position=0, name="test_square", title="t", verdict="passed", points=Decimal(2), out_of=Decimal(2), message="",
                    detail="", hint="", seconds=0.1, retrains=retrains, place="trusted", public=False,
                )  # fmt: skip
                session.add(
                    GradingRecord(
                        job_id=job.id, submission_id=job.submission_id, at=NOW, outcome="completed", points=Decimal(2),
                        out_of=Decimal(2), note="", changes=[], usage={}, manifest={}, tests=[test],
                    )
                )  # fmt: skip
            for student, automatic, passed in (("s000", False, True), ("s001", False, False), ("s002", True, True)):
                detail = {"role": CHECK, "test": "test_square", "automatic": automatic, "passed": passed}
                add_act(
                    session, Verb.MARKING, student=student, subject="powers", detail=detail, reason="", author="mod", now=NOW
                )
        found = board_report(small, database, now=LATER)
    quiz, (lab,) = next(part for part in found.parts if part.name == "quiz1"), found.automatic
    assert (quiz.registered, quiz.submitted, quiz.absent, quiz.open) == (10, 8, 0, 1)
    assert (lab.false_fails.errors, lab.false_fails.looked_at) == (1, 2)
    assert (lab.retrained, lab.sent) == (2, 0)
    assert (lab.false_passes.errors, lab.false_passes.looked_at) == (0, 1)
    assert "1 of 2<small>" in found.files[0].read_text("utf-8")


def test_a_class_of_five_has_no_statistics(small: Course) -> None:
    database = open_database(small.root, create=True)
    fill(small, database, 5)
    found = board_report(small, database, now=LATER)
    database.close()
    assert all(part.spread is None and part.bands == () and part.passed is None for part in found.parts)
    assert found.pictures == {} and all(count is None or count == 0 for _, count in found.codes)
    assert "fewer than 6 marks: not shown" in found.files[0].read_text("utf-8")


def test_nothing_marked_yet_gives_a_report_all_the_same(small: Course, database: Database) -> None:
    found = board_report(small, database, now=NOW)
    assert found.parts[0].open == 3 and found.files[1].is_file()


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("2026,module,118.5,58,11,", "students"), ("2026,labz,118,58,11,", "part"), ("2026,module,118,101,11,", "mean"),
        ("2026,module,118,58,NaN,", "sd"), ("2026,module,118,58,11,119", "passed"), ("2026,module,118,\"58,4\",11,", "mean"),
    ],
    ids=["half a student", "unknown part", "mean of 101", "nan", "more passed than sat", "decimal comma"],
)  # fmt: skip
def test_a_wrong_row_of_earlier_years_is_named_and_nothing_is_written(
    small: Course, database: Database, tmp_path: Path, line: str, column: str
) -> None:
    path = tmp_path / "years.csv"
    path.write_text(f"year,part,students,mean,sd,passed\n{line}\n")
    with pytest.raises(ImportRefused) as refused:
        board_report(small, database, previous=path, now=NOW)
    assert (refused.value.row, refused.value.column) == (2, column)
    assert not (small.root / "reports").exists()


def test_the_command_line(cohort: tuple[Course, Database], years: Path) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(assessor, ["-C", str(cohort[0].root), "board", "report", *words], env={"COLUMNS": "160"})

    shown = run("--previous", str(years))
    assert shown.exit_code == 0, shown.output
    assert "board.pdf" in shown.output and "figures in" in shown.output
    found = json.loads(run("--json").output)
    assert found["parts"][0]["name"] == "module" and found["parts"][0]["spread"]["students"] == COHORT
