"""Which code runs an op, and that kernels and definitions are told the same way."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
import torch
from agentmem.kernels.checks import CHECKS

from agentmem.errors import InvalidInputError, MissingExtraError, UnknownPluginError
from agentmem.kv import ops


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ops.SWITCH, raising=False)


@pytest.mark.parametrize("name", ops.KERNELS)
def test_kernel_and_definition_have_one_signature(name: str) -> None:
    kernel, definition = ops.op(name, cuda=True), ops.op(name, cuda=False)

    assert inspect.signature(kernel) == inspect.signature(definition)
    assert kernel.__module__ == ops.KERNELS[name]
    assert definition.__module__.startswith("agentmem.kernels.reference")


@pytest.mark.parametrize("name", ops.KERNELS)
def test_docstring_says_what_it_moves_computes_and_raises(name: str) -> None:
    told = inspect.getdoc(ops.op(name, cuda=True)) or ""

    assert "Moves" in told
    assert "Raises:" in told
    assert "FLOPs" in told or name == "keep_index" or name == "kmeans"
    assert "NaN" in told or name in ("keep_index", "dequantize", "kmeans")


def test_every_op_is_checked() -> None:
    assert {check.op for check in CHECKS} == ops.KERNELS.keys()


def test_every_part_is_there() -> None:
    assert all(callable(ops.part(name)) for name in ops.PARTS)


def test_op_runs_where_its_operand_lies() -> None:
    outs, lses = torch.ones(2, 3, 16), torch.zeros(2, 3)

    assert ops.run("merge_lse", outs, lses).out.sum() == 48


@pytest.mark.parametrize(
    ("wanted", "cuda", "module"), [("reference", True, "reference_pages"), ("triton", False, "merge")]
)
def test_switch_forces_one_implementation(
    monkeypatch: pytest.MonkeyPatch, wanted: str, cuda: bool, module: str
) -> None:
    monkeypatch.setenv(ops.SWITCH, wanted)

    assert ops.op("merge_lse", cuda=cuda).__module__ == f"agentmem.kernels.{module}"


def test_switch_set_to_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ops.SWITCH, "cuda")

    with pytest.raises(
        InvalidInputError, match="AGENTMEM_KERNELS is 'cuda'; set it to 'reference' or 'triton'"
    ):
        ops.op("merge_lse", cuda=False)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownPluginError, match="no op named 'softmax'; known: attention_mass"):
        ops.op("softmax", cuda=False)
    with pytest.raises(UnknownPluginError, match="no kernel part named 'x'"):
        ops.part("x")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name="torch")

    monkeypatch.setattr(ops, "import_module", absent)

    with pytest.raises(MissingExtraError, match=r"pip install 'agentmem\[kv\]'"):
        ops._load("agentmem.kernels.other", "anything")


def test_gpu_without_triton_uses_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "find_spec", lambda name: None)

    assert ops.op("rotate", cuda=True).__module__ == "agentmem.kernels.reference_pages"


def test_importing_the_table_imports_no_torch() -> None:
    code = "import sys, agentmem, agentmem.kv.ops; print({'torch', 'triton'} & set(sys.modules))"

    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_definition_needs_no_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None; import torch; from agentmem.kv import ops\n"
        "print(ops.run('merge_lse', torch.ones(1, 2, 16), torch.zeros(1, 2)).out.shape)"
    )

    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "torch.Size([2, 16])"


def test_reference_hands_on_what_it_lists() -> None:
    reference = import_module(ops.REFERENCE)

    assert sorted(reference.__all__) == list(reference.__all__)
    assert ops.KERNELS.keys() <= set(reference.__all__)
