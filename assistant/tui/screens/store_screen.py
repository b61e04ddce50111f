"""What every screen over the store shares: questions to it, and errors named in a corner."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget

from assistant.errors import AssistantError
from assistant.tui.frame import Frame
from assistant.tui.session import Engine, Store
from assistant.tui.text import plain
from assistant.tui.worker import Backend

T = TypeVar("T")
ResultType = TypeVar("ResultType")


class StoreScreen(Screen[ResultType]):
    """`backend` is how it reaches the engine and the store."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend

    @property
    def frame(self) -> Frame:
        return cast(Frame, self.app)

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Textual's (8.2), which finds what was taken away since the last frame and dies of a click on it."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        is_there = widget is self or (widget is not None and widget.parent is not None)
        return (widget, offset) if is_there else (None, None)

    def begin(self, work: Coroutine[Any, Any, None]) -> object:
        """Do something that takes a moment, without waiting for it. It outlives the screen."""
        return self.app.run_worker(work)

    def aside(self, work: Callable[[T], Coroutine[Any, Any, None]]) -> Callable[[T], None]:
        """What is done with a dialog's answer, begun and not waited for: an action of a key, and what
        it leads to, holds every key of the app, and the engine may be busy for minutes."""

        def answered(answer: T) -> None:
            self.begin(work(answer))

        return answered

    async def ask(self, question: Callable[[Store], T]) -> T | None:
        """The store's answer; None, and the reason in the corner, where it failed."""
        return await self._answer(self.backend.ask_store(question))

    async def ask_engine(self, question: Callable[[Engine], T]) -> T | None:
        """As `ask`, for what needs the models; it waits for a turn that runs."""
        return await self._answer(self.backend.ask_engine(question))

    async def _answer(self, answer: Awaitable[T]) -> T | None:
        try:
            found = await answer
        except AssistantError as error:
            self.tell(str(error), error=True)
            return None
        return found if self.children else None  # the person has left the screen meanwhile

    async def do(self, change: Callable[[Store], object]) -> bool:
        """Change something; False, and the reason in the corner, where it failed."""
        return await self.ask(lambda store: (change(store),)) is not None

    async def do_engine(self, change: Callable[[Engine], object]) -> bool:
        """As `do`, for what needs the models."""
        return await self.ask_engine(lambda engine: (change(engine),)) is not None

    def tell(self, text: str, *, error: bool = False) -> None:
        """One sentence in a corner. Never markup: it may quote anything."""
        self.notify(
            plain(text).plain,
            severity="error" if error else "information",
            markup=False,
            timeout=12 if error else 4,
        )

    async def undo(self) -> bool:
        """Take back the last change to memories, and say so. False: there was none."""
        now = self.backend.clock()
        back = await self.ask(lambda store: store.undo(now))
        if back is not None:
            self.tell(back or "There is nothing to undo.")
        return bool(back)
