"""Latents in an export: their rows as records, their files as members that are read and checked on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from agentmem.clock import to_micros
from agentmem.errors import CorruptLatentError
from agentmem.types import Namespace

from . import archive, latent_rows
from .latents import SqlLatents

_FIELDS = ("owner_id", "fingerprint", "layout", "sha256", "size_bytes", "created_at")


def write(
    connection: Connection, latents: SqlLatents, chosen: Sequence[Namespace], out: archive.Writer
) -> tuple[dict[Namespace, list[Mapping[str, Any]]], list[str]]:
    """Write the files; returns the records of each namespace, and what was left out and why.

    A damaged one is left out: it is derived, and no reason to have no export of the words.
    """
    records: dict[Namespace, list[Mapping[str, Any]]] = {}
    left_out: list[str] = []
    written: set[str] = set()
    for name in chosen:
        for ref, file in latent_rows.refs(connection, name):
            try:
                if ref.sha256 not in written:
                    out.file(archive.latent_member(ref.sha256), latents.content(ref, file))
            except CorruptLatentError as error:
                left_out.append(str(error))
                continue
            written.add(ref.sha256)
            fields = {field: getattr(ref, field) for field in _FIELDS}
            sources = latent_rows.sources(connection, name, ref)
            records.setdefault(name, []).append({"type": "latent", **fields, "sources": sources})
    return records, left_out


class Incoming:
    """Takes latents in, file and row; the caller holds the write lock."""

    def __init__(self, reader: archive.Reader, latents: SqlLatents | None) -> None:
        self._reader = reader
        self._latents = latents
        self._files: dict[str, str] = {}
        self.taken = 0
        self.left_out = 0

    def take(self, connection: Connection, name: Namespace, record: dict[str, Any]) -> None:
        """Enter one; what an owner has already stays."""
        values = {field: record[field] for field in _FIELDS}
        if self._latents is None:
            self.left_out += 1
            return
        kind = (values["owner_id"], values["fingerprint"], values["layout"])
        here = latent_rows.refs(connection, name, values["owner_id"])
        if any((ref.owner_id, ref.fingerprint, ref.layout) == kind for ref, _ in here):
            return
        values["created_at"] = to_micros(datetime.fromisoformat(values["created_at"]))
        values["file"] = self._write(connection, self._latents, values["sha256"])
        latent_rows.put(connection, name, values, record["sources"])
        self.taken += 1

    def _write(self, connection: Connection, latents: SqlLatents, sha256: str) -> str:
        if sha256 not in self._files:
            content = self._reader.latent(sha256)
            self._files[sha256] = latents.write_file(connection, sha256, content)
        return self._files[sha256]

    def undo(self) -> None:
        """Remove the files again, after a transaction that came to nothing."""
        if self._latents is not None and self._files:
            self._latents.drop_unused(list(self._files.values()))
