"""PostgreSQL's errors in our own words, each with what to do; no message holds a password or a stored word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agentmem.errors import (
    ReadOnlyStoreError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)

_DOCS = "see docs/postgres.md"
# by SQLSTATE, or its first two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_KNOWN: dict[str, tuple[Callable[[str], StoreError], str]] = {
    "25006": (ReadOnlyStoreError, "the server is a replica or read-only; write to the primary"),
    "28": (
        StoreError,
        "the server refused the user: check the name, PGPASSWORD or ~/.pgpass, and pg_hba.conf",
    ),
    "3D000": (StoreError, "there is no such database; make it: createdb NAME"),
    "42501": (
        StoreError,
        "this role lacks a right: open the store once as its owner, and grant the role its rights, " + _DOCS,
    ),
    "53100": (
        StoreFullError,
        "the server's disk is full; nothing acknowledged is lost. Free space, then try again",
    ),
    "53300": (StoreBusyError, "the server has no connection free: lower ?pool=, or raise max_connections"),
    "54000": (
        StoreError,
        "a key with its namespace is longer than the server can index, 2,704 bytes; shorten it, or put its digest",
    ),
    "55P03": (
        StoreBusyError,
        "another writer held its lock too long; find it in pg_stat_activity, or try again",
    ),
    "57014": (StoreBusyError, "the statement ran into statement_timeout; raise it for this role"),
    "57P": (
        StoreUnreachableError,
        "the server ended the connection, or lets nobody in; a write under way was undone, try again",
    ),
    "08": (StoreUnreachableError, "the connection was lost; a write under way was undone, try again"),
    "40": (StoreBusyError, "two writers crossed and this one gave way; nothing was stored, try again"),
}

# libpq's and psycopg's words for a session that was there; where there was none they begin otherwise
_NEVER_THERE = "connection failed"
_LOST = ("closed the connection", "the connection is", "could not receive", "could not send", "ssl ")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise what the driver raises as `StoreError` and its kin."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreBusyError(
            f"{where}: every connection is in use; raise ?pool= in the URL, or do less at once"
        ) from error
    except DBAPIError as error:
        raise explain(where, error.orig or error) from error
    except psycopg.Error as error:
        raise explain(where, error) from error


@contextmanager
def committing(where: str) -> Iterator[None]:
    """Say so where the connection is lost while the server commits, for then nobody knows whether it has."""
    try:
        yield
    except DBAPIError as error:
        explained = explain(where, error.orig or error)
        if not isinstance(explained, StoreUnreachableError):
            raise
        raise StoreUnreachableError(
            f"{where}: the connection was lost while a write was being committed: it is stored or undone, as a "
            "whole. Do it again: words remembered twice are stored once, and so is a note with an id of yours "
            f"({_first_line(error.orig or error)})"
        ) from error


def explain(where: str, error: BaseException) -> StoreError:
    """The error of ours that says what happened and what to do."""
    state = getattr(error, "sqlstate", None) or ""
    for key in (state, state[:3], state[:2]):
        if key in _KNOWN:
            kind, advice = _KNOWN[key]
            return kind(f"{where}: {advice} ({_first_line(error)})")
    if not state and isinstance(error, psycopg.OperationalError):
        return _unreachable(where, error)
    return StoreError(f"{where}: {_first_line(error)}")


def _unreachable(where: str, error: psycopg.OperationalError) -> StoreError:
    # before a session there is no SQLSTATE, only the server's words
    words = str(error).lower()
    for sign, key in (("authentication", "28"), ("role", "28"), ("does not exist", "3D000")):
        if sign in words:
            return StoreError(f"{where}: {_KNOWN[key][1]} ({_first_line(error)})")
    if "too many" in words or "remaining connection slots" in words:
        return StoreBusyError(f"{where}: {_KNOWN['53300'][1]} ({_first_line(error)})")
    if not words.startswith(_NEVER_THERE) and any(sign in words for sign in _LOST):
        kind, advice = _KNOWN["08"]
        return kind(f"{where}: {advice} ({_first_line(error)})")
    return StoreUnreachableError(
        f"cannot reach PostgreSQL at {where}: check that the server runs and the URL's host and port "
        f"({_first_line(error)})"
    )


def _first_line(error: BaseException) -> str:
    # later lines may quote a row
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    return str(primary or error).strip().partition("\n")[0]
