"""Whether PostgreSQL ranks as SQLite does: the same questions to the same memory on both, their best ten side by side.

python benchmarks/ranking.py [--data locomo_dev.json] [--embedder offline] [--url URL | --no-pgvector] [--json FILE]

The conversations are remembered in SQLite and taken over by an export, so that both hold the same vectors. Without
`--data` the packaged sample is asked, without `--url` a PostgreSQL is started for the run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from throwaway_postgres import throwaway_server

from agentmem import Memory
from agentmem.contracts import Scored
from agentmem.registry import load
from agentmem.terms import terms

K = 10
ENOUGH = 0.95
_SAMPLE = Path(__file__).parents[1] / "evals" / "data" / "sample_conversation.json"
Ask = Callable[[Memory, str], list[str]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the best ten of two stores agree, over all questions."""

    ranking: str
    questions: int
    overlap: float
    least: float
    same_order: float


def compare(data: Path, embedder: str, url: str, folder: Path, *, every: int = 1) -> list[Agreement]:
    """Fill a SQLite file, take it over to `url`, and ask both every so many of the questions."""
    conversations = load("datasets", "locomo")(data).conversations
    with (
        Memory(folder / "agent.db", embedder=embedder) as here,
        Memory(url, embedder=embedder) as there,
    ):
        for conversation in conversations:
            here.namespace(conversation.id).remember([turn.message() for turn in conversation.turns])
        here.export(folder / "all.zip", everything=True)
        there.import_(folder / "all.zip")
        return [
            _agreement(name, list(_pairs(conversations, here, there, ask, every)))
            for name, ask in (("BM25", _by_terms), ("vectors", _by_vector), ("recall", _by_recall))
        ]


def _pairs(
    conversations: Sequence[Any], here: Memory, there: Memory, ask: Ask, every: int
) -> Iterator[tuple[list[str], list[str]]]:
    for conversation in conversations:
        views = here.namespace(conversation.id), there.namespace(conversation.id)
        for question in conversation.questions[::every]:
            yield ask(views[0], question.text), ask(views[1], question.text)


def _by_terms(memory: Memory, question: str) -> list[str]:
    store = memory._core.store
    return _named(memory, store.match(memory.current_namespace, terms(question), K))


def _by_vector(memory: Memory, question: str) -> list[str]:
    vector = memory._core.embedder.embed([question], "query")[0]
    return _named(memory, memory._core.store.nearest(memory.current_namespace, vector, K))


def _by_recall(memory: Memory, question: str) -> list[str]:
    return [item.id for item in memory.recall(question, k=K, budget_tokens=100_000).items]


def _named(memory: Memory, hits: Sequence[Scored]) -> list[str]:
    """Hits by whose passage they are, as each store has keys of its own."""
    found = memory._core.store.passages(memory.current_namespace, [hit.passage for hit in hits])
    return [f"{found[hit.passage].owner_id} {found[hit.passage].span}" for hit in hits]


def _agreement(name: str, pairs: Sequence[tuple[list[str], list[str]]]) -> Agreement:
    shares = [len({*a} & {*b}) / max(len(a), len(b), 1) if a or b else 1.0 for a, b in pairs]
    same = sum(a == b for a, b in pairs)
    return Agreement(name, len(pairs), sum(shares) / len(pairs), min(shares), same / len(pairs))


def main() -> int:
    """Print a line for each ranking; the exit code is 1 where one agrees too little."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=_SAMPLE, help="a file of LoCoMo; the packaged sample")
    parser.add_argument("--embedder", default="hash", help="what makes the vectors")
    parser.add_argument("--url", help="an empty PostgreSQL store")
    parser.add_argument("--no-pgvector", action="store_true", help="search vectors in the process there, too")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        extension = {"pgvector": "off"} if arguments.no_pgvector else {}
        url = arguments.url or servers.enter_context(throwaway_server(fsync="off")).url(
            "postgres", **extension
        )
        found = compare(arguments.data, arguments.embedder, url, Path(folder))
    print(f"{'ranking':<10} {'questions':>9} {'overlap@10':>10} {'least':>6} {'same order':>10}")
    for row in found:
        print(
            f"{row.ranking:<10} {row.questions:>9} {row.overlap:>10.4f} {row.least:>6.2f} {row.same_order:>10.4f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in found], indent=1))
    return 0 if all(row.overlap >= ENOUGH for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
