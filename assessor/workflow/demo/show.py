"""The demo's table: planted and obtained, side by side."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assessor.workflow.demo.play import DemoResult

WIDE = 150
"""Columns that the table with its last column needs."""


def show(result: DemoResult, console: Console | None = None) -> None:
    """Prints the table, how long it took, and where the mark sheet lies."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    notes = console.width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, title="Lab 1: what was planted, what came of it", title_justify="left")
    for column in ("student", "fate", "planted", "obtained", "", "module", *(["what staff read"] if notes else [])):
        table.add_column(column, overflow="fold")
    for row in result.rows:
        same = Text("as planned", "green") if row.as_planned else Text("DIFFERS", "bold red")
        module = "-" if row.module is None else f"{row.module}"
        table.add_row(
            Text(row.planted.name), Text(row.planted.story), Text(row.planted.result), Text(row.obtained), same,
            module, *([Text(row.note, "dim")] if notes else []),
        )  # fmt: skip
    console.print(table)
    teams = Table(box=box.SIMPLE_HEAD, title="Project: what was planted, what came of it", title_justify="left")
    for column in ("team", "story", "planted", "obtained", ""):
        teams.add_column(column, overflow="fold")
    for team in result.teams:
        same = Text("as planned", "green") if team.as_planned else Text("DIFFERS", "bold red")
        teams.add_row(team.team, team.story, team.planned, team.obtained, same)
    console.print(teams)
    console.print(
        f"{len(result.rows)} students, {len(result.teams)} teams, {result.differ} differ from the plan; {result.seconds:.0f} s, "
        f"at most {result.peak_rss_mb} MB of memory"
    )
    for path in result.written:
        console.print(Text(f"  {path}"))
    console.print(Text(f"  {result.folder / 'feedback'}"))
