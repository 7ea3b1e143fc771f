"""Tools a model may call: search the memory, and keep notes of its own. It can never touch what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Literal

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool

from agentmem import Memory
from agentmem.errors import AgentMemError, DuplicateIdError
from agentmem.types import Note

from .langgraph_nodes import DEFAULT_NAMESPACE
from .langgraph_scope import Scope, check_memory, memory_of, thread_of

Action = Literal["create", "update", "delete"]


def memory_tools(
    memory: Memory,
    *,
    namespace: Sequence[str] = DEFAULT_NAMESPACE,
    budget_tokens: int = 500,
    coverage: float = 1.0,
    reread: int = 0,
    decompose: bool = False,
) -> list[BaseTool]:
    """`search_memory` and `manage_memory`, for `create_agent(tools=…)` or a `ToolNode`.

    What `search_memory` finds is marked as a quotation. `manage_memory` writes, replaces and deletes notes; events,
    which are what people really said, it cannot change. An error comes back as text, for the model to act on.

    Args:
        memory: an open memory.
        namespace: whose memory; `{names}` are filled in from the run's context or configuration.
        budget_tokens: what `search_memory` gives never exceeds this by more than the ids of notes.
        coverage, reread, decompose: as for `Memory.recall`.
    """
    check_memory(memory)
    scope = Scope(namespace)

    def search_memory(query: str, config: RunnableConfig) -> str:
        """Search the long-term memory of earlier conversations and notes. Ask in plain words."""
        try:
            found = memory_of(memory, scope, config).recall(
                query, budget_tokens=budget_tokens, coverage=coverage, reread=reread, decompose=decompose
            )
        except AgentMemError as error:
            return f"error: {error}"
        notes = [f"note {item.id}: {item.text}" for item in found.items if item.tier == "semantic"]
        return "\n".join([found.text or "nothing relevant is remembered", *notes])

    def manage_memory(
        action: Action,
        config: RunnableConfig,
        tool_call_id: Annotated[str, InjectedToolCallId],
        content: str = "",
        id: str = "",
    ) -> str:
        """Keep notes in long-term memory: "create" with content, "update" with id and content, "delete" with id."""
        try:
            return _manage(
                memory_of(memory, scope, config), action, content, id, thread_of(config) + tool_call_id
            )
        except AgentMemError as error:
            return f"error: {error}"

    async def asearch_memory(query: str, config: RunnableConfig) -> str:
        return await asyncio.to_thread(search_memory, query, config)

    async def amanage_memory(
        action: Action,
        config: RunnableConfig,
        tool_call_id: Annotated[str, InjectedToolCallId],
        content: str = "",
        id: str = "",
    ) -> str:
        return await asyncio.to_thread(manage_memory, action, config, tool_call_id, content, id)

    return [
        StructuredTool.from_function(search_memory, asearch_memory, name="search_memory"),
        StructuredTool.from_function(manage_memory, amanage_memory, name="manage_memory"),
    ]


def _manage(memory: Memory, action: Action, content: str, id_: str, call: str) -> str:
    if action == "create":
        return f"created note {_note(memory, content, call)}"
    old = memory.get(id_)
    if not isinstance(old, Note):
        return f"error: {id_!r} is what someone said, not a note; it cannot be changed"
    if action == "update":
        new = _note(memory, content, call)
        memory.forget(ids=[id_])
        return f"updated: it is now note {new}"
    memory.forget(ids=[id_])
    return f"deleted note {id_}"


def _note(memory: Memory, content: str, call: str) -> str:
    """Write a note under an id made from the call, so that a retried call writes it once."""
    identity = sha256(f"{call}\0{content}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    try:
        return memory.note(content, id=identity)
    except DuplicateIdError:
        return identity
