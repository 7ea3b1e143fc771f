"""A thread that never ends, on a context that does not grow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agentmem.integrations.langgraph import MemoryState, recall_node, with_memory
from integrations.chat import RuleChat
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph

from agentmem import Memory

TURNS = 2_000
CITIES = ("Bergen", "Kyoto", "Lima", "Oslo", "Quito", "Turin", "Vienna")
THREAD = {"configurable": {"user_id": "alice", "thread_id": "forever"}}


def asks(state: MemoryState) -> bool:
    return str(state["messages"][-1].content).endswith("?")


def endless(memory: Memory, model: RuleChat, saver: Any) -> Any:
    """A graph that keeps some 400 tokens of its thread, and recalls where it is asked something."""
    node = recall_node(memory, keep_tokens=400, budget_tokens=300, when=asks)

    def call(state: MemoryState) -> dict[str, Any]:
        return {"messages": [model.invoke(with_memory(state["messages"], state["memory"]))]}

    builder = StateGraph(MemoryState).add_node("recall", node).add_node("model", call)
    return builder.add_edge(START, "recall").add_edge("recall", "model").compile(checkpointer=saver)


def trip(n: int) -> dict[str, Any]:
    return {"messages": [("user", f"On trip {n} I met guest number {n * 31} in {CITIES[n % 7]}.")]}


QUESTION = {"messages": [("user", "Whom did I meet on trip 17?")]}


def test_after_two_thousand_turns_the_seventeenth_is_recalled_and_the_context_is_as_short_as_ever(
    database: Path,
) -> None:
    model = RuleChat(rule=lambda messages: f"Noted, {len(messages)} messages.")
    with Memory(database, embedder="hash-64") as memory:
        graph = endless(memory, model, InMemorySaver())
        for n in range(TURNS):
            graph.invoke(trip(n), THREAD, durability="exit")
        state = graph.invoke(QUESTION, THREAD)

    assert "On trip 17 I met guest number 527 in Oslo." in model.shown[-1][-2]
    assert max(len(shown) for shown in model.shown) <= 40
    assert len(state["messages"]) <= 40


def test_an_asynchronous_thread_on_disk_goes_on_after_a_restart_and_remembers_what_it_dropped_before(
    database: Path, tmp_path: Path
) -> None:
    model = RuleChat(rule=lambda messages: f"Noted, {len(messages)} messages.")

    async def run(turns: range, last: dict[str, Any]) -> int:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
            with Memory(database, embedder="hash-64") as memory:
                graph = endless(memory, model, saver)
                for n in turns:
                    await graph.ainvoke(trip(n), THREAD, durability="exit")
                return len((await graph.ainvoke(last, THREAD))["messages"])

    asyncio.run(run(range(60), trip(60)))

    left = asyncio.run(run(range(61, 120), QUESTION))

    assert "On trip 17 I met guest number 527 in Oslo." in model.shown[-1][-2]
    assert left <= 40
