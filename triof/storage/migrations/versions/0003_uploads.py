"""The ledger of the photos that were sent to a project in the cloud."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("project_id", sa.String(36), nullable=False),
        sa.Column("photo", sa.String(64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("tag_id", sa.String(36), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("image_id", sa.String(36), nullable=False),
    )
    op.create_index("uploads_by_photo", "uploads", ["project_id", "photo"], unique=True)
    op.create_index("uploads_by_outcome", "uploads", ["project_id", "outcome"])


def downgrade() -> None:
    op.drop_table("uploads")
