"""Quizzes from start to mark: windows, extra time, what is kept, and what a correction of the key changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from assessor.course import Course
from assessor.database import Database
from assessor.database.gradebook import gradebook
from assessor.database.quizzes import QuizAttempt, QuizResponse, QuizScore, attempts_of
from assessor.database.tables import Event, Mark
from assessor.errors import AssessorError, CourseInvalid, DatabaseUnavailable, ImportRefused, UnknownName
from assessor.workflow.decide import By, defer, listed
from assessor.workflow.extend import add_extension
from assessor.workflow.feedback import feedback
from assessor.workflow.mark import add_mark
from assessor.workflow.quiz_check import check
from assessor.workflow.quiz_mark import Marked, mark_quiz
from assessor.workflow.quiz_review import review
from assessor.workflow.quiz_take import Started, give_extra_time, hand_in, preview, read_answers, save, start

BANK = """# Sums

## one
kind: single

One?

- (x) yes
  > That is so.
- ( ) no
- ( ) perhaps
- ( ) none of these {fixed}

> All know.

## two
kind: numerical
let n in 3..40

Twice {{n}}?

- (x) {{2*n}}

## three
kind: matching

Match.

- a => 1
- b => 2
"""
TOML = 'title = "Sums"\n[policy]\nminutes = 60\n{policy}\n[blueprint]\nsums = {{ medium = 3 }}\n{more}'
MINUTE = timedelta(minutes=1)


@pytest.fixture
def laid(small: Course) -> Callable[..., Course]:
    """Writes the quiz's files; the course's quiz is out of 30."""

    def write(policy: str = "", more: str = "", bank: str = BANK) -> Course:
        (small.root / "quizzes/sums.md").write_text(bank)
        (small.root / "quizzes/quiz1.toml").write_text(TOML.format(policy=policy, more=more))
        return small

    return write


@pytest.fixture
def course(laid: Callable[..., Course]) -> Course:
    return laid()


def answers(started: Started, right: int = 3) -> dict[int, str]:
    """Right answers to the first so many of one, two and three, in the student's own numbering."""
    found = {}
    for each in started.questions:
        if each.kind == "single":
            found["one"] = (each.number, str(each.options.index("yes" if right > 0 else "no") + 1))
        elif each.kind == "numerical":
            value = 2 * int(each.text.removeprefix("Twice ").removesuffix("?"))
            found["two"] = (each.number, str(value if right > 1 else value + 1))
        else:
            order = [each.options.index(option) + 1 for option in (("1", "2") if right > 2 else ("2", "1"))]
            found["three"] = (each.number, " ".join(map(str, order)))
    return dict(found.values())


def take(course: Course, database: Database, student: str, right: int, minute: int = 0) -> None:
    now = course.assignment("quiz1").released + minute * MINUTE
    started = start(course, database, "quiz1", student, now=now)
    save(course, database, "quiz1", student, answers(started, right), now=now + MINUTE)
    hand_in(course, database, "quiz1", student, now=now + 2 * MINUTE)


def mark(course: Course, database: Database, after: timedelta = timedelta(hours=2), reason: str = "") -> Marked:
    now = course.assignment("quiz1").released + after
    return mark_quiz(course, database, "quiz1", author="lecturer", now=now, reason=reason)


def marks(database: Database) -> dict[str, Decimal | None]:
    with database.reading() as session:
        found = session.scalars(select(Mark).where(Mark.assignment == "quiz1").order_by(Mark.id))
        return {mark.student_id: None if mark.not_submitted else mark.points for mark in found}


def test_from_start_to_mark(course: Course, database: Database) -> None:
    take(course, database, "ada", 3)
    take(course, database, "bob", 1)
    done = mark(course, database)
    assert (done.attempts, done.new, done.changed, done.written, done.marks.new) == (2, 2, (), True, 2)
    assert marks(database) == {"ada": 30, "bob": 10}
    after = course.assignment("quiz1").due - course.assignment("quiz1").released
    mark(course, database, after)
    assert marks(database) == {"ada": 30, "bob": 10, "eve": None}
    with database.reading() as session:
        score = session.scalars(select(QuizScore).order_by(QuizScore.id)).first()
        assert score is not None and sorted(score.fractions) == ["1", "1", "1"]
        assert session.scalar(select(func.count(QuizScore.id))) == 2, "marking again adds nothing"


def test_papers_differ_and_come_out_the_same_again(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    papers = {name: start(course, database, "quiz1", name, now=now).questions for name in ("ada", "bob", "eve")}
    assert len(set(papers.values())) == 3
    for name, paper in papers.items():
        again = start(course, database, "quiz1", name, now=now + 5 * MINUTE)
        assert again.again and again.questions == paper == preview(course, "quiz1", name)
        (single,) = [each for each in paper if each.kind == "single"]
        assert single.options[3] == "none of these", "what is fixed stays where it is"


def test_nothing_of_the_key_is_shown(course: Course, database: Database) -> None:
    shown = start(course, database, "quiz1", "ada", now=course.assignment("quiz1").released).questions
    assert {"fraction", "feedback"}.isdisjoint(vars(shown[0])) and "=>" not in str(shown)


def test_it_is_open_for_its_window_only(course: Course, database: Database) -> None:
    quiz = course.assignment("quiz1")
    for now in (quiz.released - MINUTE, quiz.due):
        with pytest.raises(AssessorError, match=r"quiz1: open from Mon 01 Feb 2027 09:00 GMT to .*; nothing was started"):
            start(course, database, "quiz1", "ada", now=now)
    late = start(course, database, "quiz1", "ada", now=quiz.due - 10 * MINUTE)
    assert late.deadline == quiz.due, "it ends when the quiz closes"
    add_extension(course, database, "bob", "quiz1", "+1 days", author="x", reason="ill", now=quiz.due)
    assert start(course, database, "quiz1", "bob", now=quiz.due + MINUTE).deadline == quiz.due + 61 * MINUTE


def test_an_hour_once_started_and_a_grace_for_what_is_on_its_way(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    given = answers(start(course, database, "quiz1", "ada", now=now))
    assert save(course, database, "quiz1", "ada", given, now=now + 61 * MINUTE) == 3
    with pytest.raises(AssessorError, match=r"attempt 1 of ada ended at 2027-02-01 10:00:00 UTC; nothing was saved"):
        save(course, database, "quiz1", "ada", given, now=now + 61 * MINUTE + timedelta(seconds=1))
    with pytest.raises(AssessorError, match="ada has had 1 of 1 attempts"):
        start(course, database, "quiz1", "ada", now=now + 62 * MINUTE)
    with pytest.raises(AssessorError, match="bob has not started it"):
        hand_in(course, database, "quiz1", "bob", now=now)


def test_what_was_handed_in_is_over(course: Course, database: Database) -> None:
    take(course, database, "ada", 3)
    with pytest.raises(AssessorError, match="attempt 1 of ada was handed in"):
        save(course, database, "quiz1", "ada", {1: "1"}, now=course.assignment("quiz1").released + 3 * MINUTE)


def test_extra_time_is_added_and_its_reason_kept(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    give_extra_time(course, database, "ada", 25, author="x", reason="plan", now=now)
    give_extra_time(course, database, "bob", 25, author="x", reason="plan", now=now)
    give_extra_time(course, database, "bob", 50, "quiz1", author="x", reason="plan", now=now)
    minutes = [(start(course, database, "quiz1", name, now=now).deadline - now) / MINUTE for name in ("ada", "bob", "eve")]
    assert minutes == [75, 90, 60]
    assert listed(course, database)[0].what == "25 % more time in every quiz"
    for percent, name, reason, said in (
        (301, "", "a", "from 0 to 300"),
        (25, "", " ", "a reason"),
        (25, "powers", "a", "not a quiz"),
    ):
        with pytest.raises(AssessorError, match=said):
            give_extra_time(course, database, "ada", percent, name, author="x", reason=reason, now=now)


def test_an_attempt_that_goes_on_waits(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    save(course, database, "quiz1", "ada", answers(start(course, database, "quiz1", "ada", now=now)), now=now)
    assert (mark(course, database, 30 * MINUTE).going, marks(database)) == (1, {})
    assert (mark(course, database, 62 * MINUTE).new, marks(database)) == (1, {"ada": 30})


def test_the_newest_answer_counts_and_the_earlier_ones_stay(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    started = start(course, database, "quiz1", "ada", now=now)
    for right in (0, 3, 1):
        save(course, database, "quiz1", "ada", answers(started, right), now=now + right * MINUTE)
    number = next(each.number for each in started.questions if each.kind == "single")
    save(course, database, "quiz1", "ada", {number: ""}, now=now + 5 * MINUTE)
    mark(course, database)
    assert marks(database) == {"ada": 0}
    with database.reading() as session:
        assert session.scalar(select(func.count(QuizResponse.id))) == 10


@pytest.mark.parametrize(("counts", "mark_"), [("first", 20), ("last", 10), ("best", 30)])
def test_the_attempt_that_counts(laid: Callable[..., Course], database: Database, counts: str, mark_: int) -> None:
    course = laid(f'attempts = 3\ncounts = "{counts}"')
    for minute, right in enumerate((2, 3, 1)):
        take(course, database, "ada", right, minute * 5)
    mark(course, database)
    assert marks(database) == {"ada": mark_}


WRONG_KEY = BANK.replace("- (x) yes", "- ( ) yes").replace("- ( ) no\n", "- (x) no\n")


def test_a_corrected_key_lists_its_changes_before_anything_is_written(laid: Callable[..., Course], database: Database) -> None:
    course = laid(bank=WRONG_KEY)
    take(course, database, "ada", 3)
    take(course, database, "bob", 0)
    mark(course, database)
    assert marks(database) == {"ada": 20, "bob": 10}
    laid()
    done = mark(course, database)
    assert not done.written and [(c.student, c.then, c.now, c.questions) for c in done.changed] == [
        ("ada", 2, 3, ("one",)), ("bob", 1, 0, ("one",)),
    ]  # fmt: skip
    assert marks(database) == {"ada": 20, "bob": 10}
    assert mark(course, database, reason="yes is right").written
    assert marks(database) == {"ada": 30, "bob": 0}
    with database.reading() as session:
        scores = session.execute(select(QuizScore.attempt_id, QuizScore.points).order_by(QuizScore.id)).all()
        assert [tuple(row) for row in scores] == [(1, 2), (2, 1), (1, 3), (2, 0)], "the old scores stay"
        assert "yes is right" in session.scalars(select(Mark.reason).order_by(Mark.id.desc())).first()  # type: ignore[operator]
        assert session.scalars(select(Event).where(Event.verb == "quiz key corrected")).one().detail["attempts"] == 2
    assert mark(course, database).changed == ()


def test_full_marks_to_all_or_a_question_left_out(laid: Callable[..., Course], database: Database) -> None:
    course = laid()
    take(course, database, "ada", 1)
    mark(course, database)
    for more, points in (('[corrections]\ntwo = "full"', 20), ('[corrections]\ntwo = "drop"', 15)):
        laid(more=more)
        assert mark(course, database, reason="two was unclear").written
        assert marks(database) == {"ada": points}


def test_a_question_whose_text_changed_is_not_marked(laid: Callable[..., Course], database: Database) -> None:
    course = laid()
    take(course, database, "ada", 3)
    laid(bank=BANK.replace("One?", "Not one?"))
    with pytest.raises(AssessorError, match=r"sums.md: line 3: one: its text or options are not what students saw"):
        mark(course, database)
    assert marks(database) == {}


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [("single", "5", "numbers from 1 to 4"), ("single", "1 2", "1 number"), ("single", "yes", "numbers from 1"),
     ("matching", "1", "2 numbers"), ("matching", "1 x", "numbers from 1 to 2 or '-'"),
     ("numerical", "9" * 3000, "at most 2000")],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused_and_no_other_is_saved(
    course: Course, database: Database, kind: str, said: str, expected: str
) -> None:
    now = course.assignment("quiz1").released
    started = start(course, database, "quiz1", "ada", now=now)
    number = next(each.number for each in started.questions if each.kind == kind)
    with pytest.raises(AssessorError, match=f"question {number}: found .*; expected {expected}"):
        save(course, database, "quiz1", "ada", {**answers(started), number: said}, now=now)
    with pytest.raises(AssessorError, match="question 9; expected a number from 1 to 3"):
        save(course, database, "quiz1", "ada", {9: "1"}, now=now)
    with database.reading() as session:
        assert session.scalar(select(func.count(QuizResponse.id))) == 0


def test_attempts_answers_and_scores_are_never_changed(course: Course, database: Database) -> None:
    take(course, database, "ada", 3)
    mark(course, database)
    for statement in (
        "UPDATE quiz_attempt SET number = 2", "DELETE FROM quiz_response", "UPDATE quiz_score SET points = '0'",
        "DELETE FROM quiz_end", "INSERT OR REPLACE INTO quiz_end SELECT * FROM quiz_end",
    ):  # fmt: skip
        with pytest.raises(DatabaseUnavailable, match="append-only"), database.transaction() as session:
            session.execute(text(statement))
    with database.reading() as session:
        assert session.scalar(select(func.count(QuizAttempt.id))) == 1
        assert attempts_of(session, "quiz1", "ada")[0].points == 3 and attempts_of(session, "quiz1", "bob") == []


def test_names_that_do_not_exist_are_told(course: Course, database: Database) -> None:
    now = course.assignment("quiz1").released
    with pytest.raises(UnknownName):
        start(course, database, "quiz1", "nobody", now=now)
    with pytest.raises(AssessorError, match="powers: a notebook, not a quiz"):
        start(course, database, "powers", "ada", now=now)
    (course.root / "quizzes/quiz1.toml").unlink()
    with pytest.raises(CourseInvalid, match=r"quiz1\.toml"):
        start(course, database, "quiz1", "ada", now=now)


def test_answers_come_from_a_table(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text('question,answer\n1,2\n3,"1, 2"\n2,\n')
    assert read_answers(file) == {1: "2", 3: "1, 2", 2: ""}
    file.write_text("question,answer\n1,2\n1,3\n")
    with pytest.raises(ImportRefused, match="row 3, column 'question'"):
        read_answers(file)


RIGHT = "- (x) {{2*n}}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- (x) yes", "- (50%) yes", "0 options are right"),
        ("- ( ) no\n", "- ( ) yes\n", "two options are the same"),
        (RIGHT, f"{RIGHT} or so", "is not read as numerical"),
        (RIGHT, "- (x) {{m}}", "expected one of n"),
        (RIGHT, "- (x) {{n/(n - 3)}}", "expected a number"),
        (RIGHT, f"{RIGHT}\n- (50%) {{{{2*n}}}}", "is never met"),
        (RIGHT, "- (x) {{n/7}}", "without a tolerance"),
        ("One?", "Is $x one?", "a $ without its other half"),
        ("let n in 3..40\n", "", "but no let"),
        ("let n in 3..40", "let n in 3..40\nlet m = n + 1", "let m is used nowhere"),
        ("- b => 2", "- a => 2", "the same twice"),
        ("- b => 2\n", "", "expected 2 or more"),
    ],
)
def test_a_check_finds_what_is_wrong_with_a_question(laid: Callable[..., Course], old: str, new: str, said: str) -> None:
    assert old in BANK
    (finding, *_) = check(laid(bank=BANK.replace(old, new))).findings
    assert said in finding.text and finding.file == "quizzes/sums.md"


def test_a_check_counts_what_it_tried(course: Course) -> None:
    done = check(course)
    assert (done.questions, done.variants, done.findings) == (3, 40, ())
    assert done.cells[0].there == (0, 3, 0) and done.cells[0].drawn == "0 + 3 + 0"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("sums = { medium = 4 }", "blueprint.sums.medium: found '4, of 3 in sums.md'"),
        ("sum = { medium = 1 }", "blueprint.sum: found 'sum'; allowed: a bank of quizzes/: sums"),
        ("sums = { hard = 0 }", "blueprint: found 'no questions'"),
        ('sums = { medium = 1 }\n[corrections]\nten = "drop"', "corrections.ten: found 'ten'"),
        ('sums = { medium = 1 }\n[corrections]\none = "dorp"', "corrections.one: found 'dorp'"),
    ],
)
def test_a_quiz_file_that_is_wrong_is_told(course: Course, toml: str, said: str) -> None:
    (course.root / "quizzes/quiz1.toml").write_text(f'title = "T"\n[blueprint]\n{toml}\n')
    (finding,) = check(course).findings
    assert f"{finding.place}: {finding.text}".startswith(said)


def test_a_cell_of_unequal_marks_would_make_unequal_papers(laid: Callable[..., Course]) -> None:
    course = laid(bank=BANK.replace("kind: single\n", "kind: single\nmarks: 2\n"))
    assert check(course).findings == (), "all of them are drawn"
    (course.root / "quizzes/quiz1.toml").write_text('title = "T"\n[blueprint]\nsums = { medium = 2 }\n')
    assert "different totals" in check(course).findings[0].text


def test_a_student_of_a_later_sitting_is_not_yet_absent(course: Course, database: Database) -> None:
    quiz = course.assignment("quiz1")
    add_extension(course, database, "eve", "quiz1", "+3 days", author="x", reason="ill", now=quiz.due)
    with pytest.raises(AssessorError, match="nobody has taken it here"):
        mark(course, database)
    take(course, database, "ada", 3)
    mark(course, database, quiz.due - quiz.released + timedelta(hours=1))
    assert marks(database) == {"ada": 30, "bob": None}


def test_a_mark_that_a_person_gave_stands(course: Course, database: Database) -> None:
    take(course, database, "ada", 3)
    take(course, database, "bob", 3)
    now = course.assignment("quiz1").released + timedelta(hours=1)
    add_mark(course, database, "ada", "quiz1", "total", "0", author="board", reason="copied", now=now)
    done = mark(course, database)
    assert done.by_hand == ("ada",) and done.marks.new == 1 and marks(database) == {"ada": 0, "bob": 30}
    assert mark(course, database).marks.unchanged == 1


def test_a_deferred_student_starts_again_and_only_that_counts(course: Course, database: Database) -> None:
    quiz = course.assignment("quiz1")
    take(course, database, "ada", 1)
    mark(course, database)
    by = By("board", "ill", quiz.due)
    defer(course, database, "ada", "quiz1", quiz.due + timedelta(days=7), by)
    after = quiz.due - quiz.released + timedelta(hours=1)
    assert mark(course, database, after).marks.left == () and marks(database)["ada"] == 10
    now = quiz.due + timedelta(days=1)
    started = start(course, database, "quiz1", "ada", now=now)
    assert started.number == 2 and not started.again
    save(course, database, "quiz1", "ada", answers(started, 2), now=now)
    hand_in(course, database, "quiz1", "ada", now=now)
    done = mark(course, database, after + timedelta(days=2))
    assert done.marks.new == 1 and marks(database)["ada"] == 20
    assert mark(course, database, after + timedelta(days=2)).marks.new == 0
    (row,) = [row for row in gradebook(course, database) if row.id == "ada"]
    assert [item.points for one in row.mark.assignments if one.name == "quiz1" for item in one.items] == [20]


def test_feedback_is_for_after_the_quiz(course: Course, database: Database) -> None:
    quiz = course.assignment("quiz1")
    take(course, database, "ada", 1)
    with pytest.raises(AssessorError, match="quiz1: open for ada until Mon 15 Feb 2027 16:00 GMT"):
        review(course, database, "quiz1", "ada", now=quiz.due - MINUTE)
    with pytest.raises(AssessorError, match="bob has not taken it"):
        review(course, database, "quiz1", "bob", now=quiz.due)
    (done,) = review(course, database, "quiz1", "ada", now=quiz.due)
    found = {each.text.split("?")[0].split(" ")[0]: each for each in done.questions}
    assert (done.points, done.out_of) == (1, 3)
    assert (found["One"].answer, found["One"].points, found["One"].feedback) == ("yes", 1, ("That is so.", "All know."))
    assert found["Twice"].points == 0 and found["Match."].answer == "a => 2; b => 1"


def test_a_question_that_was_broken_in_the_middle_of_a_quiz_can_be_set_aside(
    laid: Callable[..., Course], database: Database
) -> None:
    course = laid()
    now = course.assignment("quiz1").released
    given = answers(start(course, database, "quiz1", "ada", now=now))
    laid(bank=BANK.replace("One?", "Not one?"))
    with pytest.raises(AssessorError, match="not what students saw"):
        start(course, database, "quiz1", "ada", now=now)
    laid(bank=BANK.replace("One?", "Not one?"), more='[corrections]\none = "full"')
    assert start(course, database, "quiz1", "ada", now=now).again
    save(course, database, "quiz1", "ada", given, now=now)
    mark(course, database)
    assert marks(database) == {"ada": 30}
    (done,) = review(course, database, "quiz1", "ada", now=course.assignment("quiz1").due)
    assert "full marks to all" in [text for each in done.questions for text in each.feedback]


def test_a_mark_is_rounded_once(laid: Callable[..., Course], database: Database) -> None:
    course = laid(bank=BANK.replace("- ( ) no\n", "- (33.33333333%) no\n"))
    take(course, database, "ada", 0)
    mark(course, database)
    assert marks(database) == {"ada": Decimal("3.333333333")}, "a third of a mark of 3, of 30, to the last decimal"


def test_a_feedback_page_shows_each_question_once_the_quiz_has_closed(course: Course, database: Database) -> None:
    take(course, database, "ada", right=1)
    mark(course, database)
    open_still = course.assignment("quiz1").released + timedelta(hours=2)
    page = course.root / "feedback/ada/quiz1.html"
    feedback(course, database, "quiz1", now=open_still)
    assert "Your answer" not in page.read_text("utf-8"), "others take it still"
    feedback(course, database, "quiz1", now=course.assignment("quiz1").due + timedelta(days=1))
    text = page.read_text("utf-8")
    assert "That is so." in text and "Your answer: yes" in text and "All know." in text
    assert text.count("Your answer:") == 3 and "perhaps" not in text, "what was not chosen is not shown"


def test_answers_of_students_stay_text_on_their_page(laid: Callable[..., Course], database: Database) -> None:
    course = laid(bank="# Sums\n\n## one\nkind: short\n\nSay.\n\n- (x) it\n", more="")
    (course.root / "quizzes/quiz1.toml").write_text(TOML.format(policy="", more="").replace("medium = 3", "medium = 1"))
    now = course.assignment("quiz1").released
    start(course, database, "quiz1", "ada", now=now)
    save(course, database, "quiz1", "ada", {1: "<script>alert(1)</script>"}, now=now)
    hand_in(course, database, "quiz1", "ada", now=now + MINUTE)
    mark(course, database)
    feedback(course, database, "quiz1", now=course.assignment("quiz1").due + timedelta(days=1))
    text = (course.root / "feedback/ada/quiz1.html").read_text("utf-8")
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
