"""Commands that make and check a course: init, adopt, validate, release, roster, status."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from assessor.cli.context import (
    encoding_option,
    json_option,
    names_argument,
    open_both,
    open_course,
    print_json,
    print_table,
    tell,
    whoami,
)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
def init(target: Path) -> None:
    """Lay a copy of the reference course in TARGET, an empty directory."""
    from assessor.workflow.init import init_course

    init_course(target)
    click.echo(f"{target}: a course of your own; start with {target}/course.toml, check it with `assessor validate`")


@click.command()
@click.argument("target", type=click.Path(exists=True, file_okay=False, path_type=Path))
def adopt(target: Path) -> None:
    """Make a course of a nbgrader course directory.

    Nothing that is in it is changed; new files only.
    """
    from assessor.workflow.adopt import adopt_course

    adopted = adopt_course(target)
    print_table(f"adopted {target}", ["new file"], [[path] for path in adopted.written])
    for line in adopted.skipped:
        click.echo(f"not taken over: {line}")
    if adopted.students:
        click.echo("`assessor roster roster.csv` enrols its students")
    click.echo("read course.toml (term_start, weights, dates), then run `assessor validate`")


@click.command()
@names_argument
@json_option
@click.pass_context
def validate(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check course.toml, notebooks, hidden tests and quizzes.

    With ASSIGNMENTs, only those.
    """
    from assessor.workflow.quiz_check import check as check_quizzes
    from assessor.workflow.validate import validate as check

    course = open_course(ctx)
    findings = check(course, names)
    quizzes = [name for name in names if course.assignment(name).kind == "quiz"]
    if quizzes or not names:
        findings += check_quizzes(course, quizzes).findings
    if as_json:
        print_json(findings)
    elif findings:
        print_table("validate", ["", "file", "place", "what"], [[f.level, f.file, f.place, f.text] for f in findings])
    else:
        click.echo("all good")
    if any(finding.level == "error" for finding in findings):
        sys.exit(1)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ASSIGNMENT...")
@json_option
@click.pass_context
def release(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Make the student version of each ASSIGNMENT.

    Writes release/NAME/ and release/NAME.zip. Refuses when a solution or a hidden test would leak.
    """
    from assessor.workflow.release import release as make_release

    course = open_course(ctx)
    for name in names:
        released = make_release(course, name)
        tell(released, f"{name}: {released.archive}", as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@encoding_option
@json_option
@click.pass_context
def roster(ctx: click.Context, file: Path, encoding: str | None, as_json: bool) -> None:
    """Import the class list from a CSV.

    Columns: id, name and, if you like, email and marking_id.
    """
    from assessor.workflow.roster import import_roster

    _, database = open_both(ctx)
    done = import_roster(database, file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    tell(done, f"{file}: {done.added} new, {done.updated} changed, {done.unchanged} as before", as_json=as_json)


@click.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """How far each assignment is, and what is in review."""
    from assessor.workflow.status import status as look

    report = look(*open_both(ctx))
    if as_json:
        print_json(report)
        return
    columns = ["assignment", "due", "students", "handed in", "queued", "running", "marked", "review", "manual to do"]
    rows = [[getattr(row, name) for name in row.COLUMNS] for row in report.rows]
    print_table(f"{report.course}: {report.students} students", columns, rows)
    if report.reviews:
        print_table("in review", ["student", "assignment", "attempt", "why"], [r.cells for r in report.reviews])


@click.command()
@names_argument
@click.option("--all", "everything", is_flag=True, help="All assignments with hidden tests.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=15, show_default=True, help="Runs of each right answer.")
@json_option
@click.pass_context
def power(ctx: click.Context, names: tuple[str, ...], everything: bool, seeds: int, as_json: bool) -> None:
    """Prove that hidden tests find every known wrong answer.

    Runs the solution, the untouched release, other right answers and all mutants of each ASSIGNMENT, here and without a
    sandbox: it is the course's own code. Writes the kill matrix to reports/. Exit status 1 if anything is left to mend.
    """
    from assessor.cli.context import Bar
    from assessor.workflow.power import prove

    if everything is bool(names):
        raise click.UsageError("name assignments, or say --all")
    with Bar("proving", quiet=as_json) as bar:
        proofs = prove(open_course(ctx), names, seeds=seeds, progress=bar.advance)
    if as_json:
        print_json({proof.power.assignment: proof.power.summary() for proof in proofs})
    else:
        columns = ["assignment", "tests", "mutants", "killed", "correct", "false fails", "s"]
        rows = [[proof.power.assignment, *proof.power.summary().values()] for proof in proofs]
        print_table("power", columns, rows)
        for proof in proofs:
            for kill in proof.power.alive:
                click.echo(f"{proof.power.assignment}: {kill.mutant} lives ({kill.bug}); failed: {', '.join(kill.failed) or '-'}")
            for name in proof.power.idle:
                click.echo(f"{proof.power.assignment}: {name} kills nothing")
            for fail in proof.power.false_fails:
                failed = ", ".join(fail.failed)
                click.echo(f"{proof.power.assignment}: {fail.answer} is right, but with seed {fail.seed} fails {failed}")
            click.echo(proof.page)
    if not all(proof.power.proven for proof in proofs):
        sys.exit(1)


@click.command()
@click.argument("assignment")
@click.option("--runs", type=int, help="Runs of right answers (default: as many as the promised error rate needs).")
@json_option
@click.pass_context
def calibrate(ctx: click.Context, assignment: str, runs: int | None, as_json: bool) -> None:
    """Bound trained metrics by right answers over many seeds.

    Runs the solution and the other right answers in turn and writes graders/ASSIGNMENT/calibration.json, which hidden
    tests read by the fixture `calibrated`.
    """
    from assessor.cli.context import Bar
    from assessor.workflow.calibrate import calibrate as run

    with Bar("calibrating", quiet=as_json) as bar:
        done = run(open_course(ctx), assignment, runs=runs, progress=bar.advance)
    if as_json:
        print_json(done)
        return
    rows = [
        [name, len(metric.values), f"{min(metric.values):.6g}", f"{max(metric.values):.6g}", f"{metric.bound:.6g}"]
        for name, metric in done.metrics.items()
    ]
    print_table(f"calibrated {assignment}", ["metric", "runs", "lowest", "highest", "bound"], rows)
    click.echo(done.file)


COMMANDS = (init, adopt, validate, power, calibrate, release, roster, status)
