"""Which models and versions are taken."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import transformers

from agentmem.errors import UnsupportedModelError
from agentmem.kv import attach
from agentmem.kv.support import NEWEST, OLDEST, check_version, shape_of

from .conftest import COMMON, build


def test_the_pinned_transformers_is_known() -> None:
    check_version()


def test_unknown_versions_are_refused_with_the_known_ones() -> None:
    check_version(f"{OLDEST[0]}.{OLDEST[1]}.0")
    check_version(f"{NEWEST[0]}.{NEWEST[1]}.7.dev0")
    with pytest.raises(
        UnsupportedModelError, match=r"transformers 4\.57\.1 is not one that agentmem\.kv knows \(5\.17"
    ):
        check_version("4.57.1")
    with pytest.raises(UnsupportedModelError, match="install one of those"):
        check_version("6.0.0")


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_rope_that_changes_with_length_is_refused(kind: str) -> None:
    rope = {"rope_type": kind, "rope_theta": 10_000.0, "factor": 2.0, "original_max_position_embeddings": 64}
    rope |= {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8} if kind == "longrope" else {}
    model = build("llama", rope_parameters=rope)

    with pytest.raises(UnsupportedModelError, match=f"scales RoPE by '{kind}'"), attach(model):
        pass


def test_a_model_without_rotary_positions_is_refused() -> None:
    config = transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=50)

    with pytest.raises(UnsupportedModelError, match="GPT2LMHeadModel has no rotary position embedding"):
        shape_of(transformers.GPT2LMHeadModel(config))


def test_an_encoder_decoder_is_refused() -> None:
    config = transformers.T5Config(d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8, vocab_size=50)

    with pytest.raises(UnsupportedModelError, match="not a decoder-only language model"):
        shape_of(transformers.T5ForConditionalGeneration(config))


def test_latents_in_the_place_of_keys_are_refused() -> None:
    config = transformers.DeepseekV3Config(**{**COMMON, "n_routed_experts": 4, "num_experts_per_tok": 2})

    with pytest.raises(UnsupportedModelError, match="compressed latents"):
        shape_of(SimpleNamespace(config=config, get_decoder=None))


def test_layers_of_another_kind_are_refused() -> None:
    config = transformers.Llama4TextConfig(
        **{
            **COMMON,
            "num_local_experts": 1,
            "intermediate_size_mlp": 32,
            "layer_types": ["chunked_attention"] * 4,
        }
    )

    with pytest.raises(UnsupportedModelError, match="layers of kind chunked_attention"):
        shape_of(transformers.Llama4ForCausalLM(config))


def test_each_layer_type_has_its_own_frequencies() -> None:
    model = build(
        "gemma3",
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
        },
    )

    shape = shape_of(model)

    assert float(shape.frequencies[0][1]) == pytest.approx(10_000.0 ** (-1 / 8))
    assert float(shape.frequencies[1][1]) == pytest.approx(1_000_000.0 ** (-1 / 8))


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, agentmem.kv; print({'torch', 'transformers'} & set(sys.modules))"

    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from agentmem.errors import MissingExtraError\n"
        "try:\n    from agentmem.kv import attach\n"
        "except MissingExtraError as error:\n    print(error)"
    )

    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'agentmem[kv]'" in told.stdout


def test_a_wrong_name_is_an_attribute_error() -> None:
    import agentmem.kv

    with pytest.raises(AttributeError, match="has no attribute 'atach'"):
        agentmem.kv.atach  # noqa: B018


def test_half_precision_models_are_taken() -> None:
    model = build("llama").to(torch.bfloat16)
    tokens = torch.randint(3, 97, (1, 30))

    with attach(model) as attached:
        model.generate(tokens, max_new_tokens=3, do_sample=False)

    assert attached.stats().size_bytes == 32 * 4 * (2 * 16 * 2 * 2 + 4)
