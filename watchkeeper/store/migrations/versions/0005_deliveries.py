"""what became of each page at each channel; a page that nobody took"""

import sqlalchemy as sa
from alembic import op

from watchkeeper.store.columns import UtcDateTime

revision = "0005"
down_revision = "0004"

# An alert that is up was taken by the only channel there was.
_UP = """
INSERT INTO deliveries
    (incident_id, level, channel, round, state, reason, attempts, tried_at, taken_at)
SELECT p.incident_id, p.level, 'pagerduty', i.round, 'taken', '', 1, p.triggered_at, p.triggered_at
FROM pages p JOIN incidents i ON i.id = p.incident_id
WHERE p.state = 'triggered' AND p.triggered_at IS NOT NULL
"""


def upgrade() -> None:
    op.add_column("pages", sa.Column("reason", sa.String(), nullable=False, server_default=""))
    op.add_column("pages", sa.Column("wanted_at", UtcDateTime(), nullable=True))
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "level", "channel"),
    )
    op.create_index(op.f("ix_deliveries_incident_id"), "deliveries", ["incident_id"])
    op.execute(_UP)
