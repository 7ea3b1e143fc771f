"""Latents from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cli.conftest import Command

from agentmem import Memory


def keep(database: Path) -> None:
    with Memory(database) as memory:
        memory.latents().put(
            ("default",), "ep1", {"k": np.arange(4)}, fingerprint="model-a", layout="pages-1"
        )


def test_stats_tell_what_there_is(cli: Command, database: Path) -> None:
    keep(database)

    result = cli("latents", "stats", "--json")

    assert {name: result.json[name] for name in ("latents", "files", "orphans")} == {
        "latents": 1,
        "files": 1,
        "orphans": 0,
    }


def test_they_go_by_the_name_of_what_a_local_model_keeps_too(cli: Command, database: Path) -> None:
    keep(database)

    told = cli("kv", "stats", "--json")

    assert told.json == cli("latents", "stats", "--json").json
    assert cli("kv", "verify").out == "1 latent, 0 damaged\n"
    assert cli("kv", "gc").code == 0


def test_verify_finds_a_damaged_file(cli: Command, database: Path) -> None:
    keep(database)
    sound = cli("latents", "verify")
    (path,) = database.with_name("agent.db.latents").rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    damaged = cli("latents", "verify", "--json")

    assert (sound.code, sound.out) == (0, "1 latent, 0 damaged\n")
    assert damaged.code == 1
    assert [found["id"] for found in damaged.json["damaged"]] == ["ep1"]


def test_gc_removes_only_what_nothing_refers_to(cli: Command, database: Path) -> None:
    keep(database)
    stray = database.with_name("agent.db.latents") / "ab" / ("ab" * 32 + ".safetensors")
    stray.parent.mkdir()
    stray.write_bytes(b"left over")

    waited = cli("latents", "gc")
    removed = cli("latents", "gc", "--grace", "0", "--json")

    assert waited.out == "0 files removed (0 bytes), 1 too young to judge\n"
    assert removed.json == {"removed": 1, "removed_bytes": 9, "left": 0}
    assert cli("latents", "verify").code == 0
