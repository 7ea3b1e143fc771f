from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.dequantize import dequantize
from agentmem.kernels.layout import Pages
from agentmem.kernels.reference_pages import unpack_codes


@pytest.fixture
def pages() -> Pages:
    return reference.quantize_pack(torch.randn(1, 2, 130, 64), torch.randn(1, 2, 130, 64))


def test_fewer_tokens_than_are_held_can_be_read(pages: Pages) -> None:
    whole, part = dequantize(pages, 130), dequantize(pages, 64)

    assert torch.equal(part[0], whole[0][:, :, :64])
    assert torch.equal(part[1], whole[1][:, :, :64])


def test_two_bit_codes_are_the_channels_a_quarter_apart() -> None:
    packed = torch.tensor([0b11_10_01_00], dtype=torch.uint8)

    assert unpack_codes(packed, 2).tolist() == [0, 1, 2, 3]


def test_pages_that_do_not_fit_together_are_refused(pages: Pages) -> None:
    plain = reference.plain_pages(torch.randn(1, 1, 5, 64), torch.randn(1, 1, 5, 64))

    with pytest.raises(KernelShapeError, match="the pages are plain"):
        dequantize(plain, 5)
    with pytest.raises(KernelShapeError, match="200 tokens asked of 3 pages of 64"):
        dequantize(pages, 200)
    with pytest.raises(KernelShapeError, match=r"pages\.k has shape"):
        dequantize(replace(pages, k_bits=8), 130)
    with pytest.raises(KernelDtypeError, match=r"pages\.k_scale is float32, must be float16"):
        dequantize(replace(pages, k_scale=pages.k_scale.float() if pages.k_scale is not None else None), 130)
    with pytest.raises(KernelShapeError, match=r"dtype is torch\.int8"):
        dequantize(pages, 130, dtype=torch.int8)
