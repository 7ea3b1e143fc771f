"""`Memory` as its users see it: notes, history, stats, views, closing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentmem import AgentMemError, Memory
from agentmem.clock import ManualClock
from agentmem.errors import ClosedError, DuplicateIdError, InvalidInputError, RecordNotFoundError


def test_a_receipt_names_what_was_stored(memory_on_each: Memory) -> None:
    receipt = memory_on_each.remember([{"id": "e1", "content": "one"}, {"content": "two"}], session="s1")

    assert (receipt.added, receipt.duplicates, receipt.echoes, receipt.pending_vectors) == (2, 0, 0, 0)
    assert receipt.session == "s1"
    assert [memory_on_each.get(id_).content for id_ in receipt.event_ids] == ["one", "two"]  # type: ignore[union-attr]


def test_a_note_keeps_what_was_said_about_it(memory_on_each: Memory) -> None:
    memory_on_each.remember({"id": "e1", "content": "I do not eat meat."})

    note_id = memory_on_each.note(
        "Alice is vegetarian",
        kind="preference",
        subject="Alice",
        predicate="diet",
        object="vegetarian",
        valid_from="2020-01-01",
        valid_to="2024-01-01",
        sources=["e1", "e1"],
        confidence=0.9,
    )

    (note,) = memory_on_each.notes()
    assert memory_on_each.get(note_id) == note
    assert (note.kind, note.text, note.subject, note.predicate, note.object) == (
        "preference",
        "Alice is vegetarian",
        "Alice",
        "diet",
        "vegetarian",
    )
    assert (note.valid_from, note.valid_to) == (
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert (note.source_ids, note.confidence, note.superseded_at) == (("e1",), 0.9, None)


def test_a_recalled_note_points_to_the_events_it_rests_on(memory_on_each: Memory) -> None:
    memory_on_each.remember({"id": "e1", "content": "No meat for me, thanks."})
    memory_on_each.note("Alice is vegetarian", id="n1", sources=["e1"])

    item = memory_on_each.recall("vegetarian").items[0]

    assert (item.id, item.tier, item.kind, item.source_ids) == ("n1", "semantic", "fact", ("e1",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "  "},
        {"text": "broken \ud83d"},
        {"kind": "rumour"},
        {"sources": ["nowhere"]},
        {"sources": "e1"},
        {"valid_from": "2024-01-01", "valid_to": "2023-01-01"},
        {"valid_to": "2020-01-01"},
        {"valid_from": "someday"},
        {"confidence": 1.1},
        {"confidence": float("nan")},
        {"subject": 5},
        {"subject": "\ud800"},
        {"object": "a\0b"},
        {"id": 5},
        {"id": " "},
    ],
    ids=ascii,
)
def test_a_note_that_makes_no_sense_is_refused_and_not_stored(memory: Memory, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        memory.note(**{"text": "Alice is vegetarian", **wrong})

    assert memory.notes() == []


def test_a_notes_id_cannot_be_given_twice(memory_on_each: Memory) -> None:
    memory_on_each.note("Alice is vegetarian", id="n1")

    with pytest.raises(DuplicateIdError, match="'n1'"):
        memory_on_each.note("Alice eats fish", id="n1")


def test_an_unknown_id_is_a_lookup_error_that_names_history(memory_on_each: Memory) -> None:
    with pytest.raises(RecordNotFoundError, match=r"see history\('nothing'\)") as caught:
        memory_on_each.get("nothing")

    assert isinstance(caught.value, LookupError)


def test_the_history_of_an_event_begins_with_its_remembering(memory_on_each: Memory) -> None:
    memory_on_each.remember({"id": "e1", "content": "one"}, session="s1")

    (entry,) = memory_on_each.history("e1")

    assert (entry.id, entry.action, entry.at, entry.detail) == (
        "e1",
        "remembered",
        datetime(2023, 5, 8, 12, tzinfo=UTC),
        {"session": "s1"},
    )


def test_the_history_of_a_forgotten_record_stays_without_its_words(
    memory_on_each: Memory, clock: ManualClock
) -> None:
    memory_on_each.note("The secret is swordfish", id="n1")
    clock.advance(timedelta(hours=1))
    memory_on_each.forget(ids=["n1"])

    noted, forgotten = memory_on_each.history("n1")

    assert (noted.action, forgotten.action) == ("noted", "forgotten")
    assert forgotten.at == datetime(2023, 5, 8, 13, tzinfo=UTC)
    assert "swordfish" not in repr((noted, forgotten))


def test_an_id_never_seen_has_no_history(memory_on_each: Memory) -> None:
    with pytest.raises(RecordNotFoundError):
        memory_on_each.history("nothing")


def test_stats_count_what_is_there(memory: Memory, database: Path) -> None:
    memory.remember(
        [{"content": "one two three", "at": "2020-01-01"}, {"content": "four", "at": "2021-01-01"}],
        session="s1",
    )
    memory.remember({"content": "five", "at": "2019-01-01"}, session="s2")
    memory.note("a note")

    stats = memory.stats()

    assert (stats.events, stats.sessions, stats.memories, stats.passages, stats.vectors) == (3, 2, 1, 4, 4)
    assert (stats.first_at, stats.last_at) == (
        datetime(2019, 1, 1, tzinfo=UTC),
        datetime(2021, 1, 1, tzinfo=UTC),
    )
    assert (stats.tokens, stats.embedder, stats.dims) == (5, "hash-512", 512)
    assert stats.store_bytes > 10_000
    assert stats.url == f"sqlite:///{database}"


def test_an_empty_namespace_has_empty_stats(memory_on_each: Memory) -> None:
    stats = memory_on_each.namespace("nobody").stats()

    assert (stats.events, stats.passages, stats.vectors, stats.first_at) == (0, 0, 0, None)


def test_looking_into_a_namespace_does_not_make_it(memory: Memory) -> None:
    view = memory.namespace("nobody")
    view.recall("anything")
    view.events()
    view.forget(everything=True)

    assert memory.namespaces() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda memory: memory.remember("x"),
        lambda memory: memory.note("x"),
        lambda memory: memory.recall("x"),
        lambda memory: memory.forget(everything=True),
        lambda memory: memory.get("x"),
        lambda memory: memory.events(),
        lambda memory: memory.notes(),
        lambda memory: memory.history("x"),
        lambda memory: memory.stats(),
        lambda memory: memory.export("x"),
        lambda memory: memory.import_("x"),
        lambda memory: memory.reindex(),
        lambda memory: memory.namespace("x"),
        lambda memory: memory.namespaces(),
    ],
    ids=[
        "remember",
        "note",
        "recall",
        "forget",
        "get",
        "events",
        "notes",
        "history",
        "stats",
        "export",
        "import",
        "reindex",
        "view",
        "views",
    ],
)
def test_a_closed_memory_says_so(memory: Memory, call: Any) -> None:
    memory.close()

    with pytest.raises(ClosedError, match="open it again"):
        call(memory)


def test_closing_twice_is_no_error(memory: Memory) -> None:
    memory.close()
    memory.close()


def test_closing_a_view_leaves_the_memory_open(memory: Memory) -> None:
    with memory.namespace("alice") as alice:
        alice.remember("hello")

    assert memory.namespace("alice").stats().events == 1


def test_a_view_of_a_closed_memory_is_closed(memory: Memory) -> None:
    view = memory.namespace("alice")
    memory.close()

    with pytest.raises(ClosedError):
        view.recall("x")


def test_closing_folds_the_log_into_the_one_file(memory: Memory, database: Path) -> None:
    memory.remember("hello")

    memory.close()

    assert [path.name for path in database.parent.iterdir()] == ["agent.db"]


def test_a_page_beyond_all_events_is_empty(memory_on_each: Memory) -> None:
    memory_on_each.remember(["one", "two"])

    assert memory_on_each.events(after_seq=10**30) == []
    assert len(memory_on_each.events(after_seq=-(10**30), limit=10**30)) == 2


@pytest.mark.parametrize(
    "wrong", [{"after_seq": "1"}, {"after_seq": 1.5}, {"limit": 0}, {"limit": -1}], ids=ascii
)
def test_a_page_that_makes_no_sense_is_refused(memory: Memory, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="whole number"):
        memory.events(**wrong)


@pytest.mark.parametrize("url", ["~/x.db", Path("~/x.db"), "sqlite:///~/x.db"], ids=str)
def test_a_tilde_is_the_users_home(url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    with Memory(url, embedder="hash") as memory:
        memory.remember("hello")

    assert (tmp_path / "x.db").is_file()
    assert not (tmp_path / "~").exists()


def test_a_memory_shows_where_it_is_and_whose(memory: Memory, database: Path) -> None:
    assert (
        repr(memory.namespace("org", "alice"))
        == f"Memory('sqlite:///{database}', namespace=('org', 'alice'))"
    )


@pytest.mark.parametrize("url", ["", "   ", 5, "mysql://x", "a\0b", b"x.db"], ids=ascii)
def test_a_place_that_is_none_is_refused(url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AgentMemError):
        Memory(url, embedder="hash")


def test_the_error_for_an_unknown_store_shows_no_password() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Memory("mysql://alice:swordfish@host/db", embedder="hash")

    assert "swordfish" not in str(caught.value)


def test_the_default_place_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTMEM_URL", f"sqlite:///{tmp_path / 'named.db'}")

    with Memory(embedder="hash") as memory:
        memory.remember("hello")

    assert (tmp_path / "named.db").is_file()


@pytest.mark.parametrize("tokenizer", ["gpt2", 5, [], {}], ids=repr)
def test_a_tokenizer_that_is_none_is_refused(tokenizer: Any) -> None:
    with pytest.raises(InvalidInputError, match="not a tokenizer"):
        Memory("sqlite://", embedder="hash", tokenizer=tokenizer)


class Encoder:
    """Like tiktoken: refuses special tokens in `encode`, counts them as text in `encode_ordinary`."""

    name = "toy"

    def encode(self, text: str) -> list[int]:
        raise ValueError("disallowed special token")

    def encode_ordinary(self, text: str) -> list[int]:
        return [ord(char) for char in text]


def test_text_that_spells_a_special_token_can_be_counted() -> None:
    with Memory("sqlite://", embedder="hash", tokenizer=Encoder()) as memory:
        memory.remember({"id": "e1", "content": "<|endoftext|> the cat"})

        assert memory.tokenizer_name == "toy"
        assert memory.get("e1").token_count == 21  # type: ignore[union-attr]


def test_what_is_no_language_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="llm is a LangChain chat model"):
        Memory("sqlite://", embedder="hash", llm=object())
