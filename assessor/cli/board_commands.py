"""Commands that record what people decide: the board, the integrity officer, whoever handles special considerations."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assessor.cli.context import json_option, open_both, print_json, print_table, whoami

if TYPE_CHECKING:
    from assessor.workflow.decide import By, Decision
    from assessor.workflow.scale import Proposals

student_argument = click.argument("student")
assignment_argument = click.argument("assignment")
subject_argument = click.argument("assignment", default="", required=False)
until_argument = click.argument("until")
reason_option = click.option("--reason", required=True, help="Why; kept in confidence, never on a mark sheet.")


@click.group()
def board() -> None:
    """What people decide: waive, defer, refer, penalise, scale, ...

    STUDENT is an id or a marking id. Every act keeps its author, time and reason; none is ever changed, but `board end`
    ends one.
    """


@board.command()
@click.argument("student", required=False)
@click.option("--ended", is_flag=True, help="Also those that hold no longer, and what ended them.")
@json_option
@click.pass_context
def acts(ctx: click.Context, student: str | None, ended: bool, as_json: bool) -> None:
    """List what was decided and holds, with reasons."""
    from assessor.workflow.decide import listed

    course, database = open_both(ctx)
    found = listed(course, database, student, ended=ended)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing was decided yet")
        return
    rows = [
        [
            "-" if one.number is None else one.number, one.student or "all",
            one.what + (" (ended)" if one.ended else ""), one.author,
            f"{one.at.astimezone(course.time_zone):%Y-%m-%d %H:%M}", one.reason,
        ]
        for one in found
    ]  # fmt: skip
    print_table("acts", ["act", "marking id", "what", "by", "when", "reason"], rows)


@board.command()
@click.option("--previous", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CSV",
              help="Earlier years: columns year, part, students, mean, sd, [passed].")  # fmt: skip
@json_option
@click.pass_context
def report(ctx: click.Context, previous: Path | None, as_json: bool) -> None:
    """Write the board's report: HTML, PDF and figures, into reports/."""
    from assessor.workflow.board_report import board_report

    done = board_report(*open_both(ctx), previous=previous, now=datetime.now(UTC))
    if as_json:
        print_json({key: value for key, value in vars(done).items() if key != "pictures"})
        return
    rows = [
        [
            part.title, part.submitted, part.absent, part.open,
            *((f"{part.spread.mean:.1f}", f"{part.spread.sd:.1f}", f"{part.spread.median:.1f}") if part.spread else ("-",) * 3),
            f"{100 * part.passed.value:.1f} %" if part.passed else "-",
        ]
        for part in done.parts
    ]  # fmt: skip
    print_table("marks", ["part", "marked", "NS", "open", "mean", "SD", "median", "pass"], rows)
    if done.fonts:
        click.echo(done.fonts, err=True)
    for path in done.files[:2]:
        click.echo(path)
    click.echo(f"{len(done.files) - 2} figures in {done.files[0].parent / 'board'}")


@board.command()
@student_argument
@click.argument("subject")
@reason_option
@json_option
@click.pass_context
def waive(ctx: click.Context, student: str, subject: str, reason: str, as_json: bool) -> None:
    """Leave an assignment or a component out for STUDENT; the rest is weighted anew."""
    from assessor.workflow.decide import waive as do

    _tell(do(*open_both(ctx), student, subject, _by(reason)), as_json)


@board.command()
@student_argument
@click.argument("subject")
@until_argument
@reason_option
@json_option
@click.pass_context
def defer(ctx: click.Context, student: str, subject: str, until: str, reason: str, as_json: bool) -> None:
    """Let STUDENT have a first attempt later, not capped.

    SUBJECT: an assignment, or a component for all of its assignments.
    UNTIL: '+14 days' after the deadline, 'week 12 Monday 16:00' or 2027-08-10T16:00:00+01:00.
    """
    from assessor.workflow.decide import defer as do

    _tell(do(*open_both(ctx), student, subject, until, _by(reason)), as_json)


@board.command()
@student_argument
@click.argument("subject")
@until_argument
@reason_option
@json_option
@click.pass_context
def refer(ctx: click.Context, student: str, subject: str, until: str, reason: str, as_json: bool) -> None:
    """Let STUDENT, who failed, try again; capped.

    SUBJECT: an assignment, or a component for all of its assignments.
    UNTIL: '+90 days' after the deadline, or 2027-08-10T16:00:00+01:00. What comes in after this is of the referral.
    """
    from assessor.workflow.decide import refer as do

    _tell(do(*open_both(ctx), student, subject, until, _by(reason)), as_json)


@board.command()
@student_argument
@reason_option
@json_option
@click.pass_context
def compensate(ctx: click.Context, student: str, reason: str, as_json: bool) -> None:
    """Pass STUDENT's failed module for the rest of the year's work."""
    from assessor.workflow.decide import compensate as do

    _, database = open_both(ctx)
    _tell(do(database, student, _by(reason)), as_json)


@board.command()
@student_argument
@subject_argument
@reason_option
@json_option
@click.pass_context
def claim(ctx: click.Context, student: str, assignment: str, reason: str, as_json: bool) -> None:
    """Note that STUDENT asked for special considerations; pending until ended.

    Of one assignment, or of the module.
    """
    from assessor.workflow.decide import claim as do

    _tell(do(*open_both(ctx), student, assignment, _by(reason)), as_json)


@board.command()
@student_argument
@subject_argument
@reason_option
@json_option
@click.pass_context
def hold(ctx: click.Context, student: str, assignment: str, reason: str, as_json: bool) -> None:
    """Hold STUDENT's mark while academic integrity is in question, until ended.

    Of one assignment, or of the module.
    """
    from assessor.workflow.decide import hold as do

    _tell(do(*open_both(ctx), student, assignment, _by(reason)), as_json)


@board.command(context_settings={"ignore_unknown_options": True})
@student_argument
@assignment_argument
@click.argument("cost")
@click.option("--for", "words", required=True, help="What for, in words that the student may read.")
@reason_option
@json_option
@click.pass_context
def penalise(
    ctx: click.Context, student: str, assignment: str, cost: str, words: str, reason: str, as_json: bool
) -> None:
    """Take something from STUDENT's mark for misconduct, a word limit or the like.

    COST: zero, 'x 0.9' (a part is left), '- 5' (points are taken) or 'cap 40' (at most).
    """
    from assessor.workflow.decide import penalise as do

    _tell(do(*open_both(ctx), student, assignment, cost, words, _by(reason)), as_json)


@board.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1), metavar="ACT")
@reason_option
@json_option
@click.pass_context
def end(ctx: click.Context, number: int, reason: str, as_json: bool) -> None:
    """End an act: a claim or a hold was decided, a waiver was taken back."""
    from assessor.workflow.decide import end as do

    _, database = open_both(ctx)
    _tell(do(database, number, _by(reason)), as_json)


@board.command()
@assignment_argument
@click.argument("formulas", nargs=-1, required=True, metavar="FORMULA...")
@json_option
@click.pass_context
def propose(ctx: click.Context, assignment: str, formulas: tuple[str, ...], as_json: bool) -> None:
    """Show what scalings would do to ASSIGNMENT, side by side; changes nothing.

    FORMULA: 'm + 3', '0.96 * m', '1.05 * m - 2', or what boundaries become: '45:50 58:60'.
    """
    from assessor.workflow.scale import proposals

    found = proposals(*open_both(ctx), assignment, formulas)
    if as_json:
        print_json(found)
        return
    _show(found)


@board.command()
@assignment_argument
@click.argument("formula")
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def scale(ctx: click.Context, assignment: str, formula: str, reason: str, yes: bool, as_json: bool) -> None:
    """Scale everybody's mark of ASSIGNMENT, after showing what it does."""
    from assessor.workflow.scale import proposals
    from assessor.workflow.scale import scale as do

    course, database = open_both(ctx)
    found = proposals(course, database, assignment, [formula])
    if not as_json:
        _show(found)
    if not yes:
        click.confirm(f"Scale {assignment} for everybody?", abort=True, err=True)
    number = do(course, database, assignment, formula, _by(reason))
    if as_json:
        print_json({"act": number, "proposal": found})
        return
    click.echo(f"act {number}: {assignment} is scaled, {found.proposals[0].words}")


def _show(found: Proposals) -> None:
    from assessor.marking.exact import plain

    each, raw = found.proposals, found.proposals[0].raw
    if found.in_force:
        click.echo(f"in force now: {found.in_force}; what follows starts from raw marks and would take its place")
    rows: list[list[object]] = [
        ["mean", f"{float(each[0].mean):.2f}", *(f"{float(one.scaled_mean):.2f}" for one in each)],
        ["largest change", "", *(f"{float(one.largest_change):+.2f}" for one in each)],
        ["KS distance", "", *(f"{float(one.ks_distance):.3f}" for one in each)],
        ["ranks that merge", "", *(one.merged for one in each)],
    ]
    for place, crossing in enumerate(each[0].crossings):
        over = (one.crossings[place] for one in each)
        rows.append([f"over {plain(crossing.boundary)}", "", *(f"{one.up} up, {one.down} down" for one in over)])
    print_table(f"{found.assignment}: {len(raw)} marks", ["", "raw", *(one.words for one in each)], rows)
    marks = [
        [student, f"{float(raw[row]):.2f}", *(f"{float(one.scaled[row]):.2f}" for one in each)]
        for row, student in enumerate(found.students)
    ]
    print_table("each mark, lowest first", ["marking id", "raw", *(one.words for one in each)], marks)


def _by(reason: str) -> By:
    from assessor.workflow.decide import By

    return By(whoami(), reason, datetime.now(UTC))


def _tell(done: Decision | tuple[Decision, ...], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    for one in done if isinstance(done, tuple) else (done,):
        click.echo(f"act {one.number}: {f'{one.student}, ' if one.student else ''}{one.what}")


COMMANDS = (board,)
