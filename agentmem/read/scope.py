"""Which tiers a question is read from: the window of what was just said, episodes, semantic memory, or all of them.

The scores of candidates are logits within one question, so the chances of a tier's candidates add up to the chance that
the evidence lies there. What a question is anchored in decides more (after SAVEMem's anchor-conditioned recency gate;
here words are the anchors): one about what was just said is read from the window alone, one about long ago rather not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from agentmem.read.candidates import Candidate
from agentmem.read.query import Analysis
from agentmem.read.request import ALL_TIERS
from agentmem.types import Tier


class Gated(NamedTuple):
    """What the gate decided: which tiers are read, none where it is (), and why.

    `chances` are those of each tier to hold the evidence, where asked for; `need` that memory is needed at all.
    """

    tiers: tuple[Tier, ...]
    why: str
    chances: Mapping[Tier, float] = MappingProxyType({})
    need: float | None = None


Anchor = Literal["present", "distant", ""]
# a tier less likely than this to hold evidence is not read
LEAST = 0.005
# what a question about long ago takes from the logit of the window
_DISTANCE = 3.0
_PRESENT = re.compile(
    r"\b(?:(?:did|have|had|has) (?:i|you|we) just|(?:i|you|we) just|were we just|"
    r"(?:say|said|tell|repeat|explain|show|do) (?:that|it|this)?\s*(?:to me |me )?(?:again|once more)|repeat|rephrase|"
    r"(?:last|previous|latest) (?:message|answer|reply|response|question|change|sentence|line|turn)|"
    r"a (?:moment|minute|second) ago|what was that|(?:make|translate|turn|put|shorten|undo|rewrite) (?:it|that|this)\b|"
    r"(?:of|between) (?:those|these|them)\b)",
    re.IGNORECASE,
)
_DISTANT = re.compile(
    r"\b(?:(?:first|very first) (?:time|conversation|chat|thing|question|message)|first (?:met|talked|spoke|asked)|"
    r"(?:years?|months?|weeks?) ago|originally|back (?:in|when|then)|used to|long ago|as a (?:child|kid)|"
    r"last (?:year|spring|summer|autumn|fall|winter|month))\b",
    re.IGNORECASE,
)


def decide(text: str, analysis: Analysis, ranked: Sequence[Candidate], tiers: Mapping[int, Tier]) -> Gated:
    """The tiers worth reading. `ranked` are candidates, at least one, best first; `tiers` tells theirs by key."""
    anchored = anchor(text, analysis, ranked, tiers)
    likely = chances(ranked, tiers, anchored)
    if anchored == "present" and "window" in likely:
        return Gated(("window",), "about what was just said", likely)
    about = "; about long ago" if anchored == "distant" else ""
    told = ", ".join(f"{tier} {chance:.3f}" for tier, chance in sorted(likely.items(), key=lambda x: -x[1]))
    read = tuple(tier for tier in ALL_TIERS if likely.get(tier, 0.0) >= LEAST)
    return Gated(read, f"chance of the evidence in {told}{about}", likely)


def anchor(
    text: str, analysis: Analysis, candidates: Sequence[Candidate], tiers: Mapping[int, Tier]
) -> Anchor:
    """Whether a question is about what was just said, or about a time before the window began."""
    if _PRESENT.search(text) and not analysis.spans:
        return "present"
    starts = [entry.passage.at for entry in candidates if tiers[entry.passage.key] == "window"]
    spans = [span for span in analysis.spans if not span.yearly]
    before = bool(spans and starts) and all(span.end <= min(starts) for span in spans)
    return "distant" if before or _DISTANT.search(text) else ""


def chances(
    candidates: Sequence[Candidate], tiers: Mapping[int, Tier], anchored: Anchor
) -> dict[Tier, float]:
    """How likely each tier holds the evidence; they sum to 1. Needs a candidate at least."""
    scores = np.array([entry.score for entry in candidates])
    weights = np.exp(scores - scores.max())
    of: dict[Tier, float] = {}
    for entry, weight in zip(candidates, weights.tolist(), strict=True):
        tier = tiers[entry.passage.key]
        of[tier] = of.get(tier, 0.0) + weight
    if "window" in of and anchored == "distant":
        of["window"] *= float(np.exp(-_DISTANCE))
    total = sum(of.values())
    return {tier: weight / total for tier, weight in of.items()}
