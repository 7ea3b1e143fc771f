"""Kills the process at every named step, and at random moments, and checks that nothing acknowledged is lost.

python benchmarks/fire.py [--postgres [--crashes 50]] [--random 200] [--resume-every 1] [--seed 0]
                          [--first-only] [--steps 20]

On SQLite, or on a PostgreSQL started for the run; there the server dies, too: it is stopped at once at a random moment,
or the process that serves the client is killed. Half of the clients then give up with the error they get, the others
do their step again.

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
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple

import story
from homes import Databases, Files, Home
from rules import broken_rules
from throwaway_postgres import ThrowawayServer, throwaway_server

from agentmem import Memory
from agentmem.faults import handled

_PATIENCE_S = 60.0


class Death(NamedTuple):
    """What dies where: the client at the nth pass of a step, or after so much processor time; or the server."""

    step: str = ""
    nth: int = 1
    after_s: float = 0.0
    of: Literal["client", "server", "backend"] = "client"
    patience_s: float = 0.0

    def __str__(self) -> str:
        where = f"at {self.step} ({self.nth})" if self.step else f"after {self.after_s * 1000:.1f} ms"
        return where if self.of == "client" else f"of the {self.of} {where}"


class Life(NamedTuple):
    """A life without death: how often each step is passed, and how long it takes."""

    passes: Counter[str]
    processor_s: float
    wall_s: float


def main() -> int:
    """Kill, check, and say what broke; the exit code is 1 if anything did."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        server = servers.enter_context(throwaway_server(fsync="off")) if arguments.postgres else None
        _prepare(server)
        home = Files(Path(folder)) if server is None else Databases(Path(folder), server)
        _must(_child(lambda _: story.seed(home)))
        home.keep()
        life = _rehearse(home)
        deaths = _deaths(life, arguments)
        print(
            f"{len(life.passes)} named steps, passed {sum(life.passes.values())} times; {len(deaths)} deaths",
            flush=True,
        )
        broken = lost = 0
        for number, death in enumerate(deaths):
            result = _die(home, death, server, resume=number % arguments.resume_every == 0)
            broken += bool(result.faults)
            lost += result.lost
            for fault in result.faults:
                print(f"BROKEN {death}: {fault}", flush=True)
    if arguments.postgres:
        print(f"{lost} of the servers' {arguments.crashes} deaths came in the middle of a call")
    print(f"{len(deaths)} deaths, {broken} broke a rule; steps: {' '.join(sorted(life.passes))}")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL, which dies, too")
    parser.add_argument("--crashes", type=int, default=50, help="deaths of the server at random moments")
    parser.add_argument("--random", type=int, default=200, help="deaths of the client at random moments")
    parser.add_argument(
        "--resume-every", type=int, default=1, help="after every so many deaths, go on to the end"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random moments, and of --steps")
    parser.add_argument("--first-only", action="store_true", help="not also at the last pass of each step")
    parser.add_argument("--steps", type=int, help="at so many steps, drawn at random, instead of at all")
    return parser.parse_args()


def _deaths(life: Life, arguments: argparse.Namespace) -> list[Death]:
    chance = random.Random(arguments.seed)
    at_steps = _at_steps(life.passes, arguments.first_only)
    if arguments.steps is not None:
        at_steps = chance.sample(at_steps, min(arguments.steps, len(at_steps)))
    at_random = [Death(after_s=chance.uniform(0.001, life.processor_s)) for _ in range(arguments.random)]
    crashes = arguments.crashes if arguments.postgres else 0
    of_server = [
        Death(
            after_s=chance.uniform(0.001, life.wall_s),
            of="backend" if number % 2 else "server",
            patience_s=_PATIENCE_S if number % 4 > 1 else 0,
        )
        for number in range(crashes)
    ]
    return [*at_steps, *at_random, *of_server]


def _prepare(server: ThrowawayServer | None) -> None:
    """Import once what every fork would import again, and keep expected warnings out of the report."""
    logging.getLogger("agentmem").setLevel(logging.ERROR)
    for name in ("alembic.command", "alembic.config", "alembic.script", "alembic.runtime.migration", "faiss"):
        import_module(name)
    if server is not None:
        Memory(server.url("postgres", partitions=1), embedder=story.OLD).close()


def _rehearse(home: Home) -> Life:
    """One life without death."""
    home.begin()
    used, since = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()

    def rehearse(descriptor: int) -> None:
        tell = story.teller(descriptor)
        with handled(tell):
            story.live(home, tell)

    told, status = _child(rehearse)
    _must((told, status))
    now, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - since
    home.end()
    processor_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Life(Counter(line for line in told if " " not in line), processor_s, wall_s)


def _at_steps(passes: Counter[str], first_only: bool) -> list[Death]:
    """The first and the last pass of every step."""
    return [
        Death(step, nth)
        for step, count in passes.items()
        for nth in ({1} if first_only else sorted({1, count}))
    ]


class Result(NamedTuple):
    """What is wrong after a death, and whether it came in the middle of a call to the server."""

    faults: list[str]
    lost: bool = False


def _die(home: Home, death: Death, server: ThrowawayServer | None, *, resume: bool) -> Result:
    """Live until death; what is wrong afterwards, and, where it goes on, at the end."""
    home.begin()
    try:
        told, status = _child(
            lambda descriptor: _live_until(death, home, descriptor), lambda: _kill_server(death, server)
        )
        lost = any(line.startswith("lost ") for line in told)
        faults = _ended_wrong(death, told, status) or _checked(home, told)
        if resume and not faults:
            told, status = _child(lambda descriptor: story.live(home, story.teller(descriptor)))
            faults = [f"went on, and then: {fault}" for fault in _checked(home, told)]
            if status != 0:
                faults.append(f"could not go on: {told}")
        return Result(faults, lost)
    finally:
        home.end()


def _ended_wrong(death: Death, told: list[str], status: int) -> list[str]:
    """Whether the client came to another end than it must."""
    if death.step:
        return [] if status == -signal.SIGKILL else [f"was not reached: {status} {told}"]
    if death.of == "client":
        return []
    gave_up = not death.patience_s and told[-1:] and "StoreUnreachableError" in told[-1]
    return [] if status == 0 or gave_up else [f"the client ended with {status}: {told[-3:]}"]


def _live_until(death: Death, home: Home, descriptor: int) -> None:
    seen = 0

    def strike(step: str) -> None:
        nonlocal seen
        seen += step == death.step
        if seen == death.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if death.after_s and death.of == "client":
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, death.after_s)
    with handled(strike):
        story.live(home, story.teller(descriptor), patience_s=death.patience_s)


def _kill_server(death: Death, server: ThrowawayServer | None) -> None:
    if server is None or death.of == "client":
        return
    time.sleep(death.after_s)
    if death.of == "server":
        server.crash()
        server.restart()
    else:
        server.kill_backend()


def _checked(home: Home, told: list[str]) -> list[str]:
    def check(descriptor: int) -> None:
        for fault in broken_rules(home, told):
            os.write(descriptor, fault.replace("\n", " ").encode() + b"\n")

    faults, status = _child(check)
    return faults if status == 0 else [*faults, f"the check ended with {status}"]


def _child(work: Callable[[int], None], beside: Callable[[], None] | None = None) -> tuple[list[str], int]:
    """Run `work` in a fork, and `beside` here; the lines written to its descriptor, and its exit status (negative: the
    signal)."""
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
    if beside is not None:
        beside()
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    return lines, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _must(result: tuple[list[str], int]) -> None:
    if result[1] != 0:
        raise RuntimeError(f"the story does not hold by itself: {result[0]}")


if __name__ == "__main__":
    sys.exit(main())
