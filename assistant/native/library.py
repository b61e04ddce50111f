"""Finds and loads the library once, and checks its version. Declares no kernel's arguments."""

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

ABI_VERSION: Final = 4
_SUFFIX: Final = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
LIBRARY_FILE: Final = Path(__file__).parents[1] / "_native" / f"libassistant_native{_SUFFIX}"

_POINTER, _I32, _I64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
# Name, result, arguments: as in native/include/assistant_native.h. The window's own are declared by
# assistant/runtime.
_SIGNATURES: Final[tuple[tuple[str, Any, list[Any]], ...]] = (
    ("assistant_simd_name", ctypes.c_char_p, []),
    ("assistant_simd_force", _I32, [ctypes.c_char_p]),
    ("assistant_read_bytes", ctypes.c_uint64, [_POINTER, _I64]),
    (
        "assistant_scan_int8",
        _I32,
        [_POINTER, _POINTER, _I64, _I32, _POINTER, _I32, _I32, _POINTER, _I32, _POINTER, _POINTER],
    ),
    ("assistant_lsh_new", _POINTER, [_I32, _I32, ctypes.c_uint64]),
    ("assistant_lsh_free", None, [_POINTER]),
    ("assistant_lsh_code_bytes", _I32, [_POINTER]),
    ("assistant_lsh_encode", _I32, [_POINTER, _POINTER, _I64, _I32, _POINTER, _POINTER]),
    ("assistant_lsh_pack", None, [_POINTER, _POINTER, _POINTER, _I64, _I64, _POINTER]),
    ("assistant_row_checks", None, [_POINTER, _POINTER, _POINTER, _I64, _I32, _POINTER]),
    (
        "assistant_lsh_complete_records",
        _I32,
        [_POINTER, _POINTER, _I64, _POINTER, _I64, _I64, _I64],
    ),
    (
        "assistant_lsh_search",
        _I32,
        [
            _POINTER,
            _POINTER,
            _POINTER,
            _POINTER,
            _I32,
            _I32,
            _I64,
            _POINTER,
            _I32,
            _POINTER,
            _POINTER,
        ],
    ),
    ("assistant_lsh_measure", _I32, [_POINTER, _POINTER, _POINTER, _POINTER, _I64, _POINTER]),
    ("assistant_lsh_verify", _I64, [_POINTER, _POINTER, _I64, _I64]),
)


@cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    try:
        loaded = ctypes.CDLL(str(LIBRARY_FILE))
        version = loaded.assistant_abi_version()
        for name, result, arguments in _SIGNATURES if version == ABI_VERSION else ():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        return None, f"{LIBRARY_FILE.name} cannot be loaded: {error}"
    if version != ABI_VERSION:
        return None, f"{LIBRARY_FILE.name} has ABI {version}, this program needs {ABI_VERSION}"
    return loaded, ""


def library() -> ctypes.CDLL | None:
    """The loaded library, or None. One handle for the whole process."""
    return _load()[0]


def library_problem() -> str:
    """Why the NumPy references are in use; empty where the library is."""
    return _load()[1]


def simd_level() -> str:
    """The instruction set of the kernels: avx512, avx2, neon, scalar; numpy without the library."""
    loaded = library()
    return loaded.assistant_simd_name().decode() if loaded else "numpy"


def force_simd(level: str) -> bool:
    """Use this instruction set from now on; False where the CPU lacks it. For tests."""
    loaded = library()
    return loaded is not None and loaded.assistant_simd_force(level.encode()) == 0


def address(array: npt.NDArray[Any] | None) -> int | None:
    """Where the array's first element lies; None stands for NULL.

    Through the buffer where that can be: `array.ctypes` takes three times as long, and an insert asks
    a dozen times.
    """
    if array is None:
        return None
    if array.flags.writeable and array.flags.c_contiguous and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type] # NumPy tells its buffer from Python 3.12 on
    return array.ctypes.data


class LshViewStruct(ctypes.Structure):
    """`assistant_lsh_view` of the header: what a search of the LSH index reads."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("ids", ctypes.c_void_p),
        ("live", ctypes.c_void_p),
        ("base_rows", ctypes.c_void_p),
        ("log_rows", ctypes.c_void_p),
        ("n_slots", ctypes.c_int64),
        ("n_base", ctypes.c_int64),
        ("base_stride", ctypes.c_int64),
        ("log_stride", ctypes.c_int64),
    )
