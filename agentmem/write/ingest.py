"""Stores messages: skips what is known, does the slow work without a lock, then commits.

An embedder that fails loses nothing: the words are stored and found by their terms, and the vectors are made
at the next chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from agentmem.clock import Clock
from agentmem.contracts import Embedder, Passage, PreparedEvent, Store, Tokenizer
from agentmem.embed.late import Embedded
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.faults import point
from agentmem.quote import without_recall
from agentmem.types import Namespace, NewEvent, Receipt
from agentmem.write.derive import Deriver
from agentmem.write.passages import event_passages

# one transaction each, so that an interrupted import keeps what it has done
BATCH = 512
Progress = Callable[[int, int], None]


def content_hashes(events: Sequence[NewEvent]) -> list[str]:
    """What makes each event the same as another.

    With an id: who said what. Without: also the session and the time given, and, for words repeated within
    one call, their count so far; so the same call twice changes nothing, yet a repeated "yes" is kept.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    hashes = []
    for event in events:
        parts: tuple[str, ...] = (event.role, event.name or "", event.content)
        if event.id is None:
            at = "" if event.occurred_at is None else event.occurred_at.isoformat()
            parts = (*parts, event.session, at)
            seen[parts] += 1
            parts = (*parts, str(seen[parts]))
        hashes.append(sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest())
    return hashes


class Ingest:
    """Writes into one store; holds no state of its own."""

    def __init__(
        self, store: Store, embedder: Embedder, tokenizer: Tokenizer, clock: Clock, deriver: Deriver
    ) -> None:
        self._store = store
        self._deriver = deriver
        self._embedder = embedder
        self._tokenizer = tokenizer
        self._clock = clock

    def remember(
        self, namespace: Namespace, events: Sequence[NewEvent], progress: Progress | None = None
    ) -> Receipt:
        """Store in order, `BATCH` at a time; each batch is whole or absent.

        Raises:
            DuplicateIdError: an id already holds different content; its batch is not stored.
        """
        genuine = list(_genuine(events))
        hashes = content_hashes(genuine)
        receipts = []
        for start in range(0, len(genuine), BATCH):
            end = start + BATCH
            self._deriver.before_write(namespace)
            receipts.append(self._batch(namespace, genuine[start:end], hashes[start:end]))
            if progress is not None:
                progress(min(end, len(genuine)), len(genuine))
        return Receipt(
            event_ids=tuple(id_ for receipt in receipts for id_ in receipt.event_ids),
            added=sum(receipt.added for receipt in receipts),
            duplicates=sum(receipt.duplicates for receipt in receipts),
            echoes=len(events) - len(genuine),
            pending_vectors=sum(receipt.pending_vectors for receipt in receipts),
            session=events[-1].session if events else "",
        )

    def _batch(self, namespace: Namespace, events: Sequence[NewEvent], hashes: Sequence[str]) -> Receipt:
        wanted = [(event.id, digest) for event, digest in zip(events, hashes, strict=True)]
        known = self._store.known(namespace, wanted)
        fresh = [
            self._cut(event, digest)
            for event, digest, old in zip(events, hashes, known, strict=True)
            if old is None
        ]
        point("remember.prepared")
        texts = [passage.index_text for item in fresh for passage in item.passages]
        # a text said twice is embedded once
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        made = embed_pieces_or_none(self._embedder, list(places)) if texts else None
        point("remember.embedded")
        prepared = [self._prepare(item, places, made) for item in fresh]
        outcome = iter(self._store.append(namespace, prepared) if prepared else ())
        results = [next(outcome) if old is None else (old, False) for old in known]
        added = sum(new for _, new in results)
        self._deriver.wrote(namespace, added)
        return Receipt(
            tuple(id_ for id_, _ in results),
            added,
            len(results) - added,
            pending_vectors=len(texts) if made is None else 0,
        )

    def _cut(self, event: NewEvent, digest: str) -> _Fresh:
        now = self._clock.now()
        occurred_at = event.occurred_at or now
        passages = event_passages(event.name or event.role, occurred_at, event.content)
        return _Fresh(event, digest, now, occurred_at, passages)

    def _prepare(self, item: _Fresh, places: Mapping[str, int], made: Embedded | None) -> PreparedEvent:
        """The event with its vectors; `places` says in which row those of a text are."""
        ours = [places[passage.index_text] for passage in item.passages]
        return PreparedEvent(
            event=item.event,
            content_hash=item.digest,
            token_count=self._tokenizer.count(item.event.content),
            recorded_at=item.recorded_at,
            occurred_at=item.occurred_at,
            passages=item.passages,
            vectors=None if made is None else made.rows[ours],
            embedder="" if made is None else self._embedder.name,
            pieces=None
            if made is None or made.pieces is None
            else tuple(made.pieces[place] for place in ours),
        )


class _Fresh(NamedTuple):
    """An event that is not stored yet, cut into passages."""

    event: NewEvent
    digest: str
    recorded_at: datetime
    occurred_at: datetime
    passages: tuple[Passage, ...]


def _genuine(events: Sequence[NewEvent]) -> Iterator[NewEvent]:
    """The events without text that recall itself produced; what was nothing else is left out."""
    for event in events:
        content = without_recall(event.content)
        if content is event.content:
            yield event
        elif content:
            yield replace(event, content=content)
