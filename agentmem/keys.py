"""Keys for encryption at rest: where they come from, and how they stay out of sight. Knows nothing of files.

A key is a passphrase, or 32 random bytes. It is looked for in this order: what the caller gives, `AGENTMEM_KEY`,
`AGENTMEM_KEY_FILE` (a file that holds it, such as a mounted secret), `AGENTMEM_KEYRING` (`service/user` in the
system's keyring).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from pathlib import Path

from agentmem.errors import EncryptionKeyError, MissingExtraError

Key = str | bytes | Callable[[], str | bytes]

RAW_BYTES = 32
_RAW_PREFIX = "hex:"
# OWASP's least for scrypt: 128 MiB and about half a second for each guess
_SCRYPT_COST, _SCRYPT_BLOCK, _SCRYPT_LANES = 2**17, 8, 1


class SecretKey:
    """A passphrase or raw bytes, never shown by `repr`, never pickled."""

    __slots__ = ("_is_raw", "_secret")

    def __init__(self, secret: bytes, *, is_raw: bool) -> None:
        self._secret = secret
        self._is_raw = is_raw

    def derive(self, salt: bytes) -> bytes:
        """32 bytes for this salt: scrypt of a passphrase (slow by design), HKDF-SHA256 of raw bytes."""
        try:
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
        except ImportError as error:
            raise MissingExtraError("encryption", "encryption") from error
        if self._is_raw:
            return HKDF(SHA256(), RAW_BYTES, salt, b"agentmem").derive(self._secret)
        slow = Scrypt(salt, RAW_BYTES, n=_SCRYPT_COST, r=_SCRYPT_BLOCK, p=_SCRYPT_LANES)
        return slow.derive(self._secret)

    def same_as(self, other: SecretKey) -> bool:
        """Whether both hold the same secret."""
        return self._is_raw == other._is_raw and hmac.compare_digest(self._secret, other._secret)

    def __repr__(self) -> str:
        return f"SecretKey({'raw' if self._is_raw else 'passphrase'}, hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not to be pickled")


def secret_key(key: Key) -> SecretKey:
    """A key from a passphrase, `hex:` and 64 digits, 32 bytes, or a function that gives one of these.

    Raises:
        EncryptionKeyError: empty, or not of these forms; the message does not repeat it.
    """
    given = key() if callable(key) else key
    if isinstance(given, str) and given.startswith(_RAW_PREFIX):
        try:
            given = bytes.fromhex(given.removeprefix(_RAW_PREFIX))
        except ValueError:
            raise EncryptionKeyError(
                "a key that begins with 'hex:' goes on with 64 hexadecimal digits"
            ) from None
    if isinstance(given, bytes):
        if len(given) != RAW_BYTES:
            raise EncryptionKeyError(
                f"a raw key has {RAW_BYTES} bytes, not {len(given)}; make one with secrets.token_bytes(32), or "
                "give a passphrase as text"
            )
        return SecretKey(given, is_raw=True)
    if not isinstance(given, str) or not given:
        raise EncryptionKeyError("a key is a passphrase that is not empty, or 32 bytes")
    return SecretKey(given.encode("utf-8", "surrogatepass"), is_raw=False)


def find_key(key: Key | None) -> SecretKey | None:
    """The given key, else the one that the environment names, else None.

    Raises:
        EncryptionKeyError: the environment names a file or keyring entry that holds none.
    """
    found = environment_key() if key is None else key
    return None if found is None else secret_key(found)


def environment_key() -> Key | None:
    """What the environment names as key, not read yet; None where it names none."""
    if text := os.environ.get("AGENTMEM_KEY"):
        return text
    if name := os.environ.get("AGENTMEM_KEY_FILE"):
        return from_file(name)
    if name := os.environ.get("AGENTMEM_KEYRING"):
        service, _, user = name.partition("/")
        return from_keyring(service, user)
    return None


def from_file(path: str | Path) -> Callable[[], str]:
    """The key on the first line of a file, read when it is needed."""

    def read() -> str:
        try:
            with Path(path).expanduser().open(encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise EncryptionKeyError(f"no key can be read from {path}: {error}") from error

    return read


def from_keyring(service: str, user: str) -> Callable[[], str]:
    """The key that the system's keyring holds, asked for when it is needed."""

    def ask() -> str:
        try:
            import keyring
        except ImportError as error:
            raise MissingExtraError("a key from the keyring", "encryption") from error
        found = keyring.get_password(service, user)
        if found is None:
            raise EncryptionKeyError(
                f"the keyring has no entry for {user!r} at {service!r}: keyring set SERVICE USER"
            )
        return str(found)

    return ask
