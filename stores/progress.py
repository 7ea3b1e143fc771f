"""How far the derivations of a namespace follow its events. Knows nothing of what they derive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from agentmem.contracts import Progress

from . import schema
from .namespaces import NamespaceRow

D = schema.derivations.c


def read(connection: Connection, namespace: NamespaceRow) -> Progress:
    """Where both derivations stand."""
    row = connection.execute(
        select(D.extracted_seq, D.segmented_seq, D.state).where(D.namespace_pk == namespace.pk)
    ).one_or_none()
    if row is None:
        return Progress(0, 0, namespace.next_seq)
    return Progress(row.extracted_seq, row.segmented_seq, namespace.next_seq, row.state)


def extracted(connection: Connection, namespace: NamespaceRow, seq: int) -> None:
    """Names have been read from all events before `seq`."""
    _set(connection, namespace.pk, {"extracted_seq": seq})


def segmented(connection: Connection, namespace: NamespaceRow, seq: int, state: Mapping[str, Any]) -> None:
    """All events before `seq` are in an episode, and the segmentation is in this state."""
    _set(connection, namespace.pk, {"segmented_seq": seq, "state": dict(state)})


def _set(connection: Connection, namespace_pk: int, values: dict[str, Any]) -> None:
    statement = update(schema.derivations).where(D.namespace_pk == namespace_pk).values(values)
    if connection.execute(statement).rowcount == 0:
        connection.execute(
            insert(schema.derivations).values({"namespace_pk": namespace_pk, "state": {}, **values})
        )


def reset(connection: Connection, namespace_pk: int) -> None:
    """Let every derivation begin anew."""
    connection.execute(delete(schema.derivations).where(D.namespace_pk == namespace_pk))
