"""LangGraph's own stores, with their vector search, and LangMem's tools on top of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agentmem.embed.cache import CachedEmbedder

from .peer_host import Hit

_NAMESPACE = ("memories",)
_PAGE = 1000


def _index(embedder: CachedEmbedder, field: str) -> Any:
    return {"dims": embedder.dims, "embed": lambda texts: embedder.embed(texts).tolist(), "fields": [field]}


class _Store:
    """A `BaseStore` with one item a turn, put in one batch."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def add(self, turns: Sequence[tuple[str, str]]) -> None:
        from langgraph.store.base import PutOp

        self._store.batch([PutOp(_NAMESPACE, id_, {"text": text}) for id_, text in turns])

    def stored(self) -> list[str]:
        return [item.key for item in self._store.search(_NAMESPACE, limit=_PAGE * _PAGE)]

    def search(self, question: str, k: int) -> list[Hit]:
        return [
            (item.key, item.value["text"]) for item in self._store.search(_NAMESPACE, query=question, limit=k)
        ]


class InMemory(_Store):
    """`InMemoryStore`."""

    def __init__(self, embedder: CachedEmbedder, folder: Path) -> None:
        from langgraph.store.memory import InMemoryStore

        super().__init__(InMemoryStore(index=_index(embedder, "text")))


class Sqlite(_Store):
    """`SqliteStore`; it needs a Python whose sqlite3 loads extensions."""

    def __init__(self, embedder: CachedEmbedder, folder: Path) -> None:
        from langgraph.store.sqlite import SqliteStore

        stack = ExitStack()
        store = stack.enter_context(
            SqliteStore.from_conn_string(str(folder / "store.db"), index=_index(embedder, "text"))
        )
        store.setup()
        super().__init__(store)
        self._stack = stack


class LangMem:
    """LangMem's `manage_memory` and `search_memory` tools over an `InMemoryStore`.

    The tools choose the keys themselves, so what a hit is gets read off its text.
    """

    def __init__(self, embedder: CachedEmbedder, folder: Path) -> None:
        from langgraph.store.memory import InMemoryStore
        from langmem import create_manage_memory_tool, create_search_memory_tool

        store = InMemoryStore(index=_index(embedder, "content"))
        self._manage = create_manage_memory_tool(_NAMESPACE, store=store)
        self._search = create_search_memory_tool(_NAMESPACE, store=store)
        self._ids: dict[str, str] = {}

    def add(self, turns: Sequence[tuple[str, str]]) -> None:
        for id_, text in turns:
            self._manage.invoke({"content": text, "action": "create"})
            self._ids[text] = id_

    def stored(self) -> list[str]:
        return list(self._ids.values())

    def search(self, question: str, k: int) -> list[Hit]:
        found = json.loads(self._search.invoke({"query": question, "limit": k}))
        return [(self._ids[text], text) for text in (item["value"]["content"] for item in found)]
