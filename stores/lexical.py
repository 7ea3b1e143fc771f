"""The lexical rows of passages, in whichever index the connection's database has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from . import fts5, postings


def add(connection: Connection, namespace_pk: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Index passages `(key, terms)`."""
    index = fts5 if _is_sqlite(connection) else postings
    index.add(connection, namespace_pk, rows)


def remove(connection: Connection, namespace_pk: int, keys: Sequence[int]) -> None:
    """Take passages out of the index."""
    index = fts5 if _is_sqlite(connection) else postings
    index.remove(connection, namespace_pk, keys)


def scrub(connection: Connection) -> None:
    """Leave no bytes of removed terms behind, where the index is ours to rewrite."""
    if _is_sqlite(connection):
        fts5.scrub(connection)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
