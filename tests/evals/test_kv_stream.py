"""A text longer than the window: flat memory, the reference's perplexity, and facts from below."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("torch", reason="in-model memory needs agentmem[kv]: torch is not installed")
pytest.importorskip(
    "transformers", reason="in-model memory needs agentmem[kv]: transformers is not installed"
)

from agentmem.evals.kv_stream import Plan, calls
from agentmem.evals.kv_streamed import Streamed

from agentmem import Memory
from agentmem.cli.app import main


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One stream of 5,000 tokens on 256, as JSON."""
    folder = tmp_path_factory.mktemp("stream")
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda text: lines.append(text))
        given = ["--tokens", "5000", "--budget", "256", "--reach", "512", "--store", str(folder / "below.db")]
        code = main(["eval", "stream", *given, "--plot", str(folder / "memory.svg"), "--json"])
    return {**json.loads(lines[-1]), "code": code, "folder": folder}


def test_the_cache_does_not_grow_and_no_position_passes_the_reach(told: dict[str, Any]) -> None:
    moved = [mark["cache_bytes"] for mark in told["curve"] if mark["tokens"] > 600]

    assert len(moved) > 40
    assert set(moved) == {moved[0]}
    assert 448 <= told["greatest_position"] < 512


def test_perplexity_is_that_of_a_window_read_anew(told: dict[str, Any]) -> None:
    assert told["compared"] > 200
    assert told["perplexity"] == pytest.approx(told["reference_perplexity"], rel=0.02)


def test_facts_that_left_the_window_are_recalled_from_below(told: dict[str, Any]) -> None:
    assert told["facts"] == 10
    assert told["recalled"] >= 9
    assert told["in_window"] <= 2


def test_what_was_read_stays_in_the_store_and_the_curve_is_drawn(told: dict[str, Any]) -> None:
    with Memory(told["folder"] / "below.db") as memory:
        kept = memory.stats().events

    assert told["code"] == 0
    assert kept >= 5000 // (4 * 64)
    assert "process, MiB" in (told["folder"] / "memory.svg").read_text()


def test_calls_are_whole_sentences_and_tell_each_fact_once() -> None:
    found = list(calls(Plan(tokens=4000, budget=100, reach=200)))

    named = [name for _, now in found for name, _ in now]
    assert max(len(ids) for ids, _ in found) <= 64
    assert len(named) == len(set(named)) == 8
    assert sum(len(ids) for ids, _ in found) >= 4000


def test_perplexity_is_of_the_tokens_compared() -> None:
    found = Streamed(compared=2, loss=2 * 0.6931471805599453, reference_loss=0.0)

    assert found.perplexity == pytest.approx(2.0)
    assert found.reference_perplexity == 1.0


def test_a_reach_without_room_for_a_call_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["eval", "stream", "--budget", "512", "--reach", "550"])

    assert code == 2
    assert "the reach at least 64 more" in capsys.readouterr().err
