"""Alembic's entry: it runs on the connection that `watchkeeper.store.schema` hands it."""

from alembic import context
from sqlmodel import SQLModel

import watchkeeper.store.tables  # noqa: F401  (registers every table)

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
