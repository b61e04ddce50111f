"""A turn in a thread of its own, so that the main thread hears Ctrl-C while native code runs.

Python runs a signal's handler between two bytecodes of the main thread: while that sits in
llama.cpp for seconds, nothing would happen. Knows threads and signals; no model and no output.
"""

import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from assistant.errors import EXIT_SIGINT, EXIT_SIGPIPE, EXIT_SIGTERM

if TYPE_CHECKING:
    from assistant.conversation.events import Event

T = TypeVar("T")
GRACE_SECONDS: Final = (
    5.0  # what stopped work gets to record its partial reply; a 2nd Ctrl-C ends it
)


class Foreground(Generic[T]):
    """Runs `work` in a thread and hands its events to `draw` in the calling one."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._stop: Callable[[], None] = lambda: None
        self._results: list[T] = []
        self._failures: list[BaseException] = []
        self.interrupted = False

    def emit(self, event: "Event") -> None:
        """Called by the work: draw this, later and elsewhere."""
        self._events.put(event)

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Called by the work as soon as there is something to stop."""
        self._stop = stop
        if self.interrupted:
            stop()

    def run(self, work: Callable[["Foreground[T]"], T], draw: Callable[["Event"], None]) -> T:
        """The result of `work`. Raises what it raises, or the KeyboardInterrupt that ended it.

        An interrupted work is stopped, not killed: it ends within moments and what it has is
        recorded. Native code that does not return is left behind with the process.
        """
        thread = threading.Thread(target=self._work, args=(work,), daemon=True)
        thread.start()
        interrupt: BaseException | None = None
        while True:
            try:
                event = self._events.get(timeout=GRACE_SECONDS if interrupt else None)
                if event is None:
                    break
                if interrupt is None:
                    draw(event)
            except BaseException as error:  # noqa: BLE001 - a signal, a closed pipe: raised below
                if interrupt is not None:
                    _leave(interrupt)
                interrupt = error
                self.interrupted = True
                self._stop()
        thread.join()
        if interrupt is not None:
            raise interrupt
        if self._failures:
            raise self._failures[0]
        return self._results[0]

    def _work(self, work: Callable[["Foreground[T]"], T]) -> None:
        try:
            self._results.append(work(self))
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            self._failures.append(error)
        finally:
            self._events.put(None)


def _leave(interrupt: BaseException) -> None:
    """End the process under a thread that is still inside native code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    codes = {KeyboardInterrupt: EXIT_SIGINT, BrokenPipeError: EXIT_SIGPIPE}
    os._exit(codes.get(type(interrupt), EXIT_SIGTERM))
