"""Removal of what is selected, with everything derived from it, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, Select, delete, func, select

from agentmem.clock import from_micros, to_micros
from agentmem.contracts import Selection
from agentmem.faults import point
from agentmem.terms import Phrase
from agentmem.types import ForgetReport

from . import entities, episodes, graph, latent_rows, lexical, lines, namespaces, notes, schema
from .chunks import chunks

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
S = schema.sources.c


def forget(
    connection: Connection, namespace_pk: int, selection: Selection, at: datetime, *, dry_run: bool
) -> ForgetReport:
    """Remove the selected events and notes of one namespace; the caller holds the write lock."""
    subject = _subject(connection, namespace_pk, selection)
    events = _selected_events(connection, namespace_pk, selection, subject)
    memories = _selected_memories(connection, namespace_pk, selection, subject)
    memories.update(_resting_only_on(connection, list(events)))
    report = ForgetReport(tuple(events.values()), tuple(memories.values()), dry_run)
    if selection.everything and not dry_run:
        latent_rows.clear(connection, namespace_pk)
    if dry_run or not (events or memories):
        return report
    # times and ids only: the history of a forgotten record must not hold its words
    for chunk in chunks(list(events)):
        rows = connection.execute(select(E.id, E.recorded_at).where(E.pk.in_(chunk))).all()
        for row in rows:
            notes.record(connection, namespace_pk, [row.id], "remembered", from_micros(row.recorded_at), {})
    point("forget.times_kept")
    touched = episodes.touched(connection, namespace_pk, list(events))
    if selection.everything:
        graph.clear(connection, namespace_pk)
    else:
        graph.shrink(connection, namespace_pk, list(events))
    point("forget.graph_shrunk")
    latent_rows.forget(connection, namespace_pk, list(events), [*report.event_ids, *report.memory_ids])
    point("forget.latents_removed")
    _remove_passages(connection, namespace_pk, P.event_pk, list(events))
    point("forget.event_passages_removed")
    _remove_passages(connection, namespace_pk, P.memory_pk, list(memories))
    point("forget.note_passages_removed")
    settled = lines.keys_of(connection, memories)
    for chunk in chunks(list(memories)):
        connection.execute(delete(schema.memories).where(M.pk.in_(chunk)))
    point("forget.notes_removed")
    for key in sorted(settled):
        lines.settle(connection, namespace_pk, key, at)
    point("forget.lines_settled")
    for chunk in chunks(list(events)):
        connection.execute(delete(schema.events).where(E.pk.in_(chunk)))
    point("forget.events_removed")
    episodes.mend(connection, namespace_pk, touched)
    point("forget.episodes_mended")
    notes.record(connection, namespace_pk, [*report.event_ids, *report.memory_ids], "forgotten", at, {})
    point("forget.recorded")
    lexical.scrub(connection)
    point("forget.scrub_asked")
    return report


def _subject(connection: Connection, namespace_pk: int, selection: Selection) -> list[Phrase]:
    """What the selection is about, under every name that is known to mean the same."""
    if selection.about is None:
        return []
    same = entities.entities(connection, namespace_pk, [selection.about], None)
    named = {name for who in same for name in (who.name, *(alias.name for alias in who.aliases))}
    # in Python, since SQLite's own comparisons fold the case of ASCII only
    return [Phrase(name) for name in sorted({selection.about, *named})]


def _selected_events(
    connection: Connection, namespace_pk: int, selection: Selection, subject: Sequence[Phrase]
) -> dict[int, str]:
    statement = select(E.pk, E.id).where(E.namespace_pk == namespace_pk).order_by(E.seq)
    if selection.session is not None:
        statement = statement.where(E.session == selection.session)
    if selection.before is not None:
        statement = statement.where(E.occurred_at < to_micros(selection.before))
    return _chosen(connection, statement, E.id, (E.name, E.content), selection, subject)


def _selected_memories(
    connection: Connection, namespace_pk: int, selection: Selection, subject: Sequence[Phrase]
) -> dict[int, str]:
    if selection.session is not None:
        # a note belongs to no session; those resting on the session's events go with them
        return {}
    statement = select(M.pk, M.id).where(M.namespace_pk == namespace_pk).order_by(M.pk)
    if selection.before is not None:
        statement = statement.where(func.coalesce(M.valid_from, M.recorded_at) < to_micros(selection.before))
    return _chosen(connection, statement, M.id, (M.subject, M.text), selection, subject)


def _chosen(
    connection: Connection,
    statement: Select[tuple[int, str]],
    id_column: Column[str],
    about_columns: tuple[Column[str], Column[str]],
    selection: Selection,
    subject: Sequence[Phrase],
) -> dict[int, str]:
    """The rows among these ids whose name is, or whose words mention, the subject, where there is one."""
    if selection.ids is None:
        statements = [statement]
    else:
        statements = [statement.where(id_column.in_(chunk)) for chunk in chunks(selection.ids)]
    if not subject:
        return {row.pk: row.id for wanted in statements for row in connection.execute(wanted)}
    return {
        pk: id_
        for wanted in statements
        for pk, id_, name, words in connection.execute(wanted.add_columns(*about_columns))
        if any(phrase.equals(name or "") or phrase.occurs_in(words) for phrase in subject)
    }


def _resting_only_on(connection: Connection, event_pks: Sequence[int]) -> dict[int, str]:
    """Memories whose every source is among these events."""
    touched: dict[int, int] = {}
    for chunk in chunks(event_pks):
        rows = connection.execute(
            select(S.memory_pk, func.count()).where(S.event_pk.in_(chunk)).group_by(S.memory_pk)
        )
        for memory_pk, count in rows:
            touched[memory_pk] = touched.get(memory_pk, 0) + count
    found: dict[int, str] = {}
    for chunk in chunks(list(touched)):
        rows = connection.execute(
            select(S.memory_pk, M.id, func.count())
            .join(schema.memories, M.pk == S.memory_pk)
            .where(S.memory_pk.in_(chunk))
            .group_by(S.memory_pk, M.id)
        )
        found.update((pk, id_) for pk, id_, total in rows if touched[pk] == total)
    return found


def _remove_passages(
    connection: Connection, namespace_pk: int, owner: Column[int], owner_pks: Sequence[int]
) -> None:
    """Passages with their lexical rows and, by cascade, their vectors."""
    for chunk in chunks(owner_pks):
        rows = connection.execute(select(P.pk, P.terms).where(owner.in_(chunk))).all()
        lexical.remove(connection, namespace_pk, [row.pk for row in rows])
        point("forget.terms_removed")
        connection.execute(delete(schema.passages).where(owner.in_(chunk)))
        if rows:
            namespaces.count(
                connection, namespace_pk, passages=-len(rows), terms=-sum(row.terms for row in rows)
            )
