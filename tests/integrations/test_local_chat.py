"""A local model as an agent's chat model, with its memory in its cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="local models need agentmem[kv]: torch is not installed")
pytest.importorskip("transformers", reason="local models need agentmem[kv]: transformers is not installed")

import torch
from agentmem.evals import recaller
from agentmem.integrations.local_chat import LocalChat
from agentmem.integrations.local_prefix import SharedPrefix, common
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.graph import START, MessagesState, StateGraph
from transformers import MistralConfig, MistralForCausalLM

from agentmem import Memory
from agentmem.errors import InvalidInputError
from agentmem.kv import KVMemory, attach

FACT = "the number was small . badan ambare they come back ."
TEMPLATE = "{% for message in messages %}{{ message.content }} . {% endfor %}"


def last_words(messages: Sequence[BaseMessage]) -> str:
    return messages[-1].text


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@pytest.fixture
def kv(model: Any, tmp_path: Path) -> Iterator[KVMemory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        yield KVMemory(model, recaller.tokenizer(), memory, min_agreement=0)


def chat(model: Any, **settings: Any) -> LocalChat:
    given = {"prompt": last_words, "max_new_tokens": 1, **settings}
    return LocalChat(model=model, tokenizer=recaller.tokenizer(), **given)


def test_it_answers_from_its_memory_what_no_prompt_holds(model: Any, kv: KVMemory) -> None:
    id = kv.remember(FACT)

    answer = chat(model, kv=kv).invoke([HumanMessage("badan")])

    assert answer.content == "ambare"
    assert answer.response_metadata["recalled"] == [id]
    assert answer.usage_metadata["input_tokens"] == 2
    assert answer.usage_metadata["output_tokens"] == 1


def test_without_a_memory_it_does_not_know(model: Any) -> None:
    assert chat(model).invoke([HumanMessage("badan")]).content != "ambare"


def test_what_was_said_to_it_is_remembered_with_the_answer(model: Any, kv: KVMemory) -> None:
    talk = chat(model, kv=kv, session="monday")

    talk.invoke([HumanMessage(FACT)])

    kept = kv.memory.events(session="monday")
    assert [event.role for event in kept] == ["user", "assistant"]
    assert kept[0].content == FACT
    assert talk.invoke([HumanMessage("badan")]).content == "ambare"


def test_only_what_is_new_is_remembered(model: Any, kv: KVMemory) -> None:
    talk = chat(model, kv=kv)

    talk.invoke([HumanMessage("fogor frinol"), AIMessage("they"), HumanMessage("come back")])

    assert next(event.content for event in kv.memory.events()) == "come back"


def test_it_remembers_nothing_where_it_is_told_so(model: Any, kv: KVMemory) -> None:
    chat(model, kv=kv, remember=False).invoke([HumanMessage("badan")])

    assert len(kv.memory.events()) == 0


def test_a_langgraph_agent_runs_on_it_alone(model: Any, kv: KVMemory) -> None:
    kv.remember(FACT)
    agent = create_agent(chat(model, kv=kv), tools=[])

    out = agent.invoke({"messages": [("user", "badan")]})

    assert out["messages"][-1].content == "ambare"


def test_a_graph_node_may_call_it_asynchronously(model: Any, kv: KVMemory) -> None:
    import asyncio

    kv.remember(FACT)
    talk = chat(model, kv=kv)

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await talk.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

    out = asyncio.run(graph.ainvoke({"messages": [HumanMessage("badan")]}))

    assert out["messages"][-1].content == "ambare"


def test_the_beginning_of_a_conversation_is_not_read_again(model: Any) -> None:
    tokenizer = recaller.tokenizer()
    tokenizer.chat_template = TEMPLATE
    first = [SystemMessage(FACT), HumanMessage("they come back")]

    def answers(talk: LocalChat) -> list[AIMessage]:
        one = talk.invoke(first)
        return [one, talk.invoke([*first, one, HumanMessage("badan")])]

    talk = LocalChat(model=model, tokenizer=tokenizer, max_new_tokens=4)
    shared = answers(talk)
    alone = [answers(LocalChat(model=model, tokenizer=tokenizer, max_new_tokens=4))[0]]
    alone.append(
        LocalChat(model=model, tokenizer=tokenizer, max_new_tokens=4).invoke(
            [*first, alone[0], HumanMessage("badan")]
        )
    )

    assert [one.content for one in shared] == [one.content for one in alone]
    assert shared[0].usage_metadata["input_token_details"]["cache_read"] == 0
    assert shared[1].usage_metadata["input_token_details"]["cache_read"] >= len(FACT.split()) + 4


def test_static_steps_answer_the_same_from_memory_and_from_earlier_calls(model: Any, tmp_path: Path) -> None:
    tokenizer = recaller.tokenizer()
    tokenizer.chat_template = TEMPLATE
    first = [SystemMessage(FACT), HumanMessage("they come back")]

    def answers(static: bool) -> list[AIMessage]:
        talk = LocalChat(model=model, tokenizer=tokenizer, max_new_tokens=6, static=static)
        one = talk.invoke(first)
        two = talk.invoke([*first, one, HumanMessage("badan")])
        with Memory(tmp_path / f"{static}.db", embedder="hash") as memory:
            kv = KVMemory(model, tokenizer, memory, min_agreement=0)
            kv.remember(FACT)
            return [
                one,
                two,
                chat(model, kv=kv, max_new_tokens=6, static=static).invoke([HumanMessage("badan")]),
            ]

    ordinary, static = answers(False), answers(True)

    assert [one.content for one in static] == [one.content for one in ordinary]
    assert [one.usage_metadata for one in static] == [one.usage_metadata for one in ordinary]
    assert static[1].usage_metadata["input_token_details"]["cache_read"] > 0
    assert static[2].response_metadata["recalled"]


def test_static_steps_are_streamed(model: Any) -> None:
    talk = chat(model, max_new_tokens=12, static=True)

    pieces = [one.text for one in talk.stream([HumanMessage("they come")])]

    assert "".join(pieces) == talk.invoke([HumanMessage("they come")]).content
    assert len([one for one in pieces if one]) > 1


def test_static_steps_of_a_model_with_windows_are_refused() -> None:
    config = MistralConfig(
        vocab_size=97, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, sliding_window=8
    )

    with pytest.raises(InvalidInputError, match="see everything"):
        chat(MistralForCausalLM(config), static=True)


def test_a_stop_word_ends_the_answer(model: Any) -> None:
    talk = chat(model, max_new_tokens=12)
    whole = talk.invoke([HumanMessage("they come")]).content

    cut = talk.invoke([HumanMessage("they come")], stop=[whole.split()[2]]).content

    assert cut == " ".join(whole.split()[:2])


def test_a_cache_is_cut_to_what_two_prompts_share() -> None:
    assert common([1, 2, 3, 4], [1, 2, 9]) == 2
    assert common([1, 2], [1, 2, 3]) == 2
    assert common([], [1]) == 0


@torch.no_grad()
def read_whole(model: Any, shared: SharedPrefix, ids: list[int]) -> int:
    """Read a prompt behind what is held of it, hold it, and say how much that was."""
    cache, found = shared.start(ids, model)
    model(torch.tensor([ids[found:]]), past_key_values=cache)
    shared.keep(ids, cache)
    return found


def test_conversations_that_take_turns_each_find_their_own(model: Any) -> None:
    shared = SharedPrefix()
    one, other = [1, *range(300, 340)], [1, *range(400, 440)]

    found = [read_whole(model, shared, ids) for ids in (one, other, [*one, 5, 6], [*other, 7, 8])]

    assert found == [0, 0, 41, 41]


def test_a_beginning_that_prompts_share_is_copied_and_right(model: Any) -> None:
    shared = SharedPrefix()
    system = [1, *range(300, 320)]
    one, other = [*system, *range(400, 430)], [*system, 7, 8, 9]
    read_whole(model, shared, one)

    cache, found = shared.start(other, model)
    with torch.no_grad():
        told = model(torch.tensor([other[found:]]), past_key_values=cache).logits[0, -1]
        whole = model(torch.tensor([other])).logits[0, -1]

    assert found == 21
    assert torch.allclose(told, whole, atol=1e-4)
    assert shared.start([*one, 5], model)[1] == 51


def test_no_more_caches_are_held_than_asked_for(model: Any) -> None:
    shared = SharedPrefix(caches=1)
    one, other = [1, *range(300, 340)], [1, *range(400, 440)]

    found = [read_whole(model, shared, ids) for ids in (one, other, [*one, 5])]

    assert found == [0, 0, 0]


def test_a_cache_that_cannot_be_cut_is_left(model: Any) -> None:
    class Fixed:
        def crop(self, count: int) -> None:
            raise RuntimeError("cannot be cropped")

        def get_seq_length(self) -> int:
            return 3

    shared = SharedPrefix()
    shared.keep([1, 2, 3], Fixed())

    cache, count = shared.start([1, 2, 4], model)

    assert count == 0
    assert cache.get_seq_length() == 0


def test_a_tokenizer_without_a_template_asks_for_a_prompt(model: Any) -> None:
    with pytest.raises(InvalidInputError, match="give prompt="):
        LocalChat(model=model, tokenizer=recaller.tokenizer())


def test_the_memory_of_another_model_is_refused(kv: KVMemory) -> None:
    with pytest.raises(InvalidInputError, match="of this very model"):
        chat(recaller.model(), kv=kv)


def test_the_model_is_left_as_it_was(model: Any, kv: KVMemory) -> None:
    kv.remember(FACT)

    chat(model, kv=kv).invoke([HumanMessage("badan")])

    with attach(model):
        pass
    assert model.config._attn_implementation == "sdpa"
