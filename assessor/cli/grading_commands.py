"""The command that grades: autograde."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from assessor.cli.context import Bar, json_option, names_argument, open_both, print_json, print_table

if TYPE_CHECKING:
    from assessor.workflow.autograde import AutogradeReport

IN_REVIEW = 3


@click.command()
@names_argument
@click.option("--workers", type=click.IntRange(0, 1024), help="Worker processes (default: one a core).")
@click.option("--cluster", metavar="ADDRESS", help="Grade on a Dask cluster, such as tls://scheduler:8786.")
@json_option
@click.pass_context
def autograde(
    ctx: click.Context, names: tuple[str, ...], workers: int | None, cluster: str | None, as_json: bool
) -> None:
    """Grade what was collected, in sandboxes, in parallel.

    What has its mark already is left alone. Interrupted or killed, it goes on where it was when it is run again. Exit
    status 3: some work could not be graded for reasons of ours and is in review; no student loses a mark by that.
    """
    from assessor.workflow.autograde import autograde as run

    course, database = open_both(ctx)
    with Bar("grading", quiet=as_json) as bar:
        report = run(
            course, database, names, workers=workers, cluster=cluster,
            progress=lambda row, done, total: bar.advance(done, total),
        )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        show(report)
    if report.in_review:
        sys.exit(IN_REVIEW)


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


COMMANDS = (autograde,)
