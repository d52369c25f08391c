"""Marking a project by its rubric: forms, two or three markers, one mark for each team, its members' marks, their pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy.orm import Session

from assessor.course import TOTAL, Course
from assessor.database import Database
from assessor.database.acts import Act, Verb, acts_in_force, add_act
from assessor.database.audit import add_event
from assessor.database.queries import attempts
from assessor.database.types import PLACES
from assessor.errors import AssessorError, ImportRefused
from assessor.files import write_text
from assessor.marking.agreement import Agreement, Severity, agree, agreement, severities
from assessor.marking.exact import HUNDRED, plain
from assessor.projects.rubric import Node, Rubric, Score, Sheet, form, krippendorff, read_form, read_rubric, score_of, total_of
from assessor.projects.settings import Project, load_project
from assessor.projects.teams import SplitState, members_of, split_of, teams_of
from assessor.reports.pages import render
from assessor.workflow.mark import append_totals
from assessor.workflow.project_reproduce import Reproduction, reproductions

Sheets = dict[str, dict[str, Sheet]]
"""team -> marker -> what they gave."""


@dataclass(frozen=True)
class TeamMark:
    """One team's marking: what each marker gives in percent, and what that comes to; None while something is still needed."""

    team: str
    marks: tuple[tuple[str, Decimal], ...]
    percent: Decimal | None
    words: str


@dataclass(frozen=True)
class Marking:
    """A project's marking, and how well markers agree.

    Attributes:
        totals: of two markers' marks of whole works; leaves: of their scores of single leaves.
        alpha: Krippendorff's, of all scores of leaves.
        settled: members' marks that were given by this call.
    """

    project: str
    teams: tuple[TeamMark, ...]
    totals: Agreement
    leaves: Agreement
    alpha: float | None
    severities: tuple[Severity, ...]
    settled: int = 0


def make_form(course: Course, database: Database, name: str, team: str, *, marker: str) -> str:
    """A form for one marker, with what they gave before; never with what others gave.

    Raises:
        UnknownName: no such project or team.
        CourseInvalid: the rubric is wrong.
    """
    project = load_project(course, name)
    rubric = read_rubric(project.rubric_file)
    with database.reading() as session:
        members_of(session, name, team)
        return form(rubric, _sheets(session, name, rubric).get(team, {}).get(marker))


def record_form(
    course: Course, database: Database, name: str, team: str, file: Path, *, author: str, now: datetime,
    encoding: str | None = None,
) -> Decimal:  # fmt: skip
    """Records what a marker gives; it is no mark yet.

    Returns:
        What it comes to, in percent.

    Raises:
        UnknownName: no such project or team.
        ImportRefused: the form is wrong; nothing was recorded.
    """
    project = load_project(course, name)
    rubric = read_rubric(project.rubric_file)
    sheet = read_form(file, rubric, encoding=encoding)
    try:
        total = total_of(rubric, sheet)
    except ValueError as fault:
        raise ImportRefused(file, None, "score", str(fault), "some leaf that applies") from None
    scores = {leaf: [None if s.points is None else str(s.points), s.comment] for leaf, s in sheet.items()}
    with database.transaction() as session:
        members_of(session, name, team)
        detail = {"team": team, "rubric": rubric.sha256, "scores": scores}
        add_act(session, Verb.RUBRIC, subject=name, detail=detail, reason="marking", author=author, now=now)
    return total


def marking(course: Course, database: Database, name: str) -> Marking:
    """How far the marking is.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    project = load_project(course, name)
    with database.reading() as session:
        return _state(course, session, project)


def settle(
    course: Course, database: Database, name: str, *, none_handed_in: bool = False, author: str, now: datetime
) -> Marking:
    """Gives the members of each team whose markers agree, and whose split holds, the team's mark; the rest waits.

    Their shares, and lateness, are applied when marks are computed: what is given here is the team's mark.

    Args:
        none_handed_in: teams of which nothing was collected get NS.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    project = load_project(course, name)
    with database.transaction() as session:
        found = _state(course, session, project)
        marks: dict[str, tuple[Decimal | None, str]] = {}
        for team in found.teams:
            missing = none_handed_in and not team.marks and not _handed_in(session, name, team.team)
            if team.percent is not None or missing:
                points = None if team.percent is None else (team.percent * project.assignment.marks / HUNDRED).quantize(PLACES)
                marks[team.team] = points, "nothing was handed in" if missing else f"rubric: {team.words}"
        new = 0
        for name_of_team, (points, words) in marks.items():
            members = dict.fromkeys(members_of(session, name, name_of_team), points)
            reason = f"team {name_of_team}, {words}"
            out_of = project.assignment.marks
            new += append_totals(session, name, TOTAL, members, out_of, author=author, reason=reason, now=now).new
    return replace(found, settled=new)


def _handed_in(session: Session, name: str, team: str) -> bool:
    return any(attempts(session, member, name) for member in members_of(session, name, team))


def _sheets(session: Session, name: str, rubric: Rubric) -> Sheets:
    """What every marker gave by this version of the rubric, in the order in which they first marked; the newest counts."""
    found: Sheets = {}
    for act in acts_in_force(session, Act.verb == Verb.RUBRIC, Act.subject == name):
        if act.detail["rubric"] == rubric.sha256:
            sheet = {
                leaf: Score(None if points is None else Decimal(points), comment)
                for leaf, (points, comment) in act.detail["scores"].items()
            }
            found.setdefault(act.detail["team"], {})[act.author] = sheet
    return found


def _state(course: Course, session: Session, project: Project) -> Marking:
    rubric = read_rubric(project.rubric_file)
    sheets = _sheets(session, project.name, rubric)
    teams = []
    for team in teams_of(session, project.name):
        marks = tuple((marker, total_of(rubric, sheet)) for marker, sheet in sheets.get(team, {}).items())
        found = agree(marks, course.marking)
        percent, words = found.percent, found.words
        waits = _waits_for_split(session, project, team)
        if percent is not None and waits:
            percent, words = None, waits
        teams.append(TeamMark(team, marks, percent, words))
    several = [team.marks for team in teams if len(team.marks) > 1]
    boundaries = course.marking.boundaries
    scores = [_leaf_scores(rubric, list(own.values())) for own in sheets.values()]
    units = [unit for each in scores for unit in each]
    pairs = [(unit[0], unit[1]) for unit in units if len(unit) > 1]
    return Marking(
        project.name, tuple(teams), agreement([(marks[0][1], marks[1][1]) for marks in several], boundaries),
        agreement(pairs, boundaries), krippendorff([[float(score) for score in unit] for unit in units]),
        severities([(t.team, marker, mark) for t in teams if len(t.marks) > 1 for marker, mark in t.marks]),
    )  # fmt: skip


def _leaf_scores(rubric: Rubric, sheets: list[Sheet]) -> list[list[Decimal]]:
    """For each leaf the scores that were given; one that does not apply gives none."""
    return [[points for s in sheets if (points := s[leaf.name].points) is not None] for leaf in rubric.leaves()]


def _waits_for_split(session: Session, project: Project, team: str) -> str:
    """Why a team's mark must wait for its split, or ''."""
    split = split_of(session, project.name, team)
    if split.holds or (split.state is SplitState.NONE and project.rules.split.method == "none"):
        return ""
    return f"its split: {split.state}" + (f" ({split.words})" if split.words else "")


@dataclass(frozen=True)
class LeafLine:
    """A leaf on a team's page: the mean of what markers gave, or why it does not apply, and what they wrote."""

    text: str
    score: str
    comments: tuple[str, ...]


@dataclass(frozen=True)
class CriterionLine:
    """A criterion on a team's page."""

    text: str
    weight: Decimal
    score: str
    leaves: tuple[LeafLine, ...]


def write_feedback(
    course: Course, database: Database, name: str, *, author: str = "feedback", now: datetime | None = None
) -> tuple[Path, ...]:
    """Writes a page for every member of every team that has its mark: scores, comments, claims; no marker's name.

    A member whose mark is held gets none.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    project = load_project(course, name)
    rubric = read_rubric(project.rubric_file)
    found = reproductions(course, database, name)
    paths = []
    with database.reading() as session:
        state, teams = _state(course, session, project), teams_of(session, name)
        sheets = _sheets(session, name, rubric)
        held = {act.student_id for act in acts_in_force(session, Act.verb == Verb.HOLD, Act.subject == name)}
    for team in state.teams:
        if team.percent is None:
            continue
        page = _page(course, project, team, rubric, list(sheets[team.team].values()), found.get(team.team))
        for member in (each for each in teams[team.team] if each not in held):
            path = course.root / "feedback" / member / f"{name}-rubric.html"
            write_text(path, page)
            paths.append(path)
    if not paths:
        raise AssessorError(f"{name}: no team has its mark yet; `assessor project marks` says what is missing")
    with database.transaction() as session:
        detail = {"assignment": name, "students": sorted({path.parent.name for path in paths})}
        add_event(session, author, "project feedback", now or datetime.now(UTC), detail)
    return tuple(paths)


def _page(
    course: Course, project: Project, team: TeamMark, rubric: Rubric, sheets: list[Sheet], found: Reproduction | None
) -> str:
    criteria = [
        CriterionLine(each.text, each.weight, _mean_score(each, sheets), tuple(_leaf(leaf, sheets) for leaf in each.leaves()))
        for each in rubric.criteria
    ]
    return render(
        "project_feedback.html", course=course.code, title=project.assignment.title, team=team.team, percent=team.percent,
        criteria=criteria, found=found,
    )  # fmt: skip


def _leaf(leaf: Node, sheets: list[Sheet]) -> LeafLine:
    comments = dict.fromkeys(sheet[leaf.name].comment for sheet in sheets if sheet[leaf.name].comment)
    return LeafLine(leaf.text, _mean_score(leaf, sheets), tuple(comments))


def _mean_score(node: Node, sheets: list[Sheet]) -> str:
    scores = [score for sheet in sheets if (score := score_of(node, sheet)) is not None]
    return plain((sum(scores, Decimal(0)) / len(scores)).quantize(Decimal("0.1"))) if scores else "does not apply"


def newest_evidence(found: Mapping[str, Reproduction], team: str) -> str:
    """What a marker reads of a team's reproduction in one line."""
    if team not in found:
        return "not reproduced yet: assessor project reproduce"
    one = found[team]
    return (
        f"{one.count('reproduced')} of {len(one.claims)} claims reproduced, {one.count('not reproduced')} not, "
        f"{one.count('inconclusive')} inconclusive"
    )
