"""Commands of second marking and moderation. They show marking ids, never names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from assessor.cli.context import json_option, open_both, print_json, print_table, whoami

if TYPE_CHECKING:
    from assessor.marking.agreement import Agreement, ErrorRate
    from assessor.workflow.moderate import Sample
    from assessor.workflow.second import SecondMarking

student_argument = click.argument("student")
assignment_argument = click.argument("assignment")
item_option = click.option("--item", help="Which part, where people mark more than one.")
comment_option = click.option("--reason", default="", help="A note for the other markers.")


@click.group()
def second() -> None:
    """Second marking: two markers, or three, and one mark."""


@second.command("mark")
@student_argument
@assignment_argument
@click.argument("points")
@item_option
@comment_option
@json_option
@click.pass_context
def second_mark(
    ctx: click.Context, student: str, assignment: str, points: str, item: str | None, reason: str, as_json: bool
) -> None:
    """Record what you give STUDENT, without seeing what others gave.

    STUDENT: an id or a marking id. It becomes a mark by `second agree`.
    """
    _record(ctx, student, assignment, points, item, reason, as_json, role="marker")


@second.command("list")
@assignment_argument
@json_option
@click.pass_context
def second_list(ctx: click.Context, assignment: str, as_json: bool) -> None:
    """Show what markers gave, where they agree, and how well."""
    from assessor.workflow.second import second_marking

    _show_second(second_marking(*open_both(ctx), assignment), as_json)


@second.command("agree")
@assignment_argument
@json_option
@click.pass_context
def second_agree(ctx: click.Context, assignment: str, as_json: bool) -> None:
    """Give the marks on which the markers agree; the rest waits for another marker."""
    from assessor.workflow.second import settle

    _show_second(settle(*open_both(ctx), assignment, author=whoami(), now=datetime.now(UTC)), as_json)


@click.group()
def moderate() -> None:
    """Moderation: draw a sample, look at it again, see what that says."""


@moderate.command("sample")
@assignment_argument
@click.option("--seed", type=click.IntRange(min=0), help="Draw the random part by this number, to repeat a draw.")
@click.option("--show", is_flag=True, help="Show the sample that was drawn last, and what is done of it.")
@json_option
@click.pass_context
def moderate_sample(ctx: click.Context, assignment: str, seed: int | None, show: bool, as_json: bool) -> None:
    """Draw a sample: all fails and borderlines, the top, and some by lot."""
    from assessor.workflow.moderate import draw, last_sample

    course, database = open_both(ctx)
    if show:
        found = last_sample(course, database, assignment)
    else:
        found = draw(course, database, assignment, author=whoami(), now=datetime.now(UTC), seed=seed)
    _show_sample(found, as_json)


@moderate.command("mark")
@student_argument
@assignment_argument
@click.argument("points")
@item_option
@comment_option
@json_option
@click.pass_context
def moderate_mark(
    ctx: click.Context, student: str, assignment: str, points: str, item: str | None, reason: str, as_json: bool
) -> None:
    """Record what you, the moderator, would give STUDENT. It changes no mark."""
    _record(ctx, student, assignment, points, item, reason, as_json, role="moderator")


@moderate.command("check")
@student_argument
@assignment_argument
@click.argument("test")
@click.argument("verdict", type=click.Choice(["pass", "fail"]))
@comment_option
@json_option
@click.pass_context
def moderate_check(
    ctx: click.Context, student: str, assignment: str, test: str, verdict: str, reason: str, as_json: bool
) -> None:
    """Record whether what hidden TEST looks at is right in STUDENT's work, by your own reading."""
    from assessor.workflow.moderate import record_check

    record_check(
        *open_both(ctx), student, assignment, test, verdict, author=whoami(), now=datetime.now(UTC), reason=reason
    )
    if as_json:
        print_json({"student": student, "assignment": assignment, "test": test, "verdict": verdict})
        return
    click.echo(f"{student}, {assignment}, {test}: {verdict} recorded")


@moderate.command("report")
@assignment_argument
@json_option
@click.pass_context
def moderate_report(ctx: click.Context, assignment: str, as_json: bool) -> None:
    """Compare the moderator's marks and checks with those in force."""
    from assessor.workflow.moderate import findings

    found = findings(*open_both(ctx), assignment)
    if as_json:
        print_json(found)
        return
    click.echo(agreement_words(found.agreement, "mark in force less moderator's"))
    if found.changed:
        rows = [[student, item, f"{float(old):.2f}", f"{float(new):.2f}"] for student, item, old, new in found.changed]
        print_table("where they differ", ["marking id", "item", "in force", "moderator"], rows)
    click.echo(_rate("failed by a hidden test, right by the moderator", found.false_fails))
    click.echo(_rate("passed by a hidden test, wrong by the moderator", found.false_passes))


def _record(
    ctx: click.Context, student: str, assignment: str, points: str, item: str | None, reason: str, as_json: bool, *,
    role: str,
) -> None:  # fmt: skip
    from assessor.workflow.second import record_marking

    out_of = record_marking(
        *open_both(ctx), student, assignment, points, item, author=whoami(), now=datetime.now(UTC), role=role,
        reason=reason,
    )  # fmt: skip
    if as_json:
        print_json({"student": student, "assignment": assignment, "points": points, "out_of": out_of, "role": role})
        return
    click.echo(f"{student}, {assignment}: {points} of {out_of} recorded; the mark is as it was")


def _show_second(found: SecondMarking, as_json: bool) -> None:
    from assessor.marking.exact import plain

    if as_json:
        print_json(found)
        return
    if not found.works:
        click.echo(f"{found.assignment}: no second marking yet")
        return
    rows = [[work.student, work.item, "-" if work.percent is None else plain(work.percent), work.words] for work in found.works]
    print_table(f"{found.assignment}, in percent", ["marking id", "item", "agreed", "how"], rows)
    click.echo(agreement_words(found.agreement, "first less second"))
    for one in found.severities:
        if one.is_notable:
            click.echo(f"{one.marker} marks {one.effect:+.1f} points from the others, over {one.pieces} pieces: look into it")
    if found.settled:
        click.echo(f"{found.settled} marks given")


def _show_sample(found: Sample, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [[one.student, one.why, "done" if one.done else ""] for one in found.pieces]
    title = f"{found.assignment}: {len(found.pieces)} of {found.marked} marked, seed {found.seed}"
    print_table(title, ["marking id", "why", ""], rows)


def agreement_words(found: Agreement, what: str) -> str:
    """How well two markings agree, in a line."""
    if found.mean_difference is None:
        return f"agreement: {found.pairs} marked by two so far, too few for statistics"
    icc = "-" if found.icc is None else f"{found.icc:.2f}"
    kappa = "-" if found.kappa is None else f"{found.kappa:.2f}"
    return (
        f"agreement of {found.pairs}: {what} {found.mean_difference:+.2f}, 95 % of differences between {found.low:+.2f} and "
        f"{found.high:+.2f}; ICC {icc}; weighted kappa of bands {kappa}"
    )


def _rate(what: str, found: ErrorRate) -> str:
    if not found.looked_at:
        return f"{what}: none looked at"
    return f"{what}: {found.errors} of {found.looked_at}, 95 % bounds {100 * found.low:.1f} to {100 * found.high:.1f} %"


COMMANDS = (second, moderate)
