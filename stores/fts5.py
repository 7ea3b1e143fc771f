"""Lexical rows and search in SQLite FTS5. Knows terms, not texts.

Each term is stored with its namespace in front, so a posting list holds one namespace and nothing of another
is ever read. FTS5 proposes; the head of the list is scored again with the namespace's own document
frequencies and lengths, since FTS5's are of the whole file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.exc import DBAPIError

from agentmem.contracts import Scored

from . import bm25
from .namespaces import NamespaceRow

_INSERT = "INSERT INTO lexical(rowid, terms) VALUES (?, ?)"
_DELETE = text("DELETE FROM lexical WHERE rowid = :rowid")
_FREQUENCIES = text("SELECT term, doc FROM lexical_vocabulary WHERE term IN :terms").bindparams(
    bindparam("terms", expanding=True)
)
_PROPOSE = text(
    "SELECT rowid, terms FROM lexical WHERE lexical MATCH :match ORDER BY bm25(lexical) LIMIT :limit"
)
# without bm25(), which would read the whole posting list of every term
_NEWEST = text("SELECT rowid, terms FROM lexical WHERE lexical MATCH :match ORDER BY rowid DESC LIMIT :limit")

_UNINDEXED = text("SELECT pk FROM passages WHERE terms > 0 AND pk NOT IN (SELECT rowid FROM lexical) LIMIT 3")
_ORPHANS = text("SELECT rowid FROM lexical WHERE rowid NOT IN (SELECT pk FROM passages) LIMIT 3")
_INDEXED = text(
    "SELECT p.pk, l.terms, p.terms, p.namespace_pk FROM passages p JOIN lexical l ON l.rowid = p.pk WHERE p.terms > 0"
)
_INTEGRITY = text("INSERT INTO lexical(lexical) VALUES ('integrity-check')")
_ASK_SCRUB = text("INSERT OR REPLACE INTO meta(key, value) VALUES ('scrub', hex(randomblob(8)))")
_SCRUB_ASKED = text("SELECT value FROM meta WHERE key = 'scrub'")
_SCRUB_DONE = text("DELETE FROM meta WHERE key = 'scrub' AND value = :asked")
_CHANGES = text("SELECT total_changes()")
_MERGE = text("INSERT INTO lexical(lexical, rank) VALUES ('merge', :pages)")
_MERGE_PAGES = 500
_CHANGES_OF_NOTHING = 2


def _prefix(namespace_pk: int) -> str:
    return f"{namespace_pk:x}_"


def add(connection: Connection, namespace_pk: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """See `lexical.add`."""
    prefix = _prefix(namespace_pk)
    between = f" {prefix}"
    parameters = [(key, prefix + between.join(terms)) for key, terms in rows if terms]
    if parameters:
        connection.exec_driver_sql(_INSERT, parameters)


def remove(connection: Connection, _namespace_pk: int, keys: Sequence[int]) -> None:
    """See `lexical.remove`."""
    if keys:
        connection.execute(_DELETE, [{"rowid": key} for key in keys])


def scrub(connection: Connection) -> None:
    """Ask that removed terms leave no bytes behind; `SqliteDatabase.tidy` sees to it, also after a crash.

    A removed term stays in the index's segments until they are merged, which takes as long as the whole index is
    large. So it is done after the removal, a few pages at a time, and other writers get their turn between.
    """
    connection.execute(_ASK_SCRUB)


def scrub_asked(connection: Connection) -> str | None:
    """The last request to overwrite removed terms that is not yet met; None where there is none."""
    asked: str | None = connection.execute(_SCRUB_ASKED).scalar_one_or_none()
    return asked


def scrub_step(connection: Connection, *, first: bool) -> bool:
    """Rewrite some pages of the index, all segments into one; whether there is more to do."""
    before = connection.execute(_CHANGES).scalar_one()
    connection.execute(_MERGE, {"pages": -_MERGE_PAGES if first else _MERGE_PAGES})
    # the documented sign that a merge had something to do
    return bool(connection.execute(_CHANGES).scalar_one() - before >= _CHANGES_OF_NOTHING)


def scrub_done(connection: Connection, asked: str) -> None:
    """Meet a request, unless another one has come since."""
    connection.execute(_SCRUB_DONE, {"asked": asked})


class Fts5Search:
    """Finds passages by terms."""

    def __init__(self) -> None:
        self._frequencies = bm25.Frequencies()

    def match(
        self, connection: Connection, namespace: NamespaceRow, terms: Sequence[str], k: int
    ) -> list[Scored]:
        """At most `k` passages that share a term with the query, best first."""
        prefix = _prefix(namespace.pk)
        wanted = Counter(prefix + term for term in terms)

        def count(missing: list[str]) -> dict[str, int]:
            return {row.term: row.doc for row in connection.execute(_FREQUENCIES, {"terms": missing})}

        frequencies = self._frequencies.of(namespace, list(wanted), count)
        if not frequencies or not namespace.passages:
            return []
        weights = bm25.weights(wanted, frequencies, namespace)
        mean = bm25.mean_length(namespace)
        rows = _propose(connection, frequencies, max(k, bm25.HEAD))
        scored = [Scored(key, bm25.score(words.split(" "), weights, mean)) for key, words in rows]
        scored.sort(key=lambda hit: (-hit.score, hit.passage))
        return scored[:k]

    def faults(self, connection: Connection) -> list[str]:
        """Where FTS5 is damaged, or holds other terms than the passages say."""
        found = [f"the terms of passage {key} are not indexed" for (key,) in connection.execute(_UNINDEXED)]
        found += [
            f"terms are indexed of passage {key}, which is gone" for (key,) in connection.execute(_ORPHANS)
        ]
        for key, words, count, namespace_pk in connection.execute(_INDEXED):
            if len(words.split(" ")) != count:
                found.append(f"passage {key} counts {count} terms and has {len(words.split(' '))}")
            if not all(word.startswith(_prefix(namespace_pk)) for word in words.split(" ")):
                found.append(f"passage {key} is indexed under another namespace")
        try:
            connection.execute(_INTEGRITY)
        except DBAPIError as error:
            # a read-only or busy file cannot be asked
            if "malformed" in str(error.orig):
                found.append(f"the full-text index is damaged ({error.orig})")
        return found


def _propose(
    connection: Connection, frequencies: Mapping[str, int], limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Passages `(key, terms)` to be scored."""
    rare = bm25.affordable(frequencies)
    if rare:
        return connection.execute(_PROPOSE, {"match": _any(rare), "limit": limit}).all()
    rarest, *others = bm25.by_rarity(frequencies)
    if others:
        match = f"{_any([rarest])} AND ({_any(others)})"
        rows = connection.execute(_NEWEST, {"match": match, "limit": bm25.NEWEST}).all()
        if len(rows) >= limit:
            return rows
    return connection.execute(_NEWEST, {"match": _any([rarest]), "limit": bm25.NEWEST}).all()


def _any(terms: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"' for term in terms)
