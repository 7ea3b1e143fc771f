"""On a device of its own (see `idle_device.py`) all of in-model memory gives what it gives on the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton", reason="kernels need the extra agentmem[kv]: triton is not installed")
backends = pytest.importorskip("torch.utils.backend_registration")
if not hasattr(backends, "_setup_privateuseone_for_python_backend"):
    pytest.skip("this torch takes no device written in Python", allow_module_level=True)

CASES = (
    "Full",
    "SinkRecent",
    "H2O",
    "TOVA",
    "SnapKV",
    "ExpectedAttention",
    "TokenEntropy",
    "Ladder",
    "BlockRetrieval",
    "ClusteredRetrieval",
    "PrecisionTiers",
    "HeadSplit",
    "episodes",
    "episodes, blended",
    "soft memories",
    "prefill",
    "lossless",
    "replay",
)
STATIC = {
    # of 5 steps the first is run as it is; the page that leaves takes another
    "Full, static": 4,
    "SinkRecent, static": 4,
    "HeadSplit, static": 4,
    "BlockRetrieval, static": 3,
    "sliding layers, static": 4,
    "capped scores, static": 4,
    "partial rotary, static": 4,
    # of 2 steps
    "episodes, static": 1,
    "a step that waits": 0,
}
"""Case -> how often its graph is replayed."""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the script prints for all cases."""
    script = Path(__file__).with_name("on_idle_device.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=400
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    results: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return results


def test_every_case_is_looked_at(found: dict[str, Any]) -> None:
    assert set(found) == {*CASES, *STATIC}


@pytest.mark.parametrize("case", [*CASES, *STATIC])
def test_a_device_gives_what_the_host_gives(found: dict[str, Any], case: str) -> None:
    assert found[case]["error"] == ""
    assert found[case]["same"]


@pytest.mark.parametrize("case", STATIC)
def test_static_steps_are_one_graph_replayed(found: dict[str, Any], case: str) -> None:
    assert found[case]["replays"] == [STATIC[case]]


def test_a_step_that_no_graph_can_hold_is_decoded_without_one_and_says_so(found: dict[str, Any]) -> None:
    assert [name for name in found if found[name]["warned"]] == ["a step that waits"]
    (told,) = found["a step that waits"]["warned"]
    assert told.startswith("decoding goes on without a CUDA graph: ")
