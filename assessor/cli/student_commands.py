"""Commands for students and for taking in what they hand in: check, submit, receipt, collect."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from assessor.cli.context import course_root, json_option, open_both, open_course, print_json, print_table, printable, whoami


@click.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--unconfined", is_flag=True, help="Without a sandbox, in your own Python: for your own notebooks only.")
@json_option
def check(notebook: Path, files: tuple[Path, ...], unconfined: bool, as_json: bool) -> None:
    """Check your NOTEBOOK before you hand it in.

    Runs it from top to bottom in a fresh kernel, as it will be when it is graded, then the public tests that came with
    it (the folder checks/). FILEs are what you hand in with it. Exit status 1: a test does not pass. Nothing is handed
    in, and no mark follows: hidden tests look deeper.
    """
    from assessor.grading.results import Verdict
    from assessor.workflow.check import check as run

    done = run(notebook, files, confined=not unconfined)
    if as_json:
        tests = [
            {"test": t.name, "title": t.title, "verdict": t.verdict, "message": t.message, "hint": t.hint} for t in done.tests
        ]
        raised = [{"cell": c.index + 1, "status": c.status, "error": c.error} for c in done.grading.execution.raised]
        print_json({"notebook": str(notebook), "outcome": done.grading.execution.outcome, "raised": raised, "tests": tests})
    else:
        if unconfined:
            click.echo("without a sandbox: the notebook had your files and network at hand, which it will not have when graded")
        for line in [*done.grading.changes, *filter(None, [done.grading.note])]:
            click.echo(f"note: {printable(line)}")
        execution = done.grading.execution
        click.echo(f"{notebook.name}: {len(execution.cells)} cells, {execution.usage.cpu_seconds:.1f} s: {execution.outcome}")
        for cell in execution.raised:
            click.echo(f"  cell {cell.index + 1} {cell.status}: {printable(cell.error)}".rstrip(": "))
        rows = []
        for test in done.tests:
            why = [] if test.verdict is Verdict.PASSED else [*test.message.splitlines(), *test.hint.splitlines()]
            rows.append([test.verdict, test.title, "; ".join(why)])
        print_table("public tests", ["", "what", "why"], rows)
    if not done.passed:
        sys.exit(1)


@click.command()
@click.argument("assignment")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="NOTEBOOK [FILE]...")
@click.option("--student", help="Whose hand-in it is (default: the login name).")
@click.option("--receipt", "receipt_file", type=click.Path(path_type=Path), help="Where to write the receipt.")
@json_option
@click.pass_context
def submit(
    ctx: click.Context, assignment: str, files: tuple[Path, ...], student: str | None, receipt_file: Path | None, as_json: bool
) -> None:
    """Hand in a notebook; gives a signed receipt."""
    from assessor.workflow.receipts import write_receipt
    from assessor.workflow.submit import submit as hand_in

    receipt = hand_in(open_course(ctx), assignment, student or whoami(), files, now=datetime.now(UTC))
    target = receipt_file or Path(f"receipt-{assignment}-{receipt.attempt}.json")
    write_receipt(receipt, target)
    if as_json:
        print_json({"receipt": receipt, "file": target})
        return
    click.echo(f"handed in: {assignment}, attempt {receipt.attempt}, {receipt.submitted_at:%Y-%m-%d %H:%M:%S} UTC")
    for entry in receipt.files:
        click.echo(f"  {entry.sha256}  {entry.name}")
    click.echo(f"receipt: {target} (keep it: `assessor receipt verify {target}` proves it)")


@click.group()
def receipt() -> None:
    """Prove the receipt of a hand-in."""


@receipt.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The course's public key.")
@click.pass_context
def verify(ctx: click.Context, file: Path, key: Path | None) -> None:
    """Prove that FILE is a receipt that this course signed."""
    from assessor.workflow.keys import course_public_key, read_public_key
    from assessor.workflow.receipts import verify as check

    found = check(file, read_public_key(key) if key else course_public_key(course_root(ctx)))
    when = f"{found.submitted_at:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"valid: {found.student} handed in {found.assignment}, attempt {found.attempt}, on {when}")
    for entry in found.files:
        click.echo(f"  {entry.sha256}  {entry.name}")


@click.command()
@click.argument("assignment")
@click.option("--from", "place", type=click.Path(exists=True, path_type=Path), help="A folder or an LMS zip.")
@click.option("--pattern", help="How its files are named, such as '{student}_{ignore}_{file}'.")
@click.option("--exchange", type=click.Path(exists=True, file_okay=False, path_type=Path), help="nbgrader's inbound.")
@json_option
@click.pass_context
def collect(
    ctx: click.Context, assignment: str, place: Path | None, pattern: str | None, exchange: Path | None, as_json: bool
) -> None:
    """Take in what was handed in.

    From the inbox, or --from a folder or zip, or from a nbgrader --exchange. Every attempt is kept. One bad file never
    stops the rest; the report says why it was refused.
    """
    from assessor.workflow.collect import collect as take_in
    from assessor.workflow.collect import find_source

    source = find_source(place, pattern, exchange)
    report = take_in(*open_both(ctx), assignment, source, now=datetime.now(UTC), author=whoami())
    if as_json:
        print_json(report)
        return
    rows = [[r.student, r.attempt or "", r.status, "late" if r.late else "", r.note] for r in report.rows]
    print_table(f"collect {assignment}", ["student", "attempt", "status", "late", "note"], rows)


COMMANDS = (check, submit, receipt, collect)
