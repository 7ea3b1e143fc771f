"""What is acknowledged is kept: through kills, crowds, and disks that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.errors import NotADatabaseError, StoreError

WRITE_UNTIL_KILLED = """
import itertools, sys
from agentmem import Memory
memory = Memory(sys.argv[1], embedder="hash-16")
for number in itertools.count():
    turns = [{"id": f"w-{number}-{part}", "content": f"turn {number} part {part}"} for part in range(3)]
    receipt = memory.remember(turns)
    print(*receipt.event_ids, flush=True)
"""

WRITE_SOME = """
import sys
from agentmem import Memory
with Memory(sys.argv[1], embedder="hash-16") as memory:
    for number in range(40):
        memory.remember({"id": f"{sys.argv[2]}-{number}", "content": f"turn {number} of writer {sys.argv[2]}"})
        memory.recall(f"turn {number}", budget_tokens=100)
"""

FILL_THE_DISK = """
import resource, sys
from agentmem import Memory
from agentmem.errors import StoreFullError
memory = Memory(sys.argv[1], embedder="hash-16")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
stored = 0
try:
    while True:
        memory.remember({"id": str(stored), "content": f"{stored} " + "words " * 2000})
        stored += 1
except StoreFullError as error:
    assert "nothing acknowledged is lost" in str(error), error
    print(stored)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
memory.remember({"id": "after", "content": "room again"})
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.013, 0.05, 0.11, 0.2])
def test_whatever_was_acknowledged_survives_a_kill(
    database: Path, start_python: Callable[..., subprocess.Popen[str]], delay_s: float
) -> None:
    process = start_python(WRITE_UNTIL_KILLED, database)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(delay_s)

    process.kill()
    acknowledged = (first + process.stdout.read()).rpartition("\n")[0].split()

    with Memory(database) as memory:
        stored = [event.id for event in memory.events()]
        assert set(acknowledged) <= set(stored)
        assert memory._core.store.check() == []  # type: ignore[attr-defined]
        assert len(stored) % 3 == 0
        assert memory.recall("turn 0 part 1").items != ()


def test_four_processes_may_write_one_file_at_once(
    database: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    writers = [start_python(WRITE_SOME, database, name) for name in "abcd"]

    errors = [writer.communicate(timeout=120)[1] for writer in writers]

    assert errors == ["", "", "", ""]
    with Memory(database) as memory:
        assert len(memory.events()) == 160
        assert [event.seq for event in memory.events()] == list(range(160))
        assert memory.stats().vectors == 160


def test_processes_that_store_the_same_ids_store_them_once(
    database: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    writers = [start_python(WRITE_SOME, database, "same") for _ in range(3)]

    errors = [writer.communicate(timeout=120)[1] for writer in writers]

    assert errors == ["", "", ""]
    with Memory(database) as memory:
        assert memory.stats().events == 40


def test_a_reader_does_not_wait_for_a_writer(database: Path) -> None:
    with Memory(database, embedder="hash") as memory, Memory(database, embedder="hash") as other:
        memory.remember({"id": "e1", "content": "the cat"})
        memory.recall("cat")

        with other._core.store._database.write():  # type: ignore[attr-defined]
            found = memory.recall("cat").source_ids

    assert found == ("e1",)


def test_a_full_disk_is_an_error_that_loses_nothing(database: Path, run_python: Callable[..., str]) -> None:
    pytest.importorskip("resource", reason="limits on file size need a POSIX system")

    stored = int(run_python(FILL_THE_DISK, database))

    assert stored > 0
    with Memory(database) as memory:
        assert [event.id for event in memory.events()] == [*map(str, range(stored)), "after"]


AS_NOBODY = """
import os, sys
from agentmem import Memory
from agentmem.errors import StoreError
with Memory("sqlite://", embedder="hash") as warm:
    warm.recall("everything is imported by now")
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with Memory(sys.argv[1], embedder="hash") as memory:
        memory.remember("new")
except StoreError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def run_unprivileged(run_python: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Runs code that permissions bind, also where the tests are root's."""
    # pytest makes its folders for their owner only
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest", "popen", "test_")):
            folder.chmod(0o755)
    return run_python


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_file_that_cannot_be_written_is_a_clear_error_and_kept(
    database: Path, run_unprivileged: Callable[..., str]
) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "the cat"})
    database.chmod(0o444)
    before = database.read_bytes()

    said = run_unprivileged(AS_NOBODY, database)

    assert "Error" in said
    assert str(database) in said
    assert database.read_bytes() == before


READ_AS_NOBODY = """
import os, sys
from agentmem import Memory
with Memory("sqlite://", embedder="hash") as warm:
    warm.recall("everything is imported by now")
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with Memory(sys.argv[1]) as memory:
    print(memory.recall("cat").items[0].id, memory.check(deep=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_file_that_cannot_be_written_can_be_read(
    tmp_path: Path, run_unprivileged: Callable[..., str]
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    with Memory(folder / "a.db", embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "the cat"})
    (folder / "a.db").chmod(0o444)
    folder.chmod(0o777)

    assert run_unprivileged(READ_AS_NOBODY, folder / "a.db") == "e1 []"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, run_unprivileged: Callable[..., str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)

    said = run_unprivileged(AS_NOBODY, tmp_path / "locked" / "new.db")

    assert said.startswith("StoreError cannot open")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_file_that_cannot_be_read_is_a_clear_error(
    database: Path, run_unprivileged: Callable[..., str]
) -> None:
    Memory(database, embedder="hash").close()
    database.chmod(0o000)

    said = run_unprivileged(AS_NOBODY, database)

    assert said.startswith("StoreError cannot open")


def test_a_damaged_database_is_a_clear_error(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember([{"content": f"turn {number}"} for number in range(200)])
    data = bytearray(database.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    database.write_bytes(data)

    with pytest.raises(NotADatabaseError, match="damaged"):
        Memory(database, embedder="hash").events()


def test_threads_may_share_one_memory(memory: Memory) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(10):
                memory.remember({"id": f"{name}-{number}", "content": f"thread {name} says {number}"})
                memory.recall(f"what did thread {name} say?", budget_tokens=200)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert memory.stats().events == 80
    assert memory.stats().vectors == 80


def test_threads_may_share_a_memory_without_a_file() -> None:
    failures: list[BaseException] = []
    with Memory("sqlite://", embedder="hash-16") as memory:

        def work(name: int) -> None:
            try:
                for number in range(10):
                    memory.remember({"id": f"{name}-{number}", "content": f"thread {name} says {number}"})
                    memory.recall(f"what did thread {name} say?", budget_tokens=200)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        assert memory.stats().events == 80


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
from agentmem import Memory
memory = Memory(sys.argv[1], embedder="hash-16")
memory.remember({"id": "parent", "content": "the cat of the parent"})
memory.recall("cat")
child = os.fork()
if child == 0:
    memory.remember({"id": "child", "content": "the cat of the child"})
    found = set(memory.recall("cat").source_ids)
    memory.close()
    os._exit(0 if found >= {"parent", "child"} else 1)
memory.remember({"id": "parent2", "content": "another cat of the parent"})
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), sorted(memory.recall("cat").source_ids), memory._core.store.check())
memory.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_memory_may_be_used_on_both_sides_of_a_fork(database: Path, run_python: Callable[..., str]) -> None:
    said = run_python(FORK, database)

    assert said == "0 ['child', 'parent', 'parent2'] []"


def test_an_error_of_the_store_is_one_of_ours(memory: Memory) -> None:
    with pytest.raises(StoreError), memory._core.store._database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("SELECT * FROM nowhere")
