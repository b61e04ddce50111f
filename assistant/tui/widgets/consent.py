"""A small question under the answer: may this be remembered, may these be given to the model?
Only in memory.mode = ask.

What may be remembered never takes the keyboard by itself: what is being typed goes on. An answer that
waits for its memories does. Knows one candidate, or one question of the engine's.
"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from assistant.conversation.events import Consent
from assistant.tui.session import Candidate
from assistant.tui.text import FAINT
from assistant.wording import one_line


class ConsentChip(Static, can_focus=True):
    """Hidden while there is nothing to ask."""

    DEFAULT_CSS = """
    ConsentChip { display: none; height: auto; margin: 0 2; padding: 0 1; background: $panel; }
    ConsentChip.-asking { display: block; }
    ConsentChip:focus { background: $primary 25%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('yes')", "Yes", id="consent.yes"),
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

    class Agreed(Message):
        """To give what was recalled, or not."""

        def __init__(self, question: Consent, agreed: bool) -> None:
            super().__init__()
            self.question = question
            self.agreed = agreed

    def __init__(self) -> None:
        super().__init__(id="consent")
        self.candidate: Candidate | None = None
        self.question: Consent | None = None
        self._n_more = 0

    def ask(self, candidate: Candidate | None, n_more: int = 0) -> None:
        """Show the question, or hide with None."""
        self.candidate, self.question = candidate, None
        self._n_more = n_more
        self.set_class(candidate is not None, "-asking")
        self._draw()

    def _draw(self) -> None:
        """The keys are those that act: before it has the keyboard, the one that gives it."""
        if self.candidate is None or self.question is not None:
            return
        more = f"   {self._n_more} more" if self._n_more else ""
        keys = "y yes  e edit  n no  v never this topic"
        self.update(
            Content.assemble(
                "Remember ",
                Content.styled(f"“{one_line(self.candidate.text, 120)}”", "bold"),
                "?\n",
                "" if self.has_focus else Content.styled("ctrl+y, then  ", "$accent bold"),
                Content.styled(keys, "$accent" if self.has_focus else FAINT),
                Content.styled(more, FAINT),
            )
        )

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._draw()

    def ask_recall(self, question: Consent) -> None:
        """The answer waits for this one: it takes the keyboard."""
        self.question = question
        self.set_class(True, "-asking")
        lines = [f"\n  {one_line(memory.text, 100)}" for memory in question.memories]
        self.update(
            Content.assemble(
                "Give these to the model?  ",
                Content.styled("y yes  n no", "$accent"),
                *(Content.styled(line, "bold") for line in lines),
            )
        )
        self.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """What is recalled is given or not: there is nothing to edit and no topic to name."""
        return self.question is None or parameters not in {("edit",), ("never",)}

    def action_answer(self, answer: str) -> None:
        if self.question is not None:
            question, self.question = self.question, None
            self.set_class(False, "-asking")
            self.post_message(self.Agreed(question, answer == "yes"))
        elif self.candidate is not None:
            self.post_message(self.Answered(self.candidate, answer))
