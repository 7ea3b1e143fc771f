"""How tables lie on PostgreSQL: cut by namespace, and guarded by row-level security.

Each table with a `namespace_pk` is hash-partitioned by it, so it may spread over servers; that asks for the
namespace in every key, unique constraint and reference between such tables. No row of another namespace than
the transaction's is visible, not even to the tables' owner.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import CreateTable

KEY = "namespace_pk"
# settings of the whole store; no row of them belongs to anyone
_SHARED = {"alembic_version", "embedders", "meta"}
_SCOPE = "(SELECT current_setting('agentmem.namespace', true))"
_WHOLE_STORE = f"{_SCOPE} = '*'"
_SAME_PATH = f"path = {_SCOPE} OR {_WHOLE_STORE}"
# sub-selects without a reference to the row are evaluated once a statement, not once a row
_SAME_NAMESPACE = f"{KEY} = (SELECT pk FROM namespaces WHERE path = {_SCOPE}) OR {_WHOLE_STORE}"


def partitioned(connection: Connection, table: Table) -> Table:
    """The same table, cut by namespace and with the namespace in every key."""
    keys = {column.name for column in table.primary_key}
    columns: list[Column[Any]] = [
        Column(
            column.name,
            column.type,
            nullable=column.nullable,
            server_default=column.server_default,
            # a key of several columns numbers none of them by itself
            autoincrement=keys == {column.name} != {KEY} and column.autoincrement == "auto",
        )
        for column in table.columns
    ]
    constraints = [
        with_namespace(connection, constraint, table.name)
        for constraint in sorted(table.constraints, key=lambda found: type(found).__name__)
        # some are made by the columns themselves, as an enumeration's
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint | ForeignKeyConstraint)
        # a table without a key still has a constraint for one
        and len(constraint.columns)
    ]
    metadata = MetaData()
    for constraint in constraints:
        if isinstance(constraint, ForeignKeyConstraint):
            _name_target(metadata, constraint, table.name)
    return Table(table.name, metadata, *columns, *constraints, postgresql_partition_by=f"HASH ({KEY})")


def _name_target(metadata: MetaData, constraint: ForeignKeyConstraint, table: str) -> None:
    """A reference is written out only where its target is known, so tell of its columns."""
    for element in constraint.elements:
        target, _, column = element.target_fullname.rpartition(".")
        if target != table:
            Table(target, metadata, Column(column, BigInteger), extend_existing=True)


def with_namespace(connection: Connection, constraint: Constraint, table: str) -> Constraint:
    """A constraint of a partitioned table, with the namespace in it."""
    if isinstance(constraint, ForeignKeyConstraint):
        return _reference(connection, constraint, table)
    if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
        names = [column.name for column in constraint.columns]
        names += [] if KEY in names else [KEY]
        return type(constraint)(*names)
    return constraint


def _reference(connection: Connection, constraint: ForeignKeyConstraint, table: str) -> Constraint:
    own = list(constraint.column_keys)
    targets = [element.target_fullname for element in constraint.elements]
    target = targets[0].rpartition(".")[0]
    ondelete = constraint.ondelete
    if KEY not in own and (target == table or is_partitioned(connection, target)):
        if ondelete in ("SET NULL", "SET DEFAULT"):
            # the row stays in its namespace
            ondelete = f"{ondelete} ({', '.join(own)})"
        own, targets = [*own, KEY], [*targets, f"{target}.{KEY}"]
    return ForeignKeyConstraint(own, targets, ondelete=ondelete, link_to_name=True)


def create(connection: Connection, table: Table) -> None:
    """Make a table with its partitions, guarded."""
    connection.execute(CreateTable(partitioned(connection, table)))
    split(connection, table.name)


def guard_whole(connection: Connection, table: Table) -> None:
    """Guard a table that is not cut: by the namespace it spells out, else for those who ask for the whole store."""
    if table.name not in _SHARED:
        guard(connection, table.name, _SAME_PATH if "path" in table.c else _WHOLE_STORE)


def split(connection: Connection, table: str) -> None:
    """Make and guard the partitions of a table."""
    guard(connection, table, _SAME_NAMESPACE)
    parts = _partitions(connection)
    for part in range(parts):
        name = f"{table}_p{part}"
        connection.exec_driver_sql(
            f'CREATE TABLE "{name}" PARTITION OF "{table}" '
            f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {part})"
        )
        # a partition may be asked directly, past the policies of the whole
        guard(connection, name, _SAME_NAMESPACE)


def guard(connection: Connection, table: str, condition: str) -> None:
    """Let a transaction see and write only rows of its own namespace, whoever owns the table."""
    connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    connection.exec_driver_sql(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    connection.exec_driver_sql(f'CREATE POLICY agentmem_namespace ON "{table}" USING ({condition})')


def are_unused(connection: Connection) -> bool:
    """Whether nothing was ever stored; the caller is alone in the store."""
    found = "SELECT 1 FROM namespaces UNION ALL SELECT 1 FROM items LIMIT 1"
    return connection.exec_driver_sql(found).first() is None


def drop(connection: Connection) -> None:
    """Drop every table of the schema, and the schema if nothing else is in it."""
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    tables = connection.exec_driver_sql(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relispartition"
    ).scalars()
    connection.exec_driver_sql(f"DROP TABLE {', '.join(tables)} CASCADE")
    left = connection.exec_driver_sql(
        "SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace UNION ALL "
        "SELECT 1 FROM pg_type WHERE typnamespace = current_schema()::regnamespace LIMIT 1"
    ).first()
    if left is None and schema != "public":
        connection.exec_driver_sql(f'DROP SCHEMA "{schema}"')


def is_partitioned(connection: Connection, table: str) -> bool:
    """Whether this table is cut by namespace."""
    statement = text("SELECT 1 FROM pg_partitioned_table WHERE partrelid = to_regclass(:name)")
    return connection.execute(statement, {"name": f'"{table}"'}).first() is not None


def _partitions(connection: Connection) -> int:
    """As many as the store began with, so that a namespace's rows of every table lie together."""
    existing = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('events')"
    ).scalar_one()
    return int(existing or connection.get_execution_options().get("agentmem_partitions", 1))
