"""Encrypts a memory's file, decrypts it, or changes its key. The memory must not be open anywhere meanwhile.

The file's place is taken in one step by a checked copy; see docs/encryption.md.
"""

from __future__ import annotations

from pathlib import Path

from agentmem.config import scheme_of, sqlite_file, store_url
from agentmem.errors import EncryptionKeyError, InvalidInputError
from agentmem.keys import Key, SecretKey, find_key, secret_key
from agentmem.registry import load


def encrypt(url: str | Path | None, *, key: Key | None = None) -> None:
    """Encrypt a plain memory; without `key` the environment's is taken.

    Raises:
        EncryptionKeyError: no key, or the memory is encrypted already.
        StoreBusyError: the memory is open; nothing was changed.
    """
    _recode(url, None, _needed(key))


def decrypt(url: str | Path | None, *, key: Key | None = None) -> None:
    """Make an encrypted memory plain. Raises as `encrypt` does."""
    _recode(url, _needed(key), None)


def rekey(url: str | Path | None, *, key: Key | None = None, new_key: Key) -> None:
    """Give an encrypted memory another key. Raises as `encrypt` does."""
    old, new = _needed(key), secret_key(new_key)
    if old.same_as(new):
        raise EncryptionKeyError("the new key is the old one; nothing was changed")
    _recode(url, old, new)


def _recode(place: str | Path | None, old: SecretKey | None, new: SecretKey | None) -> None:
    url = store_url(place)
    path = sqlite_file(url) if scheme_of(url) == "sqlite" else None
    if path is None:
        raise InvalidInputError(
            f"only a memory in a file is encrypted by agentmem, not one at {scheme_of(url)}"
        )
    load("encryption", "sqlite")(path, old, new)


def _needed(key: Key | None) -> SecretKey:
    found = find_key(key)
    if found is None:
        raise EncryptionKeyError(
            "no key: give key=..., or set AGENTMEM_KEY, AGENTMEM_KEY_FILE or AGENTMEM_KEYRING"
        )
    return found
