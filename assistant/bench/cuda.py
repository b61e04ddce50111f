"""`bench cuda`: the int8 scan on a GPU beside exact search through cuBLAS, on one device, in one run.

The peer is PyTorch, which multiplies with cuBLAS and selects with its own `topk`: once in float16, once
in int8 (`_int_mm`). It keeps its rows on the device as we do. Both are timed from queries in RAM to rows
in RAM, in turn; the median of the rounds counts. Every answer of ours is compared with the CPU's kernel.

Not run on a device yet: this workplace had none to lend when it was written.
"""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

import click
import numpy as np

from assistant.bench.index_data import load, perturbed
from assistant.bench.report import Settings, print_report
from assistant.errors import NotFound
from assistant.native import cuda, quantise_int8, scan_int8_batch
from assistant.records import FloatArray

K: Final = 10
ROUNDS: Final = 30
BATCHES: Final = (1, 8, 32, 128, 1024)
PEER_ROWS: Final = 250_000  # similarities of so many rows at once: 1 GB at 1024 queries
N_COMPARED: Final = 16  # queries of each batch that the CPU answers too
Search = Callable[[FloatArray], Any]


def time_in_turn(every: dict[str, Search], queries: FloatArray) -> dict[str, float]:
    """Median microseconds of each, after one unmeasured call."""
    times: dict[str, list[int]] = {name: [] for name in every}
    for number in range(ROUNDS + 1):
        for name, search in every.items():
            started = perf_counter_ns()
            search(queries)
            if number:
                times[name].append(perf_counter_ns() - started)
    return {name: round(float(np.median(taken)) / 1000, 1) for name, taken in times.items()}


def cublas_searches(vectors: FloatArray) -> dict[str, Search]:
    """Exact search through cuBLAS; nothing where PyTorch or its CUDA is missing."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    codes, scales = quantise_int8(vectors)
    half = torch.from_numpy(vectors).to("cuda", torch.float16)
    whole, row_scales = torch.from_numpy(codes).cuda(), torch.from_numpy(scales).cuda()

    def float16(queries: FloatArray) -> Any:
        asked = torch.from_numpy(queries).to("cuda", torch.float16)
        return _best(torch, len(vectors), lambda rows: asked @ half[rows].T)

    def int8(queries: FloatArray) -> Any:
        asked = torch.from_numpy(quantise_int8(queries)[0]).cuda()
        if len(asked) < 32:  # what _int_mm takes at least
            asked = torch.nn.functional.pad(asked, (0, 0, 0, 32 - len(asked)))
        found = _best(
            torch, len(vectors), lambda rows: torch._int_mm(asked, whole[rows].T) * row_scales[rows]
        )
        return found[: len(queries)]

    return {"cublas_float16": float16, "cublas_int8": int8}


def _best(torch: Any, n: int, similarities: Callable[[slice], Any]) -> Any:
    """Rows of the K best of each query, the rows multiplied in parts that fit beside them."""
    values, rows = [], []
    for first in range(0, n, PEER_ROWS):
        best = torch.topk(similarities(slice(first, min(first + PEER_ROWS, n))), K, dim=1)
        values.append(best.values)
        rows.append(best.indices + first)
    order = torch.topk(torch.cat(values, 1), K, dim=1).indices
    return torch.gather(torch.cat(rows, 1), 1, order).cpu().numpy()


def run(vectors: FloatArray, queries: FloatArray) -> dict[str, Any]:
    """The benchmark's JSON object. Raises NotFound without a device."""
    if not cuda.device():
        raise NotFound(
            f"No GPU for this benchmark: {cuda.problem()}.",
            "Build with ASSISTANT_CUDA=ON on a machine with a CUDA device of capability 8.0 or later.",
        )
    codes, scales = quantise_int8(vectors)
    rows = cuda.CudaRows(codes, scales)
    every: dict[str, Search] = {"native": lambda asked: rows.search(asked, K)}
    every |= cublas_searches(vectors)
    batches = []
    for m in BATCHES:
        asked = np.ascontiguousarray(np.resize(queries, (m, queries.shape[1])))
        found = rows.search(asked, K)
        some = asked[:N_COMPARED]
        expected = scan_int8_batch(codes, scales, some, K)
        figures: dict[str, Any] = {"queries": m, "us": time_in_turn(every, asked)}
        figures["equals_cpu"] = bool(
            (found[0][: len(some)] == expected[0]).all()
            and (found[1][: len(some)] == expected[1]).all()
        )
        figures["kernel_us"] = round(rows.device_us, 1)
        figures["read_gb_per_s"] = round(_bytes_read(codes.nbytes, m) / rows.device_us / 1e3, 1)
        batches.append(figures)
    return {
        "device": cuda.device(), "n": len(vectors), "k": K, "rounds": ROUNDS, "batches": batches,
    }  # fmt: skip


def _bytes_read(n_bytes: int, n_queries: int) -> int:
    """Bytes of rows that the kernel's blocks ask for; tiles beyond the first may find them cached."""
    tile = 8 if n_queries <= 8 else 32
    return n_bytes * -(-n_queries // tile)


@click.command("cuda")
@click.option("--n", default=1_000_000, type=click.IntRange(1000), help="Vectors to search.")
@click.option("--random", "use_random", is_flag=True, help="Random vectors: no prepared ones.")
@click.pass_obj
def command(settings: Settings, n: int, use_random: bool) -> None:
    """The int8 scan on a GPU beside exact search through cuBLAS (PyTorch)."""
    if use_random:
        random = np.random.default_rng(7)
        every = random.standard_normal((min(n, 100_000) + 1024, 384), np.float32)
        every /= np.linalg.norm(every, axis=1, keepdims=True)
        vectors, queries = perturbed(every[:-1024], n), every[-1024:]
    else:
        data = load(settings.paths.data_dir / "bench", n)
        vectors, queries = data.vectors, data.queries
    print_report(run(vectors, queries), settings)
