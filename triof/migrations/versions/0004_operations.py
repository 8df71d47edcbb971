"""Keys and jobs of the API, users of the dashboard, tallies of past days, and what models see besides labels."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _table(name: str, *columns: sa.Column) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        *columns,
    )


def upgrade() -> None:
    op.add_column("predictions", sa.Column("embedding", sa.JSON(), nullable=True))
    _table(
        "api_keys",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
    )
    _table(
        "users",
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("session", sa.String(32), nullable=False),
    )
    _table(
        "jobs",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
    )
    op.create_index("jobs_by_idempotency_key", "jobs", ["key_id", "idempotency_key"], unique=True)
    op.create_index("jobs_by_status", "jobs", ["machine_id", "status", "at"])
    _table(
        "tallies",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
    )
    op.create_index("tallies_by_day", "tallies", ["machine_id", "day", "what", "label"], unique=True)


def downgrade() -> None:
    for table in ("tallies", "jobs", "users", "api_keys"):
        op.drop_table(table)
    op.drop_column("predictions", "embedding")
