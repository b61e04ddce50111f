"""The weight window's C interface by ctypes (native/include/assistant_native.h).

Knows structs, addresses and error texts; decides nothing. Everything here is cheap to import: the
native library and llama.cpp are loaded when a window is opened.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from assistant import native
from assistant.errors import AssistantError
from assistant.runtime.plan import Plan, TensorInfo

# One leaves a fifth of the disk unused; with a ring of 48 MiB three were quicker than two or four in
# medians of 4 to 6 runs at 0.75 and 0.5 of a 1.1 GB model, but single runs differ by more than that.
N_READ_THREADS: Final = 3
_ERROR_BYTES: Final = 1024


class WindowUnavailable(AssistantError):
    """This build or this llama.cpp has no weight window; `what` says why."""


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 64),
        ("type", ctypes.c_int32),
        ("file", ctypes.c_uint32),
        ("ne", ctypes.c_int64 * 4),
        ("offset", ctypes.c_uint64),
        ("n_bytes", ctypes.c_uint64),
        ("row_bytes", ctypes.c_uint64),
    )


class Options(ctypes.Structure):
    """`assistant_window_options`."""

    _fields_ = (
        ("ring_bytes", ctypes.c_uint64),
        ("expert_bytes", ctypes.c_uint64),
        ("n_read_threads", ctypes.c_int32),
        ("n_compute_threads", ctypes.c_int32),
        ("n_gather_rows", ctypes.c_uint32),
        ("require_mapping", ctypes.c_int32),
        ("abort", ctypes.c_void_p),
        ("abort_data", ctypes.c_void_p),
    )


class Counters(ctypes.Structure):
    """`assistant_window_counters`."""

    _fields_ = (
        ("n_graphs", ctypes.c_uint64),
        ("n_bytes_read", ctypes.c_uint64),
        ("n_reads", ctypes.c_uint64),
        ("n_rows", ctypes.c_uint64),
        ("n_waits", ctypes.c_uint64),
        ("wait_s", ctypes.c_double),
        ("n_mispredicted", ctypes.c_uint64),
        ("n_unplanned", ctypes.c_uint64),
        ("pinned_bytes", ctypes.c_uint64),
        ("ring_bytes", ctypes.c_uint64),
        ("expert_bytes", ctypes.c_uint64),
        ("n_expert_hits", ctypes.c_uint64),
        ("n_expert_misses", ctypes.c_uint64),
        ("n_expert_evictions", ctypes.c_uint64),
        ("n_expert_bytes_read", ctypes.c_uint64),
    )

    def as_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name, _ in self._fields_}


def library() -> Any:
    """The native library with the window's functions declared. Raises WindowUnavailable."""
    loaded = native.library()
    if loaded is None:
        raise WindowUnavailable(f"There is no weight window: {native.library_problem()}.")
    if not hasattr(loaded, "assistant_window_open"):
        raise WindowUnavailable(
            "There is no weight window: the native library was built without ggml's headers.",
            "Install llama-cpp-python first, then build again.",
        )
    declare(loaded)
    return loaded


def declare(loaded: Any) -> None:
    """Argument and result types; without them ctypes cuts addresses to 32 bits."""
    address, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "ggml_version": (text, []),
        "open": (address, [address, text, text, size]),
        "close": (None, [address]),
        "n_tensors": (size, [address]),
        "n_experts_used": (ctypes.c_uint32, [address]),
        "tensor_at": (None, [address, size, ctypes.POINTER(_Tensor)]),
        "direct": (ctypes.c_bool, [address]),
        "measure_disk": (ctypes.c_double, [address, ctypes.c_uint64, ctypes.c_int32]),
        "measure_compute": (ctypes.c_double, [address, ctypes.c_uint64, ctypes.c_int32]),
        "start": (
            ctypes.c_int,
            [address, text, size, ctypes.POINTER(ctypes.c_uint32), size,
             ctypes.POINTER(Options), text, size],
        ),
        "stop": (None, [address]),
        "finish_graph": (ctypes.c_int, [address, text, size]),
        "count": (None, [address, ctypes.POINTER(Counters)]),
    }  # fmt: skip
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, f"assistant_window_{name}")
        function.restype, function.argtypes = result, arguments


class WindowHandle:
    """One `assistant_window`: the index of a model file, and the engine once it is started."""

    def __init__(self, path: Path) -> None:
        """Raises WindowUnavailable: no library, another ggml, or the file cannot be read."""
        from assistant.runtime.library import llama

        self._library = library()
        self._error = ctypes.create_string_buffer(_ERROR_BYTES)
        self.address: int | None = self._library.assistant_window_open(
            llama()._lib._handle, str(path).encode(), self._error, _ERROR_BYTES
        )
        if not self.address:
            raise WindowUnavailable(f"There is no weight window: {self._reason()}.")
        self.tensors = self._read_tensors()
        self.n_experts_used = int(self._library.assistant_window_n_experts_used(self.address))

    def _reason(self) -> str:
        return self._error.value.decode("utf-8", "replace")

    def _read_tensors(self) -> tuple[TensorInfo, ...]:
        raw = _Tensor()
        found = []
        for i in range(self._library.assistant_window_n_tensors(self.address)):
            self._library.assistant_window_tensor_at(self.address, i, ctypes.byref(raw))
            a, b, c, d = raw.ne
            name = raw.name.decode("utf-8", "replace")
            found.append(
                TensorInfo(name, raw.n_bytes, raw.row_bytes, (a, b, c, d), raw.file, raw.offset)
            )
        return tuple(found)

    @property
    def is_direct(self) -> bool:
        """Whether reads pass the page cache by."""
        return bool(self._library.assistant_window_direct(self.address))

    def measure_disk(self, n_bytes: int) -> float:
        """Bytes per second, read as the engine reads; 0 where the file is too short to tell."""
        return float(
            self._library.assistant_window_measure_disk(self.address, n_bytes, N_READ_THREADS)
        )

    def measure_compute(self, n_bytes: int, n_threads: int) -> float:
        """Bytes of weights per second that one token's activations are multiplied with."""
        return float(
            self._library.assistant_window_measure_compute(self.address, n_bytes, n_threads)
        )

    @property
    def eval_address(self) -> int:
        """Address of the eval callback; its user data is `address`."""
        function = self._library.assistant_window_eval
        return int(ctypes.cast(function, ctypes.c_void_p).value or 0)

    def start(self, plan: Plan, options: Options) -> None:
        """Load what is pinned, begin to read ahead. Raises WindowUnavailable with the reason."""
        roles = bytes(plan.roles)
        order = _numbers(plan.order)
        failed = self._library.assistant_window_start(
            self.address, roles, len(roles), order, len(plan.order), ctypes.byref(options),
            self._error, _ERROR_BYTES,
        )  # fmt: skip
        if failed:
            raise WindowUnavailable(f"The weight window cannot start: {self._reason()}.")

    def finish_graph(self) -> str:
        """Ends a decode; why its result is void, or nothing."""
        failed = self._library.assistant_window_finish_graph(
            self.address, self._error, _ERROR_BYTES
        )
        return self._reason() if failed else ""

    def counters(self) -> Counters:
        found = Counters()
        self._library.assistant_window_count(self.address, ctypes.byref(found))
        return found

    def stop(self) -> None:
        if self.address:
            self._library.assistant_window_stop(self.address)

    def close(self) -> None:
        if self.address:
            self._library.assistant_window_close(self.address)
            self.address = None


def _numbers(values: Sequence[int]) -> Any:
    return (ctypes.c_uint32 * max(1, len(values)))(*values)
