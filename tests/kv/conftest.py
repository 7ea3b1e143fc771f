"""Small random models of the shapes that users have; no weights are downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip(
    "torch", reason="in-model memory needs the extra agentmem[kv]: torch is not installed"
)
transformers = pytest.importorskip(
    "transformers", reason="in-model memory needs the extra agentmem[kv]: transformers is not installed"
)

COMMON = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "llama-one-kv-head": ("Llama", {"num_key_value_heads": 1}),
    "llama3-rope": (
        "Llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 10_000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    # three query heads to a KV head and embeddings that are tied, as the small models of the SmolLM family
    "smollm": (
        "Llama",
        {"hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 1, "tie_word_embeddings": True},
    ),
    # every second layer does not turn its keys
    "smollm3": ("SmolLM3", {"no_rope_layer_interval": 2, "use_sliding_window": False}),
    "exaone4": ("Exaone4", {"sliding_window": 12}),
    # part of a head turns, and the output projection has another name
    "phi": ("Phi", {}),
    "neox": ("GPTNeoX", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral-window": ("Mistral", {"sliding_window": 12}),
    "phi3": ("Phi3", {"sliding_window": None}),
    # older transformers leave the capping of scores out of their SDPA attention
    "gemma2": (
        "Gemma2",
        {"sliding_window": 12, "query_pre_attn_scalar": 16, "attn_implementation": "eager"},
    ),
    "gemma3": (
        "Gemma3",
        {
            "sliding_window": 12,
            "query_pre_attn_scalar": 16,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
        },
    ),
}

SPOKEN = "<pad> <s> </s> <unk> babel dabel fobel ambare ambane keeps likes who is what . ? : user assistant"
WORDS = (SPOKEN + "".join(f" w{n}" for n in range(97 - len(SPOKEN.split())))).split()
"""What the random models' tokens are called."""

Build = Callable[..., Any]


def build(shape: str, **changes: Any) -> Any:
    """A model of this shape, in fp32, whose attention is far from uniform and whose text does not repeat one token."""
    family, settings = SHAPES[shape]
    suffix = "TextConfig" if family == "Gemma3" else "Config"
    config = getattr(transformers, family + suffix)(**{**COMMON, **settings, **changes})
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("proj.weight", "dense.weight", "query_key_value.weight")):
                weight.mul_(8.0)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


@pytest.fixture(scope="session")
def models() -> Build:
    """Models by shape, made once; tests leave them as they were."""
    made: dict[str, Any] = {}

    def model(shape: str = "llama") -> Any:
        if shape not in made:
            made[shape] = build(shape)
        return made[shape]

    return model


@pytest.fixture
def prompt() -> Any:
    torch.manual_seed(1)
    return torch.randint(3, 97, (1, 40))


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return word_tokenizer()


def word_tokenizer() -> Any:
    """One token a word of `WORDS`."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", pad_token="<pad>", unk_token="<unk>", padding_side="left"
    )
