"""A prompt read part by part is the prompt read whole, and is read while its next part is still looked for."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident
from typing import Any

import pytest
import torch
from agentmem.evals import recaller

from agentmem import Memory
from agentmem.errors import InvalidInputError
from agentmem.kv import Prefill, attach, policies

PARTS = ["the number was small .", " badan ambare they come back .", " give back most ."]


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@pytest.fixture
def prefill(model: Any) -> Prefill:
    return Prefill(model, recaller.tokenizer(), chunk=4)


def goes_on(model: Any, given: dict[str, Any]) -> list[int]:
    out = model.generate(**given, max_new_tokens=5, do_sample=False)
    return list(out[0].tolist())


def test_a_prompt_read_in_parts_goes_on_as_one_read_whole(model: Any, prefill: Prefill) -> None:
    whole = recaller.tokenizer()("".join(PARTS) + " badan", return_tensors="pt")

    read = [prefill.read(part) for part in PARTS]
    given = prefill.inputs(" badan")

    assert read == [6, 6, 4]
    assert torch.equal(given["input_ids"], whole["input_ids"])
    assert given["past_key_values"].get_seq_length() == prefill.tokens == 16
    assert goes_on(model, given) == goes_on(model, {"input_ids": whole["input_ids"]})


def test_evidence_of_a_stream_is_read_as_recall_gives_it(model: Any, prefill: Prefill) -> None:
    with Memory("sqlite://", embedder="hash") as memory:
        memory.remember("badan ambare they come back .")
        memory.remember("fogor frinol our just name .")

        prefill.read_all(memory.recall_stream("badan", budget_tokens=400))
        whole = memory.recall("badan", budget_tokens=400).text

    given = prefill.inputs(" badan")["input_ids"]
    assert given[0].tolist() == recaller.tokenizer()(whole + " badan")["input_ids"]


def test_the_model_reads_while_the_next_part_is_made(model: Any, prefill: Prefill) -> None:
    has_read, threads = Event(), []
    hook = model.register_forward_hook(lambda *_: has_read.set())

    def parts() -> Iterator[str]:
        threads.append(get_ident())
        yield PARTS[0]
        assert has_read.wait(30)
        yield PARTS[1]

    read = prefill.read_all(parts())
    hook.remove()

    assert read == 12
    assert threads != [get_ident()]


def test_an_error_while_parts_are_made_is_raised(prefill: Prefill) -> None:
    def parts() -> Iterator[str]:
        yield PARTS[0]
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        prefill.read_all(parts())

    assert prefill.tokens == 6


def test_a_stream_that_takes_back_what_it_said_is_refused(prefill: Prefill) -> None:
    with Memory("sqlite://", embedder="hash") as memory:
        memory.remember([f"badan number {n} they come back ." for n in range(8)])

        with pytest.raises(InvalidInputError, match="mode='append'"):
            prefill.read_all(memory.recall_stream("badan", mode="update", budget_tokens=400))


def test_a_bounded_cache_is_read_into(model: Any, prefill: Prefill) -> None:
    with attach(model, policies.SinkRecent(sinks=1), budget_tokens=8) as attached:
        for part in PARTS:
            prefill.read(part)
        goes_on(model, prefill.inputs(" badan"))

    assert attached.stats().physical_tokens == 8
    assert attached.stats().logical_tokens == 16 + 1 + 4


def test_a_prompt_that_is_read_to_its_end_is_refused(prefill: Prefill) -> None:
    prefill.read(PARTS[0])

    with pytest.raises(InvalidInputError, match="last words"):
        prefill.inputs()


def test_nothing_read_ahead_is_a_plain_prompt(model: Any, prefill: Prefill) -> None:
    given = prefill.inputs("badan")

    assert sorted(given) == ["attention_mask", "input_ids"]
    assert given["input_ids"].shape == (1, 2)
