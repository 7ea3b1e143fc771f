"""What a PostgreSQL URL says: where the server is, and how we use it. Holds the only copy of the password."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentmem.errors import InvalidInputError

DEFAULT_SCHEMA = "agentmem"
DEFAULT_PARTITIONS = 16
DEFAULT_POOL = 10
_SECRET = re.compile(r"password|secret|sslkey|token", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")
_EXAMPLE = "postgresql+psycopg://user@host:5432/database"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A checked URL.

    Args:
        driver: what SQLAlchemy connects with; may hold a password.
        shown: the same place without secrets.
        schema: the PostgreSQL schema that holds our tables (`?schema=`).
        partitions: into how many parts new tables are cut (`?partitions=`); an existing store keeps its own.
        pool: connections at most (`?pool=`).
        pgvector: whether a new store may use the extension (`?pgvector=off`).
    """

    driver: URL
    shown: str
    schema: str
    partitions: int
    pool: int
    pgvector: bool


def parse(url: str) -> PostgresUrl:
    """Read `postgresql+psycopg://user@host/database?schema=…&pool=…`; other parameters go to libpq.

    Raises:
        InvalidInputError: not such a URL. The message does not repeat it, since it may hold a password.
    """
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInputError(f"not a PostgreSQL URL; write {_EXAMPLE}") from None
    if given.drivername not in ("postgresql", "postgresql+psycopg"):
        raise InvalidInputError(f"no driver {given.drivername!r}; write {_EXAMPLE}")
    schema = _single(given, "schema", DEFAULT_SCHEMA)
    if not _NAME.match(schema):
        raise InvalidInputError(f"schema={schema!r} is not a plain name of letters, digits and underscores")
    return PostgresUrl(
        driver=given.set(drivername="postgresql+psycopg").difference_update_query(
            ("schema", "partitions", "pool", "pgvector")
        ),
        shown=_shown(given),
        schema=schema,
        partitions=_number(given, "partitions", DEFAULT_PARTITIONS, 1024),
        pool=_number(given, "pool", DEFAULT_POOL, 1000),
        pgvector=_switch(given, "pgvector"),
    )


def _single(url: URL, name: str, default: str) -> str:
    value = url.query.get(name, default)
    if not isinstance(value, str):
        raise InvalidInputError(f"the URL names {name} more than once")
    return value


def _number(url: URL, name: str, default: int, most: int) -> int:
    value = _single(url, name, str(default))
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise InvalidInputError(f"{name}={value!r} in the URL is not a whole number from 1 to {most}")
    return int(value)


def _switch(url: URL, name: str) -> bool:
    value = _single(url, name, "on")
    if value not in ("on", "off"):
        raise InvalidInputError(f"{name}={value!r} in the URL is neither 'on' nor 'off'")
    return value == "on"


def _shown(url: URL) -> str:
    secret = [name for name in url.query if _SECRET.search(name)]
    return url._replace(password=None).difference_update_query(secret).render_as_string(hide_password=True)
