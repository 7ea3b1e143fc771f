"""What stored keys and values depend on, as one readable line: another model, tokenizer, RoPE or dtype reads otherwise.

`model=Llama;weights=<sha256>;config=...;rope=...;tokenizer=...;dtype=float32;chunk=2048;prefix=1`: each part is the
start of a digest, so a mismatch can be read off two lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentmem.kv.support import Shape

DIGITS = 16
CHUNK_BYTES = 64 << 20
IGNORED = frozenset(
    {
        "_name_or_path",
        "transformers_version",
        "torch_dtype",
        "dtype",
        "use_cache",
        "architectures",
        "attn_implementation",
    }
)
"""Configuration that changes no key and no value."""

_weights: WeakKeyDictionary[Any, tuple[int, str]] = WeakKeyDictionary()
_tokenizers: WeakKeyDictionary[Any, tuple[int, str]] = WeakKeyDictionary()


def fingerprint(model: Any, tokenizer: Any, shape: Shape, *, chunk: int, prefix: Sequence[int]) -> str:
    """The line for this model and tokenizer, reading text in chunks of `chunk` tokens behind `prefix`."""
    config = {name: value for name, value in model.config.to_dict().items() if name not in IGNORED}
    parts = {
        "model": type(model).__name__,
        "weights": weights_digest(model),
        "config": digest(json.dumps(config, sort_keys=True, default=str).encode()),
        "rope": digest(*(memory_of(frequency.double()) for frequency in shape.frequencies)),
        "tokenizer": tokenizer_digest(tokenizer),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "chunk": str(chunk),
        "prefix": ",".join(map(str, prefix)),
    }
    return ";".join(f"{name}={value}" for name, value in parts.items())


def weights_digest(model: Any) -> str:
    """Of every weight, name and dtype; made once, and again when a weight was written to."""
    state = sorted(model.state_dict().items())
    version = hash(tuple((tensor.data_ptr(), tensor._version) for _, tensor in state))
    known = _weights.get(model)
    if known is None or known[0] != version:
        known = version, digest(*(part for name, tensor in state for part in tagged(name, tensor)))
        _weights[model] = known
    return known[1]


def tagged(name: str, tensor: Tensor) -> list[Any]:
    """A weight's name, dtype and shape, then its bytes, some at a time."""
    flat = tensor.detach().reshape(-1)
    step = max(1, CHUNK_BYTES // max(1, flat.element_size()))
    label = f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
    return [label, *(memory_of(flat[at : at + step]) for at in range(0, flat.numel(), step))]


def memory_of(tensor: Tensor) -> memoryview:
    """A tensor's bytes on the host."""
    bits: NDArray[np.uint8] = tensor.detach().contiguous().cpu().view(torch.uint8).numpy()
    return bits.data


def tokenizer_digest(tokenizer: Any) -> str:
    """Of how text becomes tokens: the whole fast tokenizer, or the vocabulary of a slow one; made once a size."""
    known = _tokenizers.get(tokenizer)
    if known is None or known[0] != len(tokenizer):
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is not None and hasattr(backend, "to_str"):
            told = backend.to_str()
        else:
            told = json.dumps(sorted(tokenizer.get_vocab().items()))
        known = len(tokenizer), digest(told.encode())
        _tokenizers[tokenizer] = known
    return known[1]


def digest(*parts: bytes | memoryview) -> str:
    """The start of the sha256 of all parts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part)
    return made.hexdigest()[:DIGITS]
