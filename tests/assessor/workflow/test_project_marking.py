"""Marking a project: two markers, a third, the split, members' marks, their pages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from assessor.course import Course
from assessor.database import Database
from assessor.database.tables import Mark
from assessor.errors import AssessorError, ImportRefused, UnknownName
from assessor.projects.teams import SplitState
from assessor.workflow.decide import By, hold
from assessor.workflow.project_marking import make_form, marking, record_form, settle, write_feedback
from assessor.workflow.project_teams import import_teams, set_split
from tests.assessor.projects.test_rubric import SMALL
from tests.assessor.workflow.conftest import NOW

WHO: dict[str, Any] = {"author": "kim", "now": NOW}


@pytest.fixture
def course(small: Course, database: Database, tmp_path: Path) -> Course:
    folder = small.root / "assignments" / "project"
    folder.mkdir()
    (folder / "rubric.toml").write_text(SMALL)
    (tmp_path / "teams.csv").write_text("team,student\nt1,ada\nt1,bob\nt2,eve\n")
    import_teams(small, database, "project", tmp_path / "teams.csv", **WHO)
    for team in ("t1", "t2"):
        set_split(small, database, "project", team, None, reason="", **WHO)
    return small


def give(course: Course, database: Database, tmp_path: Path, team: str, marker: str, scores: str, comment: str = "") -> Decimal:
    rows = zip(("claim", "method", "reporting"), scores.split(), strict=True)
    text = "leaf,score,comment\n" + "".join(f"{leaf},{score},{comment or 'because'}\n" for leaf, score in rows)
    (tmp_path / "form.csv").write_text(text)
    return record_form(course, database, "project", team, tmp_path / "form.csv", author=marker, now=NOW)


def marks(database: Database) -> dict[str, tuple[Decimal, bool]]:
    with database.reading() as session:
        return {mark.student_id: (mark.points, mark.not_submitted) for mark in session.scalars(select(Mark).order_by(Mark.id))}


def test_two_markers_who_agree_give_every_member_the_mean(course: Course, database: Database, tmp_path: Path) -> None:
    assert give(course, database, tmp_path, "t1", "kim", "80 40 55") == 64
    assert give(course, database, tmp_path, "t1", "lou", "84 40 55") == Decimal("65.8")
    done = settle(course, database, "project", **WHO)
    assert marks(database) == {"ada": (Decimal("64.9"), False), "bob": (Decimal("64.9"), False)}
    assert done.settled == 2 and done.teams[1].words == "nobody has marked it"
    assert settle(course, database, "project", **WHO).settled == 0


def test_markers_who_disagree_need_a_third_and_the_nearer_counts(course: Course, database: Database, tmp_path: Path) -> None:
    give(course, database, tmp_path, "t1", "kim", "70 70 70")
    give(course, database, tmp_path, "t1", "lou", "40 40 40")
    found = settle(course, database, "project", **WHO)
    assert found.teams[0].percent is None and "a third marker is needed" in found.teams[0].words and not found.settled
    give(course, database, tmp_path, "t1", "max", "66 66 66")
    settle(course, database, "project", **WHO)
    assert marks(database)["ada"] == (70, False)


def test_a_marker_who_marks_again_counts_once_with_the_newest(course: Course, database: Database, tmp_path: Path) -> None:
    for scores in ("50 50 50", "62 62 62"):
        give(course, database, tmp_path, "t1", "kim", scores)
    assert marking(course, database, "project").teams[0].marks == (("kim", Decimal(62)),)


def test_one_who_says_na_and_one_who_scores_are_compared_by_their_totals(
    course: Course, database: Database, tmp_path: Path
) -> None:
    give(course, database, tmp_path, "t1", "kim", "60 NA 60")
    give(course, database, tmp_path, "t1", "lou", "62 62 62")
    found = marking(course, database, "project")
    assert found.teams[0].percent == 61 and found.leaves.pairs == 2 and found.leaves.mean_difference == -2


def test_agreement_is_told_over_works_and_leaves(course: Course, database: Database, tmp_path: Path) -> None:
    for team, kim, lou in (("t1", "80 70 60", "70 60 50"), ("t2", "50 40 30", "50 40 30")):
        give(course, database, tmp_path, team, "kim", kim)
        give(course, database, tmp_path, team, "lou", lou)
    found = marking(course, database, "project")
    assert found.totals.pairs == 2 and found.totals.mean_difference == 5
    assert found.leaves.pairs == 6 and found.leaves.kappa is not None and found.leaves.icc is not None
    assert found.alpha is not None and 0.8 < found.alpha < 1
    assert [(one.marker, round(one.effect, 6)) for one in found.severities] == [("kim", 2.5), ("lou", -2.5)]


def test_no_mark_is_given_while_the_split_waits(course: Course, database: Database, tmp_path: Path) -> None:
    set_split(course, database, "project", "t2", None, state=SplitState.PENDING, reason="", **WHO)
    for marker in ("kim", "lou"):
        give(course, database, tmp_path, "t2", marker, "60 60 60")
    found = settle(course, database, "project", **WHO)
    assert found.teams[1].percent is None and "its split: pending agreement" in found.teams[1].words
    assert marks(database) == {}
    set_split(course, database, "project", "t2", None, state=SplitState.OVERRIDDEN, reason="heard all", **WHO)
    settle(course, database, "project", **WHO)
    assert marks(database) == {"eve": (60, False)}


def test_a_team_that_handed_nothing_in_is_ns_only_when_someone_says_so(course: Course, database: Database) -> None:
    settle(course, database, "project", **WHO)
    assert marks(database) == {}
    settle(course, database, "project", none_handed_in=True, **WHO)
    assert marks(database) == dict.fromkeys(("ada", "bob", "eve"), (0, True))


def test_marks_by_another_version_of_the_rubric_do_not_count(course: Course, database: Database, tmp_path: Path) -> None:
    give(course, database, tmp_path, "t1", "kim", "60 60 60")
    file = course.root / "assignments/project/rubric.toml"
    file.write_text(file.read_text() + "# changed\n")
    assert marking(course, database, "project").teams[0].marks == ()


def test_a_form_shows_a_marker_his_own_scores_alone(course: Course, database: Database, tmp_path: Path) -> None:
    give(course, database, tmp_path, "t1", "kim", "61 62 63", "kims words")
    assert "kims words" in make_form(course, database, "project", "t1", marker="kim")
    assert "kims words" not in make_form(course, database, "project", "t1", marker="lou")
    with pytest.raises(UnknownName):
        make_form(course, database, "project", "t9", marker="kim")


def test_a_form_of_na_alone_is_refused(course: Course, database: Database, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="not to apply"):
        give(course, database, tmp_path, "t1", "kim", "NA NA NA")


def test_a_page_holds_scores_and_comments_escaped_and_no_marker(course: Course, database: Database, tmp_path: Path) -> None:
    with pytest.raises(AssessorError, match="no team has its mark yet"):
        write_feedback(course, database, "project")
    give(course, database, tmp_path, "t1", "marker-kim", "60 60 60", "<b>bold</b> claim")
    give(course, database, tmp_path, "t1", "marker-lou", "62 NA 62", "fine")
    paths = write_feedback(course, database, "project")
    assert {path.parent.name for path in paths} == {"ada", "bob"}
    page = paths[0].read_text()
    assert "&lt;b&gt;bold&lt;/b&gt; claim" in page and "61.0 %" in page and "marker-" not in page and "fine" in page


def test_a_member_whose_mark_is_held_gets_no_page(course: Course, database: Database, tmp_path: Path) -> None:
    for marker in ("kim", "lou"):
        give(course, database, tmp_path, "t1", marker, "60 60 60", "fine")
    hold(course, database, "bob", "project", By("lee", "a case", NOW))
    assert {path.parent.name for path in write_feedback(course, database, "project")} == {"ada"}
    assert not (course.root / "feedback/bob").exists()
