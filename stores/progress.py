"""How far the derivations of a namespace follow its events. Knows nothing of what they derive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from agentmem.contracts import Progress

from . import schema
from .namespaces import NamespaceRow

D = schema.derivations.c
# asked before every recall
_READ = select(D.derived_seq, D.open_seq, D.state).where(D.namespace_pk == bindparam("namespace"))


def read(connection: Connection, namespace: NamespaceRow) -> Progress:
    """Where the derivations stand."""
    row = connection.execute(_READ, {"namespace": namespace.pk}).one_or_none()
    if row is None:
        return Progress(0, 0, namespace.next_seq)
    return Progress(row.derived_seq, row.open_seq, namespace.next_seq, row.state)


def write(connection: Connection, namespace_pk: int, until: Progress) -> None:
    """The derivations have come so far."""
    values = {"derived_seq": until.derived, "open_seq": until.open, "state": dict(until.state)}
    changed = connection.execute(
        update(schema.derivations).where(D.namespace_pk == namespace_pk).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(schema.derivations).values({"namespace_pk": namespace_pk, **values}))


def restart(connection: Connection, namespace_pk: int, lives: Mapping[str, Sequence[Any]]) -> None:
    """Let every derivation begin anew; `lives` is what episodes of these ids are to take up again."""
    write(connection, namespace_pk, Progress(0, 0, 0, {"lives": dict(lives)} if lives else {}))
