"""looks that can be judged anew; changes; maintenance; empty walks; telemetry"""

import sqlalchemy as sa
from alembic import op

from watchkeeper.store.columns import UtcDateTime

revision = "0002"
down_revision = "0001"

# All of them may be missing: a reading of before 0002 is of no look that could be replayed.
_LOOK = (
    ("look_id", sa.String),
    ("purpose", sa.String),
    ("looked_at", UtcDateTime),
    ("slow_s", sa.Float),
    ("tells_missing_key", sa.Boolean),
    ("fault", sa.String),
    ("critical", sa.Boolean),
    ("wait_s", sa.Float),
    ("skew_s", sa.Float),
    ("value", sa.Float),
    ("bound", sa.Float),
    ("unit", sa.String),
    ("signature", sa.String),
    ("of", sa.String),
)


def upgrade() -> None:
    for name, kind in _LOOK:
        op.add_column("observations", sa.Column(name, kind(), nullable=True))
    # The longer index serves whoever asked the shorter one.
    op.drop_index(op.f("ix_observations_integration"), "observations")
    op.create_index("ix_observations_last", "observations", ["integration", "kind", "at"])
    op.add_column(
        "watermarks", sa.Column("zero_walks", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("integration", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_changes_at"), "changes", ["at"])
    op.create_index(op.f("ix_changes_integration"), "changes", ["integration"])
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("integration", sa.String(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_maintenance_integration"), "maintenance", ["integration"])
    op.create_index(op.f("ix_maintenance_until"), "maintenance", ["until"])
    op.create_table(
        "scrapes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("integration", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_scrapes_source", "scrapes", ["integration", "source", "at"])
    op.create_table(
        "request_counts",
        sa.Column("integration", sa.String(), nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("integration", "consumer", "since"),
    )


def downgrade() -> None:
    op.drop_table("request_counts")
    op.drop_table("scrapes")
    op.drop_table("maintenance")
    op.drop_table("changes")
    with op.batch_alter_table("watermarks", schema=None) as batch_op:
        batch_op.drop_column("zero_walks")
    op.drop_index("ix_observations_last", "observations")
    op.create_index(op.f("ix_observations_integration"), "observations", ["integration"])
    with op.batch_alter_table("observations", schema=None) as batch_op:
        for name, _ in _LOOK:
            batch_op.drop_column(name)
