"""One stream through the recall model: its window, its memory below, and the reference it is compared with."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from agentmem import Memory
from agentmem.kv import KVMemory, attach, policies
from agentmem.kv.attachment import measured

from . import recaller
from .kv_streamed import SINKS, Streamed
from .recaller_text import ID, START, text

RECALLED_TOKENS = 256


class Run:
    """Reads and asks; `found` is what was measured so far."""

    def __init__(self, budget: int, reach: int, store: Path) -> None:
        self.model, self.found = recaller.model(), Streamed()
        # the reference: no attention of ours
        self._plain = recaller.model()
        self._budget, self._reach = budget, reach
        self._stack = ExitStack()
        self._memory = self._stack.enter_context(Memory(store, embedder="hash"))
        self._kv = KVMemory(
            self.model,
            recaller.tokenizer(),
            self._memory,
            budget_tokens=RECALLED_TOKENS,
            episodes=1,
            min_agreement=0,
        )
        self._cache: Any = None
        self._sinks: list[int] = []
        self._window: list[int] = []
        self._unkept: list[int] = []
        self._last: Tensor | None = None

    def __enter__(self) -> Run:
        policy = policies.SinkRecent(sinks=SINKS)
        self._attached = self._stack.enter_context(
            attach(self.model, policy, budget_tokens=self._budget, reach=self._reach)
        )
        self.read([ID[START]], check=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @torch.no_grad()
    def read(self, ids: list[int], *, check: bool) -> None:
        """One call; with `check` its losses are compared with those of the window read anew."""
        if check:
            self._compare(ids)
        else:
            self._fed(ids)
        place = int(self._cache.kv_layers[0].next_place or self._cache.get_seq_length()) - 1
        self.found.greatest_position = max(self.found.greatest_position, place)
        self.found.tokens += len(ids)
        self._unkept += ids if ids[0] != ID[START] else []
        self._window = [*self._window, *ids]
        grown = len(self._sinks)
        self._sinks += self._window[: SINKS - grown]
        self._window = self._window[SINKS - grown :][-(self._budget - SINKS) :]

    def _fed(self, ids: list[int]) -> Tensor:
        """Log-probabilities `[T, vocabulary]` of what came, given what came before; the first by the call before."""
        out = self.model(torch.tensor([ids]), past_key_values=self._cache)
        self._cache = out.past_key_values
        told: Tensor = out.logits[0].log_softmax(dim=-1)
        before = told[:1] if self._last is None else self._last
        self._last = told[-1:]
        return torch.cat([before, told[:-1]])

    def _compare(self, ids: list[int]) -> None:
        at = torch.arange(len(ids))
        ours = self._fed(ids)[at, ids]
        held = [*self._sinks, *self._window]
        anew = self._plain(torch.tensor([[*held, *ids]])).logits[0].log_softmax(dim=-1)
        theirs = anew[len(held) - 1 : -1][at, ids]
        self.found.loss -= float(ours.sum())
        self.found.reference_loss -= float(theirs.sum())
        self.found.compared += len(ids)

    def remember(self) -> None:
        """Hand what was read since to the memory below."""
        if self._unkept:
            self._kv.remember(text(self._unkept), session="stream")
            self._unkept = []

    def mark(self, process_mib: float) -> dict[str, float]:
        """A point of the memory curve."""
        size = measured(self._cache).size_bytes
        return {"tokens": self.found.tokens, "cache_bytes": size, "process_mib": process_mib}

    @torch.no_grad()
    def ask(self, name: int, thing: int) -> None:
        """Whether the thing follows the name: by the window alone, read anew, and in the stream with a recall."""
        window = self._plain(torch.tensor([[*self._sinks, *self._window, name]])).logits[0, -1]
        with self._kv.recalled(text([name])):
            out = self.model(torch.tensor([[name, thing]]), past_key_values=self._cache)
        self._cache = out.past_key_values
        self.found.facts += 1
        self.found.in_window += int(int(window.argmax()) == thing)
        self.found.recalled += int(int(out.logits[0, 0].argmax()) == thing)
