"""A process killed at any named step loses nothing acknowledged and leaves nothing half-done."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RANDOM = 5

if not hasattr(os, "fork"):
    pytest.skip("processes are forked, which needs a POSIX system", allow_module_level=True)


@pytest.fixture(scope="module")
def report() -> list[str]:
    """What the command prints that kills at each step; the long run of it is described in docs/durability.md."""
    run = subprocess.run(
        [
            *(sys.executable, "-P", str(ROOT / "benchmarks" / "fire.py")),
            *("--first-only", "--random", str(RANDOM), "--resume-every", "8"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


def named_in_the_code() -> set[str]:
    """The argument of every call of `point` in the package."""
    return {
        node.args[0].value
        for folder in ("agentmem", "stores", "consolidation")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "point"
        if isinstance(node.args[0], ast.Constant)
    }


def test_no_death_breaks_a_rule(report: list[str]) -> None:
    assert [line for line in report if line.startswith("BROKEN")] == []


def test_every_named_step_has_its_death(report: list[str]) -> None:
    *_, last = report
    counts, _, steps = last.partition("; steps: ")

    assert set(steps.split()) == named_in_the_code()
    assert counts == f"{len(steps.split()) + RANDOM} deaths, 0 broke a rule"
    assert len(steps.split()) >= 30
