"""The values that cross agentmem's boundaries: frozen, slotted, typed.

Knows nothing of storage or ranking. `at` and `occurred_at` are when something happened in the world,
`recorded_at` when agentmem learned it; both are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Namespace = tuple[str, ...]
Tier = Literal["window", "episode", "semantic"]
MemoryKind = Literal["fact", "preference", "profile", "insight", "skill", "cause"]
Role = Literal["user", "assistant", "system", "tool"]
EntityKind = Literal["speaker", "email", "handle", "url", "date", "place", "quoted", "name", "initial"]
EdgeKind = Literal["with", "speaks_of", "on"]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One message, checked and normalised, not yet stored."""

    id: str | None
    session: str
    role: Role
    name: str | None
    content: str
    occurred_at: datetime | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One stored message: verbatim, append-only."""

    id: str
    namespace: Namespace
    session: str
    seq: int
    role: Role
    name: str | None
    content: str
    occurred_at: datetime
    recorded_at: datetime
    content_hash: str
    token_count: int
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def speaker(self) -> str:
        """The name shown for this event: the given name, else the role."""
        return self.name or self.role


@dataclass(frozen=True, slots=True)
class Note:
    """One semantic memory: something held to be true, with when, and the events it rests on.

    `stated_to` is the end as it was given; `valid_to` may be earlier, where another note took its place.
    `exclusive`: of notes with this subject and predicate only one holds at a time.
    """

    id: str
    namespace: Namespace
    kind: MemoryKind
    text: str
    subject: str | None
    predicate: str | None
    object: str | None
    valid_from: datetime | None
    valid_to: datetime | None
    recorded_at: datetime
    superseded_at: datetime | None
    superseded_by: str | None
    confidence: float
    source_ids: tuple[str, ...]
    stated_to: datetime | None = None
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of an entity, and what says that it is one."""

    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Entity:
    """Who or what events name: one for all spellings of a name.

    `node` identifies it in the graph of its namespace, and nowhere else; `mentions` is how many events name it,
    under any of its names.
    """

    node: int
    name: str
    kind: EntityKind
    mentions: int
    aliases: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation of two entities, and how many events show it.

    `with`: named in one event (no direction; `source < target`). `speaks_of`: the source says what names the
    target. `on`: the target is a date named beside the source. Times are those of the first and last such event.
    """

    source: int
    target: int
    kind: EdgeKind
    weight: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of one session: the events of `session` from `first_seq` to `last_seq`.

    `reason` is why it ends: `session`, `gap`, `topic`, `length`, or `llm`. `refined_by` names the model that worded
    title and bounds, if one did. `strength`, `stability_days`, `recalls` and `last_recalled_at` are its life.
    """

    id: str
    namespace: Namespace
    session: str
    first_seq: int
    last_seq: int
    events: int
    title: str
    summary: str
    reason: str
    token_count: int
    started_at: datetime
    ended_at: datetime
    strength: float = 1.0
    stability_days: float = 1.0
    recalls: int = 0
    last_recalled_at: datetime | None = None
    refined_by: str | None = None


@dataclass(frozen=True, slots=True)
class RefineReport:
    """What a language model did to episodes: how many stretches it was asked about, how many episodes it worded,
    how many boundaries came or went, and how many episodes are `left` as they were; `failed` says why.
    """

    asked: int = 0
    refined: int = 0
    moved: int = 0
    left: int = 0
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `remember` stored; everything named here is durable."""

    event_ids: tuple[str, ...]
    added: int
    duplicates: int
    echoes: int = 0
    pending_vectors: int = 0
    session: str = ""


@dataclass(frozen=True, slots=True)
class RecalledItem:
    """One piece of recalled evidence.

    `score` orders items within one recall (higher is better; not comparable between recalls).
    `span` is a character range of the event's content where the item is a passage of a long event.
    `channels` maps each channel that proposed it to its 1-based rank there.
    """

    id: str
    text: str
    tier: Tier
    kind: str
    score: float
    source_ids: tuple[str, ...]
    at: datetime
    tokens: int
    span: tuple[int, int] | None = None
    channels: Mapping[str, int] = field(default_factory=dict)
    speaker: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelTrace:
    """What one channel did: `seconds`, how many candidates it proposed, and why it was silent."""

    name: str
    seconds: float
    proposed: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class CutItem:
    """A candidate that is not in the text, and why."""

    id: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class QuestionTrace:
    """What a question was taken to ask: its kind, tense, the times it names, and whether for many things at once."""

    kind: str
    tense: str
    times: tuple[str, ...]
    broad: bool


@dataclass(frozen=True, slots=True)
class ItemTrace:
    """Why an item stands where it does: its place among the channels' proposals, and what each feature added."""

    id: str
    proposed_rank: int
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RereadTrace:
    """A further look. `by` is "leads", or the model that split the question, or "" where none was needed.

    `open_share` is how much of the question the evidence did not cover, from 0 to 1, and `open` the terms, names and
    times of it; `asked` are the further questions, `confirmed` what the model took from the evidence; `found` counts
    the passages that came, or came again. `note` says what was amiss.
    """

    by: str
    open_share: float
    open: tuple[str, ...]
    asked: tuple[str, ...]
    confirmed: tuple[str, ...]
    found: int
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """How a recall came about.

    `relevance` is the chance that memory holds an answer, None where too little is stored to tell. `weights` names the
    set that ranked. `cut` and `reasons` (for the items, in their order) are kept with `explain=True`. With `gate=True`,
    `need` is the chance that the question needs memory at all, and `scope` that of each tier to hold the evidence.
    `rereads` tell of further looks, in order.
    """

    query: str
    tiers: tuple[Tier, ...]
    gate: str
    embed_seconds: float
    seconds: float
    channels: tuple[ChannelTrace, ...]
    candidates: int
    folded: int
    budget_tokens: int
    tokens: int
    cut: tuple[CutItem, ...] = ()
    relevance: float | None = None
    question: QuestionTrace | None = None
    weights: str = ""
    reasons: tuple[ItemTrace, ...] = ()
    need: float | None = None
    scope: Mapping[Tier, float] = field(default_factory=dict)
    rereads: tuple[RereadTrace, ...] = ()


@dataclass(frozen=True, slots=True)
class Recall:
    """The answer to a recall: a packed context and what it is made of, best first."""

    text: str
    items: tuple[RecalledItem, ...]
    trace: Trace
    tokens: int

    @property
    def source_ids(self) -> tuple[str, ...]:
        """Ids of all events the context rests on, best first, each once."""
        return tuple(dict.fromkeys(source for item in self.items for source in item.source_ids))

    def explain(self) -> str:
        """The trace as text: gate, channels, ranks, packing, what was cut and why."""
        return "\n".join([*_told(self.trace), *_told_of_items(self)])


@dataclass(frozen=True, slots=True)
class RecallChunk:
    """One step of a `recall_stream`.

    When appending, `text` goes right behind the texts before it, and `items` are those that it brings; when updating,
    it takes their place, and `items` are all there are. `tokens` counts the context up to here, closed; `seconds` go
    from the question. `recall` is the whole answer, in the last chunk only.
    """

    text: str
    items: tuple[RecalledItem, ...]
    tokens: int
    seconds: float
    recall: Recall | None = None


def _told(trace: Trace) -> list[str]:
    chance = "" if trace.relevance is None else f", chance of an answer {trace.relevance:.2f}"
    lines = [f"query     {trace.query}"]
    if (asked := trace.question) is not None:
        times = f", {', '.join(asked.times)}" if asked.times else ""
        lines.append(
            f"asks      {asked.kind}, {asked.tense}{times}, {'many things' if asked.broad else 'one thing'}"
        )
    lines += [
        f"gate      {trace.gate}: tiers {', '.join(trace.tiers) or 'none'}{chance}",
        f"time      {trace.seconds * 1e3:.1f} ms, of which embedding {trace.embed_seconds * 1e3:.1f} ms",
    ]
    for channel in trace.channels:
        note = f"  ({channel.note})" if channel.note else ""
        lines.append(
            f"channel   {channel.name:<10} {channel.proposed:>4} candidates "
            f"{channel.seconds * 1e3:7.1f} ms{note}"
        )
    for look in trace.rereads:
        lines.extend(_told_of_look(look))
    by = f", weighed by {trace.weights!r}" if trace.weights else ""
    lines.append(f"fused     {trace.candidates} candidates, {trace.folded} duplicates folded{by}")
    return lines


def _told_of_look(look: RereadTrace) -> list[str]:
    missing = f" ({', '.join(look.open)})" if look.open else ""
    told = f"reread    {look.open_share:.0%} of the question open{missing}"
    if look.by:
        told += f"; by {look.by}: {look.found} passages {look.seconds * 1e3:.1f} ms"
    return [
        told + (f"; {look.note}" if look.note else ""),
        *(f"  known   {fact}" for fact in look.confirmed),
        *(f"  asked   {question}" for question in look.asked),
    ]


def _told_of_items(recall: Recall) -> list[str]:
    trace = recall.trace
    lines = [f"packed    {len(recall.items)} items, {trace.tokens} of {trace.budget_tokens} tokens"]
    reasons = {reason.id: reason for reason in trace.reasons}
    for rank, item in enumerate(recall.items, 1):
        ranks = " ".join(f"{name}#{place}" for name, place in item.channels.items())
        lines.append(f"  {rank:>3}. {item.score:.4f} {item.id} [{item.tier}] {ranks}: {item.text[:80]!r}")
        if (why := reasons.get(item.id)) is not None:
            parts = ", ".join(f"{name} {part:+.2f}" for name, part in why.parts.items())
            lines.append(f"       was {why.proposed_rank}; {parts}")
    lines.extend(f"  cut  {cut.score:.4f} {cut.id}: {cut.reason}" for cut in trace.cut)
    return lines


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What a `forget` removed, or with `dry_run` would remove."""

    event_ids: tuple[str, ...]
    memory_ids: tuple[str, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to an event or a semantic memory."""

    id: str
    action: Literal["remembered", "noted", "confirmed", "superseded", "closed", "reopened", "forgotten"]
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a namespace holds, and what its store costs."""

    namespace: Namespace
    events: int
    sessions: int
    memories: int
    passages: int
    vectors: int
    tokens: int
    first_at: datetime | None
    last_at: datetime | None
    embedder: str
    dims: int
    store_bytes: int
    url: str


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What an export wrote, or what a restore took in.

    `known` counts events, notes and items of the export that were here already; `left_out` says what else did not
    go along, and why.
    """

    path: str
    namespaces: int
    events: int
    memories: int
    size_bytes: int
    episodes: int = 0
    items: int = 0
    latents: int = 0
    vectors: int = 0
    known: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How well a namespace is held at a moment, and what that costs.

    `retention` counts events by tenths of R, the least held first. `precisions` counts vectors as they are kept,
    `wanted` events by the precision, and `kv_tiers` events by the KV tier, that their retention asks for.
    """

    namespace: Namespace
    at: datetime
    retention: tuple[int, ...]
    precisions: Mapping[str, int]
    wanted: Mapping[str, int]
    kv_tiers: Mapping[str, int]
    vector_bytes: int


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What a `maintain` did, or with `dry_run` would do: vectors by the precision they fell to, and made anew.

    `bytes_before` and `bytes_after` are those of vectors; `latent_bytes` those of the `latents` dropped.
    """

    namespace: Namespace
    vectors: int
    lowered: Mapping[str, int]
    raised: int
    bytes_before: int
    bytes_after: int
    latents: int
    latent_bytes: int
    dry_run: bool
