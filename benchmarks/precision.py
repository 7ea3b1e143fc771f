"""What each precision of vectors costs and finds: bytes, and evidence recall at 10 on LoCoMo.

Each memory is aged by its clock until `maintain` has brought it to the precision in question, so what is measured is
what a user would have. `mixed` ages every fourth session differently; its evidence is then counted by precision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from measure import Row

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import TextKind, Vectors
from agentmem.embed import choose_embedder
from agentmem.registry import load

# days after which vectors nobody asked for are in that precision
AGES = {"float32": 0, "int8": 40, "int4": 80, "binary": 110}
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED = (1, 2, 3, 4)
_K = 10


class _Once:
    """The offline model, asked for each text once however many memories are filled."""

    def __init__(self) -> None:
        self._model = choose_embedder("offline")
        self.name, self.dims = self._model.name, self._model.dims
        self._rows: dict[tuple[str, TextKind], Vectors] = {}

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        new = [text for text in dict.fromkeys(texts) if (text, kind) not in self._rows]
        if new:
            for text, row in zip(new, self._model.embed(new, kind), strict=True):
                self._rows[text, kind] = row
        return np.stack([self._rows[text, kind] for text in texts])


def rows(data: Path | None, folder: Path) -> Iterator[Row]:
    """One line for each precision, then one for a mixture."""
    dataset = load("datasets", "locomo")(data)
    embedder = _Once()
    for name, age in AGES.items():
        yield from _uniform(name, age, dataset.conversations, embedder, folder)
    yield from _mixed(dataset.conversations, embedder, folder)


def _uniform(
    name: str, age: int, conversations: Sequence[Any], embedder: _Once, folder: Path
) -> Iterator[Row]:
    whole: list[float] = []
    dense: list[float] = []
    events = vector_bytes = 0
    for place, conversation in enumerate(conversations):
        with _aged(folder / f"{name}-{place}.db", conversation, embedder, [age]) as memory:
            held = memory.lifecycle()
            assert set(held.precisions) == {name}, held.precisions
            vector_bytes += held.vector_bytes
            events += len(conversation.turns)
            for question in _questions(conversation):
                wanted = set(question.evidence)
                found = memory.recall(question.text, budget_tokens=100_000, k=_K).source_ids[:_K]
                whole.append(len(wanted & set(found)) / len(wanted))
                dense.append(len(wanted & set(_nearest(memory, question.text))) / len(wanted))
    yield Row(f"vectors in {name}", "agentmem", f"{vector_bytes / events * 1000:,.0f} bytes/1,000 events")
    figures = f"{np.mean(whole):.4f}, vectors alone {np.mean(dense):.4f}, n {len(whole)}"
    yield Row(f"recall@{_K} with vectors in {name}", "agentmem", figures)


def _mixed(conversations: Sequence[Any], embedder: _Once, folder: Path) -> Iterator[Row]:
    exact: dict[str, list[float]] = defaultdict(list)
    mixed: dict[str, list[float]] = defaultdict(list)
    ages = list(AGES.values())
    for place, conversation in enumerate(conversations):
        sessions = list(dict.fromkeys(turn.session for turn in conversation.turns))
        form = {turn.id: list(AGES)[sessions.index(turn.session) % 4] for turn in conversation.turns}
        for found, days in ((exact, [0]), (mixed, ages)):
            path = folder / f"mixed-{place}-{len(days)}.db"
            with _aged(path, conversation, embedder, days) as memory:
                for question in _questions(conversation):
                    near = set(_nearest(memory, question.text))
                    for id_ in question.evidence:
                        found[form[id_]].append(id_ in near)
    for name in AGES:
        figures = (
            f"{np.mean(mixed[name]):.4f}, all in float32 {np.mean(exact[name]):.4f}, n {len(mixed[name])}"
        )
        yield Row(f"evidence found by vectors alone, mixed, in {name}", "agentmem", figures)


def _aged(path: Path, conversation: Any, embedder: _Once, ages: Sequence[int]) -> Memory:
    """A memory of a conversation whose sessions were recorded so many days ago, by turns; maintained now."""
    clock = ManualClock(_NOW)
    sessions = list(dict.fromkeys(turn.session for turn in conversation.turns))
    for number, session in enumerate(sessions):
        with Memory(path, embedder=embedder, clock=_Past(clock, ages[number % len(ages)])) as memory:
            memory.remember([turn.message() for turn in conversation.turns if turn.session == session])
    memory = Memory(path, embedder=embedder, clock=clock)
    memory.maintain()
    return memory


class _Past:
    """A clock that is some days late."""

    def __init__(self, clock: ManualClock, days: int) -> None:
        self._clock = clock
        self._late = timedelta(days=days)

    def now(self) -> datetime:
        return self._clock.now() - self._late


def _questions(conversation: Any) -> list[Any]:
    return [q for q in conversation.questions if q.category in _ASKED and q.evidence]


def _nearest(memory: Memory, text: str) -> list[str]:
    """Ids of the events nearest by vector alone."""
    store = memory._core.store
    vector = memory._core.embedder.embed([text], "query")[0]
    hits = store.nearest(memory.current_namespace, vector, 2 * _K)
    passages = store.passages(memory.current_namespace, [hit.passage for hit in hits])
    return list(dict.fromkeys(passages[hit.passage].owner_id for hit in hits))[:_K]
