"""`agentmem encrypt`, `decrypt` and `rekey`. Keys come from the environment, a file or a prompt: no arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agentmem import encryption
from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, existing_store
from agentmem.cli.progress import Bar
from agentmem.errors import EncryptionKeyError
from agentmem.keys import Key, environment_key, from_file

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="Holds the key in its first line. Default: the variables AGENTMEM_KEY, _KEY_FILE, _KEYRING; or a prompt.",
    ),
]


def encrypt(key_file: KeyFile = None, db: Db = None, as_json: AsJson = False) -> None:
    """Encrypt a plain memory, whole: words, vectors, indexes. It must not be open anywhere."""
    url = existing_store(db)
    key = _key(key_file, "new key", confirm=True)
    with Bar("encrypting"):
        encryption.encrypt(url, key=key)
    _tell("encrypted", url, as_json)


def decrypt(key_file: KeyFile = None, db: Db = None, as_json: AsJson = False) -> None:
    """Make an encrypted memory plain. It must not be open anywhere."""
    url = existing_store(db)
    key = _key(key_file, "key")
    with Bar("decrypting"):
        encryption.decrypt(url, key=key)
    _tell("decrypted", url, as_json)


def rekey(
    key_file: KeyFile = None,
    new_key_file: Annotated[
        Path | None,
        typer.Option(
            "--new-key-file",
            metavar="FILE",
            help="Holds the new key in its first line. Default: AGENTMEM_NEW_KEY, or a prompt.",
        ),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Give an encrypted memory another key. It must not be open anywhere; killed half-way, one of the two opens it."""
    url = existing_store(db)
    key = _key(key_file, "old key")
    new_key = _key(new_key_file, "new key", variable="AGENTMEM_NEW_KEY", confirm=True)
    with Bar("changing the key"):
        encryption.rekey(url, key=key, new_key=new_key)
    _tell("rekeyed", url, as_json)


def _key(file: Path | None, what: str, *, variable: str | None = None, confirm: bool = False) -> Key:
    """The key from the file, else the variable (without one: wherever a memory looks), else a prompt."""
    if file is not None:
        return from_file(file)
    if found := os.environ.get(variable) if variable else environment_key():
        return found
    if not sys.stdin.isatty():
        raise EncryptionKeyError(f"no {what}: set {variable or 'AGENTMEM_KEY'}, or give a file")
    asked: str = typer.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True)
    return asked


def _tell(did: str, url: str, as_json: bool) -> None:
    if as_json:
        render.print_json({"url": url, "did": did})
    else:
        render.print_text(f"{did}: {url}")
