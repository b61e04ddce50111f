"""The terminal app: its screens, keys, themes and threads put together, and `run`.

The first frame is drawn before any model is looked at. Nothing here imports the libraries of the
model or the store; `assistant.tui.live` does, on the threads that use them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from textual.app import App
from textual.binding import Binding, BindingType

from assistant.tui.history import PromptHistory
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.session import Engine, Store
from assistant.tui.themes import THEMES
from assistant.tui.widgets.header import Status
from assistant.tui.worker import Backend

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.paths import Paths


class RunSettings(Protocol):
    """What the command line hands over."""

    @property
    def paths(self) -> "Paths": ...
    @property
    def config(self) -> "Config": ...


class AssistantApp(App[int]):
    """The app. `engine` and `open_store` are real in `run` and hand-written in the tests."""

    CSS_PATH = ["app.tcss", "screens/chat.tcss"]  # noqa: RUF012 - Textual's own type
    TITLE = "assistant"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
    ]

    def __init__(
        self,
        engine: Engine,
        open_store: Callable[[], Store],
        *,
        history: PromptHistory | None = None,
        memory_mode: str = "auto",
        theme: str = "assistant-dark",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.history = history or PromptHistory()
        self.backend = Backend(engine, open_store, clock)
        self._status = Status(memory_mode=memory_mode)
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme if theme in self.available_themes else "assistant-dark"

    def get_default_screen(self) -> ChatScreen:
        return ChatScreen(self.backend, self._status)

    async def on_unmount(self) -> None:
        """Stop the model; what it wrote is recorded before the threads end."""
        import asyncio

        await asyncio.to_thread(self.backend.close)


def run(settings: RunSettings) -> int:
    """Run the app on this terminal until the person quits. Returns the exit code."""
    from assistant.tui.live import LiveEngine, open_live_store

    config, paths = settings.config, settings.paths
    app = AssistantApp(
        LiveEngine(paths, config),
        lambda: open_live_store(paths),
        history=PromptHistory(paths.prompt_history),
        memory_mode=config.text("memory.mode"),
        theme=config.text("chat.theme"),
    )
    return app.run() or 0
