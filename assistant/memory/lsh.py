"""The LSH index: RaBitQ codes in RAM (40 bytes a memory), int8 vectors on disk to rank again.

Signatures are 1-bit codes of a vector's principal axes after a random rotation about the mean (RaBitQ,
arXiv 2405.12497; which axes, `lsh_build` says). There are
no buckets: every code is looked at, which costs less than a bucket's misses do. Think-in-Memory's
single table of buckets (arXiv 2311.08719) finds 0.10-0.52 of the true ten; it is in the tests.

Knows its cache file and how to search; where the vectors come from and who may write is `index`'s.
"""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from assistant.memory import huge_pages
from assistant.memory.index_file import (
    ADD,
    REMOVE,
    IndexUnusable,
    LoadedFile,
    load,
    seal_records,
)
from assistant.memory.index_rows import AllowedIds, Found, IdArray, Int8Array, VectorBatch
from assistant.memory.index_slots import SlotTable
from assistant.memory.lsh_build import build_file, split_rows
from assistant.native import LshCodes, LshView, RowDamaged, row_checks
from assistant.native.reference import stored_rows
from assistant.native.view import BLOCK_SLOTS
from assistant.records import FloatArray

SEED: Final = 20240521  # of the rotation; any number does; it is stored in the file
# The log's vectors are in RAM (460 bytes each), so it is kept short: then the file is written anew.
LOG_ROWS_LEAST: Final = 1024
LOG_SHARE: Final = 128  # at most 1/128 of the base
DEAD_SHARE: Final = 8  # or 1/8 of it dead


def candidate_count(k: int, n: int, *, whole: bool = True) -> int:
    """How many of `n` codes are ranked again by int8 for the best `k`.

    The error of an estimate pushes a true neighbour down past the vectors that lie within it; their
    number grows slowly with k and with n. Where a code is not of the `whole` vector 2.5 times as many are
    needed for ten (0.991 of the true ten at 100 000), and of hundreds twice as many as are asked for:
    the nearest 50 are among them (0.988), and recall of the last costs more than it is worth to a
    ranking that has other signals too.
    """
    if whole:
        return int((k + 30 * math.sqrt(k)) * max(1.0, n / 100_000) ** 0.25)
    return max(2 * k, int(250 * (k / 10) ** 0.25 * max(1.0, n / 100_000) ** 0.1))


@dataclass(frozen=True, slots=True)
class _State:
    """What a search needs, replaced as one: a search never sees half of a change."""

    codes: LshCodes
    slots: SlotTable
    view: LshView


class LshIndex:
    """A `VectorIndex` over one file. Only the process that holds the lock may have `writable`."""

    kind = "lsh"

    def __init__(self, path: Path, identity: str, *, writable: bool) -> None:
        """Open the file. Raises IndexUnusable."""
        self.path = path
        self.identity = identity
        self._file: int | None = None
        self._attach(load(path, identity), writable=writable)

    @classmethod
    def build(
        cls,
        path: Path,
        identity: str,
        dimension: int,
        batches: Iterable[VectorBatch],
        *,
        n_threads: int = 0,
    ) -> Self:
        """Write the file from these rows and open it. Raises OSError; an old file stays then."""
        build_file(path, identity, dimension, batches, seed=SEED, n_threads=n_threads)
        return cls(path, identity, writable=True)

    def _attach(self, loaded: LoadedFile, *, writable: bool) -> None:
        base = loaded.base
        self.dimension = loaded.shape.dimension
        self.generation = base.generation
        self._rows = loaded.rows
        self._blocks = base.blocks
        self._use_log(np.zeros(0, loaded.shape.record))
        self._n_log = 0
        self._n_records = 0
        slots = SlotTable()
        slots.append(base.ids)
        codes = LshCodes(self.dimension, base.seed, base.centre, base.axes)
        self._publish(codes, slots)
        if writable:
            self._file = os.open(self.path, os.O_RDWR)
            self._log_at = loaded.shape.log_at
            os.ftruncate(self._file, loaded.log_end)  # a torn record must not be read later
        once = len(np.unique(loaded.log["id"])) == len(loaded.log)
        for records in (loaded.log,) if once else loaded.log[:, None]:
            self._take(records)
        self._n_records = len(loaded.log)

    @property
    def n(self) -> int:
        return self._state.slots.n_live

    @property
    def ids(self) -> IdArray:
        """Of the live vectors, in slot order."""
        slots = self._state.slots
        return slots.ids[slots.is_live(np.arange(slots.n))]

    @property
    def wants_rewrite(self) -> bool:
        """Whether the log, the dead or the ids out of order have grown past their share."""
        slots = self._state.slots
        limit = max(LOG_ROWS_LEAST, len(self._rows) // LOG_SHARE)
        n_dead = slots.n - slots.n_live
        late = max(self._n_records, slots.n_late) > limit
        return late or n_dead > max(LOG_ROWS_LEAST, slots.n // DEAD_SHARE)

    @property
    def ram_bytes(self) -> int:
        """What is held in RAM: codes, factors, ids, live bits, axes and the log's vectors."""
        n, codes = self._state.slots.n, self._state.codes
        axes = 0 if codes.axes is None else codes.axes.nbytes
        log = self._n_log * self._log.dtype.itemsize
        return n * (codes.code_bytes + 4 + 8) + n // 8 + axes + log

    @property
    def scanned_bytes(self) -> int:
        """What a search without a filter reads of the codes."""
        state = self._state
        return -(-state.slots.n // BLOCK_SLOTS) * state.codes.block_bytes

    def add(self, batch: VectorBatch) -> None:
        if len(batch.ids) == 0:
            return
        records = np.zeros(len(batch.ids), self._log.dtype)
        records["id"] = batch.ids
        records["generation"] = batch.generations
        records["kind"] = np.where(batch.live, ADD, REMOVE)
        records["codes"] = batch.codes
        records["scale"] = batch.scales
        self._state.codes.complete_records(records)
        self._write(records)
        self._take(records)

    def remove(self, ids: IdArray) -> None:
        known = ids[self._state.slots.find(ids) >= 0]
        records = np.zeros(len(known), self._log.dtype)
        records["id"] = known
        records["generation"] = self.generation
        records["kind"] = REMOVE
        self._write(records)
        self._take(records)

    def search(self, query: FloatArray, k: int, allowed: AllowedIds | None = None) -> Found:
        """Raises RowDamaged where a stored vector does not match its check."""
        state = self._state
        bits = None if allowed is None else state.slots.allowed(allowed)
        k = min(k, state.view.n_slots)
        count = candidate_count(k, state.view.n_slots, whole=state.codes.axes is None)
        slots, similarities = state.codes.search(state.view, query[None], k, count, bits)
        n_found = int(np.count_nonzero(slots >= 0))  # those without a row come last
        return state.view.ids.take(slots[0, :n_found]), similarities[0, :n_found]

    def search_batch(
        self, queries: FloatArray, k: int, *, n_candidates: int = 0, n_threads: int = 1
    ) -> tuple[IdArray, FloatArray]:
        """`search` for queries (m, dimension): ids and similarities (m, k), padded with -1, -inf."""
        state = self._state
        whole = state.codes.axes is None
        count = n_candidates or candidate_count(k, state.view.n_slots, whole=whole)
        slots, similarities = state.codes.search(state.view, queries, k, count, n_threads=n_threads)
        return np.where(slots >= 0, state.view.ids[slots], -1), similarities

    def similarities(self, query: FloatArray, ids: IdArray) -> FloatArray:
        state = self._state
        slots = state.slots.find(ids)
        known = slots >= 0
        found = np.full(len(ids), np.nan, np.float32)
        found[known] = state.codes.measure(state.view, query, slots[known])
        return found

    def save(self) -> None:
        """Wait until the log is on disk."""
        if self._file is not None:
            os.fsync(self._file)

    def verify(self) -> bool:
        """Compare every stored vector, and the file as it is on disk, with its checks."""
        state = self._state
        if state.codes.verify(state.view):
            return False
        try:
            loaded = load(self.path, self.identity)
        except IndexUnusable:
            return False
        return self._file is None or len(loaded.log) == self._n_records

    def rewrite(self) -> None:
        """Write the file anew from the live vectors: no log, no dead, nothing of what was removed.

        Raises OSError (the old file stays), RowDamaged.
        """
        state = self._state
        if state.codes.verify(state.view):
            raise RowDamaged
        build_file(
            self.path, self.identity, self.dimension, self._batches(),
            seed=state.codes.seed, generation=self.generation,
        )  # fmt: skip
        self.close()
        self._attach(load(self.path, self.identity), writable=True)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _batches(self, n: int = 8192) -> Iterator[VectorBatch]:
        """The live vectors in the order of their ids."""
        state = self._state
        live = np.flatnonzero(state.slots.is_live(np.arange(state.slots.n)))
        live = live[np.argsort(state.slots.ids[live])]
        for first in range(0, len(live), n):
            slots = live[first : first + n]
            codes, scales = _stored(state.view, slots)
            none = np.zeros(len(slots), np.int64)
            yield VectorBatch(
                state.slots.ids[slots], codes, scales, none, np.ones(len(slots), np.bool_)
            )

    def _write(self, records: npt.NDArray[np.void]) -> None:
        """Append to the file. One write: a kill leaves a torn record at the end at worst."""
        if self._file is not None and len(records):
            data = seal_records(records, self._n_records)
            os.pwrite(self._file, data, self._log_at + self._n_records * self._log.dtype.itemsize)
        self._n_records += len(records)

    def _take(self, records: npt.NDArray[np.void]) -> None:
        """Bring records into RAM and show them to searches."""
        slots = self._state.slots
        old = slots.find(records["id"])
        old = old[old >= 0]
        if old.size:
            slots.kill(old)
        n_adds = records["kind"].tolist().count(ADD)
        if n_adds:
            self._append(records if n_adds == len(records) else records[records["kind"] == ADD])
        self.generation = max(self.generation, max(records["generation"].tolist(), default=0))

    def _append(self, added: npt.NDArray[np.void]) -> None:
        slots = self._state.slots
        first = slots.n
        self._grow(first + len(added))
        self._log[self._n_log : self._n_log + len(added)] = added
        self._n_log += len(added)
        self._state.codes.pack(added["bits"], added["factor"], first, self._blocks)
        slots.append(added["id"])
        self._publish(self._state.codes, slots)

    def _grow(self, n_slots: int) -> None:
        n_blocks = -(-n_slots // BLOCK_SLOTS)
        if n_blocks > len(self._blocks):
            n_wider, block_bytes = n_blocks + n_blocks // 8 + 1, self._blocks.shape[1]
            wider = huge_pages.zeros(n_wider * block_bytes).reshape(n_wider, block_bytes)
            wider[: len(self._blocks)] = self._blocks
            self._blocks = wider
        n_log = n_slots - len(self._rows)
        if n_log > len(self._log):
            longer = np.zeros(2 * n_log + 16, self._log.dtype)
            longer[: self._n_log] = self._log[: self._n_log]
            self._use_log(longer)

    def _use_log(self, log: npt.NDArray[np.void]) -> None:
        self._log = log
        raw = log.view(np.uint8).reshape(-1, log.dtype.itemsize)
        self._log_rows = raw[:, : self._rows.shape[1]]

    def _publish(self, codes: LshCodes, slots: SlotTable) -> None:
        view = LshView(self._blocks, slots.ids, slots.live, self._rows, self._log_rows, slots.n)
        self._state = _State(codes, slots, view)


def _stored(view: LshView, slots: IdArray) -> tuple[Int8Array, FloatArray]:
    """Codes (m, dimension) and scales (m,) of these slots. Raises RowDamaged."""
    rows = stored_rows(view, slots)
    codes, scales = split_rows(rows)
    checks = np.ascontiguousarray(rows[:, -4:]).view("<u4")[:, 0]
    if (row_checks(codes, scales, view.ids[slots]) != checks).any():
        raise RowDamaged
    return codes, scales
