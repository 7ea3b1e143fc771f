"""Ours on PostgreSQL beside LangGraph's `PostgresStore`: one server, the same texts and vectors, embedding excluded.

Each fills a database of its own in batches, one system after the other, then answers the same questions. Ours ranks
by words as well as by vectors and packs a context; theirs finds ten by vector. How many of the ten truly nearest
each index finds is counted, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from corpus import Corpus, ReadyEmbedder, make
from langgraph.store.base import PutOp
from measure import Row, seconds, spread
from throwaway_postgres import ThrowawayServer, throwaway_server

from agentmem import Memory

_BATCH = 1_000
_SINGLES = 100
_QUESTIONS = 100
_NAMESPACE = ("alice",)
_THEIRS = "langgraph PostgresStore"


def rows(size: int, _folder: Path) -> Iterator[Row]:
    """Ours, then theirs, on a server with its default settings: what is acknowledged is on the disk."""
    corpus = make(size + _SINGLES, questions=_QUESTIONS)
    exact = [
        {f"m{place}" for place in np.argsort(-(corpus.vectors @ vector))[:10]}
        for vector in corpus.question_vectors
    ]
    with throwaway_server(ThrowawayServer) as server:
        for name, measured in (("ours", _agentmem), ("theirs", _langgraph)):
            server.sql(f"CREATE DATABASE {name}")
            yield from measured(server, name, corpus, exact)


def _agentmem(
    server: ThrowawayServer, database: str, corpus: Corpus, exact: Sequence[set[str]]
) -> Iterator[Row]:
    url = server.url(database)
    with Memory(url, namespace=_NAMESPACE, embedder=ReadyEmbedder(corpus)) as memory:
        yield from _written("agentmem", corpus, memory.remember)
    with Memory(url, namespace=_NAMESPACE, embedder=ReadyEmbedder(corpus)) as memory:
        memory.recall(corpus.questions[0])
        traces = [memory.recall(question).trace for question in corpus.questions]
        taken = [trace.seconds - trace.embed_seconds for trace in traces]
        store = memory._core.store
        found = []
        for vector in corpus.question_vectors:
            hits = store.nearest(_NAMESPACE, vector, 10)
            passages = store.passages(_NAMESPACE, [hit.passage for hit in hits])
            found.append({passages[hit.passage].owner_id for hit in hits})
    yield from _read("agentmem (dense + BM25, packed)", corpus, taken, found, exact)
    yield _held(server, database, "agentmem", corpus)


def _langgraph(
    server: ThrowawayServer, database: str, corpus: Corpus, exact: Sequence[set[str]]
) -> Iterator[Row]:
    from langgraph.store.postgres import PostgresStore

    known = {str(m["content"]): row for m, row in zip(corpus.messages, corpus.vectors, strict=True)}
    known.update(zip(corpus.questions, corpus.question_vectors, strict=True))

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [known[text].tolist() for text in texts]

    def put(messages: Sequence[dict[str, Any]]) -> None:
        store.batch([PutOp(_NAMESPACE, m["id"], {"text": m["content"]}) for m in messages])

    index: Any = {"dims": ReadyEmbedder.dims, "embed": embed, "fields": ["text"]}
    place = f"host={server.folder} dbname={database} user=postgres"
    with PostgresStore.from_conn_string(place, index=index) as store:
        store.setup()
        yield from _written(_THEIRS, corpus, put)
        store.search(_NAMESPACE, query=corpus.questions[0], limit=10)
        taken, found = [], []
        for question in corpus.questions:
            taken.append(
                seconds(lambda: found.append(store.search(_NAMESPACE, query=question, limit=10)))  # noqa: B023
            )
    keys = [{item.key for item in items} for items in found]
    yield from _read(_THEIRS, corpus, taken, keys, exact)
    yield _held(server, database, _THEIRS, corpus)


def _written(system: str, corpus: Corpus, write: Any) -> Iterator[Row]:
    size = len(corpus.messages) - _SINGLES
    batches = [corpus.messages[start : min(start + _BATCH, size)] for start in range(0, size, _BATCH)]
    taken = [seconds(lambda batch=batch: write(batch)) for batch in batches]  # type: ignore[misc]
    yield Row(
        f"PostgreSQL: store {size:,} in batches of {_BATCH:,}", system, f"{size / sum(taken):,.0f} events/s"
    )
    singles = [seconds(lambda one=one: write([one])) for one in corpus.messages[size:]]  # type: ignore[misc]
    yield Row(f"PostgreSQL: store one at {size:,}", system, spread(singles))


def _read(
    system: str,
    corpus: Corpus,
    taken: Sequence[float],
    found: Sequence[set[str]],
    exact: Sequence[set[str]],
) -> Iterator[Row]:
    size = len(corpus.messages) - _SINGLES
    yield Row(f"PostgreSQL: find among {size:,}", system, spread(taken))
    share = np.mean([len(near & truly) / 10 for near, truly in zip(found, exact, strict=True)])
    yield Row(f"PostgreSQL: of the ten nearest, found among {size:,}", system, f"{share:.3f}")


def _held(server: ThrowawayServer, database: str, system: str, corpus: Corpus) -> Row:
    ((size_bytes,),) = server.sql(f"SELECT pg_database_size('{database}')")
    count = len(corpus.messages)
    return Row(
        f"PostgreSQL: database of {count:,}", system, f"{int(str(size_bytes)) / count:,.0f} bytes/event"
    )
