"""`agentmem maintain` and `agentmem stats --lifecycle`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentmem import Memory
from agentmem.clock import ManualClock

Fixture = Any


@pytest.fixture
def old(cli: Fixture, database: Path) -> Fixture:
    """A memory of ten events recorded long ago."""
    clock = ManualClock(datetime(2020, 1, 1, tzinfo=UTC))
    with Memory(database, embedder="hash", clock=clock) as memory:
        memory.remember([f"thing {n}" for n in range(10)])
    return cli


def test_maintain_tells_what_it_did(old: Fixture) -> None:
    result = old("maintain")

    assert result.code == 0
    assert result.out == "default: 10 vectors went to binary (20,480 bytes before, 680 now)\n"


def test_maintain_again_has_nothing_to_do(old: Fixture) -> None:
    old("maintain")

    assert old("maintain").out == "default: nothing to do for 10 vectors\n"


def test_a_dry_run_only_tells(old: Fixture) -> None:
    told = old("maintain", "--dry-run").out

    assert told == "default: 10 vectors would go to binary (20,480 bytes)\n"
    assert old("stats", "--lifecycle", "--json").json["lifecycle"]["precisions"] == {"float32": 10}


def test_maintain_all_goes_through_every_namespace(old: Fixture) -> None:
    old("remember", "hello", "-n", "other")

    found = old("maintain", "--all", "--json").json["namespaces"]

    assert [(item["namespace"], item["vectors"]) for item in found] == [(["default"], 10), (["other"], 1)]


def test_stats_shows_precisions_bytes_and_retention(old: Fixture) -> None:
    old("maintain")

    out = old("stats", "--lifecycle").out

    assert "vectors in binary" in out
    assert "retention 0.0-0.1" in out
    assert "events whose KV belongs on text" in out


def test_stats_draws_the_lifecycle(old: Fixture, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    old("stats", "--plot", tmp_path / "out.png")

    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
