"""A disk that fills up in the middle of any verb: a clear error, nothing lost, and the same memory goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="limits on file size need a POSIX system")

VERBS = ["remember", "note", "forget", "vacuum", "reindex", "rebuild", "export", "latent", "close"]

# every verb in a fork of its own, on a copy, while no file may grow beyond some size
IN_LITTLE_ROOM = """
import json, logging, os, shutil, sys
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit
import numpy as np
from agentmem import AgentMemError, Memory

logging.disable(logging.CRITICAL)
root = Path(sys.argv[1])
kept, life = root / "kept", root / "life"
LATENT = {"fingerprint": "a model", "layout": "numbers"}
VERBS = {
    "remember": lambda memory: memory.remember([{"content": f"{n} words " * 300} for n in range(20)]),
    "note": lambda memory: memory.note("another " * 500),
    "forget": lambda memory: memory.forget(session="s1"),
    "vacuum": lambda memory: memory.forget(ids=["e3"], vacuum=True),
    "reindex": lambda memory: memory.reindex(embedder="hash-96"),
    "rebuild": lambda memory: memory.rebuild(),
    "export": lambda memory: memory.export(life / "out.zip"),
    "latent": lambda memory: memory.latents().put(
        memory.current_namespace, "e4", {"n": np.zeros(200_000, np.uint8)}, **LATENT
    ),
    "close": lambda memory: memory.close(),
}

def seed():
    kept.mkdir()
    with Memory(kept / "a.db", embedder="hash-64") as memory:
        memory.remember(
            [{"id": f"e{n}", "content": f"turn {n} of thing {n % 7}", "session": f"s{n % 5}"} for n in range(120)]
        )
        memory.note("a note", id="n1", sources=["e1"])

def try_it(act):
    memory = Memory(life / "a.db")
    memory.remember({"id": "e120", "content": "the last words"})
    setrlimit(RLIMIT_FSIZE, (8_192, RLIM_INFINITY))
    try:
        act(memory)
        said = "no error"
    except AgentMemError as error:
        said = f"{type(error).__name__}: {error}"
    setrlimit(RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
    if act is VERBS["close"]:
        memory = Memory(life / "a.db")
    with memory:
        lost = {f"e{n}" for n in range(121)} - {event.id for event in memory.events()}
        memory.remember({"id": "after", "content": "Room again for words."})
        found = [item.id for item in memory.recall("Is there room again?").items]
        damaged = [str(ref) for ref, _ in memory.latents().verify()]
        return [said, sorted(lost), found[0], memory.check(deep=True) + damaged]

def forked(act):
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            result = try_it(act)
        except BaseException as error:
            result = [repr(error)]
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return json.loads(pipe.read())

seed()
results = {}
for name, act in VERBS.items():
    shutil.copytree(kept, life)
    results[name] = forked(act)
    shutil.rmtree(life)
print(json.dumps(results))
"""


def test_a_full_disk_is_a_clear_error_and_loses_nothing(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """By verb: what is said, which events are lost, what is recalled when there is room again, what is wrong then."""
    outcomes = json.loads(run_python(IN_LITTLE_ROOM, tmp_path))

    said = {verb: outcome.pop(0).partition(":")[0] for verb, outcome in outcomes.items()}
    assert said == {**dict.fromkeys(VERBS, "StoreFullError"), "export": "ArchiveError"}
    assert outcomes == {verb: [[], "after", []] for verb in VERBS}
