"""The first schema: events, semantic memories, passages, vectors, lexical rows, history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _pk() -> sa.Column[int]:
    return sa.Column("pk", _KEY, primary_key=True)


def _namespace() -> sa.Column[int]:
    return sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False)


def upgrade() -> None:
    """Create every table of schema 0001."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "namespaces",
        _pk(),
        sa.Column("path", sa.Text, nullable=False, unique=True),
        sa.Column("next_seq", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("passages", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("terms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "events",
        _pk(),
        _namespace(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("token_count", sa.Integer, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.UniqueConstraint("namespace_pk", "id"),
        sa.UniqueConstraint("namespace_pk", "seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_hash", "events", ["namespace_pk", "content_hash"])
    op.create_index("ix_events_session", "events", ["namespace_pk", "session", "seq"])
    op.create_table(
        "memories",
        _pk(),
        _namespace(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("predicate", sa.Text),
        sa.Column("object", sa.Text),
        sa.Column("valid_from", sa.BigInteger),
        sa.Column("valid_to", sa.BigInteger),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("superseded_at", sa.BigInteger),
        sa.Column("superseded_by", sa.Text),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.UniqueConstraint("namespace_pk", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sources",
        sa.Column("memory_pk", _KEY, sa.ForeignKey("memories.pk", ondelete="CASCADE"), primary_key=True),
        sa.Column("event_pk", _KEY, sa.ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
        _namespace(),
    )
    op.create_index("ix_sources_event", "sources", ["event_pk"])
    op.create_table(
        "passages",
        _pk(),
        _namespace(),
        sa.Column("event_pk", _KEY, sa.ForeignKey("events.pk", ondelete="CASCADE")),
        sa.Column("memory_pk", _KEY, sa.ForeignKey("memories.pk", ondelete="CASCADE")),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("index_text", sa.Text),
        sa.Column("terms", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_passages_event", "passages", ["event_pk"])
    op.create_index("ix_passages_memory", "passages", ["memory_pk"])
    op.create_index(
        "ix_passages_waiting",
        "passages",
        ["namespace_pk"],
        sqlite_where=sa.text("index_text IS NOT NULL"),
        postgresql_where=sa.text("index_text IS NOT NULL"),
    )
    op.create_table(
        "embedders",
        _pk(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("dims", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vectors",
        _pk(),
        _namespace(),
        sa.Column("passage_pk", _KEY, sa.ForeignKey("passages.pk", ondelete="CASCADE"), nullable=False),
        sa.Column("embedder_pk", _KEY, sa.ForeignKey("embedders.pk"), nullable=False),
        sa.Column("precision", sa.String, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("passage_pk", "embedder_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vectors_scan", "vectors", ["namespace_pk", "embedder_pk"])
    op.create_table(
        "changes",
        _pk(),
        _namespace(),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_record", "changes", ["namespace_pk", "record_id"])
    if op.get_bind().dialect.name == "sqlite":
        _full_text_search()
    else:
        _postings()


def _full_text_search() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE lexical USING fts5("
        "terms, tokenize=\"unicode61 remove_diacritics 0 tokenchars '_'\")"
    )
    op.execute("CREATE VIRTUAL TABLE lexical_vocabulary USING fts5vocab(lexical, row)")


def _postings() -> None:
    op.create_table(
        "postings",
        _namespace(),
        sa.Column("term", sa.Text(collation="C"), nullable=False),
        sa.Column("passage_pk", _KEY, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
    )
    # read alone, without the rows, once the server has vacuumed
    op.create_index(
        "ux_postings",
        "postings",
        ["namespace_pk", "term", "passage_pk"],
        unique=True,
        postgresql_include=["n", "length"],
    )
    # keys grow with time, so rows lie in their order and a small index of ranges finds a passage's
    op.create_index(
        "ix_postings_passage",
        "postings",
        ["passage_pk"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16, "autosummarize": "on"},
    )
