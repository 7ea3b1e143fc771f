"""An agent that is wholly local, on a public story model: memory, stream and counts with a tokenizer of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="local models need agentmem[kv]: torch is not installed")
pytest.importorskip("transformers", reason="local models need agentmem[kv]: transformers is not installed")

from agentmem.integrations.local_chat import LocalChat
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.state import CompiledStateGraph

from agentmem import Memory
from agentmem.kv import KVMemory

ROOT = Path(__file__).parents[2]
STORIES = ROOT.parent / "shared" / "data" / "stories260K"
TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message.content + ' ' }}{% endfor %}"
THREAD: Any = {"configurable": {"thread_id": "t1"}}

pytestmark = pytest.mark.skipif(
    not STORIES.exists(), reason="stories260K, a public model, is not in ../shared/data: see docs/kv.md"
)


def pieces_of(path: Path) -> list[tuple[str, float]]:
    """The vocabulary of llama2.c's tokenizer file: text and score of each token."""
    raw, at, found = path.read_bytes(), 4, []
    while at < len(raw):
        score, size = struct.unpack("fi", raw[at : at + 8])
        found.append((raw[at + 8 : at + 8 + size].decode("utf-8", "replace").strip("\n"), score))
        at += 8 + size
    return found


def story_tokenizer() -> Any:
    """The model's tokens; texts are cut into the best scored ones."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.Unigram(pieces_of(STORIES / "tok512.bin"), 0, byte_fallback=True))
    words.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    made = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"
    )
    made.chat_template = TEMPLATE
    return made


@pytest.fixture(scope="module")
def model() -> Any:
    spec = spec_from_file_location("tiny_stories", ROOT / "benchmarks" / "tiny_stories.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(STORIES / "stories260K.bin")


@pytest.fixture
def kv(model: Any, tmp_path: Path) -> Iterator[KVMemory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        yield KVMemory(model, story_tokenizer(), memory, min_agreement=0)


@pytest.fixture
def agent(model: Any, kv: KVMemory) -> CompiledStateGraph[Any]:
    talk = LocalChat(model=model, tokenizer=kv.tokenizer, kv=kv, max_new_tokens=24)
    return create_agent(talk, tools=[], checkpointer=InMemorySaver())


def test_an_agent_goes_on_with_a_story_and_remembers_it(agent: CompiledStateGraph[Any], kv: KVMemory) -> None:
    first = agent.invoke({"messages": [("user", "Once upon a time, there was a dog named Max.")]}, THREAD)
    then = agent.invoke({"messages": [("user", "One day, Max went to the")]}, THREAD)

    answers = [first["messages"][-1], then["messages"][-1]]
    assert [event.content for event in kv.memory.events()] == [
        "Once upon a time, there was a dog named Max.",
        answers[0].content,
        "One day, Max went to the",
        answers[1].content,
    ]
    assert all(len(answer.content.split()) > 5 for answer in answers)
    assert [len(answer.response_metadata["recalled"]) for answer in answers] == [0, 1]
    assert answers[1].usage_metadata["output_tokens"] == 24


def test_an_agent_streams_the_words_of_its_answer(agent: CompiledStateGraph[Any]) -> None:
    asked = {"messages": [("user", "Once upon a time, there was a little girl")]}

    said = [piece.text for piece, _ in agent.stream(asked, THREAD, stream_mode="messages")]  # type: ignore[union-attr]

    assert len([piece for piece in said if piece]) > 10
    assert "".join(said) == agent.get_state(THREAD).values["messages"][-1].content


def test_a_model_that_tells_stories_instead_of_splitting_a_question_does_no_harm(model: Any) -> None:
    talk = LocalChat(model=model, tokenizer=story_tokenizer(), max_new_tokens=24)
    with Memory("sqlite://", embedder="hash", llm=talk) as memory:
        memory.remember(["Max is the dog of Lily.", "Lily went to the park.", "The sun was big and red."])

        plain, split = (memory.recall("Which animals did Lily see?", decompose=to) for to in (False, True))

    (look,) = split.trace.rereads
    assert split.text == plain.text
    assert look.asked == ()
    assert "was of no use: its answer holds no JSON object" in look.note
