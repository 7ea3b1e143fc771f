"""Tool calls of a local model: how tools come into its prompt, and how calls are read out of its answer.

The chat template writes tools into the prompt. An answer calls one in any of the forms that open models are trained
on: `<tool_call>{...}</tool_call>` (Hermes, Qwen), `[TOOL_CALLS] [{...}]` (Mistral), or nothing but `{"name": ...,
"parameters": {...}}` (Llama). A call that is not whole, or not of a tool that there is, is not guessed at: it comes as
an invalid call, with what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from langchain_core.messages import BaseMessage, InvalidToolCall, ToolCall, convert_to_openai_messages
from langchain_core.utils.function_calling import convert_to_openai_tool

from agentmem.errors import InvalidInputError

MARKS = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>")
"""Special tokens, where a tokenizer has them as such, that belong to a call."""
HERMES = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)
OPEN, _, MISTRAL, PYTHON_TAG = MARKS
Tool = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Called:
    """What an answer says, the tools it calls, and the calls that cannot be made."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    invalid: tuple[InvalidToolCall, ...] = ()


def described(tools: Sequence[Any], tool_choice: Any) -> list[Tool]:
    """Tools as JSON schemas, as chat templates take them.

    Raises:
        InvalidInputError: a choice that nothing here can force on a model.
    """
    if tool_choice not in (None, "auto", "none"):
        raise InvalidInputError(
            f"tool_choice is {tool_choice!r}; a local model chooses by itself: give None, 'auto' or 'none'"
        )
    return [] if tool_choice == "none" else [convert_to_openai_tool(tool) for tool in tools]


def templated(tokenizer: Any, messages: Sequence[BaseMessage], tools: Sequence[Tool]) -> str:
    """The prompt as the tokenizer's chat template writes it.

    Raises:
        InvalidInputError: there are tools and the template says nothing of them.
    """
    told = [plain(message) for message in convert_to_openai_messages(list(messages))]

    def written(given: list[Tool] | None) -> str:
        text: str = tokenizer.apply_chat_template(
            told, tools=given, tokenize=False, add_generation_prompt=True
        )
        return text

    text = written(list(tools) or None)
    if tools and text == written(None):
        raise InvalidInputError(
            "this tokenizer's chat template does not write tools into the prompt, so the model would not know of them: "
            "use a model that was trained to call tools, or set a template that names them"
        )
    return text


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message as templates take it: the arguments of its tool calls as a mapping, not as text."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    read = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in calls
    ]
    return {**message, "tool_calls": read}


def called(answer: str, tools: Sequence[Tool]) -> Called:
    """Read the tool calls out of an answer (special tokens included); without tools all of it is text."""
    if not tools:
        return Called(answer)
    text, found = parts(answer)
    known = {tool["function"]["name"]: tool["function"] for tool in tools}
    calls, invalid = [], []
    for one in found:
        try:
            calls.append(checked(json.loads(one), known))
        except (ValueError, InvalidInputError) as error:
            invalid.append(
                InvalidToolCall(type="invalid_tool_call", id=new_id(), name=None, args=one, error=str(error))
            )
    return Called(text.strip(), tuple(calls), tuple(invalid))


def parts(answer: str) -> tuple[str, list[str]]:
    """The words of an answer, and each call in it as JSON."""
    if OPEN in answer:
        return HERMES.sub("", answer), [one.strip() for one in HERMES.findall(answer)]
    if MISTRAL in answer:
        text, _, calls = answer.partition(MISTRAL)
        return text, listed(calls.strip())
    bare = answer.strip().removeprefix(PYTHON_TAG).strip()
    if looks_like_a_call(bare):
        return "", [bare]
    return answer, []


def listed(calls: str) -> list[str]:
    """The entries of a JSON list, each as JSON; what is no list stays as it is."""
    try:
        found = json.loads(calls)
    except ValueError:
        return [calls]
    return [json.dumps(one) for one in found] if isinstance(found, list) else [calls]


def looks_like_a_call(text: str) -> bool:
    """Whether an answer is one JSON object with a name: an answer may also be JSON that calls nothing."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and "name" in found and bool({"arguments", "parameters"} & set(found))


def checked(call: Any, known: Mapping[str, Tool]) -> ToolCall:
    """A call of a tool that there is, with the arguments that it needs.

    Raises:
        InvalidInputError: it is not one.
    """
    if not isinstance(call, dict) or not isinstance(name := call.get("name"), str):
        raise InvalidInputError("a tool call is a JSON object with a name and arguments")
    if name not in known:
        raise InvalidInputError(f"there is no tool {name!r}; there are {', '.join(sorted(known))}")
    args = call.get("arguments", call.get("parameters", {}))
    if not isinstance(args, dict):
        raise InvalidInputError(f"the arguments of {name} must be a JSON object")
    schema = known[name].get("parameters") or {}
    if missing := sorted(set(schema.get("required", ())) - set(args)):
        raise InvalidInputError(f"{name} needs {', '.join(missing)}")
    if unknown := sorted(set(args) - set(schema.get("properties", {}))):
        raise InvalidInputError(f"{name} takes no {', '.join(unknown)}")
    return ToolCall(type="tool_call", name=name, args=args, id=new_id())


def new_id() -> str:
    """An id for a call; a local model gives none."""
    return f"call_{uuid4().hex[:24]}"


def begins_call(text: str) -> bool:
    """Whether what was said so far is, or may become, a tool call: it is not let out as words."""
    openings = (OPEN, MISTRAL, PYTHON_TAG)
    within = any(mark in text for mark in openings)
    at_the_end = any(text.endswith(mark[:size]) for mark in openings for size in range(1, len(mark)))
    return within or at_the_end or text.lstrip().startswith("{")


def readable(tokenizer: Any, ids: Sequence[int]) -> str:
    """An answer as text: special tokens left out, but for those that belong to a call."""
    marks = set(tokenizer.convert_tokens_to_ids([mark for mark in MARKS if mark in tokenizer.get_vocab()]))
    hidden = set(tokenizer.all_special_ids) - marks
    text: str = tokenizer.decode([id for id in ids if id not in hidden], skip_special_tokens=False)
    return text
