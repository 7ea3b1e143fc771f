"""Training of the recall model can be stopped and taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the recall model needs agentmem[kv]: torch is not installed")
pytest.importorskip(
    "transformers", reason="the recall model needs agentmem[kv]: transformers is not installed"
)

import torch
from agentmem.evals.train_recaller import Run, Size, Stage, fresh, optimizer_of

STAGES = (
    Stage((Size(tokens=17, facts=4, batch=8),), learnt=2.0, steps=3),
    Stage((Size(tokens=48, facts=8, batch=2), Size(tokens=96, facts=8, batch=1)), learnt=2.0, steps=3),
)


def begun(folder: Path) -> Run:
    folder.mkdir(exist_ok=True)
    model = fresh()
    run = Run(model, optimizer_of(model), folder, STAGES)
    run.resume()
    return run


def weights(run: Run) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(run.model.parameters())


def stop_at(run: Run, call: int) -> None:
    """Press Ctrl-C when the model is called for this time."""
    calls = iter(range(1, call))

    def count(*_: object) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    run.model.model.register_forward_pre_hook(count)


def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    whole = begun(tmp_path / "whole")
    whole.train()

    stopped = begun(tmp_path / "stopped")
    stop_at(stopped, 5)
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    resumed = begun(tmp_path / "stopped")
    kept = resumed.step
    resumed.train()

    assert (kept, resumed.step, whole.step) == (3, 6, 6)
    assert torch.equal(weights(resumed), weights(whole))
