"""The multi-line input: Enter sends, several keys break the line, Up and Down walk the history.

Knows nothing of turns: it posts `Sent` with the text, and `Paused` when the person stops typing.
"""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from assistant.tui.history import PromptHistory

PAUSE_SECONDS = 0.3  # how long no key must come before the prompt is read ahead


class PromptInput(TextArea):
    """Where the person types."""

    DEFAULT_CSS = """
    PromptInput { height: auto; min-height: 3; max-height: 10; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="prompt.send", priority=True),
        Binding(  # the first is shown, and is a key of its own in every terminal
            "ctrl+j,shift+enter,alt+enter",
            "newline",
            "New line",
            id="prompt.newline",
            priority=True,
        ),
        Binding("pageup", "screen.page(-1)", "Page up", show=False, id="chat.page_up"),
        Binding("pagedown", "screen.page(1)", "Page down", show=False, id="chat.page_down"),
        Binding("end", "end", "Newest", show=False, id="prompt.end"),
        Binding("tab", "tab", "Complete", show=False, id="prompt.tab"),
        Binding("up", "history(-1)", "Earlier", show=False, id="prompt.earlier"),
        Binding("down", "history(1)", "Later", show=False, id="prompt.later"),
    ]

    class Sent(Message):
        """The person pressed Enter on something."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Typed(Message):
        """The text is another now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Completed(Message):
        """Tab, after the beginning of a command."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Paused(Message):
        """Nothing was typed for a moment. `text` may still change."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, history: PromptHistory, **options: object) -> None:
        super().__init__(
            compact=True,
            highlight_cursor_line=False,
            placeholder="Say something. / lists commands.",
            id="prompt",
        )
        self.cursor_blink = False
        self._history = history
        self._pause: Timer | None = None
        self._aside: str | None = None  # what was typed before a message was edited

    def action_send(self) -> None:
        """Send, after the keys that came before Enter.

        A priority binding acts at once, while quickly typed characters still wait in this
        widget's queue: the call takes its place behind them.
        """
        self.call_later(self._send)

    def _send(self) -> None:
        if self.text.strip():
            self.post_message(self.Sent(self.text))

    def action_tab(self) -> None:
        """Complete a command; anywhere else Tab goes to the next thing, as it does everywhere."""
        if self.text.startswith("/"):
            self.post_message(self.Completed(self.text))
        else:
            self.screen.focus_next()

    async def action_end(self) -> None:
        """In an empty input End is the transcript's, as Page up always is."""
        if self.text:
            self.action_cursor_line_end()
        else:
            await self.run_action("screen.to_end")

    def action_newline(self) -> None:
        self.call_later(self.insert, "\n")  # in its place among the keys, as `action_send`

    def action_history(self, step: int) -> None:
        """Move the cursor, and past the first or last line the history."""
        row, _ = self.cursor_location
        edge = 0 if step < 0 else self.document.line_count - 1
        if row != edge:
            self.action_cursor_up() if step < 0 else self.action_cursor_down()
            return
        found = self._history.step(step, self.text)
        if found is not None:
            self.fill(found)

    def fill(self, text: str) -> None:
        """Replace what is typed, with the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def show_instead(self, text: str) -> None:
        """Put `text` in the place of what is typed, until `put_back`."""
        if self._aside is None:
            self._aside = self.text
        self.fill(text)

    def put_back(self) -> None:
        """Show again what was typed before `show_instead`."""
        if self._aside is not None:
            self.fill(self._aside)
            self._aside = None

    def take(self, text: str) -> bool:
        """Empty the input of what is sent, and leave what was typed since. False: it is not there."""
        is_there = self.text.startswith(text)
        if is_there:
            self.fill(self.text.removeprefix(text))
        return is_there

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._pause is not None:
            self._pause.stop()
        text = self.text
        self.post_message(self.Typed(text))
        if text.strip():
            self._pause = self.set_timer(
                PAUSE_SECONDS, lambda: self.post_message(self.Paused(text))
            )

    async def _on_paste(self, event: events.Paste) -> None:
        """Pasted text is made harmless before it is drawn; the newlines stay."""
        from assistant.wording import clean

        await super()._on_paste(events.Paste(clean(event.text)))
        event.prevent_default()
        event.stop()
