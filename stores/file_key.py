"""The key of the files beside an encrypted database: random, and kept inside it.

So a file is sealed without a slow derivation for each, and the folder without the database opens nothing.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, delete, insert, select

from agentmem.keys import RAW_BYTES, SecretKey

from . import schema

META = "file_key"


def read(connection: Connection) -> SecretKey | None:
    """The key; None in a plain database."""
    columns = schema.meta.c
    held = connection.execute(select(columns.value).where(columns.key == META)).scalar_one_or_none()
    return None if held is None else SecretKey(bytes.fromhex(held), is_raw=True)


def ensure(connection: Connection) -> None:
    """Make a key where there is none; the caller holds the write lock."""
    if not read(connection):
        renew(connection, encrypted=True)


def renew(connection: Connection, *, encrypted: bool) -> None:
    """A new key in place of what is there, or none at all; the caller holds the write lock."""
    connection.execute(delete(schema.meta).where(schema.meta.c.key == META))
    if encrypted:
        connection.execute(insert(schema.meta).values(key=META, value=secrets.token_hex(RAW_BYTES)))
