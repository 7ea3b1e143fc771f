"""Alembic migrations, run by `stores.migrate`."""
