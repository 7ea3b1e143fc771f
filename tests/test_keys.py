"""Where keys come from, and that none is ever shown."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentmem.errors import EncryptionKeyError
from agentmem.keys import environment_key, find_key, from_file, from_keyring, secret_key

pytest.importorskip("cryptography", reason="the extra 'encryption' is not installed")
SALT = b"0123456789abcdef"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTMEM_KEY", "AGENTMEM_KEY_FILE", "AGENTMEM_KEYRING"):
        monkeypatch.delenv(name, raising=False)


def test_a_passphrase_gives_what_scrypt_gives() -> None:
    # made with hashlib.scrypt(..., n=2**17, r=8, p=1), another implementation
    derived = secret_key("correct horse").derive(SALT)

    assert derived.hex() == "aa6b264e05219145de9ee3be635c6926423619248d53fbe162940b97c1766983"


def test_raw_bytes_and_their_hexadecimal_form_are_the_same_key() -> None:
    raw, text = secret_key(bytes(range(32))), secret_key("hex:" + bytes(range(32)).hex())

    assert raw.same_as(text)
    assert raw.derive(SALT) == text.derive(SALT) != bytes(range(32))


def test_another_salt_gives_another_key() -> None:
    key = secret_key(b"k" * 32)

    assert key.derive(SALT) != key.derive(SALT[::-1])


def test_a_key_is_shown_nowhere() -> None:
    key = secret_key("hunter2")

    assert (repr(key), str(key)) == ("SecretKey(passphrase, hidden)",) * 2
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps(key)


@pytest.mark.parametrize("given", ["", b"", b"short", "hex:xyz", "hex:abcd", 7, lambda: ""])
def test_what_is_no_key_is_refused_without_repeating_it(given: object) -> None:
    with pytest.raises(EncryptionKeyError) as raised:
        secret_key(given)  # type: ignore[arg-type]

    assert "xyz" not in str(raised.value)
    assert "short" not in str(raised.value)


def test_a_function_is_asked_for_the_key() -> None:
    assert secret_key(lambda: b"k" * 32).same_as(secret_key(b"k" * 32))


def test_nothing_given_and_nothing_in_the_environment_is_no_key() -> None:
    assert find_key(None) is None
    assert environment_key() is None


def test_what_the_caller_gives_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_KEY", "theirs")

    found = find_key("mine")

    assert found is not None
    assert found.same_as(secret_key("mine"))


def test_a_key_is_read_from_the_first_line_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from a file\nnot this\n")
    monkeypatch.setenv("AGENTMEM_KEY_FILE", str(tmp_path / "secret"))

    found = find_key(None)

    assert found is not None
    assert found.same_as(secret_key("from a file"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncryptionKeyError, match=r"no key can be read from .*absent"):
        secret_key(from_file(tmp_path / "absent"))


@pytest.fixture
def drawer() -> Iterator[None]:
    """A keyring in memory in place of the system's, with one entry of alice's."""
    keyring = pytest.importorskip("keyring", reason="the extra 'encryption' is not installed")
    backend = pytest.importorskip("keyring.backend")

    class Drawer(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1

        def __init__(self) -> None:
            super().__init__()
            self.entries: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.entries[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(Drawer())
    keyring.set_password("agentmem", "alice", "from the drawer")
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("drawer")
def test_a_key_is_taken_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_KEYRING", "agentmem/alice")

    found = find_key(None)

    assert found is not None
    assert found.same_as(secret_key("from the drawer"))


@pytest.mark.usefixtures("drawer")
def test_an_entry_that_the_keyring_lacks_is_named() -> None:
    with pytest.raises(EncryptionKeyError, match="no entry for 'bob'"):
        secret_key(from_keyring("agentmem", "bob"))
