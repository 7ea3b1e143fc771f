"""What the LangGraph nodes add to the SDK: the same graph with them, and with plain functions that call the SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from corpus import ReadyEmbedder, make
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from measure import Row, processor_seconds, seconds, spread

from agentmem import Memory
from agentmem.registry import load

_EVENTS = 5_000
_TURNS = 200
_TARGET = "overhead p50 ≤ 2 ms"


class State(MessagesState, total=False):
    """Messages, and what was recalled."""

    memory: str


def rows(folder: Path) -> Iterator[Row]:
    """One question and its answer, recalled and remembered, turn by turn in both graphs."""
    corpus = make(_EVENTS, questions=_TURNS)
    with Memory(folder / "nodes.db", embedder=ReadyEmbedder(corpus)) as memory:
        user = memory.namespace("mem", "alice")
        user.remember(corpus.messages)
        answer = str(corpus.messages[0]["content"])
        graphs = {
            "nodes": _with_nodes(memory, answer),
            "SDK in plain functions": _with_functions(user, answer),
        }
        taken: dict[str, list[float]] = {name: [] for name in graphs}
        computed: dict[str, list[float]] = {name: [] for name in graphs}
        for n, question in enumerate(corpus.questions):
            # in turns, since whoever asks a question first finds less of it in the processor's caches
            for name, graph in list(graphs.items())[:: 1 if n % 2 else -1]:
                run = {"configurable": {"user_id": "alice", "thread_id": f"{name} {n}"}}
                given = {"messages": [("user", question)]}

                def turn(graph: Any = graph, given: Any = given, run: Any = run) -> None:
                    graph.invoke(given, run)

                def clocked(name: str = name, turn: Callable[[], None] = turn) -> None:
                    taken[name].append(seconds(turn))

                computed[name].append(processor_seconds(clocked))
    what = f"recall and remember in a graph, {_EVENTS:,} events"
    for name, samples in taken.items():
        yield Row(what, name, spread(samples))
    for name, pairs in ("nodes over SDK, paired", taken), ("nodes over SDK, paired, processor", computed):
        added = np.median(np.subtract(*(np.array(samples) for samples in pairs.values()))) * 1e3
        yield Row(what, name, f"p50 {added:.2f} ms", _TARGET)


def _with_nodes(memory: Memory, answer: str) -> Any:
    recall, remember = load("integrations", "langgraph-recall"), load("integrations", "langgraph-remember")
    return _graph(recall(memory), remember(memory), answer)


def _with_functions(memory: Memory, answer: str) -> Any:
    def recall(state: Any) -> dict[str, Any]:
        return {"memory": memory.recall(state["messages"][-1].content).text}

    def remember(state: Any, config: RunnableConfig) -> dict[str, Any]:
        said = [
            {"role": message.type, "content": message.content, "id": f"{message.id}"}
            for message in state["messages"]
        ]
        memory.remember(said, session=config["configurable"]["thread_id"])
        return {}

    return _graph(recall, remember, answer)


def _graph(recall: Callable[..., Any], remember: Callable[..., Any], answer: str) -> Any:
    builder = StateGraph(State).add_node("recall", recall).add_node("remember", remember)
    builder.add_node("model", lambda _: {"messages": [AIMessage(answer)]})
    builder.add_edge(START, "recall").add_edge("recall", "model").add_edge("model", "remember")
    return builder.compile()
