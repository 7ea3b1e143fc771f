"""A device that stands where a GPU would: its tensors hold real numbers, and mixing them with the host's is an error.

Every op runs on the host's copies; what crosses between host and device, or makes the host wait, is noted. Triton
kernels run in the CPU interpreter, and graphs are captured and replayed. Torch knows one such device a process, so
`on_idle_device.py` is a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import torch
from agentmem.kernels import launch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from agentmem.kv import captured

NAME = "idle"
crossings: list[str] = []
"""Ops that moved something between host and device, or made the host wait."""
aten = torch.ops.aten
TAKE_HOST_INDEX = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default)
"""Ops that take indices from the host, copying them first."""
COPIES = (aten._to_copy.default, aten.copy_.default)
WAITS = (
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
)


class Graph:
    """What a CUDA graph is: the device's ops of one run, done again on the same tensors, and no Python between them.

    What moves between host and device, or waits for it, cannot be captured. Unlike a real one it also runs the ops
    while they are captured, so the first replay does nothing, and a capture that fails is undone.
    """

    captured: ClassVar[list[Graph]] = []
    current: ClassVar[Graph | None] = None

    def __init__(self) -> None:
        self.ops: list[Callable[[], Any]] = []
        self.replays = 0
        self.written: list[tuple[torch.Tensor, torch.Tensor]] = []

    def replay(self) -> None:
        """Do it all again."""
        self.replays += 1
        if self.replays > 1:
            for op in self.ops:
                op()

    def add(self, func: Callable[..., Any], args: Any, kwargs: Any, found: Any) -> None:
        """One op; done again, its results go where they went."""

        def again() -> None:
            for old, new in zip(tree_iter(found), tree_iter(func(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)

        self.ops.append(again)

    @staticmethod
    @contextmanager
    def capture(graph: Graph, **options: Any) -> Iterator[None]:
        """Note what the device does."""
        Graph.captured.append(graph)
        Graph.current = graph
        try:
            yield
        except RuntimeError:
            for tensor, before in reversed(graph.written):
                tensor.copy_(before)
            raise
        finally:
            Graph.current = None


def crossed(what: Any) -> None:
    """Note that something crossed; no graph holds that."""
    if Graph.current is not None:
        raise RuntimeError(f"{what} cannot be captured")
    crossings.append(str(what))


class Idle(torch.Tensor):
    """A tensor of the device; `held` is the host's copy."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Idle:
        made: Idle = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME),
        )
        made.held = held
        return made

    def data_ptr(self) -> int:
        """Where the numbers lie."""
        return self.held.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """What they lie in."""
        return self.held.untyped_storage()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run on the host's copies."""
        return run(func, args, kwargs or {})


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One op: on the device where an operand or the wanted device says so."""
    tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, torch.Tensor)]
    mine = [one for one in tensors if isinstance(one, Idle)]
    host = [one for one in tensors if not isinstance(one, Idle) and one.ndim > 0]
    wanted = kwargs.get("device")
    if func in WAITS and mine:
        crossed(func)
    if mine and host:
        if func not in (*COPIES, *TAKE_HOST_INDEX):
            raise RuntimeError(
                f"{func} mixes host and device: {[(one.device, one.shape) for one in tensors]}"
            )
        crossed(func)
    there = bool(mine) if wanted is None else torch.device(wanted).type == NAME
    if func is aten._to_copy.default and bool(mine) != there:
        crossed(func)
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if func is aten.copy_.default:
        there = isinstance(args[0], Idle)
    held, given = tree_map(unwrapped, args), tree_map(unwrapped, kwargs)
    inside = func._schema.name.endswith("_") and isinstance(args[0], torch.Tensor)
    if Graph.current is not None and inside:
        Graph.current.written.append((held[0], held[0].clone()))
    found = func(*held, **given)
    if Graph.current is not None and there:
        Graph.current.add(func, held, given, found)
    if inside:
        return args[0]
    return tree_map(wrapped, found) if there else found


def unwrapped(part: Any) -> Any:
    """The host's copy."""
    return part.held if isinstance(part, Idle) else part


def wrapped(part: Any) -> Any:
    """On the device."""
    return Idle(part) if isinstance(part, torch.Tensor) and not isinstance(part, Idle) else part


class Factories(TorchDispatchMode):
    """Ops without operands, told to make something on the device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """As `run`."""
        return run(func, args, kwargs or {})


class Literals(TorchFunctionMode):
    """Python's own numbers to tensors and back, which no dispatch sees."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """They are copied over."""
        given = dict(kwargs or {})
        if func is torch.tensor and torch.device(given.get("device") or "cpu").type == NAME:
            crossed("torch.tensor")
            return Idle(func(*args, **{**given, "device": "cpu"}))
        if func is torch.Tensor.tolist and isinstance(args[0], Idle):
            crossed("tolist")
            return args[0].held.tolist()
        return func(*args, **given)


@contextmanager
def device() -> Iterator[None]:
    """The device is there, and kernels read what lies on it."""
    _setup_privateuseone_for_python_backend(rename=NAME)
    plain = launch.Kernel.__call__

    def call(kernel: launch.Kernel, grid: Any, *args: Any, **constants: Any) -> None:
        held = [unwrapped(one) for one in args]
        plain(kernel, grid, *held, **constants)
        if Graph.current is not None:
            Graph.current.add(partial(plain, kernel, grid), held, constants, None)

    def init(step: captured.Captured, run: Any, device: torch.device, *, graphs: bool = True) -> None:
        made(step, run, device, graphs=graphs)
        step._graphs = graphs and device.type == NAME

    made = captured.Captured.__init__
    captured.Captured.__init__ = init  # type: ignore[method-assign]
    graphs = torch.cuda.CUDAGraph, torch.cuda.graph
    torch.cuda.CUDAGraph, torch.cuda.graph = Graph, Graph.capture  # type: ignore[misc, assignment]
    launch.Kernel.__call__ = call  # type: ignore[method-assign]
    try:
        with Factories(), Literals(), torch.no_grad():
            yield
    finally:
        launch.Kernel.__call__ = plain  # type: ignore[method-assign]
        captured.Captured.__init__ = made  # type: ignore[method-assign]
        torch.cuda.CUDAGraph, torch.cuda.graph = graphs  # type: ignore[misc]


def there(model: torch.nn.Module) -> None:
    """Move a model's weights to the device."""
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, torch.nn.Parameter(Idle(weight.data), requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, Idle(buffer))
