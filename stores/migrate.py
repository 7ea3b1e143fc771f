"""Brings a database to the current schema; safe when several processes open it at once.

The caller holds the write lock, so of two processes one migrates and the other finds it done.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from agentmem.errors import NewerSchemaError

HEAD = "0008"
_SCRIPTS = Path(__file__).parent / "migrations"


def current_revision(connection: Connection) -> str | None:
    """The schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction.

    Raises:
        NewerSchemaError: the database comes from a newer agentmem.
    """
    found = current_revision(connection)
    if found == HEAD:
        return
    # Alembic takes a third of a second to import, and most opens need no migration
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["tables"] = _tables(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise NewerSchemaError(
            f"this database has schema {found}, newer than this agentmem knows ({HEAD}); upgrade agentmem: "
            "pip install -U agentmem"
        )
    command.upgrade(config, "head")


def _tables(connection: Connection) -> type | None:
    """How this database lays out the migrations' tables; None for as they are written."""
    if connection.dialect.name != "postgresql":
        return None
    from .postgres_ddl import PartitionedTables

    return PartitionedTables
