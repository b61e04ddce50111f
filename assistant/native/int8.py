"""Exact search over int8 vectors: the native scan, and the same in NumPy.

A vector is stored as int8 codes and one scale. Knows arrays only.
"""

import numpy as np
import numpy.typing as npt

from assistant.native import cuda
from assistant.native.library import address, library
from assistant.records import FloatArray

Int8Array = npt.NDArray[np.int8]
RowArray = npt.NDArray[np.int64]
# Which rows may be found: one bool per row, or the bits of `pack_rows`.
AllowedRows = npt.NDArray[np.bool_] | npt.NDArray[np.uint8]


def pack_rows(allowed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """One bit per row, row i in bit i & 7 of byte i >> 3."""
    return np.packbits(allowed, bitorder="little")


def quantise_int8(vectors: FloatArray) -> tuple[Int8Array, FloatArray]:
    """Codes (n, d) and scales (n,) with vectors ~ codes * scales[:, None]; a zero row has scale 0."""
    vectors = np.atleast_2d(vectors)
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float32)
    steps = vectors / np.where(scales > 0, scales, 1)[:, None]
    return np.rint(steps).astype(np.int8), scales


def scan_int8(
    codes: Int8Array,
    scales: FloatArray,
    query: FloatArray,
    k: int,
    allowed: AllowedRows | None = None,
    *,
    n_threads: int = 1,
) -> tuple[RowArray, FloatArray]:
    """Rows (<= k,) and similarities of the k rows nearest to `query` (d,), best first; ties by row.

    codes (n, d) and scales (n,) as from `quantise_int8`. `allowed` filters inside the scan.
    Raises ValueError where shapes disagree or the query is not finite.
    """
    rows, similarities = scan_int8_batch(
        codes, scales, query[None], k, allowed, n_threads=n_threads
    )
    found = rows[0] >= 0
    return rows[0][found], similarities[0][found]


def scan_int8_batch(
    codes: Int8Array,
    scales: FloatArray,
    queries: FloatArray,
    k: int,
    allowed: AllowedRows | None = None,
    *,
    n_threads: int = 1,
) -> tuple[RowArray, FloatArray]:
    """`scan_int8` for queries (m, d): rows and similarities (m, k), padded with -1 and -inf.

    On a GPU where there is one and the work is worth the way there; the results are the same.
    """
    codes = np.ascontiguousarray(codes, np.int8)
    scales = np.ascontiguousarray(scales, np.float32)
    queries = np.ascontiguousarray(queries, np.float32)
    n_rows, dimension = codes.shape
    bits = check_allowed(allowed, n_rows)
    if scales.shape != (n_rows,) or queries.ndim != 2 or queries.shape[1] != dimension or k < 0:
        raise ValueError(f"codes {codes.shape}, scales {scales.shape}, queries {queries.shape}")
    if not np.isfinite(queries).all():
        raise ValueError("a query holds NaN or infinity")
    if cuda.gains(n_rows, dimension, len(queries), k, n_threads):
        found = cuda.scan_once(codes, scales, queries, k, bits)
        if found is not None:
            return found
    loaded = library()
    if loaded is None:
        return reference_scan_int8(codes, scales, queries, k, bits)
    rows = np.empty((len(queries), k), np.int64)
    similarities = np.empty((len(queries), k), np.float32)
    status = loaded.assistant_scan_int8(
        address(codes), address(scales), n_rows, dimension,
        address(queries), len(queries), k, address(bits), n_threads,
        address(rows), address(similarities),
    )  # fmt: skip
    if status:
        raise MemoryError("scan_int8 found no memory for its results")
    return rows, similarities


def check_allowed(allowed: AllowedRows | None, n_rows: int) -> npt.NDArray[np.uint8] | None:
    """`allowed` as contiguous bits. Raises ValueError where it is for another number of rows."""
    if allowed is None:
        return None
    flags = allowed.dtype == np.bool_
    bits = np.packbits(allowed, bitorder="little") if flags else allowed
    fits = allowed.size == n_rows if flags else bits.size >= (n_rows + 7) // 8
    if not fits or bits.dtype != np.uint8:
        raise ValueError(f"allowed has {allowed.size} {allowed.dtype} for {n_rows} rows")
    return np.ascontiguousarray(bits, np.uint8)


# ---- the reference: the same results in NumPy ---------------------------------------------------


def quantise_query(query: FloatArray) -> tuple[npt.NDArray[np.int64], np.float32]:
    """A query (d,) as ~15-bit integers and their scale, as `query_int8` in dot-int8.cpp."""
    limit = np.float32(min(16256, 16777215 // max(query.size, 1)))
    largest = np.abs(query).max(initial=np.float32(0))
    inverse = limit / largest if largest > 0 else np.float32(0)
    return np.rint(query * inverse).astype(np.int64), np.float32(largest / limit)


def reference_scan_int8(
    codes: Int8Array,
    scales: FloatArray,
    queries: FloatArray,
    k: int,
    bits: npt.NDArray[np.uint8] | None,
) -> tuple[RowArray, FloatArray]:
    """What `assistant_scan_int8` returns, bit for bit."""
    rows = np.full((len(queries), k), -1, np.int64)
    similarities = np.full((len(queries), k), -np.inf, np.float32)
    candidates = np.arange(len(codes))
    if bits is not None:
        candidates = np.flatnonzero(np.unpackbits(bits, count=len(codes), bitorder="little"))
    wide = codes[candidates].astype(np.int64)
    for i, query in enumerate(queries):
        whole, scale = quantise_query(query)
        found = (wide @ whole).astype(np.float32) * (scales[candidates] * scale)
        best = np.lexsort((candidates, -found))[:k]
        rows[i, : best.size] = candidates[best]
        similarities[i, : best.size] = found[best]
    return rows, similarities
