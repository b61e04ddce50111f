"""A store's vectors in RAM, and random ones: what the index tests search."""

from collections.abc import Iterator

import numpy as np

from assistant.memory.index_rows import VectorBatch
from assistant.native import quantise_int8
from assistant.records import FloatArray


def make_vectors(n: int, dimension: int = 48, seed: int = 0) -> FloatArray:
    """Unit vectors in loose clusters, as sentences lie."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dimension))
    vectors = centres[random.integers(0, 20, n)] + random.standard_normal((n, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_batch(ids: list[int], vectors: FloatArray, generation: int = 1) -> VectorBatch:
    codes, scales = quantise_int8(vectors)
    n = len(ids)
    generations = np.arange(generation, generation + n, dtype=np.int64)
    return VectorBatch(np.array(ids, np.int64), codes, scales, generations, np.ones(n, np.bool_))


class FakeSource:
    """A `VectorSource`: a dictionary of rows, and the counter that every change moves."""

    def __init__(self, dimension: int = 48) -> None:
        self.dimension = dimension
        self.rows: dict[int, tuple[int, FloatArray, bool]] = {}
        self.counter = 0
        self.name = "store"
        self.n_reads = 0

    def put(self, memory_id: int, vector: FloatArray, *, live: bool = True) -> None:
        self.counter += 1
        self.rows[memory_id] = (self.counter, vector, live)

    def fill(self, n: int, *, first: int = 1, seed: int = 0) -> None:
        for i, vector in enumerate(make_vectors(n, self.dimension, seed)):
            self.put(first + i, vector)

    def forget(self, memory_id: int) -> None:
        self.put(memory_id, self.rows[memory_id][1], live=False)

    def erase(self, memory_id: int) -> None:
        self.counter += 1
        self.name += "'"
        del self.rows[memory_id]

    def identity(self) -> str:
        return self.name

    def newest(self) -> int:
        return self.counter

    def count(self) -> int:
        return sum(live for _, _, live in self.rows.values())

    def after(self, generation: int) -> Iterator[VectorBatch]:
        self.n_reads += 1
        rows = sorted((g, i, v, live) for i, (g, v, live) in self.rows.items() if g > generation)
        for first in range(0, len(rows), 300):
            part = rows[first : first + 300]
            codes, scales = quantise_int8(np.stack([v for _, _, v, _ in part]))
            yield VectorBatch(
                np.array([i for _, i, _, _ in part], np.int64),
                codes,
                scales,
                np.array([g for g, _, _, _ in part], np.int64),
                np.array([live for *_, live in part], np.bool_),
            )

    def exact(self, query: FloatArray, k: int, allowed: set[int] | None = None) -> list[int]:
        """The ids of the k nearest by the int8 vectors, best first."""
        from assistant.native import scan_int8

        ids = sorted(
            i for i, (_, _, live) in self.rows.items() if live and (allowed is None or i in allowed)
        )
        if not ids:
            return []
        codes, scales = quantise_int8(np.stack([self.rows[i][1] for i in ids]))
        rows, _ = scan_int8(codes, scales, query, k)
        return [ids[row] for row in rows.tolist()]
