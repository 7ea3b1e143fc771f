"""How fast an attached model decodes after a long context, and how soon it answers from episodes.

python benchmarks/kv_speed.py decode [--shape small|llama-1b|llama-8b] [--context 16384] [--budget 1024] [--batch 1]
python benchmarks/kv_speed.py first-token [--shape …] [--context 8192]

Weights are random, and so are the keys and values of the context in `decode`: what a step costs does not hang on them.
On a GPU where there is one, in bf16; else on the CPU, in fp32. Every figure is of one run, compared as ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

# under PYTHONSAFEPATH a script's own folder is not searched
sys.path.insert(0, str(Path(__file__).parent))

import llama_shapes
import numpy as np
import torch
from measure import Row, machine
from transformers import DynamicCache, StoppingCriteria, StoppingCriteriaList

from agentmem import Memory
from agentmem.kv import KVMemory, attach, policies, static_decode

CHUNK = 2048
EPISODE = 4096
"""Tokens an episode of the memory that the first token waits for."""
ROUNDS = 3
QUESTION = "which rocket was it that they saw"


class Clock(StoppingCriteria):
    """Notes when each token was there."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self, input_ids: Any, scores: Any, **rest: Any) -> Any:
        """Never stop."""
        synchronize()
        self.at.append(perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def synchronize() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def decode_rows(given: argparse.Namespace) -> Iterator[Row]:
    """Milliseconds a token of each way to keep the context, and what it holds."""
    model = llama_shapes.model(given.shape, given.device, given.context + given.new + 1)
    blocks = policies.BlockRetrieval(blocks=max(1, given.budget // 2 // 64), bits=4)
    window = given.budget - (blocks.blocks or 0) * 64
    ways: list[tuple[str, policies.Policy | None, int | None, bool]] = [
        ("everything, DynamicCache", None, None, False),
        ("everything, static", policies.Full(), None, True),
        ("sinks and the last tokens", policies.SinkRecent(), given.budget, False),
        ("sinks and the last tokens, static", policies.SinkRecent(), given.budget, True),
        ("window and retrieved int4 blocks", blocks, window, False),
        ("window and retrieved int4 blocks, static", blocks, window, True),
    ]
    first = None
    for name, policy, budget, static in ways:
        taken, held, peak = decoded(model, policy, budget, static, given)
        first = first or taken
        yield Row(
            name,
            f"{np.median(taken) * 1e3:.2f} ms a token (mean {np.mean(taken) * 1e3:.2f})",
            f"{np.median(first) / np.median(taken):.2f} times the first row",
            f"{held / 2**20:.0f} MiB of keys and values{f', {peak / 2**20:.0f} MiB at most' if peak else ''}",
        )


def decoded(
    model: Any, policy: policies.Policy | None, budget: int | None, static: bool, given: argparse.Namespace
) -> tuple[list[float], int, int]:
    """Seconds of each token after the first two, bytes held at the end, and the GPU's peak without the weights."""
    ids = torch.randint(2, 60, (given.batch, given.context + 1), device=given.device)
    options: dict[str, Any] = {"max_new_tokens": given.new, "do_sample": False, "pad_token_id": 0}
    weights = torch.cuda.memory_allocated() if given.device != "cpu" else 0
    clock = Clock()
    options["stopping_criteria"] = StoppingCriteriaList([clock])
    if policy is None:
        cache = DynamicCache(config=model.config)
        for layer, keys in enumerate(context_of(model, given)):
            for part in keys:
                cache.update(part, part, layer)
        reset_peak(given.device)
        model.generate(ids, past_key_values=cache, **options)
        held = sum(2 * layer.keys.nbytes for layer in cache.layers)
    else:
        if static:
            options["custom_generate"] = static_decode
        with attach(model, policy, budget_tokens=budget) as attached:
            mine = attached.new_cache()
            modules = {layer: module for module, layer in attached.modules.items()}
            heads = model.config.num_attention_heads
            for layer, keys in enumerate(context_of(model, given)):
                for part in keys:
                    mine.kv_layers[layer].update(part, part)
                    query = part.repeat_interleave(heads // part.shape[1], dim=1)
                    attached.attended(modules[layer], mine.kv_layers[layer], query, None, 1.0)
            reset_peak(given.device)
            model.generate(ids, past_key_values=mine, **options)
            held = attached.stats().size_bytes
    peak = torch.cuda.max_memory_allocated() - weights if given.device != "cpu" else 0
    return list(np.diff(clock.at))[2:], held, peak


def context_of(model: Any, given: argparse.Namespace) -> Iterator[Iterator[torch.Tensor]]:
    """For each layer, keys (and values) `[B, H, T, D]` of the context, some tokens at a time."""
    config = model.config
    shape = given.batch, config.num_key_value_heads, CHUNK, config.hidden_size // config.num_attention_heads
    for _ in range(config.num_hidden_layers):
        yield (
            torch.randn(shape, dtype=model.dtype, device=given.device)[:, :, : given.context - at]
            for at in range(0, given.context, CHUNK)
        )


def reset_peak(device: str) -> None:
    """Measure the GPU's peak from here."""
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def first_token_rows(given: argparse.Namespace) -> Iterator[Row]:
    """Seconds until the first token about a context: read again, or recalled as int4 episodes."""
    model = llama_shapes.model(given.shape, given.device, 2 * given.context + 128)
    tokenizer = llama_shapes.tokenizer()
    per = min(EPISODE, given.context)
    texts = [f"rocket {n} " + "word " * (per - 2) for n in range(given.context // per)]
    whole = tokenizer(" ".join([*texts, QUESTION]), return_tensors="pt").to(given.device)
    asked = tokenizer(QUESTION, return_tensors="pt").to(given.device)

    def answer(inputs: Any) -> None:
        model.generate(**inputs, max_new_tokens=1, do_sample=False, prefill_chunk_size=CHUNK, pad_token_id=0)
        synchronize()

    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "kv.db", embedder="offline") as memory,
    ):

        def kv() -> KVMemory:
            return KVMemory(model, tokenizer, memory, bits=4, budget_tokens=given.context, min_agreement=0)

        for number, text in enumerate(texts):
            kv().remember(text, session=str(number))

        def recalled(from_memory: KVMemory) -> None:
            with from_memory.recalled(QUESTION) as found:
                if sum(episode.tokens for episode in found.episodes) < given.context - len(texts):
                    raise SystemExit(f"recalled {len(found.episodes)} of {len(texts)} episodes")
                answer(asked)

        host = kv()
        recalled(host)
        prefill = best(lambda: answer(whole))
        yield Row(f"{given.context} tokens read again", f"{prefill * 1e3:.0f} ms", "1.0 times", "")
        for name, call in (
            ("int4 episodes from disk", lambda: recalled(kv())),
            ("int4 episodes from host memory", lambda: recalled(host)),
        ):
            taken = best(call)
            yield Row(name, f"{taken * 1e3:.0f} ms", f"{prefill / taken:.1f} times", "")


def best(call: Callable[[], None]) -> float:
    """Median seconds of a few calls."""
    taken = []
    for _ in range(ROUNDS):
        synchronize()
        began = perf_counter()
        call()
        taken.append(perf_counter() - began)
    return float(np.median(taken))


MEASURES = {"decode": decode_rows, "first-token": first_token_rows}


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("--shape", choices=llama_shapes.SHAPES, default="small")
    parser.add_argument("--context", type=int, default=16384, help="tokens before the first that is decoded")
    parser.add_argument("--budget", type=int, default=1024, help="tokens that a step reads, of the policies")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--new", type=int, default=128, help="tokens to decode")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    given = parser.parse_args()
    about = machine()
    if given.device != "cpu":
        about["gpu"] = torch.cuda.get_device_name(given.device)
    for name, value in about.items():
        print(f"{name}: {value}")
    kept = []
    with torch.no_grad():
        for row in MEASURES[given.what](given):
            print(f"{row.what:<44} {row.system:<34} {row.value:<26} {row.target}", flush=True)
            kept.append(asdict(row))
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "given": vars(given), "rows": kept}, default=str))


if __name__ == "__main__":
    main()
