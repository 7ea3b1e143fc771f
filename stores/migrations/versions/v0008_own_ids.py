"""Indexes the hashes of those events alone that are known by them: the ones that came without an id.

Hashes come in no order, so each one indexed costs a page of the index a write. An event with an id of its own is
known by that; ids made here have 32 characters.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew; what it is found by stays the same."""
    op.drop_index("ix_events_hash", "events")
    made_here = sa.text("length(id) = 32")
    op.create_index(
        "ix_events_hash",
        "events",
        ["namespace_pk", "content_hash"],
        sqlite_where=made_here,
        postgresql_where=made_here,
    )
    if op.get_bind().dialect.name == "sqlite":
        # dropping an index drops what the planner was told of it
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        op.execute(statistics.insert().values(tbl="events", idx="ix_events_hash", stat="100000 100000 1"))
        op.execute("ANALYZE sqlite_schema")
