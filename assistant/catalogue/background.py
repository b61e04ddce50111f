"""One download in a thread, with pause and resume, for a screen that draws its state.

Knows no widget: a listener is called in the download's thread and hands the facts on.
"""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Literal

from assistant.catalogue.catalogue import Catalogue
from assistant.catalogue.transfer import Transfer, TransferStopped
from assistant.errors import AssistantError

State = Literal["idle", "running", "pausing", "paused", "done", "failed", "cancelled"]


class BackgroundDownload:
    """`state`, `progress` and `error` may be read from any thread at any time."""

    def __init__(
        self,
        catalogue: Catalogue,
        id: str,
        listener: Callable[["BackgroundDownload"], None] = lambda download: None,
    ) -> None:
        self.id = id
        self.state: State = "idle"
        self.progress: Transfer | None = None
        self.error: AssistantError | None = None
        self._catalogue, self._listener = catalogue, listener
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cancelled = False

    def start(self) -> None:
        """Begin, or go on after a pause or a failure. Does nothing while it runs."""
        if self._thread is not None and self._thread.is_alive():
            if self.state != "pausing":
                return
            self._thread.join()
        self._stop.clear()
        self._cancelled = False
        self.error = None
        self._become("running")
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name=f"download-{self.id}", daemon=True
        )
        self._thread.start()

    resume = start

    def pause(self) -> None:
        """Stop soon and keep what has arrived."""
        if self.state == "running":
            self._become("pausing")
            self._stop.set()

    def cancel(self) -> None:
        """Stop soon; what has arrived stays on disk until `models remove`."""
        self._cancelled = True
        self._stop.set()
        if self.state != "running":
            self._become("cancelled")

    def join(self, timeout_s: float | None = None) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._catalogue.pull(self.id, self._progressed, stop=self._stop)
        except TransferStopped:
            self._become("cancelled" if self._cancelled else "paused")
        except AssistantError as error:
            self._fail(error)
        except OSError as error:
            self._fail(AssistantError(f"The download failed: {error}.", "Try it again."))
        else:
            self._become("done")

    def _fail(self, error: AssistantError) -> None:
        self.error = error
        self._become("failed")

    def _progressed(self, progress: Transfer) -> None:
        self.progress = progress
        self._listener(self)

    def _become(self, state: State) -> None:
        self.state = state
        self._listener(self)
