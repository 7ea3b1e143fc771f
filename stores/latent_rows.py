"""Rows of latents: functions over a connection. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from agentmem.clock import from_micros
from agentmem.errors import InvalidInputError
from agentmem.latents import LatentRef
from agentmem.retention import KV_TIERS
from agentmem.types import Namespace

from . import namespaces, schema
from .chunks import chunks
from .latent_schema import latent_removals, latent_sources, latents
from .recalls import Held

L = latents.c
E = schema.events.c


def refs(
    connection: Connection, namespace: Namespace, owner_id: str | None = None
) -> list[tuple[LatentRef, str]]:
    """Latents of a namespace, or of one owner in it, with the names of their files; the oldest first."""
    row = namespaces.find(connection, namespace)
    if row is None:
        return []
    statement = select(latents).where(L.namespace_pk == row.pk).order_by(L.pk)
    if owner_id is not None:
        statement = statement.where(L.owner_id == owner_id)
    return [(to_ref(found, namespace), found.file) for found in connection.execute(statement)]


def everything(connection: Connection) -> list[tuple[LatentRef, str]]:
    """Every latent of the store with the name of its file."""
    paths = schema.namespaces.c
    rows = connection.execute(
        select(latents, paths.path).join(schema.namespaces, paths.pk == L.namespace_pk).order_by(L.pk)
    )
    return [(to_ref(row, namespaces.decode(row.path)), row.file) for row in rows]


def to_ref(row: Row[Any], namespace: Namespace) -> LatentRef:
    """A row as what is handed out."""
    return LatentRef(
        namespace=namespace,
        owner_id=row.owner_id,
        fingerprint=row.fingerprint,
        layout=row.layout,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        created_at=from_micros(row.created_at),
    )


def put(connection: Connection, namespace: Namespace, values: dict[str, Any], sources: Sequence[str]) -> None:
    """Enter a latent in place of the one of its kind; raises `InvalidInputError` for an unknown source."""
    row = namespaces.find_or_add(connection, namespace)
    same = [
        L.namespace_pk == row.pk,
        *(L[name] == values[name] for name in ("owner_id", "fingerprint", "layout")),
    ]
    old = connection.execute(select(L.pk, L.file).where(*same)).all()
    connection.execute(delete(latents).where(*same))
    pk = connection.execute(
        insert(latents).values(namespace_pk=row.pk, **values).returning(L.pk)
    ).scalar_one()
    give_up(connection, row.pk, [found.file for found in old])
    wanted = set(sources)
    found = {}
    for chunk in chunks([*wanted, values["owner_id"]]):
        rows = connection.execute(select(E.id, E.pk).where(E.namespace_pk == row.pk, E.id.in_(chunk)))
        found.update({event.id: event.pk for event in rows})
    if missing := sorted(wanted - set(found)):
        raise InvalidInputError(f"no event {missing[0]!r} in this namespace, so nothing can come from it")
    if found:
        connection.execute(
            insert(latent_sources),
            [{"namespace_pk": row.pk, "latent_pk": pk, "event_pk": event_pk} for event_pk in found.values()],
        )


def sources(connection: Connection, namespace: Namespace, ref: LatentRef) -> list[str]:
    """The ids of the events a latent comes from."""
    row = namespaces.find(connection, namespace)
    if row is None:
        return []
    statement = (
        select(E.id)
        .join(latent_sources, latent_sources.c.event_pk == E.pk)
        .join(latents, L.pk == latent_sources.c.latent_pk)
        .where(
            L.namespace_pk == row.pk,
            L.owner_id == ref.owner_id,
            L.fingerprint == ref.fingerprint,
            L.layout == ref.layout,
        )
        .order_by(E.seq)
    )
    return list(connection.execute(statement).scalars())


def any_kept(connection: Connection) -> bool:
    """Whether the store has a latent."""
    return connection.execute(select(L.pk).limit(1)).first() is not None


def forget(connection: Connection, namespace_pk: int, event_pks: Sequence[int], ids: Sequence[str]) -> None:
    """Remove the latents that come from these events, or belong to these records."""
    going: dict[int, str] = {}
    for chunk in chunks(event_pks):
        touched = select(latent_sources.c.latent_pk).where(latent_sources.c.event_pk.in_(chunk))
        going.update(_files(connection, L.pk.in_(touched)))
    for names in chunks(ids):
        going.update(_files(connection, (L.namespace_pk == namespace_pk) & L.owner_id.in_(names)))
    _remove(connection, namespace_pk, going)


def fading(connection: Connection, namespace_pk: int, held: Held) -> dict[int, int]:
    """Latents of a namespace whose events are all so little held that their words will do: size in bytes by key."""
    rows = connection.execute(
        select(L.pk, L.size_bytes, latent_sources.c.event_pk)
        .join(latent_sources, latent_sources.c.latent_pk == L.pk)
        .where(L.namespace_pk == namespace_pk)
    ).all()
    events = np.array([row.event_pk for row in rows], dtype=np.int64)
    furthest = held.levels(events) == KV_TIERS.index("text")
    nearer = {row.pk for row, is_far in zip(rows, furthest, strict=True) if not is_far}
    return {row.pk: row.size_bytes for row in rows if row.pk not in nearer}


def drop(connection: Connection, namespace_pk: int, pks: Sequence[int]) -> None:
    """Remove these latents of a namespace."""
    for chunk in chunks(pks):
        _remove(
            connection, namespace_pk, _files(connection, (L.namespace_pk == namespace_pk) & L.pk.in_(chunk))
        )


def clear(connection: Connection, namespace_pk: int, owner_id: str | None = None) -> int:
    """Remove all latents of a namespace, or those of one owner; returns how many."""
    where = L.namespace_pk == namespace_pk
    going = _files(connection, where if owner_id is None else where & (L.owner_id == owner_id))
    _remove(connection, namespace_pk, going)
    return len(going)


def move(connection: Connection, namespace: Namespace, file: str, to: str) -> None:
    """Give the latents that have a file another with the same content; the namespace is one of theirs."""
    connection.execute(update(latents).where(L.file == file).values(file=to))
    give_up(connection, namespaces.find_or_add(connection, namespace).pk, [file])


def give_up(connection: Connection, namespace_pk: int, files: Sequence[str]) -> None:
    """Note that these files may go; who removes them looks whether a latent of any namespace still has them."""
    columns = latent_removals.c
    known: set[str] = set()
    for chunk in chunks(files):
        rows = select(columns.file).where(columns.namespace_pk == namespace_pk, columns.file.in_(chunk))
        known.update(connection.execute(rows).scalars())
    fresh = [
        {"namespace_pk": namespace_pk, "file": name} for name in dict.fromkeys(files) if name not in known
    ]
    if fresh:
        connection.execute(insert(latent_removals), fresh)


def given_up(connection: Connection) -> list[str]:
    """Files that may go."""
    return list(connection.execute(select(latent_removals.c.file).distinct()).scalars())


def settled(connection: Connection, file: str) -> None:
    """A file that might go has gone, or stays."""
    connection.execute(delete(latent_removals).where(latent_removals.c.file == file))


def is_used(connection: Connection, file: str) -> bool:
    """Whether a latent has this file."""
    return connection.execute(select(L.pk).where(L.file == file).limit(1)).first() is not None


def totals(connection: Connection) -> tuple[int, int]:
    """How many latents there are, and their bytes."""
    count, size = connection.execute(select(func.count(), func.coalesce(func.sum(L.size_bytes), 0))).one()
    return int(count), int(size)


def used_files(connection: Connection) -> set[str]:
    """The files that latents have."""
    return set(connection.execute(select(L.file).distinct()).scalars())


def _files(connection: Connection, where: Any) -> dict[int, str]:
    return {row.pk: row.file for row in connection.execute(select(L.pk, L.file).where(where))}


def _remove(connection: Connection, namespace_pk: int, going: dict[int, str]) -> None:
    for chunk in chunks(list(going)):
        connection.execute(delete(latents).where(L.pk.in_(chunk)))
    give_up(connection, namespace_pk, list(going.values()))
