"""An encrypted memory works like any other, and its files say nothing."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.encryption import decrypt, encrypt, rekey
from agentmem.errors import EncryptionKeyError, InvalidInputError, NotADatabaseError, StoreBusyError

pytest.importorskip("sqlcipher3", reason="the extra 'encryption' is not installed")
faiss_index = import_module("agentmem.stores.faiss_index")

KEY = b"k" * 32
OTHER = b"o" * 32
WORDS = "Miso the zanzibar cat"

KILLED_AT = """
import os, signal, sys
from importlib import import_module
from agentmem import encryption
act, database, step = sys.argv[1:]
recode = import_module("agentmem.stores.recode")
owner, _, name = step.rpartition(".")
place = getattr(recode, owner) if owner else recode
setattr(place, name, lambda *values, **options: os.kill(os.getpid(), signal.SIGKILL))
keys = {"rekey": {"key": b"k" * 32, "new_key": b"o" * 32}}.get(act, {"key": b"k" * 32})
getattr(encryption, act)(database, **keys)
"""
WAIT_AND_WRITE = """
import sys
from agentmem import Memory
with Memory(sys.argv[1], embedder="hash-16", key=b"k" * 32) as memory:
    print("open", flush=True)
    sys.stdin.readline()
    memory.remember({"id": "late", "content": "written while another would rekey"})
"""


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTMEM_KEY", "AGENTMEM_KEY_FILE", "AGENTMEM_KEYRING"):
        monkeypatch.delenv(name, raising=False)


def fill(database: Path, key: bytes | None) -> None:
    with Memory(database, embedder="hash-16", key=key) as memory:
        memory.remember([{"id": "e1", "content": WORDS}, {"id": "gone", "content": "zanzibar secret"}])
        memory.note("likes zanzibar", id="n1", sources=["e1"])
        memory.forget(ids=["gone"])


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_file_of_an_encrypted_memory_holds_plain_text(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_index, "PERSIST_FROM", 1)
    with Memory(database, embedder="hash-16", namespace=("zanzibar-tenant",), key=KEY) as memory:
        memory.remember({"id": "e1", "content": WORDS})
        memory.note("likes zanzibar", subject="Zanzibarian")
        memory.recall("zanzibar")
        while_open = on_disk(database.parent)

    closed = on_disk(database.parent)

    assert list(database.parent.glob("agent.db.index/*.faiss")) != []
    for held in (while_open, closed):
        assert b"zanzibar" not in held.lower()
        assert b"SQLite format" not in held
        assert b"CREATE TABLE" not in held
        assert b"agentmem-index" not in held


def test_everything_works_under_a_key(database: Path) -> None:
    fill(database, KEY)

    with Memory(database, key=KEY) as memory:
        found = memory.recall("zanzibar", explain=True).items[0]

        assert found.id == "e1"
        assert {"dense", "lexical"} <= set(found.channels)
        assert [entry.action for entry in memory.history("gone")] == ["remembered", "forgotten"]


def test_a_kept_vector_index_is_sealed_and_read_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(faiss_index, "PERSIST_FROM", 1)
    fill(database, KEY)

    with Memory(database, key=KEY) as memory:
        found = memory.recall("zanzibar").items[0].channels

    assert "dense" in found
    assert "rebuilding" not in caplog.text


def test_a_passphrase_opens_what_it_made(database: Path) -> None:
    Memory(database, embedder="hash-16", key="correct horse").close()

    with pytest.raises(EncryptionKeyError, match="does not open"):
        Memory(database, key="wrong horse")
    with Memory(database, key="correct horse") as memory:
        assert memory.events() == []


def test_a_wrong_or_missing_key_changes_nothing(database: Path) -> None:
    fill(database, KEY)
    before = database.read_bytes()

    with pytest.raises(EncryptionKeyError, match="does not open"):
        Memory(database, key=OTHER)
    with pytest.raises(EncryptionKeyError, match="give its key"):
        Memory(database)

    assert database.read_bytes() == before


def test_a_key_for_a_plain_memory_is_an_error_that_says_how_to_encrypt(database: Path) -> None:
    fill(database, None)
    before = database.read_bytes()

    with pytest.raises(EncryptionKeyError, match="agentmem encrypt"):
        Memory(database, key=KEY)

    assert database.read_bytes() == before


def test_a_file_that_is_not_ours_is_not_called_encrypted(database: Path) -> None:
    database.write_bytes(b"just some text " * 1000)

    with pytest.raises(NotADatabaseError):
        Memory(database)


def test_the_key_is_taken_from_the_environment(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_KEY", "hex:" + KEY.hex())
    Memory(database, embedder="hash-16").close()

    with Memory(database, key=KEY) as memory:
        assert memory.stats().events == 0
    assert database.read_bytes()[:6] != b"SQLite"


def test_memory_that_is_never_written_down_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_KEY", "hex:" + KEY.hex())

    with Memory("sqlite://", embedder="hash-16") as memory:
        assert memory.url == "sqlite://"


def test_the_key_shows_in_no_address_name_or_export(database: Path, tmp_path: Path) -> None:
    fill(database, KEY)

    with Memory(database, key=KEY) as memory:
        memory.export(tmp_path / "out.zip")
        shown = f"{memory!r} {memory.url} {memory.stats()}"

    exported = (tmp_path / "out.zip").read_bytes()
    for secret in (KEY, KEY.hex().encode()):
        assert secret.decode() not in shown
        assert secret not in exported


def test_encrypting_and_decrypting_keeps_everything(database: Path) -> None:
    fill(database, None)
    with Memory(database) as memory:
        before = [memory.events(), memory.notes(), memory.history("gone"), memory.recall("zanzibar").items]

    encrypt(database, key=KEY)
    sealed = on_disk(database.parent)
    decrypt(database, key=KEY)

    assert b"zanzibar" not in sealed.lower()
    assert sorted(path.name for path in database.parent.iterdir()) == ["agent.db"]
    with Memory(database) as memory:
        after = [memory.events(), memory.notes(), memory.history("gone"), memory.recall("zanzibar").items]
        assert after == before
        memory.remember("and it goes on")


def test_no_key_is_ever_used_again_after_encrypting(database: Path) -> None:
    with Memory(database, embedder="hash-16") as memory:
        memory.remember({"id": "a", "content": "one"})
        memory.remember({"id": "b", "content": "two"})
        memory.forget(ids=["b"])

    encrypt(database, key=KEY)
    decrypt(database, key=KEY)

    with Memory(database) as memory:
        memory.remember({"id": "c", "content": "three"})
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT pk FROM events ORDER BY pk").fetchall() == [(1,), (3,)]
    connection.close()


def test_after_a_change_of_key_only_the_new_one_opens(database: Path) -> None:
    fill(database, KEY)

    rekey(database, key=KEY, new_key=OTHER)

    with pytest.raises(EncryptionKeyError):
        Memory(database, key=KEY)
    with Memory(database, key=OTHER) as memory:
        assert memory.recall("zanzibar").items[0].id == "e1"


def test_the_same_key_again_is_refused(database: Path) -> None:
    fill(database, KEY)

    with pytest.raises(EncryptionKeyError, match="is the old one"):
        rekey(database, key=KEY, new_key=KEY)


def test_a_memory_that_is_open_is_not_recoded(database: Path) -> None:
    fill(database, None)

    with Memory(database) as memory:
        with pytest.raises(StoreBusyError, match="close it there"):
            encrypt(database, key=KEY)
        memory.remember("still plain")

    with Memory(database) as memory:
        assert memory.stats().events == 2


def test_a_memory_open_in_another_process_is_not_recoded(
    database: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    fill(database, KEY)
    other = start_python(WAIT_AND_WRITE, database, stdin=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()

    with pytest.raises(StoreBusyError):
        rekey(database, key=KEY, new_key=OTHER)
    _, err = other.communicate("go\n", timeout=60)

    assert err == ""
    with Memory(database, key=KEY) as memory:
        assert memory.get("late")


def test_only_a_file_can_be_encrypted() -> None:
    with pytest.raises(InvalidInputError, match="only a memory in a file"):
        encrypt("sqlite://", key=KEY)


def test_without_any_key_encrypting_says_where_to_put_one(database: Path) -> None:
    fill(database, None)

    with pytest.raises(EncryptionKeyError, match="AGENTMEM_KEY"):
        encrypt(database)


@pytest.mark.parametrize(
    "step",
    ["_check_room", "_export", "_prepare", "_check", "_sync_folder", "scrub.overwrite", "scrub.remove"],
)
def test_killed_at_any_step_of_changing_the_key_one_of_the_two_opens_everything(
    database: Path, start_python: Callable[..., subprocess.Popen[str]], step: str
) -> None:
    fill(database, KEY)

    process = start_python(KILLED_AT, "rekey", database, step)
    process.communicate(timeout=60)

    assert process.returncode == -signal.SIGKILL
    assert events_under(database, KEY) + events_under(database, OTHER) == 1
    assert b"zanzibar" not in on_disk(database.parent).lower()


@pytest.mark.parametrize("step", ["_prepare", "_check"])
def test_the_plain_copy_of_a_killed_decryption_is_gone_once_the_memory_is_opened(
    database: Path, start_python: Callable[..., subprocess.Popen[str]], step: str
) -> None:
    fill(database, KEY)
    start_python(KILLED_AT, "decrypt", database, step).communicate(timeout=60)
    assert b"zanzibar" in on_disk(database.parent).lower()

    Memory(database, key=KEY).close()

    assert b"zanzibar" not in on_disk(database.parent).lower()


@pytest.mark.parametrize("step", ["_export", "_prepare", "_check"])
def test_a_killed_encryption_is_made_good_by_the_next(
    database: Path, start_python: Callable[..., subprocess.Popen[str]], step: str
) -> None:
    fill(database, None)
    start_python(KILLED_AT, "encrypt", database, step).communicate(timeout=60)

    encrypt(database, key=KEY)

    assert events_under(database, KEY) == 1
    assert b"zanzibar" not in on_disk(database.parent).lower()


def events_under(database: Path, key: bytes) -> int:
    try:
        with Memory(database, key=key) as memory:
            return memory.stats().events
    except EncryptionKeyError:
        return 0
