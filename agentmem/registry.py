"""Names of parts and where they live; a part is imported only when it is used.

This is the one place that knows the wings, and it knows them as strings. A third party adds a part with an
entry point in the group `agentmem.<kind>`, for example::

    [project.entry-points."agentmem.embedders"]
    my-embedder = "my_package:MyEmbedder"
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from agentmem.errors import UnknownPluginError

BUILT_IN: dict[str, dict[str, str]] = {
    "stores": {
        "sqlite": "agentmem.stores.sqlite:open_sqlite",
        "postgresql": "agentmem.stores.postgres:open_postgres",
    },
    "items": {
        "sqlite": "agentmem.stores.items:items_of",
        "postgresql": "agentmem.stores.postgres_items:items_of",
    },
    "integrations": {
        "langgraph": "agentmem.integrations.langgraph:AgentMemStore",
        "langgraph-recall": "agentmem.integrations.langgraph:recall_node",
        "langgraph-remember": "agentmem.integrations.langgraph:remember_node",
        "local-chat": "agentmem.integrations.local_chat:LocalChat",
    },
    "encryption": {
        "sqlite": "agentmem.stores.recode:recode",
    },
    "archives": {
        "zip": "agentmem.stores.archive:Reader",
    },
    "bridges": {
        "postgresql": "agentmem.stores.postgres_async:open_bridge",
    },
    "embedders": {
        "hash": "agentmem.embed.hashing:HashEmbedder",
        "offline": "agentmem.embed.sentence:offline_embedder",
    },
    "channels": {
        "recent": "agentmem.read.channels.recent:RecentChannel",
        "dense": "agentmem.read.channels.dense:DenseChannel",
        "lexical": "agentmem.read.channels.lexical:LexicalChannel",
    },
    "datasets": {
        "locomo": "agentmem.evals.locomo:load",
    },
    "evals": {
        "locomo": "agentmem.evals.commands:locomo",
        "demo": "agentmem.evals.commands:demo",
        "segmentation": "agentmem.evals.segmentation:segmentation",
        "fit": "agentmem.evals.fit:fit",
        "ablation": "agentmem.evals.ablation:ablation",
        "coverage": "agentmem.evals.coverage:coverage",
        "gate": "agentmem.evals.gate:gate",
        "reread": "agentmem.evals.reread:reread",
        "kv": "agentmem.evals.kv:kv",
        "stream": "agentmem.evals.kv_stream:stream",
    },
}


def names(kind: str) -> list[str]:
    """The names registered for a kind, built-in and third-party, sorted."""
    return sorted(
        {*BUILT_IN.get(kind, {}), *(point.name for point in entry_points(group=f"agentmem.{kind}"))}
    )


def load(kind: str, name: str) -> Any:
    """The class or factory registered as `name`.

    Raises:
        UnknownPluginError: nothing is registered under this name.
        MissingExtraError: from the part itself, where it needs an optional package.
    """
    target = BUILT_IN.get(kind, {}).get(name)
    if target is None:
        for point in entry_points(group=f"agentmem.{kind}"):
            if point.name == name:
                return point.load()
        raise UnknownPluginError(f"no {kind} part named {name!r}; known: {', '.join(names(kind)) or 'none'}")
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
