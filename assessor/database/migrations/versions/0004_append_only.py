"""Evidence and extensions are append-only too; one door for the erasure of a student's record.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from assessor.database.append_only import (
    OF_ATTEMPT,
    OF_GRADING,
    OF_NOBODY,
    OF_STUDENT,
    OF_SUBMISSION,
    allow_redaction,
    forbid_redaction,
    note_erasure,
    protect,
    unprotect,
)
from assessor.database.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = {
    "mark": OF_STUDENT,
    "event": OF_NOBODY,
    "act": OF_STUDENT,
    "quiz_attempt": OF_STUDENT,
    "quiz_response": OF_ATTEMPT,
    "quiz_end": OF_ATTEMPT,
    "quiz_score": OF_ATTEMPT,
}
"""Protected already, without a door."""
NEW = {"extension": OF_STUDENT, "grading": OF_SUBMISSION, "test_result": OF_GRADING}
KEYS = {"quiz_end": ("attempt_id",), "test_result": ("grading_id", "position")}
REDACTED = {
    "event": ("id", "at", "verb"),
    "act": ("id", "verb", "student_id", "subject", "reason", "at", "ends"),
}


def upgrade() -> None:
    """Makes the table that opens the door, and sets the triggers anew."""
    engine = op.get_bind().dialect.name
    op.create_table(
        "erasing",
        sa.Column("student_id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("student_id", name="pk_erasing"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name="fk_erasing_student_id_student", ondelete="CASCADE"
        ),
    )
    for table in BEFORE:
        _run(_without_door(engine, table))
    for table, whose in (BEFORE | NEW).items():
        _run(protect(engine, table, whose, KEYS.get(table, ("id",))))
    for table, fixed in REDACTED.items():
        _run(allow_redaction(engine, table, fixed))
    _run(note_erasure(engine))


def downgrade() -> None:
    """Back to the triggers without a door."""
    engine = op.get_bind().dialect.name
    for table in REDACTED:
        _run(forbid_redaction(engine, table))
    for table in BEFORE | NEW:
        _run(unprotect(engine, table))
    for table in BEFORE:
        _run(_closed(engine, table))
    op.drop_table("erasing")
    if engine == "postgresql":
        op.execute("DROP FUNCTION note_erasure()")


def _run(statements: list[str]) -> None:
    for statement in statements:
        op.execute(statement)


def _without_door(engine: str, table: str) -> list[str]:
    """Takes the triggers of earlier revisions away."""
    if engine == "sqlite":
        return [f"DROP TRIGGER {table}_refuses_{verb}" for verb in ("update", "delete", "replace")]
    return [f"DROP TRIGGER {table}_refuses_change ON {table}"]


def _closed(engine: str, table: str) -> list[str]:
    """The triggers of earlier revisions."""
    if engine == "postgresql":
        return [
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        ]
    key = KEYS.get(table, ("id",))[0]
    refused = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return [
        f"CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} {refused}",
        f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} {refused}",
        f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "  # noqa: S608 - names of ours
        f"WHEN NEW.{key} IN (SELECT {key} FROM {table}) {refused}",
    ]
