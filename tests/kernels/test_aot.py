"""The ahead-of-time compiler and its gate; run outside the interpreter, which has nothing to compile."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from agentmem.kernels.aot import Built, launches
from agentmem.kernels.cases import CASES
from agentmem.kernels.launch import Choice


def run_compiled(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.mark.parametrize("arch", [80, 90, 100])
def test_a_kernel_of_every_kind_compiles_without_spills(arch: int) -> None:
    done = run_compiled("-m", "agentmem.kernels.aot", "--first", "--sample", "--arch", str(arch), "--verbose")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{done.stdout.count('ok ')} binaries, 0 refused" in done.stdout
    assert {case.op for case in CASES if case.op in done.stdout} == {case.op for case in CASES}


def test_gate_refuses_spills_local_memory_and_too_much_shared_memory() -> None:
    fine = Built(
        "case", "body", 90, Choice(4), registers=255, stack_bytes=0, local_bytes=0, shared_bytes=232_448
    )

    assert fine.faults == []
    assert replace(fine, stack_bytes=8).faults == ["spills (8 B stack, 0 B local)"]
    assert replace(fine, local_bytes=4).faults == ["spills (0 B stack, 4 B local)"]
    assert replace(fine, shared_bytes=232_449).faults == ["232449 B shared memory, limit 232448"]


def test_a_kernel_that_spills_is_seen_to() -> None:
    """The numbers come from the binary: too few warps for a wide tile must show as stack."""
    code = (
        "from agentmem.kernels import aot\n"
        "from agentmem.kernels.launch import Choice\n"
        "case = next(c for c in aot.CASES if c.name == 'polar_scores/int4-float32-d256-q1')\n"
        "print(aot.build(case.name, aot.launches(case)[0], Choice(4, 2, {'BT': 64}), 90).faults)"
    )

    told = run_compiled("-c", code)

    assert told.stdout.startswith("['spills ("), told.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_launches_something_and_costs_nothing_to_record(case: object) -> None:
    seen = launches(case)  # type: ignore[arg-type]

    assert seen
    assert all(launch.choices for launch in seen)
    assert all(
        arg.is_meta or arg.numel() < 1000 for one in seen for arg in one.args if isinstance(arg, torch.Tensor)
    )


def test_inside_the_interpreter_it_says_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agentmem.kernels.aot"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "unset TRITON_INTERPRET" in done.stderr
