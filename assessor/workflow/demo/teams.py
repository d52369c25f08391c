"""The demo's project: six teams hand in, their code is run again, two markers mark, splits are applied."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from assessor.course import Course
from assessor.database import Database
from assessor.errors import AssessorError
from assessor.marking.exact import plain
from assessor.projects.rubric import NOT_APPLICABLE, Rubric, read_rubric
from assessor.projects.settings import load_project
from assessor.projects.teams import SplitState
from assessor.workflow.project_handin import collect_teams, submit_plan, submit_team
from assessor.workflow.project_marking import record_form, settle, write_feedback
from assessor.workflow.project_reproduce import Reproduction, reproduce
from assessor.workflow.project_teams import import_teams, set_split

PROJECT = "project"
GOOD, NEGATIVE, LUCKY = "weight_averaging", "label_smoothing", "lucky_seed"
SHARES = (28, 26, 24, 22)
CLAIMS_LEAVES = ("supported", "runs", "honesty", "inference")
"""The leaves for which the demo's markers look at what came of the team's code."""


@dataclass(frozen=True)
class PlantedTeam:
    """One team's plan.

    Attributes:
        example: the folder of examples/ that it hands in.
        level: what its markers give most leaves.
        claims: how many of its claims must come out reproduced, and how many not.
        percent: the mark that must come of it, before lateness and shares.
        apart: by how much the second marker is harder; `third` is what a third one then gives.
    """

    name: str
    story: str
    example: str
    level: int
    claims: tuple[int, int]
    percent: str
    late: timedelta = timedelta(hours=-5)
    apart: int = 2
    third: int | None = None
    signed: bool = True


TEAMS = (
    PlantedTeam("team1", "good", GOOD, 74, (3, 0), "73"),
    PlantedTeam("team2", "honest negative result", NEGATIVE, 74, (3, 0), "73"),
    PlantedTeam("team3", "claims that do not hold", LUCKY, 56, (1, 2), "52.3225"),  # 55 - 15 x (.3 x .22 + .3 x .375)
    PlantedTeam("team4", "good, a day late", GOOD, 66, (3, 0), "65", timedelta(hours=20)),
    PlantedTeam("team5", "two markers apart, a third decides", NEGATIVE, 72, (3, 0), "58", apart=14, third=62),
    PlantedTeam("team6", "split not signed, the module leader decides", GOOD, 62, (3, 0), "61", signed=False),
)


@dataclass(frozen=True)
class TeamResult:
    """One team: what was planted, what came of it, in the words of the table."""

    team: str
    story: str
    planned: str
    obtained: str

    @property
    def as_planned(self) -> bool:
        """Whether they are the same."""
        return self.planned == self.obtained


def play_teams(
    course: Course, database: Database, students: Sequence[str], *, author: str, say: Callable[[str], None]
) -> tuple[TeamResult, ...]:
    """Plays the project for these students, in teams of four."""
    now = datetime.now(UTC)
    size = len(students) // len(TEAMS)
    members = {team.name: students[place * size : (place + 1) * size] for place, team in enumerate(TEAMS)}
    desk = course.root / "students"
    rows = [(team, student) for team, own in members.items() for student in own]
    import_teams(course, database, PROJECT, _table(desk / "teams.csv", ("team", "student"), rows), author=author, now=now)
    for team in TEAMS:
        _hand_in(course, database, team, members[team.name], desk / team.name)
    collect_teams(course, database, PROJECT, now=now)
    found = {team.name: reproduce(course, database, PROJECT, team.name, author=author, now=now) for team in TEAMS}
    say(f"ran the code of {len(TEAMS)} teams, {sum(len(each.runs) for each in found.values())} runs in sandboxes")
    rubric = read_rubric(load_project(course, PROJECT).rubric_file)
    for team in TEAMS:
        _mark(course, database, team, rubric, found[team.name], desk / team.name, now)
        if not team.signed:
            state = SplitState.OVERRIDDEN
            set_split(course, database, PROJECT, team.name, None, state=state, author=author, reason="heard all four", now=now)
    marks = {each.team: each.percent for each in settle(course, database, PROJECT, author=author, now=now).teams}
    write_feedback(course, database, PROJECT)
    return tuple(
        TeamResult(
            team.name, team.story, _words(*team.claims, Decimal(team.percent)),
            _words(found[team.name].count("reproduced"), found[team.name].count("not reproduced"), marks[team.name]),
        )
        for team in TEAMS
    )  # fmt: skip


def _words(reproduced: int, not_reproduced: int, percent: Decimal | None) -> str:
    mark = "no mark" if percent is None else f"{plain(percent)} %"
    return f"{reproduced} claims reproduced, {not_reproduced} not; {mark}"


def _hand_in(course: Course, database: Database, team: PlantedTeam, members: Sequence[str], desk: Path) -> None:
    """As the team's own command would: files on a disk, handed in."""
    example = course.root / "assignments" / PROJECT / "examples" / team.example
    if not example.is_dir():
        raise AssessorError(f"{example}: the example team is not there")
    project, text = load_project(course, PROJECT), (example / "paper.md").read_text(encoding="utf-8")
    desk.mkdir(parents=True, exist_ok=True)
    if project.plan_due is not None:
        (desk / "plan.md").write_text(f"We shall ask: {text.splitlines()[0]}\n", "utf-8")
        submit_plan(course, database, PROJECT, team.name, desk / "plan.md", now=project.plan_due - timedelta(days=1))
    (desk / "paper.pdf").write_bytes(_pdf(text))
    _table(desk / "team.csv", ("student",), [(student,) for student in members])
    shares = [
        (student, share, student if team.signed or place else "")
        for place, (student, share) in enumerate(zip(members, SHARES, strict=True))
    ]
    _table(desk / "split.csv", ("student", "share", "signed"), shares)
    with zipfile.ZipFile(desk / "code.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((example / "code").iterdir()):
            archive.write(path, path.name)
    files = [desk / name for name in ("paper.pdf", "team.csv", "split.csv", "code.zip")]
    submit_team(course, database, PROJECT, team.name, files, now=project.assignment.due + team.late)


def _mark(
    course: Course, database: Database, team: PlantedTeam, rubric: Rubric, found: Reproduction, desk: Path, now: datetime
) -> None:
    """Two markers, and a third where the plan has one, each with a form of their own."""
    levels = [team.level, team.level - team.apart, *([team.third] if team.third is not None else [])]
    doubtful = found.count("not reproduced") > 0
    for place, level in enumerate(levels, 1):
        rows = []
        for leaf in rubric.leaves():
            if leaf.name == "authors":
                rows.append((leaf.name, NOT_APPLICABLE, "the brief of the demo asks nobody to write to authors"))
            elif leaf.name in CLAIMS_LEAVES and doubtful:
                rows.append((leaf.name, "40", "what the abstract claims is not what the code gives"))
            else:
                rows.append((leaf.name, str(level), ""))
        form = _table(desk / f"form-{place}.csv", ("leaf", "score", "comment"), rows)
        record_form(course, database, PROJECT, team.name, form, author=f"marker{place}", now=now)


def _pdf(text: str) -> bytes:
    """A page of A4 with this text."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    page, file = Figure(figsize=(8.27, 11.69)), io.BytesIO()
    FigureCanvasPdf(page)
    page.text(0.1, 0.92, text.replace("$", r"\$"), va="top", fontsize=8.5, family="serif", linespacing=1.5)
    page.savefig(file, format="pdf")
    return file.getvalue()


def _table(path: Path, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path
