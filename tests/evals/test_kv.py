"""`agentmem eval kv`: its measures are true on small cases, and its output can be read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="in-model memory needs agentmem[kv]: torch is not installed")
pytest.importorskip(
    "transformers", reason="in-model memory needs agentmem[kv]: transformers is not installed"
)

from agentmem.evals import kv, kv_exact, kv_loading, kv_soft, kv_widths, needles, recaller
from agentmem.evals.kv_episodes import parts, recalled, remembered
from agentmem.evals.kvpress import pressed
from agentmem.evals.kvpress_host import PRESSES
from agentmem.evals.recaller_text import text

from agentmem.cli.app import main
from agentmem.errors import InvalidInputError, PeerUnavailableError
from agentmem.kv import policies
from agentmem.kv.support import shape_of


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


def test_episodes_at_a_tenth_of_the_budget_give_back_what_the_whole_text_does(model: Any) -> None:
    whole = needles.recall_over(model, 1000, count=1)

    with remembered(model, list(needles.texts(1000, 1))) as told:
        found = recalled(model, told, share=10)

    assert found.share >= 0.97 * whole
    assert found.share > 0.9


def test_a_text_is_remembered_in_parts_that_are_the_text(model: Any) -> None:
    (reading,) = needles.texts(300, 1)

    found = parts(reading)

    assert " ".join(found) == text(reading.ids[: reading.asked[0]])
    assert max(len(part.split()) for part in found) <= 64
    assert len(found) == 6


def test_fewer_bits_take_fewer_bytes_and_int8_says_what_the_prompt_says(model: Any) -> None:
    shape, readings = shape_of(model), list(needles.texts(300, 1))

    found = {
        width: kv_widths.cost(model, shape, readings, width, "whole") for width in ("bf16", "int8", "int2")
    }

    assert found["int8"].agreement == 1.0
    assert found["int8"].kl < 0.01
    assert found["int8"].right == 1.0
    assert found["int2"].bytes_a_token < found["int8"].bytes_a_token < found["bf16"].bytes_a_token
    assert found["bf16"].bytes_a_token >= 2 * 2 * 2 * 32 * 2


@pytest.mark.parametrize("width", ["polar 4", "polar 2"])
def test_polar_keys_are_read_back_near_what_they_were(model: Any, width: str) -> None:
    (reading,) = needles.texts(300, 1)

    found = kv_widths.cost(model, shape_of(model), [reading], width, "whole")

    assert found.right >= 0.9
    assert found.bytes_a_token < 180


def test_loading_is_timed_for_the_text_that_is_in_the_file(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_loading, "TOKENS", 200)

    found = kv_loading.loading(model, "recall model", 4)

    assert found.file_bytes > 200 * 2 * 2 * 2 * 32 // 2
    assert min(found.disk_s, found.host_s, found.read_anew_s) > 0


def test_the_recall_model_is_restored_bit_by_bit(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_exact, "TOKENS", 200)

    found = kv_exact.exact("recall model", model, "lossless")

    assert found.identical
    assert 4 * 100 < found.bytes_a_token < 4 * 2 * 2 * 2 * 32


def test_blocks_read_no_more_than_the_budget() -> None:
    policy, window = needles.blocks(400)

    assert policy == policies.BlockRetrieval(blocks=3)
    assert window == 400 - 3 * 64


def test_the_command_prints_rows_of_the_parts_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["eval", "kv", "--parts", "episodes", "--texts", "1", "--distractors", "100", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [row["budget"] for row in told["episodes"]] == [5, 10, 25, 50, 100]
    assert told["episodes"][1]["recalled"] == 1.0
    assert told["arguments"] == {"parts": ["episodes"], "texts": 1, "distractors": 100}
    assert not told["partial"]


def test_an_interruption_prints_what_is_finished_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(model: Any, plan: kv.Plan) -> tuple[int, Iterator[kv.Row]]:
        def rows() -> Iterator[kv.Row]:
            yield {"policy": "SinkRecent()", "budget": 10, "recalled": 0.25, "held": 0.125}
            raise KeyboardInterrupt

        return 2, rows()

    monkeypatch.setitem(kv.MAKERS, "needles", stopped)

    code = kv.kv(["needles"], 1, 100, tmp_path / "recall.svg", False)

    out = capsys.readouterr().out
    assert code == 130
    assert "stopped before the end" in out
    assert "0.250" in out
    assert "0.125" in out
    assert "SinkRecent()" in (tmp_path / "recall.svg").read_text()


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown parts .'heads'.; known: needles"):
        kv.kv(["heads"], 1, 100, None, False)


def test_more_embeddings_give_back_more_and_their_bytes_in_keys_and_values_less(model: Any) -> None:
    few, many = (kv_soft.Case(kv_soft.SOFT, facts=4, together=4, count=count) for count in (1, 8))
    surprising = kv_soft.Case(kv_soft.SURPRISING, facts=4, together=4, count=2)

    rows = list(kv_soft.soft_rows(model, 1, (few, many, surprising)))

    assert rows[0].recalled < 0.5
    assert rows[1].recalled >= 0.9
    assert [row.bytes for row in rows[:2]] == [256, 2048]
    assert rows[2].bytes <= 512


def test_soft_memories_on_disk_answer_questions(model: Any) -> None:
    row = kv_soft.on_disk(model, texts=1, count=8, together=4)

    assert row.recalled >= 0.9
    assert row.bytes == 8 * 128 * 2


def test_soft_memories_are_tabled_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        kv_soft.SoftRow("embeddings", 4, 4, 8, 2048.0, 0.875),
        kv_soft.SoftRow("KV, all tokens", 4, 4, 0, 10752.0, 1.0),
    ]
    monkeypatch.setitem(kv.MAKERS, "soft", lambda model, plan: (2, iter([asdict(row) for row in made])))

    code = kv.kv(["soft"], 1, 100, tmp_path / "soft.svg", False)

    out = capsys.readouterr().out
    assert code == 0
    assert "4 x 4" in out
    assert "0.875" in out
    assert "1.000" in out
    assert "10,752" in out
    assert "KV, all tokens" in (tmp_path / "soft.svg").read_text()


def test_a_plot_without_needles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="needs the part 'needles' or 'soft'"):
        kv.kv(["widths"], 1, 100, tmp_path / "recall.svg", False)


def test_a_python_without_kvpress_is_told_of() -> None:
    with pytest.raises(PeerUnavailableError, match="No module named 'kvpress'"):
        list(pressed(Path(sys.executable), list(needles.texts(100, 1)), (10,)))


def test_a_python_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(PeerUnavailableError, match="cannot be started"):
        list(pressed(tmp_path / "python", list(needles.texts(100, 1)), (10,)))


def test_kvpress_answers_for_each_press_and_budget() -> None:
    python = os.environ.get("AGENTMEM_TEST_KVPRESS")
    if python is None:
        pytest.skip("AGENTMEM_TEST_KVPRESS names no Python of an environment with kvpress")

    rows = list(pressed(Path(python), list(needles.texts(300, 1)), (100,)))

    assert [row["policy"].split()[-1] for row in rows] == list(PRESSES)
    assert {row["recalled"] for row in rows} == {1.0}
    assert {row["held"] for row in rows} == {1.0}
