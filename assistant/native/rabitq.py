"""One-bit codes (RaBitQ, arXiv 2405.12497) and their search: the native kernels.

Knows arrays and where they lie, not files. Where the library is missing, `reference.py` answers.
"""

import weakref
from collections.abc import Mapping
from ctypes import byref
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from assistant.native import reference
from assistant.native.int8 import AllowedRows, Int8Array, RowArray, check_allowed
from assistant.native.library import address, library
from assistant.native.view import BLOCK_SLOTS, ByteArray, LshView, RowDamaged
from assistant.records import FloatArray

_DAMAGED: Final = -2


class LshCodes:
    """A centre, axes and a seeded rotation: makes codes, lays them out and searches them.

    `axes` (code_dimension, dimension), orthonormal, are what of a vector is encoded; None: all of it.
    """

    def __init__(
        self, dimension: int, seed: int, centre: FloatArray, axes: FloatArray | None = None
    ) -> None:
        self.dimension = dimension
        self.seed = seed
        self.centre = np.ascontiguousarray(centre, np.float32)
        self.axes = None if axes is None else np.ascontiguousarray(axes, np.float32)
        code_dimension = dimension if axes is None else len(axes)
        if self.centre.shape != (dimension,) or dimension > reference.MAX_DIMENSION:
            raise ValueError(f"a centre of shape {centre.shape} for {dimension} dimensions")
        if axes is not None and axes.shape != (code_dimension, dimension):
            raise ValueError(f"axes of shape {axes.shape} for {dimension} dimensions")
        self.code_bytes = reference.rotation_size(code_dimension) // 8
        self._library = loaded = library()
        self._handle = None
        if loaded is not None:
            self._handle = loaded.assistant_lsh_new(dimension, code_dimension, seed)
            if not self._handle:
                raise MemoryError("no memory for the rotation")
            weakref.finalize(self, loaded.assistant_lsh_free, self._handle)

    @property
    def block_bytes(self) -> int:
        return BLOCK_SLOTS * (self.code_bytes + 4)

    def encode(
        self, codes: Int8Array, scales: FloatArray, *, n_threads: int = 1
    ) -> tuple[ByteArray, FloatArray]:
        """Bits (n, code_bytes) and factors (n,) of the vectors codes * scales[:, None]."""
        codes = np.ascontiguousarray(codes, np.int8)
        scales = np.ascontiguousarray(scales, np.float32)
        if codes.shape != (scales.size, self.dimension):
            raise ValueError(f"codes {codes.shape} for {scales.size} scales")
        heads = self._heads(codes * scales[:, None] - self.centre)
        if self._library is None:
            return reference.encode(heads, self.seed)
        bits = np.empty((len(codes), self.code_bytes), np.uint8)
        factors = np.empty(len(codes), np.float32)
        if self._library.assistant_lsh_encode(
            self._handle, address(heads), len(codes), n_threads, address(bits),
            address(factors),
        ):  # fmt: skip
            raise MemoryError("no memory to encode")
        return bits, factors

    def complete_records(self, records: npt.NDArray[np.void]) -> None:
        """Fill in check, factor and bits (which follow it) of log records (n,), contiguous, that begin
        with a stored vector and have its id.

        `encode` and `row_checks` in one call: of an insert's time half goes to handing arrays over.
        """
        heads = self._heads(records["codes"] * records["scale"][:, None] - self.centre)
        if self._library is None:
            records["bits"], records["factor"] = reference.encode(heads, self.seed)
            records["check"] = reference.row_checks(
                np.ascontiguousarray(records["codes"]),
                np.ascontiguousarray(records["scale"]),
                records["id"],
            )
            return
        fields: Mapping[str, Any] = records.dtype.fields or {}
        if self._library.assistant_lsh_complete_records(
            self._handle, address(heads), len(records), address(records), records.itemsize,
            fields["id"][1], fields["factor"][1],
        ):  # fmt: skip
            raise MemoryError("no memory to encode")

    def _heads(self, vectors: FloatArray) -> FloatArray:
        """What of vectors (n, dimension) is encoded, (n, code_dimension)."""
        return vectors if self.axes is None else vectors @ self.axes.T

    def pack(
        self, bits: ByteArray, factors: FloatArray, first_slot: int, blocks: ByteArray
    ) -> None:
        """Put codes into slots first_slot... of `blocks` (n_blocks, block_bytes), contiguous."""
        if (first_slot + len(bits)) > BLOCK_SLOTS * len(blocks) or not blocks.flags.c_contiguous:
            raise ValueError(f"{len(blocks)} blocks cannot hold slot {first_slot + len(bits) - 1}")
        if self._library is None:
            reference.pack(bits, factors, first_slot, blocks)
            return
        bits = np.ascontiguousarray(bits, np.uint8)
        factors = np.ascontiguousarray(factors, np.float32)
        self._library.assistant_lsh_pack(
            self._handle, address(bits), address(factors), len(bits), first_slot,
            address(blocks),
        )  # fmt: skip

    def search(
        self,
        view: LshView,
        queries: FloatArray,
        k: int,
        n_candidates: int,
        allowed: AllowedRows | None = None,
        *,
        n_threads: int = 1,
    ) -> tuple[RowArray, FloatArray]:
        """Slots and similarities (m, k) of the nearest live, allowed slots; padded with -1, -inf.

        The `n_candidates` best by code are ranked by int8; all by int8 where few are allowed.
        Raises RowDamaged, ValueError for a query that is not finite.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.shape[1:] != (self.dimension,) or not np.isfinite(queries).all():
            raise ValueError(f"queries of shape {queries.shape}, or not finite")
        bits = check_allowed(allowed, view.n_slots)
        heads = np.ascontiguousarray(self._heads(queries))
        if self._library is None:
            return reference.search(view, queries, heads, k, n_candidates, bits, self.seed)
        slots = np.empty((len(queries), k), np.int64)
        similarities = np.empty((len(queries), k), np.float32)
        status = self._library.assistant_lsh_search(
            self._handle, byref(view.struct), address(queries), address(heads), len(queries),
            k, n_candidates, address(bits), n_threads, address(slots), address(similarities),
        )  # fmt: skip
        if status == _DAMAGED:
            raise RowDamaged
        if status:
            raise MemoryError("no memory to search")
        return slots, similarities

    def measure(self, view: LshView, query: FloatArray, slots: RowArray) -> FloatArray:
        """The similarity of the query (dimension,) to the vectors of these slots (m,), whether live or
        not. Raises RowDamaged, ValueError for a query that is not finite or a slot that is not there."""
        query = np.ascontiguousarray(query, np.float32)
        slots = np.ascontiguousarray(slots, np.int64)
        if query.shape != (self.dimension,) or not np.isfinite(query).all():
            raise ValueError(f"a query of shape {query.shape}, or not finite")
        if slots.size and (slots.min() < 0 or slots.max() >= view.n_slots):
            raise ValueError(f"slots beyond {view.n_slots}")
        if self._library is None:
            return reference.measure(view, query, slots)
        similarities = np.empty(len(slots), np.float32)
        status = self._library.assistant_lsh_measure(
            self._handle, byref(view.struct), address(query), address(slots), len(slots),
            address(similarities),
        )  # fmt: skip
        if status == _DAMAGED:
            raise RowDamaged
        if status:
            raise MemoryError("no memory to measure")
        return similarities

    def verify(self, view: LshView) -> int:
        """How many stored vectors do not match their check."""
        if self._library is None:
            return reference.count_damaged(view, np.arange(view.n_slots))
        return int(
            self._library.assistant_lsh_verify(self._handle, byref(view.struct), 0, view.n_slots)
        )


def row_checks(codes: Int8Array, scales: FloatArray, ids: RowArray) -> npt.NDArray[np.uint32]:
    """The 32-bit check of each stored vector, over its codes, its scale and its id."""
    codes = np.ascontiguousarray(codes, np.int8)
    scales = np.ascontiguousarray(scales, np.float32)
    ids = np.ascontiguousarray(ids, np.int64)
    loaded = library()
    if loaded is None:
        return reference.row_checks(codes, scales, ids)
    checks = np.empty(len(ids), np.uint32)
    loaded.assistant_row_checks(
        address(codes), address(scales), address(ids), *codes.shape, address(checks)
    )
    return checks
