"""The native library by ctypes, and the NumPy reference of each kernel.

Knows arrays only: no SQLite, no files, no model. Where the library is missing or of another version,
the references answer instead, slower and with the same results; `library_problem()` says why.
"""

from assistant.native.int8 import (
    AllowedRows,
    Int8Array,
    RowArray,
    pack_rows,
    quantise_int8,
    scan_int8,
    scan_int8_batch,
)
from assistant.native.library import (
    LIBRARY_FILE,
    force_simd,
    library,
    library_problem,
    simd_level,
)
from assistant.native.rabitq import LshCodes, row_checks
from assistant.native.view import LshView, RowDamaged

__all__ = [
    "LIBRARY_FILE",
    "AllowedRows",
    "Int8Array",
    "LshCodes",
    "LshView",
    "RowArray",
    "RowDamaged",
    "force_simd",
    "library",
    "library_problem",
    "pack_rows",
    "quantise_int8",
    "row_checks",
    "scan_int8",
    "scan_int8_batch",
    "simd_level",
]
