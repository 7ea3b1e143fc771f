"""Pieces: what late interaction compares, beside the vector of each passage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table of word pieces; passages stored before have none until `reindex` makes them."""
    op.create_table(
        "pieces",
        sa.Column("pk", _KEY, primary_key=True),
        sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False),
        sa.Column("passage_pk", _KEY, sa.ForeignKey("passages.pk", ondelete="CASCADE"), nullable=False),
        sa.Column("embedder_pk", _KEY, sa.ForeignKey("embedders.pk"), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("passage_pk", "embedder_pk"),
        sqlite_autoincrement=True,
    )
