"""votes of several people; steps of a plan; leases that are minded; keys that leaked; locks that run out"""

import sqlalchemy as sa
from alembic import op

from watchkeeper.store.columns import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("leases", sa.Column("heartbeat_at", UtcDateTime(), nullable=True))
    for column in (
        sa.Column("actions", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("wanted", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("votes", sa.JSON(), nullable=False, server_default="[]"),
    ):
        op.add_column("approvals", column)
    op.add_column("locks", sa.Column("lost", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "round", "name"),
    )
    op.create_index(op.f("ix_steps_incident_id"), "steps", ["incident_id"])
    op.create_table(
        "exposures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("integration", sa.String(), nullable=False),
        sa.Column("credential", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("exposed_at", UtcDateTime(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("told_by", sa.String(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("last_accepted_at", UtcDateTime(), nullable=True),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("audited_by", sa.String(), nullable=True),
        sa.Column("audited_at", UtcDateTime(), nullable=True),
        sa.Column("finding", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "fingerprint"),
    )
    op.create_index(op.f("ix_exposures_incident_id"), "exposures", ["incident_id"])
