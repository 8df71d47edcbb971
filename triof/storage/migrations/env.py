"""Alembic's entry point: runs on the connection given by the database."""

from alembic import context

from triof.storage.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
