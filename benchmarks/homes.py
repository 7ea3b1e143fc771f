"""Where a story is lived: in SQLite files, or in databases of a PostgreSQL server. Each life begins with a copy.

Knows nothing of what is stored; the story names its stores, and keeps its exports in the folder.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from throwaway_postgres import ThrowawayServer

#: the store that is there before, the one that the story makes, and the one that it encrypts
SEEDED, NEW, SEALED = "agent", "new", "sealed"


class Home(Protocol):
    """The stores of one life."""

    @property
    def folder(self) -> Path:
        """Where files beside the stores go."""

    @property
    def latents(self) -> str | None:
        """Where the latents of the seeded store go; None for beside it."""

    @property
    def can_seal(self) -> bool:
        """Whether a store can be encrypted here."""

    def url(self, store: str) -> str:
        """The URL of a store of this life."""

    def keep(self) -> None:
        """Let every life begin with what is there now."""

    def begin(self) -> None:
        """A fresh copy of what was kept."""

    def end(self) -> None:
        """Away with this life."""

    def remains(self, store: str) -> bytes | None:
        """All that the files of a store hold; None where they are the server's."""


class Files:
    """A life in SQLite files."""

    latents = None
    can_seal = find_spec("sqlcipher3") is not None

    def __init__(self, root: Path) -> None:
        self._kept = root / "kept"
        self.folder = root / "life"
        self.folder.mkdir()

    def url(self, store: str) -> str:
        return f"sqlite:///{self._file(store)}"

    def _file(self, store: str) -> Path:
        return self.folder / f"{store}.db"

    def keep(self) -> None:
        self.folder.rename(self._kept)

    def begin(self) -> None:
        shutil.copytree(self._kept, self.folder)

    def end(self) -> None:
        shutil.rmtree(self.folder)

    def remains(self, store: str) -> bytes | None:
        name = self._file(store).name
        return b"".join(
            path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and str(path.relative_to(self.folder)).startswith(name)
        )


class Databases:
    """A life in databases of a server, one for each store; few partitions, so that they are made soon."""

    can_seal = False

    def __init__(self, root: Path, server: ThrowawayServer) -> None:
        self.folder = root / "life"
        self.latents = str(self.folder / "latents")
        self.folder.mkdir()
        self._kept = root / "kept"
        self._server = server
        server.sql(f"CREATE DATABASE {SEEDED}")

    def url(self, store: str) -> str:
        return self._server.url(store, partitions=2)

    def keep(self) -> None:
        self.folder.rename(self._kept)
        self._server.sql(f"ALTER DATABASE {SEEDED} RENAME TO kept")

    def begin(self) -> None:
        shutil.copytree(self._kept, self.folder)
        # copied through the log, a sequence gives out numbers twice after a crash: the log knows its original only
        self._server.sql(f"CREATE DATABASE {SEEDED} TEMPLATE kept STRATEGY file_copy")
        self._server.sql(f"CREATE DATABASE {NEW}")

    def end(self) -> None:
        shutil.rmtree(self.folder)
        for name in (SEEDED, NEW):
            self._server.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def remains(self, store: str) -> bytes | None:
        return None
