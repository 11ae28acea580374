"""an incident of another cause follows one that had recovered"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("follows", sa.Integer(), nullable=True))
