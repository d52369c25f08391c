"""What stands on a student's page of the module: marks that were given out, what they come to so far, what is to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from assessor.course import Course
from assessor.database.gradebook import StudentRow
from assessor.marking.bands import Band, bands_of
from assessor.marking.components import mark_component
from assessor.marking.exact import HUNDRED, ZERO, plain
from assessor.marking.lateness import deadline, rule_words
from assessor.marking.marks import AssignmentMark, Code, ComponentMark, ModuleMark, Status
from assessor.reports.feedback import ModuleComponent, ModuleLine, ModulePage, SpreadLine
from assessor.reports.text import local_time
from assessor.workflow.explain import worded

MODULE = ""
"""The module's own place among the spreads."""
STATUS_TAGS = {
    Status.MARKED: ("marked", "good"),
    Status.NOT_SUBMITTED: ("not submitted", "bad"),
    Status.REVIEW: ("with a marker", "wait"),
    Status.MISSING: ("not marked yet", "wait"),
    Status.WAIVED: ("excused", "note"),
    Status.DEFERRED: ("deferred", "wait"),
    Status.HELD: ("not decided yet", "wait"),
}
OUTCOMES = {
    Code.PASS: "pass",
    Code.FAIL: "fail",
    Code.REFERRAL: "failed, and you may try again",
    Code.COMPENSATED: "passed by the board for the rest of your year's work",
    Code.NOT_SUBMITTED: "nothing was handed in",
    Code.LATE_ZERO: "handed in so late that it counts 0",
}
"""Those that a student reads beside a mark; of the others, what is undecided stands where the mark would."""


@dataclass(frozen=True)
class _Shown:
    """An assignment as its student may read it: whether its mark was given out, and its line."""

    mark: AssignmentMark
    given_out: bool
    line: ModuleLine


def spreads(course: Course, cohort: Sequence[StudentRow]) -> Mapping[str, tuple[Band, ...]]:
    """How the cohort's marks spread, by assignment and for the module, where the course tells that; else nothing."""
    if not course.feedback.distribution:
        return {}
    marks: dict[str, list[Decimal]] = {MODULE: []}
    for student in cohort:
        if student.mark.final is not None:
            marks[MODULE].append(student.mark.final)
        for each in student.mark.assignments:
            if each.status is Status.MARKED and each.penalised_percent is not None:
                marks.setdefault(each.name, []).append(each.penalised_percent)
    return {name: bands_of(found, course.marking.boundaries) for name, found in marks.items()}


def student_page(
    course: Course, student: StudentRow, folder: Path, cohort: Mapping[str, tuple[Band, ...]], now: datetime
) -> ModulePage:
    """One student's page; `folder` holds the pages that were written for the student."""
    mark = student.mark
    shown = {each.name: _shown(course, each, folder, cohort, now) for each in mark.assignments}
    components = tuple(_component(course, component, shown) for component in mark.components)
    whole = all(each.given_out for each in shown.values())
    final = mark.final if whole else None
    undecided = mark.outcome is Code.INTEGRITY
    return ModulePage(
        course=f"{course.code} {course.title}",
        student=student.id,
        name=student.name,
        total=mark.total if whole else None,
        final=final,
        status="" if final is not None else _why_not(mark),
        components=components,
        working=worded(mark.working) if final is not None else (),
        outcome=OUTCOMES.get(mark.outcome, "") if final is not None else "",
        to_come=tuple(_to_come(shown.values())),
        so_far="" if final is not None or undecided else _so_far(components),
        late_rule=rule_words(course.marking.late),
        spread=_spread(course, cohort.get(MODULE, ()), final) if final is not None else (),
        made=local_time(now, course.time_zone),
    )


def _why_not(mark: ModuleMark) -> str:
    if mark.outcome is Code.INTEGRITY:
        return "The module mark is not decided yet; the module's staff will tell you."
    return "The module mark follows when everything is marked."


def _to_come(shown: Iterable[_Shown]) -> list[str]:
    """What has no mark, and why; what is excused is not awaited."""
    return [
        f"{each.line.title}: {each.line.status}"
        for each in shown
        if not each.given_out or (each.mark.penalised_percent is None and each.mark.status is not Status.WAIVED)
    ]


def _so_far(components: Sequence[ModuleComponent]) -> str:
    """The sum of the components as far as they are marked: '40 % of labs 72.3 = 28.92 of 40'."""
    there = [each for each in components if each.so_far is not None]
    if not there:
        return ""
    got = sum((each.weight * (each.so_far or ZERO) for each in there), ZERO) / HUNDRED
    parts = " + ".join(f"{plain(each.weight)} % of {each.name} {plain(each.so_far or ZERO)}" for each in there)
    return f"{parts} = {plain(got)} of {plain(sum((each.weight for each in there), ZERO))}"


def _component(course: Course, component: ComponentMark, shown: Mapping[str, _Shown]) -> ModuleComponent:
    own = [shown[mark.name] for mark in component.assignments]
    counts = [each.mark for each in own if each.mark.status is not Status.WAIVED]
    there = [each.mark for each in own if each.given_out and each.mark.penalised_percent is not None]
    whole = component.percent is not None and all(each.given_out for each in own)
    so_far = None
    if there and not component.waived:
        weights = {each.name: course.assignment(each.name).weight for each in there}
        so_far = mark_component(component.name, component.weight, there, weights, course.marking).percent
    return ModuleComponent(
        name=component.name,
        weight=component.weight,
        percent=component.percent if whole else None,
        lines=tuple(each.line for each in own),
        working=worded(component.working) if whole or component.waived else (),
        so_far=so_far,
        marked="" if whole or so_far is None else f"{len(there)} of {len(counts)} marked",
    )


def _shown(
    course: Course, mark: AssignmentMark, folder: Path, cohort: Mapping[str, tuple[Band, ...]], now: datetime
) -> _Shown:
    assignment = course.assignment(mark.name)
    link = f"{mark.name}.html" if (folder / f"{mark.name}.html").is_file() else ""
    rubric = f"{mark.name}-rubric.html" if (folder / f"{mark.name}-rubric.html").is_file() else ""
    due = deadline(assignment.due, mark.extended_until)
    given_out = bool(link) or mark.status is not Status.MARKED
    status, tag = STATUS_TAGS[mark.status]
    if not given_out:
        status, tag = "feedback follows", "wait"
    elif mark.status is Status.MARKED and mark.days_late:
        status, tag = f"{mark.days_late} day{'s' * (mark.days_late > 1)} late", "note"
    elif mark.status is Status.MISSING and mark.attempt is None and now <= due:
        status, tag = "not due yet", "note"
    open_ = given_out and mark.status is not Status.HELD
    percent = mark.penalised_percent if open_ else None
    first = mark.first if open_ and mark.first and mark.first.status is not Status.HELD else None
    line = ModuleLine(
        title=assignment.title,
        due=f"{due.astimezone(course.time_zone):%Y-%m-%d %H:%M}",
        points=mark.points if open_ else None,
        out_of=mark.out_of,
        percent=percent,
        status=status,
        tag=tag,
        link=link,
        rubric=rubric if open_ else "",
        working=worded(mark.working) if open_ and mark.status in (Status.MARKED, Status.NOT_SUBMITTED) else (),
        before=worded(first.working) if first else (),
        spread=_spread(course, cohort.get(mark.name, ()), percent) if percent is not None else (),
    )
    return _Shown(mark, given_out, line)


def _spread(course: Course, bands: Sequence[Band], own: Decimal | None) -> tuple[SpreadLine, ...]:
    place = course.feedback.own_place and own is not None
    return tuple(SpreadLine(band.words, band.count, place and band.holds(own or ZERO)) for band in bands)
