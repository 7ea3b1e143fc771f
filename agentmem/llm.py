"""Language models as agentmem asks them: a system text and a prompt in, a text out. Knows no provider.

No model is ever asked while something is remembered, nor while it is recalled, unless the caller says `decompose=True`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from agentmem.errors import InvalidInputError, LLMError


class LLM(Protocol):
    """A language model; what it answers is checked."""

    @property
    def name(self) -> str:
        """Which model it is, for what it worded."""

    def complete(self, system: str, prompt: str) -> str:
        """Its answer. Raises `LLMError` where it fails."""


def as_llm(given: Any) -> LLM | None:
    """A language model from an `LLM`, a LangChain chat model, or a function from prompt to answer; None for None.

    Raises:
        InvalidInputError: it is none of these.
    """
    if given is None or (hasattr(given, "complete") and isinstance(getattr(given, "name", None), str)):
        return given  # type: ignore[no-any-return]
    if callable(getattr(given, "invoke", None)):
        return _ChatModel(given)
    if callable(given) and not isinstance(given, type):
        return _Function(given)
    raise InvalidInputError(
        f"llm is a LangChain chat model, a function from prompt to answer, or an agentmem.llm.LLM; not {given!r}"
    )


def answer(llm: LLM, system: str, prompt: str) -> str:
    """What a model answers. Raises `LLMError` for whatever goes wrong."""
    try:
        return llm.complete(system, prompt)
    except LLMError:
        raise
    # a provider may raise anything, from a timeout to its own kind of refusal
    except Exception as error:
        raise LLMError(f"{llm.name} failed: {type(error).__name__}: {error}") from error


class _ChatModel:
    """A LangChain chat model. What it needs of LangChain is only the model itself."""

    def __init__(self, model: Any) -> None:
        self._model = model
        named = (getattr(model, field, None) for field in ("model_name", "model", "model_id"))
        self.name = next((name for name in named if isinstance(name, str) and name), type(model).__name__)

    def complete(self, system: str, prompt: str) -> str:
        """See `LLM.complete`."""
        return _text(self._model.invoke([("system", system), ("human", prompt)]))


class _Function:
    """A function from a prompt to an answer; it is given system text and prompt in one."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def complete(self, system: str, prompt: str) -> str:
        """See `LLM.complete`."""
        return _text(self._function(f"{system}\n\n{prompt}"))


def _text(answer: Any) -> str:
    content = getattr(answer, "content", answer)
    if isinstance(content, list):
        parts = (part if isinstance(part, str) else part.get("text", "") for part in content)
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise LLMError(f"the language model answered {type(content).__name__} instead of a text")
    return content
