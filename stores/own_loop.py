"""An event loop in one thread of its own, for code over connections that are awaited.

Such connections belong to one loop. With a loop of theirs they serve callers on any, one after the other or at
once, and no thread waits for a query, however many are under way.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy.util import greenlet_spawn

from agentmem.errors import ClosedError

P = ParamSpec("P")
T = TypeVar("T")


class OwnLoop:
    """Starts at the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    async def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run synchronous code there, where its waiting for the database leaves the loop free.

        Cancelling this cancels that.

        Raises:
            ClosedError: the loop was closed meanwhile.
        """
        try:
            return await asyncio.wrap_future(self._submit(act, *args, **kwargs))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ClosedError("the store was closed while this call waited") from None

    def close(self, last: Callable[[], None]) -> None:
        """Cancel what still runs, run one thing more, and end; does nothing where nothing ever ran."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(_end(last), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _submit(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(greenlet_spawn(partial(act, *args, **kwargs)), self._ready())

    def _ready(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # a thread does not live on in a forked process
            if self._loop is None or self._pid != os.getpid():
                # psycopg takes no other kind on Windows
                self._loop = asyncio.SelectorEventLoop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, daemon=True, name="agentmem-items"
                )
                self._thread.start()
                self._pid = os.getpid()
            return self._loop


async def _end(last: Callable[[], None]) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await greenlet_spawn(last)
