"""A class list adds and corrects, and nobody's marking id tells who they are or ever changes."""

from __future__ import annotations

from sqlalchemy import select

from assessor.database import Database
from assessor.database.enrolment import MARKING_ID_LETTERS, Enrolled, Person, add_students
from assessor.database.tables import Student


def enrol(database: Database, *people: Person) -> Enrolled:
    with database.transaction() as session:
        return add_students(session, people)


def listed(database: Database) -> dict[str, Student]:
    with database.reading() as session:
        return {student.id: student for student in session.scalars(select(Student))}


def test_new_students_are_added(database: Database) -> None:
    done = enrol(database, Person("ada", "Ada"), Person("bob", "Bob", "bob@example.org"))
    assert done == Enrolled(("ada", "bob"), (), ())
    assert listed(database)["bob"].email == "bob@example.org"


def test_a_second_list_corrects_and_takes_nobody_off(database: Database) -> None:
    enrol(database, Person("ada", "Ada"), Person("bob", "Bob"), Person("cyd", "Cyd"))
    before = {student.id: student.marking_id for student in listed(database).values()}
    done = enrol(database, Person("bob", "Robert"), Person("cyd", "Cyd"), Person("dan", "Dan"))
    assert done == Enrolled(("dan",), ("bob",), ("cyd",))
    after = listed(database)
    assert after["bob"].name == "Robert"
    assert {name: after[name].marking_id for name in before} == before


def test_marking_ids_are_unique_and_plain(database: Database) -> None:
    enrol(database, *(Person(f"s{number}", "") for number in range(300)))
    ids = [student.marking_id for student in listed(database).values()]
    assert len(set(ids)) == 300
    assert all(len(each) == 6 and set(each) <= set(MARKING_ID_LETTERS) for each in ids)


def test_a_list_that_fails_adds_nobody(database: Database) -> None:
    def people() -> object:
        yield Person("ada", "Ada")
        raise RuntimeError

    try:
        with database.transaction() as session:
            add_students(session, people())  # type: ignore[arg-type]
    except RuntimeError:
        pass
    assert listed(database) == {}
