"""Eight processes on one store: five write and read, one only reads, one forgets, one moves the store to and fro
between embedders. At the end nothing acknowledged may be missing, and nobody may have seen an error.

python benchmarks/crowd.py [--seconds 120] [--postgres | --url URL] [--json report.json]

The store is a SQLite file of its own, or a PostgreSQL started for the run, or an empty store that is named.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from agentmem import Memory

EMBEDDERS = ("hash-48", "hash-32")
WRITERS = 5
_PER_CALL = 3
_ASKED_BETWEEN_MOVES = 25
_SESSION = "to be forgotten"
Say = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What the crowd did, and what went wrong."""

    seconds: float
    processes: int
    stored: int
    forgotten: int
    recalls: int
    moves: int
    recall_ms_median: float
    recall_ms_p95: float
    remember_ms_p95: float
    faults: tuple[str, ...]


def write(memory: Memory, who: str, say: Say, running: Iterator[int]) -> None:
    """Store a few turns, then ask for one of them."""
    for number in running:
        turns = [
            {"id": f"{who}-{number}-{part}", "content": f"turn {number} part {part} by {who}", "session": who}
            for part in range(_PER_CALL)
        ]
        start = time.perf_counter()
        receipt = memory.remember(turns)
        say("remember_s", time.perf_counter() - start)
        say("stored", list(receipt.event_ids))
        found = _ask(memory, f"turn {number} part 1 by {who}", say)
        if f"{who}-{number}-1" not in found:
            say("fault", f"{who}-{number}-1 was stored and not recalled: {found}")


def read(memory: Memory, who: str, say: Say, running: Iterator[int]) -> None:
    """Ask, and page through what is there."""
    for number in running:
        _ask(memory, f"turn {number % 50} part 2", say)
        page = memory.events(after_seq=number * 7, limit=50)
        if [event.seq for event in page] != sorted(event.seq for event in page):
            say("fault", "events came out of order")


def forget(memory: Memory, who: str, say: Say, running: Iterator[int]) -> None:
    """Store a session and forget half of it by id, then the rest by session."""
    for number in running:
        ids = [f"{who}-{number}-{part}" for part in range(8)]
        memory.remember([{"id": id_, "content": f"secret {id_}", "session": _SESSION} for id_ in ids])
        say("forgotten", list(memory.forget(ids=ids[:4]).event_ids))
        say("forgotten", list(memory.forget(session=_SESSION).event_ids))
        if any(id_ in _ask(memory, f"secret {ids[0]}", say) for id_ in ids):
            say("fault", f"something of {who}-{number} was recalled after it was forgotten")


def move(memory: Memory, who: str, say: Say, running: Iterator[int]) -> None:
    """Move the store between two embedders, and ask between the moves."""
    for number in running:
        moves, asked = divmod(number, _ASKED_BETWEEN_MOVES)
        if asked == 0:
            memory.reindex(embedder=EMBEDDERS[moves % 2])
            say("moved", EMBEDDERS[moves % 2])
        else:
            _ask(memory, f"turn {asked} part 0", say)


def _ask(memory: Memory, question: str, say: Say) -> list[str]:
    start = time.perf_counter()
    found = [item.id for item in memory.recall(question, k=12, budget_tokens=2000).items]
    say("recall_s", time.perf_counter() - start)
    return found


ROLES = {"write": write, "read": read, "forget": forget, "move": move}


def work(place: str, role: str, who: str, seconds: float, log: Path) -> None:
    """One process of the crowd; writes down what it does, line by line, and stops when the time is over."""
    with log.open("w", buffering=1, encoding="utf-8") as lines:

        def say(what: str, value: object) -> None:
            lines.write(json.dumps([what, value]) + "\n")

        def running() -> Iterator[int]:
            end = time.monotonic() + seconds
            number = 0
            while time.monotonic() < end:
                yield number
                number += 1

        try:
            with Memory(place) as memory:
                ROLES[role](memory, who, say, running())
        except Exception:
            # whatever reaches a user counts, and is reported with where it came from
            say("fault", f"{role} {who}: {traceback.format_exc()[-600:]}")


def crowd(place: str, folder: Path, seconds: float) -> Report:
    """Let the processes loose on one store, writing what they do into `folder`, and look at what they leave."""
    Memory(place, embedder=EMBEDDERS[1]).close()
    roles = [
        *(("write", f"w{number}") for number in range(WRITERS)),
        ("read", "r"),
        ("forget", "f"),
        ("move", "m"),
    ]
    # each is a process of its own that has opened nothing yet, and need not import everything again
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload([__name__, *(name for name in sys.modules if name.startswith("agentmem."))])
    logs = [folder / f"{who}.log" for _, who in roles]
    processes = [
        start.Process(target=work, args=(place, role, who, seconds, log), name=f"{role} {who}")
        for (role, who), log in zip(roles, logs, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    faults = [f"{process.name} ended with {process.exitcode}" for process in processes if process.exitcode]
    said: dict[str, list[object]] = {}
    for line in (line for log in logs for line in log.read_text(encoding="utf-8").splitlines()):
        what, value = json.loads(line)
        said.setdefault(what, []).append(value)
    return _judge(place, seconds, len(roles), said, faults)


def _judge(
    place: str, seconds: float, processes: int, said: dict[str, list[object]], faults: list[str]
) -> Report:
    stored, forgotten = _ids(said.get("stored", [])), _ids(said.get("forgotten", []))
    with Memory(place) as memory:
        held = {event.id for event in memory.events()}
        faults += [str(fault) for fault in said.get("fault", [])]
        faults += [f"acknowledged and lost: {id_}" for id_ in sorted(stored - held)[:5]]
        faults += [f"forgotten and still there: {id_}" for id_ in sorted(forgotten & held)[:5]]
        faults += memory.check(deep=True)
    recalls, writes = _times(said.get("recall_s", [])), _times(said.get("remember_s", []))
    return Report(
        seconds,
        processes,
        len(stored),
        len(forgotten),
        len(recalls),
        len(said.get("moved", [])),
        _share(recalls, 0.5),
        _share(recalls, 0.95),
        _share(writes, 0.95),
        tuple(faults),
    )


def _ids(lists: list[object]) -> set[str]:
    return {str(id_) for ids in lists if isinstance(ids, list) for id_ in ids}


def _times(values: list[object]) -> list[float]:
    return sorted(float(str(value)) * 1000 for value in values)


def _share(ordered: list[float], share: float) -> float:
    return round(ordered[int(share * (len(ordered) - 1))], 1) if ordered else 0.0


def main() -> int:
    """Run, print, and fail where anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--json", type=Path, help="also write the report here")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--postgres", action="store_true", help="on a PostgreSQL started for the run")
    where.add_argument("--url", help="on this store, which must be empty")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        url = arguments.url or f"sqlite:///{Path(folder, 'agent.db')}"
        if arguments.postgres:
            from throwaway_postgres import throwaway_server

            url = servers.enter_context(throwaway_server()).url("postgres")
        report = crowd(url, Path(folder), arguments.seconds)
    for name, value in asdict(report).items():
        print(f"{name:<18} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(report), indent=1))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
