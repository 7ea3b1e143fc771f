"""Kernels run in Triton's CPU interpreter, which `tests/conftest.py` turns on before Triton is imported;
`AGENTMEM_KERNEL_TESTS=cuda` runs the same tests on a GPU instead.
"""

from __future__ import annotations

import os

import pytest

DEVICE = os.environ.get("AGENTMEM_KERNEL_TESTS", "cpu")
torch = pytest.importorskip("torch", reason="the kernels need the extra agentmem[kv]: torch is not installed")
triton = pytest.importorskip(
    "triton", reason="the kernels need the extra agentmem[kv]: Triton is not installed"
)

# arithmetic on lanes that a mask throws away, which numpy reports and a GPU does not
THROWN_AWAY = (
    "ignore:invalid value encountered in (multiply|subtract|add|exp2?|divide|cast):RuntimeWarning",
    "ignore:overflow encountered in (multiply|subtract|add|exp2?|cast):RuntimeWarning",
    "ignore:divide by zero encountered in (log2?|divide):RuntimeWarning",
    "ignore:All-NaN (slice|axis) encountered:RuntimeWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "kernels" in item.path.parts:
            for rule in THROWN_AWAY:
                item.add_marker(pytest.mark.filterwarnings(rule))


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def interpreter_is_on() -> None:
    """Triton imported before the switch was set would run nothing here."""
    started = type(triton.language.standard.sum).__name__ == "InterpretedFunction"
    assert started == (DEVICE == "cpu"), (
        "Triton was imported too early: set TRITON_INTERPRET=1 for the whole run"
    )


@pytest.fixture
def device() -> torch.device:
    return torch.device(DEVICE)
