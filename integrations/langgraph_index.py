"""Which texts of a value are searched, and what makes their vectors. Knows LangGraph's index configuration."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings, get_text_at_path, tokenize_path

from agentmem.contracts import Embedder, Vectors
from agentmem.embed import choose_embedder
from agentmem.errors import EmbedderError, InvalidInputError

_WHOLE = "$"
# the last two are those of LangGraph's SQL stores; ours needs no settings for its vectors
_SETTINGS = {"dims", "embed", "fields", "distance_type", "ann_index_config"}


class OwnEmbeddings(Embeddings):
    """An agentmem embedder as LangChain's `Embeddings`."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.embedder.embed(texts, "document").tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self.embedder.embed([text], "query")[0].tolist()
        return vector


class TextIndex:
    """Reads `index={"embed": …, "dims": …, "fields": […]}`; without one, words alone are searched.

    Args:
        index: LangGraph's `IndexConfig`. `embed` may also be the name of one of agentmem's embedders (`"offline"`,
            `"hash"`, a sentence-transformers model) or an `agentmem.contracts.Embedder`; then `dims` may be left out.
        embedder: what to use where there is no `index`.
    """

    def __init__(self, index: Mapping[str, Any] | None, embedder: Embedder | None) -> None:
        self.name = ""
        self.dims: int | None = None
        self.embeddings: Embeddings | None = None
        fields: Any = None
        if index is not None:
            _check_settings(index)
            fields = index.get("fields")
            embedder = self._read_embed(index.get("embed"))
            self.dims = _read_dims(index.get("dims"))
        if embedder is not None:
            self.embeddings, self.name = OwnEmbeddings(embedder), embedder.name
            if self.dims not in (None, embedder.dims):
                raise InvalidInputError(f"{embedder.name} makes {embedder.dims} dims; index says {self.dims}")
            self.dims = embedder.dims
        if isinstance(fields, str) or not all(isinstance(field, str) for field in fields or ()):
            raise InvalidInputError(f"index['fields'] is a list of paths such as ['text'], not {fields!r}")
        # an empty list is none by default: each put names its own
        self._paths = _tokenize([_WHOLE] if fields is None else fields)

    def _read_embed(self, embed: Any) -> Embedder | None:
        if embed is None:
            raise InvalidInputError(
                "index needs 'embed': a LangChain Embeddings, a function of texts, 'provider:model', or one of "
                "agentmem's embedders such as 'offline' or 'hash'"
            )
        if isinstance(embed, str) and ":" not in embed:
            return choose_embedder(embed)
        if hasattr(embed, "embed") and hasattr(embed, "dims"):
            own: Embedder = embed
            return own
        self.embeddings = ensure_embeddings(embed)
        return None

    def texts(self, value: Mapping[str, Any], index: Any) -> list[tuple[str, str]]:
        """Pairs of what is embedded and what words are read from, for `index` as in `PutOp`."""
        if index is False:
            return []
        if index is not None and (
            isinstance(index, str)
            or not isinstance(index, Sequence)
            or not all(isinstance(path, str) for path in index)
        ):
            raise InvalidInputError(
                f"index is None, False or a list of paths such as ['text'], not {index!r}"
            )
        paths = self._paths if index is None else _tokenize(index)
        found: dict[str, str] = {}
        for path in paths:
            for text in _texts_at(value, path):
                # the names of the fields are in the JSON text, and are no words of the item
                words = " ".join(_leaves(value)) if path == _WHOLE else text
                if text.strip():
                    found.setdefault(text, words)
        return list(found.items())

    def embed(self, texts: Sequence[str], queries: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Unit rows of documents and of queries. Raises what the embedder raises, and `EmbedderError`."""
        if self.embeddings is None:
            return _none(texts), _none(queries)
        documents = self.embeddings.embed_documents(list(texts)) if texts else []
        asked = [self.embeddings.embed_query(query) for query in queries]
        return self._rows(documents, len(texts)), self._rows(asked, len(queries))

    async def aembed(self, texts: Sequence[str], queries: Sequence[str]) -> tuple[Vectors, Vectors]:
        """`embed`, awaiting embedders that can be awaited."""
        if self.embeddings is None:
            return _none(texts), _none(queries)
        documents = await self.embeddings.aembed_documents(list(texts)) if texts else []
        asked = [await self.embeddings.aembed_query(query) for query in queries]
        return self._rows(documents, len(texts)), self._rows(asked, len(queries))

    def _rows(self, given: Any, count: int) -> Vectors:
        if not count:
            return np.zeros((0, 0), dtype=np.float32)
        try:
            rows = _matrix(given)
        except (TypeError, ValueError, OverflowError, struct.error) as error:
            raise EmbedderError(f"the embedder gave no rows of numbers of one length: {error}") from error
        if rows.ndim != 2 or rows.shape != (count, self.dims or rows.shape[1]) or not np.isfinite(rows).all():
            raise EmbedderError(
                f"the embedder gave {rows.shape} where {(count, self.dims or 'dims')} finite numbers were due; "
                "nothing was stored"
            )
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.ascontiguousarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def _matrix(given: Any) -> Vectors:
    """Rows of numbers as an array."""
    if not isinstance(given, list) or not given or not all(type(row) is list for row in given):
        return np.asarray(given, dtype=np.float32)
    # packing lists of floats takes a third of the time that asarray takes to look at each
    row = struct.Struct(f"{len(given[0])}f")
    packed = b"".join([row.pack(*values) for values in given])
    return np.frombuffer(packed, dtype=np.float32).reshape(len(given), -1)


def _none(texts: Sequence[str]) -> Vectors:
    return np.zeros((len(texts), 0), dtype=np.float32)


def _check_settings(index: Mapping[str, Any]) -> None:
    unknown = set(index) - _SETTINGS
    if unknown:
        raise InvalidInputError(f"unknown index settings {sorted(unknown)}; known: dims, embed, fields")
    if index.get("distance_type", "cosine") != "cosine":
        raise InvalidInputError(f"vectors are compared by cosine, not by {index['distance_type']!r}")


def _tokenize(paths: Sequence[str]) -> list[Any]:
    return [_WHOLE if path == _WHOLE else tokenize_path(path) for path in paths]


def _texts_at(value: Mapping[str, Any], path: Any) -> list[str]:
    if len(path) == 1 and path[0].isidentifier():
        # as most are
        found = value.get(path[0])
        if type(found) is str:
            return [found]
    texts: list[str] = get_text_at_path(value, path)
    return texts


def _read_dims(dims: Any) -> int | None:
    if dims is not None and (isinstance(dims, bool) or not isinstance(dims, int) or dims < 1):
        raise InvalidInputError(f"index['dims'] is the length of the embedder's vectors, not {dims!r}")
    return dims


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _leaves(inner)]
    return [] if value is None or isinstance(value, bool) else [str(value)]
