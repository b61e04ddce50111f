"""Asking before a thought is kept (memory.mode = ask): which one waits, and what becomes of it.

Knows the chat screen it asks on.
"""

from typing import TYPE_CHECKING

from assistant.tui.session import Candidate
from assistant.tui.widgets.consent import ConsentChip
from assistant.tui.widgets.dialogs import AskLine, EditText

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen


class ConsentFlow:
    """One question at a time, the oldest thought first."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    async def ask_next(self) -> None:
        """Show the next question, or none."""
        if self._screen.status.memory_mode != "ask":
            return
        waiting = await self._screen.ask(lambda store: list(store.candidates())) or []
        chip = self._screen.query_one(ConsentChip)
        chip.ask(waiting[0] if waiting else None, max(0, len(waiting) - 1))
        if not waiting and chip.has_focus:
            self._screen.prompt.focus()

    def focus(self) -> None:
        chip = self._screen.query_one(ConsentChip)
        if chip.candidate is not None:
            chip.focus()

    async def answered(self, candidate: Candidate, answer: str) -> None:
        """`answer` is "yes", "edit", "no" or "never"."""
        app = self._screen.app

        async def keep(text: str | None) -> None:
            if text:
                await self._decide(candidate, True, text)

        async def never(topic: str | None) -> None:
            if topic and topic.strip():
                self._screen.assistant_app.facts.never_store(topic.strip())
                await self._decide(candidate, False)

        match answer:
            case "edit":
                app.push_screen(EditText("What should be remembered?", candidate.text), keep)
            case "never":
                question = "Nothing is kept that holds these words"
                app.push_screen(AskLine(question, candidate.topic or candidate.text), never)
            case _:
                await self._decide(candidate, answer == "yes")

    async def _decide(self, candidate: Candidate, keep: bool, text: str = "") -> None:
        screen, now = self._screen, self._screen.backend.clock()
        await screen.do(lambda store: store.decide(candidate.id, keep, now))
        if text and text != candidate.text:
            await screen.ask_engine(lambda engine: engine.edit(candidate.id, text, now))
        await self.ask_next()
