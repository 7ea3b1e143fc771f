"""Whether a summary of an episode should take the place of its words where the budget is short, as in SCM.

A share of the budget is kept for the summaries of the likeliest episodes of which no word is in the context yet. What
that gives is counted in evidence word for word, and in the words of the right answer that stand in the context.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from measure import Row

from agentmem import Memory
from agentmem.read.candidates import Candidate
from agentmem.read.pack import Context
from agentmem.read.request import Request
from agentmem.registry import load
from agentmem.terms import terms
from agentmem.tokens import as_tokenizer

_SAMPLE = Path(__file__).parents[1] / "evals" / "data" / "sample_conversation.json"
_BUDGETS = (250, 500, 1000)
_SHARES = (0.0, 0.15, 0.3, 0.5)
_ASKED = (1, 2, 3, 4)


def rows(data: Path | None, folder: Path) -> Iterator[Row]:
    """One line for each budget and share."""
    quoted: dict[tuple[int, float], list[float]] = defaultdict(list)
    answered: dict[tuple[int, float], list[float]] = defaultdict(list)
    for conversation in load("datasets", "locomo")(data or _SAMPLE).conversations:
        with Memory(folder / f"{conversation.id}.db", embedder="offline") as memory:
            memory.remember([turn.message() for turn in conversation.turns])
            summaries = {episode.id: f"{episode.title}: {episode.summary}" for episode in memory.episodes()}
            words = {turn.id: turn.words for turn in conversation.turns}
            for question in conversation.questions:
                if question.category not in _ASKED or not question.evidence:
                    continue
                found = _found(memory, question.text)
                wanted = [words[id_] for id_ in question.evidence]
                for budget in _BUDGETS:
                    for share in _SHARES:
                        text = _context(found, summaries, budget, share)
                        quoted[budget, share].append(
                            _share([_plain(said) in _plain(text) for said in wanted])
                        )
                        there = set(terms(text))
                        answered[budget, share].append(
                            _share([term in there for term in terms(question.answer)])
                        )
    for (budget, share), of in quoted.items():
        figures = f"evidence {np.mean(of):.4f}, words of the answer {np.nanmean(answered[budget, share]):.4f}"
        yield Row(f"{budget} tokens, {share:.0%} for summaries", "agentmem", f"{figures}, n {len(of)}")


def _found(memory: Memory, text: str) -> list[tuple[Candidate, str]]:
    """Candidates, best first, each with its episode."""
    recaller, namespace = memory.core.wiring.recaller, memory.current_namespace
    found = recaller.find(Request(namespace, text, _BUDGETS[-1]), recaller.ask(text, None)).candidates
    of = memory.core.store.episode_of(namespace, [entry.passage.seq for entry in found])
    return [(entry, of.get(entry.passage.seq, "")) for entry in found]


def _context(
    found: Sequence[tuple[Candidate, str]], summaries: Mapping[str, str], budget: int, share: float
) -> str:
    """Words in what the summaries leave, then the summaries of the likeliest episodes that have none there."""
    count = as_tokenizer(None).count
    context = Context(round(budget * (1 - share)), as_tokenizer(None))
    taken = {entry.passage.key for entry, _ in context.add([entry for entry, _ in found]).taken}
    left = budget - context.tokens if share else 0
    told = {episode for entry, episode in found if entry.passage.key in taken}
    lines = [context.text]
    for entry, episode in found:
        line = summaries.get(episode, "")
        if entry.passage.key in taken or not line or episode in told:
            continue
        told.add(episode)
        if (cost := count(f"- {line}\n")) <= left:
            left -= cost
            lines.append(f"- {line}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")
