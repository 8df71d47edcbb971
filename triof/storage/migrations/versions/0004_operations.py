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
        sa.Column("former_digest", sa.String(64), nullable=True),
        sa.Column("former_until", sa.DateTime(), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
    )
    op.create_index("api_keys_by_name", "api_keys", ["machine_id", "name"], unique=True)
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
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.Column("counting", sa.String(80), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    op.create_index("tallies_by_end", "tallies", ["machine_id", "until"], unique=True)


def downgrade() -> None:
    for table in ("tallies", "jobs", "users", "api_keys"):
        op.drop_table(table)
    op.drop_column("predictions", "embedding")
