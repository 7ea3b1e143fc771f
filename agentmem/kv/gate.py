"""Whether a model's episodes are good enough: probes are run once for each fingerprint and width, and the result kept.

Knows nothing of models: who asks says how to measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv.quality import Quality
from agentmem.latents import LatentStore
from agentmem.types import Namespace

OWNER = "kv-quality"
"""The id under which a memory keeps what its probes found."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why episodes are not to be trusted, and whether reading some of their tokens again is enough."""

    reason: str
    blend: bool = False


class Gate:
    """Trusts episodes of `bits` where they agree with a prompt in at least a share `least` of the tokens.

    `recompute` is the share of tokens that is read again where that is enough.
    """

    def __init__(
        self, latents: LatentStore, namespace: Namespace, bits: int, least: float, recompute: float
    ) -> None:
        if not 0 <= least <= 1:
            raise InvalidInputError(f"min_agreement is {least}, must be between 0 and 1")
        if not 0 <= recompute <= 1:
            raise InvalidInputError(f"recompute is {recompute}, must be between 0 and 1")
        self.recompute = recompute
        self.least = least
        self._latents, self._namespace, self._layout = (
            latents,
            namespace,
            f"{OWNER}-2/{bits}-bit/{recompute:g}",
        )
        self._known: dict[str, Quality] = {}

    def quality(self, fingerprint: str, measure: Callable[[], Quality]) -> Quality:
        """What was found for this fingerprint; measured where it is not known."""
        if fingerprint not in self._known:
            self._known[fingerprint] = self._kept(fingerprint) or self._keep(fingerprint, measure())
        return self._known[fingerprint]

    def doubt(self, fingerprint: str, measure: Callable[[], Quality]) -> Doubt | None:
        """Why episodes are not to be trusted; none where they are."""
        if self.least == 0:
            return None
        try:
            found = self.quality(fingerprint, measure)
        except InvalidInputError as error:
            return Doubt(str(error))
        if found.agreement >= self.least:
            return None
        why = (
            f"as episodes the probes' texts make the model choose the same as in a prompt for {found.agreement:.0%} of "
            f"{found.tokens} tokens, less than {self.least:.0%}"
        )
        if found.blended >= self.least:
            share = f"the {self.recompute:.0%} of tokens that differ most were read again"
            return Doubt(f"{why}: {share}, which makes it {found.blended:.0%}", blend=True)
        return Doubt(f"{why}: the words were read together")

    def _kept(self, fingerprint: str) -> Quality | None:
        try:
            found = self._latents.get(
                self._namespace, OWNER, fingerprint=fingerprint, layout=self._layout
            ).meta
            return Quality(
                kl=float(found["kl"]),
                agreement=float(found["agreement"]),
                unaided=float(found["unaided"]),
                tokens=int(found["tokens"]),
                blended=float(found["blended"]),
            )
        except (RecordNotFoundError, FingerprintMismatchError, CorruptLatentError, LookupError, ValueError):
            return None

    def _keep(self, fingerprint: str, found: Quality) -> Quality:
        words = {
            name: str(getattr(found, name)) for name in ("kl", "agreement", "unaided", "tokens", "blended")
        }
        self._latents.put(
            self._namespace, OWNER, {}, fingerprint=fingerprint, layout=self._layout, meta=words
        )
        return found
