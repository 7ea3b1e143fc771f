"""`AgentMemStore` beside LangGraph's stores: the same 20,000 items and vectors, one run, one thread.

The embedding is made beforehand and handed out by a lookup, so only the stores are timed.
"""

from __future__ import annotations

import gc
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore
from measure import Row, processor_seconds, seconds, spread

from agentmem.registry import load

_DIMS = 384
_USERS = 200
_BATCH = 1_000
_QUESTIONS = 20
_WORDS = 5_000


class Ready:
    """Vectors made beforehand, handed out by text: an embedding that takes no time."""

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(0)
        vocabulary = [f"w{n}" for n in range(_WORDS)]
        self.texts = [
            f"item {n}: " + " ".join(vocabulary[i] for i in random.integers(0, _WORDS, 12))
            for n in range(size)
        ]
        self.questions = [
            f"question {n}: " + " ".join(vocabulary[i] for i in random.integers(0, _WORDS, 6))
            for n in range(_QUESTIONS)
        ]
        rows = random.standard_normal((size + _QUESTIONS, _DIMS)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self._rows = {
            text: row.tolist() for text, row in zip([*self.texts, *self.questions], rows, strict=True)
        }

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._rows.get(text) or self._rows[json.loads(text)["text"]] for text in texts]


def rows(size: int, folder: Path) -> Iterator[Row]:
    """Put a thousand, search one user, search everything; a store that cannot run here says why."""
    ready = Ready(size)
    # millions of floats that live on; without this, collecting garbage is most of what is timed
    gc.collect()
    gc.freeze()
    index = {"dims": _DIMS, "embed": ready, "fields": ["text"]}
    ours = load("integrations", "langgraph")
    yield from _measure("agentmem (durable)", ready, lambda: ours(folder / "items.db", index=index))
    yield from _parts(ours(folder / "parts.db", index=index), ready)
    yield from _measure("langgraph InMemoryStore", ready, lambda: InMemoryStore(index=index))  # type: ignore[arg-type]
    yield from _measure("langgraph SqliteStore, vectors", ready, lambda: _sqlite(folder / "v.db", index))
    yield from _measure("langgraph SqliteStore, no vectors", ready, lambda: _sqlite(folder / "n.db", None))


def _parts(store: Any, ready: Ready) -> Iterator[Row]:
    """Where the processor time of a batch goes, for a store of ours."""
    plan_of = sys.modules[type(store).__module__].Plan
    spent = []
    for ops in _batches(ready):
        marks = [process_time()]
        plan = plan_of(ops, store._index)
        marks.append(process_time())
        vectors = store._index.embed(plan.texts, plan.queries)
        marks.append(process_time())
        items = plan.items(*vectors)
        marks.append(process_time())
        store._items.run(items, datetime.now(UTC))
        spent.append(np.diff([*marks, process_time()]))
    store.close()
    names = ("checking, JSON", "packing vectors", "words", "transaction")
    for name, samples in zip(names, np.transpose(spent), strict=True):
        yield Row(f"put {_BATCH:,} items in a batch, processor", f"agentmem: {name}", spread(samples))


def _batches(ready: Ready) -> Iterator[list[PutOp]]:
    for start in range(0, len(ready.texts), _BATCH):
        yield [
            PutOp(("users", f"u{n % _USERS}"), str(n), {"text": ready.texts[n], "n": n})
            for n in range(start, start + _BATCH)
        ]


def _measure(name: str, ready: Ready, opener: Callable[[], BaseStore]) -> Iterator[Row]:
    try:
        store = opener()
    except (AttributeError, ImportError, sqlite3.Error) as error:
        yield Row("items", name, f"cannot run here: {error}")
        return
    size = len(ready.texts)
    puts, computed = [], []
    for ops in _batches(ready):
        computed.append(processor_seconds(lambda ops=ops: puts.append(seconds(lambda: store.batch(ops)))))  # type: ignore[misc]
    yield Row(f"put {_BATCH:,} items in a batch", name, spread(puts))
    yield Row(f"put {_BATCH:,} items in a batch, processor", name, spread(computed))
    one = [
        seconds(lambda n=n: store.put(("users", "single"), str(n), {"text": ready.texts[n], "n": n}))  # type: ignore[misc]
        for n in range(200)
    ]
    yield Row("put one item", name, spread(one))
    store.search((), query=ready.questions[0])
    for what, prefix in ("whole tree", ("users",)), (f"one of {_USERS} users", ("users", "u7")):
        asked = [
            seconds(lambda q=q, p=prefix: store.search(p, query=q, limit=10))  # type: ignore[misc]
            for q in ready.questions
        ]
        yield Row(f"search {what}, {size:,} items", name, spread(asked))
    got = [seconds(lambda n=n: store.get(("users", f"u{n % _USERS}"), str(n))) for n in range(200)]  # type: ignore[misc]
    yield Row("get", name, spread(got))
    close: Any = getattr(store, "close", None)
    if close is not None:
        close()


def _sqlite(path: Path, index: Any) -> BaseStore:
    from langgraph.store.sqlite import SqliteStore

    # a Python whose own sqlite3 loads no extensions can be lent one that does: without a key, SQLCipher is SQLite
    lent = [name for name in ("pysqlite3", "sqlcipher3") if find_spec(name)]
    own = hasattr(sqlite3.Connection, "enable_load_extension")
    driver: Any = import_module(lent[0]) if lent and not own else sqlite3
    store = SqliteStore(driver.connect(path, check_same_thread=False, isolation_level=None), index=index)
    store.setup()
    return store
