"""The part of a SQL store that strengthens what was recalled and moves vectors between precisions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from agentmem.contracts import MaintenanceStep, Vectors
from agentmem.faults import point
from agentmem.retention import KV_TIERS, PRECISIONS, level
from agentmem.types import Lifecycle, Namespace

from . import latent_rows, lifecycle, namespaces, recalls, reindex, vectors
from .derived import DerivedRows
from .parts import VectorSearch


class LifecycleRows(DerivedRows):
    """The methods of `agentmem.contracts.Store` on strength, retention and precision."""

    _indexes: VectorSearch

    @abstractmethod
    def _remove_latent_files(self) -> None:
        """Remove the files of latents that are gone."""

    @abstractmethod
    def _in_use(self, connection: Connection, maker: str = "") -> tuple[int, int] | None:
        """The key and dims of the embedder in use."""

    def recalled(self, namespace: Namespace, events: Mapping[str, Sequence[datetime]]) -> None:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            if row is not None:
                recalls.record(connection, row.pk, events)
                point("recalled.written")

    def lifecycle(self, namespace: Namespace, now: datetime) -> Lifecycle:
        with self._in(namespace) as (connection, row):
            embedder = self._in_use(connection)
            if row is None or embedder is None:
                return Lifecycle(namespace, now, (0,) * 10, {}, {}, {}, 0)
            held = recalls.held(connection, row.pk, now).retention
            counted = lifecycle.precisions(connection, row.pk, embedder[0])
        tenths = np.histogram(held, bins=10, range=(0.0, 1.0))[0]
        per_level = np.bincount(level(held), minlength=len(PRECISIONS))
        return Lifecycle(
            namespace=namespace,
            at=now,
            retention=tuple(int(count) for count in tenths),
            precisions=dict[str, int](counted.items()),
            wanted={name: int(n) for name, n in zip(PRECISIONS, per_level, strict=True)},
            kv_tiers={name: int(n) for name, n in zip(KV_TIERS, per_level, strict=True)},
            vector_bytes=lifecycle.size_bytes(counted, embedder[1]),
        )

    def maintain(self, namespace: Namespace, now: datetime, *, dry_run: bool) -> Iterator[MaintenanceStep]:
        with self._in(namespace) as (connection, row):
            embedder = self._in_use(connection)
            if row is None or embedder is None:
                return
            held = recalls.held(connection, row.pk, now)
            last, until = 0, vectors.newest(connection, row.pk, embedder[0])
        replaced = False
        while True:
            with self._database.read(namespace) as connection:
                step = lifecycle.next_step(connection, row.pk, embedder[0], held, last, until)
                if step is None:
                    break
                texts = [] if dry_run else reindex.texts_of(connection, step.rising)
            last = step.last_pk
            if not dry_run and step.falling:
                if not replaced:
                    # what is kept on disk is an index of the rows about to go
                    self._indexes.drop(row.pk)
                    replaced = True
                with self._database.write(namespace) as connection:
                    lifecycle.fall(connection, row.pk, embedder, step)
                point("maintain.fallen")
            fallen = {name: len(pks) for name, pks in step.falling.items()}
            yield MaintenanceStep(step.seen, fallen, len(step.rising), tuple(texts))
        if not dry_run:
            with self._in(namespace) as (connection, row):
                if row is not None:
                    self._indexes.follow(connection, row, embedder)

    def fade_latents(self, namespace: Namespace, now: datetime, *, dry_run: bool) -> tuple[int, int]:
        with self._in(namespace) as (connection, row):
            if row is None or not latent_rows.any_kept(connection):
                return 0, 0
            held = recalls.held(connection, row.pk, now)
            fading = latent_rows.fading(connection, row.pk, held)
        if fading and not dry_run:
            with self._database.write(namespace) as connection:
                latent_rows.drop(connection, row.pk, list(fading))
                point("maintain.latents_dropped")
            self._remove_latent_files()
        return len(fading), sum(fading.values())

    def raise_vectors(
        self, namespace: Namespace, keys: Sequence[int], rows: Vectors, *, embedder: str = ""
    ) -> int:
        with self._database.write(namespace) as connection:
            ours = self._in_use(connection, embedder)
            row = namespaces.find(connection, namespace)
            if ours is None or row is None:
                return 0
            changed = lifecycle.rise(connection, row.pk, ours[0], keys, rows)
            point("maintain.rising")
        point("maintain.risen")
        return changed
