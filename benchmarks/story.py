"""A life of a memory in which every kind of write happens once.

The story is told to a pipe as it goes: each step before it begins and after it was acknowledged. `rules` says what
must be true wherever it was cut off.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import numpy as np
from homes import NEW as NEW_STORE
from homes import SEALED, SEEDED, Home
from numpy.typing import NDArray

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.encryption import encrypt
from agentmem.errors import DuplicateIdError, EncryptionKeyError, StoreUnreachableError

ME, OTHER, GUEST = ("org", "me"), ("org", "other"), ("guest",)
OLD, NEW = "hash-32", "hash-24"
SECRET = "marzipan"
LONG = "A long story. " * 150
_SEEDED = 120
_KEEP_INDEX_FROM = 100
_UNTIL_INT4 = timedelta(days=80)
_UNTIL_FADED = timedelta(days=200)
_PAUSE_S = 0.05
LATENT_KIND: dict[str, Any] = {"fingerprint": "a model", "layout": "words"}
KEY = b"k" * 32
T = TypeVar("T")
Tell = Callable[[str], None]
Words = dict[tuple[str, ...], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Step:
    """What one acknowledged call changes: words by namespace and id, ids gone, the embedder."""

    name: str
    adds: Words = field(default_factory=dict)
    removes: tuple[str, ...] = ()
    embedder: str = ""


STEPS = (
    Step("remember", {ME: {"cat": "I adopted a cat called Miso.", "long": LONG, "tea": "Tea at four."}}),
    Step("remember elsewhere", {OTHER: {"cat": "I am afraid of cats."}}),
    Step("note", {ME: {"n-cat": "Miso is a cat"}}),
    Step("keep a latent"),
    Step("remember without vectors", {ME: {"late": "The vectors of this come later."}}),
    Step("make the vectors"),
    Step("keep word pieces"),
    Step("maintain"),
    Step("let a latent fade"),
    Step("forget", removes=("secret", "n-secret")),
    Step("export"),
    Step("import", {GUEST: {"g1": "Greetings from a guest.", "n-g1": "The guest is polite"}}),
    Step("reindex", embedder=NEW),
    Step("forget a session", removes=("s-1", "s-2")),
    Step("rebuild"),
    Step("close"),
)


def seed(home: Home) -> None:
    """The store that every life begins with, and an export for it to take in."""
    with Memory("sqlite://", namespace=GUEST, embedder=OLD) as memory:
        memory.remember({"id": "g1", "content": "Greetings from a guest."})
        memory.note("The guest is polite", id="n-g1", sources=["g1"])
        memory.export(home.folder / "guest.zip")
    with Memory(home.url(SEEDED), namespace=ME, embedder=OLD) as memory:
        _keep_small_indexes(memory)
        for id_, words in seeded_words().items():
            session = "short" if id_.startswith("s-") else "old"
            memory.remember({"id": id_, "content": words, "session": session})
        memory.note(f"Someone hides {SECRET}", id="n-secret", sources=["secret"])
        memory.latents(home.latents).put(ME, "s-1", _numbers("s-1"), **LATENT_KIND)
        memory.namespace(*OTHER).remember({"id": "o1", "content": "Words of another."})
    if home.can_seal:
        with Memory(home.url(SEALED), embedder=OLD) as memory:
            memory.remember({"id": "diary", "content": f"Of {SECRET} only my diary knows."})
            memory.latents().put(memory.current_namespace, "diary", _numbers("diary"), **LATENT_KIND)


def _numbers(word: str) -> dict[str, NDArray[np.uint8]]:
    """A latent that a rule can read."""
    return {"word": np.frombuffer(word.encode(), np.uint8)}


def seeded_words() -> dict[str, str]:
    """By id, what the seeded namespace holds of events."""
    numbered = {f"e{n}": f"turn {n} about thing {n % 7}" for n in range(_SEEDED)}
    return {**numbered, "secret": f"I hide {SECRET} here.", "s-1": "Short session.", "s-2": "Shorter."}


def live(home: Home, tell: Tell, *, patience_s: float = 0) -> None:
    """Go through the whole story; may be run again after it was cut off.

    With patience a step is done again where the server was lost in the middle of it.
    """

    def act(name: str, do: Callable[[], T]) -> T:
        tell(f"begin {name}")
        done = _patiently(do, lambda error: tell(f"lost {name}: {error}"), patience_s)
        tell(f"done {name}")
        return done

    act("new", lambda: _begin_a_store(home.url(NEW_STORE)))
    if home.can_seal:
        act("seal", lambda: _seal(home.url(SEALED)))
    memory = act("open", lambda: Memory(home.url(SEEDED), namespace=ME))
    _keep_small_indexes(memory)
    for step in STEPS:
        act(step.name, partial(_do, memory, home, step))


def _patiently(do: Callable[[], T], lost: Callable[[StoreUnreachableError], None], patience_s: float) -> T:
    give_up = time.monotonic() + patience_s
    while True:
        try:
            return do()
        except StoreUnreachableError as error:
            lost(error)
            if time.monotonic() >= give_up:
                raise
            time.sleep(_PAUSE_S)


def _begin_a_store(url: str) -> None:
    with Memory(url, embedder=OLD) as memory:
        memory.remember({"id": "first", "content": "The first words."})


def _seal(url: str) -> None:
    try:
        encrypt(url, key=KEY)
    except EncryptionKeyError:
        # by an earlier run, which may not have come to the latents
        with Memory(url, key=KEY) as memory:
            memory.latents().sweep()


def _do(memory: Memory, home: Home, step: Step) -> None:
    match step.name:
        case "remember" | "remember elsewhere":
            ((namespace, words),) = step.adds.items()
            memory.namespace(*namespace).remember([{"id": i, "content": w} for i, w in words.items()])
        case "note":
            with suppress(DuplicateIdError):
                memory.note(step.adds[ME]["n-cat"], id="n-cat", sources=["cat"])
        case "keep a latent":
            memory.latents().put(ME, "cat", _numbers("cat"), **LATENT_KIND)
        case "remember without vectors":
            with _broken_embedder():
                memory.remember({"id": "late", "content": step.adds[ME]["late"]})
        case "make the vectors":
            memory.recall("vectors")
        case "keep word pieces":
            _keep_pieces(memory)
        case "maintain":
            later = ManualClock(datetime.now(UTC) + _UNTIL_INT4)
            with Memory(home.url(SEEDED), namespace=ME, clock=later) as aged:
                aged.maintain()
                aged.recall("thing 3")
                aged.maintain()
        case "let a latent fade":
            memory.latents().put(OTHER, "o1", _numbers("o1"), **LATENT_KIND)
            later = ManualClock(datetime.now(UTC) + _UNTIL_FADED)
            with Memory(home.url(SEEDED), namespace=OTHER, clock=later) as aged:
                aged.maintain()
        case "forget":
            memory.forget(ids=["secret"])
        case "export":
            memory.export(home.folder / "out.zip", everything=True)
        case "import":
            memory.import_(home.folder / "guest.zip")
        case "reindex":
            memory.reindex(embedder=NEW)
        case "forget a session":
            memory.forget(session="short", vacuum=True)
        case "rebuild":
            memory.rebuild()
        case "close":
            memory.recall("thing 3")
            memory.close()


def _keep_pieces(memory: Memory) -> None:
    """As a model that gives them would: this story's embedders have no word pieces."""
    store, dims = memory._core.store, memory._core.embedder.dims
    keys = [key for key, _ in store.without_pieces(0, 5)]
    pieces = np.eye(2, dims, dtype=np.float32)
    store.add_pieces(keys, [pieces for _ in keys], embedder=memory.embedder_name)


@contextmanager
def _broken_embedder() -> Iterator[None]:
    def broken(self: HashEmbedder, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        raise RuntimeError("out of memory")

    whole = HashEmbedder.embed
    HashEmbedder.embed = broken  # type: ignore[method-assign]
    try:
        yield
    finally:
        HashEmbedder.embed = whole  # type: ignore[method-assign]


def _keep_small_indexes(memory: Memory) -> None:
    indexes = memory._core.store._indexes  # type: ignore[attr-defined]
    module = sys.modules[type(indexes).__module__]
    # a server that searches vectors keeps no index here
    if hasattr(module, "PERSIST_FROM"):
        setattr(module, "PERSIST_FROM", _KEEP_INDEX_FROM)  # noqa: B010 - mypy knows no such attribute


def teller(descriptor: int) -> Tell:
    """Tells the story to a pipe, a line at a time."""

    def tell(line: str) -> None:
        os.write(descriptor, line.encode() + b"\n")

    return tell
