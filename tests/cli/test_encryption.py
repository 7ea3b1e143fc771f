"""Encrypting by the command line: keys from files and variables, never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Command

from agentmem import Memory

pytest.importorskip("sqlcipher3", reason="the extra 'encryption' is not installed")
KEY = "hex:" + "ab" * 32
OTHER = "hex:" + "cd" * 32


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTMEM_KEY", "AGENTMEM_KEY_FILE", "AGENTMEM_KEYRING", "AGENTMEM_NEW_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_memory_is_encrypted_used_rekeyed_and_made_plain_again(
    cli: Command, write: Callable[..., Path], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("remember", "Miso the cat")
    old, new = write(KEY + "\n", "old.key"), write(OTHER + "\n", "new.key")

    encrypted = cli("encrypt", "--key-file", old, "--json")
    monkeypatch.setenv("AGENTMEM_KEY_FILE", str(old))
    recalled = cli("recall", "cat", "--json")
    rekeyed = cli("rekey", "--new-key-file", new)
    refused = cli("recall", "cat")
    monkeypatch.setenv("AGENTMEM_KEY_FILE", str(new))
    decrypted = cli("decrypt")

    assert encrypted.json == {"url": f"sqlite:///{database}", "did": "encrypted"}
    assert recalled.json["items"][0]["text"] == "Miso the cat"
    assert (rekeyed.code, rekeyed.out) == (0, f"rekeyed: sqlite:///{database}\n")
    assert (refused.code, refused.err[:34]) == (2, "error: the key does not open /tmp/"[:34])
    assert decrypted.out == f"decrypted: sqlite:///{database}\n"
    monkeypatch.delenv("AGENTMEM_KEY_FILE")
    with Memory(database) as memory:
        assert memory.stats().events == 1


def test_an_encrypted_memory_without_a_key_says_where_to_put_it(cli: Command, database: Path) -> None:
    database.unlink()
    Memory(database, embedder="hash", key=KEY).close()

    result = cli("stats", "--json")

    assert result.code == 2
    assert result.json["error"]["type"] == "EncryptionKeyError"
    assert "AGENTMEM_KEY" in result.err


def test_without_a_key_and_without_a_terminal_encrypting_is_an_error(cli: Command) -> None:
    result = cli("encrypt")

    assert (result.code, result.err) == (2, "error: no new key: set AGENTMEM_KEY, or give a file\n")


def test_no_message_repeats_a_key(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_KEY", "hex:hunter2")

    result = cli("encrypt")

    assert result.code == 2
    assert "hunter2" not in result.out + result.err
