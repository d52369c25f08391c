"""The class list: students are added and corrected, never taken off."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from assessor.database.tables import Student
from assessor.errors import UnknownName

MARKING_ID_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that are read for one another."""


@dataclass(frozen=True)
class Person:
    """One line of a class list."""

    id: str
    name: str
    email: str = ""


@dataclass(frozen=True)
class Enrolled:
    """What a class list did: ids of new students, of those whose name or address changed, and of the rest."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]


def add_students(session: Session, people: Iterable[Person]) -> Enrolled:
    """Adds those who are not there yet and corrects names and addresses; nobody is taken off, no marking id changes."""
    known = {student.id: student for student in session.scalars(select(Student))}
    taken = {student.marking_id for student in known.values()}
    new, changed, same = [], [], []
    for person in people:
        student = known.get(person.id)
        if student is None:
            marking_id = _marking_id(taken)
            taken.add(marking_id)
            student = Student(id=person.id, name=person.name, email=person.email, marking_id=marking_id)
            session.add(student)
            known[person.id] = student
            new.append(person.id)
        elif (student.name, student.email) != (person.name, person.email):
            student.name, student.email = person.name, person.email
            changed.append(person.id)
        else:
            same.append(person.id)
    return Enrolled(tuple(new), tuple(changed), tuple(same))


def _marking_id(taken: set[str]) -> str:
    """Random, so that nothing about a student can be read from it."""
    while True:
        marking_id = "".join(secrets.choice(MARKING_ID_LETTERS) for _ in range(6))
        if marking_id not in taken:
            return marking_id


def find_student(session: Session, given: str) -> Student:
    """The student of this id, or of this marking id: whoever marks anonymously knows only the latter.

    Raises:
        UnknownName: there is none.
    """
    found = session.get(Student, given)
    if found is None:
        found = session.scalar(select(Student).where(Student.marking_id == given))
    if found is None:
        raise UnknownName("student", given, session.scalars(select(Student.id)))
    return found
