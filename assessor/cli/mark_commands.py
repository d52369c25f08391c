"""Commands that bring in marks and show them: mark, extend, marksheet, feedback."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from assessor.cli.context import (
    encoding_option,
    json_option,
    names_argument,
    open_both,
    print_json,
    print_table,
    printable,
    tell,
    whoami,
)

results_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command()
@click.argument("student")
@click.argument("assignment")
@click.argument("points")
@click.option("--item", help="Which part: an item of assignment.toml.  [default: automatic, or the only one]")
@click.option("--reason", required=True, help="Why; the board reads it.")
@json_option
@click.pass_context
def mark(
    ctx: click.Context, student: str, assignment: str, points: str, item: str | None, reason: str, as_json: bool
) -> None:
    """Give STUDENT a mark by hand, with a reason.

    STUDENT: an id or a marking id. POINTS: a number, or NS where nothing was handed in, which is not the same as 0.
    Earlier marks stay on record; the newest counts.
    """
    from assessor.workflow.mark import add_mark

    course, database = open_both(ctx)
    done = add_mark(
        course, database, student, assignment, item, points, author=whoami(), reason=reason, now=datetime.now(UTC)
    )
    if as_json:
        print_json(done)
        return
    shown = "not submitted" if done.not_submitted else f"{done.points} of {done.out_of}"
    click.echo(f"{student}, {assignment}, {done.item}: {shown}")


@click.command()
@click.argument("student")
@click.argument("assignment")
@click.argument("until")
@click.option("--reason", required=True, help="Why; kept in confidence, never on a mark sheet.")
@click.option("--replace", is_flag=True, help="Take the place of an earlier extension that says otherwise.")
@json_option
@click.pass_context
def extend(
    ctx: click.Context, student: str, assignment: str, until: str, reason: str, replace: bool, as_json: bool
) -> None:
    """Give STUDENT more time.

    UNTIL: '+3 days' after the deadline, 'week 11 Monday 16:00' or 2027-05-10T16:00:00+01:00.
    """
    from assessor.workflow.extend import add_extension

    course, database = open_both(ctx)
    done = add_extension(
        course, database, student, assignment, until, author=whoami(), reason=reason, now=datetime.now(UTC),
        replace=replace,
    )  # fmt: skip
    if as_json:
        print_json(done)
        return
    click.echo(f"{student}, {assignment}: extended to {done.until.astimezone(course.time_zone):%a %d %b %Y %H:%M %Z}")
    if done.note:
        click.echo(done.note)


@click.command()
@click.option("--anonymous", is_flag=True, help="Marking ids, no names.")
@click.option("--pdf", "printable", is_flag=True, help="A PDF too, to print.")
@click.option("--final", is_flag=True, help="Freeze it for the board: read-only, in reports/final-N/, hashes in the audit.")
@click.option("--reason", default="", help="With --final: why it is frozen again.")
@click.option("--verify", type=click.Path(path_type=Path), metavar="FILE", help="Is FILE as it was frozen?")
@json_option
@click.pass_context
def marksheet(
    ctx: click.Context, anonymous: bool, printable: bool, final: bool, reason: str, verify: Path | None, as_json: bool
) -> None:
    """Write the mark sheet: XLSX, CSV and HTML.

    Into reports/; the XLSX has live formulas. Once a sheet was frozen with --final, every later one lists what is no
    longer as it was, by whom, when and why.
    """
    from assessor.workflow.final_sheet import verify as check
    from assessor.workflow.marksheet import final_marksheet
    from assessor.workflow.marksheet import marksheet as write

    if final and (anonymous or verify):
        raise click.UsageError("--final: freezes the identified sheet, and nothing else goes with it")
    course, database = open_both(ctx)
    if verify is not None:
        click.echo(check(course, database, verify))
        return
    now = datetime.now(UTC)
    if final:
        written = final_marksheet(course, database, author=whoami(), reason=reason, now=now)
    else:
        written = write(course, database, anonymous=anonymous, printable=printable, now=now)
    if as_json:
        print_json(written)
        return
    if written.changes:
        rows = [[one.student, one.what, one.then or "-", one.now or "-", one.because] for one in written.changes]
        print_table("changes since the sheet was frozen", ["student", "what", "then", "now", "who, when, why"], rows)
    if written.note:
        click.echo(f"not compared with the frozen sheet: {written.note}", err=True)
    if written.fonts:
        click.echo(written.fonts, err=True)
    for path in written.paths:
        click.echo(path)
    click.echo(f"{written.students} students: " + ", ".join(f"{count} {code}" for code, count in written.codes.items()))


@click.command()
@names_argument
@click.option("--student", "students", multiple=True, help="Only this student; may be repeated.")
@json_option
@click.pass_context
def feedback(ctx: click.Context, names: tuple[str, ...], students: tuple[str, ...], as_json: bool) -> None:
    """Write a feedback page for each student, into feedback/."""
    from assessor.workflow.feedback import feedback as write

    course, database = open_both(ctx)
    paths: list[Path] = []
    for name in names or [None]:
        paths += write(course, database, name, students or None, now=datetime.now(UTC), author=whoami()).paths
    tell({"paths": paths}, f"{len(paths)} pages in {course.root / 'feedback'}", as_json=as_json)


@click.command()
@results_file
@encoding_option
@json_option
@click.pass_context
def extensions(ctx: click.Context, file: Path, encoding: str | None, as_json: bool) -> None:
    """Give many extensions: a CSV with the columns student, assignment, until, reason.

    All of them or none; two that disagree are refused.
    """
    from assessor.workflow.extend import import_extensions

    done = import_extensions(*open_both(ctx), file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    if as_json:
        print_json(done)
        return
    click.echo(f"{file}: {done.new} new extensions, {done.unchanged} as before")


@click.command()
@results_file
@encoding_option
@json_option
@click.pass_context
def marks(ctx: click.Context, file: Path, encoding: str | None, as_json: bool) -> None:
    """Give many marks: a CSV with the columns student, assignment, points, reason and, if you like, item.

    POINTS as of `mark`; students by id or marking id. All of them or none; what is in force already is left alone.
    """
    from assessor.workflow.marks_import import import_marks

    done = import_marks(*open_both(ctx), file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    if as_json:
        print_json(done)
        return
    click.echo(f"{file}: {done.new} new marks, {done.unchanged} as before")
    if done.left:
        who = ", ".join(done.left)
        click.echo(f"left alone, since they try again by decision of the board: {who}; `assessor mark` gives that mark")


@click.command()
@click.argument("student")
@names_argument
@click.option("--history", is_flag=True, help="Every mark that was ever given, by whom, when and why.")
@json_option
@click.pass_context
def explain(ctx: click.Context, student: str, names: tuple[str, ...], history: bool, as_json: bool) -> None:
    """Show how STUDENT's marks came about, line by line.

    STUDENT: an id or a marking id.
    """
    from assessor.workflow.explain import explain as working

    if history:
        _show_history(ctx, student, names, as_json)
        return
    found = working(*open_both(ctx), student, names, now=datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    for each in found.assignments:
        click.secho(f"{each.name}{f'  {each.code}' if each.code else ''}", bold=True)
        for line in each.before:
            click.echo(f"    before: {printable(line)}")
        for line in each.lines:
            click.echo(f"    {printable(line)}")
    if names:
        return
    click.secho("components", bold=True)
    for each in found.components:
        for line in each.lines:
            click.echo(f"    {line}")
    click.secho(f"module  {found.module.code}", bold=True)
    for line in found.module.lines:
        click.echo(f"    {line}")


def _show_history(ctx: click.Context, student: str, names: tuple[str, ...], as_json: bool) -> None:
    from assessor.workflow.explain import mark_history

    course, database = open_both(ctx)
    found = mark_history(course, database, student, names)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            one.assignment, one.item, "NS" if one.not_submitted else f"{one.points} / {one.out_of}", one.attempt or "-",
            "yes" if one.in_force else "", one.author, f"{one.at.astimezone(course.time_zone):%Y-%m-%d %H:%M}", one.reason,
        ]
        for one in found
    ]  # fmt: skip
    columns = ["assignment", "item", "mark", "attempt", "in force", "by", "when", "reason"]
    print_table(f"{student}: every mark", columns, rows)


COMMANDS = (mark, marks, extend, extensions, explain, marksheet, feedback)
