"""The peers of `bench index`: NumPy, hnswlib, faiss and usearch, each over its own sweep, one thread.

A contender is one setting of one built index: a function from a query to ten rows. Knows how each
library is built and how it counts its RAM; measures no time.
"""

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from assistant.records import FloatArray

K: Final = 10
M: Final = 16
EF_CONSTRUCTION: Final = 200
EF_SWEEP: Final = (16, 32, 64, 96, 128, 192, 256, 384)
CANDIDATE_SWEEP: Final = (40, 60, 80, 100, 150, 200, 400)
Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Contender:
    family: str  # key of the report
    setting: dict[str, Any]  # what is printed beside the figures
    ram_bytes_per_memory: float
    search: Callable[[FloatArray], Rows]  # (dimension,) -> (K,)
    prepare: Callable[[], None] = lambda: None  # makes this setting the index's


def contenders(vectors: FloatArray, told: Callable[[str], None]) -> Iterator[Contender]:
    """Every peer at every setting of its sweep. All indexes stay in RAM meanwhile."""
    for build in (_numpy, _hnswlib, _faiss_hnsw, _faiss_pq, _faiss_rabitq, _usearch):
        told(f"building {build.__name__.strip('_')}")
        yield from build(vectors)


def _numpy(vectors: FloatArray) -> Iterator[Contender]:
    def search(query: FloatArray) -> Rows:
        similarity = vectors @ query
        best = np.argpartition(similarity, -K)[-K:]
        return best[np.argsort(-similarity[best])]

    yield Contender("numpy", {}, vectors.nbytes / len(vectors), search)


def _hnswlib(vectors: FloatArray) -> Iterator[Contender]:
    import hnswlib

    index: Any = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), ef_construction=EF_CONSTRUCTION, M=M, random_seed=100)
    index.add_items(vectors)
    index.set_num_threads(1)
    ram = index.index_file_size() / len(vectors)
    for ef in EF_SWEEP:
        yield Contender(
            "hnswlib", {"ef": ef}, ram,
            lambda query: index.knn_query(query, K)[0][0].astype(np.int64),
            partial(index.set_ef, ef),
        )  # fmt: skip


def _faiss(vectors: FloatArray, factory: str) -> tuple[Any, float]:
    """A trained and filled index, and its bytes a row as faiss itself would store it."""
    import faiss

    index: Any = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    if factory.startswith("HNSW"):
        index.hnsw.efConstruction = EF_CONSTRUCTION
    index.train(vectors[:: math.ceil(len(vectors) / 50_000)])
    index.add(vectors)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "index"
        faiss.write_index(index, str(file))
        ram = file.stat().st_size / len(vectors)
    faiss.omp_set_num_threads(1)
    return index, ram


def _faiss_hnsw(vectors: FloatArray) -> Iterator[Contender]:
    index, ram = _faiss(vectors, f"HNSW{M},Flat")
    for ef in EF_SWEEP:
        yield Contender(
            "faiss", {"index": f"HNSW{M}Flat", "ef": ef}, ram,
            lambda query: index.search(query[None], K)[1][0],
            partial(setattr, index.hnsw, "efSearch", ef),
        )  # fmt: skip


def _faiss_pq(vectors: FloatArray) -> Iterator[Contender]:
    yield from _faiss_refined(vectors, f"PQ{vectors.shape[1] // 4}x4fs,Refine(SQ8)")


def _faiss_rabitq(vectors: FloatArray) -> Iterator[Contender]:
    yield from _faiss_refined(vectors, f"RR{vectors.shape[1]},RaBitQfs,Refine(SQ8)")


def _faiss_refined(vectors: FloatArray, factory: str) -> Iterator[Contender]:
    """Fast-scan, then refine: `candidates` is k times faiss's k_factor."""
    index, ram = _faiss(vectors, factory)
    for n in CANDIDATE_SWEEP:
        yield Contender(
            "faiss", {"index": factory, "candidates": n}, ram,
            lambda query: index.search(query[None], K)[1][0],
            partial(setattr, index, "k_factor", n / K),
        )  # fmt: skip


def _usearch(vectors: FloatArray) -> Iterator[Contender]:
    from usearch.index import Index

    for dtype in ("f32", "bf16", "i8"):
        index: Any = Index(
            ndim=vectors.shape[1], metric="cos", dtype=dtype, connectivity=M,
            expansion_add=EF_CONSTRUCTION,
        )  # fmt: skip
        index.add(np.arange(len(vectors)), vectors)
        ram = index.memory_usage / len(vectors)
        for ef in EF_SWEEP:
            yield Contender(
                "usearch", {"dtype": dtype, "ef": ef}, ram,
                partial(_usearch_ten, index), partial(setattr, index, "expansion_search", ef),
            )  # fmt: skip


def _usearch_ten(index: Any, query: FloatArray) -> Rows:
    rows: Rows = index.search(query, K, threads=1).keys.astype(np.int64)
    return rows
