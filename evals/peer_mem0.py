"""Mem0 without an LLM (`infer=False`): its default vector store, Qdrant on disk, and its default search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agentmem.contracts import TextKind
from agentmem.embed.cache import CachedEmbedder

from .peer_host import Hit

_USER = "eval"
_ALL = 100_000


class Mem0:
    """`mem0.Memory` with one message a turn; a message's id is kept as metadata."""

    def __init__(self, embedder: CachedEmbedder, folder: Path) -> None:
        # read when it is imported: no telemetry, and its own files in the folder
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder / "mem0"))
        from mem0 import Memory

        # an OpenAI client is made at once, and never called
        unused = {"provider": "openai", "config": {"api_key": "unused"}}
        self._memory = Memory.from_config(
            {
                "vector_store": {
                    "provider": "qdrant",
                    "config": {
                        "path": str(folder / "qdrant"),
                        "on_disk": True,
                        "embedding_model_dims": embedder.dims,
                    },
                },
                "embedder": unused,
                "llm": unused,
                "history_db_path": str(folder / "history.db"),
            }
        )
        self._memory.embedding_model = _Embedding(embedder)

    def add(self, turns: Sequence[tuple[str, str]]) -> None:
        for id_, text in turns:
            self._memory.add(text, user_id=_USER, infer=False, metadata={"turn": id_})

    def stored(self) -> list[str]:
        found = self._memory.get_all(filters={"user_id": _USER}, top_k=_ALL)
        return [item["metadata"]["turn"] for item in found["results"]]

    def search(self, question: str, k: int) -> list[Hit]:
        found = self._memory.search(question, top_k=k, filters={"user_id": _USER}, threshold=0.0)
        return [(item["metadata"]["turn"], item["memory"]) for item in found["results"]]


class _Embedding:
    """The embedder under test, as Mem0 calls it."""

    def __init__(self, embedder: CachedEmbedder) -> None:
        self._embedder = embedder

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        kind: TextKind = "query" if memory_action == "search" else "document"
        return [float(value) for value in self._embedder.embed([text], kind)[0]]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.embed(text, memory_action) for text in texts]
