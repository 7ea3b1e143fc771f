"""Latents: tensors that belong to an episode or an event, such as the keys and values a model computed for it.

They are derived: whoever made them can make them again from the events, so a damaged one is an error and never a
loss. Nothing here does anything, and nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from numpy.typing import NDArray

from agentmem.types import Namespace


@dataclass(frozen=True, slots=True)
class LatentRef:
    """Where a latent is, and what it fits.

    `fingerprint` identifies all that the numbers depend on (weights, configuration, tokenizer, precision, ...);
    `layout` how they are arranged. `sha256` is of the safetensors bytes, `size_bytes` their number.
    """

    namespace: Namespace
    owner_id: str
    fingerprint: str
    layout: str
    sha256: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Latent:
    """A latent read back: read-only views, of a mapped file where there is one; copy before you change them.

    `dtypes` are the types as safetensors names them: `BF16` comes as its bits in `uint16`, ready for
    `torch.from_numpy(...).view(torch.bfloat16)`.
    """

    ref: LatentRef
    tensors: Mapping[str, NDArray[Any]]
    dtypes: Mapping[str, str]
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatentStats:
    """How many latents there are, what they and the files take, and how many files nothing refers to."""

    latents: int
    size_bytes: int
    files: int
    file_bytes: int
    orphans: int
    url: str


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep removed, and how many files it left because they are too young to judge."""

    removed: int
    removed_bytes: int
    left: int


class LatentStore(Protocol):
    """Keeps latents in files named by their content, and knows whose they are. Safe between threads and processes."""

    def put(
        self,
        namespace: Namespace,
        owner_id: str,
        tensors: Mapping[str, NDArray[Any]],
        *,
        fingerprint: str,
        layout: str,
        meta: Mapping[str, str] | None = None,
        dtypes: Mapping[str, str] | None = None,
        sources: Sequence[str] = (),
    ) -> LatentRef:
        """Keep tensors for an owner, in place of those of the same fingerprint and layout; durable on return.

        Args:
            dtypes: types that numpy cannot name: `{"k": "BF16"}` for an array of `uint16` bits.
            sources: ids of the events the numbers come from: when one is forgotten, the latent goes with it. The
                owner counts as a source, too.

        Raises:
            InvalidInputError: a type that safetensors does not have, or an unknown source.
        """

    def get(
        self, namespace: Namespace, owner_id: str, *, fingerprint: str, layout: str | None = None
    ) -> Latent:
        """An owner's latent for this fingerprint (the newest, where no layout is asked for).

        Raises:
            RecordNotFoundError: it has none.
            FingerprintMismatchError: it has some, but of another fingerprint or layout.
            CorruptLatentError: its file is missing, or its checksum differs.
        """

    def find(self, namespace: Namespace, owner_id: str | None = None) -> list[LatentRef]:
        """What there is of an owner, or of the whole namespace, the oldest first."""

    def delete(self, namespace: Namespace, owner_id: str) -> int:
        """Remove an owner's latents; returns how many there were."""

    def verify(self) -> Iterator[tuple[LatentRef, str]]:
        """Read every latent of the store; those that are damaged, each with what is wrong."""

    def sweep(self, *, grace_s: float = 3600.0) -> SweepReport:
        """Remove files that nothing refers to and that are older than `grace_s`."""

    def stats(self) -> LatentStats:
        """What the whole store holds."""
