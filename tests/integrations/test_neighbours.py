"""What others built on `BaseStore` works on ours as it is: deepagents, langmem, and graphs with a checkpointer."""

from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import (
    AgentMemStore,
    MemoryState,
    copy_items,
    recall_node,
    remember_node,
    with_memory,
)
from deepagents.backends import StoreBackend
from integrations.chat import RuleChat, scripted
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import ListNamespacesOp, Op, Result, SearchOp
from langgraph.store.memory import InMemoryStore

from agentmem import Memory

with warnings.catch_warnings():
    # langmem's own imports are not ours to mend
    warnings.simplefilter("ignore")
    from langmem import create_manage_memory_tool, create_memory_store_manager, create_search_memory_tool

ALICE = {"configurable": {"langgraph_user_id": "alice", "user_id": "alice", "thread_id": "t1"}}


@pytest.fixture
def items(database: Path) -> Any:
    with AgentMemStore(database, index={"embed": "hash-64"}) as store:
        yield store


def test_deepagents_keeps_its_files_in_it(items: AgentMemStore) -> None:
    files = StoreBackend(store=items, namespace=lambda _: ("files", "alice"))
    files.write("/notes/todo.md", "buy milk\nbuy tofu\n")

    files.edit("/notes/todo.md", "milk", "oat milk")

    assert "buy oat milk" in files.read("/notes/todo.md").file_data["content"]
    assert [found["path"] for found in files.glob("**/*.md", "/").matches] == ["/notes/todo.md"]
    assert [found["line"] for found in files.grep("tofu").matches] == [2]
    assert [item.key for item in items.search(("files",))] == ["/notes/todo.md"]


def test_deepagents_pages_through_more_files_than_a_page(items: AgentMemStore) -> None:
    files = StoreBackend(store=items, namespace=lambda _: ("files", "alice"))
    for n in range(130):
        files.write(f"/{n:03}.txt", str(n))

    assert len(files.ls("/").entries) == 130


def test_deepagents_awaits_it(items: AgentMemStore) -> None:
    files = StoreBackend(store=items, namespace=lambda _: ("files", "alice"))

    async def use() -> Any:
        await files.awrite("/a.txt", "one")
        await files.aedit("/a.txt", "one", "two")
        return await files.aread("/a.txt")

    assert asyncio.run(use()).file_data["content"] == "two"


def test_langmems_tools_write_find_change_and_delete_in_it(items: AgentMemStore) -> None:
    manage = create_manage_memory_tool(namespace=("memories", "{langgraph_user_id}"), store=items)
    search = create_search_memory_tool(namespace=("memories", "{langgraph_user_id}"), store=items)
    manage.invoke({"action": "create", "content": "Alice is vegetarian"}, ALICE)
    (item,) = items.search(("memories", "alice"))

    manage.invoke({"action": "update", "id": item.key, "content": "Alice is vegan"}, ALICE)
    found = search.invoke({"query": "vegan"}, ALICE)
    manage.invoke({"action": "delete", "id": item.key}, ALICE)

    assert "Alice is vegan" in found
    assert items.search(("memories",)) == []


def test_langmems_manager_extracts_memories_into_it(items: AgentMemStore) -> None:
    model = scripted(
        AIMessage(
            "", tool_calls=[{"name": "Memory", "args": {"content": "Alice is vegetarian"}, "id": "c1"}]
        ),
        "Done.",
    )
    manager = create_memory_store_manager(
        model, namespace=("memories", "{langgraph_user_id}"), store=items, query_limit=3
    )

    manager.invoke({"messages": [HumanMessage("I eat no meat.")]}, config=ALICE)

    assert [item.value["content"]["content"] for item in items.search(("memories", "alice"))] == [
        "Alice is vegetarian"
    ]


def test_a_graph_compiled_with_it_hands_it_to_its_nodes(items: AgentMemStore) -> None:
    def note(state: MessagesState) -> dict[str, Any]:
        get_store().put(("users", "alice"), "last", {"text": state["messages"][-1].content})
        return {}

    graph = StateGraph(MessagesState).add_node("note", note).add_edge(START, "note").compile(store=items)

    graph.invoke({"messages": [HumanMessage("Hi")]})

    assert items.get(("users", "alice"), "last").value == {"text": "Hi"}


def test_memory_and_a_sqlite_checkpointer_both_survive_a_restart(tmp_path: Path, database: Path) -> None:
    def turn(text: str, thread: str) -> list[str]:
        model = RuleChat(rule=lambda _: "Noted.")
        checkpoints = sqlite3.connect(tmp_path / "checkpoints.db", check_same_thread=False)
        with Memory(database, embedder="hash") as memory:

            def call(state: MemoryState) -> dict[str, Any]:
                return {"messages": [model.invoke(with_memory(state["messages"], state["memory"]))]}

            builder = StateGraph(MemoryState).add_node("recall", recall_node(memory)).add_node("model", call)
            builder.add_node("remember", remember_node(memory))
            builder.add_edge(START, "recall").add_edge("recall", "model").add_edge("model", "remember")
            graph = builder.compile(checkpointer=SqliteSaver(checkpoints))
            graph.invoke(
                {"messages": [("user", text)]}, {"configurable": {"user_id": "alice", "thread_id": thread}}
            )
        checkpoints.close()
        return model.shown[0]

    turn("My cat is called Mittens.", "t1")
    again = turn("What is my cat called?", "t1")
    elsewhere = turn("What is my cat called?", "t2")

    assert again[0] == "My cat is called Mittens."
    assert again[-1] == "What is my cat called?"
    assert "user: My cat is called Mittens." in elsewhere[0]


def test_agents_share_what_they_name_alike_and_keep_apart_the_rest(memory: Memory) -> None:
    def remember(namespace: tuple[str, ...], text: str) -> None:
        builder = StateGraph(MemoryState).add_node("remember", remember_node(memory, namespace=namespace))
        builder.add_edge(START, "remember").compile().invoke({"messages": [HumanMessage(text)]}, ALICE)

    def recall(namespace: tuple[str, ...]) -> str:
        builder = StateGraph(MemoryState).add_node("recall", recall_node(memory, namespace=namespace))
        graph = builder.add_edge(START, "recall").compile()
        return str(graph.invoke({"messages": [HumanMessage("Which parcel?")]}, ALICE)["memory"])

    remember(("mem", "{user_id}"), "The parcel is for Bob.")
    remember(("mem", "{user_id}", "planner"), "The parcel goes by boat.")

    assert "for Bob" in recall(("mem", "{user_id}"))
    assert "by boat" not in recall(("mem", "{user_id}"))
    assert "by boat" in recall(("mem", "{user_id}", "planner"))
    assert "for Bob" not in recall(("mem", "{user_id}", "planner"))


def test_every_item_of_another_store_is_copied_and_copying_again_adds_nothing(items: AgentMemStore) -> None:
    old = InMemoryStore()
    for n in range(450):
        old.put(("users", f"u{n % 3}"), str(n), {"n": n})
    old.put(("users",), "above", {"n": -1})

    assert copy_items(old, items) == 451
    assert copy_items(old, items, ("users", "u1")) == 150

    assert sorted(item.value["n"] for item in items.search((), limit=1_000)) == [-1, *range(450)]


class Capped(InMemoryStore):
    """A store that never gives more than a hundred items or namespaces at once."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        asked = (SearchOp, ListNamespacesOp)
        capped = [op._replace(limit=min(op.limit, 100)) if isinstance(op, asked) else op for op in ops]
        return super().batch(capped)


def test_a_store_that_gives_few_items_at_once_is_copied_whole(items: AgentMemStore) -> None:
    old = Capped()
    for n in range(250):
        old.put(("users",), str(n), {"n": n})
        old.put((f"user {n}",), "alone", {"n": -1})

    assert copy_items(old, items) == 500
    assert sorted(item.value["n"] for item in items.search(("users",), limit=1_000)) == list(range(250))
