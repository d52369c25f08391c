"""Teams hand in: the plan, and the final work; checked at once, collected for every member."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from assessor.course import Assignment, Attachment, Course
from assessor.database import Database
from assessor.database.audit import add_event
from assessor.database.queries import attempts
from assessor.database.tables import Submission
from assessor.errors import AssessorError, ImportRefused, SubmissionRefused, UnknownName
from assessor.files import new_folder, write_all
from assessor.projects.handin import (
    BUNDLE,
    PLANS,
    SPLIT,
    Code,
    asked_for,
    check_reproduce,
    check_tables,
    check_words,
    code_of,
    the_archive,
)
from assessor.projects.settings import Project, load_project
from assessor.projects.teams import SplitState, members_of, put_split, read_split, split_of, teams_of
from assessor.workflow.archives import read_zip
from assessor.workflow.collect import RECORD, CollectReport, CollectRow, HandIn, digest_of, from_inbox
from assessor.workflow.receipts import Receipt
from assessor.workflow.submit import MAX_BYTES, accept, into_inbox, read_plain
from gpu_runner.execution import GIB, MIB, Limits

UNBUNDLE = Limits(cpu_seconds=60, wall_seconds=120, memory_bytes=GIB, disk_bytes=GIB, output_bytes=MIB)
MAX_CODE_BYTES, MAX_CODE_FILES = 256 * MIB, 5_000


@dataclass(frozen=True)
class TeamReceipt:
    """What a team gets for its hand-in; `note` is what it should know."""

    receipt: Receipt
    note: str


def submit_team(
    course: Course, database: Database, name: str, team: str, files: Sequence[Path], *, now: datetime
) -> TeamReceipt:
    """Hands in a team's final work, whole or not at all.

    Raises:
        UnknownName: no such project or team.
        SubmissionRefused: one clear reason; nothing was handed in.
    """
    project = load_project(course, name)
    with database.reading() as session:
        members = members_of(session, name, team)
    assignment = asked_for(project)
    contents = accept(assignment, [(path.name, read_plain(path)) for path in files])
    note = check_tables(contents, members)
    check_reproduce(read_code(course, contents))
    return TeamReceipt(into_inbox(course, assignment, team, contents, now), note)


def submit_plan(
    course: Course, database: Database, name: str, team: str, file: Path, *, now: datetime
) -> TeamReceipt:
    """Hands in a team's plan.

    Raises:
        UnknownName: no such project or team.
        SubmissionRefused: one clear reason; nothing was handed in.
    """
    project = load_project(course, name)
    with database.reading() as session:
        members_of(session, name, team)
    plan = plan_of(project)
    contents = accept(plan, [(file.name, read_plain(file))])
    words = check_words(project, *next(iter(contents.items())))
    return TeamReceipt(into_inbox(course, plan, team, contents, now), f"{words} words")


def plan_of(project: Project) -> Assignment:
    """The plan, as something of its own that is handed in.

    Raises:
        AssessorError: the project asks for none.
    """
    if project.plan_due is None:
        raise AssessorError(f"{project.name}: asks for no plan; project.toml says so by a [plan]")
    rules = tuple(Attachment(pattern=pattern) for pattern in PLANS)
    return replace(project.assignment, name=f"{project.name}-plan", due=project.plan_due, attachments=rules)


def read_code(course: Course, files: Mapping[str, bytes]) -> Code:
    """The code of a hand-in. An archive is read entry by entry; a git bundle is cloned in a sandbox.

    Raises:
        SubmissionRefused: there is none, or it holds what no hand-in may: links, paths that lead out, bombs.
        RunnerError: ours; the sandbox did not start.
    """
    name = the_archive(files)
    data = files[name]
    archive = _unbundled(course, data) if name == BUNDLE else data
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "code.zip"
        place.write_bytes(archive)
        found: dict[str, bytes] = {}
        total = 0
        try:
            for each in read_zip(place):
                if each.fault:
                    raise SubmissionRefused(name, f"{each.path}: {each.fault}")
                found[each.path] = each.data
                total += len(each.data)
                if total > MAX_CODE_BYTES or len(found) > MAX_CODE_FILES:
                    raise SubmissionRefused(name, f"unpacks to more than {MAX_CODE_BYTES // MIB} MiB or {MAX_CODE_FILES} files")
        except SubmissionRefused as fault:
            raise SubmissionRefused(name, fault.reason) from None
    if not found:
        raise SubmissionRefused(name, "holds no file")
    return code_of(name, data, found)


def _unbundled(course: Course, data: bytes) -> bytes:
    """A git bundle's files as a zip archive, made where a stranger's repository can do no harm."""
    from gpu_runner.commands import run_commands

    found = run_commands(
        ["git archive --format=zip --output=../files.zip HEAD"], UNBUNDLE, files={BUNDLE: data}, unpack=BUNDLE,
        results=["../files.zip"], result_bytes=MAX_BYTES, backend=course.environment.sandbox,
    )  # fmt: skip
    if "../files.zip" not in found.results:
        advice = "make it by `git bundle create code.bundle HEAD`"
        raise SubmissionRefused(BUNDLE, f"not a git bundle with a HEAD that can be cloned; {advice}")
    return found.results["../files.zip"]


def collect_teams(
    course: Course, database: Database, name: str, *, now: datetime, author: str = "collect"
) -> tuple[CollectReport, CollectReport]:
    """Takes in what teams handed in: a submission for every member, and the signed split. Again takes only what is new.

    Returns:
        Of the final work, and of the plans.

    Raises:
        UnknownName, AssessorError: there is no such project.
    """
    project = load_project(course, name)
    final = [_take(course, database, project, found, now, author) for found in from_inbox(course, asked_for(project))]
    plans = [
        _take_plan(course, database, project, found)
        for found in (from_inbox(course, plan_of(project)) if project.plan_due else ())
    ]
    return CollectReport(name, tuple(final)), CollectReport(f"{name}-plan", tuple(plans))


def _take(
    course: Course, database: Database, project: Project, found: HandIn, now: datetime, author: str
) -> CollectRow:
    team, late = found.student, found.submitted_at > project.assignment.due
    try:
        if found.fault:
            raise SubmissionRefused(team, found.fault)
        files = accept(asked_for(project), list(found.files.items()), lenient=True)
        with database.transaction() as session:
            members = members_of(session, project.name, team)
            digest = digest_of(files)
            earlier = {member: attempts(session, member, project.name) for member in members}
            every = [old for own in earlier.values() for old in own]
            same = [old for old in every if old.sha256 == digest and old.submitted_at == found.submitted_at]
            if len(same) == len(members):
                return CollectRow(team, same[0].attempt, "already", late)
            attempt = 1 + max((old.attempt for old in every), default=0)
            place = _keep(course, team, project.name, attempt, files, found)
            for member in members:
                session.add(
                    Submission(
                        student_id=member, assignment=project.name, attempt=attempt, path=str(place),
                        submitted_at=found.submitted_at, collected_at=now, sha256=digest, origin=f"team {team}",
                    )
                )  # fmt: skip
            detail = {"team": team, "students": list(members), "assignment": project.name, "attempt": attempt, "sha256": digest}
            add_event(session, author, "collect", now, detail)
            note = _take_split(session, project, team, members, course.root / place / SPLIT, attempt, now)
    except (SubmissionRefused, UnknownName) as fault:
        return CollectRow(team, None, "refused", late, fault.reason if isinstance(fault, SubmissionRefused) else str(fault))
    return CollectRow(team, attempt, "new", late, note)


def _take_split(
    session: Session, project: Project, team: str, members: tuple[str, ...], file: Path, attempt: int, now: datetime
) -> str:
    """Records the split that came with the work, unless the module leader has decided otherwise; what is amiss with it."""
    if not file.is_file() or split_of(session, project.name, team).state is SplitState.OVERRIDDEN:
        return ""
    try:
        split = read_split(file, members, project.rules.split, "signed")
    except ImportRefused as fault:
        return f"{SPLIT}: found {fault.found!r}; expected {fault.expected}"
    put_split(session, project, team, split, author=f"team {team}", reason=f"handed in, attempt {attempt}", now=now)
    return "" if split.holds else split.words


def _take_plan(course: Course, database: Database, project: Project, found: HandIn) -> CollectRow:
    plan = plan_of(project)
    team, late = found.student, found.submitted_at > plan.due
    with database.reading() as session:
        if found.fault or team not in teams_of(session, project.name):
            return CollectRow(team, None, "refused", late, found.fault or "no such team")
    kept = sorted((course.root / "submitted" / team / plan.name).glob("[0-9]*"))
    for place in kept:
        if json.loads((place / RECORD).read_text())["submitted_at"] == found.submitted_at.isoformat():
            return CollectRow(team, int(place.name), "already", late)
    attempt = 1 + max((int(place.name) for place in kept), default=0)
    _keep(course, team, plan.name, attempt, found.files, found)
    return CollectRow(team, attempt, "new", late)


def _keep(
    course: Course, team: str, name: str, attempt: int, files: Mapping[str, bytes], found: HandIn
) -> Path:
    """Files first, then the row: a folder without a row is a crash's and is replaced."""
    place = Path("submitted", team, name, str(attempt))
    record = {"submitted_at": found.submitted_at.isoformat(), "sha256": digest_of(files), "origin": found.origin}
    shutil.rmtree(course.root / place, ignore_errors=True)
    with new_folder(course.root / place) as folder:
        write_all(folder, files)
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    return place


def newest_work(course: Course, database: Database, project: Project, team: str) -> tuple[int, Path]:
    """The newest attempt of a team that was collected, and where it lies.

    Raises:
        UnknownName: no such team.
        AssessorError: nothing of it was collected.
    """
    with database.reading() as session:
        members = members_of(session, project.name, team)
        found = [old for member in members for old in attempts(session, member, project.name)]
    if not found:
        raise AssessorError(f"{team}: nothing was handed in, or not collected yet (`assessor project collect`)")
    newest = max(found, key=lambda old: old.attempt)
    return newest.attempt, course.root / newest.path
