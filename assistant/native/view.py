"""What a search of the LSH index reads: codes, ids and stored vectors, wherever they lie."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.native.int8 import RowArray
from assistant.native.library import LshViewStruct

ByteArray = npt.NDArray[np.uint8]
BLOCK_SLOTS: Final = 256
ROW_TAIL_BYTES: Final = 8  # scale and check after the codes of a stored vector


class RowDamaged(Exception):
    """A stored vector does not match its check: the index file must be rebuilt."""


@dataclass(frozen=True)
class LshView:
    """What a search reads, at one moment. The arrays are kept alive by this object.

    A stored vector is dim int8, float32 scale, uint32 check; slot s is row s of `base_rows`, or row
    s - len(base_rows) of `log_rows`. Rows may be strided: only their own bytes must be adjacent.
    """

    blocks: ByteArray  # (>= n_slots / 256 blocks, bytes of a block)
    ids: RowArray  # (>= n_slots,)
    live: ByteArray  # (>= n_slots / 8,), one bit a slot
    base_rows: ByteArray  # (n_base, dim + 8)
    log_rows: ByteArray  # (n_log, dim + 8)
    n_slots: int

    @cached_property
    def struct(self) -> LshViewStruct:
        """The same for C. `self` must outlive it. Made once: asking an array for its address costs 1 us."""
        return LshViewStruct(
            self.blocks.ctypes.data, self.ids.ctypes.data, self.live.ctypes.data,
            self.base_rows.ctypes.data, self.log_rows.ctypes.data, self.n_slots,
            len(self.base_rows), self.base_rows.strides[0], self.log_rows.strides[0],
        )  # fmt: skip
