"""Several processes on one file at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentmem.integrations.langgraph import AgentMemStore

# LangGraph 1.0 warns of its own code; what is looked for is errors
WORK = """
import sys
import warnings
warnings.showwarning = lambda *about, **more: None
from agentmem.integrations.langgraph import AgentMemStore
path, name = sys.argv[1:]
with AgentMemStore(path, index={"embed": "hash-16"}) as store:
    for n in range(25):
        store.put(("fire", name), str(n), {"text": f"number {n}"})
        assert store.get(("fire", name), str(n)).value == {"text": f"number {n}"}
        assert len(store.search(("fire", name), query=f"number {n}", limit=100)) == n + 1
    store.put(("fire",), "last", {"by": name})
"""


def test_processes_that_write_at_once_lose_nothing_and_meet_no_error(
    database: Path, start_python: Callable[..., Any]
) -> None:
    running = [start_python(WORK, database, f"p{n}") for n in range(4)]
    ended = [process.communicate(timeout=120) for process in running]

    with AgentMemStore(database) as store:
        found = store.search(("fire",), limit=1_000)

    assert [err for _, err in ended] == [""] * 4
    assert len(found) == 101
