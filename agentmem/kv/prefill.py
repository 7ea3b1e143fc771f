"""A prompt that a model reads while it is still being put together: evidence is prefilled as it is found.

Time to the first token is that of the recall plus that of reading the context, one after the other. With
`Memory.recall_stream` in its append mode nothing that went out is taken back, so what is there can be read while memory
looks for the rest, and only the last part is waited for. The idea is Stream2LLM's append mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar

import torch

from agentmem.errors import InvalidInputError
from agentmem.types import RecallChunk

Item = TypeVar("Item")


class Prefill:
    """Reads a prompt part by part; `inputs` then goes on from it.

    Args:
        model: a transformers decoder; attached or not. tokenizer: its tokenizer.
        chunk: tokens a call at most.
    """

    def __init__(self, model: Any, tokenizer: Any, *, chunk: int = 2048) -> None:
        if chunk < 1:
            raise InvalidInputError(f"chunk is {chunk}, must be at least 1")
        self.model, self.tokenizer, self.chunk = model, tokenizer, chunk
        start = tokenizer.bos_token_id
        self._ids: list[int] = [] if start is None else [int(start)]
        self._read = 0
        self._cache: Any = None

    @property
    def tokens(self) -> int:
        """Tokens that the model has read."""
        return self._read

    def read(self, text: str) -> int:
        """Let the model read what comes next, now; returns how many tokens that was.

        Parts are made into tokens each by itself: cut them where words end, as `recall_stream` does.
        """
        self._ids += self._tokens(text)
        before = self._read
        self._catch_up(len(self._ids))
        return self._read - before

    def read_all(self, chunks: Iterable[RecallChunk | str]) -> int:
        """Read parts as they come, while the next ones are being found in another thread; returns the tokens read.

        Raises:
            InvalidInputError: chunks of a stream that takes back what it said (`mode="update"`).
            Exception: what went wrong in the making of them.
        """
        before, text = self._read, ""
        for chunk in ahead(chunks):
            part = chunk if isinstance(chunk, str) else chunk.text
            text += part
            if isinstance(chunk, RecallChunk) and chunk.recall is not None and chunk.recall.text != text:
                raise InvalidInputError(
                    "the stream takes back what it said: use recall_stream(mode='append')"
                )
            if part:
                self.read(part)
        return self._read - before

    def inputs(self, text: str = "") -> dict[str, Any]:
        """`input_ids` `[1, T]`, `attention_mask` and `past_key_values` for `generate`: the prompt, ended by `text`.

        The cache is handed over: read on in another `Prefill`.

        Raises:
            InvalidInputError: there is nothing to go on from.
        """
        self._ids += self._tokens(text)
        if not self._ids:
            raise InvalidInputError("the prompt has no tokens")
        if self._read == len(self._ids):
            raise InvalidInputError(
                "nothing is left for the model to go on from: give the last words of the prompt"
            )
        ids = torch.tensor([self._ids], device=next(self.model.parameters()).device)
        found = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return found if self._cache is None else {**found, "past_key_values": self._cache}

    @torch.no_grad()
    def _catch_up(self, end: int) -> None:
        device = next(self.model.parameters()).device
        while self._read < end:
            part = self._ids[self._read : min(end, self._read + self.chunk)]
            given = torch.tensor([part], device=device)
            out = self.model(given, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
            self._cache = out.past_key_values
            self._read += len(part)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return ids


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, made in a thread of their own, so that the next is on its way while one is worked on."""
    ready: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
    left = Event()

    def work() -> None:
        try:
            for item in items:
                if left.is_set():
                    break
                ready.put((item,))
            ready.put(None)
        except BaseException as error:
            # raised where the items are wanted
            ready.put(error)

    maker = Thread(target=work, name="agentmem-prefill", daemon=True)
    maker.start()
    try:
        while (one := ready.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one[0]
    finally:
        left.set()
        maker.join()
