"""`recall_node` and `remember_node`: memory as two nodes of any graph, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import AnyMessage, RemoveMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import MessagesState

from agentmem import Memory
from agentmem.errors import InvalidInputError
from agentmem.types import Recall

from .langgraph_scope import Scope, check_memory, memory_of, thread_of
from .langgraph_trace import ashow, is_traced, show, summary
from .langgraph_turns import events_of, question_of, read_state, split, turns

DEFAULT_NAMESPACE = ("mem", "{user_id}")
Show = Callable[[], dict[str, Any]]
Work = Callable[[Any, RunnableConfig], tuple[dict[str, Any], Show | None]]


class Node(Runnable[Any, dict[str, Any]]):
    """One step of a graph: an update of the state, and what a trace shows of it, made only where someone traces.

    LangGraph traces the node itself, so this adds no run of its own.
    """

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self._work = work

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> dict[str, Any]:
        """Run it."""
        update, told = self._work(input, config or {})
        if told is not None and is_traced(config):
            show(told(), config)
        return update

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> dict[str, Any]:
        """Run it in a thread."""
        update, told = await asyncio.to_thread(self._work, input, config or {})
        if told is not None and is_traced(config):
            await ashow(told(), config)
        return update


class MemoryState(MessagesState, total=False):
    """Messages, and under `memory` what was recalled for the turn at hand."""

    memory: str


def recall_node(
    memory: Memory,
    *,
    namespace: Sequence[str] = DEFAULT_NAMESPACE,
    budget_tokens: int = 1000,
    keep_tokens: int | None = None,
    when: Callable[[Any], bool] | None = None,
    gate: bool = False,
    coverage: float = 1.0,
    reread: int = 0,
    decompose: bool = False,
    stream: bool = False,
    messages_key: str = "messages",
    into: str = "memory",
    trace_content: bool = False,
) -> Node:
    """A node that recalls what the user's last message needs, for the model's node after it.

    It writes the recalled text (marked as a quotation, or "") to `state[into]`; give it to the model with
    `with_memory(state["messages"], state["memory"])`. What was recalled never becomes a message of the thread.

    Args:
        memory: an open memory.
        namespace: whose memory; `{names}` are filled in from the run's context or configuration.
        budget_tokens: the recalled text never exceeds this.
        keep_tokens: trim the thread: where its messages exceed this, the oldest whole turns are handed to memory
            and removed from the state, down to half of it. None leaves the thread alone.
        when: whether this state is worth a recall at all; None recalls every time.
        gate, coverage, reread, decompose: as for `Memory.recall`.
        stream: also hand evidence to whoever streams the graph with `stream_mode="custom"`, as it is found: each
            `{"agentmem": {"text", "ids", "tokens"}}`; the texts one after the other are what the state gets.
        messages_key: where the state holds the messages.
        into: where the recalled text goes; the state must have this key (`MemoryState` has `memory`).
        trace_content: also show question and recalled text in traces, not only numbers and ids.

    Raises:
        InvalidInputError: `memory` is no `Memory`, or `keep_tokens` no positive number.
        NamespaceError: when run, where a name is not set.
    """
    check_memory(memory)
    if keep_tokens is not None and (isinstance(keep_tokens, bool) or keep_tokens < 1):
        raise InvalidInputError(f"keep_tokens is a positive number of tokens, not {keep_tokens!r}")
    scope = Scope(namespace)

    def work(state: Any, config: RunnableConfig) -> tuple[dict[str, Any], Show | None]:
        messages = read_state(state, messages_key)
        mine = memory_of(memory, scope, config)
        update: dict[str, Any] = {into: ""}
        if keep_tokens is not None:
            removed = trim(mine, messages, thread_of(config), keep_tokens)
            update |= {messages_key: removed} if removed else {}
        question = question_of(messages)
        if not question or (when is not None and not when(state)):
            return update, None
        now = mine.core.clock.now()
        options: dict[str, Any] = {
            "budget_tokens": budget_tokens,
            "gate": gate,
            "coverage": coverage,
            "reread": reread,
            "decompose": decompose,
        }
        found = _streamed(mine, question, options) if stream else mine.recall(question, **options)
        update[into] = found.text
        flags = _flags(gate=gate, coverage=coverage, reread=reread, stream=stream)
        return update, partial(
            summary, found, mine.current_namespace, now, content=trace_content, flags=flags
        )

    return Node("recall", work)


def remember_node(
    memory: Memory,
    *,
    namespace: Sequence[str] = DEFAULT_NAMESPACE,
    messages_key: str = "messages",
    every_turn: bool = False,
) -> Node:
    """A node that stores what the user and the model said in the last turn; put it after the model's.

    Running it again on the same messages (a retry, a replay, a fork in time) stores nothing twice. Texts that were
    recalled are recognised and not stored as new evidence. The thread is the session.

    Args:
        memory: an open memory.
        namespace: whose memory; `{names}` are filled in from the run's context or configuration.
        messages_key: where the state holds the messages.
        every_turn: store all turns of the state, as for a thread that ran without memory before.

    Raises:
        InvalidInputError: `memory` is no `Memory`.
        NamespaceError: when run, where a name is not set.
    """
    check_memory(memory)
    scope = Scope(namespace)

    def work(state: Any, config: RunnableConfig) -> tuple[dict[str, Any], None]:
        given = turns(read_state(state, messages_key))
        store_turns(memory_of(memory, scope, config), given if every_turn else given[-1:], thread_of(config))
        return {}, None

    return Node("remember", work)


def _flags(*, gate: bool, coverage: float, reread: int, stream: bool) -> list[str]:
    """What `agentmem recall` is given for the same recall; it has no language model to split a question."""
    return [
        *(["--gate"] if gate else []),
        *(["--coverage", f"{coverage:g}"] if coverage < 1 else []),
        *(["--reread", str(int(reread))] if reread else []),
        *(["--stream"] if stream else []),
    ]


def _streamed(memory: Memory, question: str, options: Mapping[str, Any]) -> Recall:
    """A recall whose evidence is written to the run's custom stream as it is found."""
    write = _writer()
    whole: Recall | None = None
    for chunk in memory.recall_stream(question, **options):
        write(
            {
                "agentmem": {
                    "text": chunk.text,
                    "ids": [item.id for item in chunk.items],
                    "tokens": chunk.tokens,
                }
            }
        )
        whole = chunk.recall
    assert whole is not None, "the last chunk holds the whole"
    return whole


def _writer() -> Callable[[Any], None]:
    """Where the run's custom stream goes; nowhere outside of a graph."""
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):
        return lambda _: None


def store_turns(memory: Memory, given: Sequence[Sequence[AnyMessage]], thread: str) -> None:
    """Store turns of a thread; what is known already changes nothing."""
    events = events_of(given, thread)
    if events:
        memory.remember(events, session=thread)


def trim(
    memory: Memory, messages: Sequence[AnyMessage], thread: str, keep_tokens: int
) -> list[RemoveMessage]:
    """Hand the oldest turns to memory where the thread is too long; returns their removal from the state."""
    dropped, _ = split(messages, memory.core.tokenizer, keep_tokens)
    store_turns(memory, dropped, thread)
    return [RemoveMessage(id=message.id) for turn in dropped for message in turn if message.id]
