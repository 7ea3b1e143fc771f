"""Items: JSON values under a namespace and a key, replaced and deleted in place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables of items, and the one row of their state."""
    op.create_table(
        "items",
        sa.Column("pk", _KEY, primary_key=True, autoincrement=False),
        sa.Column("path", _BYTEWISE, nullable=False),
        sa.Column("key", _BYTEWISE, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("ttl_s", sa.Float(53)),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("path", "key"),
    )
    op.create_index("ix_items_version", "items", ["version"])
    op.create_index("ix_items_expires", "items", ["expires_at"])
    op.create_table(
        "item_texts",
        sa.Column("pk", _KEY, primary_key=True),
        sa.Column("item_pk", _KEY, sa.ForeignKey("items.pk", ondelete="CASCADE"), nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_item_texts_item", "item_texts", ["item_pk"])
    op.create_table(
        "item_removals",
        sa.Column("item_pk", _KEY, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_item_removals_version", "item_removals", ["version"])
    state = op.create_table(
        "item_state",
        sa.Column("pk", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("last_pk", sa.BigInteger, nullable=False),
        sa.Column("pruned", sa.BigInteger, nullable=False),
        sa.Column("embedder", sa.Text, nullable=False),
        sa.Column("dims", sa.Integer, nullable=False),
    )
    op.bulk_insert(state, [{"pk": 1, "version": 0, "last_pk": 0, "pruned": 0, "embedder": "", "dims": 0}])
