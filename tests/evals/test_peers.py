"""Other memory systems, each in its own process, on the packaged conversation. Absent packages are skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from agentmem.evals import commands, locomo, run, systems
from agentmem.evals.peer import Peer
from agentmem.evals.task import Conversation

from agentmem.embed import choose_embedder
from agentmem.errors import PeerUnavailableError
from agentmem.tokens import as_tokenizer

PACKAGES = {
    "mem0": "mem0",
    "langgraph-memory": "langgraph.store.memory",
    "langmem": "langmem",
    "chroma": "chromadb",
}
QUESTION = "What did Nora say about the house?"


@pytest.fixture(scope="module")
def conversation() -> Conversation:
    (only,) = locomo.load(locomo.sample_path()).conversations
    return only


@pytest.fixture(scope="module", params=PACKAGES)
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, conversation: Conversation
) -> Iterator[Peer]:
    """A peer that holds the conversation."""
    pytest.importorskip(PACKAGES[request.param], reason="a peer: pip install 'agentmem[peers]'")
    system = Peer(request.param, choose_embedder("hash"), as_tokenizer(None), tmp_path_factory.mktemp("peer"))
    system.ingest(conversation)
    yield system
    system.close()


def test_a_peer_holds_every_turn(peer: Peer, conversation: Conversation) -> None:
    assert peer.stored() == {turn.id for turn in conversation.turns}


def test_a_peer_ranks_turns_of_the_conversation(peer: Peer, conversation: Conversation) -> None:
    ranked = peer.rank(QUESTION, 10)

    assert len(set(ranked)) == 10
    assert set(ranked) <= {turn.id for turn in conversation.turns}


def test_a_turns_own_words_find_it(peer: Peer, conversation: Conversation) -> None:
    turn = conversation.turns[40]

    assert turn.id in peer.rank(turn.content, 3)


def test_a_peers_context_keeps_to_the_budget(peer: Peer) -> None:
    packed = peer.pack(QUESTION, 200)

    assert 0 < as_tokenizer(None).count(packed.text) <= 200


def test_a_peer_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(PeerUnavailableError, match="nonesuch cannot run here: KeyError"):
        Peer("nonesuch", choose_embedder("hash"), as_tokenizer(None), tmp_path)


def test_a_peer_that_cannot_run_is_a_row_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the report needs agentmem[evals]")
    table = {"bm25": systems.SYSTEMS["bm25"], "nonesuch": partial(Peer, "nonesuch")}
    monkeypatch.setattr(run, "SYSTEMS", table)
    monkeypatch.setattr(commands, "SYSTEMS", table)

    commands.locomo(None, tmp_path, "hash", ["bm25", "nonesuch"], 2, False, True)

    result = json.loads((tmp_path / "summary.json").read_text())
    assert result["systems"]["nonesuch"]["unavailable"] == "KeyError: 'nonesuch'"
    assert result["systems"]["bm25"]["groups"]["1-4"]["mrr"]["n"] == 2
    assert "not run here: nonesuch: KeyError: 'nonesuch'" in capsys.readouterr().out
    assert "nonesuch could not be run" in (tmp_path / "report.html").read_text()
