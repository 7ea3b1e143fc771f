"""Feeds a stream of messages to `Memory.remember`, a batch at a time, and keeps the tally.

A batch is stored whole or not at all, and what is stored is known again: after an error or Ctrl-C the same command
takes up where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from agentmem.cli.interrupt import Interrupt
from agentmem.cli.items import Item
from agentmem.cli.render import plural
from agentmem.errors import AgentMemError, InvalidInputError
from agentmem.memory import Memory
from agentmem.types import NewEvent
from agentmem.write.ingest import BATCH
from agentmem.write.messages import read_messages


@dataclass(slots=True)
class Outcome:
    """What an import did. `skipped` counts what its format leaves out on purpose."""

    format: str
    added: int = 0
    duplicates: int = 0
    echoes: int = 0
    skipped: int = 0
    pending_vectors: int = 0
    interrupted: bool = False

    @property
    def stored(self) -> int:
        """Messages that are in the memory now, whether they were before or not."""
        return self.added + self.duplicates


def store(
    memory: Memory,
    items: Iterator[Item],
    outcome: Outcome,
    *,
    session: str,
    role: str,
    progress: Callable[[int], None],
) -> None:
    """Store every message; `outcome` is right at all times, also where this raises.

    `progress` is called after each batch with how many messages were read.

    Raises:
        AgentMemError: a message cannot be read or stored; those before it (before its batch) are.
    """
    interrupt = Interrupt()
    repeats = Repeats()
    batch: list[NewEvent] = []
    read = 0

    def send() -> None:
        if not batch:
            return
        with interrupt.holding():
            receipt = memory.remember(batch)
            outcome.added += receipt.added
            outcome.duplicates += receipt.duplicates
            outcome.echoes += receipt.echoes
            outcome.pending_vectors += receipt.pending_vectors
            batch.clear()
            progress(read)

    with interrupt.watching():
        try:
            try:
                for item in items:
                    read += 1
                    if item.message is None:
                        outcome.skipped += 1
                        continue
                    batch.append(repeats.tell_apart(_read(item, session, role)))
                    if len(batch) == BATCH:
                        send()
            except InvalidInputError:
                # what comes before the fault is good and is kept
                send()
                raise
            send()
        except KeyboardInterrupt:
            outcome.interrupted = True
        except AgentMemError as error:
            if outcome.stored:
                error.add_note(
                    f"{plural(outcome.stored, 'message')} stored, and known when you run this again"
                )
            raise


def _read(item: Item, session: str, role: str) -> NewEvent:
    try:
        (event,) = read_messages([item.message], session, role)
    except InvalidInputError as error:
        raise type(error)(str(error).replace("message 0", item.where, 1)) from error
    return event


class Repeats:
    """Tells apart words said again by the same speaker, which the SDK does only within one call.

    The first one goes as it is, so that it equals one stored by the SDK; each later one gets an id made of its
    content and its count. Costs about 80 bytes of memory per message without an id.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._again: Counter[bytes] = Counter()

    def tell_apart(self, event: NewEvent) -> NewEvent:
        """The event, with an id of its own where it repeats an earlier one."""
        if event.id is not None:
            return event
        at = "" if event.occurred_at is None else event.occurred_at.isoformat()
        parts = (event.role, event.name or "", event.session, at, event.content)
        digest = sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
        key = int.from_bytes(digest[:8], "big")
        if key not in self._seen:
            self._seen.add(key)
            return event
        self._again[digest] += 1
        return replace(event, id=f"{digest.hex()[:32]}-{self._again[digest] + 1}")
