"""The terminal app: its screens, keys, themes and threads put together, and `run`.

The first frame is drawn before any model is looked at. Nothing here imports the libraries of the
model or the store; `assistant.tui.live` does, on the threads that use them.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen

from assistant.errors import AssistantError, SettingError
from assistant.tui import tidy
from assistant.tui.commands import CommandProvider
from assistant.tui.history import PromptHistory
from assistant.tui.keys import keys_of, know_alt_enter, read_keymap
from assistant.tui.power import on_battery
from assistant.tui.providers import (
    ChatProvider,
    MemoryProvider,
    ModelProvider,
    Palette,
    SettingProvider,
)
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.screens.first_run import FirstRunScreen
from assistant.tui.screens.help import HelpScreen, help_text
from assistant.tui.screens.memory import MemoryScreen
from assistant.tui.screens.models import ModelsScreen
from assistant.tui.screens.search import SearchScreen
from assistant.tui.screens.why import WhyScreen
from assistant.tui.session import Engine, Facts, ModelShelf, SearchHit, Store, TurnText
from assistant.tui.themes import CHOICES, THEMES
from assistant.tui.widgets.consent import ConsentChip
from assistant.tui.widgets.find import FindBar
from assistant.tui.widgets.header import Status
from assistant.tui.widgets.prompt import PromptInput
from assistant.tui.widgets.transcript import Transcript
from assistant.tui.widgets.turn import TurnView
from assistant.tui.worker import Backend
from assistant.wording import one_line

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.paths import Paths

AnyScreen = TypeVar("AnyScreen", bound=Screen[Any])


class RunSettings(Protocol):
    """What the command line hands over."""

    @property
    def paths(self) -> "Paths": ...
    @property
    def config(self) -> "Config": ...
    @property
    def flags(self) -> Mapping[str, object]: ...


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
    COMMANDS = {  # noqa: RUF012 - Textual's own type
        CommandProvider,
        ChatProvider,
        MemoryProvider,
        ModelProvider,
        SettingProvider,
    }
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
        know_alt_enter()
        self.history = history or PromptHistory()
        self.backend = Backend(engine, open_store, clock)
        self.facts = facts or Facts()
        self.shelf = shelf
        self._chat = ChatScreen(self.backend, Status(memory_mode=self.facts.memory_mode))
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme if theme in self.available_themes else "assistant-dark"
        self.set_keymap(dict(self.facts.keys))

    @property
    def chat(self) -> ChatScreen:
        return self._chat

    def get_default_screen(self) -> ChatScreen:
        return self._chat

    async def on_unmount(self) -> None:
        """Stop a download and the model; what came of them is kept before the threads end."""
        if self.shelf is not None:
            self.shelf.pause()
        await asyncio.to_thread(self.backend.close)

    def on_mount(self) -> None:
        self.call_after_refresh(tidy.begin)
        if self.facts.first_run and self.shelf is not None:
            self.run_worker(self._first_run(self.shelf))

    async def _first_run(self, shelf: ModelShelf) -> None:
        """The three steps, then whatever they ask for."""
        screen = FirstRunScreen(self.facts.data_dir)

        async def look() -> None:  # it measures the machine; the screen does not wait for that
            found = asyncio.to_thread(shelf.rows), asyncio.to_thread(shelf.found_files)
            screen.offer(*await asyncio.gather(*found))

        self.run_worker(look())
        choices = await self.push_screen_wait(screen)
        if choices.memory_mode:
            self.set_memory_mode(choices.memory_mode)
        model_id = choices.model_id
        if choices.model_path:
            try:
                model_id = await asyncio.to_thread(shelf.add, choices.model_path)
            except AssistantError as error:
                self._chat.tell(str(error), error=True)
        if not model_id:
            return
        if choices.must_download:
            self.action_models(model_id)
        else:
            self.use_model(model_id)

    def use_model(self, model_id: str) -> None:
        """Choose a model that is here, and load it."""

        async def use(shelf: ModelShelf) -> None:
            try:
                await asyncio.to_thread(shelf.choose, model_id)
            except AssistantError as error:
                self._chat.tell(str(error), error=True)
            else:
                self._chat.load_model()

        if self.shelf is not None:
            self.run_worker(use(self.shelf))

    def load_model(self) -> None:
        """Load the model that was chosen last."""
        self._chat.load_model()

    def set_memory_mode(self, mode: str) -> None:
        """Save it and begin to act on it; what cannot be saved stays as it was."""
        if self._save("memory.mode", mode):
            self._chat.set_status(replace(self._chat.status, memory_mode=mode))
            self._chat.load_model()

    def _save(self, name: str, value: str) -> bool:
        try:
            self.facts.save_setting(name, value)
        except AssistantError as error:
            self._chat.tell(str(error), error=True)
            return False
        return True

    # --- screens -------------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        self._push_once(HelpScreen(help_text(keys_of(KEY_PLACES))))

    def action_memory(self, filter_text: str = "") -> None:
        opened = self._bring_up(MemoryScreen)
        if opened is None:
            self.push_screen(MemoryScreen(self.backend, filter_text))
        elif filter_text:
            opened.look_for(filter_text)

    def show_why(self, turn: TurnText, conversation_id: int | None) -> None:
        self._push_once(WhyScreen(self.backend, turn, conversation_id))

    def action_models(self, pull: str = "") -> None:
        if self.shelf is None:
            return

        if not self.is_screen_installed("models"):
            self.install_screen(ModelsScreen(self.shelf), "models")
        screen = cast(ModelsScreen, self.get_screen("models"))
        if self._bring_up(ModelsScreen) is None:
            screen.open(pull)
            self.push_screen(screen)

    def action_search(self, words: str = "") -> None:
        async def open_hit(hit: SearchHit | None) -> None:
            if hit is not None:
                self._bring_up(ChatScreen)
                if await self._chat.open_conversation(hit.conversation_id):
                    await self._chat.transcript.show_turn(hit.turn_id)

        self._push_once(SearchScreen(self.backend, words), open_hit)

    def open_chat(self, conversation_id: int) -> None:
        """From the palette."""
        self._bring_up(ChatScreen)
        self.run_worker(self._chat.open_conversation(conversation_id))

    async def reopen_after_erasing(self) -> None:
        """Draw and remember nothing that the store no longer has."""
        self.history.reload()
        chat = self._chat
        mode = chat.status.chat_mode
        await chat.open_conversation(chat.conversation_id if mode == "normal" else None, mode)

    def _push_once(self, screen: Screen[Any], callback: Callable[[Any], Any] | None = None) -> None:
        """A screen that is already open is not opened over itself."""
        if self._bring_up(type(screen)) is None:
            self.push_screen(screen, callback)

    def _bring_up(self, kind: type[AnyScreen]) -> AnyScreen | None:
        """The open screen of this kind, now that what lay over it is gone; None: there is none."""
        for opened in self.screen_stack:
            if isinstance(opened, kind):
                while self.screen is not opened:
                    self.pop_screen()
                return opened
        return None

    def choose_theme(self, name: str) -> None:
        if name in self.available_themes:
            self.theme = name
            self._save("chat.theme", name)
        else:
            known = ", ".join(CHOICES)
            self.notify(f"There is no theme {one_line(name)!r}. Try {known}.", markup=False)


KEY_PLACES: Final[tuple[tuple[str, type[DOMNode]], ...]] = (
    ("everywhere", AssistantApp),
    ("input", PromptInput),
    ("chat", ChatScreen),
    ("on an answer", TurnView),
    ("transcript", Transcript),
    ("find", FindBar),
    ("consent", ConsentChip),
    ("why", WhyScreen),
    ("memory", MemoryScreen),
    ("models", ModelsScreen),
)


def run(settings: RunSettings) -> int:
    """Run the app on this terminal until the person quits. Returns the exit code."""
    from assistant.config import load_config, save_setting
    from assistant.tui.live import LiveEngine
    from assistant.tui.live_models import LiveShelf
    from assistant.tui.live_store import open_live_store

    config, paths = settings.config, settings.paths

    def read_config() -> "Config":
        return load_config(paths.config_file, settings.flags)

    def save(name: str, value: str) -> None:
        try:
            paths.create()
            save_setting(paths.config_file, name, value)
        except OSError as error:
            reason = f"{paths.config_file} could not be written: {error.strerror}."
            raise SettingError(reason, "Make room there, or let it be written.") from error

    def never_store(topic: str) -> None:
        save("memory.never_store", ",".join((*read_config().words("memory.never_store"), topic)))

    app = AssistantApp(
        LiveEngine(paths, read_config),
        lambda: open_live_store(paths, config),
        shelf=LiveShelf(paths, read_config),
        history=PromptHistory(paths.prompt_history),
        facts=Facts(
            memory_mode=config.text("memory.mode"),
            data_dir=str(paths.data_dir),
            first_run=not paths.database.exists(),
            keys=read_keymap(config.words("chat.keys"), keys_of(KEY_PLACES)),
            may_prefill=lambda: may_prefill(config.text("chat.prefill_while_typing")),
            network=network_state,
            never_store=never_store,
            save_setting=save,
        ),
        theme=config.text("chat.theme"),
    )
    result = app.run()
    return result if result is not None else app.return_code or 0


def may_prefill(setting: str) -> bool:
    """`chat.prefill_while_typing`: auto reads ahead on mains power alone."""
    return setting == "on" or (setting == "auto" and not on_battery())


def network_state() -> str:
    """What the header says in place of "offline", from the guard itself."""
    from assistant.catalogue.network import guard_is_installed, open_reasons

    if not guard_is_installed():
        return "network not guarded"
    return ", ".join(open_reasons())
