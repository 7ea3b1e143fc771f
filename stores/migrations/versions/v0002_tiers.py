"""Episodes, entities with their mentions and edges, and lines of versions of notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from agentmem.versions import version_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _pk() -> sa.Column[int]:
    return sa.Column("pk", _KEY, primary_key=True)


def _namespace() -> sa.Column[int]:
    return sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False)


def _part_of_key(name: str, *reference: sa.ForeignKey) -> sa.Column[int]:
    return sa.Column(name, _KEY, *reference, primary_key=True, autoincrement=False)


def _namespace_first() -> sa.Column[int]:
    return _part_of_key("namespace_pk", sa.ForeignKey("namespaces.pk"))


def upgrade() -> None:
    """Create the tables of schema 0002 and give the notes there are their place in a line of versions."""
    op.add_column("memories", sa.Column("version_key", sa.Text))
    op.add_column("memories", sa.Column("stated_to", sa.BigInteger))
    op.create_index("ix_memories_version", "memories", ["namespace_pk", "version_key"])
    op.create_index("ix_memories_ended", "memories", ["namespace_pk", "valid_to"])
    _place_notes()
    op.create_table(
        "episodes",
        _pk(),
        _namespace(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("refined_by", sa.Text),
        sa.Column("token_count", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("strength", sa.Float, nullable=False, server_default="1"),
        sa.Column("stability_days", sa.Float, nullable=False, server_default="1"),
        sa.Column("recalls", sa.Integer, nullable=False, server_default="0"),
        sa.Column("last_recalled_at", sa.BigInteger),
        sa.UniqueConstraint("namespace_pk", "id"),
        sa.UniqueConstraint("namespace_pk", "session", "first_seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_episodes_range", "episodes", ["namespace_pk", "last_seq", "first_seq"])
    _create_graph()
    op.create_table(
        "derivations",
        sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), primary_key=True),
        sa.Column("derived_seq", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("open_seq", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("state", sa.JSON, nullable=False),
    )


def _create_graph() -> None:
    op.create_table(
        "entities",
        _pk(),
        _namespace(),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("first_word", sa.Text, nullable=False),
        sa.Column("words", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("mentions", sa.Integer, nullable=False),
        sa.UniqueConstraint("namespace_pk", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entities_first", "entities", ["namespace_pk", "first_word"])
    op.create_table(
        "aliases",
        _namespace_first(),
        _part_of_key("alias_pk"),
        sa.Column("entity_pk", _KEY, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mentions",
        _namespace_first(),
        _part_of_key("entity_pk"),
        _part_of_key("event_pk", sa.ForeignKey("events.pk", ondelete="CASCADE")),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("surface", sa.Text, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mentions_event", "mentions", ["event_pk"])
    op.create_table(
        "edges",
        _namespace_first(),
        _part_of_key("source_pk"),
        _part_of_key("target_pk"),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_edges_target", "edges", ["namespace_pk", "target_pk"])


def _place_notes() -> None:
    memories = sa.table(
        "memories",
        *(sa.column(name) for name in ("pk", "subject", "predicate", "version_key", "valid_to", "stated_to")),
    )
    connection = op.get_bind()
    connection.execute(memories.update().values(stated_to=memories.c.valid_to))
    rows = connection.execute(
        sa.select(memories.c.pk, memories.c.subject, memories.c.predicate).where(
            memories.c.subject.is_not(None), memories.c.predicate.is_not(None)
        )
    ).all()
    for row in rows:
        connection.execute(
            memories.update()
            .where(memories.c.pk == row.pk)
            .values(version_key=version_key(row.subject, row.predicate))
        )
