"""The two threads beside the app's own, and the mailbox between them.

The engine's thread loads the model and runs turns, one job at a time; the store's thread answers
the screens' short questions meanwhile. The app's thread never waits for either. Knows no widget:
results leave through a callable, or a future. Threads at the TUI's edge, no async twin (STYLE 10).
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Final, TypeVar

from textual.message import Message

from assistant.conversation.events import Event, TokenText
from assistant.errors import AssistantError
from assistant.tui.messages import (
    BackgroundDone,
    BackgroundFailed,
    EngineFree,
    EventsWaiting,
    JobFailed,
    ModelLoaded,
)
from assistant.tui.session import Engine, Store

T = TypeVar("T")

# Default; a draw costs about 5 ms, a model writes 10 to 100 tokens a second.
DRAWS_PER_SECOND: Final = 15
DRAWS_WHILE_TYPING: Final = 4  # the key that was pressed comes before the answer that grows
STOP_SECONDS: Final = 2.0  # how long closing waits for a thread whose work was stopped


class Mailbox:
    """Events on their way from the engine's thread to the app's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._watched = False

    def put(self, event: Event) -> bool:
        """Leave one event. True when nobody is watching: then the app has to be woken."""
        with self._lock:
            self._events.append(event)
            wake = not self._watched
            self._watched = True
            return wake

    def take(self) -> list[Event]:
        """Everything that came, neighbouring texts joined. Empty: the app stops watching."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._watched = bool(events)
        return join_texts(events)


class Listener:
    """Who draws a job's events: a mailbox, and the `post_message` that wakes its reader."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self.mailbox = Mailbox()
        self.post = post

    def send(self, event: Event) -> None:
        if self.mailbox.put(event):
            self.post(EventsWaiting())


def join_texts(events: list[Event]) -> list[Event]:
    """Runs of TokenText as one TokenText each; the order of everything else is kept."""
    joined: list[Event] = []
    texts: list[str] = []
    for event in events:
        if isinstance(event, TokenText):
            texts.append(event.text)
            continue
        if texts:
            joined.append(TokenText("".join(texts)))
            texts.clear()
        joined.append(event)
    if texts:
        joined.append(TokenText("".join(texts)))
    return joined


class JobThread:
    """One thread that runs callables in the order they were given.

    It is a daemon: a native call that will not return must not keep the terminal from the person.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Run `job` after those before it. Its result or exception is the future's."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - carried to whoever awaits the future
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(run)
        return future

    def close(self, timeout: float = STOP_SECONDS) -> bool:
        """Finish the jobs given so far. False when the thread did not end in time."""
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class Backend:
    """The engine and the store as the screens reach them: intents in, messages and futures out."""

    def __init__(
        self,
        engine: Engine,
        open_store: Callable[[], Store],
        clock: Callable[[], datetime],
    ) -> None:
        self.clock = clock
        self._engine = engine
        self._open_store = open_store
        self._store: Store | None = None
        self._main = Listener(lambda message: None)
        self._heard = self._main  # whose job runs now
        self._engine_thread = JobThread("engine")
        self._store_thread = JobThread("store")
        self._n_jobs = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._ticket = 0  # raised by every job that work in the background must make way for
        self._in_background = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits. Only the app's thread counts, so it needs no lock."""
        return self._n_jobs > 0

    def report_to(self, listener: Listener) -> None:
        """Who hears of everything that no other listener was named for."""
        self._main = self._heard = listener

    # --- the engine's thread -------------------------------------------------------------------

    def load(self) -> None:
        """Begin loading the model. ModelLoaded or JobFailed follows."""

        def job() -> None:
            self._main.post(ModelLoaded(self._engine.load(lambda event: self._heard.send(event))))

        self._run(job)

    def play(
        self, events: Callable[[Engine], Iterator[Event]], listener: Listener | None = None
    ) -> None:
        """Run one turn, as `lambda engine: engine.ask(text, now)`; its events go to the listener."""
        self._stopping.clear()

        def job() -> None:
            for event in events(self._engine):
                self._heard.send(event)
                if self._stopping.is_set():  # a stop from before the turn began must not be lost
                    self._engine.stop()

        self._run(job, listener)

    def tell(self, intent: Callable[[Engine], object]) -> Future[None]:
        """Something short for the engine's thread, as opening a conversation."""
        return self._run(lambda: intent(self._engine))

    async def ask_engine(self, question: Callable[[Engine], T]) -> T:
        """The engine's answer, once what runs before it is done. Raises what it raises."""

        def job() -> T:
            return question(self._engine)

        self._make_way()
        return await asyncio.wrap_future(self._engine_thread.submit(job))

    def stop(self) -> None:
        """End what the model is doing; what it wrote is kept."""
        self._stopping.set()
        self._engine.stop()

    def when_idle(self, work: Callable[[Engine], None]) -> None:
        """Run `work` once nothing else runs; it makes way for whatever comes next."""
        self._make_way()
        ticket = self._ticket

        def job() -> None:
            with self._lock:
                if ticket != self._ticket:
                    return
                self._in_background = True
            try:
                work(self._engine)
            except AssistantError as error:
                self._main.post(BackgroundFailed(error))
            except Exception as error:  # noqa: BLE001 - the app must outlive a fault in the engine
                self._main.post(BackgroundFailed(AssistantError(f"The engine failed: {error!r}.")))
            finally:
                with self._lock:
                    self._in_background = False
                self._main.post(BackgroundDone())

        self._engine_thread.submit(job)

    def job_done(self) -> None:
        """The app has seen one EngineFree."""
        self._n_jobs -= 1

    # --- the store's thread --------------------------------------------------------------------

    async def ask_store(self, question: Callable[[Store], T]) -> T:
        """Run `question` on the store's thread. Raises what it raises, as StoreError."""
        return await self.on_store_thread(lambda: question(self._opened()))

    async def on_store_thread(self, job: Callable[[], T]) -> T:
        """Anything that touches the disk, beside the engine."""
        return await asyncio.wrap_future(self._store_thread.submit(job))

    def close(self) -> bool:
        """Stop, close both sides and end the threads. False when one did not end in time."""
        with self._lock:
            self._ticket += 1
        self._engine.stop()
        self._engine_thread.submit(self._engine.close)
        self._store_thread.submit(self._close_store)
        ended = self._engine_thread.close()
        return self._store_thread.close() and ended

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _make_way(self) -> None:
        """End work in the background, and keep what waits of it from beginning."""
        with self._lock:
            self._ticket += 1
            interrupt = self._in_background
        if interrupt:
            self._engine.stop()

    def _run(self, job: Callable[[], object], listener: Listener | None = None) -> Future[None]:
        hearing = listener or self._main
        self._n_jobs += 1
        self._make_way()

        def guarded() -> None:
            self._heard = hearing
            try:
                job()
            except AssistantError as error:
                hearing.post(JobFailed(error))
            except Exception as error:  # noqa: BLE001 - the app must outlive a fault in the engine
                hearing.post(JobFailed(AssistantError(f"The engine failed: {error!r}.")))
            finally:
                self._heard = self._main
                hearing.post(EngineFree())

        return self._engine_thread.submit(guarded)
