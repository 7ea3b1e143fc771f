"""From ranked passages to candidates: texts fetched, time respected, duplicates folded, neighbours added."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agentmem.contracts import StoredPassage
from agentmem.read.fuse import Fused

_NOT_WORDS = re.compile(r"\W+")
# a neighbour ranks behind its seed by this factor; small enough that it never displaces a direct find
_NEIGHBOUR_SHARE = 0.5


@dataclass(slots=True)
class Candidate:
    """A passage that may be packed."""

    passage: StoredPassage
    score: float
    ranks: Mapping[str, int]
    source_ids: list[str] = field(default_factory=list)


def visible(
    ranked: Sequence[Fused],
    passages: Mapping[int, StoredPassage],
    at: datetime | None,
    now: datetime,
) -> list[Candidate]:
    """Candidates that still exist and, where `at` is given, had happened and still held then."""
    found = []
    for entry in ranked:
        passage = passages.get(entry.passage)
        if passage is None or not _holds(passage, at, now):
            continue
        found.append(Candidate(passage, entry.score, entry.ranks, list(passage.source_ids)))
    return found


def _holds(passage: StoredPassage, at: datetime | None, now: datetime) -> bool:
    if at is not None and passage.at > at:
        return False
    return passage.valid_to is None or passage.valid_to > (at or now)


def fold(candidates: Sequence[Candidate]) -> tuple[list[Candidate], int]:
    """Candidates without those that say the same by the same speaker; the best stands for all its sources.

    Returns the rest and how many were folded.
    """
    kept: dict[tuple[str | None, str], Candidate] = {}
    for candidate in candidates:
        text = candidate.passage.text
        words = _NOT_WORDS.sub(" ", text).strip().casefold()
        first = kept.setdefault((candidate.passage.speaker, words or text.strip()), candidate)
        if first is not candidate:
            first.source_ids.extend(id_ for id_ in candidate.source_ids if id_ not in first.source_ids)
    return list(kept.values()), len(candidates) - len(kept)


def neighbour_seqs(seeds: Sequence[Candidate]) -> dict[int, float]:
    """Positions next to the seeds, each with the score it inherits from its best seed."""
    seqs: dict[int, float] = {}
    for seed in seeds:
        if seed.passage.seq >= 0:
            for seq in (seed.passage.seq - 1, seed.passage.seq + 1):
                seqs[seq] = max(seqs.get(seq, 0.0), seed.score * _NEIGHBOUR_SHARE)
    return seqs


def with_neighbours(
    candidates: Sequence[Candidate], found: Sequence[StoredPassage], scores: Mapping[int, float]
) -> list[Candidate]:
    """The candidates with neighbouring turns of the same session added or lifted, best first."""
    by_key = {candidate.passage.key: candidate for candidate in candidates}
    sessions = {candidate.passage.seq: candidate.passage.session for candidate in candidates}
    for passage in found:
        near = {sessions.get(passage.seq - 1), sessions.get(passage.seq + 1)}
        if passage.key not in by_key and passage.session in near:
            by_key[passage.key] = Candidate(
                passage, scores[passage.seq], {"neighbour": 1}, list(passage.source_ids)
            )
    return sorted(by_key.values(), key=lambda candidate: (-candidate.score, candidate.passage.key))
