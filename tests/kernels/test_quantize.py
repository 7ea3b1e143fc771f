from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.dequantize import dequantize
from agentmem.kernels.quantize import quantize_pack
from agentmem.kernels.verify import compare
from hypothesis import given, settings
from hypothesis import strategies as st


def noise(
    tokens: int, dim: int, dtype: torch.dtype = torch.float32, heads: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(1, heads, tokens, dim).to(dtype), torch.randn(1, heads, tokens, dim).to(dtype)


@settings(max_examples=12)
@given(
    tokens=st.integers(1, 130),
    dim=st.sampled_from([64, 80, 96, 128]),
    bits=st.sampled_from([2, 4, 8]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    scale=st.sampled_from([1e-4, 1.0, 300.0]),
    seed=st.integers(0, 2**31),
)
def test_codes_scales_and_zeros_are_bit_equal_to_the_definition(
    tokens: int, dim: int, bits: int, dtype: torch.dtype, scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    k, v = (x * scale for x in noise(tokens, dim, dtype))

    got = quantize_pack(k, v, k_bits=bits, v_bits=bits)

    assert compare(got, reference.quantize_pack(k, v, k_bits=bits, v_bits=bits), 0.0) == []


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_error_is_at_most_half_a_step_and_the_rounding_of_the_ends(bits: int) -> None:
    k, v = noise(65, 64)
    pages = quantize_pack(k, v, k_bits=bits, v_bits=bits)

    k_back, v_back = dequantize(pages, 65)

    for x, back in ((k, k_back), (v, v_back)):
        step = (x.max() - x.min()) / (2**bits - 1)
        assert float((x - back).abs().max()) <= float(step / 2 + 2**-11 * (x.abs().max() + 2**bits * step))


def test_constant_groups_come_back_exactly() -> None:
    k, v = torch.full((1, 1, 70, 64), 1.5), torch.full((1, 1, 70, 64), -3.0)

    k_back, v_back = dequantize(quantize_pack(k, v, k_bits=2, v_bits=2), 70)

    assert torch.equal(k_back, k)
    assert torch.equal(v_back, v)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 70_000.0])
def test_unstorable_number_spoils_its_group_and_no_other(bad: float) -> None:
    k, v = noise(70, 128)
    k[0, 0, 3, 5] = v[0, 0, 3, 70] = bad

    k_back, v_back = dequantize(quantize_pack(k, v, k_bits=4, v_bits=4), 70)

    spoilt_k, spoilt_v = torch.zeros(70, 128, dtype=torch.bool), torch.zeros(70, 128, dtype=torch.bool)
    spoilt_k[:64, 5] = True
    spoilt_v[3, 64:] = True
    assert torch.equal(k_back[0, 0].isnan(), spoilt_k)
    assert torch.equal(v_back[0, 0].isnan(), spoilt_v)


def test_summary_bounds_the_keys_of_each_page() -> None:
    k, v = noise(100, 64)

    pages = quantize_pack(k, v)

    assert torch.equal(pages.k_min[0, 0, 1], k[0, 0, 64:].amin(dim=0))
    assert torch.equal(pages.k_max[0, 0, 0], k[0, 0, :64].amax(dim=0))


def test_four_bits_take_a_quarter_of_bf16_and_five_bits_with_scales() -> None:
    k, v = noise(64, 128, torch.bfloat16)

    pages = quantize_pack(k, v)

    assert pages.k.numel() + pages.v.numel() == (k.numel() + v.numel()) // 2
    codes_and_scales = pages.size_bytes - 2 * pages.k_min.numel() * 2
    assert codes_and_scales * 8 == (k.numel() + v.numel()) * 4.5


def test_wrong_operands_are_refused_with_what_to_do() -> None:
    k, v = noise(10, 64)

    with pytest.raises(KernelShapeError, match=r"v has shape \[1, 1, 9, 64\], must be \[1, 1, 10, 64\]"):
        quantize_pack(k, v[:, :, :9])
    with pytest.raises(KernelDtypeError, match="k is int32, must be float32 or float16 or bfloat16"):
        quantize_pack(k.int(), v.int())
    with pytest.raises(KernelShapeError, match=r"k is not contiguous; pass k.contiguous\(\)"):
        quantize_pack(k.transpose(2, 3).contiguous().transpose(2, 3), v)
    with pytest.raises(KernelShapeError, match="bits are 3 and 4, must be 2, 4 or 8"):
        quantize_pack(k, v, k_bits=3)
    with pytest.raises(KernelShapeError, match="head dim is 72"):
        quantize_pack(*noise(10, 72))
    with pytest.raises(KernelShapeError, match="cos and sin go together"):
        quantize_pack(k, v, cos=torch.zeros(64, 32))
