"""The tables of latents: whose a file of tensors is, which events it comes from, and which files are to go.

A file's name stands in `latent_removals` from the transaction that gave it up until the file is gone, so that a
process killed in between leaves nothing behind for good.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from .schema import metadata

_Key = BigInteger().with_variant(Integer, "sqlite")

latents = Table(
    "latents",
    metadata,
    Column("pk", _Key, primary_key=True),
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("layout", Text, nullable=False),
    # of the content; the file has this name, too, unless it is sealed
    Column("sha256", String, nullable=False),
    Column("file", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("namespace_pk", "owner_id", "fingerprint", "layout"),
    Index("ix_latents_file", "file"),
    sqlite_autoincrement=True,
)

latent_sources = Table(
    "latent_sources",
    metadata,
    Column("latent_pk", _Key, ForeignKey("latents.pk", ondelete="CASCADE"), primary_key=True),
    Column("event_pk", _Key, ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
    # after the key: before it, SQLite 3.40 takes it for NULL in its integrity check
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), nullable=False),
    Index("ix_latent_sources_event", "event_pk"),
    sqlite_with_rowid=False,
)

latent_removals = Table(
    "latent_removals",
    metadata,
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), primary_key=True, autoincrement=False),
    Column("file", String, primary_key=True),
    sqlite_with_rowid=False,
)
