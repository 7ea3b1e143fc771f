"""Texts kept in a text memory with what one model made of each beside them, to be restored bit by bit (`snapshots`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicCache

from agentmem.errors import CorruptLatentError
from agentmem.kv.episode import DTYPES, NAMES
from agentmem.kv.fingerprint import fingerprint
from agentmem.kv.snapshots import Mode, Snapshot, ready, restore, snapshot
from agentmem.kv.support import shape_of
from agentmem.kv.text_memory import TextMemory
from agentmem.kv.transcript import prepared
from agentmem.latents import Latent


class ExactKV:
    """Texts kept in a text memory with a snapshot of each beside them, for one model.

    Args:
        model: a decoder that `attach` takes. tokenizer: its tokenizer. memory: an open `Memory`.
        mode: how snapshots are kept. chunk: tokens a call when a text is read.
    """

    def __init__(
        self, model: Any, tokenizer: Any, memory: TextMemory, *, mode: Mode = "lossless", chunk: int = 2048
    ) -> None:
        ready(model, mode)
        self.model, self.tokenizer, self.memory, self.mode, self.chunk = model, tokenizer, memory, mode, chunk
        self._latents = memory.latents()

    @property
    def fingerprint(self) -> str:
        """As `KVMemory.fingerprint`, without a prefix: the tokenizer's start token is part of the text."""
        return fingerprint(self.model, self.tokenizer, shape_of(self.model), chunk=self.chunk, prefix=())

    def remember(self, text: str, *, session: str = "default") -> str:
        """Store a text, and its snapshot beside it; returns the text's id. The same call twice changes nothing.

        Raises:
            InvalidInputError: an empty text.
        """
        ids: list[int] = self.tokenizer(text)["input_ids"]
        made = snapshot(self.model, ids, mode=self.mode, chunk=self.chunk)
        (message,) = prepared(text, session, "user").messages
        (id,) = self.memory.remember([message], session=session).event_ids
        words = {"dtype": NAMES[made.dtype], "schedule": ",".join(map(str, made.schedule))}
        words |= {f"shape {name}": ",".join(map(str, shape)) for name, shape in made.shapes.items()}
        self._latents.put(
            self.memory.current_namespace,
            id,
            {"token_ids": made.token_ids.numpy(), **made.parts},
            fingerprint=self.fingerprint,
            layout=self._layout,
            meta=words,
        )
        return id

    def load(self, id: str) -> Snapshot:
        """The snapshot of a text, checked against its sha256.

        Raises:
            RecordNotFoundError, FingerprintMismatchError, CorruptLatentError: as `KVMemory.load`.
        """
        return from_latent(
            self._latents.get(
                self.memory.current_namespace, id, fingerprint=self.fingerprint, layout=self._layout
            ),
            self.mode,
        )

    def restore(self, id: str) -> DynamicCache:
        """The cache after a text, for the next call's `past_key_values`; a new one each time. Raises as `load`."""
        return restore(self.model, self.load(id))

    @property
    def _layout(self) -> str:
        return f"kv-exact-1/{self.mode}"


def from_latent(latent: Latent, mode: Mode) -> Snapshot:
    """The snapshot that was kept.

    Raises:
        CorruptLatentError: arrays are missing.
    """
    try:
        parts = {name: np.array(part) for name, part in latent.tensors.items() if name != "token_ids"}
        shapes = {name: tuple(map(int, latent.meta[f"shape {name}"].split(","))) for name in parts}
        schedule = tuple(map(int, latent.meta["schedule"].split(",")))
        ids = torch.from_numpy(np.array(latent.tensors["token_ids"]))
        return Snapshot(mode, ids, schedule, DTYPES[latent.meta["dtype"]], parts, shapes)
    except (KeyError, ValueError) as error:
        raise CorruptLatentError(latent.ref.owner_id, f"it does not hold a snapshot: {error!r}") from error
