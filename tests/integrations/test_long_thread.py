"""A thread that never ends, on a context that does not grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentmem.integrations.langgraph import MemoryState, recall_node, with_memory
from integrations.chat import RuleChat
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from agentmem import Memory

TURNS = 2_000
CITIES = ("Bergen", "Kyoto", "Lima", "Oslo", "Quito", "Turin", "Vienna")
THREAD = {"configurable": {"user_id": "alice", "thread_id": "forever"}}


def asks(state: MemoryState) -> bool:
    return str(state["messages"][-1].content).endswith("?")


def test_after_two_thousand_turns_the_seventeenth_is_recalled_and_the_context_is_as_short_as_ever(
    database: Path,
) -> None:
    model = RuleChat(rule=lambda messages: f"Noted, {len(messages)} messages.")
    with Memory(database, embedder="hash-64") as memory:
        node = recall_node(memory, keep_tokens=400, budget_tokens=300, when=asks)

        def call(state: MemoryState) -> dict[str, Any]:
            return {"messages": [model.invoke(with_memory(state["messages"], state["memory"]))]}

        builder = StateGraph(MemoryState).add_node("recall", node).add_node("model", call)
        graph = (
            builder.add_edge(START, "recall")
            .add_edge("recall", "model")
            .compile(checkpointer=InMemorySaver())
        )
        for n in range(TURNS):
            said = f"On trip {n} I met guest number {n * 31} in {CITIES[n % 7]}."
            graph.invoke({"messages": [("user", said)]}, THREAD, durability="exit")
        state = graph.invoke({"messages": [("user", "Whom did I meet on trip 17?")]}, THREAD)

    assert "On trip 17 I met guest number 527 in Oslo." in model.shown[-1][-2]
    assert max(len(shown) for shown in model.shown) <= 40
    assert len(state["messages"]) <= 40
