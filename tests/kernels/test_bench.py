from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from agentmem.kernels import bench, measure
from agentmem.kernels.cases import CASES
from agentmem.kernels.checks import CHECKS
from agentmem.kernels.layout import PAGE
from agentmem.kernels.measure import Timing
from agentmem.kernels.rivals import ON_HOST, RIVALS, flex_sparse


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which everything takes 10 microseconds."""
    properties = SimpleNamespace(
        name="pretended", multi_processor_count=1, total_memory=1, major=9, minor=0, L2_cache_size=7
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(bench, "INTERPRETED", False)
    monkeypatch.setattr(bench, "copy_gb_per_s", lambda: 3000.0)
    monkeypatch.setattr(bench, "matmul_tflop_per_s", lambda: 700.0)
    monkeypatch.setattr(bench, "timed", lambda calls, graph=True, **rest: Timing(10.0, 9.0, 11.0, graph))
    monkeypatch.setattr(bench, "make_sets", lambda case: [((), {})])
    monkeypatch.setattr(bench, "RIVALS", {})
    monkeypatch.setattr(bench, "red_ops", lambda checks, device: {})


def test_without_a_gpu_nothing_is_timed_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("nothing timed: TRITON_INTERPRET is set here.")


@pytest.mark.usefixtures("pretended_gpu")
def test_red_op_is_refused_and_the_others_are_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "red_ops", lambda checks, device: {"merge_lse": ["merge_lse/x: off by 1"]})

    code = bench.main(["--json", str(tmp_path / "rows.json")])

    kept = json.loads((tmp_path / "rows.json").read_text())
    assert code == 1
    assert "REFUSED merge_lse" in capsys.readouterr().out
    assert {row["op"] for row in kept["rows"]} == {case.op for case in CASES if case.timed} - {"merge_lse"}
    assert kept["refused"] == {"merge_lse": ["merge_lse/x: off by 1"]}
    assert kept["setting"]["device"] == "pretended"
    assert kept["setting"]["compute_capability"] == "9.0"
    assert kept["setting"]["l2_bytes"] == 7
    assert {"torch", "triton", "commit", "at", "copy_gb_per_s"} <= kept["setting"].keys()


@pytest.mark.usefixtures("pretended_gpu")
def test_line_shows_time_floor_shares_and_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--op", "sparse_paged"]) == 0

    told = capsys.readouterr().out
    assert "10.0 us (9.0 to 11.0, graph)" in told
    assert "target 15 us: reached" in told


def test_floor_is_the_larger_of_the_two_times() -> None:
    case = replace(CASES[0], moved_bytes=3_000_000, flops=0)
    ceilings = bench.Ceilings(copy_gb_per_s=3000.0, matmul_tflop_per_s=700.0)

    assert ceilings.floor_us(case) == pytest.approx(1.0)
    assert ceilings.floor_us(replace(case, flops=7_000_000_000)) == pytest.approx(10.0)


def test_every_op_is_checked_timed_and_compiled() -> None:
    checked = {check.op for check in CHECKS}

    assert {case.op for case in CASES if case.timed} | {"kmeans"} == checked
    assert set(RIVALS) == {case.op for case in CASES}
    assert {name for rivals in RIVALS.values() for name in rivals} >= ON_HOST
    assert bench.TARGETS.keys() <= {case.name for case in CASES if case.timed}
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_timed_cases_say_what_they_move() -> None:
    assert all(case.moved_bytes > 0 for case in CASES if case.timed)


@pytest.mark.usefixtures("pretended_gpu")
def test_rival_that_cannot_run_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(inputs: object) -> None:
        raise ImportError("no module named rival")

    monkeypatch.setattr(bench, "RIVALS", {"merge_lse": {"broken": broken, "sound": lambda inputs: print}})

    bench.main(["--op", "merge_lse"])

    told = capsys.readouterr().out
    assert "broken: did not run: ImportError: no module named rival" in told
    assert "10.0 us  sound" in told


@pytest.mark.parametrize(("moved", "held", "sets"), [(300, 1, 1), (100, 1, 2), (1, 1, 64), (1, 30, 4)])
def test_inputs_rotate_until_they_outgrow_the_cache_within_the_memory(
    moved: int, held: int, sets: int
) -> None:
    assert measure.input_sets(moved, held, l2=100, memory=1000) == sets


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
def test_flex_rival_attends_to_the_selected_pages() -> None:
    """The rival that is asked for the same thing gives the same thing."""
    check = next(c for c in CHECKS if c.name.startswith("sparse_paged_attention/b2-t63"))
    (q, pages, table, lengths), options = check.make(torch.device("cpu"))

    out = flex_sparse(((q, pages, table.clamp(min=0), lengths), options))()

    assert out.shape == q.shape
    assert out.isfinite().all()
    assert pages.k_min.shape[2] * PAGE == 64
