"""In-model memory on a device that stands where a GPU would, beside the same on the host; one JSON object.

For each case: whether both gave the same tokens, and how often each graph that was captured was replayed.
Run as a script with `TRITON_INTERPRET=1`: kernels there, their definitions on the host.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# under PYTHONSAFEPATH a script's own folder is not searched
sys.path.insert(0, str(Path(__file__).parent))

import torch
from agentmem.evals import recaller
from conftest import build
from idle_device import Graph, Idle, device, there, unwrapped

from agentmem import Memory
from agentmem.kv import ExactKV, KVMemory, Prefill, SoftMemory, attach, policies, static_decode
from agentmem.kv.ops import SWITCH

TOLD = "the number was small . badan ambare they come back . "
Put = Callable[[torch.Tensor], torch.Tensor]


def under(
    policy: policies.Policy,
    budget: int | None,
    model: Any,
    put: Put,
    length: int = 90,
    new: int = 3,
    **options: Any,
) -> torch.Tensor:
    """Tokens generated under a policy."""
    torch.manual_seed(0)
    prompt = torch.randint(3, 97, (2, length))
    with attach(model, policy, budget_tokens=budget):
        made: torch.Tensor = model.generate(put(prompt), max_new_tokens=new, do_sample=False, **options)
    return made


def waiting(model: Any, put: Put) -> torch.Tensor:
    """Static decoding of a model that looks at a number of the device within each step."""
    hook = model.register_forward_pre_hook(
        lambda model, args, given: given["input_ids"].sum().item() and None, with_kwargs=True
    )
    try:
        return under(*POLICIES["SinkRecent"], model, put, **STATIC)
    finally:
        hook.remove()


def remembered(kind: str, model: Any, put: Put) -> torch.Tensor:
    """Tokens after `badan`, with what a memory of this kind gives back."""
    tokenizer = recaller.tokenizer()
    asked = {name: put(ids) for name, ids in tokenizer("badan", return_tensors="pt").items()}
    after = partial(model.generate, max_new_tokens=3, do_sample=False)
    with TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as memory:
        if kind in ("episodes", "episodes, static", "episodes, blended"):
            kv = KVMemory(model, tokenizer, memory, min_agreement=0)
            ids = [kv.remember(text) for text in (TOLD, "fogor frinol they come back . " * 20)]
            if kind == "episodes, blended":
                return kv._blended([kv.load(id) for id in ids]).k[0]
            with kv.recalled("badan"):
                loop = {"custom_generate": static_decode} if kind == "episodes, static" else {}
                return after(**asked, **loop)
        if kind == "soft memories":
            encoder = recaller.soft_encoder()
            if isinstance(next(model.parameters()).data, Idle):
                there(encoder)
            soft = SoftMemory(model, tokenizer, memory, encoder=encoder, tokens=8)
            soft.remember(TOLD)
            return after(**soft.recall("badan").inputs(**asked))
        if kind == "prefill":
            prompt = Prefill(model, tokenizer)
            prompt.read(TOLD)
            return after(**prompt.inputs("badan"))
        exact = ExactKV(model, tokenizer, memory, mode=kind)
        kept = exact.remember(TOLD)
        whole = put(tokenizer(TOLD + "badan", return_tensors="pt")["input_ids"])
        return after(whole, past_key_values=exact.restore(kept))


SPLIT = policies.HeadSplit(((0,), (), (0, 1), (1,)), over=policies.BlockRetrieval(blocks=2))
POLICIES: dict[str, tuple[policies.Policy, int | None]] = {
    "Full": (policies.Full(), None),
    "SinkRecent": (policies.SinkRecent(), 20),
    "H2O": (policies.H2O(), 20),
    "TOVA": (policies.TOVA(), 20),
    "SnapKV": (policies.SnapKV(window=8), 20),
    "ExpectedAttention": (policies.ExpectedAttention(), 20),
    "TokenEntropy": (policies.TokenEntropy(), 20),
    "Ladder": (policies.Ladder(), 20),
    "BlockRetrieval": (policies.BlockRetrieval(blocks=2), 20),
    "ClusteredRetrieval": (policies.ClusteredRetrieval(segment=64), 20),
    "PrecisionTiers": (policies.PrecisionTiers(), 200),
    "HeadSplit": (SPLIT, 20),
}
STATIC = {"custom_generate": static_decode, "new": 6}
Case = tuple[Callable[[], Any], Callable[[Any, Put], torch.Tensor]]
CASES: dict[str, Case] = {
    **{name: (partial(build, "llama"), partial(under, *policy)) for name, policy in POLICIES.items()},
    **{
        f"{name}, static": (partial(build, "llama"), partial(under, *POLICIES[name], **STATIC))
        for name in ("Full", "SinkRecent", "HeadSplit")
    },
    # a page leaves at the second token
    "BlockRetrieval, static": (
        partial(build, "llama"),
        partial(under, *POLICIES["BlockRetrieval"], **STATIC, length=146),
    ),
    "sliding layers, static": (partial(build, "gemma3"), partial(under, policies.SinkRecent(), 20, **STATIC)),
    "capped scores, static": (partial(build, "gemma2"), partial(under, policies.SinkRecent(), 20, **STATIC)),
    "partial rotary, static": (
        partial(build, "phi3", partial_rotary_factor=0.5),
        partial(under, *POLICIES["BlockRetrieval"], **STATIC),
    ),
    "a step that waits": (partial(build, "llama"), waiting),
    **{
        kind: (recaller.model, partial(remembered, kind))
        for kind in (
            "episodes",
            "episodes, static",
            "episodes, blended",
            "soft memories",
            "prefill",
            "lossless",
            "replay",
        )
    },
}


def main() -> None:
    """Run the named cases, or all."""
    made = [(name, *CASES[name]) for name in sys.argv[1:] or CASES]
    host = {}
    os.environ[SWITCH] = "reference"
    for name, model, case in made:
        host[name] = case(model(), lambda tensor: tensor)
    os.environ[SWITCH] = "triton"
    found = {}
    with device():
        for name, model, case in made:
            Graph.captured.clear()
            moved = copy.deepcopy(model())
            there(moved)
            try:
                with warnings.catch_warnings(record=True) as told_of:
                    result = case(moved, Idle)
                same = torch.allclose(unwrapped(result), host[name], atol=1e-3)
                told = {"same": same, "error": ""}
            except Exception as error:
                # told for each case
                told = {"same": False, "error": f"{type(error).__name__}: {error}"}
            found[name] = {
                **told,
                "replays": [graph.replays for graph in Graph.captured],
                "warned": [str(one.message) for one in told_of if one.category is UserWarning],
            }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
