"""`bench index` keeps what it embedded, perturbs as it says, and measures what it prints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.bench import cuda as cuda_bench
from assistant.bench import index_data
from assistant.bench.index import run
from assistant.bench.index_data import IndexData, nearest, perturbed, prepare, vectors_file
from assistant.errors import NotFound
from assistant.records import FloatArray


class CountingEmbedder:
    """Vectors that depend on the text alone; stops after `n_left` texts."""

    id = "counting"
    dimension = 48

    def __init__(self, n_left: int = 10**9) -> None:
        self.n_left = n_left
        self.n_embedded = 0

    def embed(self, texts: list[str]) -> FloatArray:
        if self.n_embedded >= self.n_left:
            raise KeyboardInterrupt
        self.n_embedded += len(texts)
        rows = np.array([np.random.default_rng(len(t)).standard_normal(48) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_an_interrupted_prepare_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"sentence {'x' * (i % 90)} {i}" for i in range(3000)]
    monkeypatch.setattr(index_data, "collect_sentences", lambda n: texts[:n])
    told: list[Any] = []

    def prepare_with(embedder: CountingEmbedder) -> Path:
        return prepare(tmp_path, embedder, lambda *done: told.append(done), n=1500)

    first, second, third = CountingEmbedder(1024), CountingEmbedder(), CountingEmbedder()
    with pytest.raises(KeyboardInterrupt):
        prepare_with(first)
    assert not vectors_file(tmp_path).exists()
    file = prepare_with(second)
    assert second.n_embedded <= 2500 - 1024 + index_data.EMBED_AT_ONCE
    np.testing.assert_array_equal(np.load(file), CountingEmbedder().embed(texts[:2500]))
    prepare_with(third)
    assert third.n_embedded == 0
    assert told[-1] == (2500, 2500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sentences.json", "sentences.npy"]


def unit_rows(n: int, seed: int) -> FloatArray:
    rows = np.random.default_rng(seed).standard_normal((n, 48)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_perturbed_rows_are_unit_vectors_near_their_originals_and_always_the_same() -> None:
    real = unit_rows(100, 0)
    rows = perturbed(real, 250)
    np.testing.assert_array_equal(rows[:100], real)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    cosines = (rows[100:200] * real).sum(axis=1)
    assert 0.8 < cosines.mean() < 0.92
    np.testing.assert_array_equal(rows, perturbed(real, 250))


@pytest.mark.bench
def test_the_benchmark_measures_our_index_and_every_peer(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="the extra `bench` is not installed")
    pytest.importorskip("usearch", reason="the extra `bench` is not installed")
    vectors, queries = unit_rows(1200, 1), unit_rows(20, 2)
    data = IndexData(vectors, queries, nearest(vectors, queries), "random")
    run(data, tmp_path)
    report = run(data, tmp_path)  # from what the first run built
    figures = report["native"]
    assert 0.5 < figures["recall_at_10"] <= 1
    assert figures["ram_bytes_per_memory"] < 64
    for name in ("p50_us", "p99_us", "build_s", "insert_p50_us", "delete_p50_us"):
        assert figures[name] > 0, name
    assert figures["allowed"]["recall_at_10_of_int8"] == 1
    assert report["numpy"]["recall_at_10"] == 1
    assert {figure["index"][:4] for figure in report["faiss"]} == {"HNSW", "PQ12", "RR48"}
    assert {figure["dtype"] for figure in report["usearch"]} == {"f32", "bf16", "i8"}
    assert max(figure["recall_at_10"] for figure in report["hnswlib"]) > 0.95


def test_without_a_device_the_gpu_benchmark_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_bench.cuda, "device", lambda: "")
    with pytest.raises(NotFound, match="No GPU"):
        cuda_bench.run(unit_rows(10, 0), unit_rows(2, 1))
