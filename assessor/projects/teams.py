"""Teams of a project, and how their marks are split: read from acts, which are appended and never changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from sqlalchemy.orm import Session

from assessor.csvfile import CsvRow, read_csv
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.enrolment import find_student
from assessor.database.queries import student_ids
from assessor.errors import AssessorError, ImportRefused, UnknownName
from assessor.marking.exact import HUNDRED, ONE, ZERO, plain
from assessor.projects.settings import Project, SplitRules
from assessor.projects.splits import Part, Ratings, peer_factors, signed

TEAM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
MAX_RATING = Decimal(1000)
Teams = dict[str, tuple[str, ...]]
"""team -> its members' ids, sorted."""


class SplitState(StrEnum):
    """Where a team's split stands."""

    NONE = "none yet"
    PENDING = "pending agreement"
    """Not all members have signed, or they do not agree: no marks until they do or the module leader decides."""
    AGREED = "agreed"
    OVERRIDDEN = "overridden by the module leader"


@dataclass(frozen=True)
class Split:
    """A team's split, as it stands.

    Attributes:
        parts: each member's factor; empty where there is none yet.
        words: how the factors came about, for the working.
    """

    state: SplitState = SplitState.NONE
    parts: Mapping[str, Part] = field(default_factory=dict)
    words: str = ""

    @property
    def holds(self) -> bool:
        """Whether marks may be split by it."""
        return self.state in (SplitState.AGREED, SplitState.OVERRIDDEN)


def read_teams(file: Path, students: set[str], *, encoding: str | None = None) -> Teams:
    """A table of teams: team, student; each student in one team.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    teams: dict[str, list[str]] = {}
    seen: dict[str, int] = {}
    for row in read_csv(file, ["team", "student"], encoding=encoding):
        team, student = row.text("team"), row.text("student")
        if not TEAM_NAME.fullmatch(team):
            raise row.refuse("team", team, "letters, digits, '.', '_' and '-', at most 64")
        if student not in students:
            raise row.refuse("student", student, "a student of the class list")
        if student in seen:
            raise row.refuse("student", student, f"each student in one team; row {seen[student]} has them too")
        seen[student] = row.number
        teams.setdefault(team, []).append(student)
    return {team: tuple(sorted(members)) for team, members in teams.items()}


def teams_of(session: Session, name: str) -> Teams:
    """The teams of a project: for each student the newest act says which."""
    acts = acts_in_force(session, Act.verb == Verb.TEAM, Act.subject == name)
    newest = {act.student_id or "": act.detail["team"] for act in acts}
    teams: dict[str, list[str]] = {}
    for student, team in sorted(newest.items()):
        if team:
            teams.setdefault(team, []).append(student)
    return {team: tuple(members) for team, members in sorted(teams.items())}


def members_of(session: Session, name: str, team: str) -> tuple[str, ...]:
    """A team's members.

    Raises:
        UnknownName: there is no such team.
    """
    teams = teams_of(session, name)
    if team not in teams:
        raise UnknownName("team", team, teams)
    return teams[team]


def newest_of_team(session: Session, verb: Verb, name: str, team: str) -> list[Act]:
    """The acts of a kind about a team, oldest first."""
    acts = acts_in_force(session, Act.verb == verb, Act.subject == name)
    return [act for act in acts if act.detail["team"] == team]


def split_of(session: Session, name: str, team: str) -> Split:
    """How a team's split stands."""
    acts = newest_of_team(session, Verb.SPLIT, name, team)
    if not acts:
        return Split()
    detail = acts[-1].detail
    parts = {s: Part(Decimal(p["factor"]), p["rated"], p["note"]) for s, p in detail["parts"].items()}
    return Split(SplitState(detail["state"]), parts, detail["words"])


def read_signed(
    file: Path, members: tuple[str, ...], *, encoding: str | None = None
) -> tuple[dict[str, Decimal], tuple[str, ...]]:
    """A signed split: student, share (percent) and signed (the member's own name, or nothing).

    Returns:
        The shares, and who has not signed.

    Raises:
        ImportRefused: members are missing or strange, or the shares do not sum to 100.
    """
    rows = read_csv(file, ["student", "share", "signed"], encoding=encoding)
    shares: dict[str, Decimal] = {}
    for row in rows:
        shares[_member(row, "student", members, shares)] = row.number_in("share", ZERO, HUNDRED)
    missing = [member for member in members if member not in shares]
    if missing:
        raise ImportRefused(file, None, "student", f"nothing of {', '.join(missing)}", "every member of the team")
    if sum(shares.values(), ZERO) != HUNDRED:
        raise rows[-1].refuse("share", f"sum {plain(sum(shares.values(), ZERO))}", "shares that sum to 100")
    return shares, tuple(row.text("student") for row in rows if not row.values["signed"].strip())


def read_ratings(file: Path, members: tuple[str, ...], *, encoding: str | None = None) -> Ratings:
    """Peer ratings: rater, student, rating; several rows of a pair (criteria) are added up.

    Raises:
        ImportRefused: file, row, column, what was found, what is expected.
    """
    ratings: dict[str, dict[str, Decimal]] = {}
    for row in read_csv(file, ["rater", "student", "rating"], encoding=encoding):
        rater, student = _member(row, "rater", members), _member(row, "student", members)
        given = ratings.setdefault(rater, {})
        given[student] = given.get(student, ZERO) + row.number_in("rating", ZERO, MAX_RATING)
    return ratings


def read_split(
    file: Path, members: tuple[str, ...], rules: SplitRules, method: str, *, encoding: str | None = None
) -> Split:
    """A split from its table: signed shares, or peers' ratings.

    Raises:
        ImportRefused: the table is wrong, or its ratings do not suffice.
    """
    if method == "signed":
        shares, unsigned = read_signed(file, members, encoding=encoding)
        words = "signed split " + " / ".join(plain(share) for share in shares.values())
        if unsigned:
            return Split(SplitState.PENDING, signed(shares), f"{words}, not signed by {', '.join(unsigned)}")
        return Split(SplitState.AGREED, signed(shares), words)
    try:
        parts = peer_factors(method, members, read_ratings(file, members, encoding=encoding), rules.weight)
    except ValueError as fault:
        raise ImportRefused(file, None, "rating", str(fault), f"ratings that suffice for {method}") from None
    weight = f", weight {plain(rules.weight)}" if method == "webpa" else ""
    return Split(SplitState.AGREED, parts, f"peer ratings by {method}{weight}")


def put_split(
    session: Session, project: Project, team: str, split: Split, *, author: str, reason: str, now: datetime
) -> None:
    """Appends a split; where it holds, each member's share of the team's mark follows, in the place of an earlier one."""
    parts = {s: {"factor": str(p.factor), "rated": p.rated, "note": p.note} for s, p in split.parts.items()}
    detail = {"team": team, "state": split.state.value, "words": split.words, "parts": parts}
    add_act(session, Verb.SPLIT, subject=project.name, detail=detail, reason=reason, author=author, now=now)
    shares = acts_in_force(session, Act.verb == Verb.SHARE, Act.subject == project.name)
    for old in [share for share in shares if share.detail["team"] == team or share.student_id in split.parts]:
        add_act(
            session, Verb.END, student=old.student_id, subject=old.subject, detail={"verb": Verb.SHARE.value},
            reason=f"another split of team {team}", author=author, now=now, ends=old.id,
        )  # fmt: skip
    rules = project.rules.split
    for student, part in split.parts.items() if split.holds else ():
        share = {
            "team": team, "factor": str(part.factor), "words": split.words, "cap": str(rules.cap),
            "penalty": str(ONE if part.rated else rules.no_form),
        }  # fmt: skip
        add_act(
            session, Verb.SHARE, student=student, subject=project.name, detail=share, reason=reason, author=author, now=now
        )


def put_teams(session: Session, name: str, teams: Teams, *, author: str, reason: str, now: datetime) -> int:
    """Appends who is in which team where that differs from what holds; students who are in none any more leave theirs.

    Returns:
        How many students changed.
    """
    held = {student: team for team, members in teams_of(session, name).items() for student in members}
    given = {student: team for team, members in teams.items() for student in members}
    changed = [student for student in sorted({*held, *given}) if held.get(student) != given.get(student)]
    for student in changed:
        add_act(
            session, Verb.TEAM, student=find_student(session, student).id, subject=name,
            detail={"team": given.get(student, "")}, reason=reason, author=author, now=now,
        )  # fmt: skip
    return len(changed)


def without_team(session: Session, name: str) -> list[str]:
    """Students who are in no team."""
    placed = {student for members in teams_of(session, name).values() for student in members}
    return [student for student in student_ids(session) if student not in placed]


def _member(row: CsvRow, column: str, members: tuple[str, ...], seen: Mapping[str, object] | None = None) -> str:
    value = row.text(column)
    if value not in members:
        raise row.refuse(column, value, f"a member of the team: {', '.join(members)}")
    if seen and value in seen:
        raise row.refuse(column, value, "each member once")
    return value


def check_sizes(file: Path, teams: Teams, least: int, most: int) -> None:
    """Refuses a table with a team that is too small or too large.

    Raises:
        ImportRefused: it has one.
    """
    for team, members in teams.items():
        if not least <= len(members) <= most:
            raise ImportRefused(file, None, "team", f"{team} of {len(members)}", f"teams of {least} to {most}")


def equal_split(members: tuple[str, ...]) -> Split:
    """Everybody gets the team's mark.

    Raises:
        AssessorError: there are no members.
    """
    if not members:
        raise AssessorError("a team without members has no split")
    return Split(SplitState.AGREED, {member: Part(ONE) for member in members}, "the team's mark for each member")
