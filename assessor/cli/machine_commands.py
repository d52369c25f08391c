"""Commands about this machine: doctor, demo."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from assessor.cli.context import course_root, json_option, print_json, print_table
from assessor.errors import AssessorError


@click.command()
@click.option("--install-kernel", is_flag=True, help="Install the kernel 'assessor', for Jupyter's own tools.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, install_kernel: bool, as_json: bool) -> None:
    """Is this machine fit to mark? How to mend what is not."""
    from assessor.workflow.doctor import doctor as examine
    from gpu_runner.kernelspec import install_kernelspec

    if install_kernel:
        folder = install_kernelspec()
        click.echo(f"{folder}: `jupyter nbconvert --execute` and its like run in the sandbox with kernel 'assessor'", err=True)

    try:
        root = course_root(ctx)
    except AssessorError:
        root = None
    findings = list(examine(root))
    if as_json:
        print_json(findings)
    else:
        rows = [["ok" if f.ok else "MEND", f.subject, f.found, f.remedy] for f in findings]
        print_table("doctor", ["", "what", "found", "how to mend"], rows)
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@click.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("demo-course"), show_default=True,
              help="Where to lay the demo's course; an earlier demo there is replaced.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0, 1024), help="Worker processes (default: one a core).")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON for machines.")
def demo(folder: Path, workers: int | None, as_json: bool) -> None:
    """Mark a made-up class of 24, each with a planted fate.

    Prints planted and obtained result side by side; exit status 1 if any differs.
    """
    from assessor.workflow.demo.play import play
    from assessor.workflow.demo.show import show

    result = play(folder, workers=workers, say=lambda line: click.echo(line, err=as_json))
    if not as_json:
        show(result)
    else:
        print_json(result.summary())
    if result.differ:
        sys.exit(1)


COMMANDS = (doctor, demo)
