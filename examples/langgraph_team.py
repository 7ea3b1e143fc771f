"""Two agents of one graph: they share what the user said, and the planner keeps notes no one else sees.

python examples/langgraph_team.py "Plan my trip to Bergen. I travel by train only."
"""

from __future__ import annotations

import os
import sys
from typing import Any

from agentmem.integrations.langgraph import MemoryState, recall_node, remember_node, with_memory
from langchain.chat_models import init_chat_model
from langchain_core.messages import SystemMessage
from langgraph.graph import START, StateGraph

from agentmem import Memory

SHARED = ("team", "{user_id}")
PLANNER = ("team", "{user_id}", "planner")


class TeamState(MemoryState, total=False):
    """Beside the shared memory, what the planner alone knows."""

    notes: str


def build(memory: Memory, model: Any) -> Any:
    """recall both → planner (sees both) → writer (sees what is shared) → remember both."""

    def planner(state: TeamState) -> dict[str, Any]:
        shown = with_memory(with_memory(state["messages"], state["notes"]), state["memory"])
        reply = model.invoke([SystemMessage("You plan. Answer with a plan."), *shown])
        return {"messages": [reply.model_copy(update={"name": "planner"})]}

    def writer(state: TeamState) -> dict[str, Any]:
        shown = with_memory(state["messages"], state["memory"])
        reply = model.invoke([SystemMessage("You write. Answer the user, following the plan."), *shown])
        return {"messages": [reply.model_copy(update={"name": "writer"})]}

    builder = StateGraph(TeamState)
    builder.add_node("recall_shared", recall_node(memory, namespace=SHARED))
    builder.add_node("recall_notes", recall_node(memory, namespace=PLANNER, into="notes"))
    builder.add_node("planner", planner)
    builder.add_node("keep_plan", remember_node(memory, namespace=PLANNER))
    builder.add_node("writer", writer)
    builder.add_node("remember", remember_node(memory, namespace=SHARED))
    for start, end in (
        (START, "recall_shared"),
        ("recall_shared", "recall_notes"),
        ("recall_notes", "planner"),
        ("planner", "keep_plan"),
        ("keep_plan", "writer"),
        ("writer", "remember"),
    ):
        builder.add_edge(start, end)
    return builder.compile()


if __name__ == "__main__":
    name = os.environ.get("AGENTMEM_CHAT_MODEL") or sys.exit("set AGENTMEM_CHAT_MODEL: docs/langgraph.md")
    with Memory("sqlite:///team.db") as opened:
        graph = build(opened, init_chat_model(name))
        run = {"configurable": {"user_id": "me", "thread_id": "trip"}}
        for message in graph.invoke({"messages": [("user", " ".join(sys.argv[1:]))]}, run)["messages"]:
            message.pretty_print()
