"""What an attached cache holds, as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KVStats:
    """The cache of the last forward call.

    `logical_tokens` were seen, `physical_tokens` are held by the fullest layer under the policy, and `layer_tokens`
    by each layer; `size_bytes` counts keys, values and bookkeeping of all layers and sequences of the batch.
    """

    logical_tokens: int = 0
    physical_tokens: int = 0
    layer_tokens: tuple[int, ...] = ()
    size_bytes: int = 0
    batch: int = 0
