"""llama.cpp as Python sees it: loaded late, its log silenced, the last complaints kept for errors.

Knows how to get at the library and at nothing inside a model. Importing this module loads nothing.
"""

import ctypes
import logging
from collections import deque
from functools import cache
from typing import Any, Final

logger: Final = logging.getLogger(__name__)

# ggml_log_level (ggml.h); what llama.cpp calls information is detail to us, and 5 goes on with the
# line before.
_LOG_LEVELS: Final = {3: logging.INFO, 4: logging.WARNING}
_ERROR: Final = 4
_complaints: deque[str] = deque(maxlen=32)
_keep_alive: list[object] = []  # llama.cpp holds the address of the callback for good


@cache
def llama() -> Any:
    """The module `llama_cpp.llama_cpp`. The first call loads the shared library (0.2 s)."""
    import llama_cpp.llama_cpp as library

    @library.llama_log_callback  # type: ignore[untyped-decorator] # llama_cpp publishes no types
    def log(level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace").rstrip()
        if level == _ERROR:
            _complaints.append(line)
        if line:
            logger.log(_LOG_LEVELS.get(level, logging.DEBUG), "%s", line)

    _keep_alive.append(log)
    library.llama_log_set(log, None)
    library.llama_backend_init()
    return library


def take_complaints() -> str:
    """What llama.cpp logged as errors since the last call, joined; empties the list."""
    text = "; ".join(line for line in _complaints if line)
    _complaints.clear()
    return text


class StopFlag:
    """A flag that llama.cpp reads at every node of its graph without entering Python.

    A Python callback there would take the interpreter lock some 800 times a token. The C library's
    `strlen` has the shape llama.cpp asks for (one pointer in, zero or not out): over a one-byte
    string it answers whether the byte is set.
    """

    def __init__(self) -> None:
        self._byte = ctypes.create_string_buffer(2)
        self.address = ctypes.addressof(self._byte)
        self._strlen = ctypes.CDLL(None).strlen

    def callback(self) -> Any:
        """An `abort_callback`; its user data is `address`."""
        return ctypes.cast(self._strlen, llama().ggml_abort_callback)

    @property
    def is_set(self) -> bool:
        return self._byte[0] != b"\0"

    def set(self) -> None:
        self._byte[0] = b"\1"

    def clear(self) -> None:
        self._byte[0] = b"\0"
