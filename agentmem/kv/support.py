"""Which models and versions `attach` takes, and what it must know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import transformers
from torch import Tensor

from agentmem.errors import UnsupportedModelError

OLDEST, NEWEST = (5, 17), (5, 23)
"""The transformers versions whose cache and mask contracts are known here."""
MOVING_ROPE = ("dynamic", "longrope")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the cache needs of a model: each layer's window (none: sees everything) and rotary frequencies."""

    windows: tuple[int | None, ...]
    frequencies: tuple[Tensor, ...]
    kv_heads: int
    head_dim: int

    @property
    def full_layers(self) -> tuple[int, ...]:
        """Layers that see everything: those under the policy."""
        return tuple(i for i, window in enumerate(self.windows) if window is None)


def check_version(version: str = transformers.__version__) -> None:
    """Refuse a transformers whose contracts are not known.

    Raises:
        UnsupportedModelError: older or newer than what was tested.
    """
    found = tuple(int(part) for part in version.split(".")[:2])
    if not OLDEST <= found <= NEWEST:
        span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        raise UnsupportedModelError(
            f"transformers {version} is not one that agentmem.kv knows ({span}); install one of those"
        )


def shape_of(model: Any) -> Shape:
    """What the cache needs of this model.

    Raises:
        UnsupportedModelError: not a decoder with rotary positions, or with attention that is not known here.
    """
    name = type(model).__name__
    config = model.config.get_text_config(decoder=True)
    if model.config.is_encoder_decoder or not hasattr(model, "get_decoder"):
        raise UnsupportedModelError(f"{name} is not a decoder-only language model")
    check_rope(name, getattr(config, "rope_parameters", None))
    if getattr(config, "kv_sharing_modes", None) or getattr(config, "num_kv_shared_layers", 0):
        raise UnsupportedModelError(f"{name} shares keys and values between layers, which is not supported")
    if getattr(config, "kv_lora_rank", None):
        raise UnsupportedModelError(f"{name} keeps compressed latents in the place of keys and values (MLA)")
    kinds = layer_kinds(name, config)
    rotary = model.get_decoder().rotary_emb
    return Shape(
        windows=tuple(config.sliding_window if kind == "sliding_attention" else None for kind in kinds),
        frequencies=tuple(frequencies(rotary, kind) for kind in kinds),
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
    )


def check_rope(name: str, rope: Any) -> None:
    """Refuse models without rotary positions, or with frequencies that change as the text grows."""
    if not isinstance(rope, Mapping) or not rope:
        raise UnsupportedModelError(f"{name} has no rotary position embedding")
    each = [part for part in rope.values() if isinstance(part, Mapping)] or [rope]
    for part in each:
        kind = part.get("rope_type", "default")
        if kind in MOVING_ROPE:
            raise UnsupportedModelError(
                f"{name} scales RoPE by {kind!r}, which changes frequencies as the text grows, so that keys kept from "
                "before would stand wrong; set another rope_type, for example yarn"
            )


def layer_kinds(name: str, config: Any) -> list[str]:
    """Each layer's kind of attention."""
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        windowed = getattr(config, "sliding_window", None) is not None
        kinds = ["sliding_attention" if windowed else "full_attention"] * config.num_hidden_layers
    unknown = sorted(set(kinds) - {"full_attention", "sliding_attention"})
    if unknown:
        raise UnsupportedModelError(
            f"{name} has layers of kind {', '.join(unknown)}, which are not supported"
        )
    return list(kinds)


def frequencies(rotary: Any, kind: str) -> Tensor:
    """The inverse frequencies of a layer kind; models with one set for all have it without a prefix."""
    own: Tensor | None = getattr(rotary, f"{kind}_inv_freq", None)
    shared: Tensor = rotary.inv_freq if own is None else own
    return shared
