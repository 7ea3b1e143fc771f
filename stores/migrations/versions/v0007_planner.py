"""Tells SQLite's planner of large namespaces, which it cannot know of by itself.

Untold, it takes ten rows for what any index finds of a namespace, and reads a whole one through an index that begins
with the namespace where a few hundred look-ups by key were asked for: recall grew with the namespace. The figures
are fixed, as SQLite's documentation suggests for plans that stay the same; measured ones would not do, as the many
small namespaces beside a large one would speak for all.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# rows of the table, then rows that share the first column of the index, the first two, …
_STATISTICS = (
    ("changes", "ix_changes_record", "100000 100000 2"),
    ("edges", "edges", "100000 100000 20 2 1"),
    ("edges", "ix_edges_target", "100000 100000 20 2 1"),
    ("entities", "ix_entities_first", "10000 10000 2"),
    ("entities", "sqlite_autoindex_entities_1", "10000 10000 1"),
    ("episodes", "ix_episodes_range", "5000 5000 2 1"),
    ("episodes", "sqlite_autoindex_episodes_1", "5000 5000 1"),
    ("episodes", "sqlite_autoindex_episodes_2", "5000 5000 2 1"),
    ("events", "ix_events_hash", "100000 100000 1"),
    ("events", "ix_events_session", "100000 100000 25 1"),
    ("events", "sqlite_autoindex_events_1", "100000 100000 1"),
    ("events", "sqlite_autoindex_events_2", "100000 100000 1"),
    ("memories", "ix_memories_ended", "10000 10000 2"),
    ("memories", "ix_memories_version", "10000 10000 2"),
    ("memories", "sqlite_autoindex_memories_1", "10000 10000 1"),
    ("mentions", "ix_mentions_event", "100000 2"),
    ("mentions", "mentions", "100000 100000 20 1"),
    ("passages", "ix_passages_event", "100000 1"),
    ("passages", "ix_passages_memory", "100000 1"),
    ("vectors", "ix_vectors_scan", "100000 100000 100000 1 1 1"),
    ("vectors", "sqlite_autoindex_vectors_1", "100000 1 1"),
)


def upgrade() -> None:
    """Enter the figures; PostgreSQL keeps its own, and knows which values are common."""
    if op.get_bind().dialect.name != "sqlite":
        return
    # makes the table of statistics
    op.execute("ANALYZE meta")
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    op.execute(statistics.delete())
    op.bulk_insert(statistics, [dict(zip(("tbl", "idx", "stat"), row, strict=True)) for row in _STATISTICS])
    # connections that are open read them now, others when they open
    op.execute("ANALYZE sqlite_schema")
