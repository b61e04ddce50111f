"""The weight window: decides whether a model needs one, and holds its weights while it runs.

Knows sizes, rates and the native engine's handle; no tokens and no prompts. A window is a
`WeightHook` (hooks.py): `Model` sets its callback, calls it after every decode and closes it.
"""

import ctypes
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from assistant.errors import OutOfMemory, SettingError, WeightReadError
from assistant.runtime.available import available_bytes
from assistant.runtime.machine import physical_cores
from assistant.runtime.plan import N_GATHER_ROWS, Plan, Rates, make_plan
from assistant.runtime.window_library import (
    N_READ_THREADS,
    Counters,
    Options,
    WindowHandle,
    WindowUnavailable,
)

logger: Final = logging.getLogger(__name__)

# Left to the rest of the machine when the budget is automatic: a 32nd, at most 256 MiB.
_MARGIN_SHARE: Final = 32
_MARGIN_BYTES_MAX: Final = 256 << 20
_RESERVE_BYTES: Final = 512 << 20  # KV cache and graph of a model that is not loaded, guessed
_MEASURED_BYTES: Final = 256 << 20
_RATES_UNKNOWN: Final = Rates(disk=1e9, compute=1e10)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)


def parse_budget(setting: str, model_bytes: int) -> int:
    """Bytes of a size ("2GiB", "700M") or of a share of the model ("50%"). Raises SettingError."""
    text = setting.strip()
    if text.endswith("%"):
        share = text[:-1].strip()
        if re.fullmatch(r"\d+(\.\d+)?", share) and 0 < float(share) <= 100:
            return int(model_bytes * float(share) / 100)
    elif (size := _SIZE.fullmatch(text)) and float(size[1]) > 0:
        return int(float(size[1]) * _UNITS[size[2].lower()])
    raise SettingError(
        f"runtime.weight_window = {setting!r} is not auto, off, a size or a share.",
        "Write 2GiB or 50%.",
    )


def open_window(path: Path, setting: str, *, reserve_bytes: int) -> "WeightWindow | None":
    """The window that `setting` (auto, off, SIZE or PERCENT) asks for; None: map the file plainly.

    `reserve_bytes`: RAM for KV cache and graph, besides the weights. Auto takes a window only where
    the model does not fit. Raises SettingError, OutOfMemory, and WindowUnavailable where a window
    was asked for by name and there is none.
    """
    if setting == "off":
        return None
    if setting != "auto":
        handle = WindowHandle(path)
        return _opened(handle, lambda model_bytes: parse_budget(setting, model_bytes))
    free = available_bytes()
    if free is None or not _exceeds(path, free - reserve_bytes - _margin(free)):
        return None
    try:
        handle = WindowHandle(path)
    except WindowUnavailable as problem:
        logger.warning("%s The file is mapped instead.", problem)
        return None
    return _opened(handle, lambda _: free - reserve_bytes - _margin(free))


def _margin(free: int) -> int:
    return min(_MARGIN_BYTES_MAX, free // _MARGIN_SHARE)


def _exceeds(path: Path, room_bytes: int) -> bool:
    """Whether the model's files together are larger than `room_bytes`."""
    split = re.fullmatch(r"(.*)-\d{5}-of-(\d{5})\.gguf", path.name)
    files = sorted(path.parent.glob(f"{split[1]}-*-of-{split[2]}.gguf")) if split else [path]
    return sum(file.stat().st_size for file in files) > room_bytes


def _opened(handle: WindowHandle, budget: Callable[[int], int]) -> "WeightWindow":
    try:
        model_bytes = sum(tensor.n_bytes for tensor in handle.tensors)
        return WeightWindow(handle, plan_for(handle, budget(model_bytes)))
    except BaseException:
        handle.close()
        raise


def plan_for(handle: WindowHandle, budget_bytes: int, *, measure: bool = True) -> Plan:
    """A plan with this machine's rates. Raises OutOfMemory where the budget is too small."""
    rates = measure_rates(handle) if measure else _RATES_UNKNOWN
    return make_plan(handle.tensors, budget_bytes, rates, n_experts_used=handle.n_experts_used)


def plan_file(path: Path, setting: str) -> Plan:
    """The plan a window of this setting would follow; with auto or off, what is free now.

    Raises SettingError, OutOfMemory, WindowUnavailable.
    """
    handle = WindowHandle(path)
    try:
        if setting in ("auto", "off"):
            free = available_bytes() or 0
            budget = free - _RESERVE_BYTES - _margin(free)
        else:
            budget = parse_budget(setting, sum(tensor.n_bytes for tensor in handle.tensors))
        return plan_for(handle, budget)
    finally:
        handle.close()


def measure_rates(handle: WindowHandle) -> Rates:
    """Reads and multiplies a part of the model; about half a second."""
    disk = handle.measure_disk(_MEASURED_BYTES)
    compute = handle.measure_compute(_MEASURED_BYTES // 2, physical_cores())
    return Rates(disk or _RATES_UNKNOWN.disk, compute or _RATES_UNKNOWN.compute)


class WeightWindow:
    """A model's weights under a budget. Satisfies `WeightHook`."""

    def __init__(self, handle: WindowHandle, plan: Plan) -> None:
        self.plan = plan
        self._handle = handle
        self._n_threads = 1
        self._abort: tuple[int | None, int | None] = (None, None)

    @property
    def mode(self) -> str:
        plan = self.plan
        share = f"{100 * plan.resident_share:.0f} % resident"
        return f"{share}, {plan.bytes_per_token / 1e6:.0f} MB/token"

    @property
    def slow_warning(self) -> str:
        """See `Plan.slow_warning`."""
        return self.plan.slow_warning

    def apply(self, model_params: Any, context_params: Any) -> None:
        """Raises SettingError where layers are put on a GPU: their weights leave the window."""
        from assistant.runtime.library import llama

        lib = llama()
        if model_params.n_gpu_layers:
            raise SettingError(
                "The weight window works on the CPU only for now.",
                "Set runtime.n_gpu_layers to 0 or runtime.weight_window to off.",
            )
        model_params.load_mode = lib.LLAMA_LOAD_MODE_MMAP
        model_params.lazy_mode = lib.LLAMA_LAZY_MODE_OFF
        model_params.use_extra_bufts = False
        context_params.op_offload = False
        callback_type = type(context_params.cb_eval)
        context_params.cb_eval = ctypes.cast(self._handle.eval_address, callback_type)
        context_params.cb_eval_user_data = self._handle.address
        self._n_threads = context_params.n_threads
        self._abort = (
            ctypes.cast(context_params.abort_callback, ctypes.c_void_p).value,
            context_params.abort_callback_data,
        )

    def attach(self, model: int, context: int) -> None:
        """Load what is pinned. Raises OutOfMemory."""
        plan = self.plan
        options = Options(
            ring_bytes=plan.ring_bytes,
            expert_bytes=plan.expert_bytes,
            n_read_threads=N_READ_THREADS,
            n_compute_threads=self._n_threads,
            n_gather_rows=N_GATHER_ROWS,
            require_mapping=1,
            abort=self._abort[0],
            abort_data=self._abort[1],
        )
        try:
            self._handle.start(plan, options)
        except WindowUnavailable as problem:
            raise OutOfMemory(problem.what, "Set runtime.weight_window to off.") from problem

    def check(self) -> None:
        if failure := self._handle.finish_graph():
            raise WeightReadError(
                f"The model's weights could not be read: {failure}.",
                "Check the disk, then ask again.",
            )

    def counters(self) -> Counters:
        return self._handle.counters()

    def close(self) -> None:
        self._handle.stop()
        self._handle.close()


__all__ = ["WeightWindow", "open_window", "parse_budget", "plan_file", "plan_for"]
