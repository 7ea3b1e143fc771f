"""Chroma: a persistent collection with cosine HNSW, vectors made by our embedder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentmem.embed.cache import CachedEmbedder

from .peer_host import Hit

_BATCH = 1000


class Chroma:
    """A `PersistentClient` with one document a turn."""

    def __init__(self, embedder: CachedEmbedder, folder: Path) -> None:
        from chromadb import PersistentClient
        from chromadb.config import Settings

        client = PersistentClient(str(folder / "chroma"), settings=Settings(anonymized_telemetry=False))
        self._embedder = embedder
        self._turns = client.create_collection(
            "turns", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def add(self, turns: Sequence[tuple[str, str]]) -> None:
        for start in range(0, len(turns), _BATCH):
            ids, texts = zip(*turns[start : start + _BATCH], strict=True)
            self._turns.add(ids=list(ids), documents=list(texts), embeddings=self._embedder.embed(texts))

    def stored(self) -> list[str]:
        return list(self._turns.get(include=[])["ids"])

    def search(self, question: str, k: int) -> list[Hit]:
        found = self._turns.query(
            query_embeddings=self._embedder.embed([question], "query"), n_results=k, include=["documents"]
        )
        return list(zip(found["ids"][0], (found["documents"] or [[]])[0], strict=True))
