"""Opens the PostgreSQL store, which needs the extra `postgres`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from agentmem.errors import MissingExtraError

if TYPE_CHECKING:
    from .postgres_store import PostgresStore


def open_postgres(url: str, *, asynchronous: bool = False) -> PostgresStore:
    """The store at `postgresql+psycopg://user@host:5432/database?schema=agentmem&pool=10`.

    Args:
        url: libpq's own parameters may follow, such as `sslmode=verify-full`.
        asynchronous: calls await the driver; they must run inside SQLAlchemy's `greenlet_spawn`.

    Raises:
        MissingExtraError: without psycopg.
        StoreError: the server cannot be reached, or refuses.
    """
    if find_spec("psycopg") is None:
        raise MissingExtraError("the PostgreSQL store", "postgres")
    from .postgres_store import PostgresStore
    from .postgres_url import parse

    return PostgresStore(parse(url), asynchronous=asynchronous)
