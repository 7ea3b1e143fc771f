"""From ranked passages to candidates: texts fetched, time respected, duplicates folded, neighbours added."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agentmem.contracts import StoredPassage
from agentmem.read.fuse import Fused

_NOT_WORDS = re.compile(r"\W+")
# what a turn inherits from the turn before it (an answer from its question) and from the one after
_FROM_BEFORE = 0.4
_FROM_AFTER = 0.1
# longer turns say more; beyond this many words length tells nothing
_WORDS_THAT_COUNT = 50


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
    moment = at or now
    if passage.owner == "event":
        return at is None or passage.at <= at
    return passage.at <= moment and (passage.valid_to is None or passage.valid_to > moment)


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


def next_to(seeds: Sequence[Candidate]) -> list[int]:
    """Positions right before and after the seeds."""
    seqs = {seed.passage.seq for seed in seeds if seed.passage.seq >= 0}
    return sorted({near for seq in seqs for near in (seq - 1, seq + 1)} - seqs)


def in_context(candidates: Sequence[Candidate], near: Sequence[StoredPassage]) -> list[Candidate]:
    """Candidates and their neighbours, scored as parts of a conversation, best first.

    A turn inherits a share of the scores of the turns around it in its session, and longer turns go before
    shorter ones of equal score.
    """
    known = {candidate.passage.key for candidate in candidates}
    added = [
        Candidate(passage, 0.0, {}, list(passage.source_ids)) for passage in near if passage.key not in known
    ]
    everyone = [*candidates, *added]
    at_turn: dict[tuple[str | None, int], float] = {}
    for candidate in everyone:
        if candidate.passage.seq >= 0:
            place = (candidate.passage.session, candidate.passage.seq)
            at_turn[place] = max(at_turn.get(place, 0.0), candidate.score)
    return sorted(
        (
            Candidate(
                candidate.passage,
                _with_neighbours(candidate, at_turn) * math.log1p(_words(candidate.passage)),
                candidate.ranks or {"neighbour": 1},
                candidate.source_ids,
            )
            for candidate in everyone
        ),
        key=lambda candidate: (-candidate.score, candidate.passage.key),
    )


def _with_neighbours(candidate: Candidate, at_turn: Mapping[tuple[str | None, int], float]) -> float:
    session, seq = candidate.passage.session, candidate.passage.seq
    if seq < 0:
        return candidate.score
    before = at_turn.get((session, seq - 1), 0.0)
    after = at_turn.get((session, seq + 1), 0.0)
    return candidate.score + _FROM_BEFORE * before + _FROM_AFTER * after


def _words(passage: StoredPassage) -> int:
    return 1 + min(len(passage.text.split()), _WORDS_THAT_COUNT)
