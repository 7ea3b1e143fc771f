"""What most tests start from: a clock that stands still, a file of its own, a memory in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import (  # noqa: F401 - fixtures for all
    new_database,
    postgres,
    postgres_url,
    shared_database,
)

from agentmem import Memory
from agentmem.clock import ManualClock

# a test collected before those of kernels may import Triton, whose decorators decide at once
if os.environ.get("AGENTMEM_KERNEL_TESTS", "cpu") == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"

REPOSITORY = Path(__file__).parents[1]

# the same examples on every run, so that a red test is red for everyone; "hunt" looks further
settings.register_profile(
    "steady", deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "hunt", settings.get_profile("steady"), derandomize=False, max_examples=300, print_blob=True
)
settings.load_profile("steady")

# a job in a shell's background ignores Ctrl-C, and so would every command that the tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose name holds an address: workers that name one test differently run none at all."""
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"give these parameters a name that is the same in every run: {unstable}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2023, 5, 8, 12, 0, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def memory(database: Path, clock: ManualClock) -> Iterator[Memory]:
    with Memory(database, embedder="hash", clock=clock) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def memory_on_each(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Memory]:
    """An empty namespace on SQLite, then on PostgreSQL. A module takes it up as its `memory`."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("shared_database"))
    with Memory(url, namespace=(uuid4().hex,), embedder="hash-16", clock=clock) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def memory_of_its_own(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Memory]:
    """As `memory_on_each`, in a database that no other test sees."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with Memory(url, embedder="hash-16", clock=clock) as opened:
        yield opened


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -c code *arguments` with the installed package; ends what is left at the end."""
    running: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, *map(str, arguments)],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,  # type: ignore[call-overload]
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run_python(start_python: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Runs `python -c code *arguments` to its end and gives what it printed; a failure shows its stderr."""

    def run(code: str, *arguments: object, **options: object) -> str:
        process = start_python(code, *arguments, **options)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return out.strip()

    return run
