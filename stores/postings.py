"""Lexical rows and search in PostgreSQL: one row for each term of a passage, read from an index that covers it.

The same terms and statistics as everywhere, scored in the database; rarer terms propose, common ones re-score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Double, Integer, Text, TextClause, bindparam, text

from agentmem.contracts import Scored

from . import bm25
from .namespaces import NamespaceRow

_TERMS, _KEYS = ARRAY(Text), ARRAY(BigInteger)
_ADD = text(
    "INSERT INTO postings (namespace_pk, term, passage_pk, n, length) "
    "SELECT :namespace, * FROM unnest(:terms, :keys, :counts, :lengths)"
).bindparams(
    bindparam("terms", type_=_TERMS),
    bindparam("keys", type_=_KEYS),
    bindparam("counts", type_=ARRAY(Integer)),
    bindparam("lengths", type_=ARRAY(Integer)),
)
_REMOVE = text("DELETE FROM postings WHERE namespace_pk = :namespace AND passage_pk = ANY(:keys)").bindparams(
    bindparam("keys", type_=_KEYS)
)
_COUNT = text(
    "SELECT term, count(*) AS passages FROM postings "
    "WHERE namespace_pk = :namespace AND term = ANY(:terms) GROUP BY term"
).bindparams(bindparam("terms", type_=_TERMS))
_SCORE = (
    "sum(wanted.weight * postings.n * :gain / (postings.n + :k1 * (1 - :b + :b * postings.length / :mean)))"
)
_RARE = f"""
    SELECT passage_pk, {_SCORE} AS score
    FROM unnest(:rare, :rare_weights) AS wanted(term, weight)
    JOIN postings ON namespace_pk = :namespace AND postings.term = wanted.term
    GROUP BY passage_pk ORDER BY score DESC, passage_pk LIMIT :head
"""
_NEWEST = f"""
    SELECT passage_pk, {_SCORE} AS score
    FROM unnest(:rare, :rare_weights) AS wanted(term, weight)
    CROSS JOIN LATERAL (
        SELECT passage_pk, n, length FROM postings
        WHERE namespace_pk = :namespace AND postings.term = wanted.term
        AND (NOT :together OR EXISTS (
            SELECT 1 FROM postings AS other
            WHERE other.namespace_pk = :namespace AND other.passage_pk = postings.passage_pk
            AND other.term = ANY(:common)
        ))
        ORDER BY passage_pk DESC LIMIT :newest
    ) AS postings
    GROUP BY passage_pk ORDER BY score DESC, passage_pk LIMIT :head
"""


def _match(proposing: str) -> TextClause:
    return text(
        f"""
        WITH proposed AS MATERIALIZED ({proposing}), rescored AS (
            SELECT passage_pk, {_SCORE} AS score
            FROM unnest(:common, :common_weights) AS wanted(term, weight)
            CROSS JOIN proposed
            JOIN postings USING (passage_pk)
            WHERE namespace_pk = :namespace AND postings.term = wanted.term
            GROUP BY passage_pk
        )
        SELECT passage_pk,
            round((proposed.score + coalesce(rescored.score, 0)) * {10**bm25.DECIMALS}) / {10**bm25.DECIMALS} AS total
        FROM proposed LEFT JOIN rescored USING (passage_pk)
        ORDER BY total DESC, passage_pk
        """
    ).bindparams(
        bindparam("rare", type_=_TERMS),
        bindparam("rare_weights", type_=ARRAY(Double)),
        bindparam("common", type_=_TERMS),
        bindparam("common_weights", type_=ARRAY(Double)),
        bindparam("gain", value=bm25.K1 + 1, type_=Double),
        bindparam("k1", value=bm25.K1, type_=Double),
        bindparam("b", value=bm25.B, type_=Double),
        bindparam("mean", type_=Double),
    )


_MATCH_RARE, _MATCH_NEWEST = _match(_RARE), _match(_NEWEST)
_RULES = {
    "terms are indexed of passage {}, which is gone": (
        "SELECT DISTINCT passage_pk FROM postings WHERE NOT EXISTS (SELECT 1 FROM passages "
        "WHERE pk = passage_pk AND passages.namespace_pk = postings.namespace_pk)"
    ),
    "passage {} counts {} terms and has {}": (
        "SELECT pk, terms, coalesce(sum(n), 0) FROM passages LEFT JOIN postings "
        "ON passage_pk = pk AND postings.namespace_pk = passages.namespace_pk "
        "GROUP BY pk, terms HAVING terms <> coalesce(sum(n), 0) OR min(length) <> terms OR max(length) <> terms"
    ),
}


def add(connection: Connection, namespace_pk: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """See `lexical.add`."""
    postings = [
        (term, key, n, len(terms)) for key, terms in rows for term, n in sorted(Counter(terms).items())
    ]
    if postings:
        names = ("terms", "keys", "counts", "lengths")
        columns = {
            name: list(column) for name, column in zip(names, zip(*postings, strict=True), strict=True)
        }
        connection.execute(_ADD, {"namespace": namespace_pk, **columns})


def remove(connection: Connection, namespace_pk: int, keys: Sequence[int]) -> None:
    """See `lexical.remove`."""
    if keys:
        connection.execute(_REMOVE, {"namespace": namespace_pk, "keys": list(keys)})


class PostingsSearch:
    """Finds passages by terms."""

    def __init__(self) -> None:
        self._frequencies = bm25.Frequencies()

    def match(
        self, connection: Connection, namespace: NamespaceRow, terms: Sequence[str], k: int
    ) -> list[Scored]:
        """At most `k` passages that share a term with the query, best first."""
        wanted = Counter(terms)

        def count(missing: list[str]) -> dict[str, int]:
            rows = connection.execute(_COUNT, {"namespace": namespace.pk, "terms": missing})
            return {row.term: row.passages for row in rows}

        frequencies = self._frequencies.of(namespace, list(wanted), count)
        if not frequencies or not namespace.passages:
            return []
        weights = bm25.weights(wanted, frequencies, namespace)
        rare = bm25.affordable(frequencies)
        proposing = rare or bm25.by_rarity(frequencies)[:1]
        common = [term for term in weights if term not in proposing]
        head = max(k, bm25.HEAD)
        given: dict[str, Any] = {
            "namespace": namespace.pk,
            "rare": proposing,
            "rare_weights": [weights[term] for term in proposing],
            "common": common,
            "common_weights": [weights[term] for term in common],
            "mean": bm25.mean_length(namespace),
            "head": head,
        }
        if rare:
            rows = connection.execute(_MATCH_RARE, given).all()
        else:
            given["newest"] = bm25.NEWEST
            rows = connection.execute(_MATCH_NEWEST, {**given, "together": bool(common)}).all()
            if len(rows) < head and common:
                rows = connection.execute(_MATCH_NEWEST, {**given, "together": False}).all()
        return [Scored(row.passage_pk, row.total) for row in rows[:k]]

    def faults(self, connection: Connection) -> list[str]:
        """Where postings say other than the passages."""
        return [
            rule.format(*row)
            for rule, statement in _RULES.items()
            for row in connection.execute(text(statement + " LIMIT 3"))
        ]
