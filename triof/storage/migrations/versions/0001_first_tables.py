"""First tables: events and predictions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("deposit_id", sa.Uuid()),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("waste_type", sa.String(16)),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.JSON(), nullable=False),
    )
    op.create_index("events_by_deposit", "events", ["deposit_id"])
    op.create_index("events_by_kind", "events", ["machine_id", "kind", "at"])
    op.create_table(
        "predictions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("deposit_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("photo", sa.String(64), nullable=False),
    )
    op.create_index("predictions_by_deposit", "predictions", ["deposit_id"])
    op.create_index("predictions_by_task", "predictions", ["machine_id", "task", "at"])


def downgrade() -> None:
    op.drop_table("predictions")
    op.drop_table("events")
