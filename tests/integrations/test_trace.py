"""The trace of a recall in a run says how to do it again, and doing it again brings the same evidence."""

from __future__ import annotations

import asyncio
import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import MemoryState, recall_node, remember_node
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph

from agentmem import Memory
from agentmem.cli.app import main
from agentmem.clock import ManualClock

RUN = {"configurable": {"user_id": "O'Hara & sons", "thread_id": "t1"}}


@pytest.fixture
def told(memory: Memory, clock: ManualClock) -> dict[str, Any]:
    """What the trace of the second of two turns shows; the turn itself is remembered after it."""

    def model(_: MemoryState) -> dict[str, Any]:
        clock.advance(timedelta(minutes=1))
        return {"messages": [AIMessage("I wonder what your cat is called, too.")]}

    builder = StateGraph(MemoryState).add_node("model", model)
    builder.add_node("recall", recall_node(memory, budget_tokens=200, trace_content=True))
    builder.add_node("remember", remember_node(memory))
    builder.add_edge(START, "recall").add_edge("recall", "model").add_edge("model", "remember")
    graph = builder.compile()

    async def listen(text: str) -> list[Any]:
        stream = graph.astream_events({"messages": [("user", text)]}, RUN, version="v2")
        return [event async for event in stream]

    asyncio.run(listen("My cat is called Mittens."))
    events = asyncio.run(listen("What is my cat called?"))
    (found,) = [e for e in events if e["name"] == "agentmem.recall" and e["event"] == "on_chain_end"]
    metadata: dict[str, Any] = found["metadata"]["agentmem"]
    return metadata


def test_the_command_in_a_trace_brings_the_same_text_again_whatever_was_remembered_since(
    told: dict[str, Any], database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTMEM_URL", f"sqlite:///{database}")
    program, *arguments = shlex.split(told["repeat"])

    code = main([arguments[0], "--json", *arguments[1:]])
    again = json.loads(capsys.readouterr().out)

    assert (program, code) == ("agentmem", 0)
    assert told["query"] == "What is my cat called?"
    assert again["text"] == told["text"]
    # scores are relative to all that is there now
    assert [item["id"] for item in again["items"]] == [item["id"] for item in told["items"]]
    assert (again["trace"]["gate"], again["trace"]["tokens"]) == (told["gate"], told["tokens"])


def test_without_content_the_command_leaves_the_question_out(memory: Memory) -> None:
    node = recall_node(memory)
    memory.namespace("mem", "alice").remember("My cat is called Mittens.")
    graph = StateGraph(MemoryState).add_node("recall", node).add_edge(START, "recall").compile()

    async def listen() -> list[Any]:
        run = {"configurable": {"user_id": "alice"}}
        stream = graph.astream_events({"messages": [("user", "My cat?")]}, run, version="v2")
        return [event["metadata"]["agentmem"] async for event in stream if event["name"] == "agentmem.recall"]

    told = asyncio.run(listen())[0]

    assert told["repeat"] == (
        "agentmem recall --explain -n mem -n alice -b 1000 --at 2023-05-08T12:00:00+00:00 -- QUESTION"
    )
