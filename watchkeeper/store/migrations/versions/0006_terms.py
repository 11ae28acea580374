"""the term beside an expiry, so that a clock that is set back makes none hold for longer"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("locks", "leases", "approvals", "windows"):
        op.add_column(table, sa.Column("term_s", sa.Float(), nullable=True))
    op.add_column("rate_buckets", sa.Column("hold_s", sa.Float(), nullable=True))
