"""Inserts many rows past SQLAlchemy's handling of each: it takes longer than the database does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from .chunks import CHUNK


def insert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of plain values, given in the order of `columns`."""
    dialect = connection.dialect
    done = 0
    if dialect.name == "sqlite":
        # it spends more on beginning a statement than on a row
        together = CHUNK // len(columns)
        while len(rows) - done >= together:
            part = rows[done : done + together]
            statement = _statement(dialect, table, columns, together)
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
            done += together
    if done < len(rows):
        connection.exec_driver_sql(_statement(dialect, table, columns, 1), list(rows[done:]))


@cache
def _statement(dialect: Dialect, table: Table, columns: tuple[str, ...], count: int) -> str:
    quote = dialect.identifier_preparer.quote
    marker = "?" if dialect.paramstyle == "qmark" else "%s"
    names = ", ".join(quote(table.c[name].name) for name in columns)
    row = ", ".join([marker] * len(columns))
    values = ", ".join([f"({row})"] * count)
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES {values}"  # noqa: S608  only our own names
