from __future__ import annotations

from pathlib import Path

import pytest
from agentmem.kernels.case import Case
from agentmem.kernels.floors import floor_row, main

PAGE = Path(__file__).parents[2] / "docs" / "kernels.md"


def test_a_case_is_bound_by_the_longer_of_its_two_times() -> None:
    case = Case(
        "op", "x", run=print, make=lambda device: ((), {}), moved_bytes=3_000_000, flops=7_000_000_000
    )

    assert floor_row(case, 3000.0, 700.0) == "| op/x | 3.00 | 7.000 | 1.00 | 10.00 | FLOPs |"
    assert floor_row(case, 100.0, 700.0) == "| op/x | 3.00 | 7.000 | 30.00 | 10.00 | bytes |"


def test_the_documented_table_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    main([])

    assert capsys.readouterr().out in PAGE.read_text(encoding="utf-8")
