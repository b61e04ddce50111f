"""`bench index`: our recall index beside NumPy, hnswlib, faiss and usearch, in one run, on one thread.

Every contender answers the same questions one at a time through its Python interface, as the product
does. Rounds are interleaved and the median round counts, so a busy moment of the machine hits all
alike. recall_at_10 is against exact float32 search.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import click
import numpy as np

from assistant.bench.index_data import IndexData, load, prepare
from assistant.bench.index_peers import BUILDERS, FAMILIES, Contender, K, contenders
from assistant.bench.report import Settings, print_report
from assistant.errors import ModelMissing
from assistant.memory.index_rows import VectorBatch
from assistant.memory.lsh import LshIndex
from assistant.native import library, quantise_int8, simd_level
from assistant.records import FloatArray

ROUNDS: Final = 5
N_CHANGES: Final = 500  # inserts and deletes measured
N_ALLOWED: Final = 200  # questions among 1 % of the rows
BATCH: Final = 16_384
MIN_BANDWIDTH_BYTES: Final = 256 << 20  # larger than any cache
ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def batches_of(vectors: FloatArray) -> Iterator[VectorBatch]:
    """Rows as the store gives them: int8, in batches."""
    for first in range(0, len(vectors), BATCH):
        codes, scales = quantise_int8(vectors[first : first + BATCH])
        ids = np.arange(first, first + len(codes), dtype=np.int64)
        yield VectorBatch(ids, codes, scales, ids + 1, np.ones(len(codes), np.bool_))


def native_contender(index: LshIndex) -> Contender:
    return Contender(
        "native", {}, index.ram_bytes / index.n, lambda query: index.search(query, K)[0]
    )


def measure(
    every: Sequence[Contender], data: IndexData, told: Callable[[str], None]
) -> list[dict[str, Any]]:
    """recall_at_10, p50 and p99 of each contender, in its order."""
    rounds: list[list[FloatArray]] = [[] for _ in every]
    found: list[FloatArray] = []
    for number in range(ROUNDS):
        told(f"round {number + 1} of {ROUNDS}")
        for contender, times in zip(every, rounds, strict=True):
            rows, micros = _ask_all(contender, data.queries)
            times.append(micros)
            if number == 0:
                found.append(_recalls(rows, data.truth))
    return [
        {
            **contender.setting,
            "recall_at_10": round(float(np.mean(recalls)), 4),
            "p50_us": round(float(np.median([np.percentile(t, 50) for t in times])), 1),
            "p99_us": round(float(np.median([np.percentile(t, 99) for t in times])), 1),
            "ram_bytes_per_memory": round(contender.ram_bytes_per_memory, 1),
        }
        for contender, times, recalls in zip(every, rounds, found, strict=True)
    ]


def _ask_all(contender: Contender, queries: FloatArray) -> tuple[list[Any], FloatArray]:
    contender.prepare()
    for query in queries[:20]:  # what was evicted by the contender before comes back
        contender.search(query)
    rows, micros = [], []
    for query in queries:
        started = perf_counter_ns()
        rows.append(contender.search(query))
        micros.append((perf_counter_ns() - started) / 1000)
    return rows, np.array(micros, np.float32)


def _recalls(rows: list[Any], truth: Any) -> FloatArray:
    shares = [len(set(a.tolist()) & set(b.tolist())) / K for a, b in zip(rows, truth, strict=True)]
    return np.array(shares, np.float32)


def measure_changes(index: LshIndex, vectors: FloatArray) -> dict[str, float]:
    """insert_p50_us and delete_p50_us: one vector at a time, the file written, as the product does."""
    codes, scales = quantise_int8(vectors[:N_CHANGES])
    alive = np.ones(1, np.bool_)
    inserts, deletes = [], []
    first = len(vectors)
    for i in range(N_CHANGES):
        ids = np.array([first + i], np.int64)
        batch = VectorBatch(ids, codes[i : i + 1], scales[i : i + 1], ids + 1, alive)
        started = perf_counter_ns()
        index.add(batch)
        inserts.append(perf_counter_ns() - started)
    for i in range(N_CHANGES):
        started = perf_counter_ns()
        index.remove(np.array([first + i], np.int64))
        deletes.append(perf_counter_ns() - started)
    return {
        "insert_p50_us": round(float(np.median(inserts)) / 1000, 1),
        "delete_p50_us": round(float(np.median(deletes)) / 1000, 1),
    }


def measure_allowed(index: LshIndex, data: IndexData) -> dict[str, float]:
    """recall@10 among 1 % of the rows, against the exact int8 and the exact float order, and p50_us."""
    n = len(data.vectors)
    rows = np.sort(np.random.default_rng(1).choice(n, max(n // 100, K), replace=False))
    flags = np.zeros(n, np.bool_)
    flags[rows] = True
    some = data.vectors[rows]
    by_int8, by_float, micros = [], [], []
    for query in data.queries[:N_ALLOWED]:
        started = perf_counter_ns()
        found = set(index.search(query, K, flags)[0].tolist())
        micros.append((perf_counter_ns() - started) / 1000)
        exact = rows[np.argsort(-index.similarities(query, rows), kind="stable")[:K]]
        nearest = rows[np.argpartition(some @ query, -K)[-K:]]
        by_int8.append(len(found & set(exact.tolist())) / K)
        by_float.append(len(found & set(nearest.tolist())) / K)
    return {
        "share": 0.01,
        "queries": len(by_int8),
        "recall_at_10_of_int8": round(float(np.mean(by_int8)), 4),
        "recall_at_10_of_float": round(float(np.mean(by_float)), 4),
        "p50_us": round(float(np.median(micros)), 1),
    }


def share_of_bandwidth(index: LshIndex, queries: FloatArray) -> float:
    """Bytes of codes that a search reads, per second, over what one core can read per second.

    The two are measured in turn, and the median of their ratios counts: others use the same RAM.
    """
    scanned = index.scanned_bytes
    plain = np.ones(max(MIN_BANDWIDTH_BYTES, scanned), np.uint8)
    loaded = library()
    assert loaded is not None
    ratios = []
    for query in queries[:60]:
        started = perf_counter_ns()
        index.search(query, K)
        searched = perf_counter_ns()
        loaded.assistant_read_bytes(plain.ctypes.data, plain.size)
        ratios.append(
            (scanned / (searched - started)) / (plain.size / (perf_counter_ns() - searched))
        )
    return round(float(np.median(ratios)), 3)


def run(
    data: IndexData,
    kept: Path,
    *,
    families: Sequence[str] = FAMILIES,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The benchmark's JSON object, with these peers; their built indexes stay in `kept`."""
    n, dimension = data.vectors.shape
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.lsh"
        on_progress("building native")
        started = perf_counter_ns()
        index = LshIndex.build(file, "bench", dimension, batches_of(data.vectors))
        build_s = (perf_counter_ns() - started) / 1e9
        disk = file.stat().st_size / n
        every = [native_contender(index), *contenders(data.vectors, kept, families, on_progress)]
        figures = measure(every, data, on_progress)
        native = {
            **figures[0],
            "disk_bytes_per_memory": round(disk, 1),
            "build_s": round(build_s, 2),
            "share_of_bandwidth": share_of_bandwidth(index, data.queries),
            "allowed": measure_allowed(index, data),
            **measure_changes(index, data.vectors),
        }
        index.close()
    report: dict[str, Any] = {
        "n": n, "queries": len(data.queries), "rounds": ROUNDS, "simd": simd_level(),
        "native": native, "data": data.note,
    }  # fmt: skip
    for contender, figure in zip(every[1:], figures[1:], strict=True):
        if contender.family == "numpy":
            report["numpy"] = figure
        else:
            report.setdefault(contender.family, []).append(figure)
    return report


@click.command("index")
@click.option("--n", default=100_000, type=click.IntRange(1000), help="Vectors to search.")
@click.option("--prepare", "only_prepare", is_flag=True, help="Embed the sentences, once.")
@click.option("--build", "only_build", is_flag=True, help="Build the peers' indexes, once.")
@click.option(
    "--peers",
    "families",
    type=click.Choice(sorted({family for family, _ in BUILDERS})),
    multiple=True,
    default=FAMILIES,
    help="The peers beside ours, again and again.",
)
@click.option("--no-peers", is_flag=True, help="Our index alone.")
@click.pass_obj
def command(
    settings: Settings,
    n: int,
    only_prepare: bool,
    only_build: bool,
    families: tuple[str, ...],
    no_peers: bool,
) -> None:
    """The recall index beside NumPy, hnswlib, faiss and usearch.

    More than 100 000 vectors are the real ones and seeded perturbations of them; the report says so.
    """
    folder = settings.paths.data_dir / "bench"
    if only_prepare:
        _prepare(settings, folder)
        return
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        _again_with_one_thread()
    data = load(folder, n)
    told = partial(click.echo, err=True)
    told(data.note)
    if only_build:
        for _ in contenders(data.vectors, folder, families, told):
            pass
        return
    report = run(data, folder, families=() if no_peers else families, on_progress=told)
    print_report(report, settings)


def _prepare(settings: Settings, folder: Path) -> None:
    from assistant.conversation.assemble import open_embedder

    embedder = open_embedder(settings.paths, settings.config)
    if embedder is None:
        raise ModelMissing("No embedder is installed.", "Run `assistant models pull`.")

    def told(done: int, total: int) -> None:
        click.echo(f"\r{done} of {total} sentences", err=True, nl=done == total)

    click.echo(str(prepare(folder, embedder, told)))


def _again_with_one_thread() -> None:
    """BLAS reads its number of threads when it is loaded, so the run is a process of its own.

    OPENBLAS_CORETYPE, which forces a slower kernel where it is set, would flatter us: it goes.
    """
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    environment.pop("OPENBLAS_CORETYPE", None)
    done = subprocess.run([sys.executable, "-m", "assistant", *sys.argv[1:]], env=environment)
    raise SystemExit(done.returncode)
