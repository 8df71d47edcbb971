"""Bring tables made by an early form of 0004, which was changed after it had been used, to its final form."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if "former_digest" not in _columns(inspector, "api_keys"):
        op.add_column("api_keys", sa.Column("former_digest", sa.String(64), nullable=True))
        op.add_column("api_keys", sa.Column("former_until", sa.DateTime(), nullable=True))
        _tell_apart_keys_of_one_name()
        op.create_index("api_keys_by_name", "api_keys", ["machine_id", "name"], unique=True)
    if "day" in _columns(inspector, "tallies"):
        # They are counted again from the events.
        op.drop_table("tallies")
        op.create_table(
            "tallies",
            sa.Column("id", sa.Uuid(), primary_key=True),
            sa.Column("machine_id", sa.String(64), nullable=False),
            sa.Column("at", sa.DateTime(), nullable=False),
            sa.Column("since", sa.DateTime(), nullable=False),
            sa.Column("until", sa.DateTime(), nullable=False),
            sa.Column("counting", sa.String(80), nullable=False),
            sa.Column("rows", sa.Integer(), nullable=False),
            sa.Column("left_out", sa.Integer(), nullable=False),
            sa.Column("counts", sa.JSON(), nullable=False),
        )
        op.create_index("tallies_by_end", "tallies", ["machine_id", "until"], unique=True)


def downgrade() -> None:
    """Do nothing, as the final form of 0004 is right for it, too."""


def _columns(inspector: sa.Inspector, table: str) -> set[str]:
    return {column["name"] for column in inspector.get_columns(table)}


def _tell_apart_keys_of_one_name() -> None:
    """Rename keys that share a name: the latest keeps it, the others get a part of their ids appended."""
    keys = sa.table("api_keys", *map(sa.column, ("id", "machine_id", "name", "at")))
    seen = set()
    for key in op.get_bind().execute(sa.select(keys).order_by(keys.c.at.desc())).all():
        if (key.machine_id, key.name) in seen:
            renamed = f"{key.name[:55]}-{str(key.id)[:8]}"
            op.get_bind().execute(keys.update().where(keys.c.id == key.id).values(name=renamed))
        seen.add((key.machine_id, key.name))
