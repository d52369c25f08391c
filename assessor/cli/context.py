"""What every command needs: the course, its database, and how to print."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assessor.errors import AssessorError

if TYPE_CHECKING:
    from rich.table import Table

    from assessor.course import Course
    from assessor.database import Database

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
encoding_option = click.option("--encoding", help="The CSV's encoding, where it is neither UTF-8 nor marked UTF-16: cp1252.")
names_argument = click.argument("names", nargs=-1, metavar="[ASSIGNMENT]...")


def course_root(ctx: click.Context) -> Path:
    """The course directory: --course, or the nearest one upwards."""
    given: str | None = ctx.find_root().obj
    if given is not None:
        return Path(given).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "course.toml").is_file():
            return folder
    raise AssessorError(f"{here}: no course.toml here or above; use --course DIR, or make a course with `assessor init`")


def open_course(ctx: click.Context) -> Course:
    """The course, validated."""
    from assessor.course import load_course

    return load_course(course_root(ctx))


def open_both(ctx: click.Context) -> tuple[Course, Database]:
    """The course and its database, made or upgraded where need be; closed when the command ends."""
    from assessor.database import open_database

    course = open_course(ctx)
    database = open_database(course.database_url or course.root, create=True)
    ctx.call_on_close(database.close)
    return course, database


def whoami() -> str:
    """The name that marks and extensions are signed with: the login name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def print_json(value: object) -> None:
    """Prints a value, dataclasses included, as one JSON document."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def tell(value: object, line: str, *, as_json: bool) -> None:
    """What a command did: one line for people, or the whole value for machines."""
    if as_json:
        print_json(value)
    else:
        click.echo(line)


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints a table; text is shown as it is, never read as markup."""
    from rich.console import Console
    from rich.text import Text

    table: Table = make_table(title, columns)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in row))
    Console().print(table)


def make_table(title: str, columns: Iterable[str]) -> Table:
    """An empty table in the house style."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


class Bar(AbstractContextManager["Bar"]):
    """A progress bar on standard error with rate and estimate; nothing where no person looks."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), console=Console(stderr=True), disable=quiet,
        )  # fmt: skip
        self._task = self._progress.add_task(what, total=None, rate="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, done: int, total: int) -> None:
        """Shows that `done` of `total` are through."""
        speed = self._progress.tasks[0].finished_speed or self._progress.tasks[0].speed
        rate = f"{60 * speed:.1f} a minute" if speed else ""
        self._progress.update(self._task, completed=done, total=total, rate=rate)


def printable(text: str) -> str:
    """Text from strangers without the control characters that could drive a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
