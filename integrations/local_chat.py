"""A LangChain chat model over a local transformers model, whose memory is read as keys and values and not as a prompt.

`LocalChat` is a `BaseChatModel`: it stands wherever LangChain or LangGraph take one, so that an agent runs on this
machine alone. Needs `agentmem[kv,langgraph]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from threading import Event, Lock
from typing import Any

from agentmem.errors import InvalidInputError, MissingExtraError

try:
    import torch
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
    from langchain_core.messages.tool import tool_call_chunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from pydantic import Field, PrivateAttr
    from transformers import StoppingCriteriaList
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("torch", "transformers", "langchain_core"):
        raise
    missing = "langgraph" if (error.name or "").startswith("langchain_core") else "kv"
    raise MissingExtraError(f"LocalChat ({error.name})", missing) from error

from agentmem.kv import KVMemory, static_decode
from agentmem.kv.adopted import adopted
from agentmem.kv.support import shape_of

from .local_answer import Pieces, StopAt, cut, in_thread
from .local_prefix import SharedPrefix
from .local_tools import Called, Tool, begins_call, called, described, readable, templated

Prompt = Callable[[Sequence[BaseMessage]], str]


class LocalChat(BaseChatModel):
    """Answers with a model of yours; with a `KVMemory`, attends to what it recalls for the last user message.

    The words of earlier calls are not read again: the cache with the longest common beginning is used (a recall aside,
    for it changes what the prompt's own keys and values are). One call runs at a time. `stream` and `astream` give the
    words as they come.

    Raises:
        InvalidInputError: no chat template and no `prompt`, a `kv` of another model, or a setting that cannot be.
    """

    model: Any = Field(exclude=True)
    """A transformers decoder that `agentmem.kv.attach` takes; it must not be attached."""
    tokenizer: Any = Field(exclude=True)
    kv: Any = Field(default=None, exclude=True)
    """A `KVMemory` of this model, or none."""
    remember: bool = True
    """Whether what is new in a call, and its answer, go to `kv`."""
    session: str = "default"
    """The session that is remembered in."""
    max_new_tokens: int = 256
    temperature: float = 0.0
    """0 takes the likeliest token."""
    prompt: Any = Field(default=None, exclude=True)
    """Messages to the text that the model reads; the tokenizer's chat template where it is none."""
    caches: int = 4
    """Conversations whose keys and values are held for their next call; 0 for none."""
    static: bool = False
    """Whether each token is a step of one fixed shape (`static_decode`): on a GPU, one CUDA graph."""

    _shared: SharedPrefix = PrivateAttr(default_factory=SharedPrefix)
    _turn: Any = PrivateAttr(default_factory=Lock)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.prompt is None and not getattr(self.tokenizer, "chat_template", None):
            raise InvalidInputError(
                "this tokenizer has no chat template; give prompt=, a function from messages to the text to be read"
            )
        if self.kv is not None and (not isinstance(self.kv, KVMemory) or self.kv.model is not self.model):
            raise InvalidInputError("kv must be a KVMemory of this very model")
        if self.max_new_tokens < 1 or self.temperature < 0 or self.caches < 0:
            raise InvalidInputError(
                f"max_new_tokens is {self.max_new_tokens}, temperature {self.temperature} and caches {self.caches}; "
                "they must be at least 1, 0 and 0"
            )
        if self.static and any(shape_of(self.model).windows):
            raise InvalidInputError("static=True is for models whose layers all see everything; leave it out")
        self._shared = SharedPrefix(self.caches)

    @property
    def _llm_type(self) -> str:
        return "agentmem-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        name = getattr(self.model.config, "name_or_path", "") or type(self.model).__name__
        return {"model": name, "max_new_tokens": self.max_new_tokens, "temperature": self.temperature}

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The same model with tools to call: functions, LangChain tools, pydantic classes or JSON schemas.

        They come into the prompt by the chat template. Whether and how well a model calls them is what it was trained
        for; a call that is not whole, or of no such tool, comes as one of `invalid_tool_calls`.

        Raises:
            InvalidInputError: the prompt is not made by a template that writes tools, or a tool is to be forced.
        """
        found = described(tools, tool_choice)
        if found and self.prompt is not None:
            raise InvalidInputError(
                "tools come into the prompt by the tokenizer's chat template: leave prompt= out"
            )
        if found:
            templated(self.tokenizer, [HumanMessage("?")], found)
        return self.bind(tools=found, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[Tool] = (),
        **kwargs: Any,
    ) -> ChatResult:
        """Recall, answer, remember."""
        message = self._answered(messages, stop or (), tools)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[Tool] = (),
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        """The same, the words as they come; calls of tools, what was recalled and the counts with the last chunk.

        The answer is made in a thread of its own. Who stops listening stops it; it is not remembered then.
        """
        for one in in_thread(lambda say, left: self._answered(messages, stop or (), tools, say, left)):
            chunk = AIMessageChunk(content=one) if isinstance(one, str) else last_chunk(one[0])
            made = ChatGenerationChunk(message=chunk)
            if run_manager is not None and isinstance(one, str):
                run_manager.on_llm_new_token(one, chunk=made)
            yield made

    def _answered(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str],
        tools: Sequence[Tool],
        say: Callable[[str], object] | None = None,
        left: Event | None = None,
    ) -> AIMessage:
        """One whole turn; words are told to `say` as they come, where somebody listens."""
        ids = self._read(messages, tools)
        asked = next((one.text for one in reversed(messages) if one.type == "human"), "")
        read = self._reader(tools)
        pieces = (
            None if say is None else Pieces(read, stop, say, begins_call if tools else lambda text: False)
        )
        criteria = StoppingCriteriaList([StopAt(self.tokenizer, stop, len(ids), left)])
        with self._turn:
            recalled: list[str] = []
            with ExitStack() as stack:
                if self.kv is not None and asked.strip():
                    found = stack.enter_context(self.kv.recalled(asked))
                    recalled = [episode.id for episode in found.episodes]
                if recalled:
                    out, shared = self._continued(ids, None, criteria, pieces), 0
            if not recalled:
                cache, shared = self._shared.start(ids, self.model)
                out = self._continued(ids, cache, criteria, pieces)
                self._shared.keep(out[:-1], cache)
            answer = called(cut(read(out[len(ids) :]), stop).strip(), tools)
            if pieces is not None:
                pieces.let_out(answer.text)
            if self.kv is not None and self.remember and not (left is not None and left.is_set()):
                self._keep(messages, answer.text)
        return self._message(answer, len(ids), len(out), shared, recalled)

    def _message(self, answer: Called, read: int, total: int, shared: int, recalled: list[str]) -> AIMessage:
        return AIMessage(
            content=answer.text,
            tool_calls=list(answer.calls),
            invalid_tool_calls=list(answer.invalid),
            usage_metadata={
                "input_tokens": read,
                "output_tokens": total - read,
                "total_tokens": total,
                "input_token_details": {"cache_read": shared},
            },
            response_metadata={**self._identifying_params, "recalled": recalled},
        )

    def _read(self, messages: Sequence[BaseMessage], tools: Sequence[Tool]) -> list[int]:
        """The messages as tokens."""
        ids: list[int]
        if self.prompt is not None:
            ids = self.tokenizer(self.prompt(messages))["input_ids"]
        else:
            # the template wrote the start token
            ids = self.tokenizer(templated(self.tokenizer, messages, tools), add_special_tokens=False)[
                "input_ids"
            ]
        if not ids:
            raise InvalidInputError("the messages make no tokens; say something")
        return ids

    def _reader(self, tools: Sequence[Tool]) -> Callable[[Sequence[int]], str]:
        """How the tokens of an answer become text."""
        if tools:
            return lambda ids: readable(self.tokenizer, ids)
        return lambda ids: str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _continued(
        self, ids: list[int], cache: Any, criteria: StoppingCriteriaList, pieces: Pieces | None
    ) -> list[int]:
        """The tokens and those that follow."""
        given = torch.tensor([ids], device=next(self.model.parameters()).device)
        settings: dict[str, Any] = {"do_sample": self.temperature > 0}
        if self.temperature > 0:
            settings["temperature"] = self.temperature
        if self.static:
            settings |= {"custom_generate": static_decode, "stream_to": pieces}
        else:
            settings["streamer"] = pieces
        with ExitStack() as stack:
            if cache is not None and self.static:
                cache = stack.enter_context(adopted(self.model, cache))
            if cache is not None:
                settings["past_key_values"] = cache
            out = self.model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=self.max_new_tokens,
                stopping_criteria=criteria,
                **settings,
            )
        found: list[int] = out[0].tolist()
        return found

    def _keep(self, messages: Sequence[BaseMessage], answer: str) -> None:
        """Remember what came after the model's last answer, and this one, as one episode."""
        new: list[BaseMessage] = []
        for message in reversed(messages):
            if message.type == "ai":
                break
            if message.type == "human" and message.text.strip():
                new.append(message)
        told = [{"role": "user", "content": message.text} for message in reversed(new)]
        if answer:
            told.append({"role": "assistant", "content": answer})
        if told:
            self.kv.remember(told, session=self.session)


def last_chunk(message: AIMessage) -> AIMessageChunk:
    """What ends a stream: all of the message but its words."""
    calls = [
        tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=number)
        for number, call in enumerate(message.tool_calls)
    ]
    broken = [
        tool_call_chunk(name=call["name"], args=call["args"], id=call["id"], index=number)
        for number, call in enumerate(message.invalid_tool_calls, len(calls))
    ]
    return AIMessageChunk(
        content="",
        tool_call_chunks=[*calls, *broken],
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
