"""A chat model that answers from a script or a rule, and keeps what it was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

Rule = Callable[[Sequence[BaseMessage]], "str | AIMessage"]


class RuleChat(BaseChatModel):
    """Answers by a function of the messages. `shown` holds the texts of every call."""

    rule: Any
    shown: list[list[str]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "rule"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.shown.append([str(message.content) for message in messages])
        answer = self.rule(messages)
        message = answer if isinstance(answer, AIMessage) else AIMessage(answer)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def scripted(*answers: str | AIMessage) -> RuleChat:
    """Gives these answers, one a call."""
    left = iter(answers)
    return RuleChat(rule=lambda _: next(left))
