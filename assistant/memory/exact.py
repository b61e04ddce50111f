"""The exact index: every vector in RAM, one scan. For stores too small to need anything else.

Also what answers where no index file can be had. Knows no file: it is filled from the store.
"""

import numpy as np

from assistant.memory.index_rows import (
    AllowedIds,
    BoolArray,
    Found,
    IdArray,
    Int8Array,
    VectorBatch,
)
from assistant.memory.index_slots import SlotTable
from assistant.native import scan_int8
from assistant.records import FloatArray


class ExactIndex:
    """int8 vectors in slot order, scanned by the native kernel."""

    kind = "exact"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.generation = 0
        self._slots = SlotTable()
        self._codes: Int8Array = np.zeros((0, dimension), np.int8)
        self._scales: FloatArray = np.zeros(0, np.float32)

    @property
    def n(self) -> int:
        return self._slots.n_live

    @property
    def ids(self) -> IdArray:
        """Of the live vectors, in slot order."""
        return self._slots.ids[self._live()]

    def _live(self) -> BoolArray:
        return self._slots.is_live(np.arange(self._slots.n))

    def add(self, batch: VectorBatch) -> None:
        old = self._slots.find(batch.ids)
        self._slots.kill(old[old >= 0])
        ids, codes, scales = batch.ids, batch.codes, batch.scales
        if not batch.live.all():
            ids, codes, scales = ids[batch.live], codes[batch.live], scales[batch.live]
        self._grow(self._slots.n + len(ids))
        first = self._slots.n
        self._codes[first : first + len(ids)] = codes
        self._scales[first : first + len(ids)] = scales
        self._slots.append(ids)
        if len(batch.ids):
            self.generation = max(self.generation, int(batch.generations[-1]))

    def remove(self, ids: IdArray) -> None:
        slots = self._slots.find(ids)
        self._slots.kill(slots[slots >= 0])

    def search(self, query: FloatArray, k: int, allowed: AllowedIds | None = None) -> Found:
        slots = self._slots
        n = slots.n
        bits = None
        if allowed is not None:
            bits = slots.live[: (n + 7) // 8] & slots.allowed(allowed)
        elif slots.n_live < n:
            bits = slots.live
        rows, similarities = scan_int8(self._codes[:n], self._scales[:n], query, k, bits)
        return slots.ids[rows], similarities

    def similarities(self, query: FloatArray, ids: IdArray) -> FloatArray:
        slots = self._slots.find(ids)
        known = slots >= 0
        found = np.full(len(ids), np.nan, np.float32)
        rows, values = scan_int8(
            self._codes[slots[known]], self._scales[slots[known]], query, int(known.sum())
        )
        found[np.flatnonzero(known)[rows]] = values
        return found

    def save(self) -> None:
        """Nothing to do: it is filled from the store every time."""

    def verify(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to do."""

    def _grow(self, n: int) -> None:
        if n > len(self._codes):
            capacity = max(n, 2 * len(self._codes), 64)
            codes = np.empty((capacity, self.dimension), np.int8)
            scales = np.empty(capacity, np.float32)
            codes[: self._slots.n] = self._codes[: self._slots.n]
            scales[: self._slots.n] = self._scales[: self._slots.n]
            self._codes, self._scales = codes, scales
