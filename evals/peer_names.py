"""The other memory systems that can be measured beside agentmem: name → the adapter that drives it.

Strings only: a peer's package is imported in its own process, by `peer_host`.
"""

from __future__ import annotations

from collections.abc import Mapping

ADAPTERS: Mapping[str, str] = {
    "mem0": "peer_mem0:Mem0",
    "langgraph-memory": "peer_langgraph:InMemory",
    "langgraph-sqlite": "peer_langgraph:Sqlite",
    "langmem": "peer_langgraph:LangMem",
    "chroma": "peer_chroma:Chroma",
}
NAMES = tuple(ADAPTERS)
