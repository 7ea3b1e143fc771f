"""The keys and values of one episode, as they are kept: coded pages per layer, token ids, and what they fit.

Knows how they become named arrays and come back; knows no model and no store. Axes: `L` layers that see everything,
`H` KV heads, `P` pages of 64 tokens, `T` tokens, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentmem.errors import CorruptLatentError
from agentmem.kv import ops
from agentmem.kv.capture import Captured
from agentmem.kv.pages import FIELDS, PLAIN, code, decode, order_for
from agentmem.kv.support import Shape
from agentmem.latents import Latent

NAMES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32", torch.uint8: "U8"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


@dataclass(frozen=True, slots=True)
class EpisodeKV:
    """One episode in memory: a copy, so that nothing done to it reaches the store.

    `pages` has one entry a layer that sees everything; keys are before RoPE. `sha256` is of the stored bytes.
    """

    id: str
    token_ids: Tensor
    """`[T]` int32."""
    pages: tuple[Any, ...]
    order: Tensor | None
    """The channel order of the pages' keys where only part of a head turns; none where all does."""
    fingerprint: str
    sha256: str = ""

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return int(self.token_ids.shape[0])

    @property
    def size_bytes(self) -> int:
        """Bytes of its pages."""
        return sum(layer.size_bytes for layer in self.pages)

    @property
    def k(self) -> tuple[Tensor, ...]:
        """Pre-RoPE keys `[1, H, T, D]` fp32 of each layer, decoded."""
        decoded = [decode(layer, self.tokens)[0] for layer in self.pages]
        return tuple(keys if self.order is None else keys[..., self.order.argsort()] for keys in decoded)

    @property
    def v(self) -> tuple[Tensor, ...]:
        """Values `[1, H, T, D]` fp32 of each layer, decoded."""
        return tuple(decode(layer, self.tokens)[1] for layer in self.pages)


def coded(
    id: str, tokens: Sequence[int], found: Captured, shape: Shape, bits: int, fingerprint: str
) -> EpisodeKV:
    """Code what was captured, in one of `BITS`; 16 keeps the model's own numbers."""
    pages = tuple(
        code(found.keys[place], found.values[place], shape.frequencies[layer], bits)
        for place, layer in enumerate(shape.full_layers)
    )
    order = order_for(shape.head_dim, shape.frequencies[0])
    return EpisodeKV(id, torch.tensor(list(tokens), dtype=torch.int32), pages, order, fingerprint)


def layout(bits: int) -> str:
    """The name of the arrangement that `arrays` makes."""
    return f"kv-pages-1/{bits}-bit"


def arrays(episode: EpisodeKV) -> tuple[dict[str, NDArray[Any]], dict[str, str], dict[str, str]]:
    """Named arrays of all layers stacked, the types that numpy cannot name, and the words to keep beside them."""
    tensors, types = {"token_ids": episode.token_ids.numpy()}, {}
    for field in FIELDS:
        parts = [getattr(layer, field) for layer in episode.pages]
        if parts[0] is None:
            continue
        stacked = torch.cat(parts).cpu()
        if stacked.dtype == torch.bfloat16:
            types[field], stacked = "BF16", stacked.view(torch.uint16)
        tensors[field] = stacked.numpy()
    first = episode.pages[0]
    words = {"dim": str(first.dim), "k_bits": str(first.k_bits), "v_bits": str(first.v_bits)}
    if episode.order is not None:
        words["order"] = ",".join(map(str, episode.order.tolist()))
    return tensors, types, words


def from_latent(latent: Latent) -> EpisodeKV:
    """The episode that was kept.

    Raises:
        CorruptLatentError: arrays are missing or do not belong together.
    """
    try:
        held = {name: copied(latent.tensors[name], latent.dtypes[name]) for name in latent.tensors}
        token_ids = held.pop("token_ids")
        numbers = {name: int(latent.meta[name]) for name in ("dim", "k_bits", "v_bits")}
        fields = FIELDS if numbers["k_bits"] < PLAIN else FIELDS[:4]
        pages = tuple(
            ops.part("Pages")(**{name: held[name][at : at + 1] for name in fields}, **numbers)
            for at in range(held["k"].shape[0])
        )
        order = latent.meta.get("order")
    except (KeyError, ValueError, RuntimeError, IndexError) as error:
        raise CorruptLatentError(latent.ref.owner_id, f"it does not hold pages: {error!r}") from error
    return EpisodeKV(
        id=latent.ref.owner_id,
        token_ids=token_ids,
        pages=pages,
        order=None if order is None else torch.tensor([int(part) for part in order.split(",")]),
        fingerprint=latent.ref.fingerprint,
        sha256=latent.ref.sha256,
    )


def copied(array: NDArray[Any], dtype: str) -> Tensor:
    """A tensor of its own, in the type that the file says."""
    own = torch.from_numpy(np.array(array))
    wanted = DTYPES.get(dtype)
    return own if wanted is None or own.dtype == wanted else own.view(wanted)


def pinned(episode: EpisodeKV) -> EpisodeKV:
    """The same in host memory that a CUDA device copies from by itself, while the host goes on."""
    pages = tuple(
        replace(
            layer,
            **{name: part.pin_memory() for name in FIELDS if (part := getattr(layer, name)) is not None},
        )
        for layer in episode.pages
    )
    return replace(episode, pages=pages)


def joined(episodes: Sequence[EpisodeKV], place: int, device: torch.device) -> Any:
    """One pool of the pages of all episodes at one of their layers, on `device`."""
    parts = [episode.pages[place] for episode in episodes]
    tensors: Mapping[str, Tensor] = {
        name: torch.cat([getattr(part, name).to(device, non_blocking=True) for part in parts], dim=2)
        for name in FIELDS
        if getattr(parts[0], name) is not None
    }
    first = parts[0]
    return ops.part("Pages")(**tensors, dim=first.dim, k_bits=first.k_bits, v_bits=first.v_bits)
