"""The ledger of calls to a vendor, and which predictions were believed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("resource", sa.String(255), nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("resets_at", sa.DateTime()),
    )
    op.create_index("ledger_by_resource", "ledger", ["resource", "kind", "at"])
    # Until now each question had only one answer, the believed one.
    op.add_column("predictions", sa.Column("believed", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    op.drop_column("predictions", "believed")
    op.drop_table("ledger")
