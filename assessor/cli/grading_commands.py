"""Commands that grade: autograde, replay."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from assessor.cli.context import Bar, json_option, names_argument, open_both, print_json, print_table, whoami

if TYPE_CHECKING:
    from assessor.course import Course
    from assessor.database import Database
    from assessor.workflow.autograde import AutogradeReport

IN_REVIEW = 3


@click.command()
@names_argument
@click.option("--workers", type=click.IntRange(0, 1024), help="Worker processes (default: one a core).")
@click.option("--again", metavar="REASON", help="Grade ASSIGNMENTs again by their corrected tests: shows first, then asks.")
@click.option("--yes", is_flag=True, help="With --again: record without asking.")
@click.option("--cluster", metavar="ADDRESS", help="Grade on a Dask cluster, such as tls://scheduler:8786.")
@json_option
@click.pass_context
def autograde(
    ctx: click.Context,
    names: tuple[str, ...],
    workers: int | None,
    cluster: str | None,
    again: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Grade what was collected, in sandboxes, in parallel.

    What has its mark already is left alone. Interrupted or killed, it goes on where it was when it is run again. Exit
    status 3: some work could not be graded for reasons of ours and is in review; no student loses a mark by that.
    """
    from assessor.workflow.autograde import autograde as run

    course, database = open_both(ctx)
    if again is not None:
        grade_again(course, database, names, workers, reason=again, yes=yes)
        return
    with Bar("grading", quiet=as_json) as bar:
        report = run(
            course, database, names, workers=workers, cluster=cluster,
            progress=lambda row, done, total: bar.advance(done, total), author=whoami(),
        )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        show(report)
    if report.in_review:
        sys.exit(IN_REVIEW)


def grade_again(
    course: Course, database: Database, names: tuple[str, ...], workers: int | None, *, reason: str, yes: bool
) -> None:
    """Shows every mark that would change, and records it only when told to."""
    from assessor.workflow.regrade import regrade

    if not names:
        raise click.UsageError("--again: name the assignments")
    with Bar("grading again") as bar:
        runs = regrade(course, database, names, workers=workers, progress=bar.advance)
    changes = [change for run in runs for change in run.changes]
    rows = []
    for one in changes:
        if one.differs:
            now = "review" if one.now is None else one.now
            rows.append([one.student, one.assignment, one.attempt, one.then, now, "; ".join(one.tests) or one.why])
    if not changes:
        click.echo("nothing to grade again: every mark is by the present version of its tests")
        return
    print_table("marks that would change", ["student", "assignment", "attempt", "then", "now", "why"], rows)
    click.echo(f"{len(changes)} graded again, {len(rows)} would change; nothing is written yet")
    if yes or click.confirm("record these?"):
        written = sum(run.record(reason, author=whoami(), now=datetime.now(UTC)) for run in runs)
        click.echo(f"{written} marks recorded; the earlier ones stay on record")


@click.command()
@click.argument("student")
@click.argument("assignment")
@json_option
@click.pass_context
def replay(ctx: click.Context, student: str, assignment: str, as_json: bool) -> None:
    """Grade a recorded submission again and compare.

    Changes nothing. Exit status 1 if a verdict or the outcome is different; what else differs (environment, device,
    grader) is listed with it.
    """
    from assessor.workflow.replay import replay as run

    done = run(*open_both(ctx), student, assignment)
    if as_json:
        print_json(done)
    else:
        said = "equal" if done.equal else "DIFFERENT"
        click.echo(f"{student}, {assignment}, mark {done.mark}: {said}; {done.then} then, {done.now} now")
        if done.differences:
            rows = [["result" if one.matters else "circumstance", one.what, one.then, one.now] for one in done.differences]
            print_table("what differs", ["", "what", "then", "now"], rows)
    if not done.equal:
        sys.exit(1)


def show(report: AutogradeReport) -> None:
    """Prints what one run did."""
    if not report.rows:
        click.echo("nothing to grade: every collected submission that counts has its mark")
        return
    rows = [
        [r.student, r.assignment, r.attempt, r.state, f"{r.points} / {r.out_of}" if r.points is not None else "-", r.note]
        for r in report.rows
    ]
    print_table("autograde", ["student", "assignment", "attempt", "state", "points", "note"], rows)
    click.echo(f"{len(report.rows)} graded in {report.seconds:.0f} s, {len(report.in_review)} in review")


COMMANDS = (autograde, replay)
