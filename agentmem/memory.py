"""`Memory`: remember, recall, note, forget. The flow is here; the work is in `write`, `read` and the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

from agentmem.clock import Clock, Moment, SystemClock, to_utc
from agentmem.config import DEFAULT_NAMESPACE, check_namespace, store_url
from agentmem.contracts import AsyncBridge, Embedder, Selection
from agentmem.core import Core, Wiring, open_store, restore
from agentmem.embed import choose_embedder
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.errors import InvalidInputError
from agentmem.ids import new_id
from agentmem.keys import Key
from agentmem.latents import LatentStore
from agentmem.llm import as_llm
from agentmem.recalling import Recalling
from agentmem.reembed import reembed
from agentmem.tokens import as_tokenizer
from agentmem.types import (
    ArchiveReport,
    ForgetReport,
    MemoryKind,
    Namespace,
    Note,
    Receipt,
)
from agentmem.upkeep import Upkeep
from agentmem.versions import version_key
from agentmem.write.messages import check_text, read_messages
from agentmem.write.passages import note_passage

DEFAULT_SESSION = "default"


class Memory(Recalling, Upkeep):
    """A memory in one place, seen through one namespace. Safe to share between threads.

    Args:
        url: `sqlite:///agent.db`, a file name, `sqlite://` (memory), or None for the user's data folder.
        namespace: whose memory this is; nothing is ever read or written outside it.
        embedder: a sentence-transformers name or folder, `"hash"`, or your own `Embedder`. None takes what
            the store was built with, else the best that is installed.
        llm: what `refine` asks: a LangChain chat model, or a function from prompt to answer. Nothing needs one.
        tokenizer: what budgets are counted in: None, an object with `encode`, or `str -> int`.
        clock: where `now` comes from.
        key: encrypts the file: a passphrase, 32 random bytes, or a function that gives one of these. None looks in
            `AGENTMEM_KEY`, `AGENTMEM_KEY_FILE` and `AGENTMEM_KEYRING`; see docs/encryption.md.
        bridge: what `AsyncMemory` runs on where the store is asynchronous; nothing else gives one.

    Raises:
        NotADatabaseError, NewerSchemaError: the file cannot be used.
        EncryptionKeyError: the key is missing or wrong, or the file is not encrypted.
        EmbedderMismatchError: the store was built with another embedder.

    Example:
        >>> with Memory("sqlite://", embedder="hash") as mem:
        ...     _ = mem.remember("I adopted a cat.", session="s1")
        ...     mem.recall("cat").items[0].text
        'I adopted a cat.'
    """

    #: what `Memory.restore` took in, where it opened this memory
    restored: ArchiveReport | None = None

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        namespace: Sequence[str] = DEFAULT_NAMESPACE,
        embedder: str | Embedder | None = None,
        llm: Any = None,
        tokenizer: Any = None,
        clock: Clock | None = None,
        key: Key | None = None,
        bridge: AsyncBridge | None = None,
    ) -> None:
        self._llm = as_llm(llm)
        self._namespace = check_namespace(namespace)
        self._core = Core(
            store_url(url), embedder, as_tokenizer(tokenizer), clock or SystemClock(), key, bridge
        )
        self._owner = True

    @property
    def url(self) -> str:
        """Where this memory lives."""
        return self._core.store.url

    @property
    def core(self) -> Core:
        """The open parts this memory is a view on, for integrations."""
        return self._core

    @property
    def current_namespace(self) -> Namespace:
        """Whose memory this is."""
        return self._namespace

    @property
    def embedder_name(self) -> str:
        """What makes its vectors."""
        return self._core.embedder.name

    @property
    def tokenizer_name(self) -> str:
        """What budgets are counted in."""
        return self._core.tokenizer.name

    def namespace(self, *parts: str) -> Memory:
        """A view on another namespace of the same store; closing it leaves the store open."""
        self._core.check_open()
        view = object.__new__(type(self))
        view._namespace = check_namespace(parts)
        view._core = self._core
        view._llm = self._llm
        view._owner = False
        return view

    def namespaces(self, *prefix: str) -> list[Namespace]:
        """Every namespace of the store that starts with these parts."""
        self._core.check_open()
        return self._core.store.namespaces(check_namespace(prefix) if prefix else ())

    def remember(
        self,
        messages: Any,
        *,
        session: str = DEFAULT_SESSION,
        role: str = "user",
        progress: Callable[[int, int], None] | None = None,
    ) -> Receipt:
        """Store messages verbatim; durable and recallable when it returns. No LLM is called.

        The same call twice changes nothing. A long list is stored a batch at a time; each batch is whole or
        absent, so after an interruption the same call takes up where it stopped.

        Args:
            messages: a text, a dict (`content`, and any of `role name at id session metadata`), a LangChain
                message, or a sequence of these. A time without a zone is UTC; without a time it is now.
            session: the session of messages that name none.
            role: the role of messages that name none.
            progress: called with (done, total) after each batch.

        Raises:
            InvalidInputError: a message cannot be read; nothing is stored.
            DuplicateIdError: an id already holds different content.
        """
        self._core.check_open()
        events = read_messages(messages, session, role)
        receipt = self._core.run(lambda wiring: wiring.ingest.remember(self._namespace, events, progress))
        self._core.recall_log.after_write(self._core.clock.now())
        return receipt

    def note(
        self,
        text: str,
        *,
        kind: MemoryKind = "fact",
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
        valid_from: Moment | None = None,
        valid_to: Moment | None = None,
        sources: Sequence[str] = (),
        confidence: float = 1.0,
        id: str | None = None,
        exclusive: bool = True,
    ) -> str:
        """Write a semantic memory directly; returns its id.

        A note with subject and predicate takes the place of one with the same two that says something else: that
        one is closed (`valid_to`), never removed, and `history` tells why. One that tells of earlier times ends
        where what is known of later ones begins; one with a `valid_to` gives way to what held before. One that
        says again, in the same words, what holds anyhow adds its sources to the note there, whose id is returned;
        give an `id` to keep it apart.

        Args:
            text: what is held to be true.
            subject, predicate, object: the same in parts, such as `Alice`, `lives in`, `Paris`.
            sources: ids of the events it rests on.
            valid_from: since when it holds; None for now.
            valid_to: until when; None while it holds.
            exclusive: False for a predicate with several values at once, such as `likes`: closes nothing and
                is closed by nothing.

        Raises:
            InvalidInputError: empty text, unknown kind or source, or a period that ends before it begins.
        """
        self._core.check_open()
        if kind not in get_args(MemoryKind):
            raise InvalidInputError(f"unknown kind {kind!r}; known: {', '.join(get_args(MemoryKind))}")
        (checked,) = read_messages({"content": text}, DEFAULT_SESSION)
        for name, value in (("subject", subject), ("predicate", predicate), ("object", object), ("id", id)):
            if value is not None:
                check_text(value, name)
        since = None if valid_from is None else to_utc(valid_from)
        until = None if valid_to is None else to_utc(valid_to)
        now = self._core.clock.now()
        if until is not None and until <= (since or now):
            raise InvalidInputError(f"valid_to {until} is not after valid_from {since or now}")
        if not 0.0 <= confidence <= 1.0:
            raise InvalidInputError(f"confidence is between 0 and 1, not {confidence}")
        note = Note(
            id=id or new_id(),
            namespace=self._namespace,
            kind=kind,
            text=checked.content,
            subject=subject,
            predicate=predicate,
            object=object,
            valid_from=since,
            valid_to=until,
            recorded_at=now,
            superseded_at=None,
            superseded_by=None,
            confidence=confidence,
            source_ids=_ids(sources),
            stated_to=until,
            exclusive=exclusive and version_key(subject, predicate) is not None,
        )
        passage = note_passage(note)

        def add(wiring: Wiring) -> str:
            made = embed_pieces_or_none(wiring.embedder, [passage.index_text])
            return self._core.store.add_note(
                note,
                passage,
                None if made is None else made.rows[0],
                embedder=wiring.embedder.name,
                confirm=id is None,
                pieces=None if made is None or made.pieces is None else made.pieces[0],
            )

        return self._core.run(add)

    def forget(
        self,
        *,
        ids: Sequence[str] | None = None,
        session: str | None = None,
        before: Moment | None = None,
        about: str | None = None,
        everything: bool = False,
        dry_run: bool = False,
        vacuum: bool = False,
    ) -> ForgetReport:
        """Remove events and notes of this namespace, with every trace derived from them.

        Several conditions narrow the choice: all must hold. `everything` stands alone.

        Args:
            ids: these events and notes.
            session: the events of this session.
            before: what happened before this moment.
            about: what is said by, or mentions, this name or phrase, or another name that `entities` knows to mean the
                same.
            dry_run: only tell what would go.
            vacuum: also give the room back to the disk, which rewrites the whole file. What is forgotten is
                overwritten with or without it.

        Raises:
            InvalidInputError: no condition at all, or `everything` beside another.
        """
        self._core.check_open()
        scoped = [value for value in (ids, session, before, about) if value is not None]
        if everything == bool(scoped):
            raise InvalidInputError(
                "forget needs ids=, session=, before= or about=; or everything=True, alone, for the namespace"
            )
        for name, value in (("session", session), ("about", about)):
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise InvalidInputError(f"{name} must be a non-empty text, not {value!r}")
        selection = Selection(
            ids=None if ids is None else _ids(ids),
            session=session,
            before=None if before is None else to_utc(before),
            about=about,
            everything=everything,
        )
        if about is not None:
            self._core.deriver.follow(self._namespace)
        report = self._core.store.forget(
            self._namespace, selection, at=self._core.clock.now(), dry_run=dry_run, vacuum=vacuum
        )
        if not dry_run:
            self._core.drop_texts()
        return report

    def rebuild(self) -> int:
        """Make passages, terms, episodes and entities of this namespace anew from its events.

        What comes out as it was keeps its vectors, and an episode its life. Returns the count of events.
        """
        self._core.check_open()
        count = self._core.store.rebuild(self._namespace)
        self._core.deriver.follow(self._namespace)
        return count

    def check(self, *, deep: bool = False) -> list[str]:
        """What is wrong with the whole store, a line each; empty when all is well.

        `deep` reads every row and compares what is derived (passages, terms, vectors, counts) with the events and
        notes it comes from.
        """
        self._core.check_open()
        return self._core.store.check(deep=deep)

    def latents(self, place: str | None = None) -> LatentStore:
        """The tensors kept for episodes and events, such as their keys and values in a model.

        Args:
            place: a folder, or a URL such as `s3://bucket/agent`; remembered by the store. None takes what it
                remembers, else a folder beside the database.
        """
        self._core.check_open()
        return self._core.store.latents(place)

    def export(
        self,
        path: str | Path,
        *,
        everything: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ArchiveReport:
        """Write this namespace and those below it (or the whole store) to one portable file.

        It is read from one snapshot, beside writers; `progress` is called with (done, total) steps.
        """
        self._core.check_open()
        return self._core.store.export(Path(path), None if everything else self._namespace, progress=progress)

    def import_(
        self, path: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveReport:
        """Take an export into this store; what is already here stays. All or nothing.

        Returns what was taken; `known` counts what was here already, `left_out` says what could not be taken.

        Raises:
            ArchiveError: the file is damaged or not an export; nothing is taken.
        """
        self._core.check_open()
        return self._core.store.restore(Path(path), progress=progress)

    @classmethod
    def restore(
        cls,
        path: str | Path,
        url: str | Path | None = None,
        *,
        latents: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Self:
        """Open the memory at `url` (options as for `Memory`) with an export taken in; `restored` says what.

        Args:
            latents: where the export's latents go, as for `latents()`.
            progress: called with (done, total) records.

        Raises:
            ArchiveError: the file is damaged or not an export; no store is made.
        """
        report = restore(
            Path(path), store_url(url), key=options.get("key"), latents=latents, progress=progress
        )
        memory = cls(url, **options)
        memory.restored = report
        return memory

    @classmethod
    def reembed(
        cls,
        url: str | Path | None,
        *,
        embedder: str | Embedder,
        key: Key | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Move a store that is not open here to another embedder; the one it was built with need not be installed.

        Returns how many passages were moved. An interrupted run leaves the old embedder in use, and is taken up
        again by the next one.

        Raises:
            EmbedderError: the new embedder failed; the old vectors stay in use.
        """
        new = choose_embedder(embedder)
        # loads it: what cannot be loaded must not make a file
        _ = new.dims
        with closing(open_store(store_url(url), key)) as store:
            return reembed(store, new, progress)

    def reindex(
        self,
        *,
        embedder: str | Embedder | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Embed everything anew with another embedder; the old vectors serve until the switch.

        Without `embedder`, only makes vectors that are missing. Returns how many passages were moved.
        """
        self._core.check_open()
        return self._core.reindex(embedder, progress)

    def close(self) -> None:
        """Flush and release the store; a second call, or one on a view, does nothing."""
        if self._owner:
            self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, namespace={self._namespace!r})"


def _ids(values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidInputError(f"ids are a list of texts, not {values!r}")
    given = list(values)
    if not all(isinstance(value, str) for value in given):
        raise InvalidInputError(f"ids are a list of texts, not {values!r}")
    return tuple(dict.fromkeys(given))
