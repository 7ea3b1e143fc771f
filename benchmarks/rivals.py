"""LangGraph's own stores with the same vectors: put of 1,000 items, search of one namespace."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus import Corpus, ReadyEmbedder, make
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore
from measure import Row, seconds, spread

from agentmem import Memory

_ITEMS = 20_000
_BATCH = 1000
_QUESTIONS = 20
_NAMESPACE = ("alice",)


class _Functions:
    """The embedding function LangGraph asks for, over vectors made beforehand."""

    def __init__(self, corpus: Corpus) -> None:
        self._embedder = ReadyEmbedder(corpus)
        self._questions = set(corpus.questions)

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        rows = [
            self._embedder.embed([text], "query" if text in self._questions else "document")[0]
            if text in self._questions
            else self._embedder.embed([f"(): {text}"])[0]
            for text in texts
        ]
        return [row.tolist() for row in rows]


def rows(folder: Path) -> Iterator[Row]:
    """Ours, then theirs, on the same 20,000 items; one that cannot run says why."""
    corpus = make(_ITEMS, questions=_QUESTIONS)
    yield from _agentmem(corpus, folder)
    yield from _langgraph("langgraph InMemoryStore", corpus, lambda index: InMemoryStore(index=index))
    yield from _langgraph("langgraph SqliteStore", corpus, lambda index: _sqlite_store(folder, index))


def _agentmem(corpus: Corpus, folder: Path) -> Iterator[Row]:
    with Memory(folder / "rival.db", embedder=ReadyEmbedder(corpus)) as memory:
        puts = [
            seconds(lambda start=start: memory.remember(corpus.messages[start : start + _BATCH]))  # type: ignore[misc]
            for start in range(0, _ITEMS, _BATCH)
        ]
        memory.recall(corpus.questions[0])
        searches = [seconds(lambda q=q: memory.recall(q, k=10)) for q in corpus.questions]  # type: ignore[misc]
    yield Row(f"store {_BATCH} items of {_ITEMS:,}", "agentmem (durable)", spread(puts))
    yield Row(f"find 10 of {_ITEMS:,}", "agentmem (dense + BM25, packed)", spread(searches))


def _langgraph(name: str, corpus: Corpus, opener: Callable[[Any], Any]) -> Iterator[Row]:
    index = {"dims": ReadyEmbedder.dims, "embed": _Functions(corpus), "fields": ["text"]}
    try:
        store = opener(index)
    except (AttributeError, ImportError, sqlite3.Error) as error:
        yield Row(f"store {_BATCH} items of {_ITEMS:,}", name, f"cannot run here: {error}")
        return
    puts = []
    for start in range(0, _ITEMS, _BATCH):
        ops = [
            PutOp(_NAMESPACE, str(m["id"]), {"text": m["content"]})
            for m in corpus.messages[start : start + _BATCH]
        ]
        puts.append(seconds(lambda ops=ops: store.batch(ops)))  # type: ignore[misc]
    searches = [
        seconds(lambda q=q: store.search(_NAMESPACE, query=q, limit=10))  # type: ignore[misc]
        for q in corpus.questions
    ]
    yield Row(f"store {_BATCH} items of {_ITEMS:,}", name, spread(puts))
    yield Row(f"find 10 of {_ITEMS:,}", name, spread(searches))


def _sqlite_store(folder: Path, index: Any) -> Any:
    from langgraph.store.sqlite import SqliteStore

    connection = sqlite3.connect(folder / "langgraph.db", check_same_thread=False, isolation_level=None)
    store = SqliteStore(connection, index=index)
    store.setup()
    return store
