"""Every key and every command on one page, read from the tables that make them work."""

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.tui.commands import COMMANDS
from assistant.tui.keys import Key
from assistant.tui.text import FAINT
from assistant.tui.widgets.dialogs import Modal


class HelpScreen(Modal[None]):
    """Closed by the keys that a person would try."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f1,enter,question_mark", "dismiss", "Close")
    ]

    def __init__(self, text: Content) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._text)

    def on_mount(self) -> None:
        self.query_one("#help").focus()


def help_text(keys: Sequence[Key]) -> Content:
    """The page as it is drawn."""
    lines: list[Content] = [Content.styled("Keys", "$primary bold")]
    width = max((len(", ".join(key.keys)) for key in keys), default=0) + 2
    for place, group in groupby(keys, key=lambda key: key.place):
        lines.append(Content.styled(f"\n{place}", "$accent"))
        lines.extend(
            Content.assemble(
                Content.styled(f"  {', '.join(key.keys):<{width}}", "bold"),
                Content(key.meaning.ljust(14)),
                Content.styled(f"  {key.id}", FAINT),
            )
            for key in group
        )
    lines.append(Content.styled("\nCommands", "$primary bold"))
    lines.extend(
        Content.assemble(
            Content.styled(f"  /{f'{command.name} {command.argument}':<25}", "bold"),
            Content(command.meaning),
        )
        for command in COMMANDS.values()
    )
    return Content("\n").join(lines)
