"""Memory beside the checkpointers people use, on the database they use: restarts, replays and forks in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from agentmem.integrations.langgraph import MemoryState, recall_node, remember_node, with_memory
from integrations.chat import RuleChat
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from postgres_server import Server, name_of

from agentmem import Memory

ALICE = {"user_id": "alice", "thread_id": "t1"}


class Place(NamedTuple):
    """Where the memory is, and what opens a checkpointer on the same kind of database; each opening is a restart."""

    memory: str
    checkpointer: Callable[[], AbstractAsyncContextManager[Any]]


@pytest.fixture(params=["sqlite", "postgresql"])
def base(request: pytest.FixtureRequest) -> tuple[str, Any, Any, str]:
    if request.param == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{folder / 'agent.db'}", SqliteSaver, AsyncSqliteSaver, str(folder / "threads.db")
    url: str = request.getfixturevalue("postgres_url")
    server: Server = request.getfixturevalue("postgres")
    return (
        url,
        PostgresSaver,
        AsyncPostgresSaver,
        f"host={server.folder} dbname={name_of(url)} user=postgres",
    )


@pytest.fixture(params=["sync", "async"])
def place(request: pytest.FixtureRequest, base: tuple[str, Any, Any, str]) -> Place:
    url, sync, asynchronous, conninfo = base

    @asynccontextmanager
    async def blocking() -> AsyncIterator[Any]:
        with sync.from_conn_string(conninfo) as saver:
            saver.setup()
            yield saver

    @asynccontextmanager
    async def awaited() -> AsyncIterator[Any]:
        async with asynchronous.from_conn_string(conninfo) as saver:
            await saver.setup()
            yield saver

    return Place(url, blocking if request.param == "sync" else awaited)


class Chat:
    """A graph that was just started, with what its model was shown."""

    def __init__(self, memory: Memory, saver: Any) -> None:
        self.model = RuleChat(rule=lambda messages: f"Re: {messages[-1].content}")
        self._awaits = isinstance(saver, AsyncSqliteSaver | AsyncPostgresSaver)

        def call(state: MemoryState) -> dict[str, Any]:
            return {"messages": [self.model.invoke(with_memory(state["messages"], state["memory"]))]}

        builder = StateGraph(MemoryState).add_node("recall", recall_node(memory)).add_node("model", call)
        builder.add_node("remember", remember_node(memory))
        builder.add_edge(START, "recall").add_edge("recall", "model").add_edge("model", "remember")
        self.graph = builder.compile(checkpointer=saver)

    async def say(self, text: str | None, configurable: dict[str, Any]) -> None:
        given = None if text is None else {"messages": [("user", text)]}
        if self._awaits:
            await self.graph.ainvoke(given, {"configurable": configurable})
        else:
            self.graph.invoke(given, {"configurable": configurable})

    async def before(self, node: str) -> dict[str, Any]:
        """The configuration of the newest checkpoint from which this node is next."""
        if self._awaits:
            history = [s async for s in self.graph.aget_state_history({"configurable": ALICE})]
        else:
            history = list(self.graph.get_state_history({"configurable": ALICE}))
        found = next(snapshot for snapshot in history if snapshot.next == (node,))
        return {**found.config["configurable"], "user_id": "alice"}


@asynccontextmanager
async def started(place: Place) -> AsyncIterator[tuple[Chat, Memory]]:
    """A process's whole life: the memory and the checkpointer are opened, and closed at its end."""
    with Memory(place.memory, embedder="hash-64") as memory:
        async with place.checkpointer() as saver:
            yield Chat(memory, saver), memory.namespace("mem", "alice")


def run(story: Any) -> Any:
    return asyncio.run(asyncio.wait_for(story, 120))


def test_the_thread_and_the_memory_survive_a_restart_each_in_its_own_way(place: Place) -> None:
    async def story() -> list[list[str]]:
        async with started(place) as (chat, _):
            await chat.say("My cat is called Mittens.", ALICE)
        async with started(place) as (chat, _):
            await chat.say("What is my cat called?", ALICE)
            await chat.say("What is my cat called?", {**ALICE, "thread_id": "t2"})
            return chat.model.shown

    in_thread, elsewhere = run(story())

    assert in_thread[0] == "My cat is called Mittens."
    assert in_thread[-1] == "What is my cat called?"
    assert "user: My cat is called Mittens." in elsewhere[0]
    assert elsewhere[1:] == ["What is my cat called?"]


def test_a_replay_after_a_restart_writes_nothing_twice(place: Place) -> None:
    async def story() -> list[str]:
        async with started(place) as (chat, _):
            await chat.say("one", ALICE)
        async with started(place) as (chat, alices):
            await chat.say(None, await chat.before("model"))
            await chat.say(None, await chat.before("remember"))
            return [event.content for event in alices.events()]

    assert run(story()) == ["one", "Re: one"]


def test_a_fork_in_time_writes_only_what_is_new(place: Place) -> None:
    async def story() -> list[str]:
        async with started(place) as (chat, _):
            await chat.say("one", ALICE)
        async with started(place) as (chat, alices):
            fork = await chat.before("remember")
            await chat.say("two", ALICE)
            await chat.say(None, fork)
            await chat.say("three", ALICE)
            return [event.content for event in alices.events()]

    assert run(story()) == ["one", "Re: one", "two", "Re: two", "three", "Re: three"]
