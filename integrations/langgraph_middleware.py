"""`AgentMemMiddleware`: memory for `langchain.agents.create_agent`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import PrivateStateAttr
from langgraph.config import get_config

from agentmem import Memory

from .langgraph_nodes import DEFAULT_NAMESPACE, recall_node, remember_node
from .langgraph_tools import memory_tools
from .langgraph_turns import with_memory

RECALLED = "agentmem_recalled"


class AgentMemState(AgentState[Any]):
    """The agent's state with what was recalled for this turn, which no one outside sees."""

    agentmem_recalled: NotRequired[Annotated[str, PrivateStateAttr]]


class AgentMemMiddleware(AgentMiddleware[AgentMemState, Any]):
    """Recalls once before the agent starts, shows it to the model in this turn's calls only, and remembers the
    turn when the agent is done.

    Retries, replays and forks store nothing twice. Private state stays private: neither input nor output hold what
    was recalled, and it never becomes a message.

    Args:
        memory: an open memory.
        namespace: whose memory; `{names}` are filled in from the run's context or configuration.
        budget_tokens: what is recalled never exceeds this.
        keep_tokens: trim the thread beyond this; see `recall_node`.
        gate, coverage, reread, decompose, stream: as for `recall_node`.
        tools: also give the model `search_memory` and `manage_memory`; they look again as `reread` and `decompose` say.
        remember: store each turn; False only reads.
        trace_content: also show words in traces.
    """

    state_schema = AgentMemState

    def __init__(
        self,
        memory: Memory,
        *,
        namespace: Sequence[str] = DEFAULT_NAMESPACE,
        budget_tokens: int = 1000,
        keep_tokens: int | None = None,
        gate: bool = False,
        coverage: float = 1.0,
        reread: int = 0,
        decompose: bool = False,
        stream: bool = False,
        tools: bool = False,
        remember: bool = True,
        trace_content: bool = False,
    ) -> None:
        super().__init__()
        self._recall = recall_node(
            memory,
            namespace=namespace,
            budget_tokens=budget_tokens,
            keep_tokens=keep_tokens,
            gate=gate,
            coverage=coverage,
            reread=reread,
            decompose=decompose,
            stream=stream,
            into=RECALLED,
            trace_content=trace_content,
        )
        self._remember = remember_node(memory, namespace=namespace) if remember else None
        self.tools = (
            memory_tools(memory, namespace=namespace, reread=reread, decompose=decompose) if tools else []
        )

    def before_agent(self, state: AgentMemState, runtime: Any) -> dict[str, Any]:
        """Recall for the user's last message."""
        return self._recall.invoke(state, get_config())

    async def abefore_agent(self, state: AgentMemState, runtime: Any) -> dict[str, Any]:
        """`before_agent`, asynchronously."""
        return await self._recall.ainvoke(state, get_config())

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Show the model what was recalled, in this call only."""
        return handler(_shown(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """`wrap_model_call`, asynchronously."""
        return await handler(_shown(request))

    def after_agent(self, state: AgentMemState, runtime: Any) -> None:
        """Remember the turn."""
        if self._remember is not None:
            self._remember.invoke(state, get_config())

    async def aafter_agent(self, state: AgentMemState, runtime: Any) -> None:
        """`after_agent`, asynchronously."""
        if self._remember is not None:
            await self._remember.ainvoke(state, get_config())


def _shown(request: ModelRequest[Any]) -> ModelRequest[Any]:
    recalled = str(request.state.get(RECALLED) or "")
    return request.override(messages=with_memory(request.messages, recalled)) if recalled else request
