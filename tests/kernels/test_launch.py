from __future__ import annotations

import pytest
import torch
from agentmem.kernels.launch import Choice, Kernel, cdiv, pow2, recording
from agentmem.kernels.merge import merge_body, merge_lse
from hypothesis import given
from hypothesis import strategies as st


@given(n=st.integers(1, 10_000), least=st.sampled_from([1, 16]))
def test_block_length_is_the_least_power_of_two_that_holds_it(n: int, least: int) -> None:
    length = pow2(n, least)

    assert length & (length - 1) == 0
    assert length >= max(n, least)
    assert length == least or length < 2 * n


def test_rounding_up() -> None:
    assert [cdiv(n, 64) for n in (0, 1, 64, 65)] == [0, 1, 1, 2]


def test_recorded_launches_run_nothing() -> None:
    outs, lses = torch.ones(2, 5, 16, device="meta"), torch.ones(2, 5, device="meta")

    with recording() as launches:
        merge_lse(outs, lses)

    assert [launch.kernel.name for launch in launches] == ["merge_body"]
    assert launches[0].args[0] is outs
    assert launches[0].constants == {"D": 16, "BD": 16}


def test_choices_that_do_not_fit_are_dropped() -> None:
    kernel = Kernel(merge_body, (Choice(4, blocks={"BR": 4}), Choice(4, blocks={"BR": 8})))

    with recording() as launches:
        kernel(lambda meta: (1,), fits=lambda choice: choice.blocks["BR"] == 8)

    assert [choice.blocks["BR"] for choice in launches[0].choices] == [8]


def test_recording_ends_with_its_block() -> None:
    with pytest.raises(ZeroDivisionError), recording():
        _ = 1 // 0

    assert merge_lse(torch.ones(1, 1, 16), torch.zeros(1, 1)).out.sum() == 16
