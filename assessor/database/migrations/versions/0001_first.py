"""The first revision: students, submissions, jobs, evidence, marks, audit.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from assessor.database.types import Exact, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("mark", "event")
MARK_IN_RANGE = (
    "CAST(points AS NUMERIC) BETWEEN 0 AND CAST(out_of AS NUMERIC)"
    " AND (NOT not_submitted OR CAST(points AS NUMERIC) = 0)"
)
TABLES = ("event", "mark", "test_result", "grading", "job", "extension", "submission", "student")


def upgrade() -> None:
    """Makes all tables, and the triggers that keep marks and events as they were written."""
    op.create_table(
        "student",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("marking_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_student"),
        sa.UniqueConstraint("marking_id", name="uq_student_marking_id"),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("student_id", sa.String(64), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.Column("collected_at", UtcDateTime, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_submission"),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name="fk_submission_student_id_student"),
        sa.UniqueConstraint(
            "student_id", "assignment", "attempt", name="uq_submission_student_id_assignment_attempt"
        ),
    )
    op.create_index("ix_submission_assignment", "submission", ["assignment"])
    op.create_table(
        "extension",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("student_id", sa.String(64), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_extension"),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name="fk_extension_student_id_student"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("submission_id", sa.Integer, nullable=False),
        sa.Column("grader_sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=False),
        sa.Column("leased_at", UtcDateTime),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("recorded_at", UtcDateTime),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name="fk_job_submission_id_submission"),
        sa.UniqueConstraint("submission_id", "grader_sha256", name="uq_job_submission_id_grader_sha256"),
    )
    op.create_index("ix_job_state", "job", ["state"])
    op.create_table(
        "grading",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("submission_id", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("points", Exact, nullable=False),
        sa.Column("out_of", Exact, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("usage", sa.JSON, nullable=False),
        sa.Column("manifest", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_grading"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_grading_job_id_job"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name="fk_grading_submission_id_submission"),
    )
    op.create_index("ix_grading_job_id", "grading", ["job_id"])
    op.create_index("ix_grading_submission_id", "grading", ["submission_id"])
    op.create_table(
        "test_result",
        sa.Column("grading_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("points", Exact, nullable=False),
        sa.Column("out_of", Exact, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("grading_id", "position", name="pk_test_result"),
        sa.ForeignKeyConstraint(["grading_id"], ["grading.id"], name="fk_test_result_grading_id_grading"),
    )
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("student_id", sa.String(64), nullable=False),
        sa.Column("assignment", sa.String(64), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("submission_id", sa.Integer),
        sa.Column("points", Exact, nullable=False),
        sa.Column("out_of", Exact, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("grading_id", sa.Integer),
        sa.Column("not_submitted", sa.Boolean, nullable=False),
        sa.CheckConstraint(MARK_IN_RANGE, name=op.f("ck_mark_in_range")),
        sa.PrimaryKeyConstraint("id", name="pk_mark"),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name="fk_mark_student_id_student"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name="fk_mark_submission_id_submission"),
        sa.ForeignKeyConstraint(["grading_id"], ["grading.id"], name="fk_mark_grading_id_grading"),
    )
    op.create_index("ix_mark_student_id_assignment_item", "mark", ["student_id", "assignment", "item"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("verb", sa.String(64), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Takes all of it away again."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _triggers(engine: str) -> list[str]:
    if engine == "sqlite":
        changes = [
            f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in APPEND_ONLY
            for verb in ("UPDATE", "DELETE")
        ]
        # INSERT OR REPLACE takes the old row away without calling the trigger of DELETE
        replacements = [
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "  # noqa: S608 - names of ours
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in APPEND_ONLY
        ]
        return changes + replacements
    function = (
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    return [function] + [
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in APPEND_ONLY
    ]
