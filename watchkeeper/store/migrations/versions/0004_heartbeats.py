"""when each part of the watch last gave a sign of life"""

import sqlalchemy as sa
from alembic import op

from watchkeeper.store.columns import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("every_s", sa.Float(), nullable=True),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("well_at", UtcDateTime(), nullable=True),
        sa.Column("missed_at", UtcDateTime(), nullable=True),
        sa.Column("missed_because", sa.String(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("part", "target"),
    )
