"""Commands of the review queue: list, show, accept, override."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from assessor.cli.context import json_option, names_argument, open_both, print_json, print_table, printable, tell, whoami

student_argument = click.argument("student")
assignment_argument = click.argument("assignment")
reason_option = click.option("--reason", required=True, help="Why; the board reads it.")


@click.group()
def review() -> None:
    """What a person must look at before it becomes a mark."""


@review.command("list")
@names_argument
@json_option
@click.pass_context
def list_(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """List what is in review."""
    from assessor.workflow.review import waiting

    found = waiting(*open_both(ctx), names)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing is in review")
        return
    rows = [
        [one.student, one.assignment, one.attempt, "-" if one.points is None else f"{one.points} / {one.out_of}", one.why]
        for one in found
    ]
    print_table("in review", ["student", "assignment", "attempt", "graded so far", "why"], rows)


@review.command()
@student_argument
@assignment_argument
@json_option
@click.pass_context
def show(ctx: click.Context, student: str, assignment: str, as_json: bool) -> None:
    """Show the evidence of one submission in review, in full."""
    from assessor.errors import AssessorError
    from assessor.workflow.review import waiting

    found = [one for one in waiting(*open_both(ctx), [assignment]) if one.student == student]
    if not found:
        raise AssessorError(f"{student}, {assignment}: not in review; `assessor review list` shows what is")
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(f"{one.student}, {one.assignment}, attempt {one.attempt}: {one.why}")
        if one.evidence:
            click.echo(f"executed notebook and manifest: {one.evidence}")
        for question in one.questions:
            click.echo(f"\n{question.test} (worth {question.out_of}): {question.message}")
            for line in question.detail.splitlines():
                click.echo(f"    {printable(line)}")


@review.command()
@student_argument
@assignment_argument
@reason_option
@json_option
@click.pass_context
def accept(ctx: click.Context, student: str, assignment: str, reason: str, as_json: bool) -> None:
    """Let what the other tests gave stand as the mark."""
    _settle(ctx, student, assignment, None, reason, as_json=as_json)


@review.command()
@student_argument
@assignment_argument
@click.argument("points")
@reason_option
@json_option
@click.pass_context
def override(ctx: click.Context, student: str, assignment: str, points: str, reason: str, as_json: bool) -> None:
    """Give POINTS instead."""
    _settle(ctx, student, assignment, points, reason, as_json=as_json)


def _settle(
    ctx: click.Context, student: str, assignment: str, points: str | None, reason: str, *, as_json: bool
) -> None:  # fmt: skip
    from assessor.workflow.review import settle

    done = settle(*open_both(ctx), student, assignment, points, author=whoami(), reason=reason, now=datetime.now(UTC))
    tell(done, f"{student}, {assignment}: {done.points} of {done.out_of}, no longer in review", as_json=as_json)


COMMANDS = (review,)
