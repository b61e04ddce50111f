"""The approximate against the exact, with stated bounds; and Think-in-Memory's LSH beside it."""

from pathlib import Path

import numpy as np
import pytest

from assistant.memory.lsh import LshIndex
from assistant.records import FloatArray
from index_fakes import make_batch

N, DIMENSION, K = 12_000, 384, 10


@pytest.fixture(scope="module")
def vectors() -> FloatArray:
    """Clustered on a space of 64 dimensions inside 384, as sentence embeddings are; the last 100
    ask."""
    random = np.random.default_rng(0)
    basis = random.standard_normal((64, DIMENSION)) / 8
    centres = random.standard_normal((400, 64))
    points = centres[random.integers(0, 400, N + 100)] + random.standard_normal((N + 100, 64))
    rows = points @ basis + 0.15 * random.standard_normal((N + 100, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def truth(rows: FloatArray, queries: FloatArray) -> list[set[int]]:
    order = np.argpartition(-(queries @ rows.T), K, axis=1)[:, :K]
    return [set(row) for row in order.tolist()]


def test_lsh_finds_the_true_ten_in_98_of_100_and_a_filter_loses_none(
    vectors: FloatArray, tmp_path: Path
) -> None:
    rows, queries = vectors[:N], vectors[N:]
    index = LshIndex.build(tmp_path / "i.lsh", "x", DIMENSION, [make_batch(list(range(N)), rows)])
    found = [set(index.search(query, K)[0].tolist()) for query in queries]
    recall = np.mean([len(a & b) / K for a, b in zip(found, truth(rows, queries), strict=True)])
    assert recall >= 0.98
    allowed = np.sort(np.random.default_rng(1).choice(N, N // 100, replace=False))
    few = truth(rows[allowed], queries)
    for query, wanted in zip(queries, few, strict=True):
        ids, similarities = index.search(query, K, allowed)
        exact = index.similarities(query, allowed)
        best = allowed[np.lexsort((allowed, -exact))[:K]]
        assert ids.tolist() == best.tolist()  # 1.0 against exact int8
        assert len(set(ids.tolist()) & set(allowed[list(wanted)].tolist())) >= K - 1
        assert (np.diff(similarities) <= 0).all()


def bucket_of(rows: FloatArray, projection: FloatArray) -> np.ndarray:
    """Think-in-Memory (arXiv 2311.08719, section 3.2): F(x) = argmax([xR; -xR]), one bucket a row."""
    projected = rows @ projection
    return np.hstack([projected, -projected]).argmax(axis=1)


@pytest.mark.parametrize(("n_buckets", "highest"), [(8, 0.8), (32, 0.6), (128, 0.5)])
def test_the_single_table_of_think_in_memory_misses_most_neighbours(
    vectors: FloatArray, n_buckets: int, highest: float
) -> None:
    """Why it is not a choice: even with every row of the bucket ranked exactly."""
    rows, queries = vectors[:N], vectors[N:]
    projection = np.random.default_rng(2).standard_normal((DIMENSION, n_buckets // 2))
    own, asked = bucket_of(rows, projection), bucket_of(queries, projection)
    recall = np.mean(
        [(own[list(ten)] == b).mean() for ten, b in zip(truth(rows, queries), asked, strict=True)]
    )
    assert 0.05 <= recall <= highest
