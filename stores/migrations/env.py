"""Alembic's entry point: upgrades the connection that `stores.migrate` hands over, inside its transaction."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, render_as_batch=True)
tables = context.config.attributes["tables"]
if tables is not None:
    context.get_context().impl = tables(connection.dialect, connection, False, None, None, {})
context.run_migrations()
