"""Moves what a project has in LangGraph's `InMemoryStore`, `PostgresStore` or langmem over to agentmem.

    python examples/langgraph_migrate.py postgresql://localhost/app sqlite:///agent.db

langmem keeps its memories in a LangGraph store, so moving the store moves them, and langmem goes on working on the
new one. `to_memory` also makes notes of them, so that `recall_node` and the middleware find them.
"""

from __future__ import annotations

import sys

from agentmem.integrations.langgraph import AgentMemStore, copy_items
from langgraph.store.base import BaseStore

from agentmem import Memory
from agentmem.errors import DuplicateIdError

_ALL = 10**9


def move(old: BaseStore, place: str) -> int:
    """Copy every item; it can be interrupted and run again."""
    with AgentMemStore(place) as new:
        return copy_items(old, new)


def to_memory(store: BaseStore, memory: Memory, user: str) -> int:
    """Write langmem's memories of a user as notes under `("mem", user)`; a second time changes nothing."""
    notes = memory.namespace("mem", user)
    written = 0
    for item in store.search(("memories", user), limit=_ALL):
        content = item.value.get("content", item.value)
        text = content if isinstance(content, str) else content.get("content") or str(content)
        try:
            notes.note(text, id=item.key, valid_from=item.created_at)
        except DuplicateIdError:
            continue
        written += 1
    return written


if __name__ == "__main__":
    from langgraph.store.postgres import PostgresStore

    with PostgresStore.from_conn_string(sys.argv[1]) as source:
        print(move(source, sys.argv[2]), "items moved")
