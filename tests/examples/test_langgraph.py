"""The LangGraph examples run: with scripted models always, with a real one where `AGENTMEM_CHAT_MODEL` names it."""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from integrations.chat import RuleChat, scripted
from langchain_core.messages import AIMessage
from langgraph.store.base import PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import PostgresStore
from postgres_server import Server, name_of

from agentmem import Memory

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = {"configurable": {"user_id": "me", "thread_id": "t1"}}
LATER = {"configurable": {"user_id": "me", "thread_id": "t2"}}

pytestmark = pytest.mark.filterwarnings("ignore::agentmem.embed.choose.HashEmbedderWarning")


def example(name: str) -> Any:
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def real_model() -> Any:
    name = os.environ.get("AGENTMEM_CHAT_MODEL")
    if not name:
        pytest.skip("no chat model is configured; set AGENTMEM_CHAT_MODEL to try the example with a real one")
    from langchain.chat_models import init_chat_model

    return init_chat_model(name)


def test_the_chat_remembers_across_restarts(tmp_path: Path) -> None:
    chat, place = example("langgraph_chat"), f"sqlite:///{tmp_path / 'chat.db'}"
    chat.answer("My cat is called Mittens.", scripted("Lovely!"), place)
    model = RuleChat(rule=lambda messages: "Mittens" if "Mittens" in messages[0].content else "I do not know")

    assert chat.answer("What is my cat called?", model, place) == "Mittens"
    assert chat.answer("What is my cat called?", model, place, user="another") == "I do not know"


def test_the_chat_remembers_across_restarts_with_a_real_model(real_model: Any, tmp_path: Path) -> None:
    chat, place = example("langgraph_chat"), f"sqlite:///{tmp_path / 'chat.db'}"
    chat.answer("My cat is called Mittens.", real_model, place)

    assert "Mittens" in chat.answer("What is my cat called?", real_model, place)


def test_the_chat_takes_fifteen_lines_of_memory_at_most() -> None:
    source = (EXAMPLES / "langgraph_chat.py").read_text(encoding="utf-8")

    assert sum("memory" in line.lower() for line in source.split('"""')[2].splitlines()) <= 15


def test_a_team_shares_what_was_said_and_the_planner_alone_sees_its_notes(memory: Memory) -> None:
    model = RuleChat(rule=lambda messages: "night train" if "plan." in messages[0].content else "Bon voyage!")
    team = example("langgraph_team").build(memory, model)
    team.invoke({"messages": [("user", "I go to Bergen by train only.")]}, RUN)

    team.invoke(
        {"messages": [("user", "How do I go to Bergen?")]},
        LATER,
    )

    planner, writer = model.shown[-2:]
    assert sum("planner: night train" in text for text in planner) > sum(
        "planner: night train" in t for t in writer
    )
    assert any("user: I go to Bergen by train only." in text for text in writer)


def test_the_team_plans_and_writes_with_a_real_model(real_model: Any, memory: Memory) -> None:
    team = example("langgraph_team").build(memory, real_model)
    team.invoke({"messages": [("user", "I go to Bergen by train only.")]}, RUN)

    said = team.invoke({"messages": [("user", "How will I go to Bergen?")]}, LATER)["messages"]

    assert [message.name for message in said[-2:]] == ["planner", "writer"]
    assert "train" in said[-1].text.lower()


def test_the_agent_writes_a_note_and_is_shown_it_in_another_thread(memory: Memory) -> None:
    arguments = {"action": "create", "content": "The user is vegetarian."}
    call = AIMessage("", tool_calls=[{"name": "manage_memory", "args": arguments, "id": "c1"}])
    model = scripted(call, "Noted.", "Try the tofu.")
    agent = example("langgraph_agent").build(memory, model)
    agent.invoke({"messages": [("user", "I am vegetarian; remember that.")]}, RUN)

    agent.invoke({"messages": [("user", "Am I vegetarian?")]}, LATER)

    assert any("- The user is vegetarian." in text for text in model.shown[-1])


def test_the_agent_answers_with_a_real_model(real_model: Any, memory: Memory) -> None:
    agent = example("langgraph_agent").build(memory, real_model)
    agent.invoke({"messages": [("user", "I am vegetarian; remember that.")]}, RUN)

    state = agent.invoke(
        {"messages": [("user", "What do you know of my diet?")]},
        LATER,
    )

    assert "vegetarian" in state["messages"][-1].text.lower()


def test_langmems_memories_are_moved_and_found_by_recall(tmp_path: Path) -> None:
    migrate, place = example("langgraph_migrate"), f"sqlite:///{tmp_path / 'agent.db'}"
    old = InMemoryStore()
    old.put(("memories", "alice"), "m1", {"kind": "Memory", "content": {"content": "Alice is vegetarian"}})
    old.put(("memories", "alice"), "m2", {"content": "Alice lives in Bergen"})
    old.put(("files",), "a.txt", {"content": "x"})

    moved = migrate.move(old, place)
    with AgentMemStore(place) as new, Memory(place, embedder="hash") as memory:
        noted = migrate.to_memory(new, memory, "alice"), migrate.to_memory(new, memory, "alice")

        recalled = memory.namespace("mem", "alice").recall("Where does Alice live?").text

    assert (moved, noted) == (3, (2, 0))
    assert "Alice lives in Bergen" in recalled


def test_a_postgres_store_is_moved_whole(postgres: Server, postgres_url: str) -> None:
    migrate = example("langgraph_migrate")
    conninfo = f"host={postgres.folder} dbname={name_of(postgres_url)} user=postgres"
    with PostgresStore.from_conn_string(conninfo) as old:
        old.setup()
        # put at one time, so that nothing tells in which order they are paged
        old.batch([PutOp(("users", "u"), str(n), {"n": n}) for n in range(1_000)])

        moved = migrate.move(old, postgres_url)

    with AgentMemStore(postgres_url) as new:
        assert moved == 1_000
        assert sorted(item.value["n"] for item in new.search((), limit=2_000)) == list(range(1_000))
