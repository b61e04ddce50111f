"""The peers of `bench index`: NumPy, hnswlib, faiss and usearch, each over its own sweep, one thread.

A contender is one setting of one built index: a function from a query to ten rows. Knows how each
library is built and how it counts its RAM; measures no time. Building takes minutes, so what was built is
kept beside the vectors and loaded by the next run.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
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


def contenders(
    vectors: FloatArray, folder: Path, families: Sequence[str], told: Callable[[str], None]
) -> Iterator[Contender]:
    """Every peer of these families at every setting of its sweep. All indexes stay in RAM meanwhile.

    Built indexes are kept in `folder`, by the vectors they hold.
    """
    kept = folder / f"peers-{hashlib.sha256(vectors.data).hexdigest()[:12]}"
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    for family, build in BUILDERS:
        if family in families:
            told(f"building or loading {build.__name__.strip('_')}")
            yield from build(vectors, kept)


def _built(file: Path, make: Callable[[Path], None]) -> Path:
    """`file`, made by `make` unless it is there."""
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        make(unfinished)
        unfinished.replace(file)
    return file


def _numpy(vectors: FloatArray, _: Path) -> Iterator[Contender]:
    def search(query: FloatArray) -> Rows:
        similarity = vectors @ query
        best = np.argpartition(similarity, -K)[-K:]
        return best[np.argsort(-similarity[best])]

    yield Contender("numpy", {}, vectors.nbytes / len(vectors), search)


def _hnswlib(vectors: FloatArray, kept: Path) -> Iterator[Contender]:
    import hnswlib

    def make(file: Path) -> None:
        built: Any = hnswlib.Index("ip", vectors.shape[1])
        built.init_index(len(vectors), ef_construction=EF_CONSTRUCTION, M=M, random_seed=100)
        built.add_items(vectors)
        built.save_index(str(file))

    index: Any = hnswlib.Index("ip", vectors.shape[1])
    index.load_index(str(_built(kept / "hnswlib", make)), max_elements=len(vectors))
    index.set_num_threads(1)
    ram = index.index_file_size() / len(vectors)
    for ef in EF_SWEEP:
        yield Contender(
            "hnswlib", {"ef": ef}, ram,
            lambda query: index.knn_query(query, K)[0][0].astype(np.int64),
            partial(index.set_ef, ef),
        )  # fmt: skip


def _faiss(vectors: FloatArray, factory: str, kept: Path) -> tuple[Any, float]:
    """A trained and filled index, and its bytes a row as faiss itself stores it."""
    import faiss

    def make(file: Path) -> None:
        built: Any = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        if factory.startswith("HNSW"):
            built.hnsw.efConstruction = EF_CONSTRUCTION
        built.train(vectors[:: math.ceil(len(vectors) / 50_000)])
        built.add(vectors)
        faiss.write_index(built, str(file))

    file = _built(kept / f"faiss-{factory}", make)
    index = faiss.read_index(str(file))
    faiss.omp_set_num_threads(1)
    return index, file.stat().st_size / len(vectors)


def _faiss_hnsw(vectors: FloatArray, kept: Path) -> Iterator[Contender]:
    index, ram = _faiss(vectors, f"HNSW{M},Flat", kept)
    for ef in EF_SWEEP:
        yield Contender(
            "faiss", {"index": f"HNSW{M}Flat", "ef": ef}, ram,
            lambda query: index.search(query[None], K)[1][0],
            partial(setattr, index.hnsw, "efSearch", ef),
        )  # fmt: skip


def _faiss_pq(vectors: FloatArray, kept: Path) -> Iterator[Contender]:
    yield from _faiss_refined(vectors, f"PQ{vectors.shape[1] // 4}x4fs,Refine(SQ8)", kept)


def _faiss_rabitq(vectors: FloatArray, kept: Path) -> Iterator[Contender]:
    yield from _faiss_refined(vectors, f"RR{vectors.shape[1]},RaBitQfs,Refine(SQ8)", kept)


def _faiss_refined(vectors: FloatArray, factory: str, kept: Path) -> Iterator[Contender]:
    """Fast-scan, then refine: `candidates` is k times faiss's k_factor."""
    index, ram = _faiss(vectors, factory, kept)
    for n in CANDIDATE_SWEEP:
        yield Contender(
            "faiss", {"index": factory, "candidates": n}, ram,
            lambda query: index.search(query[None], K)[1][0],
            partial(setattr, index, "k_factor", n / K),
        )  # fmt: skip


def _usearch(vectors: FloatArray, kept: Path) -> Iterator[Contender]:
    from usearch.index import Index

    for dtype in ("f32", "bf16", "i8"):
        shape = {"ndim": vectors.shape[1], "metric": "cos", "dtype": dtype, "connectivity": M}

        def make(file: Path, shape: dict[str, Any] = shape) -> None:
            built: Any = Index(expansion_add=EF_CONSTRUCTION, **shape)
            built.add(np.arange(len(vectors)), vectors)
            built.save(str(file))

        index: Any = Index(**shape)
        index.load(str(_built(kept / f"usearch-{dtype}", make)))
        ram = index.memory_usage / len(vectors)
        for ef in EF_SWEEP:
            yield Contender(
                "usearch", {"dtype": dtype, "ef": ef}, ram,
                partial(_usearch_ten, index), partial(setattr, index, "expansion_search", ef),
            )  # fmt: skip


def _usearch_ten(index: Any, query: FloatArray) -> Rows:
    rows: Rows = index.search(query, K, threads=1).keys.astype(np.int64)
    return rows


BUILDERS: Final = (
    ("numpy", _numpy),
    ("hnswlib", _hnswlib),
    ("faiss", _faiss_hnsw),
    ("faiss", _faiss_pq),
    ("faiss", _faiss_rabitq),
    ("usearch", _usearch),
    ("faiss-scans", _faiss_pq),  # what of faiss is built in minutes at a million
    ("faiss-scans", _faiss_rabitq),
)
FAMILIES: Final = ("numpy", "hnswlib", "faiss", "usearch")
