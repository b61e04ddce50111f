"""Which memory lies in which slot of an index, and which slots are dead.

A slot is a position, given once and never reused. Knows no vectors.
"""

import numpy as np
import numpy.typing as npt

from assistant.memory.index_rows import AllowedIds, IdArray


class SlotTable:
    """Ids in slot order. Ids mostly rise, so finding one is a binary search; the few that came late
    (a memory that was brought back) are in a dictionary."""

    def __init__(self) -> None:
        self.n = 0
        self.n_live = 0
        self._ids = np.zeros(0, np.int64)
        self._live = np.zeros(8, np.uint8)
        self._n_rising = 0
        self._late: dict[int, int] = {}

    @property
    def ids(self) -> IdArray:
        """(n,)"""
        return self._ids[: self.n]

    @property
    def live(self) -> npt.NDArray[np.uint8]:
        """One bit a slot, at least n of them."""
        return self._live

    @property
    def n_late(self) -> int:
        """How many ids cost a dictionary entry."""
        return len(self._late)

    def append(self, ids: IdArray) -> int:
        """Give each id the next slot, alive; the first of these slots. No id may be alive already."""
        first = self.n
        self._grow(first + len(ids))
        if len(ids) == 1:
            self._append_one(int(ids[0]))
            return first
        self._ids[first : first + len(ids)] = ids
        rising = self._rising_part(ids, first)
        if rising < len(ids):
            late = range(first + rising, first + len(ids))
            self._late.update(zip(ids[rising:].tolist(), late, strict=True))
        self.n += len(ids)
        self.n_live += len(ids)
        self._set(np.arange(first, self.n), alive=True)
        return first

    def _append_one(self, own: int) -> None:
        """`append` of one id, as a turn adds them: without arrays, as `_find_one`."""
        slot = self.n
        if self._n_rising == slot and (slot == 0 or own > self._ids[slot - 1]):
            self._n_rising += 1
        else:
            self._late[own] = slot
        self._ids[slot] = own
        self.n += 1
        self.n_live += 1
        self._set_one(slot, alive=True)

    def _rising_part(self, ids: IdArray, first: int) -> int:
        """How many of `ids` continue the rising run."""
        if len(ids) == 0 or self._n_rising < first or (first and ids[0] <= self._ids[first - 1]):
            return 0
        falls = np.flatnonzero(ids[1:] <= ids[:-1])
        rising = int(falls[0]) + 1 if falls.size else len(ids)
        self._n_rising += rising
        return rising

    def find(self, ids: IdArray) -> IdArray:
        """The live slot of each id (n,), -1 where there is none."""
        if len(ids) == 1:
            return np.array([self._find_one(int(ids[0]))], np.int64)
        rising = self._ids[: self._n_rising]
        if rising.size == 0:
            slots = np.full(len(ids), -1, np.int64)
        else:
            slots = np.minimum(np.searchsorted(rising, ids), rising.size - 1)
            slots = np.where((rising[slots] == ids) & self.is_live(slots), slots, -1)
        if self._late:
            late = np.array([self._late.get(i, -1) for i in ids.tolist()], np.int64)
            late = np.where((late >= 0) & self.is_live(late), late, -1)
            slots = np.where(slots >= 0, slots, late)
        return slots

    def _find_one(self, wanted: int) -> int:
        """`find` for one id, as a turn adds them: without arrays, in a sixth of the time."""
        slot = int(self._ids[: self._n_rising].searchsorted(wanted))
        if slot < self._n_rising and self._ids[slot] == wanted and self._is_one_live(slot):
            return slot
        slot = self._late.get(wanted, -1)
        return slot if slot >= 0 and self._is_one_live(slot) else -1

    def _is_one_live(self, slot: int) -> bool:
        return bool(int(self._live[slot >> 3]) >> (slot & 7) & 1)

    def is_live(self, slots: IdArray) -> npt.NDArray[np.bool_]:
        bits: npt.NDArray[np.uint8] = self._live[slots >> 3] >> (slots & 7).astype(np.uint8)
        alive: npt.NDArray[np.bool_] = (bits & np.uint8(1)).astype(np.bool_)
        return alive

    def kill(self, slots: IdArray) -> None:
        """Mark live slots dead."""
        self._set(slots, alive=False)
        self.n_live -= len(slots)

    def allowed(self, allowed: AllowedIds) -> npt.NDArray[np.uint8]:
        """A filter by memory id as bits by slot."""
        if allowed.dtype == np.bool_:
            ids = self.ids
            first, last = (int(ids[0]), int(ids[-1])) if self.n else (0, -1)
            if self._n_rising == self.n == last - first + 1 and last < allowed.size:
                return np.packbits(allowed[first : last + 1], bitorder="little")  # no gaps
            known = np.append(allowed, False)
            return np.packbits(known.take(ids, mode="clip"), bitorder="little")
        slots = self.find(allowed.astype(np.int64, copy=False))
        flags = np.zeros(self.n, np.bool_)
        flags[slots[slots >= 0]] = True
        return np.packbits(flags, bitorder="little")

    def _set(self, slots: IdArray, *, alive: bool) -> None:
        if len(slots) == 1:
            self._set_one(int(slots[0]), alive=alive)
            return
        bits = np.left_shift(np.uint8(1), (slots & 7).astype(np.uint8))
        if alive:
            np.bitwise_or.at(self._live, slots >> 3, bits)
        else:
            np.bitwise_and.at(self._live, slots >> 3, ~bits)

    def _set_one(self, slot: int, *, alive: bool) -> None:
        byte, bit = int(self._live[slot >> 3]), 1 << (slot & 7)
        self._live[slot >> 3] = byte | bit if alive else byte & ~bit

    def _grow(self, n: int) -> None:
        if n > len(self._ids):
            capacity = max(n, len(self._ids) + len(self._ids) // 4, 64)
            ids = np.empty(capacity, np.int64)  # untouched pages cost no RAM
            ids[: self.n] = self._ids[: self.n]
            live = np.zeros(capacity // 8 + 8, np.uint8)
            live[: len(self._live)] = self._live
            self._ids, self._live = ids, live
