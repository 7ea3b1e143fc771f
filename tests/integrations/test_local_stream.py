"""A local chat model's words as they come, its stop words, and its calls of tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="local models need agentmem[kv]: torch is not installed")
pytest.importorskip("transformers", reason="local models need agentmem[kv]: transformers is not installed")

from agentmem.evals import recaller
from agentmem.evals.recaller_text import VOCABULARY
from agentmem.integrations.local_answer import cut, in_thread, settled
from agentmem.integrations.local_chat import LocalChat
from agentmem.integrations.local_tools import begins_call, called, described
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool

from agentmem import Memory
from agentmem.errors import InvalidInputError
from agentmem.kv import KVMemory

FACT = "the number was small . badan ambare they come back ."
CALL = '<tool_call>{"name":"look","arguments":{"name":"fogor"}}</tool_call>'
TEMPLATE = "{% for message in messages %}{{ message.content }} . {% endfor %}"
WITH_TOOLS = (
    "{% for tool in tools or [] %}{{ tool.function.name }} . {% endfor %}"
    "{% for message in messages %}{% for call in message.tool_calls or [] %}{{ call.function.arguments.name }} . "
    "{% endfor %}{{ message.content }}{{ ' . ' if not loop.last }}{% endfor %}"
)


@tool
def look(name: str) -> str:
    """Look something up."""
    return f"{name} frinol they come back . {name}"


TOOLS = described([look], None)


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@pytest.fixture
def kv(model: Any, tmp_path: Path) -> Iterator[KVMemory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        yield KVMemory(model, recaller.tokenizer(), memory, min_agreement=0)


def chat(model: Any, **settings: Any) -> LocalChat:
    given = {"prompt": lambda messages: messages[-1].text, "max_new_tokens": 12, **settings}
    return LocalChat(model=model, tokenizer=recaller.tokenizer(), **given)


def calling_tokenizer() -> Any:
    """The recall model's, in which `ambare` is spelled as the call of a tool: the model says it, and so it calls."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    named = {CALL if word == "ambare" else word: number for number, word in enumerate(VOCABULARY)}
    words = Tokenizer(models.WordLevel({**named}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", pad_token="<pad>", unk_token="<unk>", padding_side="left"
    )
    made.chat_template = "<s> " + WITH_TOOLS
    return made


def test_words_come_one_by_one_and_are_together_what_invoke_says(model: Any) -> None:
    talk = chat(model)
    whole = talk.invoke([HumanMessage("they come")])

    pieces = list(talk.stream([HumanMessage("they come")]))

    spoken = [piece.text for piece in pieces if piece.text]
    assert len(spoken) == 12
    assert "".join(spoken) == whole.content
    assert pieces[-1].chunk_position == "last"


def test_the_counts_come_with_the_last_piece(model: Any) -> None:
    *words, last = chat(model, max_new_tokens=3).stream([HumanMessage("they come")])

    assert all(piece.usage_metadata is None for piece in words)
    assert last.usage_metadata == {
        "input_tokens": 3,
        "output_tokens": 3,
        "total_tokens": 6,
        "input_token_details": {"cache_read": 0},
    }


def test_a_stream_answers_from_memory_and_is_remembered(model: Any, kv: KVMemory) -> None:
    id = kv.remember(FACT)

    pieces = list(chat(model, kv=kv, max_new_tokens=1).stream([HumanMessage("badan")]))

    assert "".join(piece.text for piece in pieces) == "ambare"
    assert pieces[-1].response_metadata["recalled"] == [id]
    assert [event.content for event in kv.memory.events()] == [FACT, "badan", "ambare"]


def test_words_come_asynchronously(model: Any) -> None:
    talk = chat(model)

    async def listen() -> list[str]:
        return [piece.text async for piece in talk.astream([HumanMessage("they come")])]

    assert "".join(asyncio.run(listen())) == talk.invoke([HumanMessage("they come")]).content


def test_who_stops_listening_stops_the_answer_and_it_is_not_remembered(model: Any, kv: KVMemory) -> None:
    talk = chat(model, kv=kv, max_new_tokens=4000)
    pieces = talk.stream([HumanMessage("they come")])

    next(pieces)
    pieces.close()

    assert kv.memory.events() == []
    assert chat(model, max_new_tokens=1).invoke([HumanMessage("they")]).content


def test_a_call_may_begin_while_another_is_listened_to(model: Any) -> None:
    talk = chat(model, max_new_tokens=5)
    pieces = talk.stream([HumanMessage("they come")])
    first = next(pieces).text

    between = talk.invoke([HumanMessage("they come")]).content

    assert first + "".join(piece.text for piece in pieces) == between


def test_a_stop_word_is_not_said(model: Any) -> None:
    talk = chat(model)
    whole = talk.invoke([HumanMessage("they come")]).content
    stop = whole.split()[3]

    said = "".join(piece.text for piece in talk.stream([HumanMessage("they come")], stop=[stop]))

    assert said == whole.split(stop)[0].strip()


def test_an_error_in_the_answer_reaches_who_listens(model: Any) -> None:
    tokenizer = recaller.tokenizer()
    tokenizer.chat_template = "{{ '' }}"
    pieces = LocalChat(model=model, tokenizer=tokenizer).stream([HumanMessage("they")])

    with pytest.raises(InvalidInputError, match="make no tokens"):
        next(pieces)


def test_what_is_thrown_away_while_it_is_made_comes_to_an_end() -> None:
    def work(say: Any, left: Any) -> int:
        say("one")
        assert left.wait(30)
        return 1

    said = in_thread(work)

    assert next(said) == "one"
    said.close()  # type: ignore[attr-defined]


@settings(deadline=None)
@given(text=st.text("ab STOP.", max_size=30), cuts=st.lists(st.integers(0, 30), max_size=5))
def test_what_is_let_out_early_is_the_beginning_of_the_whole(text: str, cuts: list[int]) -> None:
    whole = cut(text, ["STOP"]).strip()

    parts = [settled(text[:at], ["STOP"]) for at in cuts]

    assert all(whole.startswith(part) for part in parts)


def test_an_agent_calls_a_tool_and_answers_with_what_it_found(model: Any) -> None:
    """The model recalls `ambare`, which is spelled as a call; the tool's words tell it what it says in the end."""
    talk = LocalChat(model=model, tokenizer=calling_tokenizer(), max_new_tokens=1)
    agent = create_agent(talk, tools=[look])
    asked = f"the number was small . badan {CALL} they come back . badan"

    out = agent.invoke({"messages": [("user", asked)]})["messages"]

    assert [type(message).__name__ for message in out] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
        "AIMessage",
    ]
    assert [(call["name"], call["args"]) for call in out[1].tool_calls] == [("look", {"name": "fogor"})]
    assert out[1].content == ""
    assert out[2].content == "fogor frinol they come back . fogor"
    assert out[3].content == "frinol"


def test_an_agent_streams_its_tool_call_with_no_words_of_it(model: Any) -> None:
    talk = LocalChat(model=model, tokenizer=calling_tokenizer(), max_new_tokens=1).bind_tools([look])
    asked = HumanMessage(f"the number was small . badan {CALL} they come back . badan")

    pieces = list(talk.stream([asked]))

    whole = pieces[0]
    assert isinstance(whole, AIMessageChunk)
    assert [piece.text for piece in pieces] == [""]
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("look", {"name": "fogor"})]


def test_a_template_that_knows_no_tools_is_refused(model: Any) -> None:
    tokenizer = recaller.tokenizer()
    tokenizer.chat_template = TEMPLATE

    with pytest.raises(InvalidInputError, match="does not write tools into the prompt"):
        LocalChat(model=model, tokenizer=tokenizer).bind_tools([look])


def test_tools_beside_a_prompt_of_ones_own_are_refused(model: Any) -> None:
    with pytest.raises(InvalidInputError, match="leave prompt= out"):
        chat(model).bind_tools([look])


def test_no_tools_need_no_template(model: Any) -> None:
    talk = chat(model, max_new_tokens=3)

    assert talk.bind_tools([]).invoke("they come").content == talk.invoke("they come").content


@pytest.mark.parametrize("choice", ["any", "look"])
def test_a_tool_cannot_be_forced(model: Any, choice: str) -> None:
    talk = LocalChat(model=model, tokenizer=calling_tokenizer())

    with pytest.raises(InvalidInputError, match="chooses by itself"):
        talk.bind_tools([look], tool_choice=choice)


def test_earlier_calls_are_told_with_their_arguments(model: Any) -> None:
    talk = LocalChat(model=model, tokenizer=calling_tokenizer(), max_new_tokens=1)
    call = {"name": "look", "args": {"name": "fogor"}, "id": "c1"}
    told = [HumanMessage("they"), AIMessage("", tool_calls=[call]), ToolMessage("frinol", tool_call_id="c1")]

    ids = talk._read(told, TOOLS)

    assert [VOCABULARY[id] for id in ids] == ["<s>", "look", ".", "they", ".", "fogor", ".", ".", "frinol"]


@pytest.mark.parametrize(
    "answer",
    [
        '<tool_call>\n{"name": "look", "arguments": {"name": "x"}}\n</tool_call>',
        '<tool_call>{"name": "look", "arguments": {"name": "x"}}',
        '[TOOL_CALLS] [{"name": "look", "arguments": {"name": "x"}}]',
        '{"name": "look", "parameters": {"name": "x"}}',
        '<|python_tag|>{"name": "look", "parameters": {"name": "x"}}',
    ],
)
def test_a_call_is_read_in_each_form(answer: str) -> None:
    found = called(answer, TOOLS)

    assert found.text == ""
    assert [(call["name"], call["args"]) for call in found.calls] == [("look", {"name": "x"})]
    assert found.invalid == ()


def test_words_before_calls_and_several_calls_are_all_read() -> None:
    one = '<tool_call>{"name": "look", "arguments": {"name": "%s"}}</tool_call>'

    found = called(f"Let me see. {one % 'x'} {one % 'y'}", TOOLS)

    assert found.text == "Let me see."
    assert [call["args"]["name"] for call in found.calls] == ["x", "y"]
    assert len({call["id"] for call in found.calls}) == 2


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ('{"name": "look", "arguments": {"name": "x"', "delimiter"),
        ('{"name": "find", "arguments": {"name": "x"}}', "no tool 'find'; there are look"),
        ('{"name": "look", "arguments": "x"}', "must be a JSON object"),
        ('{"name": "look", "arguments": {}}', "look needs name"),
        ('{"name": "look", "arguments": {"name": "x", "how": 1}}', "look takes no how"),
        ('["look"]', "with a name and arguments"),
    ],
)
def test_a_call_that_is_not_whole_or_not_of_a_tool_is_told_as_invalid(call: str, why: str) -> None:
    found = called(f"<tool_call>{call}</tool_call>", TOOLS)

    assert found.calls == ()
    assert [one["args"] for one in found.invalid] == [call]
    assert why in str(found.invalid[0]["error"])


def test_json_that_calls_nothing_is_an_answer() -> None:
    answer = json.dumps({"name": "Ada", "age": 36})

    assert called(answer, TOOLS).text == answer


def test_without_tools_nothing_is_read_as_a_call() -> None:
    assert called(CALL, []).text == CALL


@pytest.mark.parametrize(
    ("text", "held"),
    [("Let me", False), ("Let me <tool", True), ("<tool_call>{", True), ('{"name"', True), ("a < b", False)],
)
def test_what_may_become_a_call_is_held_back(text: str, held: bool) -> None:
    assert begins_call(text) is held
