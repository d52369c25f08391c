"""Acts: waivers, deferrals, referrals, holds, penalties, shares, scaling, second marks.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from assessor.database.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, which refuses any change of what is in it."""
    op.create_table(
        "act",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("student_id", sa.String(64)),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("ends", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_act"),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name="fk_act_student_id_student"),
        sa.ForeignKeyConstraint(["ends"], ["act.id"], name="fk_act_ends_act"),
        sa.UniqueConstraint("ends", name="uq_act_ends"),
    )
    op.create_index("ix_act_student_id_subject", "act", ["student_id", "subject"])
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Takes it away again."""
    op.drop_table("act")


def _triggers(engine: str) -> list[str]:
    if engine == "sqlite":
        refused = "BEGIN SELECT RAISE(ABORT, 'act is append-only'); END"
        return [
            f"CREATE TRIGGER act_refuses_update BEFORE UPDATE ON act {refused}",
            f"CREATE TRIGGER act_refuses_delete BEFORE DELETE ON act {refused}",
            f"CREATE TRIGGER act_refuses_replace BEFORE INSERT ON act "  # noqa: S608 - names of ours
            f"WHEN NEW.id IN (SELECT id FROM act) {refused}",
        ]
    return [
        "CREATE TRIGGER act_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON act "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    ]
