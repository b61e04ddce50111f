"""Small questions over a screen: a yes or no, and a line of text. They return what was answered."""

from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from assistant.tui.text import plain

T = TypeVar("T")
_CSS = """
{name} > Vertical {{
    width: 70; max-width: 96%; height: auto; max-height: 90%;
    background: $surface; border: round $border-blurred; padding: 1 2;
}}
{name} .hint {{ color: $text-muted; margin-top: 1; }}
"""


class Modal(ModalScreen[T]):
    """A screen over another that is dismissed once: Textual's `dismiss` takes away whatever is on top."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """The answer; one that comes twice, as by Enter and Enter, is heard once."""
        return super().dismiss(result) if self.is_current else AwaitComplete()


class Confirm(Modal[bool]):
    """Yes needs the letter y; everything else is no."""

    DEFAULT_CSS = _CSS.format(name="Confirm")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,enter", "answer(False)", "No"),
    ]

    def __init__(self, question: str, detail: str = "") -> None:
        super().__init__()
        self._question = question
        self._detail = detail

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(plain(self._question))
            if self._detail:
                yield Static(plain(self._detail), classes="hint")
            yield Static(plain("y yes   n no"), classes="hint")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class AskLine(Modal[str | None]):
    """One line of text; Esc is None."""

    DEFAULT_CSS = _CSS.format(name="AskLine") + "AskLine Input { margin-top: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Leave")]

    def __init__(self, question: str, text: str = "") -> None:
        super().__init__()
        self._question = question
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(plain(self._question))
            line = Input(self._text, compact=True)
            line.cursor_blink = False
            yield line
            yield Static(plain("enter save   esc leave"), classes="hint")

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class EditText(Modal[str | None]):
    """A longer text, over what it stands for; Ctrl+S saves, Esc is None."""

    DEFAULT_CSS = (
        _CSS.format(name="EditText")
        + "EditText TextArea { height: auto; min-height: 4; max-height: 12; margin-top: 1; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", priority=True),
        Binding("escape", "dismiss(None)", "Leave", priority=True),
    ]

    def __init__(self, title: str, text: str, detail: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._detail = detail

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(plain(self._title))
            area = TextArea(self._text, compact=True, highlight_cursor_line=False)
            area.cursor_blink = False
            yield area
            if self._detail:
                yield Static(plain(self._detail), classes="hint")
            yield Static(plain("ctrl+s save   esc leave"), classes="hint")

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)

    def action_save(self) -> None:
        self.dismiss(self.query_one(TextArea).text.strip() or None)
