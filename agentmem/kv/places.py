"""Where recalled episodes stand: back to back before position 0, where a prompt starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from agentmem.kv import ops
from agentmem.kv.blocks import Blocks
from agentmem.kv.episode import EpisodeKV, joined
from agentmem.kv.pages import PAGE
from agentmem.kv.recalled import Recalled, RecalledEpisode, Source
from agentmem.kv.standing import stand_at
from agentmem.kv.support import Shape


def back_to_back(tokens: Sequence[int], reach: int) -> list[int]:
    """The position of each episode's first token; none further back than `reach`, but for one longer than that."""
    start, starts = 0, []
    for count in reversed(tokens):
        start -= count
        starts.append(max(start, -max(count, reach)))
    return starts[::-1]


def stand(
    shape: Shape, episodes: Sequence[EpisodeKV], starts: Sequence[int], take: int, device: torch.device
) -> dict[int, Blocks]:
    """The blocks of each layer that sees everything; `take` of them at a time for a KV head."""
    if not episodes:
        return {}
    lengths = torch.cat([ops.part("page_lengths")(episode.tokens) for episode in episodes], dim=1)
    bases = [
        start + at
        for episode, start in zip(episodes, starts, strict=True)
        for at in range(0, episode.tokens, PAGE)
    ]
    at, lengths = torch.tensor(bases, device=device), lengths.to(device)
    # layers of one kind share their frequencies, and so their angles
    kinds = {id(shape.frequencies[layer]): shape.frequencies[layer] for layer in shape.full_layers}
    standing = {kind: stand_at(at, inv_freq, shape.head_dim, lengths) for kind, inv_freq in kinds.items()}
    return {
        layer: Blocks(joined(episodes, place, device), standing[id(shape.frequencies[layer])], take)
        for place, layer in enumerate(shape.full_layers)
    }


class Found(NamedTuple):
    """An episode for a recall, where its keys and values come from, and why where they were not kept."""

    episode: EpisodeKV
    source: Source = "kept"
    reason: str = ""


def report(
    query: str, found: Sequence[Found], starts: Sequence[int], blocks: Mapping[int, Blocks]
) -> Recalled:
    """What stands there."""
    if not blocks:
        return Recalled(query)
    one = next(iter(blocks.values()))
    return Recalled(
        query=query,
        episodes=tuple(
            RecalledEpisode(one.episode.id, one.episode.tokens, start, one.source, one.reason)
            for one, start in zip(found, starts, strict=True)
        ),
        blocks=one.count,
        taken=min(one.take, one.count),
        bytes=sum(layer.pages.size_bytes for layer in blocks.values()),
    )
