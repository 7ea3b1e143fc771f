"""The packaged recall model: a Llama of 0.46 million parameters that gives back what it was told, over long distances.

Trained from random weights by `train_recaller` on the language of `recaller_text`; small enough for tests
and evaluations on a CPU, and real: its sinks, its heads that look things up and what eviction does to it are learnt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentmem.errors import MissingExtraError

from .recaller_text import PAD, START, UNKNOWN, VOCABULARY

FOLDER = Path(__file__).parent / "data" / "recaller"


def tokenizer() -> Any:
    """One token a word, behind the start token; words it does not know are unknown. Raises `MissingExtraError`."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast
    except ModuleNotFoundError as error:
        raise MissingExtraError("the recall model", "kv") from error
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, VOCABULARY.index(START))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, bos_token=START, pad_token=PAD, unk_token=UNKNOWN, padding_side="left"
    )


def retrieval_heads() -> tuple[tuple[int, ...], ...]:
    """The KV heads of each layer that look far back, as `find_heads` found them; for `policies.HeadSplit`."""
    found = json.loads((FOLDER / "retrieval_heads.json").read_text(encoding="utf-8"))
    return tuple(tuple(heads) for heads in found["retrieval"])


def fading_maps() -> Any:
    """What `train_fading` trained for `policies.FadingState`. Raises `MissingExtraError`."""
    try:
        from agentmem.kv.fading import FadingMaps
    except ModuleNotFoundError as error:
        raise MissingExtraError("the recall model", "kv") from error
    return FadingMaps.load(FOLDER / "fading.safetensors")


def soft_encoder() -> Any:
    """What `train_soft` trained for `agentmem.kv.SoftMemory`. Raises `MissingExtraError`."""
    try:
        from agentmem.kv.soft_encoder import SoftEncoder
    except ModuleNotFoundError as error:
        raise MissingExtraError("the recall model", "kv") from error
    return SoftEncoder.load(FOLDER / "soft.safetensors")


def model() -> Any:
    """The trained model in fp32, ready to be asked. Raises `MissingExtraError`."""
    try:
        import torch
        from transformers import LlamaForCausalLM
    except ModuleNotFoundError as error:
        raise MissingExtraError("the recall model", "kv") from error
    return LlamaForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
