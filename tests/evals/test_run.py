"""A whole evaluation on a few questions of the sample, with the embedder that needs no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentmem.evals import commands, locomo, summary
from agentmem.evals.show import ten_questions

from agentmem.errors import InvalidInputError

pytest.importorskip("matplotlib", reason="the report needs agentmem[evals]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one run over four questions."""
    out = tmp_path_factory.mktemp("eval")
    commands.locomo(None, out, "hash", None, 4, False, True)
    return out


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """Its summary, read back."""
    loaded: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return loaded


def test_there_is_one_line_for_each_question_and_system(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]

    assert len(lines) == 4 * 5
    assert {line["system"] for line in lines} == {"agentmem", "bm25", "dense", "dense-bare", "rrf"}


def test_the_summary_says_what_ran_and_where(result: dict[str, Any]) -> None:
    assert result["embedder"] == "hash-512"
    assert result["arguments"]["limit"] == 4
    assert {"commit", "dirty", "python", "cpu", "versions"} <= result["machine"].keys()


def test_verbatim_recall_never_falls_as_the_budget_grows(result: dict[str, Any]) -> None:
    values = [result["systems"]["agentmem"]["groups"]["1-5"][name]["value"] for name in summary.CONTEXT]

    assert values == sorted(values)


def test_no_context_is_over_its_budget(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]

    assert all(used <= int(budget) for line in lines for budget, used in line["tokens"].items())


def test_the_report_is_one_file_that_fetches_nothing(folder: Path) -> None:
    page = (folder / "report.html").read_text()

    assert "<svg" in page
    assert "<script" not in page
    assert 'src="http' not in page


def test_the_table_is_made_from_the_summary_alone(result: dict[str, Any]) -> None:
    table = summary.table(result, "1-5", summary.RANKING)

    assert table.row_count == 5


def test_an_unknown_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="known: agentmem"):
        commands.locomo(None, tmp_path, "hash", ["mem9"], 1, False, True)


def test_the_demo_asks_ten_questions_of_every_category() -> None:
    (conversation,) = locomo.load(locomo.sample_path()).conversations

    asked = ten_questions(conversation)

    assert len(asked) == 10
    assert {question.category for question in asked} == {1, 2, 3, 4, 5}
