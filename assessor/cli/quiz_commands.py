"""Commands of quizzes: check, preview, start, answer, hand in, mark; and results from elsewhere."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assessor.cli.context import (
    encoding_option,
    json_option,
    names_argument,
    open_both,
    open_course,
    print_json,
    print_table,
    printable,
    tell,
    whoami,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assessor.quizzes.papers import Shown
    from assessor.workflow.quiz_banks import Banks

name_argument = click.argument("name", metavar="QUIZ")
student_argument = click.argument("student")
results_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def quiz() -> None:
    """Quizzes: check their questions, take attempts, mark them; bring in results from elsewhere."""


@quiz.command()
@names_argument
@json_option
@click.pass_context
def validate(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check every question, and the blueprint.

    Many variants of each are tried by the code that will mark them. With names, only those quizzes. Exit status 1
    if something is wrong.
    """
    from assessor.workflow.quiz_check import check

    done = check(open_course(ctx), names)
    if as_json:
        print_json(done)
    else:
        rows = [[f.level, f.file, f.place, f.text] for f in done.findings]
        if rows:
            print_table("questions", ["", "file", "place", "what"], rows)
        columns = ["quiz", "topic", "easy", "medium", "hard", "drawn"]
        print_table("blueprints: questions there are", columns, [[c.quiz, c.topic, *c.there, c.drawn] for c in done.cells])
        click.echo(f"{done.questions} questions, {done.variants} variants tried, {len(done.findings)} findings")
    if any(finding.level == "error" for finding in done.findings):
        sys.exit(1)


@quiz.command()
@name_argument
@student_argument
@click.option("--attempt", default=1, show_default=True, type=click.IntRange(1, 100))
@json_option
@click.pass_context
def preview(ctx: click.Context, name: str, student: str, attempt: int, as_json: bool) -> None:
    """Show the paper that STUDENT would get."""
    from assessor.workflow.quiz_take import preview as look

    shown = look(open_course(ctx), name, student, attempt)
    if as_json:
        print_json(shown)
    else:
        _print_paper(shown)


@quiz.command()
@name_argument
@student_argument
@json_option
@click.pass_context
def start(ctx: click.Context, name: str, student: str, as_json: bool) -> None:
    """Start STUDENT's attempt and show its paper.

    Or show the one that goes on.
    """
    from assessor.workflow.quiz_take import start as begin

    course, database = open_both(ctx)
    done = begin(course, database, name, student, now=datetime.now(UTC), author=whoami())
    if as_json:
        print_json(done)
        return
    _print_paper(done.questions)
    until = done.deadline.astimezone(course.time_zone)
    click.echo(f"attempt {done.number}, until {until:%a %d %b %Y %H:%M:%S %Z}; `assessor quiz answer` saves answers")


@quiz.command()
@name_argument
@student_argument
@results_file
@encoding_option
@click.option("--hand-in", is_flag=True, help="This is all: end the attempt.")
@json_option
@click.pass_context
def answer(
    ctx: click.Context, name: str, student: str, file: Path, encoding: str | None, hand_in: bool, as_json: bool
) -> None:
    """Save STUDENT's answers from a CSV.

    Its columns are question (its number on the paper) and answer. Options are named by their number on the
    student's paper: '2', '1 3', in matching '2 - 1'. Saving again replaces.
    """
    from assessor.workflow.quiz_take import hand_in as end
    from assessor.workflow.quiz_take import read_answers, save

    course, database = open_both(ctx)
    answers, now = read_answers(file, encoding=encoding), datetime.now(UTC)
    saved = save(course, database, name, student, answers, now=now, author=whoami())
    line = f"{name}, {student}: {saved} answers saved"
    count = end(course, database, name, student, now=now, author=whoami()) if hand_in else None
    if count is not None:
        line += f"\nhanded in with {count} answers"
    tell({"saved": saved, "handed_in": count}, line, as_json=as_json)


@quiz.command("hand-in")
@name_argument
@student_argument
@json_option
@click.pass_context
def hand_in(ctx: click.Context, name: str, student: str, as_json: bool) -> None:
    """End STUDENT's attempt before its time is up."""
    from assessor.workflow.quiz_take import hand_in as end

    count = end(*open_both(ctx), name, student, now=datetime.now(UTC), author=whoami())
    tell({"handed_in": count}, f"{name}, {student}: handed in with {count} answers", as_json=as_json)


@quiz.command("extra-time")
@student_argument
@click.argument("percent", type=int)
@click.argument("name", required=False, default="", metavar="[QUIZ]")
@click.option("--reason", required=True, help="Why; kept in confidence.")
@json_option
@click.pass_context
def extra_time(ctx: click.Context, student: str, percent: int, name: str, reason: str, as_json: bool) -> None:
    """Give STUDENT so many PERCENT more time.

    In every quiz, or in one. The newest counts.
    """
    from assessor.workflow.quiz_take import give_extra_time

    course, database = open_both(ctx)
    give_extra_time(course, database, student, percent, name, author=whoami(), reason=reason, now=datetime.now(UTC))
    done = {"student": student, "percent": percent, "quiz": name}
    tell(done, f"{student}: {percent} % more time in {name or 'every quiz'}", as_json=as_json)


@quiz.command()
@name_argument
@click.option("--reason", default="", help="Why the key was corrected; needed where a score would change.")
@json_option
@click.pass_context
def mark(ctx: click.Context, name: str, reason: str, as_json: bool) -> None:
    """Mark every attempt that is over.

    By the key as it is now. Where an attempt was marked before and would score otherwise, the changes are listed,
    and nothing is written until
    you give the reason. Earlier scores stay on record. Exit status 1 if nothing was written.
    """
    from assessor.workflow.quiz_mark import mark_quiz

    done = mark_quiz(*open_both(ctx), name, author=whoami(), now=datetime.now(UTC), reason=reason)
    if as_json:
        print_json(done)
    else:
        if done.changed:
            rows = [[c.student, c.attempt, c.then, c.now, ", ".join(c.questions)] for c in done.changed]
            title = "scores that changed" if done.written else "scores that would change"
            print_table(title, ["student", "attempt", "then", "now", "questions"], rows)
        going = f", {done.going} still going on" if done.going else ""
        click.echo(f"{name}: {done.attempts} attempts{going}; {done.new} new, {len(done.changed)} changed")
        said = f"{done.marks.new} new marks, {done.marks.unchanged} as before"
        if done.by_hand:
            click.echo(f"their marks were given by hand or imported, and stand: {', '.join(done.by_hand)}")
        click.echo(said if done.written else "nothing was written; if this is meant, say why with --reason")
    if not done.written:
        sys.exit(1)


@quiz.command()
@name_argument
@student_argument
@json_option
@click.pass_context
def review(ctx: click.Context, name: str, student: str, as_json: bool) -> None:
    """Show STUDENT's answers, points and feedback.

    Once the quiz has closed for the student; by the key as it is now.
    """
    from assessor.workflow.quiz_review import review as look

    done = look(*open_both(ctx), name, student, now=datetime.now(UTC))
    if as_json:
        print_json(done)
        return
    for attempt in done:
        click.secho(f"{name}, attempt {attempt.attempt}: {attempt.points} of {attempt.out_of}", bold=True)
        for each in attempt.questions:
            click.secho(f"\n{each.number}. {each.points} of {each.out_of}", bold=True)
            _print_lines(each.text)
            _print_lines(f"answer: {each.answer or 'none'}")
            for text in each.feedback:
                _print_lines(text, "   > ")


@quiz.command()
@click.argument("name", metavar="QUIZ")
@json_option
@click.pass_context
def items(ctx: click.Context, name: str, as_json: bool) -> None:
    """Item analysis: how hard each question was, and how well it told students apart.

    Of first attempts, by their newest scores. Writes reports/items-QUIZ.html.
    """
    from assessor.workflow.quiz_items import as_json as machine_readable
    from assessor.workflow.quiz_items import quiz_items

    done = quiz_items(*open_both(ctx), name, now=datetime.now(UTC))
    if as_json:
        click.echo(machine_readable(done))
        return

    def shown(value: float | None, places: int = 1) -> str:
        return "-" if value is None else f"{value:.{places}f}"

    rows = [
        [
            item.name, item.shown, shown(item.facility, 2), shown(item.discrimination),
            f"{shown(item.low)} to {shown(item.high)}", shown(item.efficiency), "; ".join(item.flags),
        ]
        for item in done.analysis.items
    ]  # fmt: skip
    print_table(f"{name}: questions", ["question", "shown", "facility", "discr. %", "95 %", "effic. %", "look at"], rows)
    whole = done.analysis.whole
    click.echo(
        f"{whole.students} students, mean {whole.mean:.1f} %, SD {shown(whole.sd)} %, alpha {shown(whole.alpha, 2)}, "
        f"standard error of a mark {shown(whole.sem)} %"
    )
    click.echo(done.page)


@quiz.command("import")
@name_argument
@results_file
@click.option("--from", "system", type=click.Choice(["moodle", "blackboard", "canvas"]), help="As this system exports it.")
@click.option("--column", help="With --from blackboard: which column of the grade centre.")
@encoding_option
@json_option
@click.pass_context
def quiz_import(
    ctx: click.Context, name: str, file: Path, system: str | None, column: str | None, encoding: str | None, as_json: bool
) -> None:
    """Import the results of QUIZ: a CSV with the columns student, score and, if you like, out_of, attempt.

    With --from, as an LMS exports it: Moodle's grades report, Blackboard's grade centre, Canvas's student analysis. Rows of
    nobody in the class list, and attempts without a grade, are listed and give no mark.
    """
    from assessor.workflow.quiz_import import import_lms, import_quiz

    course, database = open_both(ctx)
    now = datetime.now(UTC)
    if system is None:
        done = import_quiz(course, database, name, file, author=whoami(), now=now, encoding=encoding)
        if as_json:
            print_json(done)
            return
        click.echo(f"{file}: {done.new} new marks, {done.unchanged} as before")
        return
    found = import_lms(
        course, database, name, file, system, author=whoami(), now=now, column=column, encoding=encoding
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    if found.strays:
        print_table("rows without a mark", ["row", "who", "why"], [[one.row, one.who, one.why] for one in found.strays])
    click.echo(f"{file}: {found.marks.new} new marks, {found.marks.unchanged} as before")
    if found.without:
        shown = ", ".join(found.without[:12]) + (" ..." if len(found.without) > 12 else "")
        click.echo(f"no mark from it: {len(found.without)} of the class list ({shown})")


@quiz.command("import-bank")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "form", type=click.Choice(["gift", "moodle", "qti", "qti12"]), help="Its format, if not told by it.")
@click.option("--topic", help="Put all of them into this bank.")
@json_option
@click.pass_context
def import_bank(ctx: click.Context, file: Path, form: str | None, topic: str | None, as_json: bool) -> None:
    """Write the questions of FILE (GIFT, Moodle XML, QTI) as banks of quizzes/.

    What could not be carried is listed, question by question. A bank that is there already is never touched.
    """
    from assessor.workflow.quiz_banks import import_bank as bring_in

    _tell_banks(bring_in(open_course(ctx), file, form=form, topic=topic), as_json)


@quiz.command("export-bank")
@click.argument("topics", nargs=-1, metavar="[BANK]...")
@click.option("--to", "form", type=click.Choice(["gift", "moodle", "qti"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write (default: reports/).")
@json_option
@click.pass_context
def export_bank(ctx: click.Context, topics: tuple[str, ...], form: str, out: Path | None, as_json: bool) -> None:
    """Write BANKs of quizzes/, all where none is named, as GIFT, Moodle XML or a QTI 2.1 package."""
    from assessor.workflow.quiz_banks import export_bank as write_out

    _tell_banks(write_out(open_course(ctx), topics, form, out=out), as_json)


def _tell_banks(done: Banks, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    if done.notes:
        rows = [[note.question, note.what, note.done] for note in done.notes]
        print_table("not carried as it was", ["question", "what", "what became of it"], rows)
    for path in done.paths:
        click.echo(path)
    click.echo(f"{done.questions} questions")


def _print_paper(questions: Iterable[Shown]) -> None:
    for each in questions:
        click.secho(f"\n{each.number}. ({each.kind}, {each.marks})", bold=True)
        _print_lines(each.text)
        for stem in each.stems:
            click.echo(f"   - {printable(stem)}")
        for number, option in enumerate(each.options, 1):
            click.echo(f"   {number}) {printable(option)}")
        if each.unit:
            click.echo(f"   in {each.unit}")
    click.echo()


def _print_lines(text: str, before: str = "   ") -> None:
    for line in text.split("\n"):
        click.echo(f"{before}{printable(line)}")


COMMANDS = (quiz,)
