"""Another memory system under test, driven in a process of its own.

Apart, because peers patch libraries, start threads and pull in what agentmem does without. The child answers one JSON
line for each line it is sent (`peer_host`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any, ClassVar, NamedTuple

from agentmem.contracts import Embedder, Tokenizer
from agentmem.errors import PeerUnavailableError

from .packing import fill, line, line_counter
from .task import Conversation, Packed

_DEPTH = 100
_TAIL = 400
_STOP_SECONDS = 10


class _Found(NamedTuple):
    hits: list[tuple[str, str]]
    """Ids and texts, best first."""
    seconds: float


class Peer:
    """One peer with a fresh store; its answers are packed as the baselines' are.

    Raises:
        PeerUnavailableError: it cannot run here; the message says why.
    """

    embeds: ClassVar[bool] = True

    def __init__(self, name: str, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        self._name = name
        self._count = line_counter(tokenizer)
        self._log = TemporaryFile()  # noqa: SIM115 (close() closes it)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.peer_host", name, embedder.name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        # budgets ask the same question again
        self._search = lru_cache(maxsize=1)(self._found)
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def ingest(self, conversation: Conversation) -> None:
        self._ids = {turn.id for turn in conversation.turns}
        self._ask(add=[(turn.id, line(turn)) for turn in conversation.turns])

    def stored(self) -> set[str]:
        return self._ids & set(self._ask(stored=True)["ids"])

    def rank(self, question: str, k: int) -> list[str]:
        return list(dict.fromkeys(id_ for id_, _ in self._search(question).hits))[:k]

    def pack(self, question: str, budget_tokens: int) -> Packed:
        found = self._search(question)
        start = perf_counter()
        text, tokens = fill([text for _, text in found.hits], budget_tokens, self._count)
        return Packed(text, tokens, found.seconds + perf_counter() - start)

    def close(self) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()

    def _found(self, question: str) -> _Found:
        answer = self._ask(question=question, k=_DEPTH)
        return _Found([(id_, text) for id_, text in answer["hits"]], answer["seconds"])

    def _ask(self, **request: Any) -> Mapping[str, Any]:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # what ended it is in its log, read below
        return self._answer()

    def _answer(self) -> Mapping[str, Any]:
        assert self._child.stdout is not None
        reply = self._child.stdout.readline()
        if not reply:
            self._log.seek(0)
            tail = " ".join(self._log.read().decode("utf-8", "replace")[-_TAIL:].split())
            raise PeerUnavailableError(self._name, f"its process ended: {tail or 'without a word'}")
        answer: Mapping[str, Any] = json.loads(reply)
        if "error" in answer:
            raise PeerUnavailableError(self._name, answer["error"])
        return answer
