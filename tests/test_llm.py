"""What may be given as `llm=`, and that whatever it does comes out as a text or one kind of error."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.errors import InvalidInputError, LLMError
from agentmem.llm import answer, as_llm

messages = pytest.importorskip("langchain_core.messages", reason="needs agentmem[langgraph]")
models = pytest.importorskip("langchain_core.language_models", reason="needs agentmem[langgraph]")


def complete(given: Any) -> str:
    llm = as_llm(given)
    assert llm is not None
    return answer(llm, "Be brief.", "Hello?")


def test_a_langchain_chat_model_is_asked_with_system_text_and_prompt() -> None:
    class Echo(models.FakeListChatModel):  # type: ignore[misc, name-defined]
        def _call(self, given: list[Any], *_: Any, **__: Any) -> str:
            return " | ".join(f"{message.type}: {message.content}" for message in given)

    assert complete(Echo(responses=[])) == "system: Be brief. | human: Hello?"


def test_an_answer_in_parts_is_put_together() -> None:
    parts = messages.AIMessage([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}, "!"])
    model = models.GenericFakeChatModel(messages=iter([parts]))

    assert complete(model) == "Hi!"


def test_a_function_is_given_both_in_one_and_named_by_its_name() -> None:
    def shout(prompt: str) -> str:
        return prompt.upper()

    assert complete(shout) == "BE BRIEF.\n\nHELLO?"
    assert as_llm(shout).name == "shout"  # type: ignore[union-attr]


def test_a_model_is_named_by_its_own_name() -> None:
    class Named:
        model_name = "tiny-1"

        def invoke(self, given: Any) -> str:
            return "x"

    assert as_llm(Named()).name == "tiny-1"  # type: ignore[union-attr]
    assert as_llm(models.FakeListChatModel(responses=[])).name == "FakeListChatModel"  # type: ignore[union-attr]


def test_whatever_a_model_raises_is_one_error_that_names_it() -> None:
    def down(prompt: str) -> str:
        raise TimeoutError("no answer in 30 s")

    with pytest.raises(LLMError, match=r"TimeoutError: no answer in 30 s"):
        complete(down)


def test_an_answer_that_is_no_text_is_an_error() -> None:
    with pytest.raises(LLMError, match="int instead of a text"):
        complete(lambda prompt: 7)


@pytest.mark.parametrize("given", [["gpt"], "gpt", 3, str], ids=repr)
def test_what_is_no_model_is_refused(given: object) -> None:
    with pytest.raises(InvalidInputError, match="LangChain chat model"):
        as_llm(given)
