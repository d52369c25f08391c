"""How often a test began a training again, which a board reads beside the marks.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what was graded before nobody knows; it stands as none."""
    op.add_column("test_result", sa.Column("retrains", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Without it."""
    op.drop_column("test_result", "retrains")
