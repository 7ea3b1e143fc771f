"""An export comes back whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.errors import ArchiveError

texts = st.text(min_size=1, max_size=30).filter(
    lambda text: bool(text.strip()) and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)
)
messages = st.lists(
    st.fixed_dictionaries(
        {"content": texts, "at": st.datetimes(), "name": st.none() | texts, "session": texts},
        optional={
            "metadata": st.dictionaries(
                texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=2
            )
        },
    ),
    max_size=6,
)


@pytest.fixture
def archive(memory: Memory, tmp_path: Path) -> Path:
    memory.remember(
        [{"id": "e1", "content": "I adopted a cat.", "at": "2021-01-01"}, {"id": "e2", "content": "Hello."}]
    )
    memory.note("Alice has a cat", id="n1", sources=["e1"], valid_from="2021-01-01")
    memory.remember({"id": "gone", "content": "secret words"})
    memory.forget(ids=["gone"])
    memory.export(tmp_path / "out.zip")
    return tmp_path / "out.zip"


def contents(memory: Memory) -> list[Any]:
    """Everything a namespace holds, but for positions, which a restore may close up."""
    return [
        [
            (
                e.id,
                e.session,
                e.role,
                e.name,
                e.content,
                e.occurred_at,
                e.recorded_at,
                e.content_hash,
                e.metadata,
            )
            for e in memory.events()
        ],
        memory.notes(),
        memory.stats().vectors,
    ]


@given(mine=messages, other=messages)
def test_what_is_exported_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, mine: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("archive") / "out.zip"
    with Memory("sqlite://", namespace=("org",), embedder="hash-16") as memory:
        memory.remember(mine)
        memory.namespace("org", "ключ").remember(other)
        memory.namespace("elsewhere").remember("not in it")
        memory.export(path)

        with Memory.restore(
            path, "sqlite:///" + str(path.with_suffix(".db")), namespace=("org",)
        ) as restored:
            assert contents(restored) == contents(memory)
            assert contents(restored.namespace("org", "ключ")) == contents(memory.namespace("org", "ключ"))
            assert ("elsewhere",) not in restored.namespaces()


def test_a_restored_memory_recalls_knows_and_remembers_what_was_forgotten(
    archive: Path, tmp_path: Path
) -> None:
    with Memory.restore(archive, tmp_path / "new.db") as restored:
        assert restored.recall("cat").items[0].channels["dense"] in (1, 2)
        assert restored.embedder_name == "hash-512"
        assert [entry.action for entry in restored.history("gone")] == ["remembered", "forgotten"]
        assert [entry.action for entry in restored.history("n1")] == ["noted"]


def test_an_export_holds_nothing_of_what_was_forgotten(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        held = b"".join(file.read(name) for name in file.namelist())

    assert b"secret" not in held


def test_restoring_twice_changes_nothing(archive: Path, tmp_path: Path) -> None:
    Memory.restore(archive, tmp_path / "new.db").close()

    with Memory.restore(archive, tmp_path / "new.db") as restored:
        before = contents(restored)
        report = restored.import_(archive)

        assert (report.events, report.memories) == (0, 0)
        assert contents(restored) == before
        assert len(restored.history("n1")) == 1


def test_an_import_leaves_what_is_already_here(archive: Path, tmp_path: Path) -> None:
    with Memory(tmp_path / "new.db", embedder="hash") as memory:
        memory.remember({"id": "mine", "content": "the dog"})

        memory.import_(archive)

        assert [event.id for event in memory.events()] == ["mine", "e1", "e2"]
        assert memory.stats().vectors == 4


def test_an_import_from_another_embedder_gets_vectors_of_this_one(archive: Path, tmp_path: Path) -> None:
    with Memory(tmp_path / "new.db", embedder="hash-24") as memory:
        memory.import_(archive)

        found = memory.recall("cat")

        assert memory.stats().vectors == 3
        assert "dense" in found.items[0].channels


def test_an_export_of_a_namespace_holds_no_other(memory: Memory, tmp_path: Path) -> None:
    memory.namespace("a").remember("mine")
    memory.namespace("ab").remember("not mine")
    report = memory.namespace("a").export(tmp_path / "a.zip")

    assert (report.namespaces, report.events) == (1, 1)
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert b"not mine" not in file.read("records.jsonl")


def test_an_export_of_everything_holds_all(memory: Memory, tmp_path: Path) -> None:
    memory.namespace("a").remember("one")
    memory.namespace("b").remember("two")

    report = memory.export(tmp_path / "all.zip", everything=True)

    assert (report.namespaces, report.events) == (2, 2)


def test_an_export_never_overwrites_the_database_itself(memory: Memory, database: Path) -> None:
    memory.remember({"id": "e1", "content": "kept"})

    with pytest.raises(ArchiveError, match="the database itself"):
        memory.export(database)

    assert memory.get("e1")


def test_an_export_that_cannot_be_written_is_a_clear_error_and_leaves_no_half_file(
    memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(ArchiveError, match="could not write"):
        memory.export(tmp_path / "folder")
    with pytest.raises(ArchiveError, match="could not write"):
        memory.export(tmp_path / "agent.db" / "out.zip")

    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def rewrite(archive: Path, change: Callable[[dict[str, Any], list[dict[str, Any]]], None]) -> None:
    """Forge an archive: change its manifest or records, with checksums that agree."""
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    records = [json.loads(line) for line in members["records.jsonl"].splitlines()]
    before = json.dumps(manifest["sha256"])
    change(manifest, records)
    members["records.jsonl"] = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    if json.dumps(manifest.get("sha256")) == before:
        manifest["sha256"]["records.jsonl"] = hashlib.sha256(members["records.jsonl"]).hexdigest()
    with zipfile.ZipFile(archive, "w") as file:
        any(file.writestr(name, data) for name, data in members.items())
        file.writestr("manifest.json", json.dumps(manifest))


FORGERIES: dict[str, Callable[[dict[str, Any], list[dict[str, Any]]], Any]] = {
    "another format": lambda manifest, records: manifest.update(format="agentmem-export-9"),
    "no checksums": lambda manifest, records: manifest.pop("sha256"),
    "half the checksums": lambda manifest, records: manifest["sha256"].pop("vectors/float32.safetensors"),
    "a wrong checksum": lambda manifest, records: manifest["sha256"].update({"records.jsonl": "0" * 64}),
    "no embedder": lambda manifest, records: manifest.pop("embedder"),
    "dims of text": lambda manifest, records: manifest.update(dims="many"),
    "wrong dims": lambda manifest, records: manifest.update(dims=500),
    "an unknown record": lambda manifest, records: records[1].update(type="program"),
    "no type": lambda manifest, records: records[1].pop("type"),
    "a record without content": lambda manifest, records: records[1].pop("content"),
    "a record that is a list": lambda manifest, records: records.append([1]),  # type: ignore[arg-type]
    "a time that is none": lambda manifest, records: records[1].update(occurred_at="soon"),
    "a namespace that is none": lambda manifest, records: records[0].update(path="alice"),
    "an empty namespace": lambda manifest, records: records[0].update(path=[]),
    "more vectors than there are": lambda manifest, records: records[2].update(vectors=["float32"] * 50),
    "a note with a strange field": lambda manifest, records: records[3].update(strange=1),
    "a note on an event that is not there": lambda manifest, records: records[3].update(
        source_ids=["nowhere"]
    ),
    "content that is a number": lambda manifest, records: records[1].update(content=5),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_or_broken_export_is_refused_and_nothing_of_it_taken(
    archive: Path, tmp_path: Path, forgery: Callable[[dict[str, Any], list[dict[str, Any]]], Any]
) -> None:
    rewrite(archive, forgery)

    with Memory(tmp_path / "new.db", embedder="hash") as memory:
        with pytest.raises((ArchiveError, ValueError)) as caught:
            memory.import_(archive)

        assert type(caught.value).__module__ == "agentmem.errors"
        assert memory.namespaces() == []


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6, 0.95])
def test_a_flipped_bit_is_noticed_and_nothing_is_taken(archive: Path, tmp_path: Path, at: float) -> None:
    data = bytearray(archive.read_bytes())
    data[int(len(data) * at)] ^= 0x10
    archive.write_bytes(data)

    with Memory(tmp_path / "new.db", embedder="hash") as memory:
        try:
            memory.import_(archive)
            assert memory.stats().events == 2
        except ArchiveError:
            assert memory.namespaces() == []


@pytest.mark.parametrize("data", [b"", b"PK", b"Dear diary", bytes(1000)], ids=ascii)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, memory: Memory, data: bytes) -> None:
    (tmp_path / "out.zip").write_bytes(data)

    with pytest.raises(ArchiveError, match="not an agentmem export"):
        memory.import_(tmp_path / "out.zip")


@pytest.mark.parametrize("data", [None, b"", b"no export"], ids=ascii)
def test_a_restore_that_cannot_begin_makes_no_store(tmp_path: Path, data: bytes | None) -> None:
    source = tmp_path / "export.zip"
    if data is not None:
        source.write_bytes(data)

    with pytest.raises(ArchiveError):
        Memory.restore(source, tmp_path / "new.db", embedder="hash")

    assert not (tmp_path / "new.db").exists()


def test_a_missing_export_is_a_clear_error(tmp_path: Path, memory: Memory) -> None:
    with pytest.raises(ArchiveError, match=r"nowhere\.zip"):
        memory.import_(tmp_path / "nowhere.zip")


def test_an_export_cut_short_is_refused(archive: Path, memory: Memory) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])

    with pytest.raises(ArchiveError):
        memory.import_(archive)
