"""`AsyncMemory` has the verbs of `Memory` as coroutines, and keeps the loop free."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentmem import AsyncMemory, Memory
from agentmem.errors import ClosedError, InvalidInputError


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(task)


def test_every_verb_works_as_a_coroutine(database: Path) -> None:
    async def story() -> list[object]:
        async with AsyncMemory(database, embedder="hash") as memory:
            await memory.remember({"id": "e1", "content": "I adopted a cat."}, session="s1")
            note = await memory.note("Alice has a cat", sources=["e1"])
            found = await memory.recall("cat", budget_tokens=300, k=2)
            view = await memory.namespace("other")
            await view.remember("elsewhere")
            return [
                set(found.source_ids),
                (await memory.get("e1")).id,
                [event.id for event in await memory.events(session="s1")],
                [kept.id for kept in await memory.notes()] == [note],
                [entry.action for entry in await memory.history("e1")],
                (await memory.stats()).events,
                await memory.namespaces(),
                await memory.reindex(embedder="hash-64"),
                (await memory.export(database.with_name("out.zip"))).events,
                (await memory.import_(database.with_name("out.zip"))).events,
                (await memory.forget(ids=["e1"])).event_ids,
            ]

    assert run(story()) == [
        {"e1"},
        "e1",
        ["e1"],
        True,
        ["remembered"],
        1,
        [("default",), ("other",)],
        3,
        1,
        0,
        ("e1",),
    ]


def test_an_export_is_restored(memory: Memory, tmp_path: Path) -> None:
    memory.remember({"id": "e1", "content": "hello"})
    memory.export(tmp_path / "out.zip")

    async def story() -> str:
        restored = await AsyncMemory.restore(tmp_path / "out.zip", tmp_path / "new.db")
        async with restored:
            return (await restored.get("e1")).id

    assert run(story()) == "e1"


def test_many_calls_may_run_at_once(database: Path) -> None:
    async def story() -> int:
        async with AsyncMemory(database, embedder="hash") as memory:
            await asyncio.gather(
                *(memory.remember({"id": str(number), "content": f"turn {number}"}) for number in range(30)),
                *(memory.recall("turn", budget_tokens=100) for _ in range(30)),
            )
            return (await memory.stats()).events

    assert run(story()) == 30


def test_errors_are_those_of_memory(database: Path) -> None:
    async def story() -> None:
        async with AsyncMemory(database, embedder="hash") as memory:
            await memory.remember("  ")

    with pytest.raises(InvalidInputError, match="content is empty"):
        run(story())


def test_a_closed_one_says_so(database: Path) -> None:
    async def story() -> None:
        memory = AsyncMemory(database, embedder="hash")
        await memory.remember("hello")
        await memory.close()
        await memory.recall("hello")

    with pytest.raises(ClosedError):
        run(story())


def test_one_that_was_never_used_makes_no_file(database: Path) -> None:
    async def story() -> None:
        await AsyncMemory(database, embedder="hash").close()

    run(story())

    assert not database.exists()


def test_latents_are_kept_and_found(database: Path) -> None:
    async def story() -> list[object]:
        async with AsyncMemory(database, embedder="hash") as memory:
            return await keep_and_find_latents(memory)

    assert run(story()) == KEPT_AND_FOUND


def test_latents_are_kept_and_found_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    async def story() -> list[object]:
        async with AsyncMemory(postgres_url, embedder="hash") as memory:
            await memory.latents(str(tmp_path / "latents"))
            return await keep_and_find_latents(memory)

    assert run(story()) == KEPT_AND_FOUND


async def keep_and_find_latents(memory: AsyncMemory) -> list[object]:
    me = ("default",)
    latents = await memory.latents()
    kept = await latents.put(me, "e1", {"k": np.ones(3)}, fingerprint="model", layout="pages")
    return [
        (await latents.get(me, "e1", fingerprint="model")).tensors["k"].tolist(),
        await latents.find(me) == [kept],
        await latents.verify(),
        (await latents.stats()).files,
        await latents.delete(me, "e1"),
        (await latents.sweep(grace_s=0)).removed,
        (await latents.stats()).files,
    ]


KEPT_AND_FOUND = [[1.0, 1.0, 1.0], True, [], 1, 1, 0, 0]


def public(kind: type) -> set[str]:
    return {name for name, value in inspect.getmembers(kind, inspect.isroutine) if not name.startswith("_")}


def test_no_verb_of_memory_is_missing() -> None:
    assert public(Memory) - public(AsyncMemory) == set()


@pytest.mark.parametrize("verb", sorted(public(Memory) - {"restore", "close"}))
def test_a_verb_takes_the_same_arguments(verb: str) -> None:
    theirs = inspect.signature(getattr(AsyncMemory, verb)).parameters
    ours = inspect.signature(getattr(Memory, verb)).parameters

    missing = set(ours) - set(theirs) - {"progress"}
    assert missing == set() or "options" in theirs
