"""agentmem for LangGraph: a store, nodes, middleware and tools. Everything public is named here."""

from __future__ import annotations

from .langgraph_copy import copy_items
from .langgraph_store import AgentMemStore

__all__ = ["AgentMemStore", "copy_items"]
