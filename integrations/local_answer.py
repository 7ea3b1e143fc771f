"""The answer of a local model as it comes: text that is final, piece by piece, from a generation in its own thread.

A piece is let out once nothing that may follow can change it: no half character, no beginning of a stop word, and no
space that may be the last. So the pieces put together are the answer that is given whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer writes for half a character."""


class StopAt(StoppingCriteria):
    """Ends an answer, which begins at token `start`, when it holds one of `stop`, or when nobody wants it any more."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], start: int, left: Event | None = None) -> None:
        self._tokenizer, self._stop, self._start, self._left = tokenizer, stop, start, left

    def __call__(self, input_ids: Any, scores: Any, **rest: Any) -> Any:
        """Whether to stop, for each sequence."""
        gone = self._left is not None and self._left.is_set()
        if gone or not self._stop:
            return torch.full((len(input_ids),), gone, device=input_ids.device)
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        found = [any(end in text for end in self._stop) for text in texts]
        return torch.tensor(found, device=input_ids.device)


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop word."""
    return text[: min((at for end in stop if (at := text.find(end)) >= 0), default=len(text))]


def settled(text: str, stop: Sequence[str]) -> str:
    """What of an answer that goes on will stay as it is."""
    whole = cut(text, stop)
    if whole == text:
        longest = max((begun(text, end) for end in stop), default=0)
        whole = text[: len(text) - longest].rstrip(BROKEN)
    return whole.strip()


def begun(text: str, end: str) -> int:
    """How many characters at the end of the text may be the beginning of a stop word."""
    return next((size for size in range(min(len(end) - 1, len(text)), 0, -1) if text.endswith(end[:size])), 0)


class Pieces(BaseStreamer):
    """Takes tokens from `generate`, the prompt first, and says the text that is settled.

    `read` makes text of tokens; while `holds` is true of the text so far, nothing more is said.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int]], str],
        stop: Sequence[str],
        say: Callable[[str], object],
        holds: Callable[[str], bool],
    ) -> None:
        self._read, self._stop, self._say, self._holds = read, stop, say, holds
        self._ids: list[int] = []
        self._prompted, self._said = False, ""

    def put(self, value: Any) -> None:
        """The next tokens."""
        if not self._prompted:
            self._prompted = True
            return
        self._ids += value.flatten().tolist()
        text = self._read(self._ids)
        if not self._holds(text):
            self.let_out(settled(text, self._stop))

    def end(self) -> None:
        """Nothing more comes; what is left is let out by who knows what the answer was."""

    def let_out(self, text: str) -> None:
        """Say what of this text was not said yet."""
        if text.startswith(self._said) and len(text) > len(self._said):
            self._say(text[len(self._said) :])
            self._said = text


def in_thread(work: Callable[[Callable[[str], None], Event], Any]) -> Iterator[str | tuple[Any]]:
    """The texts that `work` says, as it says them, and at the end what it returns, as a tuple of one.

    `work` runs in a thread of its own; it is given a function to say text with and an event that is set when nobody
    listens any more, after which it should end soon. An error in it is raised here.
    """
    said: SimpleQueue[str | tuple[Any] | BaseException] = SimpleQueue()
    left = Event()

    def run() -> None:
        try:
            said.put((work(said.put, left),))
        except BaseException as error:
            # handed on to who listens
            said.put(error)

    worker = Thread(target=run, name="agentmem-local-chat", daemon=True)
    worker.start()
    try:
        while True:
            one = said.get()
            if isinstance(one, BaseException):
                raise one
            yield one
            if isinstance(one, tuple):
                return
    finally:
        left.set()
        worker.join()
