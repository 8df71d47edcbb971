"""Add the start of an upload request by the cloud's clock, so that only newer photos are searched for it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("uploads", sa.Column("since", sa.DateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("uploads", "since")
