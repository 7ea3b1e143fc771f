"""The tables. Every row carries its namespace; times are microseconds since the Unix epoch, in UTC.

Events are the truth. Passages, vectors, lexical rows, episodes and the graph of entities are derived and can be
rebuilt from them. A `passage` is the unit of ranking: a span of an event, or a whole semantic memory.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# the key in `meta` of a random name that tells this database from a copy of another
STORE_ID = "store_id"

# SQLite gives only INTEGER primary keys the rowid's speed and AUTOINCREMENT's promise of no reuse
_Key = BigInteger().with_variant(Integer, "sqlite")

# of an id: whether it may be one of `agentmem.ids`. Written out, as an index on such rows is used for nothing else
MADE_HERE = text("length(id) = 32")

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

namespaces = Table(
    "namespaces",
    metadata,
    Column("pk", _Key, primary_key=True),
    Column("path", Text, nullable=False, unique=True),
    Column("next_seq", BigInteger, nullable=False, server_default="0"),
    Column("passages", BigInteger, nullable=False, server_default="0"),
    Column("terms", BigInteger, nullable=False, server_default="0"),
    # moves on every removal, so that caches elsewhere know to look again
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)


def _namespace() -> Column[int]:
    return Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), nullable=False)


events = Table(
    "events",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("id", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("role", String, nullable=False),
    Column("name", Text),
    Column("content", Text, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("token_count", Integer, nullable=False),
    Column("metadata", JSON, nullable=False),
    UniqueConstraint("namespace_pk", "id"),
    UniqueConstraint("namespace_pk", "seq"),
    # only what came without an id is known by its hash
    Index(
        "ix_events_hash", "namespace_pk", "content_hash", sqlite_where=MADE_HERE, postgresql_where=MADE_HERE
    ),
    Index("ix_events_session", "namespace_pk", "session", "seq"),
    sqlite_autoincrement=True,
)

memories = Table(
    "memories",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("id", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("subject", Text),
    Column("predicate", Text),
    Column("object", Text),
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
    Column("recorded_at", BigInteger, nullable=False),
    Column("superseded_at", BigInteger),
    Column("superseded_by", Text),
    Column("confidence", Float, nullable=False),
    # folded subject and predicate of a note that excludes others: the line of versions it stands in
    Column("version_key", Text),
    # the end as it was stated, before any other note closed this one
    Column("stated_to", BigInteger),
    UniqueConstraint("namespace_pk", "id"),
    Index("ix_memories_version", "namespace_pk", "version_key"),
    Index("ix_memories_ended", "namespace_pk", "valid_to"),
    sqlite_autoincrement=True,
)

sources = Table(
    "sources",
    metadata,
    Column("memory_pk", _Key, ForeignKey("memories.pk", ondelete="CASCADE"), primary_key=True),
    Column("event_pk", _Key, ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
    _namespace(),
    Index("ix_sources_event", "event_pk"),
)

passages = Table(
    "passages",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("event_pk", _Key, ForeignKey("events.pk", ondelete="CASCADE")),
    Column("memory_pk", _Key, ForeignKey("memories.pk", ondelete="CASCADE")),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("index_text", Text),
    Column("terms", Integer, nullable=False),
    Index("ix_passages_event", "event_pk"),
    Index("ix_passages_memory", "memory_pk"),
    sqlite_autoincrement=True,
)
# only passages still waiting for a vector keep their index text, so this stays small
Index("ix_passages_waiting", passages.c.namespace_pk, sqlite_where=passages.c.index_text.is_not(None))

embedders = Table(
    "embedders",
    metadata,
    Column("pk", _Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("dims", Integer, nullable=False),
    sqlite_autoincrement=True,
)

vectors = Table(
    "vectors",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("passage_pk", _Key, ForeignKey("passages.pk", ondelete="CASCADE"), nullable=False),
    Column("embedder_pk", _Key, ForeignKey("embedders.pk"), nullable=False),
    Column("precision", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("passage_pk", "embedder_pk"),
    # so that the newest row, the order of storing, and which passages have what are read without a vector
    Index("ix_vectors_scan", "namespace_pk", "embedder_pk", "pk", "passage_pk", "precision"),
    sqlite_autoincrement=True,
)

# what recalls made of an event; one never recalled has no row
recalls = Table(
    "recalls",
    metadata,
    Column("event_pk", _Key, ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
    _namespace(),
    Column("stability_days", Float, nullable=False),
    Column("recalls", Integer, nullable=False),
    Column("last_recalled_at", BigInteger, nullable=False),
)

# word pieces of a passage, coded one after the other
pieces = Table(
    "pieces",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("passage_pk", _Key, ForeignKey("passages.pk", ondelete="CASCADE"), nullable=False),
    Column("embedder_pk", _Key, ForeignKey("embedders.pk"), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("passage_pk", "embedder_pk"),
    sqlite_autoincrement=True,
)

changes = Table(
    "changes",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("record_id", Text, nullable=False),
    Column("action", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_changes_record", "namespace_pk", "record_id"),
    sqlite_autoincrement=True,
)

episodes = Table(
    "episodes",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    Column("id", Text, nullable=False),
    Column("session", Text, nullable=False),
    # an event is in the episode of its session whose range holds its seq; ranges of a session do not meet
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("reason", String, nullable=False),
    Column("refined_by", Text),
    Column("token_count", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("strength", Float, nullable=False, server_default="1"),
    Column("stability_days", Float, nullable=False, server_default="1"),
    Column("recalls", Integer, nullable=False, server_default="0"),
    Column("last_recalled_at", BigInteger),
    UniqueConstraint("namespace_pk", "id"),
    UniqueConstraint("namespace_pk", "session", "first_seq"),
    Index("ix_episodes_range", "namespace_pk", "last_seq", "first_seq"),
    sqlite_autoincrement=True,
)

entities = Table(
    "entities",
    metadata,
    Column("pk", _Key, primary_key=True),
    _namespace(),
    # the folded name: equal names are one entity by this constraint
    Column("key", Text, nullable=False),
    # the first word of a folded name of several, the name itself of a single word
    Column("first_word", Text, nullable=False),
    Column("words", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String, nullable=False),
    Column("mentions", Integer, nullable=False),
    UniqueConstraint("namespace_pk", "key"),
    Index("ix_entities_first", "namespace_pk", "first_word"),
    sqlite_autoincrement=True,
)

# the rows below name entities of their own namespace; they are made and removed together with them
aliases = Table(
    "aliases",
    metadata,
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), primary_key=True),
    Column("alias_pk", _Key, primary_key=True, autoincrement=False),
    Column("entity_pk", _Key, nullable=False),
    Column("evidence", Text, nullable=False),
    sqlite_with_rowid=False,
)

mentions = Table(
    "mentions",
    metadata,
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), primary_key=True),
    Column("entity_pk", _Key, primary_key=True, autoincrement=False),
    Column("event_pk", _Key, ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
    Column("kind", String, nullable=False),
    Column("surface", Text, nullable=False),
    # character offset of the first occurrence in the content; -1 for the speaker
    Column("start", Integer, nullable=False),
    Index("ix_mentions_event", "event_pk"),
    sqlite_with_rowid=False,
)

edges = Table(
    "edges",
    metadata,
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), primary_key=True),
    Column("source_pk", _Key, primary_key=True, autoincrement=False),
    Column("target_pk", _Key, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),
    # how many events hold both ends
    Column("weight", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index("ix_edges_target", "namespace_pk", "target_pk"),
    sqlite_with_rowid=False,
)

# how far what is derived follows the events of a namespace
derivations = Table(
    "derivations",
    metadata,
    Column("namespace_pk", _Key, ForeignKey("namespaces.pk"), primary_key=True),
    # the next seq to read
    Column("derived_seq", BigInteger, nullable=False, server_default="0"),
    # the first seq that may be in no episode yet, and the state of the segmentation
    Column("open_seq", BigInteger, nullable=False, server_default="0"),
    Column("state", JSON, nullable=False),
)
