"""Latents come back as they were kept, or not at all; and they go with the words they come from."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.encryption import decrypt, encrypt, rekey
from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    MissingExtraError,
    RecordNotFoundError,
)
from agentmem.faults import handled
from agentmem.latents import LatentStore

ME = ("default",)
KEYS = {"k": np.arange(6, dtype=np.float32).reshape(2, 3)}
OTHERS = {"k": np.ones((4, 4), dtype=np.float16)}
KIND = {"fingerprint": "model-a", "layout": "pages-1"}


@pytest.fixture
def at_a_url() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")
    fsspec.filesystem("memory").store.clear()
    yield "memory://latents"
    fsspec.filesystem("memory").store.clear()


# where the words are, and where the latents
PLACES: dict[str, Callable[[pytest.FixtureRequest], tuple[object, str | None]]] = {
    "beside": lambda request: (request.getfixturevalue("database"), None),
    "at a URL": lambda request: (
        request.getfixturevalue("database"),
        request.getfixturevalue("at_a_url"),
    ),
    "postgresql": lambda request: (
        request.getfixturevalue("postgres_url"),
        str(request.getfixturevalue("tmp_path") / "latents"),
    ),
}


@pytest.fixture(params=PLACES.values(), ids=PLACES.keys())
def places(request: pytest.FixtureRequest) -> tuple[str | Path, str | None]:
    found: tuple[str | Path, str | None] = request.param(request)
    return found


@pytest.fixture
def held(places: tuple[str | Path, str | None]) -> Iterator[Memory]:
    with Memory(places[0], embedder="hash-16") as opened:
        opened.remember([{"id": "e1", "content": "the cat"}, {"id": "e2", "content": "the dog"}])
        yield opened


@pytest.fixture
def latents(held: Memory, places: tuple[str | Path, str | None]) -> LatentStore:
    return held.latents(places[1])


def only_file(database: Path) -> Path:
    (path,) = database.with_name("agent.db.latents").rglob("*.safetensors")
    return path


def test_a_latent_comes_back_as_it_was_kept(latents: LatentStore) -> None:
    kept = latents.put(ME, "ep1", KEYS, **KIND, meta={"tokens": "7"}, sources=["e1"])

    found = latents.get(ME, "ep1", fingerprint="model-a")

    assert found.ref == kept
    assert (found.ref.owner_id, found.ref.layout) == ("ep1", "pages-1")
    assert found.tensors["k"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (found.dtypes, found.meta) == ({"k": "F32"}, {"tokens": "7"})


def test_a_local_latent_is_a_view_of_the_file_that_cannot_be_written(memory: Memory) -> None:
    latents = memory.latents()
    latents.put(ME, "ep1", KEYS, **KIND)

    array = latents.get(ME, "ep1", fingerprint="model-a").tensors["k"]

    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 9


def test_bfloat16_survives(latents: LatentStore) -> None:
    bits = np.array([0x3FC0, 0xC000], dtype=np.uint16)

    latents.put(ME, "ep1", {"k": bits}, **KIND, dtypes={"k": "BF16"})

    found = latents.get(ME, "ep1", fingerprint="model-a")
    assert (found.dtypes["k"], found.tensors["k"].tolist()) == ("BF16", [0x3FC0, 0xC000])


def test_the_same_numbers_are_kept_once(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)
    latents.put(ME, "ep2", KEYS, **KIND)

    assert (latents.stats().latents, latents.stats().files) == (2, 1)


def test_new_numbers_take_the_place_of_the_old(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)

    latents.put(ME, "ep1", OTHERS, **KIND)

    assert latents.get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (4, 4)
    assert (latents.stats().latents, latents.stats().files) == (1, 1)


def test_another_fingerprint_or_layout_is_an_error(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)

    with pytest.raises(FingerprintMismatchError, match=r"made for model-a \(pages-1\), not for model-b"):
        latents.get(ME, "ep1", fingerprint="model-b")
    with pytest.raises(FingerprintMismatchError, match="pages-2"):
        latents.get(ME, "ep1", fingerprint="model-a", layout="pages-2")


def test_an_owner_may_have_latents_of_several_models(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)
    latents.put(ME, "ep1", OTHERS, fingerprint="model-b", layout="pages-1")

    assert latents.get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)
    assert [ref.fingerprint for ref in latents.find(ME, "ep1")] == ["model-a", "model-b"]


def test_an_owner_without_any_is_not_found(latents: LatentStore) -> None:
    with pytest.raises(RecordNotFoundError):
        latents.get(ME, "nobody", fingerprint="model-a")


def test_nothing_crosses_a_namespace(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)

    with pytest.raises(RecordNotFoundError):
        latents.get(("default", "child"), "ep1", fingerprint="model-a")
    with pytest.raises(InvalidInputError, match="no event 'e1'"):
        latents.put(("other",), "ep1", KEYS, **KIND, sources=["e1"])
    assert latents.delete(("other",), "ep1") == 0
    assert latents.find(ME) != []


@settings(max_examples=10)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    database = tmp_path_factory.mktemp("latents") / "agent.db"
    with Memory(database, embedder="hash-16") as memory:
        latents = memory.latents()
        latents.put(ME, "ep1", KEYS, **KIND)
        data = bytearray(only_file(database).read_bytes())
        data[int(place * len(data))] ^= 1 << bit
        only_file(database).write_bytes(bytes(data))

        with pytest.raises(CorruptLatentError, match="checksum"):
            latents.get(ME, "ep1", fingerprint="model-a")
        assert [ref.owner_id for ref, _ in latents.verify()] == ["ep1"]


def test_a_missing_file_is_an_error_that_says_so(memory: Memory, database: Path) -> None:
    latents = memory.latents()
    latents.put(ME, "ep1", KEYS, **KIND)
    only_file(database).unlink()

    with pytest.raises(CorruptLatentError, match="is missing; no words are lost"):
        latents.get(ME, "ep1", fingerprint="model-a")


def test_a_damaged_latent_is_sound_again_once_it_is_put_again(memory: Memory, database: Path) -> None:
    latents = memory.latents()
    latents.put(ME, "ep1", KEYS, **KIND)
    only_file(database).write_bytes(b"torn")

    latents.put(ME, "ep1", KEYS, **KIND)

    assert latents.get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)
    assert list(latents.verify()) == []


def test_a_sound_store_verifies(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)

    assert list(latents.verify()) == []


def test_what_comes_from_a_forgotten_event_goes_with_it(held: Memory, latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND, sources=["e1", "e2"])
    latents.put(ME, "e1", OTHERS, **KIND)
    latents.put(ME, "ep2", {"k": np.zeros(3)}, **KIND, sources=["e2"])

    held.forget(ids=["e1"])

    assert [ref.owner_id for ref in latents.find(ME)] == ["ep2"]
    assert latents.stats().files == 1


def test_forgetting_everything_takes_all_latents_of_the_namespace_and_no_others(
    held: Memory, latents: LatentStore
) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)
    latents.put(("other",), "ep1", OTHERS, **KIND)

    held.forget(everything=True)

    assert latents.find(ME) == []
    assert len(latents.find(("other",))) == latents.stats().files == 1


def test_a_dry_run_removes_nothing(held: Memory, latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND, sources=["e1"])

    held.forget(everything=True, dry_run=True)

    assert latents.stats().files == 1


def test_a_file_shared_with_another_owner_stays_when_one_is_deleted(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)
    latents.put(ME, "ep2", KEYS, **KIND)

    assert latents.delete(ME, "ep1") == 1

    assert latents.get(ME, "ep2", fingerprint="model-a").tensors["k"].shape == (2, 3)


def test_a_sweep_removes_what_nothing_refers_to_once_it_is_old(latents: LatentStore) -> None:
    latents.put(ME, "ep1", KEYS, **KIND)
    with pytest.raises(InvalidInputError):
        latents.put(ME, "ep2", OTHERS, **KIND, sources=["unknown"])

    young = latents.sweep(grace_s=3600)
    old = latents.sweep(grace_s=0)

    assert (young.removed, young.left) == (0, 1)
    assert (old.removed, old.left) == (1, 0)
    assert latents.get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)


def test_a_removal_that_was_interrupted_is_finished_by_the_next_sweep(
    held: Memory, latents: LatentStore
) -> None:
    latents.put(ME, "ep1", KEYS, **KIND, sources=["e1"])

    with handled(stop_at("forget.committed")), pytest.raises(KeyboardInterrupt):
        held.forget(ids=["e1"])
    before = latents.stats().files
    latents.sweep()

    assert (before, latents.stats().files) == (1, 0)


def stop_at(name: str) -> Callable[[str], None]:
    def handler(point: str) -> None:
        if point == name:
            raise KeyboardInterrupt

    return handler


def test_sweeps_and_deletions_beside_writers_lose_no_file(latents: LatentStore) -> None:
    """The same few contents are put, deleted and swept by several threads: every row keeps a sound file."""
    faults: list[BaseException] = []
    go = threading.Barrier(5)

    def work(number: int) -> None:
        try:
            go.wait()
            random = np.random.default_rng(number)
            for step in range(12):
                content = {"k": np.full(3, random.integers(3))}
                latents.put(ME, f"ep{number}", content, **KIND)
                latents.get(ME, f"ep{number}", fingerprint="model-a")
                acts[step % 3](number)
        except BaseException as error:
            faults.append(error)

    acts: list[Callable[[int], Any]] = [
        lambda number: latents.delete(ME, f"ep{number}"),
        lambda number: latents.sweep(grace_s=0),
        lambda number: None,
    ]
    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    any(thread.start() for thread in threads)
    any(thread.join() for thread in threads)

    assert faults == []
    assert list(latents.verify()) == []
    latents.sweep(grace_s=0)
    assert latents.stats().orphans == 0


def test_the_place_is_remembered(database: Path, tmp_path: Path) -> None:
    with Memory(database, embedder="hash-16") as memory:
        memory.latents(str(tmp_path / "elsewhere")).put(ME, "ep1", KEYS, **KIND)

    with Memory(database) as memory:
        assert memory.latents().stats().url == str(tmp_path / "elsewhere")
        assert memory.latents().get(ME, "ep1", fingerprint="model-a").dtypes == {"k": "F32"}


def test_postgresql_asks_where_latents_go_and_then_remembers(postgres_url: str, tmp_path: Path) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        with pytest.raises(InvalidInputError, match=r"latents\(place=\.\.\.\), a folder or a URL"):
            memory.latents()
        memory.latents(str(tmp_path / "latents"))

    with Memory(postgres_url) as memory:
        assert memory.latents().stats().url == str(tmp_path / "latents")


def test_a_store_in_memory_keeps_its_latents_there() -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.latents().put(ME, "ep1", KEYS, **KIND)

        assert memory.latents().get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)
        assert memory.latents().stats().url == "memory"


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/agent", "s3fs", "s3"),
        ("gs://bucket/agent", "gcsfs", "gcs"),
        ("abfs://container/agent", "adlfs", "azure"),
    ],
)
def test_a_cloud_whose_package_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, url: str, package: str, extra: str
) -> None:
    pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError, match=rf"at {url[:4]}.*agentmem\[{extra}\]"):
        memory.latents(url)


def test_a_place_of_an_unknown_kind_is_refused_and_not_remembered(memory: Memory) -> None:
    pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")

    with pytest.raises(InvalidInputError, match="no files can be kept at carrier-pigeon://"):
        memory.latents("carrier-pigeon://coop/agent")

    assert memory.latents().stats().url.endswith("agent.db.latents")


def test_latents_move_to_a_place_that_has_their_files(memory: Memory, database: Path, tmp_path: Path) -> None:
    memory.latents().put(ME, "ep1", KEYS, **KIND)

    with pytest.raises(InvalidInputError, match="1 of 1 files of latents are not at"):
        memory.latents(str(tmp_path / "elsewhere"))
    still = memory.latents().get(ME, "ep1", fingerprint="model-a").dtypes
    shutil.copytree(database.with_name("agent.db.latents"), tmp_path / "elsewhere")
    moved = memory.latents(str(tmp_path / "elsewhere"))

    assert still == {"k": "F32"}
    assert moved.get(ME, "ep1", fingerprint="model-a").dtypes == {"k": "F32"}


def test_a_store_with_latents_passes_the_integrity_check(held: Memory, latents: LatentStore) -> None:
    latents.put(ME, "e1", KEYS, **KIND)

    assert held.check(deep=True) == []


def test_latents_of_an_encrypted_memory_are_sealed_through_every_change_of_key(database: Path) -> None:
    pytest.importorskip("sqlcipher3", reason="the extra 'encryption' is not installed")
    words = np.frombuffer(b"zanzibar", dtype=np.uint8)
    with Memory(database, embedder="hash-16") as memory:
        memory.latents().put(ME, "ep1", {"k": words}, **KIND)

    encrypt(database, key=b"k" * 32)
    first = only_file(database).read_bytes()
    rekey(database, key=b"k" * 32, new_key=b"o" * 32)
    second = only_file(database).read_bytes()
    with Memory(database, key=b"o" * 32) as memory:
        read = memory.latents().get(ME, "ep1", fingerprint="model-a").tensors["k"].tobytes()
    decrypt(database, key=b"o" * 32)

    assert b"zanzibar" not in first + second
    assert first != second
    assert read == b"zanzibar"
    assert b"zanzibar" in only_file(database).read_bytes()


def test_latents_are_read_and_moved_on_after_a_change_of_key_was_interrupted(database: Path) -> None:
    pytest.importorskip("sqlcipher3", reason="the extra 'encryption' is not installed")
    with Memory(database, embedder="hash-16", key=b"k" * 32) as memory:
        memory.latents().put(ME, "ep1", KEYS, **KIND)
    before = only_file(database)

    with handled(stop_at("recode.replaced")), pytest.raises(KeyboardInterrupt):
        rekey(database, key=b"k" * 32, new_key=b"o" * 32)

    with Memory(database, key=b"o" * 32) as memory:
        assert memory.latents().get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)
        memory.latents().sweep()
        assert memory.latents().get(ME, "ep1", fingerprint="model-a").tensors["k"].shape == (2, 3)
    assert only_file(database) != before
