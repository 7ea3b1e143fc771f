"""The tables of items: JSON values that are replaced and deleted, and the texts they are found by.

`version` numbers every write in the order of commits, so that an index elsewhere can follow; removals are kept a
while for the same end. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from .schema import metadata

_Key = BigInteger().with_variant(Integer, "sqlite")
# ranges over paths are ranges over bytes, whatever the database's language
_Bytewise = Text().with_variant(Text(collation="C"), "postgresql")

items = Table(
    "items",
    metadata,
    # given out by `item_state`, so that many rows go in without asking for each one's key
    Column("pk", _Key, primary_key=True, autoincrement=False),
    Column("path", _Bytewise, nullable=False),
    Column("key", _Bytewise, nullable=False),
    Column("value", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("ttl_s", Float(53)),
    Column("expires_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("path", "key"),
    Index("ix_items_version", "version"),
    Index("ix_items_expires", "expires_at"),
)

item_texts = Table(
    "item_texts",
    metadata,
    Column("pk", _Key, primary_key=True),
    Column("item_pk", _Key, ForeignKey("items.pk", ondelete="CASCADE"), nullable=False),
    Column("terms", Text, nullable=False),
    Column("vector", LargeBinary),
    Index("ix_item_texts_item", "item_pk"),
    sqlite_autoincrement=True,
)

item_removals = Table(
    "item_removals",
    metadata,
    Column("item_pk", _Key, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_item_removals_version", "version"),
)

# one row
item_state = Table(
    "item_state",
    metadata,
    Column("pk", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    # the last key given to an item; none is given twice
    Column("last_pk", BigInteger, nullable=False),
    # removals up to here are no longer told one by one
    Column("pruned", BigInteger, nullable=False),
    Column("embedder", Text, nullable=False),
    Column("dims", Integer, nullable=False),
)
