"""The board's report: how a cohort did, part by part, what was decided, and how far automatic marking can be trusted.

Groups of fewer than six have no statistics. Of how marks lie, no count of one to five is told, in a table or a figure, nor
one from which the sum would give it away. Rates, the lowest and the highest mark, and how many handed in are told, because
boards ask for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from sqlalchemy import func, select

from assessor.course import Course
from assessor.csvfile import read_csv
from assessor.database import Database
from assessor.database.acts import OF_MARKS, Act, Verb, acts_in_force
from assessor.database.gradebook import StudentRow, collector_resting, gradebook
from assessor.database.tables import Event, Extension
from assessor.files import replacing, write_text
from assessor.marking.agreement import band
from assessor.marking.bands import LEAST, Band, histogram
from assessor.marking.exact import ZERO, plain
from assessor.marking.lateness import rule_words
from assessor.marking.marks import AssignmentMark, Code, Status
from assessor.marking.statistics import (
    Comparison,
    Correlation,
    Earlier,
    Interval,
    Spread,
    compare,
    correlation,
    effective_weights,
    near,
    proportion,
    spread,
    suppressed,
)
from assessor.reports import board_figures as figures
from assessor.reports.figures import data_url
from assessor.reports.pages import render
from assessor.reports.printing import write_pdf
from assessor.reports.text import local_time
from assessor.workflow.automatic_marking import Automatic, automatic_marking

MODULE = "module"
CEILING = Decimal(95)
CORRECTIONS = ("regrade", "quiz key corrected")


@dataclass(frozen=True)
class Part:
    """One part of the module: the whole, a component or an assignment.

    Attributes:
        registered, submitted, absent, open: students, those with a mark, those with NS (0 in the component and the module),
            those whose mark is still to come; whom the board excused is none of these.
        bands: how many have a mark in each band; None where it is not told. `bins`: the same for a figure, of the module and
            components, none with few students.
        passed: the share of marks that reach the pass mark; `close` how many lie within a point of each boundary.
        ceiling: the share of 95 and above: a sign that a piece of work tells too little.
        late, lost: students with late work, and the points that this cost them on average.
    """

    name: str
    title: str
    kind: str
    registered: int
    submitted: int
    absent: int
    open: int
    spread: Spread | None
    bands: tuple[int | None, ...] = ()
    passed: Interval | None = None
    close: tuple[int | None, ...] = ()
    ceiling: Interval | None = None
    late: int | None = 0
    lost: float = 0.0
    extended: int | None = 0
    bins: tuple[Band, ...] = ()


@dataclass(frozen=True)
class Report:
    """All that the page shows; `pictures` are SVG by name. `fonts`: which letters could not be printed."""

    code: str
    title: str
    made: str
    pass_mark: Decimal
    boundaries: tuple[Decimal, ...]
    band_names: tuple[str, ...]
    parts: tuple[Part, ...]
    codes: tuple[tuple[str, int | None], ...]
    weights: tuple[tuple[str, float, float], ...]
    correlations: tuple[tuple[str, str, Correlation], ...]
    comparisons: tuple[Comparison, ...]
    decisions: tuple[tuple[str, int | None], ...]
    scaled: tuple[tuple[str, str], ...]
    lateness: str
    automatic: tuple[Automatic, ...]
    regrades: tuple[tuple[str, str, str], ...]
    small: int = LEAST
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    fonts: str = ""


def board_report(
    course: Course, database: Database, *, previous: Path | None = None, now: datetime
) -> Report:
    """Writes reports/board.html, reports/board.pdf and the figures into reports/board/.

    Args:
        previous: earlier years, a CSV with the columns year, part ('module' or a component), students, mean, sd and, where
            known, passed.

    Raises:
        ImportRefused: the CSV is wrong; nothing was written.
        OSError: ours; the disk is full, read-only or not ours to write.
    """
    earlier = read_earlier(course, previous) if previous else ()
    with collector_resting():
        book = gradebook(course, database, now)
    report = _report(course, database, book, earlier, now)
    folder = course.root / "reports"
    paths = [folder / "board.html", folder / "board.pdf"]
    page = render("board_report.html", report=report, image=data_url)
    write_text(paths[0], page)
    fonts = write_pdf(page, paths[1], footer=f"{course.code}, board report, made {report.made}; confidential", landscape=True)
    for name, svg in report.pictures.items():
        path = folder / "board" / f"{name}.svg"
        with replacing(path) as temporary:
            temporary.write_bytes(svg)
        paths.append(path)
    return replace(report, files=tuple(paths), fonts=fonts)


def read_earlier(course: Course, path: Path) -> tuple[Earlier, ...]:
    """Earlier years' summaries.

    Raises:
        ImportRefused: a row is wrong, with its row, column and what was expected.
    """
    found: list[Earlier] = []
    for row in read_csv(path, ["year", "part", "students", "mean", "sd"], ["passed"]):
        part = row.text("part")
        if part != MODULE and part not in course.components:
            raise row.refuse("part", part, f"{MODULE}, {', '.join(course.components)}")
        students = row.number_in("students", Decimal(1), Decimal(1_000_000))
        if students != int(students):
            raise row.refuse("students", students, "a whole number")
        passed = row.number_in("passed", Decimal(0), students) if row.values.get("passed", "").strip() else None
        mean, sd = row.number_in("mean", Decimal(0), Decimal(100)), row.number_in("sd", Decimal(0), Decimal(100))
        if any(one.year == row.text("year") and one.part == part for one in found):
            raise row.refuse("year", f"{row.text('year')}, {part} again", "each part of a year once")
        found.append(
            Earlier(row.text("year"), part, int(students), float(mean), float(sd), None if passed is None else int(passed))
        )
    return tuple(found)


def _report(
    course: Course, database: Database, book: Sequence[StudentRow], earlier: Sequence[Earlier], now: datetime
) -> Report:
    boundaries = [float(each) for each in course.marking.boundaries]
    parts = [_module_part(course, book), *(_component_part(course, book, name) for name in course.components)]
    parts += [_assignment_part(course, book, each.name) for each in course.assignments]
    marks = _marks(course, book)
    whole = _whole(course, book)
    effective = effective_weights(whole, {name: float(weight) for name, weight in course.components.items()})
    with database.reading() as session:
        acts = acts_in_force(session, Act.verb.in_(OF_MARKS))
        extended = session.scalar(select(func.count(func.distinct(Extension.student_id)))) or 0
        automatic = tuple(automatic_marking(course, session, each.name) for each in course.assignments if each.kind == "notebook")
        corrections = session.scalars(select(Event).where(Event.verb.in_(CORRECTIONS)).order_by(Event.id))
        regrades = [
            (
                str(event.detail.get("assignment") or event.detail.get("quiz") or ""), str(event.detail.get("reason", "")),
                local_time(event.at, course.time_zone),
            )
            for event in corrections
        ]  # fmt: skip
    names = [MODULE, *course.components]
    clusters = _teams(course, book)
    pairs = [
        (one, other, found)
        for index, one in enumerate(names)
        for other in names[index + 1 :]
        if (found := _correlated(marks[one], marks[other], clusters if _is_team(course, {one, other}) else None))
    ]
    now_by_part = {part.name: part.spread for part in parts if part.kind != "assignment"}
    compared = [against for one in earlier if (own := now_by_part.get(one.part)) and (against := compare(own, one))]
    weights = {name: float(weight) for name, weight in course.components.items()}
    codes = Counter(course.marking.shown(student.mark.outcome) for student in book)
    shown_codes = dict(zip(sorted(codes), suppressed([codes[code] for code in sorted(codes)]), strict=True))
    decisions = Counter(str(act.verb) for act in acts) + Counter({"students with an extension": extended})
    return Report(
        code=course.code,
        title=course.title,
        made=local_time(now, course.time_zone),
        pass_mark=course.marking.pass_mark,
        boundaries=course.marking.boundaries,
        band_names=_band_names(course.marking.boundaries),
        parts=tuple(parts),
        codes=tuple(shown_codes.items()),
        weights=tuple((name, weights[name], 100 * effective[name]) for name in weights) if effective else (),
        correlations=tuple(pairs),
        comparisons=tuple(compared),
        decisions=tuple((what, times if what == Verb.SCALE else _told(times)) for what, times in sorted(decisions.items())),
        scaled=tuple((act.subject, act.detail["formula"]) for act in acts if act.verb == "scale"),
        lateness=rule_words(course.marking.late),
        automatic=automatic,
        regrades=tuple(regrades),
        pictures=_pictures(course, parts, marks, weights, effective, pairs, earlier, boundaries),
    )  # fmt: skip


# Parts


def _module_part(course: Course, book: Sequence[StudentRow]) -> Part:
    marks = [student.mark.final for student in book if student.mark.final is not None]
    nothing = sum(all(each.status is Status.NOT_SUBMITTED for each in student.mark.assignments) for student in book)
    late = sum(any(each.days_late for each in student.mark.assignments) for student in book)
    open_ = sum(student.mark.final is None and student.mark.outcome is not Code.EXCUSED for student in book)
    return _part(course, MODULE, "Module", MODULE, len(book), marks, nothing, open_, late=late)


def _component_part(course: Course, book: Sequence[StudentRow], name: str) -> Part:
    components = [next(each for each in student.mark.components if each.name == name) for student in book]
    marks = [each.percent for each in components if each.percent is not None]
    nothing = sum(
        bool(each.assignments) and all(one.status is Status.NOT_SUBMITTED for one in each.assignments) for each in components
    )
    late = sum(any(one.days_late for one in each.assignments) for each in components)
    open_ = sum(each.percent is None and not each.waived for each in components)
    return _part(course, name, name, "component", len(book), marks, nothing, open_, late=late)


def _assignment_part(course: Course, book: Sequence[StudentRow], name: str) -> Part:
    own = [_of(student, name) for student in book]
    marked = [each for each in own if each.status is Status.MARKED]
    late = [each for each in marked if each.days_late]
    lost = [float((each.unpenalised_percent or ZERO) - (each.penalised_percent or ZERO)) for each in late]
    absent = sum(each.status is Status.NOT_SUBMITTED for each in own)
    waived = sum(each.status is Status.WAIVED for each in own)
    part = _part(
        course, name, course.assignment(name).title, "assignment", len(book),
        [each.penalised_percent or ZERO for each in marked], absent, len(own) - len(marked) - absent - waived, late=len(late),
        extended=sum(each.extended_until is not None for each in own),
    )  # fmt: skip
    return replace(part, lost=fmean(lost) if len(lost) >= LEAST else 0.0)


def _part(
    course: Course, name: str, title: str, kind: str, registered: int, marks: list[Decimal], absent: int, open_: int,
    *, late: int = 0, extended: int = 0,
) -> Part:  # fmt: skip
    """What is compared with a boundary is compared exactly."""
    part = Part(
        name, title, kind, registered, len(marks), absent, open_, spread([float(mark) for mark in marks]),
        late=_told(late), extended=_told(extended),
    )  # fmt: skip
    if len(marks) < LEAST:
        return part
    boundaries = course.marking.boundaries
    bands = Counter(band(mark, boundaries) for mark in marks)
    return replace(
        part,
        bands=tuple(suppressed([bands[number] for number in range(len(boundaries) + 1)])),
        passed=proportion(sum(mark >= course.marking.pass_mark for mark in marks), len(marks)),
        close=tuple(_told(near(marks, boundary)) for boundary in boundaries),
        ceiling=proportion(sum(mark >= CEILING for mark in marks), len(marks)),
        bins=histogram(marks) if kind != "assignment" else (),
    )


def _told(count: int) -> int | None:
    return None if 0 < count < LEAST else count


def _of(student: StudentRow, name: str) -> AssignmentMark:
    return next(each for each in student.mark.assignments if each.name == name)


def _band_names(boundaries: Sequence[Decimal]) -> tuple[str, ...]:
    edges = [plain(each) for each in boundaries]
    if not edges:
        return ("all",)
    between = [f"{low} to below {high}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}", *between, f"{edges[-1]} and above")


def _marks(course: Course, book: Sequence[StudentRow]) -> dict[str, list[float | None]]:
    """Of the module and each component every student's mark, in the book's order."""
    found: dict[str, list[float | None]] = {MODULE: [_float(student.mark.total) for student in book]}
    for name in course.components:
        found[name] = [_float(next(each.percent for each in s.mark.components if each.name == name)) for s in book]
    return found


def _whole(course: Course, book: Sequence[StudentRow]) -> dict[str, list[float]]:
    """The components' marks of those students who have all of them."""
    marks = _marks(course, book)
    rows = [index for index in range(len(book)) if all(marks[name][index] is not None for name in course.components)]
    return {name: [float(marks[name][index] or 0.0) for index in rows] for name in course.components}


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _teams(course: Course, book: Sequence[StudentRow]) -> list[str]:
    """Whose work each student shares: a team's name, or their own id."""
    names = []
    for student in book:
        shares = [each.acts.share.team for each in student.mark.assignments if each.acts.share]
        names.append(f"team {shares[0]}" if shares else student.id)
    return names


def _is_team(course: Course, components: set[str]) -> bool:
    return any(each.kind == "project" and each.component in components for each in course.assignments)


def _correlated(x: Sequence[float | None], y: Sequence[float | None], clusters: Sequence[str] | None) -> Correlation | None:
    both = [index for index, pair in enumerate(zip(x, y, strict=True)) if None not in pair]
    own = None if clusters is None else [clusters[index] for index in both]
    return correlation([x[index] or 0.0 for index in both], [y[index] or 0.0 for index in both], own)


# Figures


def _pictures(
    course: Course,
    parts: Sequence[Part],
    marks: Mapping[str, Sequence[float | None]],
    weights: Mapping[str, float],
    effective: Mapping[str, float] | None,
    pairs: Sequence[tuple[str, str, Correlation]],
    earlier: Sequence[Earlier],
    boundaries: Sequence[float],
) -> dict[str, bytes]:
    """Every figure of which there is enough to draw."""
    found: dict[str, bytes] = {}
    known = {name: [mark for mark in own if mark is not None] for name, own in marks.items()}
    for part in parts:
        if part.bins:
            found[f"distribution-{part.name}"] = figures.distribution(part.bins, boundaries, part.title.capitalize())
    shown = {name: own for name, own in known.items() if len(own) >= LEAST}
    if shown:
        found["components"] = figures.boxes(shown, boundaries, "Module and components")
    if effective:
        found["weights"] = figures.weights(weights, {name: 100 * value for name, value in effective.items()})
    if pairs:
        names = list(marks)
        table: list[list[float | None]] = [[1.0 if one == other else None for other in names] for one in names]
        for one, other, value in pairs:
            row, column = names.index(one), names.index(other)
            table[row][column] = table[column][row] = value.pearson.value
        found["correlations"] = figures.correlations(names, table)
    late = {part.name: part.late or 0 for part in parts if part.kind == "assignment"}
    if any(late.values()):
        found["lateness"] = figures.lateness(late, {part.name: part.lost for part in parts})
    module = parts[0].spread
    before = [one for one in earlier if one.part == MODULE and one.students > 1]
    if module and before:
        labels = [*(one.year for one in before), "this year"]
        spreads = [*((one.sd, one.students) for one in before), (module.sd, module.students)]
        found["years"] = figures.years(
            labels, [*(one.mean for one in before), module.mean], [1.96 * sd / n**0.5 for sd, n in spreads],
            float(course.marking.pass_mark),
        )  # fmt: skip
    return found
