"""The exact int8 scan on a GPU, where the CUDA library, a driver and a device are there.

The library is one of its own (`ASSISTANT_CUDA=ON`), looked for only when there is work for it; without
it, or where anything fails, `problem()` says why and the CPU answers, with the same results to the last
bit. Knows arrays only.
"""

import ctypes
import logging
import weakref
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from assistant.native.library import LIBRARY_FILE, address
from assistant.records import FloatArray

CUDA_FILE: Final = LIBRARY_FILE.with_stem(LIBRARY_FILE.stem.replace("native", "cuda"))
ABI_VERSION: Final = 1
MAX_K: Final = 128
MAX_DIMENSION: Final = 1024
# A scan that is asked once pays for the way to the device and for CUDA's own start, about 0.3 s. So it
# must be worth a second of one core (10 GB of rows a second), and each row must be asked for often.
# Reckoned from the parts' usual speeds; not measured on a device yet.
LEAST_BYTES: Final = 10_000_000_000  # rows x dimensions x queries
LEAST_QUERIES_A_THREAD: Final = 16
_ERROR_BYTES: Final = 256
_POINTER, _I32, _SIZE = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t
log: Final = logging.getLogger(__name__)


class CudaFailed(Exception):
    """No device, no memory on it, or a kernel that did not run; the reason is the text."""


@cache
def _load() -> tuple[ctypes.CDLL | None, str, str]:
    """The library, the device's name, and why there is none."""
    try:
        loaded = ctypes.CDLL(str(CUDA_FILE))
        version = loaded.assistant_cuda_abi_version()
        if version != ABI_VERSION:
            return None, "", f"{CUDA_FILE.name} has ABI {version}, this program needs {ABI_VERSION}"
        _declare(loaded)
    except (OSError, AttributeError) as error:
        return None, "", f"{CUDA_FILE.name} cannot be loaded: {error}"
    name, reason = (ctypes.create_string_buffer(_ERROR_BYTES) for _ in range(2))
    if loaded.assistant_cuda_device(name, _ERROR_BYTES, reason, _ERROR_BYTES):
        return None, "", reason.value.decode(errors="replace")
    return loaded, name.value.decode(errors="replace"), ""


def _declare(loaded: ctypes.CDLL) -> None:
    """As in native/include/assistant_cuda.h."""
    text = ctypes.c_char_p
    loaded.assistant_cuda_device.argtypes = [text, _SIZE, text, _SIZE]
    loaded.assistant_cuda_rows_new.argtypes = [
        _POINTER, _POINTER, ctypes.c_int64, _I32, text, _SIZE,
    ]  # fmt: skip
    loaded.assistant_cuda_rows_new.restype = _POINTER
    loaded.assistant_cuda_rows_free.argtypes = [_POINTER]
    loaded.assistant_cuda_rows_free.restype = None
    loaded.assistant_cuda_scan_int8.argtypes = [
        _POINTER, _POINTER, _I32, _I32, _POINTER, _POINTER, _POINTER, _POINTER, text, _SIZE,
    ]  # fmt: skip


def device() -> str:
    """The name of the device in use; empty where there is none."""
    return _load()[1]


def problem() -> str:
    """Why no device is in use; empty where one is."""
    return _load()[2]


def gains(n_rows: int, dimension: int, n_queries: int, k: int, n_threads: int) -> bool:
    """Whether a scan that is asked once is worth the way to a device, if there is one."""
    return (
        0 < k <= MAX_K
        and dimension <= MAX_DIMENSION
        and n_queries >= LEAST_QUERIES_A_THREAD * n_threads
        and n_rows * dimension * n_queries >= LEAST_BYTES * n_threads
        and bool(device())
    )


class CudaRows:
    """Vectors kept on the device: int8 codes and one scale each. For one thread at a time."""

    def __init__(self, codes: npt.NDArray[np.int8], scales: FloatArray) -> None:
        """codes (n, d <= MAX_DIMENSION) and scales (n,), as from `quantise_int8`. Raises CudaFailed."""
        loaded = _load()[0]
        if loaded is None:
            raise CudaFailed(problem())
        codes = np.ascontiguousarray(codes, np.int8)
        scales = np.ascontiguousarray(scales, np.float32)
        self.n_rows, self.dimension = codes.shape
        if scales.shape != (self.n_rows,):
            raise ValueError(f"codes {codes.shape}, scales {scales.shape}")
        self.device_us = 0.0  # of the last search: the kernel alone
        self._library = loaded
        reason = ctypes.create_string_buffer(_ERROR_BYTES)
        self._handle = loaded.assistant_cuda_rows_new(
            codes.ctypes.data, scales.ctypes.data, *codes.shape, reason, _ERROR_BYTES
        )
        if not self._handle:
            raise CudaFailed(reason.value.decode(errors="replace"))
        weakref.finalize(self, loaded.assistant_cuda_rows_free, self._handle)

    def search(
        self, queries: FloatArray, k: int, bits: npt.NDArray[np.uint8] | None = None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """What `scan_int8_batch` returns for these rows; k <= MAX_K. Raises CudaFailed.

        queries (m, d), finite; `bits` as from `pack_rows`.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ValueError(f"queries {queries.shape} for {self.dimension} dimensions")
        if bits is not None and bits.size < (self.n_rows + 7) // 8:
            raise ValueError(f"{bits.size} bytes of filter for {self.n_rows} rows")
        rows = np.empty((len(queries), k), np.int64)
        similarities = np.empty((len(queries), k), np.float32)
        took, reason = ctypes.c_float(), ctypes.create_string_buffer(_ERROR_BYTES)
        if self._library.assistant_cuda_scan_int8(
            self._handle, queries.ctypes.data, len(queries), k, address(bits), rows.ctypes.data,
            similarities.ctypes.data, ctypes.byref(took), reason, _ERROR_BYTES,
        ):  # fmt: skip
            raise CudaFailed(reason.value.decode(errors="replace"))
        self.device_us = took.value
        return rows, similarities


def scan_once(
    codes: npt.NDArray[np.int8],
    scales: FloatArray,
    queries: FloatArray,
    k: int,
    bits: npt.NDArray[np.uint8] | None,
) -> tuple[npt.NDArray[np.int64], FloatArray] | None:
    """`CudaRows.search` on rows that are brought there for it; None where that failed."""
    try:
        return CudaRows(codes, scales).search(queries, k, bits)
    except CudaFailed as reason:
        log.warning("the GPU did not scan: %s", reason)
        return None
