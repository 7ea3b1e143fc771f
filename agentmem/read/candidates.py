"""From ranked passages to candidates: texts fetched, time respected, duplicates folded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from agentmem.contracts import StoredPassage
from agentmem.read.fuse import Fused

_NOT_WORDS = re.compile(r"\W+")
# the same for ASCII, in a third of the time
_ASCII = "".join(char.lower() if char.isalnum() or char == "_" else " " for char in map(chr, range(128)))


@dataclass(slots=True)
class Candidate:
    """A passage that may be packed; `brief` without the captions of its images."""

    passage: StoredPassage
    score: float
    ranks: Mapping[str, int]
    source_ids: tuple[str, ...] = ()
    brief: bool = False

    def scored(self, score: float) -> Candidate:
        """The same with another score."""
        return Candidate(self.passage, score, self.ranks, self.source_ids, self.brief)

    def sourced(self, also: Sequence[str]) -> Candidate:
        """The same resting on these events, too."""
        together = tuple(dict.fromkeys([*self.source_ids, *also]))
        return Candidate(self.passage, self.score, self.ranks, together, self.brief)

    def briefly(self) -> Candidate:
        """The same without captions."""
        return Candidate(self.passage, self.score, self.ranks, self.source_ids, True)


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
        found.append(Candidate(passage, entry.score, entry.ranks, passage.source_ids))
    return found


def _holds(passage: StoredPassage, at: datetime | None, now: datetime) -> bool:
    if passage.owner == "event":
        return at is None or passage.at <= at
    return passage.holds(at or now)


def saying(text: str) -> str:
    """What a text says, whatever its case and marks."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split()) or text.strip()
    return _NOT_WORDS.sub(" ", text).strip().casefold() or text.strip()


def fold(
    candidates: Sequence[Candidate], known: Mapping[int, str] = MappingProxyType({})
) -> tuple[list[Candidate], int]:
    """Candidates without those that say the same by the same speaker; the best stands for all its sources.

    `known` has the `saying` of passages by key, as far as they were looked at before. Returns the rest and how many
    were folded.
    """
    kept: dict[tuple[str | None, str], Candidate] = {}
    for candidate in candidates:
        passage = candidate.passage
        # never empty, as no text is
        says = known.get(passage.key) or saying(passage.text)
        first = kept.setdefault((passage.speaker, says), candidate)
        if first is not candidate:
            kept[passage.speaker, says] = first.sourced(candidate.source_ids)
    return list(kept.values()), len(candidates) - len(kept)


def next_to(seeds: Sequence[Candidate], twice: int) -> list[int]:
    """Positions right before and after the seeds, and the next ones beyond for the first `twice` of them."""
    seqs = [seed.passage.seq for seed in seeds if seed.passage.seq >= 0]
    near = {seq + step for seq in seqs for step in (-1, 1)}
    near |= {seq + step for seq in seqs[:twice] for step in (-2, 2)}
    return sorted(near - set(seqs))


def with_neighbours(
    candidates: Sequence[Candidate], near: Sequence[StoredPassage], at: datetime | None
) -> list[Candidate]:
    """Candidates, then the passages beside them that are not among them and had happened by `at`."""
    known = {candidate.passage.key for candidate in candidates}
    return [
        *candidates,
        *(
            Candidate(passage, 0.0, {"neighbour": 1}, passage.source_ids)
            for passage in near
            if passage.key not in known and (at is None or passage.at <= at)
        ),
    ]
