"""Makes the file of an LSH index from vectors, in one pass over them and one over the file.

Knows the order of the work: the rows go to disk as they come, so a million vectors need no RAM; their
mean is the centre of the codes and their principal axes are what is encoded, so the codes are made in a
second pass.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.memory.index_file import BaseParts, BaseWriter
from assistant.memory.index_rows import IdArray, Int8Array, VectorBatch
from assistant.native import LshCodes, row_checks
from assistant.native.view import BLOCK_SLOTS, ROW_TAIL_BYTES, ByteArray
from assistant.records import FloatArray

ENCODE_ROWS: Final = 16384  # rows encoded at once: 25 MB of scratch
MAX_THREADS: Final = 2  # the others belong to the language model
# What of a vector is encoded: the fewest principal axes that hold this share of the variance. Sentence
# vectors lie unevenly: half of MiniLM's 384 axes hold 0.9, and half the bytes are scanned in half the
# time; three times the candidates make up for the rest (0.988 of the true ten at 100 000). After
# "quantization meets projection" (MRQ, arXiv 2411.06158).
AXES_VARIANCE: Final = 0.9
AXES_STEP: Final = 24  # dims in three code bytes
AXES_LEAST_ROWS: Final = 4096  # fewer do not tell the axes of so many dimensions
AXES_LEAST_DIMENSION: Final = 192
AXES_SAMPLE: Final = 20_000


def build_file(
    path: Path,
    identity: str,
    dimension: int,
    batches: Iterable[VectorBatch],
    *,
    seed: int,
    n_threads: int = 0,
    generation: int = 0,
) -> None:
    """Write `path` from these rows; of an id that comes twice the later row counts.

    `generation` is what the file covers even where no row has it. Raises OSError, as when the disk
    is full; the old file is then untouched.
    """
    with BaseWriter(path, dimension) as writer:
        parts, total, newest = _write_rows(writer, batches)
        kept, ids = _last_of_each(parts)
        if len(kept) < writer.shape.n_rows:
            writer.keep_rows(kept)
        centre = (total / max(writer.shape.n_rows, 1)).astype(np.float32)
        codes = LshCodes(dimension, seed, centre, principal_axes(writer.rows(), centre))
        blocks = _encode(codes, writer.rows(), n_threads or min(os.cpu_count() or 1, MAX_THREADS))
        base = BaseParts(seed, max(generation, newest), codes.centre, codes.axes, blocks, ids)
        writer.finish(base, identity)


def _write_rows(
    writer: BaseWriter, batches: Iterable[VectorBatch]
) -> tuple[list[IdArray], npt.NDArray[np.float64], int]:
    """The ids of every row (dead ones as -1 - id), the sum of the vectors, the newest generation."""
    ids: list[IdArray] = []
    total = np.zeros(writer.shape.dimension)
    newest = 0
    for batch in batches:
        writer.write_rows(stored_rows(batch))
        ids.append(np.where(batch.live, batch.ids, -1 - batch.ids))
        total += (batch.codes * batch.scales[:, None]).sum(axis=0, dtype=np.float64)
        newest = max(newest, int(batch.generations.max(initial=0)))
    return ids, total, newest


def _last_of_each(parts: list[IdArray]) -> tuple[IdArray, IdArray]:
    """Positions of the last row of each id, rising, without the dead; and these ids."""
    ids = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    dead = ids < 0
    own = np.where(dead, -1 - ids, ids)
    if not dead.any() and (own[1:] > own[:-1]).all():
        return np.arange(len(own)), own
    _, last = np.unique(own[::-1], return_index=True)
    kept = np.sort(len(own) - 1 - last)
    kept = kept[~dead[kept]]
    return kept, own[kept]


def stored_rows(batch: VectorBatch) -> ByteArray:
    """The vectors as they lie in the file, (n, dimension + 8): codes, scale, check."""
    n, dimension = batch.codes.shape
    rows = np.empty((n, dimension + ROW_TAIL_BYTES), np.uint8)
    rows[:, :dimension] = batch.codes.view(np.uint8)
    rows[:, dimension:-4] = np.ascontiguousarray(batch.scales, "<f4")[:, None].view(np.uint8)
    checks = row_checks(batch.codes, batch.scales, batch.ids)
    rows[:, -4:] = checks.astype("<u4")[:, None].view(np.uint8)
    return rows


def split_rows(
    rows: ByteArray,
) -> tuple[Int8Array, FloatArray]:
    """Codes (n, dimension) and scales (n,) of stored rows."""
    codes = np.ascontiguousarray(rows[:, :-ROW_TAIL_BYTES]).view(np.int8)
    return codes, np.ascontiguousarray(rows[:, -ROW_TAIL_BYTES:-4]).view("<f4")[:, 0]


def principal_axes(rows: ByteArray, centre: FloatArray) -> FloatArray | None:
    """The axes that are worth encoding, (n_axes, dimension), by a sample of stored rows; None: all."""
    dimension = centre.size
    if len(rows) < AXES_LEAST_ROWS or dimension < AXES_LEAST_DIMENSION:
        return None
    codes, scales = split_rows(rows[:: -(-len(rows) // AXES_SAMPLE)])
    spread = codes * scales[:, None] - centre
    variances, axes = np.linalg.eigh((spread.T @ spread).astype(np.float64))
    shares = np.cumsum(variances[::-1]) / max(variances.sum(), np.finfo(np.float64).tiny)
    n_axes = -(-int(np.searchsorted(shares, AXES_VARIANCE) + 1) // AXES_STEP) * AXES_STEP
    if n_axes >= dimension:
        return None
    return np.ascontiguousarray(axes[:, ::-1][:, :n_axes].T, np.float32)


def _encode(codes: LshCodes, rows: ByteArray, n_threads: int) -> ByteArray:
    blocks = np.zeros((-(-len(rows) // BLOCK_SLOTS), codes.block_bytes), np.uint8)
    for first in range(0, len(rows), ENCODE_ROWS):
        part = split_rows(rows[first : first + ENCODE_ROWS])
        codes.pack(*codes.encode(*part, n_threads=n_threads), first, blocks)
    return blocks
