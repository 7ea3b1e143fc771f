"""Named places in the code where a test may strike: kill the process, raise, or wait.

`point("remember.committed")` does nothing unless a handler is installed, and costs one look at a global. A name is
the verb and the step that has just been done. `benchmarks/fire.py` kills the process at every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_handler: Callable[[str], None] | None = None


def point(name: str) -> None:
    """Tell the handler, if there is one, that this step is done."""
    if _handler is not None:
        _handler(name)


@contextmanager
def handled(handler: Callable[[str], None]) -> Iterator[None]:
    """Call `handler` with the name of every point passed, in any thread of this process."""
    global _handler
    before, _handler = _handler, handler
    try:
        yield
    finally:
        _handler = before
