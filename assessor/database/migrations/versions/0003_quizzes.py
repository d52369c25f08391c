"""Quizzes: attempts, answers, scores.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from assessor.database.types import Exact, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("quiz_attempt", "quiz_response", "quiz_end", "quiz_score")


def upgrade() -> None:
    """Makes the tables, which refuse any change of what is in them."""
    op.create_table(
        "quiz_attempt",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("student_id", sa.String(64), nullable=False),
        sa.Column("quiz", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("deadline", UtcDateTime, nullable=False),
        sa.Column("paper", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quiz_attempt"),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name="fk_quiz_attempt_student_id_student"),
        sa.UniqueConstraint("student_id", "quiz", "number", name="uq_quiz_attempt_student_id_quiz_number"),
    )
    op.create_index("ix_quiz_attempt_quiz", "quiz_attempt", ["quiz"])
    op.create_table(
        "quiz_response",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("attempt_id", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quiz_response"),
        sa.ForeignKeyConstraint(["attempt_id"], ["quiz_attempt.id"], name="fk_quiz_response_attempt_id_quiz_attempt"),
    )
    op.create_index("ix_quiz_response_attempt_id", "quiz_response", ["attempt_id"])
    op.create_table(
        "quiz_end",
        sa.Column("attempt_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_quiz_end"),
        sa.ForeignKeyConstraint(["attempt_id"], ["quiz_attempt.id"], name="fk_quiz_end_attempt_id_quiz_attempt"),
    )
    op.create_table(
        "quiz_score",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("attempt_id", sa.Integer, nullable=False),
        sa.Column("points", Exact, nullable=False),
        sa.Column("out_of", Exact, nullable=False),
        sa.Column("fractions", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quiz_score"),
        sa.ForeignKeyConstraint(["attempt_id"], ["quiz_attempt.id"], name="fk_quiz_score_attempt_id_quiz_attempt"),
    )
    op.create_index("ix_quiz_score_attempt_id", "quiz_score", ["attempt_id"])
    for table in TABLES:
        for statement in _triggers(op.get_bind().dialect.name, table):
            op.execute(statement)


def downgrade() -> None:
    """Takes them away again."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _triggers(engine: str, table: str) -> list[str]:
    key = "attempt_id" if table == "quiz_end" else "id"
    if engine == "sqlite":
        refused = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        return [
            f"CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} {refused}",
            f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} {refused}",
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "  # noqa: S608 - names of ours
            f"WHEN NEW.{key} IN (SELECT {key} FROM {table}) {refused}",
        ]
    return [
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    ]
