"""The options that every command shares, and how they open a memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentmem.config import DEFAULT_NAMESPACE, scheme_of, sqlite_file, store_url
from agentmem.errors import InvalidInputError
from agentmem.memory import Memory

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="AGENTMEM_URL",
        metavar="URL",
        help="Where the memory is: a file, or a URL such as sqlite:///agent.db. Default: the user's data folder.",
    ),
]
Namespace = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="PART",
        help="Whose memory; repeat for each part: -n org -n alice. Default: default.",
    ),
]
Embedder = Annotated[
    str | None,
    typer.Option(
        "--embedder",
        metavar="NAME",
        help="A sentence-transformers name or folder, offline, or hash; NAME+images for a multimodal model that sees "
        "the images below the folder AGENTMEM_IMAGES. Default: the store's own.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where the results go.")]


def open_memory(
    db: str | None, namespace: list[str] | None, embedder: str | None, *, create: bool = False
) -> Memory:
    """The memory that the shared options name. Raises as `existing_store` does, unless it may be made."""
    url = store_url(db) if create else existing_store(db)
    return Memory(url, namespace=tuple(namespace or DEFAULT_NAMESPACE), embedder=embedder)


def existing_store(db: str | None) -> str:
    """The URL of the store that `--db` names.

    Raises:
        InvalidInputError: nothing is there, so the place is likely mistyped.
    """
    url = store_url(db)
    path = database_file(url)
    if path is not None and not path.exists():
        raise InvalidInputError(
            f"no memory at {path} yet; check --db and AGENTMEM_URL, or store something first: agentmem remember TEXT"
        )
    return url


def database_file(url: str) -> Path | None:
    """The file behind a SQLite URL; None for any other store, and for memory."""
    return sqlite_file(url) if scheme_of(url) == "sqlite" else None
