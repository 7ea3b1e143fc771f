"""Writes the store of an old schema as SQL, for the tests of migrations: run once, by the last code of that schema.

    python -P tests/stores/schemas/write.py DATABASE [PG_DUMP]

DATABASE is a new SQLite file, or the URL of an empty PostgreSQL schema, to be dumped with that PG_DUMP. The life in it
uses only what every version of agentmem has. Each dump is whole, so two of them share most lines: what an old release
left behind must not change with what a later one leaves.
0002 was never anybody's newest; its store is that of 0001, migrated.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from agentmem import Memory
from agentmem.clock import ManualClock

AT = datetime(2023, 5, 8, 12, tzinfo=UTC)
SAID = (
    ("e1", "Alice", "s1", "I adopted a grey cat called Miso."),
    ("e2", "Bob", "s1", "The piano teacher moved to Lisbon."),
    ("e3", "Alice", "s1", "Мой брат живёт в Перми, 東京 too."),
    ("gone", "Bob", "s1", "Nobody may know about the marzipan."),
    ("e4", "Alice", "s2", "We hiked up the volcano. " * 60),
    ("e5", None, "s2", '100% of it\'s \\ "quoted"\nand on two lines.'),
)


def live(url: str) -> None:
    """Fill a store with a bit of everything."""
    with Memory(url, embedder="hash-16", clock=ManualClock(AT)) as memory:
        for id_, name, session, content in SAID:
            memory.remember({"id": id_, "name": name, "session": session, "content": content, "at": AT})
        memory.note("Miso is a cat", id="n1", sources=["e1"])
        memory.note("Bob lives in Porto", id="n2", subject="Bob", predicate="lives in", object="Porto")
        memory.namespace("org", "o'neil@example.com").remember({"id": "e1", "content": "Words of another."})
        memory.forget(ids=["gone"])


def dumped_file(path: Path) -> str:
    """All of a SQLite file as SQL."""
    connection = sqlite3.connect(path)
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    # a full-text table is all in the tables it keeps itself
    virtual = ('INSERT INTO "lexical" ', 'INSERT INTO "lexical_vocabulary" ')
    kept = [line for line in connection.iterdump() if not line.startswith(virtual)]
    connection.close()
    return "\n".join([f"PRAGMA application_id = {owner};", *kept]) + "\n"


def dumped_schema(url: str, pg_dump: str) -> str:
    """All of a PostgreSQL schema as SQL that any client can run."""
    plain = re.sub(r"^postgresql\+psycopg", "postgresql", url)
    plain = re.sub(r"[?&](?:partitions|pool)=\d+", "", plain)
    options = ["--inserts", "--no-owner", "--no-comments", "--schema=agentmem", plain]
    text = subprocess.run([pg_dump, *options], capture_output=True, text=True, check=True).stdout
    kept = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
    return "\n".join(kept) + "\n"


def main(place: str, pg_dump: str = "pg_dump") -> None:
    """Live, and print the store."""
    live(place)
    is_server = place.startswith("postgresql")
    sys.stdout.write(dumped_schema(place, pg_dump) if is_server else dumped_file(Path(place)))


if __name__ == "__main__":
    main(*sys.argv[1:])
