"""The LSH kernels again in NumPy, for the tests and for a machine without the library.

The same results to the last bit: sums run in the same order (`cumsum` adds one by one, `sum` does not).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.native.int8 import Int8Array, RowArray, quantise_query
from assistant.native.view import BLOCK_SLOTS, ByteArray, LshView, RowDamaged
from assistant.records import FloatArray

MAX_DIMENSION: Final = 6144
ROUNDS: Final = 3
UNIT: Final = 24
TRIPLE_SUM: Final = 127
EXACT_SHARE: Final = 24
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def rotation_size(dimension: int) -> int:
    """The dimensions of the rotated space: a multiple of 24."""
    return -(-dimension // UNIT) * UNIT


def rotate(vectors: FloatArray, seed: int) -> FloatArray:
    """vectors (n, d) rotated to (n, rotation_size(d)), as rotation.cpp."""
    n, dimension = vectors.shape
    size = rotation_size(dimension)
    block = size & -size
    values = np.zeros((n, size), np.float32)
    values[:, :dimension] = vectors
    for signs in _signs(seed, size, block):
        values = _hadamard((values * signs).reshape(n, size // block, block))
        taken = np.float32(2.0) / np.float32(size // block) * values.cumsum(axis=1)[:, -1:]
        values = (values - taken).reshape(n, size)
    return values


def _signs(seed: int, size: int, block: int) -> FloatArray:
    """(ROUNDS, size): +-1 / sqrt(block), from splitmix64."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, ROUNDS * size + 1, dtype=np.uint64) * _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        odd = (state ^ (state >> np.uint64(31))) & np.uint64(1)
    exponent = block.bit_length() - 1
    scale = np.float32(0.5 ** (exponent // 2)) * np.float32(0.70710678 if exponent % 2 else 1)
    return np.where(odd.astype(bool), scale, -scale).reshape(ROUNDS, size)


def _hadamard(values: FloatArray) -> FloatArray:
    """Walsh-Hadamard transform of the last axis, a power of two long."""
    shape = values.shape
    half = 1
    while half < shape[-1]:
        pairs = values.reshape(*shape[:-1], -1, 2, half)
        low, high = pairs[..., 0, :], pairs[..., 1, :]
        values = np.stack([low + high, low - high], axis=-2).reshape(shape)
        half *= 2
    return values


def encode(heads: FloatArray, seed: int) -> tuple[ByteArray, FloatArray]:
    """Bits (n, size / 8) and factors (n,), as rabitq.cpp."""
    rotated = rotate(heads, seed)
    bits = np.packbits(rotated >= 0, axis=1, bitorder="little")
    norms = (rotated * rotated).cumsum(axis=1)[:, -1]
    sums = np.abs(rotated).cumsum(axis=1)[:, -1]
    return bits, np.where(sums > 0, norms / np.where(sums > 0, sums, 1), 0).astype(np.float32)


def pack(bits: ByteArray, factors: FloatArray, first_slot: int, blocks: ByteArray) -> None:
    """Lay codes out in blocks: (n_blocks, BLOCK_SLOTS * (code_bytes + 4))."""
    columns, tails = _split_blocks(blocks, bits.shape[1])
    block, place = np.divmod(first_slot + np.arange(len(bits)), BLOCK_SLOTS)
    columns[block, :, place] = bits
    tails[block, place] = factors


def _split_blocks(blocks: ByteArray, code_bytes: int) -> tuple[ByteArray, FloatArray]:
    """Views of the codes (n_blocks, code_bytes, BLOCK_SLOTS) and factors (n_blocks, BLOCK_SLOTS)."""
    end = BLOCK_SLOTS * code_bytes
    columns = blocks[:, :end].reshape(len(blocks), code_bytes, BLOCK_SLOTS)
    return columns, blocks[:, end:].view(np.float32)


def round_query(rotated: FloatArray) -> npt.NDArray[np.int64]:
    """The query as integers whose absolute values sum to at most 127 over any 24 neighbours."""
    largest = np.abs(rotated).reshape(-1, UNIT).cumsum(axis=1)[:, -1].max()
    scale = np.float32(TRIPLE_SUM) / largest if largest > 0 else np.float32(0)
    while True:
        whole = np.rint(rotated * scale).astype(np.int64)
        if np.abs(whole).reshape(-1, UNIT).sum(axis=1).max() <= TRIPLE_SUM:
            return whole
        scale *= np.float32(0.98)


def scores(blocks: ByteArray, n_slots: int, query: npt.NDArray[np.int64]) -> FloatArray:
    """factor * sum +-q of every slot, as fast-scan.cpp."""
    columns, factors = _split_blocks(blocks, query.size // 8)
    bits = columns.transpose(0, 2, 1).reshape(-1, query.size // 8)[:n_slots]
    signs = 2 * np.unpackbits(bits, axis=1, bitorder="little").astype(np.int64) - 1
    return factors.reshape(-1)[:n_slots] * (signs @ query).astype(np.float32)


def search(
    view: LshView,
    queries: FloatArray,
    heads: FloatArray,
    k: int,
    n_candidates: int,
    allowed: ByteArray | None,
    seed: int,
) -> tuple[RowArray, FloatArray]:
    """What `assistant_lsh_search` returns. Raises RowDamaged."""
    slots = np.full((len(queries), k), -1, np.int64)
    similarities = np.full((len(queries), k), -np.inf, np.float32)
    live = view.live[: (view.n_slots + 7) // 8]
    admitted = live if allowed is None else live & allowed[: live.size]
    rows = np.flatnonzero(np.unpackbits(admitted, count=view.n_slots, bitorder="little"))
    count = min(max(n_candidates, k, 1), max(view.n_slots, k, 1))
    for i, query in enumerate(queries):
        chosen = rows
        if rows.size > max(count, view.n_slots // EXACT_SHARE):
            whole = round_query(rotate(heads[i : i + 1], seed)[0])
            found = scores(view.blocks, view.n_slots, whole)[rows]
            chosen = rows[np.lexsort((rows, -found))[:count]]
        similarity = measure(view, query, chosen)
        best = np.lexsort((chosen, -similarity))[:k]
        slots[i, : best.size] = chosen[best]
        similarities[i, : best.size] = similarity[best]
    return slots, similarities


def stored_rows(view: LshView, slots: RowArray) -> ByteArray:
    """The bytes of stored vectors (m, dim + 8)."""
    n_base = len(view.base_rows)
    rows = np.empty((slots.size, view.base_rows.shape[1]), np.uint8)
    base = slots < n_base
    rows[base] = view.base_rows[slots[base]]
    rows[~base] = view.log_rows[slots[~base] - n_base]
    return rows


def measure(view: LshView, query: FloatArray, slots: RowArray) -> FloatArray:
    """What `assistant_lsh_measure` returns. Raises RowDamaged."""
    if count_damaged(view, slots):
        raise RowDamaged
    rows = stored_rows(view, slots)
    whole, scale = quantise_query(query)
    scales = rows[:, -8:-4].copy().view(np.float32)[:, 0]
    dots = rows[:, :-8].view(np.int8).astype(np.int64) @ whole
    return dots.astype(np.float32) * (scales * scale)


def count_damaged(view: LshView, slots: RowArray) -> int:
    """How many of these stored vectors do not match their check."""
    rows = stored_rows(view, slots)
    scales = rows[:, -8:-4].copy().view(np.float32)[:, 0]
    checks = rows[:, -4:].copy().view(np.uint32)[:, 0]
    return int((row_checks(rows[:, :-8].view(np.int8), scales, view.ids[slots]) != checks).sum())


def row_checks(codes: Int8Array, scales: FloatArray, ids: RowArray) -> npt.NDArray[np.uint32]:
    """As row-check.h."""
    n, dimension = codes.shape
    padded = np.zeros((n, -(-dimension // 8) * 8), np.int8)
    padded[:, :dimension] = codes
    words = padded.view(np.uint64)
    lanes = [np.full(n, lane, np.uint64) for lane in (1, 2, 3, 4)]
    whole = dimension // 32 * 4
    for j in range(whole):
        lanes[j % 4] = _step(lanes[j % 4], words[:, j])
    for j in range(whole, words.shape[1]):
        lanes[0] = _step(lanes[0], words[:, j])
    total = _step(ids.astype(np.uint64), scales.view(np.uint32).astype(np.uint64))
    for lane in lanes:
        total = _step(total, lane)
    return ((total ^ (total >> np.uint64(32))) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _step(lane: npt.NDArray[np.uint64], word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = (lane ^ word) * _GOLDEN
    return (mixed << np.uint64(29)) | (mixed >> np.uint64(35))
