"""what each answer is and who gave it; a gateway of ours before the vendor; what was announced"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("observations", sa.Column("answer", sa.String(), nullable=True))
    op.add_column("observations", sa.Column("speaker", sa.String(), nullable=True))
    op.add_column("observations", sa.Column("behind_gateway", sa.Boolean(), nullable=True))
    planned: sa.Column[bool] = sa.Column(
        "planned", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("incidents", planned)
