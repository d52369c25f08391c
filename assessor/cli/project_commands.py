"""Commands of the group project: teams, what they hand in, what of it can be reproduced, how their marks are split."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assessor.cli.context import encoding_option, json_option, open_both, print_json, print_table, printable, tell, whoami

if TYPE_CHECKING:
    from assessor.projects.teams import Split
    from assessor.workflow.collect import CollectReport
    from assessor.workflow.project_marking import Marking
    from assessor.workflow.project_reproduce import Reproduction

existing = click.Path(exists=True, dir_okay=False, path_type=Path)
name_option = click.option("--name", default="project", show_default=True, help="The project's name in course.toml.")
team_argument = click.argument("team")


@click.group()
def project() -> None:
    """The group project: teams, hand-ins, rubric, reproduction, marks."""


@project.command("import")
@click.argument("file", type=existing)
@name_option
@encoding_option
@json_option
@click.pass_context
def project_import(ctx: click.Context, file: Path, name: str, encoding: str | None, as_json: bool) -> None:
    """Import team marks: a CSV with the columns team, student, mark and, if you like, share (percent)."""
    from assessor.workflow.project_import import import_project

    done = import_project(*open_both(ctx), name, file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    tell(done, f"{file}: {done.new} new marks, {done.unchanged} as before", as_json=as_json)
    if done.left and not as_json:
        who = ", ".join(done.left)
        click.echo(f"left alone, since they try again by decision of the board: {who}; `assessor mark` gives that mark")


@project.command()
@click.argument("file", type=existing, required=False)
@name_option
@encoding_option
@json_option
@click.pass_context
def teams(ctx: click.Context, file: Path | None, name: str, encoding: str | None, as_json: bool) -> None:
    """Bring in the teams, or show them.

    FILE: a CSV with the columns team and student; all of it holds from then on.
    """
    from assessor.workflow.project_teams import import_teams, list_teams

    both = open_both(ctx)
    if file:
        found = import_teams(*both, name, file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    else:
        found = list_teams(*both, name)
    if as_json:
        print_json(found)
        return
    rows = [[row.team, ", ".join(row.members), row.split.state, row.split.words] for row in found.teams]
    print_table(f"{name}: {len(found.teams)} teams", ["team", "members", "split", ""], rows)
    if found.without:
        click.echo(f"in no team: {', '.join(found.without)}")
    if file:
        click.echo(f"{found.changed} students changed")


@project.command()
@team_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@name_option
@json_option
@click.pass_context
def submit(ctx: click.Context, team: str, files: tuple[Path, ...], name: str, as_json: bool) -> None:
    """Hand in TEAM's final work (students do this).

    FILES: paper.pdf, team.csv, split.csv and code.zip or code.bundle. All of it is checked at once.
    """
    from assessor.workflow.project_handin import submit_team

    done = submit_team(*open_both(ctx), name, team, files, now=datetime.now(UTC))
    if as_json:
        print_json(done)
        return
    late = ", late" if done.receipt.late else ""
    click.echo(f"{team}, {name}: attempt {done.receipt.attempt} handed in{late}")
    if done.note:
        click.echo(done.note)


@project.command()
@team_argument
@click.argument("file", type=existing)
@name_option
@json_option
@click.pass_context
def plan(ctx: click.Context, team: str, file: Path, name: str, as_json: bool) -> None:
    """Hand in TEAM's interim plan, plan.md or plan.txt (students do this)."""
    from assessor.workflow.project_handin import submit_plan

    done = submit_plan(*open_both(ctx), name, team, file, now=datetime.now(UTC))
    if as_json:
        print_json(done)
        return
    late = ", late" if done.receipt.late else ""
    click.echo(f"{team}, {name}: plan of {done.note} handed in, attempt {done.receipt.attempt}{late}")


@project.command()
@name_option
@json_option
@click.pass_context
def collect(ctx: click.Context, name: str, as_json: bool) -> None:
    """Take in what teams handed in, plans and final work."""
    from assessor.workflow.project_handin import collect_teams

    reports = collect_teams(*open_both(ctx), name, now=datetime.now(UTC), author=whoami())
    if as_json:
        print_json(reports)
        return
    for report in reports:
        _show_collected(report)


@project.command()
@team_argument
@click.argument("file", type=existing, required=False)
@click.option("--method", type=click.Choice(["signed", "webpa", "spark", "catme"]), help="Default: as project.toml says.")
@click.option("--even", is_flag=True, help="Every member gets the team's mark; no FILE then.")
@click.option("--pending", is_flag=True, help="The members do not agree: hold the team's marks back.")
@click.option("--override", is_flag=True, help="The module leader decides; a split that is handed in later does not count.")
@click.option("--reason", default="", help="Why; needed with --override.")
@name_option
@encoding_option
@json_option
@click.pass_context
def split(
    ctx: click.Context, team: str, file: Path | None, method: str | None, even: bool, pending: bool, override: bool,
    reason: str, name: str, encoding: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say how TEAM's mark is split between its members.

    FILE: a CSV with the columns student, share (percent), signed; or, for webpa, spark and catme, the peer ratings: rater,
    student, rating.
    """
    from assessor.projects.teams import SplitState
    from assessor.workflow.project_teams import set_split

    if (file is None) != even or (pending and override):
        raise click.UsageError("give a FILE or --even, and at most one of --pending and --override")
    state = SplitState.PENDING if pending else SplitState.OVERRIDDEN if override else SplitState.AGREED
    done = set_split(
        *open_both(ctx), name, team, file, method=method, state=state, author=whoami(), reason=reason,
        now=datetime.now(UTC), encoding=encoding,
    )  # fmt: skip
    if as_json:
        print_json(done)
        return
    _show_split(team, done)


@project.command()
@team_argument
@click.option("--seeds", type=click.IntRange(min=1, max=100), help="How many runs (default: as project.toml says).")
@name_option
@json_option
@click.pass_context
def reproduce(ctx: click.Context, team: str, seeds: int | None, name: str, as_json: bool) -> None:
    """Run TEAM's code in sandboxes, and say which of its claims hold.

    Evidence for markers, never a mark. What the code prints goes to standard error.
    """
    from assessor.workflow.project_reproduce import reproduce as run

    course, database = open_both(ctx)
    found = run(
        course, database, name, team, seeds=seeds, author=whoami(), now=datetime.now(UTC),
        say=lambda line: click.echo(printable(line), err=True),
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    _show_reproduction(found, course.root)


@project.command()
@team_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@name_option
@click.pass_context
def form(ctx: click.Context, team: str, file: Path, name: str) -> None:
    """Write a marking form for TEAM to FILE, a CSV: fill in score and comment, then `project score`.

    It holds what you gave before, never what others gave.
    """
    from assessor.files import write_text
    from assessor.workflow.project_marking import make_form, newest_evidence
    from assessor.workflow.project_reproduce import reproductions

    course, database = open_both(ctx)
    write_text(file, make_form(course, database, name, team, marker=whoami()))
    click.echo(f"{file}: score 0 to 100, or NA with a reason in comment")
    click.echo(newest_evidence(reproductions(course, database, name), team))


@project.command()
@team_argument
@click.argument("file", type=existing)
@name_option
@encoding_option
@json_option
@click.pass_context
def score(ctx: click.Context, team: str, file: Path, name: str, encoding: str | None, as_json: bool) -> None:
    """Record what you give TEAM: FILE is a form that was filled in. It becomes a mark by `project agree`."""
    from assessor.marking.exact import plain
    from assessor.workflow.project_marking import record_form

    total = record_form(*open_both(ctx), name, team, file, author=whoami(), now=datetime.now(UTC), encoding=encoding)
    if as_json:
        print_json({"team": team, "percent": total})
        return
    click.echo(f"{team}: {plain(total)} % recorded; the mark is as it was")


@project.command()
@name_option
@json_option
@click.pass_context
def marks(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what markers gave, where they agree, and how well."""
    from assessor.workflow.project_marking import marking

    _show_marking(marking(*open_both(ctx), name), as_json)


@project.command()
@click.option("--none-handed-in", is_flag=True, help="Teams of which nothing was collected get NS.")
@name_option
@json_option
@click.pass_context
def agree(ctx: click.Context, none_handed_in: bool, name: str, as_json: bool) -> None:
    """Give the marks on which the markers agree and whose split holds; the rest waits."""
    from assessor.workflow.project_marking import settle

    done = settle(*open_both(ctx), name, none_handed_in=none_handed_in, author=whoami(), now=datetime.now(UTC))
    _show_marking(done, as_json)


@project.command()
@name_option
@json_option
@click.pass_context
def feedback(ctx: click.Context, name: str, as_json: bool) -> None:
    """Write a page for every member of every team that has its mark: scores, comments, claims."""
    from assessor.workflow.project_marking import write_feedback

    course, database = open_both(ctx)
    paths = write_feedback(course, database, name, author=whoami(), now=datetime.now(UTC))
    tell({"paths": paths}, f"{len(paths)} pages in {course.root / 'feedback'}", as_json=as_json)


def _show_marking(found: Marking, as_json: bool) -> None:
    from assessor.cli.marker_commands import agreement_words
    from assessor.marking.exact import plain

    if as_json:
        print_json(found)
        return
    rows = [[team.team, "-" if team.percent is None else plain(team.percent), team.words] for team in found.teams]
    print_table(f"{found.project}, in percent", ["team", "agreed", "how"], rows)
    click.echo(f"works: {agreement_words(found.totals, 'first less second')}")
    alpha = "" if found.alpha is None else f"; Krippendorff's alpha {found.alpha:.2f}"
    click.echo(f"leaves: {agreement_words(found.leaves, 'first less second')}{alpha}")
    for one in found.severities:
        if one.is_notable:
            click.echo(f"{one.marker} marks {one.effect:+.1f} points from the others, over {one.pieces} teams: look into it")
    if found.settled:
        click.echo(f"{found.settled} marks given")


def _show_reproduction(found: Reproduction, root: Path) -> None:
    rows = [
        [claim.claim, claim.where, f"{claim.direction} {claim.value:.4g}", claim.status, claim.why]
        for claim in found.claims
    ]
    print_table(f"{found.team}, attempt {found.attempt}", ["claim", "in the paper", "stated", "", "why"], rows)
    for run in found.runs:
        if not run.ended_well:
            click.echo(f"seed {run.seed}: {printable(run.words)}")
    for note in found.notes:
        click.echo(printable(note))
    missing = [point for point, there in found.flags.items() if not there]
    if missing:
        click.echo(f"not seen in the code: {', '.join(missing)}")
    click.echo(
        f"a team whose every claim is honest reads 'not reproduced' of any with a probability of at most "
        f"{100 * found.error_rate:g} %"
    )
    click.echo(root / found.folder)


def _show_collected(report: CollectReport) -> None:
    if report.rows:
        rows = [[row.student, row.attempt or "", row.status, "late" if row.late else "", row.note] for row in report.rows]
        print_table(report.assignment, ["team", "attempt", "", "", ""], rows)
    else:
        click.echo(f"{report.assignment}: nothing was handed in")


def _show_split(team: str, done: Split) -> None:
    from assessor.marking.exact import plain

    rows = [
        [student, plain(part.factor), "; ".join([part.note] * bool(part.note) + ["no peer form"] * (not part.rated))]
        for student, part in done.parts.items()
    ]
    click.echo(f"{team}: {done.state}, {done.words}")
    print_table("", ["student", "x", "look at"], rows)


COMMANDS = (project,)
