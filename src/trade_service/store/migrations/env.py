"""Runs the migrations on the connection that `store.migrate` hands over, inside its transaction."""

from alembic import context

from trade_service.store.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
