"""agentmem for LangGraph: a store, nodes, middleware and tools. Everything public is named here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentmem.errors import MissingExtraError

try:
    from .langgraph_copy import copy_items
    from .langgraph_nodes import MemoryState, recall_node, remember_node
    from .langgraph_store import AgentMemStore
    from .langgraph_tools import memory_tools
    from .langgraph_turns import with_memory
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("langgraph", "langchain_core"):
        raise
    raise MissingExtraError("the LangGraph plug-in", "langgraph") from error

if TYPE_CHECKING:
    from .langgraph_middleware import AgentMemMiddleware

__all__ = [
    "AgentMemMiddleware",
    "AgentMemStore",
    "MemoryState",
    "copy_items",
    "memory_tools",
    "recall_node",
    "remember_node",
    "with_memory",
]


def __getattr__(name: str) -> Any:
    # the one part that needs langchain itself, which takes half a second to import
    if name == "AgentMemMiddleware":
        try:
            from .langgraph_middleware import AgentMemMiddleware
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "langchain":
                raise
            raise MissingExtraError("AgentMemMiddleware", "langgraph") from error
        return AgentMemMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
