"""The command line: parse, call one function of `assessor.workflow`, print. Nothing else.

Everything heavy is imported inside the commands, so that `--help` and usage errors answer at once.
Exit status: 0 done, 1 a fault that a person can mend (one line says which), 2 wrong usage, 3 some work is in review.
"""

from __future__ import annotations

import errno
import sys

import click

from assessor.cli import (
    board_commands,
    course_commands,
    data_commands,
    grading_commands,
    machine_commands,
    mark_commands,
    marker_commands,
    project_commands,
    quiz_commands,
    review_commands,
    student_commands,
)
from assessor.errors import AssessorError
from gpu_runner.errors import RunnerError

MENDABLE = {
    errno.ENOSPC: "the disk is full: nothing was half-written; make room and run the same command again",
    errno.EDQUOT: "the disk quota is used up: nothing was half-written; make room and run the same command again",
    errno.EROFS: "the disk is read-only; nothing was written",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENOENT: "no such file or directory",
}


class Commands(click.Group):
    """Lists commands in the order of a course's life and suggests the near one for a misspelt name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; a usage error names the nearest one."""
        from difflib import get_close_matches

        if args and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.commands, n=1)
            advice = f" Did you mean {near[0]!r}?" if near else " `assessor --help` lists all."
            ctx.fail(f"No such command {args[0]!r}.{advice}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="assessor", prog_name="assessor")
@click.option(
    "-C",
    "--course",
    "root",
    type=click.Path(file_okay=False),
    help="The course directory (default: the nearest one upwards that holds course.toml).",
)
@click.pass_context
def assessor(ctx: click.Context, root: str | None) -> None:
    """Mark a deep-learning course: from students' notebooks to a mark sheet.

    \b
    A course's life:
      assessor init DIR           lay out a course       assessor doctor    is this machine fit?
      assessor release LAB        make student versions  assessor check     try it out (students)
      assessor status             how far everything is  assessor submit    hand in (students)
      assessor collect LAB        take in hand-ins       assessor autograde grade in sandboxes
      assessor marksheet          what the board sees    assessor feedback  what students see
    """
    ctx.obj = root


for module in (
    course_commands, student_commands, grading_commands, review_commands, quiz_commands, project_commands, mark_commands,
    marker_commands, board_commands, data_commands, machine_commands,
):  # fmt: skip
    for command in module.COMMANDS:
        assessor.add_command(command)


def main() -> None:
    """Runs the command line; faults that a person can mend become one line and exit status 1."""
    try:
        assessor.main(prog_name="assessor")
    except (AssessorError, RunnerError) as fault:
        fail(str(fault))
    except OSError as fault:
        if fault.errno not in MENDABLE:
            raise
        place = f"{fault.filename}: " if fault.filename else ""
        fail(f"{place}{MENDABLE[fault.errno]}")


def fail(line: str) -> None:
    """Prints the one line and exits 1."""
    click.echo(f"assessor: {line}", err=True)
    sys.exit(1)
