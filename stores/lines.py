"""Lines of versions: notes of one subject and predicate, of which one holds at a time. Rows to `agentmem.versions`.

A row says since when and until when its note holds. Where others hold in between, which a note about a limited time
brings about, the gaps are worked out as they are asked for. The caller of what writes holds the lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from agentmem.clock import from_micros, to_micros
from agentmem.types import Note
from agentmem.versions import Held, Version, confirmed, held, saying, version_key

from . import schema
from .chunks import chunks

M = schema.memories.c
_since = func.coalesce(M.valid_from, M.recorded_at)
Gaps = tuple[tuple[datetime, datetime], ...]


def keys_of(connection: Connection, memory_pks: Collection[int]) -> set[str]:
    """The lines that these notes stand in; asked before they go."""
    return {
        key
        for chunk in chunks(sorted(memory_pks))
        for key in connection.execute(
            select(M.version_key).where(M.pk.in_(chunk), M.version_key.is_not(None)).distinct()
        ).scalars()
    }


def key_of(connection: Connection, namespace_pk: int, note_id: str) -> str | None:
    """The line a note stands in, if it does."""
    found: str | None = connection.execute(
        select(M.version_key).where(M.namespace_pk == namespace_pk, M.id == note_id)
    ).scalar_one_or_none()
    return found


def _rows(connection: Connection, namespace_pk: int, key: str) -> Sequence[Row[Any]]:
    """The notes of a line in the order of writing."""
    return connection.execute(
        select(schema.memories).where(M.namespace_pk == namespace_pk, M.version_key == key).order_by(M.pk)
    ).all()


def _rows_near(connection: Connection, namespace_pk: int, key: str, start: int) -> Sequence[Row[Any]]:
    """Those that decide until when notes hold which begin at `start` or right before.

    All of them where one ends by itself, as it may give way to any that began before it.
    """
    line = (M.namespace_pk == namespace_pk, M.version_key == key)
    if connection.execute(select(M.pk).where(*line, M.stated_to.is_not(None)).limit(1)).first():
        return _rows(connection, namespace_pk, key)
    before = select(func.max(_since)).where(*line, _since < start).scalar_subquery()
    after = select(func.min(_since)).where(*line, _since > start).scalar_subquery()
    near = or_(_since == start, _since == before, _since == after)
    return connection.execute(select(schema.memories).where(*line, near).order_by(M.pk)).all()


def _version(row: Row[Any]) -> Version:
    return Version(
        id=row.id,
        says=saying(row.object, row.text),
        starts=row.recorded_at if row.valid_from is None else row.valid_from,
        stated_to=row.stated_to,
        recorded=row.recorded_at,
        place=row.pk,
    )


def confirmed_by(connection: Connection, namespace_pk: int, note: Note) -> int | None:
    """The key of the note that says the same as this one, in the same words, for all of its time."""
    key = version_key(note.subject, note.predicate) if note.exclusive else None
    if key is None:
        return None
    start = to_micros(note.valid_from or note.recorded_at)
    rows = _rows_near(connection, namespace_pk, key, start)
    new = Version(
        id=note.id,
        says=saying(note.object, note.text),
        starts=start,
        stated_to=None if note.stated_to is None else to_micros(note.stated_to),
        recorded=to_micros(note.recorded_at),
        place=rows[-1].pk + 1 if rows else 0,
    )
    found = confirmed([_version(row) for row in rows], new)
    for row in rows:
        if row.id == found and row.kind == note.kind and saying(None, row.text) == saying(None, note.text):
            return int(row.pk)
    return None


def settle(connection: Connection, namespace_pk: int, key: str, at: datetime) -> None:
    """Let every version of a line end where the others say, and write down what that changed."""
    rows = _rows(connection, namespace_pk, key)
    _settle(connection, rows, rows, at)


def settle_all(connection: Connection, namespace_pk: int) -> None:
    """Settle every line of a namespace; nothing changes where all were."""
    keys = select(M.version_key).where(M.namespace_pk == namespace_pk, M.version_key.is_not(None)).distinct()
    for key in connection.execute(keys).scalars().all():
        rows = _rows(connection, namespace_pk, key)
        # what changes was so since the last of them was written
        _settle(connection, rows, rows, from_micros(max(row.recorded_at for row in rows)))


def settle_new(connection: Connection, namespace_pk: int, note: Note) -> None:
    """The same after a note was added to a line that was settled."""
    key = version_key(note.subject, note.predicate) if note.exclusive else None
    if key is None:
        return
    start = to_micros(note.valid_from or note.recorded_at)
    rows = _rows_near(connection, namespace_pk, key, start)
    # what begins later holds as before, and where it ends is not decided by these alone
    _settle(connection, rows, [row for row in rows if _version(row).starts <= start], note.recorded_at)


def _settle(
    connection: Connection, rows: Sequence[Row[Any]], changing: Sequence[Row[Any]], at: datetime
) -> None:
    line = {row.id: _version(row) for row in rows}
    outcome = held(list(line.values()))
    for row in changing:
        now = outcome[row.id]
        if (row.valid_to, row.superseded_by) == (now.valid_to, now.by):
            continue
        connection.execute(
            update(schema.memories)
            .where(M.namespace_pk == row.namespace_pk, M.pk == row.pk)
            .values(
                valid_to=now.valid_to,
                superseded_by=now.by,
                superseded_at=None if now.by is None else to_micros(at),
            )
        )
        action, why = _reason(line, row, now)
        detail = {"why": why, "valid_to": _iso(now.valid_to)} | ({} if now.by is None else {"by": now.by})
        connection.execute(
            insert(schema.changes).values(
                namespace_pk=row.namespace_pk,
                record_id=row.id,
                action=action,
                at=to_micros(at),
                detail=detail,
            )
        )


def _reason(line: Mapping[str, Version], row: Row[Any], now: Held) -> tuple[str, str]:
    if now.by is None:
        return "reopened", "what had taken its place is gone"
    closer, closed = line[now.by], line[row.id]
    if row.superseded_by is not None and row.superseded_by not in line:
        return "reopened", "what had taken its place is gone, and this came next"
    if closer.place < closed.place:
        return "closed", "what held after it was known already"
    if closer.says == closed.says:
        return "superseded", "a later note says it anew"
    return "superseded", "a later note says something else of the same"


def words(connection: Connection, namespace_pk: int, note_id: str) -> dict[str, dict[str, Any]]:
    """Per version of the line that a note stands in, what it says and when it holds; empty for any other record."""
    key = key_of(connection, namespace_pk, note_id)
    rows = [] if key is None else _rows(connection, namespace_pk, key)
    outcome = held([_version(row) for row in rows])
    return {row.id: _told(row, outcome[row.id]) for row in rows}


def _told(row: Row[Any], now: Held) -> dict[str, Any]:
    since = row.recorded_at if row.valid_from is None else row.valid_from
    told = {"text": row.text, "valid_from": _iso(since), "valid_to": _iso(now.valid_to)}
    return told | ({"except": [[_iso(start), _iso(end)] for start, end in now.gaps]} if now.gaps else {})


def gaps(connection: Connection, namespace_pk: int, notes: Iterable[Row[Any]]) -> dict[str, Gaps]:
    """Per note of these rows the times within its own at which another version holds; most have none."""
    keys = sorted({row.version_key for row in notes if row.version_key is not None})
    # without a version that ends by itself, each holds until the next
    split = [
        key
        for chunk in chunks(keys)
        for key in connection.execute(
            select(M.version_key)
            .where(M.namespace_pk == namespace_pk, M.version_key.in_(chunk), M.stated_to.is_not(None))
            .distinct()
        ).scalars()
    ]
    return {
        id_: tuple((from_micros(start), from_micros(end)) for start, end in now.gaps)
        for key in split
        for id_, now in held([_version(row) for row in _rows(connection, namespace_pk, key)]).items()
        if now.gaps
    }


def faults(connection: Connection) -> Iterator[str]:
    """Notes that do not end where the others of their line say."""
    keys = connection.execute(
        select(M.namespace_pk, M.version_key).where(M.version_key.is_not(None)).distinct()
    ).all()
    for namespace_pk, key in keys:
        rows = _rows(connection, namespace_pk, key)
        outcome = held([_version(row) for row in rows])
        for row in rows:
            now = outcome[row.id]
            if (row.valid_to, row.superseded_by) != (now.valid_to, now.by):
                yield f"note {row.id} ends at {_iso(row.valid_to)}, and by its line at {_iso(now.valid_to)}"


def _iso(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros).isoformat()
