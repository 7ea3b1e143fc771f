"""Arrays that grow in place. Know nothing of what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST = 64


class Column:
    """A one-dimensional array with cheap appending."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._data: NDArray[Any] = np.zeros(_FIRST, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> NDArray[Any]:
        """What is held, `[n]`; writing to it writes here."""
        return self._data[: self._size]

    def add(self, value: Any) -> None:
        """Append one value."""
        if self._size == len(self._data):
            self._data = np.concatenate([self._data, np.zeros_like(self._data)])
        self._data[self._size] = value
        self._size += 1


class Rows:
    """A matrix of float32 rows of one length, which the first row sets."""

    def __init__(self) -> None:
        self._data: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._size = 0

    @property
    def view(self) -> NDArray[np.float32]:
        """What is held, `[n, dims]`."""
        return self._data[: self._size]

    def add(self, row: NDArray[np.float32]) -> None:
        """Append one row."""
        if self._size == len(self._data):
            grown = np.zeros((max(_FIRST, 2 * self._size), len(row)), dtype=np.float32)
            if self._size:
                grown[: self._size] = self.view
            self._data = grown
        self._data[self._size] = row
        self._size += 1
