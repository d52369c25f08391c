"""Run by alembic: the connection is ours, given by `assessor.database.migrating`."""

from alembic import context

from assessor.database.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
