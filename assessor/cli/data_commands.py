"""Commands about the course's data: backup, restore, a student's record, marks for other systems."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from assessor.cli.context import json_option, open_both, open_course, print_json, print_table, whoami

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--keep", type=click.IntRange(min=1), help="Remove all but so many of this course's backups in FILE's folder.")
@json_option
@click.pass_context
def backup(ctx: click.Context, file: Path, keep: int | None, as_json: bool) -> None:
    """Back up database, hand-ins, evidence and keys into FILE, a zip.

    Grading may go on meanwhile. FILE holds the course's keys: keep it as you keep the marks. Backups hold erased records
    until they are removed: --keep removes old ones.
    """
    from assessor.workflow.backup import backup as make

    done = make(*open_both(ctx), file, datetime.now(UTC), author=whoami(), keep=keep)
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.file}: {done.files} files, SHA-256 {done.sha256}")
    for removed in done.removed:
        click.echo(f"removed {removed}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Restore a backup into a course directory without data; every file is checked first."""
    from assessor.workflow.backup import restore as lay

    done = lay(open_course(ctx), file, author=whoami(), now=datetime.now(UTC))
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.file}: {done.files} files restored, each as it was hashed; SHA-256 {done.sha256}")


@click.command("export")
@click.argument("system", type=click.Choice(["moodle", "canvas", "blackboard", "gradescope"]))
@click.argument("file", type=FILE)
@click.argument("names", nargs=-1, metavar="[ASSIGNMENT]...")
@json_option
@click.pass_context
def export_lms(ctx: click.Context, system: str, file: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Write marks into FILE, a CSV that SYSTEM's gradebook imports.

    Points after lateness and decisions. A mark in review, held or still to come is an empty cell; not submitted is 0. For
    gradescope FILE is a zip with a results.json for each student, of one ASSIGNMENT.
    """
    from assessor.workflow.gradescope import export_gradescope
    from assessor.workflow.lms_export import export_marks

    course, database = open_both(ctx)
    if system == "gradescope":
        if len(names) != 1:
            raise click.UsageError("gradescope: name one ASSIGNMENT")
        done = export_gradescope(course, database, file, names[0], now=datetime.now(UTC))
    else:
        done = export_marks(course, database, system, file, names, now=datetime.now(UTC))
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.file}: {done.students} students, {done.columns} assignments")


@click.group()
def record() -> None:
    """Students' records: give one out, erase one, or erase all whose time is over."""


@record.command("export")
@click.argument("student")
@click.argument("file", type=FILE)
@json_option
@click.pass_context
def export(ctx: click.Context, student: str, file: Path, as_json: bool) -> None:
    """Write all rows and files of STUDENT into FILE, a zip."""
    from assessor.workflow.student_record import export_record

    done = export_record(*open_both(ctx), student, file, author=whoami(), now=datetime.now(UTC))
    if as_json:
        print_json(done)
    else:
        click.echo(f"{file}: {done.student}, {sum(done.rows.values())} rows, {done.files} files")


@record.command("erase")
@click.argument("student")
@click.option("--reason", required=True, help="Why; stays in the audit, so without the student's name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def erase(ctx: click.Context, student: str, reason: str, yes: bool, as_json: bool) -> None:
    """Erase all rows and files of STUDENT, for good; the audit keeps that it was done."""
    from assessor.workflow.student_record import erase_record

    if not yes:
        click.confirm(f"Erase every mark, hand-in and event of {student}? This cannot be undone", abort=True, err=True)
    done = erase_record(*open_both(ctx), student, author=whoami(), reason=reason, now=datetime.now(UTC))
    if as_json:
        print_json(done)
    else:
        click.echo(f"erased {done.student}: {sum(done.rows.values())} rows, {done.files} files; backups still hold them")


@record.command("retention")
@click.option("--apply", "applied", is_flag=True, help="Erase what is due.")
@click.option("--reason", default="", help="Why; stays in the audit, so without any student's name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def retention(ctx: click.Context, applied: bool, reason: str, yes: bool, as_json: bool) -> None:
    """List the records that are older than [retention] of course.toml allows; with --apply erase them."""
    from assessor.workflow.retention import apply_retention
    from assessor.workflow.retention import retention as listed

    course, database = open_both(ctx)
    now = datetime.now(UTC)
    found = listed(course, database, now)
    if applied and found.due:
        if not yes:
            click.confirm(f"Erase the whole records of {len(found.due)} students? This cannot be undone", abort=True, err=True)
        found = apply_retention(course, database, author=whoami(), reason=reason, now=now)
    if as_json:
        print_json(found)
        return
    rows = [[each.student, each.last or "-", each.until, each.waits] for each in (*found.due, *found.waiting)]
    if rows:
        print_table("kept for long enough", ["student", "newest row", "kept until", "still kept because"], rows)
    years = f"{found.years} year{'s' * (found.years > 1)}"
    click.echo(f"{len(found.due)} of {found.students} records due: {years} after the module's end, {found.ended}")
    if found.erased:
        click.echo(f"erased {len(found.erased)}; backups from before still hold them: `assessor backup FILE --keep N`")


COMMANDS = (export_lms, backup, restore, record)
