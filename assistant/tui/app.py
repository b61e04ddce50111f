"""The terminal app: its screens, keys, themes and threads put together, and `run`.

The first frame is drawn before any model is looked at. Nothing here imports the libraries of the
model or the store; `assistant.tui.live` does, on the threads that use them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from assistant.tui.commands import CommandProvider
from assistant.tui.history import PromptHistory
from assistant.tui.providers import ChatProvider, MemoryProvider, ThemeProvider
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.help import HelpScreen
from assistant.tui.screens.memory import MemoryScreen
from assistant.tui.screens.models import ModelsScreen
from assistant.tui.screens.search import SearchScreen
from assistant.tui.screens.why import WhyScreen
from assistant.tui.session import Engine, Facts, ModelShelf, SearchHit, Store, TurnText
from assistant.tui.text import one_line
from assistant.tui.themes import CHOICES, THEMES
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
    """The app. `engine`, `open_store` and `shelf` are real in `run` and hand-written in the tests."""

    CSS_PATH = [  # noqa: RUF012 - Textual's own type
        "app.tcss",
        "screens/chat.tcss",
        "screens/why.tcss",
        "screens/memory.tcss",
        "screens/models.tcss",
        "screens/dialogs.tcss",
    ]
    TITLE = "assistant"
    COMMANDS = {CommandProvider, ChatProvider, MemoryProvider, ThemeProvider}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
        Binding("ctrl+p", "command_palette", "Palette", show=False, id="app.palette"),
        Binding("f1", "help", "Help", id="app.help"),
        Binding("f3", "memory", "Memory", show=False, id="app.memory"),
        Binding("f4", "models", "Models", show=False, id="app.models"),
        Binding("ctrl+g", "search", "Find everywhere", show=False, id="app.search"),
    ]

    def __init__(
        self,
        engine: Engine,
        open_store: Callable[[], Store],
        *,
        shelf: ModelShelf | None = None,
        history: PromptHistory | None = None,
        facts: Facts | None = None,
        theme: str = "assistant-dark",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.history = history or PromptHistory()
        self.backend = Backend(engine, open_store, clock)
        self.facts = facts or Facts()
        self.shelf = shelf
        self._chat = ChatScreen(self.backend, Status(memory_mode=self.facts.memory_mode))
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme if theme in self.available_themes else "assistant-dark"
        self.set_keymap(dict(self.facts.keys))

    def get_default_screen(self) -> ChatScreen:
        return self._chat

    async def on_unmount(self) -> None:
        """Stop the model; what it wrote is recorded before the threads end."""
        import asyncio

        await asyncio.to_thread(self.backend.close)

    # --- screens -------------------------------------------------------------------------------

    def action_help(self) -> None:
        self._push_once(HelpScreen())

    def action_memory(self, filter_text: str = "") -> None:
        self._push_once(MemoryScreen(self.backend, filter_text))

    def show_why(self, turn: TurnText, conversation_id: int | None) -> None:
        self._push_once(WhyScreen(self.backend, turn, conversation_id))

    def action_models(self) -> None:
        if self.shelf is None:
            return

        def chosen(changed: bool | None) -> None:
            if changed:
                self._chat.load_model()

        self._push_once(ModelsScreen(self.shelf), chosen)

    def action_search(self, words: str = "") -> None:
        async def open_hit(hit: SearchHit | None) -> None:
            if hit is not None and await self._chat.open_conversation(hit.conversation_id):
                await self._chat.show_turn(hit.turn_id)

        self._push_once(SearchScreen(self.backend, words), open_hit)

    def open_chat(self, conversation_id: int) -> None:
        """From the palette: whatever lies over the chat goes away first."""
        while not isinstance(self.screen, ChatScreen):
            self.pop_screen()
        self.run_worker(self._chat.open_conversation(conversation_id))

    def _push_once(self, screen: Screen[Any], callback: Callable[[Any], Any] | None = None) -> None:
        """A screen that is already open is not opened over itself."""
        if not any(type(opened) is type(screen) for opened in self.screen_stack):
            self.push_screen(screen, callback)

    def choose_theme(self, name: str) -> None:
        if name in self.available_themes:
            self.theme = name
        else:
            known = ", ".join(CHOICES)
            self.notify(f"There is no theme {one_line(name)!r}. Try {known}.", markup=False)


def run(settings: RunSettings) -> int:
    """Run the app on this terminal until the person quits. Returns the exit code."""
    from assistant.tui.keys import read_keymap
    from assistant.tui.live import LiveEngine
    from assistant.tui.live_models import LiveShelf
    from assistant.tui.live_store import open_live_store

    config, paths = settings.config, settings.paths
    app = AssistantApp(
        LiveEngine(paths, config),
        lambda: open_live_store(paths, config),
        shelf=LiveShelf(paths, config),
        history=PromptHistory(paths.prompt_history),
        facts=Facts(
            memory_mode=config.text("memory.mode"),
            data_dir=str(paths.data_dir),
            first_run=not paths.database.exists(),
            prefill_while_typing=config.text("chat.prefill_while_typing") != "off",
            keys=read_keymap(config.words("chat.keys")),
        ),
        theme=config.text("chat.theme"),
    )
    return app.run() or 0
