"""In-model memory: a transformer's KV cache on a fixed budget.

`attach` and `policies` need `agentmem[kv]`; importing this package alone imports neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentmem.kv.attachment import Attachment, attach
    from agentmem.kv.stats import KVStats

__all__ = ["Attachment", "KVStats", "attach", "policies"]


def __getattr__(name: str) -> Any:
    if name not in ("Attachment", "KVStats", "attach"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from agentmem.errors import MissingExtraError

    try:
        module = import_module("agentmem.kv.stats" if name == "KVStats" else "agentmem.kv.attachment")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("torch", "transformers"):
            raise
        raise MissingExtraError(f"agentmem.kv.{name} ({error.name})", "kv") from error
    return getattr(module, name)
