"""The process a peer runs in: `python -m agentmem.evals.peer_host NAME EMBEDDER FOLDER`.

Reads one JSON request a line, answers one JSON line: `{"add": [[id, text], …]}` → `{"ok": true}`, `{"stored": true}` →
`{"ids": […]}`, `{"question": …, "k": …}` → `{"hits": [[id, text], …], "seconds": …}`; `{"error": …}` where it fails.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TextIO

from agentmem.embed import choose_embedder
from agentmem.embed.cache import CachedEmbedder

from .peer_names import ADAPTERS

Hit = tuple[str, str]


class Adapter(Protocol):
    """Drives one peer through its public API."""

    def add(self, turns: Sequence[tuple[str, str]]) -> None:
        """Store `(id, text)` of each turn, in order."""

    def stored(self) -> Sequence[str]:
        """Ids that it holds."""

    def search(self, question: str, k: int) -> Sequence[Hit]:
        """At most `k` `(id, text)`, best first."""


def main(name: str, embedder_name: str, folder: str) -> int:
    """Serve one peer until the input ends."""
    # peers print; the real standard output is ours
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        embedder = choose_embedder(embedder_name)
        module, _, attribute = ADAPTERS[name].partition(":")
        maker: Callable[[CachedEmbedder, Path], Adapter] = getattr(
            import_module(f".{module}", __package__), attribute
        )
        adapter = maker(embedder, Path(folder))
    except Exception as error:  # whatever a peer raises is the reason it cannot run
        _reply(replies, {"error": _reason(error)})
        return 1
    _reply(replies, {"ok": True})
    for request in sys.stdin:
        try:
            _reply(replies, _serve(adapter, embedder, json.loads(request)))
        except Exception as error:  # as above
            _reply(replies, {"error": _reason(error)})
    return 0


def _serve(adapter: Adapter, embedder: CachedEmbedder, request: Mapping[str, Any]) -> dict[str, Any]:
    if "add" in request:
        adapter.add([(id_, text) for id_, text in request["add"]])
        return {"ok": True}
    if "stored" in request:
        return {"ids": list(adapter.stored())}
    # in the cache, so that what is timed is the peer and not the model
    embedder.embed([request["question"]], "query")
    start = perf_counter()
    hits = adapter.search(request["question"], request["k"])
    return {"hits": list(hits), "seconds": perf_counter() - start}


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def _reply(replies: TextIO, answer: Mapping[str, Any]) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
