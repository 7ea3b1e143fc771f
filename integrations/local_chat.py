"""A LangChain chat model over a local transformers model, whose memory is read as keys and values and not as a prompt.

`LocalChat` is a `BaseChatModel`: it stands wherever LangChain or LangGraph take one, so that an agent runs on this
machine alone. Needs `agentmem[kv,langgraph]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any

from agentmem.errors import InvalidInputError, MissingExtraError

try:
    import torch
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
    from langchain_core.outputs import ChatGeneration, ChatResult
    from pydantic import Field, PrivateAttr
    from transformers import StoppingCriteria, StoppingCriteriaList
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("torch", "transformers", "langchain_core"):
        raise
    missing = "langgraph" if (error.name or "").startswith("langchain_core") else "kv"
    raise MissingExtraError(f"LocalChat ({error.name})", missing) from error

from agentmem.kv import KVMemory

from .local_prefix import SharedPrefix

Prompt = Callable[[Sequence[BaseMessage]], str]


class StopAt(StoppingCriteria):
    """Ends an answer, which begins at token `start`, when it holds one of `stop`."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], start: int) -> None:
        self._tokenizer, self._stop, self._start = tokenizer, stop, start

    def __call__(self, input_ids: Any, scores: Any, **rest: Any) -> Any:
        """Whether to stop, for each sequence."""
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        found = [any(end in text for end in self._stop) for text in texts]
        return torch.tensor(found, device=input_ids.device)


class LocalChat(BaseChatModel):
    """Answers with a model of yours; with a `KVMemory`, attends to what it recalls for the last user message.

    The words of earlier calls are not read again: the cache of the longest common beginning is used (a recall aside,
    for it changes what the prompt's own keys and values are). One call runs at a time.

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
        if self.max_new_tokens < 1 or self.temperature < 0:
            raise InvalidInputError(
                f"max_new_tokens is {self.max_new_tokens} and temperature {self.temperature}; "
                "they must be at least 1 and at least 0"
            )

    @property
    def _llm_type(self) -> str:
        return "agentmem-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        name = getattr(self.model.config, "name_or_path", "") or type(self.model).__name__
        return {"model": name, "max_new_tokens": self.max_new_tokens, "temperature": self.temperature}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """Recall, answer, remember."""
        ids = self._read(messages)
        asked = next((one.text for one in reversed(messages) if one.type == "human"), "")
        with self._turn:
            recalled: list[str] = []
            with ExitStack() as stack:
                if self.kv is not None and asked.strip():
                    found = stack.enter_context(self.kv.recalled(asked))
                    recalled = [episode.id for episode in found.episodes]
                if recalled:
                    out, shared = self._continued(ids, None, stop), 0
            if not recalled:
                cache, shared = self._shared.start(ids, self.model)
                out = self._continued(ids, cache, stop)
                self._shared.keep(out[:-1], cache)
            answer = self._worded(out[len(ids) :], stop)
            if self.kv is not None and self.remember:
                self._keep(messages, answer)
        message = AIMessage(
            content=answer,
            usage_metadata={
                "input_tokens": len(ids),
                "output_tokens": len(out) - len(ids),
                "total_tokens": len(out),
                "input_token_details": {"cache_read": shared},
            },
            response_metadata={**self._identifying_params, "recalled": recalled},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _read(self, messages: Sequence[BaseMessage]) -> list[int]:
        """The messages as tokens."""
        ids: list[int]
        if self.prompt is not None:
            ids = self.tokenizer(self.prompt(messages))["input_ids"]
        else:
            text = self.tokenizer.apply_chat_template(
                convert_to_openai_messages(messages), tokenize=False, add_generation_prompt=True
            )
            # the template wrote the start token
            ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if not ids:
            raise InvalidInputError("the messages make no tokens; say something")
        return ids

    def _continued(self, ids: list[int], cache: Any, stop: list[str] | None) -> list[int]:
        """The tokens and those that follow."""
        given = torch.tensor([ids], device=next(self.model.parameters()).device)
        sampled: dict[str, Any] = {"do_sample": self.temperature > 0}
        if self.temperature > 0:
            sampled["temperature"] = self.temperature
        if stop:
            sampled["stopping_criteria"] = StoppingCriteriaList([StopAt(self.tokenizer, stop, len(ids))])
        if cache is not None:
            sampled["past_key_values"] = cache
        out = self.model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=self.max_new_tokens, **sampled
        )
        found: list[int] = out[0].tolist()
        return found

    def _worded(self, ids: Sequence[int], stop: list[str] | None) -> str:
        """The answer as text, without what ends it."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        for end in stop or ():
            text = text.split(end, 1)[0]
        return text.strip()

    def _keep(self, messages: Sequence[BaseMessage], answer: str) -> None:
        """Remember what came after the model's last answer, and this one, as one episode."""
        new: list[BaseMessage] = []
        for message in reversed(messages):
            if message.type == "ai":
                break
            if message.type == "human" and message.text.strip():
                new.append(message)
        told = [{"role": "user", "content": message.text} for message in reversed(new)]
        if told and answer:
            told.append({"role": "assistant", "content": answer})
        if told:
            self.kv.remember(told, session=self.session)
