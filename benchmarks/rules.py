"""What must be true of the stores of a `story`, wherever it was cut off.

They may hold what the acknowledged steps made, with or without the one step that was under way; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from homes import NEW, SEALED, SEEDED, Home
from story import KEY, ME, OLD, OTHER, SECRET, STEPS, Step, Words, seeded_words

from agentmem import Memory
from agentmem.core import check_archive
from agentmem.errors import EncryptionKeyError


def broken_rules(home: Home, told: Sequence[str]) -> list[str]:
    """What is not as it must be in a store that was left at this point of the story."""
    found = []
    if "begin new" in told:
        found += _new_store(home.url(NEW), acknowledged="done new" in told)
    with Memory(home.url(SEEDED), namespace=ME) as memory:
        found += memory.check(deep=True)
        found += _contents(memory, told)
        found += _latents(memory, told)
        secret_is_gone = "secret" not in {event.id for event in memory.events()}
    if secret_is_gone and SECRET.encode() in (home.remains(SEEDED) or b""):
        found.append("forgotten words are still in the files")
    if home.can_seal:
        found += _sealed(home, begun="begin seal" in told, acknowledged="done seal" in told)
    if (home.folder / "out.zip").exists():
        check_archive(home.folder / "out.zip")
    elif "done export" in told:
        found.append("an acknowledged export is gone")
    return found


def _new_store(url: str, *, acknowledged: bool) -> list[str]:
    with Memory(url, embedder=OLD) as memory:
        faults = memory.check(deep=True)
        held = [event.id for event in memory.events()]
        if held == ["first"] or not (held or acknowledged):
            return faults
        return [*faults, f"the new store holds {held}"]


def _latents(memory: Memory, told: Sequence[str]) -> Iterator[str]:
    store = memory.latents()
    store.sweep(grace_s=0)
    yield from (f"the latent of {ref.owner_id} is damaged: {fault}" for ref, fault in store.verify())
    if store.stats().orphans:
        yield "files of latents are left that nothing refers to"
    held = {ref.owner_id for ref in store.find(ME)}
    there = {event.id for event in memory.events()}
    if held - there or ("s-1" in there) != ("s-1" in held):
        yield f"there are latents of {held}"
    if "done keep a latent" in told and "cat" not in held:
        yield "an acknowledged latent is gone"
    if "done let a latent fade" in told and store.find(OTHER):
        yield "a latent that was let go is still there"


def _sealed(home: Home, *, begun: bool, acknowledged: bool) -> Iterator[str]:
    try:
        memory = Memory(home.url(SEALED))
        encrypted = False
    except EncryptionKeyError:
        memory = Memory(home.url(SEALED), key=KEY)
        encrypted = True
    with memory:
        if memory.get("diary") is None or list(memory.latents().verify()):
            yield "a store was damaged by being encrypted"
        memory.latents().sweep(grace_s=0)
    if encrypted and SECRET.encode() in (home.remains(SEALED) or b""):
        yield "an encrypted store can be read in its files"
    if (acknowledged and not encrypted) or (encrypted and not begun):
        yield f"the store is {'encrypted' if encrypted else 'plain'}, and should not be"


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
        ME: {**seeded_words(), "n-secret": f"Someone hides {SECRET}"},
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
