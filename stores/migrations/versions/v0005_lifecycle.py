"""Lifecycle: what recalls made of events, and an index that tells of vectors without reading them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table of recalls and widen the index of vectors."""
    op.create_table(
        "recalls",
        sa.Column("event_pk", _KEY, sa.ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
        sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False),
        sa.Column("stability_days", sa.Float, nullable=False),
        sa.Column("recalls", sa.Integer, nullable=False),
        sa.Column("last_recalled_at", sa.BigInteger, nullable=False),
    )
    op.drop_index("ix_vectors_scan", "vectors")
    op.create_index(
        "ix_vectors_scan", "vectors", ["namespace_pk", "embedder_pk", "pk", "passage_pk", "precision"]
    )
