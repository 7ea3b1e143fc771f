"""Latents: whose a file of tensors is, the events it comes from, and files that are to go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of latents."""
    op.create_table(
        "latents",
        sa.Column("pk", _KEY, primary_key=True),
        sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("namespace_pk", "owner_id", "fingerprint", "layout"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_latents_file", "latents", ["file"])
    op.create_table(
        "latent_sources",
        sa.Column("latent_pk", _KEY, sa.ForeignKey("latents.pk", ondelete="CASCADE"), primary_key=True),
        sa.Column("event_pk", _KEY, sa.ForeignKey("events.pk", ondelete="CASCADE"), primary_key=True),
        # after the key: before it, SQLite 3.40 takes it for NULL in its integrity check
        sa.Column("namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_latent_sources_event", "latent_sources", ["event_pk"])
    op.create_table(
        "latent_removals",
        sa.Column(
            "namespace_pk", _KEY, sa.ForeignKey("namespaces.pk"), primary_key=True, autoincrement=False
        ),
        sa.Column("file", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
