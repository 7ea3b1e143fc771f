"""What a SQL store is put together from. Each database brings its own; `sql.SqlStore` is the same over all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from agentmem.contracts import Scored, Vectors
from agentmem.types import Namespace

from .namespaces import NamespaceRow


class Database(Protocol):
    """Transactions on one database, whose schema is current. Errors come as `StoreError` and its kin."""

    @property
    def url(self) -> str:
        """Where it is, without secrets."""

    def read(self, namespace: Namespace | None = None) -> AbstractContextManager[Connection]:
        """A consistent snapshot of one namespace, or of everything."""

    def write(
        self, namespace: Namespace | None = None, *, alone: bool = True
    ) -> AbstractContextManager[Connection]:
        """The only writer of one namespace, or of everything; durable on exit, undone on any exception.

        A writer of everything that keeps its own order may say `alone=False`; a database may then let others write
        beside it.
        """

    def tidy(self, *, vacuum: bool = False) -> None:
        """After a removal: leave no bytes of it behind, as far as this database allows.

        `vacuum` also gives the room back to the disk.
        """

    def size_bytes(self) -> int:
        """What it takes on disk."""

    def faults(self) -> list[str]:
        """What the database's own integrity check finds wrong."""

    def close(self) -> None:
        """Release every connection."""


class LexicalSearch(Protocol):
    """Finds passages by terms."""

    def match(
        self, connection: Connection, namespace: NamespaceRow, terms: Sequence[str], k: int
    ) -> list[Scored]:
        """At most `k` passages that share a term with the query, by the namespace's own BM25, best first."""

    def faults(self, connection: Connection) -> list[str]:
        """Where the index is not what the passages say it should be."""


class VectorSearch(Protocol):
    """Finds passages by vector. An embedder is `(key, dims)`."""

    def search(
        self,
        connection: Connection,
        namespace: NamespaceRow,
        embedder: tuple[int, int],
        vector: Vectors,
        k: int,
    ) -> list[Scored]:
        """At most `k` passages by cosine to a unit `[dims]` vector, best first."""

    def kept_from(self) -> int | None:
        """From how many passages on a namespace's index is kept for the next process; None where none is."""

    def follow(self, connection: Connection, namespace: NamespaceRow, embedder: tuple[int, int]) -> None:
        """Take in what was written to a namespace, where an index is kept for the next process."""

    def drop(self, namespace_pk: int) -> None:
        """Let go of what is held of a namespace, after a removal."""

    def keep_only(self, embedder_pk: int) -> None:
        """Let go of what is held of every other embedder, after a move to this one."""

    def save(self) -> None:
        """Write down what is worth keeping."""
