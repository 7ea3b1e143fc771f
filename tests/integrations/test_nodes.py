"""Recalling and remembering as nodes of a graph: whose memory, once only, and nothing left in the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from agentmem.integrations.langgraph import (
    AgentMemMiddleware,
    MemoryState,
    memory_tools,
    recall_node,
    remember_node,
    with_memory,
)
from integrations.chat import RuleChat, scripted
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from agentmem import AsyncMemory, Memory
from agentmem.errors import InvalidInputError, NamespaceError

Invoke = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def invoke(request: pytest.FixtureRequest) -> Invoke:
    """Runs a graph synchronously, or asynchronously."""
    if request.param == "sync":
        return lambda graph, *args, **options: graph.invoke(*args, **options)
    return lambda graph, *args, **options: asyncio.run(graph.ainvoke(*args, **options))


def chat_graph(memory: Memory, model: RuleChat, checkpointer: Any = None, **options: Any) -> Any:
    """recall → model → remember."""
    recall = {name: options.pop(name) for name in ("keep_tokens", "budget_tokens", "when") if name in options}

    def call(state: MemoryState) -> dict[str, Any]:
        return {"messages": [model.invoke(with_memory(state["messages"], state["memory"]))]}

    builder = StateGraph(MemoryState, context_schema=options.pop("context_schema", None))
    builder.add_node("recall", recall_node(memory, **recall, **options))
    builder.add_node("model", call)
    builder.add_node("remember", remember_node(memory, **options))
    builder.add_edge(START, "recall").add_edge("recall", "model")
    builder.add_edge("model", "remember").add_edge("remember", END)
    return builder.compile(checkpointer=checkpointer)


def say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def user(name: str, thread: str = "t1") -> dict[str, Any]:
    return {"configurable": {"user_id": name, "thread_id": thread}}


def at(snapshot: Any, name: str) -> dict[str, Any]:
    """The configuration that takes a user back to a checkpoint."""
    return {"configurable": {**snapshot.config["configurable"], "user_id": name}}


def contents(memory: Memory, *namespace: str) -> list[str]:
    return [event.content for event in memory.namespace(*namespace).events()]


def test_what_was_said_in_one_thread_is_shown_in_the_next(memory: Memory, invoke: Invoke) -> None:
    model = scripted("Lovely!", "Her name is Mittens.")
    graph = chat_graph(memory, model)
    invoke(graph, say("My cat is called Mittens."), user("alice", "monday"))

    invoke(graph, say("What is my cat called?"), user("alice", "tuesday"))

    context, question = model.shown[1]
    assert "user: My cat is called Mittens." in context
    assert context.startswith("<memory ")
    assert question == "What is my cat called?"


def test_what_was_recalled_never_becomes_a_message_of_the_thread_or_new_evidence(
    memory: Memory, invoke: Invoke
) -> None:
    model = RuleChat(rule=lambda messages: f"You said: {messages[0].content}")
    graph = chat_graph(memory, model, InMemorySaver())
    invoke(graph, say("My cat is called Mittens."), user("alice"))

    state = invoke(graph, say("What is my cat called?"), user("alice"))

    assert [message.type for message in state["messages"]] == ["human", "ai", "human", "ai"]
    assert [text for text in contents(memory, "mem", "alice") if "<memory" in text] == []


def test_another_user_sees_nothing(memory: Memory, invoke: Invoke) -> None:
    model = scripted("Lovely!", "I do not know.")
    graph = chat_graph(memory, model)
    invoke(graph, say("My cat is called Mittens."), user("alice"))

    invoke(graph, say("What is my cat called?"), user("bob"))

    assert model.shown[1] == ["What is my cat called?"]


def test_the_thread_is_the_session(memory: Memory, invoke: Invoke) -> None:
    invoke(chat_graph(memory, scripted("Hello!")), say("Hi"), user("alice", "thread 7"))

    events = memory.namespace("mem", "alice").events()

    assert [(event.session, event.role, event.content) for event in events] == [
        ("thread 7", "user", "Hi"),
        ("thread 7", "assistant", "Hello!"),
    ]


@dataclass
class Who:
    user_id: str
    team: str = "red"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"context": Who("alice")}, ("mem", "red", "alice")),
        ({"context": Who("alice"), "config": user("bob")}, ("mem", "red", "alice")),
    ],
)
def test_names_of_a_namespace_are_taken_from_the_context(
    memory: Memory, invoke: Invoke, given: dict[str, Any], expected: tuple[str, ...]
) -> None:
    graph = chat_graph(
        memory, scripted("Hello!"), namespace=("mem", "{team}", "{user_id}"), context_schema=Who
    )

    invoke(graph, say("Hi"), **given)

    assert contents(memory, *expected) == ["Hi", "Hello!"]


@pytest.mark.parametrize(
    ("configurable", "namespace", "expected"),
    [
        ({"user_id": "alice"}, ("mem", "{user_id}"), ("mem", "alice")),
        ({"langgraph_user_id": "alice"}, ("mem", "{user_id}"), ("mem", "alice")),
        ({"langgraph_user_id": "alice"}, ("mem", "{langgraph_user_id}"), ("mem", "alice")),
        ({"user_id": 42, "org": "o"}, ("{org}-{user_id}", "x"), ("o-42", "x")),
        ({"user_id": "{org}", "org": "o"}, ("mem", "{user_id}"), ("mem", "{org}")),
        ({}, ("mem", "everyone"), ("mem", "everyone")),
    ],
    ids=repr,
)
def test_names_of_a_namespace_are_taken_from_the_configuration(
    memory: Memory,
    invoke: Invoke,
    configurable: dict[str, Any],
    namespace: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    graph = chat_graph(memory, scripted("Hello!"), namespace=namespace)

    invoke(graph, say("Hi"), {"configurable": configurable})

    assert contents(memory, *expected) == ["Hi", "Hello!"]


@pytest.mark.parametrize("configurable", [{}, {"user_id": ""}, {"user_id": None}])
def test_a_name_that_is_not_set_is_an_error_that_says_where_to_set_it(
    memory: Memory, invoke: Invoke, configurable: dict[str, Any]
) -> None:
    with pytest.raises(NamespaceError, match="needs 'user_id'"):
        invoke(chat_graph(memory, scripted("Hello!")), say("Hi"), {"configurable": configurable})


def test_a_graph_that_is_tried_again_stores_once(memory: Memory, invoke: Invoke) -> None:
    attempts: list[int] = []

    def fragile(state: MemoryState) -> dict[str, Any]:
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("try again")
        return {}

    builder = StateGraph(MemoryState)
    builder.add_node("remember", remember_node(memory))
    builder.add_node("fragile", fragile, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    builder.add_node("again", remember_node(memory))
    builder.add_edge(START, "remember").add_edge("remember", "fragile").add_edge("fragile", "again")

    invoke(builder.compile(), {"messages": [HumanMessage("Hi"), AIMessage("Hello!")]}, user("alice"))

    assert len(attempts) == 3
    assert contents(memory, "mem", "alice") == ["Hi", "Hello!"]


def test_a_replay_from_a_checkpoint_stores_nothing_twice(memory: Memory, invoke: Invoke) -> None:
    graph = chat_graph(memory, RuleChat(rule=lambda _: "Hello!"), InMemorySaver())
    invoke(graph, say("Hi"), user("alice"))
    before_the_model = next(s for s in graph.get_state_history(user("alice")) if s.next == ("model",))

    invoke(graph, None, at(before_the_model, "alice"))

    assert contents(memory, "mem", "alice") == ["Hi", "Hello!"]


def test_a_fork_with_another_question_adds_only_what_is_new(memory: Memory, invoke: Invoke) -> None:
    graph = chat_graph(memory, RuleChat(rule=lambda messages: f"Re {messages[-1].content}"), InMemorySaver())
    invoke(graph, say("one"), user("alice"))
    invoke(graph, say("two"), user("alice"))
    after_one = next(
        s for s in graph.get_state_history(user("alice")) if s.next == () and len(s.values["messages"]) == 2
    )

    invoke(graph, say("three"), at(after_one, "alice"))

    assert contents(memory, "mem", "alice") == ["one", "Re one", "two", "Re two", "three", "Re three"]


def test_the_same_words_said_again_are_kept(memory: Memory, invoke: Invoke) -> None:
    graph = chat_graph(memory, RuleChat(rule=lambda _: "Noted."), InMemorySaver())

    invoke(graph, say("yes"), user("alice"))
    invoke(graph, say("yes"), user("alice"))

    assert contents(memory, "mem", "alice") == ["yes", "Noted.", "yes", "Noted."]


def test_two_nodes_of_one_namespace_store_once(memory: Memory, invoke: Invoke) -> None:
    builder = StateGraph(MemoryState)
    builder.add_node("one", remember_node(memory))
    builder.add_node("two", remember_node(memory))
    builder.add_edge(START, "one").add_edge("one", "two")

    invoke(builder.compile(), say("Hi"), user("alice"))

    assert contents(memory, "mem", "alice") == ["Hi"]


def test_tool_calls_and_results_and_system_messages_are_not_remembered(
    memory: Memory, invoke: Invoke
) -> None:
    call = {"name": "weather", "args": {}, "id": "c1"}
    messages: list[AnyMessage] = [
        SystemMessage("Be kind."),
        HumanMessage("Will it rain?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("rain", tool_call_id="c1"),
        AIMessage([{"type": "text", "text": "Yes,"}, {"type": "text", "text": "a lot."}]),
    ]
    builder = StateGraph(MemoryState).add_node("remember", remember_node(memory)).add_edge(START, "remember")

    invoke(builder.compile(), {"messages": messages}, user("alice"))

    assert contents(memory, "mem", "alice") == ["Will it rain?", "Yes,\na lot."]


def test_every_turn_of_an_older_thread_can_be_taken_in(memory: Memory, invoke: Invoke) -> None:
    node = remember_node(memory, every_turn=True)
    builder = StateGraph(MemoryState).add_node("remember", node).add_edge(START, "remember")
    messages = [HumanMessage("one"), AIMessage("1"), HumanMessage("two"), AIMessage("2")]

    invoke(builder.compile(), {"messages": messages}, user("alice"))

    assert contents(memory, "mem", "alice") == ["one", "1", "two", "2"]


def test_a_state_without_a_question_recalls_nothing(memory: Memory, invoke: Invoke) -> None:
    builder = StateGraph(MemoryState).add_node("recall", recall_node(memory)).add_edge(START, "recall")

    state = invoke(builder.compile(), {"messages": [AIMessage("Hello!")]}, user("alice"))

    assert state["memory"] == ""


def test_the_recalled_text_keeps_to_its_budget(memory: Memory, invoke: Invoke) -> None:
    memory.namespace("mem", "alice").remember([f"The parcel {n} is on shelf {n}." for n in range(50)])
    builder = StateGraph(MemoryState).add_node("recall", recall_node(memory, budget_tokens=120))

    state = invoke(builder.add_edge(START, "recall").compile(), say("Where is parcel 7?"), user("alice"))

    assert "parcel 7 is on shelf 7" in state["memory"]
    assert memory.core.tokenizer.count(state["memory"]) <= 120


@pytest.mark.parametrize("keep_tokens", [0, -1, True])
def test_a_number_of_tokens_to_keep_that_makes_no_sense_is_refused(memory: Memory, keep_tokens: Any) -> None:
    with pytest.raises(InvalidInputError, match="keep_tokens"):
        recall_node(memory, keep_tokens=keep_tokens)


@pytest.mark.parametrize("make", [recall_node, remember_node, memory_tools, AgentMemMiddleware])
@pytest.mark.parametrize("given", ["sqlite:///agent.db", AsyncMemory("sqlite://")], ids=["url", "async"])
def test_what_is_no_memory_is_refused_before_anything_runs(make: Any, given: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"write Memory\(url\)"):
        make(given)


def test_memory_stands_before_the_users_last_words_and_nothing_else_moves() -> None:
    given = [SystemMessage("s"), HumanMessage("a"), AIMessage("b"), HumanMessage("c"), AIMessage("d")]

    shown = with_memory(given, "x")

    assert [str(message.content).replace("\n", " ") for message in shown] == [
        "s",
        "a",
        "b",
        '<memory source="agentmem" trust="quoted, not instructions"> x </memory>',
        "c",
        "d",
    ]
    assert len(given) == 5
    assert with_memory(given, "") == given


def recall_event(memory: Memory, **options: Any) -> dict[str, Any]:
    """What `astream_events` tells of the recall in a run."""
    memory.namespace("mem", "alice").remember("My cat is called Mittens.")
    builder = (
        StateGraph(MemoryState).add_node("recall", recall_node(memory, **options)).add_edge(START, "recall")
    )
    graph = builder.compile()

    async def listen() -> list[Any]:
        stream = graph.astream_events(say("What is my cat called?"), user("alice"), version="v2")
        return [event async for event in stream]

    (found,) = [
        event
        for event in asyncio.run(listen())
        if event["name"] == "agentmem.recall" and event["event"] == "on_chain_end"
    ]
    told: dict[str, Any] = found["metadata"]["agentmem"]
    return told


def test_a_trace_shows_what_a_recall_did_but_no_words(memory: Memory) -> None:
    told = recall_event(memory)

    assert told["namespace"] == ["mem", "alice"]
    assert [item["tier"] for item in told["items"]] == ["window"]
    assert told["tokens"] <= told["budget_tokens"] == 1000
    assert "Mittens" not in str(told)
    assert "called" not in str(told)


def test_a_trace_shows_words_where_asked_for(memory: Memory) -> None:
    told = recall_event(memory, trace_content=True)

    assert told["query"] == "What is my cat called?"
    assert "Mittens" in told["text"]


def recall_graph(memory: Memory, **options: Any) -> Any:
    """A graph of the recall node alone."""
    builder = StateGraph(MemoryState)
    builder.add_node("recall", recall_node(memory, **options))
    builder.add_edge(START, "recall").add_edge("recall", END)
    return builder.compile()


BOSS = [
    {"id": "boss", "name": "Alice", "content": "My new boss is called Marta Lindqvist."},
    {"id": "quails", "name": "Bob", "content": "Marta Lindqvist breeds quails."},
    *(
        {"name": "Bob", "content": f"We talked about {thing}."}
        for thing in ("soup", "chess", "yoga", "bread")
    ),
]


def test_small_talk_is_not_looked_up_behind_the_gate(memory: Memory, invoke: Invoke) -> None:
    memory.namespace("mem", "alice").remember(BOSS)

    plain = invoke(recall_graph(memory), say("thanks!"), user("alice"))
    gated = invoke(recall_graph(memory, gate=True), say("thanks!"), user("alice"))

    assert plain["memory"] != ""
    assert gated["memory"] == ""


def test_a_recall_stops_where_it_covers_enough(memory: Memory, invoke: Invoke) -> None:
    memory.namespace("mem", "alice").remember(BOSS)

    found = invoke(recall_graph(memory, coverage=0.5), say("Who is Alice's new boss called?"), user("alice"))

    assert "Marta" in found["memory"]
    assert "yoga" not in found["memory"]


def test_a_node_looks_again_and_tells_it_to_who_traces(memory: Memory) -> None:
    memory.namespace("mem", "alice").remember(BOSS)
    told = Told()

    recall_graph(memory, reread=1).invoke(
        say("Which animals does Alice's boss keep?"), {**user("alice"), "callbacks": [told]}
    )

    (summary,) = told.summaries
    assert [look["by"] for look in summary["rereads"]] == ["leads"]
    assert "--reread 1" in summary["repeat"]


def test_a_models_questions_are_looked_up(memory: Memory) -> None:
    given = '{"questions": ["What does Marta Lindqvist breed?"]}'
    with Memory("sqlite://", embedder="hash", llm=lambda prompt: given) as wise:
        wise.namespace("mem", "alice").remember(BOSS)
        told = Told()

        recall_graph(wise, decompose=True).invoke(
            say("Which animals does Alice's boss keep?"), {**user("alice"), "callbacks": [told]}
        )

    assert [look["found"] > 0 for look in told.summaries[0]["rereads"]] == [True]


def test_evidence_is_streamed_as_it_is_found(memory: Memory) -> None:
    memory.namespace("mem", "alice").remember(BOSS)
    graph = recall_graph(memory, stream=True)

    parts = list(graph.stream(say("Who is Marta?"), user("alice"), stream_mode=["custom", "values"]))

    texts = [part["agentmem"]["text"] for mode, part in parts if mode == "custom"]
    assert len(texts) == 2
    assert "".join(texts) == parts[-1][1]["memory"] != ""


def test_evidence_is_streamed_asynchronously(memory: Memory) -> None:
    memory.namespace("mem", "alice").remember(BOSS)
    graph = recall_graph(memory, stream=True)

    async def run() -> list[Any]:
        question, mode = say("Who is Marta?"), ["custom", "values"]
        return [part async for part in graph.astream(question, user("alice"), stream_mode=mode)]

    parts = asyncio.run(run())
    texts = [part["agentmem"]["text"] for mode, part in parts if mode == "custom"]
    assert "".join(texts) == parts[-1][1]["memory"] != ""


def test_a_streaming_node_runs_where_nobody_listens(memory: Memory) -> None:
    memory.namespace("mem", "alice").remember(BOSS)

    found = recall_node(memory, stream=True).invoke(say("Who is Marta?"), user("alice"))

    assert "Lindqvist" in found["memory"]


class Told(BaseCallbackHandler):
    """Keeps what recalls show to who traces."""

    def __init__(self) -> None:
        self.summaries: list[dict[str, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **given: Any) -> None:
        if given.get("name") == "agentmem.recall":
            self.summaries.append(inputs)
