"""What a recall put in front of a model, as numbers and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["kept", "text", "blended"]


@dataclass(frozen=True, slots=True)
class RecalledEpisode:
    """One episode that the model attends to. `position` is of its first token; those of a prompt start at 0.

    `source` says whether its keys and values were `kept`, or made again from the `text`, or kept but for those tokens
    that differ most from the same words read together (`blended`); `reason` says why where they were not kept.
    """

    id: str
    tokens: int
    position: int
    source: Source
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recalled:
    """All that one recall attends to, the earliest episode first.

    `blocks` are pages of 64 tokens in each layer, of which a KV head takes `taken` at a time; `bytes` is what they hold
    in all layers.
    """

    query: str
    episodes: tuple[RecalledEpisode, ...] = ()
    blocks: int = 0
    taken: int = 0
    bytes: int = 0
