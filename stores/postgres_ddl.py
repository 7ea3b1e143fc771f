"""Alembic's operations with our layout of PostgreSQL tables: a migration says what a table holds, once for all."""

from __future__ import annotations

from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Connection, Table

from . import postgres_tables


class PartitionedTables(PostgresqlImpl):
    """Alembic's operations on PostgreSQL, with our layout of tables."""

    def create_table(self, table: Table, **options: Any) -> None:
        connection = self._session()
        if postgres_tables.KEY not in table.c:
            super().create_table(table, **options)
            postgres_tables.guard_whole(connection, table)
            return
        super().create_table(postgres_tables.partitioned(connection, table), **options)
        postgres_tables.split(connection, table.name)

    def add_constraint(self, const: Any, **kw: Any) -> None:
        session = self._session()
        if const.table is not None and postgres_tables.is_partitioned(session, const.table.name):
            own = const.table
            const = postgres_tables.with_namespace(session, const, own.name)
            own.append_constraint(const)
        super().add_constraint(const, **kw)

    def _session(self) -> Connection:
        assert self.connection is not None, "the store's migrations are never written out as a script"
        return self.connection
