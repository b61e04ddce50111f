"""The bar that finds words in the open conversation. Knows the words, not where they are."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from assistant.tui.text import plain


class FindBar(Horizontal):
    """Type, Enter or Down for the next turn that holds the words, Up for the one before."""

    DEFAULT_CSS = """
    FindBar { height: 1; display: none; background: $panel; padding: 0 2; }
    FindBar.-open { display: block; }
    FindBar Input { width: 1fr; background: $panel; }
    FindBar Static { width: auto; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="find.close"),
        Binding("down", "step(1)", "Next", id="find.next"),
        Binding("up", "step(-1)", "Before", id="find.before"),
    ]

    class Wanted(Message):
        """Find `text`; `step` is 0 for a new search, 1 for the next hit, -1 for the one before."""

        def __init__(self, text: str, step: int) -> None:
            super().__init__()
            self.text = text
            self.step = step

    class Closed(Message):
        """The person is done finding."""

    def compose(self) -> ComposeResult:
        yield Static("Find  ")
        yield Input(placeholder="words in this chat", id="find-words", compact=True)
        yield Static("", id="find-count")

    def open(self) -> None:
        self.add_class("-open")
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    def show_count(self, text: str) -> None:
        self.query_one("#find-count", Static).update(plain(text))

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value, 0))

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_step(1)

    def action_step(self, step: int) -> None:
        self.post_message(self.Wanted(self.query_one(Input).value, step))

    def action_close(self) -> None:
        self.remove_class("-open")
        self.post_message(self.Closed())
