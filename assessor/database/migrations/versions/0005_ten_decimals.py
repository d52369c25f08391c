"""Marks are exact to ten decimals, so that a part of a score is no nearer a boundary than it was.

Revision ID: 0005
"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = {
    "mark": ("points", "out_of"), "grading": ("points", "out_of"), "test_result": ("points", "out_of"),
    "quiz_score": ("points", "out_of"),
}  # fmt: skip


def upgrade() -> None:
    """More decimals. SQLite keeps text, which has room for them."""
    _to(sa.Numeric(18, 10))


def downgrade() -> None:
    """Four decimals again; what has more is rounded to them."""
    _to(sa.Numeric(12, 4))


def _to(kind: "sa.Numeric[Decimal]") -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in COLUMNS.items():
        for column in columns:
            op.alter_column(table, column, type_=kind, existing_nullable=False)
