"""Which embedder is used: the named, else a cached model, else the package, else hashes with a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.embed import choose, choose_embedder
from agentmem.embed.choose import HashEmbedderWarning
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import MissingExtraError


def available(monkeypatch: pytest.MonkeyPatch, *, cached: bool, packaged: bool) -> None:
    """Pretend about what is installed."""
    monkeypatch.setattr(choose, "is_local", lambda name: cached)
    monkeypatch.setattr(choose, "offline_available", lambda: packaged)
    monkeypatch.setattr(choose, "offline_embedder", lambda: HashEmbedder(7))
    monkeypatch.setattr(choose, "SentenceEmbedder", lambda name, **options: HashEmbedder(9))


def test_what_the_user_named_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=True, packaged=True)

    assert choose_embedder("hash-64", recorded="hash-32").name == "hash-64"


def test_an_embedder_of_the_users_own_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=True, packaged=True)
    mine = HashEmbedder(5)

    assert choose_embedder(mine).inner is mine


def test_then_what_the_store_was_built_with(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=True, packaged=True)

    assert choose_embedder(None, recorded="hash-32").name == "hash-32"


def test_then_the_packaged_model(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=False, packaged=True)

    assert choose_embedder().name == "hash-7"


def test_then_a_model_in_the_local_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=True, packaged=False)

    assert choose_embedder().name == "hash-9"


def test_then_hashes_with_one_warning_that_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, cached=False, packaged=False)

    with pytest.warns(HashEmbedderWarning, match=r"pip install 'agentmem\[offline\]'") as warned:
        embedder = choose_embedder()

    assert embedder.name == "hash-512"
    assert len(warned) == 1


def test_hashes_that_were_asked_for_come_without_a_warning() -> None:
    assert choose_embedder("hash").name == "hash-512"


def test_a_named_model_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentmem.embed.sentence.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"agentmem\[embed\]"):
        choose_embedder("BAAI/bge-small-en")


def test_the_offline_model_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentmem.embed.sentence.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"agentmem\[offline\]"):
        choose_embedder("all-MiniLM-L6-v2")


def test_a_store_opens_again_with_the_embedder_it_was_built_with(database: Path) -> None:
    Memory(database, embedder="hash-48").close()

    with Memory(database) as memory:
        assert memory.embedder_name == "hash-48"
