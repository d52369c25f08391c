"""Teams of a project and the split of their marks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import Course
from assessor.database import Database
from assessor.database.queries import student_ids
from assessor.errors import AssessorError
from assessor.projects.settings import load_project
from assessor.projects.splits import METHODS
from assessor.projects.teams import (
    Split,
    SplitState,
    check_sizes,
    equal_split,
    members_of,
    put_split,
    put_teams,
    read_split,
    read_teams,
    split_of,
    teams_of,
    without_team,
)


@dataclass(frozen=True)
class TeamRow:
    """One team: its members, and where its split stands."""

    team: str
    members: tuple[str, ...]
    split: Split


@dataclass(frozen=True)
class TeamList:
    """All teams of a project, and the students who are in none."""

    project: str
    teams: tuple[TeamRow, ...]
    without: tuple[str, ...]
    changed: int = 0
    """Students whose team was changed by this call."""


def import_teams(
    course: Course, database: Database, name: str, file: Path, *, author: str, now: datetime, encoding: str | None = None
) -> TeamList:
    """Brings in a table of teams, all of it or nothing; the whole table holds from then on.

    A sub-team that hands in for itself is a team of its own: team3.a, team3.b.

    Raises:
        UnknownName, AssessorError: there is no such project.
        ImportRefused: the table is wrong; nothing was imported.
    """
    project = load_project(course, name)
    with database.transaction() as session:
        teams = read_teams(file, set(student_ids(session)), encoding=encoding)
        check_sizes(file, teams, project.rules.team.least, project.rules.team.most)
        changed = put_teams(session, name, teams, author=author, reason=f"table {file.name}", now=now)
    return replace(list_teams(course, database, name), changed=changed)


def list_teams(course: Course, database: Database, name: str) -> TeamList:
    """The teams as they stand.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    load_project(course, name)
    with database.reading() as session:
        rows = [
            TeamRow(team, members, split_of(session, name, team)) for team, members in teams_of(session, name).items()
        ]
        return TeamList(name, tuple(rows), tuple(without_team(session, name)))


def set_split(
    course: Course,
    database: Database,
    name: str,
    team: str,
    file: Path | None,
    *,
    method: str | None = None,
    state: SplitState = SplitState.AGREED,
    author: str,
    reason: str,
    now: datetime,
    encoding: str | None = None,
) -> Split:
    """Records how a team's mark is split: by a table of signed shares or peer ratings, or evenly where none is given.

    Args:
        method: of `splits.METHODS`; the project's own where it is not given.
        state: PENDING holds the team's marks back; OVERRIDDEN is the module leader's decision and needs a reason.

    Raises:
        UnknownName: no such project or team.
        ImportRefused: the table is wrong; nothing was recorded.
        AssessorError: no reason for an override, or a method that is none.
    """
    project = load_project(course, name)
    chosen = method or project.rules.split.method
    if file is not None and chosen not in METHODS:
        raise AssessorError(f"{name}: say by which method the table splits: {', '.join(METHODS)}")
    if state is SplitState.OVERRIDDEN and not reason.strip():
        raise AssessorError(f"{team}: an override needs a reason")
    with database.transaction() as session:
        members = members_of(session, name, team)
        rules = project.rules.split
        split = read_split(file, members, rules, chosen, encoding=encoding) if file else equal_split(members)
        if state is not SplitState.AGREED:
            split = replace(split, state=state)
        put_split(session, project, team, split, author=author, reason=reason.strip() or "recorded", now=now)
    return split


def notable(split: Split) -> list[tuple[str, Decimal, str]]:
    """Members whose part the module leader should look at: (student, factor, why)."""
    found = [(student, part.factor, part.note) for student, part in split.parts.items() if part.note]
    return found + [(s, part.factor, "handed in no peer form") for s, part in split.parts.items() if not part.rated]
