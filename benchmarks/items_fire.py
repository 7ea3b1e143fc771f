"""Eight processes put, get, search and delete in one file for a minute; every read is checked.

python benchmarks/items_fire.py [--processes 8] [--seconds 60]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentmem.registry import load


def main() -> None:
    """Start the processes and add up what they did; exits with 1 where one met an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--worker", nargs=2, metavar=("FILE", "NAME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(work(arguments.worker[0], arguments.worker[1], arguments.seconds))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "fire.db"))
        command = [sys.executable, __file__, "--seconds", str(arguments.seconds), "--worker", path]
        running = [
            subprocess.Popen([*command, f"p{n}"], stdout=subprocess.PIPE, text=True)
            for n in range(arguments.processes)
        ]
        answers = [process.communicate()[0].strip() for process in running]
    failed = [process.returncode for process in running if process.returncode]
    done = sum(int(answer) for answer in answers if answer.isdigit())
    print(
        f"{arguments.processes} processes, {arguments.seconds:.0f} s: {done} operations, {len(failed)} failed"
    )
    sys.exit(bool(failed))


def work(path: str, name: str, seconds: float) -> int:
    """Operations until the time is over. Raises where a read is not what was written."""
    rng = random.Random(name)
    held: dict[str, int] = {}
    done = 0
    end = time.monotonic() + seconds
    with load("integrations", "langgraph")(path, index={"embed": "hash-64"}) as store:
        while time.monotonic() < end:
            key, number = str(rng.randrange(50)), rng.randrange(1_000)
            if rng.random() < 0.2:
                store.delete(("fire", name), key)
                held.pop(key, None)
            else:
                store.put(("fire", name), key, {"text": f"number {number} of {name}"})
                held[key] = number
            item = store.get(("fire", name), key)
            if (None if item is None else item.value["text"]) != (
                f"number {held[key]} of {name}" if key in held else None
            ):
                raise AssertionError(f"{name} {key}: {item} where {held.get(key)} was put")
            found = store.search(("fire", name), query=f"number {number}", limit=100)
            if {item.key for item in found} != set(held):
                raise AssertionError(f"{name}: found {len(found)} of {len(held)}")
            store.search(("fire",), query="number", limit=5)
            done += 4
    return done


if __name__ == "__main__":
    main()
