"""Episodes as embeddings, and how they are put before a prompt.

Axes: `B` batch, `T` tokens, `M` embeddings, `D` the model's hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.recalled import Source


@dataclass(frozen=True, slots=True, eq=False)
class SoftEpisode:
    """One episode in memory: a copy, so that nothing done to it reaches the store.

    `embeddings` `[M, D]` bf16 stand for `text_tokens` tokens of words; `sha256` is of the stored bytes.
    """

    id: str
    embeddings: Tensor
    text_tokens: int
    fingerprint: str
    sha256: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of its embeddings."""
        return self.embeddings.numel() * self.embeddings.element_size()


@dataclass(frozen=True, slots=True)
class SoftFound:
    """An episode for a recall, where its embeddings come from, and why where they were not kept."""

    episode: SoftEpisode
    source: Source = "kept"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SoftRecall:
    """What one recall puts before a prompt, the earliest episode first.

    model.generate(**recall.inputs(**tokenizer(question, return_tensors="pt")), max_new_tokens=20)
    """

    query: str
    episodes: tuple[SoftFound, ...]
    model: Any
    prefix: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Embeddings in all: positions that the memory takes of a prompt."""
        return sum(len(found.episode.embeddings) for found in self.episodes)

    @property
    def bytes(self) -> int:
        """Of all embeddings."""
        return sum(found.episode.size_bytes for found in self.episodes)

    @torch.no_grad()
    def inputs(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **rest: Any
    ) -> dict[str, Tensor]:
        """A prompt with the memory in it, `inputs_embeds` `[B, T + M, D]` and `attention_mask` `[B, T + M]`.

        For a forward call, or `generate`, which then gives back the new tokens alone.

        The memory stands behind the prompt's start token (and any padding on the left), or before the prompt where it
        has none. `rest` is what else a tokenizer gives, which a decoder does not read.

        Raises:
            InvalidInputError: padding on the right, where an answer would follow it.
        """
        embed = self.model.get_input_embeddings()
        input_ids = input_ids.to(embed.weight.device)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.to(input_ids.device)
        if not bool(mask[:, -1].all()):
            raise InvalidInputError("the prompts are padded on the right; pad them on the left")
        words = embed(input_ids)
        memory = torch.cat([found.episode.embeddings for found in self.episodes] or [words[0, :0].cpu()])
        memory = memory.to(words.device, words.dtype)
        open_to = torch.ones(len(memory), dtype=mask.dtype, device=mask.device)
        rows, masks = [], []
        for ids, row, seen in zip(input_ids.tolist(), words, mask, strict=True):
            at = int(seen.long().argmax())
            begins = tuple(ids[at : at + len(self.prefix)]) == self.prefix
            at += len(self.prefix) if begins else 0
            rows.append(torch.cat([row[:at], memory, row[at:]]))
            masks.append(torch.cat([seen[:at], open_to, seen[at:]]))
        return {"inputs_embeds": torch.stack(rows), "attention_mask": torch.stack(masks)}
