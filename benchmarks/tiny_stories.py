"""stories260K, a public llama2.c model of 260 thousand parameters, as a transformers model.

The file is llama2.c's first format: seven int32 (dim, hidden dim, layers, heads, KV heads, vocabulary, positions), then
the weights in fp32. Its rotary pairs are neighbours (2j, 2j + 1); transformers wants them half a head apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM


class Weights:
    """Reads the file front to back."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data
        self._at = 0

    def take(self, *shape: int) -> Tensor:
        """The next weights, in this shape."""
        count = int(np.prod(shape))
        part = self._data[self._at : self._at + count]
        self._at += count
        return torch.from_numpy(part.copy()).view(*shape)


def load(path: Path) -> LlamaForCausalLM:
    """The model of a llama2.c file, with its output tied to its embedding."""
    raw = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, positions = np.frombuffer(raw[:28], dtype=np.int32).tolist()
    weights, head = Weights(np.frombuffer(raw[28:], dtype=np.float32)), dim // heads
    state = {"model.embed_tokens.weight": weights.take(vocab, dim)}

    def each(name: str, *shape: int, paired: int = 0) -> None:
        for number, part in enumerate(weights.take(layers, *shape)):
            state[f"model.layers.{number}.{name}.weight"] = apart(part, paired) if paired else part

    each("input_layernorm", dim)
    each("self_attn.q_proj", dim, dim, paired=heads)
    each("self_attn.k_proj", kv_heads * head, dim, paired=kv_heads)
    each("self_attn.v_proj", kv_heads * head, dim)
    each("self_attn.o_proj", dim, dim)
    each("post_attention_layernorm", dim)
    each("mlp.gate_proj", hidden, dim)
    each("mlp.down_proj", dim, hidden)
    each("mlp.up_proj", hidden, dim)
    state["model.norm.weight"] = weights.take(dim)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=dim,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=positions,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model.eval()


def apart(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from (0, 1, 2, 3, ...) to (0, 2, ..., 1, 3, ...)."""
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
