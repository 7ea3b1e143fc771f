from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from agentmem.kernels.launch import Choice, Kernel, cdiv, magnitude, pow2, recording
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


def test_launches_of_like_size_share_a_tuned_choice() -> None:
    assert [magnitude(programs) for programs in (1, 7, 8, 63, 64, 4096)] == [0, 0, 1, 1, 2, 4]


@pytest.fixture(scope="module")
def idle_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """Two calls of `merge_lse` through Triton's runtime, to a GPU that is not there."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    # where a body's file lies is in the binary otherwise
    environment |= {
        "TRITON_DISABLE_LINE_INFO": "1",
        "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
    }
    told = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("idle_driver.py")), "merge_lse/33x-float32"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seen: dict[str, list[object]] = json.loads(told.stdout)
    return seen


def test_first_call_times_every_choice_and_later_calls_run_the_fastest(
    idle_run: dict[str, list[object]],
) -> None:
    """The driver's rule is that a later choice is faster: four, one, then eight rows a program, of 32."""
    tuning = [["merge_body", 4, [8, 1, 1]], ["merge_body", 1, [32, 1, 1]], ["merge_body", 4, [4, 1, 1]]]

    assert idle_run["launched"] == [*tuning, tuning[2], tuning[2]]


def test_what_is_compiled_ahead_of_time_is_what_a_gpu_is_sent(idle_run: dict[str, list[object]]) -> None:
    assert len(idle_run["loaded"]) == 3
    assert sorted(idle_run["loaded"]) == sorted(idle_run["ahead"])  # type: ignore[type-var]
