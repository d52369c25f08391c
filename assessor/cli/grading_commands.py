"""The command that grades: autograde."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from assessor.cli.context import json_option, names_argument, open_both, print_json, print_table

if TYPE_CHECKING:
    from assessor.workflow.autograde import AutogradeReport, Graded

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
    bar = nullcontext() if as_json else ProgressBar()
    with bar as shown:
        report = run(course, database, names, workers=workers, cluster=cluster, progress=shown.advance if shown else None)
    if as_json:
        print_json(report)
    else:
        show(report)
    if report.in_review:
        sys.exit(IN_REVIEW)


class ProgressBar(AbstractContextManager["ProgressBar"]):
    """A progress bar with rate and estimate, made when the first result is in."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._task = self._progress.add_task("grading", total=None, rate="")

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def advance(self, row: Graded | None, done: int, total: int) -> None:
        """Shows that `done` of `total` submissions are through."""
        speed = self._progress.tasks[0].finished_speed or self._progress.tasks[0].speed
        rate = f"{60 * speed:.1f} a minute" if speed else ""
        self._progress.update(self._task, completed=done, total=total, rate=rate)


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
