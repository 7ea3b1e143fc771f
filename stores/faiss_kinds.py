"""The kinds of FAISS index a namespace may have: exact while small, an inverted file of codes when large.

The codes of an inverted file are 8 bits a coordinate for vectors kept in 8 bits or more, and 4 bits for those kept
in less (`Grade`), so that memory falls with precision. Knows nothing of tables or files.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import faiss
import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Vectors

Grade = Literal["fine", "coarse"]
Keys = NDArray[np.int64]
GRADES: tuple[Grade, ...] = get_args(Grade)

_PROBES = 32
_MOST_LISTS = 2048
# what FAISS asks for so that a list's centre means something
TRAIN_PER_LIST = 40


def exact(dims: int) -> Any:
    """An index of float32 vectors, searched whole."""
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dims))


def lists_for(count: int) -> int:
    """How many lists serve `count` vectors: training costs their square, searching falls with them."""
    return max(1, min(int(4 * np.sqrt(count)), _MOST_LISTS))


def approximate(sample: Vectors, count: int, grade: Grade) -> Any:
    """An empty inverted file for some `count` vectors, trained on a sample `[n, dims]` of them.

    It can remove and append, and is searched in a millisecond (measured beside HNSW in `docs/results.md`).
    """
    dims = sample.shape[1]
    kind = faiss.ScalarQuantizer.QT_8bit if grade == "fine" else faiss.ScalarQuantizer.QT_4bit
    lists = min(lists_for(count), len(sample))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dims), dims, lists, kind, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = 6
    index.cp.min_points_per_centroid = 1
    index.train(sample)
    index.nprobe = _PROBES
    return index


def is_approximate(index: Any) -> bool:
    """Whether it is an inverted file."""
    return isinstance(faiss.downcast_index(index), faiss.IndexIVF)


def ready(index: Any) -> Any:
    """An index read from disk, set to be searched."""
    if is_approximate(index):
        faiss.extract_index_ivf(index).nprobe = _PROBES
    return index


def move(source: Any, target: Any) -> None:
    """Add all that an exact index holds to another."""
    flat: Any = faiss.downcast_index(source.index)
    if source.ntotal:
        rows = faiss.rev_swig_ptr(flat.get_xb(), source.ntotal * source.d).reshape(-1, source.d)
        target.add_with_ids(rows, faiss.vector_to_array(source.id_map))


def held_keys(index: Any) -> Keys:
    """The keys an index holds, in no order."""
    inner: Any = faiss.downcast_index(index)
    if not is_approximate(inner):
        keys: Keys = faiss.vector_to_array(inner.id_map)
        return keys
    lists = inner.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
        for i in range(inner.nlist)
        if lists.list_size(i)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def size_bytes(index: Any) -> int:
    """What an index takes in memory, nearly."""
    inner: Any = faiss.downcast_index(index)
    row = inner.code_size if is_approximate(inner) else 4 * inner.d
    return int(inner.ntotal * (row + 8))
