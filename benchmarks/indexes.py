"""FAISS index kinds on one thread: which to use from which size on."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import faiss
import numpy as np
from corpus import DIMS, make
from measure import Row, spread

from agentmem.contracts import Vectors

_QUESTIONS = 100


def rows(sizes: tuple[int, ...]) -> Iterator[Row]:
    """Build time, search time and agreement with brute force for flat, IVF-SQ8 and HNSW."""
    corpus = make(max(sizes), questions=_QUESTIONS)
    threads = faiss.omp_get_max_threads()
    for size in sizes:
        vectors = corpus.vectors[:size]
        truth = np.argsort(-(corpus.question_vectors @ vectors.T), axis=1)[:, :10]
        for name, index in _kinds(size).items():
            faiss.omp_set_num_threads(threads)
            start = perf_counter()
            _build(index, vectors)
            built = perf_counter() - start
            faiss.omp_set_num_threads(1)
            found = []
            taken = []
            for question in corpus.question_vectors:
                start = perf_counter()
                found.append(index.search(question[None], 10)[1][0])
                taken.append(perf_counter() - start)
            equal = sum(len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)) / (10 * _QUESTIONS)
            yield Row(
                f"index of {size:,}", name, f"build {built:.1f} s, {spread(taken)}, recall@10 {equal:.3f}"
            )
    faiss.omp_set_num_threads(threads)


def _kinds(size: int) -> dict[str, Any]:
    ivf: Any = faiss.index_factory(DIMS, f"IVF{int(4 * np.sqrt(size))},SQ8", faiss.METRIC_INNER_PRODUCT)
    ivf.nprobe = 32
    hnsw: Any = faiss.IndexHNSWFlat(DIMS, 32, faiss.METRIC_INNER_PRODUCT)
    hnsw.hnsw.efSearch = 64
    return {"flat": faiss.IndexFlatIP(DIMS), "IVF-SQ8, 32 probes": ivf, "HNSW32, ef 64": hnsw}


def _build(index: Any, vectors: Vectors) -> None:
    if not index.is_trained:
        index.cp.niter = 6
        index.train(vectors)
    index.add(vectors)
