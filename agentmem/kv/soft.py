"""`SoftMemory`: a text memory whose episodes a local model reads as a few embeddings each, in place of their words.

Words go to the text memory first and are never at risk: embeddings are derived from them by an encoder that was trained
for the model (`soft_encoder`), checked when read, and made again from the words where they do not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv.attachment import outside
from agentmem.kv.episode import copied
from agentmem.kv.fingerprint import fingerprint
from agentmem.kv.soft_encoder import SoftEncoder
from agentmem.kv.soft_recall import SoftEpisode, SoftFound, SoftRecall
from agentmem.kv.support import shape_of
from agentmem.kv.text_memory import TextMemory
from agentmem.kv.transcript import prepared, written
from agentmem.kv.words import UNKEPT, Words
from agentmem.latents import Latent
from agentmem.types import Event

PIECE = 64
"""Tokens of a text that are encoded together."""


class SoftMemory:
    """Remembers texts for one model, in a text memory and as embeddings that the model reads as its input.

    Args:
        model: a decoder that `attach` takes. tokenizer: its tokenizer.
        memory: where words and files are kept: an open `Memory`, which stays open.
        encoder: trained for this very model; `agentmem.evals.train_soft` trains the packaged model's.
        tokens: embeddings for each piece of at most 64 tokens of a text.
        episodes: at most so many a recall.
        prefix: what a text is read behind; the tokenizer's start token when not given.
        rekeep: whether a recall that had to make embeddings from the words keeps them.

    Raises:
        FingerprintMismatchError: the encoder was trained for another model, or for another dtype of it.
        InvalidInputError: a setting that cannot be.
        UnsupportedModelError: as `attach`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        memory: TextMemory,
        encoder: SoftEncoder,
        *,
        tokens: int = 8,
        episodes: int = 16,
        prefix: str | None = None,
        rekeep: bool = True,
    ) -> None:
        for name, value in (("tokens", tokens), ("episodes", episodes)):
            if value < 1:
                raise InvalidInputError(f"{name} is {value}, must be at least 1")
        encoder.check(model)
        self.model, self.tokenizer, self.memory, self.encoder = model, tokenizer, memory, encoder
        self.tokens, self.episodes, self.rekeep = tokens, episodes, rekeep
        self._shape = shape_of(model)
        self._layout = f"soft-1/{tokens}"
        start = tokenizer.bos_token_id
        self._prefix: tuple[int, ...] = () if start is None else (int(start),)
        if prefix is not None:
            self._prefix = tuple(self._ids(prefix))
        self._words = Words(memory)
        self._latents = memory.latents()

    @property
    def fingerprint(self) -> str:
        """What this model, tokenizer and encoder make, as one line; made anew when weights were written to."""
        line = fingerprint(self.model, self.tokenizer, self._shape, chunk=PIECE, prefix=self._prefix)
        return f"{line};encoder={self.encoder.digest}"

    def remember(self, messages: Any, *, session: str = "default", role: str = "user") -> str:
        """Store messages in the text memory, and their embeddings beside them; returns the episode's id.

        One message is an episode with the message's id; several are one episode. The same call twice changes nothing.

        Raises:
            InvalidInputError: as `Memory.remember`; or nothing in it: nothing is stored.
            DuplicateIdError: an id already holds different content.
        """
        ready = prepared(messages, session, role)
        if not self._ids(ready.text):
            raise InvalidInputError("the text has no tokens")
        id, found = self._words.remember(ready)
        try:
            self.load(id)
        except (RecordNotFoundError, FingerprintMismatchError, CorruptLatentError):
            self._keep(self._made(id, found), found)
        return id

    def load(self, episode_id: str) -> SoftEpisode:
        """An episode's embeddings as they are kept: a copy, checked against its sha256.

        Raises:
            RecordNotFoundError: nothing is kept under this id.
            FingerprintMismatchError: made by another model, tokenizer or encoder, or as another number of embeddings.
            CorruptLatentError: its file is missing or was changed.
        """
        latent = self._latents.get(
            self.memory.current_namespace, episode_id, fingerprint=self.fingerprint, layout=self._layout
        )
        return from_latent(latent)

    def recall(self, query: str) -> SoftRecall:
        """The episodes that answer a query, in the order they happened, ready to be put before a prompt.

        What is kept is read; what is missing, damaged, or another model's is made again from the words.

        Raises:
            InvalidInputError: an empty query.
        """
        wanted = self._words.recalled(query, budget_tokens=4 * PIECE * self.episodes, episodes=self.episodes)
        found = tuple(self._found(id, one) for id, one in wanted.items())
        return SoftRecall(query, found, self.model, self._prefix)

    def _found(self, id: str, one: Event) -> SoftFound:
        try:
            return SoftFound(self.load(id))
        except RecordNotFoundError:
            reason = "no embeddings are kept"
        except (FingerprintMismatchError, CorruptLatentError) as error:
            reason = str(error)
        events = self._words.members(id, one)
        made = self._made(id, events)
        if self.rekeep:
            with suppress(*UNKEPT):
                self._keep(made, events)
        return SoftFound(made, "text", reason)

    def _made(self, id: str, events: Sequence[Event]) -> SoftEpisode:
        """Computed from the words, piece by piece."""
        ids = self._ids(written(events))
        with outside(self.model):
            parts = [
                self.encoder.encode(self.model, self._prefix, ids[at : at + PIECE], self.tokens)
                for at in range(0, len(ids), PIECE)
            ]
        soft = torch.cat(parts).to("cpu", torch.bfloat16)
        return SoftEpisode(id, soft, len(ids), self.fingerprint)

    def _keep(self, episode: SoftEpisode, events: Sequence[Event]) -> None:
        self._latents.put(
            self.memory.current_namespace,
            episode.id,
            {"embeddings": episode.embeddings.view(torch.uint16).numpy()},
            fingerprint=episode.fingerprint,
            layout=self._layout,
            meta={"text_tokens": str(episode.text_tokens)},
            dtypes={"embeddings": "BF16"},
            sources=[event.id for event in events],
        )

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def from_latent(latent: Latent) -> SoftEpisode:
    """The embeddings that were kept.

    Raises:
        CorruptLatentError: they are not there.
    """
    try:
        held: Tensor = copied(latent.tensors["embeddings"], latent.dtypes["embeddings"])
        words = int(latent.meta["text_tokens"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise CorruptLatentError(latent.ref.owner_id, f"it does not hold embeddings: {error!r}") from error
    return SoftEpisode(latent.ref.owner_id, held, words, latent.ref.fingerprint, latent.ref.sha256)
