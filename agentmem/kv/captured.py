"""A step that reads and writes the same tensors every time: replayed as one CUDA graph, called as it is elsewhere.

A decoding step of a large model is hundreds of small kernels, and on a fast GPU launching them takes longer than
running them; a graph is one launch. The step runs once as it is, which also lets kernels tune themselves, is captured
on its second call, and replayed from then on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch


class Captured:
    """Calls `step`, which takes and returns nothing: as a graph on a CUDA device, unless `graphs` is false."""

    def __init__(self, step: Callable[[], None], device: torch.device, *, graphs: bool = True) -> None:
        self._step = step
        self._graphs = graphs and device.type == "cuda"
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Run the step."""
        if self._graph is None and self._graphs and self._warm:
            self._graph = self._capture()
        if self._graph is not None:
            self._graph.replay()
        else:
            self._step()
        self._warm = True

    def drop(self) -> None:
        """Forget the graph: some tensor of the step lies elsewhere now."""
        self._graph, self._warm = None, False

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        """The step as a graph; none, and a warning, where the model does something that no graph can hold."""
        graph = torch.cuda.CUDAGraph()
        try:
            # other threads may go on using the device meanwhile
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._step()
        except RuntimeError as error:
            self._graphs = False
            warnings.warn(f"decoding goes on without a CUDA graph: {error}", stacklevel=2)
            return None
        return graph
