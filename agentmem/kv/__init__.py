"""In-model memory: a transformer's KV cache on a fixed budget, and episodes that a model reads as keys and values.

The parts need `agentmem[kv]`; importing this package alone imports neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentmem.kv.attachment import Attachment, attach
    from agentmem.kv.episode import EpisodeKV
    from agentmem.kv.exact import ExactKV
    from agentmem.kv.memory import KVMemory
    from agentmem.kv.prefill import Prefill
    from agentmem.kv.recalled import Recalled
    from agentmem.kv.snapshots import Snapshot, restore, snapshot
    from agentmem.kv.soft import SoftMemory
    from agentmem.kv.soft_encoder import SoftEncoder
    from agentmem.kv.soft_recall import SoftEpisode, SoftRecall
    from agentmem.kv.static_loop import static_decode
    from agentmem.kv.stats import KVStats

__all__ = [
    "Attachment",
    "EpisodeKV",
    "ExactKV",
    "KVMemory",
    "KVStats",
    "Prefill",
    "Recalled",
    "Snapshot",
    "SoftEncoder",
    "SoftEpisode",
    "SoftMemory",
    "SoftRecall",
    "attach",
    "policies",
    "restore",
    "snapshot",
    "static_decode",
]

_PARTS = {
    "Attachment": "attachment",
    "EpisodeKV": "episode",
    "ExactKV": "exact",
    "KVMemory": "memory",
    "KVStats": "stats",
    "Prefill": "prefill",
    "Recalled": "recalled",
    "Snapshot": "snapshots",
    "SoftEncoder": "soft_encoder",
    "SoftEpisode": "soft_recall",
    "SoftMemory": "soft",
    "SoftRecall": "soft_recall",
    "attach": "attachment",
    "restore": "snapshots",
    "snapshot": "snapshots",
    "static_decode": "static_loop",
}


def __getattr__(name: str) -> Any:
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from agentmem.errors import MissingExtraError

    try:
        module = import_module(f"agentmem.kv.{_PARTS[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("torch", "transformers"):
            raise
        raise MissingExtraError(f"agentmem.kv.{name} ({error.name})", "kv") from error
    return getattr(module, name)
