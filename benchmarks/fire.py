"""Kills the process at every named step, and at random moments, and checks that nothing acknowledged is lost.

python benchmarks/fire.py [--random 200] [--resume-every 1] [--seed 0] [--first-only]

Every process is a fork of this one, so that a thousand deaths take minutes. At a named step it is killed by SIGKILL; at
a random moment by a timer on its own processor time, whose default action ends it just as abruptly. A power cut is
another matter: that a commit reaches the disk is SQLite's `synchronous=FULL`, which this does not test.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import story

from agentmem.faults import handled


class Death(NamedTuple):
    """Where a process dies: at the nth pass of a step, or after so much processor time."""

    step: str = ""
    nth: int = 1
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"at {self.step} ({self.nth})" if self.step else f"after {self.after_s * 1000:.1f} ms"


def main() -> int:
    """Kill, check, and say what broke; the exit code is 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--random", type=int, default=200, help="deaths at random moments")
    parser.add_argument(
        "--resume-every", type=int, default=1, help="after every so many deaths, go on to the end"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--first-only", action="store_true", help="not also at the last pass of each step")
    arguments = parser.parse_args()
    _prepare()
    with tempfile.TemporaryDirectory() as folder:
        seeded = Path(folder, "seeded")
        seeded.mkdir()
        _must(_child(lambda _: story.seed(seeded)))
        passes, seconds = _rehearse(seeded, Path(folder, "rehearsal"))
        deaths = [
            *_at_steps(passes, arguments.first_only),
            *_at_random(arguments.random, seconds, arguments.seed),
        ]
        print(
            f"{len(passes)} named steps, passed {sum(passes.values())} times; {len(deaths)} deaths",
            flush=True,
        )
        broken = 0
        for number, death in enumerate(deaths):
            resume = number % arguments.resume_every == 0
            faults = _die(seeded, Path(folder, "life"), death, resume=resume)
            broken += bool(faults)
            for fault in faults:
                print(f"BROKEN {death}: {fault}", flush=True)
    print(f"{len(deaths)} deaths, {broken} broke a rule; steps: {' '.join(sorted(passes))}")
    return 1 if broken else 0


def _prepare() -> None:
    """Import once what every fork would import again, and keep expected warnings out of the report."""
    logging.getLogger("agentmem").setLevel(logging.ERROR)
    for name in ("alembic.command", "alembic.config", "alembic.script", "alembic.runtime.migration", "faiss"):
        import_module(name)


def _rehearse(seeded: Path, life: Path) -> tuple[Counter[str], float]:
    """One life without death: which steps are passed how often, and how much processor time it takes."""
    story.begin(seeded, life)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)

    def rehearse(descriptor: int) -> None:
        tell = story.teller(descriptor)
        with handled(tell):
            story.live(life, tell)

    told, status = _child(rehearse)
    _must((told, status))
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    shutil.rmtree(life)
    return Counter(line for line in told if " " not in line), seconds


def _at_steps(passes: Counter[str], first_only: bool) -> list[Death]:
    """The first and the last pass of every step."""
    return [
        Death(step, nth)
        for step, count in passes.items()
        for nth in ({1} if first_only else sorted({1, count}))
    ]


def _at_random(count: int, seconds: float, seed: int) -> list[Death]:
    chance = random.Random(seed)
    return [Death(after_s=chance.uniform(0.001, seconds)) for _ in range(count)]


def _die(seeded: Path, life: Path, death: Death, *, resume: bool) -> list[str]:
    """Live until death; what is wrong afterwards, and, where it goes on, at the end."""
    story.begin(seeded, life)
    try:
        told, status = _child(lambda descriptor: _live_until(death, life, descriptor))
        if death.step and status != -signal.SIGKILL:
            return [f"was not reached: {status} {told}"]
        faults = _checked(life, told)
        if resume and not faults:
            told, status = _child(lambda descriptor: story.live(life, story.teller(descriptor)))
            faults = [f"went on, and then: {fault}" for fault in _checked(life, told)]
            if status != 0:
                faults.append(f"could not go on: {told}")
        return faults
    finally:
        shutil.rmtree(life)


def _live_until(death: Death, life: Path, descriptor: int) -> None:
    seen = 0

    def strike(step: str) -> None:
        nonlocal seen
        seen += step == death.step
        if seen == death.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if death.after_s:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, death.after_s)
    with handled(strike):
        story.live(life, story.teller(descriptor))


def _checked(life: Path, told: list[str]) -> list[str]:
    def check(descriptor: int) -> None:
        for fault in story.broken_rules(life, told):
            os.write(descriptor, fault.replace("\n", " ").encode() + b"\n")

    faults, status = _child(check)
    return faults if status == 0 else [*faults, f"the check ended with {status}"]


def _child(work: Callable[[int], None]) -> tuple[list[str], int]:
    """Run `work` in a fork; the lines it wrote to its descriptor, and its exit status (negative: the signal)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            work(writing)
            status = 0
        except BaseException:
            os.write(writing, traceback.format_exc().replace("\n", " | ").encode() + b"\n")
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    return lines, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _must(result: tuple[list[str], int]) -> None:
    if result[1] != 0:
        raise RuntimeError(f"the story does not hold by itself: {result[0]}")


if __name__ == "__main__":
    sys.exit(main())
