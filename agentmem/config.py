"""Where memory lives when the user does not say, and how a place is written."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from platformdirs import user_data_path

from agentmem.errors import InvalidInputError, NamespaceError
from agentmem.types import Namespace

DEFAULT_NAMESPACE: Namespace = ("default",)
MAX_PARTS = 32
MAX_PART_CHARS = 512


def default_url() -> str:
    """`AGENTMEM_URL` where set, else one SQLite file in the user's data folder."""
    return os.environ.get("AGENTMEM_URL") or f"sqlite:///{user_data_path('agentmem') / 'memory.db'}"


def store_url(place: str | Path | None) -> str:
    """A URL from a URL, a file name, or None (the default place)."""
    if place is None:
        return default_url()
    if "\0" in str(place):
        raise InvalidInputError(f"not a place for a memory: {place!r} holds a NUL character")
    if isinstance(place, Path):
        return _file_url(str(place))
    if not isinstance(place, str) or not place.strip():
        raise InvalidInputError(
            f"not a place for a memory: {place!r}; give 'sqlite:///agent.db' or a file name"
        )
    if place == ":memory:":
        return "sqlite://"
    if place.startswith("postgres://"):
        # libpq's other name for the same
        return "postgresql" + place.removeprefix("postgres")
    return place if "://" in place else _file_url(place)


def _file_url(name: str) -> str:
    # only what a URL would read otherwise, so that names stay legible
    return "sqlite:///" + name.replace("%", "%25").replace("?", "%3F")


def sqlite_file(url: str) -> Path | None:
    """The file that a SQLite URL names, `~` being the user's home; None for memory."""
    path = unquote(url.partition("://")[2].partition("?")[0]).removeprefix("/")
    return None if path in ("", ":memory:") else Path(os.path.expanduser(path))


def scheme_of(url: str) -> str:
    """`sqlite` of `sqlite:///…`, `postgresql` of `postgresql+psycopg://…`."""
    return url.partition("://")[0].partition("+")[0]


def check_namespace(namespace: object) -> Namespace:
    """The namespace as a tuple of strings.

    Raises:
        NamespaceError: not a sequence of non-empty strings, or too long.
    """
    if isinstance(namespace, str | bytes) or not isinstance(namespace, tuple | list):
        raise NamespaceError(
            f"a namespace is a tuple of strings such as ('org', 'alice'), not {type(namespace).__name__} "
            f"{namespace!r}"
        )
    if not 1 <= len(namespace) <= MAX_PARTS:
        raise NamespaceError(f"a namespace has 1 to {MAX_PARTS} parts, not {len(namespace)}")
    for part in namespace:
        if not isinstance(part, str) or not part:
            raise NamespaceError(
                f"every part of a namespace is a non-empty string; {part!r} in {namespace!r}"
            )
        if len(part) > MAX_PART_CHARS or "\0" in part or not _encodable(part):
            raise NamespaceError(
                f"a part of a namespace has at most {MAX_PART_CHARS} characters, none of them NUL or a lone "
                f"surrogate; {part[:40]!r}"
            )
    return tuple(namespace)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
