"""Turns values into what is printed: JSON with stable keys, or text. Results to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

BROKEN_PIPE = 141
# everything that could move the cursor or recolour the terminal, but tab and newline
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass's fields by name, in order."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def plain(value: Any) -> Any:
    """A value as JSON holds it: dataclasses by field, times in ISO-8601."""
    if is_dataclass(value):
        return plain(fields_of(value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    _write(_dump(value, indent=2) + "\n")


def print_json_list(key: str, values: Iterable[Any]) -> None:
    """`{key: [...]}` on stdout, item by item, so that a long list is never held whole."""
    _write(f'{{"{key}": [')
    separator = "\n"
    for value in values:
        _write(f"{separator}  {_dump(value)}")
        separator = ",\n"
    _write("\n]}\n")


def _dump(value: Any, indent: int | None = None) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    return json.dumps(plain(value), indent=indent, ensure_ascii="utf" not in encoding)


def print_json_line(value: Any) -> None:
    """One JSON document on a line of stdout, at once."""
    _write(_dump(value) + "\n")
    _flush_part()


def print_text(text: str) -> None:
    """Lines on stdout; stored text cannot steer a terminal."""
    _write(_harmless(text) + "\n")


def print_part(text: str) -> None:
    """Part of a text on stdout, at once."""
    _write(_harmless(text))
    _flush_part()


def _harmless(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) if sys.stdout.isatty() else text


def _flush_part() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        raise typer.Exit(BROKEN_PIPE) from None


def tell(text: str) -> None:
    """A line on stderr: what happened, where stdout is for results."""
    with suppress(BrokenPipeError):
        print(_CONTROL.sub(" ", text.replace("\n", " ")), file=sys.stderr, flush=True)


def table(rows: Mapping[str, Any]) -> str:
    """`name  value` lines, aligned; a time without its microseconds."""
    width = max(map(len, rows), default=0)
    return "\n".join(f"{name:<{width}}  {_cell(value)}" for name, value in rows.items())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return moment(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def moment(at: datetime) -> str:
    """`2023-05-08 13:56:00`, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at.year >= 1000 else at.isoformat(" ", "seconds")


def plural(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def flush() -> int:
    """Push out what is buffered; the exit code if nobody reads it or it cannot be written, else 0."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return BROKEN_PIPE
    except OSError as error:
        _silence()
        tell(f"error: the output could not be written: {error.strerror}")
        return 2
    return 0


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        _silence()
        raise typer.Exit(BROKEN_PIPE) from None


def _silence() -> None:
    """Let the interpreter's last flush go nowhere rather than fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
