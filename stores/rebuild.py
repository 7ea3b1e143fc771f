"""Makes what is derived from events anew, out of the events alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from agentmem.clock import from_micros
from agentmem.write.passages import event_passages

from . import episodes, graph, lexical, lines, log, namespaces, progress, schema

E = schema.events.c
P = schema.passages.c
X = schema.episodes.c
_BATCH = 500


def rebuild(connection: Connection, namespace_pk: int) -> int:
    """Cut and index every event again, and let episodes and the graph begin anew; the caller holds the lock.

    Notes end where the others of their line say.

    A passage that comes out as it was keeps its key and its vector. Returns how many events there are.
    """
    count, last = 0, -1
    while rows := connection.execute(
        select(schema.events)
        .where(E.namespace_pk == namespace_pk, E.seq > last)
        .order_by(E.seq)
        .limit(_BATCH)
    ).all():
        last = rows[-1].seq
        count += len(rows)
        for row in rows:
            _passages(connection, namespace_pk, row)
    lives = {
        row.id: [row.strength, row.stability_days, row.recalls, row.last_recalled_at]
        for row in connection.execute(select(schema.episodes).where(X.namespace_pk == namespace_pk))
    }
    lines.settle_all(connection, namespace_pk)
    _recount(connection, namespace_pk)
    episodes.clear(connection, namespace_pk)
    graph.clear(connection, namespace_pk)
    progress.restart(connection, namespace_pk, lives)
    return count


def _passages(connection: Connection, namespace_pk: int, event: Row[Any]) -> None:
    """The passages of one event, indexed as they would be if it came today."""
    found = connection.execute(
        select(P.pk, P.start, P.end, P.terms).where(P.event_pk == event.pk).order_by(P.start)
    ).all()
    made = event_passages(event.name or event.role, from_micros(event.occurred_at), event.content)
    lexical.remove(connection, namespace_pk, [row.pk for row in found])
    if [(row.start, row.end, row.terms) for row in found] == [
        (passage.start, passage.end, len(passage.terms)) for passage in made
    ]:
        lexical.add(
            connection,
            namespace_pk,
            ((row.pk, passage.terms) for row, passage in zip(found, made, strict=True)),
        )
        return
    connection.execute(delete(schema.passages).where(P.event_pk == event.pk))
    namespaces.count(connection, namespace_pk, passages=-len(found), terms=-sum(row.terms for row in found))
    rows = [
        log.PassageRow(event.pk, None, passage.start, passage.end, passage.index_text, len(passage.terms))
        for passage in made
    ]
    log.add_passages(connection, namespace_pk, rows, [passage.terms for passage in made])


def _recount(connection: Connection, namespace_pk: int) -> None:
    """Count what the namespace's row says of its passages, notes' among them, and let caches look again."""
    columns = schema.namespaces.c
    passages, terms = connection.execute(
        select(func.count(), func.coalesce(func.sum(P.terms), 0)).where(P.namespace_pk == namespace_pk)
    ).one()
    connection.execute(
        update(schema.namespaces)
        .where(columns.pk == namespace_pk)
        .values(passages=passages, terms=terms, epoch=columns.epoch + 1)
    )
