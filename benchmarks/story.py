"""A life of a memory in which every kind of write happens once, and what must be true wherever it was cut off.

The story is told to a pipe as it goes: each step before it begins and after it was acknowledged. So afterwards the
store may hold what the acknowledged steps made, with or without the one step that was under way; nothing else.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import TextKind, Vectors
from agentmem.core import check_archive
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import DuplicateIdError

ME, OTHER, GUEST = ("org", "me"), ("org", "other"), ("guest",)
OLD, NEW = "hash-32", "hash-24"
SECRET = "marzipan"
LONG = "A long story. " * 150
_SEEDED = 120
_KEEP_INDEX_FROM = 100
_UNTIL_INT4 = timedelta(days=80)
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
    Step("remember without vectors", {ME: {"late": "The vectors of this come later."}}),
    Step("make the vectors"),
    Step("maintain"),
    Step("forget", removes=("secret", "n-secret")),
    Step("export"),
    Step("import", {GUEST: {"g1": "Greetings from a guest.", "n-g1": "The guest is polite"}}),
    Step("reindex", embedder=NEW),
    Step("forget a session", removes=("s-1", "s-2")),
    Step("rebuild"),
    Step("close"),
)


def seed(folder: Path) -> None:
    """The store that every life begins with, and an export for it to take in."""
    with Memory(folder / "guest.db", namespace=GUEST, embedder=OLD) as memory:
        memory.remember({"id": "g1", "content": "Greetings from a guest."})
        memory.note("The guest is polite", id="n-g1", sources=["g1"])
        memory.export(folder / "guest.zip")
    with Memory(folder / "agent.db", namespace=ME, embedder=OLD) as memory:
        _keep_small_indexes(memory)
        for id_, words in _seeded().items():
            session = "short" if id_.startswith("s-") else "old"
            memory.remember({"id": id_, "content": words, "session": session})
        memory.note(f"Someone hides {SECRET}", id="n-secret", sources=["secret"])
        memory.namespace(*OTHER).remember({"id": "o1", "content": "Words of another."})


def _seeded() -> dict[str, str]:
    numbered = {f"e{n}": f"turn {n} about thing {n % 7}" for n in range(_SEEDED)}
    return {**numbered, "secret": f"I hide {SECRET} here.", "s-1": "Short session.", "s-2": "Shorter."}


def begin(seeded: Path, folder: Path) -> None:
    """A fresh copy of the seeded store."""
    shutil.copytree(seeded, folder)


def live(folder: Path, tell: Tell) -> None:
    """Go through the whole story; may be run again after it was cut off."""
    tell("begin new")
    with Memory(folder / "new.db", embedder=OLD) as memory:
        memory.remember({"id": "first", "content": "The first words."})
        tell("done new")
    memory = Memory(folder / "agent.db", namespace=ME)
    _keep_small_indexes(memory)
    for step in STEPS:
        tell(f"begin {step.name}")
        _act(memory, folder, step)
        tell(f"done {step.name}")


def _act(memory: Memory, folder: Path, step: Step) -> None:
    match step.name:
        case "remember" | "remember elsewhere":
            ((namespace, words),) = step.adds.items()
            memory.namespace(*namespace).remember([{"id": i, "content": w} for i, w in words.items()])
        case "note":
            with suppress(DuplicateIdError):
                memory.note(step.adds[ME]["n-cat"], id="n-cat", sources=["cat"])
        case "remember without vectors":
            with _broken_embedder():
                memory.remember({"id": "late", "content": step.adds[ME]["late"]})
        case "make the vectors":
            memory.recall("vectors")
        case "maintain":
            later = ManualClock(datetime.now(UTC) + _UNTIL_INT4)
            with Memory(folder / "agent.db", namespace=ME, clock=later) as aged:
                aged.maintain()
                aged.recall("thing 3")
                aged.maintain()
        case "forget":
            memory.forget(ids=["secret"])
        case "export":
            memory.export(folder / "out.zip", everything=True)
        case "import":
            memory.import_(folder / "guest.zip")
        case "reindex":
            memory.reindex(embedder=NEW)
        case "forget a session":
            memory.forget(session="short", vacuum=True)
        case "rebuild":
            memory.rebuild()
        case "close":
            memory.recall("thing 3")
            memory.close()


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
    sys.modules[type(indexes).__module__].PERSIST_FROM = _KEEP_INDEX_FROM  # type: ignore[attr-defined]


def broken_rules(folder: Path, told: Sequence[str]) -> list[str]:
    """What is not as it must be in a store that was left at this point of the story."""
    found = []
    if "begin new" in told:
        found += _new_store(folder / "new.db", acknowledged="done new" in told)
    with Memory(folder / "agent.db", namespace=ME) as memory:
        found += memory.check(deep=True)
        found += _contents(memory, told)
        secret_is_gone = "secret" not in {event.id for event in memory.events()}
    if secret_is_gone and SECRET.encode() in b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name.startswith("agent.db")
    ):
        found.append("forgotten words are still in the files")
    if (folder / "out.zip").exists():
        check_archive(folder / "out.zip")
    elif "done export" in told:
        found.append("an acknowledged export is gone")
    return found


def _new_store(path: Path, *, acknowledged: bool) -> list[str]:
    with Memory(path, embedder=OLD) as memory:
        faults = memory.check(deep=True)
        held = [event.id for event in memory.events()]
        if held == ["first"] or not (held or acknowledged):
            return faults
        return [*faults, f"the new store holds {held}"]


def _contents(memory: Memory, told: Sequence[str]) -> Iterator[str]:
    done = [step for step in STEPS if f"done {step.name}" in told]
    under_way = [step for step in STEPS if f"begin {step.name}" in told and step not in done]
    held = {space: _words(memory.namespace(*space)) for space in memory.namespaces()}
    held = {space: words for space, words in held.items() if words}
    before, after = _expected(done), _expected([*done, *under_way])
    if held not in (before, after):
        yield f"the store holds neither what was before {under_way} nor after: {_difference(held, before)}"
    embedders = {_embedder(done), _embedder([*done, *under_way])}
    if memory.embedder_name not in embedders:
        yield f"the embedder is {memory.embedder_name}, not one of {embedders}"
    for space, words in held.items():
        for id_ in [*list(words)[:2], *list(words)[-6:]]:
            if id_ not in {item.id for item in memory.namespace(*space).recall(words[id_], k=8).items}:
                yield f"{id_} of {space} is stored and not recalled"


def _words(memory: Memory) -> dict[str, str]:
    return {
        **{event.id: event.content for event in memory.events()},
        **{note.id: note.text for note in memory.notes()},
    }


def _expected(steps: Sequence[Step]) -> Words:
    state: Words = {
        ME: {**_seeded(), "n-secret": f"Someone hides {SECRET}"},
        OTHER: {"o1": "Words of another."},
    }
    for step in steps:
        for space, words in step.adds.items():
            state.setdefault(space, {}).update(words)
        for id_ in step.removes:
            state[ME].pop(id_, None)
    return state


def _embedder(steps: Sequence[Step]) -> str:
    return next((step.embedder for step in reversed(steps) if step.embedder), OLD)


def _difference(held: Words, expected: Words) -> str:
    spaces = {*held, *expected}
    return "; ".join(
        f"{space}: {sorted(set(held.get(space, {}).items()) ^ set(expected.get(space, {}).items()))[:4]}"
        for space in sorted(spaces)
        if held.get(space) != expected.get(space)
    )


def teller(descriptor: int) -> Tell:
    """Tells the story to a pipe, a line at a time."""

    def tell(line: str) -> None:
        os.write(descriptor, line.encode() + b"\n")

    return tell
