"""BM25 over SQLite FTS5. Knows terms, not texts.

Each term is stored with its namespace in front, so a posting list holds one namespace and nothing of another
is ever read. FTS5 proposes; the head of the list is scored again with the namespace's own document
frequencies and lengths, since FTS5's are of the whole file.

BM25: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", with idf = ln(1 + (N-n+.5)/(n+.5)).
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, text

from agentmem.contracts import Scored

from .namespaces import NamespaceRow

K1 = 1.2
B = 0.75
# beyond this many postings the commonest terms only re-score what rarer ones proposed
MAX_POSTINGS = 10_000
_HEAD = 200
_KEEP_FREQUENCIES = 50_000

_INSERT = text("INSERT INTO lexical(rowid, terms) VALUES (:rowid, :terms)")
_DELETE = text("DELETE FROM lexical WHERE rowid = :rowid")
_FREQUENCIES = text("SELECT term, doc FROM lexical_vocabulary WHERE term IN :terms").bindparams(
    bindparam("terms", expanding=True)
)
_PROPOSE = text(
    "SELECT rowid, terms FROM lexical WHERE lexical MATCH :match ORDER BY bm25(lexical) LIMIT :limit"
)


def _prefix(namespace_pk: int) -> str:
    return f"{namespace_pk:x}_"


def add(connection: Connection, namespace_pk: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Index passages `(key, terms)`."""
    prefix = _prefix(namespace_pk)
    parameters = [
        {"rowid": key, "terms": " ".join(prefix + term for term in terms)} for key, terms in rows if terms
    ]
    if parameters:
        connection.execute(_INSERT, parameters)


def remove(connection: Connection, keys: Sequence[int]) -> None:
    """Take passages out of the index."""
    if keys:
        connection.execute(_DELETE, [{"rowid": key} for key in keys])


def scrub(connection: Connection) -> None:
    """Rewrite the index's segments, so that removed terms leave no bytes behind."""
    connection.exec_driver_sql("INSERT INTO lexical(lexical) VALUES ('optimize')")


class Fts5Search:
    """Finds passages by terms; keeps the frequencies of common terms between calls."""

    def __init__(self) -> None:
        self._frequencies: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def match(
        self, connection: Connection, namespace: NamespaceRow, terms: Sequence[str], k: int
    ) -> list[Scored]:
        """At most `k` passages that share a term with the query, best first."""
        prefix = _prefix(namespace.pk)
        wanted = Counter(prefix + term for term in terms)
        frequencies = self._document_frequencies(connection, list(wanted), namespace.passages)
        if not frequencies or not namespace.passages:
            return []
        match = " OR ".join(f'"{term}"' for term in _affordable(frequencies))
        limit = max(k, _HEAD)
        rows = connection.execute(_PROPOSE, {"match": match, "limit": limit}).all()
        weights = {
            term: wanted[term] * math.log1p((namespace.passages - n + 0.5) / (n + 0.5))
            for term, n in frequencies.items()
        }
        mean = max(namespace.terms / namespace.passages, 1.0)
        scored = [Scored(key, _bm25(words.split(" "), weights, mean)) for key, words in rows]
        scored.sort(key=lambda hit: (-hit.score, hit.passage))
        return scored[:k]

    def _document_frequencies(
        self, connection: Connection, terms: Sequence[str], passages: int
    ) -> dict[str, int]:
        with self._lock:
            # counting a common term reads its whole posting list; a count one part in ten old serves as well
            known = {
                term: found[0]
                for term in terms
                if (found := self._frequencies.get(term)) is not None
                and found[1] <= passages <= found[1] * 1.1
            }
        missing = [term for term in terms if term not in known]
        if missing:
            fresh = {row.term: row.doc for row in connection.execute(_FREQUENCIES, {"terms": missing})}
            known.update(fresh)
            with self._lock:
                if len(self._frequencies) > _KEEP_FREQUENCIES:
                    self._frequencies.clear()
                self._frequencies.update(
                    (t, (n, passages)) for t, n in fresh.items() if n > MAX_POSTINGS // 10
                )
        return {term: min(n, passages) for term, n in known.items() if n}


def _affordable(frequencies: dict[str, int]) -> list[str]:
    """The rarest terms, at least one, within the limit of postings to read."""
    chosen: list[str] = []
    postings = 0
    for term, n in sorted(frequencies.items(), key=lambda pair: (pair[1], pair[0])):
        postings += n
        if chosen and postings > MAX_POSTINGS:
            break
        chosen.append(term)
    return chosen


def _bm25(words: Sequence[str], weights: dict[str, float], mean: float) -> float:
    norm = K1 * (1 - B + B * len(words) / mean)
    counts = Counter(word for word in words if word in weights)
    return sum(weights[word] * n * (K1 + 1) / (n + norm) for word, n in counts.items())
