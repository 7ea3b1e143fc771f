"""Whose memory a run is about: namespaces with names to fill in from the run's context and configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from agentmem import Memory
from agentmem.config import check_namespace
from agentmem.errors import InvalidInputError, NamespaceError
from agentmem.types import Namespace

DEFAULT_THREAD = "default"
_FIELD = re.compile(r"\{(\w+)\}")
# LangGraph's server names the user so
_ELSEWHERE = {"user_id": ("langgraph_user_id", "langgraph_auth_user_id")}


class Scope:
    """A namespace such as `("mem", "{user_id}")`, filled in for each run.

    Names are looked for in the run's `context` first, then in `config["configurable"]`; `{user_id}` also takes
    `langgraph_user_id`. The filled-in parts are data: braces in them mean nothing.
    """

    def __init__(self, template: Sequence[str]) -> None:
        self._template = check_namespace(template)

    def namespace(self, config: Mapping[str, Any] | None, context: Any = None) -> Namespace:
        """The namespace of this run.

        Raises:
            NamespaceError: a name is not set; the message says where to set it.
        """
        return check_namespace([self._fill(part, config, context) for part in self._template])

    def _fill(self, part: str, config: Mapping[str, Any] | None, context: Any) -> str:
        return _FIELD.sub(lambda found: self._value(found[1], config, context), part)

    def _value(self, name: str, config: Mapping[str, Any] | None, context: Any) -> str:
        configurable = (config or {}).get("configurable") or {}
        for wanted in (name, *_ELSEWHERE.get(name, ())):
            for held in (context, configurable):
                value = held.get(wanted) if isinstance(held, Mapping) else getattr(held, wanted, None)
                if value is not None and str(value):
                    return str(value)
        raise NamespaceError(
            f"the namespace {self._template} needs {name!r}: run the graph with context={{{name!r}: …}} or "
            f"config={{'configurable': {{{name!r}: …}}}}"
        )


def check_memory(memory: Memory) -> Memory:
    """The memory itself. Raises `InvalidInputError` where it is none."""
    if not isinstance(memory, Memory):
        raise InvalidInputError(
            f"needs an open Memory, not {type(memory).__name__}: write Memory(url); what runs asynchronously "
            "never holds up the event loop on it either"
        )
    return memory


def memory_of(memory: Memory, scope: Scope, config: RunnableConfig | None) -> Memory:
    """The view on this run's memory."""
    return memory.namespace(*scope.namespace(config, run_context()))


def run_context() -> Any:
    """The context of the run we are in; None outside of one."""
    try:
        # outside of a graph it may be None, whatever its type says
        return getattr(get_runtime(), "context", None)
    except (RuntimeError, KeyError):
        return None


def thread_of(config: RunnableConfig | None) -> str:
    """The thread of a run; what is remembered of it is one session."""
    return str(((config or {}).get("configurable") or {}).get("thread_id") or DEFAULT_THREAD)
