"""Runs NVIDIA's kvpress on given texts; started by `kvpress`, with the Python of an environment that has it.

Apart, because kvpress needs transformers before 5.3. Knows nothing of agentmem: one JSON object comes in on stdin, one
JSON line goes out for each press and budget.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

PRESSES = (
    "StreamingLLMPress",
    "KnormPress",
    "TOVAPress",
    "SnapKVPress",
    "ExpectedAttentionPress",
    "KeyDiffPress",
)


def main(given: dict[str, Any]) -> None:
    """Print what each press recalls of all texts at each budget."""
    kvpress, torch, transformers = map(import_module, ("kvpress", "torch", "transformers"))
    model = transformers.LlamaForCausalLM.from_pretrained(given["model"], dtype=torch.float32).eval()
    version = import_module("importlib.metadata").version("kvpress")
    with torch.no_grad():
        for name in PRESSES:
            for share in given["shares"]:
                press = getattr(kvpress, name)(compression_ratio=1 - share / 100)
                told = [
                    _asked(torch, model, press, transformers.DynamicCache(), text) for text in given["texts"]
                ]
                right, held = (sum(figures) / len(told) for figures in zip(*told, strict=True))
                row = {
                    "policy": f"kvpress {version} {name}",
                    "budget": share,
                    "recalled": right,
                    "held": held,
                }
                print(json.dumps(row), flush=True)


def _asked(torch: Any, model: Any, press: Any, cache: Any, text: dict[str, Any]) -> tuple[float, float]:
    """The share of a text's questions that get the right next word, and that of the tokens before them that are held.

    The press has seen all that comes before the first question.
    """
    ids, asked = torch.tensor([text["ids"]]), text["asked"]
    with press(model):
        model(ids[:, : asked[0]], past_key_values=cache)
    held = cache.get_seq_length() / asked[0]
    right = 0
    for start, end in zip(asked, [*asked[1:], ids.shape[1]], strict=True):
        places = torch.arange(start, end)[None]
        out = model(ids[:, start:end], past_key_values=cache, position_ids=places)
        right += int(out.logits[0, 0].argmax()) == int(ids[0, start + 1])
    return right / len(asked), held


if __name__ == "__main__":
    main(json.load(sys.stdin))
