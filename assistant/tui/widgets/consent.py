"""A small question under the answer: may this be remembered? Only in memory.mode = ask.

It never takes the keyboard by itself: what is being typed goes on. Knows one candidate.
"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from assistant.tui.session import Candidate
from assistant.tui.text import FAINT, one_line


class ConsentChip(Static, can_focus=True):
    """Hidden while there is nothing to ask."""

    DEFAULT_CSS = """
    ConsentChip { display: none; height: auto; margin: 0 2; padding: 0 1; background: $panel; }
    ConsentChip.-asking { display: block; }
    ConsentChip:focus { background: $primary 25%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('yes')", "Remember", id="consent.yes"),
        Binding("e", "answer('edit')", "Edit first", id="consent.edit"),
        Binding("n", "answer('no')", "No", id="consent.no"),
        Binding("v", "answer('never')", "Never this topic", id="consent.never"),
    ]

    class Answered(Message):
        """`answer` is "yes", "edit", "no" or "never"."""

        def __init__(self, candidate: Candidate, answer: str) -> None:
            super().__init__()
            self.candidate = candidate
            self.answer = answer

    def __init__(self) -> None:
        super().__init__(id="consent")
        self.candidate: Candidate | None = None

    def ask(self, candidate: Candidate | None, n_more: int = 0) -> None:
        """Show the question, or hide with None."""
        self.candidate = candidate
        self.set_class(candidate is not None, "-asking")
        if candidate is None:
            return
        more = f"   {n_more} more" if n_more else ""
        self.update(
            Content.assemble(
                "Remember ",
                Content.styled(f"“{one_line(candidate.text, 120)}”", "bold"),
                "?  ",
                Content.styled("y yes  e edit  n no  v never this topic", "$accent"),
                Content.styled(f"   ctrl+y to answer{more}", FAINT),
            )
        )

    def action_answer(self, answer: str) -> None:
        if self.candidate is not None:
            self.post_message(self.Answered(self.candidate, answer))
