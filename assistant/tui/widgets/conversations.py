"""The list of conversations, newest first. Knows titles and dates; the screen opens what is chosen."""

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.records import Conversation
from assistant.tui.text import FAINT, ago
from assistant.wording import count, one_line


class ConversationList(OptionList):
    """One line of title and one of date for each."""

    class Chosen(Message):
        """The person wants this conversation; None begins a new one."""

        def __init__(self, conversation_id: int | None) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    def show(
        self, conversations: Sequence[Conversation], now: datetime, current: int | None
    ) -> None:
        """Draw the list, keeping the highlight where it was."""
        highlighted = self.highlighted_option
        chosen = highlighted.id if highlighted and self.has_focus else str(current or "new")
        self.clear_options()
        self.add_option(Option(Content.styled("+ New chat", "$accent"), id="new"))
        self.add_options(
            Option(_lines(conversation, now, conversation.id == current), id=str(conversation.id))
            for conversation in conversations
        )
        ids = [option.id for option in self.options]
        self.highlighted = ids.index(chosen) if chosen in ids else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = event.option.id
        self.post_message(self.Chosen(int(chosen) if chosen and chosen.isdigit() else None))


def _lines(conversation: Conversation, now: datetime, current: bool) -> Content:
    title = one_line(conversation.title, 60) or "Untitled"
    return Content.assemble(
        Content.styled("▍" if current else " ", "$accent"),
        Content.styled(title, "bold" if current else ""),
        "\n ",
        Content.styled(
            f"{ago(conversation.last_used, now)} · {count(conversation.n_turns, 'turn')}",
            FAINT,
        ),
    )
